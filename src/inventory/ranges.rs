//! What is known of addresses by the ranges that they lie in.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::{HashMap, HashSet};
use ipnet::IpNet;

use super::field::sorted;
use crate::model::Host;

/// Ranges in which no address is outside: this host, loopback and link-local (RFC 6890, RFC 4291).
pub(super) const UNROUTED: [&str; 6] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/128", "::1/128", "fe80::/10"];

/// Whether an address is of one link alone (RFC 3927, RFC 4291): hosts and clouds put services there that every pod of a
/// node reaches under the same address.
#[must_use]
pub fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether an address is of those at which clouds tell an instance about itself, its credentials among it, and serve it
/// names and time: 169.254.169.0/24 with all large ones.
#[must_use]
pub fn is_cloud_metadata(address: IpAddr) -> bool {
    matches!(address.to_canonical(), IpAddr::V4(v4) if matches!(v4.octets(), [169, 254, 169, _]))
}

/// The usual size of one node's pod range: what is guessed around a pod that no listed range holds.
const NODE_PREFIXES: (u8, u8) = (24, 64);

/// The ranges that nodes list, and the surroundings of the addresses that lie outside them; aggregated and in order.
pub(super) fn pod_ranges(mut listed: Vec<IpNet>, addresses: &HashSet<IpAddr>) -> Vec<IpNet> {
    let known = Ranges::new(&listed);
    let strays = addresses.iter().filter(|address| known.at(**address).is_none());
    listed.extend(strays.map(|address| surroundings(*address)));
    sorted(IpNet::aggregate(&listed))
}

fn surroundings(address: IpAddr) -> IpNet {
    around(address, NODE_PREFIXES)
}

/// The usual size of the range that all pods of a cluster have their addresses from.
const CLUSTER_PREFIXES: (u8, u8) = (16, 56);

/// Where the other pods of a cluster may have their addresses, for all that one pod's tells.
pub(super) fn widely_around(address: IpAddr) -> IpNet {
    around(address, CLUSTER_PREFIXES)
}

fn around(address: IpAddr, (v4, v6): (u8, u8)) -> IpNet {
    let prefix = if address.is_ipv4() { v4 } else { v6 };
    IpNet::new(address, prefix).map_or_else(|_| address.into(), |range| range.trunc())
}

/// The widest ranges that an API server takes for Services: it counts their addresses in 20 bits
/// (`--service-cluster-ip-range`).
const WIDEST_SERVICE_PREFIXES: (u8, u8) = (12, 108);

/// The range that no other ClusterIP is outside of.
pub(super) fn widest_service_range(cluster_ip: IpAddr) -> IpNet {
    around(cluster_ip, WIDEST_SERVICE_PREFIXES)
}

/// Where the ClusterIPs of a cluster come from, as far as that is certain: the ranges that are listed, and what lies
/// between ClusterIPs that are known, for a range that holds two addresses holds their longest common prefix. It is not
/// taken where ranges are listed, or somebody else is known in it, for then there are several.
pub(super) fn service_ranges(listed: &[IpNet], cluster_ips: &HashSet<IpAddr>, others: &HashSet<IpAddr>) -> Vec<IpNet> {
    let mut near: BTreeMap<IpNet, (IpAddr, IpAddr)> = BTreeMap::new();
    let is_listed = |is_ipv4: bool| listed.iter().any(|range| range.addr().is_ipv4() == is_ipv4);
    for address in cluster_ips.iter().filter(|address| !is_listed(address.is_ipv4())) {
        let (first, last) = near.entry(widest_service_range(*address)).or_insert((*address, *address));
        (*first, *last) = ((*first).min(*address), (*last).max(*address));
    }
    let spans = near.into_values().filter(|(first, last)| first < last);
    let spans = spans.filter_map(|(first, last)| {
        let holding = |prefix| IpNet::new(first, prefix).ok().filter(|range| range.contains(&last));
        (0..=IpNet::from(first).max_prefix_len()).rev().find_map(holding).map(|range| range.trunc())
    });
    let free = spans.filter(|range| !others.iter().any(|other| range.contains(other)));
    sorted(listed.iter().copied().chain(free))
}

/// Ranges that do not overlap, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(Vec<IpNet>);

impl Ranges {
    pub fn new(ranges: &Vec<IpNet>) -> Self {
        Self(sorted(IpNet::aggregate(ranges)))
    }

    /// The range an address lies in.
    pub fn at(&self, address: IpAddr) -> Option<IpNet> {
        let after = self.0.partition_point(|range| range.network() <= address);
        self.0.get(after.checked_sub(1)?).copied().filter(|range| range.contains(&address))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = IpNet> {
        self.0.iter().copied()
    }
}

/// Which host a range is.
#[derive(Clone, Copy, Debug)]
pub(super) enum HostPlace {
    /// Its place in the cluster.
    At(usize),
    /// Several are named for the range.
    Disputed,
}

/// The ranges of a hosts file, which may lie within one another.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    by_range: HashMap<IpNet, HostPlace>,
    /// Prefix lengths in use, for IPv4 and IPv6 together.
    prefixes: BTreeSet<u8>,
}

impl Hosts {
    pub fn new(hosts: &[Host]) -> Self {
        let mut by_range = HashMap::default();
        for (n, host) in hosts.iter().enumerate() {
            by_range.entry(host.range).and_modify(|place| *place = HostPlace::Disputed).or_insert(HostPlace::At(n));
        }
        Self { by_range, prefixes: hosts.iter().map(|host| host.range.prefix_len()).collect() }
    }

    /// The host of the narrowest range around an address.
    pub fn at(&self, address: IpAddr) -> Option<HostPlace> {
        let mut ranges = self.prefixes.iter().rev().filter_map(|prefix| IpNet::new(address, *prefix).ok());
        ranges.find_map(|range| self.by_range.get(&range.trunc()).copied())
    }
}
