use super::{
    super::{Dialled, Dnat, End, Evaluator, Options, PodEnd, PolicySet, Probe, Verdict},
    strictly,
};
use crate::model::{ContainerPort, Labels, Namespace, Pod, Protocol, Workload, WorkloadRef};

/// A little cluster: policies and namespaces; pods are made as they are needed.
struct World {
    set: PolicySet,
    namespaces: Vec<Namespace>,
    options: Options,
}

impl World {
    /// Policies `p0`, `p1` ... of namespace `prod` with these specs.
    fn with(specs: &[&str]) -> Self {
        let policy = |(n, spec)| {
            let head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: prod, name: p";
            format!("{head}{n}}}\nspec: {spec}\n")
        };
        let text = specs.iter().enumerate().map(policy).collect::<Vec<_>>().join("---\n");
        let team =
            |name: &str, team| Namespace { name: name.to_owned(), labels: [("team", team)].into_iter().collect() };
        let namespaces = vec![team("prod", "shop"), team("ops", "sre")];
        Self { set: strictly(&text).unwrap(), namespaces, options: Options::default() }
    }

    fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    fn ask(&self, from: &End, to: &End, protocol: Protocol, port: u16) -> Verdict {
        let evaluator = Evaluator::new(&self.set, &self.namespaces, self.options);
        let probe = Probe::new(from, to, protocol, port);
        let verdict = evaluator.evaluate(&probe);
        assert_eq!(evaluator.allows(&probe), verdict.allowed());
        verdict
    }

    fn tcp(&self, from: &End, to: &End, port: u16) -> bool {
        self.ask(from, to, Protocol::TCP, port).allowed()
    }

    fn reason(&self, from: &End, to: &End, port: u16) -> String {
        self.ask(from, to, Protocol::TCP, port).reason().unwrap()
    }
}

fn pod_end(namespace: &str, app: &str) -> PodEnd {
    PodEnd {
        namespace: namespace.to_owned(),
        name: app.to_owned(),
        pod: Some(app.to_owned()),
        labels: [("app", app)].into_iter().collect(),
        addresses: vec!["10.244.0.7".parse().unwrap(), "fd00::7".parse().unwrap()],
        ..PodEnd::default()
    }
}

fn pod(namespace: &str, app: &str) -> End {
    End::Pod(pod_end(namespace, app))
}

fn address(text: &str) -> End {
    End::Address(text.parse().unwrap())
}

const DB_FROM: &str = "podSelector: {matchLabels: {app: db}}, ingress";

#[test]
fn pods_that_no_policy_selects_are_open_in_both_directions() {
    let world = World::with(&["{podSelector: {matchLabels: {app: db}}}"]);
    let verdict = world.ask(&pod("prod", "web"), &pod("prod", "api"), Protocol::TCP, 80);
    assert!(verdict.allowed() && !verdict.egress.isolated && !verdict.ingress.isolated);
    assert!(world.tcp(&pod("prod", "web"), &pod("ops", "db"), 80), "a policy selects in its own namespace alone");
    assert!(world.tcp(&address("1.1.1.1"), &address("2.2.2.2"), 80));
}

#[test]
fn isolation_is_per_direction() {
    let world = World::with(&["{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}"]);
    assert!(!world.tcp(&pod("prod", "web"), &pod("prod", "db"), 80));
    assert!(world.tcp(&pod("prod", "db"), &pod("prod", "web"), 80));
}

#[test]
fn both_ends_must_allow() {
    let ingress = format!("{{{DB_FROM}: [{{}}]}}");
    let deny_egress = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}";
    let world = World::with(&[&ingress, deny_egress]);
    let verdict = world.ask(&pod("prod", "web"), &pod("prod", "db"), Protocol::TCP, 80);
    assert!(!verdict.allowed() && verdict.ingress.allowed && !verdict.egress.allowed);
    assert_eq!(verdict.ingress.by, ["prod/p0"]);
    assert_eq!(verdict.reason().unwrap(), "no rule of prod/p1 allows egress to prod/db on TCP/80");
}

