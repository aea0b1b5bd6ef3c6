//! Pods on the network of their nodes: what one of them was seen to do, those on other nodes do as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Input, Purpose,
    edge::{Edge, Far, Side, Support},
    gather::Gathering,
    known::{Home, Known, NodeEnd, is_called},
    units::UnitId,
};
use crate::model::{Cluster, Node, Pod, Protocol, WorkloadRef};

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
    on: Nodes,
    /// Ports that it declares.
    ports: BTreeSet<(Protocol, u16)>,
}

/// Nodes by their places in the inventory, and those of their own addresses that serve what is on them.
struct Nodes {
    places: BTreeSet<usize>,
    addresses: BTreeSet<IpAddr>,
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
    fn on(&self, nodes: &BTreeSet<usize>, port: Option<(Protocol, u16)>) -> Vec<&Agent> {
        let is_on_all = |agent: &&Agent| nodes.is_subset(&agent.on.places);
        let declares = |agent: &&Agent| port.is_none_or(|port| agent.ports.contains(&port));
        let all: Vec<&Agent> = self.0.iter().filter(is_on_all).filter(declares).collect();
        let fewest = all.iter().map(|agent| agent.on.places.len()).min();
        all.into_iter().filter(|agent| Some(agent.on.places.len()) == fewest).collect()
    }
}

impl Agent {
    fn of(workload: &WorkloadRef, pods: &[&Pod], nodes: &[Node]) -> Self {
        let ports = pods.iter().flat_map(|pod| &pod.ports);
        let addresses = pods.iter().flat_map(|pod| &pod.addresses).copied().collect();
        Self {
            name: workload.to_string(),
            on: Nodes { places: places(pods, nodes), addresses },
            ports: ports.map(|port| (port.protocol, port.port)).collect(),
        }
    }
}

/// Where Ingress controllers may be that are on the network of their nodes: on all nodes, but where all of them are
/// `DaemonSet`s.
pub(super) struct Controllers(Option<BTreeSet<usize>>);

impl Controllers {
    /// Those that are called so; where there are none of such a name, nobody knows what they are called.
    pub fn new(cluster: &Cluster, called: &[&str]) -> Self {
        let is_one = |pod: &&Pod| {
            let names = pod.labels.0.values().chain([&pod.workload.name]);
            pod.host_network && !pod.finished && names.into_iter().any(|name| is_called(name, called))
        };
        let all: Vec<&Pod> = cluster.pods.iter().filter(is_one).collect();
        let stay = !all.is_empty() && all.iter().all(|pod| pod.workload.kind == "DaemonSet");
        Self(stay.then(|| places(&all, &cluster.nodes)))
    }

    /// Whether one may be on a node.
    pub fn may_be_on(&self, node: usize) -> bool {
        self.0.as_ref().is_none_or(|places| places.contains(&node))
    }
}

/// The nodes that pods are on.
fn places(pods: &[&Pod], nodes: &[Node]) -> BTreeSet<usize> {
    let names: BTreeSet<&String> = pods.iter().filter_map(|pod| pod.node.as_ref()).collect();
    nodes.iter().enumerate().filter(|(_, node)| names.contains(&node.name)).map(|(n, _)| n).collect()
}

impl Nodes {
    /// Their addresses of the kinds that these are.
    fn addresses_like(&self, seen: &BTreeSet<IpAddr>, known: &Known<'_>) -> Vec<IpAddr> {
        let kind = |address: IpAddr| known.home(address).map(|home| (home.end, address.is_ipv4()));
        let kinds: BTreeSet<_> = seen.iter().filter_map(|address| kind(*address)).collect();
        let is_like = |(address, home): &(IpAddr, Home)| {
            let serves = home.end != NodeEnd::Own || self.addresses.contains(address);
            serves && self.places.contains(&home.node) && kinds.contains(&(home.end, address.is_ipv4()))
        };
        known.homes().filter(is_like).map(|(address, _)| address).collect()
    }
}

/// What was seen of nodes: at one side of a unit, and one port.
type Seen = BTreeMap<(UnitId, Side, Protocol, u16), BTreeSet<IpAddr>>;

