//! Ports that Services expose to the outside.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
};

use foldhash::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Peer, Purpose};
use crate::{
    inventory::Directory,
    model::{
        Cluster, Dependency, HostPort, Ingress, PRIVATE_RANGES, Protocol, Service, ServiceKind, ServicePort,
        WorkloadRef,
    },
};

/// Pods' ports behind Services of the kinds NodePort and LoadBalancer or with external addresses, behind Ingresses whose load
/// balancer is outside, and such as the node opens (`hostPort`): open to anyone but
/// the cluster's own ranges, for the clients seen are not the only ones that come.
pub(super) struct Exposure {
    ports: ExposedPorts,
    /// What Ingresses lead to, whose load balancers dial the pods themselves.
    dialled: ExposedPorts,
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
    /// Where a load balancer may have all its addresses: it is let in from there alone while nobody came from elsewhere.
    near: Vec<IpNet>,
    /// Whether nodes may replace the addresses of clients by their own.
    pub is_through_nodes: bool,
    /// All the addresses that it leads to, each with its port.
    pub targets: Rc<[(IpAddr, u16)]>,
    /// The workloads whose next pods it leads to at another port than those that there are.
    pub rolled_out: Rc<[(WorkloadRef, u16)]>,
}

/// Classes of Ingresses that a load balancer outside serves, which dials pods by their own addresses: those of Amazon, Google
/// and Azure.
const CLASSES_OUTSIDE: [&str; 6] =
    ["alb", "azure-alb-external", "azure-application-gateway", "azure/application-gateway", "gce", "gce-internal"];

/// From where Google's external load balancers dial what is behind them, and check its health
/// (<https://cloud.google.com/load-balancing/docs/firewall-rules>).
const GOOGLES_FRONT_ENDS: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(35, 191, 0, 0), 16)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(130, 211, 0, 0), 22)),
];

/// Ports of pods, and how each is exposed.
type ExposedPorts = HashMap<(IpAddr, Protocol, u16), Exposed>;

/// Adds a way to a port. Of two before one port the one that lets in more counts.
fn add(ports: &mut ExposedPorts, end: (IpAddr, Protocol, u16), exposed: Exposed) {
    ports.entry(end).and_modify(|known| known.join(&exposed)).or_insert(exposed);
}

/// Adds the pods that an Ingress leads to, where a load balancer outside dials them. The ranges are the cluster's own.
fn add_ingress(
    ports: &mut ExposedPorts,
    ingress: &Ingress,
    (cluster, directory): (&Cluster, &Directory),
    own: &[IpNet],
) {
    let Some(class) = ingress.class.as_ref().filter(|class| CLASSES_OUTSIDE.contains(&class.as_str())) else { return };
    let sources = if class == "gce" { GOOGLES_FRONT_ENDS.to_vec() } else { Vec::new() };
    // the health of what is behind an internal one is checked from Google's
    let checks: &[IpNet] = if class.starts_with("gce") { &GOOGLES_FRONT_ENDS } else { &[] };
    // in which load balancers have their addresses that dial pods from a subnet of the cluster's own network
    let private: &[IpNet] = if class == "gce" { &[] } else { &PRIVATE_RANGES };
    let near = private.iter().chain(checks).filter(|range| !own.iter().any(|own| own.contains(*range)));
    let near: Vec<IpNet> = near.copied().collect();
    let purpose =
        Purpose::BehindIngress { ingress: format!("{}/{}", ingress.namespace, ingress.name), class: class.clone() };
    for (service, port) in ingress_ports(cluster, ingress) {
        let (targets, rolled_out) = ways(directory, service, port);
        for (address, target) in targets.iter().copied() {
            let exposed = Exposed {
                purpose: purpose.clone(),
                // those by which its clients were seen to come
                families: (false, false),
                sources: sources.clone(),
                near: near.clone(),
                is_through_nodes: false,
                targets: Rc::clone(&targets),
                rolled_out: Rc::clone(&rolled_out),
            };
            add(ports, (address, port.protocol, target), exposed);
        }
    }
}

/// Where a port of a Service leads: the addresses that there are, and the workloads that a rollout gives another port.
type Ways = (Rc<[(IpAddr, u16)]>, Rc<[(WorkloadRef, u16)]>);

fn ways(directory: &Directory, service: &Service, port: &ServicePort) -> Ways {
    let rolled_out = directory.rolled_out_targets(service, port).into_iter();
    let rolled_out = rolled_out.map(|(workload, port)| (workload.clone(), port));
    (directory.present_targets(service, port).into(), rolled_out.collect())
}

