//! What is taken of policies of whole clusters, version by version, and what is refused.

use super::{
    super::{
        Action, ClusterKind, ClusterPeer, ClusterPolicy, PodsOf, PolicySet, Port, PortMatch, Requirement, Selector,
        Strictness, Tier, read,
    },
    strictly,
};
use crate::model::Protocol;

/// A kind with its version, and a spec that it takes.
const ADMIN: (&str, &str) = ("v1alpha1", "AdminNetworkPolicy");
const BASELINE: (&str, &str) = ("v1alpha1", "BaselineAdminNetworkPolicy");
const ALPHA: (&str, &str) = ("v1alpha2", "ClusterNetworkPolicy");
const BETA: (&str, &str) = ("v1beta1", "ClusterNetworkPolicy");

fn object((version, kind): (&str, &str), name: &str, spec: &str) -> String {
    format!("apiVersion: policy.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

/// What the fields must be that every policy of a kind has, with one rule.
fn with_rule((_, kind): (&str, &str), direction: &str, rule: &str) -> String {
    let head = match kind {
        "AdminNetworkPolicy" => "priority: 5, ",
        "BaselineAdminNetworkPolicy" => "",
        _ => "tier: Admin, priority: 5, ",
    };
    format!("{{{head}subject: {{namespaces: {{}}}}, {direction}: [{rule}]}}")
}

fn name((_, kind): (&str, &'static str)) -> &'static str {
    if kind == "BaselineAdminNetworkPolicy" { "default" } else { "x" }
}

fn taken(of: (&str, &'static str), spec: &str) -> ClusterPolicy {
    strictly(&object(of, name(of), spec)).unwrap().cluster_wide.remove(0)
}

fn refused(of: (&str, &'static str), spec: &str) -> String {
    let error = strictly(&object(of, name(of), spec)).unwrap_err();
    format!("{}: {}", error.path, error.reason)
}

fn label(key: &str, value: &str) -> Selector {
    Selector(vec![Requirement::equals(key, value)])
}

#[test]
fn the_versions_say_the_same_in_their_own_words() {
    let old = "{priority: 7, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {a: b}}}}, egress: [
        {name: to-db, action: Allow, to: [{namespaces: {matchLabels: {team: a}}}, {networks: [10.0.0.0/8]}],
         ports: [{portNumber: {protocol: UDP, port: 53}}, {portRange: {start: 80, end: 90}}]}]}";
    let new = "{tier: Admin, priority: 7, subject: {pods: {podSelector: {matchLabels: {a: b}}}}, egress: [
        {name: to-db, action: Accept, to: [{namespaces: {matchLabels: {team: a}}}, {networks: [10.0.0.0/8]}],
         protocols: [{udp: {destinationPort: {number: 53}}}, {tcp: {destinationPort: {range: {start: 80, end: 90}}}}]}]}";
    let [admin, alpha, beta] = [(ADMIN, old), (ALPHA, new), (BETA, new)].map(|(of, spec)| taken(of, spec));
    assert_eq!((admin.kind, alpha.kind), (ClusterKind::Admin, ClusterKind::Cluster));
    assert_eq!(alpha, beta);
    assert_eq!(ClusterPolicy { kind: ClusterKind::Cluster, ..admin.clone() }, beta);
    assert_eq!((admin.tier, admin.priority), (Tier::Admin, 7));
    assert_eq!(admin.subject, PodsOf { namespaces: Selector::default(), pods: label("a", "b") });
    let rule = &admin.egress[0];
    assert_eq!((rule.name.as_deref(), rule.action), (Some("to-db"), Action::Accept));
    assert_eq!(rule.peers[0], ClusterPeer::Pods(PodsOf { namespaces: label("team", "a"), pods: Selector::default() }));
    assert_eq!(rule.peers[1], ClusterPeer::Networks(vec!["10.0.0.0/8".parse().unwrap()]));
    let port = |protocol, first, last| Port { protocol, ports: PortMatch::Range(first, last) };
    assert_eq!(rule.ports, [port(Protocol::UDP, 53, 53), port(Protocol::TCP, 80, 90)]);
    assert!(admin.ingress.is_empty());
}

#[test]
fn a_baseline_has_one_name_and_neither_priority_nor_pass() {
    let rule =
        |action: &str| with_rule(BASELINE, "ingress", &format!("{{action: {action}, from: [{{namespaces: {{}}}}]}}"));
    let policy = taken(BASELINE, &rule("Deny"));
    assert_eq!((policy.tier, policy.full_name().as_str()), (Tier::Baseline, "BaselineAdminNetworkPolicy default"));
    assert_eq!(refused(BASELINE, &rule("Pass")), "spec.ingress[0].action: `Pass` is none of Allow, Deny");
    let error = strictly(&object(BASELINE, "other", &rule("Deny"))).unwrap_err();
    assert_eq!(error.to_string(), "p.yaml: document 1: metadata.name: `other` must be default");
    let with_priority = rule("Deny").replace("{subject", "{priority: 1, subject");
    assert_eq!(
        refused(BASELINE, &with_priority),
        "spec.priority: is no field of the API; known here are subject, ingress, egress"
    );
}

#[test]
fn a_named_port_is_of_any_protocol() {
    for (of, ports) in [(ADMIN, "ports: [{namedPort: web}]"), (BETA, "protocols: [{destinationNamedPort: web}]")] {
        let action = if of == ADMIN { "Allow" } else { "Accept" };
        let rule = format!("{{action: {action}, from: [{{namespaces: {{}}}}], {ports}}}");
        let policy = taken(of, &with_rule(of, "ingress", &rule));
        let protocols: Vec<Protocol> = policy.ingress[0].ports.iter().map(|port| port.protocol).collect();
        assert_eq!(protocols, [Protocol::TCP, Protocol::UDP, Protocol::SCTP]);
    }
}

#[test]
fn networks_are_exact_in_the_newest_version_alone() {
    let rule = "{action: Deny, to: [{networks: [10.1.2.3/8]}]}";
    let network = |policy: ClusterPolicy| policy.egress[0].peers[0].clone();
    for of in [ADMIN, ALPHA] {
        let expected = ClusterPeer::Networks(vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(network(taken(of, &with_rule(of, "egress", rule))), expected);
    }
    let path = "spec.egress[0].to[0].networks[0]";
    let refusal = format!("{path}: `10.1.2.3/8` is not canonical; write 10.0.0.0/8");
    assert_eq!(refused(BETA, &with_rule(BETA, "egress", rule)), refusal);
    for text in ["10.0.0.0", "::ffff:10.0.0.0/104", "x"] {
        let rule = format!("{{action: Deny, to: [{{networks: ['{text}']}}]}}");
        assert!(
            refused(ADMIN, &with_rule(ADMIN, "egress", &rule)).starts_with(&format!("{path}: `{text}` is no CIDR"))
        );
    }
}

#[test]
fn what_the_definitions_refuse_is_refused_with_its_place() {
    let many = |item: &str, count: usize| vec![item; count].join(", ");
    let peers = many("{namespaces: {}}", 26);
    let numbered: Vec<String> = (0..26).map(|n| format!("10.{n}.0.0/16")).collect();
    let networks = numbered.join(", ");
    let long = "x".repeat(101);
    for (direction, rule, expected) in [
        ("egress", "{to: [{namespaces: {}}]}", "spec.egress[0].action: is required"),
        (
            "egress",
            "{action: Allow, to: [{namespaces: {}}]}",
            "spec.egress[0].action: `Allow` is none of Accept, Deny, Pass",
        ),
        ("egress", "{action: Deny}", "spec.egress[0].to: is required"),
        ("egress", "{action: Deny, to: []}", "spec.egress[0].to: has 0 entries, must have 1 to 25"),
        ("egress", &format!("{{action: Deny, to: [{peers}]}}"), "spec.egress[0].to: has 26 entries, must have 1 to 25"),
        (
            "egress",
            "{action: Deny, to: [{}]}",
            "spec.egress[0].to[0]: must have exactly one of namespaces, pods, nodes, networks, domainNames, has 0",
        ),
        (
            "ingress",
            "{action: Deny, from: [{namespaces: {}, pods: {podSelector: {}}}]}",
            "spec.ingress[0].from[0]: must have exactly one of namespaces, pods, has 2",
        ),
        (
            "ingress",
            "{action: Deny, from: [{networks: [10.0.0.0/8]}]}",
            "spec.ingress[0].from[0].networks: is no field of the API; known here are namespaces, pods",
        ),
        ("ingress", "{action: Deny, from: [{pods: {}}]}", "spec.ingress[0].from[0].pods.podSelector: is required"),
        (
            "egress",
            &format!("{{action: Deny, to: [{{networks: [{networks}]}}]}}"),
            "spec.egress[0].to[0].networks: has 26 entries, must have 1 to 25",
        ),
        (
            "egress",
            "{action: Deny, to: [{networks: [10.0.0.0/8, 10.0.0.0/8]}]}",
            "spec.egress[0].to[0].networks[1]: `10.0.0.0/8` is there twice",
        ),
        (
            "egress",
            "{action: Accept, to: [{domainNames: [db]}]}",
            "spec.egress[0].to[0].domainNames[0]: `db` must be a domain name such as kubernetes.io or *.kubernetes.io",
        ),
        (
            "egress",
            "{action: Deny, to: [{namespaces: {}}, {nodes: {}}], protocols: [{destinationNamedPort: web}]}",
            "spec.egress[0].protocols: names a port, and networks, nodes and domainNames have no names of ports",
        ),
        (
            "ingress",
            "{action: Deny, from: [{namespaces: {}}], protocols: []}",
            "spec.ingress[0].protocols: has 0 entries, must have 1 to 25",
        ),
        (
            "ingress",
            "{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {}}]}",
            "spec.ingress[0].protocols[0].tcp: must have exactly one of destinationPort, has 0",
        ),
        (
            "ingress",
            "{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 80, end: 80}}}}]}",
            "spec.ingress[0].protocols[0].tcp.destinationPort.range.end: end 80 is not above start 80",
        ),
        (
            "ingress",
            "{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 0}}}]}",
            "spec.ingress[0].protocols[0].tcp.destinationPort.number: 0 is not between 1 and 65535",
        ),
        (
            "ingress",
            "{action: Deny, from: [{namespaces: {}}], ports: []}",
            "spec.ingress[0].ports: is no field of the API; known here are name, action, from, protocols",
        ),
        (
            "ingress",
            &format!("{{name: {long}, action: Deny, from: [{{namespaces: {{}}}}]}}"),
            &format!("spec.ingress[0].name: `{}` must be a text of 100 letters at most", &long[1..]),
        ),
    ] {
        assert_eq!(refused(BETA, &with_rule(BETA, direction, rule)), expected, "{rule}");
    }
}

#[test]
fn what_every_policy_must_have_is_missed_with_its_place() {
    for (spec, expected) in [
        ("{priority: 1, subject: {namespaces: {}}}", "spec.tier: is required"),
        ("{tier: Top, priority: 1, subject: {namespaces: {}}}", "spec.tier: `Top` is none of Admin, Baseline"),
        ("{tier: Admin, subject: {namespaces: {}}}", "spec.priority: is required"),
        ("{tier: Admin, priority: 1001, subject: {namespaces: {}}}", "spec.priority: 1001 is not between 0 and 1000"),
        ("{tier: Admin, priority: 1}", "spec.subject: is required"),
        ("{tier: Admin, priority: 1, subject: {}}", "spec.subject: must have exactly one of namespaces, pods, has 0"),
    ] {
        assert_eq!(refused(BETA, spec), expected);
    }
    let rule = "{action: Deny, from: [{pods: {podSelector: {}}}]}";
    let missing = "spec.ingress[0].from[0].pods.namespaceSelector: is required";
    assert_eq!(refused(ADMIN, &with_rule(ADMIN, "ingress", rule)), missing);
    let rule = "{action: Allow, to: [{domainNames: [a.example]}]}";
    let unknown =
        "spec.egress[0].to[0].domainNames: is no field of the API; known here are namespaces, pods, nodes, networks";
    assert_eq!(refused(BASELINE, &with_rule(BASELINE, "egress", rule)), unknown);
}

#[test]
fn the_old_kinds_may_have_a_hundred_of_all() {
    let peers = vec!["{namespaces: {}}"; 100].join(", ");
    let rule = format!("{{action: Deny, from: [{peers}]}}");
    let rules = vec![rule; 100].join(", ");
    assert_eq!(taken(ADMIN, &with_rule(ADMIN, "ingress", &rules)).ingress.len(), 100);
    assert!(refused(BETA, &with_rule(BETA, "ingress", &rules)).contains("has 100 entries, must have 0 to 25"));
}

#[test]
fn a_second_of_a_name_is_refused_and_one_of_another_kind_is_none() {
    let spec = "{tier: Admin, priority: 1, subject: {namespaces: {}}}";
    let old = "{priority: 1, subject: {namespaces: {}}}";
    let both = format!("{}---\n{}", object(BETA, "x", spec), object(ADMIN, "x", old));
    assert_eq!(strictly(&both).unwrap().cluster_wide.len(), 2);
    let twice = format!("{}---\n{}", object(BETA, "x", spec), object(ALPHA, "x", spec));
    let error = strictly(&twice).unwrap_err();
    assert_eq!(
        error.to_string(),
        "p.yaml: document 2: metadata.name: ClusterNetworkPolicy x is already defined by p.yaml: document 1"
    );
}

#[test]
fn other_versions_and_other_makers_kinds_are_named_as_not_evaluated() {
    let text = "{apiVersion: policy.networking.k8s.io/v7, kind: ClusterNetworkPolicy, metadata: {name: a}}\n---\n\
                {apiVersion: networking.k8s.aws/v1alpha1, kind: ClusterNetworkPolicy, metadata: {name: b}, spec: {ports: 1}}\n";
    let set = strictly(text).unwrap();
    let named: Vec<String> = set.not_evaluated.iter().map(|it| format!("{} {}", it.kind, it.name)).collect();
    assert_eq!(named, ["ClusterNetworkPolicy a", "ClusterNetworkPolicy b"]);
    assert!(set.is_empty());
}

#[test]
fn they_come_in_the_order_in_which_they_are_asked_and_what_is_not_defined_is_told() {
    let spec = |tier: &str, priority: u16, action: &str| {
        format!(
            "{{tier: {tier}, priority: {priority}, subject: {{namespaces: {{}}}}, ingress: [{{action: {action}, from: [{{namespaces: {{}}}}]}}]}}"
        )
    };
    let policies = [
        ("d", "Baseline", 1, "Deny"),
        ("b", "Admin", 9, "Deny"),
        ("a", "Admin", 9, "Accept"),
        ("c", "Admin", 2, "Deny"),
    ];
    let text: Vec<String> =
        policies.iter().map(|(name, tier, n, action)| object(BETA, name, &spec(tier, *n, action))).collect();
    let set = strictly(&text.join("---\n")).unwrap();
    let names: Vec<&str> = set.cluster_wide.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["c", "a", "b", "d"]);
    assert_eq!(
        set.doubts(),
        [
            "ClusterNetworkPolicy a and ClusterNetworkPolicy b have the priority 9 in the Admin tier: which of them comes first is \
          not defined, and here it is ClusterNetworkPolicy a"
        ]
    );
    let names = "{tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: [a.example]}]}]}";
    let told = strictly(&object(BETA, "names", names)).unwrap().doubts();
    assert_eq!(
        told,
        [
            "ClusterNetworkPolicy names spec.egress[0]: which addresses its domainNames have is not known; what they decide is uncertain, and may be kept open"
        ]
    );
}

#[test]
fn lenient_reading_leaves_out_the_invalid_and_a_cluster_keeps_the_rest() {
    let good = object(BETA, "good", "{tier: Admin, priority: 1, subject: {namespaces: {}}}");
    let text = format!("{good}---\n{}", object(BETA, "bad", "{}"));
    let objects = read("p.yaml", &text).unwrap();
    for set in [PolicySet::from_objects(&objects, Strictness::Lenient).unwrap(), PolicySet::deployed(&objects)] {
        assert_eq!((set.cluster_wide.len(), set.skipped.len()), (1, 1));
    }
}
