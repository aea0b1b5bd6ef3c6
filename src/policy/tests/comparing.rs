//! Sets of policies held against each other and against what was seen, over a little shop.

use std::collections::BTreeSet;

use super::{
    super::{
        Census, Classes, Clients, Evaluator, Options, Outside, Past, PolicySet, PortSet, Probe, Question, Roster,
        Server, Servers, Sight, diff, excess, explain, reach, simulate, undone,
    },
    shop::{Stage, db_closed, external, from_app, party, pod, policies, seen, selecting, shop, stage, tcp, workload},
};
use crate::model::{
    Cluster, Dependency, Direction, Mark, Outcome, Party, PartyKind, Protocol, Service, ServiceKind, ServicePort,
    TargetPort, Workload, WorkloadRef,
};

#[test]
fn a_diff_tells_what_becomes_possible_and_what_ends() {
    let old = policies(&[("db", &selecting("db", &format!("ingress: [{}]", from_app("web", 5432))))]);
    let new = policies(&[(
        "db",
        &selecting("db", &format!("ingress: [{}, {}]", from_app("api", 5432), from_app("web", 80))),
    )]);
    let changes = stage().diff(&old, &new);
    let told: Vec<_> = changes.iter().map(|it| (it.ports.change(), &*it.from, &*it.to)).collect();
    assert_eq!(told, [("added", "shop/api", "shop/db"), ("changed", "shop/web", "shop/db")]);
    assert_eq!((&changes[0].ports.opened, &changes[0].ports.closed), (&tcp(5432), &PortSet::default()));
    assert_eq!((&changes[1].ports.opened, &changes[1].ports.closed), (&tcp(80), &tcp(5432)));
    assert!(stage().diff(&new, &new).is_empty());
}

#[test]
fn a_diff_speaks_of_connections_and_not_of_text() {
    let one =
        policies(&[("a", &selecting("db", &format!("ingress: [{}, {}]", from_app("web", 1), from_app("api", 2))))]);
    let split = policies(&[
        ("b", &selecting("db", &format!("ingress: [{}]", from_app("api", 2)))),
        ("c", &selecting("db", &format!("ingress: [{}]", from_app("web", 1)))),
    ]);
    assert!(stage().diff(&one, &split).is_empty());
}