#[test]
fn policies_add_up_and_all_that_allow_are_named() {
    let port = |port| format!("{{{DB_FROM}: [{{ports: [{{port: {port}}}]}}, {{ports: [{{port: 82}}]}}]}}");
    let world = World::with(&[&port(80), &port(81), "{}"]);
    let ask = |port| world.ask(&pod("prod", "web"), &pod("prod", "db"), Protocol::TCP, port).ingress;
    assert_eq!(ask(80).by, ["prod/p0"]);
    assert_eq!(ask(82).by, ["prod/p0", "prod/p1"]);
    assert_eq!(ask(81).rules[0].to_string(), "prod/p1 spec.ingress[0]");
    assert!(!ask(83).allowed);
}

#[test]
fn a_pod_selector_alone_means_the_policys_namespace() {
    let world = World::with(&[&format!("{{{DB_FROM}: [{{from: [{{podSelector: {{}}}}]}}]}}")]);
    assert!(world.tcp(&pod("prod", "web"), &pod("prod", "db"), 80));
    assert!(!world.tcp(&pod("ops", "web"), &pod("prod", "db"), 80));
    assert!(!world.tcp(&address("10.244.0.9"), &pod("prod", "db"), 80));
}

#[test]
fn two_selectors_of_one_peer_must_both_match_and_two_peers_need_not() {
    let one = "{namespaceSelector: {matchLabels: {team: sre}}, podSelector: {matchLabels: {app: web}}}";
    let two = "{namespaceSelector: {matchLabels: {team: sre}}}, {podSelector: {matchLabels: {app: web}}}";
    for (peers, expected) in [(one, [true, false, false]), (two, [true, true, true])] {
        let world = World::with(&[&format!("{{{DB_FROM}: [{{from: [{peers}]}}]}}")]);
        let clients = [pod("ops", "web"), pod("ops", "cron"), pod("prod", "web")];
        assert_eq!(clients.map(|client| world.tcp(&client, &pod("prod", "db"), 80)), expected, "{peers}");
    }
}

#[test]
fn every_namespace_has_the_label_of_its_name_even_when_it_was_not_listed() {
    for name in ["ops", "new"] {
        let peer = format!("{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}}}");
        let world = World::with(&[&format!("{{{DB_FROM}: [{{from: [{peer}]}}]}}")]);
        assert!(world.tcp(&pod(name, "web"), &pod("prod", "db"), 80));
        assert!(!world.tcp(&pod("prod", "web"), &pod("prod", "db"), 80));
    }
}

#[test]
fn blocks_cover_addresses_of_their_family_without_the_exceptions() {
    let peers = "{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {ipBlock: {cidr: '2001:db8::/32'}}";
    let world = World::with(&[&format!("{{{DB_FROM}: [{{from: [{peers}]}}]}}")]);
    for (from, expected) in [
        ("10.0.0.1", true),
        ("::ffff:10.0.0.1", true),
        ("10.1.0.1", false),
        ("11.0.0.1", false),
        ("2001:db8::1", true),
        ("2001:db9::1", false),
    ] {
        assert_eq!(world.tcp(&address(from), &pod("prod", "db"), 80), expected, "{from}");
    }
}

#[test]
fn an_exception_of_one_block_is_none_of_another() {
    let peers = "{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}, {ipBlock: {cidr: 10.1.0.0/16}}";
    let world = World::with(&[&format!("{{{DB_FROM}: [{{from: [{peers}]}}]}}")]);
    assert!(world.tcp(&address("10.1.0.1"), &pod("prod", "db"), 80));
    assert!(!world.tcp(&address("10.2.0.1"), &pod("prod", "db"), 80));
}

#[test]
fn blocks_cover_pods_only_where_the_network_plugin_has_it_so() {
    let spec = format!("{{{DB_FROM}: [{{from: [{{ipBlock: {{cidr: 'fd00::/64'}}}}]}}]}}");
    let (client, server) = (pod("ops", "web"), pod("prod", "db"));
    assert!(!World::with(&[&spec]).tcp(&client, &server, 80));
    let options = Options { ipblock_matches_pods: true, ..Options::default() };
    assert!(World::with(&[&spec]).options(options).tcp(&client, &server, 80));
}

