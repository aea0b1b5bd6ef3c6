//! Dependencies as small numbers: who calls whom, in arrays that hold ten millions of calls.

use foldhash::HashMap;

use super::{
    ports::{self, Need},
    scope::{Member, Scope, key},
    token::Service,
};
use crate::model::{Contact, Contacts, Mark, Outcome, PartyKey, PartyKind, Protocol, well_known};

/// One endpoint calls a port of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The client: a place among [`Graph::members`], or behind them one among [`Graph::outside`].
    pub client: u32,
    /// The server, likewise.
    pub server: u32,
    /// What it serves.
    pub service: Service,
    /// In how many hours it was seen.
    pub hours: u16,
    /// No packets were counted: flow logs know connections that nothing went through.
    pub is_idle: bool,
    /// Nobody answers, and it goes on: logs, metrics.
    pub is_oneway: bool,
}

impl Edge {
    /// Whether it tells of its client's work. Who asks for an address may do anything.
    pub(super) fn tells_of_client(&self) -> bool {
        ports::need(self.service) != Some(Need::Addresses)
    }
}

/// Who calls whom. Members are sorted by name, so that their numbers do not depend on the order of the input.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The endpoints in scope.
    pub members: Vec<Member>,
    /// The peers out of scope.
    pub outside: Vec<Outsider>,
    /// The calls, sorted.
    pub edges: Vec<Edge>,
}

/// A peer out of scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outsider {
    /// An address, a node, a Service.
    pub name: String,
    /// What it is: [`PartyKind::External`] where it is outside of the cluster and the site.
    pub kind: PartyKind,
}

impl Graph {
    /// What of the contacts tells of roles: what is needed, with known ends.
    #[must_use]
    pub fn new(all: &Contacts, scope: &Scope) -> Self {
        let numbers: HashMap<_, u32> = scope.members.keys().cloned().zip(0u32..).collect();
        let is_multicast: Vec<bool> = all.parties.iter().map(|party| party.kind == PartyKind::Multicast).collect();
        let tells = |it: &&Contact| tells(it) && !is_multicast[it.server as usize];
        let members: Vec<Option<u32>> = all.parties.iter().map(|party| numbers.get(&key(party)).copied()).collect();
        let mut is_met = vec![false; members.len()];
        for it in all.contacts.iter().filter(tells) {
            (is_met[it.client as usize], is_met[it.server as usize]) = (true, true);
        }
        let outsider = |party: &PartyKey| Outsider { name: party.name.clone(), kind: party.kind };
        let is_outside = |n: usize| is_met[n] && members[n].is_none();
        let mut outside: Vec<Outsider> =
            (0..members.len()).filter(|n| is_outside(*n)).map(|n| outsider(&all.parties[n])).collect();
        outside.sort_unstable();
        outside.dedup();
        let first_outside = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let outsiders: HashMap<&Outsider, u32> = outside.iter().zip(first_outside..).collect();
        let of_outside = |party| outsiders.get(&outsider(party)).copied().unwrap_or(u32::MAX);
        let places: Vec<u32> =
            members.iter().zip(&all.parties).map(|(n, it)| n.unwrap_or_else(|| of_outside(it))).collect();
        let edge = |it: &Contact| Edge {
            client: places[it.client as usize],
            server: places[it.server as usize],
            service: Service::new(it.protocol, it.port),
            hours: it.hours.max(1),
            is_idle: it.packets == 0,
            is_oneway: it.outcome == Outcome::Oneway,
        };
        let edges = all.contacts.iter().filter(tells).map(edge).collect();
        Self::from_parts(scope.members.values().cloned().collect(), outside, edges)
    }

    /// From parts that were made elsewhere; the edges come in any order.
    #[must_use]
    pub fn from_parts(members: Vec<Member>, outside: Vec<Outsider>, mut edges: Vec<Edge>) -> Self {
        let in_scope = u32::try_from(members.len()).unwrap_or(u32::MAX);
        edges.retain(|edge| edge.client != edge.server && (edge.client < in_scope || edge.server < in_scope));
        edges.sort_unstable();
        fold_dynamic_ports(&mut edges);
        Self { members, outside, edges }
    }

