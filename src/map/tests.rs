use std::collections::BTreeMap;

use super::*;
use crate::model::{
    Cluster, ContainerPort, Direction, Flags, Hops, Hour, Labels, Mark, Node, Observation, ObservationKey, Opening,
    Outcome, PartyKind, Pod, Protocol, Recording, Service, ServiceKind, ServicePort, Span, Tally, TargetPort, Trace,
    TraceSet, WorkloadRef,
};

pub(super) const ESTABLISHED: Flags =
    Flags::ASKED.with(Flags::AGREED).with(Flags::FROM_SRC).with(Flags::FROM_DST).with(Flags::PAYLOAD);
const BOTH_WAYS: Flags = Flags::FROM_SRC.with(Flags::FROM_DST).with(Flags::PAYLOAD).with(Flags::SRC_FIRST);
const HOUR: Hour = Hour(497_000);

/// An observation of one connection; `ends` reads `10.0.0.1:40000 > 10.0.0.2:443`.
pub(super) fn seen(opening: Opening, ends: &str, trace: Trace) -> Observation {
    let end = |text: &str| {
        let (address, port) = text.rsplit_once(':').unwrap();
        (address.parse().unwrap(), port.parse::<u16>().unwrap())
    };
    let (src, dst) = ends.split_once(" > ").unwrap();
    let ((src, src_port), (dst, dst_port)) = (end(src), end(dst));
    let key = ObservationKey {
        hour: HOUR,
        protocol: Protocol::TCP,
        opening,
        src,
        dst,
        dst_port,
        vlans: String::new(),
        tunnels: String::new(),
    };
    Observation { key, traces: TraceSet::restore([Trace { src_port, ..trace }], 1) }
}

pub(super) fn handshake(ends: &str, identity: u32) -> Observation {
    seen(
        Opening::Seen,
        ends,
        Trace {
            identity,
            answer: identity + 1,
            flags: ESTABLISHED,
            from_src: Tally::one(0, 9, 0),
            hops_src: Hops::of(64),
            ..Trace::default()
        },
    )
}

pub(super) fn midstream(ends: &str) -> Observation {
    seen(
        Opening::Unseen,
        ends,
        Trace { flags: BOTH_WAYS, from_src: Tally::one(0, 4, 0), hops_src: Hops::of(64), ..Trace::default() },
    )
}

fn mk_pod(name: &str, address: &str, started: i64) -> Pod {
    Pod {
        namespace: "shop".into(),
        name: format!("{name}-0"),
        workload: WorkloadRef { namespace: "shop".into(), name: name.into(), kind: "Deployment".into() },
        labels: [("app", name)].into_iter().collect(),
        addresses: vec![address.parse().unwrap()],
        node: Some("node-1".into()),
        host_network: false,
        ports: vec![ContainerPort { name: None, port: 8080, protocol: Protocol::TCP }],
        started: Some(Timestamp::new(started, 0)),
        finished: false,
        mesh: None,
        maker: None,
        host_ports: Vec::new(),
    }
}

pub(super) fn mk_cluster() -> Cluster {
    let labels: Labels = [("app", "api")].into_iter().collect();
    let port = ServicePort {
        name: None,
        port: 80,
        target: TargetPort::Number(8080),
        node_port: None,
        protocol: Protocol::TCP,
    };
    Cluster {
        pods: vec![mk_pod("web", "10.244.0.1", 0), mk_pod("api", "10.244.0.2", 0)],
        nodes: vec![Node {
            name: "node-1".into(),
            addresses: vec!["172.18.0.2".parse().unwrap()],
            pod_ranges: vec!["10.244.0.0/24".parse().unwrap()],
            labels: None,
        }],
        services: vec![Service {
            namespace: "shop".into(),
            name: "api".into(),
            kind: ServiceKind::ClusterIp,
            selector: Some(labels),
            cluster_ips: vec!["10.96.0.5".parse().unwrap()],
            external_ips: vec![],
            proxied_ips: Vec::new(),
            source_ranges: vec![],
            keeps_sources: false,
            ports: vec![port],
        }],
        ..Cluster::default()
    }
}

