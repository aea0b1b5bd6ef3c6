//! Policies and rules that speak of nobody among the ends: a misspelt label, or pods that are not there yet.

use std::{collections::BTreeSet, fmt};

use super::{
    DIRECTIONS,
    rules::{Compiled, Rules},
    shapes::Side,
};
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
    let subjects = || sides.iter().flat_map(|side| &side.subjects);
    let selecting: BTreeSet<u32> = subjects().flat_map(|subject| &subject.policies).copied().collect();
    let applying: BTreeSet<u32> = subjects().flat_map(|subject| &subject.wide).copied().collect();
    let mut found = BTreeSet::new();
    for side in sides {
        let matched: BTreeSet<u32> =
            side.peers.iter().flat_map(|peer| peer.atoms.iter().chain(&peer.maybe)).copied().collect();
        let direction = DIRECTIONS[side.direction];
        let is_idle = |rule: &Compiled| {
            let is_nobody = rule.peers.as_ref().is_some_and(|atoms| !atoms.iter().any(|it| matched.contains(it)));
            is_nobody && !rule.names_addresses
        };
        for ((policy, compiled), n) in rules.policies.iter().zip(&rules.compiled[side.direction]).zip(0u32..) {
            let is_isolating = [PolicyType::Egress, PolicyType::Ingress].iter().any(|way| policy.rules(*way).is_some());
            if is_isolating && !selecting.contains(&n) {
                found.insert(Idle::Policy(policy.full_name()));
                continue;
            }
            for (index, _) in compiled.iter().flatten().enumerate().filter(|(_, rule)| is_idle(rule)) {
                found.insert(Idle::Rule(RuleRef { policy: policy.full_name(), direction, index }));
            }
        }
        for (wide, n) in rules.wide.iter().zip(0u32..) {
            let has_rules = wide.rules.iter().any(|rules| !rules.is_empty());
            if has_rules && !applying.contains(&n) {
                found.insert(Idle::Policy(wide.policy.full_name()));
                continue;
            }
            for (index, _) in wide.rules[side.direction].iter().enumerate().filter(|(_, wide)| is_idle(&wide.rule)) {
                found.insert(Idle::Rule(RuleRef { policy: wide.policy.full_name(), direction, index }));
            }
        }
    }
    found.into_iter().collect()
}
