//! What an inventory does not list all of, and who may be taken for outside by that.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::HashSet;
use ipnet::IpNet;

use super::{
    directory::Directory,
    ranges::{Ranges, widely_around, widest_service_range},
    sights::Listing,
};
use crate::model::{Cluster, PRIVATE_RANGES, Suspects};

/// What of a cluster its inventory lists a part of, or nothing. Whoever is not listed is taken for somebody outside, except in ranges
/// that are known to be the cluster's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// The namespaces whose pods are known, where those of all were never listed.
    pub pods: Option<BTreeSet<String>>,
    /// The namespaces whose Services are known, where those of all were never listed.
    pub services: Option<BTreeSet<String>>,
    /// Whether no node is listed.
    pub has_no_nodes: bool,
    /// Whether no Service is known that answers names.
    pub has_no_names: bool,
}

impl Gaps {
    /// Those of a cluster. Where no pods are known there is none.
    pub(super) fn new(listings: &[Listing], cluster: &Cluster) -> Self {
        if cluster.pods.is_empty() {
            return Self::default();
        }
        let pages = listings.iter().flat_map(|listing| listing.complete.pages()).cloned().collect();
        let scopes = listings.iter().flat_map(|listing| listing.complete.iter_beside(&pages));
        let everywhere: HashSet<&str> = scopes.filter(|(_, place)| place.is_none()).map(|(kind, _)| kind).collect();
        let (pods, services) = (&cluster.pods, &cluster.services);
        let has_no_names = !services.iter().any(|service| service.ports.iter().any(|port| port.port == 53));
        // every cluster has it: where it is missing not all were asked for
        let has_api = services.iter().any(|it| (it.namespace.as_str(), it.name.as_str()) == ("default", "kubernetes"));
        let has_all_services = everywhere.contains("Service") && has_api && !has_no_names;
        Self {
            pods: (!everywhere.contains("Pod")).then(|| pods.iter().map(|pod| pod.namespace.clone()).collect()),
            services: (!has_all_services).then(|| services.iter().map(|it| it.namespace.clone()).collect()),
            has_no_nodes: cluster.nodes.iter().all(|node| node.labels.is_none()),
            has_no_names,
        }
    }
}

impl Directory {
    /// What the inventory does not list all of.
    #[must_use]
    pub fn gaps(&self) -> &Gaps {
        &self.gaps
    }

    /// Where somebody who counts as outside may be of the cluster.
    #[must_use]
    pub fn suspects(&self) -> Suspects {
        Suspects {
            pods: self.pod_ranges(),
            unlisted_pods: if self.gaps.pods.is_some() { self.around_pods() } else { Vec::new() },
            unlisted_services: if self.gaps.services.is_some() { self.around_services() } else { Vec::new() },
            has_no_names: self.gaps.has_no_names,
            endpoints: self.cluster().endpoints.iter().map(|endpoint| endpoint.address.to_canonical()).collect(),
        }
    }

    /// The surroundings of the pods that lie in no range that a node lists: wide, for other nodes have other parts of the range.
    fn around_pods(&self) -> Vec<IpNet> {
        let listed = Ranges::new(&self.past.nodes.iter().flat_map(|node| node.pod_ranges.iter().copied()).collect());
        let networked = self.past.pods.iter().filter(|pod| !pod.host_network);
        let strays = networked.flat_map(|pod| &pod.addresses).filter(|address| listed.at(**address).is_none());
        IpNet::aggregate(&strays.map(|address| widely_around(*address)).collect())
    }

    /// Where ClusterIPs may be: no further from one that is known than a range can be wide, and where none is known anywhere. Ranges
    /// that are listed tell of all, and nobody in them counts as outside.
    fn around_services(&self) -> Vec<IpNet> {
        let is_unlisted = |is_ipv4| !self.cluster().service_ranges.iter().any(|it| it.addr().is_ipv4() == is_ipv4);
        let services = self.past.service_versions.iter().map(|it| &it.service).chain(&self.cluster().services);
        let mut known: BTreeMap<bool, BTreeSet<IpAddr>> =
            BTreeMap::from([(true, BTreeSet::new()), (false, BTreeSet::new())]);
        for address in services.flat_map(|service| &service.cluster_ips) {
            known.entry(address.is_ipv4()).or_default().insert(*address);
        }
        let around = known.into_iter().filter(|(is_ipv4, _)| is_unlisted(*is_ipv4)).flat_map(|(is_ipv4, known)| {
            let near: Vec<IpNet> = known.into_iter().map(widest_service_range).collect();
            let private = PRIVATE_RANGES.iter().copied().filter(|range| range.addr().is_ipv4() == is_ipv4);
            if near.is_empty() { private.collect() } else { near }
        });
        IpNet::aggregate(&around.collect())
    }
}
