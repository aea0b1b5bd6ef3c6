//! One at a time: who writes to a folder holds a lock on it. It goes with the process, and leaves no file behind.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

/// The lock on a folder, as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock goes when it is closed")] File);

impl Lock {
    /// Waits for it. None where there is no folder yet, or where the file system knows no locks: a folder that changes
    /// meanwhile is found out before anything is written.
    pub fn of(folder: &Path, is_waiting: &dyn Fn(&Path)) -> Option<Self> {
        let file = File::open(folder).ok()?;
        match file.try_lock() {
            Ok(()) => return Some(Self(file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(_)) => return None,
        }
        is_waiting(folder);
        file.lock().ok()?;
        Some(Self(file))
    }
}
