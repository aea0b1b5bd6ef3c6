//! What the daemon is doing, in numbers: for `/metrics`, for `status`, and for those who wonder whether it is alive.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::capture::live::LiveOptions;

/// What one interface brought since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceFigures {
    /// Its name.
    pub interface: String,
    /// Whether it is watched now.
    pub is_up: bool,
    /// How often it went away.
    pub times_gone: u64,
    /// Frames.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Frames that belong to a connection.
    pub decoded: u64,
    /// The others, by reason.
    pub not_decoded: BTreeMap<String, u64>,
    /// Frames that the kernel had no room for.
    pub dropped_by_kernel: u64,
    /// Frames that the interface or its driver dropped.
    pub dropped_by_interface: u64,
    /// Connections in the table now.
    pub connections: u64,
    /// Connections written out early, for the table was full.
    pub evicted: u64,
    /// Connections that were left out, for the store could not be written.
    pub left_out: u64,
}

/// What became of the writing since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreFigures {
    /// Transactions that were written.
    pub flushes: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Seconds that all the written ones took.
    pub flush_seconds: f64,
    /// Seconds of the last one.
    pub last_flush_seconds: f64,
    /// Why it cannot be written now.
    pub failing: Option<String>,
    /// Bytes of the store's files.
    pub bytes: u64,
    /// Clients, servers and ports that were seen for the first time since the start.
    pub novel: u64,
    /// Hours and days of history that cannot be read, and stay as they are.
    pub damaged: u64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// The daemon's process.
    pub pid: u32,
    /// When it started, in seconds since 1970.
    pub started: u64,
    /// Where it answers to Prometheus.
    pub metrics: Option<SocketAddr>,
    /// Interface by interface, in the order in which they were named.
    pub interfaces: Vec<InterfaceFigures>,
    /// The store.
    pub store: StoreFigures,
}

/// A capture thread tells its figures every second, and between two flushes of a full table after some.
const LONGEST_SILENCE: Duration = Duration::from_secs(20);

/// What the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    stop: AtomicBool,
    figures: Mutex<Figures>,
    /// When each capture thread was last heard of.
    beats: Mutex<Vec<Instant>>,
    /// How interfaces are to be opened, and how often that was told.
    live: Mutex<LiveOptions>,
    tellings: AtomicU64,
}

impl Shared {
    pub fn new(figures: Figures, live: LiveOptions) -> Self {
        let beats = Mutex::new(vec![Instant::now(); figures.interfaces.len()]);
        let (figures, live) = (Mutex::new(figures), Mutex::new(live));
        Self { stop: AtomicBool::new(false), figures, beats, live, tellings: AtomicU64::new(0) }
    }

    /// Tells all threads to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Has all interfaces opened again, like this.
    pub fn open_again(&self, live: LiveOptions) {
        *locked(&self.live) = live;
        self.tellings.fetch_add(1, Ordering::Release);
    }

    /// How often interfaces were to be opened again.
    pub fn tellings(&self) -> u64 {
        self.tellings.load(Ordering::Acquire)
    }

    /// How interfaces are to be opened.
    pub fn live(&self) -> LiveOptions {
        locked(&self.live).clone()
    }

    /// The figures of this moment.
    pub fn figures(&self) -> Figures {
        locked(&self.figures).clone()
    }

    /// What a capture thread has counted; it is alive.
    pub fn publish(&self, n: usize, figures: InterfaceFigures) {
        if let Some(place) = locked(&self.figures).interfaces.get_mut(n) {
            *place = figures;
        }
        if let Some(beat) = locked(&self.beats).get_mut(n) {
            *beat = Instant::now();
        }
    }

    /// Connections in the tables of the other capture threads, as they were told last.
    pub fn connections_of_others(&self, n: usize) -> u64 {
        let figures = locked(&self.figures);
        let others = figures.interfaces.iter().enumerate().filter(|(other, _)| *other != n);
        others.map(|(_, it)| it.connections).sum()
    }

    /// Changes what is known of the store.
    pub fn of_store(&self, change: impl FnOnce(&mut StoreFigures)) {
        change(&mut locked(&self.figures).store);
    }

    /// Which capture thread was not heard of for too long.
    pub fn stalled(&self) -> Option<String> {
        let n = locked(&self.beats).iter().position(|beat| beat.elapsed() > LONGEST_SILENCE)?;
        let name = locked(&self.figures).interfaces.get(n).map(|it| it.interface.clone()).unwrap_or_default();
        Some(format!("the thread that watches {name} stands still"))
    }
}

/// A thread that panicked leaves whole figures: they are replaced, not worked on.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
