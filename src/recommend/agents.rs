//! Pods on the network of their nodes: what one of them was seen to do, those on other nodes do as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Input, Purpose,
    gather::{Edge, Far, Gathering, Side, Support},
    known::is_called,
    units::UnitId,
};
use crate::model::{Node, Pod, Protocol, WorkloadRef};

/// What agents of the network itself are called, or begin with before a dash: they are on every node and dial no pods.
const OF_NETWORKS: [&str; 16] = [
    "antrea-agent",
    "aws-node",
    "azure-cns",
    "calico-node",
    "canal",
    "cilium",
    "kindnet",
    "kube-flannel",
    "kube-flannel-ds",
    "kube-multus",
    "kube-proxy",
    "kube-router",
    "node-local-dns",
    "nodelocaldns",
    "ovnkube-node",
    "weave-net",
];

/// A `DaemonSet` on the network of its nodes.
struct Agent {
    name: String,
    /// Those of its pods, which are their nodes'.
    addresses: BTreeSet<IpAddr>,
    /// All that its nodes have.
    of_nodes: BTreeSet<IpAddr>,
    /// Ports that it declares.
    ports: BTreeSet<(Protocol, u16)>,
}

/// The `DaemonSet`s on the network of their nodes.
pub(super) struct Agents(Vec<Agent>);

impl Agents {
    pub fn new(input: Input<'_>) -> Self {
        let mut by_workload: BTreeMap<&WorkloadRef, Vec<&Pod>> = BTreeMap::new();
        for pod in input.cluster.pods.iter().filter(|pod| pod.host_network && !pod.finished) {
            if pod.workload.kind == "DaemonSet" && !is_called(&pod.workload.name, &OF_NETWORKS) {
                by_workload.entry(&pod.workload).or_default().push(pod);
            }
        }
        Self(by_workload.into_iter().map(|(workload, pods)| Agent::of(workload, &pods, &input.cluster.nodes)).collect())
    }

    /// Whose pods run on all of these nodes, on as few others as may be: several where they run on the same. Where they
    /// answer on a port, those that declare it.
    fn on(&self, nodes: &BTreeSet<IpAddr>, port: Option<(Protocol, u16)>) -> Vec<&Agent> {
        let is_on_all = |agent: &&Agent| nodes.is_subset(&agent.of_nodes);
        let declares = |agent: &&Agent| port.is_none_or(|port| agent.ports.contains(&port));
        let all: Vec<&Agent> = self.0.iter().filter(is_on_all).filter(declares).collect();
        let fewest = all.iter().map(|agent| agent.addresses.len()).min();
        all.into_iter().filter(|agent| Some(agent.addresses.len()) == fewest).collect()
    }
}

impl Agent {
    fn of(workload: &WorkloadRef, pods: &[&Pod], nodes: &[Node]) -> Self {
        let ports = pods.iter().flat_map(|pod| &pod.ports);
        let addresses: BTreeSet<IpAddr> = pods.iter().flat_map(|pod| &pod.addresses).copied().collect();
        let names: BTreeSet<&String> = pods.iter().filter_map(|pod| pod.node.as_ref()).collect();
        let own = nodes.iter().filter(|node| names.contains(&node.name)).flat_map(|node| &node.addresses);
        Self {
            name: workload.to_string(),
            of_nodes: addresses.iter().chain(own).copied().collect(),
            addresses,
            ports: ports.map(|port| (port.protocol, port.port)).collect(),
        }
    }
}

/// What was seen of nodes: at one side of a unit, and one port.
type Seen = BTreeMap<(UnitId, Side, Protocol, u16), BTreeSet<IpAddr>>;

impl Gathering<'_> {
    /// What is on the nodes' network may run on any of them: an Ingress controller, the API server where there are
    /// several, the pods of a `DaemonSet`. All nodes that it is on take part where one was seen, for a pod that moves,
    /// or a node that was silent, must not be cut off.
    pub(super) fn settle_nodes(&mut self) {
        let mut others: BTreeMap<Edge, BTreeSet<Purpose>> = BTreeMap::new();
        let mut seen = Seen::new();
        for (edge, support) in &self.edges {
            let Far::Node(address) = edge.far else { continue };
            if edge.side == Side::Ingress && support.purposes.contains(&Purpose::IngressController) {
                for address in self.known.ends_like(address) {
                    let other = Edge { far: Far::Node(*address), ..*edge };
                    others.entry(other).or_default().insert(Purpose::IngressController);
                }
            } else if support.purposes.iter().all(|purpose| *purpose == Purpose::Scrape) {
                seen.entry((edge.unit, edge.side, edge.protocol, edge.port)).or_default().insert(address);
            }
        }
        for ((unit, side, protocol, port), nodes) in &seen {
            for (address, purpose) in self.alike(nodes, *side, (*protocol, *port)) {
                let other = Edge { unit: *unit, side: *side, far: Far::Node(address), protocol: *protocol, port: *port };
                others.entry(other).or_default().insert(purpose);
            }
        }
        for (edge, purposes) in others {
            self.unseen.entry(edge).or_default().join(Support { purposes, ..Support::default() });
        }
    }

    /// The nodes that do what these do, and as what.
    fn alike(&self, nodes: &BTreeSet<IpAddr>, side: Side, port: (Protocol, u16)) -> Vec<(IpAddr, Purpose)> {
        let api_servers: BTreeSet<IpAddr> = self.known.api_servers.iter().map(|(address, _)| *address).collect();
        if side == Side::Ingress && nodes.is_subset(&api_servers) {
            return api_servers.into_iter().map(|address| (address, Purpose::ApiServer)).collect();
        }
        let agents = self.known.agents.on(nodes, (side == Side::Egress).then_some(port));
        let is_v4 = nodes.iter().any(IpAddr::is_ipv4);
        let is_v6 = nodes.iter().any(IpAddr::is_ipv6);
        let mut all = Vec::new();
        for agent in agents {
            let addresses = agent.addresses.iter().filter(|it| if it.is_ipv4() { is_v4 } else { is_v6 });
            all.extend(addresses.map(|address| (*address, Purpose::NodeAgent { workload: agent.name.clone() })));
        }
        all
    }
}
