//! What may pass between a group and a peer, for what, and on what evidence.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    AskedFor, Dependency, Direction, Hour, Outcome, PartyKey, PartyName, PortRange, Protocol, ServiceKind, Span,
    Timestamp, Via,
};

use super::Peer;

/// Protocols and ports.
pub type Ports = BTreeSet<(Protocol, PortRange)>;

/// What traffic is for, where that is known from who its ends are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Name resolution.
    Dns,
    /// The cache on every node that answers names.
    NodeLocalDns,
    /// A monitoring system that reads metrics.
    Scrape,
    /// A Service that is exposed to the outside.
    Exposed {
        /// `namespace/name`.
        service: String,
        /// How.
        kind: ServiceKind,
    },
    /// A port of a pod that its node opens to the outside.
    HostPort,
    /// What an Ingress leads to, whose load balancer outside dials the pods themselves.
    BehindIngress {
        /// `namespace/name` of the Ingress.
        ingress: String,
        /// Its class.
        class: String,
    },
    /// What an Ingress leads to, dialled from outside past any controller in the cluster.
    PastIngress,
    /// The Ingress controller, which the outside comes through.
    IngressController,
    /// Health checks, as they come to pods of Istio's ambient mode.
    AmbientProbe,
    /// The API server of the cluster.
    ApiServer,
    /// Maybe a pod of a `DaemonSet` on the network of its nodes, which is on each of them.
    NodeAgent {
        /// `namespace/name` of the `DaemonSet`.
        workload: String,
    },
    /// The API server, which asks an admission webhook or its like.
    Webhook {
        /// The webhook configuration, or what else names the Service.
        configuration: String,
        /// For what.
        asked_for: AskedFor,
    },
}

/// What a rule allows beyond what was seen, and by how much.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Widened {
    /// A prefix in place of several addresses.
    Prefix {
        /// Addresses that were seen.
        seen: u64,
        /// Further addresses that it lets through.
        extra: u128,
    },
    /// A range in place of ports that a server hands out.
    DynamicPorts {
        /// Ports that were seen.
        seen: usize,
    },
    /// A whole group with a whole group.
    Members {
        /// Pairs of members that were seen.
        seen: usize,
        /// Pairs there are.
        of: usize,
    },
    /// Every pod of the cluster, for all need it: names.
    EveryPod,
    /// What was not seen itself but belongs to something that was: the other addresses of the API server, say.
    Unseen,
}

/// Connections in support of a rule: of one client, one server, one port and one outcome.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// The client.
    pub client: PartyKey,
    /// The server.
    pub server: PartyKey,
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
    /// First sight.
    pub first: Timestamp,
    /// Last sight.
    pub last: Timestamp,
    /// The hours in which they were seen.
    pub hours: BTreeSet<Hour>,
    /// What captures call the addresses of both.
    pub names: Vec<PartyName>,
}

impl Evidence {
    /// The evidence that a dependency is.
    #[must_use]
    pub fn of(dependency: &Dependency) -> Self {
        let Span { first, last } = dependency.span;
        Self {
            client: (&dependency.client).into(),
            server: (&dependency.server).into(),
            protocol: dependency.protocol,
            port: dependency.port,
            via: dependency.via.clone(),
            outcome: dependency.outcome,
            direction: dependency.direction,
            connections: dependency.connections,
            first,
            last,
            hours: dependency.history.keys().copied().collect(),
            names: dependency.client.names.iter().chain(&dependency.server.names).cloned().collect(),
        }
    }

    /// In how many different days (UTC).
    #[must_use]
    pub fn days(&self) -> usize {
        self.hours.iter().map(|hour| hour.0.div_euclid(24)).collect::<BTreeSet<_>>().len()
    }

    /// Whether a dependency is more of the same.
    fn is_like(&self, other: &Dependency) -> bool {
        (self.protocol, self.port, self.outcome, self.direction)
            == (other.protocol, other.port, other.outcome, other.direction)
            && self.client.is(&other.client)
            && self.server.is(&other.server)
    }

    /// Takes in a dependency that is more of the same.
    pub(super) fn join(&mut self, other: &Dependency) {
        let names = other.client.names.iter().chain(&other.server.names);
        self.extend((other.connections, other.span), &other.via, other.history.keys(), names);
    }

