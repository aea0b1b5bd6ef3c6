//! The calls between roles.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::{graph::Graph, token::Service};
use crate::model::PartyKind;

/// Endpoints of one service that are told apart; more are many.
pub(super) const MAX_CLIENTS: usize = 64;

/// Who uses a service of a role.
#[derive(Default)]
pub(super) struct Users {
    /// Other roles in scope.
    pub roles: BTreeSet<usize>,
    /// Their endpoints, no more than [`MAX_CLIENTS`].
    pub endpoints: BTreeSet<u32>,
}

/// Endpoints of which the first are named and the others counted.
#[derive(Clone, Default)]
pub(super) struct Few {
    pub first: Vec<u32>,
    pub count: usize,
}

impl Few {
    /// How many are named.
    pub const NAMED: usize = 3;

    /// Takes one that it has not.
    fn add(&mut self, endpoint: u32) {
        self.count += 1;
        let place = self.first.partition_point(|it| *it < endpoint);
        if place < Self::NAMED {
            self.first.insert(place, endpoint);
            self.first.truncate(Self::NAMED);
        }
    }
}

/// The namespace of an endpoint as a number: hosts share the first.
pub(super) type Space = usize;

/// The calls between roles.
#[derive(Default)]
pub(super) struct Calls {
    /// For each role: whom it calls in scope, as far as that tells of it.
    pub to: Vec<BTreeSet<usize>>,
    /// For each role: whether it asks another one for anything, whatever that tells of it.
    pub asks: Vec<bool>,
    /// For each role: who calls it in scope.
    pub from: Vec<BTreeSet<usize>>,
    /// For each role: peers outside that it calls.
    pub out: Vec<BTreeSet<u32>>,
    /// For each role: peers outside that call it, external ones alone, and on what.
    pub entered: Vec<BTreeMap<Service, BTreeSet<u32>>>,
    /// For each role: what it serves to others in scope, and to whom.
    pub served: Vec<BTreeMap<Service, Users>>,
    /// For each role: to what services its members call each other.
    pub within: Vec<BTreeSet<Service>>,
    /// For each role: whom in scope it answers.
    pub answers: Vec<BTreeSet<usize>>,
    /// For each role: whether peers out of scope that are not outside call it: nodes, and agents that count as these.
    pub serves_nodes: Vec<bool>,
    /// For each role: how many endpoints it has of which anything was seen, by namespace.
    seen: Vec<BTreeMap<Space, usize>>,
    /// For each role: how many endpoints of another role call it, by the namespace that they are of.
    callers: Vec<BTreeMap<(usize, Space), usize>>,
    /// For each role: how many endpoints of another role it calls.
    reached: Vec<BTreeMap<usize, usize>>,
    /// For each role: the endpoints of other roles that call it.
    pub callers_named: Vec<Few>,
    /// For each role: the endpoints of other roles that it calls.
    pub called_named: Vec<Few>,
}

impl Calls {
    pub fn new(graph: &Graph, role_of: &[usize], count: usize) -> Self {
        let mut calls = Self {
            to: vec![BTreeSet::new(); count],
            asks: vec![false; count],
            from: vec![BTreeSet::new(); count],
            out: vec![BTreeSet::new(); count],
            entered: vec![BTreeMap::new(); count],
            served: std::iter::repeat_with(BTreeMap::new).take(count).collect(),
            within: vec![BTreeSet::new(); count],
            answers: vec![BTreeSet::new(); count],
            serves_nodes: vec![false; count],
            seen: vec![BTreeMap::new(); count],
            callers: vec![BTreeMap::new(); count],
            reached: vec![BTreeMap::new(); count],
            callers_named: vec![Few::default(); count],
            called_named: vec![Few::default(); count],
        };
        calls.add_edges(graph, role_of);
        calls.count_endpoints(graph, role_of);
        calls
    }

    fn add_edges(&mut self, graph: &Graph, role_of: &[usize]) {
        for edge in &graph.edges {
            let role = |end: u32| role_of.get(end as usize).copied();
            match (role(edge.client), role(edge.server)) {
                (Some(client), Some(server)) if client == server => {
                    self.within[client].insert(edge.service);
                }
                (Some(client), Some(server)) => {
                    self.asks[client] = true;
                    if edge.tells_of_client() {
                        self.to[client].insert(server);
                    }
                    self.from[server].insert(client);
                    let users = self.served[server].entry(edge.service).or_default();
                    users.roles.insert(client);
                    bounded(&mut users.endpoints, edge.client);
                    if !edge.is_oneway {
                        self.answers[server].insert(client);
                    }
                }
                (Some(client), None) => {
                    self.asks[client] = true;
                    bounded(&mut self.out[client], edge.server);
                }
                (None, Some(server)) => match graph.outsider(edge.client).map(|peer| peer.kind) {
                    Some(PartyKind::External) => {
                        bounded(self.entered[server].entry(edge.service).or_default(), edge.client);
                    }
                    Some(PartyKind::Node) => self.serves_nodes[server] = true,
                    _ => {}
                },
                (None, None) => {}
            }
        }
    }

