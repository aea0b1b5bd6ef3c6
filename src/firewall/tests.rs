//! Rules from dependencies that something on the way translates.

use std::net::IpAddr;

use super::*;
use crate::model::{Direction, Outcome, Party, PartyKind, Span, Timestamp, Via};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn party(kind: PartyKind, at: &str) -> Party {
    let addresses = BTreeSet::from([address(at)]);
    Party { kind, name: at.to_owned(), owner: None, addresses, names: Vec::new() }
}

fn host(name: &str, at: &str) -> Host {
    let addresses = BTreeSet::from([address(at)]);
    let sights = addresses.iter().map(|address| (*address, Sight::Whole)).collect();
    let (role, tier) = (name.to_owned(), Tier::Application);
    Host { name: name.to_owned(), role, tier, is_told: true, addresses, ranges: BTreeSet::new(), sights }
}

fn dependency(client: &str, server: &str, port: u16) -> Dependency {
    Dependency {
        site: "default".to_owned(),
        client: party(PartyKind::Host, client),
        server: party(PartyKind::Host, server),
        protocol: Protocol::TCP,
        port,
        via: BTreeSet::new(),
        sources: BTreeSet::new(),
        outcome: Outcome::Established,
        direction: Direction::Handshake,
        connections: 3,
        packets: 30,
        packets_are_least: false,
        bytes_to_server: 300,
        bytes_to_client: 300,
        span: Span::at(Timestamp(0)),
        vlans: BTreeSet::new(),
        tunnels: BTreeSet::new(),
        marks: BTreeSet::new(),
        history: [(Timestamp(0).hour(), 3)].into(),
    }
}

/// Whether a connection passes the rules, by who sends it to whom.
fn passes(firewall: &Firewall, client: &str, server: &str, port: u16) -> bool {
    let ends = (address(client), address(server));
    firewall.rules.iter().any(|rule| rule.allows(&firewall.zones, ends, Protocol::TCP, port))
}

const HOSTS: [(&str, &str); 3] = [("web", "10.0.1.1"), ("balancer", "10.0.2.1"), ("app", "10.0.3.1")];

fn proposed(cluster: &[&str], dependencies: &[Dependency]) -> Firewall {
    proposed_with(cluster, dependencies, &Options::default())
}

fn proposed_with(cluster: &[&str], dependencies: &[Dependency], options: &Options) -> Firewall {
    let hosts = HOSTS.map(|(name, at)| host(name, at));
    let cluster: Vec<IpNet> = cluster.iter().map(|range| range.parse().unwrap()).collect();
    let firewall =
        propose(Input { hosts: &hosts, cluster: &cluster, disputed: &BTreeMap::new() }, dependencies, options);
    let replay = replay(&firewall, dependencies);
    assert_eq!((replay.denied, replay.findings), (0, Vec::new()));
    firewall
}

#[test]
fn what_is_translated_passes_before_and_behind_the_translator() {
    let mut dependency = dependency("10.0.1.1", "10.0.3.1", 8080);
    let dialled = Via { address: address("10.0.9.9"), port: 80, service: None, disputed: false };
    dependency.via.insert(dialled);
    dependency.sources.insert(address("10.0.2.1"));
    let firewall = proposed(&[], &[dependency]);
    let ends = ["10.0.1.1", "10.0.2.1"];
    let mut ways = ends.into_iter().flat_map(|client| [(client, "10.0.9.9", 80), (client, "10.0.3.1", 8080)]);
    assert!(ways.all(|(client, server, port)| passes(&firewall, client, server, port)));
    let others = [("10.0.1.1", "10.0.9.9", 8080), ("10.0.2.1", "10.0.3.1", 80), ("10.0.3.1", "10.0.1.1", 8080)];
    assert!(others.into_iter().all(|(client, server, port)| !passes(&firewall, client, server, port)));
}

#[test]
fn a_pod_may_have_another_address_tomorrow() {
    let mut pod = dependency("10.244.1.7", "10.0.3.1", 5432);
    pod.client.kind = PartyKind::Workload;
    let firewall = proposed(&["10.244.0.0/16", "192.0.2.1/32"], &[pod]);
    assert!(passes(&firewall, "10.244.9.9", "10.0.3.1", 5432) && passes(&firewall, "192.0.2.1", "10.0.3.1", 5432));
    assert!(!passes(&firewall, "10.245.0.1", "10.0.3.1", 5432) && !passes(&firewall, "10.244.1.7", "10.0.1.1", 5432));
    assert_eq!((cost(&firewall).open_ended, extra(&firewall, &firewall.rules[0])), (1, None));
}

#[test]
fn what_no_rule_lets_pass_is_found_in_the_past() {
    let one = dependency("10.0.1.1", "10.0.3.1", 8080);
    let firewall = proposed(&[], std::slice::from_ref(&one));
    let replay = replay(&firewall, &[one, dependency("10.0.1.1", "10.0.2.1", 22)]);
    assert_eq!((replay.connections, replay.allowed, replay.denied), (6, 3, 3));
    assert_eq!((replay.findings[0].to, replay.findings[0].port), (address("10.0.2.1"), 22));
}

