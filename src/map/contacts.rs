//! Records straight to contacts: without a dependency for each, of which ten millions do not fit into memory.

use super::{
    aggregate::{self, Key, Marked},
    connections::Connection,
    hours::Hours,
    parties::Parties,
    volume::Taken,
};
use crate::{
    inventory::Directory,
    model::{Contact, Contacts, carried_nothing},
};

/// What connections of one key come to.
#[derive(Clone, Debug)]
struct Part {
    key: Key,
    packets: u64,
    connections: f64,
    hours: Hours,
}

impl Part {
    fn join(&mut self, other: &Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.connections += other.connections;
        self.hours.join(&other.hours);
    }
}

/// Gathers contacts, the connections of one client after those of another.
pub(super) struct Gatherer<'d> {
    parties: Parties<'d>,
    directory: &'d Directory,
    runs: &'d [Taken<'d>],
    parts: Vec<Part>,
}

impl<'d> Gatherer<'d> {
    pub fn new(parties: Parties<'d>, directory: &'d Directory, runs: &'d [Taken<'d>]) -> Self {
        Self { parties, directory, runs, parts: Vec::new() }
    }

    pub fn add(&mut self, connections: &[Connection], marked: &Marked) {
        let begin = self.parts.len();
        for (n, connection) in connections.iter().enumerate() {
            let (key, _) = aggregate::key(&mut self.parties, connection, marked.of(n), self.directory);
            self.parts.push(Part {
                key,
                packets: aggregate::packets(connection, self.runs),
                connections: connection.count(),
                hours: connection.hours.clone(),
            });
        }
        // most that can be joined are of one client
        fold(&mut self.parts, begin);
    }

    pub fn contacts(mut self) -> Contacts {
        fold(&mut self.parts, 0);
        let contacts = self.parts.into_iter().map(|part| contact(&part)).collect();
        Contacts { parties: self.parties.into_all(), contacts }
    }
}

/// Joins the parts of one key, from a place on.
fn fold(parts: &mut Vec<Part>, begin: usize) {
    parts[begin..].sort_unstable_by(|a, b| (a.key, a.packets, &a.hours).cmp(&(b.key, b.packets, &b.hours)));
    let mut end = begin;
    for n in begin..parts.len() {
        if end > begin && parts[end - 1].key == parts[n].key {
            let (kept, rest) = parts.split_at_mut(n);
            kept[end - 1].join(&rest[0]);
        } else {
            parts.swap(end, n);
            end += 1;
        }
    }
    parts.truncate(end);
}

fn contact(part: &Part) -> Contact {
    let Key { client, server, protocol, port, outcome, marks, is_direction_known } = part.key;
    Contact {
        client,
        server,
        port,
        protocol,
        outcome,
        marks,
        is_direction_known,
        hours: u16::try_from(part.hours.len()).unwrap_or(u16::MAX),
        packets: part.packets,
        // records count all packets, or none
        is_empty: carried_nothing(protocol, part.packets, aggregate::whole(part.connections)),
    }
}

#[cfg(test)]
mod tests;
