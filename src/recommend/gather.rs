//! Dependencies to edges: which unit needs what, whom it must let in, and what makes no rule.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::Entry},
    net::IpAddr,
    rc::Rc,
};

use foldhash::HashMap;
use ipnet::IpNet;

use super::{
    Input, LeftOut, Omission, Purpose, baseline,
    calls::Calls,
    edge::{Edge, Far, Side, Support},
    exposure::Exposure,
    known::Known,
    neighbours::Neighbours,
    resolvers::DnsDraft,
    units::{Place, UnitId, Units},
    usage::{Use, use_of},
};
use crate::inventory::is_link_local;
use crate::model::{Dependency, Direction, Mark, Outcome, Party, PartyKey, PartyKind, Protocol, WorkloadRef};

/// So many connections from a pod's own node show whether they are health checks.
const MIN_CHECKS: u64 = 4;

/// A port of a Service as it was dialled, and whether that is its port on every node.
pub(super) type Dialled = (u16, bool);

/// Where a Service leads, each end with its port there.
type Targets = Rc<[(Far, u16)]>;

/// What was gathered so far.
pub(super) struct Gathering<'a> {
    pub input: Input<'a>,
    pub units: &'a Units,
    pub exposure: &'a Exposure,
    pub known: &'a Known<'a>,
    /// Who is known outside.
    pub neighbours: Neighbours,
    pub(super) owners: HashMap<IpAddr, UnitId>,
    /// Whether a unit is of a namespace that was asked for.
    wanted: Vec<bool>,
    /// Whether anything was seen of a unit.
    pub seen: Vec<bool>,
    /// Units that dialled a Service: they got its address by its name, if not in this window.
    pub callers: BTreeSet<UnitId>,
    pub edges: HashMap<Edge, Support>,
    /// Most dependencies are between workloads: the same for both their edges, which get it in the end.
    calls: Calls,
    /// To the pods of a Service that might have answered and were not seen to.
    pub(super) unseen: HashMap<Edge, Support>,
    /// By port, then by Service, where it leads.
    dialled: HashMap<(Protocol, Dialled), HashMap<String, Targets>>,
    pub dns: BTreeMap<String, DnsDraft>,
    /// The pods behind the cluster's DNS Service, or the addresses where they are no pods, each with the port there.
    pub cluster_dns: BTreeSet<(Far, u16)>,
    /// The caches of nodes that pods ask for names, of whatever namespace, each with its port.
    pub(super) caches: BTreeSet<(Far, u16)>,
    left_out: BTreeMap<String, HashMap<LeftOutKey, LeftOut>>,
    /// The ports that the pods of a unit, or its template, declare.
    pub declared: BTreeMap<UnitId, BTreeSet<(Protocol, u16)>>,
}

/// Dependencies that are left out and equal in these are one.
#[derive(PartialEq, Eq, Hash)]
struct LeftOutKey {
    reason: Omission,
    client: PartyKey,
    server: PartyKey,
    protocol: Protocol,
    port: u16,
    outcome: Outcome,
    direction: Direction,
    is_scan: bool,
}

impl LeftOutKey {
    fn of(LeftOut { reason, evidence, is_scan }: &LeftOut) -> Self {
        Self {
            reason: reason.clone(),
            client: evidence.client.clone(),
            server: evidence.server.clone(),
            protocol: evidence.protocol,
            port: evidence.port,
            outcome: evidence.outcome,
            direction: evidence.direction,
            is_scan: *is_scan,
        }
    }
}

impl<'a> Gathering<'a> {
    pub fn new(
        input: Input<'a>,
        units: &'a Units,
        exposure: &'a Exposure,
        known: &'a Known<'a>,
        namespaces: &BTreeSet<String>,
    ) -> Self {
        let pods = input.cluster.pods.iter().filter(|pod| !pod.host_network && !pod.finished);
        let owned = pods.flat_map(|pod| pod.addresses.iter().map(move |address| (*address, &pod.workload)));
        let mut gathering = Self {
            input,
            units,
            exposure,
            known,
            neighbours: Neighbours::new(input.cluster),
            owners: owned.filter_map(|(address, owner)| Some((address, units.of(owner)?))).collect(),
            wanted: units.all.iter().map(|unit| namespaces.contains(&unit.namespace)).collect(),
            seen: vec![false; units.all.len()],
            callers: BTreeSet::new(),
            edges: HashMap::default(),
            calls: Calls::default(),
            unseen: HashMap::default(),
            dialled: HashMap::default(),
            dns: BTreeMap::new(),
            caches: BTreeSet::new(),
            left_out: BTreeMap::new(),
            cluster_dns: BTreeSet::new(),
            declared: declared(input, units),
        };
        gathering.cluster_dns = known.dns.iter().flat_map(|(service, port)| gathering.targets(service, port)).collect();
        gathering
    }

