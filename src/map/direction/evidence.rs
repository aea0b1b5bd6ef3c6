//! What all connections together tell about who serves.

use foldhash::{HashMap, HashSet};

use super::{Verdict, only_one};
use crate::{
    inventory::Directory,
    map::connections::{Connection, End},
    model::{Direction, Flags, Outcome, PortKind, Protocol, Span, well_known},
};

/// Fewer talkers than this say nothing about who serves.
const MIN_FAN_IN: usize = 3;
/// The server's side must have this many times the talkers of the other.
const FAN_IN_RATIO: usize = 2;

pub(super) struct Evidence {
    listeners: HashSet<(Protocol, End)>,
    /// Distinct peers, with their ports, of each end that may be a server.
    talkers: HashMap<(Protocol, End), HashSet<End>>,
}

impl Evidence {
    pub fn gather(connections: &[Connection]) -> Self {
        let mut evidence = Self { listeners: HashSet::default(), talkers: HashMap::default() };
        // whom a scanner tries says nothing of who serves
        for connection in connections.iter().filter(|connection| !connection.is_attempt_of_unknown()) {
            let Connection { protocol, client, server, .. } = *connection;
            let is_opened = connection.direction == Direction::Handshake;
            if is_opened && connection.outcome() == Outcome::Established {
                evidence.listeners.insert((protocol, server));
            }
            let asked = if is_opened { None } else { asker(connection) };
            if asked != Some(server) {
                evidence.talks(protocol, server, client);
            }
            if !is_opened && asked != Some(client) {
                evidence.talks(protocol, client, server);
            }
        }
        evidence
    }

    /// Notes a peer of an end. Whose port is likelier a server's is none that the end serves: a client that calls many from
    /// one port, as scanners do and systems that hand ports out again, has many peers too.
    fn talks(&mut self, protocol: Protocol, end: End, peer: End) {
        if by_port(protocol, end.1, peer.1) != Some(true) {
            self.talkers.entry((protocol, end)).or_default().insert(peer);
        }
    }

    /// The strongest evidence that speaks.
    pub fn weigh(&self, connection: &Connection, directory: &Directory) -> Option<Verdict> {
        let Connection { protocol, client, server, .. } = *connection;
        let listens = |end: End| self.listeners.contains(&(protocol, end));
        let declared = |end: End| is_declared(directory, end, protocol, connection.span);
        let as_listener = || only_one(listens(server), listens(client)).map(|it| (Direction::Listener, it));
        let as_declared = || only_one(declared(server), declared(client)).map(|it| (Direction::Inventory, it));
        let by_fan_in = || self.by_fan_in(connection).map(|it| (Direction::FanIn, it));
        let by_port = || by_port(protocol, server.1, client.1).map(|it| (Direction::Port, it));
        let as_peers = || by_first_among_peers(connection);
        as_peers()
            .or_else(as_listener)
            .or_else(as_declared)
            .or_else(|| by_refusal(connection))
            .or_else(by_fan_in)
            .or_else(by_port)
    }

    /// Whether the end with clearly more talkers lies as client.
    fn by_fan_in(&self, connection: &Connection) -> Option<bool> {
        let Connection { protocol, client, server, .. } = *connection;
        let talkers = |end: End| self.talkers.get(&(protocol, end)).map_or(0, HashSet::len);
        let is_fan = |much: usize, little: usize| much >= MIN_FAN_IN && much >= FAN_IN_RATIO * little;
        let (to_server, to_client) = (talkers(server), talkers(client));
        only_one(is_fan(to_server, to_client), is_fan(to_client, to_server))
    }
}

/// Who asked, by what the datagrams say, else who sent the first one. One socket that asks many has many peers too, and serves none
/// of them.
fn asker(connection: &Connection) -> Option<End> {
    let flags = connection.trace.flags;
    let is_told = !connection.protocol.is_stream() && !flags.has(Flags::UNTOLD);
    let by_words = only_one(flags.has(Flags::DST_ASKS), flags.has(Flags::ASKS));
    let is_client = by_words.unwrap_or_else(|| flags.has(Flags::SRC_FIRST));
    is_told.then_some(if is_client { connection.client } else { connection.server })
}

/// Datagrams between equal ports: both ends listen there, as servers of time and members of a cluster do, which says nothing
/// of who asked whom. What they say does, and else who was first.
fn by_first_among_peers(connection: &Connection) -> Option<Verdict> {
    let asker = asker(connection).filter(|_| connection.server.1 == connection.client.1)?;
    Some((Direction::Order, asker != connection.client))
}

/// Where an error or a reset said that nobody listens, and nobody answered: who sent is the client, unless the ports tell of a
/// server that answered somebody who was gone. A scanner with one port has as many talkers as a server.
fn by_refusal(connection: &Connection) -> Option<Verdict> {
    let has = |flag| connection.trace.flags.has(flag);
    if has(Flags::UNTOLD) {
        return None;
    }
    let is_turned = if has(Flags::REFUSED) && !(has(Flags::FROM_SRC) && has(Flags::FROM_DST)) {
        !has(Flags::SRC_FIRST)
    } else {
        connection.trace.disowned()?
    };
    let by_port = by_port(connection.protocol, connection.server.1, connection.client.1);
    Some(by_port.map_or((Direction::Order, is_turned), |is_turned| (Direction::Port, is_turned)))
}

/// The port that an FTP server opens data connections from; nobody listens on it (RFC 959, section 3.2).
const FTP_DATA: u16 = 20;

/// The ports of DHCP's servers, each with that of its clients.
const DHCP: [(u16, u16); 2] =
    [(well_known::DHCP_SERVER, well_known::DHCP_CLIENT), (well_known::DHCP_V6_SERVER, well_known::DHCP_V6_CLIENT)];

/// Whether the port that servers are known to listen on lies as the client's.
fn by_port(protocol: Protocol, server: u16, client: u16) -> Option<bool> {
    let (of_server, of_client) = (PortKind::of(server), PortKind::of(client));
    let opens_data =
        |port: u16, other: PortKind| protocol == Protocol::TCP && port == FTP_DATA && other < PortKind::Privileged;
    let is_dhcp = |server: u16, client: u16| protocol == Protocol::UDP && DHCP.contains(&(server, client));
    only_one(is_dhcp(server, client), is_dhcp(client, server))
        .or_else(|| only_one(opens_data(client, of_server), opens_data(server, of_client)))
        .or_else(|| only_one(of_server.outranks(of_client), of_client.outranks(of_server)))
}

/// Whether the inventory knows that this end serves.
fn is_declared(directory: &Directory, (address, port): End, protocol: Protocol, span: Span) -> bool {
    directory.service_over(address, protocol, port, span).is_some()
        || directory.declares(address, span.first, protocol, port)
}