pub(super) fn map_of(observations: &[Observation], cluster: &Cluster) -> Vec<Dependency> {
    // each observation by a run of its own, all of one time
    let span = Span { first: HOUR.start(), last: HOUR.start() };
    let recording =
        |observation: &Observation| Recording { span, interface: None, observations: vec![observation.clone()] };
    let recordings: Vec<_> = observations.iter().map(recording).collect();
    dependencies("default", &recordings, &Directory::new(cluster), Options::default())
}

fn only(dependencies: &[Dependency]) -> &Dependency {
    let [dependency] = dependencies else { panic!("{dependencies:#?}") };
    dependency
}

#[test]
fn one_connection_seen_by_two_sensors_counts_once_by_its_fullest_sighting() {
    let mut fuller = handshake("10.0.0.1:40000 > 10.0.0.2:443", 7);
    let more: Vec<Trace> =
        fuller.traces.iter().map(|trace| Trace { from_src: Tally::one(0, 12, 0), ..trace.clone() }).collect();
    fuller.traces = TraceSet::restore(more, 1);
    let map = map_of(&[handshake("10.0.0.1:40000 > 10.0.0.2:443", 7), fuller], &Cluster::default());
    assert_eq!((only(&map).connections, only(&map).packets), (1, 12));
}

#[test]
fn what_is_dialled_at_a_service_and_answered_by_a_pod_is_one_connection() {
    let dialled = handshake("10.244.0.1:40000 > 10.96.0.5:80", 7);
    let mut reached = handshake("10.244.0.1:40000 > 10.244.0.2:8080", 7);
    let further: Vec<Trace> =
        reached.traces.iter().map(|trace| Trace { hops_src: Hops::of(63), ..trace.clone() }).collect();
    reached.traces = TraceSet::restore(further, 1);
    let both = map_of(&[dialled.clone(), reached.clone()], &mk_cluster());
    let dependency = only(&both);
    assert_eq!((dependency.server.name.as_str(), dependency.port, dependency.connections), ("shop/api", 8080, 1));
    let via = dependency.via.first().unwrap();
    assert_eq!((via.port, via.service.as_deref()), (80, Some("shop/api")));
    // the same from the Service's address alone, as the client's own interface shows it
    let alone = map_of(std::slice::from_ref(&dialled), &mk_cluster());
    assert_eq!((only(&alone).server.name.as_str(), only(&alone).port), ("shop/api", 8080));
    // and without an inventory, by the hop limits
    let unknown = map_of(&[reached, dialled], &Cluster::default());
    assert_eq!((only(&unknown).server.name.as_str(), only(&unknown).via.len()), ("10.244.0.2", 1));
}

#[test]
fn a_client_behind_source_translation_is_found_by_both_sequence_numbers() {
    let outside = handshake("203.0.113.9:50000 > 172.18.0.2:30080", 7);
    let mut inside = handshake("172.18.0.2:61000 > 10.244.0.2:8080", 7);
    let further: Vec<Trace> =
        inside.traces.iter().map(|trace| Trace { hops_src: Hops::of(63), ..trace.clone() }).collect();
    inside.traces = TraceSet::restore(further, 1);
    let map = map_of(&[outside, inside], &mk_cluster());
    assert_eq!((only(&map).client.name.as_str(), only(&map).server.name.as_str()), ("203.0.113.9", "shop/api"));
}

#[test]
fn connections_that_share_no_end_are_joined_where_hop_limits_tell_their_order_alone() {
    // hand-made traffic numbers all its connections alike
    let alike = [handshake("10.0.0.1:40000 > 10.0.0.2:80", 7), handshake("10.0.0.3:40001 > 10.0.0.4:80", 7)];
    assert_eq!(map_of(&alike, &Cluster::default()).len(), 2);
}

#[test]
fn equal_numbers_of_two_known_pods_are_those_of_two_connections() {
    let clients = ["10.244.0.1:40000", "10.244.0.3:40001"].map(|client| format!("{client} > 198.51.100.9:443"));
    let mut alike = clients.map(|ends| handshake(&ends, 2_271_560_481));
    // some packets of the second were seen further on
    let hops_src = Hops { high: 64, low: 63 };
    let further = alike[1].traces.iter().map(|trace| Trace { hops_src, ..trace.clone() }).collect::<Vec<_>>();
    alike[1].traces = TraceSet::restore(further, 1);
    // who they are nobody knows: a translation
    assert_eq!(map_of(&alike, &Cluster::default()).len(), 1);
    let mut cluster = mk_cluster();
    cluster.pods.push(mk_pod("other", "10.244.0.3", 0));
    assert_eq!(map_of(&alike, &cluster).len(), 2);
}

