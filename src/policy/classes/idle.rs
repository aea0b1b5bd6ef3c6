//! Policies and rules that speak of nobody among the ends: a misspelt label, or pods that are not there yet.

use std::{collections::BTreeSet, fmt};

use super::{DIRECTIONS, rules::Rules, shapes::Side};
use crate::policy::{PolicyType, RuleRef};

/// A policy or a rule without anybody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Idle {
    /// A policy that selects no pod.
    Policy(String),
    /// A rule of whose peers none is there.
    Rule(RuleRef),
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(name) => write!(f, "{name} selects no pod of the inventory"),
            Self::Rule(rule) => write!(f, "{rule} names no pod of the inventory"),
        }
    }
}

/// All of them, in order. Of a policy that selects nobody the rules are not listed as well.
pub(super) fn idle(rules: &Rules<'_>, sides: &[Side; 2]) -> Vec<Idle> {
    let selecting: BTreeSet<u32> =
        sides.iter().flat_map(|side| &side.subjects).flat_map(|(policies, _)| policies).copied().collect();
    let mut found = BTreeSet::new();
    for side in sides {
        let matched: BTreeSet<u32> = side.peers.iter().flat_map(|(atoms, _)| atoms).copied().collect();
        let direction = DIRECTIONS[side.direction];
        for ((policy, compiled), n) in rules.policies.iter().zip(&rules.compiled[side.direction]).zip(0u32..) {
            let is_isolating = [PolicyType::Egress, PolicyType::Ingress].iter().any(|way| policy.rules(*way).is_some());
            if is_isolating && !selecting.contains(&n) {
                found.insert(Idle::Policy(policy.full_name()));
                continue;
            }
            for (index, rule) in compiled.iter().flatten().enumerate() {
                let is_idle = rule.peers.as_ref().is_some_and(|atoms| !atoms.iter().any(|it| matched.contains(it)));
                if is_idle && !rule.names_addresses {
                    found.insert(Idle::Rule(RuleRef { policy: policy.full_name(), direction, index }));
                }
            }
        }
    }
    found.into_iter().collect()
}
