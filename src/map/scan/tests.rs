//! What is part of a sweep, and what its source does beside.

use std::collections::BTreeSet;

use super::super::tests::{ESTABLISHED, handshake, map_of, mk_cluster, seen};
use crate::model::{Cluster, Dependency, Flags, Hops, Mark, Observation, Opening, Outcome, Tally, Trace, TraceSet};

#[test]
fn a_sweep_is_marked_and_the_sources_own_work_is_not() {
    let mut observations: Vec<_> = (1..=20u16)
        .map(|port| {
            let flags = if port == 20 { ESTABLISHED & !Flags::PAYLOAD.0 } else { Flags::ASKED.0 | Flags::REFUSED.0 };
            let first = 60_000_000 + u32::from(port) * 1_000;
            let identity = u32::from(port) * 100;
            let trace = Trace {
                identity,
                answer: identity,
                flags: Flags(flags),
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
fn from_to(line: &str, flags: u16, (first_s, last_s): (u32, u32), packets: u64) -> Observation {
    let trace = Trace {
        identity: first_s + 1,
        answer: first_s + 2,
        flags: Flags(flags),
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
    let refused = Flags::ASKED.0 | Flags::REFUSED.0;
    let scans = |observations: &[Observation]| -> BTreeSet<String> {
        let map = map_of(observations, &Cluster::default());
        let is_scan = |it: &&Dependency| it.marks.contains(&Mark::Scan) && it.outcome == Outcome::Established;
        map.iter().filter(is_scan).map(|it| it.server.name.clone()).collect()
    };
    // every 15 s for a quarter of an hour, as Prometheus does
    let polls = |server: &str, flags: u16, offset_s: u32| -> Vec<Observation> {
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
