//! The thread that writes. It has the store to itself, and what it cannot write it tries again.

use std::{
    collections::HashSet,
    hash::BuildHasher,
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use foldhash::fast::FixedState;
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};
use tracing::{error, info};

use super::{figures::Shared, worker::Flush};
use crate::{
    connection,
    model::{Observation, Opening, Timestamp},
    store::{Run, Store, StoreError},
};

/// After a failure it is tried again after this time, then after twice as long, and so on.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Not later than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long a store that cannot be written is tried after the daemon was told to stop.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it sleeps before it looks whether it is told to stop.
const NAP: Duration = Duration::from_millis(100);

/// Clients, servers and ports that are remembered: some 4 MB. What comes beyond is not counted as new.
const MAX_KNOWN: usize = 262_144;

/// History is kept by the hour: it is looked at more often than that.
const BETWEEN_CLEANINGS: Duration = Duration::from_mins(5);

/// What writes.
pub(super) struct Writer {
    path: PathBuf,
    shared: Arc<Shared>,
    /// Whether it was said that the store cannot be written.
    is_said: bool,
    /// When it was first seen that it is to stop.
    stopped: Option<Instant>,
    unwritten: Option<StoreError>,
    /// Hashes of client, server and port.
    known: HashSet<u64>,
    keep: Option<Duration>,
    /// When to look for what is too old.
    next_cleaning: Instant,
}

impl Writer {
    pub fn new(path: &Path, keep: Option<Duration>, shared: Arc<Shared>) -> Self {
        let next_cleaning = Instant::now();
        Self {
            keep,
            next_cleaning,
            path: path.to_owned(),
            shared,
            is_said: false,
            stopped: None,
            unwritten: None,
            known: HashSet::new(),
        }
    }

    /// Opens the store, says so, and writes until there is nobody who sends; why the last could not be written, if so.
    pub fn run(
        self,
        inbox: UnboundedReceiver<Flush>,
        opened: oneshot::Sender<Result<(), StoreError>>,
    ) -> io::Result<Option<StoreError>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(runtime.block_on(self.open_and_write(inbox, opened)))
    }

    async fn open_and_write(
        mut self,
        mut inbox: UnboundedReceiver<Flush>,
        opened: oneshot::Sender<Result<(), StoreError>>,
    ) -> Option<StoreError> {
        let mut store = match Store::open_for_daemon(&self.path).await {
            Ok(store) => store,
            Err(error) => {
                // nobody listens where the daemon ended meanwhile
                let _ = opened.send(Err(error));
                return None;
            }
        };
        let _ = opened.send(Ok(()));
        while let Some(mut flush) = inbox.recv().await {
            self.note_novelty(&flush.observations);
            self.cut(&mut flush.run);
            store = self.write(store, &flush).await;
            flush.pending.store(false, Ordering::Release);
            self.clean(&store).await;
            flush.observations = connection::merged(std::mem::take(&mut flush.observations));
        }
        if self.unwritten.is_none() {
            store.close().await;
        }
        self.unwritten
    }

    /// Writes it, as often as it takes.
    async fn write(&mut self, mut store: Store, flush: &Flush) -> Store {
        let mut wait = FIRST_WAIT;
        loop {
            let begun = Instant::now();
            let Err(error) = store.extend_run(&flush.run, &flush.observations, &flush.learnt).await else {
                self.note_success(begun.elapsed());
                return store;
            };
            self.note_failure(&error);
            if self.is_out_of_patience() {
                self.unwritten = Some(error);
                return store;
            }
            self.sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            store = self.opened_again(store).await;
        }
    }

    /// The time before which all is forgotten.
    fn horizon(&self) -> Option<Timestamp> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let nanos = i64::try_from(now.saturating_sub(self.keep?).as_nanos()).ok()?;
        Some(Timestamp(nanos).hour().start())
    }

    /// A run that goes on does not tell of what is forgotten.
    fn cut(&self, run: &mut Run) {
        if let (Some(horizon), Some(first)) = (self.horizon(), run.first_packet.as_mut()) {
            *first = horizon.max(*first);
        }
    }

    /// Takes a little of what is too old out, and comes back soon where more is left.
    async fn clean(&mut self, store: &Store) {
        let Some(horizon) = self.horizon().filter(|_| Instant::now() >= self.next_cleaning) else { return };
        if self.shared.is_stopping() {
            return;
        }
        // a store that cannot be written is told by the next flush
        let is_more_left = store.forget_some(horizon).await.unwrap_or(false);
        self.next_cleaning = Instant::now() + if is_more_left { Duration::ZERO } else { BETWEEN_CLEANINGS };
    }

    /// The store by a new connection: where SQLite gave a transaction up by itself, the old one does not know.
    async fn opened_again(&self, store: Store) -> Store {
        match Store::open_for_daemon(&self.path).await {
            Ok(fresh) => {
                store.close().await;
                fresh
            }
            // the next attempt will tell why
            Err(_) => store,
        }
    }

    fn note_success(&mut self, took: Duration) {
        if std::mem::take(&mut self.is_said) {
            info!("the store is written again");
        }
        let bytes = size(&self.path);
        self.shared.of_store(|store| {
            store.flushes += 1;
            store.last_flush_seconds = took.as_secs_f64();
            store.flush_seconds += took.as_secs_f64();
            store.failing = None;
            store.bytes = bytes;
        });
    }

    /// Counts who was not seen before, of those whose opening was seen: the others may be laid out either way.
    fn note_novelty(&mut self, observations: &[Observation]) {
        let before = self.known.len();
        for key in observations.iter().map(|it| &it.key).filter(|key| key.opening == Opening::Seen) {
            if self.known.len() < MAX_KNOWN {
                self.known.insert(FixedState::default().hash_one((key.src, key.dst, key.dst_port, key.protocol)));
            }
        }
        let novel = u64::try_from(self.known.len() - before).unwrap_or_default();
        self.shared.of_store(|store| store.novel += novel);
    }

    fn note_failure(&mut self, why: &StoreError) {
        if !std::mem::replace(&mut self.is_said, true) {
            error!("{}: {why}; what is seen is kept in memory meanwhile", self.path.display());
        }
        self.shared.of_store(|store| {
            store.failures += 1;
            store.failing = Some(why.to_string());
        });
    }

    fn is_out_of_patience(&mut self) -> bool {
        self.shared.is_stopping() && self.stopped.get_or_insert_with(Instant::now).elapsed() >= PATIENCE
    }

    /// Sleeps for a time, or until it is told to stop and has slept a little.
    async fn sleep(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            tokio::time::sleep(NAP).await;
            if self.shared.is_stopping() {
                return;
            }
        }
    }
}

/// Bytes of the store with its write-ahead log.
fn size(path: &Path) -> u64 {
    let of = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |file| file.len())
    };
    of("") + of("-wal")
}
