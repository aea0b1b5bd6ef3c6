//! One daemon for a store: a lock on a file beside it, which goes with the process however it ends. The file also holds the
//! daemon's figures, so that `status` can tell them.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use super::Figures;
use crate::store::{
    content_id,
    files::{beside, folder_of},
};

/// `status` holds the lock for a moment, to see whether it is free: so it is tried more than once.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The lock of a store, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The figures that were left last.
    told: Option<Figures>,
}

/// Another daemon writes to the store.
#[derive(Debug, thiserror::Error)]
#[error("already running: {}", self.words())]
pub struct AlreadyRunning {
    /// Its process.
    pub pid: u32,
    /// What it watches.
    pub interfaces: String,
}

impl AlreadyRunning {
    /// Who it is; one that begins or ends has told nothing of itself.
    fn words(&self) -> String {
        match self.pid {
            0 => "another daemon is about to begin or to end with this store".to_owned(),
            pid => format!("process {pid} watches {} for this store", self.interfaces),
        }
    }
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(transparent)]
    Taken(#[from] AlreadyRunning),
    /// The file cannot be made.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
}

impl Lock {
    /// Takes the lock of a store, whose folder is made where there is none.
    pub fn take(store: &Path) -> Result<Self, LockError> {
        let path = lock_file(store);
        let fail = |error| LockError::File(path.clone(), error);
        fs::create_dir_all(folder_of(&path)).map_err(fail)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(fail)?;
        for _ in 0..LOOKS {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file, told: None }),
                Err(TryLockError::Error(error)) => return Err(fail(error)),
                Err(TryLockError::WouldBlock) => sleep(BETWEEN_LOOKS),
            }
        }
        Err(already_running(&file).into())
    }

    /// Leaves the figures for others to read, with a number by which they tell that they read all of them: the file cannot be
    /// replaced, for the lock is on it. Where they are as they were, nothing is written.
    pub fn write(&mut self, figures: Figures) -> io::Result<()> {
        if self.told.as_ref() == Some(&figures) {
            return Ok(());
        }
        // what is there now may be half of it
        self.told = None;
        self.write_text(&serde_json::to_string(&figures)?)?;
        self.told = Some(figures);
        Ok(())
    }

    fn write_text(&self, text: &str) -> io::Result<()> {
        let text = format!("{text}\n{:016x}\n", content_id(&[text.as_bytes()]));
        self.file.write_all_at(text.as_bytes(), 0)?;
        // what was longer before
        self.file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // no figures where nobody runs; the file stays, for another may wait to lock it
        let _ = self.file.set_len(0);
    }
}

/// The figures of the daemon that writes to a store now; `None` also where it has told none.
#[must_use]
pub fn running(store: &Path) -> Option<Figures> {
    taken(store).as_ref().and_then(read)
}

/// Whether a daemon writes to a store now.
#[must_use]
pub fn is_running(store: &Path) -> bool {
    taken(store).is_some()
}

/// The file beside a store, where somebody holds its lock.
fn taken(store: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).open(lock_file(store)).ok()?;
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then_some(file)
}

fn already_running(file: &File) -> AlreadyRunning {
    let figures = read(file).unwrap_or_default();
    let names: Vec<&str> = figures.interfaces.iter().map(|it| it.interface.as_str()).collect();
    AlreadyRunning { pid: figures.pid, interfaces: names.join(", ") }
}

/// What a daemon told last: while it tells more, a part of that may be there.
fn read(mut file: &File) -> Option<Figures> {
    for _ in 0..LOOKS {
        let mut text = String::new();
        file.rewind().ok()?;
        file.read_to_string(&mut text).ok()?;
        let whole = text.split_once('\n').filter(|(text, number)| {
            u64::from_str_radix(number.trim_end(), 16).ok() == u64::try_from(content_id(&[text.as_bytes()])).ok()
        });
        if let Some((figures, _)) = whole {
            return serde_json::from_str(figures).ok();
        }
        // an earlier version tells no number; of a half nothing can be read
        if let Ok(figures) = serde_json::from_str(&text) {
            return Some(figures);
        }
        sleep(BETWEEN_LOOKS);
    }
    None
}

/// Beside the file itself, whatever other names lead to it.
fn lock_file(store: &Path) -> PathBuf {
    beside(&store_file(store), ".daemon")
}

/// The file that a path leads to, also where it is not there yet.
#[must_use]
pub fn store_file(path: &Path) -> PathBuf {
    if let Ok(file) = path.canonicalize() {
        return file;
    }
    // a link to what is not there yet; where it leads on, to the next
    let path = path.read_link().map_or_else(|_| path.to_owned(), |to| path.with_file_name("").join(to));
    match (folder_of(&path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_one_daemon_and_the_next_is_told_which() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("below/flowmap.db");
        let mut lock = Lock::take(&store).unwrap();
        assert_eq!(running(&store), None, "it has not said anything yet");
        let interfaces =
            ["eth0", "eth1"].map(|it| super::super::InterfaceFigures { interface: it.into(), ..Default::default() });
        let figures = Figures { pid: 4711, interfaces: interfaces.into(), ..Figures::default() };
        lock.write(figures.clone()).unwrap();
        assert_eq!(running(&store), Some(figures));
        let refused = Lock::take(&store).unwrap_err().to_string();
        assert_eq!(refused, "already running: process 4711 watches eth0, eth1 for this store");
        drop(lock);
        assert_eq!(running(&store), None);
        Lock::take(&store).unwrap();
    }

    #[test]
    fn a_store_by_two_names_has_one_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let [store, link] = ["flowmap.db", "link.db"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink("flowmap.db", &link).unwrap();
        let lock = Lock::take(&link).unwrap();
        Lock::take(&store).unwrap_err();
        drop(lock);
        fs::write(&store, "").unwrap();
        let _lock = Lock::take(&store).unwrap();
        Lock::take(&link).unwrap_err();
        assert!(is_running(&link));
    }

    #[test]
    fn figures_of_an_earlier_version_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("flowmap.db");
        let lock = Lock::take(&store).unwrap();
        let figures = Figures { pid: 4711, ..Figures::default() };
        lock.file.write_all_at(serde_json::to_string(&figures).unwrap().as_bytes(), 0).unwrap();
        assert_eq!(running(&store), Some(figures));
    }

    #[test]
    fn figures_are_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("flowmap.db");
        let mut lock = Lock::take(&store).unwrap();
        lock.write(Figures { pid: 4711, started: 1_234, ..Figures::default() }).unwrap();
        // half of what is told next
        lock.file.write_all_at(br#"{"pid":4712"#, 0).unwrap();
        assert_eq!(running(&store), None);
        assert!(is_running(&store), "but that somebody is there");
    }
}
