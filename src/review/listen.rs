//! The socket, and the bounds of every connection on it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::{
    Config,
    desk::Desk,
    guard::{Guard, Secret},
    held::Held,
    route,
    seats::{Seat, Seats},
    timed::Timed,
};
use crate::{proposal::ProposalError, store::StoreError};

/// Connections at one time.
const MAX_CONNECTIONS: usize = 64;
/// How long the head of a request may take.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long the other end may leave unread what it is sent.
const WRITE_TIME: Duration = Duration::from_secs(20);
/// How long the end waits for who still works on the store.
const CLOSE_TIME: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const MAX_HEAD: usize = 16 * 1_024;
/// Lines of a request's head.
const MAX_HEADERS: usize = 64;
/// How long the server rests where the system has no room for another connection.
const REST: Duration = Duration::from_millis(200);

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Somebody else listens there.
    #[error("{0}: somebody else listens there")]
    InUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("{0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The system gives no randomness.
    #[error("random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to propose from.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
}

/// Listens on an address, and tells on which, for the system chooses the port where it is 0.
pub async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ReviewError> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => ReviewError::InUse(address),
        _ => ReviewError::Listen(address, error),
    };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let listening = listener.local_addr().map_err(fault)?;
    Ok((listener, listening))
}

/// Answers until it is to stop. The store is closed then, with all that was decided in its file.
pub async fn serve(
    config: Config,
    listener: TcpListener,
    token: Secret,
    stop: impl Future<Output = ()>,
) -> Result<(), ReviewError> {
    let address = |error| ReviewError::Listen(SocketAddr::from(([0, 0, 0, 0], 0)), error);
    let listening = listener.local_addr().map_err(address)?;
    let guard = Guard::new(token, listening, &config.hosts)?;
    let store = Held::open(&config.store).await?;
    let desk = Desk::new(config, store, guard);
    desk.warm();
    let router = route::router(desk.clone());
    tokio::select! {
        () = answer(&listener, &router) => {}
        () = stop => {}
    }
    // who still reads or writes is waited for, but not for ever
    let _ = timeout(CLOSE_TIME, desk.close()).await;
    Ok(())
}

async fn answer(listener: &TcpListener, router: &axum::Router) {
    let mut seats = Seats::new(MAX_CONNECTIONS);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        // where there is no place the connection ends here
        let Some(seat) = seats.take() else { continue };
        let router = router.clone();
        tokio::spawn(async move {
            tokio::select! {
                // what goes wrong on the way is the browser's to notice
                _ = connection(stream, router, seat.clone()) => {}
                () = seat.left() => {}
            }
        });
    }
}

async fn connection(stream: TcpStream, router: axum::Router, seat: Arc<Seat>) -> Result<(), hyper::Error> {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(seat.clone());
        router.call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        // who has asked and says no more still gets the answer
        .half_close(true)
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Timed::new(stream, WRITE_TIME)), service)
        .await
}
