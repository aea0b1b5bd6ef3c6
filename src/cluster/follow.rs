//! One target, for as long as anybody listens: a list, then what happens to it, and again a list where that got lost.
//!
//! News are dated by when they are heard. After a break the API server tells at once what happened meanwhile: that is
//! gathered, and handed on as one piece that happened somewhere between the last contact and now.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc::Sender, time::Instant};

use super::{
    client::Cluster,
    error::ClusterError,
    kind::Target,
    list::Listed,
    net::{Latest, Net},
    object::{Object, Taken},
    watch::{Event, WATCH_TIMEOUT, Watching},
};
use crate::{clock, inventory::Problem, model::Timestamp};

/// What is heard of a target.
#[derive(Debug)]
pub enum News {
    /// It was listed as a whole; what the list lacks went after the last contact.
    Listed {
        /// Until when the state before is certain.
        contact: Timestamp,
        /// What there is.
        listed: Listed,
    },
    /// What happened while there was no connection.
    Caught {
        /// Until when the state before is certain.
        contact: Timestamp,
        /// When the last of it had come.
        at: Timestamp,
        /// What came of it.
        net: Net,
        /// Whether it is known that this is all.
        is_all: bool,
    },
    /// An object came or changed.
    Present(Timestamp, Object),
    /// An object went.
    Gone(Timestamp, Object),
    /// Nothing else happened up to here.
    InSync(Timestamp),
    /// Something of it could not be used.
    Problems(Vec<Problem>),
    /// It cannot be followed for now, for the n-th time in a row; it is tried again.
    Failed(u32, ClusterError),
}

/// Where to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The version that was seen.
    pub version: String,
    /// When that was.
    pub contact: Timestamp,
}

/// Follows one target.
pub struct Follower {
    cluster: Arc<Cluster>,
    /// The target's place among all.
    place: usize,
    target: Target,
    news: Sender<(usize, News)>,
    /// The version seen last; none where it has to be listed.
    version: Option<String>,
    contact: Timestamp,
    failures: u32,
}

/// Why a connection is given up.
enum Stop {
    /// Nobody listens any more.
    Unheard,
    Failed(ClusterError),
}

impl From<ClusterError> for Stop {
    fn from(error: ClusterError) -> Self {
        Self::Failed(error)
    }
}

/// Silence after which everything that happened before is told: the API server tells it without a pause.
const CAUGHT_UP_AFTER: Duration = Duration::from_millis(700);

/// So long at most what comes over a new connection is taken for old: where it never pauses, it is new.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(5);

