//! A live cluster, followed until somebody says stop.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle, JoinSet},
};

use super::{
    Fault,
    fault::{printable, store_hint},
    inventory_sync::{Listing, reason},
    sync_keep::{Keeper, Kept},
    sync_state::SyncState,
};
use crate::{
    cluster::{Cluster, ClusterError, Follower, LISTED_EVERY, News, Start},
    inventory::Problem,
    model::Timestamp,
    store::StoreError,
};

/// How often news are written to the store: what a crash can lose.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// News that wait to be taken; where more come, the connections wait.
const NEWS_WAITING: usize = 1_024;

/// Changes that wait for a store which cannot be written, some 3 KB each. Where more come they are not taken, and the cluster is
/// listed anew when it can.
const MAX_WAITING: usize = 65_536;

/// Problems that are printed while a watch goes on; the others are counted.
const MAX_PRINTED: usize = 10;

/// What tells it to stop.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    pub async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What a keeper that was sent to write comes back with.
type Back = (Keeper, Result<Kept, StoreError>);

/// Follows all that was listed until it is told to stop. The keeper, where it is to be listed anew for it.
pub(super) async fn follow(
    keeper: Keeper,
    cluster: &Arc<Cluster>,
    listing: Listing,
    stop: &mut Stop,
) -> anyhow::Result<Option<Keeper>> {
    let Listing { lists, state, .. } = listing;
    let (sender, mut news) = mpsc::channel(NEWS_WAITING);
    let targets = lists.iter().map(|(target, _)| target.to_string()).collect();
    let mut session = Session::new(printable(cluster.name()), state, targets);
    // dropped at the end, which ends them
    let mut followers = JoinSet::new();
    for (place, (target, listed)) in lists.into_iter().enumerate() {
        let start = Start { version: listed.version, contact: listed.answered };
        followers.spawn(Follower::new(cluster.clone(), place, target, Some(start), sender.clone()).run());
    }
    drop(sender);
    warnln!("{}: following; Ctrl-C stops", session.name);
    let (is_stopping, stopping) = watch::channel(false);
    let mut flush = tokio::time::interval(FLUSH_INTERVAL);
    let mut resting = Some(keeper);
    // what is written takes its time, and what is heard meanwhile is dated by when it is taken
    let mut writing = None;
    loop {
        tokio::select! {
            Some((place, news)) = news.recv() => session.take(place, news),
            _ = flush.tick() => if let Some(keeper) = resting.take() {
                writing = Some(session.write(keeper, stopping.clone()));
            },
            back = back(&mut writing) => {
                let (keeper, kept) = back?;
                writing = None;
                let is_elsewhere = matches!(kept, Ok(Kept::Elsewhere));
                session.note(kept)?;
                if is_elsewhere || session.is_full {
                    return Ok(Some(keeper));
                }
                resting = Some(keeper);
            }
            () = stop.told() => break,
        }
    }
    // somebody listens as long as it is written
    let _ = is_stopping.send(true);
    if writing.is_some() {
        let (keeper, kept) = back(&mut writing).await?;
        session.note(kept)?;
        resting = Some(keeper);
    }
    if let Some(keeper) = resting {
        let (_, kept) = session.write(keeper, stopping).await?;
        session.note(kept)?;
    }
    session.report();
    Ok(None)
}

/// Waits for a keeper to come back; for ever where none was sent.
async fn back(writing: &mut Option<JoinHandle<Back>>) -> Result<Back, JoinError> {
    match writing {
        Some(writing) => writing.await,
        None => pending().await,
    }
}

/// How a target was last said to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    InSync,
    Unwatched,
    Lost,
}

/// A watch that goes on, and what is said of it.
struct Session {
    name: String,
    state: SyncState,
    targets: Vec<String>,
    said: Vec<Said>,
    changes: usize,
    problems: usize,
    /// Whether more changes waited than are kept.
    is_full: bool,
}

impl Session {
    fn new(name: String, state: SyncState, targets: Vec<String>) -> Self {
        let said = vec![Said::InSync; targets.len()];
        Self { name, state, said, targets, changes: 0, problems: 0, is_full: false }
    }

    fn take(&mut self, place: usize, news: News) {
        match &news {
            News::Failed(error) => self.say(place, Said::Lost, Some(error)),
            News::Unwatched(error) => self.say(place, Said::Unwatched, Some(error)),
            // a list alone does not tell whether it can be watched
            News::InSync(_) | News::Caught { is_all: true, .. } => self.say(place, Said::InSync, None),
            _ => {}
        }
        match &news {
            News::Problems(problems) => self.print_some(problems),
            News::Listed { listed, .. } => self.print_some(&listed.problems),
            _ => {}
        }
        if self.state.waiting() >= MAX_WAITING && !self.is_full {
            self.is_full = true;
            warnln!(
                "flowmap: more than {MAX_WAITING} changes wait for the store; the next ones are left out, and the cluster is listed anew"
            );
        }
        if !self.is_full {
            self.state.take(place, news);
        }
    }

    /// Says once how a target is.
    fn say(&mut self, place: usize, now: Said, error: Option<&ClusterError>) {
        let (Some(said), Some(target)) = (self.said.get_mut(place), self.targets.get(place)) else { return };
        if std::mem::replace(said, now) == now {
            return;
        }
        let text = match (now, error) {
            (Said::Unwatched, Some(error)) => {
                let instead = format!("and is listed every {} seconds instead", LISTED_EVERY.as_secs());
                match error {
                    ClusterError::Forbidden(why) => format!("{target}: may not be watched (403), {instead}: {why}"),
                    other => format!("{target}: cannot be watched, {instead}: {}", reason(other)),
                }
            }
            (_, Some(error)) => format!("{target}: {}; trying again", reason(error)),
            (_, None) => format!("{target}: in sync again"),
        };
        warnln!("flowmap: {}", printable(&text));
    }

    fn print_some(&mut self, problems: &[Problem]) {
        let left = MAX_PRINTED.saturating_sub(self.problems);
        for problem in problems.iter().take(left) {
            warnln!("{}", printable(&problem.to_string()));
        }
        self.problems += problems.len();
    }

    /// Sends a keeper to write what is new.
    fn write(&mut self, keeper: Keeper, stopping: watch::Receiver<bool>) -> JoinHandle<Back> {
        let (changes, in_sync) = (self.state.take_changes(), self.state.in_sync());
        tokio::spawn(keeper.write(changes, in_sync, stopping))
    }

    fn note(&mut self, kept: Result<Kept, StoreError>) -> Result<(), Fault> {
        match kept {
            Ok(Kept::Written(changes)) => self.changes += changes,
            Ok(Kept::Elsewhere) => {}
            Err(error) => {
                let fault = Fault::new("the last seconds were not written", &error);
                return Err(match store_hint(&error) {
                    Some(hint) => fault.hint(hint),
                    None => fault,
                });
            }
        }
        Ok(())
    }

    fn report(&self) {
        let until: Timestamp = self.state.in_sync();
        let problems = if self.problems > 0 { format!(", {} problems", self.problems) } else { String::new() };
        warnln!("{}: {} changes{problems}, in sync until {until}", self.name, self.changes);
    }
}
