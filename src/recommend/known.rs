//! Who is known by what he is for: monitoring, Ingress controllers, the API server, webhooks, the node-local DNS cache.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Input, Purpose,
    agents::{Agents, Controllers},
    exposure::ingress_ports,
    units::{UnitId, Units},
};
use crate::model::{Dependency, PartyKind, Service, ServiceKind, ServicePort, own_ends, well_known};

/// Where the cluster's DNS Service is: everywhere but on `OpenShift` the first.
const DNS_NAMESPACES: [&str; 2] = ["kube-system", "openshift-dns"];

/// What systems that read metrics are called, or begin with before a dash.
const SCRAPERS: [&str; 7] =
    ["prometheus", "vmagent", "vmsingle", "victoria-metrics-agent", "grafana-agent", "alloy", "otel-collector"];

/// What stands beside them under their name and reads nothing.
const BESIDE_SCRAPERS: [&str; 6] =
    ["operator", "adapter", "pushgateway", "alertmanager", "node-exporter", "kube-state-metrics"];

/// What Ingress controllers are called, or begin with before a dash.
const CONTROLLERS: [&str; 15] = [
    "ambassador",
    "contour",
    "emissary-ingress",
    "envoy",
    "haproxy-ingress",
    "haproxy-kubernetes-ingress",
    "ingress-nginx",
    "istio-ingress",
    "istio-ingressgateway",
    "kong",
    "nginx-ingress",
    "rke2-ingress-nginx",
    "rke2-traefik",
    "router-default",
    "traefik",
];

/// As what a node has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NodeEnd {
    /// Its own.
    Own,
    /// The first of its pod range: network plugins give it to the node's end of an overlay (`flannel.1`).
    Overlay,
    /// The one after that, which they give to the node's bridge (`cni0`).
    Bridge,
    /// One of its own that a network plugin gave it in the pod network, and noted (`tunl0`, `cilium_host`).
    Tunnel,
}

impl NodeEnd {
    /// Whether it is one of the addresses that a node lists, or its plugin notes.
    fn is_own(self) -> bool {
        matches!(self, Self::Own | Self::Tunnel)
    }
}

/// A node that has an address.
#[derive(Clone, Copy)]
pub(super) struct Home {
    /// Its place in the inventory.
    pub node: usize,
    pub end: NodeEnd,
}

/// Who is known.
pub(super) struct Known<'a> {
    services: BTreeMap<(&'a str, &'a str), &'a Service>,
    scrapers: BTreeSet<UnitId>,
    controllers: BTreeSet<UnitId>,
    /// The Ingress controllers on their nodes' network.
    on_nodes: Controllers,
    /// Behind the Services that an Ingress leads to, each with the port there.
    backends: BTreeSet<(UnitId, u16)>,
    /// The addresses of the API server, each with its port.
    pub api_servers: BTreeSet<(IpAddr, u16)>,
    /// The addresses behind webhooks' Services, each with its port there.
    pub webhooks: BTreeMap<UnitId, BTreeSet<(u16, Purpose)>>,
    /// By whom API servers reach the cluster's pods where they are not in its network.
    pub konnectivity: BTreeSet<UnitId>,
    /// The ports of the cluster's DNS Service.
    pub dns: Vec<(&'a Service, &'a ServicePort)>,
    /// Pods that are known by their names alone: those behind headless Services.
    pub headless: BTreeSet<IpAddr>,
    /// What runs on the nodes' network.
    pub agents: Agents,
    homes: BTreeMap<IpAddr, Home>,
}

impl<'a> Known<'a> {
    pub fn new(input: Input<'a>, units: &Units) -> Self {
        let named = |known: &[&str]| {
            let of = |(n, unit): (UnitId, &super::units::Unit)| {
                let labels = unit.selector.equal.0.values().map(String::as_str);
                let names = unit.members.iter().map(|member| member.name.as_str()).chain(labels);
                names.into_iter().any(|name| is_called(name, known)).then_some(n)
            };
            units.all.iter().enumerate().filter_map(of).collect()
        };
        let services = input.cluster.services.iter();
        Self {
            services: services.map(|it| ((it.namespace.as_str(), it.name.as_str()), it)).collect(),
            scrapers: named(&SCRAPERS),
            controllers: named(&CONTROLLERS),
            on_nodes: Controllers::new(input.cluster, &CONTROLLERS),
            backends: backends(input, units),
            api_servers: input.directory.api_servers(),
            webhooks: webhooks(input, units),
            konnectivity: konnectivity(units),
            dns: dns(input),
            headless: headless(input),
            agents: Agents::new(input),
            homes: homes(input),
        }
    }

