//! What the versions of one object, and the times they were seen at, claim.

use super::{
    items::State,
    sights::{End, Sight},
    tenure::Claim,
};
use crate::model::Timestamp;

/// An object as it was written at one time.
pub(super) struct Version<'a, K> {
    /// What it holds, in order: addresses.
    pub holds: Vec<K>,
    /// Whether it has them.
    pub state: State,
    /// When it was so.
    pub sights: &'a [Sight],
    /// Whether what it does not name it may hold all the same.
    pub is_partial: bool,
}

/// From when on an object can have held anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It says so itself.
    At(Timestamp),
    /// It does not say, and addresses like its own change hands: from its first sight on.
    FirstSight,
    /// It does not say, and was there for as long as anybody knows.
    Always,
}

/// All versions of one object.
pub(super) struct History<'a, K> {
    /// Its place among the owners.
    pub owner: u32,
    pub start: Start,
    pub versions: Vec<Version<'a, K>>,
}

impl<K: Copy + Ord> History<'_, K> {
    /// What it claims. `missed_after` tells the first listing behind a moment in which it is missing.
    pub fn claims(&self, missed_after: impl Fn(i64) -> Option<i64>) -> Vec<(K, Claim)> {
        let end = self.end(missed_after);
        let mut held: Vec<K> = self.versions.iter().flat_map(|version| version.holds.iter().copied()).collect();
        held.sort_unstable();
        held.dedup();
        held.into_iter().filter_map(|key| Some((key, self.claim(key, end)?))).collect()
    }

    fn claim(&self, key: K, (end, is_certain): (i64, bool)) -> Option<Claim> {
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        let mut add = |from: i64, to: i64| (first, last) = (first.min(from), last.max(to));
        let mut is_undated = false;
        for version in self.versions.iter().filter(|version| version.holds.binary_search(&key).is_ok()) {
            match version.state {
                State::Here => version.sights.iter().for_each(|sight| add(sight.from, sight.to)),
                State::Leaving { asked, .. } => add(asked.0, asked.0),
                State::Over(_) => {}
            }
            is_undated |= version.state == State::Here && version.sights.is_empty();
        }
        if is_certain && self.held_at(key, end) {
            add(end, end);
        }
        let (from, to) = self.without(key, first, last);
        let started = if let Start::At(time) = self.start { time.0 } else { i64::MIN };
        if first > last {
            // never seen at a known time: for as long as it can have been
            return is_undated.then_some(Claim {
                start: started,
                first_sight: started,
                last_sight: started,
                end,
                owner: self.owner,
            });
        }
        let start = if self.start == Start::FirstSight && !is_undated { first } else { started };
        let start = start.max(from).min(first);
        Some(Claim { start, first_sight: first, last_sight: last, end: end.min(to), owner: self.owner })
    }

    /// The end of the object as far as it is known, and whether it certainly held what it held until then.
    fn end(&self, missed_after: impl Fn(i64) -> Option<i64>) -> (i64, bool) {
        let mut end = End::NONE;
        let (mut told, mut over_by, mut due) = (None, None, None);
        for version in &self.versions {
            version.sights.iter().for_each(|sight| end.add(sight));
            match version.state {
                State::Here => {}
                State::Leaving { due: time, .. } => due = due.max(Some(time.0)),
                State::Over(Some(time)) => told = told.max(Some(time.0)),
                State::Over(None) => {
                    let seen = version.sights.iter().map(|sight| sight.from).min().unwrap_or(i64::MIN);
                    over_by = Some(over_by.map_or(seen, |known: i64| known.min(seen)));
                }
            }
        }
        let is_dated = end.at > i64::MIN;
        if let Some(told) = told {
            (told, true)
        } else if let Some(over_by) = over_by {
            (over_by, false)
        } else if is_dated && end.is_seen {
            // of one that was told to go it is not known when within its grace it went
            (end.at, due.is_none())
        } else if let Some(due) = due {
            (due.max(end.at), false)
        } else {
            (missed_after(end.at).filter(|_| is_dated).unwrap_or(i64::MAX), false)
        }
    }

    /// Whether the last version that was seen, or one that has ended, held something.
    fn held_at(&self, key: K, end: i64) -> bool {
        let reaches = |version: &Version<K>| {
            matches!(version.state, State::Over(_)) || version.sights.iter().any(|sight| sight.to == end)
        };
        self.versions.iter().any(|version| reaches(version) && version.holds.binary_search(&key).is_ok())
    }

    /// Between which moments, around those at which it was seen with something, it was seen without it.
    fn without(&self, key: K, first: i64, last: i64) -> (i64, i64) {
        let (mut from, mut to) = (i64::MIN, i64::MAX);
        for version in
            self.versions.iter().filter(|version| !version.is_partial && version.holds.binary_search(&key).is_err())
        {
            for sight in version.sights {
                if sight.to <= first {
                    from = from.max(sight.to);
                }
                if sight.from >= last {
                    to = to.min(sight.from);
                }
            }
        }
        (from, to)
    }
}
