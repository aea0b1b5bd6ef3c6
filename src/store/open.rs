use std::{os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use rustix::{fs::Access, io::Errno};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Store, StoreError, files::folder_of, is_locked};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a daemon waits for it: it tries again later, and is not to be kept from ending.
const DAEMON_BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// How often it is tried again to have changes written to a log while others open the same new store.
const LOG_TRIES: usize = 50;
const BETWEEN_LOG_TRIES: Duration = Duration::from_millis(20);

/// Pages that SQLite keeps for a daemon, which writes and reads little again: 2 MB, in KiB with a sign before it.
const DAEMON_CACHE: &str = "-2048";

/// How many rows are read ahead of who takes them: with few the two threads wait for each other at every row.
const ROWS_AHEAD: usize = 1_024;

/// What a database holds beside SQLite's own and what migrations are noted in.
const HOLDS: &str =
    "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations')";

/// Whether the first migration that was noted is this one.
const BEGAN_AS_OURS: &str = "SELECT EXISTS (SELECT 1 FROM _sqlx_migrations WHERE version = ? AND checksum = ?)";

/// Whether a database is another program's: it holds something, and did not begin as a store does.
pub(super) async fn is_anothers(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let (holds,): (bool,) = sqlx::query_as(HOLDS).fetch_one(&mut *connection).await?;
    let Some(first) = MIGRATIONS.iter().next().filter(|_| holds) else { return Ok(false) };
    let began = sqlx::query_as::<_, (bool,)>(BEGAN_AS_OURS).bind(first.version).bind(&*first.checksum);
    match began.fetch_one(connection).await {
        Ok((began,)) => Ok(!began),
        // no such table, or another one of this name
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "1") => Ok(true),
        Err(error) => Err(error),
    }
}

/// Makes the tables of a store, or brings them up to date. Others may be about to do the same: one of them does it, the others wait
/// for it. Where nothing is to be done nobody is waited for.
async fn bring_up_to_date(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let is_current = is_current(connection).await?;
    if !is_current && is_anothers(connection).await? {
        return Err(OpenError::Another);
    }
    log_ahead(connection).await?;
    if is_current {
        return Ok(());
    }
    let mut alone = connection.begin_with("BEGIN IMMEDIATE").await?;
    if is_anothers(&mut alone).await? {
        return Err(OpenError::Another);
    }
    // `run` would do the same with one more borrow, which the compiler takes for none that may go to another thread
    MIGRATIONS.run_direct(None, &mut *alone, false).await?;
    alone.commit().await?;
    Ok(())
}

/// Whether all migrations were made. Fails where there are some of a newer flowmap.
async fn is_current(connection: &mut SqliteConnection) -> Result<bool, OpenError> {
    let sql = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
    // there may be no such table, or another program's: that is looked at next
    let Ok(made) = sqlx::query_as::<_, (i64, Vec<u8>)>(sql).fetch_all(&mut *connection).await else { return Ok(false) };
    let is_ours = made.first().zip(MIGRATIONS.iter().next()).is_some_and(|(made, own)| *made.1 == *own.checksum);
    match made.iter().find(|(version, _)| !MIGRATIONS.version_exists(*version)) {
        Some((version, _)) if is_ours => Err(MigrateError::VersionMissing(*version).into()),
        _ => Ok(made
            .iter()
            .map(|(version, sum)| (*version, &**sum))
            .eq(MIGRATIONS.iter().map(|it| (it.version, &*it.checksum)))),
    }
}

/// Has changes written to a log, so that who reads does not wait for who writes. SQLite does not wait for others to do so.
async fn log_ahead(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut tries = LOG_TRIES;
    loop {
        match sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await {
            Err(error) if tries > 0 && is_locked(&error) => tries -= 1,
            done => return done.map(|_| ()),
        }
        tokio::time::sleep(BETWEEN_LOG_TRIES).await;
    }
}

