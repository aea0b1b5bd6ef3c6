//! One connection against all policies, in the words of the API's documentation: a pod is isolated in a direction by
//! any policy that selects it; then only what some rule of those policies allows is allowed; and both ends must allow.
//! Before that the Admin tier is asked, and where nothing isolates the pod the Baseline tier after it (`tiers`).

mod matching;
mod options;
mod reason;
mod tiers;
mod verdict;

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use foldhash::HashMap;
use ipnet::IpNet;

use super::{
    Action, ClusterPeer, ClusterPolicy, ClusterRule, End, NetworkPolicy, Peer, PolicySet, PolicyType, PortMatch,
    PortSet, Probe, Rule, Tier,
};
use crate::model::{Cluster, Labels, NAMESPACE_NAME_LABEL, Namespace, Protocol};

pub use options::{Dnat, Options};
pub(super) use tiers::Match;
use tiers::{Heard, Met, Tiers};
pub use verdict::{Decided, Nearest, RuleRef, Side, Verdict};

/// Judges connections.
#[derive(Clone, Debug)]
pub struct Evaluator<'a> {
    policies: BTreeMap<&'a str, Vec<&'a NetworkPolicy>>,
    /// Those of whole clusters, in the order in which they are asked.
    cluster_wide: &'a [ClusterPolicy],
    namespaces: BTreeMap<&'a str, Labels>,
    /// The labels of nodes by their addresses; none where they are not known.
    nodes: HashMap<IpAddr, Option<&'a Labels>>,
    pub(super) options: Options,
}

impl<'a> Evaluator<'a> {
    /// An evaluator for policies, and for a cluster with its namespaces and nodes.
    #[must_use]
    pub fn of_cluster(set: &'a PolicySet, cluster: &'a Cluster, options: Options) -> Self {
        let mut evaluator = Self::new(set, &cluster.namespaces, options);
        let asks = |peer: &ClusterPeer| matches!(peer, ClusterPeer::Nodes(_) | ClusterPeer::Names(_));
        if !evaluator.cluster_peers().any(asks) {
            return evaluator;
        }
        for node in &cluster.nodes {
            let of_node = node.addresses.iter().map(|address| (address.to_canonical(), node.labels.as_ref()));
            evaluator.nodes.extend(of_node);
        }
        evaluator
    }

