//! Who an address was at a time.

use std::{collections::BTreeSet, net::IpAddr};

use foldhash::{HashMap, HashMapExt, HashSet};
use ipnet::IpNet;

use super::{field::sorted, services::Services};
use crate::model::{Cluster, Host, Node, PartyKind, Pod, Protocol, Service, Timestamp};

/// Who owned an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'c> {
    /// A pod with an address of its own.
    Pod(&'c Pod),
    /// A node: also all that shares its address.
    Node(&'c Node),
    /// A Service: a ClusterIP, an external IP or its load balancer's.
    Service(&'c Service),
    /// A host or range of a hosts file.
    Host(&'c Host),
    /// Nobody alone: a multicast address, or broadcast.
    Multicast,
    /// Somebody inside the cluster or on the link, but it is not known who.
    Unknown,
    /// Somebody outside.
    External,
}

impl Owner<'_> {
    /// What it is in a dependency.
    #[must_use]
    pub fn kind(&self) -> PartyKind {
        match self {
            Self::Pod(_) => PartyKind::Workload,
            Self::Node(_) => PartyKind::Node,
            Self::Service(_) => PartyKind::Service,
            Self::Host(_) => PartyKind::Host,
            Self::Multicast => PartyKind::Multicast,
            Self::Unknown => PartyKind::Unknown,
            Self::External => PartyKind::External,
        }
    }
}

/// A cluster, arranged for looking up addresses.
#[derive(Debug, Default)]
pub struct Directory {
    pub(super) cluster: Cluster,
    /// Pods that own addresses, by their place in the cluster; the latest start last, unknown starts first.
    pods: HashMap<IpAddr, Vec<usize>>,
    /// Addresses that were a pod's at some time, so that they are never outside.
    once_pods: HashSet<IpAddr>,
    nodes: HashMap<IpAddr, usize>,
    hosts: Hosts,
    /// Where an address that nobody is known to own is not outside: the nodes' pod ranges, and addresses that no
    /// router forwards.
    inside: Ranges,
    pod_ranges: Vec<IpNet>,
    pub(super) services: Services,
}

impl Directory {
    /// Arranges a cluster.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let listed: Vec<IpNet> = cluster.nodes.iter().flat_map(|node| node.pod_ranges.iter().copied()).collect();
        let local = UNROUTED.iter().filter_map(|range| range.parse().ok());
        let networked = cluster.pods.iter().filter(|pod| !pod.host_network);
        let once_pods: HashSet<IpAddr> = networked.flat_map(|pod| pod.addresses.iter().copied()).collect();
        Self {
            cluster: cluster.clone(),
            pods: owners(&cluster.pods),
            nodes: nodes(&cluster.nodes),
            hosts: Hosts::new(&cluster.hosts),
            inside: Ranges::new(&listed.iter().copied().chain(local).collect()),
            pod_ranges: pod_ranges(listed, &once_pods),
            once_pods,
            services: Services::new(cluster),
        }
    }

    /// What it was made from.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Who owned an address at a time.
    ///
    /// What is known of one address goes before what is known of a range, and what the cluster says before a hosts
    /// file, except where that names a part of one of the cluster's ranges.
    #[must_use]
    pub fn who(&self, address: IpAddr, at: Timestamp) -> Owner<'_> {
        let address = address.to_canonical();
        if is_many(address) {
            return Owner::Multicast;
        }
        let node = || self.nodes.get(&address).and_then(|n| self.cluster.nodes.get(*n)).map(Owner::Node);
        let service = || self.service_of(address).map(Owner::Service);
        pod_at(&self.pods_at(address), at)
            .or_else(node)
            .or_else(service)
            .or_else(|| self.once_pods.contains(&address).then_some(Owner::Unknown))
            .unwrap_or_else(|| self.who_by_range(address))
    }

    fn who_by_range(&self, address: IpAddr) -> Owner<'_> {
        let host = self.hosts.at(address).and_then(|n| self.cluster.hosts.get(n));
        match (host, self.inside.at(address)) {
            (Some(host), None) => Owner::Host(host),
            // a wide host range around the cluster does not know who its pods are; one within it does
            (Some(host), Some(range)) if range.contains(&host.range) => Owner::Host(host),
            (_, Some(_)) => Owner::Unknown,
            (None, None) => Owner::External,
        }
    }

    /// The pods that own an address, at one time or another; the latest start last.
    pub(super) fn pods_at(&self, address: IpAddr) -> Vec<&Pod> {
        let places = self.pods.get(&address).into_iter().flatten();
        places.filter_map(|n| self.cluster.pods.get(*n)).collect()
    }

    /// Whether the pod that owned an address at a time declares a port.
    #[must_use]
    pub fn declares(&self, address: IpAddr, at: Timestamp, protocol: Protocol, port: u16) -> bool {
        let Owner::Pod(pod) = self.who(address, at) else { return false };
        pod.ports.iter().any(|own| own.protocol == protocol && own.port == port)
    }

    /// The ranges that pods have their addresses from: those that nodes list, and the surroundings of the pods that
    /// lie outside them, for many network plugins tell their ranges to nobody. Aggregated and in order.
    #[must_use]
    pub fn pod_ranges(&self) -> Vec<IpNet> {
        self.pod_ranges.clone()
    }
}

