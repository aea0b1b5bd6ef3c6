//! Ports that Services expose to the outside.

use std::{net::IpAddr, rc::Rc};

use foldhash::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Peer, Purpose};
use crate::{
    inventory::Directory,
    model::{Cluster, HostPort, Protocol, Service, ServiceKind},
};

/// Pods' ports behind Services of the kinds NodePort and LoadBalancer or with external addresses, and such as the node
/// opens (`hostPort`): open to anyone but
/// the cluster's own ranges, for the clients seen are not the only ones that come.
pub(super) struct Exposure {
    ports: HashMap<(IpAddr, Protocol, u16), Exposed>,
    ranges: Vec<IpNet>,
}

/// How a port is exposed.
#[derive(Clone)]
pub(super) struct Exposed {
    /// By what.
    pub purpose: Purpose,
    /// Whether that has addresses of IPv4, and of IPv6.
    families: (bool, bool),
    /// Whom a load balancer lets in; none where it lets in anybody.
    sources: Vec<IpNet>,
    /// Whether nodes may replace the addresses of clients by their own.
    pub is_through_nodes: bool,
    /// All the addresses that it leads to, each with its port.
    pub targets: Rc<[(IpAddr, u16)]>,
}

/// The ranges that a load balancer lets in, those within others left out; none where one of them is everybody.
fn sources(service: &Service) -> Vec<IpNet> {
    if service.kind != ServiceKind::LoadBalancer || service.source_ranges.iter().any(|range| range.prefix_len() == 0) {
        return Vec::new();
    }
    let mut sources = IpNet::aggregate(&service.source_ranges);
    sources.sort_unstable();
    sources
}

impl Exposed {
    /// Takes in another way to the same port.
    fn join(&mut self, other: &Self) {
        let families = (self.families.0 || other.families.0, self.families.1 || other.families.1);
        let mut sources = Vec::new();
        if self.is_bounded() && other.is_bounded() {
            sources = IpNet::aggregate(&[self.sources.as_slice(), &other.sources].concat());
            sources.sort_unstable();
        }
        let is_through_nodes = self.is_through_nodes || other.is_through_nodes;
        // of two names the first counts, whichever came first
        let purpose = self.purpose.clone().min(other.purpose.clone());
        let targets = self.targets.iter().chain(other.targets.iter()).copied().collect();
        *self = Self { purpose, families, sources, is_through_nodes, targets };
    }

    /// The ranges that a client like this one may come from; none where it came past the load balancer.
    pub fn ranges(&self, client: Option<IpAddr>) -> Vec<IpNet> {
        let is_seen = |is_ipv4: bool| client.is_none_or(|address| address.is_ipv4()) == is_ipv4;
        if self.is_bounded() {
            return self.sources.clone();
        }
        let (v4, v6) = (IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default()));
        let families = [(v4, self.families.0, true), (v6, self.families.1, false)];
        families.into_iter().filter(|(_, has, is_v4)| *has || is_seen(*is_v4)).map(|(all, ..)| all).collect()
    }

    /// Whether only some may come.
    pub fn is_bounded(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Whether a bounded load balancer's clients may seem to be nodes.
    pub fn may_come_from_nodes(&self) -> bool {
        self.is_bounded() && self.is_through_nodes
    }
}

impl Exposure {
    pub fn new(cluster: &Cluster, directory: &Directory) -> Self {
        let mut ports = HashMap::default();
        for pod in cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network) {
            let families = (pod.addresses.iter().any(IpAddr::is_ipv4), pod.addresses.iter().any(IpAddr::is_ipv6));
            for HostPort { protocol, target, .. } in &pod.host_ports {
                let exposed = Exposed {
                    purpose: Purpose::HostPort,
                    families,
                    sources: Vec::new(),
                    is_through_nodes: false,
                    targets: Rc::new([]),
                };
                ports.extend(pod.addresses.iter().map(|address| ((*address, *protocol, *target), exposed.clone())));
            }
        }
        for service in cluster.services.iter().filter(|service| service.is_exposed()) {
            let addresses = || service.cluster_ips.iter().chain(&service.external_ips);
            let families = (addresses().any(IpAddr::is_ipv4), addresses().any(IpAddr::is_ipv6));
            for port in &service.ports {
                let targets: Rc<[(IpAddr, u16)]> = directory.present_targets(service, port).into();
                for (address, target) in targets.iter().copied() {
                    let name = format!("{}/{}", service.namespace, service.name);
                    let purpose = Purpose::Exposed { service: name, kind: service.kind };
                    let sources = sources(service);
                    let is_through_nodes = !service.keeps_sources;
                    let targets = Rc::clone(&targets);
                    let exposed = Exposed { purpose, families, sources, is_through_nodes, targets };
                    let known = ports.entry((address, port.protocol, target));
                    // of two Services before one port the one that lets in more counts
                    known.and_modify(|known: &mut Exposed| known.join(&exposed)).or_insert(exposed);
                }
            }
        }
        // nobody sends from a Service's address, so those need not be kept out
        Self { ports, ranges: directory.pod_ranges() }
    }

    /// How a port of a pod is exposed, where it is.
    pub fn of(&self, address: IpAddr, protocol: Protocol, port: u16) -> Option<&Exposed> {
        self.ports.get(&(address, protocol, port))
    }

    /// Anyone of a range but the cluster's pods.
    pub fn anyone(&self, all: IpNet) -> Peer {
        let except = self.ranges.iter().filter(|range| all.contains(*range) && all != **range).copied().collect();
        Peer::Anyone { all, except }
    }

    /// Whether an address is of the ranges that [`Exposure::anyone`] leaves out.
    pub fn is_left_out(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(&address))
    }

    /// Whether a prefix covers any of the cluster's ranges.
    pub fn overlaps(&self, range: IpNet) -> bool {
        self.ranges.iter().any(|own| own.contains(&range) || range.contains(own))
    }
}