#[test]
fn equal_numbers_of_one_scan_are_not_taken_for_translation() {
    // port scanners send every SYN from one port with one sequence number
    let attempt = |port: u16| {
        let trace =
            Trace { identity: 7, flags: Flags::ASKED.with(Flags::REFUSED), hops_src: Hops::of(64), ..Trace::default() };
        seen(Opening::Seen, &format!("10.0.0.1:40000 > 10.0.0.2:{port}"), trace)
    };
    let map = map_of(&[attempt(1), attempt(2), attempt(3)], &Cluster::default());
    assert_eq!(map.len(), 3);
}

#[test]
fn direction_comes_from_the_strongest_evidence() {
    let cases: [(&[&str], &str, Direction); 4] = [
        // a handshake elsewhere tells the listener, also for what lies the other way round
        (&["10.0.0.9:40001 > 10.0.0.2:50000", "10.0.0.2:50000 > 10.0.0.1:40000"], "10.0.0.2", Direction::Listener),
        // the pod declares the port
        (&["10.244.0.2:8080 > 10.0.0.1:8443"], "10.244.0.2", Direction::Inventory),
        // a well-known port
        (&["10.0.0.2:5432 > 10.0.0.1:40000"], "10.0.0.2", Direction::Port),
        // nothing tells
        (&["10.0.0.1:40000 > 10.0.0.2:50000"], "10.0.0.2", Direction::Unknown),
    ];
    for (connections, server, direction) in cases {
        let (last, before) = connections.split_last().unwrap();
        let mut observations: Vec<_> = before.iter().map(|ends| handshake(ends, 7)).collect();
        observations.push(midstream(last));
        let map = map_of(&observations, &mk_cluster());
        let is_open = |dependency: &&Dependency| dependency.outcome == Outcome::Midstream;
        let dependency = map.iter().find(is_open).unwrap();
        assert_eq!(dependency.direction, direction, "{connections:?}");
        assert!(dependency.server.addresses.contains(&server.parse().unwrap()), "{connections:?}");
    }
}

#[test]
fn many_talkers_make_the_server_where_no_port_is_known() {
    let talkers: Vec<_> = (0..4u16).map(|n| midstream(&format!("10.0.0.{n}:4000{n} > 10.0.0.99:50000"))).collect();
    let map = map_of(&talkers, &Cluster::default());
    assert!(map.iter().all(|it| it.direction == Direction::FanIn && it.server.name == "10.0.0.99"), "{map:#?}");
}

#[test]
fn an_address_belongs_to_whoever_had_it_then() {
    let mut cluster = mk_cluster();
    let start = HOUR.start().0 / 1_000_000_000;
    cluster.pods[0].started = Some(Timestamp::new(start + 60, 0));
    let map = map_of(&[handshake("10.244.0.1:40000 > 10.244.0.2:8080", 7)], &cluster);
    assert_eq!((only(&map).client.kind, only(&map).client.name.as_str()), (PartyKind::Unknown, "10.244.0.1"));
}

/// Datagrams from a client that nobody answered, `count` to each of these.
fn datagrams(client: &str, servers: impl IntoIterator<Item = String>, count: u64) -> Vec<Observation> {
    let to = |server: String| {
        let flags = Flags::FROM_SRC.with(Flags::SRC_FIRST).with(Flags::PAYLOAD);
        let trace = Trace { identity: 9, flags, from_src: Tally::one(0, count, 0), ..Trace::default() };
        let mut observation = seen(Opening::Unseen, &format!("{client} > {server}"), trace);
        observation.key.protocol = Protocol::UDP;
        observation
    };
    servers.into_iter().map(to).collect()
}