/// Ranges in which no address is outside: this host, loopback and link-local (RFC 6890, RFC 4291).
const UNROUTED: [&str; 6] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/128", "::1/128", "fe80::/10"];

/// The usual size of one node's pod range: what is guessed around a pod that no listed range holds.
const NODE_PREFIXES: (u8, u8) = (24, 64);

/// Whether an address is that of many: multicast, or the broadcast of every link. A subnet's own broadcast address
/// cannot be told without its mask.
fn is_many(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

/// The pod among those with one address that owned it at a time.
///
/// Of two, the later start is the owner from then on: the other must have gone, though no snapshot saw it go. Where
/// starts are equal or unknown and the workloads differ, nobody can tell.
fn pod_at<'c>(pods: &[&'c Pod], at: Timestamp) -> Option<Owner<'c>> {
    let begun = pods.partition_point(|pod| pod.started.is_none_or(|started| started <= at));
    let (last, earlier) = pods.get(..begun)?.split_last()?;
    let mut rivals = earlier.iter().filter(|pod| pod.workload != last.workload);
    let ambiguous = rivals.any(|rival| rival.started.is_none() || rival.started == last.started);
    Some(if ambiguous { Owner::Unknown } else { Owner::Pod(last) })
}

/// Who owns addresses: not pods that have ended, nor those that share their node's.
fn owners(pods: &[Pod]) -> HashMap<IpAddr, Vec<usize>> {
    let mut order: Vec<(usize, &Pod)> =
        pods.iter().enumerate().filter(|(_, pod)| !pod.finished && !pod.host_network).collect();
    order.sort_by_key(|(_, pod)| (pod.started, *pod));
    let mut owners: HashMap<IpAddr, Vec<usize>> = HashMap::new();
    for (n, pod) in order {
        for address in &pod.addresses {
            owners.entry(*address).or_default().push(n);
        }
    }
    owners
}

/// Nodes by address; the first keeps one that two had one after the other.
fn nodes(nodes: &[Node]) -> HashMap<IpAddr, usize> {
    let nodes = nodes.iter().enumerate().rev();
    nodes.flat_map(|(n, node)| node.addresses.iter().map(move |address| (*address, n))).collect()
}

fn pod_ranges(mut listed: Vec<IpNet>, addresses: &HashSet<IpAddr>) -> Vec<IpNet> {
    let known = Ranges::new(&listed);
    let strays = addresses.iter().filter(|address| known.at(**address).is_none());
    listed.extend(strays.map(|address| surroundings(*address)));
    sorted(IpNet::aggregate(&listed))
}

fn surroundings(address: IpAddr) -> IpNet {
    let prefix = if address.is_ipv4() { NODE_PREFIXES.0 } else { NODE_PREFIXES.1 };
    IpNet::new(address, prefix).map_or_else(|_| address.into(), |range| range.trunc())
}

/// Ranges that do not overlap, in order.
#[derive(Debug, Default)]
struct Ranges(Vec<IpNet>);

impl Ranges {
    fn new(ranges: &Vec<IpNet>) -> Self {
        Self(sorted(IpNet::aggregate(ranges)))
    }

    /// The range an address lies in.
    fn at(&self, address: IpAddr) -> Option<IpNet> {
        let after = self.0.partition_point(|range| range.network() <= address);
        self.0.get(after.checked_sub(1)?).copied().filter(|range| range.contains(&address))
    }
}

/// The ranges of a hosts file, which may lie within one another.
#[derive(Debug, Default)]
struct Hosts {
    /// Places in the cluster.
    by_range: HashMap<IpNet, usize>,
    /// Prefix lengths in use, for IPv4 and IPv6 together.
    prefixes: BTreeSet<u8>,
}

impl Hosts {
    fn new(hosts: &[Host]) -> Self {
        let by_range = hosts.iter().enumerate().rev().map(|(n, host)| (host.range, n)).collect();
        Self { by_range, prefixes: hosts.iter().map(|host| host.range.prefix_len()).collect() }
    }

    /// The narrowest range around an address.
    fn at(&self, address: IpAddr) -> Option<usize> {
        let mut ranges = self.prefixes.iter().rev().filter_map(|prefix| IpNet::new(address, *prefix).ok());
        ranges.find_map(|range| self.by_range.get(&range.trunc()).copied())
    }
}
