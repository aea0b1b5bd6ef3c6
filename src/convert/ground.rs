//! What the inventory says of addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::{
    model::{Cluster, Labels, PRIVATE_RANGES, own_ends},
    policy::IpBlock,
};

/// Where nobody is a single host outside: this host, loopback, link-local, multicast and what is reserved (RFC 6890, RFC 4291).
const NOBODY: [&str; 9] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "fe80::/10",
    "ff00::/8",
];

/// Whose addresses are whose, as far as network plugins make a difference of it.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// The addresses of nodes, each with the node's place in the inventory: their own, and those that they have of their pod
    /// ranges.
    nodes: BTreeMap<IpAddr, usize>,
    count: usize,
    /// The addresses of the API server, each with its port.
    api_servers: BTreeSet<(IpAddr, u16)>,
    /// The addresses at which Services are dialled within the cluster, but the API server's.
    services: BTreeSet<IpAddr>,
    /// The addresses of pods that are on no node's network.
    pods: BTreeSet<IpAddr>,
    /// The labels of these, by namespace.
    labels: BTreeMap<String, BTreeSet<Labels>>,
    /// The addresses of Services, and the ranges that pods, Services and nodes have theirs from.
    inside: Vec<IpNet>,
}

impl Ground {
    /// What a cluster says, whose API server is at these addresses and ports.
    #[must_use]
    pub fn new(cluster: &Cluster, api_servers: BTreeSet<(IpAddr, u16)>) -> Self {
        let mut nodes = BTreeMap::new();
        for (n, node) in cluster.nodes.iter().enumerate() {
            let ends = node.pod_ranges.iter().flat_map(|range| own_ends(*range));
            nodes.extend(node.addresses.iter().copied().chain(ends).map(|address| (address, n)));
        }
        let networked = || cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network);
        let pods = networked().flat_map(|pod| pod.addresses.iter().copied());
        let pods = pods.filter(|it| !nodes.contains_key(it)).collect();
        let mut labels: BTreeMap<String, BTreeSet<Labels>> = BTreeMap::new();
        for pod in networked() {
            labels.entry(pod.namespace.clone()).or_default().insert(pod.labels.clone());
        }
        let dialled = cluster.services.iter().flat_map(|service| &service.cluster_ips).copied();
        let dialled = dialled.filter(|address| !api_servers.iter().any(|(api, _)| api == address)).collect();
        let services =
            cluster.services.iter().flat_map(|service| service.cluster_ips.iter().chain(&service.external_ips));
        let ranges = cluster.nodes.iter().flat_map(|node| &node.pod_ranges).chain(&cluster.service_ranges);
        let inside = services.map(|address| IpNet::from(*address)).chain(ranges.copied()).collect();
        Self { nodes, count: cluster.nodes.len(), api_servers, services: dialled, pods, labels, inside }
    }

    /// Adds ranges that are of the cluster as well.
    #[must_use]
    pub fn with_ranges(mut self, ranges: impl IntoIterator<Item = IpNet>) -> Self {
        self.inside.extend(ranges);
        self
    }

    /// Whether the inventory lists no nodes.
    #[must_use]
    pub fn has_no_nodes(&self) -> bool {
        self.count == 0
    }

    /// Whether the inventory lists no pods with a network of their own.
    #[must_use]
    pub fn has_no_pods(&self) -> bool {
        self.pods.is_empty()
    }

    /// How many nodes there are.
    pub(super) fn node_count(&self) -> usize {
        self.count
    }

    /// The addresses of nodes in a block, each with the node's place.
    pub(super) fn nodes_in(&self, block: &IpBlock) -> Vec<(IpAddr, usize)> {
        let within = self.nodes.range(block.cidr.network()..=block.cidr.broadcast());
        within.filter(|(address, _)| block.contains(**address)).map(|(address, node)| (*address, *node)).collect()
    }

    /// The addresses of the API server in a block, each with its port.
    pub(super) fn api_servers_in(&self, block: &IpBlock) -> Vec<(IpAddr, u16)> {
        self.api_servers.iter().filter(|(address, _)| block.contains(*address)).copied().collect()
    }

    /// How many pods have an address in a block.
    pub(super) fn pods_in(&self, block: &IpBlock) -> usize {
        let within = self.pods.range(block.cidr.network()..=block.cidr.broadcast());
        within.filter(|address| block.contains(**address)).count()
    }

    /// How many addresses of Services are in a block.
    pub(super) fn services_in(&self, block: &IpBlock) -> usize {
        let within = self.services.range(block.cidr.network()..=block.cidr.broadcast());
        within.filter(|address| block.contains(**address)).count()
    }

    /// Whether all of a block is pods' and Services', whom the target never knows by their addresses.
    pub(super) fn is_inside(&self, block: &IpBlock) -> bool {
        self.inside.iter().any(|range| range.contains(&block.cidr)) || self.pods.contains(&block.cidr.addr())
    }

    /// The labels of the pods of a namespace.
    pub(super) fn labels_in(&self, namespace: &str) -> impl Iterator<Item = &Labels> {
        self.labels.get(namespace).into_iter().flatten()
    }

    /// Whether nobody of the cluster can be in a block. A private one counts where nodes are known, and so where pods are:
    /// a database beside the cluster moves as well.
    pub(super) fn is_outside(&self, block: &IpBlock) -> bool {
        let holds_any =
            |ranges: &[&str]| ranges.iter().filter_map(|range| range.parse().ok()).any(|it| overlaps(block, it));
        !(holds_any(&NOBODY)
            || self.has_no_nodes() && PRIVATE_RANGES.iter().any(|it| overlaps(block, *it))
            || self.inside.iter().any(|range| overlaps(block, *range))
            || !self.nodes_in(block).is_empty()
            || !self.api_servers_in(block).is_empty()
            || self.pods_in(block) > 0)
    }
}

/// Whether an address may be in both; not where one exception holds all that they share.
fn overlaps(block: &IpBlock, range: IpNet) -> bool {
    let shared = if block.cidr.contains(&range) { range } else { block.cidr };
    range.contains(&shared) && !block.except.iter().any(|except| except.contains(&shared))
}

/// Whether an address is of one link alone.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
