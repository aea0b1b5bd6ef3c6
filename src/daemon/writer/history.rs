//! What a writer does to history: how late it is, what is forgotten, and hours that become days.

use std::time::{Duration, Instant};

use tracing::warn;

use super::Writer;
use crate::{
    clock,
    model::Timestamp,
    store::{Run, RunId, StoreError, Thinned},
};

/// History is kept by the hour: it is looked at more often than that.
const BETWEEN_CLEANINGS: Duration = Duration::from_mins(5);
/// How often the store is told how late it is.
const BETWEEN_TIMES: Duration = Duration::from_mins(10);

impl Writer {
    /// How late it is: what is done to history cannot be undone.
    fn now(&mut self) -> Timestamp {
        let now = self.clock.believed(clock::now(), Instant::now());
        let was_said = std::mem::replace(&mut self.said.doubt, self.clock.is_doubted());
        if self.said.doubt && !was_said {
            warn!("the clock is more than a day ahead of what the store holds: for a day nothing is forgotten by it");
        }
        now
    }

    /// Keeps in the store how late it is believed to be, now and then and where that changes.
    pub(super) async fn keep_time(&mut self) -> Result<(), StoreError> {
        self.now();
        let is_new = self.time_kept.is_none_or(|(since, was_doubted)| {
            since.elapsed() >= BETWEEN_TIMES || was_doubted != self.clock.is_doubted()
        });
        let (Some(store), true) = (&self.store, is_new) else { return Ok(()) };
        if let Some(time) = self.clock.kept(Instant::now()) {
            store.keep_time(time).await?;
        }
        self.time_kept = Some((Instant::now(), self.clock.is_doubted()));
        Ok(())
    }

    /// The time before which all is forgotten.
    pub(super) fn horizon(&mut self) -> Option<Timestamp> {
        let horizon = before(self.now(), self.keep?).hour().start();
        self.horizon = self.horizon.max(Some(horizon));
        self.horizon
    }

    /// A run that goes on does not tell of what is forgotten.
    pub(super) fn cut(&mut self, run: &mut Run) {
        let Some(horizon) = self.horizon() else { return };
        if run.last_packet.is_some_and(|last| last < horizon) {
            (run.first_packet, run.last_packet) = (None, None);
        }
        run.first_packet = run.first_packet.map(|first| first.max(horizon));
    }

    /// Takes a little of what is too old out, or brings some hours into days, and comes back soon where more is left.
    pub(super) async fn clean(&mut self) {
        if Instant::now() < self.next_cleaning || self.shared.is_stopping() {
            return;
        }
        let is_more_left = match self.clean_some().await {
            Ok(is_more_left) => {
                self.said.neglect = false;
                is_more_left
            }
            // told by the next flush; what was begun of a day is begun again then
            Err(StoreError::Locked | StoreError::Full) => false,
            Err(error) => {
                if !std::mem::replace(&mut self.said.neglect, true) {
                    warn!("{}: {error}; history is not brought into days or forgotten meanwhile", self.path.display());
                }
                false
            }
        };
        self.next_cleaning = Instant::now() + if is_more_left { Duration::ZERO } else { BETWEEN_CLEANINGS };
    }

    async fn clean_some(&mut self) -> Result<bool, StoreError> {
        let (now, horizon) = (self.now(), self.horizon());
        let Some(store) = &self.store else { return Ok(false) };
        let thin_before = self.thin_after.map(|age| before(now, age));
        let thinned = store.thin_some(&mut self.thinning, thin_before).await;
        // whatever becomes of days, what is too old goes
        let runs: Vec<RunId> = self.runs.iter().copied().collect();
        let forgotten = match horizon {
            Some(horizon) => store.forget_some(horizon, &runs).await,
            None => Ok(false),
        };
        if let Ok(Thinned::Damaged(damage)) = &thinned {
            self.note_damage(damage);
        }
        let is_thinned = thinned? == Thinned::Done;
        Ok(forgotten? || !is_thinned)
    }
}

/// So long before.
fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)))
}
