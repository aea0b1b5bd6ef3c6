//! Dependencies of hosts to the rules of a firewall between them: who may call whom, for what, and on what evidence. It
//! knows no firewall; `render` writes it as documents.
//!
//! ```text
//! hosts        -> zones (roles or tiers, the cluster, the outside)
//! dependencies -> needs (one zone to another, one port) -> rules: pairs that were seen, or whole zones
//! rules        -> verdict on the past, and what they leave open
//! ```
//!
//! A host is closed where captures could see all of it that passes there. What an address may be tomorrow is not guessed:
//! strangers from outside are let in one by one, unless a person says that a port is public.

mod cost;
mod need;
mod rule;
mod vantage;
mod verdict;
mod zone;

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

pub use cost::{Cost, cost, extra};
pub use need::{Evidence, LeftOut, Strangers};
pub use rule::{Beyond, Rule, Side, Ways};
pub use vantage::{Capture, Sight, sights};
pub use verdict::{Finding, Replay, replay};
pub use zone::{PRIVATE, Zone, ZoneKind, Zones};

use crate::{
    model::{Dependency, Directions, Protocol},
    tier::Tier,
};
use need::Needs;

/// A host with the addresses that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name; the address where it has none.
    pub name: String,
    /// What it does, as an operator or its traffic tells.
    pub role: String,
    /// Where it stands.
    pub tier: Tier,
    /// Whether anything tells so, an operator or its traffic: else it is of no role and no tier.
    pub is_told: bool,
    /// Its addresses: those that are listed, and those that were seen.
    pub addresses: BTreeSet<IpAddr>,
    /// Ranges that an operator listed under its name.
    pub ranges: BTreeSet<IpNet>,
    /// How much the captures could see of each address that they saw.
    pub sights: BTreeMap<IpAddr, Sight>,
}

impl Host {
    /// How much of it the captures could see: the least that they could of any of its addresses.
    #[must_use]
    pub fn sight(&self) -> Sight {
        self.sights.values().copied().min().unwrap_or_default()
    }

    /// What is closed, or left open, as one: by pairs of addresses, each of a range that an operator listed, for these are many.
    fn parts(&self, grouping: Grouping) -> Vec<Self> {
        let is_in = |address: &IpAddr| self.ranges.iter().any(|range| range.contains(address));
        if grouping != Grouping::Host || !self.addresses.iter().any(is_in) {
            return vec![self.clone()];
        }
        let part = |name: String, addresses: BTreeSet<IpAddr>| {
            let sights = self.sights.iter().filter(|(address, _)| addresses.contains(*address));
            let sights = sights.map(|(address, sight)| (*address, *sight)).collect();
            Self { name, addresses, sights, ranges: BTreeSet::new(), ..self.clone() }
        };
        let (many, own): (BTreeSet<IpAddr>, BTreeSet<IpAddr>) = self.addresses.iter().copied().partition(is_in);
        let one = |address: IpAddr| part(format!("{}, {address}", self.name), BTreeSet::from([address]));
        let own = Some(own).filter(|own| !own.is_empty()).map(|own| part(self.name.clone(), own));
        own.into_iter().chain(many.into_iter().map(one)).collect()
    }
}

/// A host, or a part of one, that is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOpen {
    /// Its name.
    pub host: String,
    /// How much of it the captures could see.
    pub sight: Sight,
    /// Those of its addresses of which they could see no more, where they saw more of others.
    pub at: BTreeSet<IpAddr>,
}

impl LeftOpen {
    fn of(host: &Host) -> Self {
        let sight = host.sight();
        let at = host.sights.iter().filter(|(_, of_one)| **of_one == sight).map(|(address, _)| *address).collect();
        let is_partly = host.sights.values().any(|of_one| *of_one > sight);
        Self { host: host.name.clone(), sight, at: if is_partly { at } else { BTreeSet::new() } }
    }

    /// Why it is, in words.
    #[must_use]
    pub fn why(&self) -> String {
        /// Addresses that are named.
        const NAMED: usize = 3;
        let mut named: Vec<String> = self.at.iter().take(NAMED).map(ToString::to_string).collect();
        if named.is_empty() {
            return self.sight.as_str().to_owned();
        }
        if self.at.len() > NAMED {
            named.push(format!("{} more", self.at.len() - NAMED));
        }
        format!("{}: {}", named.join(", "), self.sight.as_str())
    }
}

/// What rules are made from.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The hosts that may be closed.
    pub hosts: &'a [Host],
    /// Where a cluster's pods, Services and nodes have their addresses.
    pub cluster: &'a [IpNet],
    /// Addresses that several stations have, each in a segment of its own.
    pub disputed: &'a BTreeMap<IpAddr, Dispute>,
}

/// What tells apart who has an address that several stations have, each in a segment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispute {
    /// Nothing: whose connections are whose nobody can tell.
    Open,
    /// An operator says in which VLAN the host is: connections that were seen in others alone may be another's.
    Settled {
        /// The VLAN.
        vlan: u16,
        /// Whether the address was seen without tags too: such frames may be of this VLAN.
        is_untagged_too: bool,
    },
}

impl Dispute {
    /// Whether what was seen in these VLANs may be another's of the same address.
    pub fn may_be_anothers(self, ids: impl IntoIterator<Item = u16>) -> bool {
        let Self::Settled { vlan, is_untagged_too } = self else { return true };
        let mut ids = ids.into_iter().peekable();
        if ids.peek().is_none() { !is_untagged_too } else { ids.all(|id| id != vlan) }
    }
}

