//! Roles to tiers: by who calls whom.

use std::collections::{BTreeMap, BTreeSet};

use super::{Tier, graph::Graph, token::Service};
use crate::model::{PartyKind, Protocol};

/// DNS (RFC 1035), also over TLS (RFC 7858).
const DNS_PORTS: [u16; 2] = [53, 853];
/// Ports on which databases, caches, queues and file servers are reached, by their vendors' defaults and IANA: SMB, SQL
/// Server, Oracle, NFS, `ZooKeeper`, etcd, iSCSI, `MySQL`, NATS, `PostgreSQL`, AMQP, `CouchDB`, Redis, Ceph, Neo4j,
/// `InfluxDB`, Cassandra, Kafka, Elasticsearch, memcached, `CockroachDB`, `MongoDB`, `RethinkDB`, Db2.
const STORE_PORTS: [u16; 35] = [
    445, 1433, 1521, 2049, 2181, 2379, 2380, 3260, 3306, 3300, 4222, 5432, 5433, 5671, 5672, 5984, 6379, 6380, 6432,
    6789, 7474, 7687, 8086, 9042, 9092, 9093, 9200, 9300, 11211, 26257, 27017, 27018, 27019, 28015, 50000,
];

/// A service that names so many clients is used by many; or a quarter of all, in small networks.
const MANY_CLIENTS: usize = 3;
/// Monitoring and management reach at least this share of the other roles, in percent, and no fewer than so many.
const REACH_PERCENT: usize = 60;
const MIN_REACHED: usize = 3;
/// Fewer are enough where one of the ports is one of metrics, and nobody else calls it: Prometheus and its exporters have
/// these by default.
const METRICS_PORTS: std::ops::RangeInclusive<u16> = 9_090..=9_999;
const MIN_WATCHED: usize = 2;
/// What everybody needs, such as a registry, is called by at least this share of the other endpoints, in percent, and by no
/// fewer than so many.
const HUB_PERCENT: usize = 66;
const MIN_CALLERS: usize = 4;

/// Where a role stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub tier: Tier,
    /// Calls between the outside and the role, on the longest way; 0 for clients.
    pub level: usize,
    /// Why it is in this tier, where its calls do not say so themselves.
    pub because: Option<String>,
}

/// The calls between roles.
#[derive(Default)]
pub(super) struct Calls {
    /// For each role: whom it calls in scope.
    pub to: Vec<BTreeSet<usize>>,
    /// For each role: who calls it in scope.
    pub from: Vec<BTreeSet<usize>>,
    /// For each role: peers outside that it calls.
    pub out: Vec<BTreeSet<u32>>,
    /// For each role: peers outside that call it, external ones alone, and on what.
    pub entered: Vec<BTreeMap<Service, BTreeSet<u32>>>,
    /// For each role: what it serves to others in scope, and to how many endpoints.
    served: Vec<BTreeMap<Service, BTreeSet<u32>>>,
    /// For each role: whether it answers anybody in scope.
    answers: Vec<bool>,
    /// For each role: whether peers out of scope that are not outside call it: nodes, and agents that count as these.
    serves_nodes: Vec<bool>,
    /// Who calls itself.
    pub is_mesh: Vec<bool>,
}

/// Endpoints of one service that are told apart; more are many.
const MAX_CLIENTS: usize = 64;

