//! The recommendation as a value. It knows no target: `render` writes it as documents.

use std::{cmp::Ordering, net::IpAddr};

use ipnet::IpNet;

use super::{
    Selector,
    access::{Accesses, Evidence},
    units::Missing,
};
use crate::model::{Dependency, Directions, Mark, NoEnds, Protocol, Watched, WorkloadRef};

/// Pods as a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodPeer {
    /// Their namespace.
    pub namespace: String,
    /// What they are called in comments: the workload's or group's name.
    pub name: String,
    /// What selects them there: any of these.
    pub selectors: Vec<Selector>,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Pods, by labels.
    Pods(PodPeer),
    /// Addresses outside.
    Addresses(IpNet),
    /// An address of a node: pods that share its network have no labels that a policy could select.
    NodeAddress(IpAddr),
    /// Everybody of a range but the cluster's pods: a Service that is exposed to the outside.
    Anyone {
        /// All addresses of a family, or a range that a load balancer lets in.
        all: IpNet,
        /// The cluster's ranges within it, in order.
        except: Vec<IpNet>,
    },
    /// All pods of all namespaces.
    EveryPod,
}

/// Pods that get one policy: a workload, a tier, a namespace, or several workloads that no labels tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The policy's name.
    pub name: String,
    /// The workloads in it.
    pub members: Vec<WorkloadRef>,
    /// What selects their pods and no others: any of these.
    pub selectors: Vec<Selector>,
    /// Who may reach it.
    pub ingress: Accesses,
    /// What it may reach, DNS apart.
    pub egress: Accesses,
    /// It was not seen as it should: it is left as it is, not isolated in silence.
    pub is_open: bool,
    /// Whether anything was seen of it, sweeps apart.
    pub is_seen: bool,
    /// Whether the captures could have seen all of it: the least watched of its members counts.
    pub watched: Watched,
    /// Labels to add, where none tells its workloads from others.
    pub missing: Vec<Missing>,
    /// The group of which this is what single members need besides.
    pub residue_of: Option<String>,
}

/// Pods that need name resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsClient {
    /// What its policy is called after; empty stands for all clients together.
    pub name: String,
    /// The workloads.
    pub members: Vec<WorkloadRef>,
    /// What selects their pods.
    pub selector: Selector,
}

/// Name resolution for the pods that need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// The pods, in the order of their names.
    pub clients: Vec<DnsClient>,
    /// The servers and what they were seen to answer.
    pub servers: Accesses,
}

impl Dns {
    /// The servers with the evidence of one client alone.
    #[must_use]
    pub fn asked_by(&self, client: &DnsClient) -> Accesses {
        let mut servers = self.servers.clone();
        for access in servers.values_mut() {
            access
                .evidence
                .retain(|evidence| evidence.client.workload().is_some_and(|it| client.members.contains(&it)));
        }
        servers
    }
}

/// Why a dependency makes no rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Omission {
    /// Nobody got anything by it, in this way.
    #[error("{0}")]
    Unneeded(&'static str),
    /// Of a protocol without ports.
    #[error("{0} cannot be named in a NetworkPolicy")]
    NoPorts(Protocol),
    /// Either of its ends may be the client.
    #[error("who is the client is unknown")]
    NoClient,
    /// To a port that does not exist.
    #[error("port 0 is none that a server has")]
    PortZero,
    /// Between a pod and its own node.
    #[error("with its own node: always allowed, needs no rule")]
    OwnNode,
    /// Whom the client is to be let reach is not known.
    #[error("egress: {0}")]
    Egress(NoEnds),
    /// Whom the server is to let in is not known.
    #[error("ingress: {0}")]
    Ingress(NoEnds),
}

/// By their words: in that order they are listed.
impl Ord for Omission {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.to_string().cmp(&other.to_string()) }
    }
}

impl PartialOrd for Omission {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A dependency that makes no rule, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Why.
    pub reason: Omission,
    /// What was seen.
    pub evidence: Evidence,
    /// Whether it is part of a sweep.
    pub is_scan: bool,
}

impl LeftOut {
    pub(super) fn new(dependency: &Dependency, reason: Omission) -> Self {
        Self { reason, evidence: Evidence::of(dependency), is_scan: dependency.marks.contains(&Mark::Scan) }
    }
}

/// The proposal for one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacePlan {
    /// The namespace.
    pub namespace: String,
    /// Its groups by name.
    pub groups: Vec<Group>,
    /// Name resolution, where anybody uses it.
    pub dns: Option<Dns>,
    /// What was seen and makes no rule.
    pub left_out: Vec<LeftOut>,
}

/// The proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// What is closed.
    pub directions: Directions,
    /// By namespace.
    pub namespaces: Vec<NamespacePlan>,
}
