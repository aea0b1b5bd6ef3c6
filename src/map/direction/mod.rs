//! Who was the client, where the opening was not seen. The strongest evidence decides; what none tells stays unknown.
//!
//! Two rounds: the first asks what every connection tells by itself and all of them by their number, the second what the
//! habits of those decided tell of the rest.

mod evidence;
mod habits;

use super::connections::Connection;
use crate::{
    inventory::Directory,
    model::{Direction, Flags, is_group},
};
use evidence::Evidence;
use habits::Habits;

/// A kind of evidence, and whether it says that the connection lies the wrong way round.
type Verdict = (Direction, bool);

/// Decides every connection whose opening was not seen, turning those that were laid the other way.
pub(super) fn decide(connections: &mut [Connection], directory: &Directory) {
    let evidence = Evidence::gather(connections);
    settle(connections, |connection| by_nature(connection).or_else(|| evidence.weigh(connection, directory)));
    let habits = Habits::gather(connections);
    let by_habit = |connection: &Connection| habits.weigh(connection).or_else(|| by_order(connection));
    settle(connections, |connection| by_habit(connection).filter(|_| connection.protocol.has_ports()));
}

fn settle(connections: &mut [Connection], weigh: impl Fn(&Connection) -> Option<Verdict>) {
    for connection in connections.iter_mut().filter(|connection| connection.direction == Direction::Unknown) {
        let Some((direction, is_turned)) = weigh(connection) else { continue };
        connection.direction = direction;
        if is_turned {
            connection.turn();
        }
    }
}

/// What leaves no choice.
fn by_nature(connection: &Connection) -> Option<Verdict> {
    let Connection { protocol, client, server, .. } = *connection;
    let flags = connection.trace.flags;
    let is_server_many = is_group(server.0) || flags.has(Flags::BROADCAST);
    let is_client_many = is_group(client.0) || flags.has(Flags::DST_BROADCAST);
    if let Some(is_turned) = only_one(is_server_many, is_client_many) {
        // nobody sends from such an address
        return Some((Direction::Order, is_turned));
    }
    let is_told = !flags.has(Flags::UNTOLD);
    let by_order =
        || if is_told { (Direction::Order, is_turned_by_order(connection)) } else { (Direction::Unknown, false) };
    (!protocol.has_ports()).then(by_order)
}

/// A datagram's first is the question. A stream that was met in its middle was met at either side's turn.
fn by_order(connection: &Connection) -> Option<Verdict> {
    let is_told = !connection.protocol.is_stream() && !connection.trace.flags.has(Flags::UNTOLD);
    is_told.then(|| (Direction::Order, is_turned_by_order(connection)))
}

fn is_turned_by_order(connection: &Connection) -> bool {
    !connection.trace.flags.has(Flags::SRC_FIRST)
}

/// Whether the second alone holds; `None` where both or neither does.
fn only_one(first: bool, second: bool) -> Option<bool> {
    (first != second).then_some(second)
}

#[cfg(test)]
mod tests;