#[test]
fn a_sweep_by_datagrams_is_marked_and_logs_are_not() {
    let servers = || (1..=20).map(|n| format!("10.0.0.{n}:161"));
    let answered = handshake("10.9.9.9:40000 > 10.0.0.99:443", 7);
    let mut answered_too = answered.clone();
    answered_too.traces = TraceSet::restore(
        answered.traces.iter().map(|trace| Trace { from_dst: Tally::one(0, 5, 0), ..trace.clone() }),
        1,
    );
    let scans = |mut observations: Vec<Observation>, heard: bool| {
        observations.push(if heard { answered_too.clone() } else { answered.clone() });
        let map = map_of(&observations, &Cluster::default());
        map.iter().filter(|it| it.protocol == Protocol::UDP && it.marks.contains(&Mark::Scan)).count()
    };
    assert_eq!(scans(datagrams("10.9.9.9:50000", servers(), 1), true), 20);
    // a log to as many collectors goes on
    assert_eq!(scans(datagrams("10.9.9.9:50000", servers(), 9), true), 0);
    // where no answer to the source was seen at all, one way alone was captured
    assert_eq!(scans(datagrams("10.9.9.9:50000", servers(), 1), false), 0);
}

#[test]
fn datagrams_that_go_on_are_needed_and_stray_ones_and_leases_are_not() {
    let reason = |server: &str, count| {
        let map = map_of(&datagrams("10.0.0.1:50000", [server.to_owned()], count), &Cluster::default());
        only(&map).unneeded()
    };
    assert_eq!(reason("10.0.0.2:514", 20), None);
    assert!(reason("10.0.0.2:514", 2).unwrap().contains("too few"));
    assert!(reason("10.0.0.2:67", 20).unwrap().contains("DHCP"));
}

#[test]
fn what_the_link_carries_to_everybody_is_no_hosts_but_that_of_one_who_speaks() {
    let told = |flags: Flags| {
        let mut observations = datagrams("10.0.0.1:137", ["10.0.0.255:137".to_owned()], 20);
        for observation in &mut observations {
            let traces: Vec<Trace> = observation.traces.iter().cloned().collect();
            let marked = |mut trace: Trace| {
                trace.flags.add(flags);
                trace
            };
            observation.traces = TraceSet::restore(traces.into_iter().map(marked), 1);
        }
        let map = map_of(&observations, &Cluster::default());
        (only(&map).client.name.clone(), only(&map).server.kind, only(&map).server.name.clone())
    };
    let (one, other) = ("10.0.0.1".to_owned(), "10.0.0.255".to_owned());
    assert_eq!(told(Flags::BROADCAST), (one.clone(), PartyKind::Multicast, other.clone()));
    let answered = Flags::FROM_SRC.with(Flags::FROM_DST);
    for flag in [Flags::BROADCAST, Flags::DST_BROADCAST] {
        let (_, kind, _) = told(answered.with(flag));
        assert_ne!(kind, PartyKind::Multicast, "both are hosts");
    }
}

#[test]
fn health_checks_are_told_by_their_pace() {
    let check = |n: u32, seconds: u32| {
        let flags = Flags::ASKED.with(Flags::AGREED).with(Flags::FROM_SRC).with(Flags::CLOSED);
        let first = seconds * 1_000_000;
        let trace = Trace { identity: n, answer: n, flags, first, last: first, ..Trace::default() };
        seen(Opening::Seen, &format!("203.0.113.9:{} > 10.244.0.2:8080", 40_000 + n), trace)
    };
    let marks = |seconds: &[u32]| {
        let checks: Vec<_> = (1..).zip(seconds).map(|(n, second)| check(n, *second)).collect();
        only(&map_of(&checks, &mk_cluster())).marks.contains(&Mark::Probe)
    };
    assert!(marks(&[5, 15, 25, 35, 45]));
    assert!(!marks(&[5, 7, 300, 1_500, 1_600]));
}

