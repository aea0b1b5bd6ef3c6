//! Services by what clients dial, and the pods behind them.

use std::net::IpAddr;

use foldhash::HashMap;

use super::{directory::Directory, field::sorted};
use crate::model::{Cluster, Endpoint, Pod, Protocol, Service, ServicePort, TargetPort};

/// A Service and one of its ports, by their places in the cluster.
type PortPlace = (usize, usize);

/// The Services of a cluster, arranged for looking up.
#[derive(Debug, Default)]
pub(super) struct Services {
    by_address: HashMap<IpAddr, usize>,
    /// Several Services may share a load balancer's address, each with ports of its own.
    by_socket: HashMap<(IpAddr, Protocol, u16), PortPlace>,
    by_node_port: HashMap<(Protocol, u16), PortPlace>,
    /// The places of pods that have not ended, by namespace.
    pods: HashMap<String, Vec<usize>>,
    /// The places of Endpoints, by `namespace/service`.
    endpoints: HashMap<String, Vec<usize>>,
}

impl Services {
    pub fn new(cluster: &Cluster) -> Self {
        let mut all = Self::default();
        // ClusterIPs first: they are one Service's alone, an external IP may be claimed by anybody
        for (n, service) in cluster.services.iter().enumerate() {
            all.add(n, service, &service.cluster_ips);
        }
        for (n, service) in cluster.services.iter().enumerate() {
            all.add(n, service, &service.external_ips);
        }
        for (n, pod) in cluster.pods.iter().enumerate().filter(|(_, pod)| !pod.finished) {
            all.pods.entry(pod.namespace.clone()).or_default().push(n);
        }
        for (n, endpoint) in cluster.endpoints.iter().enumerate() {
            all.endpoints.entry(format!("{}/{}", endpoint.namespace, endpoint.service)).or_default().push(n);
        }
        all
    }

    fn add(&mut self, n: usize, service: &Service, addresses: &[IpAddr]) {
        for address in addresses {
            self.by_address.entry(*address).or_insert(n);
        }
        for (m, port) in service.ports.iter().enumerate() {
            for address in addresses {
                self.by_socket.entry((*address, port.protocol, port.port)).or_insert((n, m));
            }
            if let Some(number) = port.node_port {
                self.by_node_port.entry((port.protocol, number)).or_insert((n, m));
            }
        }
    }
}

impl Directory {
    /// The Service that has an address for its own.
    pub(super) fn service_of(&self, address: IpAddr) -> Option<&Service> {
        self.cluster.services.get(*self.services.by_address.get(&address)?)
    }

    /// The Service that answers at an address (its ClusterIP, external IP or load balancer's) and port.
    #[must_use]
    pub fn service_at(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<(&Service, &ServicePort)> {
        self.service_port(*self.services.by_socket.get(&(address.to_canonical(), protocol, port))?)
    }

    /// The Service that answers at a port of every node.
    #[must_use]
    pub fn node_port(&self, protocol: Protocol, port: u16) -> Option<(&Service, &ServicePort)> {
        self.service_port(*self.services.by_node_port.get(&(protocol, port))?)
    }

    fn service_port(&self, (n, m): PortPlace) -> Option<(&Service, &ServicePort)> {
        let service = self.cluster.services.get(n)?;
        Some((service, service.ports.get(m)?))
    }

    /// The pods behind a Service that have not ended: by its selector, else by its Endpoints.
    #[must_use]
    pub fn backends(&self, service: &Service) -> Vec<&Pod> {
        if let Some(selector) = &service.selector {
            let places = self.services.pods.get(&service.namespace).into_iter().flatten();
            let pods = places.filter_map(|n| self.cluster.pods.get(*n));
            return pods.filter(|pod| pod.labels.contain(selector)).collect();
        }
        let behind = self.endpoints(service).flat_map(|endpoint| self.pods_at(endpoint.address));
        sorted(behind)
    }

    /// The addresses and ports that a Service's port leads to: of its selected pods, else of its Endpoints. In order.
    #[must_use]
    pub fn targets(&self, service: &Service, port: &ServicePort) -> Vec<(IpAddr, u16)> {
        let selected = if service.selector.is_some() { self.backends(service) } else { Vec::new() };
        let numbered = selected.into_iter().filter_map(|pod| Some((pod, target_port(port, pod)?)));
        let targets = sorted(numbered.flat_map(|(pod, number)| pod.addresses.iter().map(move |ip| (*ip, number))));
        if !targets.is_empty() {
            return targets;
        }
        let behind = self.endpoints(service).filter(|endpoint| endpoint.protocol == port.protocol);
        let behind = behind.filter(|endpoint| endpoint.port_name == port.name);
        sorted(behind.map(|endpoint| (endpoint.address, endpoint.port.unwrap_or(port.port))))
    }

    fn endpoints(&self, service: &Service) -> impl Iterator<Item = &Endpoint> + use<'_> {
        let places = self.services.endpoints.get(&format!("{}/{}", service.namespace, service.name));
        places.into_iter().flatten().filter_map(|n| self.cluster.endpoints.get(*n))
    }

    /// All ClusterIPs, in order: the ranges they come from are written in no object.
    #[must_use]
    pub fn cluster_ips(&self) -> Vec<IpAddr> {
        sorted(self.cluster.services.iter().flat_map(|service| service.cluster_ips.iter().copied()))
    }
}

/// Where a Service's port leads on one pod: pods may give a named port different numbers. None where the pod has no
/// port of that name.
#[must_use]
pub fn target_port(port: &ServicePort, pod: &Pod) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => {
            let mut named = pod.ports.iter().filter(|own| own.name.as_ref() == Some(name));
            named.find(|own| own.protocol == port.protocol).map(|own| own.port)
        }
    }
}
