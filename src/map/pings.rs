//! Pings that nobody answered: attempts in vain, and no need.

use std::net::IpAddr;

use foldhash::HashSet;

use super::connections::Connection;
use crate::model::{Direction, Flags, Outcome, Protocol, is_group};

/// Tells of each question by ICMP that nobody answered that it is an attempt. Where a run shows no answer at all that came to
/// its source, it may show one way alone; where it shows answers to what was asked under another address, the question that
/// stands alone may be theirs.
pub(super) fn tell_unanswered(connections: &mut [Connection]) {
    let mut heard: HashSet<(usize, IpAddr)> = HashSet::default();
    let mut displaced: HashSet<IpAddr> = HashSet::default();
    for connection in connections.iter() {
        let (client, flags) = (connection.client.0, connection.trace.flags);
        if connection.from_server.most_packets() > 0 {
            heard.extend(connection.from_server.runs().map(|run| (run, client)));
        }
        if is_icmp(connection) && flags.has(Flags::FROM_DST) && !flags.has(Flags::FROM_SRC) {
            displaced.insert(client);
        }
    }
    for connection in connections.iter_mut().filter(|connection| is_lone_question(connection)) {
        let client = connection.client.0;
        let is_heard = connection.from_client.runs().any(|run| heard.contains(&(run, client)));
        if is_heard && !displaced.contains(&client) {
            connection.trace.flags.add(Flags::ASKED);
        }
    }
}

pub(super) fn is_icmp(connection: &Connection) -> bool {
    matches!(connection.protocol, Protocol::ICMP | Protocol::ICMPV6)
}

/// Whether one host asked another and no answer was seen. Errors and announcements ask nothing, and records do not tell.
fn is_lone_question(connection: &Connection) -> bool {
    let flags = connection.trace.flags;
    let is_to_all = is_group(connection.server.0) || flags.has(Flags::BROADCAST);
    let asks = flags.has(Flags::FROM_SRC) && !flags.has(Flags::UNTOLD) && connection.direction != Direction::Unknown;
    let is_one_way = connection.outcome() == Outcome::Oneway && !flags.has(Flags::FROM_DST);
    is_icmp(connection) && asks && is_one_way && !is_to_all && !connection.trace.lump.is_record()
}

#[cfg(test)]
mod tests {
    use super::super::{
        tests::{handshake, seen},
        *,
    };
    use crate::model::{Flags, Hour, Observation, Opening, Protocol, Tally, Trace, TraceSet};

    #[test]
    fn a_ping_that_nobody_answers_is_no_need() {
        let ping = |host: u8, flags: &[Flags], to_client: u64| {
            let flags = flags.iter().fold(Flags::SRC_FIRST, |all, flag| all.with(*flag));
            let (from_src, from_dst) = (Tally::one(0, 1, 84), Tally::one(0, to_client, 84 * to_client));
            let trace = Trace { flags, from_src, from_dst, ..Trace::default() };
            let mut observation = seen(Opening::Unseen, &format!("10.0.0.5:0 > 10.0.1.{host}:0"), trace);
            observation.key.protocol = Protocol::ICMP;
            observation
        };
        let needed = |observations: Vec<Observation>| -> Vec<String> {
            let span = Span { first: Hour(497_000).start(), last: Hour(497_001).start() };
            let recording = Recording { span, interface: None, observations };
            let map = dependencies("", &[recording], &Directory::default(), Options::default());
            let is_needed = |it: &&Dependency| it.protocol == Protocol::ICMP && it.unneeded().is_none();
            map.iter().filter(is_needed).map(|it| it.server.name.clone()).collect()
        };
        let lone: Vec<Observation> = (1..=3).map(|host| ping(host, &[Flags::FROM_SRC], 0)).collect();
        let answered = ping(9, &[Flags::FROM_SRC, Flags::FROM_DST], 1);
        assert_eq!(needed([lone.clone(), vec![answered]].concat()), ["10.0.1.9"]);
        // an answer to anything shows that answers are captured; where none is, one way alone may be
        let opened = handshake("10.0.0.5:40000 > 10.0.2.1:443", 7);
        let both = |trace: &Trace| Trace { from_dst: Tally::one(0, 5, 400), ..trace.clone() };
        let traces = opened.traces.iter().map(both).collect::<Vec<_>>();
        let opened = Observation { traces: TraceSet::restore(traces, 1), ..opened };
        assert_eq!(needed([lone.clone(), vec![opened]].concat()).len(), 0);
        assert_eq!(needed(lone.clone()).len(), 3);
        // an answer without its question was asked for under another address
        let displaced = ping(8, &[Flags::FROM_DST], 1);
        let answered = ping(9, &[Flags::FROM_SRC, Flags::FROM_DST], 1);
        assert_eq!(needed([lone, vec![displaced, answered]].concat()).len(), 5);
    }
}
