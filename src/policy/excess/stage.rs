//! Who and which ports the measure is over, and what was seen to be needed.

use std::{collections::BTreeSet, net::IpAddr, ops::Range};

use foldhash::HashMap;

use crate::{
    model::{Dependency, Mark, Party, PartyKind, Protocol, WorkloadRef, well_known},
    policy::{End, Evaluator, Outside, Past, Realm, Roster, census::stranger},
};

/// A port of a server.
pub(super) type Service = (Protocol, u16);

/// Who asks for names by UDP must be able to ask again by TCP, where an answer is too long (RFC 7766, 5).
fn with_fallback(service: Service) -> impl Iterator<Item = Service> {
    const DNS: Service = (Protocol::UDP, well_known::DNS);
    std::iter::once(service).chain((service == DNS).then_some((Protocol::TCP, well_known::DNS)))
}

/// Whether somebody needs a policy to allow it: a pod with itself and with its own node does not.
fn is_needed(dependency: &Dependency) -> bool {
    let is_free = dependency.marks.contains(&Mark::Node) || dependency.marks.contains(&Mark::Itself);
    dependency.unneeded().is_none() && !is_free
}

/// An actor: a workload or an address, its ends by place.
pub(super) struct Actor {
    pub name: String,
    pub ends: Range<usize>,
    /// Whether it is a workload of a namespace that a policy stands in, or, without such, that a policy of the cluster is about.
    pub is_in_scope: bool,
    /// Whether it is an address.
    pub is_outside: bool,
    /// Whether it stands for addresses that were not seen, and of which realm: those that no policy tells apart count once.
    pub piece_of: Option<Realm>,
}

/// All actors, all ports, and all that is needed.
pub(super) struct Stage {
    pub actors: Vec<Actor>,
    pub ends: Vec<End>,
    pub ports: BTreeSet<Service>,
    pub needed: BTreeSet<(usize, usize, Service)>,
    /// Ports that were seen used from outside: any other client from there needs them as well.
    pub exposed: BTreeSet<(usize, Service)>,
    /// The addresses outside that were seen.
    seen: BTreeSet<IpAddr>,
}