impl Calls {
    pub fn new(graph: &Graph, role_of: &[usize], count: usize) -> Self {
        let mut calls = Self {
            to: vec![BTreeSet::new(); count],
            from: vec![BTreeSet::new(); count],
            out: vec![BTreeSet::new(); count],
            entered: vec![BTreeMap::new(); count],
            served: vec![BTreeMap::new(); count],
            answers: vec![false; count],
            serves_nodes: vec![false; count],
            is_mesh: vec![false; count],
        };
        for edge in &graph.edges {
            let role = |end: u32| role_of.get(end as usize).copied();
            match (role(edge.client), role(edge.server)) {
                (Some(client), Some(server)) if client == server => calls.is_mesh[client] = true,
                (Some(client), Some(server)) => {
                    calls.to[client].insert(server);
                    calls.from[server].insert(client);
                    let clients = calls.served[server].entry(edge.service).or_default();
                    if clients.len() < MAX_CLIENTS {
                        clients.insert(edge.client);
                    }
                    calls.answers[server] |= !edge.is_oneway;
                }
                (Some(client), None) => {
                    bounded(&mut calls.out[client], edge.server);
                }
                (None, Some(server)) => match graph.outsider(edge.client).map(|peer| peer.kind) {
                    Some(PartyKind::External) => {
                        bounded(calls.entered[server].entry(edge.service).or_default(), edge.client);
                    }
                    Some(PartyKind::Node) => calls.serves_nodes[server] = true,
                    _ => {}
                },
                (None, None) => {}
            }
        }
        calls
    }

    /// Who serves names to many, or names to anybody inside and nothing else.
    fn is_dns(&self, role: usize, endpoints: usize) -> bool {
        let clients: BTreeSet<u32> = self.served[role]
            .iter()
            .filter(|(service, _)| is_name_service(**service))
            .flat_map(|it| it.1)
            .copied()
            .collect();
        let is_for_many = clients.len() >= MANY_CLIENTS.min(endpoints / 4).max(1);
        !clients.is_empty() && (is_for_many || self.serves_names_alone(role))
    }

    /// Whether all that a role serves inside is names, and figures about itself, and nothing is for the outside.
    fn serves_names_alone(&self, role: usize) -> bool {
        let is_metrics =
            |service: &Service| METRICS_PORTS.contains(&service.port()) && service.protocol() == Protocol::TCP;
        let is_alone = self.served[role].keys().all(|service| is_name_service(*service) || is_metrics(service));
        is_alone && self.entered[role].is_empty()
    }

    /// Who is called by nobody and calls nearly everybody: it reads metrics, or manages.
    fn reaches_all(&self, role: usize, others: usize) -> bool {
        let reached = self.to[role].len();
        self.from[role].is_empty() && reached >= MIN_REACHED && reached * 100 >= others * REACH_PERCENT
    }

    /// Who is called by nobody and reads a port of metrics that nobody else calls.
    fn watches(&self, graph: &Graph, members: &[u32], role: usize) -> bool {
        let is_own = |clients: &BTreeSet<u32>| clients.iter().all(|client| members.binary_search(client).is_ok());
        let is_read = |(service, clients): (&Service, &BTreeSet<u32>)| {
            METRICS_PORTS.contains(&service.port()) && service.protocol() == Protocol::TCP && is_own(clients)
        };
        let is_entered = members.iter().any(|it| graph.members[*it as usize].opened_by.is_some());
        let is_free = self.from[role].is_empty() && !is_entered && self.to[role].len() >= MIN_WATCHED;
        is_free && self.to[role].iter().any(|to| self.served[*to].iter().any(is_read))
    }

    /// Who is called by nearly everybody, calls nobody but for names and logs, and stores nothing. Gives how many call it, of how
    /// many.
    fn is_hub(&self, role: usize, roles: &Peers<'_>) -> Option<(usize, usize)> {
        let endpoints = roles.graph.members.len();
        let is_service = |to: &usize| self.is_dns(*to, endpoints) || self.is_sink(*to);
        if self.is_store(role) || !self.to[role].iter().all(is_service) {
            return None;
        }
        let callers = roles.count(&mut self.from[role].iter().copied(), role);
        let others = roles.count(&mut (0..self.from.len()).filter(|other| *other != role), role);
        let is_hub = callers >= MIN_CALLERS && callers * 100 >= others * HUB_PERCENT;
        is_hub.then_some((callers, others))
    }

