//! What is part of a sweep, and what its source does beside.

use std::collections::BTreeSet;

use super::super::tests::{ESTABLISHED, handshake, map_of, mk_cluster, seen};
use crate::model::{
    Cluster, Dependency, Flags, Hops, Hour, Mark, Observation, Opening, Outcome, Protocol, Tally, Trace, TraceSet,
};

const REFUSED: Flags = Flags::ASKED.with(Flags::REFUSED);

#[test]
fn a_sweep_is_marked_and_the_sources_own_work_is_not() {
    let mut observations: Vec<_> = (1..=20u16)
        .map(|port| {
            let flags = if port == 20 { ESTABLISHED.without(Flags::PAYLOAD) } else { REFUSED };
            let first = 60_000_000 + u32::from(port) * 1_000;
            let identity = u32::from(port) * 100;
            let trace = Trace {
                identity,
                answer: identity,
                flags,
                first,
                last: first,
                hops_src: Hops::of(64),
                ..Trace::default()
            };
            seen(Opening::Seen, &format!("10.244.0.1:4000{} > 10.244.0.2:{port}", port % 10), trace)
        })
        .collect();
    observations.push(handshake("10.244.0.1:39000 > 10.244.0.2:8080", 7));
    let map = map_of(&observations, &mk_cluster());
    let scans: BTreeSet<u16> = map.iter().filter(|it| it.marks.contains(&Mark::Scan)).map(|it| it.port).collect();
    assert_eq!(scans, (1..=20).collect());
}

/// What one connection shows from a second of the hour to another, with so many packets each way.
fn from_to(line: &str, flags: Flags, (first_s, last_s): (u32, u32), packets: u64) -> Observation {
    let trace = Trace {
        identity: first_s + 1,
        answer: first_s + 2,
        flags,
        first: first_s * 1_000_000,
        last: last_s * 1_000_000,
        from_src: Tally::one(0, packets, 0),
        from_dst: Tally::one(0, packets, 0),
        hops_src: Hops::of(64),
        ..Trace::default()
    };
    seen(Opening::Seen, line, trace)
}

#[test]
fn what_a_client_uses_while_it_waits_for_servers_that_are_away_is_no_sweep() {
    let refused = Flags::ASKED.with(Flags::REFUSED);
    let scans = |observations: &[Observation]| -> BTreeSet<String> {
        let map = map_of(observations, &Cluster::default());
        let is_scan = |it: &&Dependency| it.marks.contains(&Mark::Scan) && it.outcome == Outcome::Established;
        map.iter().filter(is_scan).map(|it| it.server.name.clone()).collect()
    };
    // every 15 s for a quarter of an hour, as Prometheus does
    let polls = |server: &str, flags: Flags, offset_s: u32| -> Vec<Observation> {
        let poll = |n: u32| {
            let at_s = 100 + offset_s + 15 * n;
            from_to(&format!("10.0.0.5:{} > {server}:9100", 40_000 + n), flags, (at_s, at_s), 6)
        };
        (0..60).map(poll).collect()
    };
    let away: Vec<Observation> = (1..=12).flat_map(|n| polls(&format!("10.0.1.{n}"), refused, n)).collect();
    let anew: Vec<Observation> = (1..=3).flat_map(|n| polls(&format!("10.0.2.{n}"), ESTABLISHED, 4 * n)).collect();
    let kept = |last_s: u32, packets: u64| {
        let one =
            |n: u32| from_to(&format!("10.0.0.5:50000 > 10.0.2.{n}:9100"), ESTABLISHED, (100 + 4 * n, last_s), packets);
        (1..=3).map(one).collect::<Vec<_>>()
    };
    let none = BTreeSet::new();
    assert_eq!(scans(&[away.clone(), anew].concat()), none, "connected anew each time");
    assert_eq!(scans(&[away.clone(), kept(1_000, 180)].concat()), none, "one connection each");
    // one that was looked into and left open is none of these, nor is one that was over with the sweep
    for (last_s, packets) in [(1_000, 5), (130, 180)] {
        assert_eq!(scans(&[away.clone(), kept(last_s, packets)].concat()).len(), 3, "{last_s} {packets}");
    }
    // who goes from end to end all the time sweeps all the time
    let swept: Vec<Observation> = (0..900)
        .map(|n| {
            let at_s = 100 + n;
            let line = format!("10.0.0.5:40000 > 10.0.{}.{}:{}", 3 + n % 5, n % 200, 1_000 + n);
            from_to(&line, refused, (at_s, at_s), 1)
        })
        .collect();
    assert_eq!(scans(&[swept, kept(900, 180)].concat()).len(), 3);
    // who tries the ports of a host waits for nobody, however long it stays at what was open
    let ports: Vec<Observation> = (0..30)
        .map(|n| from_to(&format!("10.0.0.5:{} > 10.0.3.1:{}", 41_000 + n, 20 + n), refused, (100 + n / 10, 101), 1))
        .collect();
    assert_eq!(scans(&[ports, kept(1_000, 180)].concat()).len(), 3);
    // among attempts that failed a banner is none of its work, whatever it does later
    let greeted = |n: u32| {
        let mut seen = from_to(&format!("10.0.0.5:50001 > 10.0.2.{n}:22"), ESTABLISHED, (100 + 4 * n, 105 + 4 * n), 4);
        let of_banner = |trace: &Trace| Trace { src_end: trace.identity + 2, ..trace.clone() };
        seen.traces = TraceSet::restore(seen.traces.iter().map(of_banner).collect::<Vec<_>>(), 1);
        let later = from_to(&format!("10.0.0.5:50002 > 10.0.2.{n}:22"), ESTABLISHED, (3_000 + n, 3_001 + n), 9);
        [seen, later]
    };
    let greeted: Vec<Observation> = (1..=3).flat_map(greeted).collect();
    assert_eq!(scans(&[away, greeted].concat()).len(), 3);
}

