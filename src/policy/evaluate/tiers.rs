//! The tiers before and after NetworkPolicies: of their rules the first that is about a connection decides.
//!
//! Of some rules it cannot be told whether they are: nobody knows the addresses of a name beforehand. Then all that may become of
//! the connection is looked at, and where that is not one thing, the verdict is uncertain.

use std::net::IpAddr;

use super::{Decided, Evaluator, RuleRef};
use crate::policy::{Action, ClusterPeer, ClusterPolicy, ClusterRule, End, PodsOf, PolicyType, PortSet, Probe, Tier};

/// Whether a rule is about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) enum Match {
    /// It is not.
    No,
    /// It may be.
    Maybe,
    /// It is.
    Yes,
}

/// A rule that is about a connection, or may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met<'a> {
    pub policy: &'a ClusterPolicy,
    pub index: usize,
    pub rule: &'a ClusterRule,
    pub is_sure: bool,
}

/// The rules of a tier that are about a connection or may be, in order, the first that surely is as the last.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard<'a>(Vec<Met<'a>>);

impl<'a> Heard<'a> {
    /// The rule that decides, whatever those before it do.
    pub fn last(&self) -> Option<&Met<'a>> {
        self.0.last().filter(|met| met.is_sure)
    }

    /// Whether a rule may do this.
    pub fn may(&self, action: Action) -> bool {
        self.0.iter().any(|met| met.rule.action == action)
    }

    /// Whether what comes behind the tier may have a say.
    pub fn goes_on(&self) -> bool {
        self.may(Action::Pass) || self.last().is_none()
    }

    /// The first of which it is not known whether it is about the connection.
    pub fn doubt(&self) -> Option<&Met<'a>> {
        self.0.iter().find(|met| !met.is_sure)
    }
}

/// All that is said at one end.
#[derive(Clone, Debug)]
pub(super) struct Tiers<'a> {
    pub admin: Heard<'a>,
    /// Whether NetworkPolicies allow it, where any isolates the pod; else the Baseline tier is asked.
    pub network: Option<bool>,
    pub baseline: Heard<'a>,
}

impl<'a> Tiers<'a> {
    /// Whether it may be denied, whatever is not known.
    pub fn may_be_denied(&self) -> bool {
        let below = self.network.map_or_else(|| self.baseline.may(Action::Deny), |allows| !allows);
        self.admin.may(Action::Deny) || self.admin.goes_on() && below
    }

    /// Whether it may be allowed.
    pub fn may_be_allowed(&self) -> bool {
        let open = || self.baseline.may(Action::Accept) || self.baseline.goes_on();
        self.admin.may(Action::Accept) || self.admin.goes_on() && self.network.unwrap_or_else(open)
    }

    /// The rule that allows or denies it, where it is not NetworkPolicies that do.
    pub fn decisive(&self) -> Option<&Met<'a>> {
        let tiers = if self.admin.goes_on() { [&self.admin, &self.baseline] } else { [&self.admin; 2] };
        tiers.into_iter().filter_map(Heard::last).find(|met| met.rule.action != Action::Pass)
    }

    /// The first rule of which it is not known whether it is about the connection.
    pub fn doubt(&self) -> Option<&Met<'a>> {
        self.admin.doubt().or_else(|| self.baseline.doubt())
    }
}

impl Met<'_> {
    /// Which rule it is.
    pub fn reference(&self, direction: PolicyType) -> RuleRef {
        RuleRef { policy: self.policy.full_name(), direction, index: self.index }
    }

    /// The decision of this rule, as an answer tells it.
    pub fn decided(&self, direction: PolicyType) -> Decided {
        Decided {
            rule: self.reference(direction),
            name: self.rule.name.clone(),
            tier: self.policy.tier,
            action: self.rule.action,
        }
    }
}

