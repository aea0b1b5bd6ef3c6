//! The capture daemon: a thread for each interface, one that writes, and the main thread, which listens for signals.
//!
//! A capture thread never waits for the store. Every few seconds it hands what is new to the writer; while the writer is
//! busy with what it got last, for a locked store or a full disk, the thread goes on adding to its table, which is bounded.

mod clock;
mod config;
mod examine;
mod figures;
mod http;
mod lock;
mod metrics;
mod rights;
mod supervise;
mod waker;
mod worker;
mod writer;

pub use config::{ConfigError, Mode, commented as commented_config};
pub use examine::{Finding, State, examine};
pub use figures::{Figures, InterfaceFigures, StoreFigures};
pub use lock::{AlreadyRunning, Lock, LockError, is_running, running, store_file};
pub use supervise::run;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    capture::live::{LiveError, LiveOptions},
    decode,
    store::{Run, StoreError, TakeError, files::folder_of},
};

/// What to watch, and where to write it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Interfaces; `any` stands for all.
    pub interfaces: Vec<String>,
    /// How they are opened.
    pub live: LiveOptions,
    /// What goes before [`Options::live`], read again at SIGHUP.
    pub config: Option<PathBuf>,
    /// What is known of the network.
    pub decode: decode::Options,
    /// The site that it all belongs to.
    pub site: String,
    /// Where this is.
    pub sensor: String,
    /// The store's file.
    pub store: PathBuf,
    /// How long to watch; without it until told to stop.
    pub period: Option<Duration>,
    /// How often what was seen is written: what a crash can lose.
    pub flush_interval: Duration,
    /// How long history is kept; for ever without it.
    pub keep: Option<Duration>,
    /// How long the hours of history are kept apart, after which a day is kept as one; for ever without it.
    pub thin_after: Option<Duration>,
    /// Where to answer to Prometheus.
    pub metrics: Option<SocketAddr>,
}

impl Options {
    /// The folder that the store is in.
    fn folder(&self) -> &Path {
        folder_of(&self.store)
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Ended {
    /// A run for each interface, in the order in which they were named.
    pub runs: Vec<Run>,
    /// Why the last of what was seen is not in the store, where it is not.
    pub unwritten: Option<StoreError>,
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// An interface cannot be watched.
    #[error("interface `{0}`: {1}")]
    Interface(String, LiveError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another one watches, or it cannot be told.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store's file cannot be had.
    #[error(transparent)]
    File(#[from] TakeError),
    /// The file of what may change cannot be used.
    #[error("{0}: {1}")]
    Config(PathBuf, ConfigError),
    /// Nobody can be answered there.
    #[error("--metrics {0}: {1}")]
    Metrics(SocketAddr, std::io::Error),
    /// The system refuses a thread, or to tell of signals.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// It was told to stop twice, and did not wait for the store.
    #[error("told to stop twice: the last seconds were not written")]
    StoppedTwice,
}
