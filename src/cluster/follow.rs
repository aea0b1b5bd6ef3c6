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
    /// It cannot be followed for now; it is tried again.
    Failed(ClusterError),
    /// It cannot be watched; it is listed now and then, and tried again.
    Unwatched(ClusterError),
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

/// Where it tells for longer than this, it is asked up to where it happened before.
const LONGEST_TALE: Duration = Duration::from_secs(5);

/// A watch that ends sooner, without a word, is no better than one that failed.
const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// Waits before trying again: doubled each time, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How often it is listed what cannot be watched.
pub const LISTED_EVERY: Duration = LONGEST_WAIT;

/// After so many failures in a row the fault may be in the version: it is listed again.
const FAILURES_OF_A_VERSION: u32 = 5;

/// What came of the wait for what happened before a connection was opened.
enum Caught {
    /// It is all there. What came with it, if so, is the first that happened after.
    Up(Option<(Event, Option<String>)>),
    /// The connection ended before that was told.
    Ended,
}

impl Follower {
    /// Follows a target from `start`, or from a list where there is none; news carry the target's `place`.
    #[must_use]
    pub fn new(
        cluster: Arc<Cluster>,
        place: usize,
        target: Target,
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
            let version = self.version.clone();
            let was_watched = version.is_some();
            let step = match version {
                None => self.list().await,
                Some(version) => self.watch(version).await,
            };
            let gone_on = match step {
                Err(Stop::Failed(error)) => self.failed(error, was_watched).await,
                other => other,
            };
            if gone_on.is_err() {
                return;
            }
        }
    }

    /// Says what failed, and waits. What cannot be watched from this version on is listed again.
    async fn failed(&mut self, error: ClusterError, was_watched: bool) -> Result<(), Stop> {
        self.failures += 1;
        let is_listed = was_watched && self.is_of_version(&error);
        if is_listed {
            self.version = None;
        }
        let (is_refused, is_first) = (!error.is_passing(), self.failures == 1);
        match error {
            ClusterError::Gone => {}
            // it may be for the version, which a list cures
            _ if is_listed && is_refused && is_first => {}
            error if is_listed && is_refused => self.tell(News::Unwatched(error)).await?,
            error => self.tell(News::Failed(error)).await?,
        }
        tokio::time::sleep(self.wait(is_refused && !is_first)).await;
        Ok(())
    }

    /// Whether a watch may fail for its version, or for being one, so that a list may do better.
    fn is_of_version(&self, error: &ClusterError) -> bool {
        match error {
            // 429, 503: a server that has too much to do, or is about to start, is not asked for more
            ClusterError::Unauthorized(_)
            | ClusterError::Unreachable(_)
            | ClusterError::Status { code: 429 | 503, .. } => false,
            // 504: the version is larger than the server's own
            ClusterError::Gone
            | ClusterError::WentBack { .. }
            | ClusterError::Malformed(_)
            | ClusterError::Status { code: 504, .. } => true,
            _ => !error.is_passing() || self.failures >= FAILURES_OF_A_VERSION,
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
        let contact = std::mem::replace(&mut self.contact, listed.answered);
        self.version = Some(listed.version.clone());
        self.tell(News::Listed { contact, listed }).await
    }

    /// One connection, from its beginning to its end.
    async fn watch(&mut self, version: String) -> Result<(), Stop> {
        let cluster = self.cluster.clone();
        let target = self.target.clone();
        let (opened, failures) = (Instant::now(), self.failures);
        let mut watching = cluster.watch(&target, &version).await?;
        let mut net = Net::default();
        let caught = self.catch_up(&mut watching, &mut net).await;
        // what was heard is handed on, also where the connection ended over it
        let is_all = matches!(caught, Ok(Caught::Up(_)));
        let at = clock::now();
        self.tell(News::Caught { contact: self.contact, at, net, is_all }).await?;
        if let Caught::Up(first) = caught? {
            self.heard(at);
            if let Some((event, version)) = first {
                self.take(event, version).await?;
            }
            while let Some((event, version)) = self.next(&mut watching).await? {
                self.take(event, version).await?;
            }
            self.contact = clock::now();
            self.tell(News::InSync(self.contact)).await?;
        }
        if opened.elapsed() < SHORTEST_WATCH && self.version == Some(version) {
            // once it may be for the server's end
            if !is_all && failures > 0 {
                return Err(ClusterError::Broken("the watch ends as soon as it has begun".into()).into());
            }
            self.failures = failures + 1;
            tokio::time::sleep(self.wait(false)).await;
        }
        Ok(())
    }

    fn heard(&mut self, at: Timestamp) {
        self.contact = at;
        self.failures = 0;
    }

    /// Gathers what happened before the connection was opened. That is all where the server says nothing for a while, in the
    /// middle of no line; or that nothing else happened; or what is later than its version was when it was asked for.
    async fn catch_up(&mut self, watching: &mut Watching<'_>, net: &mut Net) -> Result<Caught, Stop> {
        let (mut heard, mut asked) = (Instant::now(), Instant::now());
        let mut latest = None;
        loop {
            let event = match tokio::time::timeout(CAUGHT_UP_AFTER, watching.next()).await {
                Ok(event) => event?,
                Err(_) if !watching.is_within_line() => return Ok(Caught::Up(None)),
                Err(_) if heard.elapsed() < WATCH_TIMEOUT => continue,
                Err(_) => return Err(silent().into()),
            };
            let Some((event, version)) = event else { return Ok(Caught::Ended) };
            heard = Instant::now();
            if latest.is_some() && number(version.as_deref()) > latest {
                return Ok(Caught::Up(Some((event, version))));
            }
            self.goes_on_to(&event, version)?;
            let object = match event {
                Event::Bookmark => return Ok(Caught::Up(None)),
                Event::Present(taken) => self.taken(taken).await?.map(Latest::Present),
                Event::Gone(taken) => self.taken(taken).await?.map(Latest::Gone),
            };
            if let Some(object) = object {
                net.add(object);
            }
            if latest.is_none() && asked.elapsed() >= LONGEST_TALE {
                latest = self.latest_version().await;
                asked = Instant::now();
            }
        }
    }

    /// The version of now, where it is told and can be compared.
    async fn latest_version(&self) -> Option<u64> {
        let asked = tokio::time::timeout(LONGEST_TALE, self.cluster.latest_version(&self.target)).await;
        let latest = number(Some(&asked.ok()?.ok()?));
        // what was told already is no later than now
        latest.filter(|_| latest >= number(self.version.as_deref()))
    }

    /// Waits for the next event; none at the proper end.
    async fn next(&self, watching: &mut Watching<'_>) -> Result<Option<(Event, Option<String>)>, Stop> {
        Ok(tokio::time::timeout(WATCH_TIMEOUT, watching.next()).await.map_err(|_| silent())??)
    }

    /// Takes an event that happened now.
    async fn take(&mut self, event: Event, version: Option<String>) -> Result<(), Stop> {
        let at = clock::now();
        self.goes_on_to(&event, version)?;
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
        self.heard(at);
        self.tell(News::InSync(at)).await
    }

    /// Notes the version that an event leads to. A bookmark says that nothing else happened up to its own, which is never before
    /// one that was told; of an object's version old servers may tell the one before it went.
    fn goes_on_to(&mut self, event: &Event, version: Option<String>) -> Result<(), Stop> {
        let versions = number(self.version.as_deref()).zip(number(version.as_deref()));
        if let (Event::Bookmark, Some((from, to))) = (event, versions)
            && to < from
        {
            return Err(ClusterError::WentBack { from, to }.into());
        }
        self.version = version.or(self.version.take());
        Ok(())
    }

    async fn taken(&self, taken: Taken) -> Result<Option<Object>, Stop> {
        if !taken.problems.is_empty() {
            self.tell(News::Problems(taken.problems)).await?;
        }
        Ok(taken.object)
    }
}

fn silent() -> ClusterError {
    ClusterError::Broken("nothing came for longer than the watch lasts".into())
}

/// A version as a number, by which versions of one server are ordered; another server may write other words.
fn number(version: Option<&str>) -> Option<u64> {
    version?.parse().ok()
}
