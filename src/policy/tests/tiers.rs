//! The facts that the conformance tests of `policy.networking.k8s.io` hold implementations to, with four houses of two pods.

use super::{
    super::{Dialled, Dnat, End, Evaluator, Options, PodEnd, PolicySet, Probe, Verdict},
    strictly,
};
use crate::model::{Cluster, ContainerPort, Labels, Namespace, Node, Protocol};

const HOUSES: [&str; 4] = ["griffin", "snake", "badger", "raven"];

fn cluster() -> Cluster {
    let namespace = |name: &str| Namespace {
        name: name.to_owned(),
        labels: [("house", name), ("kubernetes.io/metadata.name", name)].into_iter().collect(),
    };
    let node = |address: &str, labels: Option<Labels>| Node {
        name: address.to_owned(),
        addresses: vec![address.parse().unwrap()],
        labels,
        ..Node::default()
    };
    let linux = Some([("os", "linux")].into_iter().collect());
    let windows = Some([("os", "windows")].into_iter().collect());
    let nodes = vec![node("172.18.0.2", linux), node("172.18.0.3", windows), node("172.18.0.4", None)];
    Cluster { namespaces: HOUSES.iter().map(|name| namespace(name)).collect(), nodes, ..Cluster::default() }
}

/// The first or the second pod of a house, which serves the web on 80 and names on UDP 53.
fn pod(house: &str, n: u8) -> End {
    let place = u8::try_from(HOUSES.iter().position(|it| *it == house).unwrap()).unwrap();
    let port = |name: &str, port, protocol| ContainerPort { name: Some(name.to_owned()), port, protocol };
    End::Pod(PodEnd {
        namespace: house.to_owned(),
        name: format!("p{n}"),
        pod: Some(format!("p{n}")),
        labels: [("house", house)].into_iter().collect(),
        addresses: vec![[10, 244, place, n].into()],
        ports: vec![port("web", 80, Protocol::TCP), port("dns", 53, Protocol::UDP)],
        ..PodEnd::default()
    })
}

fn address(text: &str) -> End {
    End::Address(text.parse().unwrap())
}

/// A policy of the whole cluster about griffin's pods.
fn policy(name: &str, tier: &str, priority: u16, rules: &str) -> String {
    format!(
        "apiVersion: policy.networking.k8s.io/v1beta1\nkind: ClusterNetworkPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{tier: {tier}, priority: {priority}, subject: {{namespaces: {{matchLabels: {{house: griffin}}}}}}, {rules}}}\n"
    )
}

/// Both ways a rule with a house on some ports.
fn both(action: &str, house: &str, protocols: &str) -> String {
    let rule = |peers: &str| {
        let ports = if protocols.is_empty() { String::new() } else { format!(", protocols: [{protocols}]") };
        format!("[{{action: {action}, {peers}: [{{namespaces: {{matchLabels: {{house: {house}}}}}}}]{ports}}}]")
    };
    format!("ingress: {}, egress: {}", rule("from"), rule("to"))
}

const OPEN_TO_SNAKE: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
     metadata: {name: np, namespace: griffin}\nspec: {podSelector: {}, policyTypes: [Ingress, Egress],\n\
     ingress: [{from: [{namespaceSelector: {matchLabels: {house: snake}}}]}],\n\
     egress: [{to: [{namespaceSelector: {matchLabels: {house: snake}}}]}]}\n";

struct World {
    set: PolicySet,
    cluster: Cluster,
}

impl World {
    fn with(policies: &[&str]) -> Self {
        Self { set: strictly(&policies.join("---\n")).unwrap(), cluster: cluster() }
    }

    fn ask(&self, from: &End, to: &End, protocol: Protocol, port: u16) -> Verdict {
        let evaluator = Evaluator::of_cluster(&self.set, &self.cluster, Options::default());
        let probe = Probe::new(from, to, protocol, port);
        let verdict = evaluator.evaluate(&probe);
        assert_eq!(evaluator.allows(&probe), verdict.allowed());
        verdict
    }