    /// Takes in a dependency.
    pub fn add(&mut self, dependency: &Dependency) {
        self.note_cache(dependency);
        self.neighbours.note(dependency);
        let places = [&dependency.client, &dependency.server].map(|party| self.place(party));
        let [client, server] = places.map(|place| place.map(|place| place.unit));
        let [own_client, own_server] = [client, server].map(|unit| unit.filter(|unit| self.is_wanted(*unit)));
        self.add_balanced(dependency);
        let behind = self.behind(dependency);
        if own_client.is_none() && own_server.is_none() && behind.is_empty() {
            return;
        }
        // a sweep tells that a workload is there, not what it needs
        if !dependency.marks.contains(&Mark::Scan) {
            for unit in [own_client, own_server].into_iter().flatten() {
                if let Some(seen) = self.seen.get_mut(unit) {
                    *seen = true;
                }
            }
        }
        match use_of(dependency) {
            Use::Silent => {}
            Use::OwnNode => self.add_own_node(dependency, own_client, own_server),
            Use::LeftOut(reason) => {
                let others = behind.iter().map(|(unit, _)| Some(*unit));
                let units: Vec<Option<UnitId>> = [own_client, own_server].into_iter().chain(others).collect();
                self.leave_out(dependency, &units, &reason);
            }
            Use::Rule => {
                let purpose = self.known.purpose(dependency, client, server);
                if let ([Some(client), Some(server)], false) = (places, baseline::is_dns(dependency)) {
                    self.add_call(client, server, dependency, purpose.as_ref());
                } else {
                    if let Some(unit) = own_client {
                        self.add_egress(unit, dependency, purpose.as_ref());
                    }
                    if let Some(unit) = own_server {
                        self.add_ingress(unit, (dependency, dependency), purpose.as_ref());
                    }
                    for (unit, answered) in &behind {
                        let purpose = self.known.purpose(answered, client, Some(*unit));
                        self.add_ingress(*unit, (answered, dependency), purpose.as_ref());
                    }
                    self.add_behind_nodes(&behind, dependency);
                }
                self.add_backends(dependency, client);
            }
        }
    }

    /// A pod and its own node always reach each other, but the pod may run on another node tomorrow, and what comes from
    /// the node to an exposed port may be clients from outside whose address it replaced.
    fn add_own_node(&mut self, dependency: &Dependency, client: Option<UnitId>, server: Option<UnitId>) {
        let purpose = self.known.purpose(dependency, client, server);
        match (client, server) {
            (Some(unit), None) if dependency.server.kind == PartyKind::Node => {
                self.add_egress(unit, dependency, purpose.as_ref());
            }
            (None, Some(unit)) if self.is_needed_of_nodes(unit, dependency, purpose.as_ref()) => {
                self.add_ingress(unit, (dependency, dependency), purpose.as_ref());
            }
            _ => {
                self.leave_out(dependency, &[client, server], &Omission::OwnNode);
                self.add_exposed(dependency, server);
            }
        }
    }

    /// Whether what a pod's own node sends to it is what another node will send when the pod is there: what a host-network
    /// Ingress controller hands on, and what a cache of names asks.
    fn is_needed_of_nodes(&self, unit: UnitId, dependency: &Dependency, purpose: Option<&Purpose>) -> bool {
        let is_asked = baseline::is_dns(dependency) && self.cluster_dns.contains(&(Far::Unit(unit), dependency.port));
        !dependency.marks.contains(&Mark::Probe) && (is_asked || purpose == Some(&Purpose::IngressController))
    }

    /// What is exposed is open to the outside also where none of it was seen but by way of a node.
    fn add_exposed(&mut self, dependency: &Dependency, server: Option<UnitId>) {
        let (protocol, port) = (dependency.protocol, dependency.port);
        // health checks of the kubelet come to every pod, exposed or not; of few it is not sure that they are
        let is_check = dependency.marks.contains(&Mark::Probe) && dependency.connections >= MIN_CHECKS;
        let Some(unit) = server.filter(|_| !is_check && self.exposed(dependency).is_some()) else { return };
        for (far, purpose) in self.clients(dependency, None).unwrap_or_default() {
            let edge = Edge { unit, side: Side::Ingress, far, protocol, port };
            self.unseen.entry(edge).or_default().add(dependency, purpose.as_ref());
        }
    }

