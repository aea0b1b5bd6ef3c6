//! The thread that writes. It has the store to itself, and what it cannot write it tries again.

mod history;
mod parts;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::File,
    hash::BuildHasher,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use foldhash::fast::FixedState;
use parts::Parts;
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};
use tracing::{error, info, warn};

use super::{
    Options,
    clock::Clock,
    figures::Shared,
    worker::{Flush, Message},
};
use crate::{
    clock, connection,
    model::{Hour, Observation, Opening, Timestamp},
    store::{
        Batch, DamagedHours, OtherLog, RunId, Store, StoreError, StoreFile, TakeError, Thinning,
        files::{bytes_with_log, folder_of, has_log, is_at},
    },
};

/// A packet that nobody takes is lost, a flush can wait: on a core that they share the capture threads go before the writer.
const NICENESS: i32 = 10;

/// After a failure it is tried again after this time, then after twice as long, and so on.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Not later than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long a store that cannot be written is tried after the daemon was told to stop.
const PATIENCE: Duration = Duration::from_secs(3);
/// What nobody has written to for so long is whole.
const SETTLED: Duration = Duration::from_secs(2);
/// How long it sleeps before it looks whether it is told to stop.
const NAP: Duration = Duration::from_millis(100);

/// Clients, servers and ports that are remembered: some 4 MB. What comes beyond is not counted as new.
const MAX_KNOWN: usize = 262_144;

/// A run in which nothing is new is written this often, which tells whether the store can be written.
const LONGEST_REST: Duration = Duration::from_mins(1);

/// What writes.
pub(super) struct Writer {
    path: PathBuf,
    /// Open, unless it could not be opened again.
    store: Option<Store>,
    /// Its file, held as long as it is open.
    file: Option<StoreFile>,
    /// The folder that the store was in at the start: this process may be confined to it.
    folder: Option<Folder>,
    /// Whether the file was written over, and is to be whole before it is opened.
    is_unsettled: bool,
    shared: Arc<Shared>,
    said: Said,
    /// When it was first seen that it is to stop.
    stopped: Option<Instant>,
    unwritten: Option<StoreError>,
    /// Hashes of client, server and port.
    known: HashSet<u64>,
    clock: Clock,
    /// When the store was told last how late it is, and whether the clock was doubted then.
    time_kept: Option<(Instant, bool)>,
    /// Before this all was forgotten.
    horizon: Option<Timestamp>,
    keep: Option<Duration>,
    thin_after: Option<Duration>,
    /// Days whose hours are on their way into one.
    thinning: Thinning,
    /// Runs that are written now, as they are called in the store.
    runs: BTreeSet<RunId>,
    /// What of them is in other files.
    parts: Parts,
    /// When each of them, as the capture threads call it, was written last to the store that is open.
    written: BTreeMap<RunId, Instant>,
    /// Hours that cannot be read, which were said.
    damaged: BTreeSet<(RunId, Hour)>,
    /// When to look for what is too old.
    next_cleaning: Instant,
}

/// What was said, and is not said again while it lasts.
#[derive(Default)]
struct Said {
    /// That the store cannot be written.
    failure: bool,
    /// That the clock is not believed.
    doubt: bool,
    /// That history cannot be looked after.
    neglect: bool,
}

impl Writer {
    pub fn new(options: &Options, shared: Arc<Shared>, file: StoreFile) -> Self {
        let next_cleaning = Instant::now();
        Self {
            clock: Clock::default(),
            time_kept: None,
            horizon: None,
            keep: options.keep,
            thin_after: options.thin_after,
            thinning: Thinning::default(),
            runs: BTreeSet::new(),
            parts: Parts::default(),
            written: BTreeMap::new(),
            damaged: BTreeSet::new(),
            next_cleaning,
            folder: Folder::of(&options.store),
            path: options.store.clone(),
            store: None,
            file: Some(file),
            is_unsettled: false,
            shared,
            said: Said::default(),
            stopped: None,
            unwritten: None,
            known: HashSet::new(),
        }
    }