    /// An evaluator for policies, and for namespaces with their labels; others have their name's label alone. It knows of no nodes.
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
        let namespaces = namespaces.iter().map(labelled).collect();
        Self { policies, cluster_wide: &set.cluster_wide, namespaces, nodes: HashMap::default(), options }
    }

    /// All policies, by namespace and name.
    pub(in crate::policy) fn policies(&self) -> impl Iterator<Item = &'a NetworkPolicy> {
        self.policies.values().flatten().copied()
    }

    /// Whether a policy of this full name is among them.
    pub(in crate::policy) fn has(&self, full_name: &str) -> bool {
        self.policies().any(|policy| policy.full_name() == full_name)
            || self.cluster_wide.iter().any(|policy| policy.full_name() == full_name)
    }

    /// All ranges that any rule names, exceptions included.
    pub(in crate::policy) fn ranges(&self) -> impl Iterator<Item = IpNet> {
        let rules = self.policies().flat_map(|policy| [&policy.ingress, &policy.egress]).flatten().flatten();
        let blocks = rules.flat_map(|rule| &rule.peers).filter_map(|peer| match peer {
            Peer::Block(block) => Some(block),
            Peer::Pods { .. } => None,
        });
        let of_blocks = blocks.flat_map(|block| std::iter::once(block.cidr).chain(block.except.iter().copied()));
        let networks = self.cluster_peers().filter_map(|peer| match peer {
            ClusterPeer::Networks(networks) => Some(networks),
            _ => None,
        });
        let nodes = self.nodes.keys().map(|address| IpNet::from(*address));
        of_blocks.chain(networks.flatten().copied()).chain(nodes)
    }

    /// The peers of all rules of policies of whole clusters.
    pub(in crate::policy) fn cluster_peers(&self) -> impl Iterator<Item = &'a ClusterPeer> + use<'a> {
        self.cluster_wide.iter().flat_map(ClusterPolicy::all_rules).flat_map(|rule| &rule.peers)
    }

    /// Where the port numbers that rules name begin, and the ports after their ends.
    pub(in crate::policy) fn port_edges(&self) -> impl Iterator<Item = (Protocol, u16)> {
        let rules = self.policies().flat_map(|policy| [&policy.ingress, &policy.egress]).flatten().flatten();
        let ranges = rules.flat_map(|rule| &rule.ports).filter_map(|port| match port.ports {
            PortMatch::Range(first, last) => Some((port.protocol, first, last)),
            PortMatch::All | PortMatch::Named(_) => None,
        });
        let of_tiers = self.cluster_wide.iter().flat_map(ClusterPolicy::all_rules).flat_map(ClusterRule::ranges);
        ranges.chain(of_tiers).flat_map(|(protocol, first, last)| {
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
        let is_passed = |node: (End, u16)| self.lets(PolicyType::Egress, &probe.on_the_way(&node));
        let mut directions = [PolicyType::Egress, PolicyType::Ingress].into_iter();
        (probe.is_always_allowed() || directions.all(|direction| self.lets(direction, probe)))
            && probe.at_other_node().is_none_or(is_passed)
    }

    /// Whether the policies of one end surely allow a connection.
    fn lets(&self, direction: PolicyType, probe: &Probe<'_>) -> bool {
        let admin = self.heard(Tier::Admin, direction, probe);
        if admin.may(Action::Deny) || !admin.goes_on() {
            return !admin.may(Action::Deny);
        }
        let policies = self.isolating(direction, probe.subject(direction));
        if policies.is_empty() {
            return !self.heard(Tier::Baseline, direction, probe).may(Action::Deny);
        }
        self.allowing(direction, &policies, probe).next().is_some()
    }

    /// Whether any policy may deny an end something, in either direction.
    #[must_use]
    pub fn isolates(&self, end: &End) -> bool {
        [PolicyType::Egress, PolicyType::Ingress].into_iter().any(|direction| {
            let mut wide = self.cluster_wide.iter();
            !self.isolating(direction, end).is_empty()
                || wide.any(|policy| policy.denies(direction) && self.is_subject(policy, end))
        })
    }

    /// Whether a verdict may be uncertain.
    pub(in crate::policy) fn may_doubt(&self) -> bool {
        self.cluster_peers().any(|peer| peer.pods().is_none())
    }

    /// Whether policies of a direction may deny anything to anybody.
    pub(in crate::policy) fn may_deny(&self, direction: PolicyType) -> bool {
        self.policies().any(|policy| policy.rules(direction).is_some())
            || self.cluster_wide.iter().any(|policy| policy.denies(direction))
    }

    /// Whether any policy isolates an end in a direction, and none lets everybody through. Where none isolates it, whether the
    /// Baseline tier turns everybody away.
    pub(in crate::policy) fn closes(&self, direction: PolicyType, end: &End) -> bool {
        let policies = self.isolating(direction, end);
        // of the rules about everybody the first counts
        let decides = |tier: Tier, action: Action| {
            let policies = self.tier(tier).iter().filter(|policy| self.is_subject(policy, end));
            let mut rules = policies.flat_map(|policy| policy.rules(direction));
            rules.find(|rule| rule.is_of_everybody()).is_some_and(|rule| rule.action == action)
        };
        if policies.is_empty() {
            return decides(Tier::Baseline, Action::Deny);
        }
        let is_open = |rule: &Rule| rule.peers.is_empty() && rule.ports.is_empty();
        !rules_of(&policies, direction).any(|(_, _, rule)| is_open(rule)) && !decides(Tier::Admin, Action::Accept)
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
        let (mut all, left) = self.accepted((Tier::Admin, direction), &probe, PortSet::everything());
        if policies.is_empty() {
            all.extend(self.accepted((Tier::Baseline, direction), &probe, left).0);
            return all;
        }
        let named = rules_of(&policies, direction)
            .filter(|(policy, _, rule)| self.peers_match(policy, rule, direction, &probe));
        all.extend(named.map(|(policy, index, rule)| {
            let ports = self.ports_at(&rule.ports, probe.to).intersection(&left);
            (RuleRef { policy: policy.full_name(), direction, index }, ports)
        }));
        all
    }

    /// What one end says. A client that dialled a port of another node has its connection judged by who is behind it, or, as
    /// long as nobody has replaced that address, by the node: what they do not agree on is uncertain.
    fn side(&self, direction: PolicyType, probe: &Probe<'_>) -> Side {
        let side = self.side_of(direction, probe);
        match probe.at_other_node().filter(|_| direction == PolicyType::Egress) {
            Some(node) => side.or_else_judged(self.side_of(direction, &probe.on_the_way(&node)), reason::OF_OTHER_NODE),
            None => side,
        }
    }

    fn side_of(&self, direction: PolicyType, probe: &Probe<'_>) -> Side {
        let admin = self.heard(Tier::Admin, direction, probe);
        let policies = self.isolating(direction, probe.subject(direction));
        let isolated = !policies.is_empty();
        let asked: &[_] = if admin.goes_on() { &policies } else { &[] };
        let mut rules: Vec<RuleRef> = self
            .allowing(direction, asked, probe)
            .map(|(policy, index)| RuleRef { policy: policy.full_name(), direction, index })
            .collect();
        let baseline = if isolated { Heard::default() } else { self.heard(Tier::Baseline, direction, probe) };
        let tiers = Tiers { admin, network: isolated.then_some(!rules.is_empty()), baseline };
        let is_always_allowed = probe.is_always_allowed();
        let allowed = !tiers.may_be_denied() || is_always_allowed;
        let uncertain = !allowed && tiers.may_be_allowed();
        let decisive = tiers.decisive().filter(|_| !uncertain);
        if let Some(met) = decisive.filter(|met| met.rule.action == Action::Accept) {
            rules.insert(0, met.reference(direction));
        }
        let mut by: Vec<String> = rules.iter().map(|rule| rule.policy.clone()).collect();
        by.dedup();
        let denial = (!allowed).then(|| match decisive {
            _ if uncertain => reason::uncertain(self, direction, &tiers, probe),
            Some(met) => reason::denied_by(met, direction, probe),
            None => reason::denied(self, direction, &policies, probe),
        });
        let (reason, nearest) = denial.map(|denial| (denial.sentence, denial.nearest)).unzip();
        let isolated_by = policies.iter().map(|policy| policy.full_name()).collect();
        let decided = decisive.map(|met| met.decided(direction));
        Side { isolated, isolated_by, allowed, by, rules, nearest: nearest.flatten(), decided, uncertain, reason }
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