/// How finely rules tell hosts apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grouping {
    /// Pairs of addresses, as they were seen: least privilege.
    #[default]
    Host,
    /// Roles, where enough of their pairs were seen. A range that an operator listed is one host.
    Role,
    /// Tiers, likewise.
    Tier,
}

impl Grouping {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Host, Self::Role, Self::Tier];

    /// As on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Role => "role",
            Self::Tier => "tier",
        }
    }
}

/// A protocol and a port of it.
pub type Port = (Protocol, u16);

/// What to propose.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How finely rules tell hosts apart.
    pub grouping: Grouping,
    /// What is closed.
    pub directions: Directions,
    /// Whether also hosts are closed that the captures could not see, or saw from elsewhere alone.
    pub isolate_unseen: bool,
    /// From this share of its pairs on, from 0 to 1, a role or tier may reach another as a whole.
    pub support: f64,
    /// Ports that are open to anyone outside, at hosts that were seen to serve them there.
    pub public: BTreeSet<Port>,
    /// Ports on which hosts may call anyone outside, if they were seen to call somebody there.
    pub anywhere: BTreeSet<Port>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            grouping: Grouping::default(),
            directions: Directions::Both,
            isolate_unseen: false,
            support: 0.5,
            public: BTreeSet::new(),
            anywhere: BTreeSet::new(),
        }
    }
}

/// The rules that are proposed.
#[derive(Clone, Debug, PartialEq)]
pub struct Firewall {
    /// What is closed.
    pub directions: Directions,
    /// Who is who.
    pub zones: Zones,
    /// The addresses of the hosts that are closed, and their ranges where these are one host each.
    pub closed: BTreeSet<IpNet>,
    /// Hosts that are left as they are, by name.
    pub left_open: Vec<LeftOpen>,
    /// What passes; nothing else does from or to a closed address.
    pub rules: Vec<Rule>,
    /// What was seen and makes no rule.
    pub left_out: Vec<LeftOut>,
    /// Where many come from outside, or are called there: most likely others tomorrow.
    pub strangers: Vec<Strangers>,
    /// Ports for everyone that somebody outside dialled, on whichever port the server has.
    pub opened: BTreeSet<Port>,
    /// Connections that were seen inside tunnels, by the kind of the outermost: what carries them has no rule.
    pub tunnels: BTreeMap<String, u64>,
}

/// Proposes rules for hosts, from the dependencies of one site by address. The order of neither matters.
pub fn propose<D: Borrow<Dependency>>(
    input: Input<'_>,
    dependencies: impl IntoIterator<Item = D>,
    options: &Options,
) -> Firewall {
    let zones = Zones::new(input, options.grouping);
    let is_closed = |host: &Host| match host.sight() {
        Sight::Whole => true,
        Sight::Elsewhere | Sight::Unseen => options.isolate_unseen,
        Sight::Disputed => false,
    };
    let (mut closed, mut left_open) = (BTreeSet::new(), Vec::new());
    for host in input.hosts {
        let (shut, open): (Vec<Host>, Vec<Host>) = host.parts(options.grouping).into_iter().partition(is_closed);
        closed.extend(shut.iter().flat_map(|part| units(part, options.grouping)));
        match &shut[..] {
            [] => left_open.push(LeftOpen::of(host)),
            _ => left_open.extend(open.iter().map(LeftOpen::of)),
        }
    }
    if options.grouping == Grouping::Host {
        // what of a range was not seen is no host yet
        let ranges = input.hosts.iter().flat_map(|host| host.ranges.iter().map(move |range| (host, range)));
        let unseen = |(host, range): (&Host, &IpNet)| {
            let host = format!("{}, all of {range} that was not seen", host.name);
            LeftOpen { host, sight: Sight::Unseen, at: BTreeSet::new() }
        };
        left_open.extend(ranges.map(unseen));
    }
    left_open.sort();
    let guard = Guard { directions: options.directions, closed: &closed, zones: &zones };
    let mut needs = Needs::new(guard, &options.public);
    let dependencies: Vec<D> = dependencies.into_iter().collect();
    for dependency in &dependencies {
        needs.pool(dependency.borrow());
    }
    for dependency in &dependencies {
        needs.add(dependency.borrow());
    }
    let strangers = needs.strangers(options);
    let rules = rule::rules(&mut needs, options);
    let Needs { left_out, tunnels, opened, .. } = needs;
    let left_out = left_out.into_values().collect();
    Firewall { directions: options.directions, closed, zones, left_open, rules, left_out, strangers, opened, tunnels }
}

/// What rules can name of a host: its addresses, or the ranges that are listed of it, which are one host each.
fn units(host: &Host, grouping: Grouping) -> BTreeSet<IpNet> {
    let ranges = if grouping == Grouping::Host { &BTreeSet::new() } else { &host.ranges };
    let is_in_none = |address: &&IpAddr| !ranges.iter().any(|range| range.contains(*address));
    let single = host.addresses.iter().filter(is_in_none).map(|address| IpNet::from(*address));
    single.chain(ranges.iter().copied()).collect()
}

/// Whose connections need a rule.
#[derive(Clone, Copy)]
struct Guard<'a> {
    directions: Directions,
    closed: &'a BTreeSet<IpNet>,
    zones: &'a Zones,
}

impl Guard<'_> {
    /// Whether a connection needs one.
    fn holds(&self, client: IpAddr, server: IpAddr) -> bool {
        let is_closed = |address| self.closed.contains(&self.zones.unit(address));
        self.directions.has_egress() && is_closed(client) || self.directions.has_ingress() && is_closed(server)
    }
}

#[cfg(test)]
mod tests;
