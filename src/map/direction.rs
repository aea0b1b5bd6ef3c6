//! Who was the client, where the opening was not seen. The strongest evidence decides; what none tells stays unknown.

use std::net::{IpAddr, Ipv4Addr};

use foldhash::{HashMap, HashSet};

use super::connections::{Connection, End};
use crate::{
    inventory::Directory,
    model::{Direction, Flags, Protocol, Timestamp, service_port_rank},
};

/// Fewer talkers than this say nothing about who serves.
const MIN_FAN_IN: usize = 3;
/// The server's side must have this many times the talkers of the other.
const FAN_IN_RATIO: usize = 2;

/// Decides every connection whose opening was not seen, turning those that were laid the other way.
pub(super) fn decide(connections: &mut [Connection], directory: &Directory) {
    let evidence = Evidence::gather(connections);
    for connection in connections.iter_mut().filter(|connection| connection.direction == Direction::Unknown) {
        let (direction, is_turned) = evidence.weigh(connection, directory);
        connection.direction = direction;
        if is_turned {
            connection.turn();
        }
    }
}

/// What all connections together tell about who serves.
struct Evidence {
    listeners: HashSet<(Protocol, End)>,
    /// Distinct peers, with their ports, of each end.
    talkers: HashMap<(Protocol, End), HashSet<End>>,
}

impl Evidence {
    fn gather(connections: &[Connection]) -> Self {
        let mut evidence = Self { listeners: HashSet::default(), talkers: HashMap::default() };
        for connection in connections {
            let Connection { protocol, client, server, .. } = *connection;
            if connection.direction == Direction::Handshake && connection.trace.flags.has(Flags::AGREED) {
                evidence.listeners.insert((protocol, server));
            }
            evidence.talkers.entry((protocol, server)).or_default().insert(client);
            evidence.talkers.entry((protocol, client)).or_default().insert(server);
        }
        evidence
    }

    /// The strongest evidence that speaks, and whether it says that the connection lies the wrong way round.
    fn weigh(&self, connection: &Connection, directory: &Directory) -> (Direction, bool) {
        let Connection { protocol, client, server, .. } = *connection;
        let at = connection.span.first;
        let is_turned_by_order = !connection.trace.flags.has(Flags::SRC_FIRST);
        let flags = connection.trace.flags;
        let is_server_many = is_group(server.0) || flags.has(Flags::BROADCAST);
        let is_client_many = is_group(client.0) || flags.has(Flags::DST_BROADCAST);
        if let Some(is_turned) = only_one(is_server_many, is_client_many) {
            // nobody sends from such an address
            return (Direction::Order, is_turned);
        }
        if !protocol.has_ports() {
            return (Direction::Order, is_turned_by_order);
        }
        let listens = |end: End| self.listeners.contains(&(protocol, end));
        let declared = |end: End| is_declared(directory, end, protocol, at);
        if let Some(is_turned) = only_one(listens(server), listens(client)) {
            return (Direction::Listener, is_turned);
        }
        if let Some(is_turned) = only_one(declared(server), declared(client)) {
            return (Direction::Inventory, is_turned);
        }
        let fan_in = |end: End| self.talkers.get(&(protocol, end)).map_or(0, HashSet::len);
        let (to_server, to_client) = (fan_in(server), fan_in(client));
        let is_fan = |much: usize, little: usize| much >= MIN_FAN_IN && much >= FAN_IN_RATIO * little;
        if let Some(is_turned) = only_one(is_fan(to_server, to_client), is_fan(to_client, to_server)) {
            return (Direction::FanIn, is_turned);
        }
        let (of_server, of_client) = (service_port_rank(protocol, server.1), service_port_rank(protocol, client.1));
        if let Some(is_turned) = only_one(of_server > of_client, of_client > of_server) {
            return (Direction::Port, is_turned);
        }
        // a stream that was met in its middle may be met at either side's turn; a datagram's first is the question
        if !matches!(protocol, Protocol::TCP | Protocol::SCTP) {
            return (Direction::Order, is_turned_by_order);
        }
        (Direction::Unknown, false)
    }
}

/// Whether it stands for many: multicast or broadcast.
fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Whether the second alone holds; `None` where both or neither does.
fn only_one(first: bool, second: bool) -> Option<bool> {
    (first != second).then_some(second)
}

/// Whether the inventory knows that this end serves.
fn is_declared(directory: &Directory, (address, port): End, protocol: Protocol, at: Timestamp) -> bool {
    directory.service_at(address, protocol, port).is_some() || directory.declares(address, at, protocol, port)
}
