//! Agreements to open what nobody asked for: answers to what others sent in a host's name, or forged themselves.

use std::net::IpAddr;

use foldhash::HashSet;

use super::connections::Connection;
use crate::model::Flags;

/// Tells of each agreement that stands alone that its client did not ask for it. Where one way alone is captured, it is all
/// that shows of a connection's opening; but then what the server sends afterwards shows too. So it counts only of clients
/// of which a run shows both ways elsewhere.
pub(super) fn tell(connections: &mut [Connection]) {
    let mut shown: HashSet<(usize, IpAddr)> = HashSet::default();
    for connection in connections.iter().filter(|connection| is_whole(connection)) {
        let back: HashSet<usize> = connection.from_server.runs().collect();
        for run in connection.from_client.runs().filter(|run| back.contains(run)) {
            shown.extend([(run, connection.client.0), (run, connection.server.0)]);
        }
    }
    for connection in connections.iter_mut().filter(|connection| is_lone_agreement(connection)) {
        let client = connection.client.0;
        connection.is_unasked = connection.from_server.runs().any(|run| shown.contains(&(run, client)));
    }
}

/// Whether a connection was opened by packets of both ends, and its server went on. Openings may be all that was captured, or the
/// answers among them, which tell who serves.
fn is_whole(connection: &Connection) -> bool {
    let whole = Flags::ASKED.with(Flags::AGREED).with(Flags::FROM_DST);
    connection.protocol.is_stream() && connection.trace.flags.has(whole) && !connection.trace.lump.is_record()
}

/// Whether a server agreed to open a connection, and nothing else is known of it but maybe that its client broke it off: a host
/// answers by a reset what it did not ask for (RFC 9293, section 3.10.7.3).
fn is_lone_agreement(connection: &Connection) -> bool {
    let flags = connection.trace.flags;
    let went_on = flags.has_any(Flags::ASKED.with(Flags::FROM_DST).with(Flags::PAYLOAD));
    let is_broken_off = flags.has(Flags::CLOSED) && connection.from_client.most_packets() <= 1;
    let is_alone = !went_on && (!flags.has(Flags::FROM_SRC) || is_broken_off);
    connection.protocol.is_stream() && flags.has(Flags::AGREED) && is_alone && !connection.trace.lump.is_record()
}

#[cfg(test)]
mod tests {
    use super::super::{
        tests::{ESTABLISHED, seen},
        *,
    };
    use crate::model::{Flags, Hour, Mark, Observation, Opening, Outcome, Tally, Trace};

    /// A connection of which these flags were seen, and so many packets of each side.
    fn opened(ends: &str, flags: Flags, (to_server, to_client): (u64, u64)) -> Observation {
        let sent = |packets: u64| if packets > 0 { Tally::one(0, packets, 60 * packets) } else { Tally::default() };
        let (from_src, from_dst) = (sent(to_server), sent(to_client));
        let trace = Trace { identity: 7, answer: 9, flags, from_src, from_dst, ..Trace::default() };
        seen(Opening::Seen, ends, trace)
    }

    fn map(runs: Vec<Vec<Observation>>) -> Vec<Dependency> {
        let span = Span { first: Hour(497_000).start(), last: Hour(497_001).start() };
        let recordings: Vec<Recording> =
            runs.into_iter().map(|observations| Recording { span, interface: None, observations }).collect();
        dependencies("", &recordings, &Directory::default(), Options::default())
    }

    /// What became of a lone agreement beside what other runs and its own show.
    fn outcome(agreement: Observation, beside: Vec<Observation>, other: Vec<Observation>) -> Outcome {
        let all = map(vec![[vec![agreement], beside].concat(), other]);
        all.iter().find(|it| it.server.name == "198.51.100.1").expect("the agreement").outcome
    }

    const ENDS: &str = "203.0.113.12:2000 > 198.51.100.1:80";

    #[test]
    fn an_agreement_that_nobody_asked_for_is_no_need() {
        let lone = || opened(ENDS, Flags::AGREED, (0, 1));
        let called = opened("10.1.10.50:40000 > 203.0.113.12:443", ESTABLISHED, (9, 9));
        let calls = opened("203.0.113.12:40000 > 10.1.30.31:5432", ESTABLISHED, (9, 9));
        for beside in [called.clone(), calls] {
            assert_eq!(outcome(lone(), vec![beside], vec![]), Outcome::Unanswered);
        }
        let broken_off = opened(ENDS, Flags::AGREED.with(Flags::FROM_SRC).with(Flags::CLOSED), (1, 1));
        assert_eq!(outcome(broken_off, vec![called.clone()], vec![]), Outcome::Unanswered);
        // its own run shows nothing that the client sends, or nothing but answers
        assert_eq!(outcome(lone(), vec![], vec![called.clone()]), Outcome::Established);
        let answers = opened("203.0.113.12:40000 > 10.1.30.31:5432", Flags::AGREED, (0, 1));
        assert_eq!(outcome(lone(), vec![answers], vec![]), Outcome::Established);
        // or openings alone
        let opens = opened("203.0.113.12:40000 > 10.1.30.31:5432", Flags::ASKED.with(Flags::AGREED), (1, 1));
        assert_eq!(outcome(lone(), vec![opens], vec![]), Outcome::Established);
        // one run for each way
        let forth = opened("203.0.113.12:40000 > 10.1.30.31:5432", Flags::ASKED, (1, 0));
        let back = opened("203.0.113.12:40000 > 10.1.30.31:5432", Flags::AGREED.with(Flags::FROM_DST), (0, 5));
        assert_eq!(outcome(lone(), vec![back], vec![forth]), Outcome::Established);
        // the way back is another: the server goes on
        let half = opened(ENDS, Flags::AGREED.with(Flags::FROM_DST), (0, 5));
        assert_eq!(outcome(half, vec![called], vec![]), Outcome::Established);
    }

    #[test]
    fn agreements_that_nobody_asked_for_accuse_no_host_of_a_sweep() {
        let flags = Flags::AGREED.with(Flags::FROM_SRC).with(Flags::CLOSED);
        let from = |n: u16| opened(&format!("203.0.113.12:{} > 198.51.100.{n}:80", 2_000 + n), flags, (1, 1));
        let called = opened("10.1.10.50:40000 > 203.0.113.12:443", ESTABLISHED, (9, 9));
        let all = map(vec![(1..=30).map(from).chain([called]).collect()]);
        assert!(all.iter().all(|it| !it.marks.contains(&Mark::Scan)), "{all:#?}");
    }
}
