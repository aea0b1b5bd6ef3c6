//! Stores of other places: they are read from a copy of one moment, so that the file itself is left as it is, whatever version
//! wrote it and whoever writes it now.

use std::{fs::Permissions, io, os::unix::fs::PermissionsExt, path::Path};

use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tempfile::TempDir;

use super::{
    Store, StoreError,
    files::{INDEX, LOG, beside},
    open::{MIGRATIONS, OpenError, is_anothers, options},
};

impl Store {
    /// A copy of the store at `from` in the folder of temporary files, its schema brought up to date. Errors name `from`.
    pub async fn copied(from: &Path) -> Result<Self, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Copy(from.to_owned(), error.to_string());
        let folder = folder_for_copies().map_err(|error| failed(&error))?;
        let copy = folder.path().join("flowmap.db");
        if is_left(from) {
            for ending in ["", LOG] {
                std::fs::copy(beside(from, ending), beside(&copy, ending)).map_err(|error| failed(&error))?;
            }
            check(&copy).await.map_err(|error| error.at(from))?;
        } else {
            write_copy(from, &copy).await.map_err(|error| error.at(from))?;
        }
        // it has its files open from now on and needs no names for them: so they are gone with it, also where it is killed
        Self::connect(options().filename(&copy)).await.map_err(|error| error.at(from))
    }
}

/// A folder of its own for a copy of a store, in the one of temporary files: as of a store, only its owner may read what is in it.
///
/// # Errors
///
/// It cannot be made.
pub fn folder_for_copies() -> io::Result<TempDir> {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir()
}

/// Whether a daemon that was killed has left its log, and nobody has it open: then files can be copied as they are, and
/// nothing needs to be written beside them, as SQLite would.
fn is_left(path: &Path) -> bool {
    beside(path, LOG).exists() && !beside(path, INDEX).exists()
}

/// Refuses what is no store, or cannot be read.
async fn check(copy: &Path) -> Result<(), OpenError> {
    let mut connection = options().filename(copy).connect().await.map_err(unread)?;
    let checked = match is_anothers(&mut connection).await {
        Ok(true) => Err(OpenError::Another),
        Ok(false) => check_schema(&mut connection).await,
        Err(error) => Err(unread(error)),
    };
    connection.close().await?;
    checked
}

async fn write_copy(from: &Path, to: &Path) -> Result<(), OpenError> {
    let mut connection = reading(from).connect().await.map_err(unread)?;
    let copied = match is_anothers(&mut connection).await {
        Ok(true) => Err(OpenError::Another),
        Ok(false) => copy_all(&mut connection, to).await,
        Err(error) => Err(unread(error)),
    };
    connection.close().await?;
    copied
}

/// That it begins as a file of SQLite was seen: what goes on otherwise is damaged.
fn unread(error: sqlx::Error) -> OpenError {
    match StoreError::from(error) {
        StoreError::Sql(error) => OpenError::Sql(error),
        known => OpenError::Store(known),
    }
}

/// What is in the file by its schema alone: of a file from elsewhere nothing else is to be run.
fn reading(path: &Path) -> SqliteConnectOptions {
    // without a log nobody writes, and to read as if somebody could would leave one beside the file
    let is_still = !beside(path, LOG).exists();
    options().filename(path).read_only(true).immutable(is_still).pragma("trusted_schema", "OFF")
}

/// The whole of it as it is at one moment, what is in the write-ahead log too.
async fn copy_all(connection: &mut SqliteConnection, to: &Path) -> Result<(), OpenError> {
    check_schema(connection).await?;
    sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy()).execute(connection).await.map_err(unread)?;
    Ok(())
}

/// Refuses a schema that cannot be asked for, and programs in it that are not ours: a view or a trigger may never end.
async fn check_schema(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let damaged = |why: &str| Err(OpenError::Store(StoreError::Damaged(why.into())));
    let sql =
        "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema WHERE sql IS NOT NULL";
    let schema: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = sqlx::query_as(sql).fetch_all(connection).await.map_err(unread)?;
    for (kind, name, sql) in &schema {
        // to ask for columns whose names are no text ends the thread that asks
        let (Ok(_), Ok(sql)) = (str::from_utf8(name), str::from_utf8(sql)) else {
            return damaged("its schema is no text");
        };
        let is_ours = || MIGRATIONS.iter().any(|step| step.sql.as_str().contains(sql));
        if !matches!(&kind[..], b"table" | b"index") && !is_ours() {
            return damaged("it holds views or triggers of its own");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_own_a_copy_cannot_come_to_it() {
        let folder = folder_for_copies().unwrap();
        let mode = folder.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
