//! The two evaluators, held against each other on clusters that no one would build.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::super::{
    Action, Classes, ClusterKind, ClusterPeer, ClusterPolicy, ClusterRule, End, Evaluator, IpBlock, NetworkPolicy,
    Operator, Options, Peer, PodEnd, PodsOf, PolicySet, PolicyType, Port, PortMatch, Probe, Requirement, Rule,
    Selector, Tier,
};
use crate::model::{Cluster, ContainerPort, Labels, Namespace, Node, Protocol};

const NAMESPACES: [&str; 3] = ["prod", "ops", "dev"];
const KEYS: [&str; 3] = ["app", "tier", "track"];
const VALUES: [&str; 3] = ["a", "b", ""];
const NAMES: [&str; 2] = ["http", "admin"];
const PORTS: [u16; 5] = [1, 80, 81, 8080, 65535];
const PROTOCOLS: [Protocol; 4] = [Protocol::TCP, Protocol::UDP, Protocol::SCTP, Protocol::ICMP];
const ADDRESSES: [&str; 8] = [
    "10.244.0.1",
    "10.244.1.1",
    "10.0.0.1",
    "203.0.113.9",
    "255.255.255.255",
    "2001:db8::1",
    "fd00::7",
    "::ffff:10.244.1.1",
];
const RANGES: [&str; 8] =
    ["0.0.0.0/0", "10.0.0.0/8", "10.244.0.0/16", "10.244.1.0/24", "10.244.1.1/32", "::/0", "2001:db8::/32", "fd00::/8"];

fn requirement() -> impl Strategy<Value = Requirement> {
    let values = vec(select(&VALUES[..]), 1..3).prop_map(|values| values.into_iter().map(str::to_owned).collect());
    let operator = (0..4, values).prop_map(|(operator, values)| match operator {
        0 => Operator::In(values),
        1 => Operator::NotIn(values),
        2 => Operator::Exists,
        _ => Operator::DoesNotExist,
    });
    (select(&KEYS[..]), operator).prop_map(|(key, operator)| Requirement { key: key.to_owned(), operator })
}

fn selector() -> impl Strategy<Value = Selector> {
    vec(requirement(), 0..3).prop_map(Selector)
}

fn block() -> impl Strategy<Value = IpBlock> {
    (select(&RANGES[..]), vec(select(&RANGES[..]), 0..2)).prop_map(|(cidr, except)| {
        let cidr: IpNet = cidr.parse().unwrap();
        let except: Vec<IpNet> = except.into_iter().map(|range| range.parse().unwrap()).collect();
        IpBlock { cidr, except: except.into_iter().filter(|it| cidr.contains(it) && *it != cidr).collect() }
    })
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![
        3 => (option::of(selector()), selector()).prop_map(|(namespaces, pods)| Peer::Pods { namespaces, pods }),
        1 => block().prop_map(Peer::Block),
    ]
}

fn port() -> impl Strategy<Value = Port> {
    let ports = prop_oneof![
        Just(PortMatch::All),
        (select(&PORTS[..]), select(&PORTS[..])).prop_map(|(a, b)| PortMatch::Range(a.min(b), a.max(b))),
        select(&NAMES[..]).prop_map(|name| PortMatch::Named(name.to_owned())),
    ];
    (select(&PROTOCOLS[..3]), ports).prop_map(|(protocol, ports)| Port { protocol, ports })
}

fn rules() -> impl Strategy<Value = Option<Vec<Rule>>> {
    let rule = (vec(peer(), 0..3), vec(port(), 0..3)).prop_map(|(peers, ports)| Rule { peers, ports });
    option::of(vec(rule, 0..3))
}

fn policies() -> impl Strategy<Value = PolicySet> {
    let policy = (select(&NAMESPACES[..]), selector(), rules(), rules());
    vec(policy, 0..5).prop_map(|policies| {
        let named = |(n, (namespace, pod_selector, ingress, egress)): (usize, (&str, _, _, _))| NetworkPolicy {
            namespace: namespace.to_owned(),
            name: format!("p{n}"),
            pod_selector,
            ingress,
            egress,
        };
        PolicySet { policies: policies.into_iter().enumerate().map(named).collect(), ..PolicySet::default() }
    })
}

fn cluster_peer() -> impl Strategy<Value = ClusterPeer> {
    let networks = vec(select(&RANGES[..]), 1..3);
    prop_oneof![
        3 => (selector(), selector()).prop_map(|(namespaces, pods)| ClusterPeer::Pods(PodsOf { namespaces, pods })),
        2 => networks.prop_map(|all| ClusterPeer::Networks(all.into_iter().map(|it| it.parse().unwrap()).collect())),
        1 => selector().prop_map(ClusterPeer::Nodes),
        1 => Just(ClusterPeer::Names(vec!["example.org".to_owned()])),
    ]
}