    /// Opens the store, says so, and writes until there is nobody who sends; why the last could not be written, if so.
    pub fn run(
        self,
        inbox: UnboundedReceiver<Message>,
        opened: oneshot::Sender<Result<(), StoreError>>,
    ) -> io::Result<Option<StoreError>> {
        // Linux takes it for this thread and those that it starts; where it refuses, the writer is as important as the others
        let _ = rustix::process::setpriority_process(None, NICENESS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(runtime.block_on(self.open_and_write(inbox, opened)))
    }

    async fn open_and_write(
        mut self,
        mut inbox: UnboundedReceiver<Message>,
        opened: oneshot::Sender<Result<(), StoreError>>,
    ) -> Option<StoreError> {
        let is_open = self.open().await;
        let is_there = is_open.is_ok();
        // nobody listens where the daemon ended meanwhile
        let _ = opened.send(is_open);
        if !is_there {
            return None;
        }
        let mut begun: BTreeMap<usize, Batch> = BTreeMap::new();
        while let Some(message) = inbox.recv().await {
            self.shared.writer_works();
            match message {
                Message::Piece(n, rows, queued) => {
                    let rows = connection::merged(rows);
                    self.note_novelty(&rows);
                    begun.entry(n).or_default().add(&rows);
                    drop((rows, queued));
                }
                Message::Flush(flush) => {
                    let batch = begun.remove(&flush.n).unwrap_or_default();
                    self.take(*flush, batch).await;
                }
            }
            self.shared.writer_rests();
        }
        if self.unwritten.is_none() {
            self.close().await;
        }
        self.unwritten
    }

    /// Writes a flush, and does some of what is to be done to history.
    async fn take(&mut self, mut flush: Flush, mut batch: Batch) {
        batch.settle();
        self.cut(&mut flush.run);
        self.write(&flush, &batch).await;
        flush.pending.store(false, Ordering::Release);
        self.shared.writer_works();
        self.clean().await;
        // what comes later is told from what was done here
        self.is_overwritten();
    }

    /// Writes it, as often as it takes.
    async fn write(&mut self, flush: &Flush, batch: &Batch) {
        let mut wait = FIRST_WAIT;
        loop {
            self.shared.writer_works();
            if self.may_rest(flush, batch) {
                return;
            }
            let begun = Instant::now();
            let Err(error) = self.try_to_write(flush, batch).await else { return self.note_success(begun.elapsed()) };
            self.note_failure(&error);
            if self.is_out_of_patience() {
                if self.follow_folder() {
                    continue;
                }
                self.unwritten = Some(error);
                return;
            }
            self.sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            // where SQLite gave a transaction up by itself, this connection does not know
            if self.is_there() {
                self.close().await;
            }
        }
    }

    /// Whether nothing is new, and the store is where it was.
    fn may_rest(&mut self, flush: &Flush, batch: &Batch) -> bool {
        let is_idle = !flush.has_news && batch.is_empty() && flush.learnt.is_empty();
        let is_fresh = self.written.get(&flush.run.id).is_some_and(|written| written.elapsed() < LONGEST_REST);
        is_idle && is_fresh && self.is_there() && !self.is_overwritten()
    }

    async fn try_to_write(&mut self, flush: &Flush, batch: &Batch) -> Result<(), StoreError> {
        if self.store.is_some() && !self.is_there() {
            self.part_from_file().await?;
        }
        if self.is_overwritten() {
            self.close().await;
            self.parts.begin();
            return Err(StoreError::Overwritten);
        }
        if self.store.is_none() {
            self.open().await?;
        }
        // before the store holds anything of a clock that may be wrong
        self.keep_time().await?;
        let Some(store) = &self.store else { return Ok(()) };
        let run = self.parts.of_this_file(&flush.run);
        let damage = store.extend_run_by(&run, batch, &flush.learnt, &self.damaged).await?;
        if self.is_overwritten() {
            // it may be in neither: the next try finds this again
            return Err(StoreError::Overwritten);
        }
        self.shared.run_is(flush.n, run.id);
        self.runs.insert(run.id);
        self.parts.are_written(&flush.run);
        self.written.insert(flush.run.id, Instant::now());
        if let Some(damage) = damage {
            self.note_damage(&damage);
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<(), StoreError> {
        if self.is_unsettled && !is_settled(&self.path) {
            return Err(StoreError::Overwritten);
        }
        self.is_unsettled = false;
        // before SQLite touches it
        let file = match self.file.take().filter(|file| file.is_at(&self.path)) {
            Some(file) => file,
            None => StoreFile::take(&self.path).map_err(refused)?,
        };
        let store = Store::open_for_daemon(&self.path).await?;
        let learnt = self.learn_time(&store).await;
        let file = self.file.insert(file);
        file.watch(&self.path);
        if file.is_partly_taken_in() {
            // what a killed one left; a failure is the next flush's to tell
            let _ = store.take_in_what_is_free().await;
            file.watch(&self.path);
        }
        self.store = Some(store);
        if learnt.is_err() {
            self.close().await;
        }
        learnt
    }

    async fn learn_time(&mut self, store: &Store) -> Result<(), StoreError> {
        let (kept, newest) = (store.kept_time().await?, store.newest(clock::now()).await?);
        self.clock.learn(kept, newest, Instant::now());
        Ok(())
    }

    /// Whether the file that is open is the one of this name, and so is its log.
    fn is_there(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.is_at(&self.path) && file.has_its_log_at(&self.path))
    }

    /// Closes a store whose file, or whose log, is there by its name no more. What its log holds belongs to it, and not to another
    /// file of this name: as long as somebody reads there it is kept open; where it is gone nothing can be done.
    async fn part_from_file(&mut self) -> Result<(), StoreError> {
        let has_file = self.file.as_ref().is_some_and(|file| file.is_at(&self.path));
        let has_others = has_file && (self.is_overwritten() || has_log(&self.path));
        let path = self.path.display();
        let mut other_log = None;
        if has_others {
            // SQLite knows of either log alone, and a store with the pages of both is none
            warn!("{path}: its log was removed, and another process wrote since: what the old one held is lost");
            other_log = OtherLog::keep(&self.path);
            if let (Some(store), Some(file)) = (&self.store, &self.file) {
                // where that fails the disk does
                let _ = store.while_alone(|| file.void_log()).await;
            }
        } else {
            if let Some(store) = &self.store
                && let Err(StoreError::Locked) = store.take_log_in().await
            {
                return Err(StoreError::Locked);
            }
            if has_file {
                warn!("{path}: its log was removed; what it held is taken in, and the store is opened again");
            } else {
                warn!("{path}: another file is there than before, or none; it is opened again");
                self.parts.begin();
            }
        }
        self.close().await;
        if let Some(log) = other_log {
            log.put_back();
        }
        Ok(())
    }

    /// Whether somebody wrote over the file that is open.
    fn is_overwritten(&mut self) -> bool {
        self.store.is_some() && self.file.as_mut().is_some_and(StoreFile::is_overwritten)
    }

    async fn close(&mut self) {
        // what is opened next may be another store, or a mended one
        self.thinning = Thinning::default();
        self.damaged.clear();
        self.shared.of_store(|store| store.damaged = 0);
        self.time_kept = None;
        self.written.clear();
        let is_overwritten = self.is_overwritten();
        self.is_unsettled |= is_overwritten;
        if let Some(store) = self.store.take() {
            if let Some(file) = self.file.as_ref().filter(|_| is_overwritten) {
                // where that fails the disk does
                let _ = store.while_alone(|| file.void_log()).await;
            }
            store.close().await;
        }
        // not before: SQLite's locks would go with it
        self.file = None;
    }

    /// Says once that hours cannot be read.
    fn note_damage(&mut self, damage: &DamagedHours) {
        if self.damaged.insert((damage.run, damage.hour)) {
            warn!("{}: the store is damaged: {damage}", self.path.display());
            let damaged = self.damaged.len() as u64;
            self.shared.of_store(|store| store.damaged = damaged);
        }
    }

    fn note_success(&mut self, took: Duration) {
        if std::mem::take(&mut self.said.failure) {
            info!("the store is written again");
        }
        let bytes = bytes_with_log(&self.path);
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
        let why = format!("{why}{}", self.word_of_folder());
        if !std::mem::replace(&mut self.said.failure, true) {
            error!("{}: {why}; what is seen is kept in memory meanwhile", self.path.display());
        }
        self.shared.of_store(|store| {
            store.failures += 1;
            store.failing = Some(why);
        });
    }

    /// What is to be done where the store's folder is not the one of the start.
    fn word_of_folder(&self) -> String {
        let Some(folder) = self.folder.as_ref().filter(|folder| !folder.is_of(&self.path)) else {
            return String::new();
        };
        let cure = match folder.path() {
            Some(there) => format!(
                "put it back from {}, or start the daemon again, and what is in memory goes to the store there",
                there.display()
            ),
            None => "start the daemon again and lose what is in memory".into(),
        };
        format!(
            " (its folder is another one than at the start, or gone, and this process may write to that one alone: {cure})"
        )
    }

    /// Goes on where the store's folder was moved to, when another has its place, or none: this process may not be able to write
    /// elsewhere, and what is in memory is lost with it. Whether there is such a place.
    fn follow_folder(&mut self) -> bool {
        let moved = self.folder.as_ref().filter(|folder| !folder.is_of(&self.path)).and_then(Folder::path);
        let store = moved.zip(self.path.file_name()).map(|(folder, name)| folder.join(name));
        let Some(store) = store.filter(|store| *store != self.path) else { return false };
        warn!("{}: its folder was moved; the last of what was seen goes to {}", self.path.display(), store.display());
        self.path = store;
        true
    }

    fn is_out_of_patience(&mut self) -> bool {
        self.shared.is_stopping() && self.stopped.get_or_insert_with(Instant::now).elapsed() >= PATIENCE
    }

    /// Sleeps for a time, or until it is told to stop and has slept a little.
    async fn sleep(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.shared.writer_works();
            tokio::time::sleep(NAP).await;
            if self.shared.is_stopping() {
                return;
            }
        }
    }
}

/// A folder that is held, whatever becomes of its name.
struct Folder(File);

impl Folder {
    /// The one that a file is in.
    fn of(file: &Path) -> Option<Self> {
        File::open(folder_of(file)).ok().map(Self)
    }

    /// Whether a file of this name is in it.
    fn is_of(&self, file: &Path) -> bool {
        self.is_at(folder_of(file))
    }

    fn is_at(&self, path: &Path) -> bool {
        is_at(&self.0, path)
    }

    /// Where it is now; `None` where it is gone.
    fn path(&self) -> Option<PathBuf> {
        let path = std::fs::read_link(format!("/proc/self/fd/{}", self.0.as_raw_fd())).ok()?;
        self.is_at(&path).then_some(path)
    }
}

/// Whether nobody has written to what is at a path for some time, as far as the clock tells.
fn is_settled(path: &Path) -> bool {
    let written = std::fs::metadata(path).and_then(|file| file.modified());
    written.map_or(true, |written| SystemTime::now().duration_since(written).map_or(true, |age| age >= SETTLED))
}

fn refused(error: TakeError) -> StoreError {
    match error {
        TakeError::File(path, error) => StoreError::Open(path, error.to_string()),
        TakeError::Taken(path) => StoreError::Open(path, "another daemon writes to it, by another name".into()),
    }
}