impl<'a> Evaluator<'a> {
    /// The policies of a tier, in order.
    pub(in crate::policy) fn tier(&self, tier: Tier) -> &'a [ClusterPolicy] {
        let start_of_baseline = self.cluster_wide.partition_point(|policy| policy.tier == Tier::Admin);
        let (admin, baseline) = self.cluster_wide.split_at(start_of_baseline);
        if tier == Tier::Admin { admin } else { baseline }
    }

    /// All policies of whole clusters, in the order in which they are asked.
    pub(in crate::policy) fn cluster_wide(&self) -> &'a [ClusterPolicy] {
        self.cluster_wide
    }

    /// Whether a policy of a whole cluster applies to an end.
    pub(in crate::policy) fn is_subject(&self, policy: &ClusterPolicy, end: &End) -> bool {
        matches!(end, End::Pod(pod) if self.is_of(&policy.subject, end) && !pod.host_network)
    }

    fn is_of(&self, pods: &PodsOf, end: &End) -> bool {
        let End::Pod(pod) = end else { return false };
        // the API counts pods in their node's network nowhere, whatever plugins make of NetworkPolicies
        !pod.host_network && pods.matches(&self.namespace_labels(&pod.namespace), &pod.labels)
    }

    /// What a tier says to a connection.
    pub(super) fn heard(&self, tier: Tier, direction: PolicyType, probe: &Probe<'_>) -> Heard<'a> {
        let mut heard = Heard::default();
        for policy in self.tier(tier) {
            let rules = policy.rules(direction);
            if rules.is_empty() || !self.is_subject(policy, probe.subject(direction)) {
                continue;
            }
            for (index, rule) in rules.iter().enumerate() {
                let is_sure = match self.is_about(rule, direction, probe) {
                    Match::No => continue,
                    is_about => is_about == Match::Yes,
                };
                heard.0.push(Met { policy, index, rule, is_sure });
                if is_sure {
                    return heard;
                }
            }
        }
        heard
    }

    /// Whether a rule is about a connection.
    fn is_about(&self, rule: &ClusterRule, direction: PolicyType, probe: &Probe<'_>) -> Match {
        let dialled = self.as_dialled(direction, probe);
        let of_peer = |peer: &ClusterPeer| {
            // peers by labels are the pods behind the Service in any case
            let seen = dialled.as_ref().filter(|_| peer.pods().is_none()).unwrap_or(probe);
            if self.covers_port(&rule.ports, seen) { self.is_cluster_peer(peer, direction, probe) } else { Match::No }
        };
        rule.peers.iter().map(of_peer).max().unwrap_or(Match::No)
    }

    /// Whether a peer is the other end.
    pub(in crate::policy) fn is_cluster_peer(
        &self,
        peer: &ClusterPeer,
        direction: PolicyType,
        probe: &Probe<'_>,
    ) -> Match {
        let end = probe.peer(direction);
        let sure = |is: bool| if is { Match::Yes } else { Match::No };
        match peer {
            ClusterPeer::Pods(pods) => sure(self.is_of(pods, end)),
            ClusterPeer::Networks(networks) => match self.all_addresses(direction, probe)[..] {
                [] if ClusterPeer::holds_all(networks) => Match::Yes,
                [] => Match::Maybe,
                ref addresses => {
                    sure(addresses.iter().any(|address| networks.iter().any(|network| network.contains(address))))
                }
            },
            ClusterPeer::Nodes(selector) => match (self.all_addresses(direction, probe).as_slice(), end) {
                // a pod that is not there yet may come to any node
                ([], End::Pod(pod)) => {
                    if pod.host_network {
                        Match::Maybe
                    } else {
                        Match::No
                    }
                }
                (addresses, _) => {
                    addresses.iter().map(|address| self.is_node_of(selector, *address)).max().unwrap_or(Match::No)
                }
            },
            ClusterPeer::Names(_) => match end {
                End::Address(address) if !self.nodes.contains_key(&address.to_canonical()) => Match::Maybe,
                _ => Match::No,
            },
        }
    }

    /// Whether an address is one of a node with some labels.
    pub(in crate::policy) fn is_node_of(&self, selector: &crate::policy::Selector, address: IpAddr) -> Match {
        match self.nodes.get(&address) {
            None => Match::No,
            Some(_) if selector.0.is_empty() => Match::Yes,
            Some(None) => Match::Maybe,
            Some(Some(labels)) => {
                if selector.matches(labels) {
                    Match::Yes
                } else {
                    Match::No
                }
            }
        }
    }

    /// The addresses of the other end that networks are held against, a pod's own too.
    fn all_addresses(&self, direction: PolicyType, probe: &Probe<'_>) -> Vec<IpAddr> {
        match (self.as_dialled(direction, probe), probe.dialled, probe.peer(direction)) {
            (Some(_), Some(dialled), _) => vec![dialled.address.to_canonical()],
            (.., End::Address(address)) => vec![address.to_canonical()],
            (.., End::Pod(pod)) => pod.addresses.clone(),
        }
    }

    /// Whether an address is known to be a node's.
    pub(in crate::policy) fn is_node(&self, address: IpAddr) -> bool {
        self.nodes.contains_key(&address)
    }

    /// The rules of tiers that surely allow something between two ends, each with the ports that no rule before it has decided:
    /// with what is `left` at the end, for which others decide.
    pub(super) fn accepted(
        &self,
        (tier, direction): (Tier, PolicyType),
        probe: &Probe<'_>,
        mut left: PortSet,
    ) -> (Vec<(RuleRef, PortSet)>, PortSet) {
        let (mut accepted, mut passed) = (Vec::new(), PortSet::default());
        for policy in self.tier(tier).iter().filter(|policy| self.is_subject(policy, probe.subject(direction))) {
            for (index, rule) in policy.rules(direction).iter().enumerate() {
                let peers = rule.peers.iter().map(|peer| self.is_cluster_peer(peer, direction, probe));
                if peers.max() != Some(Match::Yes) {
                    continue;
                }
                let ports = self.ports_at(&rule.ports, probe.to).intersection(&left);
                left = left.minus(&ports);
                match rule.action {
                    Action::Accept if !ports.is_empty() => {
                        accepted.push((RuleRef { policy: policy.full_name(), direction, index }, ports));
                    }
                    Action::Pass => passed = passed.union(&ports),
                    Action::Accept | Action::Deny => {}
                }
            }
        }
        (accepted, left.union(&passed))
    }
}