#[test]
fn a_diff_joins_ranges_and_counts_pods_of_namespaces_that_are_not_listed() {
    let old = policies(&[("web", &selecting("web", "policyTypes: [Ingress]"))]);
    let block = "ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.244.1.0/24]}}], ports: [{port: 80}]}]";
    let new = policies(&[("web", &selecting("web", block))]);
    let changes = stage().diff(&old, &new);
    let told: Vec<_> = changes.iter().map(|it| (&*it.from, &*it.to)).collect();
    assert_eq!(told, [("0.0.0.0/0 except 10.244.1.0/24", "shop/web")]);
    let open = policies(&[("web", &selecting("web", "ingress: [{from: [{namespaceSelector: {}}]}]"))]);
    let from: BTreeSet<String> = stage().diff(&old, &open).into_iter().map(|change| change.from.to_string()).collect();
    let expected = ["(another namespace)/(any pod)", "shop/api", "shop/db", "shop/web"];
    assert_eq!(from.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn what_was_seen_is_allowed_denied_uncertain_or_closed_too() {
    let set = policies(&[("db", &selecting("db", &format!("ingress: [{}]", from_app("api", 5432))))]);
    let refused = Dependency { outcome: Outcome::Refused, ..seen(workload("web"), workload("db"), 22) };
    let unclear = Dependency { direction: Direction::Unknown, ..seen(workload("db"), workload("web"), 7) };
    let own_node = party("node-1", PartyKind::Node, "172.18.0.2");
    let elsewhere = Dependency { direction: Direction::Unknown, ..seen(workload("api"), workload("web"), 7) };
    let probes = Dependency { marks: [Mark::Probe].into(), ..seen(own_node, workload("db"), 5432) };
    let dependencies = [
        seen(workload("api"), workload("db"), 5432),
        seen(workload("web"), workload("db"), 5432),
        unclear,
        refused,
        elsewhere,
        probes,
    ];
    let stage = stage();
    let roster = Roster::new(&stage.cluster);
    let simulation = simulate(&Past::new(&dependencies, &roster), &stage.evaluator(&set), None);
    let counts = (simulation.connections, simulation.allowed, simulation.denied, simulation.uncertain);
    assert_eq!(counts, (15, 9, 3, 3), "{simulation:?}");
    assert_eq!(simulation.also_closed, 3);
    let told: Vec<_> = simulation.findings.iter().map(|it| (it.verdict.as_str(), it.reason.as_str())).collect();
    let denied = "no rule of shop/db allows ingress from shop/web on TCP/5432: shop/web does not match app=api";
    assert_eq!(told, [("uncertain", "who is the client is unknown"), ("denied", denied)]);
    let closed = "refused; no rule of shop/db allows ingress from shop/web on TCP/22: \
                  shop/web does not match app=api, port 22 is not among 5432";
    assert_eq!((simulation.closed[0].verdict.as_str(), simulation.closed[0].reason.as_str()), ("closed", closed));
}

#[test]
fn a_wider_deployed_policy_is_named_with_what_it_keeps_open() {
    let proposal = policies(&[("db", &selecting("db", &format!("ingress: [{}]", from_app("api", 5432))))]);
    let mut combined = policies(&[("legacy", "{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}")]);
    combined.policies.extend(proposal.policies.clone());
    let stage = stage();
    let (proposed, both) = (stage.evaluator(&proposal), stage.evaluator(&combined));
    let roster = Roster::new(&stage.cluster);
    let census = Census::new(&roster, &Stage::outside(&[&both]));
    let found = undone(&census, &proposed, &both);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].policy.as_str(), found[0].direction), ("shop/legacy", "ingress"));
    assert_eq!(found[0].workloads, BTreeSet::from(["shop/db".to_owned()]), "web is none of the proposal's business");
    assert!(found[0].keeps.starts_with("from shop/"), "{}", found[0].keeps);
    assert!(undone(&census, &proposed, &proposed).is_empty());
}

#[test]
fn of_what_is_kept_open_the_outside_is_the_example() {
    let proposal = policies(&[("db", &selecting("db", &format!("ingress: [{}]", from_app("api", 5432))))]);
    let mut combined = policies(&[("legacy", "{podSelector: {}, ingress: [{}]}")]);
    combined.policies.extend(proposal.policies.clone());
    let stage = stage();
    let (proposed, both) = (stage.evaluator(&proposal), stage.evaluator(&combined));
    let roster = Roster::new(&stage.cluster);
    let found = undone(&Census::new(&roster, &Stage::outside(&[&both])), &proposed, &both);
    assert_eq!(found.len(), 1);
    assert!(!found[0].keeps.contains("shop/"), "{}", found[0].keeps);
    assert!(found[0].words().starts_with("ingress of shop/db stays open, for one from "), "{}", found[0].words());
}

#[test]
fn least_privilege_measures_one_and_wider_rules_are_named() {
    let seen = [seen(workload("web"), workload("api"), 8080), seen(workload("api"), workload("db"), 5432)];
    let closed = "policyTypes: [Ingress, Egress]";
    let to_app = |app: &str, port| from_app(app, port).replace("from", "to");
    let exact = policies(&[
        ("web", &selecting("web", &format!("{closed}, egress: [{}]", to_app("api", 8080)))),
        (
            "api",
            &selecting(
                "api",
                &format!("{closed}, ingress: [{}], egress: [{}]", from_app("web", 8080), to_app("db", 5432)),
            ),
        ),
        ("db", &selecting("db", &format!("{closed}, ingress: [{}]", from_app("api", 5432)))),
    ]);
    let measure = stage().excess(&seen, &exact);
    assert_eq!((measure.needed, measure.extra, measure.over_permission), (2, 0, Some(1.0)), "{measure:?}");
    let mut wide = exact.clone();
    wide.policies.extend(policies(&[("z", &selecting("db", "ingress: [{}]"))]).policies);
    let measure = stage().excess(&seen, &wide);
    // another namespace, a public and a private address; TCP ports 80, 5432, 8080 and one of each of the three gaps
    // beside them, one of UDP and one of SCTP; web's and api's own egress is closed
    assert_eq!(measure.extra, 3 * 8, "{measure:?}");
    assert_eq!(measure.widest[0].rule, "shop/z spec.ingress[0]");
    let open = stage().excess(&seen, &policies(&[("web", &selecting("web", closed))]));
    assert!(open.widest.iter().any(|wide| wide.rule.ends_with("is not isolated")), "{open:?}");
}

