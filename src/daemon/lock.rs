//! One daemon for a store: a lock on a file beside it, which goes with the process however it ends. The file also holds the
//! daemon's figures, so that `status` can tell them.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use super::Figures;

/// `status` holds the lock for a moment, to see whether it is free: so it is tried more than once.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The lock of a store, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Another daemon writes to the store.
#[derive(Debug, thiserror::Error)]
#[error("already running: process {pid} watches {interfaces} for this store")]
pub struct AlreadyRunning {
    /// Its process.
    pub pid: u32,
    /// What it watches.
    pub interfaces: String,
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
        let path = beside(store);
        let fail = |error| LockError::File(path.clone(), error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(fail)?;
        for _ in 0..LOOKS {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file }),
                Err(TryLockError::Error(error)) => return Err(fail(error)),
                Err(TryLockError::WouldBlock) => sleep(BETWEEN_LOOKS),
            }
        }
        Err(already_running(&file).into())
    }

    /// Leaves the figures for others to read.
    pub fn write(&mut self, figures: &Figures) -> io::Result<()> {
        let text = serde_json::to_vec(figures)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&text)?;
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

/// The figures of the daemon that writes to a store now.
#[must_use]
pub fn running(store: &Path) -> Option<Figures> {
    let file = OpenOptions::new().read(true).open(beside(store)).ok()?;
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| read(&file)).flatten()
}

fn already_running(file: &File) -> AlreadyRunning {
    let figures = read(file).unwrap_or_default();
    let names: Vec<&str> = figures.interfaces.iter().map(|it| it.interface.as_str()).collect();
    AlreadyRunning { pid: figures.pid, interfaces: names.join(", ") }
}

fn read(mut file: &File) -> Option<Figures> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn beside(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(".daemon");
    store.with_file_name(name)
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
        lock.write(&figures).unwrap();
        assert_eq!(running(&store), Some(figures));
        let refused = Lock::take(&store).unwrap_err().to_string();
        assert_eq!(refused, "already running: process 4711 watches eth0, eth1 for this store");
        drop(lock);
        assert_eq!(running(&store), None);
        Lock::take(&store).unwrap();
    }
}
