use std::{
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
};

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
        std::fs::metadata(path).ok().as_ref().map(Self::told)
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