#[test]
fn what_carries_other_traffic_passes_both_ways_where_both_ends_send_it() {
    let denied = |protocol, outcome| {
        let [forth, back] = [("10.0.1.1", "10.0.3.1"), ("10.0.3.1", "10.0.1.1")];
        let carried = |(from, to)| Dependency { protocol, outcome, ..dependency(from, to, 0) };
        replay(&proposed(&[], &[carried(forth)]), &[carried(back)]).denied
    };
    let esp = Protocol(50);
    assert_eq!((denied(esp, Outcome::Established), denied(esp, Outcome::Oneway)), (0, 3));
    assert_eq!(denied(Protocol::ICMP, Outcome::Established), 3, "who is asked does not ask");
}

fn dialled(dependency: Dependency, at: &str, port: u16) -> Dependency {
    let via = BTreeSet::from([Via { address: address(at), port, service: None, disputed: false }]);
    Dependency { via, ..dependency }
}

#[test]
fn a_client_reaches_all_servers_behind_the_address_that_it_dials() {
    let vip = |client, server| dialled(dependency(client, server, 8443), "10.0.9.9", 443);
    let others = dialled(dependency("10.0.4.9", "10.0.3.1", 22), "10.0.9.9", 2222);
    let seen = [vip("10.0.4.1", "10.0.1.1"), vip("10.0.4.2", "10.0.3.1"), others];
    let firewall = proposed(&[], &seen);
    let mut ways = ["10.0.4.1", "10.0.4.2"].into_iter().flat_map(|it| ["10.0.1.1", "10.0.3.1"].map(|to| (it, to)));
    assert!(ways.all(|(client, server)| passes(&firewall, client, server, 8443)));
    assert!(!passes(&firewall, "10.0.4.1", "10.0.2.1", 8443) && !passes(&firewall, "10.0.4.9", "10.0.1.1", 22));
    assert!(!passes(&firewall, "10.0.4.9", "10.0.3.1", 8443) && !passes(&firewall, "10.0.4.1", "10.0.3.1", 22));
    let balanced: Vec<_> = firewall.rules.iter().filter(|rule| !rule.beyond.is_empty()).collect();
    assert_eq!(balanced.len(), 2, "one for each server's role");
    for rule in balanced {
        assert_eq!(rule.beyond, BTreeMap::from([(Beyond::Balanced, 1)]));
        assert_eq!((rule.evidence.connections, rule.needed, extra(&firewall, rule)), (3, 1, Some(1)));
    }
    // what led to somebody else behind a Service tells of no others
    let disputed = seen.map(|mut it| {
        it.via = it.via.into_iter().map(|via| Via { disputed: true, ..via }).collect();
        it
    });
    assert!(!passes(&proposed(&[], &disputed), "10.0.4.1", "10.0.3.1", 8443));
}

#[test]
fn who_asks_for_names_by_udp_may_ask_by_tcp() {
    let udp = |port| Dependency { protocol: Protocol::UDP, ..dependency("10.0.4.1", "10.0.3.1", port) };
    let firewall = proposed(&[], &[udp(53), udp(123), dialled(udp(5353), "10.0.9.9", 53)]);
    assert!(passes(&firewall, "10.0.4.1", "10.0.3.1", 53) && passes(&firewall, "10.0.4.1", "10.0.3.1", 5353));
    assert!(!passes(&firewall, "10.0.4.1", "10.0.3.1", 123) && !passes(&firewall, "10.0.4.2", "10.0.3.1", 53));
    let cost = cost(&firewall);
    assert_eq!((cost.needed, cost.extra), (3, 2), "what was not seen is beyond");
    // where it was seen it is no more than that
    let firewall = proposed(&[], &[udp(53), dependency("10.0.4.1", "10.0.3.1", 53)]);
    assert!(firewall.rules.iter().all(|rule| rule.beyond.is_empty() && rule.evidence.connections == 3));
}

#[test]
fn a_port_is_for_everyone_by_the_number_that_is_dialled() {
    let stranger = |client| {
        let mut seen = dialled(dependency(client, "10.0.1.1", 8443), "203.0.113.2", 443);
        seen.client.kind = PartyKind::External;
        seen
    };
    let mut admin = dependency("192.0.2.7", "10.0.3.1", 8443);
    admin.client.kind = PartyKind::External;
    let options = Options { public: [(Protocol::TCP, 443)].into(), ..Options::default() };
    let firewall = proposed_with(&[], &[stranger("192.0.2.1"), admin], &options);
    assert_eq!(firewall.opened, options.public);
    assert!(passes(&firewall, "198.51.100.9", "10.0.1.1", 8443) && passes(&firewall, "192.0.2.7", "10.0.3.1", 8443));
    assert!(!passes(&firewall, "198.51.100.9", "10.0.3.1", 8443), "nobody dialled another number there");
}

#[test]
fn what_is_uncertain_in_one_form_is_not_denied() {
    let disputed = BTreeMap::from([(address("10.0.9.9"), Dispute::Open)]);
    let hosts = HOSTS.map(|(name, at)| host(name, at));
    let seen =
        [dialled(dependency("10.0.1.1", "10.0.3.1", 8080), "10.0.9.9", 80), dependency("10.0.1.1", "10.0.9.9", 22)];
    let firewall = propose(Input { hosts: &hosts, cluster: &[], disputed: &disputed }, &seen, &Options::default());
    let replay = replay(&firewall, &seen);
    assert_eq!((replay.denied, replay.uncertain), (0, 6));
    assert!(!passes(&firewall, "10.0.1.1", "10.0.9.9", 22));
    assert!(firewall.left_out.iter().all(|it| it.is_uncertain && it.reason == "two segments have the address"));
}