    fn tcp(&self, from: &End, to: &End, port: u16) -> bool {
        self.ask(from, to, Protocol::TCP, port).allowed()
    }

    /// What griffin may do with a house both ways: serve it on a port, and use it.
    fn both_ways(&self, house: &str, protocol: Protocol, port: u16) -> [bool; 2] {
        let (own, other) = (pod("griffin", 1), pod(house, 1));
        [self.ask(&other, &own, protocol, port).allowed(), self.ask(&own, &other, protocol, port).allowed()]
    }
}

#[test]
fn rules_are_read_in_their_order_on_ports_of_every_protocol() {
    let number = |protocol: &str, port: u16| format!("{{{protocol}: {{destinationPort: {{number: {port}}}}}}}");
    let three = |tcp, udp| [number("tcp", tcp), number("udp", udp), number("sctp", 9003)].join(", ");
    let rules = |first: &str, second: &str| {
        let all = |peers: &str| {
            let rule = |action: &str, house: &str, ports: &str| {
                let ports = if ports.is_empty() { String::new() } else { format!(", protocols: [{ports}]") };
                format!("{{action: {action}, {peers}: [{{namespaces: {{matchLabels: {{house: {house}}}}}}}]{ports}}}")
            };
            [
                rule(first, "raven", ""),
                rule(second, "raven", ""),
                rule("Deny", "snake", &three(80, 53)),
                rule("Pass", "snake", &three(80, 53)),
                rule("Accept", "badger", &three(8080, 5353)),
                rule("Deny", "badger", ""),
            ]
            .join(", ")
        };
        format!("ingress: [{}], egress: [{}]", all("from"), all("to"))
    };
    let world = |first, second| World::with(&[&policy("gress", "Admin", 15, &rules(first, second))]);
    let (accepting, denying) = (world("Accept", "Deny"), world("Deny", "Accept"));
    for (protocol, port) in [(Protocol::TCP, 80), (Protocol::UDP, 53), (Protocol::SCTP, 9003)] {
        assert_eq!(accepting.both_ways("raven", protocol, port), [true; 2], "{protocol}");
        assert_eq!(denying.both_ways("raven", protocol, port), [false; 2], "{protocol}");
        assert_eq!(accepting.both_ways("snake", protocol, port), [false; 2], "{protocol}");
    }
    for (protocol, port) in [(Protocol::TCP, 8080), (Protocol::UDP, 5353), (Protocol::SCTP, 9003)] {
        assert_eq!(accepting.both_ways("badger", protocol, port), [true; 2], "{protocol}");
    }
    for (protocol, port) in [(Protocol::TCP, 80), (Protocol::UDP, 53), (Protocol::SCTP, 9005), (Protocol::ICMP, 0)] {
        assert_eq!(accepting.both_ways("badger", protocol, port), [false; 2], "{protocol}: all else is denied");
    }
    assert_eq!(accepting.both_ways("snake", Protocol::TCP, 8080), [true; 2], "no rule is about it");
}

#[test]
fn a_direction_without_rules_is_not_touched_and_nobody_is_isolated() {
    let world = World::with(&[&policy(
        "in",
        "Admin",
        1,
        "ingress: [{action: Deny, from: [{namespaces: {matchLabels: {house: snake}}}]}]",
    )]);
    assert_eq!(world.both_ways("snake", Protocol::TCP, 80), [false, true]);
    assert_eq!(world.both_ways("raven", Protocol::TCP, 80), [true, true]);
    let verdict = world.ask(&pod("raven", 1), &pod("griffin", 1), Protocol::TCP, 80);
    assert!(!verdict.ingress.isolated && !verdict.egress.isolated);
    assert!(world.tcp(&address("203.0.113.9"), &pod("griffin", 1), 80), "who comes from outside no rule can name");
}