impl Stage {
    pub fn new(past: &Past<'_>, roster: &Roster<'_>, outside: &Outside, evaluator: &Evaluator<'_>) -> Self {
        let namespaces: BTreeSet<&str> = evaluator.policies().map(|policy| policy.namespace.as_str()).collect();
        // policies of the whole cluster are of every namespace, and say where to look only where there are no others
        let is_alone = namespaces.is_empty();
        let applies = |end: &End| is_alone && evaluator.cluster_wide().iter().any(|it| evaluator.is_subject(it, end));
        let mut stage = Self {
            actors: Vec::new(),
            ends: Vec::new(),
            ports: BTreeSet::new(),
            needed: BTreeSet::new(),
            exposed: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        let mut workloads: HashMap<&WorkloadRef, usize> = HashMap::default();
        let mut at_nodes: Vec<(String, Vec<End>)> = Vec::new();
        for id in roster.workloads() {
            let ends: Vec<End> = roster.members(id).into_iter().map(|who| roster.end(who)).collect();
            // who shares its node's network is closed by no policy, and counts as what others reach
            let is_closable = ends.iter().any(|end| matches!(end, End::Pod(pod) if evaluator.is_selectable(pod)));
            if is_closable {
                let is_in_scope = namespaces.contains(id.namespace.as_str()) || ends.iter().any(applies);
                let place = stage.actor(id.to_string(), ends, is_in_scope);
                workloads.insert(id, place);
            } else {
                at_nodes.push((id.to_string(), ends));
            }
        }
        stage.actor(stranger().to_string(), vec![stranger()], false);
        stage.add_needed(past, roster, &workloads);
        stage.add_at_nodes(at_nodes);
        stage.add_others(outside);
        stage.add_ports(evaluator);
        stage
    }

    fn actor(&mut self, name: String, ends: Vec<End>, is_in_scope: bool) -> usize {
        let from = self.ends.len();
        let is_outside = matches!(ends.first(), Some(End::Address(_)));
        self.ends.extend(ends);
        self.actors.push(Actor { name, ends: from..self.ends.len(), is_in_scope, is_outside, piece_of: None });
        self.actors.len() - 1
    }

    fn add_needed(&mut self, past: &Past<'_>, roster: &Roster<'_>, workloads: &HashMap<&WorkloadRef, usize>) {
        let mut addresses: HashMap<IpAddr, usize> = HashMap::default();
        for dependency in past.dependencies().filter(|dependency| is_needed(dependency)) {
            let Dependency { client, server, protocol, port, .. } = dependency;
            let clients = self.places(client, workloads, &mut addresses);
            let servers: BTreeSet<(usize, u16)> = if server.kind == PartyKind::Service {
                let mut servers = BTreeSet::new();
                for (who, port) in roster.behind(server, *protocol, *port) {
                    let workload = roster.workload_of(who).and_then(|id| workloads.get(id));
                    let places = workload
                        .map_or_else(|| self.at_addresses(&roster.end(who), &mut addresses), |place| vec![*place]);
                    servers.extend(places.into_iter().map(|place| (place, port)));
                }
                servers
            } else {
                self.places(server, workloads, &mut addresses).into_iter().map(|place| (place, *port)).collect()
            };
            for (client, (server, port)) in
                clients.iter().flat_map(|client| servers.iter().map(move |it| (*client, *it)))
            {
                self.need(client, server, (*protocol, port));
            }
        }
        self.seen = addresses.into_keys().collect();
    }

    fn need(&mut self, client: usize, server: usize, service: Service) {
        self.ports.extend(with_fallback(service));
        let [from, to] = [client, server].map(|place| &self.actors[place]);
        if from.is_outside {
            self.exposed.insert((server, service));
        }
        if client != server && (from.is_in_scope || to.is_in_scope) {
            self.needed.extend(with_fallback(service).map(|service| (client, server, service)));
        }
    }

    /// The actors that a party stands for.
    fn places(
        &mut self,
        party: &Party,
        workloads: &HashMap<&WorkloadRef, usize>,
        addresses: &mut HashMap<IpAddr, usize>,
    ) -> Vec<usize> {
        match party.kind {
            PartyKind::Workload => party.workload().and_then(|id| workloads.get(&id).copied()).into_iter().collect(),
            PartyKind::External | PartyKind::Host | PartyKind::Node => {
                party.addresses.iter().map(|address| self.address(*address, addresses)).collect()
            }
            PartyKind::Service | PartyKind::Unknown | PartyKind::Multicast => Vec::new(),
        }
    }

    fn address(&mut self, address: IpAddr, known: &mut HashMap<IpAddr, usize>) -> usize {
        let new = || self.actor(address.to_string(), vec![End::Address(address)], false);
        *known.entry(address).or_insert_with(new)
    }

    /// The actors that stand for the addresses of an end, which policies tell by nothing else.
    fn at_addresses(&mut self, end: &End, known: &mut HashMap<IpAddr, usize>) -> Vec<usize> {
        match end {
            End::Address(address) => vec![self.address(*address, known)],
            End::Pod(pod) => pod.addresses.iter().map(|address| self.address(*address, known)).collect(),
        }
    }

    /// Who shares its node's network, where the node's address does not stand for it already.
    fn add_at_nodes(&mut self, workloads: Vec<(String, Vec<End>)>) {
        for (name, mut ends) in workloads {
            ends.retain(|end| match end {
                End::Address(address) => !self.seen.contains(address),
                End::Pod(pod) => pod.addresses.is_empty() || pod.addresses.iter().any(|it| !self.seen.contains(it)),
            });
            if !ends.is_empty() {
                self.actor(name, ends, false);
            }
        }
    }

    /// The pieces of the address space beside the addresses that were seen.
    fn add_others(&mut self, outside: &Outside) {
        for piece in outside.pieces().filter(|piece| matches!(piece.realm, Realm::Public | Realm::Private)) {
            let seen = self.seen.range(piece.range.first..=piece.range.last).count();
            if piece.range.size() > seen as u128 {
                let place = self.actor(piece.range.to_string(), vec![End::Address(piece.range.first)], false);
                self.actors[place].piece_of = Some(piece.realm);
            }
        }
    }

    /// What containers declare, and one port of each interval that no rule cuts: it stands for the others there.
    fn add_ports(&mut self, evaluator: &Evaluator<'_>) {
        let declared = self.ends.iter().filter_map(|end| match end {
            End::Pod(pod) => Some(&pod.ports),
            End::Address(_) => None,
        });
        self.ports.extend(declared.flatten().map(|port| (port.protocol, port.port)));
        for protocol in [Protocol::TCP, Protocol::UDP, Protocol::SCTP] {
            let edges = evaluator.port_edges().filter(|(of, _)| *of == protocol).map(|(_, port)| port);
            let mut starts: BTreeSet<u16> = edges.collect();
            starts.insert(1);
            let ends = starts.iter().skip(1).map(|next| next - 1).chain([u16::MAX]);
            for (first, last) in starts.iter().zip(ends) {
                let free = (*first..=last).find(|port| !self.ports.contains(&(protocol, *port)));
                self.ports.extend(free.map(|port| (protocol, port)));
            }
        }
    }
}
