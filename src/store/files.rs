//! The files of a store: how they are called, and which of them a name means.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The ending of a write-ahead log, and of its index, which those share who have the store open
/// (<https://www.sqlite.org/walformat.html>).
pub(super) const LOG: &str = "-wal";
pub(super) const INDEX: &str = "-shm";

/// Which file it is, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file of a name; none where there is none, or it may not be asked for. It is not opened: where a process closes a file,
    /// SQLite's locks on it go as well.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::told)
    }

    /// The file that is open; none where the system does not tell.
    #[must_use]
    pub fn of(file: &File) -> Option<Self> {
        file.metadata().ok().as_ref().map(Self::told)
    }

    fn told(by: &Metadata) -> Self {
        Self { device: by.dev(), inode: by.ino() }
    }
}

/// Whether an open file, or folder, is the one of a name.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    FileId::of(file).is_some_and(|own| FileId::at(path) == Some(own))
}

/// The folder that a file of this name is in.
#[must_use]
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What lies beside a file by its name and an ending.
#[must_use]
pub fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    name.into()
}

/// Whether a log lies beside the store of this name, with something in it.
#[must_use]
pub fn has_log(store: &Path) -> bool {
    bytes_of(&beside(store, LOG)) > 0
}

/// Bytes of the store of this name, with its log.
#[must_use]
pub fn bytes_with_log(store: &Path) -> u64 {
    bytes_of(store) + bytes_of(&beside(store, LOG))
}

fn bytes_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
