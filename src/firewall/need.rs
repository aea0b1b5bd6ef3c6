//! Dependencies to needs: which packets must pass between which addresses, and what makes no rule.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;

use super::{Beyond, Guard, Options, Port, ZoneKind, Zones};
use crate::model::{
    Dependency, Direction, Hour, Mark, Outcome, Party, PartyKind, Protocol, Span, Timestamp, Via, well_known,
};

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
    /// Whether clients come from outside and dial a port that is for everyone, if perhaps another than the server's.
    pub is_public: bool,
}

/// What was seen of one pair on one port.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub evidence: Evidence,
    pub hours: BTreeSet<Hour>,
    /// Why it is open all the same, where nobody was seen to take this way.
    pub beyond: Option<Beyond>,
}

impl Seen {
    /// Takes in more of the same; what was seen is evidence before what was not.
    fn join(&mut self, other: Self) {
        match (self.beyond, other.beyond) {
            (None, Some(_)) => {}
            (Some(_), None) => *self = other,
            (known, new) => {
                self.beyond = known.min(new);
                self.evidence.join(other.evidence);
                self.hours.extend(other.hours);
            }
        }
    }
}

/// The servers that were seen behind an address that was dialled, by protocol and port.
type Pools = BTreeMap<(Protocol, IpAddr, u16), BTreeSet<(IpAddr, u16)>>;

/// A client and a server.
pub(super) type Pair = (IpNet, IpNet);

/// All that must pass.
pub(super) struct Needs<'a> {
    pub zones: &'a Zones,
    guard: Guard<'a>,
    public: &'a BTreeSet<Port>,
    pools: Pools,
    /// Ports for everyone that somebody outside dialled.
    pub opened: BTreeSet<Port>,
    pub lines: BTreeMap<Line, BTreeMap<Pair, Seen>>,
    pub left_out: BTreeMap<(String, IpAddr, IpAddr, Port), LeftOut>,
    /// The tunnels that carried what is needed, with how many connections.
    pub tunnels: BTreeMap<String, u64>,
}

impl<'a> Needs<'a> {
    pub fn new(guard: Guard<'a>, public: &'a BTreeSet<Port>) -> Self {
        let (pools, opened, lines, left_out, tunnels) = Default::default();
        Self { zones: guard.zones, guard, public, pools, opened, lines, left_out, tunnels }
    }

    /// Notes who is behind an address that was dialled: to be told of all before any is added.
    pub fn pool(&mut self, dependency: &Dependency) {
        let port = dependency.port;
        for server in addresses(&dependency.server) {
            let of_server = |client: IpAddr| Leg { client, server, port };
            let is_needed = |leg: Leg| unneeded(dependency, leg, self.zones).is_none();
            if !addresses(&dependency.client).into_iter().any(|client| is_needed(of_server(client))) {
                continue;
            }
            for via in dependency.via.iter().filter(|via| !via.disputed) {
                let key = (dependency.protocol, via.address, via.port);
                self.pools.entry(key).or_default().insert((server, port));
            }
        }
    }

    pub fn add(&mut self, dependency: &Dependency) {
        for tunnel in &dependency.tunnels {
            let kind = tunnel.split([':', '/']).next().unwrap_or_default();
            *self.tunnels.entry(kind.to_owned()).or_default() += dependency.connections;
        }
        let legs: Vec<Leg> =
            legs(dependency).into_iter().filter(|leg| self.guard.holds(leg.client, leg.server)).collect();
        let mut needed: Vec<(Leg, Option<Beyond>)> = Vec::new();
        for leg in legs {
            match unneeded(dependency, leg, self.zones) {
                Some(reason) => self.leave_out(dependency, leg, reason),
                None => needed.push((leg, None)),
            }
        }
        let others = self.behind_the_same(dependency).into_iter();
        let others = others.filter(|leg| unneeded(dependency, *leg, self.zones).is_none());
        needed.extend(others.map(|leg| (leg, Some(Beyond::Balanced))));
        for (leg, beyond) in &needed {
            self.need(dependency, dependency.protocol, *leg, *beyond);
        }
        if is_of_peers(dependency) {
            for (leg, _) in &needed {
                let back = Leg { client: leg.server, server: leg.client, ..*leg };
                if self.guard.holds(back.client, back.server) {
                    self.need(dependency, dependency.protocol, back, Some(Beyond::Peers));
                }
            }
        }
        if is_name_resolution(dependency) {
            for (leg, beyond) in needed {
                self.need(dependency, Protocol::TCP, leg, beyond.or(Some(Beyond::LongAnswers)));
            }
        }
    }