    /// Edges are sorted by client, so that a mark of the last one tells which were counted.
    fn count_endpoints(&mut self, graph: &Graph, role_of: &[usize]) {
        let spaces = spaces(graph);
        let mut is_seen = vec![false; role_of.len()];
        let mut last_client = vec![u32::MAX; self.to.len()];
        let mut clients: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); role_of.len()];
        for edge in &graph.edges {
            for end in [edge.client, edge.server] {
                if let Some(seen) = is_seen.get_mut(end as usize) {
                    *seen = true;
                }
            }
            let role = |end: u32| role_of.get(end as usize).copied();
            let (Some(client), Some(server)) = (role(edge.client), role(edge.server)) else { continue };
            if client == server {
                continue;
            }
            if clients[edge.server as usize].insert(client) {
                *self.reached[client].entry(server).or_default() += 1;
                self.called_named[client].add(edge.server);
            }
            if last_client[server] != edge.client {
                last_client[server] = edge.client;
                self.callers_named[server].add(edge.client);
                *self.callers[server].entry((client, spaces[edge.client as usize])).or_default() += 1;
            }
        }
        for member in (0..role_of.len()).filter(|member| is_seen[*member]) {
            *self.seen[role_of[member]].entry(spaces[member]).or_default() += 1;
        }
    }

    /// How many endpoints were seen in each namespace, leaving out some roles.
    pub fn seen(&self, is_out: impl Fn(usize) -> bool) -> BTreeMap<Space, usize> {
        let mut all = BTreeMap::new();
        for (space, count) in (0..self.seen.len()).filter(|role| !is_out(*role)).flat_map(|role| &self.seen[role]) {
            *all.entry(*space).or_default() += count;
        }
        all
    }

    /// How many endpoints call a role, of how many `seen` ones that could, leaving out some roles: in the namespaces of which at
    /// least so many percent call it. To others it is unrelated.
    pub fn callers(
        &self,
        role: usize,
        percent: usize,
        seen: &BTreeMap<Space, usize>,
        is_out: impl Fn(usize) -> bool,
    ) -> Callers {
        let callers = || self.callers[role].iter().filter(|((caller, _), _)| !is_out(*caller));
        let mut calling: BTreeMap<Space, usize> = BTreeMap::new();
        for ((_, space), count) in callers() {
            *calling.entry(*space).or_default() += count;
        }
        let own = |space: &Space| self.seen[role].get(space).copied().unwrap_or_default();
        let others = |space: &Space| seen.get(space).copied().unwrap_or_default().saturating_sub(own(space));
        calling.retain(|space, count| *count * 100 >= others(space) * percent);
        let kinds: BTreeSet<usize> =
            callers().filter(|((_, space), _)| calling.contains_key(space)).map(|((caller, _), _)| *caller).collect();
        Callers { endpoints: calling.values().sum(), of: calling.keys().map(others).sum(), kinds: kinds.len() }
    }

    /// How many endpoints a role calls, leaving out some roles.
    pub fn reached(&self, role: usize, is_out: impl Fn(usize) -> bool) -> usize {
        self.reached[role].iter().filter(|(to, _)| !is_out(**to)).map(|(_, count)| count).sum()
    }

    /// Whether a role has to do with others in scope.
    pub fn is_busy(&self, role: usize) -> bool {
        !self.to[role].is_empty() || !self.from[role].is_empty()
    }

    /// How many endpoints of a role were seen.
    pub fn size(&self, role: usize) -> usize {
        self.seen[role].values().sum()
    }

    /// What a role serves on ports of one kind, to roles that are not left out.
    pub fn serves(&self, role: usize, is_it: impl Fn(Service) -> bool, is_out: impl Fn(usize) -> bool) -> bool {
        self.served[role]
            .iter()
            .any(|(service, users)| is_it(*service) && users.roles.iter().any(|user| !is_out(*user)))
    }

    /// On what services a role calls another.
    pub fn between(&self, client: usize, server: usize) -> impl Iterator<Item = Service> {
        self.served[server].iter().filter(move |(_, users)| users.roles.contains(&client)).map(|(service, _)| *service)
    }
}

/// How many call a role.
pub(super) struct Callers {
    pub endpoints: usize,
    /// How many could.
    pub of: usize,
    /// Of how many roles they are.
    pub kinds: usize,
}

/// The namespaces of the members as numbers.
fn spaces(graph: &Graph) -> Vec<Space> {
    let mut numbers: HashMap<Option<&str>, Space> = HashMap::from_iter([(None, 0)]);
    graph
        .members
        .iter()
        .map(|member| {
            let next = numbers.len();
            *numbers.entry(member.workload.as_ref().map(|it| it.namespace.as_str())).or_insert(next)
        })
        .collect()
}

fn bounded(peers: &mut BTreeSet<u32>, peer: u32) {
    if peers.len() < MAX_CLIENTS {
        peers.insert(peer);
    }
}