    /// Who gets datagrams, answers none, and calls nobody: a sink of logs or metrics.
    fn is_sink(&self, role: usize) -> bool {
        !self.from[role].is_empty() && !self.answers[role] && self.to[role].is_empty()
    }

    fn is_store(&self, role: usize) -> bool {
        self.served[role].keys().any(|service| STORE_PORTS.contains(&service.port()) && service.protocol().has_ports())
    }
}

/// Members of roles, by namespace.
struct Peers<'g> {
    graph: &'g Graph,
    roles: &'g [Vec<u32>],
}

impl Peers<'_> {
    fn namespace(&self, role: usize) -> Option<&str> {
        let first = self.roles.get(role)?.first()?;
        self.graph.members.get(*first as usize)?.workload.as_ref().map(|it| it.namespace.as_str())
    }

    /// How many endpoints of the role's own namespace these roles have.
    fn count(&self, roles: &mut dyn Iterator<Item = usize>, of: usize) -> usize {
        let own = self.namespace(of);
        roles.filter(|role| self.namespace(*role) == own).map(|role| self.roles[role].len()).sum()
    }
}

fn bounded(peers: &mut BTreeSet<u32>, peer: u32) {
    if peers.len() < MAX_CLIENTS {
        peers.insert(peer);
    }
}

fn is_name_service(service: Service) -> bool {
    DNS_PORTS.contains(&service.port()) && matches!(service.protocol(), Protocol::TCP | Protocol::UDP)
}

/// Gives every role its tier and level.
pub(super) fn place(graph: &Graph, roles: &[Vec<u32>], calls: &Calls) -> Vec<Place> {
    let mut places: Vec<Place> = (0..roles.len()).map(|role| first_look(graph, roles, calls, role)).collect();
    for role in 0..roles.len() {
        if places[role].tier == Tier::Application && places[role].because.is_none() {
            places[role].tier = second_look(calls, &places, role);
        }
    }
    let levels = levels(calls, &places);
    for (place, level) in places.iter_mut().zip(levels) {
        place.level = level;
    }
    places
}

/// What an operator says, and what a role's own calls tell.
fn first_look(graph: &Graph, roles: &[Vec<u32>], calls: &Calls, role: usize) -> Place {
    let seen = |role: usize| !calls.to[role].is_empty() || !calls.from[role].is_empty();
    let others = (0..roles.len()).filter(|other| *other != role && seen(*other)).count();
    let members = || roles[role].iter().filter_map(|member| graph.members.get(*member as usize));
    let given = members().find_map(|member| member.tier);
    let opener = members().find_map(|member| member.opened_by.clone());
    let entrants: BTreeSet<u32> = calls.entered[role].values().flatten().copied().collect();
    let (tier, because) = if let Some(tier) = given {
        (tier, Some("the operator says so".to_owned()))
    } else if calls.is_dns(role, graph.members.len()) {
        (Tier::Infrastructure, Some("it names hosts for others".to_owned()))
    } else if let Some(opener) = opener {
        (Tier::Edge, Some(format!("the outside enters here (DMZ), by {opener}")))
    } else if !entrants.is_empty() {
        (Tier::Edge, Some(format!("the outside enters here (DMZ): {}", entry(&calls.entered[role], entrants.len()))))
    } else if calls.reaches_all(role, others) {
        let reached = calls.to[role].len();
        (
            Tier::Infrastructure,
            Some(format!("it calls {reached} of {others} other roles and is called by none: monitoring or management")),
        )
    } else if calls.watches(graph, &roles[role], role) {
        (Tier::Infrastructure, Some("it alone reads a port of metrics, and nobody calls it: monitoring".to_owned()))
    } else if calls.is_sink(role) {
        (Tier::Infrastructure, Some("it gets datagrams and answers none: logs or metrics".to_owned()))
    } else if let Some((callers, others)) = calls.is_hub(role, &Peers { graph, roles }) {
        (Tier::Infrastructure, Some(format!("{callers} of {others} others call it, and it calls nobody")))
    } else {
        (Tier::Application, None)
    };
    Place { tier, level: 0, because }
}