    /// What a balancer may choose another time: the other servers behind what was dialled.
    fn behind_the_same(&self, dependency: &Dependency) -> BTreeSet<Leg> {
        let key = |via: &Via| (dependency.protocol, via.address, via.port);
        let pools = dependency.via.iter().filter(|via| !via.disputed).filter_map(|via| self.pools.get(&key(via)));
        let servers: BTreeSet<(IpAddr, u16)> = pools.flatten().copied().collect();
        let clients: BTreeSet<IpAddr> = addresses(&dependency.client).union(&dependency.sources).copied().collect();
        let to = |(server, port)| clients.iter().map(move |client| Leg { client: *client, server, port });
        let known = legs(dependency);
        let is_new = |leg: &Leg| !known.contains(leg) && leg.client != leg.server;
        let of_family = |leg: &Leg| leg.client.is_ipv4() == leg.server.is_ipv4();
        let all = servers.into_iter().flat_map(to).filter(|leg| is_new(leg) && of_family(leg));
        all.filter(|leg| self.guard.holds(leg.client, leg.server)).collect()
    }

    fn need(&mut self, dependency: &Dependency, protocol: Protocol, leg: Leg, beyond: Option<Beyond>) {
        let Leg { client, server, port } = leg;
        let (from, to) = (self.zones.of(client), self.zones.of(server));
        let dialled = dependency.via.iter().map(|via| via.port).chain([port]);
        let of_everyone: Vec<Port> =
            dialled.map(|port| (protocol, port)).filter(|port| self.public.contains(port)).collect();
        let is_public = self.zones.kind(from) == ZoneKind::Outside && !of_everyone.is_empty();
        if is_public {
            self.opened.extend(of_everyone);
        }
        let line = Line { from, to, protocol, port, is_public };
        let evidence = Evidence::of(dependency);
        let seen = match beyond {
            None => Seen { evidence, hours: dependency.history.keys().copied().collect(), beyond },
            Some(_) => Seen { evidence: Evidence { connections: 0, ..evidence }, hours: BTreeSet::new(), beyond },
        };
        let pair = (self.zones.unit(client), self.zones.unit(server));
        match self.lines.entry(line).or_default().entry(pair) {
            Entry::Occupied(mut known) => known.get_mut().join(seen),
            Entry::Vacant(place) => _ = place.insert(seen),
        }
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
            if line.is_public || for_everyone.contains(&(line.protocol, line.port)) {
                return None;
            }
            let mut by_stranger: BTreeMap<IpNet, u64> = BTreeMap::new();
            for ((client, server), seen) in pairs.iter().filter(|(_, seen)| seen.beyond.is_none()) {
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
    if [leg.client, leg.server].into_iter().any(|address| zones.is_disputed(address, &dependency.vlans)) {
        return Some(Reason { words: "two segments have the address".into(), is_uncertain: true });
    }
    if dependency.protocol.has_ports() && leg.port == 0 {
        return Some("port 0 is none that a server has".into());
    }
    None
}

/// Whether names are asked for by datagrams: what is too long for one comes by TCP (RFC 7766). The port is the one that was
/// dialled, for servers may answer on another.
fn is_name_resolution(dependency: &Dependency) -> bool {
    let is_dialled = dependency.via.iter().any(|via| via.port == well_known::DNS);
    dependency.protocol == Protocol::UDP && (dependency.port == well_known::DNS || is_dialled)
}

/// Whether both ends send what carries other traffic and has no ports, as ESP and tunnels do, untranslated. Nobody asks there:
/// once the firewall has forgotten who was first, it may be the other.
fn is_of_peers(dependency: &Dependency) -> bool {
    let Dependency { protocol, outcome, via, sources, .. } = dependency;
    let asks = protocol.has_ports() || matches!(*protocol, Protocol::ICMP | Protocol::ICMPV6);
    !asks && *outcome == Outcome::Established && via.is_empty() && sources.is_empty()
}

/// Whether it is DHCP that was answered: pods get their addresses otherwise, but hosts renew theirs by datagrams that routers
/// forward, and relays ask for them so (RFC 2131, section 4.4.5; RFC 8415, section 18.2.4).
fn is_lease(dependency: &Dependency) -> bool {
    let is_port = well_known::DHCP.contains(&dependency.port);
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