    /// What a pod dialled at a load balancer that its node does not stand in for comes back from outside, to any pod of the Service.
    fn add_balanced(&mut self, dependency: &Dependency) {
        if matches!(use_of(dependency), Use::Rule) {
            for (unit, answered) in self.behind_balancer(dependency) {
                for (far, purpose) in self.clients(&answered, None).unwrap_or_default() {
                    let edge =
                        Edge { unit, side: Side::Ingress, far, protocol: answered.protocol, port: answered.port };
                    self.unseen.entry(edge).or_default().add(dependency, purpose.as_ref());
                }
            }
        }
    }

    /// Who dials a Service may be led to any of its pods tomorrow: to those of workloads, too, that were not seen to
    /// answer.
    fn add_backends(&mut self, dependency: &Dependency, client: Option<UnitId>) {
        let Some(client) = client.filter(|_| !baseline::is_dns(dependency)) else { return };
        let protocol = dependency.protocol;
        for (service, address, port) in services_dialled(dependency) {
            let is_of_node = self.known.is_node(address);
            for (far, port) in self.backends(service, protocol, (port, is_of_node)).iter().copied() {
                let mut edges = Vec::new();
                match far {
                    Far::Unit(server) => {
                        let mut clients = self.sources(dependency);
                        clients.insert(Far::Unit(client));
                        clients.extend(is_of_node.then_some(Far::Node(address)));
                        let ingress = |far| Edge { unit: server, side: Side::Ingress, far, protocol, port };
                        edges.extend(clients.into_iter().map(ingress));
                    }
                    // all of the API server is let be reached in the end
                    Far::Address(address) | Far::Node(address) if self.known.api_servers.contains(&(address, port)) => {
                        continue;
                    }
                    _ => {}
                }
                edges.push(Edge { unit: client, side: Side::Egress, far, protocol, port });
                for edge in edges {
                    // what was seen needs no more: most connections lead there
                    if self.is_wanted(edge.unit) && !self.edges.contains_key(&edge) {
                        self.unseen.entry(edge).or_default().add(dependency, None);
                    }
                }
            }
        }
    }

    /// Where a port of a Service leads, each asked once: thousands dial the same.
    fn backends(&mut self, service: &str, protocol: Protocol, port: Dialled) -> Targets {
        if let Some(known) = self.dialled.get(&(protocol, port)).and_then(|services| services.get(service)) {
            return Rc::clone(known);
        }
        let found: Targets = self.dialled(service, protocol, port).into();
        self.dialled.entry((protocol, port)).or_default().insert(service.to_owned(), Rc::clone(&found));
        found
    }

    /// Gives both ends of calls their edges, and takes in the edges that were not seen themselves, where they were not
    /// seen otherwise.
    pub fn settle(&mut self) {
        for (edge, support) in std::mem::take(&mut self.calls).into_edges() {
            if self.is_wanted(edge.unit) {
                self.edges.entry(edge).or_default().join(support);
            }
        }
        self.settle_names();
        self.settle_nodes();
        for (edge, support) in std::mem::take(&mut self.unseen) {
            self.edges.entry(edge).or_insert(Support { is_unseen: true, ..support });
        }
    }

    pub(super) fn is_wanted(&self, unit: UnitId) -> bool {
        self.wanted.get(unit).copied().unwrap_or_default()
    }

    /// The unit that a party is.
    pub(super) fn unit(&self, party: &Party) -> Option<UnitId> {
        self.place(party).map(|place| place.unit)
    }

    /// Where a party is among the workloads.
    fn place(&self, party: &Party) -> Option<Place> {
        if party.kind != PartyKind::Workload {
            return None;
        }
        self.units.find(&party.name, party.owner.as_deref().unwrap_or_default())
    }

    /// Takes in a dependency between two workloads.
    fn add_call(&mut self, client: Place, server: Place, dependency: &Dependency, purpose: Option<&Purpose>) {
        if self.is_wanted(client.unit) {
            self.note_caller(client.unit, dependency, purpose);
        }
        let new = self.calls.add((client, server), dependency, purpose);
        for edge in new.into_iter().flatten().filter(|edge| self.wanted.get(edge.unit) == Some(&true)) {
            // that it was seen is known at once
            self.edges.entry(edge).or_default();
        }
        if self.is_wanted(server.unit) {
            let (unit, protocol, port) = (server.unit, dependency.protocol, dependency.port);
            for far in self.sources(dependency) {
                let edge = Edge { unit, side: Side::Ingress, far, protocol, port };
                self.unseen.entry(edge).or_default().add(dependency, purpose);
            }
        }
        for (address, port) in self.dialled_nodes(dependency) {
            self.add_by_node((client.unit, server.unit), (address, port), dependency);
        }
    }

