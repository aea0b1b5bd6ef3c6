//! What changes between two sets of policies: connections that become possible, and those that end.

use std::{collections::BTreeMap, sync::Arc};

use foldhash::HashMap;

use super::{Actor, AddressRange, Census, Classes, Evaluator, PortSet, addresses, classes::Open};

/// A change between two parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The client: a workload, or addresses.
    pub from: Arc<str>,
    /// The server.
    pub to: Arc<str>,
    /// The ports.
    pub ports: Arc<Ports>,
}

/// What two parties may do before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ports {
    /// What was open before.
    pub before: PortSet,
    /// What is open after.
    pub after: PortSet,
    /// What becomes possible.
    pub opened: PortSet,
    /// What ends.
    pub closed: PortSet,
    /// Whether that is so for some of their pods alone.
    pub is_partial: bool,
}

impl Ports {
    fn new(before: PortSet, after: PortSet) -> Self {
        let (opened, closed) = (after.without(&before), before.without(&after));
        Self { before, after, opened, closed, is_partial: false }
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
            is_partial: true,
        }
    }

    /// `added`, `removed`, or `changed` where something was open before and something else is after.
    #[must_use]
    pub fn change(&self) -> &'static str {
        match (self.before.is_empty(), self.after.is_empty()) {
            (true, _) => "added",
            (_, true) => "removed",
            _ => "changed",
        }
    }
}

/// Compares two sets of policies over everybody: first within the cluster, by client and server, then with addresses. A
/// workload with itself counts too, for policies may forbid its replicas to talk to each other, but no bare pod.
#[must_use]
pub fn diff(census: &Census<'_>, old: &Evaluator<'_>, new: &Evaluator<'_>) -> Vec<Change> {
    let mut comparison = Comparison::new(census, census.judged(old), census.judged(new));
    let (inside, addresses): (Vec<usize>, Vec<usize>) =
        (0..census.actors().len()).partition(|n| census.actors()[*n].0.is_inside());
    let mut changes = Vec::new();
    for &from in &inside {
        for &to in inside.iter().filter(|to| **to != from || !census.is_one_pod(from)) {
            changes.extend(comparison.between(from, to));
        }
    }
    for &workload in &inside {
        changes.extend(comparison.with_addresses(workload, &addresses, true));
        changes.extend(comparison.with_addresses(workload, &addresses, false));
    }
    changes
}

/// The number of a [`Ports`].
type Number = usize;

struct Comparison<'a> {
    census: &'a Census<'a>,
    names: Vec<Arc<str>>,
    old: Classes,
    new: Classes,
    /// For each actor its ends by what both sets can tell of them, each once.
    profiles: Vec<Vec<(usize, usize)>>,
    /// All that came up: few differ.
    ports: Vec<Arc<Ports>>,
    numbers: HashMap<Arc<Ports>, Number>,
    by_open: HashMap<(Open, Open), Number>,
    unions: HashMap<(Number, Number), Number>,
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
        let names = census.actors().iter().map(|(actor, _)| actor.name().into()).collect();
        let (ports, numbers, by_open, unions) = Default::default();
        Self { census, names, old, new, profiles, ports, numbers, by_open, unions }
    }

    fn between(&mut self, from: usize, to: usize) -> Option<Change> {
        let number = self.ports(from, to);
        let ports = &self.ports[number];
        let change = || Change { from: self.names[from].clone(), to: self.names[to].clone(), ports: ports.clone() };
        ports.is_change().then(change)
    }

    /// What two actors may do before and after, for some of their pods.
    fn ports(&mut self, from: usize, to: usize) -> Number {
        if let ([one], [other]) = (&self.profiles[from][..], &self.profiles[to][..])
            && self.old.meets(one.0, other.0)
        {
            return self.of_profiles(*one, *other);
        }
        let (from, to) = (self.profiles[from].clone(), self.profiles[to].clone());
        let mut all = None;
        for (one, other) in from.iter().flat_map(|one| to.iter().map(move |other| (*one, *other))) {
            // both sets are over the same ends
            if !self.old.meets(one.0, other.0) {
                continue;
            }
            let number = self.of_profiles(one, other);
            all = Some(all.map_or(number, |all| self.union(all, number)));
        }
        all.unwrap_or_else(|| self.number(Ports::default()))
    }

    fn union(&mut self, a: Number, b: Number) -> Number {
        if a == b {
            return a;
        }
        if let Some(known) = self.unions.get(&(a, b)) {
            return *known;
        }
        let union = self.ports[a].union(&self.ports[b]);
        let number = self.number(union);
        self.unions.insert((a, b), number);
        number
    }

    fn of_profiles(&mut self, (old_from, new_from): (usize, usize), (old_to, new_to): (usize, usize)) -> Number {
        let (before, after) = (self.old.open(old_from, old_to), self.new.open(new_from, new_to));
        if let Some(number) = self.by_open.get(&(before, after)) {
            return *number;
        }
        let number = self.number(Ports::new(self.old.common(before), self.new.common(after)));
        self.by_open.insert((before, after), number);
        number
    }

    fn number(&mut self, ports: Ports) -> Number {
        if let Some(number) = self.numbers.get(&ports) {
            return *number;
        }
        let ports = Arc::new(ports);
        self.numbers.insert(ports.clone(), self.ports.len());
        self.ports.push(ports);
        self.ports.len() - 1
    }

    /// What changes with addresses outside, those that change alike together.
    fn with_addresses(&mut self, workload: usize, addresses: &[usize], is_client: bool) -> Vec<Change> {
        let mut alike: BTreeMap<Number, Vec<AddressRange>> = BTreeMap::new();
        for &other in addresses {
            let number = if is_client { self.ports(workload, other) } else { self.ports(other, workload) };
            if let (true, Actor::Addresses(piece)) = (self.ports[number].is_change(), self.census.actors()[other].0) {
                alike.entry(number).or_default().push(piece.range);
            }
        }
        let change = |(number, ranges): (Number, Vec<AddressRange>)| {
            let (workload, ranges) = (self.names[workload].clone(), addresses::words(ranges).into());
            let (from, to) = if is_client { (workload, ranges) } else { (ranges, workload) };
            Change { from, to, ports: self.ports[number].clone() }
        };
        alike.into_iter().map(change).collect()
    }
}
