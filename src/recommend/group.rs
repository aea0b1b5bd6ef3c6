//! The recommendation as a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::Selector;
use crate::model::{Dependency, Direction, Hour, Mark, Outcome, PartyName, Protocol, Span, Via, Watched, WorkloadRef};

/// Protocols and ports.
pub type Ports = BTreeSet<(Protocol, u16)>;

/// Pods as a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodPeer {
    /// Their namespace.
    pub namespace: String,
    /// What they are called in comments: the workload's or group's name.
    pub name: String,
    /// What selects them there.
    pub selector: Selector,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Pods, by labels.
    Pods(PodPeer),
    /// An address outside.
    Address(IpAddr),
    /// An address of a node: pods that share its network have no labels that a policy could select.
    NodeAddress(IpAddr),
    /// Everybody but the cluster's own ranges: a Service that is exposed to the outside.
    Anyone {
        /// The cluster's ranges, sorted.
        except: Vec<IpNet>,
    },
}

/// One dependency in support of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// Name of the client.
    pub client: String,
    /// Name of the server.
    pub server: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The server's port.
    pub port: u16,
    /// What was dialled in place of the server.
    pub via: BTreeSet<Via>,
    /// What became of the connections.
    pub outcome: Outcome,
    /// How the client was known.
    pub direction: Direction,
    /// How many connections.
    pub connections: u64,
    /// First and last sight.
    pub first: crate::model::Timestamp,
    /// Last sight.
    pub last: crate::model::Timestamp,
    /// In how many different hours.
    pub hours: usize,
    /// What captures call the addresses of both.
    pub names: Vec<PartyName>,
}

/// What may pass between a group and one peer, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// On these ports of the server.
    pub ports: Ports,
    /// Because of these.
    pub evidence: BTreeSet<Evidence>,
}

impl Access {
    /// Adds a dependency and the port that it needs.
    pub fn add(&mut self, dependency: &Dependency, port: u16) {
        self.ports.insert((dependency.protocol, port));
        self.evidence.insert(Evidence::of(dependency));
    }

    /// What captures call a peer's address, where it is one: each name once, in the order of the evidence.
    #[must_use]
    pub fn names(&self, peer: &Peer) -> Vec<&PartyName> {
        let Peer::Address(address) = peer else { return Vec::new() };
        let mut names: Vec<&PartyName> = Vec::new();
        for name in self.evidence.iter().flat_map(|evidence| &evidence.names).filter(|name| name.address == *address) {
            if names.iter().all(|known| known.name != name.name) {
                names.push(name);
            }
        }
        names
    }
}

impl Evidence {
    /// The evidence that a dependency is.
    #[must_use]
    pub fn of(dependency: &Dependency) -> Self {
        let Span { first, last } = dependency.span;
        Self {
            client: dependency.client.name.clone(),
            server: dependency.server.name.clone(),
            protocol: dependency.protocol,
            port: dependency.port,
            via: dependency.via.clone(),
            outcome: dependency.outcome,
            direction: dependency.direction,
            connections: dependency.connections,
            first,
            last,
            hours: dependency.history.keys().collect::<BTreeSet<&Hour>>().len(),
            names: dependency.client.names.iter().chain(&dependency.server.names).cloned().collect(),
        }
    }
}

/// Pods that get one policy: a workload, or several that no labels tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The policy's name.
    pub name: String,
    /// The workloads in it.
    pub members: Vec<WorkloadRef>,
    /// What selects their pods and no others.
    pub selector: Selector,
    /// Who may reach it.
    pub ingress: BTreeMap<Peer, Access>,
    /// What it may reach, DNS apart.
    pub egress: BTreeMap<Peer, Access>,
    /// Nothing at all was seen of it, nor could all have been: it is left as it is, not isolated in silence.
    pub is_open: bool,
    /// Whether the captures could have seen all of it: the least watched of its members counts.
    pub watched: Watched,
}

/// Name resolution for the groups that need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// The groups, by name; empty stands for all pods of the namespace.
    pub clients: Vec<(String, Selector)>,
    /// The servers and what they were seen to answer.
    pub servers: BTreeMap<Peer, Access>,
}

/// A dependency that makes no rule, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Why.
    pub reason: String,
    /// What was seen.
    pub evidence: Evidence,
    /// Whether it is part of a sweep.
    pub is_scan: bool,
}

impl LeftOut {
    pub(super) fn new(dependency: &Dependency, reason: String) -> Self {
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
    /// By namespace.
    pub namespaces: Vec<NamespacePlan>,
}
