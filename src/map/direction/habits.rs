//! What the decided connections tell of the rest, and the rest by its number.

use std::net::IpAddr;

use foldhash::{HashMap, HashSet};

use super::{Verdict, only_one};
use crate::{
    map::connections::{Connection, End},
    model::{Direction, EARLY_PORTS, Outcome, PortKind, Protocol},
};

/// Servers that name the port of a second one, of whichever protocol, to their clients: Sun RPC's portmapper (RFC 1833), the
/// endpoint mapper of DCE RPC (Open Group C706).
const PORT_GIVERS: [u16; 2] = [111, 135];
/// The same of TCP alone: FTP's passive mode (RFC 959, PASV), the registry of Java RMI.
const STREAM_GIVERS: [u16; 2] = [21, 1_099];

/// So many servers on one port of those that systems give to clients are no chance.
const MIN_SERVERS: usize = 2;

#[derive(Default)]
pub(super) struct Habits {
    /// Who asked whom for ports, and of what: of TCP alone, or of any protocol.
    asked: HashSet<(IpAddr, IpAddr, Option<Protocol>)>,
    /// Where connections to this port were accepted.
    servers: HashMap<(Protocol, u16), HashSet<IpAddr>>,
    /// Whose system gives clients early ports.
    early: HashSet<IpAddr>,
    /// The ports from which each address meets an end; of undecided streams, for the first of datagrams tells more.
    repeats: HashMap<(Protocol, End, IpAddr), HashSet<u16>>,
}

impl Habits {
    pub fn gather(connections: &[Connection]) -> Self {
        let mut habits = Self::default();
        for connection in connections {
            let Connection { protocol, client, server, .. } = *connection;
            if connection.is_attempt_of_unknown() {
                // whom a scanner tries says nothing of who serves
            } else if connection.direction == Direction::Unknown && protocol.is_stream() {
                habits.repeats.entry((protocol, server, client.0)).or_default().insert(client.1);
                habits.repeats.entry((protocol, client, server.0)).or_default().insert(server.1);
            } else if connection.direction != Direction::Unknown {
                habits.learn(connection);
            }
        }
        habits
    }

    fn learn(&mut self, connection: &Connection) {
        let Connection { protocol, client, server, .. } = *connection;
        let of = Some(protocol).filter(|_| protocol == Protocol::TCP && STREAM_GIVERS.contains(&server.1));
        if of.is_some() || PORT_GIVERS.contains(&server.1) {
            self.asked.insert((client.0, server.0, of));
        }
        if EARLY_PORTS.contains(&client.1) {
            self.early.insert(client.0);
        }
        if connection.direction == Direction::Handshake && connection.outcome() == Outcome::Established {
            self.servers.entry((protocol, server.1)).or_default().insert(server.0);
        }
    }

    /// The strongest of what speaks.
    pub fn weigh(&self, connection: &Connection) -> Option<Verdict> {
        let Connection { protocol, client, server, .. } = *connection;
        // a port that was chosen may be that of a server of the asker's own
        let asked = |from: End, to: End| self.asks(protocol, from, to) && PortKind::of(from.1) != PortKind::Custom;
        let serves = |end: End| self.serves_elsewhere(protocol, end);
        only_one(asked(client, server), asked(server, client))
            .or_else(|| only_one(serves(server), serves(client)))
            .or_else(|| only_one(self.is_chosen(protocol, server, client), self.is_chosen(protocol, client, server)))
            .map(|is_turned| (Direction::Port, is_turned))
            .or_else(|| self.by_repeats(connection).map(|is_turned| (Direction::FanIn, is_turned)))
    }

    fn asks(&self, protocol: Protocol, from: End, to: End) -> bool {
        [None, Some(protocol)].into_iter().any(|of| self.asked.contains(&(from.0, to.0, of)))
    }

    /// Whether others serve on this port.
    fn serves_elsewhere(&self, protocol: Protocol, end: End) -> bool {
        let servers = self.servers.get(&(protocol, end.1)).map_or(0, HashSet::len);
        servers >= if PortKind::of(end.1) == PortKind::Ephemeral { MIN_SERVERS } else { 1 }
    }

    /// Whether somebody chose this port, and a system gave the other one to a client.
    fn is_chosen(&self, protocol: Protocol, end: End, other: End) -> bool {
        let is_chosen = match PortKind::of(end.1) {
            PortKind::Custom => !self.asks(protocol, end, other),
            PortKind::Early => !self.early.contains(&end.0),
            _ => false,
        };
        is_chosen && PortKind::of(other.1) == PortKind::Ephemeral
    }

    /// Between two addresses a port that stays while the other side's changes is one that somebody listens on.
    fn by_repeats(&self, connection: &Connection) -> Option<bool> {
        let Connection { protocol, client, server, .. } = *connection;
        let ports = |of: End, peer: IpAddr| self.repeats.get(&(protocol, of, peer)).map_or(0, HashSet::len);
        let (to_server, to_client) = (ports(server, client.0), ports(client, server.0));
        only_one(to_server > 1 && to_client == 1, to_client > 1 && to_server == 1)
    }
}