#[test]
fn a_translation_that_the_inventory_does_not_know_is_disputed() {
    let stages = |server: &str| {
        let dialled = handshake("10.244.0.1:40000 > 10.96.0.5:80", 7);
        let mut reached = handshake(&format!("10.244.0.1:40000 > {server}"), 7);
        let further = reached.traces.iter().map(|trace| Trace { hops_src: Hops::of(63), ..trace.clone() });
        reached.traces = TraceSet::restore(further, 1);
        vec![dialled, reached]
    };
    let mut cluster = mk_cluster();
    cluster.pods.push(mk_pod("other", "10.244.0.3", 0));
    let is_disputed = |server: &str| {
        let map = map_of(&stages(server), &cluster);
        only(&map).via.iter().any(|via| via.disputed)
    };
    assert!(!is_disputed("10.244.0.2:8080"));
    assert!(is_disputed("10.244.0.3:8080"));
}

#[test]
fn one_datagram_to_a_service_and_to_another_server_is_two_exchanges() {
    let mut cluster = mk_cluster();
    cluster.services[0].ports[0].protocol = Protocol::UDP;
    let asked = |server: &str| {
        let [identity, answer] = [7_000, 9_000].map(Trace::nameless_number);
        let (flags, hops) = (BOTH_WAYS, Hops::of(64));
        let trace = Trace { identity, answer, flags, hops_src: hops, hops_dst: hops, ..Trace::default() };
        let mut observation = seen(Opening::Unseen, &format!("10.244.0.1:40000 > {server}"), trace);
        observation.key.protocol = Protocol::UDP;
        observation
    };
    let servers = |other: &str| {
        let observations = vec![asked("10.96.0.5:80"), asked(other)];
        let recording = Recording { span: Span::at(HOUR.start()), interface: None, observations };
        let map = dependencies("default", &[recording], &Directory::new(&cluster), Options::default());
        map.into_iter().map(|it| it.server.name).collect::<Vec<_>>()
    };
    assert_eq!(servers("10.244.0.2:8080"), ["shop/api"], "the pod behind it");
    assert_eq!(servers("198.51.100.9:53"), ["198.51.100.9", "shop/api"]);
}

#[test]
fn what_a_sample_stands_for_is_rounded_once() {
    let mut many = handshake("10.244.0.1:40000 > 10.244.0.2:8080", 7);
    let trace = many.traces.iter().next().unwrap().clone();
    let each =
        |n: u32| Trace { identity: n, from_src: Tally::one(0, 1, 40), from_dst: Tally::one(0, 1, 40), ..trace.clone() };
    // each stands for one and a quarter
    many.traces = TraceSet::restore((1..=1_024).map(each), 1_280);
    let map = map_of(&[many], &mk_cluster());
    let dependency = only(&map);
    assert_eq!((dependency.connections, dependency.packets), (1_280, 2_560));
    assert_eq!((dependency.bytes_to_server, dependency.bytes_to_client), (51_200, 51_200));
}

#[test]
fn a_pod_and_its_own_node_are_marked() {
    let map = map_of(&[handshake("172.18.0.2:40000 > 10.244.0.2:8080", 7)], &mk_cluster());
    assert!(only(&map).marks.contains(&Mark::Node));
}

#[test]
fn the_order_of_observations_changes_nothing() {
    let mut observations = vec![
        handshake("10.244.0.1:40000 > 10.96.0.5:80", 7),
        handshake("10.244.0.1:40001 > 10.244.0.2:8080", 9),
        midstream("10.0.0.2:5432 > 10.0.0.1:40000"),
        midstream("10.244.0.2:8080 > 10.0.0.1:8443"),
    ];
    let forth = map_of(&observations, &mk_cluster());
    observations.reverse();
    assert_eq!(forth, map_of(&observations, &mk_cluster()));
}

#[test]
fn novelty_falls_as_nothing_new_comes() {
    let mut dependency = only(&map_of(&[handshake("10.0.0.1:40000 > 10.0.0.2:443", 7)], &Cluster::default())).clone();
    assert_eq!(learning(&[dependency.clone()]).state, State::Learning);
    dependency.history = (0..10).map(|hour| (Hour(HOUR.0 + hour), 1)).collect();
    let all = learning(&[dependency.clone()]);
    assert_eq!((all.state, all.hours), (State::Stable, 10));
    assert!(all.novelty < 1e-9);
    dependency.history = (0..10).map(|hour| (Hour(hour), 1)).collect();
    let counted = learning(&[dependency]);
    assert_eq!((counted.state, counted.hours), (State::Learning, 0), "hours that a flow log counts and does not name");
}