    /// What a member is called so that nobody else is. Members come in the order of their names.
    #[must_use]
    pub fn called(&self, number: u32) -> Option<String> {
        let member = self.members.get(number as usize)?;
        let beside = [number.checked_sub(1), number.checked_add(1)].into_iter().flatten();
        let mut beside = beside.filter_map(|other| self.members.get(other as usize));
        let is_shared = beside.any(|other| other.name == member.name);
        Some(if is_shared { member.with_kind() } else { member.name.clone() })
    }

    /// Whether a number is that of a member.
    #[must_use]
    pub fn is_member(&self, number: u32) -> bool {
        (number as usize) < self.members.len()
    }

    /// Whether a number is that of a peer outside. An address of which nobody knows who had it then may be a member's.
    #[must_use]
    pub fn is_outside(&self, number: u32) -> bool {
        self.outsider(number).is_some_and(|peer| peer.kind != PartyKind::Unknown)
    }

    pub(super) fn outsider(&self, number: u32) -> Option<&Outsider> {
        self.outside.get((number as usize).checked_sub(self.members.len())?)
    }

    /// The hours of the longest-lived edge: how long was looked, as far as the edges tell.
    #[must_use]
    pub fn window_hours(&self) -> u16 {
        self.edges.iter().map(|edge| edge.hours).max().unwrap_or(1)
    }
}

/// Whether a contact tells of its ends' work. To ask whether somebody is there, or to look for a neighbour, is no call: it makes no
/// rule either.
fn tells(contact: &Contact) -> bool {
    let aside = [Mark::Scan, Mark::Probe, Mark::Node, Mark::Itself];
    (contact.is_needed() || is_lease(contact))
        && !matches!(contact.protocol, Protocol::ICMP | Protocol::ICMPV6)
        && contact.is_direction_known
        && !aside.into_iter().any(|mark| contact.marks.has(mark))
        && !contact.is_empty
}

/// Whether it got an address, or somebody's relay did: that makes no rule of a pod, and tells who gives addresses.
fn is_lease(contact: &Contact) -> bool {
    const SERVERS: [u16; 2] = [well_known::DHCP_SERVER, well_known::DHCP_V6_SERVER];
    contact.protocol == Protocol::UDP && SERVERS.contains(&contact.port) && contact.outcome == Outcome::Established
}

/// A pair that meets on so many ports may be handing them out.
const MIN_PORTS: usize = 8;
/// And is, where more than this share of them comes and goes.
const TRANSIENT_PERCENT: usize = 30;
/// A port comes and goes that is seen in less than this share of the hours.
pub(super) const RARE_PERCENT: u32 = 10;
/// In fewer hours than this nothing can be called rare.
const MIN_HOURS: u16 = 10;
/// The first port that Linux gives out by itself (`ip_local_port_range`): where hours do not tell, it does.
const FIRST_EPHEMERAL: u16 = 32_768;

/// Whether an edge is seen so seldom that it may be chance.
pub(super) fn is_rare(edge: &Edge, window_hours: u16) -> bool {
    window_hours >= MIN_HOURS && u32::from(edge.hours) * 100 < u32::from(window_hours) * RARE_PERCENT
}

/// Where a server hands ports out to a client, as RPC and FTP do, the ports are one class: each by itself would be rare,
/// and weigh most.
fn fold_dynamic_ports(edges: &mut Vec<Edge>) {
    let window = edges.iter().map(|edge| edge.hours).max().unwrap_or(1);
    let comes_and_goes = |edge: &Edge| {
        if window >= MIN_HOURS { is_rare(edge, window) } else { edge.service.port() >= FIRST_EPHEMERAL }
    };
    let is_pair =
        |a: &Edge, b: &Edge| (a.client, a.server, a.service.protocol()) == (b.client, b.server, b.service.protocol());
    for pair in edges.chunk_by_mut(is_pair) {
        let transient = pair.iter().filter(|edge| comes_and_goes(edge)).count();
        if pair.len() < MIN_PORTS || transient * 100 <= pair.len() * TRANSIENT_PERCENT {
            continue;
        }
        // the class lives as long as the pair: what came and went each hour was there every hour
        let hours = pair.iter().map(|edge| edge.hours).max().unwrap_or(1);
        for edge in pair.iter_mut().filter(|edge| comes_and_goes(edge)) {
            (edge.service, edge.hours) = (edge.service.dynamic(), hours);
        }
    }
    edges.sort_unstable();
    edges.dedup();
}
