//! Subnets: told by routers and servers where they do, else inferred from who lives on the link.
//!
//! The smallest network that covers what is known to be on the link is mostly too small: five hosts of a /24 would make a
//! /28. It is widened to the usual size, /24 and /64, but never over hosts of another segment.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

use super::evidence::{Link, is_link_local, usual_network};
use crate::model::{How, Mac, Span};

/// From what a subnet is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// Told by a router advertisement.
    Ra,
    /// Told by a DHCP lease.
    Dhcp,
    /// Inferred from ARP: who claims an address there, and who is asked for.
    Arp,
    /// Inferred from IPv6 neighbour discovery.
    Nd,
    /// Inferred from the broadcast address that hosts write to.
    Broadcast,
    /// Inferred from packets that no router had before.
    Traffic,
}

impl Basis {
    /// As in the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ra => "ra",
            Self::Dhcp => "dhcp",
            Self::Arp => "arp",
            Self::Nd => "nd",
            Self::Broadcast => "broadcast",
            Self::Traffic => "traffic",
        }
    }

    /// Whether somebody said so who must know.
    #[must_use]
    pub fn is_told(self) -> bool {
        matches!(self, Self::Ra | Self::Dhcp)
    }
}

/// A subnet of a segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    /// The network.
    pub prefix: IpNet,
    /// From what it is known.
    pub by: BTreeSet<Basis>,
}

impl Subnet {
    /// Whether it was told, and not only inferred.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.by.iter().any(|basis| basis.is_told())
    }
}

/// Who lives on a link: addresses with their MACs, and what is known of each.
pub(super) type OnLink = BTreeMap<IpAddr, BTreeMap<Mac, Lives>>;

/// What is known of one MAC behind an address.
pub(super) struct Lives {
    /// How it was learnt.
    pub hows: BTreeSet<How>,
    /// First and last sight.
    pub span: Span,
}

/// No subnet of IPv4 is larger: who asks for a neighbour further away is mistaken, or lies.
const LARGEST_V4: u8 = 16;

/// The subnets of a link; `is_foreign` says whether a network holds hosts of another segment.
pub(super) fn infer(link: &Link, on_link: &OnLink, is_foreign: &dyn Fn(&IpNet) -> bool) -> Vec<Subnet> {
    let mut subnets: BTreeMap<IpNet, BTreeSet<Basis>> = BTreeMap::new();
    for (network, hows) in &link.told {
        let by = hows.iter().map(|how| if *how == How::Ra { Basis::Ra } else { Basis::Dhcp });
        subnets.entry(*network).or_default().extend(by);
    }
    for cluster in clusters(link, on_link, is_foreign) {
        let by = cluster.basis(on_link);
        // one host that says nothing of its network may be in any
        if by.iter().eq([&Basis::Traffic]) && cluster.hosts.len() < 2 {
            continue;
        }
        for network in cluster.networks(is_foreign) {
            subnets.entry(network).or_default().extend(&by);
        }
    }
    united(subnets)
}

/// What lies within another subnet is a part of it.
fn united(subnets: BTreeMap<IpNet, BTreeSet<Basis>>) -> Vec<Subnet> {
    let mut united: Vec<Subnet> = Vec::new();
    // a network sorts before all that it contains, and these stand together
    for (prefix, by) in subnets {
        match united.last_mut() {
            Some(wider) if wider.prefix.contains(&prefix) => wider.by.extend(by),
            _ => united.push(Subnet { prefix, by }),
        }
    }
    united
}

/// Addresses that are taken to be of one subnet.
#[derive(Default)]
struct Cluster {
    /// Hosts that are known to be on the link.
    hosts: BTreeSet<IpAddr>,
    /// Neighbours that these asked for.
    asked: BTreeSet<IpAddr>,
    /// The broadcast address, where one was written to.
    broadcast: Option<IpAddr>,
}

/// Hosts of one network of usual size make a cluster; who asks for a neighbour in another joins the two.
fn clusters(link: &Link, on_link: &OnLink, is_foreign: &dyn Fn(&IpNet) -> bool) -> Vec<Cluster> {
    let is_told =
        |address: IpAddr| link.told.range(..=IpNet::from(address)).rev().any(|(net, _)| net.contains(&address));
    let is_wanted = |address: &&IpAddr| !is_link_local(**address) && !is_told(**address);
    let mut own: BTreeMap<Mac, Vec<IpAddr>> = BTreeMap::new();
    for (address, macs) in on_link {
        for mac in macs.keys() {
            own.entry(*mac).or_default().push(*address);
        }
    }
    let mut groups = Groups::default();
    let mut broadcasts = Vec::new();
    for (mac, station) in &link.stations {
        let own = own.get(mac).map_or(&[][..], Vec::as_slice);
        for asked in station.asked.iter().filter(is_wanted) {
            let Some(asker) = nearest(own, *asked).filter(|asker| is_near(*asker, *asked)) else { continue };
            if !is_foreign(&cover(asker, *asked)) {
                groups.join(usual_network(asker), usual_network(*asked));
            }
        }
        let written = station.broadcasts.iter().filter_map(|it| nearest(own, *it).map(|writer| (writer, *it)));
        broadcasts.extend(written.filter(|(writer, broadcast)| is_broadcast(*writer, *broadcast)));
    }
    let mut clusters: BTreeMap<IpNet, Cluster> = BTreeMap::new();
    for address in on_link.keys().filter(is_wanted) {
        clusters.entry(groups.of(usual_network(*address))).or_default().hosts.insert(*address);
    }
    for asked in link.stations.values().flat_map(|station| &station.asked).filter(is_wanted) {
        if let Some(cluster) = clusters.get_mut(&groups.of(usual_network(*asked))) {
            cluster.asked.insert(*asked);
        }
    }
    for (writer, broadcast) in broadcasts {
        if let Some(cluster) = clusters.get_mut(&groups.of(usual_network(writer))) {
            cluster.broadcast = cluster.broadcast.max(Some(broadcast));
        }
    }
    clusters.into_values().collect()
}