    /// The node that has an address, and as what.
    pub fn home(&self, address: IpAddr) -> Option<Home> {
        self.homes.get(&address).copied()
    }

    /// Whether an address is a node's.
    pub fn is_node(&self, address: IpAddr) -> bool {
        self.home(address).is_some_and(|home| home.end.is_own())
    }

    /// Whether an address is a node's end of the pod network.
    pub fn is_end_of_node(&self, address: IpAddr) -> bool {
        self.home(address).is_some_and(|home| !home.end.is_own())
    }

    /// The addresses of nodes, and as what which of them has each.
    pub fn homes(&self) -> impl Iterator<Item = (IpAddr, Home)> {
        self.homes.iter().map(|(address, home)| (*address, *home))
    }

    /// The addresses of nodes that are their own, whoever has one of their pod ranges.
    pub fn own_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.homes().filter(|(_, home)| home.end.is_own()).map(|(address, _)| address)
    }

    /// The addresses under which other nodes hand on what comes to them, where one does so under this one.
    pub fn ends_like(&self, address: IpAddr) -> impl Iterator<Item = IpAddr> {
        self.like(address).map(|(address, _)| address)
    }

    /// The addresses of the nodes like this one that an Ingress controller may be on.
    pub fn controllers_like(&self, address: IpAddr) -> impl Iterator<Item = IpAddr> {
        self.like(address).filter(|(_, home)| self.on_nodes.may_be_on(home.node)).map(|(address, _)| address)
    }

    fn like(&self, address: IpAddr) -> impl Iterator<Item = (IpAddr, Home)> {
        let end = self.home(address).map_or(NodeEnd::Own, |home| home.end);
        // what comes in at its own node a node hands on by its own address, and to other nodes by its tunnel
        self.homes().filter(move |(_, home)| home.end == end || home.end.is_own() && end.is_own())
    }

    /// Whether an Ingress controller may have been on the node that has this address.
    fn may_have_controller(&self, address: IpAddr) -> bool {
        self.home(address).is_none_or(|home| self.on_nodes.may_be_on(home.node))
    }

    /// The addresses under which nodes hand on to each other's pods what comes to them, as far as it is not known.
    pub fn ends(&self) -> impl Iterator<Item = IpAddr> {
        self.homes().filter(|(_, home)| home.end != NodeEnd::Bridge).map(|(address, _)| address)
    }

    /// The Service of a name, as `namespace/name`.
    pub fn service(&self, name: &str) -> Option<&'a Service> {
        self.services.get(&name.split_once('/')?).copied()
    }

    /// What a dependency is for, where that is known.
    pub fn purpose(&self, dependency: &Dependency, client: Option<UnitId>, server: Option<UnitId>) -> Option<Purpose> {
        let is_of = |unit: Option<UnitId>, known: &BTreeSet<UnitId>| unit.is_some_and(|unit| known.contains(&unit));
        let is_host = dependency.client.kind == PartyKind::Node;
        if dependency.server.addresses.iter().any(|address| self.api_servers.contains(&(*address, dependency.port))) {
            return Some(Purpose::ApiServer);
        }
        if is_of(client, &self.scrapers) {
            return Some(Purpose::Scrape);
        }
        let is_fronted = server.is_some_and(|unit| self.backends.contains(&(unit, dependency.port)));
        let is_outside = matches!(dependency.client.kind, PartyKind::External | PartyKind::Host);
        if is_fronted && is_outside && dependency.via.is_empty() {
            return Some(Purpose::PastIngress);
        }
        // a controller on its nodes' network is known by what it leads to, and by where it is where its pods are listed
        let addresses = &dependency.client.addresses;
        let is_controller = is_of(client, &self.controllers)
            || is_host && is_fronted && addresses.iter().any(|address| self.may_have_controller(*address));
        (is_controller && (is_fronted || self.backends.is_empty())).then_some(Purpose::IngressController)
    }
}

