//! What the versions of one object, and the times they were seen at, claim.

use super::{
    items::State,
    sights::{End, Sight},
    tenure::Claim,
};
use crate::model::Timestamp;

/// An object as it was written at one time.
pub(super) struct Version<'a, K> {
    /// What it holds: addresses.
    pub holds: Vec<K>,
    /// Whether it has them.
    pub state: State,
    /// From when on it can have had them, and had them, as far as it tells; `i64::MIN` where it does not.
    pub from: i64,
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
    /// When another object of its name was made: there is but one at a time.
    pub replaced: Option<Timestamp>,
    pub versions: Vec<Version<'a, K>>,
}

impl<K: Copy + Ord> History<'_, K> {
    /// What it claims. `missed_after` tells the first listing behind a moment in which it is missing.
    pub fn claims(&self, missed_after: impl Fn(i64) -> Option<i64>) -> Vec<(K, Claim)> {
        let end = self.end(missed_after);
        let edges = Edges::new(&self.versions);
        let of_version =
            |(n, version): (usize, &Version<K>)| version.holds.iter().map(|key| (*key, n)).collect::<Vec<_>>();
        let mut held: Vec<(K, usize)> = self.versions.iter().enumerate().flat_map(of_version).collect();
        held.sort_unstable();
        held.dedup();
        let mut claims = Vec::new();
        for holders in held.chunk_by(|a, b| a.0 == b.0) {
            let Some((key, _)) = holders.first().copied() else { continue };
            let holders: Vec<usize> = holders.iter().map(|(_, version)| *version).collect();
            claims.extend(self.claim(&holders, end, &edges).map(|claim| (key, claim)));
        }
        claims
    }

    /// The claim to what the versions at these places hold.
    fn claim(&self, holders: &[usize], (end, is_certain): (i64, bool), edges: &Edges) -> Option<Claim> {
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        let mut add = |from: i64, to: i64| (first, last) = (first.min(from), last.max(to));
        let (mut is_undated, mut is_held_at_end) = (false, false);
        let holding = || holders.iter().filter_map(|n| self.versions.get(*n));
        for version in holding() {
            match version.state {
                State::Here => version.sights.iter().for_each(|sight| add(sight.from, sight.to)),
                State::Leaving { asked, .. } => add(asked.0, asked.0),
                State::Over(_) => is_held_at_end = true,
            }
            is_undated |= version.state == State::Here && version.sights.is_empty();
            is_held_at_end |= version.sights.iter().any(|sight| sight.to == end);
        }
        if is_certain && is_held_at_end {
            add(end, end);
        }
        let is_changed = holding().flat_map(|version| version.sights).any(|sight| sight.to == last && sight.is_closed);
        let told = holding().map(|version| version.from).min().unwrap_or(i64::MIN);
        let (started, owner) = (if let Start::At(time) = self.start { time.0 } else { i64::MIN }, self.owner);
        let started = started.max(told);
        if first > last {
            // never seen at a known time: for as long as it can have been
            let (first_sight, last_sight) = (started, started);
            let claim = Claim { start: started, first_sight, last_sight, end, over_by: i64::MAX, owner };
            return is_undated.then_some(claim);
        }
        let (from, to) = edges.around(first, (last, is_changed), holders);
        let start = if self.start == Start::FirstSight && !is_undated { first } else { started };
        let start = start.max(from).min(first);
        // two that were seen at one time are of two clusters, or their clocks differ
        let replaced = self.replaced.map(|time| time.0).filter(|time| self.last_sight() <= *time);
        let over_by = replaced.into_iter().chain(edges.made_after(last, holders)).min().unwrap_or(i64::MAX);
        Some(Claim { start, first_sight: first, last_sight: last, end: end.min(to), over_by, owner })
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
        match (told, over_by, due) {
            // a node that was lost tells no more of its pods' containers than it did
            (Some(told), ..) => (told.max(self.last_sight()), true),
            (None, Some(over_by), _) => (over_by, false),
            // of one that was told to go it is not known when within its grace it went
            (None, None, due) if is_dated && end.is_seen => (end.at, due.is_none()),
            (None, None, Some(due)) => (due.max(end.at), false),
            (None, None, None) => (missed_after(end.at).filter(|_| is_dated).unwrap_or(i64::MAX), false),
        }
    }

    /// When it was last seen with what it held.
    fn last_sight(&self) -> i64 {
        let is_over = |version: &&Version<K>| matches!(version.state, State::Over(_));
        let living = self.versions.iter().filter(|version| !is_over(version));
        living.flat_map(|version| version.sights).map(|sight| sight.to).max().unwrap_or(i64::MIN)
    }
}

/// When versions of an object were seen, in order of their ends and of their beginnings, each with the version's place.
/// Versions that may hold more than they name are left out.
#[derive(Default)]
struct Edges {
    ends: Vec<(i64, usize)>,
    /// Those ends alone at which it was seen to change.
    changes: Vec<(i64, usize)>,
    begins: Vec<(i64, usize)>,
    /// Since when they say that it was so.
    made: Vec<(i64, usize)>,
}

impl Edges {
    fn new<K>(versions: &[Version<'_, K>]) -> Self {
        let mut edges = Self::default();
        for (n, version) in versions.iter().enumerate().filter(|(_, version)| !version.is_partial) {
            for sight in version.sights {
                edges.ends.push((sight.to, n));
                edges.begins.push((sight.from, n));
                if sight.is_closed {
                    edges.changes.push((sight.to, n));
                }
            }
            if version.from > i64::MIN {
                edges.made.push((version.from, n));
            }
        }
        edges.ends.sort_unstable();
        edges.changes.sort_unstable();
        edges.begins.sort_unstable();
        edges.made.sort_unstable();
        edges
    }

    /// When it had been made anew with something else than these versions hold, behind a moment.
    fn made_after(&self, last: i64, holders: &[usize]) -> Option<i64> {
        let behind = self.made.partition_point(|(from, _)| *from <= last);
        let made = self.made.get(behind..)?.iter().find(|(_, n)| holders.binary_search(n).is_err());
        made.map(|(from, _)| *from)
    }

    /// Between which moments, around those at which it was seen with something that these versions hold, it was seen
    /// without. Of the same moment only what was seen to change then counts: a listing that holds one object twice
    /// contradicts itself. Looks past the holders alone, so that all together take no longer than what is held.
    fn around(&self, first: i64, (last, is_changed): (i64, bool), holders: &[usize]) -> (i64, i64) {
        let lacks = |(_, n): &&(i64, usize)| holders.binary_search(n).is_err();
        let before = self.ends.partition_point(|(to, _)| *to < first);
        let change = self.changes.partition_point(|(to, _)| *to <= first);
        let behind = self.begins.partition_point(|(from, _)| *from < last || *from == last && !is_changed);
        let last_of =
            |edges: &[(i64, usize)], count| edges.get(..count).and_then(|it| it.iter().rev().find(lacks).copied());
        let from = last_of(&self.ends, before).max(last_of(&self.changes, change));
        let to = self.begins.get(behind..).and_then(|edges| edges.iter().find(lacks));
        (from.map_or(i64::MIN, |(moment, _)| moment), to.map_or(i64::MAX, |(moment, _)| *moment))
    }
}
