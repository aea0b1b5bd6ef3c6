//! Ports that Services expose to the outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::{
    inventory::Directory,
    model::{Cluster, Protocol, ServiceKind},
};

/// Pods' ports behind Services of the kinds NodePort and LoadBalancer or with external addresses: open to anyone but
/// the cluster's own ranges, for the clients seen are not the only ones that come.
pub(super) struct Exposure {
    ports: BTreeMap<(IpAddr, Protocol, u16), String>,
    ranges: Vec<IpNet>,
}

impl Exposure {
    pub(super) fn new(cluster: &Cluster, directory: &Directory) -> Self {
        let mut ports = BTreeMap::new();
        for service in &cluster.services {
            let is_exposed = matches!(service.kind, ServiceKind::NodePort | ServiceKind::LoadBalancer);
            if !is_exposed && service.external_ips.is_empty() {
                continue;
            }
            for port in &service.ports {
                for (address, target) in directory.present_targets(service, port) {
                    let name = format!("{}/{}", service.namespace, service.name);
                    ports.insert((address, port.protocol, target), name);
                }
            }
        }
        // nobody sends from a Service's address, so those need not be kept out
        Self { ports, ranges: directory.pod_ranges() }
    }

    /// The Service that exposes this port of any of these pods.
    pub(super) fn service(&self, addresses: &BTreeSet<IpAddr>, protocol: Protocol, port: u16) -> Option<&str> {
        addresses.iter().find_map(|address| self.ports.get(&(*address, protocol, port))).map(String::as_str)
    }

    /// The cluster's ranges of the family that `like` is of.
    pub(super) fn ranges(&self, like: IpAddr) -> Vec<IpNet> {
        self.ranges.iter().filter(|range| range.addr().is_ipv4() == like.is_ipv4()).copied().collect()
    }
}

/// All addresses of a family.
#[must_use]
pub fn everywhere(is_ipv4: bool) -> IpNet {
    if is_ipv4 { IpNet::V4(Ipv4Net::default()) } else { IpNet::V6(Ipv6Net::default()) }
}