#[test]
fn the_lower_priority_comes_first_and_pass_goes_on_behind_the_tier() {
    let (deny, pass) = (both("Deny", "snake", ""), both("Pass", "snake", ""));
    let baseline = policy("base", "Baseline", 10, &both("Accept", "snake", ""));
    for (priority, expected) in [(60, [false; 2]), (40, [true; 2])] {
        let world =
            World::with(&[&policy("fifty", "Admin", 50, &deny), &policy("moved", "Admin", priority, &pass), &baseline]);
        assert_eq!(world.both_ways("snake", Protocol::TCP, 80), expected, "{priority}");
    }
}

#[test]
fn between_the_tiers_network_policies_decide_where_they_isolate() {
    let baseline = policy("base", "Baseline", 10, &both("Deny", "snake", ""));
    let admin = |action| policy("admin", "Admin", 10, &both(action, "snake", ""));
    let ask = |policies: &[&str]| World::with(policies).both_ways("snake", Protocol::TCP, 80);
    assert_eq!(ask(&[&admin("Deny"), OPEN_TO_SNAKE, &baseline]), [false; 2]);
    assert_eq!(ask(&[&admin("Pass"), OPEN_TO_SNAKE, &baseline]), [true; 2]);
    assert_eq!(ask(&[&admin("Pass"), &baseline]), [false; 2]);
    assert_eq!(ask(&[OPEN_TO_SNAKE, &baseline]), [true; 2], "without a rule before them it is the same");
    // what NetworkPolicies do not allow an Accept before them lets through, and one behind them does not
    let world = World::with(&[&policy("admin", "Admin", 10, &both("Accept", "raven", "")), OPEN_TO_SNAKE]);
    assert_eq!(world.both_ways("raven", Protocol::TCP, 80), [true; 2]);
    let world = World::with(&[&policy("base", "Baseline", 10, &both("Accept", "raven", "")), OPEN_TO_SNAKE]);
    assert_eq!(world.both_ways("raven", Protocol::TCP, 80), [false; 2]);
    let world =
        World::with(&[&policy("base", "Baseline", 10, &both("Pass", "raven", "")), &baseline.replace("base", "deny")]);
    assert_eq!(world.both_ways("raven", Protocol::TCP, 80), [true; 2], "behind the Baseline tier is nothing");
}

#[test]
fn policies_of_one_priority_all_apply() {
    let port = "{tcp: {destinationPort: {number: 80}}}";
    let world = World::with(&[
        &policy("one", "Admin", 15, &both("Deny", "snake", port)),
        &policy("two", "Admin", 15, &both("Deny", "badger", port)),
        &policy("three", "Admin", 15, &both("Deny", "snake", &port.replace("80", "8080")))
            .replace("{house: griffin}}}, ", "{house: badger}}}, "),
    ]);
    assert!(world.set.doubts().is_empty(), "they do not contradict each other");
    assert_eq!(world.both_ways("snake", Protocol::TCP, 80), [false; 2]);
    assert_eq!(world.both_ways("badger", Protocol::TCP, 80), [false; 2]);
    assert_eq!(world.both_ways("snake", Protocol::TCP, 8080), [true; 2], "that is another's subject");
    assert!(
        !world.tcp(&pod("badger", 1), &pod("snake", 1), 8080) && world.tcp(&pod("badger", 1), &pod("snake", 1), 80)
    );
    assert_eq!(world.both_ways("raven", Protocol::TCP, 80), [true; 2]);
}

#[test]
fn a_named_port_is_the_servers() {
    let named = both("Accept", "badger", "{destinationNamedPort: web}, {destinationNamedPort: dns}");
    let world = World::with(&[&policy("a", "Admin", 1, &named), &policy("b", "Admin", 2, &both("Deny", "badger", ""))]);
    for (protocol, port, expected) in
        [(Protocol::TCP, 80, true), (Protocol::TCP, 8080, false), (Protocol::UDP, 53, true), (Protocol::UDP, 80, false)]
    {
        assert_eq!(world.both_ways("badger", protocol, port), [expected; 2], "{protocol}/{port}");
    }
}

