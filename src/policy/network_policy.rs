//! The model: what `networking.k8s.io/v1` says, with every default filled in.

use std::fmt;

use crate::model::{NAMESPACE_NAME_LABEL, Protocol};

use super::{IpBlock, Selector};

/// A NetworkPolicy, its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkPolicy {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The pods of its namespace that it applies to.
    pub pod_selector: Selector,
    /// What may reach those pods; none where it does not isolate them for ingress.
    pub ingress: Option<Vec<Rule>>,
    /// What those pods may reach; none where it does not isolate them for egress.
    pub egress: Option<Vec<Rule>>,
}

/// The direction that a policy isolates, seen from its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyType {
    /// What reaches them.
    Ingress,
    /// What they reach.
    Egress,
}

/// Connections with any of the peers on any of the ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The peers; none listed means everybody.
    pub peers: Vec<Peer>,
    /// The ports; none listed means all, of all protocols.
    pub ports: Vec<Port>,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Pods.
    Pods {
        /// The namespaces they are in; none means the policy's own.
        namespaces: Option<Selector>,
        /// Their labels.
        pods: Selector,
    },
    /// Addresses.
    Block(IpBlock),
}

/// Ports of one protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// Which ones.
    pub ports: PortMatch,
}

/// Which ports of a protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortMatch {
    /// All.
    All,
    /// From the first to the last, both included.
    Range(u16, u16),
    /// The container port of this name at the server, whatever number it has there.
    Named(String),
}

impl NetworkPolicy {
    /// `namespace/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it selects namespaces by labels other than their names.
    #[must_use]
    pub fn selects_namespaces(&self) -> bool {
        let rules = [&self.ingress, &self.egress].into_iter().flatten().flatten();
        let by_label = |selector: &Selector| selector.0.iter().any(|it| it.key != NAMESPACE_NAME_LABEL);
        rules
            .flat_map(|rule| &rule.peers)
            .any(|peer| matches!(peer, Peer::Pods { namespaces: Some(selector), .. } if by_label(selector)))
    }

    /// The rules of a direction; none where the policy does not isolate it.
    #[must_use]
    pub fn rules(&self, direction: PolicyType) -> Option<&[Rule]> {
        match direction {
            PolicyType::Ingress => self.ingress.as_deref(),
            PolicyType::Egress => self.egress.as_deref(),
        }
    }
}

impl PolicyType {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// In a sentence, and as the field of the spec.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// What stands before the other end in a sentence, and the field of a rule that lists those ends.
    #[must_use]
    pub fn preposition(self) -> &'static str {
        match self {
            Self::Ingress => "from",
            Self::Egress => "to",
        }
    }
}

impl fmt::Display for PortMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}