/// A dependency for every number, met in the hours that `is_met` says.
fn met(count: u32, hours: i32, is_met: impl Fn(u32, i32) -> bool) -> Vec<Dependency> {
    let recording = |observations| [Recording { span: Span::at(Timestamp(0)), interface: None, observations }];
    let one = recording(vec![handshake("10.244.1.5:40000 > 192.0.2.9:443", 1)]);
    let like = dependencies("default", &one, &Directory::new(&mk_cluster()), Options::default()).remove(0);
    let of = |number: u32| {
        let history: BTreeMap<Hour, u64> =
            (0..hours).filter(|hour| is_met(number, *hour)).map(|hour| (Hour(HOUR.0 + hour), 1)).collect();
        Dependency { port: u16::try_from(number).unwrap(), history, ..like.clone() }
    };
    (0..count).map(of).filter(|dependency| !dependency.history.is_empty()).collect()
}

/// A number that is as good as random for every pair.
fn mixed(number: u32, hour: i32) -> u32 {
    let both = (u64::from(number) << 32) | u64::from(hour.unsigned_abs());
    let mixed = (both ^ (both >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u32::try_from((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40).unwrap() % 100
}

#[test]
fn what_is_met_every_hour_is_stable_and_what_is_always_new_is_not() {
    let steady = learning(&met(50, 24, |_, _| true));
    assert_eq!((steady.state, steady.novelty, steady.good_turing), (State::Stable, 0.0, 0.0));
    let fresh = learning(&met(96, 24, |number, hour| number % 24 == hour.unsigned_abs()));
    assert_eq!((fresh.state, fresh.novelty, fresh.good_turing), (State::Learning, 1.0, 1.0));
}

#[test]
fn the_learning_curve_tells_what_each_hour_met_and_what_was_new_in_it() {
    // the second is first met in hour 2, in hour 1 nothing is met at all
    let hours: [&[i32]; 3] = [&[0, 3], &[2, 3], &[0]];
    let mut all = met(3, 4, |number, hour| hours[usize::try_from(number).unwrap()].contains(&hour));
    let scan = Dependency { marks: [Mark::Scan].into(), ..all[0].clone() };
    let refused = Dependency { outcome: Outcome::Refused, ..all[0].clone() };
    let whoever = Dependency { direction: Direction::Unknown, ..all[0].clone() };
    all.extend([scan, refused, whoever]);
    let start = |hour: i32| Hour(HOUR.0 + hour).start();
    let curve = learning_curve(&all);
    let found: Vec<_> = curve.iter().map(|it| (it.hour, it.met, it.new)).collect();
    assert_eq!(found, [(start(0), 2, 2), (start(2), 1, 1), (start(3), 2, 0)], "what makes no rule counts for nothing");
    assert_eq!(learning_curve(&[]), []);
}

#[test]
fn the_more_was_missed_the_less_complete_it_is_told_to_be() {
    // each is met in one hour of ten; then one sighting in four, and one in two, is lost
    let is_met = |number, hour| mixed(number, hour) < 10;
    let kept = |share: u32| move |number: u32, hour: i32| is_met(number, hour) && mixed(number + 7_919, hour) < share;
    let whole = learning(&met(500, 24, is_met));
    let (most, half) = (learning(&met(500, 24, kept(75))), learning(&met(500, 24, kept(50))));
    assert!(whole.novelty < most.novelty && most.novelty < half.novelty, "{whole:?} {most:?} {half:?}");
    assert!(whole.good_turing < most.good_turing && most.good_turing < half.good_turing, "{whole:?} {most:?} {half:?}");
}

#[test]
fn good_turing_counts_what_was_met_in_one_hour_alone() {
    // of 10 sightings two in one hour alone, one in two, three hours in all: 2/10 * 4/(4 + 2)
    let hours = [1, 1, 2, 3, 3];
    let found = learning(&met(5, 3, |number, hour| hour < hours[usize::try_from(number).unwrap()]));
    assert!((found.good_turing - 0.1333).abs() < 1e-4, "{found:?}");
}
