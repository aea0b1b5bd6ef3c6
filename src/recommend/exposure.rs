//! Ports that Services expose to the outside.

use std::net::IpAddr;

use foldhash::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Peer, Purpose};
use crate::{
    inventory::Directory,
    model::{Cluster, Protocol, ServiceKind},
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
}

impl Exposed {
    /// Whether clients of a family may come.
    pub fn has_family(&self, is_ipv4: bool) -> bool {
        if is_ipv4 { self.families.0 } else { self.families.1 }
    }
}

impl Exposure {
    pub fn new(cluster: &Cluster, directory: &Directory) -> Self {
        let mut ports = HashMap::default();
        for pod in cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network) {
            let families = (pod.addresses.iter().any(IpAddr::is_ipv4), pod.addresses.iter().any(IpAddr::is_ipv6));
            for (protocol, port) in &pod.host_ports {
                let exposed = Exposed { purpose: Purpose::HostPort, families };
                ports.extend(pod.addresses.iter().map(|address| ((*address, *protocol, *port), exposed.clone())));
            }
        }
        for service in &cluster.services {
            let is_exposed = matches!(service.kind, ServiceKind::NodePort | ServiceKind::LoadBalancer);
            if !is_exposed && service.external_ips.is_empty() {
                continue;
            }
            let addresses = || service.cluster_ips.iter().chain(&service.external_ips);
            let families = (addresses().any(IpAddr::is_ipv4), addresses().any(IpAddr::is_ipv6));
            for port in &service.ports {
                for (address, target) in directory.present_targets(service, port) {
                    let name = format!("{}/{}", service.namespace, service.name);
                    let purpose = Purpose::Exposed { service: name, kind: service.kind };
                    ports.insert((address, port.protocol, target), Exposed { purpose, families });
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

    /// Anyone of a family but the cluster.
    pub fn anyone(&self, is_ipv4: bool) -> Peer {
        let all = if is_ipv4 { IpNet::V4(Ipv4Net::default()) } else { IpNet::V6(Ipv6Net::default()) };
        let except = self.ranges.iter().filter(|range| range.addr().is_ipv4() == is_ipv4).copied().collect();
        Peer::Anyone { all, except }
    }

    /// Whether a prefix covers any of the cluster's ranges.
    pub fn overlaps(&self, range: IpNet) -> bool {
        self.ranges.iter().any(|own| own.contains(&range) || range.contains(own))
    }
}
