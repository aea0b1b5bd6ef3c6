//! Dependencies to needs: which packets must pass between which addresses, and what makes no rule.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;

use super::{Guard, Options, Port, ZoneKind, Zones};
use crate::model::{Dependency, Direction, Hour, Mark, Party, PartyKind, Protocol, Span, Timestamp};

/// What was seen of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// How many connections.
    pub connections: u64,
    /// First sight.
    pub first: Timestamp,
    /// Last sight.
    pub last: Timestamp,
    /// The weakest evidence of who the client was.
    pub direction: Direction,
}

impl Evidence {
    fn of(dependency: &Dependency) -> Self {
        let Span { first, last } = dependency.span;
        Self { connections: dependency.connections, first, last, direction: dependency.direction }
    }

    /// Takes in more of the same.
    pub(super) fn join(&mut self, other: Self) {
        self.connections = self.connections.saturating_add(other.connections);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.direction = self.direction.max(other.direction);
    }
}

/// What was seen from, to or between closed hosts and makes no rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Why.
    pub reason: String,
    /// The client.
    pub client: IpAddr,
    /// The server.
    pub server: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The server's port.
    pub port: u16,
    /// How many connections.
    pub connections: u64,
    /// Whether nobody can tell if it is needed: who called whom is unknown.
    pub is_uncertain: bool,
}

/// Many addresses outside that come to a port, or are called on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strangers {
    /// The zone inside, by its place.
    pub zone: usize,
    /// Whether they come in; else they are called.
    pub come_in: bool,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// How many of them.
    pub addresses: usize,
    /// How many came once, or were called once.
    pub once: usize,
    /// How many connections.
    pub connections: u64,
}

impl Strangers {
    /// From so many on it is worth a question whether the port is for everyone.
    pub const MIN: usize = 8;

    /// The chance that the next connection is with somebody new, by those who were seen once (Good, "The population
    /// frequencies of species and the estimation of population parameters", Biometrika 1953).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn novelty(&self) -> f64 {
        if self.connections == 0 { 0.0 } else { self.once as f64 / self.connections as f64 }
    }
}

/// From one zone to another, by their places, on one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub from: usize,
    pub to: usize,
    pub protocol: Protocol,
    pub port: u16,
}

/// What was seen of one pair on one port.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub evidence: Evidence,
    pub hours: BTreeSet<Hour>,
}

/// A client and a server.
pub(super) type Pair = (IpNet, IpNet);

/// All that must pass.
pub(super) struct Needs<'a> {
    pub zones: &'a Zones,
    guard: Guard<'a>,
    pub lines: BTreeMap<Line, BTreeMap<Pair, Seen>>,
    pub left_out: BTreeMap<(String, IpAddr, IpAddr, Port), LeftOut>,
    /// The tunnels that carried what is needed, with how many connections.
    pub tunnels: BTreeMap<String, u64>,
}

impl<'a> Needs<'a> {
    pub fn new(guard: Guard<'a>) -> Self {
        Self { zones: guard.zones, guard, lines: BTreeMap::new(), left_out: BTreeMap::new(), tunnels: BTreeMap::new() }
    }

    pub fn add(&mut self, dependency: &Dependency) {
        for tunnel in &dependency.tunnels {
            let kind = tunnel.split([':', '/']).next().unwrap_or_default();
            *self.tunnels.entry(kind.to_owned()).or_default() += dependency.connections;
        }
        let legs: Vec<Leg> =
            legs(dependency).into_iter().filter(|leg| self.guard.holds(leg.client, leg.server)).collect();
        for leg in legs {
            match unneeded(dependency, leg, self.zones) {
                Some(reason) => self.leave_out(dependency, leg, reason),
                None => self.need(dependency, leg),
            }
        }
    }

    fn need(&mut self, dependency: &Dependency, Leg { client, server, port }: Leg) {
        let (from, to) = (self.zones.of(client), self.zones.of(server));
        let line = Line { from, to, protocol: dependency.protocol, port };
        let new = Evidence::of(dependency);
        let pair = (self.zones.unit(client), self.zones.unit(server));
        let seen = self.lines.entry(line).or_default().entry(pair);
        let seen = seen.and_modify(|known| known.evidence.join(new));
        let seen = seen.or_insert_with(|| Seen { evidence: new, hours: BTreeSet::new() });
        seen.hours.extend(dependency.history.keys());
    }

    fn leave_out(&mut self, dependency: &Dependency, Leg { client, server, port }: Leg, reason: Reason) {
        let protocol = dependency.protocol;
        let key = (reason.words.clone(), client, server, (protocol, port));
        let new = || LeftOut {
            reason: reason.words,
            client,
            server,
            protocol,
            port,
            connections: 0,
            is_uncertain: reason.is_uncertain,
        };
        let known = self.left_out.entry(key).or_insert_with(new);
        known.connections = known.connections.saturating_add(dependency.connections);
    }

