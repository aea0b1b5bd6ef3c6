//! The store of the name that was given, whichever file has that name by now.

use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use crate::store::{FileId, Store, StoreError};

/// A store that is open for as long as the page is there.
pub(super) struct Held {
    path: PathBuf,
    opened: Mutex<Opened>,
}

/// What is open now.
struct Opened {
    store: Store,
    /// Its file.
    file: Option<FileId>,
    /// How often another was opened.
    generation: u64,
}

/// Which file was read, and which state of it.
pub(super) type Version = (u64, i64);

impl Held {
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let store = Store::open(path).await?;
        let opened = Opened { store, file: FileId::at(path), generation: 0 };
        Ok(Self { path: path.to_owned(), opened: Mutex::new(opened) })
    }

    /// The store. Where another file has its name, that is opened; where none has, that is an error, for whatever is
    /// written to a file without a name is lost.
    pub async fn get(&self) -> Result<Store, StoreError> {
        Ok(self.now().await?.store.clone())
    }

    /// What is to be read anew when it changes.
    pub async fn version(&self) -> Result<Version, StoreError> {
        let opened = self.now().await?;
        Ok((opened.generation, opened.store.data_version().await?))
    }

    async fn now(&self) -> Result<tokio::sync::MutexGuard<'_, Opened>, StoreError> {
        let mut opened = self.opened.lock().await;
        let there = FileId::at(&self.path);
        if there.is_some() && there == opened.file {
            return Ok(opened);
        }
        if opened.file.is_some() {
            // its log belongs to the file that was moved, and would be taken for that of the other
            let _ = opened.store.take_log_in().await;
            opened.store.close().await;
            opened.file = None;
        }
        if there.is_none() {
            return Err(StoreError::Open(self.path.clone(), "is there no more".to_owned()));
        }
        opened.store = Store::open(&self.path).await?;
        opened.file = FileId::at(&self.path);
        opened.generation += 1;
        Ok(opened)
    }

    /// Brings what was written into the file itself: whoever moves or copies it takes all of it, and nobody finds a log
    /// beside it that is another file's. Where others read that waits for the next time.
    pub async fn settle(&self) {
        if let Ok(opened) = self.now().await {
            let _ = opened.store.take_log_in().await;
        }
    }

    /// Closes it.
    pub async fn close(&self) {
        self.settle().await;
        self.opened.lock().await.store.close().await;
    }
}