impl Gathering<'_> {
    /// What is on the nodes' network may run on others of them: an Ingress controller, the API server where there are
    /// several, the pods of a `DaemonSet`. All nodes that it may be on take part where one was seen, for a pod that
    /// moves, or a node that was silent, must not be cut off.
    pub(super) fn settle_nodes(&mut self) {
        let mut others: BTreeMap<Edge, BTreeSet<Purpose>> = BTreeMap::new();
        let mut seen = Seen::new();
        for (edge, support) in &self.edges {
            let Far::Node(address) = edge.far else { continue };
            if edge.side == Side::Ingress && support.purposes.contains(&Purpose::IngressController) {
                for address in self.known.controllers_like(address) {
                    let other = Edge { far: Far::Node(address), ..*edge };
                    others.entry(other).or_default().insert(Purpose::IngressController);
                }
            } else if support.purposes.iter().all(|purpose| *purpose == Purpose::Scrape) {
                seen.entry((edge.unit, edge.side, edge.protocol, edge.port)).or_default().insert(address);
            }
        }
        let api_servers = self.api_servers();
        for ((unit, side, protocol, port), nodes) in &seen {
            for (address, purpose) in self.alike(nodes, &api_servers, *side, (*protocol, *port)) {
                let other =
                    Edge { unit: *unit, side: *side, far: Far::Node(address), protocol: *protocol, port: *port };
                others.entry(other).or_default().insert(purpose);
            }
        }
        for (edge, purpose) in self.webhooks_over_overlay(&api_servers).into_iter().chain(self.webhooks_by_agents()) {
            others.entry(edge).or_default().insert(purpose);
        }
        for (edge, purposes) in others {
            self.unseen.entry(edge).or_default().join(Support { purposes, ..Support::default() });
        }
    }

    /// The nodes that API servers are on.
    fn api_servers(&self) -> Nodes {
        let addresses: BTreeSet<IpAddr> = self.known.api_servers.iter().map(|(address, _)| *address).collect();
        let places = addresses.iter().filter_map(|address| self.known.home(*address)).map(|home| home.node).collect();
        Nodes { places, addresses }
    }

    /// The addresses of nodes that do what these do, and as what.
    fn alike(
        &self,
        seen: &BTreeSet<IpAddr>,
        api_servers: &Nodes,
        side: Side,
        port: (Protocol, u16),
    ) -> Vec<(IpAddr, Purpose)> {
        let homes: Option<BTreeSet<usize>> =
            seen.iter().map(|address| self.known.home(*address).map(|home| home.node)).collect();
        let Some(places) = homes else { return Vec::new() };
        let all = |nodes: &Nodes, purpose: &Purpose| -> Vec<(IpAddr, Purpose)> {
            let addresses = nodes.addresses_like(seen, self.known).into_iter();
            addresses.map(|address| (address, purpose.clone())).collect()
        };
        if side == Side::Ingress && places.is_subset(&api_servers.places) {
            return all(api_servers, &Purpose::ApiServer);
        }
        let agents = self.known.agents.on(&places, (side == Side::Egress).then_some(port)).into_iter();
        agents.flat_map(|agent| all(&agent.on, &Purpose::NodeAgent { workload: agent.name.clone() })).collect()
    }

    /// Where API servers reach pods by the agents of konnectivity alone, these ask webhooks in their place.
    fn webhooks_by_agents(&self) -> Vec<(Edge, Purpose)> {
        let mut all = Vec::new();
        for (webhook, own) in &self.known.webhooks {
            for (agent, (port, purpose)) in
                self.known.konnectivity.iter().flat_map(|it| own.iter().map(move |own| (it, own)))
            {
                let ends = [(*webhook, Side::Ingress, *agent), (*agent, Side::Egress, *webhook)];
                let edges = ends.map(|(unit, side, far)| {
                    let (far, protocol) = (Far::Unit(far), Protocol::TCP);
                    (Edge { unit, side, far, protocol, port: *port }, purpose.clone())
                });
                all.extend(edges.into_iter().filter(|(edge, _)| self.is_wanted(edge.unit)));
            }
        }
        all
    }

    /// Where nodes reach pods of others by an overlay or a tunnel, the API server asks webhooks from there.
    fn webhooks_over_overlay(&self, api_servers: &Nodes) -> Vec<(Edge, Purpose)> {
        let ends = self.edges.keys().chain(self.unseen.keys()).filter(|edge| edge.side == Side::Ingress);
        let nodes = ends.filter_map(|edge| if let Far::Node(address) = edge.far { Some(address) } else { None });
        let is_end = |home: Home| matches!(home.end, NodeEnd::Overlay | NodeEnd::Tunnel);
        let is_overlay = |address: &IpAddr| self.known.home(*address).is_some_and(is_end);
        let overlays: BTreeSet<IpAddr> = nodes.filter(is_overlay).collect();
        let mut all = Vec::new();
        for address in api_servers.addresses_like(&overlays, self.known) {
            let webhooks = self.known.webhooks.iter().filter(|(unit, _)| self.is_wanted(**unit));
            for (unit, (port, purpose)) in webhooks.flat_map(|(unit, own)| own.iter().map(move |own| (*unit, own))) {
                let (side, far, protocol) = (Side::Ingress, Far::Node(address), Protocol::TCP);
                all.push((Edge { unit, side, far, protocol, port: *port }, purpose.clone()));
            }
        }
        all
    }
}