#[test]
fn networks_cover_pods_too_whatever_ip_blocks_do() {
    let rules = "egress: [{action: Accept, to: [{networks: [10.244.3.1/32]}]}, {action: Accept, to: [{pods: {podSelector: {matchLabels: \
                 {house: snake}}}}]}, {action: Deny, to: [{networks: [0.0.0.0/0, '::/0']}]}]";
    let world = World::with(&[&policy("cidr", "Admin", 85, rules)]);
    let own = pod("griffin", 2);
    for (to, expected) in [
        (pod("snake", 1), true),
        (pod("badger", 1), false),
        (pod("raven", 1), true),
        (pod("raven", 2), false),
        (address("203.0.113.9"), false),
        (address("2001:db8::1"), false),
    ] {
        assert_eq!(world.tcp(&own, &to, 80), expected, "{to}");
    }
    let End::Pod(raven) = pod("raven", 1) else { unreachable!() };
    let coming = End::Pod(PodEnd { addresses: Vec::new(), pod: None, ..raven });
    let verdict = world.ask(&own, &coming, Protocol::TCP, 80);
    assert!(!verdict.allowed() && verdict.uncertain(), "which address it will have is not known");
    let all =
        World::with(&[&policy("all", "Admin", 1, "egress: [{action: Deny, to: [{networks: [0.0.0.0/0, '::/0']}]}]")]);
    assert!(!all.ask(&own, &coming, Protocol::TCP, 80).uncertain(), "it is one of all");
}

#[test]
fn nodes_are_known_by_their_labels_and_pods_in_their_network_are_they() {
    let rules = "egress: [{action: Accept, to: [{nodes: {matchLabels: {os: linux}}}], protocols: [{tcp: {destinationPort: {number: 6443}}}]}, \
                 {name: no-nodes, action: Deny, to: [{nodes: {matchLabels: {os: linux}}}]}]";
    let world = World::with(&[&policy("nodes", "Admin", 75, rules)]);
    let own = pod("griffin", 1);
    let End::Pod(raven) = pod("raven", 1) else { unreachable!() };
    let agent = End::Pod(PodEnd { host_network: true, addresses: vec!["172.18.0.2".parse().unwrap()], ..raven });
    for to in [address("172.18.0.2"), agent.clone()] {
        assert!(world.tcp(&own, &to, 6443) && !world.tcp(&own, &to, 80), "{to}");
    }
    assert!(world.tcp(&own, &address("172.18.0.3"), 80) && world.tcp(&own, &address("203.0.113.9"), 80));
    let verdict = world.ask(&own, &address("172.18.0.4"), Protocol::TCP, 80);
    assert!(verdict.uncertain() && !verdict.allowed());
    assert_eq!(
        verdict.reason().unwrap(),
        "ClusterNetworkPolicy nodes spec.egress[1] (no-nodes) may decide over egress to 172.18.0.4 on TCP/80: not known is the labels \
         of the node 172.18.0.4, which the inventory does not list"
    );
    let verdict = world.ask(&own, &address("172.18.0.4"), Protocol::TCP, 6443);
    assert!(verdict.uncertain(), "each rule is doubted by itself");
    // pods in their node's network are no subjects and no pods, also where NetworkPolicies take them for such
    let deny = World::with(&[&policy("all", "Admin", 1, &both("Deny", "raven", ""))]);
    let options = Options { host_network_selected: true, ..Options::default() };
    let evaluator = Evaluator::of_cluster(&deny.set, &deny.cluster, options);
    assert!(evaluator.allows(&Probe::new(&own, &agent, Protocol::TCP, 80)));
    assert!(!evaluator.allows(&Probe::new(&own, &pod("raven", 1), Protocol::TCP, 80)));
}

