//! Agreements to open what nobody asked for: answers to what others sent in a host's name, or forged themselves.

use std::net::IpAddr;

use foldhash::{HashMap, HashSet};

use super::connections::{Connection, End};
use crate::model::{Flags, Protocol, Recording, Span};

/// What is asked within so many seconds of an agreement may have come before its run began, and what follows it after its end.
const EDGE_S: f64 = 5.0;

/// Who agrees so often to what one client would open is asked, by another way: checks of a load balancer that opens connections and
/// breaks them off look so where the answers alone are captured.
const ASKED_ELSEWHERE: usize = 3;

/// Tells of each agreement that stands alone that its client did not ask for it. Where one way alone is captured, it is all
/// that shows of a connection's opening; but then what the server sends afterwards shows too. So it counts only of clients
/// of which a run shows both ways elsewhere, and that for some seconds before and after.
pub(super) fn tell(connections: &mut [Connection], recordings: &[Recording]) {
    let mut both_ways: HashSet<(usize, IpAddr)> = HashSet::default();
    for connection in connections.iter().filter(|connection| is_whole(connection)) {
        for run in connection.from_client.runs() {
            if connection.from_server.runs().any(|back| back == run) {
                both_ways.extend([(run, connection.client.0), (run, connection.server.0)]);
            }
        }
    }
    let pair = |connection: &Connection| (connection.protocol, connection.client.0, connection.server);
    let mut agreed: HashMap<(Protocol, IpAddr, End), usize> = HashMap::default();
    for connection in connections.iter().filter(|connection| is_lone_agreement(connection)) {
        *agreed.entry(pair(connection)).or_default() += 1;
    }
    for connection in connections.iter_mut().filter(|connection| is_lone_agreement(connection)) {
        let is_seldom = agreed.get(&pair(connection)).is_some_and(|times| *times < ASKED_ELSEWHERE);
        let is_shown_by = |run: usize| {
            let is_within = recordings.get(run).is_some_and(|it| lies_within(connection.span, it.span));
            is_within && both_ways.contains(&(run, connection.client.0))
        };
        connection.is_unasked = is_seldom && connection.from_server.runs().any(is_shown_by);
    }
}

fn lies_within(span: Span, run: Span) -> bool {
    span.first.seconds_since(run.first) >= EDGE_S && run.last.seconds_since(span.last) >= EDGE_S
}

/// Whether a connection was opened by packets of both ends, and its server went on. Openings may be all that was captured, or the
/// answers among them, which tell who serves.
fn is_whole(connection: &Connection) -> bool {
    let whole = Flags::ASKED.with(Flags::AGREED).with(Flags::FROM_DST);
    connection.protocol.is_stream() && connection.trace.flags.has(whole) && !connection.is_of_records()
}

/// Whether a server agreed to open a connection, and nothing else is known of it but maybe that its client broke it off: a host
/// answers by a reset what it did not ask for (RFC 9293, section 3.10.7.3).
fn is_lone_agreement(connection: &Connection) -> bool {
    let flags = connection.trace.flags;
    let went_on = flags.has_any(Flags::ASKED.with(Flags::FROM_DST).with(Flags::PAYLOAD));
    let is_broken_off = flags.has(Flags::CLOSED) && connection.from_client.most_packets() <= 1;
    let is_alone = !went_on && (!flags.has(Flags::FROM_SRC) || is_broken_off);
    let is_known_otherwise = connection.is_of_records() || connection.is_in_use_by_ways();
    connection.protocol.is_stream() && flags.has(Flags::AGREED) && is_alone && !is_known_otherwise
}

#[cfg(test)]
mod tests {
    use super::super::{
        tests::{ESTABLISHED, seen},
        *,
    };
    use crate::model::{Flags, Hour, Lump, Mark, Observation, Opening, Outcome, Tally, Trace, TraceSet};

    /// A connection of which these flags were seen, and so many packets of each side.
    fn opened(ends: &str, flags: Flags, (to_server, to_client): (u64, u64)) -> Observation {
        let sent = |packets: u64| if packets > 0 { Tally::one(0, packets, 60 * packets) } else { Tally::default() };
        let (from_src, from_dst) = (sent(to_server), sent(to_client));
        let (first, last) = (600_000_000, 600_000_000);
        let trace = Trace { identity: 7, answer: 9, flags, first, last, from_src, from_dst, ..Trace::default() };
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
        // a router that counts the answer and the reset knows no more of it, and of what was in use it does
        let counted = |packets: u64, bytes: u64| {
            let few = if packets < 3 { Flags::LITTLE } else { Flags::default() };
            let flags = Flags::UNTOLD.with(Flags::FROM_SRC).with(Flags::FROM_DST).with(few);
            let sent = || Tally::one(0, packets, bytes);
            let (from_src, from_dst, lump) = (sent(), sent(), Lump { connections: 1, hours: 0 });
            let (first, last) = (600_000_000, 600_000_000);
            let trace =
                Trace { identity: 5, answer: 5, flags, first, last, from_src, from_dst, lump, ..Trace::default() };
            seen(Opening::Unseen, ENDS, trace)
        };
        for (packets, bytes, expected) in
            [(1, 40, Outcome::Unanswered), (3, 120, Outcome::Unanswered), (9, 4_500, Outcome::Established)]
        {
            assert_eq!(outcome(lone(), vec![called.clone()], vec![counted(packets, bytes)]), expected, "{packets}");
        }
        // the way back is another: the server goes on
        let half = opened(ENDS, Flags::AGREED.with(Flags::FROM_DST), (0, 5));
        assert_eq!(outcome(half, vec![called], vec![]), Outcome::Established);
    }

    #[test]
    fn what_its_capture_does_not_surround_or_comes_again_and_again_may_have_been_asked_for() {
        let called = || opened("10.1.10.50:40000 > 203.0.113.12:443", ESTABLISHED, (9, 9));
        let at = |ends: &str, second: u32| {
            let mut lone = opened(ends, Flags::AGREED, (0, 1));
            let moment = |trace: &Trace| Trace { first: second * 1_000_000, last: second * 1_000_000, ..trace.clone() };
            lone.traces = TraceSet::restore(lone.traces.iter().map(moment).collect::<Vec<_>>(), 1);
            lone
        };
        for (second, expected) in [(1, Outcome::Established), (60, Outcome::Unanswered), (3_598, Outcome::Established)]
        {
            assert_eq!(outcome(at(ENDS, second), vec![called()], vec![]), expected, "{second}");
        }
        let checks = |times: u32| {
            let check = |n: u32| at(&format!("203.0.113.12:{} > 198.51.100.1:80", 2_000 + n), 60 * n);
            map(vec![(1..=times).map(check).chain([called()]).collect()])
        };
        let outcomes = |times: u32| -> Vec<Outcome> {
            checks(times).iter().filter(|it| it.server.name == "198.51.100.1").map(|it| it.outcome).collect()
        };
        assert_eq!((outcomes(2), outcomes(3)), (vec![Outcome::Unanswered], vec![Outcome::Established]));
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