#[test]
fn who_else_comes_to_an_exposed_port_is_no_excess() {
    let seen = [seen(external("203.0.113.9"), workload("web"), 80)];
    let anyone =
        "policyTypes: [Ingress, Egress], ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 80}]}]";
    let set =
        policies(&[("web", &selecting("web", anyone)), ("rest", "{podSelector: {}, policyTypes: [Ingress, Egress]}")]);
    assert_eq!(stage().excess(&seen, &set).over_permission, Some(1.0));
    let egress = anyone.replace("ingress: [{from", "egress: [{to");
    let set =
        policies(&[("web", &selecting("web", &egress)), ("rest", "{podSelector: {}, policyTypes: [Ingress, Egress]}")]);
    let excess = stage().excess(&[seen_out()], &set);
    assert_eq!(
        (excess.needed, excess.extra),
        (1, 2),
        "one public and one private address that were not seen: {excess:?}"
    );
}

#[test]
fn a_node_that_was_seen_is_not_counted_again_for_who_shares_its_network() {
    let node = party("node-1", PartyKind::Node, "172.18.0.2");
    let seen = [seen(workload("web"), node, 9100)];
    let egress =
        "policyTypes: [Ingress, Egress], egress: [{to: [{ipBlock: {cidr: 172.18.0.2/32}}], ports: [{port: 9100}]}]";
    let rest = "{podSelector: {}, policyTypes: [Ingress, Egress]}";
    let set = policies(&[("web", &selecting("web", egress)), ("rest", rest)]);
    let mut stage = stage();
    let at_node = |name: &str, address: &str| crate::model::Pod { host_network: true, ..pod(name, address, 9100) };
    stage.cluster.pods.push(at_node("exporter", "172.18.0.2"));
    let measure = stage.excess(&seen, &set);
    assert_eq!((measure.needed, measure.extra, measure.over_permission), (1, 0, Some(1.0)), "{measure:?}");
}

fn seen_out() -> Dependency {
    seen(workload("web"), external("203.0.113.9"), 80)
}

#[test]
fn reach_counts_others_and_the_outside() {
    let set = db_closed();
    let stage = stage();
    let evaluator = stage.evaluator(&set);
    let roster = Roster::new(&stage.cluster);
    let reach = reach(&Census::new(&roster, &Stage::outside(&[&evaluator])), &evaluator);
    let of = |name: &str| reach.iter().find(|it| it.workload == name).unwrap();
    let db = of("shop/db");
    assert_eq!((db.reached_by, db.reaches, db.reached_from_outside, db.reaches_outside), (1, 0, false, false));
    let web = of("shop/web");
    assert_eq!((web.reached_by, web.reaches, web.reached_from_outside, web.reaches_outside), (1, 1, true, true));
}

#[test]
fn ways_count_pairs_between_parts_and_the_outside_as_one() {
    let set = db_closed();
    let stage = stage();
    let evaluator = stage.evaluator(&set);
    let roster = Roster::new(&stage.cluster);
    let outside = Stage::outside(&[&evaluator]);
    let census = Census::new(&roster, &outside);
    let sight = Sight::new(&census, &evaluator);
    let alone = |workload: &WorkloadRef| ["web", "api", "db"].iter().position(|name| *name == workload.name);
    let ways = sight.ways(3, &alone);
    // rows call: web, api, db, the outside
    assert_eq!(ways, [vec![0, 1, 0, 1], vec![1, 0, 1, 1], vec![0, 0, 0, 0], vec![1, 1, 0, 0]]);
    let pairs =
        |parts: usize, part: &dyn Fn(&WorkloadRef) -> Option<usize>| -> Vec<Vec<usize>> { sight.ways(parts, part) };
    let together = pairs(2, &|workload| Some(usize::from(workload.name == "db")));
    assert_eq!(together, [vec![2, 1, 2], vec![0, 0, 0], vec![2, 0, 0]], "two in a part: two pairs, none with itself");
    let left_out = pairs(1, &|workload| (workload.name != "web").then_some(0));
    assert_eq!(left_out, [vec![1, 1], vec![1, 0]], "who is in no part counts for nothing");
}

