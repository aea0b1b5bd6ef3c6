//! Zones: hosts of one role or tier, and all others by where they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::HashMap;
use ipnet::IpNet;

use super::{Dispute, Grouping, Input, Side, Sight, units};
use crate::{model::is_private, tier::Tier};

/// What a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ZoneKind {
    /// Hosts of one role or tier.
    Hosts(Tier),
    /// Pods, Services and nodes: whoever calls from one of them may call from another tomorrow.
    Cluster,
    /// Private addresses of nobody who is known.
    Inside,
    /// Public addresses.
    Outside,
    /// Groups that routers forward to.
    Multicast,
}

/// Who is treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// What it is.
    pub kind: ZoneKind,
    /// Its name: the role's, the tier's.
    pub name: String,
    /// The hosts in it, by name.
    pub hosts: BTreeSet<String>,
    /// Whether they have more in common than that nothing tells what they do: else one is no sign of what another may need.
    pub are_kin: bool,
    /// Where they are: their addresses and ranges, or the cluster's. Those of others are not listed.
    pub units: BTreeSet<IpNet>,
}

/// All zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones {
    /// By kind and name.
    pub all: Vec<Zone>,
    by_address: HashMap<IpAddr, usize>,
    /// Ranges that are one host each, with their zones.
    ranges: HashMap<IpNet, usize>,
    /// The lengths that their prefixes have, the longest first.
    lengths: Vec<u8>,
    /// All units of hosts, in order.
    units: Vec<IpNet>,
    names: HashMap<IpAddr, String>,
    disputed: BTreeMap<IpAddr, Dispute>,
}

/// The ranges of [`is_private`], as a firewall names them.
pub const PRIVATE: [&str; 7] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"];

impl Zones {
    pub(super) fn new(input: Input<'_>, grouping: Grouping) -> Self {
        let mut zones = Self::default();
        let mut groups: BTreeMap<(Tier, String), Zone> = BTreeMap::new();
        for host in input.hosts {
            // of whom nothing was seen nothing is known that others of a tier or role have with him in common
            let are_kin = host.is_told || grouping == Grouping::Host;
            let name = match grouping {
                _ if host.sight() == Sight::Unseen => format!("{}, unseen", host.name),
                _ if !are_kin => "of no role".to_owned(),
                Grouping::Tier => host.tier.to_string(),
                Grouping::Host | Grouping::Role => host.role.clone(),
            };
            let new = || Zone { are_kin, ..Zone::new(ZoneKind::Hosts(host.tier), &name) };
            let zone = groups.entry((host.tier, name.clone())).or_insert_with(new);
            zone.hosts.insert(host.name.clone());
            zone.units.extend(units(host, grouping));
            zones.names.extend(host.addresses.iter().map(|address| (*address, host.name.clone())));
        }
        zones.all.extend(groups.into_values());
        for (n, zone) in zones.all.iter().enumerate() {
            let (single, ranges): (Vec<IpNet>, Vec<IpNet>) = zone.units.iter().partition(|unit| is_one(unit));
            zones.by_address.extend(single.into_iter().map(|unit| (unit.addr(), n)));
            zones.ranges.extend(ranges.into_iter().map(|range| (range, n)));
            zones.units.extend(&zone.units);
        }
        let lengths: BTreeSet<u8> = zones.ranges.keys().map(IpNet::prefix_len).collect();
        zones.lengths = lengths.into_iter().rev().collect();
        zones.units.sort_unstable();
        let others = [
            (ZoneKind::Cluster, "cluster"),
            (ZoneKind::Inside, "unlisted"),
            (ZoneKind::Outside, "outside"),
            (ZoneKind::Multicast, "multicast"),
        ];
        zones.all.extend(others.map(|(kind, name)| Zone::new(kind, name)));
        if let Some(cluster) = zones.all.iter_mut().find(|zone| zone.kind == ZoneKind::Cluster) {
            cluster.units = input.cluster.iter().copied().collect();
        }
        // pods are told apart by more than their addresses
        let is_known = |(address, _): &(IpAddr, Dispute)| zones.kind(zones.of(*address)) != ZoneKind::Cluster;
        let disputed = input.disputed.iter().map(|(address, dispute)| (*address, *dispute)).filter(is_known).collect();
        Self { disputed, ..zones }
    }