#[test]
fn what_a_domain_name_decides_is_uncertain_only_where_it_matters() {
    let rules = "egress: [{action: Accept, to: [{domainNames: ['*.example.org']}]}, {action: Deny, to: [{networks: [203.0.113.0/24]}]}]";
    let world = World::with(&[&policy("names", "Admin", 1, rules)]);
    let own = pod("griffin", 1);
    let doubtful = world.ask(&own, &address("203.0.113.9"), Protocol::TCP, 443);
    assert!(doubtful.uncertain() && !doubtful.allowed() && doubtful.egress.decided.is_none());
    assert_eq!(
        doubtful.reason().unwrap(),
        "ClusterNetworkPolicy names spec.egress[0] may decide over egress to 203.0.113.9 on TCP/443: not known is which addresses its \
         domainNames have, and whether 203.0.113.9 is one"
    );
    assert!(world.tcp(&own, &address("198.51.100.9"), 443), "with the name or without it");
    assert!(world.tcp(&own, &pod("raven", 1), 443));
}

#[test]
fn a_side_says_which_rule_of_which_policy_decided() {
    let (own, snake) = (pod("griffin", 1), pod("snake", 1));
    let world = World::with(&[&policy("guard", "Admin", 1, &both("Deny", "snake", "")), OPEN_TO_SNAKE]);
    let verdict = world.ask(&own, &snake, Protocol::TCP, 80);
    assert_eq!(
        verdict.reason().unwrap(),
        "ClusterNetworkPolicy guard spec.egress[0] denies egress to snake/p1 on TCP/80: no NetworkPolicy can allow it"
    );
    assert_eq!((verdict.egress.nearest.as_ref(), verdict.egress.by.len(), verdict.egress.rules.len()), (None, 0, 0));
    assert_eq!(verdict.egress.decided.unwrap().rule.to_string(), "ClusterNetworkPolicy guard spec.egress[0]");
    let world = World::with(&[&policy("guard", "Admin", 1, &both("Accept", "snake", ""))]);
    let side = world.ask(&snake, &own, Protocol::TCP, 80).ingress;
    assert_eq!(
        (side.by, side.rules[0].to_string()),
        (vec!["ClusterNetworkPolicy guard".to_owned()], "ClusterNetworkPolicy guard spec.ingress[0]".to_owned())
    );
    let world = World::with(&[&policy("base", "Baseline", 1, &both("Deny", "snake", ""))]);
    assert_eq!(
        world.ask(&own, &snake, Protocol::TCP, 80).reason().unwrap(),
        "ClusterNetworkPolicy base spec.egress[0] denies egress to snake/p1 on TCP/80: no NetworkPolicy isolates griffin/p1, which would \
         decide instead"
    );
}

#[test]
fn a_pod_reaches_itself_and_its_own_node_all_the_same() {
    let rules =
        "ingress: [{action: Deny, from: [{namespaces: {}}]}], egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]";
    let world = World::with(&[&policy("all", "Admin", 1, rules)]);
    let End::Pod(own) = pod("griffin", 1) else { unreachable!() };
    let own = End::Pod(PodEnd { node: vec!["172.18.0.2".parse().unwrap()], ..own });
    assert!(world.tcp(&own, &own, 80) && world.tcp(&own, &address("172.18.0.2"), 80));
    assert!(!world.tcp(&own, &address("172.18.0.3"), 80) && !world.tcp(&pod("griffin", 2), &own, 80));
}

#[test]
fn networks_see_the_address_of_a_service_where_egress_is_judged_before_it() {
    let rules = "egress: [{action: Deny, to: [{networks: [10.96.0.0/12]}]}]";
    let world = World::with(&[&policy("services", "Admin", 1, rules)]);
    let (own, server) = (pod("griffin", 1), pod("raven", 1));
    let dialled = Some(Dialled { address: "10.96.0.9".parse().unwrap(), port: 80, is_of_node: false });
    for (dnat, expected) in [(Dnat::After, true), (Dnat::Before, false)] {
        let evaluator = Evaluator::of_cluster(&world.set, &world.cluster, Options { dnat, ..Options::default() });
        let probe = Probe { dialled, ..Probe::new(&own, &server, Protocol::TCP, 8080) };
        assert_eq!(evaluator.allows(&probe), expected, "{dnat:?}");
    }
}