#[test]
fn names_stand_for_pods_workloads_their_makers_addresses_and_nodes() {
    let cluster = shop();
    let roster = Roster::new(&cluster);
    let found = |name: &str| roster.find(name).map(|ends| ends.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (name, end) in [
        ("shop/db", "shop/db"),
        ("shop/db-1", "shop/db-1"),
        ("shop/db-abc", "shop/db"),
        ("10.244.1.3", "shop/db-1"),
        ("::ffff:10.244.1.3", "shop/db-1"),
        ("8.8.8.8", "8.8.8.8"),
        ("node-1", "172.18.0.2"),
    ] {
        assert_eq!(found(name), Some(vec![end.to_owned()]), "{name}");
    }
    for name in ["shop/cache", "db", "other/db", ""] {
        assert_eq!(found(name), None, "{name}");
    }
    assert_eq!(roster.like("shop/dbs"), ["shop/db"]);
    assert_eq!(roster.like("shop/xyz"), ["shop/api", "shop/db", "shop/web"]);
}

/// `web` may go out over IPv6 alone, and `db` lets in IPv4 alone.
#[test]
fn both_ends_must_allow_a_connection_in_one_family() {
    let mut cluster = shop();
    for (pod, n) in cluster.pods.iter_mut().zip(1..) {
        pod.addresses.push(format!("fd00:1::{n}").parse().unwrap());
    }
    let block = |way: &str, cidr: &str| format!("{{{way}: [{{ipBlock: {{cidr: {cidr}}}}}]}}");
    let set = |egress: &str, ingress: &str| {
        let (egress, ingress) = (
            format!("policyTypes: [Egress], egress: [{egress}]"),
            format!("policyTypes: [Ingress], ingress: [{ingress}]"),
        );
        policies(&[("e", &selecting("web", &egress)), ("i", &selecting("db", &ingress))])
    };
    let closed = set("", "");
    let crossed = set(&block("to", "fd00:1::/64"), &block("from", "10.244.0.0/16"));
    let met = set(&block("to", "fd00:1::/64"), &block("from", "fd00:1::/64"));
    let options = Options { ipblock_matches_pods: true, ..Options::default() };
    let [old, crossed, met] = [&closed, &crossed, &met].map(|set| Evaluator::new(set, &[], options));
    let roster = Roster::new(&cluster);
    let ranges = ["10.244.1.0/24".parse().unwrap(), "fd00:1::/64".parse().unwrap()];
    let outside = Outside::new(&[&old, &crossed, &met], &cluster, &ranges);
    let census = Census::new(&roster, &outside);
    let seen = [seen(workload("web"), workload("db"), 5432)];
    let told = |new: &Evaluator<'_>| {
        let is_open = diff(&census, &old, new).iter().any(|it| (&*it.from, &*it.to) == ("shop/web", "shop/db"));
        let reaches = reach(&census, new).into_iter().find(|it| it.workload == "shop/web").map(|it| it.reaches);
        (is_open, reaches, excess(&Past::new(&seen, &roster), &roster, &outside, new).denied)
    };
    assert_eq!(told(&crossed), (false, Some(1), 1), "api alone");
    assert_eq!(told(&met), (true, Some(2), 0));
}

#[test]
fn external_is_anyone_on_the_public_internet_and_parts_of_it_are_told() {
    let ask = |cidr: &str| {
        let stage = stage();
        let block = format!("ingress: [{{from: [{{ipBlock: {cidr}}}]}}]");
        let set = policies(&[("web", &selecting("web", &block))]);
        let evaluator = stage.evaluator(&set);
        let roster = Roster::new(&stage.cluster);
        let servers = roster.find("shop/web").unwrap().into_iter().map(|end| Server { end, port: 80, dialled: None });
        let servers = Servers::Ends(servers.collect());
        let question = Question {
            from: "external".into(),
            clients: Clients::External,
            to: "shop/web".into(),
            servers,
            protocol: Protocol::TCP,
            port: 80,
        };
        explain(&question, &evaluator, &Stage::outside(&[&evaluator])).unwrap()
    };
    assert!(ask("{cidr: 0.0.0.0/0}").allowed);
    assert!(ask("{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}").allowed, "private addresses are not the Internet");
    let partly = ask("{cidr: 203.0.113.0/24}");
    assert_eq!((partly.allowed, partly.partly.as_deref()), (false, Some("allowed from 203.0.113.0/24")));
    let none = ask("{cidr: 10.0.0.0/8}");
    assert_eq!((none.allowed, none.partly), (false, None));
    assert_eq!(
        none.reason,
        "no rule of shop/web allows ingress from external on TCP/80: external is not in 10.0.0.0/8"
    );
}