/// A watch that ends sooner, without a word, is no better than one that failed.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// Waits before trying again: doubled each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Follower {
    /// Follows a target from `start`, or from a list where there is none; news carry the target's `place`.
    #[must_use]
    pub fn new(
        cluster: Arc<Cluster>,
        (place, target): (usize, Target),
        start: Option<Start>,
        news: Sender<(usize, News)>,
    ) -> Self {
        let (version, contact) = start.map_or((None, clock::now()), |start| (Some(start.version), start.contact));
        let version = version.filter(|version| !version.is_empty());
        Self { cluster, place, target, news, version, contact, failures: 0 }
    }

    /// Goes on until nobody listens.
    pub async fn run(mut self) {
        loop {
            let step = match self.version.clone() {
                None => self.list().await,
                Some(version) => self.watch(version).await,
            };
            match step {
                Ok(()) => {}
                Err(Stop::Unheard) => return,
                Err(Stop::Failed(error)) => {
                    if matches!(error, ClusterError::Gone | ClusterError::Malformed(_)) {
                        self.version = None;
                    }
                    self.failures += 1;
                    let is_refused = !error.is_passing();
                    let is_stale = error == ClusterError::Gone;
                    if !is_stale && self.tell(News::Failed(self.failures, error)).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(self.wait(is_refused)).await;
                }
            }
        }
    }

    /// Twice as long each time; a little more for each place, so that not all targets ask at one moment.
    fn wait(&self, is_refused: bool) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1 << self.failures.saturating_sub(1).min(10));
        let apart = Duration::from_millis(self.place as u64 % 16 * 13);
        if is_refused { LONGEST_WAIT } else { doubled.min(LONGEST_WAIT) + apart }
    }

    async fn tell(&self, news: News) -> Result<(), Stop> {
        self.news.send((self.place, news)).await.map_err(|_| Stop::Unheard)
    }

    async fn list(&mut self) -> Result<(), Stop> {
        let listed = self.cluster.list_once(&self.target).await?;
        if listed.version.is_empty() {
            return Err(ClusterError::Malformed("the list has no resourceVersion".into()).into());
        }
        let contact = std::mem::replace(&mut self.contact, listed.answered);
        self.version = Some(listed.version.clone());
        self.tell(News::Listed { contact, listed }).await
    }

    /// One connection, from its beginning to its end.
    async fn watch(&mut self, version: String) -> Result<(), Stop> {
        let cluster = self.cluster.clone();
        let target = self.target.clone();
        let opened = Instant::now();
        let mut watching = cluster.watch(&target, &version).await?;
        let mut net = Net::default();
        let caught = self.catch_up(&mut watching, &mut net).await;
        // what was heard is handed on, also where the connection ended over it
        let is_all = matches!(caught, Ok(true));
        let at = clock::now();
        self.tell(News::Caught { contact: self.contact, at, net, is_all }).await?;
        if is_all {
            self.heard(at);
            while self.step(&mut watching).await? {}
            self.contact = clock::now();
            self.tell(News::InSync(self.contact)).await?;
        }
        caught?;
        if opened.elapsed() < SHORTEST_WATCH && self.version == Some(version) {
            self.failures += 1;
            tokio::time::sleep(self.wait(false)).await;
        }
        Ok(())
    }

    fn heard(&mut self, at: Timestamp) {
        self.contact = at;
        self.failures = 0;
    }

    /// Gathers what happened before the connection was opened; false where it ended before that was told.
    async fn catch_up(&mut self, watching: &mut Watching<'_>, net: &mut Net) -> Result<bool, Stop> {
        let limit = Instant::now() + CATCH_UP_LIMIT;
        while Instant::now() < limit {
            let Ok(event) = tokio::time::timeout(CAUGHT_UP_AFTER, watching.next()).await else { return Ok(true) };
            let Some((event, version)) = event? else { return Ok(false) };
            let latest = match event {
                Event::Bookmark => None,
                Event::Present(taken) => Some(self.taken(taken).await?.map(Latest::Present)),
                Event::Gone(taken) => Some(self.taken(taken).await?.map(Latest::Gone)),
            };
            self.version = version.or(self.version.take());
            match latest {
                None => return Ok(true),
                Some(latest) => latest.into_iter().for_each(|latest| net.add(latest)),
            }
        }
        Ok(true)
    }

    /// Takes the next event; false at the proper end.
    async fn step(&mut self, watching: &mut Watching<'_>) -> Result<bool, Stop> {
        let silent = |_| ClusterError::Broken("nothing came for longer than the watch lasts".into());
        let event = tokio::time::timeout(WATCH_TIMEOUT, watching.next()).await.map_err(silent)??;
        let Some((event, version)) = event else { return Ok(false) };
        let at = clock::now();
        match event {
            Event::Bookmark => {}
            Event::Present(taken) => {
                if let Some(object) = self.taken(taken).await? {
                    self.tell(News::Present(at, object)).await?;
                }
            }
            Event::Gone(taken) => {
                if let Some(object) = self.taken(taken).await? {
                    self.tell(News::Gone(at, object)).await?;
                }
            }
        }
        self.version = version.or(self.version.take());
        self.heard(at);
        self.tell(News::InSync(at)).await?;
        Ok(true)
    }

    async fn taken(&self, taken: Taken) -> Result<Option<Object>, Stop> {
        if !taken.problems.is_empty() {
            self.tell(News::Problems(taken.problems)).await?;
        }
        Ok(taken.object)
    }
}
