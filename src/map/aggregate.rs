//! Connections to dependencies: one for each client, server, protocol, port, outcome and set of marks.

use std::collections::{BTreeMap, BTreeSet};

use super::{connections::Connection, identity};
use crate::{
    inventory::Directory,
    model::{Dependency, Direction, History, Mark, Outcome, Party, PartyKind, Protocol, Span},
};

/// How parties are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By workload, host or node, where known.
    Workload,
    /// By address.
    Address,
}

/// The connections, by their index, that all of them together set apart.
pub(super) struct Marked {
    pub scans: BTreeSet<usize>,
    pub probes: BTreeSet<usize>,
}

impl Marked {
    fn of(&self, n: usize) -> BTreeSet<Mark> {
        let all = [(&self.scans, Mark::Scan), (&self.probes, Mark::Probe)];
        all.into_iter().filter(|(connections, _)| connections.contains(&n)).map(|(_, mark)| mark).collect()
    }
}

type PartyKey = (PartyKind, String, Option<String>);

/// What makes two connections the same dependency. Those of unknown direction never join known ones.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    client: PartyKey,
    server: PartyKey,
    protocol: Protocol,
    port: u16,
    outcome: Outcome,
    marks: BTreeSet<Mark>,
    is_direction_known: bool,
}

pub(super) fn aggregate(
    site: &str,
    connections: &[Connection],
    marked: &Marked,
    runs: &[Span],
    directory: &Directory,
    by: By,
) -> Vec<Dependency> {
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    for (n, connection) in connections.iter().enumerate() {
        let mut client = identity::client(connection, directory);
        let mut server = identity::server(connection, directory);
        if by == By::Address {
            client.name = connection.client.0.to_string();
            server.party.name = connection.server.0.to_string();
        }
        let key = Key {
            client: party_key(&client),
            server: party_key(&server.party),
            protocol: connection.protocol,
            port: server.port,
            outcome: connection.outcome(),
            marks: marks(connection, marked.of(n), &client, &server.party, directory),
            is_direction_known: connection.direction != Direction::Unknown,
        };
        sums.entry(key).or_insert_with(|| Sum::new(connection)).add(connection, &client, server, runs);
    }
    sums.into_iter().map(|(key, sum)| sum.dependency(site, key)).collect()
}

fn party_key(party: &Party) -> PartyKey {
    (party.kind, party.name.clone(), party.owner.clone())
}

fn marks(
    connection: &Connection,
    mut marks: BTreeSet<Mark>,
    client: &Party,
    server: &Party,
    directory: &Directory,
) -> BTreeSet<Mark> {
    let (a, b) = (connection.client.0, connection.server.0);
    if a == b || client.kind == PartyKind::Node && server.kind == PartyKind::Node && client.name == server.name {
        marks.insert(Mark::Itself);
    }
    if identity::is_own_node(a, b, directory, connection.moment()) {
        marks.insert(Mark::Node);
    }
    marks
}

/// The sums over the connections of one dependency.
struct Sum {
    dependency: Dependency,
    connections: f64,
    history: BTreeMap<crate::model::Hour, f64>,
}

impl Sum {
    fn new(first: &Connection) -> Self {
        let nobody = Party {
            kind: PartyKind::Unknown,
            name: String::new(),
            owner: None,
            addresses: BTreeSet::new(),
            names: Vec::new(),
        };
        let dependency = Dependency {
            site: String::new(),
            client: nobody.clone(),
            server: nobody,
            protocol: first.protocol,
            port: 0,
            via: BTreeSet::new(),
            outcome: first.outcome(),
            direction: first.direction,
            connections: 0,
            packets: 0,
            bytes_to_server: 0,
            bytes_to_client: 0,
            span: first.span,
            vlans: BTreeSet::new(),
            tunnels: BTreeSet::new(),
            marks: BTreeSet::new(),
            history: History::new(),
        };
        Self { dependency, connections: 0.0, history: BTreeMap::new() }
    }

    fn add(&mut self, connection: &Connection, client: &Party, server: identity::Server, runs: &[Span]) {
        let sum = &mut self.dependency;
        sum.client.addresses.extend(&client.addresses);
        sum.server.addresses.extend(server.party.addresses);
        sum.via.extend(server.via);
        sum.direction = sum.direction.min(connection.direction);
        let (packets, bytes_to_server) = connection.from_client.total(runs);
        let (replies, bytes_to_client) = connection.from_server.total(runs);
        sum.packets += scaled(packets + replies, connection.weight);
        sum.bytes_to_server += scaled(bytes_to_server, connection.weight);
        sum.bytes_to_client += scaled(bytes_to_client, connection.weight);
        sum.span.join(connection.span);
        sum.vlans.extend(connection.vlans.iter().cloned());
        sum.tunnels.extend(connection.tunnels.iter().cloned());
        self.connections += connection.count();
        // a record does not say in which of its hours each connection was
        #[expect(clippy::cast_precision_loss, reason = "a count of hours")]
        let in_hour = if connection.trace.lump.is_record() {
            (connection.count() / connection.hours.len() as f64).max(1.0)
        } else {
            connection.weight
        };
        for hour in &connection.hours {
            *self.history.entry(*hour).or_default() += in_hour;
        }
    }

    fn dependency(self, site: &str, key: Key) -> Dependency {
        let party =
            |(kind, name, owner): PartyKey, addresses| Party { kind, name, owner, addresses, names: Vec::new() };
        Dependency {
            site: site.to_owned(),
            client: party(key.client, self.dependency.client.addresses),
            server: party(key.server, self.dependency.server.addresses),
            port: key.port,
            connections: whole(self.connections),
            marks: key.marks,
            history: self.history.into_iter().map(|(hour, count)| (hour, whole(count))).collect(),
            ..self.dependency
        }
    }
}

fn scaled(count: u64, weight: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "an estimate where the weight is not 1, and then not exact anyway")]
    if weight > 1.0 { whole(count as f64 * weight) } else { count }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, never negative")]
fn whole(count: f64) -> u64 {
    count.round() as u64
}