#[test]
fn policies_and_rules_that_speak_of_nobody_are_named() {
    let set = policies(&[
        ("db", &selecting("db", &format!("ingress: [{}, {}]", from_app("apy", 1), from_app("web", 1)))),
        ("out", &selecting("db", "egress: [{to: [{ipBlock: {cidr: 8.8.8.8/32}}]}]")),
        ("typo", &selecting("dbb", &format!("ingress: [{}]", from_app("apy", 1)))),
    ]);
    let stage = stage();
    let evaluator = stage.evaluator(&set);
    let roster = Roster::new(&stage.cluster);
    let census = Census::new(&roster, &Stage::outside(&[&evaluator]));
    let told: Vec<String> = Classes::new(&evaluator, census.ends()).idle().iter().map(ToString::to_string).collect();
    let expected =
        ["shop/typo selects no pod of the inventory", "shop/db spec.ingress[0] names no pod of the inventory"];
    assert_eq!(told, expected);
}

/// The Service `front`, with port 80 for web's port.
fn with_service() -> Cluster {
    let port = ServicePort {
        name: None,
        port: 80,
        target: TargetPort::Name("main".into()),
        node_port: Some(30_080),
        protocol: Protocol::TCP,
    };
    let service = Service {
        namespace: "shop".into(),
        name: "front".into(),
        kind: ServiceKind::NodePort,
        selector: Some([("app", "web")].into_iter().collect()),
        cluster_ips: vec!["10.96.0.7".parse().unwrap()],
        external_ips: Vec::new(),
        proxied_ips: Vec::new(),
        source_ranges: Vec::new(),
        keeps_sources: false,
        ports: vec![port],
    };
    let pods = vec![pod("web", "10.244.1.1", 8080), pod("api", "10.244.1.2", 8080), pod("db", "10.244.1.3", 5432)];
    Cluster { services: vec![service], pods, ..shop() }
}

#[test]
fn who_stands_behind_a_service_is_judged_where_it_was_not_seen_who_answered() {
    let stage = Stage { cluster: with_service() };
    let roster = Roster::new(&stage.cluster);
    let service = party("shop/front", PartyKind::Service, "10.96.0.7");
    let dependencies = [seen(workload("api"), service, 80)];
    let past = Past::new(&dependencies, &roster);
    let judged = |spec: &str| {
        let set = policies(&[("web", &selecting("web", spec))]);
        let simulation = simulate(&past, &stage.evaluator(&set), None);
        (simulation.allowed, simulation.denied, simulation.uncertain)
    };
    assert_eq!(judged("ingress: [{ports: [{port: 8080}]}]"), (3, 0, 0), "at the pod's port");
    assert_eq!(judged("ingress: [{ports: [{port: 80}]}]"), (0, 3, 0));
    let mut other = pod("web", "10.244.1.4", 8080);
    other.name = "web-2".into();
    other.labels.0.insert("track".into(), "canary".into());
    let mixed =
        Stage { cluster: Cluster { pods: [stage.cluster.pods.clone(), vec![other]].concat(), ..with_service() } };
    let roster = Roster::new(&mixed.cluster);
    let set = policies(&[("web", "{podSelector: {matchLabels: {track: canary}}}")]);
    let simulation = simulate(&Past::new(&dependencies, &roster), &mixed.evaluator(&set), None);
    assert_eq!((simulation.denied, simulation.uncertain), (0, 3), "one of two pods is closed");
}