    /// A port of a node that leads to pods: a policy at the client sees the node, unless that is its own, and one at the
    /// server mostly sees the node as well, in the place of the client.
    fn add_by_node(
        &mut self,
        (client, server): (UnitId, UnitId),
        (address, port): (IpAddr, u16),
        dependency: &Dependency,
    ) {
        self.add_of_node((client, Side::Egress), (address, port), dependency);
        self.add_of_node((server, Side::Ingress), (address, dependency.port), dependency);
    }

    /// Lets in the nodes that a pod dialled, where a node leads to a Service with several workloads behind it.
    fn add_behind_nodes(&mut self, behind: &[(UnitId, Dependency)], dependency: &Dependency) {
        if self.unit(&dependency.client).is_none() {
            return;
        }
        for (address, _) in self.dialled_nodes(dependency) {
            for (server, answered) in behind {
                self.add_of_node((*server, Side::Ingress), (address, answered.port), dependency);
            }
        }
    }

    fn add_of_node(&mut self, (unit, side): (UnitId, Side), (address, port): (IpAddr, u16), dependency: &Dependency) {
        if self.is_wanted(unit) {
            let edge = Edge { unit, side, far: Far::Node(address), protocol: dependency.protocol, port };
            self.unseen.entry(edge).or_default().add(dependency, None);
        }
    }

    /// Who dials what is known by a name: a Service, pods behind a headless one, somebody outside. Clients of the API server
    /// have its address from their environment (`KUBERNETES_SERVICE_HOST`).
    fn note_caller(&mut self, unit: UnitId, dependency: &Dependency, purpose: Option<&Purpose>) {
        let server = &dependency.server;
        let is_outside = matches!(server.kind, PartyKind::External | PartyKind::Host);
        let is_named =
            |address: &IpAddr| is_outside && !is_link_local(*address) || self.known.headless.contains(address);
        let has_name = !dependency.via.is_empty() || server.addresses.iter().any(is_named);
        if has_name && purpose != Some(&Purpose::ApiServer) {
            self.callers.insert(unit);
        }
    }

    fn add_egress(&mut self, unit: UnitId, dependency: &Dependency, purpose: Option<&Purpose>) {
        let servers = match self.servers(dependency) {
            Ok(servers) => servers,
            Err(reason) => return self.leave_out(dependency, &[Some(unit)], &Omission::Egress(reason)),
        };
        let protocol = dependency.protocol;
        // whoever is behind a port of a node, a policy at its client sees that node, unless it is the client's own
        for (address, port) in self.dialled_nodes(dependency) {
            self.add_of_node((unit, Side::Egress), (address, port), dependency);
        }
        if baseline::is_dns(dependency) {
            return self.add_asker(unit, servers, dependency);
        }
        self.note_caller(unit, dependency, purpose);
        for (far, port) in servers {
            let edge = Edge { unit, side: Side::Egress, far, protocol, port };
            self.edges.entry(edge).or_default().add(dependency, purpose);
        }
    }

    /// Lets the clients of a dependency in. What was seen is another one where it does not tell who answered.
    fn add_ingress(&mut self, unit: UnitId, (dependency, seen): (&Dependency, &Dependency), purpose: Option<&Purpose>) {
        let (protocol, port) = (dependency.protocol, dependency.port);
        let add = |fars: Vec<(Far, Option<Purpose>)>, edges: &mut HashMap<Edge, Support>| {
            for (far, purpose) in fars {
                let edge = Edge { unit, side: Side::Ingress, far, protocol, port };
                let support = edges.entry(edge).or_default();
                if is_seen_from(seen, far) {
                    support.add(seen, purpose.as_ref());
                } else {
                    support.add_unseen(purpose.as_ref());
                }
            }
        };
        let clients = if self.answers_everybody(unit, dependency) {
            Ok(vec![(Far::EveryPod, Some(Purpose::Dns))])
        } else {
            self.clients(dependency, purpose)
        };
        if let (Ok(clients), Some(exposed)) = (&clients, self.exposed(dependency)) {
            // who comes from outside may be led to any pod of the Service tomorrow
            let others = exposed.targets.iter().filter_map(|(address, port)| Some((*self.owners.get(address)?, *port)));
            let rolled_out = exposed.rolled_out.iter();
            let rolled_out = rolled_out.filter_map(|(workload, port)| Some((self.units.of(workload)?, *port)));
            let others: Vec<(UnitId, u16)> = others.chain(rolled_out).filter(|end| *end != (unit, port)).collect();
            for (unit, port) in others.into_iter().filter(|(unit, _)| self.wanted.get(*unit) == Some(&true)) {
                for (far, purpose) in clients {
                    let edge = Edge { unit, side: Side::Ingress, far: *far, protocol, port };
                    self.unseen.entry(edge).or_default().add(seen, purpose.as_ref());
                }
            }
        }
        match clients {
            Ok(clients) => add(clients, &mut self.edges),
            Err(reason) => self.leave_out(seen, &[Some(unit)], &Omission::Ingress(reason)),
        }
    }