fn cluster_rules() -> impl Strategy<Value = Vec<ClusterRule>> {
    let action = select(&[Action::Accept, Action::Deny, Action::Pass][..]);
    let rule = (action, vec(cluster_peer(), 1..3), vec(port(), 0..3));
    let rule = rule.prop_map(|(action, peers, ports)| ClusterRule { name: None, action, peers, ports });
    vec(rule, 0..4)
}

fn cluster_wide() -> impl Strategy<Value = Vec<ClusterPolicy>> {
    let tier = select(&[Tier::Admin, Tier::Baseline][..]);
    let policy = (tier, 0u16..3, selector(), selector(), cluster_rules(), cluster_rules());
    vec(policy, 0..4).prop_map(|policies| {
        let named = |(n, (tier, priority, namespaces, pods, ingress, egress))| ClusterPolicy {
            tier,
            priority,
            kind: ClusterKind::Cluster,
            name: format!("c{n}"),
            subject: PodsOf { namespaces, pods },
            ingress,
            egress,
        };
        let mut policies: Vec<ClusterPolicy> = policies.into_iter().enumerate().map(named).collect();
        policies.sort();
        policies
    })
}

fn labels() -> impl Strategy<Value = Labels> {
    vec((select(&KEYS[..]), select(&VALUES[..])), 0..3).prop_map(|pairs| pairs.into_iter().collect())
}

fn end() -> impl Strategy<Value = End> {
    let addresses = vec(select(&ADDRESSES[..]), 0..3);
    let container = (option::of(select(&NAMES[..])), select(&PORTS[..]), select(&PROTOCOLS[..3]));
    let container =
        container.prop_map(|(name, port, protocol)| ContainerPort { name: name.map(str::to_owned), port, protocol });
    let pod = (select(&NAMESPACES[..]), labels(), addresses, vec(container, 0..3), prop::bool::weighted(0.2));
    prop_oneof![
        4 => pod.prop_map(|(namespace, labels, addresses, ports, host_network)| End::Pod(PodEnd {
            namespace: namespace.to_owned(),
            name: "x".to_owned(),
            pod: None,
            labels,
            addresses: addresses.into_iter().map(|it| it.parse::<IpAddr>().unwrap().to_canonical()).collect(),
            ports,
            host_network,
            node: Vec::new(),
        })),
        1 => select(&ADDRESSES[..]).prop_map(|address| End::Address(address.parse().unwrap())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn both_evaluators_agree_on_everything(
        set in policies(),
        cluster_wide in prop_oneof![Just(Vec::new()), cluster_wide()],
        of_node in labels(),
        labels in vec(labels(), 3),
        ends in vec(end(), 1..6),
        ipblock_matches_pods: bool,
        host_network_selected: bool,
    ) {
        let named = |(name, labels): (&&str, &Labels)| Namespace { name: (*name).to_owned(), labels: labels.clone() };
        // the last namespace is not listed
        let namespaces: Vec<Namespace> = NAMESPACES[..2].iter().zip(&labels).map(named).collect();
        let set = PolicySet { cluster_wide, ..set };
        let node = |address: &str, labels| Node { addresses: vec![address.parse().unwrap()], labels, ..Node::default() };
        let nodes = vec![node(ADDRESSES[2], Some(of_node)), node(ADDRESSES[6], None)];
        let cluster = Cluster { namespaces, nodes, ..Cluster::default() };
        let options = Options { ipblock_matches_pods, host_network_selected, ..Options::default() };
        let evaluator = Evaluator::of_cluster(&set, &cluster, options);
        let classes = Classes::new(&evaluator, &ends);
        for (n, from) in ends.iter().enumerate() {
            for (m, to) in ends.iter().enumerate() {
                let (a, b) = (classes.kind(n), classes.kind(m));
                let open = classes.ports(a, b);
                for protocol in PROTOCOLS {
                    for port in [0, 1, 2, 79, 80, 81, 82, 443, 8080, 65534, 65535] {
                        let probe = Probe::new(from, to, protocol, port);
                        let verdict = evaluator.evaluate(&probe);
                        let allowed = verdict.allowed();
                        prop_assert_eq!(evaluator.allows(&probe), allowed, "{:?}", probe);
                        prop_assert_eq!(classes.allows(a, b, protocol, port), allowed, "{:?}", probe);
                        prop_assert_eq!(open.contains(protocol, port), allowed, "{:?}", probe);
                        for (direction, side) in
                            [(PolicyType::Egress, &verdict.egress), (PolicyType::Ingress, &verdict.ingress)]
                        {
                            prop_assert!(!(side.allowed && side.uncertain) && side.reason.is_none() == side.allowed);
                            let ports = classes.side(direction, a, b);
                            prop_assert_eq!(ports.contains(protocol, port), side.allowed, "{:?}", probe);
                        }
                    }
                }
                prop_assert_eq!(
                    [PolicyType::Egress, PolicyType::Ingress].map(|direction| classes.isolates(direction, a)),
                    {
                        let probe = Probe::new(from, from, Protocol::TCP, 1);
                        let verdict = evaluator.evaluate(&probe);
                        [verdict.egress.isolated, verdict.ingress.isolated]
                    }
                );
            }
        }
    }
}