#[test]
fn whoever_is_unknown_may_be_a_pod_that_a_policy_isolates() {
    let unknown = |address: &str| party(address, PartyKind::Unknown, address);
    let stage = stage();
    let roster = Roster::new(&stage.cluster);
    let judged = |client: Party, server: Party, spec: &str| {
        let set = policies(&[("any", spec)]);
        let dependencies = [seen(client, server, 80)];
        let simulation = simulate(&Past::new(&dependencies, &roster), &stage.evaluator(&set), None);
        (simulation.allowed, simulation.uncertain)
    };
    let (ingress, egress) = ("{podSelector: {}}", "{podSelector: {}, policyTypes: [Egress]}");
    let (a, b) = ("10.244.1.8", "10.244.1.9");
    assert_eq!(judged(unknown(a), unknown(b), ingress), (0, 3));
    assert_eq!(judged(unknown(a), external("8.8.8.8"), egress), (0, 3), "the client may be isolated");
    assert_eq!(judged(unknown(a), external("8.8.8.8"), ingress), (3, 0), "nobody outside is");
    assert_eq!(judged(external("8.8.8.8"), unknown(b), egress), (3, 0));
}

#[test]
fn connections_have_one_family_and_blocks_of_another_do_not_count() {
    let mut cluster = shop();
    cluster.pods[0].addresses.push("fd00::1".parse().unwrap());
    let stage = Stage { cluster };
    let roster = Roster::new(&stage.cluster);
    let set = policies(&[("db", &selecting("db", "ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]"))]);
    let options = Options { ipblock_matches_pods: true, ..Options::default() };
    let evaluator = Evaluator::new(&set, &stage.cluster.namespaces, options);
    let dependencies = [seen(workload("web"), workload("db"), 5432)];
    assert_eq!(simulate(&Past::new(&dependencies, &roster), &evaluator, None).denied, 3, "it was seen over IPv4");
    let clients = Clients::Ends(roster.find("shop/web").unwrap());
    let servers = roster.find("shop/db").unwrap().into_iter().map(|end| Server { end, port: 1, dialled: None });
    let question = Question {
        from: "shop/web".into(),
        clients,
        to: "shop/db".into(),
        servers: Servers::Ends(servers.collect()),
        protocol: Protocol::TCP,
        port: 1,
    };
    let outside = Outside::new(&[&evaluator], &stage.cluster, &[]);
    assert!(!explain(&question, &evaluator, &outside).unwrap().allowed, "the server has IPv4 alone");
}

#[test]
fn a_workload_in_the_nodes_network_without_pods_has_the_addresses_of_all_nodes() {
    let id = WorkloadRef { namespace: "shop".into(), name: "agent".into(), kind: "DaemonSet".into() };
    let agent = Workload { id, host_network: true, ..Workload::default() };
    let stage = Stage { cluster: Cluster { workloads: vec![agent], ..shop() } };
    let roster = Roster::new(&stage.cluster);
    let agents = roster.find("shop/agent").unwrap();
    let set = policies(&[("db", &selecting("db", "ingress: [{from: [{ipBlock: {cidr: 172.18.0.0/16}}]}]"))]);
    let db = roster.find("shop/db").unwrap();
    let evaluator = stage.evaluator(&set);
    assert_eq!(agents.len(), 1);
    assert!(evaluator.allows(&Probe::new(&agents[0], &db[0], Protocol::TCP, 1)));
}

#[test]
fn a_diff_knows_no_address_of_a_pod_and_no_way_of_a_bare_pod_to_itself() {
    let open = |except: &str| {
        let block = format!("ingress: [{{from: [{{ipBlock: {{cidr: 0.0.0.0/0{except}}}}}]}}]");
        policies(&[("web", &selecting("web", &block))])
    };
    assert!(stage().diff(&open(""), &open(", except: [10.244.1.0/24]")).is_empty());
    let mut cluster = shop();
    cluster.pods.truncate(1);
    cluster.pods[0].workload.kind = "Pod".into();
    let stage = Stage { cluster };
    let closed = policies(&[("web", "{podSelector: {}, policyTypes: [Ingress, Egress]}")]);
    let changes = stage.diff(&PolicySet::default(), &closed);
    assert!(!changes.is_empty() && changes.iter().all(|it| it.from != it.to), "{changes:?}");
}
