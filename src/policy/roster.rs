//! The ends that names, addresses and parties stand for, in the cluster as it was last seen: policies speak of tomorrow.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::{HashMap, HashSet};

use super::{Dialled, End, PodEnd};
use crate::model::{
    Cluster, Duty, Endpoint, Host, HostPort, NoEnds, Node, Party, PartyKind, Pod, Protocol, Service, ServicePort,
    Suspects, WorkloadRef, is_ambient_probe, own_ends,
};

/// A pod or a template by its place in the inventory, or an address: what an end is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// A pod; of one with several addresses, by one of them: a connection has one family.
    Pod(usize, Option<IpAddr>),
    /// The pods that a workload's template will make; in their node's network by an address of a node.
    Template(usize, Option<IpAddr>),
    /// An address of nobody that policies could tell by more.
    Address(IpAddr),
}

/// Every pod and workload of a cluster, ready to be judged.
#[derive(Clone, Debug)]
pub struct Roster<'c> {
    cluster: &'c Cluster,
    nodes: HashMap<&'c str, &'c Node>,
    pods: BTreeMap<(&'c str, &'c str), usize>,
    by_address: HashMap<IpAddr, usize>,
    /// The pods that have one address, where they are several.
    sharing: HashMap<IpAddr, Vec<usize>>,
    workloads: BTreeMap<&'c WorkloadRef, Members>,
    by_name: BTreeMap<(&'c str, &'c str), Vec<&'c WorkloadRef>>,
    node_addresses: HashSet<IpAddr>,
    services: BTreeMap<(&'c str, &'c str), &'c Service>,
    by_service_address: HashMap<IpAddr, &'c Service>,
    /// External addresses of Services at the Services' own ports: what leads there every node leads on.
    led_on: HashSet<(IpAddr, Protocol, u16)>,
    suspects: Suspects,
}

/// The pods of a workload, and what makes them, by place.
#[derive(Clone, Debug, Default)]
struct Members {
    pods: Vec<usize>,
    template: Option<usize>,
}

/// The external addresses of a Service that no proxy stands before, at its own ports.
fn led_on(service: &Service) -> impl Iterator<Item = (IpAddr, Protocol, u16)> {
    let proxied: Vec<IpAddr> = service.proxied_ips.iter().map(IpAddr::to_canonical).collect();
    let addresses = service.external_ips.iter().map(IpAddr::to_canonical).filter(move |it| !proxied.contains(it));
    addresses.flat_map(|address| service.ports.iter().map(move |own| (address, own.protocol, own.port)))
}

impl<'c> Roster<'c> {
    /// Arranges the pods that have not ended, and the workloads with or without pods.
    #[must_use]
    pub fn new(cluster: &'c Cluster) -> Self {
        let of_nodes = cluster.nodes.iter().flat_map(|node| &node.addresses).map(IpAddr::to_canonical);
        let mut roster = Self {
            cluster,
            nodes: cluster.nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
            pods: BTreeMap::new(),
            by_address: HashMap::default(),
            sharing: HashMap::default(),
            workloads: BTreeMap::new(),
            by_name: BTreeMap::new(),
            node_addresses: of_nodes.collect(),
            services: cluster.services.iter().map(|it| ((it.namespace.as_str(), it.name.as_str()), it)).collect(),
            by_service_address: HashMap::default(),
            led_on: cluster.services.iter().flat_map(led_on).collect(),
            suspects: Suspects::default(),
        };
        for service in &cluster.services {
            // what pods send to the others leaves the cluster
            let external = service.external_ips.iter().filter(|address| !service.proxied_ips.contains(address));
            let addresses = service.cluster_ips.iter().chain(external);
            roster.by_service_address.extend(addresses.map(|address| (address.to_canonical(), service)));
        }
        for (n, pod) in cluster.pods.iter().enumerate().filter(|(_, pod)| !pod.finished) {
            roster.pods.insert((&pod.namespace, &pod.name), n);
            roster.workloads.entry(&pod.workload).or_default().pods.push(n);
            for address in pod.addresses.iter().filter(|_| !pod.host_network).map(IpAddr::to_canonical) {
                if let Some(other) = roster.by_address.insert(address, n).filter(|other| *other != n) {
                    roster.sharing.entry(address).or_insert_with(|| vec![other]).push(n);
                }
            }
        }
        for (n, workload) in cluster.workloads.iter().enumerate() {
            roster.workloads.entry(&workload.id).or_default().template = Some(n);
        }
        for id in roster.workloads.keys() {
            roster.by_name.entry((&id.namespace, &id.name)).or_default().push(id);
        }
        roster
    }

