//! What all pages work on: the store as it was read last, and proposals from it, computed off the server's thread.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{runtime::Handle, sync::watch, task::spawn_blocking, time::timeout};

use super::{
    Config,
    asking::{Asking, NoWindow, Typed},
    guard::Guard,
    held::{Held, Version},
    view::{Loaded, View},
};
use crate::{
    proposal::{Found, Known, ProposalError, Window, World, folder},
    store::Store,
};

/// How long a page waits for a store that changed to be read anew, before it shows what was read last.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long a page waits where nothing was read yet.
const FIRST_PATIENCE: Duration = Duration::from_secs(20);
/// Views that are kept.
const MAX_VIEWS: usize = 4;
/// Windows of the store that are kept: two people may look at two.
const MAX_LOADED: usize = 2;
/// Windows that are read, or wait for it, at one time.
const MAX_READERS: usize = 8;
/// How far a window that slides may lag behind the clock: to read the store costs more than a minute of it is worth.
const LAG_S: f64 = 600.0;

/// What came of a reading.
type Read = Option<Result<Arc<Loaded>, Arc<DeskError>>>;
/// Where that is told.
type Reader = watch::Receiver<Read>;

/// Why there is no view.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeskError {
    /// The store is being read.
    #[error("the store is being read")]
    Reading,
    /// The window is none.
    #[error(transparent)]
    Window(#[from] NoWindow),
    /// There is no proposal.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// Somebody else asked for the same, and it went wrong.
    #[error(transparent)]
    Shared(Arc<DeskError>),
    /// Too many windows at one time.
    #[error("too many windows of the store are being read: ask again")]
    Busy,
    /// A thread ended before its work.
    #[error("the work on this page ended early")]
    Lost,
}

/// Shared by all requests.
#[derive(Clone)]
pub(super) struct Desk(Arc<Inner>);

/// What a desk holds.
pub(super) struct Inner {
    pub config: Config,
    pub store: Held,
    pub guard: Arc<Guard>,
    /// What was read, the newest first.
    loaded: Mutex<Vec<Arc<Loaded>>>,
    views: Mutex<Vec<(ViewKey, Arc<View>)>>,
    /// Who reads the store now, or waits to: one for each window as it was typed.
    readers: Mutex<Vec<(Typed, Reader)>>,
    /// One at a time reads the store.
    reading: tokio::sync::Mutex<()>,
    /// One at a time computes.
    computing: tokio::sync::Mutex<()>,
}

/// What a view depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ViewKey {
    asking: Asking,
    /// Which reading of the store.
    loaded: usize,
    known: u64,
    folder: u64,
}

