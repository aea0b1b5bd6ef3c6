//! How far each workload can reach, and from how far it can be reached: the radius of a compromise.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Actor, Census, Classes, Evaluator, Realm};
use crate::model::WorkloadRef;

/// The reach of a workload under a set of policies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reach {
    /// The workload.
    pub workload: String,
    /// How many other workloads can open a connection to it, on whatever port.
    pub reached_by: usize,
    /// How many other workloads it can open a connection to.
    pub reaches: usize,
    /// Whether any public address can.
    pub reached_from_outside: bool,
    /// Whether it can reach any public address.
    pub reaches_outside: bool,
}

/// The reach of every workload, in order.
#[must_use]
pub fn reach(census: &Census<'_>, evaluator: &Evaluator<'_>) -> Vec<Reach> {
    Sight::new(census, evaluator).reach()
}

/// Who can open connections to whom under a set of policies. Actors that no policy tells apart are together.
pub struct Sight<'c> {
    actors: Vec<Actor<'c>>,
    /// For each actor its group.
    group_of: Vec<usize>,
    /// For each group how many workloads are in it, and whether public addresses are.
    groups: Vec<(usize, bool)>,
    /// Whether the first group reaches the second.
    open: Vec<Vec<bool>>,
}

impl<'c> Sight<'c> {
    /// Looks at everybody.
    #[must_use]
    pub fn new(census: &Census<'c>, evaluator: &Evaluator<'_>) -> Self {
        Self::of_classes(census, &census.judged(evaluator))
    }

    /// The reach of every workload, in order.
    #[must_use]
    pub fn reach(&self) -> Vec<Reach> {
        let actors = self.actors.iter().zip(&self.group_of);
        let workloads = actors.filter(|(actor, _)| actor.workload().is_some());
        workloads.map(|(actor, group)| self.of(actor.name(), *group)).collect()
    }

    /// In how many pairs of workloads one can open a connection to the other, between parts of the cluster and the outside:
    /// rows are clients, columns servers. `part` tells the part of a workload, none where it is not asked for; the last part
    /// is the public addresses, which count as one.
    #[must_use]
    pub fn ways(&self, parts: usize, part: &dyn Fn(&WorkloadRef) -> Option<usize>) -> Vec<Vec<usize>> {
        let sizes = self.sizes(parts, part);
        let between = |from: usize, to: usize| {
            let mut pairs = 0;
            for (client, clients) in &sizes[from] {
                for (server, servers) in sizes[to].iter().filter(|(server, _)| self.open[*client][**server]) {
                    // the workload itself is no other
                    let itself = usize::from(from == to && client == server);
                    pairs += clients * (servers - itself);
                }
            }
            match (from == parts, to == parts) {
                (true, true) => 0,
                (false, false) => pairs,
                // addresses are not counted one by one
                _ => pairs.min(sizes[from.min(to)].values().sum()),
            }
        };
        (0..=parts).map(|from| (0..=parts).map(|to| between(from, to)).collect()).collect()
    }

    /// For each part how many workloads it has in each group; the last is the outside.
    fn sizes(&self, parts: usize, part: &dyn Fn(&WorkloadRef) -> Option<usize>) -> Vec<BTreeMap<usize, usize>> {
        let mut sizes: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new(); parts + 1];
        for (actor, group) in self.actors.iter().zip(&self.group_of) {
            if let Some(part) = actor.workload().and_then(part).filter(|it| *it < parts) {
                *sizes[part].entry(*group).or_default() += 1;
            }
        }
        let outside = (0..self.groups.len()).filter(|group| self.groups[*group].1);
        sizes[parts] = outside.map(|group| (group, 1)).collect();
        sizes
    }

    fn of_classes(census: &Census<'c>, classes: &Classes) -> Self {
        let mut places: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let mut groups: Vec<(usize, bool)> = Vec::new();
        let mut group_of = Vec::with_capacity(census.actors().len());
        for (actor, range) in census.actors() {
            let kinds = classes.kinds_of(range.clone());
            let new = places.len();
            let place = *places.entry(kinds).or_insert(new);
            if place == groups.len() {
                groups.push((0, false));
            }
            match actor {
                Actor::Workload(_) | Actor::Namesake(_) => groups[place].0 += 1,
                Actor::Addresses(piece) => groups[place].1 |= piece.realm == Realm::Public,
                Actor::Stranger => {}
            }
            group_of.push(place);
        }
        let mut kinds: Vec<&[usize]> = vec![&[]; places.len()];
        for (of_group, place) in &places {
            kinds[*place] = of_group;
        }
        let is_open = |from: usize, to: usize| {
            let is_open = |from, to| classes.meets(from, to) && classes.is_open(from, to);
            kinds[from].iter().any(|from| kinds[to].iter().any(|to| is_open(*from, *to)))
        };
        let open = (0..kinds.len()).map(|from| (0..kinds.len()).map(|to| is_open(from, to)).collect()).collect();
        let actors = census.actors().iter().map(|(actor, _)| *actor).collect();
        Self { actors, group_of, groups, open }
    }

    fn of(&self, workload: String, group: usize) -> Reach {
        // the workload itself is no other
        let others = |other: usize| self.groups[other].0 - usize::from(other == group);
        let reached_by = (0..self.groups.len()).filter(|other| self.open[*other][group]).map(others).sum();
        let reaches = (0..self.groups.len()).filter(|other| self.open[group][*other]).map(others).sum();
        let outside = |other: &usize| self.groups[*other].1;
        let reached_from_outside = (0..self.groups.len()).filter(outside).any(|other| self.open[other][group]);
        let reaches_outside = (0..self.groups.len()).filter(outside).any(|other| self.open[group][other]);
        Reach { workload, reached_by, reaches, reached_from_outside, reaches_outside }
    }
}