    /// Where many strangers come, or are called.
    pub fn strangers(&self, options: &Options) -> Vec<Strangers> {
        let found = self.lines.iter().filter_map(|(line, pairs)| {
            let come_in = self.zones.kind(line.from) == ZoneKind::Outside;
            if !come_in && self.zones.kind(line.to) != ZoneKind::Outside {
                return None;
            }
            let for_everyone = if come_in { &options.public } else { &options.anywhere };
            if for_everyone.contains(&(line.protocol, line.port)) {
                return None;
            }
            let mut by_stranger: BTreeMap<IpNet, u64> = BTreeMap::new();
            for ((client, server), seen) in pairs {
                *by_stranger.entry(if come_in { *client } else { *server }).or_default() += seen.evidence.connections;
            }
            let strangers = Strangers {
                zone: if come_in { line.to } else { line.from },
                come_in,
                protocol: line.protocol,
                port: line.port,
                addresses: by_stranger.len(),
                once: by_stranger.values().filter(|connections| **connections == 1).count(),
                connections: by_stranger.values().sum(),
            };
            (strangers.addresses >= Strangers::MIN).then_some(strangers)
        });
        found.collect()
    }
}

/// What passes a firewall of one connection: where something on the way translates, that may be in several forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leg {
    pub client: IpAddr,
    pub server: IpAddr,
    pub port: u16,
}

/// The forms in which a dependency's packets pass: as they are sent, and as they arrive. Where the firewall stands is not
/// known, so each form that was on a wire is one.
pub(super) fn legs(dependency: &Dependency) -> BTreeSet<Leg> {
    let port = dependency.port;
    let mut legs = BTreeSet::new();
    let (clients, servers) = (addresses(&dependency.client), addresses(&dependency.server));
    // several may translate one after another, each either end
    for client in clients.iter().chain(&dependency.sources) {
        let dialled = dependency.via.iter().map(|via| Leg { client: *client, server: via.address, port: via.port });
        legs.extend(dialled);
        legs.extend(servers.iter().map(|server| Leg { client: *client, server: *server, port }));
    }
    legs.retain(|leg| leg.client != leg.server);
    legs
}

/// A party's address, by which it is called; else all that it has.
fn addresses(party: &Party) -> BTreeSet<IpAddr> {
    party.name.parse().map_or_else(|_| party.addresses.clone(), |address| BTreeSet::from([address]))
}

/// Why something makes no rule.
pub(super) struct Reason {
    pub words: String,
    pub is_uncertain: bool,
}

impl From<&str> for Reason {
    fn from(words: &str) -> Self {
        Self { words: words.to_owned(), is_uncertain: false }
    }
}

pub(super) fn unneeded(dependency: &Dependency, leg: Leg, zones: &Zones) -> Option<Reason> {
    if let Some(reason) = dependency.unneeded().filter(|_| !is_lease(dependency)) {
        return Some(reason.into());
    }
    if dependency.marks.contains(&Mark::Itself) {
        return Some("a host with itself".into());
    }
    let is_broadcast = dependency.server.kind == PartyKind::Multicast && !leg.server.is_multicast();
    if is_broadcast || [leg.client, leg.server].into_iter().any(stays_on_its_link) {
        return Some("stays on its link: no router forwards it".into());
    }
    if dependency.direction == Direction::Unknown {
        return Some(Reason { words: "who is the client is unknown".into(), is_uncertain: true });
    }
    // another has the address in another VLAN, or had it then
    let is_another = |party: &Party| {
        party.kind == PartyKind::Unknown && addresses(party).into_iter().any(|address| zones.has_name(address))
    };
    if is_another(&dependency.client) || is_another(&dependency.server) {
        return Some(Reason { words: "who had the address is unknown".into(), is_uncertain: true });
    }
    if dependency.protocol.has_ports() && leg.port == 0 {
        return Some("port 0 is none that a server has".into());
    }
    None
}

/// Whether it is DHCP that was answered: pods get their addresses otherwise, but hosts renew theirs by datagrams that routers
/// forward, and relays ask for them so (RFC 2131, section 4.4.5; RFC 8415, section 18.2.4).
fn is_lease(dependency: &Dependency) -> bool {
    let is_port = matches!(dependency.port, 67 | 68 | 546 | 547);
    let is_scan = dependency.marks.contains(&Mark::Scan);
    dependency.protocol == Protocol::UDP && is_port && dependency.outcome.is_needed() && !is_scan
}

/// Link-local addresses, and groups that routers do not forward to (RFC 3927, RFC 5771 section 4, RFC 4291 section 2.7).
fn stays_on_its_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            let is_local_group = it.octets().starts_with(&[224, 0, 0]);
            it.is_link_local() || it == Ipv4Addr::BROADCAST || it.is_unspecified() || is_local_group
        }
        IpAddr::V6(it) => {
            // scopes of the interface (1) and of the link (2)
            let is_local_group = it.is_multicast() && matches!(it.segments()[0] & 0xf, 1 | 2);
            it.is_unicast_link_local() || it.is_unspecified() || is_local_group
        }
    }
}
