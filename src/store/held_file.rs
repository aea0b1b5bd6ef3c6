//! The store's file as a daemon holds it: locked by what it is, whatever names lead to it, and watched for whoever writes over
//! it. SQLite notices neither another name, under which it would keep another log, nor what is written past it.
//!
//! In WAL mode nothing but a checkpoint writes to the file, and it is told in the index of the log before the first page is
//! written (<https://www.sqlite.org/walformat.html>). So where the file's head or length changed and the index tells of no
//! checkpoint, somebody else wrote. Each flush stamps the head ([`Store::extend_run_by`](super::Store::extend_run_by)):
//! no two stores have the same one, nor a store and an older copy of it.
//!
//! All files stay open as long as the store is: where a process closes a file, the system takes away all locks that it has on
//! it, also those of SQLite.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::files::{INDEX, LOG, beside, is_at};

/// Bytes of the file's head.
const HEAD: usize = 100;
/// Where the log's head and its index say which log they are of, and how many bytes.
const SALT_IN_LOG: u64 = 16;
const SALT_IN_INDEX: usize = 32;
const SALT: usize = 8;
/// Where the index tells how far the log was taken into the file, and how far that was begun.
const TAKEN_IN: usize = 96;
const BEGUN: usize = 128;
/// Bytes of the index that tell of the log and of checkpoints.
const INDEX_BYTES: usize = 136;
/// Bytes of the index that say what the log holds, twice: without them it is read anew.
const CONTENTS: usize = 96;

/// The file of a store, locked until it is dropped.
#[derive(Debug)]
pub struct StoreFile {
    file: File,
    /// The log and its index, while SQLite has the store open.
    log: Option<(File, File)>,
    seen: Option<Seen>,
    is_overwritten: bool,
}

/// What was seen of the files at one time.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    length: u64,
    head: [u8; HEAD],
    log: LogState,
}

/// What the index tells of checkpoints.
#[derive(Debug, PartialEq, Eq)]
struct LogState {
    salt: [u8; SALT],
    taken_in: [u8; 4],
    begun: [u8; 4],
}

impl LogState {
    fn is_partly_taken_in(&self) -> bool {
        self.taken_in != self.begun
    }
}

/// Why the file of a store cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Another daemon has it, which calls it otherwise.
    #[error("already running: another daemon writes to {0}, by another name of this file")]
    Taken(PathBuf),
    /// It cannot be opened or made.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
}

impl StoreFile {
    /// Opens and locks the file at a path, made empty where there is none. SQLite must not have it open.
    pub fn take(path: &Path) -> Result<Self, TakeError> {
        let fail = |error| TakeError::File(path.to_owned(), error);
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // who talks to whom is nobody else's to read
                OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
            }
            opened => opened,
        };
        let file = file.map_err(fail)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, log: None, seen: None, is_overwritten: false }),
            Err(TryLockError::WouldBlock) => Err(TakeError::Taken(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(fail(error)),
        }
    }

    /// Whether it is the one of this name.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        is_at(&self.file, path)
    }

    /// Whether the log of the file of this name is the one that SQLite has open: removed from the folder it still takes what is
    /// written, which nobody else sees and no other log knows of.
    #[must_use]
    pub fn has_its_log_at(&self, path: &Path) -> bool {
        let Some((log, index)) = &self.log else { return true };
        is_at(log, &beside(path, LOG)) && is_at(index, &beside(path, INDEX))
    }

    /// Begins to watch: SQLite has opened it now.
    pub fn watch(&mut self, path: &Path) {
        let open = |suffix: &str| OpenOptions::new().read(true).write(true).open(beside(path, suffix)).ok();
        self.log = open(LOG).zip(open(INDEX));
        self.seen = self.see();
        self.is_overwritten = false;
    }

    /// Whether some of the log may have been taken in and not all, as where it was read anew after a crash: then it is not told
    /// what else wrote.
    #[must_use]
    pub fn is_partly_taken_in(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.log.is_partly_taken_in())
    }

    /// Whether somebody wrote over it since it is watched. To be asked before and after SQLite is: where both write between two
    /// questions, it cannot be told.
    pub fn is_overwritten(&mut self) -> bool {
        let now = self.see();
        if let (Some(before), Some(now)) = (&self.seen, &now) {
            let is_changed = (before.length, before.head) != (now.length, now.head);
            let was_taken_in = before.log != now.log || before.log.is_partly_taken_in();
            self.is_overwritten |= is_changed && !was_taken_in;
        }
        self.seen = now;
        self.is_overwritten
    }

    /// First the file: a checkpoint is told before it writes.
    fn see(&self) -> Option<Seen> {
        let (_, index) = self.log.as_ref()?;
        let (length, mut head) = (self.file.metadata().ok()?.len(), [0; HEAD]);
        // of a shorter one as much as there is
        read_at(&self.file, &mut head).ok()?;
        let mut bytes = [0; INDEX_BYTES];
        index.read_exact_at(&mut bytes, 0).ok()?;
        let log = LogState {
            salt: part(&bytes, SALT_IN_INDEX)?,
            taken_in: part(&bytes, TAKEN_IN)?,
            begun: part(&bytes, BEGUN)?,
        };
        Some(Seen { length, head, log })
    }

    /// Makes void what the log holds of a store that was written over: SQLite would take it into what is there now. Whoever else
    /// has the store open finds an empty log. A log that was written over as well is left, and read anew.
    pub fn void_log(&self) -> io::Result<()> {
        let Some((log, index)) = &self.log else { return Ok(()) };
        let (mut of_log, mut of_index) = ([0; SALT], [0; SALT]);
        let is_read = log.read_exact_at(&mut of_log, SALT_IN_LOG).is_ok();
        index.read_exact_at(&mut of_index, SALT_IN_INDEX as u64)?;
        if is_read && of_log == of_index {
            log.set_len(0)?;
        }
        index.write_all_at(&[0; CONTENTS], 0)
    }
}