impl Deref for Desk {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A view, and whether the store changed since it was read.
pub(super) struct Shown {
    pub view: Arc<View>,
    pub is_stale: bool,
}

impl Desk {
    pub fn new(config: Config, store: Held, guard: Guard) -> Self {
        let (loaded, views, readers, reading, computing) = Default::default();
        let guard = Arc::new(guard);
        Self(Arc::new(Inner { config, store, guard, loaded, views, readers, reading, computing }))
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Reads the store before anybody asks.
    pub fn warm(&self) {
        let desk = self.clone();
        tokio::spawn(async move {
            let asking = Asking::read(&super::fields::Fields::default(), &desk.config);
            // whoever asks is told what goes wrong
            let _ = desk.view(&asking).await;
        });
    }

    /// What was asked for.
    pub async fn view(&self, asking: &Asking) -> Result<Shown, DeskError> {
        asking.window(&self.config)?;
        let (loaded, is_stale) = self.loaded(asking).await?;
        let view = self.view_of(loaded, asking).await?;
        Ok(Shown { view, is_stale })
    }

    async fn view_of(&self, loaded: Arc<Loaded>, asking: &Asking) -> Result<Arc<View>, DeskError> {
        let site = loaded.site(&asking.site, &asking.namespaces)?.name.clone();
        let namespaces = loaded.known_namespaces(&site);
        let _one_at_a_time = self.computing.lock().await;
        let store = self.store.get().await.map_err(ProposalError::from)?;
        let known = Known::read(&store, &site, &namespaces).await?;
        let key = ViewKey {
            asking: asking.clone(),
            loaded: loaded.number,
            known: known.fingerprint(),
            folder: fingerprint(&self.config.out_dir),
        };
        let kept = lock(&self.views).iter().find(|(known, _)| *known == key).map(|(_, view)| view.clone());
        if let Some(view) = kept {
            return Ok(view);
        }
        let (asking, out_dir, now) = (asking.clone(), self.config.out_dir.clone(), (self.config.clock)());
        let compute = move || {
            let (found, fault) = look(&out_dir, &site);
            View::new(&loaded, asking, known, found, fault, now)
        };
        let view = Arc::new(spawn_blocking(compute).await.map_err(|_| DeskError::Lost)??);
        // what was read before may be most of the memory there is
        let kept: Vec<usize> = lock(&self.loaded).iter().map(|loaded| loaded.number).collect();
        let mut views = lock(&self.views);
        views.retain(|(known, _)| kept.contains(&known.loaded));
        views.insert(0, (key, view.clone()));
        views.truncate(MAX_VIEWS);
        Ok(view)
    }

    /// The store in a window as it was typed, and whether it changed since, or the window slid far.
    async fn loaded(&self, asking: &Asking) -> Result<(Arc<Loaded>, bool), DeskError> {
        let version = self.store.version().await.map_err(ProposalError::from)?;
        let typed = asking.typed();
        let last = self.last(&typed);
        if let Some(last) = last.clone().filter(|last| self.is_fresh(last, version)) {
            return Ok((last, false));
        }
        let mut reader = self.reader(asking)?;
        let patience = if last.is_some() { PATIENCE } else { FIRST_PATIENCE };
        let read = timeout(patience, reader.wait_for(Option::is_some)).await.map(|read| read.map(|read| read.clone()));
        match (read, last) {
            (Ok(Ok(Some(Ok(loaded)))), _) => Ok((loaded, false)),
            (Ok(Ok(Some(Err(error)))), _) => Err(DeskError::Shared(error)),
            (Ok(_), _) => Err(DeskError::Lost),
            (Err(_), Some(last)) => Ok((last, true)),
            (Err(_), None) => Err(DeskError::Reading),
        }
    }

    /// What was read last of a window.
    pub fn last(&self, typed: &Typed) -> Option<Arc<Loaded>> {
        lock(&self.loaded).iter().find(|loaded| loaded.typed == *typed).cloned()
    }

    fn is_fresh(&self, loaded: &Loaded, version: Version) -> bool {
        let lag = (self.config.clock)().seconds_since(loaded.read_at);
        loaded.version == version && (!loaded.typed.slides() || lag < LAG_S)
    }

    /// Who reads a window now: whoever asks for the same meanwhile waits for the same.
    fn reader(&self, asking: &Asking) -> Result<Reader, DeskError> {
        let typed = asking.typed();
        let mut readers = lock(&self.readers);
        if let Some((_, reader)) = readers.iter().find(|(known, _)| *known == typed) {
            return Ok(reader.clone());
        }
        if readers.len() >= MAX_READERS {
            return Err(DeskError::Busy);
        }
        let (tell, reader) = watch::channel(None);
        readers.push((typed.clone(), reader.clone()));
        let (desk, asking) = (self.clone(), asking.clone());
        tokio::spawn(async move {
            let read = desk.read(&asking).await.map_err(Arc::new);
            lock(&desk.readers).retain(|(known, _)| *known != typed);
            // nobody may be left who waits for it
            let _ = tell.send(Some(read));
        });
        Ok(reader)
    }

    async fn read(&self, asking: &Asking) -> Result<Arc<Loaded>, DeskError> {
        let _one_at_a_time = self.reading.lock().await;
        let version = self.store.version().await.map_err(ProposalError::from)?;
        let typed = asking.typed();
        if let Some(last) = self.last(&typed).filter(|last| self.is_fresh(last, version)) {
            return Ok(last);
        }
        let (now, window) = ((self.config.clock)(), asking.window(&self.config)?);
        let (path, handle, within) = (self.config.store.clone(), Handle::current(), window);
        // a connection of its own: what is asked meanwhile does not wait for it
        let read = move || handle.block_on(read_world(path, within));
        let world = spawn_blocking(read).await.map_err(|_| DeskError::Lost)??;
        let loaded = Arc::new(Loaded::new(world, typed.clone(), version, now));
        let mut all = lock(&self.loaded);
        all.retain(|loaded| loaded.typed != typed);
        all.insert(0, loaded.clone());
        all.truncate(MAX_LOADED);
        Ok(loaded)
    }
}

async fn read_world(path: PathBuf, window: Window) -> Result<World, ProposalError> {
    let store = Store::open(&path).await?;
    let world = read_all(&store, &window).await;
    store.close().await;
    world
}

async fn read_all(store: &Store, window: &Window) -> Result<World, ProposalError> {
    let mut world = World::read(store, window).await?;
    world.read_applications(store, window).await?;
    Ok(world)
}

/// What a folder holds; what cannot be read of it is told, and nothing of it counts.
fn look(folder: &Path, site: &str) -> (Found, Option<ProposalError>) {
    match folder::look(folder, site) {
        Ok(found) => (found, None),
        Err(error) => (Found::default(), Some(error)),
    }
}

/// Changes when anything in a folder does, as far as sizes and times tell.
fn fingerprint(folder: &Path) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let Ok(data) = std::fs::symlink_metadata(&path) else { continue };
            let changed = data.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
            (&path, data.len(), changed).hash(&mut hasher);
            if data.is_dir() && depth == 0 {
                folders.push((path, depth + 1));
            }
        }
    }
    hasher.finish()
}

/// A lock that outlives a panic of whoever held it: what it guards is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
