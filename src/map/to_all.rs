//! Frames that a link carried to everybody, though their packets were for one: a sender that knows no MAC of the next hop, as
//! programs that make captures, writes that of all.

use std::net::IpAddr;

use foldhash::HashSet;

use super::connections::Connection;
use crate::{
    inventory::{Directory, Owner},
    model::Flags,
};

/// Forgets of packets that went to one that their frames went to all. What is no broadcast address of a network: an end of a
/// stream, which has one end on each side (RFC 1122, section 4.2.3.10); an address that the inventory knows as somebody's own;
/// and one that has sent anything.
pub(super) fn settle(connections: &mut [Connection], directory: &Directory) {
    let is_marked = |connection: &Connection| {
        let flags = connection.trace.flags;
        flags.has(Flags::BROADCAST) || flags.has(Flags::DST_BROADCAST)
    };
    let ends = |connection: &Connection| [connection.client.0, connection.server.0];
    let asked: HashSet<IpAddr> = connections.iter().filter(|it| is_marked(it)).flat_map(ends).collect();
    if asked.is_empty() {
        return;
    }
    let mut senders: HashSet<IpAddr> = HashSet::default();
    for connection in connections.iter() {
        let flags = connection.trace.flags;
        let sent = [
            flags.has(Flags::FROM_SRC) || flags.has(Flags::ASKED),
            flags.has(Flags::FROM_DST) || flags.has(Flags::AGREED),
        ];
        let of_senders = ends(connection).into_iter().zip(sent).filter(|(_, has_sent)| *has_sent);
        senders.extend(of_senders.map(|(address, _)| address).filter(|address| asked.contains(address)));
    }
    for connection in connections.iter_mut().filter(|it| is_marked(it)) {
        let is_one = |address: IpAddr| {
            connection.protocol.is_stream()
                || senders.contains(&address)
                || is_known(directory.who_over(address, connection.moment()))
        };
        let [client, server] = ends(connection).map(is_one);
        let flags = &mut connection.trace.flags;
        if server {
            flags.remove(Flags::BROADCAST);
        }
        if client {
            flags.remove(Flags::DST_BROADCAST);
        }
    }
}

/// Whether somebody alone has an address. A host may be a range, in which a network's broadcast address lies too.
fn is_known(owner: Owner<'_>) -> bool {
    match owner {
        Owner::Pod(_) | Owner::Node(_) | Owner::Service(_) => true,
        Owner::Host(host) => host.range.prefix_len() == host.range.max_prefix_len(),
        Owner::Multicast | Owner::Unknown | Owner::OnLink | Owner::External => false,
    }
}