    fn leave_out(&mut self, dependency: &Dependency, units: &[Option<UnitId>], reason: &Omission) {
        let units = units.iter().flatten().filter_map(|unit| self.units.all.get(*unit));
        let namespaces: BTreeSet<&String> = units.map(|unit| &unit.namespace).collect();
        for namespace in namespaces {
            let left = LeftOut::new(dependency, reason.clone());
            let all = self.left_out.entry(namespace.clone()).or_default();
            match all.entry(LeftOutKey::of(&left)) {
                Entry::Occupied(mut known) => known.get_mut().evidence.join(dependency),
                Entry::Vacant(free) => drop(free.insert(left)),
            }
        }
    }

    /// What was left out of a namespace, in order.
    pub fn left_out(&mut self, namespace: &str) -> Vec<LeftOut> {
        let all = self.left_out.remove(namespace).unwrap_or_default();
        let mut all: Vec<LeftOut> = all.into_values().collect();
        all.sort();
        all
    }

    /// Whether a prefix holds an address of the cluster: a node's, a pod's or a Service's.
    pub fn is_of_cluster(&self, range: IpNet) -> bool {
        let cluster = self.input.cluster;
        let nodes = cluster.nodes.iter().flat_map(|node| &node.addresses);
        let services = cluster.services.iter().flat_map(|service| &service.cluster_ips);
        nodes.chain(services).any(|address| range.contains(address))
    }

    /// The workloads of a unit.
    pub fn members(&self, unit: UnitId) -> &'a [WorkloadRef] {
        self.units.all.get(unit).map_or(&[], |unit| unit.members.as_slice())
    }
}

/// The Services that a client dialled, each with the address and the port: those that led to its server, or that its server is
/// where nobody was seen to answer.
fn services_dialled(dependency: &Dependency) -> impl Iterator<Item = (&String, IpAddr, u16)> {
    let Dependency { server, port, via, .. } = dependency;
    let led = via.iter().filter(|via| !via.disputed);
    let led = led.filter_map(|via| Some((via.service.as_ref()?, via.address, via.port)));
    let own = server.addresses.iter().filter(|_| server.kind == PartyKind::Service);
    led.chain(own.map(|address| (&server.name, *address, *port)))
}

/// Whether a client, or whom the server saw in its place, is this one or of this range. Of pods it is known.
fn is_seen_from(dependency: &Dependency, far: Far) -> bool {
    let mut seen = dependency.client.addresses.iter().chain(&dependency.sources);
    match far {
        Far::Unit(_) | Far::EveryPod => true,
        Far::Address(address) | Far::Node(address) => seen.any(|it| *it == address),
        Far::Anyone(range) => seen.any(|it| range.contains(it)),
    }
}

fn declared(input: Input<'_>, units: &Units) -> BTreeMap<UnitId, BTreeSet<(Protocol, u16)>> {
    let mut declared: BTreeMap<UnitId, BTreeSet<(Protocol, u16)>> = BTreeMap::new();
    let pods = input.cluster.pods.iter().map(|pod| (&pod.workload, &pod.ports));
    let templates = input.cluster.workloads.iter().map(|workload| (&workload.id, &workload.ports));
    for (owner, ports) in pods.chain(templates).filter(|(_, ports)| !ports.is_empty()) {
        if let Some(unit) = units.of(owner) {
            declared.entry(unit).or_default().extend(ports.iter().map(|port| (port.protocol, port.port)));
        }
    }
    declared
}
