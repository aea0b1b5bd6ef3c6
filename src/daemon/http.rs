//! `/metrics`, `/healthz` and `/livez` over HTTP, for those who watch the daemon.

use std::{collections::VecDeque, convert::Infallible, io, net, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, yield_now},
    time::{sleep, timeout},
};

use super::{figures::Shared, metrics};

/// Connections at one time; the next one takes the place of the oldest.
const MAX_CONNECTIONS: usize = 32;
/// How long somebody may take to ask.
const LONGEST_QUESTION: Duration = Duration::from_secs(2);
/// How long a connection may last.
const LONGEST: Duration = Duration::from_secs(10);
/// How long it rests where the system has no room for another connection.
const REST: Duration = Duration::from_millis(200);

/// Answers for as long as the daemon runs.
pub(super) async fn serve(listener: net::TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut open: VecDeque<JoinHandle<()>> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        open.retain(|connection| !connection.is_finished());
        // who asks is answered in a moment: the one that has lasted longest is none who asks
        if open.len() >= MAX_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let shared = shared.clone();
        open.push_back(tokio::spawn(async move {
            // what goes wrong on the way is the caller's to notice
            let _ = timeout(LONGEST, connection(stream, shared)).await;
        }));
        // where many come at once, each has its turn before the next one takes the place of another
        yield_now().await;
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.uri().path(), &shared);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(LONGEST_QUESTION)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn health(complaint: Option<String>) -> (StatusCode, String) {
    match complaint {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(complaint) => (StatusCode::SERVICE_UNAVAILABLE, complaint + "\n"),
    }
}

fn answer(path: &str, shared: &Shared) -> Response<Full<Bytes>> {
    let figures = shared.figures();
    let (status, text) = match path {
        "/metrics" => (StatusCode::OK, metrics::text(&figures)),
        "/healthz" => health(shared.stalled().or_else(|| metrics::complaint(&figures))),
        // to start anew cures what stands still, and neither a full disk nor an interface that is not there
        "/livez" => health(shared.stalled()),
        _ => (StatusCode::NOT_FOUND, "there are /metrics, /healthz and /livez\n".to_owned()),
    };
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
