//! Records taken by themselves give what they give among all other observations.

use std::{collections::BTreeMap, net::IpAddr};

use proptest::prelude::*;

use super::super::{By, Capture, Options, contacts, coverage, dependencies, dependencies_of, tests::mk_cluster};
use crate::{
    inventory::Directory,
    model::{
        Cluster, Contacts, Dependency, Flags, Mark, Observation, ObservationKey, Opening, Outcome, Protocol, Recording,
        Span, Tally, Timestamp, Trace, TraceSet, Traffic,
    },
    records::FlowRecord,
};

/// Pods, their Service, their node, an address that nobody knows, one outside, a group.
const KNOWN: [&str; 7] =
    ["10.244.0.1", "10.244.0.2", "10.96.0.5", "172.18.0.2", "10.244.0.77", "203.0.113.9", "224.0.0.251"];

/// Those, and others enough for a sweep.
fn address(n: u8) -> IpAddr {
    match KNOWN.get(usize::from(n)) {
        Some(known) => known.parse().unwrap(),
        None => IpAddr::from([10, 0, 0, n]),
    }
}

fn any_span() -> impl Strategy<Value = Option<Span>> {
    let begin = 1_789_200_000i64;
    let span = (0i64..12, 0i64..40).prop_map(move |(minutes, lasts)| Span {
        first: Timestamp::new(begin + minutes * 600, 0),
        last: Timestamp::new(begin + minutes * 600 + lasts * 300, 0),
    });
    prop_oneof![Just(None), span.prop_map(Some), Just(Some(Span::at(Timestamp::new(7_200, 5))))]
}

fn any_record() -> impl Strategy<Value = FlowRecord> {
    let outcomes = vec![None, Some(Outcome::Refused), Some(Outcome::Unanswered), Some(Outcome::Oneway)];
    let protocol = prop_oneof![Just(Protocol::TCP), Just(Protocol::UDP), Just(Protocol::ICMP)];
    let ends = (prop_oneof![0u8..7, Just(9u8)], 0u8..24, protocol, prop_oneof![Just(80u16), Just(8080), Just(68)]);
    let counts = (prop::option::of(0u64..9), 0u64..2_000, 1u64..7, prop::option::of(0u32..5));
    (ends, prop::sample::select(outcomes), counts, any_span()).prop_map(
        |((client, server, protocol, port), outcome, (packets, bytes, connections, hours), span)| FlowRecord {
            client: address(client),
            server: address(server),
            protocol,
            port: if protocol.has_ports() { port } else { 0 },
            outcome,
            packets,
            bytes_to_server: bytes,
            bytes_to_client: bytes / 3,
            connections,
            span,
            hours,
            detail: None,
        },
    )
}

/// What imports of these files leave in the store.
fn recordings(files: &[Vec<FlowRecord>]) -> Vec<Recording> {
    let recording = |records: &Vec<FlowRecord>| {
        let mut rows: BTreeMap<ObservationKey, TraceSet> = BTreeMap::new();
        for observation in records.iter().flat_map(FlowRecord::observations) {
            rows.entry(observation.key).or_default().extend(observation.traces);
        }
        let span = Span::over(records.iter().filter_map(|record| record.span));
        let observations = rows.into_iter().map(|(key, traces)| Observation { key, traces }).collect();
        Recording { span: span.unwrap_or(Span::at(Timestamp(0))), interface: None, observations }
    };
    files.iter().map(recording).collect()
}

fn traffic(recordings: &[Recording]) -> Traffic {
    let mut traffic = Traffic::default();
    for Recording { span, observations, .. } in recordings {
        traffic.recordings.push(Recording { span: *span, interface: None, observations: Vec::new() });
        for observation in observations {
            traffic.add(observation.clone());
        }
    }
    traffic.records.sort();
    traffic
}

/// A connection that packets tell of.
fn captured() -> Observation {
    let key = ObservationKey {
        hour: Timestamp::new(1_789_200_000, 0).hour(),
        protocol: Protocol::ICMP,
        opening: Opening::Seen,
        src: address(0),
        dst: address(1),
        dst_port: 0,
        vlans: String::new(),
        tunnels: String::new(),
    };
    let trace = Trace { flags: Flags::FROM_SRC, from_src: Tally::one(0, 2, 90), identity: 5, ..Trace::default() };
    Observation { key, traces: TraceSet::restore([trace], 1) }
}

fn any_options() -> impl Strategy<Value = Options> {
    let time = || prop::option::of((0i64..8_000).prop_map(|s| Timestamp::new(1_789_200_000 + s, 0)));
    (any::<bool>(), time(), time(), any::<bool>()).prop_map(|(by_address, since, until, is_outlasting)| Options {
        by: if by_address { By::Address } else { By::Workload },
        since,
        until,
        is_outlasting,
    })
}

proptest! {
    #[test]
    fn records_by_themselves_give_what_they_give_among_all(
        files in prop::collection::vec(prop::collection::vec(any_record(), 0..90), 1..4),
        options in any_options(), has_inventory: bool, has_captured: bool,
    ) {
        let mut recordings = recordings(&files);
        if has_captured {
            recordings[0].observations.push(captured());
        }
        let directory = Directory::new(&if has_inventory { mk_cluster() } else { Cluster::default() });
        let traffic = traffic(&recordings);
        prop_assert_eq!(traffic.is_records_alone(), !has_captured);
        let among_all = dependencies("default", &recordings, &directory, options);
        prop_assert_eq!(&dependencies_of("default", &traffic, &directory, options), &among_all);
        let (small, all) = (contacts(&traffic, &directory, options).in_order(), Contacts::from_iter(&among_all).in_order());
        prop_assert_eq!(small.parties, all.parties);
        prop_assert_eq!(small.contacts, all.contacts);
    }

    #[test]
    fn records_by_themselves_cover_what_they_cover_among_all(
        files in prop::collection::vec(prop::collection::vec(any_record(), 0..40), 1..3),
    ) {
        let recordings = recordings(&files);
        let directory = Directory::new(&mk_cluster());
        let capture = |recording: &Recording| Capture { run: "run".into(), sensor: "log".into(), is_log: true, times: vec![recording.span] };
        let captures: Vec<Capture> = recordings.iter().map(capture).collect();
        let all = recordings.iter().enumerate().flat_map(|(n, it)| it.observations.iter().map(move |seen| (n, seen)));
        let traffic = traffic(&recordings);
        prop_assert_eq!(coverage(&captures, traffic.records.leading(), &directory), coverage(&captures, all, &directory));
    }
}

#[test]
fn a_sweep_is_found_among_records() {
    let records: Vec<FlowRecord> = (30..60)
        .map(|n| FlowRecord {
            client: address(9),
            server: address(n),
            protocol: Protocol::TCP,
            port: 22,
            outcome: Some(Outcome::Refused),
            packets: Some(2),
            bytes_to_server: 0,
            bytes_to_client: 0,
            connections: 1,
            span: Some(Span::at(Timestamp::new(1_789_200_000 + i64::from(n), 0))),
            hours: None,
            detail: None,
        })
        .collect();
    let directory = Directory::new(&Cluster::default());
    let found: Vec<Dependency> =
        dependencies_of("default", &traffic(&recordings(&[records])), &directory, Options::default());
    assert!(found.len() == 30 && found.iter().all(|it| it.marks.contains(&Mark::Scan)), "{found:#?}");
}