    /// Adds where somebody who counts as outside may be of the cluster, and nobody listed him.
    #[must_use]
    pub fn with_suspects(self, suspects: Suspects) -> Self {
        Self { suspects, ..self }
    }

    /// All workloads, in order.
    pub fn workloads(&self) -> impl Iterator<Item = &'c WorkloadRef> {
        self.workloads.keys().copied()
    }

    /// Whether no workload of another kind has its name.
    #[must_use]
    pub fn is_alone(&self, id: &WorkloadRef) -> bool {
        self.by_name.get(&(id.namespace.as_str(), id.name.as_str())).is_none_or(|ids| ids.len() < 2)
    }

    /// The pods of a workload; without pods the one that its template would make, on any node.
    #[must_use]
    pub fn members(&self, id: &WorkloadRef) -> Vec<Who> {
        let Some(members) = self.workloads.get(id) else { return Vec::new() };
        match members.template {
            Some(n) if members.pods.is_empty() && self.cluster.workloads[n].host_network => {
                let nodes = self.cluster.nodes.iter().flat_map(|node| &node.addresses);
                let on_nodes: Vec<Who> = nodes.map(|address| Who::Template(n, Some(*address))).collect();
                if on_nodes.is_empty() { vec![Who::Template(n, None)] } else { on_nodes }
            }
            Some(n) if members.pods.is_empty() => vec![Who::Template(n, None)],
            _ => members.pods.iter().flat_map(|n| self.at_addresses(*n)).collect(),
        }
    }

    /// A pod by each of its addresses, where it has several.
    fn at_addresses(&self, n: usize) -> Vec<Who> {
        match self.cluster.pods[n].addresses.as_slice() {
            [] | [_] => vec![Who::Pod(n, None)],
            several => several.iter().map(|address| Who::Pod(n, Some(*address))).collect(),
        }
    }

    /// Whether an address is a node's.
    #[must_use]
    pub fn is_node(&self, address: IpAddr) -> bool {
        self.node_addresses.contains(&address.to_canonical())
    }

    /// Whether a pod of a name has ended, or is gone: policies speak of those that are.
    #[must_use]
    pub fn has_ended(&self, name: &str) -> bool {
        let is_called = |pod: &Pod| name.split_once('/') == Some((pod.namespace.as_str(), pod.name.as_str()));
        self.cluster.pods.iter().any(|pod| pod.finished && is_called(pod))
    }

    /// The names of workloads that may have been meant: those that hold what was written or are held by it, in any
    /// namespace; else all of the namespace.
    #[must_use]
    pub fn like(&self, name: &str) -> Vec<String> {
        let (namespace, last) = name.split_once('/').unwrap_or(("", name));
        let is_like = |known: &str| !last.is_empty() && (known.contains(last) || last.contains(known));
        let (alike, others): (Vec<_>, Vec<_>) = self.by_name.keys().partition(|(_, known)| is_like(known));
        let of_namespace = others.into_iter().filter(|(of, _)| *of == namespace);
        let meant = if alike.is_empty() { of_namespace.collect() } else { alike };
        meant.into_iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect()
    }

    /// The ends of `namespace/pod` and `namespace/workload`, of an address, or of the name of a node or a host; none where
    /// nobody is called so. An address that is a pod's is that pod.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Vec<End>> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Some(vec![self.at(address)]);
        }
        let ends: Vec<End> = match name.split_once('/') {
            Some(key) => {
                let pod = self.pods.get(&key).into_iter().flat_map(|n| self.at_addresses(*n)).map(|who| self.pod(who));
                pod.chain(self.called(key).into_iter().map(|who| self.end(who))).collect()
            }
            None => self.host_addresses(name).into_iter().map(End::Address).collect(),
        };
        Some(ends).filter(|ends| !ends.is_empty())
    }

    /// The workloads that a name means, where they are several: each as it can be asked for alone.
    #[must_use]
    pub fn several(&self, name: &str) -> Vec<String> {
        let ids = name.split_once('/').and_then(|key| self.by_name.get(&key)).filter(|ids| ids.len() > 1);
        ids.into_iter().flatten().map(|id| format!("{id} ({})", id.kind)).collect()
    }

    /// The pods of the workloads of a name, or of the one of a kind: `db (StatefulSet)`; else those that a `ReplicaSet` or
    /// `Job` of that name controls, which stands between a workload and its pods. A bare pod is not its own workload here.
    fn called(&self, (namespace, name): (&str, &str)) -> Vec<Who> {
        let with_kind = name.strip_suffix(')').and_then(|name| name.split_once(" ("));
        let (name, kind) = with_kind.map_or((name, None), |(name, kind)| (name, Some(kind)));
        if let Some(ids) = self.by_name.get(&(namespace, name)) {
            let is_own = |id: &&&WorkloadRef| id.kind == "Pod" && self.pods.contains_key(&(namespace, name));
            let ids = ids.iter().filter(|id| kind.map_or_else(|| !is_own(id), |kind| id.kind == kind));
            return ids.flat_map(|id| self.members(id)).collect();
        }
        let pods = self.pods.iter().filter(|((of, _), _)| *of == namespace).map(|(_, n)| *n);
        let made = pods.filter(|n| self.cluster.pods[*n].maker.as_deref() == Some(name));
        made.flat_map(|n| self.at_addresses(n)).collect()
    }

    /// Who has an address: a pod by its own name, or nobody that policies could tell by more than the address.
    #[must_use]
    pub fn at(&self, address: IpAddr) -> End {
        self.who(address).map_or(End::Address(address.to_canonical()), |who| self.pod(who))
    }

    fn who(&self, address: IpAddr) -> Option<Who> {
        let address = address.to_canonical();
        let n = *self.by_address.get(&address)?;
        Some(self.by_one(n, address))
    }

    /// A pod by one of its addresses, where it has several.
    fn by_one(&self, n: usize, address: IpAddr) -> Who {
        let is_one_of_many = self.cluster.pods[n].addresses.len() > 1;
        Who::Pod(n, is_one_of_many.then_some(address))
    }

    /// The pods that have an address, each by its own name, where they are several: it is not known which of them it means.
    #[must_use]
    pub fn sharing(&self, address: IpAddr) -> Vec<End> {
        let address = address.to_canonical();
        let pods = self.sharing.get(&address).into_iter().flatten();
        pods.map(|n| self.pod(self.by_one(*n, address))).collect()
    }

    /// An end. A pod goes by the name of its workload and stands for any of its replicas, for one may talk to another.
    #[must_use]
    pub fn end(&self, who: Who) -> End {
        match (who, self.pod(who)) {
            (Who::Pod(n, _), End::Pod(end)) => {
                let workload = &self.cluster.pods[n].workload;
                let pod = end.pod.clone().filter(|_| workload.kind == "Pod");
                End::Pod(PodEnd { name: workload.name.clone(), pod, ..end })
            }
            (_, end) => end,
        }
    }

    /// A pod by its own name.
    fn pod(&self, who: Who) -> End {
        match who {
            Who::Address(address) => End::Address(address),
            Who::Template(n, address) => {
                let end = PodEnd::from(&self.cluster.workloads[n]);
                End::Pod(PodEnd { addresses: address.into_iter().collect(), ..end })
            }
            Who::Pod(n, address) => {
                let pod = &self.cluster.pods[n];
                let end = PodEnd::from(pod);
                let node = pod.node.as_deref().and_then(|name| self.nodes.get(name));
                let node = node.map(|node| self.addresses_beside(pod, node)).unwrap_or_default();
                let addresses = address.map_or_else(|| end.addresses.clone(), |address| vec![address]);
                End::Pod(PodEnd { addresses, node, ..end })
            }
        }
    }

    /// The addresses of a pod's node, and those that it has within the pod network, where the pod has its own from there.
    fn addresses_beside(&self, pod: &Pod, node: &Node) -> Vec<IpAddr> {
        let ranges = node.pod_ranges.iter().filter(|range| pod.addresses.iter().any(|own| range.contains(own)));
        let ends = ranges.flat_map(|range| own_ends(*range)).filter(|end| !self.by_address.contains_key(end));
        node.addresses.iter().copied().chain(ends).collect()
    }

    /// The node that has an address within the pod network, where no pod has it.
    #[must_use]
    pub fn node_with_end(&self, address: IpAddr) -> Option<&'c Node> {
        let has = |node: &&Node| node.pod_ranges.iter().any(|range| own_ends(*range).contains(&address));
        self.cluster.nodes.iter().filter(|_| !self.by_address.contains_key(&address)).find(has)
    }

    /// The workload that somebody belongs to.
    #[must_use]
    pub fn workload_of(&self, who: Who) -> Option<&'c WorkloadRef> {
        match who {
            Who::Pod(n, _) => Some(&self.cluster.pods[n].workload),
            Who::Template(n, _) => Some(&self.cluster.workloads[n].id),
            Who::Address(_) => None,
        }
    }

    /// The Service of a name, as `namespace/name`.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&'c Service> {
        let key = name.split_once('/')?;
        self.services.get(&key).copied()
    }

    /// The Service that has an address.
    #[must_use]
    pub fn service_at(&self, address: IpAddr) -> Option<&'c Service> {
        self.by_service_address.get(&address.to_canonical()).copied()
    }

    /// What was dialled, with whether it is a port of a node. An address of a node may be a Service's external one as well: what
    /// leads to that at the Service's own port is led on by every node.
    #[must_use]
    pub fn dialled(&self, address: IpAddr, protocol: Protocol, port: u16) -> Dialled {
        let is_led_on = self.led_on.contains(&(address.to_canonical(), protocol, port));
        let is_of_node = self.is_node(address) && !is_led_on;
        Dialled { address, port, is_of_node }
    }

    /// The Service that a port of every node leads to, with its own port.
    #[must_use]
    pub fn node_port(&self, protocol: Protocol, port: u16) -> Option<(&'c Service, &'c ServicePort)> {
        let own = |own: &&ServicePort| own.protocol == protocol && own.node_port == Some(port);
        let mut services = self.cluster.services.iter();
        services.find_map(|service| service.ports.iter().find(own).map(|port| (service, port)))
    }

    /// The pods that a port of a node leads to (`hostPort`), with their own port: by addresses of the family that was dialled.
    #[must_use]
    pub fn host_port(&self, address: IpAddr, protocol: Protocol, port: u16) -> Vec<(Who, u16)> {
        let address = address.to_canonical();
        let hosts = |pod: &Pod| {
            let node = pod.node.as_deref().and_then(|name| self.nodes.get(name));
            node.is_some_and(|node| node.addresses.iter().any(|own| own.to_canonical() == address))
        };
        let pods = self.pods.values().map(|n| (*n, &self.cluster.pods[*n]));
        let pods = pods.filter(|(_, pod)| !pod.host_network && !pod.host_ports.is_empty() && hosts(pod));
        let mut ends = Vec::new();
        for (n, pod) in pods {
            let is_opened = |opened: &&HostPort| {
                (opened.protocol, opened.port) == (protocol, port)
                    && opened.address.is_none_or(|own| own.to_canonical() == address)
            };
            let Some(opened) = pod.host_ports.iter().find(is_opened) else { continue };
            let is_reached = |who: &Who| match who {
                Who::Pod(_, Some(own)) => own.is_ipv4() == address.is_ipv4(),
                _ => pod.addresses.iter().all(|own| own.is_ipv4() == address.is_ipv4()),
            };
            ends.extend(self.at_addresses(n).into_iter().filter(is_reached).map(|who| (who, opened.target)));
        }
        ends
    }

    /// Who stands behind a port of a Service now, each with the port there: the pods that it selects, else its Endpoints.
    #[must_use]
    pub fn targets(&self, service: &Service, port: &ServicePort) -> Vec<(Who, u16)> {
        let selected = service.selector.iter().flat_map(|selector| {
            let of_namespace = self.pods.range((service.namespace.as_str(), "")..);
            let of_namespace = of_namespace.take_while(|((namespace, _), _)| *namespace == service.namespace);
            of_namespace.map(|(_, n)| *n).filter(|n| self.cluster.pods[*n].labels.contain(selector))
        });
        let numbered = selected.filter_map(|n| Some((n, port.on(&self.cluster.pods[n])?)));
        let pods: Vec<(Who, u16)> =
            numbered.flat_map(|(n, number)| self.at_addresses(n).into_iter().map(move |who| (who, number))).collect();
        if !pods.is_empty() {
            return pods;
        }
        let is_behind = |it: &&Endpoint| {
            (&it.namespace, &it.service, it.protocol, &it.port_name)
                == (&service.namespace, &service.name, port.protocol, &port.name)
        };
        // one that was listed before its pod was gone: the address has gone to another
        let is_its_own = |it: &&Endpoint| match self.who(it.address) {
            Some(Who::Pod(n, _)) => service.may_lead_to(&self.cluster.pods[n]),
            _ => true,
        };
        let endpoints = self.cluster.endpoints.iter().filter(is_behind).filter(is_its_own);
        let target = |it: &Endpoint| {
            let who = self.who(it.address).unwrap_or(Who::Address(it.address.to_canonical()));
            (who, it.port.unwrap_or(port.port))
        };
        let targets: BTreeSet<(Who, u16)> = endpoints.map(target).collect();
        targets.into_iter().collect()
    }

    /// Who a party of a dependency is: of a workload the pods that were seen, else all of it. The error says why it
    /// cannot be told.
    pub fn party(&self, party: &Party) -> Result<Vec<Who>, NoEnds> {
        match party.kind {
            PartyKind::Workload => self.seen_pods(party),
            PartyKind::Node | PartyKind::Host | PartyKind::External => {
                Ok(party.addresses.iter().map(|address| Who::Address(address.to_canonical())).collect())
            }
            PartyKind::Unknown if !party.addresses.is_empty() && party.addresses.iter().all(is_ambient_probe) => {
                Ok(party.addresses.iter().copied().map(Who::Address).collect())
            }
            PartyKind::Service => Err(self.unanswered(&party.name)),
            PartyKind::Unknown | PartyKind::Multicast => Err(NoEnds::Unowned(party.name.clone())),
        }
    }

    fn unanswered(&self, service: &str) -> NoEnds {
        let known = self.service(service);
        let has_endpoints = || {
            let mut all = self.cluster.endpoints.iter();
            all.any(|it| service.split_once('/') == Some((it.namespace.as_str(), it.service.as_str())))
        };
        match known {
            Some(known) if known.selector.is_none() && !has_endpoints() => NoEnds::NoEndpoints(service.to_owned()),
            _ => NoEnds::AnswerUnseen(service.to_owned()),
        }
    }

    /// Why a party may be somebody else than it is taken for.
    #[must_use]
    pub fn doubt(&self, party: &Party, duty: Duty) -> Option<String> {
        let mut outside = party.addresses.iter().filter(|_| party.kind == PartyKind::External);
        outside.find_map(|address| Some(self.suspects.at(*address, duty)?.why(*address)))
    }

    fn seen_pods(&self, party: &Party) -> Result<Vec<Who>, NoEnds> {
        let id = party.workload().ok_or_else(|| NoEnds::NoNamespace(party.name.clone()))?;
        let is_of_it = |who: &Who| self.workload_of(*who) == Some(&id);
        let seen: BTreeSet<Who> = party.addresses.iter().filter_map(|it| self.who(*it)).filter(is_of_it).collect();
        let who = if seen.is_empty() { self.members(&id) } else { seen.into_iter().collect() };
        if who.is_empty() { Err(NoEnds::NoPods(party.name.clone())) } else { Ok(who) }
    }

    /// Who stands behind the Service that a party is, each with the port there, also where a workload has no pods now;
    /// nobody where that is not known.
    #[must_use]
    pub fn behind(&self, party: &Party, protocol: Protocol, port: u16) -> Vec<(Who, u16)> {
        let by_address = || party.addresses.iter().find_map(|address| self.service_at(*address));
        let Some(service) = self.service(&party.name).or_else(by_address) else { return Vec::new() };
        let own = service.ports.iter().find(|own| own.protocol == protocol && own.port == port);
        own.map(|own| [self.targets(service, own), self.next_targets(service, own)].concat()).unwrap_or_default()
    }

    /// The pods that selected workloads without any will make, each with the port there.
    fn next_targets(&self, service: &Service, port: &ServicePort) -> Vec<(Who, u16)> {
        let Some(selector) = &service.selector else { return Vec::new() };
        let without_pods =
            self.workloads.iter().filter(|(id, it)| id.namespace == service.namespace && it.pods.is_empty());
        let templates = without_pods.filter_map(|(_, members)| members.template);
        let templates = templates.map(|n| (n, &self.cluster.workloads[n]));
        let selected = templates.filter(|(_, it)| !it.host_network && it.template_labels.contain(selector));
        selected.filter_map(|(n, it)| Some((Who::Template(n, None), port.among(&it.ports)?))).collect()
    }

    /// The addresses of a node, or of hosts of a hosts file that have one address each.
    fn host_addresses(&self, name: &str) -> Vec<IpAddr> {
        if let Some(node) = self.nodes.get(name) {
            return node.addresses.clone();
        }
        let is_single = |host: &&Host| host.range.prefix_len() == host.range.max_prefix_len();
        let named = self.cluster.hosts.iter().filter(|host| host.name.as_deref() == Some(name));
        named.filter(is_single).map(|host| host.range.addr()).collect()
    }
}