/// The Services, with their ports, that an Ingress leads to.
pub(super) fn ingress_ports<'c>(cluster: &'c Cluster, ingress: &'c Ingress) -> Vec<(&'c Service, &'c ServicePort)> {
    let named = |(name, wanted): &'c (String, String)| {
        let is_it = |port: &&ServicePort| port.name.as_ref() == Some(wanted) || port.port.to_string() == *wanted;
        let mut services = cluster.services.iter();
        let service = services.find(|it| (&it.namespace, &it.name) == (&ingress.namespace, name));
        service.into_iter().flat_map(move |it| it.ports.iter().filter(is_it).map(move |port| (it, port)))
    };
    ingress.backends.iter().flat_map(named).collect()
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

fn holds(ranges: &[IpNet], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(&address))
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
        let rolled_out = self.rolled_out.iter().chain(other.rolled_out.iter()).cloned().collect();
        let near: BTreeSet<IpNet> = self.near.iter().chain(&other.near).copied().collect();
        let near = near.into_iter().collect();
        *self = Self { purpose, families, sources, near, is_through_nodes, targets, rolled_out };
    }

    /// The ranges that a client with these addresses may come from.
    pub fn ranges(&self, client: &BTreeSet<IpAddr>) -> Vec<IpNet> {
        let first = client.first();
        let is_seen = |is_ipv4: bool| first.is_none_or(IpAddr::is_ipv4) == is_ipv4;
        if self.is_bounded() {
            return self.sources.clone();
        }
        if first.is_some() && client.iter().all(|address| holds(&self.near, *address)) {
            let is_alike = |range: &&IpNet| client.iter().any(|it| it.is_ipv4() == range.addr().is_ipv4());
            return self.near.iter().filter(is_alike).copied().collect();
        }
        let (v4, v6) = (IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default()));
        let families = [(v4, self.families.0, true), (v6, self.families.1, false)];
        families.into_iter().filter(|(_, has, is_v4)| *has || is_seen(*is_v4)).map(|(all, ..)| all).collect()
    }

    /// Whether only some may come.
    pub fn is_bounded(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Whether it lets in a client with these addresses.
    fn lets_in(&self, client: &BTreeSet<IpAddr>) -> bool {
        !self.is_bounded() || client.iter().all(|address| holds(&self.sources, *address))
    }

    /// Whether a bounded load balancer's clients may seem to be nodes.
    pub fn may_come_from_nodes(&self) -> bool {
        self.is_bounded() && self.is_through_nodes
    }
}

impl Exposure {
    pub fn new(cluster: &Cluster, directory: &Directory) -> Self {
        let mut ports = ExposedPorts::default();
        for pod in cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network) {
            let families = (pod.addresses.iter().any(IpAddr::is_ipv4), pod.addresses.iter().any(IpAddr::is_ipv6));
            for HostPort { protocol, target, .. } in &pod.host_ports {
                let exposed = Exposed {
                    purpose: Purpose::HostPort,
                    families,
                    sources: Vec::new(),
                    near: Vec::new(),
                    is_through_nodes: false,
                    targets: Rc::new([]),
                    rolled_out: Rc::new([]),
                };
                ports.extend(pod.addresses.iter().map(|address| ((*address, *protocol, *target), exposed.clone())));
            }
        }
        for service in cluster.services.iter().filter(|service| service.is_exposed()) {
            let addresses = || service.cluster_ips.iter().chain(&service.external_ips);
            let families = (addresses().any(IpAddr::is_ipv4), addresses().any(IpAddr::is_ipv6));
            for port in &service.ports {
                let (targets, rolled_out) = ways(directory, service, port);
                for (address, target) in targets.iter().copied() {
                    let name = format!("{}/{}", service.namespace, service.name);
                    let purpose = Purpose::Exposed { service: name, kind: service.kind };
                    let sources = sources(service);
                    let is_through_nodes = !service.keeps_sources;
                    let (targets, rolled_out, near) = (Rc::clone(&targets), Rc::clone(&rolled_out), Vec::new());
                    let exposed = Exposed { purpose, families, sources, near, is_through_nodes, targets, rolled_out };
                    add(&mut ports, (address, port.protocol, target), exposed);
                }
            }
        }
        // nobody sends from a Service's address, so those need not be kept out
        let ranges = directory.pod_ranges();
        let mut dialled = ExposedPorts::default();
        for ingress in &cluster.ingresses {
            add_ingress(&mut dialled, ingress, (cluster, directory), &ranges);
        }
        Self { ports, dialled, ranges }
    }

    /// How a port of a pod is exposed to a client, where it is: by a Service or the node, or by an Ingress, where its load
    /// balancer may be that client. `is_itself` tells whether the client was seen under its own address.
    pub fn of(&self, address: IpAddr, dependency: &Dependency, is_itself: bool) -> Option<&Exposed> {
        let end = (address, dependency.protocol, dependency.port);
        let exposed = self.ports.get(&end);
        // what comes from a node is the node's own, or came through a Service
        let Some(dialled) = self.dialled.get(&end).filter(|_| is_itself) else { return exposed };
        let is_through = |it: &&Exposed| !dependency.via.is_empty() || it.lets_in(&dependency.client.addresses);
        exposed.filter(is_through).or(Some(dialled))
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