/// How many servers that answered are part of a sweep.
fn hits(observations: &[Observation]) -> usize {
    let map = map_of(observations, &Cluster::default());
    let is_hit = |it: &&Dependency| it.marks.contains(&Mark::Scan) && it.outcome == Outcome::Established;
    map.iter().filter(is_hit).count()
}

/// An observation with other traces.
fn changed(observation: &Observation, change: impl Fn(&Trace) -> Trace) -> Observation {
    let traces = observation.traces.iter().map(change).collect::<Vec<_>>();
    Observation { traces: TraceSet::restore(traces, 1), ..observation.clone() }
}

/// A banner was received, and nothing sent.
fn greeted(observation: &Observation) -> Observation {
    changed(observation, |trace| Trace { src_end: trace.identity + 2, ..trace.clone() })
}

/// Rounds of one client, so many seconds apart: servers that are away, and then those that are there, a fifth of a second each.
fn rounds(away: u32, there: u32, count: u32, pace_s: u32) -> (Vec<Observation>, Vec<Observation>) {
    let poll = |host: u32, round: u32, flags: Flags| {
        let begins_s = pace_s * round + host / 5;
        let (hours, at_s) = (begins_s / 3_600, begins_s % 3_600);
        let line = format!("10.0.0.5:{} > 10.0.1.{host}:5666", 20_000 + 200 * round + host);
        let mut seen = from_to(&line, flags, (at_s, at_s), 6);
        seen.key.hour = Hour(seen.key.hour.0 + i32::try_from(hours).unwrap());
        changed(&seen, |trace| Trace { identity: 1_000 * round + 2 * host, answer: 7 + host, ..trace.clone() })
    };
    let all = |hosts: std::ops::RangeInclusive<u32>, flags: Flags| {
        hosts.flat_map(|host| (0..count).map(move |round| poll(host, round, flags))).collect()
    };
    (all(1..=away, REFUSED), all(away + 1..=away + there, ESTABLISHED))
}

