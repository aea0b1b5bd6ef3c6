mod places;

use proptest::prelude::*;

use super::*;
use crate::model::Protocol;

const IN: u32 = 1_000;

/// Members `a`, `b` ... and outside `X`, `Y` ...; edges such as `a>b 80`, with `/udp`, `~` for one-way, `*n` for hours.
fn graph(members: &str, edges: &[&str]) -> Graph {
    let names: Vec<String> = members.chars().map(String::from).collect();
    named(&names.iter().map(String::as_str).collect::<Vec<_>>(), edges)
}

/// A graph of members with longer names, in their order; `shop/db` is a workload.
fn named(members: &[&str], edges: &[&str]) -> Graph {
    let workload = |name: &str| {
        let (namespace, name) = name.split_once('/')?;
        Some(crate::model::WorkloadRef { namespace: namespace.into(), name: name.into(), kind: "Deployment".into() })
    };
    let member = |name: &&str| Member { name: (*name).into(), workload: workload(name), ..Member::default() };
    let members: Vec<Member> = members.iter().map(member).collect();
    let count = u32::try_from(members.len()).unwrap();
    let outside: Vec<Outsider> = "XYZ"
        .chars()
        .map(|name| Outsider { name: name.to_string(), kind: crate::model::PartyKind::External })
        .collect();
    let number = |name: &str| {
        let at = |all: &[&str]| all.iter().position(|it| *it == name).map(|n| u32::try_from(n).unwrap());
        let inside: Vec<&str> = members.iter().map(|it| it.name.as_str()).collect();
        at(&inside).or_else(|| at(&["X", "Y", "Z"]).map(|n| n + count)).unwrap_or(IN)
    };
    let edge = |text: &str| {
        let (ends, what) = text.split_once(' ').unwrap();
        let (client, server) = ends.split_once('>').unwrap();
        let (what, hours) = what.split_once('*').unwrap_or((what, "1"));
        let protocol = if what.contains("/udp") { Protocol::UDP } else { Protocol::TCP };
        let port = what.trim_end_matches('~').trim_end_matches("/udp").parse().unwrap();
        Edge {
            client: number(client),
            server: number(server),
            service: Service::new(protocol, port),
            hours: hours.parse().unwrap(),
            is_idle: false,
            is_oneway: what.ends_with('~'),
        }
    };
    Graph::from_parts(members.clone(), outside, edges.iter().map(|text| edge(text)).collect())
}

fn found(members: &str, edges: &[&str]) -> Vec<(Tier, usize, String)> {
    told(&of_graph(graph(members, edges), Options::default()))
}

fn told(tiers: &Tiers) -> Vec<(Tier, usize, String)> {
    let names = |role: &Role| role.members.iter().map(|it| it.name.as_str()).collect::<String>();
    tiers.roles.iter().map(|role| (role.tier, role.level, names(role))).collect()
}

