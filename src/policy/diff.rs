//! What changes between two sets of policies: connections that become possible, and those that end.

use std::collections::BTreeMap;

use foldhash::HashMap;

use super::{Actor, AddressRange, Census, Classes, Evaluator, PortSet, addresses, classes::Open};

/// A change between two parties.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The client: a workload, or addresses.
    pub from: String,
    /// The server.
    pub to: String,
    /// What was open before.
    pub before: PortSet,
    /// What is open after.
    pub after: PortSet,
    /// What becomes possible.
    pub opened: PortSet,
    /// What ends.
    pub closed: PortSet,
}

impl Change {
    /// `added`, `removed`, or `changed` where something was open before and something else is after.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match (self.before.is_empty(), self.after.is_empty()) {
            (true, _) => "added",
            (_, true) => "removed",
            _ => "changed",
        }
    }
}

/// What a pair of ends may do under both sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ports {
    before: PortSet,
    after: PortSet,
    opened: PortSet,
    closed: PortSet,
}

impl Ports {
    fn new(before: PortSet, after: PortSet) -> Self {
        let (opened, closed) = (after.without(&before), before.without(&after));
        Self { before, after, opened, closed }
    }

    fn is_change(&self) -> bool {
        !self.opened.is_empty() || !self.closed.is_empty()
    }

    /// Of two pairs of pods of the same workloads: what is open for either.
    fn union(&self, other: &Self) -> Self {
        Self {
            before: self.before.union(&other.before),
            after: self.after.union(&other.after),
            opened: self.opened.union(&other.opened),
            closed: self.closed.union(&other.closed),
        }
    }

    fn between(self, from: String, to: String) -> Change {
        let Self { before, after, opened, closed } = self;
        Change { from, to, before, after, opened, closed }
    }
}

/// Compares two sets of policies over everybody, in the order of clients and servers. A workload is not compared with
/// itself: policies may forbid its replicas to talk to each other, and a change of that is listed like any other.
#[must_use]
pub fn diff(census: &Census<'_>, old: &Evaluator<'_>, new: &Evaluator<'_>) -> Vec<Change> {
    let mut comparison = Comparison::new(census, census.judged(old), census.judged(new));
    let (inside, addresses): (Vec<usize>, Vec<usize>) =
        (0..census.actors().len()).partition(|n| census.actors()[*n].0.is_inside());
    let mut changes = Vec::new();
    for &from in &inside {
        for &to in &inside {
            let name = |n: usize| census.actors()[n].0.name();
            changes.extend(comparison.ports(from, to).map(|ports| ports.between(name(from), name(to))));
        }
    }
    for &workload in &inside {
        changes.extend(comparison.with_addresses(workload, &addresses, true));
        changes.extend(comparison.with_addresses(workload, &addresses, false));
    }
    changes.sort();
    changes
}

struct Comparison<'a> {
    census: &'a Census<'a>,
    old: Classes,
    new: Classes,
    /// For each actor its ends by what both sets can tell of them, each once.
    profiles: Vec<Vec<(usize, usize)>>,
    /// What comes of two pairs of port sets: few differ.
    known: HashMap<(Open, Open), Ports>,
}

impl<'a> Comparison<'a> {
    fn new(census: &'a Census<'a>, old: Classes, new: Classes) -> Self {
        let profile = |range: &std::ops::Range<usize>| {
            let mut profiles: Vec<(usize, usize)> = range.clone().map(|end| (old.kind(end), new.kind(end))).collect();
            profiles.sort_unstable();
            profiles.dedup();
            profiles
        };
        let profiles = census.actors().iter().map(|(_, range)| profile(range)).collect();
        Self { census, old, new, profiles, known: HashMap::default() }
    }

    /// What changes between two actors, where anything does.
    fn ports(&mut self, from: usize, to: usize) -> Option<Ports> {
        let mut all = Ports::default();
        for (old_from, new_from) in &self.profiles[from] {
            for (old_to, new_to) in &self.profiles[to] {
                let key = (self.old.open(*old_from, *old_to), self.new.open(*new_from, *new_to));
                let (old, new) = (&self.old, &self.new);
                let ports = self.known.entry(key).or_insert_with(|| Ports::new(old.common(key.0), new.common(key.1)));
                if ports.is_change() || self.profiles[from].len() * self.profiles[to].len() > 1 {
                    all = all.union(ports);
                }
            }
        }
        all.is_change().then_some(all)
    }

    /// What changes with addresses outside, those that change alike together.
    fn with_addresses(&mut self, workload: usize, addresses: &[usize], is_client: bool) -> Vec<Change> {
        let mut alike: BTreeMap<Ports, Vec<AddressRange>> = BTreeMap::new();
        for &other in addresses {
            let ports = if is_client { self.ports(workload, other) } else { self.ports(other, workload) };
            if let (Some(ports), Actor::Addresses(piece)) = (ports, self.census.actors()[other].0) {
                alike.entry(ports).or_default().push(piece.range);
            }
        }
        let name = self.census.actors()[workload].0.name();
        let change = |(ports, ranges): (Ports, Vec<AddressRange>)| {
            let ranges = addresses::words(ranges);
            if is_client { ports.between(name.clone(), ranges) } else { ports.between(ranges, name.clone()) }
        };
        alike.into_iter().map(change).collect()
    }
}