#[test]
fn rounds_of_a_monitor_are_no_sweep_however_far_apart_they_are() {
    let marked = |away, there, count, pace_s| {
        let (away, there) = rounds(away, there, count, pace_s);
        hits(&[away, there].concat())
    };
    for pace_s in [60, 110, 130, 300, 600, 1_800, 3_600] {
        assert_eq!((pace_s, marked(10, 30, 6, pace_s)), (pace_s, 0));
    }
    assert_eq!(marked(35, 25, 12, 300), 0, "most of them are away");
    // who goes through a range of addresses again and again meets few
    assert_eq!(marked(90, 10, 12, 300), 10);
    // nor does one round tell, nor who comes every night
    assert_eq!((marked(35, 25, 1, 300), marked(35, 25, 6, 86_400)), (25, 25));
    // several services of a host that is away, each in its turn
    let services = |count: u32| {
        let (away, there) = rounds(10, 30, count, 300);
        let of_one = |mut seen: Observation| {
            let host: u16 = seen.key.dst.to_string().rsplit('.').next().unwrap().parse().unwrap();
            (seen.key.dst, seen.key.dst_port) = ("10.0.1.1".parse().unwrap(), 5_600 + host);
            seen
        };
        hits(&[away.into_iter().map(of_one).collect(), there].concat())
    };
    assert_eq!((services(6), services(1)), (0, 30));
    let (away, there) = rounds(35, 25, 12, 300);
    let banners: Vec<Observation> = there.iter().map(greeted).collect();
    assert_eq!(hits(&[away, banners].concat()), 25, "only greeted");
}

#[test]
fn what_carries_much_both_ways_is_work_and_no_hit_of_a_sweep() {
    let (away, there) = rounds(35, 25, 1, 300);
    let carried = |to_server: u64, to_client: u64| -> Vec<Observation> {
        let of = |bytes: u64| Tally::one(0, 1 + bytes / 1_000, bytes);
        let change = |trace: &Trace| Trace { from_src: of(to_server), from_dst: of(to_client), ..trace.clone() };
        there.iter().map(|observation| changed(observation, change)).collect()
    };
    assert_eq!(hits(&[away.clone(), carried(80_000, 200_000)].concat()), 0, "a backup");
    // a page, and what a worm sends
    assert_eq!(hits(&[away.clone(), carried(3_000, 200_000)].concat()), 25);
    assert_eq!(hits(&[away, carried(5_000_000, 9_000)].concat()), 25);
    // who tries ports takes what it finds
    let port = |n: u32| from_to(&format!("10.0.0.5:{} > 10.0.3.1:{}", 41_000 + n, 20 + n), REFUSED, (n / 10, 1), 1);
    assert_eq!(hits(&[(0..30).map(port).collect(), carried(80_000, 200_000)].concat()), 25);
}

#[test]
fn a_refusal_of_what_a_host_did_not_send_does_not_accuse_it() {
    // resets that answer nothing, from all over the Internet, and the host's own work meanwhile
    let reset = |n: u32| {
        let seen = from_to(&format!("10.0.0.5:{} > 198.51.100.{n}:80", 2_000 + n), Flags::REFUSED, (n, n), 1);
        changed(&seen, |trace| Trace { from_src: Tally::default(), ..trace.clone() })
    };
    let forged: Vec<Observation> = (1..=30).map(reset).collect();
    let own = |n: u32| from_to(&format!("10.0.0.5:{} > 10.0.1.9:5432", 40_000 + n), ESTABLISHED, (n, n), 9);
    let own: Vec<Observation> = (1..=30).map(own).collect();
    assert_eq!(hits(&[forged.clone(), own].concat()), 0);
    // where nothing that the host sends is captured, its sweeps are known by the answers
    let answered = Flags::AGREED.with(Flags::FROM_DST).with(Flags::PAYLOAD);
    let open = from_to("10.0.0.5:50000 > 10.0.1.9:80", answered, (20, 20), 9);
    let open = changed(&open, |trace| Trace { from_src: Tally::default(), ..trace.clone() });
    assert_eq!(hits(&[forged, vec![open]].concat()), 1);
}