fn is(all: &[(Tier, usize, String)], expected: &[(Tier, usize, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(tier, level, names)| (*tier, *level, (*names).to_owned())).collect();
    assert_eq!(all, expected);
}

const SHOP: [&str; 9] =
    ["X>a 443", "X>b 443", "a>c 8080", "b>c 8080", "a>d 8080", "c>e 5432", "d>e 5432", "c>f 6379", "d>f 6379"];

#[test]
fn three_tiers_are_laid_by_who_calls_whom() {
    is(
        &found("abcdef", &SHOP),
        &[(Tier::Edge, 1, "ab"), (Tier::Application, 2, "cd"), (Tier::Data, 3, "e"), (Tier::Data, 3, "f")],
    );
}

#[test]
fn the_reason_says_what_is_served_and_who_calls() {
    let tiers = of_graph(graph("abcdef", &SHOP), Options::default());
    let db = tiers.roles.iter().find(|role| role.name == "serves TCP/5432").unwrap();
    assert_eq!(db.reason, "1 of 1 serves TCP/5432 (0 of 5 others do); called only by c and d; calls nothing");
    let edge = &tiers.roles[0];
    assert!(edge.reason.contains("the outside enters here (DMZ): 1 outside on TCP/443"), "{}", edge.reason);
    assert!(edge.reason.contains("cohesion 1.00"), "{}", edge.reason);
}

#[test]
fn names_logs_and_monitoring_are_infrastructure_by_their_traffic() {
    let more = [
        "a>g 53/udp",
        "b>g 53/udp",
        "c>g 53/udp",
        "d>g 53/udp",
        "c>h 514/udp~",
        "a>h 514/udp~",
        "i>a 9100",
        "i>b 9100",
        "i>c 9100",
        "i>d 9100",
        "i>e 9100",
        "i>f 9100",
    ];
    let all = found("abcdefghi", &[&SHOP[..], &more].concat());
    let infrastructure: Vec<&str> =
        all.iter().filter(|it| it.0 == Tier::Infrastructure).map(|it| it.2.as_str()).collect();
    assert_eq!(infrastructure, ["i", "h", "g"]);
    // being watched and asking for names changes no role of the others
    is(&all[..4], &[(Tier::Edge, 1, "ab"), (Tier::Application, 2, "cd"), (Tier::Data, 3, "e"), (Tier::Data, 3, "f")]);
}

#[test]
fn who_serves_names_alone_needs_no_many_clients() {
    let tier = |more: &[&str]| {
        let all = found("abcdefgh", &[&SHOP[..], more].concat());
        all.into_iter().find(|it| it.2 == "g").map(|it| it.0)
    };
    assert_eq!(tier(&["c>g 53/udp", "d>g 53/udp", "h>g 9153"]), Some(Tier::Infrastructure));
    assert_eq!(tier(&["c>g 53/udp", "h>g 8443"]), Some(Tier::Application));
    assert_eq!(tier(&["c>g 53/udp", "X>g 53/udp"]), Some(Tier::Edge));
}

#[test]
fn who_alone_reads_a_port_of_metrics_watches() {
    let all = found("abcdefg", &[&SHOP[..], &["g>a 9113", "g>c 8080"]].concat());
    assert!(all.contains(&(Tier::Infrastructure, 1, "g".to_owned())), "{all:?}");
}

#[test]
fn who_only_calls_is_a_client_and_who_was_not_seen_is_said_to_be_so() {
    let tiers = of_graph(graph("abcdefgh", &[&SHOP[..], &["g>a 443"]].concat()), Options::default());
    is(&told(&tiers)[4..], &[(Tier::Client, 0, "g"), (Tier::Client, 0, "h")]);
    assert_eq!(tiers.roles[5].name, "not seen");
    assert_eq!([4, 5].map(|n| tiers.roles[n].is_told), [true, false]);
    // whom an operator put together has that in common
    let mut listed = graph("abcdefgh", &SHOP);
    listed.members[7].role = Some("spare".to_owned());
    let tiers = of_graph(listed, Options::default());
    assert!(tiers.roles.iter().find(|role| role.name == "spare").unwrap().is_told);
}

#[test]
fn roles_that_call_each_other_stand_on_one_level() {
    let all = found("abcd", &["X>a 443", "a>b 81", "b>c 82", "c>b 81", "c>d 5432"]);
    let level = |name: &str| all.iter().find(|it| it.2 == name).unwrap().1;
    assert_eq!([level("a"), level("b"), level("c"), level("d")], [1, 2, 2, 3]);
}

#[test]
fn calls_between_replicas_keep_nobody_apart() {
    let replicas = ["a>g 81", "a>h 81", "a>i 81", "g>h 7000", "h>i 7000", "i>g 7000", "g>i 7001"];
    let all = found("abcdefghi", &[&SHOP[..], &replicas].concat());
    assert!(all.iter().any(|it| it.2 == "ghi"), "{all:?}");
}

#[test]
fn ports_that_a_server_hands_out_are_one_class() {
    let mut edges: Vec<String> = vec!["b>a 135*40".into(), "c>a 135*40".into()];
    edges.extend((0..30).map(|n| format!("b>a {}*1", 49_200 + n)));
    edges.extend((0..30).map(|n| format!("c>a {}*1", 50_200 + n)));
    let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
    let graph = graph("abc", &edges);
    assert_eq!(graph.edges.len(), 4);
    let tiers = of_graph(graph, Options::default());
    assert!(told(&tiers).iter().any(|it| it.2 == "bc"), "{:?}", told(&tiers));
}

#[test]
fn an_address_seen_with_the_outside_alone_joins_the_one_role_that_does_the_same() {
    let edges = [
        "a>X 700", "b>X 700", "a>Y 800", "b>Y 800", "a>Y 801", "b>Y 801", "a>Y 802", "b>Y 802", "c>Z 700", "d>e 700",
        "f>e 700", "d>e 80", "f>e 80",
    ];
    let tiers = of_graph(graph("abcdef", &edges), Options::default());
    assert!(told(&tiers).iter().any(|it| it.2 == "abc"), "{:?}", told(&tiers));
    let why = tiers.why("c").unwrap();
    assert!(why.note.unwrap().contains("outside alone"));
}

#[test]
fn a_virtual_address_joins_the_proxy_that_passes_its_ports_on() {
    let edges = [
        "a>v 81", "b>v 82", "a>v 83", "b>v 83", "p>c 81", "q>c 81", "p>d 82", "q>d 82", "p>e 83", "q>e 83", "f>p 22",
        "f>q 22", "a>g 90", "b>g 90", "a>g 91", "b>g 91",
    ];
    let tiers = of_graph(graph("abcdefgpqv", &edges), Options::default());
    assert!(told(&tiers).iter().any(|it| it.2 == "pqv"), "{:?}", told(&tiers));
}

#[test]
fn what_an_operator_says_wins() {
    let mut graph = graph("abcdef", &SHOP);
    for name in [0, 4] {
        graph.members[name].role = Some("odd couple".into());
        graph.members[name].tier = Some(Tier::Application);
    }
    let tiers = of_graph(graph, Options::default());
    let couple = tiers.roles.iter().find(|role| role.name == "odd couple").unwrap();
    assert_eq!((couple.tier, couple.members.len()), (Tier::Application, 2));
    assert!(couple.reason.contains("the operator says so"), "{}", couple.reason);
}

#[test]
fn namespaces_are_kept_apart_unless_told_otherwise() {
    let mut graph = graph("abcdef", &SHOP);
    for (n, member) in graph.members.iter_mut().enumerate() {
        let namespace = if n % 2 == 0 { "x" } else { "y" };
        let id =
            crate::model::WorkloadRef { namespace: namespace.into(), name: member.name.clone(), kind: "Pod".into() };
        member.workload = Some(id);
    }
    let apart = of_graph(graph.clone(), Options::default());
    assert!(apart.roles.iter().all(|role| role.members.len() == 1));
    let across = of_graph(graph, Options { across_namespaces: true, ..Options::default() });
    assert_eq!(across.roles[0].members.len(), 2);
}

#[test]
fn why_tells_what_is_shared_and_what_is_missing() {
    let edges = [&SHOP[..], &["d>f 6380"]].concat();
    let tiers = of_graph(graph("abcdef", &edges), Options::default());
    let why = tiers.why("d").unwrap();
    let words = |said: &[Said]| said.iter().map(|it| it.what.clone()).collect::<Vec<_>>();
    assert!(words(&why.own.shared).contains(&"calls TCP/5432".to_owned()));
    assert!(tiers.why("nobody").is_none());
}

proptest! {
    #[test]
    fn every_endpoint_is_in_one_role_whatever_the_order(
        calls in prop::collection::vec((0u32..12, 0u32..12, 0u16..6, 1u16..30, any::<bool>()), 0..80),
        turn in 0usize..80,
    ) {
        let edge = |(client, server, port, hours, is_idle): &(u32, u32, u16, u16, bool)| Edge {
            client: *client, server: *server, service: Service::new(Protocol::TCP, *port), hours: *hours,
            is_idle: *is_idle, is_oneway: false,
        };
        let members = || "abcdefghij".chars().map(|it| Member { name: it.to_string(), ..Member::default() }).collect();
        let outside = || vec![
            Outsider { name: "X".into(), kind: crate::model::PartyKind::External },
            Outsider { name: "Y".into(), kind: crate::model::PartyKind::Unknown },
        ];
        let mut edges: Vec<Edge> = calls.iter().map(edge).collect();
        let straight = of_graph(Graph::from_parts(members(), outside(), edges.clone()), Options::default());
        let middle = turn % edges.len().max(1);
        edges.rotate_left(middle);
        edges.reverse();
        let turned = of_graph(Graph::from_parts(members(), outside(), edges), Options::default());
        prop_assert_eq!(&straight.roles, &turned.roles);
        let mut all: Vec<&str> = straight.roles.iter().flat_map(|it| &it.members).map(|it| it.name.as_str()).collect();
        all.sort_unstable();
        prop_assert_eq!(all, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
    }

    #[test]
    fn what_most_do_comes_first_then_work_then_what_is_served(
        calls in prop::collection::vec((0u32..12, 0u32..12, 0u16..6), 0..80),
        infrastructure in prop::collection::hash_set(0u32..8, 0..3),
    ) {
        let edge = |(client, server, port): &(u32, u32, u16)| Edge {
            client: *client, server: *server, service: Service::new(Protocol::TCP, *port), hours: 1, is_idle: false,
            is_oneway: false,
        };
        let Graph { members, outside, .. } = graph("abcdefghij", &[]);
        let graph = Graph::from_parts(members, outside, calls.iter().map(edge).collect());
        let pens = Pens::new(&graph.members, Options::default());
        let signatures = Signatures::new(&graph, &pens.of);
        let infrastructure = infrastructure.into_iter().collect();
        let tiers = Tiers::grouped(graph, signatures, &pens, ONE / 3, &infrastructure);
        for role in 0..tiers.groups.len() {
            let does = tiers.does(role);
            let is_work = |token| {
                tiers.groups[role].iter().any(|class| tiers.weighted[*class as usize].work().any(|it| it == token))
            };
            let rank = |it: &reason::Common| {
                let is_own = it.token.is_served() && !tiers.weights.is_common(it.token);
                (it.inside * 2 >= tiers.size(role), is_work(it.token), is_own, it.inside * it.weight)
            };
            prop_assert!(does.is_sorted_by(|a, b| rank(b).cmp(&rank(a)).then(a.token.cmp(&b.token)).is_lt()));
        }
    }
}
