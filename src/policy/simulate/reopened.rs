//! Sides that policies close and others in their place do not: isolation ends with the last policy that names the direction.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::{Census, Evaluator, PolicyType};

/// The workloads whose pods `before` closes one way and `after` leaves open to everybody, by the direction.
#[must_use]
pub fn reopened(
    census: &Census<'_>,
    before: &Evaluator<'_>,
    after: &Evaluator<'_>,
) -> BTreeMap<PolicyType, BTreeSet<String>> {
    let mut reopened: BTreeMap<PolicyType, BTreeSet<String>> = BTreeMap::new();
    for (actor, range) in census.actors().iter().filter(|(actor, _)| actor.workload().is_some()) {
        let ends = census.ends().get(range.clone()).unwrap_or_default();
        for direction in [PolicyType::Ingress, PolicyType::Egress] {
            if ends.iter().any(|end| before.closes(direction, end) && !after.closes(direction, end)) {
                reopened.entry(direction).or_default().insert(actor.name());
            }
        }
    }
    reopened
}