#[test]
fn a_port_has_no_name_at_a_pod_that_is_its_node() {
    let declared = vec![ContainerPort { name: Some("dns".into()), port: 8080, protocol: Protocol::TCP }];
    let host = |host_network| {
        let addresses = vec!["172.18.0.3".parse().unwrap()];
        End::Pod(PodEnd { host_network, addresses, ports: declared.clone(), ..pod_end("prod", "host") })
    };
    let spec = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{ports: [{port: dns}]}]}";
    let world = World::with(&[spec]);
    assert!(world.tcp(&pod("prod", "web"), &host(false), 8080), "a pod of the pod network");
    assert!(!world.tcp(&pod("prod", "web"), &host(true), 8080), "as of the node's address");
    assert!(!world.tcp(&pod("prod", "web"), &address("172.18.0.3"), 8080));
    let world = world.options(Options { host_network_selected: true, ..Options::default() });
    assert!(world.tcp(&pod("prod", "web"), &host(true), 8080));
}

#[test]
fn host_network_pods_are_addresses_unless_the_engine_selects_them() {
    let host = |namespace, app| End::Pod(PodEnd { host_network: true, ..pod_end(namespace, app) });
    let by_label = format!("{{{DB_FROM}: [{{from: [{{podSelector: {{}}}}]}}]}}");
    let by_address = format!("{{{DB_FROM}: [{{from: [{{ipBlock: {{cidr: 10.244.0.0/24}}}}]}}]}}");
    let selected = Options { host_network_selected: true, ..Options::default() };
    for (spec, plain, with_option) in [(&by_label, false, true), (&by_address, true, false)] {
        let (client, server) = (host("prod", "agent"), pod("prod", "db"));
        assert_eq!(World::with(&[spec]).tcp(&client, &server, 80), plain);
        assert_eq!(World::with(&[spec]).options(selected).tcp(&client, &server, 80), with_option);
    }
    assert!(World::with(&["{}"]).tcp(&pod("prod", "web"), &host("prod", "db"), 80));
    assert!(!World::with(&["{}"]).options(selected).tcp(&pod("prod", "web"), &host("prod", "db"), 80));
}

#[test]
fn a_pod_always_reaches_itself_and_a_template_need_not() {
    let world = World::with(&["{policyTypes: [Ingress, Egress]}"]);
    let db = pod_end("prod", "db");
    assert!(world.tcp(&End::Pod(db.clone()), &End::Pod(db.clone()), 80));
    let template = End::Pod(PodEnd { pod: None, ..db });
    assert!(!world.tcp(&template, &template, 80));
}

#[test]
fn named_ports_are_the_servers_in_both_directions_and_per_protocol() {
    let port = |protocol, port| ContainerPort { name: Some("dns".to_owned()), port, protocol };
    let ports = vec![port(Protocol::UDP, 5353), port(Protocol::TCP, 53)];
    let server = End::Pod(PodEnd { ports, ..pod_end("prod", "db") });
    let named = "[{ports: [{port: dns, protocol: UDP}]}]";
    for spec in [format!("{{{DB_FROM}: {named}}}"), format!("{{policyTypes: [Egress], egress: {named}}}")] {
        let world = World::with(&[&spec]);
        let ask = |to, protocol, port| world.ask(&pod("prod", "web"), to, protocol, port).allowed();
        assert!(ask(&server, Protocol::UDP, 5353));
        assert!(!ask(&server, Protocol::TCP, 53) && !ask(&server, Protocol::UDP, 53));
        assert!(!ask(&pod("prod", "db"), Protocol::UDP, 5353), "nothing of that name is declared");
    }
    let world = World::with(&[&format!("{{policyTypes: [Egress], egress: {named}}}")]);
    assert!(!world.ask(&pod("prod", "web"), &address("8.8.8.8"), Protocol::UDP, 5353).allowed());
}