/// A log that another process wrote, while SQLite closes a store that it takes for its own: it removes what is of that name.
pub struct OtherLog {
    log: PathBuf,
    kept: PathBuf,
}

impl OtherLog {
    /// Keeps the log beside the file of this name by a second name; `None` where that cannot be done.
    #[must_use]
    pub fn keep(path: &Path) -> Option<Self> {
        let (log, kept) = (beside(path, LOG), beside(path, &format!("{LOG}.kept")));
        std::fs::hard_link(&log, &kept).ok()?;
        Some(Self { log, kept })
    }

    /// Gives it its name back, and takes the second one away.
    pub fn put_back(self) {
        let Self { log, kept } = self;
        // where that fails it stays by its second name
        let _ = if log.exists() { std::fs::remove_file(kept) } else { std::fs::rename(kept, log) };
    }
}

fn read_at(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    match file.read_exact_at(bytes, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        read => read,
    }
}

fn part<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..from + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Learnt, Run, RunId, RunKind, Store};

    fn run(id: i64, packets: u64) -> Run {
        Run { id: RunId(id), kind: RunKind::Live, source: "x".repeat(3_000), packets, ..Run::default() }
    }

    async fn write(store: &Store, run: &Run) {
        store.extend_run(run, &[], &Learnt::default()).await.unwrap();
    }

    #[test]
    fn a_file_is_held_once_whatever_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let [store, link] = ["flowmap.db", "link.db"].map(|name| folder.path().join(name));
        let held = StoreFile::take(&store).unwrap();
        std::fs::hard_link(&store, &link).unwrap();
        let refused = StoreFile::take(&link).unwrap_err().to_string();
        assert!(refused.ends_with("link.db, by another name of this file"), "{refused}");
        drop(held);
        StoreFile::take(&link).unwrap();
    }

    #[tokio::test]
    async fn what_sqlite_writes_is_told_from_what_others_write_and_nothing_of_one_store_comes_into_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let [path, copy] = ["flowmap.db", "copy.db"].map(|name| folder.path().join(name));
        let mut file = StoreFile::take(&path).unwrap();
        let (store, elsewhere) = (Store::open(&path).await.unwrap(), Store::open(&path).await.unwrap());
        file.watch(&path);
        for n in 1..50 {
            write(&store, &run(n, 1)).await;
            write(&elsewhere, &run(n, 2)).await;
            match n % 3 {
                0 => elsewhere.take_log_in().await.unwrap(),
                1 => store.take_in_what_is_free().await.unwrap(),
                _ => {}
            }
            assert!(!file.is_overwritten(), "{n}");
        }
        store.take_log_in().await.unwrap();
        assert!(!file.is_overwritten());
        // an older copy of the store itself, while its log holds more
        std::fs::copy(&path, &copy).unwrap();
        write(&store, &run(51, 1)).await;
        store.take_log_in().await.unwrap();
        write(&store, &run(52, 1)).await;
        assert!(!file.is_overwritten());
        std::fs::copy(&copy, &path).unwrap();
        assert!(file.is_overwritten());
        store.while_alone(|| file.void_log()).await.unwrap();
        assert_eq!(elsewhere.runs().await.unwrap().len(), 49, "who has it open finds the copy");
        store.close().await;
        elsewhere.close().await;
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&copy).unwrap());
    }
}
