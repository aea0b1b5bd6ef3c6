//! Services by what clients dial, and the pods behind them.

use std::{cmp::Reverse, collections::BTreeSet, net::IpAddr};

use foldhash::{HashMap, HashSet};

use super::{
    directory::{Directory, Owner},
    field::sorted,
    past::{Past, PastEndpoint, PastService},
};
use crate::model::{Pod, Protocol, Service, ServicePort, Span, TargetPort, Timestamp, WorkloadRef, well_known};

/// A version of a Service and one of its ports, by their places.
type PortPlace = (usize, usize);

/// The Services there ever were, as they were then, arranged for looking up. Where several share what they are looked up by, the
/// one that was there last comes first.
#[derive(Clone, Debug, Default)]
pub(super) struct Services {
    /// Several Services may share a load balancer's address, each with ports of its own.
    by_socket: HashMap<(IpAddr, Protocol, u16), Vec<PortPlace>>,
    by_node_port: HashMap<(Protocol, u16), Vec<PortPlace>>,
    /// Load balancers' addresses that nodes do not stand in for.
    proxied: HashSet<IpAddr>,
    /// The places of pods, by namespace.
    pods: HashMap<String, Vec<usize>>,
    /// The places of Endpoints, by `namespace/service`.
    endpoints: HashMap<String, Vec<usize>>,
}

impl Services {
    pub fn new(past: &Past) -> Self {
        let mut all = Self::default();
        let mut latest: Vec<(usize, &PastService)> = past.service_versions.iter().enumerate().collect();
        latest.sort_by_key(|(n, it)| (Reverse((it.to, it.from)), *n));
        // ClusterIPs first: they are one Service's alone, an external IP may be claimed by anybody
        for (n, it) in &latest {
            all.add(*n, &it.service, &it.service.cluster_ips);
        }
        for (n, it) in &latest {
            all.add(*n, &it.service, &it.service.external_ips);
            all.add_node_ports(*n, &it.service);
            all.proxied.extend(&it.service.proxied_ips);
        }
        for (n, pod) in past.pods.iter().enumerate() {
            all.pods.entry(pod.namespace.clone()).or_default().push(n);
        }
        for (n, PastEndpoint { endpoint, .. }) in past.endpoints.iter().enumerate() {
            all.endpoints.entry(format!("{}/{}", endpoint.namespace, endpoint.service)).or_default().push(n);
        }
        all
    }

    fn add(&mut self, n: usize, service: &Service, addresses: &[IpAddr]) {
        for (m, port) in service.ports.iter().enumerate() {
            for address in addresses {
                self.by_socket.entry((*address, port.protocol, port.port)).or_default().push((n, m));
            }
        }
    }

    fn add_node_ports(&mut self, n: usize, service: &Service) {
        for (m, port) in service.ports.iter().enumerate() {
            if let Some(number) = port.node_port {
                self.by_node_port.entry((port.protocol, number)).or_default().push((n, m));
            }
        }
    }
}

/// A Service with one of its ports.
type Found<'a> = Option<(&'a Service, &'a ServicePort)>;

