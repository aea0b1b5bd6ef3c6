//! The main thread: starts the others, listens for signals, and ends what it started.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use sd_notify::NotifyState;
use tokio::{
    io::unix::AsyncFd,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot},
    time::sleep,
};
use tracing::{info, warn};

use super::{
    DaemonError, Ended, Figures, InterfaceFigures, Lock, Options, config,
    figures::Shared,
    http, rights,
    worker::{Message, Worker},
    writer::Writer,
};
use crate::{
    capture::live::{LiveCapture, LiveOptions},
    clock,
    store::{Run, StoreError, StoreFile},
};

/// How often the figures are left beside the store, and the service manager is told that all is well.
const TELL_INTERVAL: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Told to stop again within this is told once: `timeout` tells first its child, then the group that this is in.
const ONE_WORD: Duration = Duration::from_secs(1);

/// Watches until it is told to stop, or for as long as the options say.
pub async fn run(options: &Options) -> Result<Ended, DaemonError> {
    let mut signals = Signals::new()?;
    // first all handles: nothing is written where one of them fails
    let live = live_options(options)?;
    let captures = open_all(options, &live)?;
    let lock = Lock::take(&options.store)?;
    let file = StoreFile::take(&options.store)?;
    let listener = options.metrics.map(listen).transpose()?;
    let shared = Arc::new(Shared::new(first_figures(options, listener.as_ref()), live)?);
    // before the first thread, which could not be confined from here
    let lacking = rights::confine(options.folder(), options.config.as_deref());
    let mut ticks = Ticks::new()?;
    let mut daemon = Daemon::start(options, captures, (lock, file), shared).await?;
    if let Some(listener) = listener {
        tokio::spawn(http::serve(listener, daemon.shared.clone()));
    }
    info!("watching {}; Ctrl-C stops", options.interfaces.join(", "));
    for lack in lacking {
        warn!("not confined by {lack}");
    }
    notify(&[NotifyState::Ready]);
    daemon.wait(options, &mut signals, &mut ticks).await;
    notify(&[NotifyState::Stopping]);
    daemon.shared.stop();
    let told = Instant::now();
    tokio::select! {
        ended = daemon.end() => ended,
        () = signals.stop_again(told) => Err(DaemonError::StoppedTwice),
    }
}

/// As the flags say, and the file that goes before them.
fn live_options(options: &Options) -> Result<LiveOptions, DaemonError> {
    match &options.config {
        None => Ok(options.live.clone()),
        Some(path) => config::read(path, &options.live).map_err(|error| DaemonError::Config(path.clone(), error)),
    }
}

fn open_all(options: &Options, live: &LiveOptions) -> Result<Vec<LiveCapture>, DaemonError> {
    let open =
        |name: &String| LiveCapture::open(name, live).map_err(|error| DaemonError::Interface(name.clone(), error));
    options.interfaces.iter().map(open).collect()
}

fn listen(address: SocketAddr) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address).map_err(|error| DaemonError::Metrics(address, error))
}

/// Tells the service manager, where there is one that asks.
fn notify(state: &[NotifyState<'_>]) {
    // one that does not listen will notice by itself
    let _ = sd_notify::notify(state);
}

fn first_figures(options: &Options, listener: Option<&TcpListener>) -> Figures {
    let interface = |name: &String| InterfaceFigures { interface: name.clone(), is_up: true, ..Default::default() };
    Figures {
        pid: std::process::id(),
        started: clock::now().0.unsigned_abs() / 1_000_000_000,
        interfaces: options.interfaces.iter().map(interface).collect(),
        metrics: listener.and_then(|listener| listener.local_addr().ok()),
        ..Figures::default()
    }
}

/// The threads that run.
struct Daemon {
    lock: Lock,
    shared: Arc<Shared>,
    workers: Vec<Running<Run>>,
    writer: Running<io::Result<Option<StoreError>>>,
}

/// A thread of its own. Those that tokio has for what blocks are bounded: what comes beyond would wait for the others to end.
struct Running<T> {
    thread: JoinHandle<()>,
    result: oneshot::Receiver<T>,
}

impl<T: Send + 'static> Running<T> {
    fn start(name: &str, act: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (sender, result) = oneshot::channel();
        let act = move || {
            // nobody waits for it where the daemon was told to stop twice
            let _ = sender.send(act());
        };
        Ok(Self { thread: thread::Builder::new().name(name.to_owned()).spawn(act)?, result })
    }

    fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    async fn end(self) -> io::Result<T> {
        self.result.await.map_err(|_| io::Error::other("a thread ended before its time"))
    }
}

