//! Deployed policies that undo a proposal: policies add up, so a wider one keeps what the proposal means to close; and what one
//! before them accepts, none of them can close.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::policy::{Census, Classes, Evaluator, PolicyType, PortSet};

/// A deployed policy that is wider than a proposal for the same pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Undone {
    /// The deployed policy, as `namespace/name`, or `AdminNetworkPolicy name` where it is in no namespace.
    pub policy: String,
    /// `ingress` or `egress`.
    pub direction: &'static str,
    /// The workloads that the proposal isolates and this policy keeps open.
    pub workloads: BTreeSet<String>,
    /// One of the connections that stay possible, with the outside where that is among them: `from production/web on everything`.
    pub keeps: String,
}

impl Undone {
    /// In words, without the policy.
    #[must_use]
    pub fn words(&self) -> String {
        /// So many workloads are named.
        const MAX_NAMED: usize = 3;
        let names: Vec<&str> = self.workloads.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = self.workloads.len().saturating_sub(MAX_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} of {}{more} stays open, for one {}", self.direction, names.join(", "), self.keeps)
    }
}

/// Finds the deployed policies that keep open what proposed policies close: `combined` is both together. What a proposal
/// does not isolate is not its business.
#[must_use]
pub fn undone(census: &Census<'_>, proposed: &Evaluator<'_>, combined: &Evaluator<'_>) -> Vec<Undone> {
    let search = Search::new(census, proposed, combined);
    let mut found: BTreeMap<(String, PolicyType), Undone> = BTreeMap::new();
    for (actor, range) in census.actors() {
        if actor.workload().is_none() {
            continue;
        }
        let mut subjects: Vec<usize> = range.clone().collect();
        subjects.dedup_by_key(|end| search.profile(*end));
        for (subject, direction) in
            subjects.into_iter().flat_map(|it| [PolicyType::Ingress, PolicyType::Egress].map(|way| (it, way)))
        {
            for (policy, keeps) in search.wider(direction, subject) {
                let new = || Undone {
                    policy: policy.clone(),
                    direction: direction.as_str(),
                    workloads: BTreeSet::new(),
                    keeps,
                };
                let undone = found.entry((policy.clone(), direction)).or_insert_with(new);
                undone.workloads.insert(actor.name());
            }
        }
    }
    found.into_values().collect()
}

/// Both sets over everybody.
struct Search<'a> {
    census: &'a Census<'a>,
    proposed: &'a Evaluator<'a>,
    combined: &'a Evaluator<'a>,
    alone: Classes,
    together: Classes,
    /// One end for each profile: whom both sets see alike is asked once.
    peers: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(census: &'a Census<'a>, proposed: &'a Evaluator<'a>, combined: &'a Evaluator<'a>) -> Self {
        let (alone, together) = (census.judged(proposed), census.judged(combined));
        let mut search = Self { census, proposed, combined, alone, together, peers: Vec::new() };
        let mut likes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for end in 0..census.ends().len() {
            likes.entry(search.profile(end)).or_insert(end);
        }
        // addresses come last, and whoever is outside is the example that tells most
        search.peers = likes.into_values().rev().collect();
        search
    }

    /// What both sets can tell of an end.
    fn profile(&self, end: usize) -> (usize, usize) {
        (self.alone.kind(end), self.together.kind(end))
    }

    /// The policies that keep open what the proposal closes for one end, each with an example.
    fn wider(&self, direction: PolicyType, subject: usize) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        if !self.alone.may_deny(direction, self.alone.kind(subject)) {
            return found;
        }
        for peer in &self.peers {
            let (from, to) = if direction == PolicyType::Egress { (subject, *peer) } else { (*peer, subject) };
            if !self.alone.meets(self.alone.kind(from), self.alone.kind(to)) {
                continue;
            }
            let side = |classes: &Classes| classes.side(direction, classes.kind(from), classes.kind(to)).clone();
            let (meant, open) = (side(&self.alone), side(&self.together));
            if meant != open {
                self.name(direction, (from, to), &meant, &mut found);
            }
        }
        found
    }

    /// Names the deployed policies that open more than is meant between two ends.
    fn name(
        &self,
        direction: PolicyType,
        (from, to): (usize, usize),
        meant: &PortSet,
        found: &mut BTreeMap<String, String>,
    ) {
        let ends = self.census.ends();
        let (from, to) = (&ends[from], &ends[to]);
        for (rule, ports) in self.combined.openings(direction, from, to) {
            let kept = ports.without(meant);
            if kept.is_empty() || self.proposed.has(&rule.policy) {
                continue;
            }
            let peer = if direction == PolicyType::Egress { format!("to {to}") } else { format!("from {from}") };
            found.entry(rule.policy).or_insert_with(|| format!("{peer} on {kept}"));
        }
    }
}
