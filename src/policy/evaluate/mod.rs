//! One connection against all policies, in the words of the API's documentation: a pod is isolated in a direction by
//! any policy that selects it; then only what some rule of those policies allows is allowed; and both ends must allow.

mod matching;
mod options;
mod reason;
mod verdict;

use std::{borrow::Cow, collections::BTreeMap};

use ipnet::IpNet;

use super::{End, NetworkPolicy, Peer, PolicySet, PolicyType, PortMatch, PortSet, Probe, Rule};
use crate::model::{Labels, NAMESPACE_NAME_LABEL, Namespace, Protocol};

pub use options::{Dnat, Options};
pub use verdict::{Nearest, RuleRef, Side, Verdict};

/// Judges connections.
#[derive(Clone, Debug)]
pub struct Evaluator<'a> {
    policies: BTreeMap<&'a str, Vec<&'a NetworkPolicy>>,
    namespaces: BTreeMap<&'a str, Labels>,
    pub(super) options: Options,
}

impl<'a> Evaluator<'a> {
    /// An evaluator for policies, and for namespaces with their labels; others have their name's label alone.
    #[must_use]
    pub fn new(set: &'a PolicySet, namespaces: &'a [Namespace], options: Options) -> Self {
        let mut policies: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for policy in &set.policies {
            policies.entry(policy.namespace.as_str()).or_default().push(policy);
        }
        let labelled = |namespace: &'a Namespace| {
            let mut labels = namespace.labels.clone();
            labels.0.entry(NAMESPACE_NAME_LABEL.to_owned()).or_insert_with(|| namespace.name.clone());
            (namespace.name.as_str(), labels)
        };
        Self { policies, namespaces: namespaces.iter().map(labelled).collect(), options }
    }

    /// All policies, by namespace and name.
    pub(in crate::policy) fn policies(&self) -> impl Iterator<Item = &'a NetworkPolicy> {
        self.policies.values().flatten().copied()
    }

    /// Whether a policy of this `namespace/name` is among them.
    pub(in crate::policy) fn has(&self, full_name: &str) -> bool {
        self.policies().any(|policy| policy.full_name() == full_name)
    }

    /// All ranges that any rule names, exceptions included.
    pub(in crate::policy) fn ranges(&self) -> impl Iterator<Item = IpNet> {
        let rules = self.policies().flat_map(|policy| [&policy.ingress, &policy.egress]).flatten().flatten();
        let blocks = rules.flat_map(|rule| &rule.peers).filter_map(|peer| match peer {
            Peer::Block(block) => Some(block),
            Peer::Pods { .. } => None,
        });
        blocks.flat_map(|block| std::iter::once(block.cidr).chain(block.except.iter().copied()))
    }

    /// Where the port numbers that rules name begin, and the ports after their ends.
    pub(in crate::policy) fn port_edges(&self) -> impl Iterator<Item = (Protocol, u16)> {
        let rules = self.policies().flat_map(|policy| [&policy.ingress, &policy.egress]).flatten().flatten();
        let ranges = rules.flat_map(|rule| &rule.ports).filter_map(|port| match port.ports {
            PortMatch::Range(first, last) => Some((port.protocol, first, last)),
            PortMatch::All | PortMatch::Named(_) => None,
        });
        ranges.flat_map(|(protocol, first, last)| {
            [Some(first), last.checked_add(1)].into_iter().flatten().map(move |port| (protocol, port))
        })
    }

    /// What both ends say to a connection, and why.
    #[must_use]
    pub fn evaluate(&self, probe: &Probe<'_>) -> Verdict {
        Verdict { egress: self.side(PolicyType::Egress, probe), ingress: self.side(PolicyType::Ingress, probe) }
    }

    /// Whether a connection is allowed; quicker than [`Evaluator::evaluate`], which also says why.
    #[must_use]
    pub fn allows(&self, probe: &Probe<'_>) -> bool {
        probe.is_always_allowed()
            || [PolicyType::Egress, PolicyType::Ingress].into_iter().all(|direction| {
                let policies = self.isolating(direction, probe.subject(direction));
                policies.is_empty() || self.allowing(direction, &policies, probe).next().is_some()
            })
    }

    /// Whether any policy isolates an end, in either direction.
    #[must_use]
    pub fn isolates(&self, end: &End) -> bool {
        [PolicyType::Egress, PolicyType::Ingress]
            .into_iter()
            .any(|direction| !self.isolating(direction, end).is_empty())
    }

    /// Whether any policy isolates an end in a direction, and none lets everybody through.
    pub(in crate::policy) fn closes(&self, direction: PolicyType, end: &End) -> bool {
        let policies = self.isolating(direction, end);
        let is_open = |rule: &Rule| rule.peers.is_empty() && rule.ports.is_empty();
        !policies.is_empty() && !rules_of(&policies, direction).any(|(_, _, rule)| is_open(rule))
    }

    /// The policies that isolate an end in a direction.
    fn isolating(&self, direction: PolicyType, subject: &End) -> Vec<&'a NetworkPolicy> {
        let End::Pod(pod) = subject else { return Vec::new() };
        if !self.is_selectable(pod) {
            return Vec::new();
        }
        let policies = self.policies.get(pod.namespace.as_str()).into_iter().flatten();
        let isolates =
            |policy: &&NetworkPolicy| policy.rules(direction).is_some() && policy.pod_selector.matches(&pod.labels);
        policies.copied().filter(isolates).collect()
    }

    /// The rules among those of some policies that allow a connection, each with its place.
    fn allowing<'p>(
        &self,
        direction: PolicyType,
        policies: &'p [&'a NetworkPolicy],
        probe: &Probe<'_>,
    ) -> impl Iterator<Item = (&'p NetworkPolicy, usize)> {
        rules_of(policies, direction)
            .filter(move |(policy, _, rule)| self.rule_allows(policy, rule, direction, probe))
            .map(|(policy, index, _)| (policy, index))
    }

    /// Every rule that names the other end, with the ports that it opens at the server: what allows how much.
    pub(in crate::policy) fn openings(&self, direction: PolicyType, from: &End, to: &End) -> Vec<(RuleRef, PortSet)> {
        let probe = Probe::new(from, to, Protocol::TCP, 0);
        let policies = self.isolating(direction, probe.subject(direction));
        rules_of(&policies, direction)
            .filter(|(policy, _, rule)| self.peers_match(policy, rule, direction, &probe))
            .map(|(policy, index, rule)| {
                (RuleRef { policy: policy.full_name(), direction, index }, rule.ports_at(probe.to))
            })
            .collect()
    }

    fn side(&self, direction: PolicyType, probe: &Probe<'_>) -> Side {
        let policies = self.isolating(direction, probe.subject(direction));
        let isolated = !policies.is_empty();
        let rules: Vec<RuleRef> = self
            .allowing(direction, &policies, probe)
            .map(|(policy, index)| RuleRef { policy: policy.full_name(), direction, index })
            .collect();
        let mut by: Vec<String> = rules.iter().map(|rule| rule.policy.clone()).collect();
        by.dedup();
        let allowed = !isolated || !rules.is_empty() || probe.is_always_allowed();
        let denial = (!allowed).then(|| reason::denied(self, direction, &policies, probe));
        let (reason, nearest) = denial.map(|denial| (denial.sentence, denial.nearest)).unzip();
        let isolated_by = policies.iter().map(|policy| policy.full_name()).collect();
        Side { isolated, isolated_by, allowed, by, rules, nearest: nearest.flatten(), reason }
    }

    /// The labels of a namespace.
    pub(in crate::policy) fn namespace_labels(&self, name: &str) -> Cow<'_, Labels> {
        match self.namespaces.get(name) {
            Some(labels) => Cow::Borrowed(labels),
            None => Cow::Owned([(NAMESPACE_NAME_LABEL, name)].into_iter().collect()),
        }
    }
}

/// All rules of some policies in a direction, each with its policy and its place there.
fn rules_of<'p, 'a>(
    policies: &'p [&'a NetworkPolicy],
    direction: PolicyType,
) -> impl Iterator<Item = (&'a NetworkPolicy, usize, &'a Rule)> + use<'p, 'a> {
    policies.iter().flat_map(move |policy| {
        policy.rules(direction).into_iter().flatten().enumerate().map(|(index, rule)| (*policy, index, rule))
    })
}