impl Daemon {
    async fn start(
        options: &Options,
        captures: Vec<LiveCapture>,
        (mut lock, file): (Lock, StoreFile),
        shared: Arc<Shared>,
    ) -> Result<Self, DaemonError> {
        // the store may tell better why nothing can be written there
        let _ = lock.write(shared.figures());
        let (outbox, inbox) = mpsc::unbounded_channel::<Message>();
        let (opened, is_opened) = oneshot::channel();
        let writer = Writer::new(options, shared.clone(), file);
        let writer = Running::start("writer", move || writer.run(inbox, opened))?;
        is_opened.await.unwrap_or_else(|_| Err(StoreError::Damaged("the writer ended".into())))?;
        let worker = |(n, capture)| Worker::new(n, capture, options, outbox.clone(), shared.clone());
        let workers: Vec<Worker> = captures.into_iter().enumerate().map(worker).collect();
        // who takes a run back must know before it is in the store that it goes on
        let _ = lock.write(shared.figures());
        let watch = |worker: Worker| Running::start("capture", move || worker.watch());
        let workers = workers.into_iter().map(watch).collect::<io::Result<_>>()?;
        Ok(Self { lock, shared, workers, writer })
    }

    /// Until there is a reason to stop.
    async fn wait(&mut self, options: &Options, signals: &mut Signals, ticks: &mut Ticks) {
        let period = async {
            match options.period {
                Some(period) => sleep(period).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(period);
        loop {
            tokio::select! {
                () = &mut period => return,
                told = signals.next() => match told {
                    Told::Stop => return,
                    Told::Reload => self.reload(options),
                },
                () = ticks.next() => self.look_around(),
            }
            if self.workers.iter().all(Running::is_finished) || self.writer.is_finished() {
                return;
            }
        }
    }

    /// Reads the file again, and has the interfaces opened again.
    fn reload(&self, options: &Options) {
        match live_options(options) {
            Ok(live) => self.shared.open_again(live),
            Err(error) => warn!("{error}; all stays as it was"),
        }
    }

    fn look_around(&mut self) {
        // without this for a while the service manager starts another
        if self.shared.stalled().is_none() {
            notify(&[NotifyState::Watchdog]);
        }
        // a full disk: whoever reads it sees older figures
        let _ = self.lock.write(self.shared.figures());
    }

    /// Waits for all threads; they were told.
    async fn end(self) -> Result<Ended, DaemonError> {
        let mut runs = Vec::new();
        for worker in self.workers {
            runs.push(worker.end().await?);
        }
        let unwritten = self.writer.end().await??;
        Ok(Ended { runs, unwritten })
    }
}

/// A timer of the kernel's, at once and then every few seconds: tokio's own would wake the thread three times for each.
struct Ticks(AsyncFd<OwnedFd>);

impl Ticks {
    #[expect(
        deprecated,
        reason = "it cannot know that this descriptor stays open; what takes its place is unsafe to call"
    )]
    fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let at_once = Timespec { tv_sec: 0, tv_nsec: 1 };
        let every = Itimerspec { it_interval: TELL_INTERVAL, it_value: at_once };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    async fn next(&mut self) {
        loop {
            // without a runtime nobody waits
            let Ok(mut ready) = self.0.readable().await else { return std::future::pending().await };
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut [0; 8])?));
            if read.is_ok() {
                return;
            }
        }
    }
}

/// What a signal means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Stop,
    Reload,
}

/// What the system may tell the daemon.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// What it is told next.
    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.terminate.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    /// Until it is told to stop once more, [`ONE_WORD`] after it was `told`.
    async fn stop_again(&mut self, told: Instant) {
        while self.next().await != Told::Stop || told.elapsed() < ONE_WORD {}
    }
}