/// Which networks were joined: each with one that was joined before, up to the lowest of all.
#[derive(Default)]
struct Groups(BTreeMap<IpNet, IpNet>);

impl Groups {
    fn of(&self, mut network: IpNet) -> IpNet {
        while let Some(lower) = self.0.get(&network) {
            network = *lower;
        }
        network
    }

    fn join(&mut self, a: IpNet, b: IpNet) {
        let (a, b) = (self.of(a), self.of(b));
        if a != b {
            self.0.insert(a.max(b), a.min(b));
        }
    }
}

impl Cluster {
    fn basis(&self, on_link: &OnLink) -> BTreeSet<Basis> {
        let hows = self
            .hosts
            .iter()
            .filter_map(|host| on_link.get(host))
            .flat_map(BTreeMap::values)
            .flat_map(|lives| &lives.hows);
        let mut by: BTreeSet<Basis> = hows
            .map(|how| match how {
                How::Arp => Basis::Arp,
                How::Nd => Basis::Nd,
                _ => Basis::Traffic,
            })
            .collect();
        by.extend(self.broadcast.map(|_| Basis::Broadcast));
        // what was told by better evidence needs no weaker one
        if by.len() > 1 {
            by.remove(&Basis::Traffic);
        }
        by
    }

    /// One network, widened to the usual size; several where hosts of other segments live between its hosts.
    fn networks(&self, is_foreign: &dyn Fn(&IpNet) -> bool) -> Vec<IpNet> {
        let all = self.hosts.iter().chain(&self.asked).chain(&self.broadcast).copied();
        let Some(smallest) = all.map(IpNet::from).reduce(common) else { return Vec::new() };
        let usual = if smallest.addr().is_ipv4() { 24 } else { 64 };
        // a broadcast address is the last of its network
        let ones = self.broadcast.map_or(u8::MAX, trailing_ones);
        let widest = usual.max(smallest.max_prefix_len().saturating_sub(ones)).min(smallest.prefix_len());
        let wider = (widest..=smallest.prefix_len()).filter_map(|length| IpNet::new(smallest.addr(), length).ok());
        match wider.map(|network| network.trunc()).find(|network| !is_foreign(network)) {
            Some(network) => vec![network],
            None => split(&self.hosts, smallest, is_foreign),
        }
    }
}

/// The largest parts of a network that hold hosts of this segment and none of another.
fn split(hosts: &BTreeSet<IpAddr>, network: IpNet, is_foreign: &dyn Fn(&IpNet) -> bool) -> Vec<IpNet> {
    if hosts.range(network.network()..=network.broadcast()).next().is_none() {
        return Vec::new();
    }
    let halves = network.subnets(network.prefix_len().saturating_add(1));
    match halves {
        Ok(halves) if is_foreign(&network) => halves.flat_map(|half| split(hosts, half, is_foreign)).collect(),
        _ => vec![network],
    }
}

/// Of a station's addresses, which are in order, the one that shares most with another: it stands beside it.
fn nearest(own: &[IpAddr], other: IpAddr) -> Option<IpAddr> {
    let behind = own.partition_point(|address| *address <= other);
    let beside = [behind.checked_sub(1), Some(behind)].into_iter().flatten().filter_map(|n| own.get(n).copied());
    let candidates = beside.filter(|it| it.is_ipv4() == other.is_ipv4() && !is_link_local(*it));
    candidates.max_by_key(|address| (cover(*address, other).prefix_len(), std::cmp::Reverse(*address)))
}

fn is_near(own: IpAddr, neighbour: IpAddr) -> bool {
    let shared = cover(own, neighbour).prefix_len();
    if own.is_ipv4() { shared >= LARGEST_V4 } else { shared >= 64 }
}

/// Whether an address can be the last one of a network that the writer is in: /30 or larger.
fn is_broadcast(writer: IpAddr, address: IpAddr) -> bool {
    let ones = trailing_ones(address);
    let shared = cover(writer, address).prefix_len();
    address.is_ipv4() && ones >= 2 && shared >= LARGEST_V4 && shared >= 32u8.saturating_sub(ones)
}

fn trailing_ones(address: IpAddr) -> u8 {
    let ones = match address {
        IpAddr::V4(v4) => v4.to_bits().trailing_ones(),
        IpAddr::V6(v6) => v6.to_bits().trailing_ones(),
    };
    u8::try_from(ones).unwrap_or(u8::MAX)
}

/// The smallest network that holds both.
fn cover(a: IpAddr, b: IpAddr) -> IpNet {
    common(IpNet::from(a), IpNet::from(b))
}

fn common(a: IpNet, b: IpNet) -> IpNet {
    let shared = match (a.addr(), b.addr()) {
        (IpAddr::V4(x), IpAddr::V4(y)) => shared_v4(x, y),
        (IpAddr::V6(x), IpAddr::V6(y)) => shared_v6(x, y),
        _ => 0,
    };
    let length = shared.min(a.prefix_len()).min(b.prefix_len());
    IpNet::new(a.addr(), length).map_or(a, |network| network.trunc())
}

fn shared_v4(a: Ipv4Addr, b: Ipv4Addr) -> u8 {
    u8::try_from((a.to_bits() ^ b.to_bits()).leading_zeros()).unwrap_or(32)
}

fn shared_v6(a: Ipv6Addr, b: Ipv6Addr) -> u8 {
    u8::try_from((a.to_bits() ^ b.to_bits()).leading_zeros()).unwrap_or(128)
}