impl Store {
    /// Opens the store at `path`, made with its folder where there is none, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, options()).await
    }

    /// Opens the store for a daemon: it waits a second at most where another process writes, and needs no other folder than
    /// that of the store.
    pub async fn open_for_daemon(path: &Path) -> Result<Self, StoreError> {
        let options = options().busy_timeout(DAEMON_BUSY_TIMEOUT).pragma("temp_store", "MEMORY");
        let options = options.pragma("cache_size", DAEMON_CACHE);
        let store = Self::open_with(path, options).await?;
        match store.check_writable().await {
            // others may be writing: that ends
            Ok(()) | Err(StoreError::Locked | StoreError::Full) => Ok(store),
            Err(StoreError::ReadOnly) => Err(StoreError::Open(path.to_owned(), "may not be written".into())),
            Err(error) => Err(error),
        }
    }

    /// Whether a transaction that writes can begin.
    async fn check_writable(&self) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM run WHERE id IS NULL").execute(&mut *transaction).await?;
        transaction.rollback().await?;
        Ok(())
    }

    async fn open_with(path: &Path, options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let fail = |error: std::io::Error| StoreError::Open(path.to_owned(), error.to_string());
        if path.is_dir() {
            return Err(StoreError::Open(path.to_owned(), "is a directory".into()));
        }
        std::fs::create_dir_all(folder_of(path)).map_err(fail)?;
        // SQLite would open it to read, and leave its log beside it
        if let Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) = rustix::fs::access(path, Access::WRITE_OK) {
            return Err(StoreError::Open(path.to_owned(), "may not be written".into()));
        }
        // who talks to whom is nobody else's to read; one that is there is not touched, for whoever closes a file takes all locks away
        // that its process has on it, SQLite's among them
        if !path.exists() {
            match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(fail(error)),
                _ => {}
            }
        }
        let mut options = options.filename(path).create_if_missing(true);
        if std::fs::metadata(path).is_ok_and(|data| data.len() == 0) {
            // a store gives room back in small steps; to say so again would write to what may be a newer flowmap's
            options = options.auto_vacuum(SqliteAutoVacuum::Incremental);
        }
        Self::connect(options).await.map_err(|error| error.at(path))
    }

    /// A store in memory that is gone with it.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Self::connect(options().in_memory(true)).await.map_err(|error| error.at(Path::new("memory")))
    }

    /// Connects to what is or becomes a store, and brings its schema up to date.
    pub(super) async fn connect(options: SqliteConnectOptions) -> Result<Self, OpenError> {
        // one connection: there is one writer at a time anyway, and a store in memory lives in its connection
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        // it is given back before the pool is asked for it again
        let brought = bring_up_to_date(&mut *pool.acquire().await?).await;
        if brought.is_err() {
            pool.close().await;
        }
        brought?;
        let store = Self { pool };
        store.lay_out_old_rows().await?;
        Ok(store)
    }

    /// Takes what the write-ahead log holds into the file, also where that has another name by now: SQLite would not do it when
    /// such a store is closed.
    pub async fn take_log_in(&self) -> Result<(), StoreError> {
        // that others read is no error of SQLite's but a word of its answer
        let (is_busy, _, _): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.pool).await?;
        if is_busy == 0 { Ok(()) } else { Err(StoreError::Locked) }
    }

    /// Takes in what of the write-ahead log nobody else reads, and waits for nobody.
    pub async fn take_in_what_is_free(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.pool).await?;
        Ok(())
    }

    /// Does something while nobody else writes; where that cannot be had, all the same.
    pub async fn while_alone<T>(&self, act: impl FnOnce() -> T) -> T {
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await;
        let done = act();
        if let Ok(transaction) = transaction {
            // nothing was written
            let _ = transaction.rollback().await;
        }
        done
    }

    /// From now on everything that is read is of this moment, whoever else writes meanwhile, until it is let go. For whoever
    /// has the store alone: its one connection must not be asked for a transaction in between.
    pub async fn hold_moment(&self) -> Result<(), StoreError> {
        sqlx::query("SAVEPOINT moment").execute(&self.pool).await?;
        Ok(())
    }

    /// The end of it.
    pub async fn let_go_moment(&self) -> Result<(), StoreError> {
        sqlx::query("RELEASE moment").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes the store; what the write-ahead log holds is taken into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

pub(super) fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_AHEAD)
        .pragma("cache_size", "-16384")
        // that a store was locked for long is told by who waited
        .disable_statement_logging()
}

#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("of another program")]
    Another,
}

impl OpenError {
    pub fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        let sql = match self {
            Self::Migrate(MigrateError::VersionMissing(_)) => return StoreError::Newer(path),
            Self::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))
            | Self::Sql(error) => error,
            Self::Migrate(error) => return StoreError::Open(path, error.to_string()),
            Self::Store(error) => return error,
            Self::Another => return StoreError::NotAStore(path),
        };
        let text = match &sql {
            sqlx::Error::Database(error) => error.message().to_owned(),
            other => other.to_string(),
        };
        match StoreError::from(sql) {
            StoreError::Damaged(_) => StoreError::NotAStore(path),
            // tables of the same names that flowmap did not make
            StoreError::Sql(_) if text.contains("already exists") => StoreError::NotAStore(path),
            StoreError::Sql(_) => StoreError::Open(path, text),
            // the file itself may be written: that was looked at before
            StoreError::ReadOnly => StoreError::Open(path, "its folder may not be written".into()),
            other => other,
        }
    }
}
