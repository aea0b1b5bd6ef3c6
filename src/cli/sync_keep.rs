//! The store as a watch of a cluster writes to it: what cannot be written is kept, and tried again.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::fault::printable;
use crate::{
    model::Timestamp,
    store::{Change, FileId, Store, StoreError, Watch, WatchId},
};

/// After a failure it is tried again after this time, then after twice as long, and so on.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Not later than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long a store that cannot be written is tried after it was told to stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// So many changes are in the store.
    Written(usize),
    /// Another file is there than the one in which the watch was begun: nothing was written.
    Elsewhere,
}

/// Writes a watch.
pub(super) struct Keeper {
    path: PathBuf,
    /// Open, unless it could not be written.
    store: Option<Store>,
    /// The file that is open, or was open last.
    file: Option<FileId>,
    watch: Begun,
    /// Whether it was said that the store cannot be written.
    has_failed: bool,
}

/// Whether a watch is in the store.
enum Begun {
    Not(Box<Watch>),
    As(WatchId),
    /// There is none.
    Nothing,
}

impl Keeper {
    /// Of a store that is open.
    pub fn new(store: Store, path: &Path) -> Self {
        let file = FileId::at(path);
        Self { path: path.to_owned(), store: Some(store), file, watch: Begun::Nothing, has_failed: false }
    }

    /// Begins a watch, which fails where it cannot be written.
    pub async fn begin(&mut self, watch: Watch) -> Result<(), StoreError> {
        if let Some(store) = &self.store {
            self.watch = Begun::As(store.begin_watch(&watch).await?);
        }
        Ok(())
    }

    /// Begins a watch with what is written next.
    pub fn begin_later(&mut self, watch: Watch) {
        self.watch = Begun::Not(Box::new(watch));
    }

    /// From now on it is not waited for long where another process writes, but tried again.
    pub async fn be_patient(&mut self) {
        self.close().await;
    }

    /// Writes changes, and until when all is known, as often as it takes; the error where it is told to stop and cannot.
    pub async fn write(
        mut self,
        changes: Vec<Change>,
        in_sync: Timestamp,
        mut stopping: watch::Receiver<bool>,
    ) -> (Self, Result<Kept, StoreError>) {
        let mut wait = FIRST_WAIT;
        let mut told = None;
        loop {
            let error = match self.try_to_write(&changes, in_sync).await {
                Ok(kept) => {
                    if std::mem::take(&mut self.has_failed) {
                        warnln!("flowmap: the store is written again");
                    }
                    return (self, Ok(kept));
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut self.has_failed, true) {
                let (path, why) = (self.path.display().to_string(), error.to_string());
                // some name it themselves
                let why = why.strip_prefix(&format!("{path}: ")).unwrap_or(&why);
                let text = format!("{path}: {why}; what is heard is kept in memory meanwhile");
                warnln!("flowmap: {}", printable(&text));
            }
            // where SQLite gave a transaction up by itself, this connection does not know
            self.close_if_there().await;
            // where nobody could tell it any more, it is to stop as well
            if *stopping.borrow() || stopping.has_changed().is_err() {
                if told.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                    return (self, Err(error));
                }
                tokio::time::sleep(FIRST_WAIT).await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stopping.changed() => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn try_to_write(&mut self, changes: &[Change], in_sync: Timestamp) -> Result<Kept, StoreError> {
        if !self.is_there() {
            self.part_from_file().await?;
            if !matches!(self.watch, Begun::Not(_)) {
                return Ok(Kept::Elsewhere);
            }
        }
        let store = if let Some(store) = &self.store {
            store
        } else {
            let store = Store::open_for_daemon(&self.path).await?;
            self.file = FileId::at(&self.path);
            self.store.insert(store)
        };
        let id = match &self.watch {
            Begun::As(id) => *id,
            Begun::Not(watch) => store.begin_watch(watch).await?,
            Begun::Nothing => return Ok(Kept::Elsewhere),
        };
        self.watch = Begun::As(id);
        let is_written = store.extend_watch(id, changes, in_sync).await?;
        Ok(if is_written { Kept::Written(changes.len()) } else { Kept::Elsewhere })
    }

    /// Whether the file is the one that was opened last.
    fn is_there(&self) -> bool {
        self.file.is_none() || FileId::at(&self.path) == self.file
    }

    /// Closes a store whose file is there by its name no more. What its log holds belongs to it, and not to another file of this
    /// name: as long as somebody reads there it is kept open; where it is gone nothing can be done.
    async fn part_from_file(&mut self) -> Result<(), StoreError> {
        if let Some(store) = &self.store
            && let Err(StoreError::Locked) = store.take_log_in().await
        {
            return Err(StoreError::Locked);
        }
        self.close().await;
        self.file = None;
        let path = self.path.display().to_string();
        warnln!(
            "flowmap: {}: another file is there than before, or none; the cluster is listed anew for it",
            printable(&path)
        );
        Ok(())
    }

    async fn close_if_there(&mut self) {
        if self.is_there() {
            self.close().await;
        }
    }

    async fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }
}