#[test]
fn ports_are_of_one_protocol_tcp_where_none_is_said() {
    let ports = "[{port: 80, endPort: 82}, {protocol: SCTP}, {protocol: UDP, port: 53}]";
    let world = World::with(&[&format!("{{{DB_FROM}: [{{ports: {ports}}}]}}")]);
    for (protocol, port, expected) in [
        (Protocol::TCP, 79, false),
        (Protocol::TCP, 80, true),
        (Protocol::TCP, 82, true),
        (Protocol::TCP, 83, false),
        (Protocol::UDP, 53, true),
        (Protocol::UDP, 80, false),
        (Protocol::SCTP, 1, true),
        (Protocol::ICMP, 0, false),
    ] {
        let verdict = world.ask(&pod("prod", "web"), &pod("prod", "db"), protocol, port);
        assert_eq!(verdict.allowed(), expected, "{protocol}/{port}");
    }
}

#[test]
fn a_rule_without_ports_covers_all_protocols() {
    let world = World::with(&["{ingress: [{from: [{podSelector: {}}]}]}"]);
    assert!(world.ask(&pod("prod", "web"), &pod("prod", "db"), Protocol::ICMP, 0).allowed());
}

#[test]
fn a_reason_names_the_isolating_policies_and_the_nearest_miss() {
    let (web, db) = (pod("prod", "web"), pod("prod", "db"));
    let head = "no rule of prod/p0 allows ingress from prod/web on TCP/5432";
    for (rules, miss) in [
        ("[]", ""),
        ("[{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]", ": 10.0.0.0/8 is an ipBlock and covers no pods such as prod/web"),
        ("[{ports: [{port: 80}, {port: 443}, {port: 53, protocol: UDP}]}]", ": port 5432 is not among 80, 443, UDP/53"),
        ("[{ports: [{port: pg}]}]", ": port 5432 is not among pg (not declared there)"),
        ("[{from: [{podSelector: {matchLabels: {app: api}}}]}]", ": prod/web does not match app=api"),
        ("[{from: [{namespaceSelector: {matchLabels: {team: sre}}}]}]", ": namespace prod does not match team=sre"),
        (
            "[{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}, {ports: [{port: 80}]}]",
            ": port 5432 is not among 80",
        ),
        (
            "[{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 1}]}]",
            ": prod/web does not match app=api, port 5432 is not among 1",
        ),
    ] {
        let world = World::with(&[&format!("{{{DB_FROM}: {rules}}}")]);
        assert_eq!(world.reason(&web, &db, 5432), format!("{head}{miss}"));
    }
}

#[test]
fn a_reason_tells_addresses_from_namespaces_and_both_sides() {
    let block =
        "{policyTypes: [Ingress, Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}]}";
    let world = World::with(&[block, "{ingress: [{from: [{podSelector: {}}]}]}"]);
    let db = pod("prod", "db");
    let egress = |to: &str| world.reason(&db, &address(to), 443);
    let head = "no rule of prod/p0 allows egress to";
    assert_eq!(egress("11.0.0.1"), format!("{head} 11.0.0.1 on TCP/443: 11.0.0.1 is not in 10.0.0.0/8"));
    assert_eq!(
        egress("10.1.0.1"),
        format!("{head} 10.1.0.1 on TCP/443: 10.1.0.1 is in 10.1.0.0/16, which is excepted")
    );
    let ingress = world.reason(&pod("ops", "web"), &db, 80);
    let head = "no rule of prod/p0, prod/p1 allows ingress from ops/web on TCP/80";
    assert_eq!(ingress, format!("{head}: ops/web is not in namespace prod"));
    let closed = World::with(&["{policyTypes: [Ingress, Egress]}"]);
    let both = closed.reason(&pod("prod", "web"), &db, 80);
    assert_eq!(both.split("; ").count(), 2, "{both}");
}