fn entry(entered: &BTreeMap<Service, BTreeSet<u32>>, peers: usize) -> String {
    let services: Vec<String> = entered.keys().take(3).map(Service::to_string).collect();
    let many = if peers >= MAX_CLIENTS { " or more" } else { "" };
    format!("{peers}{many} outside on {}", services.join(", "))
}

/// What a role's place among the others tells, once infrastructure is known.
fn second_look(calls: &Calls, places: &[Place], role: usize) -> Tier {
    let works_with = |other: &&usize| places[**other].tier != Tier::Infrastructure;
    let calls_others = calls.to[role].iter().any(|other| works_with(&other));
    let is_called = calls.from[role].iter().any(|other| works_with(&other));
    match (is_called || calls.serves_nodes[role] && !calls_others, calls_others) {
        (false, _) => Tier::Client,
        (true, false) if calls.is_store(role) => Tier::Data,
        _ => Tier::Application,
    }
}

/// The longest way from the outside to each role, over calls that infrastructure does not make. Roles that call each
/// other in a circle stand on one level.
fn levels(calls: &Calls, places: &[Place]) -> Vec<usize> {
    let count = places.len();
    let callees = |role: usize| -> Vec<usize> {
        let is_infrastructure = places[role].tier == Tier::Infrastructure;
        if is_infrastructure { Vec::new() } else { calls.to[role].iter().copied().collect() }
    };
    let next: Vec<Vec<usize>> = (0..count).map(callees).collect();
    let circles = circles(&next);
    // circles come out with those first that are called by others last: callees first
    let mut level_of_circle = vec![0; circles.count];
    for (role, place) in places.iter().enumerate() {
        let floor = usize::from(place.tier != Tier::Client);
        let level = &mut level_of_circle[circles.of[role]];
        *level = floor.max(*level);
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|role| std::cmp::Reverse(circles.of[*role]));
    for role in order {
        let here = level_of_circle[circles.of[role]];
        for to in &next[role] {
            let there = circles.of[*to];
            if there != circles.of[role] {
                level_of_circle[there] = level_of_circle[there].max(here + 1);
            }
        }
    }
    (0..count).map(|role| level_of_circle[circles.of[role]]).collect()
}

/// The strongly connected components of a graph.
struct Circles {
    of: Vec<usize>,
    count: usize,
}

/// Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972), without recursion. Components are numbered
/// callees first.
fn circles(next: &[Vec<usize>]) -> Circles {
    const NEW: usize = usize::MAX;
    let count = next.len();
    let (mut index, mut low, mut of) = (vec![NEW; count], vec![0; count], vec![NEW; count]);
    let (mut stack, mut clock, mut found) = (Vec::new(), 0, 0);
    for root in 0..count {
        let mut path: Vec<(usize, usize)> = if index[root] == NEW { vec![(root, 0)] } else { Vec::new() };
        while let Some((node, step)) = path.pop() {
            if step == 0 {
                (index[node], low[node]) = (clock, clock);
                clock += 1;
                stack.push(node);
            } else if let Some(before) = next[node].get(step - 1) {
                low[node] = low[node].min(low[*before]);
            }
            let further = next[node].get(step..).into_iter().flatten().enumerate();
            let mut descend = None;
            for (n, to) in further {
                if index[*to] == NEW {
                    descend = Some((step + n + 1, *to));
                    break;
                }
                if of[*to] == NEW {
                    low[node] = low[node].min(index[*to]);
                }
            }
            if let Some((resume, to)) = descend {
                path.extend([(node, resume), (to, 0)]);
            } else if low[node] == index[node] {
                while let Some(member) = stack.pop() {
                    of[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    Circles { of, count: found }
}