/// Whether a name is one of these, or begins with it before a dash.
pub(super) fn is_called(name: &str, known: &[&str]) -> bool {
    let is_beside = || BESIDE_SCRAPERS.iter().any(|other| name.contains(other));
    known
        .iter()
        .any(|it| name == *it || name.strip_prefix(it).is_some_and(|rest| rest.starts_with('-') && !is_beside()))
}

fn find<'a>(input: Input<'a>, namespace: &str, name: &str) -> Option<&'a Service> {
    input.cluster.services.iter().find(|service| service.namespace == namespace && service.name == name)
}

fn backends(input: Input<'_>, units: &Units) -> BTreeSet<(UnitId, u16)> {
    let mut found = BTreeSet::new();
    for ingress in &input.cluster.ingresses {
        for (service, port) in ingress_ports(input.cluster, ingress) {
            let pods = input.directory.backends(service).into_iter();
            found.extend(pods.filter_map(|pod| Some((units.of(&pod.workload)?, port.on(pod)?))));
        }
    }
    found
}

fn dns(input: Input<'_>) -> Vec<(&Service, &ServicePort)> {
    let services = input.cluster.services.iter();
    // others there may answer names too, of whom no pod was told (`pihole`)
    let is_it =
        |service: &&Service| DNS_NAMESPACES.contains(&service.namespace.as_str()) && service.name.contains("dns");
    let services = services.filter(is_it);
    let ports = services.flat_map(|service| service.ports.iter().map(move |port| (service, port)));
    ports.filter(|(_, port)| port.port == well_known::DNS).collect()
}

fn headless(input: Input<'_>) -> BTreeSet<IpAddr> {
    let services = input.cluster.services.iter();
    let services = services.filter(|it| it.cluster_ips.is_empty() && it.kind != ServiceKind::ExternalName);
    services.flat_map(|it| input.directory.backends(it)).flat_map(|pod| pod.addresses.iter().copied()).collect()
}

fn homes(input: Input<'_>) -> BTreeMap<IpAddr, Home> {
    let mut homes = BTreeMap::new();
    let nodes = || input.cluster.nodes.iter().enumerate();
    let tunnels: BTreeSet<IpAddr> = input.cluster.tunnels.iter().copied().collect();
    let end = |address| if tunnels.contains(address) { NodeEnd::Tunnel } else { NodeEnd::Own };
    let own = nodes().flat_map(|(n, node)| node.addresses.iter().map(move |address| (n, end(address), *address)));
    let ranges = nodes().flat_map(|(n, node)| node.pod_ranges.iter().map(move |range| (n, own_ends(*range))));
    let ends = ranges.flat_map(|(n, [first, second])| [(n, NodeEnd::Overlay, first), (n, NodeEnd::Bridge, second)]);
    for (node, end, address) in own.chain(ends) {
        homes.entry(address).or_insert(Home { node, end });
    }
    homes
}

/// The agents of konnectivity (`apiserver-network-proxy`), as managed clusters call them.
fn konnectivity(units: &Units) -> BTreeSet<UnitId> {
    let is_one = |unit: &super::units::Unit| {
        unit.namespace == "kube-system" && unit.members.iter().any(|it| it.name == "konnectivity-agent")
    };
    units.all.iter().enumerate().filter(|(_, unit)| is_one(unit)).map(|(n, _)| n).collect()
}

fn webhooks(input: Input<'_>, units: &Units) -> BTreeMap<UnitId, BTreeSet<(u16, Purpose)>> {
    let mut found: BTreeMap<UnitId, BTreeSet<(u16, Purpose)>> = BTreeMap::new();
    for webhook in &input.cluster.webhooks {
        let Some(service) = find(input, &webhook.namespace, &webhook.service) else { continue };
        let configuration = webhook.configuration.clone();
        let purpose = Purpose::Webhook { configuration, asked_for: webhook.asked_for };
        for port in service.ports.iter().filter(|port| port.port == webhook.port) {
            let targets = input.directory.present_targets(service, port);
            for pod in input.directory.backends(service) {
                let numbers = targets.iter().filter(|(address, _)| pod.addresses.contains(address));
                let numbers = numbers.map(|(_, number)| (*number, purpose.clone()));
                if let Some(unit) = units.of(&pod.workload) {
                    found.entry(unit).or_default().extend(numbers);
                }
            }
        }
    }
    found
}