    fn extend<'e>(
        &mut self,
        (connections, span): (u64, Span),
        via: &BTreeSet<Via>,
        hours: impl IntoIterator<Item = &'e Hour>,
        names: impl IntoIterator<Item = &'e PartyName>,
    ) {
        self.connections = self.connections.saturating_add(connections);
        self.first = self.first.min(span.first);
        self.last = self.last.max(span.last);
        for via in via {
            if !self.via.contains(via) {
                self.via.insert(via.clone());
            }
        }
        self.hours.extend(hours);
        for name in names {
            if let Some(known) = self.names.iter_mut().find(|known| known.is_like(name)) {
                known.is_own |= name.is_own;
            } else {
                self.names.push(name.clone());
                self.names.sort();
            }
        }
    }
}

/// Adds a dependency to evidence: more of the same, or a piece of its own.
pub(super) fn add_evidence(all: &mut Vec<Evidence>, dependency: &Dependency) {
    match all.iter_mut().find(|known| known.is_like(dependency)) {
        Some(known) => known.join(dependency),
        None => all.push(Evidence::of(dependency)),
    }
}

/// Adds evidence to other evidence likewise.
pub(super) fn join_evidence(all: &mut Vec<Evidence>, evidence: Evidence) {
    let Evidence { client, server, protocol, port, outcome, direction, .. } = &evidence;
    let key = |it: &Evidence| (it.protocol, it.port, it.outcome, it.direction);
    let is_like = |known: &&mut Evidence| {
        key(known) == (*protocol, *port, *outcome, *direction) && (&known.client, &known.server) == (client, server)
    };
    match all.iter_mut().find(is_like) {
        Some(known) => {
            let span = Span { first: evidence.first, last: evidence.last };
            known.extend((evidence.connections, span), &evidence.via, &evidence.hours, &evidence.names);
        }
        None => all.push(evidence),
    }
}

/// What may pass between a group and one peer, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// On these ports of the server.
    pub ports: Ports,
    /// Because of these.
    pub evidence: BTreeSet<Evidence>,
    /// For this, as far as it is known.
    pub purposes: BTreeSet<Purpose>,
    /// What it allows beyond the evidence.
    pub widened: BTreeSet<Widened>,
}

impl Access {
    /// Takes in all of another.
    pub fn join(&mut self, other: Self) {
        self.ports.extend(other.ports);
        self.evidence.extend(other.evidence);
        self.purposes.extend(other.purposes);
        self.widened.extend(other.widened);
    }

    /// What captures call a peer's addresses, where it is addresses: each name once, in the order of the evidence.
    #[must_use]
    pub fn names(&self, peer: &Peer) -> Vec<&PartyName> {
        let Peer::Addresses(range) = peer else { return Vec::new() };
        let mut names: Vec<&PartyName> = Vec::new();
        let of_peer = self.evidence.iter().flat_map(|evidence| &evidence.names);
        for name in of_peer.filter(|name| range.contains(&name.address)) {
            if names.iter().all(|known| known.name != name.name) {
                names.push(name);
            }
        }
        names
    }

    /// All evidence in one: connections, hours, days, first and last sight, and how the client was known at worst.
    #[must_use]
    pub fn sum(&self) -> Option<Sum> {
        Sum::of(&self.evidence)
    }
}

/// Evidence added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How many connections.
    pub connections: u64,
    /// In how many different hours.
    pub hours: usize,
    /// In how many different days (UTC).
    pub days: usize,
    /// First and last sight.
    pub span: Span,
    /// The weakest evidence of who the client was.
    pub direction: Direction,
}

impl Sum {
    /// Adds up; nothing where there is none.
    pub fn of<'e>(evidence: impl IntoIterator<Item = &'e Evidence>) -> Option<Self> {
        let mut hours: BTreeSet<Hour> = BTreeSet::new();
        let mut sum: Option<Self> = None;
        for one in evidence {
            hours.extend(&one.hours);
            let span = Span { first: one.first, last: one.last };
            let new = Self { connections: 0, hours: 0, days: 0, span, direction: one.direction };
            let sum = sum.get_or_insert(new);
            sum.connections = sum.connections.saturating_add(one.connections);
            sum.span.join(span);
            sum.direction = sum.direction.max(one.direction);
        }
        let days: BTreeSet<i32> = hours.iter().map(|hour| hour.0.div_euclid(24)).collect();
        sum.map(|sum| Self { hours: hours.len(), days: days.len(), ..sum })
    }
}

/// Peers with what may pass.
pub type Accesses = BTreeMap<Peer, Access>;