/// A datagram to a host, from another port each time, and whether an answer came.
fn question(n: u32, server: &str, is_answered: bool, at_s: u32) -> Observation {
    let answer = if is_answered { Flags::FROM_DST } else { Flags::default() };
    let flags = Flags::FROM_SRC.with(Flags::SRC_FIRST).with(Flags::PAYLOAD).with(answer);
    let seen = from_to(&format!("10.0.0.5:{} > {server}", 40_000 + n), flags, (at_s, at_s), 1);
    let from_dst = if is_answered { Tally::one(0, 1, 90) } else { Tally::default() };
    let change = |trace: &Trace| Trace { identity: 100 + n, answer: 0, from_dst: from_dst.clone(), ..trace.clone() };
    let mut seen = changed(&seen, change);
    seen.key.opening = Opening::Unseen;
    seen.key.protocol = Protocol::UDP;
    seen
}

#[test]
fn what_answers_a_sweep_by_datagrams_is_part_of_it() {
    // every tenth of so many hosts answers, or each after so many
    let ask = |hosts: std::ops::RangeInclusive<u32>, port: u16, is_there: &dyn Fn(u32) -> bool| -> Vec<Observation> {
        hosts.map(|n| question(n, &format!("10.0.1.{n}:{port}"), is_there(n), 100 + n / 10)).collect()
    };
    let sweep = ask(1..=100, 161, &|n| n % 10 == 0);
    assert_eq!(hits(&sweep), 10);
    // what it asks of others meanwhile is its own
    let names: Vec<Observation> = (1..=5).map(|n| question(500 + n, "10.0.2.1:53", true, 100 + n)).collect();
    assert_eq!(hits(&[sweep, names].concat()), 10);
    // ports of a host
    let ports = |n: u32| question(n, &format!("10.0.1.1:{}", 1_000 + n), n.is_multiple_of(20), 100 + n / 10);
    assert_eq!(hits(&(1..=100).map(ports).collect::<Vec<_>>()), 5);
    // a resolver whose way to others is broken for a while
    assert_eq!(hits(&ask(1..=100, 53, &|n| n > 20)), 0);
    // a monitor, and its rounds
    let round = |round: u32| {
        let ask = move |n: u32| question(200 * round + n, &format!("10.0.1.{n}:161"), n > 40, 300 * round + n / 10);
        (1..=60).map(ask).collect::<Vec<_>>()
    };
    assert_eq!(hits(&round(0)), 20);
    assert_eq!(hits(&(0..6).flat_map(round).collect::<Vec<_>>()), 0);
}

/// A ping to a host, and whether it answered.
fn ping(n: u32, host: &str, is_answered: bool, at_s: u32) -> Observation {
    let flags = Flags::FROM_SRC.with(Flags::SRC_FIRST).with(if is_answered { Flags::FROM_DST } else { Flags::ASKED });
    let seen = from_to(&format!("10.0.0.5:0 > {host}:0"), flags, (at_s, at_s), 1);
    let mut seen = changed(&seen, |trace| Trace { identity: 100 + n, answer: 0, ..trace.clone() });
    seen.key.opening = Opening::Unseen;
    seen.key.protocol = Protocol::ICMP;
    seen
}

#[test]
fn what_answers_a_sweep_by_pings_is_part_of_it() {
    // of so many hosts one in so many answers
    let sweep = |count: u32, each: u32, at_s: u32| -> Vec<Observation> {
        let ask = |n: u32| ping(n, &format!("10.0.1.{n}"), n.is_multiple_of(each), at_s + n / 10);
        (1..=count).map(ask).collect()
    };
    assert_eq!(hits(&sweep(100, 10, 100)), 10);
    // too few, or too many of them there: who looks after hosts asks those that are away too
    assert_eq!((hits(&sweep(8, 4, 100)), hits(&sweep(100, 2, 100))), (0, 0));
    // a monitor of some of them meanwhile and later
    let rounds = |round: u32| ping(500 + round, "10.0.1.20", true, 300 * round);
    assert_eq!(hits(&[sweep(100, 10, 100), (1..6).map(rounds).collect()].concat()), 9);
    // what it does beside is its own
    let calls = from_to("10.0.0.5:40000 > 10.0.1.20:443", ESTABLISHED, (101, 102), 9);
    assert_eq!(hits(&[sweep(100, 10, 100), vec![calls]].concat()), 10);
}
