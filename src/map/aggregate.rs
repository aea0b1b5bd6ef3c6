//! Connections to dependencies: one for each client, server, protocol, port, outcome and set of marks.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    rc::Rc,
};

use foldhash::{HashMap, HashSet};
use smallvec::SmallVec;

use super::{
    connections::Connection,
    hours::Hours,
    identity,
    parties::{Caller, Parties, Placed},
    volume::Taken,
};
use crate::{
    inventory::Directory,
    model::{
        Dependency, Direction, History, Hour, Mark, Marks, Outcome, Party, PartyKind, Protocol, Span, Via, VlanStack,
    },
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
    pub fn of(&self, n: usize) -> Marks {
        let all = [(&self.scans, Mark::Scan), (&self.probes, Mark::Probe)];
        all.into_iter().filter(|(connections, _)| connections.contains(&n)).map(|(_, mark)| mark).collect()
    }
}

/// What makes two connections the same dependency. Those of unknown direction never join known ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub client: u32,
    pub server: u32,
    pub protocol: Protocol,
    pub port: u16,
    pub outcome: Outcome,
    pub marks: Marks,
    pub is_direction_known: bool,
}

/// The key of a connection that has these marks already, and its ends.
pub(super) fn key(
    parties: &mut Parties<'_>,
    connection: &Connection,
    marks: Marks,
    directory: &Directory,
) -> (Key, (Caller, Placed)) {
    let client = parties.client(connection);
    let server = parties.server(connection);
    let key = Key {
        client: client.party,
        server: server.party,
        protocol: connection.protocol,
        port: server.port,
        outcome: connection.outcome(),
        marks: with_ends(marks, connection, (parties.kind(client.party), client.party == server.party), directory),
        is_direction_known: connection.direction != Direction::Unknown,
    };
    (key, (client, server))
}

fn with_ends(
    mut marks: Marks,
    connection: &Connection,
    (client, is_one_party): (Option<PartyKind>, bool),
    directory: &Directory,
) -> Marks {
    let (a, b) = (connection.client.0, connection.server.0);
    if a == b || is_one_party && client == Some(PartyKind::Node) {
        marks.add(Mark::Itself);
    }
    // of others it need not be asked
    let may_be_at_home = matches!(client, Some(PartyKind::Workload | PartyKind::Node));
    if may_be_at_home && identity::is_at_home(connection, directory) {
        marks.add(Mark::Node);
    }
    marks
}

/// Adds connections up to dependencies.
pub(super) struct Aggregator<'d> {
    parties: Parties<'d>,
    directory: &'d Directory,
    runs: &'d [Taken<'d>],
    sums: HashMap<Key, Sum>,
}

impl<'d> Aggregator<'d> {
    pub fn new(parties: Parties<'d>, directory: &'d Directory, runs: &'d [Taken<'d>]) -> Self {
        Self { parties, directory, runs, sums: HashMap::default() }
    }

    pub fn add(&mut self, connections: &[Connection], marked: &Marked) {
        for (n, connection) in connections.iter().enumerate() {
            let (key, ends) = key(&mut self.parties, connection, marked.of(n), self.directory);
            self.sums.entry(key).or_insert_with(|| Sum::new(connection)).add(connection, ends, self.runs);
        }
    }

    /// The dependencies, in order.
    pub fn dependencies(self, site: &str) -> Vec<Dependency> {
        let (parties, addresses) = (self.parties.all(), self.parties.addresses());
        let party = |number: u32| &parties[number as usize];
        let with = |number: u32, own: HashSet<u32>| {
            party(number).party(own.into_iter().map(|address| addresses[address as usize]).collect())
        };
        let mut sums: Vec<(Key, Sum)> = self.sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, _)| {
            let Key { protocol, port, outcome, marks, is_direction_known, .. } = *key;
            let marks: SmallVec<[Mark; 4]> = marks.iter().collect();
            (party(key.client), party(key.server), protocol, port, outcome, marks, is_direction_known)
        });
        sums.into_iter().map(|(key, sum)| sum.dependency(site, key, with)).collect()
    }
}

/// The sums over the connections of one dependency.
struct Sum {
    /// Addresses by number.
    clients: HashSet<u32>,
    servers: HashSet<u32>,
    /// The last of the clients: most connections are of the one before.
    last_client: Option<u32>,
    via: BTreeSet<Via>,
    sources: BTreeSet<IpAddr>,
    direction: Direction,
    connections: f64,
    packets: Amount,
    packets_are_least: bool,
    bytes_to_server: Amount,
    bytes_to_client: Amount,
    span: Span,
    vlans: BTreeSet<VlanStack>,
    tunnels: BTreeSet<String>,
    history: Counts,
}

