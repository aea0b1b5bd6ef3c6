//! The dependency store: runs, observations, names, applications, links and inventories in one SQLite file. The only SQL of the house.
//!
//! Everything of one file lands in one transaction: a crash leaves the store as it was before the file.

mod applications;
mod batch;
mod clock;
mod codec;
mod copy;
mod day;
mod decisions;
pub mod files;
mod held_file;
mod insert;
mod inventory;
mod links;
mod listings;
mod merge;
mod names;
mod observations;
mod old_rows;
mod open;
mod pages;
mod part;
mod retention;
mod run;
mod run_kind;
mod sweeps;
mod thinning;
mod watch;

pub use batch::Batch;
pub use clock::KeptTime;
pub use copy::folder_for_copies;
pub use decisions::{Decided, DecisionChange, EntryId, KeptChange, LogEntry};
pub use files::FileId;
pub use held_file::{OtherLog, StoreFile, TakeError};
pub use inventory::{Presence, Snapshot, StoredInventory, StoredObject, StoredSnapshot};
pub use links::SeenLink;
pub use merge::{TakenIn, TakingIn};
pub use observations::Filter;
pub use run::{Learnt, Loss, Run, RunId, RunWriter, Written};
pub use run_kind::RunKind;
pub use thinning::{Thinned, Thinning};
pub use watch::{Change, Watch, WatchId};

use std::path::PathBuf;

use sqlx::SqlitePool;

use crate::model::Hour;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is something else.
    #[error("{0}: not a flowmap store")]
    NotAStore(PathBuf),
    /// A later flowmap has written it.
    #[error("{0}: made by a newer version of flowmap")]
    Newer(PathBuf),
    /// The file cannot be opened or made.
    #[error("{0}: {1}")]
    Open(PathBuf, String),
    /// It cannot be copied to be read.
    #[error("{0}: no copy can be made to read from: {1}")]
    Copy(PathBuf, String),
    /// Another process holds it.
    #[error("the store is locked by another process")]
    Locked,
    /// The disk is full.
    #[error("the disk is full; nothing of this was written")]
    Full,
    /// The file may be read and not written.
    #[error("the store may not be written")]
    ReadOnly,
    /// Something else was written into the open file, past SQLite.
    #[error("another file was written over it while it was open: what it held before is lost")]
    Overwritten,
    /// A row does not read as flowmap writes it.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Anything else that SQLite says.
    #[error("the store: {}", said(.0))]
    Sql(sqlx::Error),
}

/// An error of SQLite without the numbers around it.
fn said(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |said| said.message().to_owned())
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::ColumnDecode { index, .. } = &error {
            return Self::Damaged(format!("{} cannot be read", index.trim_matches('"')));
        }
        match code(&error) {
            Some(5 | 6) => Self::Locked,
            Some(8) => Self::ReadOnly,
            Some(11 | 26) => Self::Damaged(self::said(&error)),
            Some(13) => Self::Full,
            _ => Self::Sql(error),
        }
    }
}

/// The primary result code of SQLite: 5 BUSY, 6 LOCKED, 8 READONLY, 11 CORRUPT, 13 FULL, 26 NOTADB.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Whether another process holds what was asked for.
fn is_locked(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(5 | 6))
}

/// Hours of a run that cannot be read: they stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedHours {
    /// Of this run.
    pub run: RunId,
    /// From this one on.
    pub hour: Hour,
    /// So many.
    pub hours: i32,
    /// What is wrong.
    pub why: String,
}

impl std::fmt::Display for DamagedHours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { run, hour, hours, why } = self;
        let what = if *hours > 1 { "the day from" } else { "the hour" };
        write!(f, "{what} {hour} of run {run} stays as it is: {why}")
    }
}

/// An open store.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

/// An id from content: 63 bits of a hash, so that SQLite keeps it as a positive number.
#[must_use]
pub fn content_id(parts: &[&[u8]]) -> i64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    i64::try_from(hasher.digest() >> 1).unwrap_or(0)
}

#[cfg(test)]
mod tests;