impl Directory {
    /// The Service that answers at an address (its ClusterIP, external IP or load balancer's) and port, as it was last known; of
    /// several, one after the other, the last.
    #[must_use]
    pub fn service_at(&self, address: IpAddr, protocol: Protocol, port: u16) -> Found<'_> {
        self.find(self.services.by_socket.get(&(address.to_canonical(), protocol, port)), |it| it.is_last)
    }

    /// The Service that answered there when a connection began.
    #[must_use]
    pub fn service_over(&self, address: IpAddr, protocol: Protocol, port: u16, span: Span) -> Found<'_> {
        let places = self.services.by_socket.get(&(address.to_canonical(), protocol, port));
        if let Owner::Service(owner) = self.who_over(address, span) {
            let is_owner =
                |it: &PastService| (&it.service.namespace, &it.service.name) == (&owner.namespace, &owner.name);
            let own = self.find(places, |it| it.was_there(span) && is_owner(it));
            if own.is_some() {
                return own;
            }
        }
        self.find(places, |it| it.was_there(span) && it.service.external_ips.contains(&address.to_canonical()))
    }

    /// The Service that answered at a port of an address outside of the cluster when a connection began. At other ports, and as a
    /// client, the address is whoever else has it.
    #[must_use]
    pub fn exposed_over(&self, address: IpAddr, protocol: Protocol, port: u16, span: Span) -> Found<'_> {
        self.exposed_at(address, span).and_then(|_| self.service_over(address, protocol, port, span))
    }

    /// Whether an address is a load balancer's that nodes do not stand in for: what pods send there leaves the cluster.
    #[must_use]
    pub fn is_proxied(&self, address: IpAddr) -> bool {
        self.services.proxied.contains(&address.to_canonical())
    }

    /// The Service that answered at a port of every node when a connection began.
    #[must_use]
    pub fn node_port_over(&self, protocol: Protocol, port: u16, span: Span) -> Found<'_> {
        self.find(self.services.by_node_port.get(&(protocol, port)), |it| it.was_there(span))
    }

    /// The Service that answered at an end when a connection began: at its own addresses, else at that port of every node.
    #[must_use]
    pub fn dialled_over(&self, address: IpAddr, protocol: Protocol, port: u16, span: Span) -> Found<'_> {
        self.service_over(address, protocol, port, span).or_else(|| self.node_port_over(protocol, port, span))
    }

    /// The ports of pods to which nodes may send more than health checks now: those that are open to the outside, and those
    /// that Ingresses, webhooks and name resolution lead to.
    #[must_use]
    pub fn ports_of_nodes(&self) -> HashSet<(IpAddr, Protocol, u16)> {
        let cluster = self.cluster();
        let pods = cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network);
        let of_node = pods.flat_map(|pod| {
            let ports = pod.host_ports.iter();
            ports.flat_map(|port| pod.addresses.iter().map(move |address| (*address, port.protocol, port.target)))
        });
        let ingresses = cluster.ingresses.iter();
        let fronted = ingresses.flat_map(|it| it.backends.iter().map(|(service, _)| (&it.namespace, service)));
        let called = cluster.webhooks.iter().map(|it| (&it.namespace, &it.service));
        let named: HashSet<(&String, &String)> = fronted.chain(called).collect();
        let ports = cluster.services.iter().flat_map(|service| service.ports.iter().map(move |port| (service, port)));
        let ports = ports.filter(|(service, port)| {
            service.is_exposed() || port.port == well_known::DNS || named.contains(&(&service.namespace, &service.name))
        });
        let of_services = ports.flat_map(|(service, port)| {
            let targets = self.present_targets(service, port).into_iter();
            targets.map(|(address, number)| (address, port.protocol, number))
        });
        of_node.chain(of_services).collect()
    }

    fn find(&self, places: Option<&Vec<PortPlace>>, is_wanted: impl Fn(&PastService) -> bool) -> Found<'_> {
        places.into_iter().flatten().find_map(|(n, m)| {
            let it = self.past.service_versions.get(*n).filter(|it| is_wanted(it))?;
            Some((&it.service, it.service.ports.get(*m)?))
        })
    }

    /// The pods behind a Service that have not ended: by its selector, else by its Endpoints.
    #[must_use]
    pub fn backends(&self, service: &Service) -> Vec<&Pod> {
        let pods = &self.cluster().pods;
        let living = pods.iter().filter(|pod| !pod.finished && pod.namespace == service.namespace);
        if let Some(selector) = &service.selector {
            return living.filter(|pod| pod.labels.contain(selector)).collect();
        }
        let endpoints = self
            .cluster()
            .endpoints
            .iter()
            .filter(|it| (&it.namespace, &it.service) == (&service.namespace, &service.name));
        let addresses: Vec<IpAddr> = endpoints.map(|endpoint| endpoint.address).collect();
        living.filter(|pod| pod.addresses.iter().any(|address| addresses.contains(address))).collect()
    }

    /// The addresses and ports that a Service's port leads to now: of its selected pods that have not ended, else of
    /// its Endpoints. In order.
    #[must_use]
    pub fn present_targets(&self, service: &Service, port: &ServicePort) -> Vec<(IpAddr, u16)> {
        let selected = if service.selector.is_some() { self.backends(service) } else { Vec::new() };
        let owner = |address| self.who(address, Timestamp(i64::MAX));
        self.targets_of((service, port), selected, |it| it.to == i64::MAX, owner)
    }

    /// The addresses of the API server, each with its port: the endpoints of the Service `default/kubernetes`, which has no
    /// selector.
    #[must_use]
    pub fn api_servers(&self) -> BTreeSet<(IpAddr, u16)> {
        let is_it = |service: &&Service| service.namespace == "default" && service.name == "kubernetes";
        let Some(service) = self.cluster().services.iter().find(is_it) else { return BTreeSet::new() };
        service.ports.iter().flat_map(|port| self.present_targets(service, port)).collect()
    }

    /// The workloads to which a Service's port leads once they have pods with addresses again, each with the port there:
    /// those whose pods have ended and come back, as a `CronJob`'s do, and those without replicas. In order.
    #[must_use]
    pub fn next_targets(&self, service: &Service, port: &ServicePort) -> Vec<(&WorkloadRef, u16)> {
        let (Some(selector), cluster) = (&service.selector, self.cluster()) else { return Vec::new() };
        let of_namespace = |id: &WorkloadRef| id.namespace == service.namespace;
        let living = || cluster.pods.iter().filter(|pod| !pod.finished && of_namespace(&pod.workload));
        let pods = living().filter(|pod| pod.addresses.is_empty() && !pod.host_network);
        let pods = pods.filter(|pod| pod.labels.contain(selector));
        let templates = cluster.workloads.iter().filter(|it| of_namespace(&it.id) && !it.host_network);
        let templates = templates.filter(|it| it.template_labels.contain(selector));
        let templates = templates.filter(|it| !living().any(|pod| pod.workload == it.id));
        let of_pods = pods.filter_map(|pod| Some((&pod.workload, port.on(pod)?)));
        sorted(of_pods.chain(templates.filter_map(|it| Some((&it.id, port.among(&it.ports)?)))))
    }

    /// The workloads on whose next pods a Service's port, where it leads to one by name, has another number than on those that
    /// there are: while they are rolled out there are both. In order.
    #[must_use]
    pub fn rolled_out_targets(&self, service: &Service, port: &ServicePort) -> Vec<(&WorkloadRef, u16)> {
        let (Some(selector), TargetPort::Name(_)) = (&service.selector, &port.target) else { return Vec::new() };
        let pods = self.backends(service);
        let templates = self.cluster().workloads.iter().filter(|it| it.id.namespace == service.namespace);
        let templates = templates.filter(|it| !it.host_network && it.template_labels.contain(selector));
        let is_new = |(workload, number): &(&WorkloadRef, u16)| {
            let numbers = pods.iter().filter(|pod| pod.workload == **workload).map(|pod| port.on(pod));
            let numbers: Vec<Option<u16>> = numbers.collect();
            !numbers.is_empty() && !numbers.contains(&Some(*number))
        };
        sorted(templates.filter_map(|it| Some((&it.id, port.among(&it.ports)?))).filter(is_new))
    }

    /// The addresses and ports that a Service's port led to when a connection began. In order.
    #[must_use]
    pub fn targets_over(&self, service: &Service, port: &ServicePort, span: Span) -> Vec<(IpAddr, u16)> {
        let at = Span::at(span.first);
        let had =
            |pod: &Pod, address: &IpAddr| matches!(self.who_over(*address, at), Owner::Pod(owner) if owner == pod);
        let mut selected = self.selected(service);
        // the address of a host-network pod is its node's, whoever runs there
        selected.retain(|pod| pod.host_network || pod.addresses.iter().any(|address| had(pod, address)));
        let was_there = |it: &PastEndpoint| it.from <= at.first.0 && at.first.0 < it.to;
        self.targets_of((service, port), selected, was_there, |address| self.who_over(address, at))
    }

    /// The pods that a Service's selector ever selected.
    fn selected(&self, service: &Service) -> Vec<&Pod> {
        let Some(selector) = &service.selector else { return Vec::new() };
        let places = self.services.pods.get(&service.namespace).into_iter().flatten();
        places.filter_map(|n| self.past.pods.get(*n)).filter(|pod| pod.labels.contain(selector)).collect()
    }

    fn targets_of<'o>(
        &self,
        (service, port): (&Service, &ServicePort),
        selected: Vec<&Pod>,
        was_there: impl Fn(&PastEndpoint) -> bool,
        owner: impl Fn(IpAddr) -> Owner<'o>,
    ) -> Vec<(IpAddr, u16)> {
        let numbered = selected.into_iter().filter_map(|pod| Some((pod, port.on(pod)?)));
        let targets = sorted(numbered.flat_map(|(pod, number)| pod.addresses.iter().map(move |ip| (*ip, number))));
        if !targets.is_empty() {
            return targets;
        }
        let places = self.services.endpoints.get(&format!("{}/{}", service.namespace, service.name));
        let behind =
            places.into_iter().flatten().filter_map(|n| self.past.endpoints.get(*n)).filter(|it| was_there(it));
        let behind = behind.map(|it| &it.endpoint).filter(|endpoint| endpoint.protocol == port.protocol);
        let behind = behind.filter(|endpoint| endpoint.port_name == port.name);
        // an Endpoint that was listed before its pod was gone: the address has gone to another
        let is_its_own = |address| !matches!(owner(address), Owner::Pod(pod) if !service.may_lead_to(pod));
        let behind = behind.filter(|endpoint| is_its_own(endpoint.address));
        sorted(behind.map(|endpoint| (endpoint.address, endpoint.port.unwrap_or(port.port))))
    }

    /// All ClusterIPs there are, in order: the ranges they come from are written in no object.
    #[must_use]
    pub fn cluster_ips(&self) -> Vec<IpAddr> {
        sorted(self.cluster().services.iter().flat_map(|service| service.cluster_ips.iter().copied()))
    }
}

impl PastService {
    /// Whether it was there when a connection began.
    fn was_there(&self, span: Span) -> bool {
        let slack = super::directory::CLOCK_SKEW_NS;
        self.from.saturating_sub(slack) <= span.first.0 && span.first.0 < self.to.saturating_add(slack)
    }
}
