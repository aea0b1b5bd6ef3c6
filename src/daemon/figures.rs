//! What the daemon is doing, in numbers: for `/metrics`, for `status`, and for those who wonder whether it is alive.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::waker::Waker;
use crate::{capture::live::LiveOptions, model::Timestamp, store::RunId};

/// What one interface brought since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceFigures {
    /// Its name.
    pub interface: String,
    /// The run that is written of it.
    pub run: String,
    /// Whether it is watched now, and up.
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
    /// How often it went away with frames in the kernel that could not be read, or not counted.
    pub unknown_losses: u64,
    /// Connections in the table now.
    pub connections: u64,
    /// Connections written out early, for the table was full.
    pub evicted: u64,
    /// Parts of connections that were left out, for too many before them waited for the store.
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

impl Figures {
    /// Whether the daemon writes this run; one of an earlier version does not tell which it writes.
    #[must_use]
    pub fn writes(&self, run: RunId) -> bool {
        let run = run.to_string();
        self.interfaces.is_empty() || self.interfaces.iter().any(|it| it.run.is_empty() || it.run == run)
    }
}

/// A capture thread tells its figures every few seconds, and between two flushes of a full table after some.
const LONGEST_SILENCE: Duration = Duration::from_secs(20);
/// A step of the writer takes less, also on a disk that is slow: it waits no more than a second for others.
const LONGEST_STEP: Duration = Duration::from_mins(1);

/// What the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    stop: AtomicBool,
    figures: Mutex<Figures>,
    /// What the runs of interfaces are called in the store, where the writer has told.
    runs: Mutex<BTreeMap<usize, RunId>>,
    /// When each capture thread was last heard of.
    beats: Mutex<Vec<Instant>>,
    /// Since when the writer is at what it does; none where there is nothing to write.
    step: Mutex<Option<Instant>>,
    /// One for each capture thread.
    wakers: Vec<Waker>,
    /// How interfaces are to be opened, and how often that was told.
    live: Mutex<LiveOptions>,
    tellings: AtomicU64,
}

impl Shared {
    pub fn new(figures: Figures, live: LiveOptions) -> io::Result<Self> {
        let wakers = figures.interfaces.iter().map(|_| Waker::new()).collect::<io::Result<_>>()?;
        let beats = Mutex::new(vec![Instant::now(); figures.interfaces.len()]);
        let (figures, live) = (Mutex::new(figures), Mutex::new(live));
        let (stop, tellings) = (AtomicBool::new(false), AtomicU64::new(0));
        Ok(Self { stop, figures, runs: Mutex::default(), beats, step: Mutex::default(), wakers, live, tellings })
    }

    /// Tells all threads to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wakers.iter().for_each(Waker::wake);
    }

    /// What wakes a capture thread.
    pub fn waker(&self, n: usize) -> Option<&Waker> {
        self.wakers.get(n)
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Has all interfaces opened again, like this.
    pub fn open_again(&self, live: LiveOptions) {
        *locked(&self.live) = live;
        self.tellings.fetch_add(1, Ordering::Release);
        self.wakers.iter().for_each(Waker::wake);
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
        let mut figures = locked(&self.figures).clone();
        let runs = locked(&self.runs);
        for (interface, run) in
            figures.interfaces.iter_mut().enumerate().filter_map(|(n, it)| Some((it, runs.get(&n)?)))
        {
            interface.run = run.to_string();
        }
        figures
    }

    /// What the run of an interface is called in the store.
    pub fn run_is(&self, n: usize, run: RunId) {
        locked(&self.runs).insert(n, run);
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

    /// The writer is given something: it is to begin with it, if it waits.
    pub fn writer_is_asked(&self) {
        locked(&self.step).get_or_insert_with(Instant::now);
    }

    /// The writer begins with something, or with its next try.
    pub fn writer_works(&self) {
        *locked(&self.step) = Some(Instant::now());
    }

    /// The writer waits for something to do.
    pub fn writer_rests(&self) {
        *locked(&self.step) = None;
    }

    /// Which thread was not heard of for too long, and since when.
    pub fn stalled(&self) -> Option<String> {
        self.stalled_at(Instant::now(), SystemTime::now())
    }

    fn stalled_at(&self, now: Instant, wall: SystemTime) -> Option<String> {
        let beats = locked(&self.beats).clone().into_iter().enumerate();
        let mut silences = beats.map(|(n, beat)| (n, now.saturating_duration_since(beat)));
        let watches = silences.find(|(_, silence)| *silence > LONGEST_SILENCE).map(|(n, silence)| {
            let name = locked(&self.figures).interfaces.get(n).map(|it| it.interface.clone());
            (format!("watches {}", name.unwrap_or_default()), silence)
        });
        let step = (*locked(&self.step)).map(|begun| now.saturating_duration_since(begun));
        let writes = step.filter(|step| *step > LONGEST_STEP).map(|step| ("writes to the store".to_owned(), step));
        let (does, silence) = watches.or(writes)?;
        let since = (wall - silence).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since = Timestamp::new(i64::try_from(since.as_secs()).unwrap_or_default(), 0);
        Some(format!("the thread that {does} stands still since {since}"))
    }
}

/// A thread that panicked leaves whole figures: they are replaced, not worked on.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_stands_still_is_named_with_the_time_since_when() {
        let eth0 = InterfaceFigures { interface: "eth0".into(), ..Default::default() };
        let figures = Figures { interfaces: vec![eth0.clone()], ..Figures::default() };
        let shared = Shared::new(figures, LiveOptions::default()).unwrap();
        let begun = Instant::now();
        let told = |after: u64| {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + after);
            shared.stalled_at(begun + Duration::from_secs(after), wall)
        };
        *locked(&shared.beats) = vec![begun];
        *locked(&shared.step) = Some(begun);
        assert_eq!(told(15), None);
        assert_eq!(told(30).unwrap(), "the thread that watches eth0 stands still since 2027-01-15T08:00:00Z");
        *locked(&shared.beats) = vec![begun + Duration::from_mins(1)];
        assert_eq!(told(50), None, "a flush may take its time");
        assert_eq!(told(70).unwrap(), "the thread that writes to the store stands still since 2027-01-15T08:00:00Z");
        shared.writer_rests();
        assert_eq!(told(70), None, "it has nothing to do");
        shared.writer_is_asked();
        assert!(told(70).is_some(), "it does not begin with what it was given");
    }
}
