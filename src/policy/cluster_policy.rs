//! The model of policies that are in no namespace: what `policy.networking.k8s.io` says, in all of its versions alike.

use std::fmt;

use ipnet::IpNet;
use serde::Serialize;

use super::{PolicyType, Port, PortMatch, Selector};
use crate::model::{Labels, NAMESPACE_NAME_LABEL};

/// A policy of an administrator, which is decided before or after the NetworkPolicies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterPolicy {
    /// When it is asked.
    pub tier: Tier,
    /// Its place in its tier, the lowest first.
    pub priority: u16,
    /// Its kind.
    pub kind: ClusterKind,
    /// Its name.
    pub name: String,
    /// The pods that it applies to.
    pub subject: PodsOf,
    /// What is said of connections that reach those pods, in order.
    pub ingress: Vec<ClusterRule>,
    /// What is said of connections that those pods open, in order.
    pub egress: Vec<ClusterRule>,
}

/// The kinds of such policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterKind {
    /// `AdminNetworkPolicy` (`v1alpha1`).
    Admin,
    /// `BaselineAdminNetworkPolicy` (`v1alpha1`).
    BaselineAdmin,
    /// `ClusterNetworkPolicy` (`v1alpha2`, `v1beta1`).
    Cluster,
}

/// When a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Tier {
    /// Before NetworkPolicies.
    Admin,
    /// After them, where none of them isolates the pod.
    Baseline,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Action {
    /// It is allowed; `Allow` in `v1alpha1`.
    Accept,
    /// It is denied.
    Deny,
    /// The rest of the tier is not asked.
    Pass,
}

/// What is said of connections with any of the peers on any of the ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterRule {
    /// What it is called.
    pub name: Option<String>,
    /// What it says.
    pub action: Action,
    /// The peers, at least one.
    pub peers: Vec<ClusterPeer>,
    /// The ports; none listed means all, of all protocols.
    pub ports: Vec<Port>,
}

/// Pods by their labels and those of their namespaces. Pods in their node's network are none of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodsOf {
    /// The namespaces they are in.
    pub namespaces: Selector,
    /// Their labels.
    pub pods: Selector,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterPeer {
    /// Pods.
    Pods(PodsOf),
    /// Addresses, those of pods too.
    Networks(Vec<IpNet>),
    /// The addresses of nodes with these labels.
    Nodes(Selector),
    /// Whatever addresses these names have, which nobody can tell beforehand.
    Names(Vec<String>),
}

impl ClusterPolicy {
    /// `AdminNetworkPolicy guard`: of these kinds the name alone would be none of a policy.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {}", self.kind.as_str(), self.name)
    }

    /// The rules of a direction.
    #[must_use]
    pub fn rules(&self, direction: PolicyType) -> &[ClusterRule] {
        match direction {
            PolicyType::Ingress => &self.ingress,
            PolicyType::Egress => &self.egress,
        }
    }

    /// The rules of both directions.
    pub fn all_rules(&self) -> impl Iterator<Item = &ClusterRule> {
        self.ingress.iter().chain(&self.egress)
    }

    /// Whether any of its rules of a direction denies.
    #[must_use]
    pub fn denies(&self, direction: PolicyType) -> bool {
        self.rules(direction).iter().any(|rule| rule.action == Action::Deny)
    }

    /// Whether it selects namespaces by labels other than their names.
    #[must_use]
    pub fn selects_namespaces(&self) -> bool {
        let peers = self.all_rules().flat_map(|rule| &rule.peers).filter_map(ClusterPeer::pods);
        let mut all = peers.chain([&self.subject]).flat_map(|pods| &pods.namespaces.0);
        all.any(|it| it.key != NAMESPACE_NAME_LABEL)
    }

    /// Whether what it says of a direction cannot all be told from an inventory: it names domains.
    #[must_use]
    pub fn names_domains(&self, direction: PolicyType) -> Vec<usize> {
        let rules = self.rules(direction).iter().enumerate();
        let has_names = |rule: &ClusterRule| rule.peers.iter().any(|peer| matches!(peer, ClusterPeer::Names(_)));
        rules.filter(|(_, rule)| has_names(rule)).map(|(index, _)| index).collect()
    }
}

impl ClusterKind {
    /// As `kind` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "AdminNetworkPolicy",
            Self::BaselineAdmin => "BaselineAdminNetworkPolicy",
            Self::Cluster => "ClusterNetworkPolicy",
        }
    }
}

impl Tier {
    /// As `spec.tier` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::Baseline => "Baseline",
        }
    }
}

impl Action {
    /// As rules have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "Accept",
            Self::Deny => "Deny",
            Self::Pass => "Pass",
        }
    }
}

impl PodsOf {
    /// Whether a pod with its own network is one of them, by its namespace's labels and its own.
    #[must_use]
    pub fn matches(&self, namespace: &Labels, pod: &Labels) -> bool {
        self.namespaces.matches(namespace) && self.pods.matches(pod)
    }

    /// Whether all pods are.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.namespaces.0.is_empty() && self.pods.0.is_empty()
    }
}

impl ClusterPeer {
    /// The pods, where it is such.
    #[must_use]
    pub fn pods(&self) -> Option<&PodsOf> {
        match self {
            Self::Pods(pods) => Some(pods),
            _ => None,
        }
    }

    /// Whether all addresses of both families are in these networks.
    pub(super) fn holds_all(networks: &[IpNet]) -> bool {
        let has = |is_ipv4: bool| networks.iter().any(|it| it.prefix_len() == 0 && it.addr().is_ipv4() == is_ipv4);
        has(true) && has(false)
    }
}

impl ClusterRule {
    /// Whether it speaks of every pod on every port.
    pub(super) fn is_of_everybody(&self) -> bool {
        let is_all = |peer: &ClusterPeer| match peer {
            ClusterPeer::Pods(pods) => pods.is_everybody(),
            ClusterPeer::Networks(networks) => ClusterPeer::holds_all(networks),
            ClusterPeer::Nodes(_) | ClusterPeer::Names(_) => false,
        };
        self.ports.is_empty() && self.peers.iter().any(is_all)
    }

    /// Where the numbers of its ports begin, and where they end.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (crate::model::Protocol, u16, u16)> {
        self.ports.iter().filter_map(|port| match port.ports {
            PortMatch::Range(first, last) => Some((port.protocol, first, last)),
            PortMatch::All | PortMatch::Named(_) => None,
        })
    }
}

impl fmt::Display for ClusterPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}
