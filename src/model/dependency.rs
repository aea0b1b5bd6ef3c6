use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::Serialize;

use super::{Hour, Party, Protocol, Span, well_known};

/// What became of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The server answered.
    Established,
    /// Data both ways, opening not seen.
    Midstream,
    /// The server, or a router before it, said no.
    Refused,
    /// Attempts that nobody answered.
    Unanswered,
    /// One side only was seen: UDP without reply, or TCP mid-stream.
    Oneway,
}

impl Outcome {
    /// As in the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Midstream => "midstream",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Oneway => "oneway",
        }
    }

    /// Whether clients get, or may get, what they want.
    #[must_use]
    pub fn is_needed(self) -> bool {
        matches!(self, Self::Established | Self::Midstream | Self::Oneway)
    }
}

/// How client and server were told apart, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The opening was seen.
    Handshake,
    /// That address and port accepts handshakes elsewhere in the store.
    Listener,
    /// A container port or a Service says so.
    Inventory,
    /// Many peers and ports talk to that address and port.
    FanIn,
    /// What the ports' numbers tell: one is a service's, or was given out by a server that names ports to its clients.
    Port,
    /// Who spoke first; never of streams, which may be met at either side's turn.
    Order,
    /// Not known; never a rule.
    Unknown,
}

impl Direction {
    /// As in the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Listener => "listener",
            Self::Inventory => "inventory",
            Self::FanIn => "fan-in",
            Self::Port => "port",
            Self::Order => "order",
            Self::Unknown => "unknown",
        }
    }
}

/// What sets a row apart from normal use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Part of a sweep.
    Scan,
    /// A health check by a kubelet or a load balancer.
    Probe,
    /// A pod and its own node: always allowed, needs no rule.
    Node,
    /// A workload with itself at one address.
    #[serde(rename = "self")]
    Itself,
    /// Seen in one window only.
    Rare,
}

impl Mark {
    /// As in the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Probe => "probe",
            Self::Node => "node",
            Self::Itself => "self",
            Self::Rare => "rare",
        }
    }
}

/// An address that the client dialled in place of the server's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Via {
    /// The address dialled.
    pub address: IpAddr,
    /// The port dialled.
    pub port: u16,
    /// The Service it belongs to, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The packets led to somebody whom the inventory does not know behind that Service.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
}

/// Connections an hour, for how complete the learning is.
pub type History = BTreeMap<Hour, u64>;

/// Who depends on whom: connections with one site, client, server, protocol, port, outcome and marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The site; addresses are unique only within one.
    pub site: String,
    /// Who opened the connections.
    pub client: Party,
    /// Who accepted them.
    pub server: Party,
    /// The protocol.
    pub protocol: Protocol,
    /// The server's port as the server sees it, after DNAT; 0 for protocols without ports.
    pub port: u16,
    /// What the client dialled, where that was another address or port.
    pub via: BTreeSet<Via>,
    /// The client's addresses as the server saw them, where nodes or load balancers replaced its own.
    pub sources: BTreeSet<IpAddr>,
    /// What became of them.
    pub outcome: Outcome,
    /// The strongest evidence among them of who the client was: where it speaks for one, it does for all between these
    /// ends and on this port.
    pub direction: Direction,
    /// How many connections, each counted once.
    pub connections: u64,
    /// Packets both ways, by the fullest sighting.
    pub packets: u64,
    /// Whether these are the least that there were: some logs tell of some packets alone.
    pub packets_are_least: bool,
    /// IP bytes from client to server.
    pub bytes_to_server: u64,
    /// IP bytes from server to client.
    pub bytes_to_client: u64,
    /// First and last sight.
    pub span: Span,
    /// The VLAN stacks it was seen with, outer first, a dot between.
    pub vlans: BTreeSet<String>,
    /// The tunnels it was seen in, outer first, a slash between.
    pub tunnels: BTreeSet<String>,
    /// What sets it apart.
    pub marks: BTreeSet<Mark>,
    /// Connections in each hour.
    pub history: History,
}

impl Dependency {
    /// Whether one of its ends is a workload, or a Service, of a namespace that is wanted.
    #[must_use]
    pub fn has_end_in(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        let is_in = |party: &Party| party.namespace().is_some_and(&is_wanted);
        is_in(&self.client) || is_in(&self.server)
    }

    /// Why it needs no rule, where it does not: nobody got anything by it.
    #[must_use]
    pub fn unneeded(&self) -> Option<&'static str> {
        let is_scan = self.marks.contains(&Mark::Scan);
        unneeded(is_scan, self.outcome, (self.protocol, self.port), self.packets)
    }
}

/// Why traffic needs no rule, where it does not.
pub(super) fn unneeded(
    is_scan: bool,
    outcome: Outcome,
    (protocol, port): (Protocol, u16),
    packets: u64,
) -> Option<&'static str> {
    /// Datagrams that nobody answers are a need where they go on, as logs and metrics do.
    const MIN_PACKETS: u64 = 3;
    // DHCP (RFC 2131) and DHCPv6 (RFC 8415): hosts get their addresses by it, pods from the CNI
    let is_lease = protocol == Protocol::UDP && well_known::DHCP.contains(&port);
    let is_stray = outcome == Outcome::Oneway && protocol == Protocol::UDP && packets < MIN_PACKETS;
    match outcome {
        _ if is_scan => Some("part of a scan"),
        outcome if !outcome.is_needed() => Some(outcome.as_str()),
        _ if is_lease => Some("DHCP: leases of addresses need no rule"),
        _ if is_stray => Some("one-way datagrams, too few to be in use"),
        _ => None,
    }
}
