//! Where a converted policy is not what the NetworkPolicy was.

use std::fmt;

use crate::{model::words::count, policy::PolicyType};

/// One such thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// A rule names some of the nodes, and all take part: the target tells nodes apart by nothing.
    AllNodes {
        /// The direction.
        side: PolicyType,
        /// On which ports, in words.
        ports: String,
        /// How many nodes it names.
        named: usize,
        /// How many there are.
        known: usize,
    },
    /// The target leaves a label out of what it knows of pods, so that a selector finds nothing by it.
    LabelLeftOut {
        /// The label's key.
        key: String,
    },
    /// A block of addresses holds pods, and the target never knows pods by their addresses.
    PodsByAddress {
        /// The direction.
        side: PolicyType,
        /// The block.
        cidr: String,
        /// How many of the inventory's pods are in it.
        pods: usize,
    },
    /// The protocol must be switched on in the target.
    Sctp,
}

impl Remark {
    /// Whether more may pass than by the NetworkPolicy.
    #[must_use]
    pub fn is_wider(&self) -> bool {
        matches!(self, Self::AllNodes { .. })
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllNodes { side, ports, named, known } => write!(
                f,
                "{} on {ports} names {} of {known}; Cilium tells nodes apart by nothing, so all of them take part",
                side.as_str(),
                count(*named as u64, "node"),
            ),
            Self::LabelLeftOut { key } => {
                write!(
                    f,
                    "selects by the label {key}, which Cilium leaves out of identities unless its `labels` include it"
                )
            }
            Self::PodsByAddress { side, cidr, pods } => write!(
                f,
                "{} names {cidr}, in which the inventory has {}: Cilium never knows pods by their addresses",
                side.as_str(),
                count(*pods as u64, "pod"),
            ),
            Self::Sctp => f.write_str("names SCTP, which Cilium has switched off unless `enable-sctp` says otherwise"),
        }
    }
}