impl Sum {
    fn new(first: &Connection) -> Self {
        let (clients, servers, last_client, via, vlans, tunnels, history) = Default::default();
        let (direction, span) = (first.direction, first.span);
        let (connections, packets, packets_are_least, bytes_to_server, bytes_to_client, sources) = Default::default();
        Self {
            clients,
            servers,
            last_client,
            via,
            sources,
            direction,
            connections,
            packets,
            packets_are_least,
            bytes_to_server,
            bytes_to_client,
            span,
            vlans,
            tunnels,
            history,
        }
    }

    fn add(&mut self, connection: &Connection, (client, server): (Caller, Placed), runs: &[Taken<'_>]) {
        if self.last_client != Some(client.address) {
            self.last_client = Some(client.address);
            self.clients.insert(client.address);
        }
        self.servers.extend(server.addresses);
        if let Some(via) = server.via.filter(|via| !self.via.contains(&**via)) {
            self.via.insert(Rc::unwrap_or_clone(via));
        }
        self.sources.extend(connection.source);
        self.direction = self.direction.min(connection.direction);
        let (from_client, from_server) = (connection.from_client.total(runs), connection.from_server.total(runs));
        self.packets.add(from_client.0.saturating_add(from_server.0), connection.weight);
        self.packets_are_least |= connection.packets_are_least();
        self.bytes_to_server.add(from_client.1, connection.weight);
        self.bytes_to_client.add(from_server.1, connection.weight);
        // a record that names no time says nothing of when
        match self.span.last.named() {
            _ if !connection.is_timed() => {}
            Some(_) => self.span.join(connection.span),
            None => self.span = connection.span,
        }
        self.vlans.extend(&connection.vlans);
        self.tunnels.extend(connection.tunnels.iter().cloned());
        self.connections += connection.count();
        // a record does not say in which of its hours each connection was
        #[expect(clippy::cast_precision_loss, reason = "a count of hours")]
        let in_hour = if connection.trace.lump.is_record() {
            (connection.count() / connection.hours.len() as f64).max(1.0)
        } else {
            connection.weight
        };
        self.history.add(&connection.hours, in_hour);
    }

    fn dependency(self, site: &str, key: Key, party: impl Fn(u32, HashSet<u32>) -> Party) -> Dependency {
        Dependency {
            site: site.to_owned(),
            client: party(key.client, self.clients),
            server: party(key.server, self.servers),
            protocol: key.protocol,
            port: key.port,
            via: self.via,
            sources: self.sources,
            outcome: key.outcome,
            direction: self.direction,
            connections: whole(self.connections),
            packets: self.packets.whole(),
            packets_are_least: self.packets_are_least,
            bytes_to_server: self.bytes_to_server.whole(),
            bytes_to_client: self.bytes_to_client.whole(),
            span: self.span,
            vlans: self.vlans.iter().map(VlanStack::to_string).collect(),
            tunnels: self.tunnels,
            marks: key.marks.iter().collect(),
            history: self.history.history(),
        }
    }
}

/// Connections in each hour.
#[derive(Default)]
struct Counts {
    /// In those without a name, from the first on: records count dozens of them.
    unnamed: Vec<f64>,
    others: BTreeMap<Hour, f64>,
}

impl Counts {
    fn add(&mut self, hours: &Hours, in_hour: f64) {
        let unnamed = hours.unnamed() as usize;
        if self.unnamed.len() < unnamed {
            self.unnamed.resize(unnamed, 0.0);
        }
        self.unnamed[..unnamed].iter_mut().for_each(|count| *count += in_hour);
        for hour in hours.others() {
            *self.others.entry(*hour).or_default() += in_hour;
        }
    }

    fn history(self) -> History {
        let mut counts = self.others;
        for (hour, count) in (0..).map(Hour).zip(self.unnamed) {
            *counts.entry(hour).or_default() += count;
        }
        counts.into_iter().map(|(hour, count)| (hour, whole(count))).collect()
    }
}

/// Packets both ways.
pub(super) fn packets(connection: &Connection, runs: &[Taken<'_>]) -> u64 {
    let (packets, replies) = (connection.from_client.total(runs).0, connection.from_server.total(runs).0);
    scaled(packets.saturating_add(replies), connection.weight)
}

fn scaled(count: u64, weight: f64) -> u64 {
    let mut amount = Amount::default();
    amount.add(count, weight);
    amount.whole()
}

/// What connections add up to: exactly of those that were all held, and an estimate of what a sample stands for, which is rounded
/// once, for most connections have few packets.
#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    exact: u64,
    estimate: f64,
}

impl Amount {
    fn add(&mut self, count: u64, weight: f64) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an estimate where the weight is not 1, and then not exact anyway"
        )]
        if weight > 1.0 {
            self.estimate += count as f64 * weight;
        } else {
            self.exact = self.exact.saturating_add(count);
        }
    }

    fn whole(self) -> u64 {
        self.exact.saturating_add(whole(self.estimate))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, never negative")]
pub(super) fn whole(count: f64) -> u64 {
    count.round() as u64
}