#[test]
fn the_nearest_rule_is_the_one_that_misses_least() {
    let rules = "[{from: [{podSelector: {matchLabels: {app: api, tier: x}}}]}, {from: [{podSelector: {matchLabels: {app: api}}}]}]";
    let world = World::with(&["{}", &format!("{{{DB_FROM}: {rules}}}")]);
    let ingress = world.ask(&pod("prod", "web"), &pod("prod", "db"), Protocol::TCP, 80).ingress;
    assert_eq!(ingress.isolated_by, ["prod/p0", "prod/p1"]);
    let nearest = ingress.nearest.unwrap();
    assert_eq!(nearest.rule.to_string(), "prod/p1 spec.ingress[1]");
    assert_eq!(nearest.misses, ["prod/web does not match app=api"]);
    let outside = world.ask(&address("8.8.8.8"), &pod("prod", "db"), Protocol::TCP, 80).ingress;
    assert_eq!(outside.nearest.unwrap().misses, ["8.8.8.8 is no pod"]);
    let closed = World::with(&["{}"]).ask(&pod("prod", "web"), &pod("prod", "db"), Protocol::TCP, 80);
    assert_eq!(closed.ingress.nearest, None, "a policy without rules has none that is near");
}

#[test]
fn a_pod_and_its_own_node_always_reach_each_other() {
    let world = World::with(&["{policyTypes: [Ingress, Egress]}"]);
    let node: std::net::IpAddr = "172.18.0.2".parse().unwrap();
    let on_node = |app| PodEnd { node: vec![node], ..pod_end("prod", app) };
    let db = End::Pod(on_node("db"));
    for (host, expected) in [(End::Address(node), true), (address("172.18.0.3"), false)] {
        assert_eq!(world.tcp(&host, &db, 80), expected, "{host}");
        assert_eq!(world.tcp(&db, &host, 80), expected, "{host}");
    }
    let agent = |address| End::Pod(PodEnd { host_network: true, addresses: vec![address], ..on_node("agent") });
    assert!(world.tcp(&agent(node), &db, 80) && world.tcp(&db, &agent(node), 80));
    assert!(!world.tcp(&agent("172.18.0.3".parse().unwrap()), &db, 80), "an agent of another node");
}

#[test]
fn egress_blocks_see_the_address_behind_a_service_or_the_one_dialled() {
    let spec = "{policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/12}}], ports: [{port: 443}]}]}";
    let (client, server) = (pod("prod", "web"), address("203.0.113.7"));
    let dialled = Some(Dialled { address: "10.96.0.9".parse().unwrap(), port: 443, is_of_node: false });
    for (dnat, expected) in [(Dnat::After, false), (Dnat::Before, true)] {
        let world = World::with(&[spec]).options(Options { dnat, ..Options::default() });
        let evaluator = Evaluator::new(&world.set, &world.namespaces, world.options);
        let probe = Probe { dialled, ..Probe::new(&client, &server, Protocol::TCP, 6443) };
        assert_eq!(evaluator.allows(&probe), expected, "{dnat:?}");
        assert_eq!(evaluator.evaluate(&probe).allowed(), expected, "{dnat:?}");
    }
}

#[test]
fn ends_come_from_pods_and_from_templates() {
    let id = WorkloadRef { namespace: "prod".into(), name: "db".into(), kind: "StatefulSet".into() };
    let labels: Labels = [("app", "db")].into_iter().collect();
    let workload = Workload { id: id.clone(), template_labels: labels.clone(), ports: Vec::new(), host_network: false };
    let template = PodEnd::from(&workload);
    assert_eq!((template.to_string().as_str(), &template.labels, &template.pod), ("prod/db", &labels, &None));
    let pod = Pod {
        namespace: "prod".into(),
        name: "db-0".into(),
        workload: id,
        labels,
        addresses: Vec::new(),
        node: None,
        host_network: true,
        ports: Vec::new(),
        started: None,
        finished: false,
        mesh: None,
        maker: None,
        host_ports: Vec::new(),
    };
    let end = PodEnd::from(&pod);
    assert_eq!((end.pod.as_deref(), end.host_network), (Some("db-0"), true));
}