    /// The zone of an address, by its place.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> usize {
        let of_range = || self.range(address).map(|(_, zone)| zone);
        if let Some(known) = self.by_address.get(&address).copied().or_else(of_range) {
            return known;
        }
        let kind = match () {
            () if address.is_multicast() => ZoneKind::Multicast,
            () if self.is_of_cluster(address) => ZoneKind::Cluster,
            () if is_private(address) => ZoneKind::Inside,
            () => ZoneKind::Outside,
        };
        self.all.iter().position(|zone| zone.kind == kind).unwrap_or_default()
    }

    /// What rules can name of an address: itself, or the range that is one host with it.
    #[must_use]
    pub fn unit(&self, address: IpAddr) -> IpNet {
        let is_listed = self.by_address.contains_key(&address);
        self.range(address).filter(|_| !is_listed).map_or_else(|| address.into(), |(range, _)| range)
    }

    /// A unit without what of it is another's: a range names no host that is listed within it.
    #[must_use]
    pub fn pieces(&self, unit: IpNet) -> Vec<IpNet> {
        if is_one(&unit) {
            return vec![unit];
        }
        // what is within a range follows it in order
        let from = self.units.partition_point(|other| other.network() < unit.network());
        let near = self.units.iter().skip(from).take_while(|other| unit.contains(&other.network()));
        let holes: Vec<IpNet> = near.filter(|other| **other != unit && unit.contains(*other)).copied().collect();
        without(unit, &IpNet::aggregate(&holes))
    }

    fn range(&self, address: IpAddr) -> Option<(IpNet, usize)> {
        let around = |length: &u8| {
            let range = IpNet::new(address, *length).ok()?.trunc();
            Some((range, *self.ranges.get(&range)?))
        };
        self.lengths.iter().find_map(around)
    }

    /// What kind of zone it is.
    #[must_use]
    pub fn kind(&self, zone: usize) -> ZoneKind {
        self.all.get(zone).map_or(ZoneKind::Outside, |zone| zone.kind)
    }

    /// Whether two segments have an address, so that nobody can tell whose a connection is that was seen in these VLANs.
    pub(super) fn is_disputed(&self, address: IpAddr, vlans: &BTreeSet<String>) -> bool {
        let ids = vlans.iter().flat_map(|stack| stack.split('.')).filter_map(|id| id.parse().ok());
        self.disputed.get(&address).is_some_and(|dispute| dispute.may_be_anothers(ids))
    }

    /// Whether an address is one of a host that is called by a name.
    pub(super) fn has_name(&self, address: IpAddr) -> bool {
        self.names.get(&address).is_some_and(|name| name.parse() != Ok(address))
    }

    /// What an address is called: the host's name, else itself.
    #[must_use]
    pub fn name(&self, address: IpAddr) -> String {
        self.names.get(&address).cloned().unwrap_or_else(|| address.to_string())
    }

    /// What a unit is called: the host's name for an address, else as it is written.
    #[must_use]
    pub fn unit_name(&self, unit: IpNet) -> String {
        if is_one(&unit) { self.name(unit.addr()) } else { unit.to_string() }
    }

    /// One side of a rule with this zone; none where it is open to more than are known.
    #[must_use]
    pub fn units<'s>(&'s self, side: &'s Side, zone: usize) -> Option<&'s BTreeSet<IpNet>> {
        match side {
            Side::Zone => {
                let zone = self.all.get(zone).filter(|zone| matches!(zone.kind, ZoneKind::Hosts(_)));
                zone.map(|zone| &zone.units)
            }
            Side::Units(units) => Some(units),
            Side::Anyone => None,
        }
    }

    fn is_of_cluster(&self, address: IpAddr) -> bool {
        let mut cluster = self.all.iter().filter(|zone| zone.kind == ZoneKind::Cluster).flat_map(|zone| &zone.units);
        cluster.any(|range| range.contains(&address))
    }
}

impl Zone {
    fn new(kind: ZoneKind, name: &str) -> Self {
        Self { kind, name: name.to_owned(), hosts: BTreeSet::new(), are_kin: true, units: BTreeSet::new() }
    }
}

/// The fewest ranges that cover one but for its holes.
fn without(range: IpNet, holes: &[IpNet]) -> Vec<IpNet> {
    let within: Vec<IpNet> = holes.iter().filter(|hole| range.contains(*hole)).copied().collect();
    if holes.iter().any(|hole| hole.contains(&range)) {
        return Vec::new();
    }
    match range.subnets(range.prefix_len() + 1) {
        Ok(halves) if !within.is_empty() => halves.flat_map(|half| without(half, &within)).collect(),
        _ => vec![range],
    }
}

/// Whether a unit is one address.
pub fn is_one(unit: &IpNet) -> bool {
    unit.prefix_len() == unit.max_prefix_len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_without_what_is_anothers() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let pieces = |holes: &[&str]| {
            let holes: Vec<IpNet> = holes.iter().map(|hole| net(hole)).collect();
            let left: Vec<String> = without(net("10.0.0.0/29"), &holes).iter().map(ToString::to_string).collect();
            left.join(" ")
        };
        assert_eq!(pieces(&[]), "10.0.0.0/29");
        assert_eq!(pieces(&["10.0.0.5/32"]), "10.0.0.0/30 10.0.0.4/32 10.0.0.6/31");
        assert_eq!(pieces(&["10.0.0.0/30", "10.0.0.7/32"]), "10.0.0.4/31 10.0.0.6/32");
        assert_eq!(pieces(&["10.0.0.0/29"]), "");
    }

    #[test]
    fn what_is_private_is_what_the_ranges_say() {
        let ranges: Vec<IpNet> = PRIVATE.iter().map(|range| range.parse().unwrap()).collect();
        let addresses = [
            "9.255.255.255",
            "10.0.0.0",
            "11.0.0.0",
            "100.63.0.1",
            "100.64.0.0",
            "100.127.255.255",
            "100.128.0.0",
            "169.254.3.4",
            "172.15.0.1",
            "172.16.0.1",
            "172.31.0.1",
            "172.32.0.1",
            "192.168.0.1",
            "192.169.0.1",
            "fbff::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "2001:db8::1",
        ];
        for address in addresses.map(|it| it.parse::<IpAddr>().unwrap()) {
            assert_eq!(is_private(address), ranges.iter().any(|range| range.contains(&address)), "{address}");
        }
    }
}
