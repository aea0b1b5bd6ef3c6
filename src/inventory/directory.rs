//! Fast lookups in a [`Cluster`].

use std::net::{IpAddr, Ipv4Addr};

use foldhash::HashMap;
use ipnet::IpNet;

use crate::model::{Cluster, Host, Node, Pod, Protocol, Service, ServicePort, TargetPort, Timestamp};

/// Who an address was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'d> {
    /// A pod with an address of its own.
    Pod(&'d Pod),
    /// A node, and all that shares its network.
    Node(&'d Node),
    /// A Service: nobody by itself.
    Service(&'d Service),
    /// A host from a hosts file.
    Host(&'d Host),
    /// Multicast or broadcast.
    Multicast,
    /// Inside the cluster's ranges, but nobody known owned it then.
    Unknown,
    /// Outside.
    External,
}

/// A cluster, indexed. Of one moment, but for pods, which own an address from their start to their end.
#[derive(Debug, Default)]
pub struct Directory {
    cluster: Cluster,
    /// Pods by address, the later started first.
    pods: HashMap<IpAddr, Vec<usize>>,
    nodes: HashMap<IpAddr, usize>,
    services: HashMap<IpAddr, Vec<usize>>,
    node_ports: HashMap<(Protocol, u16), (usize, usize)>,
    hosts: Vec<usize>,
    pod_ranges: Vec<IpNet>,
}

impl Directory {
    /// Indexes a cluster.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let mut directory = Self { cluster: cluster.clone(), pod_ranges: pod_ranges(cluster), ..Self::default() };
        for (n, pod) in cluster.pods.iter().enumerate().filter(|(_, pod)| !pod.host_network && !pod.finished) {
            pod.addresses.iter().for_each(|address| directory.pods.entry(*address).or_default().push(n));
        }
        for pods in directory.pods.values_mut() {
            pods.sort_by_key(|n| std::cmp::Reverse(cluster.pods.get(*n).and_then(|pod| pod.started)));
        }
        for (n, node) in cluster.nodes.iter().enumerate() {
            directory.nodes.extend(node.addresses.iter().map(|address| (*address, n)));
        }
        for (n, service) in cluster.services.iter().enumerate() {
            for address in service.cluster_ips.iter().chain(&service.external_ips) {
                directory.services.entry(*address).or_default().push(n);
            }
            for (m, port) in service.ports.iter().enumerate() {
                directory.node_ports.extend(port.node_port.map(|number| ((port.protocol, number), (n, m))));
            }
        }
        directory.hosts = (0..cluster.hosts.len()).collect();
        // the longest prefix first
        directory.hosts.sort_by_key(|n| std::cmp::Reverse(cluster.hosts.get(*n).map(|host| host.range.prefix_len())));
        directory
    }

    /// What it was made from.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Who an address was at a time.
    #[must_use]
    pub fn who(&self, address: IpAddr, at: Timestamp) -> Owner<'_> {
        if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Owner::Multicast;
        }
        if let Some(pods) = self.pods.get(&address) {
            return self.pod_at(pods, at).map_or(Owner::Unknown, Owner::Pod);
        }
        if let Some(node) = self.nodes.get(&address).and_then(|n| self.cluster.nodes.get(*n)) {
            return Owner::Node(node);
        }
        if let Some(service) = self.services.get(&address).and_then(|all| all.first()) {
            return self.cluster.services.get(*service).map_or(Owner::Unknown, Owner::Service);
        }
        let mut hosts = self.hosts.iter().filter_map(|n| self.cluster.hosts.get(*n));
        if let Some(host) = hosts.find(|host| host.range.contains(&address)) {
            return Owner::Host(host);
        }
        let is_local = match address {
            IpAddr::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
            IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified(),
        };
        let is_inside = self.pod_ranges.iter().any(|range| range.contains(&address));
        if is_local || is_inside { Owner::Unknown } else { Owner::External }
    }

    /// The pod that had the address then: the last one started before. Two that started together are nobody.
    fn pod_at(&self, pods: &[usize], at: Timestamp) -> Option<&Pod> {
        let has_started = |pod: &&Pod| pod.started.is_none_or(|started| started <= at);
        let mut started = pods.iter().filter_map(|n| self.cluster.pods.get(*n)).filter(has_started);
        let (last, before) = (started.next()?, started.next());
        let is_clear = before.is_none_or(|before| before.workload == last.workload || before.started != last.started);
        is_clear.then_some(last)
    }

    /// The Service that has this address, and its port.
    #[must_use]
    pub fn service_at(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<(&Service, &ServicePort)> {
        let services = self.services.get(&address)?.iter().filter_map(|n| self.cluster.services.get(*n));
        services
            .flat_map(|service| service.ports.iter().map(move |declared| (service, declared)))
            .find(|(_, declared)| declared.protocol == protocol && declared.port == port)
    }

    /// The Service that answers on this port of every node.
    #[must_use]
    pub fn node_port(&self, protocol: Protocol, port: u16) -> Option<(&Service, &ServicePort)> {
        let (service, declared) = self.node_ports.get(&(protocol, port))?;
        let service = self.cluster.services.get(*service)?;
        Some((service, service.ports.get(*declared)?))
    }

    /// The addresses and ports that a Service's port leads to: its selected pods, else its Endpoints. Sorted.
    #[must_use]
    pub fn targets(&self, service: &Service, port: &ServicePort) -> Vec<(IpAddr, u16)> {
        let mut targets: Vec<(IpAddr, u16)> = match &service.selector {
            Some(selector) => {
                let is_selected =
                    |pod: &&Pod| pod.namespace == service.namespace && !pod.finished && pod.labels.contain(selector);
                let pods = self.cluster.pods.iter().filter(is_selected);
                pods.flat_map(|pod| target_port(pod, port).into_iter().flat_map(|target| on(pod, target))).collect()
            }
            None => Vec::new(),
        };
        if targets.is_empty() {
            let of_port = |endpoint: &&crate::model::Endpoint| {
                endpoint.namespace == service.namespace
                    && endpoint.service == service.name
                    && endpoint.protocol == port.protocol
                    && endpoint.port_name == port.name
            };
            let endpoints = self.cluster.endpoints.iter().filter(of_port);
            targets = endpoints.map(|endpoint| (endpoint.address, endpoint.port.unwrap_or(port.port))).collect();
        }
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    /// Whether the pod that had the address then declares this port.
    #[must_use]
    pub fn declares(&self, address: IpAddr, at: Timestamp, protocol: Protocol, port: u16) -> bool {
        let Owner::Pod(pod) = self.who(address, at) else { return false };
        pod.ports.iter().any(|declared| declared.protocol == protocol && declared.port == port)
    }

    /// The ranges that pods get their addresses from.
    #[must_use]
    pub fn pod_ranges(&self) -> Vec<IpNet> {
        self.pod_ranges.clone()
    }
}

/// The number behind a target port: pods may give one name different numbers.
fn target_port(pod: &Pod, port: &ServicePort) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => {
            let is_named = |declared: &&crate::model::ContainerPort| {
                declared.protocol == port.protocol && declared.name.as_ref() == Some(name)
            };
            pod.ports.iter().find(is_named).map(|declared| declared.port)
        }
    }
}

fn on(pod: &Pod, port: u16) -> impl Iterator<Item = (IpAddr, u16)> {
    pod.addresses.iter().map(move |address| (*address, port))
}

/// What the nodes say; where none says it, the /24 or /64 around every pod.
fn pod_ranges(cluster: &Cluster) -> Vec<IpNet> {
    let mut ranges: Vec<IpNet> = cluster.nodes.iter().flat_map(|node| node.pod_ranges.iter().copied()).collect();
    let pods = cluster.pods.iter().filter(|pod| !pod.host_network);
    for address in pods.flat_map(|pod| &pod.addresses) {
        if !ranges.iter().any(|range| range.contains(address)) {
            let prefix = if address.is_ipv4() { 24 } else { 64 };
            ranges.extend(IpNet::new(*address, prefix).ok().map(|range| range.trunc()));
        }
    }
    IpNet::aggregate(&ranges)
}
