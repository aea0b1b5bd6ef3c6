//! What the inventory says of addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    model::{Cluster, own_ends},
    policy::IpBlock,
};

/// Whose addresses are whose, as far as network plugins make a difference of it.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// The addresses of nodes, each with the node's place in the inventory: their own, and those that they have of their pod
    /// ranges.
    nodes: BTreeMap<IpAddr, usize>,
    count: usize,
    /// The addresses of the API server, each with its port.
    api_servers: BTreeSet<(IpAddr, u16)>,
    /// The addresses of pods that are on no node's network.
    pods: BTreeSet<IpAddr>,
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
        let pods = cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network);
        let pods = pods.flat_map(|pod| pod.addresses.iter().copied()).filter(|it| !nodes.contains_key(it)).collect();
        Self { nodes, count: cluster.nodes.len(), api_servers, pods }
    }

    /// Whether the inventory lists no nodes.
    #[must_use]
    pub fn has_no_nodes(&self) -> bool {
        self.count == 0
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
}
