use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::*;
use crate::{
    model::{Cluster, HostName, Node, Pod, Span, Timestamp, WorkloadRef},
    policy::IpBlock,
};

fn node(name: &str, address: &str, range: &str) -> Node {
    let pod_ranges = vec![range.parse().unwrap()];
    Node { name: name.into(), addresses: vec![address.parse().unwrap()], pod_ranges }
}

const NAMESPACE: &str = "k8s:io.kubernetes.pod.namespace";

/// Three nodes, the first with the API server.
fn ground() -> Ground {
    let nodes = vec![
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        node("node-2", "192.0.2.2", "10.244.2.0/24"),
        node("node-3", "192.0.2.3", "10.244.3.0/24"),
    ];
    let workload = WorkloadRef { namespace: "shop".into(), name: "web".into(), kind: "Deployment".into() };
    let pod = Pod {
        namespace: "shop".into(),
        name: "web-1".into(),
        workload,
        labels: [("app", "web")].into_iter().collect(),
        addresses: vec!["10.244.1.10".parse().unwrap()],
        node: Some("node-1".into()),
        host_network: false,
        ports: Vec::new(),
        started: None,
        finished: false,
        mesh: None,
        maker: None,
        host_ports: Vec::new(),
    };
    let cluster = Cluster { nodes, pods: vec![pod], ..Cluster::default() };
    Ground::new(&cluster, [("192.0.2.1".parse::<IpAddr>().unwrap(), 6443)].into())
}

fn converted(spec: &Value, target: Target) -> Converted {
    let object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"team": "a"}, "uid": "1", "annotations": {"a": "b"}},
        "spec": spec,
    });
    let objects = [RawObject { source: "web.yaml".into(), document: Some(1), object }];
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    convert(&set, &objects, target, &ground(), None).remove(0)
}

fn cilium(spec: &Value) -> Value {
    converted(spec, Target::Cilium).object["spec"].clone()
}

fn remarks(spec: &Value) -> Vec<String> {
    converted(spec, Target::Cilium).remarks.iter().map(ToString::to_string).collect()
}

/// A policy of one egress rule.
fn egress(peers: &Value, ports: &Value) -> Value {
    json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": peers, "ports": ports}]})
}

fn ingress(peers: &Value, ports: &Value) -> Value {
    json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": peers, "ports": ports}]})
}

#[test]
fn a_side_that_is_closed_stays_closed_and_one_that_is_open_open() {
    let spec = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]});
    assert_eq!(cilium(&spec), json!({"endpointSelector": {"matchLabels": {"app": "web"}}, "ingress": [{}]}));
    let open = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]});
    assert_eq!(
        cilium(&open),
        json!({"endpointSelector": {}, "ingress": [{"fromEntities": ["all"]}], "egress": [{"toEntities": ["all"]}]})
    );
}

#[test]
fn labels_stay_and_what_an_api_server_adds_goes() {
    let object = converted(&json!({"podSelector": {}}), Target::Cilium).object;
    assert_eq!(object["metadata"], json!({"name": "web", "namespace": "shop", "labels": {"team": "a"}}));
    assert_eq!((&object["apiVersion"], &object["kind"]), (&json!("cilium.io/v2"), &json!("CiliumNetworkPolicy")));
}

#[test]
fn pods_are_told_by_labels_and_by_those_of_their_namespaces() {
    let spec = ingress(
        &json!([
            {"podSelector": {"matchLabels": {"app": "a"}}},
            {"namespaceSelector": {}},
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mon"}}, "podSelector": {"matchLabels": {"app": "b"}}},
            {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["x", "y"]}]}},
        ]),
        &json!([{"port": 8080}]),
    );
    let any = json!({"key": NAMESPACE, "operator": "Exists"});
    let team = json!({"key": "k8s:io.cilium.k8s.namespace.labels.team", "operator": "NotIn", "values": ["x", "y"]});
    assert_eq!(
        cilium(&spec)["ingress"],
        json!([{
            "fromEndpoints": [
                {"matchLabels": {"app": "a"}},
                {"matchExpressions": [any]},
                {"matchLabels": {NAMESPACE: "mon", "app": "b"}},
                {"matchExpressions": [any, team]},
            ],
            "toPorts": [{"ports": [{"port": "8080", "protocol": "TCP"}]}],
        }])
    );
}

#[test]
fn nodes_are_entities_and_that_all_of_them_take_part_is_told() {
    let spec = ingress(&json!([{"ipBlock": {"cidr": "192.0.2.2/32"}}]), &json!([{"port": 8080}]));
    assert_eq!(cilium(&spec)["ingress"][0]["fromEntities"], json!(["host", "remote-node"]));
    assert_eq!(cilium(&spec)["ingress"].as_array().map(Vec::len), Some(1), "no rule of addresses beside it");
    assert!(remarks(&spec)[0].starts_with("ingress on TCP/8080 names 1 node of 3;"), "{:?}", remarks(&spec));
    // the ends of nodes in the ranges of their pods are nodes as well, and three of three are no remark
    let all = ["10.244.1.0/32", "10.244.2.1/32", "192.0.2.3/32"].map(|cidr| json!({"ipBlock": {"cidr": cidr}}));
    let spec = ingress(&json!(all), &json!([{"port": 8080}]));
    assert_eq!(cilium(&spec)["ingress"][0]["fromEntities"], json!(["host", "remote-node"]));
    assert_eq!(remarks(&spec), [""; 0]);
}

#[test]
fn the_api_server_is_an_entity_of_its_own() {
    let block = json!([{"ipBlock": {"cidr": "192.0.2.1/32"}}]);
    let ask = egress(&block, &json!([{"port": 6443}]));
    assert_eq!(cilium(&ask)["egress"][0]["toEntities"], json!(["kube-apiserver"]));
    assert_eq!(remarks(&ask), [""; 0]);
    // another port of the same machine is the node's
    let node = egress(&block, &json!([{"port": 6443}, {"port": 10250}]));
    assert_eq!(cilium(&node)["egress"][0]["toEntities"], json!(["host", "kube-apiserver", "remote-node"]));
    let other = egress(&block, &json!([{"port": 10250}]));
    assert_eq!(cilium(&other)["egress"][0]["toEntities"], json!(["host", "remote-node"]));
    // what comes from it comes from its node, whatever the port
    let called = ingress(&block, &json!([{"port": 9443}]));
    assert_eq!(cilium(&called)["ingress"][0]["fromEntities"], json!(["host", "kube-apiserver", "remote-node"]));
}

#[test]
fn a_block_names_who_is_outside_and_the_nodes_within() {
    let spec =
        ingress(&json!([{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]}}]), &json!([{"port": 443}]));
    let rules = cilium(&spec)["ingress"].clone();
    assert_eq!(rules[0]["fromCIDRSet"], json!([{"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]}]));
    assert_eq!(rules[1]["fromEntities"], json!(["host", "kube-apiserver", "remote-node"]));
    let outside = egress(&json!([{"ipBlock": {"cidr": "203.0.113.0/24"}}]), &json!([{"port": 443}]));
    assert_eq!(cilium(&outside)["egress"].as_array().map(Vec::len), Some(1));
    let pods = egress(&json!([{"ipBlock": {"cidr": "10.244.1.8/29"}}]), &json!([{"port": 443}]));
    assert_eq!(
        remarks(&pods),
        ["egress names 10.244.1.8/29, in which the inventory has 1 pod: Cilium never knows pods by their addresses"]
    );
}

#[test]
fn what_is_link_local_may_be_answered_by_the_node_itself_but_for_the_clouds_metadata() {
    let cache = egress(&json!([{"ipBlock": {"cidr": "169.254.20.10/32"}}]), &json!([{"port": 53, "protocol": "UDP"}]));
    let rules = cilium(&cache)["egress"].clone();
    assert_eq!(
        (&rules[0]["toCIDRSet"][0]["cidr"], &rules[1]["toEntities"]),
        (&json!("169.254.20.10/32"), &json!(["host"]))
    );
    let metadata = egress(&json!([{"ipBlock": {"cidr": "169.254.169.254/32"}}]), &json!([{"port": 80}]));
    assert_eq!(cilium(&metadata)["egress"].as_array().map(Vec::len), Some(1));
}

#[test]
fn ports_are_named_ranges_protocols_and_as_many_as_a_list_may_hold() {
    let many: Vec<Value> = (1..=41).map(|port| json!({"port": port})).collect();
    let spec = egress(&json!([]), &json!(many));
    let lists = cilium(&spec)["egress"][0]["toPorts"].clone();
    assert_eq!((lists[0]["ports"].as_array().map(Vec::len), &lists[1]["ports"][0]["port"]), (Some(40), &json!("41")));
    let spec = egress(
        &json!([]),
        &json!([{"port": "http"}, {"protocol": "UDP"}, {"port": 9000, "endPort": 9010}, {"protocol": "SCTP", "port": 1}]),
    );
    assert_eq!(
        cilium(&spec)["egress"][0]["toPorts"][0]["ports"],
        json!([
            {"port": "http", "protocol": "TCP"},
            {"port": "0", "protocol": "UDP"},
            {"port": "9000", "endPort": 9010, "protocol": "TCP"},
            {"port": "1", "protocol": "SCTP"},
        ])
    );
    assert_eq!(remarks(&spec).len(), 1, "{:?}", remarks(&spec));
}

#[test]
fn a_label_that_is_no_part_of_identities_is_told() {
    let spec = json!({"podSelector": {"matchLabels": {"app": "a", "statefulset.kubernetes.io/pod-name": "a-0"}}});
    assert_eq!(
        remarks(&spec),
        [
            "selects by the label statefulset.kubernetes.io/pod-name, which Cilium leaves out of identities unless its `labels` \
          include it"
        ]
    );
    assert_eq!(remarks(&json!({"podSelector": {"matchLabels": {"app.kubernetes.io/name": "a"}}})), [""; 0]);
}

#[test]
fn calico_takes_the_same_spec_and_stages_it() {
    let spec = egress(&json!([{"ipBlock": {"cidr": "192.0.2.2/32"}}]), &json!([{"port": 443}]));
    let staged = converted(&spec, Target::CalicoStaged);
    let mut expected = spec;
    expected["stagedAction"] = "Set".into();
    assert_eq!((&staged.object["spec"], staged.remarks.len()), (&expected, 0));
    assert_eq!(staged.object["kind"], "StagedKubernetesNetworkPolicy");
    assert_eq!(staged.object["apiVersion"], "projectcalico.org/v3");
}

#[test]
fn each_policy_is_made_of_its_own_object() {
    let policy = |version: &str, spec: Value| RawObject {
        source: "all.yaml".into(),
        document: None,
        object: json!({"apiVersion": version, "kind": "NetworkPolicy", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}),
    };
    let kubernetes = "networking.k8s.io/v1";
    let objects = [
        policy("projectcalico.org/v3", json!({"selector": "all()"})),
        policy(kubernetes, json!({"podSelector": {}, "ingres": []})),
        policy(kubernetes, json!({"podSelector": {"matchLabels": {"app": "web"}}})),
    ];
    let set = PolicySet::from_objects(&objects, Strictness::Lenient).unwrap();
    let all = convert(&set, &objects, Target::CalicoStaged, &ground(), None);
    assert_eq!((all.len(), &all[0].object["spec"]["podSelector"]["matchLabels"]["app"]), (1, &json!("web")));
}

/// What asks DNS in `kube-system`, and ports beside it.
fn dns() -> Value {
    let resolvers = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    });
    let ports = json!([{"port": 53, "protocol": "UDP"}, {"port": 9153}, {"port": 53}]);
    egress(&json!([resolvers]), &ports)
}

/// What `web` was answered.
fn answer(name: &str, address: &str) -> Answer {
    let moment = |time: &str| Timestamp::parse(time).unwrap();
    Answer {
        namespace: "shop".into(),
        workload: "shop/web".into(),
        labels: [("app", "web"), ("pod-template-hash", "1")].into_iter().collect(),
        asker: [10, 244, 1, 10].into(),
        name: HostName::parse(name.as_bytes()).unwrap(),
        address: address.parse().unwrap(),
        span: Span { first: moment("2026-11-24T10:00:00Z"), last: moment("2026-11-24T11:00:00Z") },
        times: 3,
        is_used: true,
    }
}

/// `shop/web`, with these specs and names: the first policy, and what is told of all.
fn named(specs: &[Value], answers: &[Answer]) -> Vec<Converted> {
    let object = |(n, spec): (usize, &Value)| RawObject {
        source: "web.yaml".into(),
        document: Some(n),
        object: json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": format!("p{n}"), "namespace": "shop"}, "spec": spec,
        }),
    };
    let objects: Vec<RawObject> = specs.iter().enumerate().map(object).collect();
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    convert(&set, &objects, Target::Cilium, &ground(), Some(&Answers::new(answers.iter().cloned())))
}

fn told(converted: &Converted) -> String {
    converted.remarks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// HTTPS to these blocks.
fn https(cidrs: &[&str]) -> Value {
    let peers: Vec<Value> = cidrs.iter().map(|cidr| json!({"ipBlock": {"cidr": cidr}})).collect();
    egress(&json!(peers), &json!([{"port": 443}]))
}

#[test]
fn names_are_allowed_beside_the_addresses_and_what_is_asked_passes_the_proxy() {
    let answers = [answer("b.example.com", "203.0.113.9"), answer("a.example.com", "203.0.113.9")];
    let all = named(&[https(&["203.0.113.9/32"]), dns()], &answers);
    let ports = json!([{"ports": [{"port": "443", "protocol": "TCP"}]}]);
    assert_eq!(
        all[0].object["spec"]["egress"],
        json!([
            {"toCIDRSet": [{"cidr": "203.0.113.9/32"}], "toPorts": ports},
            {"toFQDNs": [{"matchName": "a.example.com"}, {"matchName": "b.example.com"}], "toPorts": ports},
        ])
    );
    assert_eq!(
        all[1].object["spec"]["egress"][0]["toPorts"],
        json!([
            {
                "ports": [{"port": "53", "protocol": "UDP"}, {"port": "53", "protocol": "TCP"}],
                "rules": {"dns": [{"matchPattern": "*"}]},
            },
            {"ports": [{"port": "9153", "protocol": "TCP"}]},
        ])
    );
    assert_eq!(
        told(&all[0]),
        "egress on TCP/443 also goes to every address that a.example.com, b.example.com will have, as Cilium's DNS proxy learns them"
    );
    assert!(all[0].remarks[0].is_wider() && !all[1].remarks[0].is_wider());
    assert!(
        told(&all[1]).starts_with("leads what its pods ask on port 53 through Cilium's DNS proxy"),
        "{}",
        told(&all[1])
    );
    let asked = &all[0].asked[0];
    assert_eq!((asked.name.as_str(), asked.times, asked.ports.as_str()), ("a.example.com", 3, "TCP/443"));
    assert_eq!(asked.askers, ["shop/web".to_owned()].into());
    // the same in any order
    assert_eq!(named(&[https(&["203.0.113.9/32"]), dns()], &[answers[1].clone(), answers[0].clone()])[0], all[0]);
}

#[test]
fn names_go_on_no_port_of_dns() {
    let answers = [answer("a.example.com", "203.0.113.9")];
    let ports = |ports: Value| {
        let rule = egress(&json!([{"ipBlock": {"cidr": "203.0.113.9/32"}}]), &ports);
        let all = named(&[rule, dns()], &answers);
        let rules = all[0].object["spec"]["egress"].as_array().unwrap().clone();
        let names = rules.into_iter().find(|rule| rule["toFQDNs"].is_array());
        names.map(|rule| rule["toPorts"][0]["ports"].clone())
    };
    let dns_alone = json!([{"port": 53, "protocol": "UDP"}, {"port": 53}]);
    assert_eq!(ports(dns_alone), None);
    assert_eq!(
        ports(json!([{"port": 53, "protocol": "UDP"}, {"port": 443}])),
        Some(json!([{"port": "443", "protocol": "TCP"}]))
    );
    let around = |first: &str, last: u16, protocol: &str| {
        [
            json!({"port": first, "endPort": 52, "protocol": protocol}),
            json!({"port": "54", "endPort": last, "protocol": protocol}),
        ]
    };
    assert_eq!(ports(json!([{"port": 30, "endPort": 80}])), Some(json!(around("30", 80, "TCP"))));
    let all = [around("1", 65_535, "TCP"), around("1", 65_535, "UDP")].concat();
    assert_eq!(ports(json!([])), Some(json!(all)));
}

#[test]
fn a_name_of_too_many_to_tell_whose_it_is_is_told_so() {
    let objects = [https(&["203.0.113.9/32"]), dns()];
    let object = |(n, spec): (usize, &Value)| RawObject {
        source: "web.yaml".into(),
        document: Some(n),
        object: json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": format!("p{n}"), "namespace": "shop"}, "spec": spec,
        }),
    };
    let objects: Vec<RawObject> = objects.iter().enumerate().map(object).collect();
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    let answers = Answers::new([]).with_crowded(["203.0.113.9".parse().unwrap()]);
    let all = convert(&set, &objects, Target::Cilium, &ground(), Some(&answers));
    assert!(
        told(&all[0]).ends_with("too many asked for a name of that, or used it, to tell who did"),
        "{}",
        told(&all[0])
    );
}

#[test]
fn an_answer_with_several_addresses_counts_once_for_each_who_asked() {
    let other = Answer { asker: [10, 244, 1, 11].into(), times: 2, ..answer("a.example.com", "203.0.113.9") };
    let answers = [answer("a.example.com", "203.0.113.9"), answer("a.example.com", "203.0.113.10"), other];
    let all = named(&[https(&["203.0.113.8/30"]), dns()], &answers);
    assert_eq!((all[0].asked.len(), all[0].asked[0].times, all[0].asked[0].addresses.len()), (1, 5, 2));
}

#[test]
fn a_name_counts_for_the_pods_that_were_answered_it_and_in_their_blocks() {
    let good = answer("a.example.com", "203.0.113.9");
    let others = [
        Answer { labels: [("app", "api")].into_iter().collect(), ..good.clone() },
        Answer { namespace: "other".into(), ..good.clone() },
        answer("a.example.com", "203.0.113.8"),
    ];
    let of_web = with_selector(https(&["203.0.113.9/32"]), "web");
    let all = named(&[of_web.clone(), dns()], &others);
    assert_eq!(
        told(&all[0]),
        "egress on TCP/443 goes to 203.0.113.9/32 by address alone: no answer is known in which DNS gave its pods a name of that"
    );
    assert_eq!((all[0].remarks[0].by_address_alone().len(), all[0].asked.len()), (1, 0));
    // nothing passes the proxy for nothing
    assert_eq!(all[1].remarks, []);
    let except = json!([{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.9/32"]}}]);
    let all = named(&[egress(&except, &json!([{"port": 443}])), dns()], std::slice::from_ref(&good));
    assert!(told(&all[0]).contains("203.0.113.0/24 by address alone"));
    assert!(named(&[of_web, dns()], &[good])[0].asked.len() == 1);
}

fn with_selector(mut spec: Value, app: &str) -> Value {
    spec["podSelector"] = json!({"matchLabels": {"app": app}});
    spec
}

#[test]
fn names_of_the_cluster_and_the_link_are_none() {
    for name in [
        "db",
        "svc.example.com",
        "db.shop.svc.cluster.local",
        "a.shop.svc.k8s.corp",
        "printer.local",
        "9.113.0.203.in-addr.arpa",
    ] {
        let all = named(&[https(&["203.0.113.9/32"]), dns()], &[answer(name, "203.0.113.9")]);
        assert!(all[0].asked.is_empty() && told(&all[0]).contains("by address alone"), "{name}: {}", told(&all[0]));
    }
}

#[test]
fn a_block_in_which_somebody_of_the_cluster_may_be_gets_no_names() {
    for cidr in ["10.244.1.0/24", "192.0.2.2/32", "169.254.169.254/32", "0.0.0.0/0", "224.0.0.9/32"] {
        let inside = cidr.parse::<IpNet>().unwrap().network().to_string();
        let all = named(&[https(&[cidr]), dns()], &[answer("a.example.com", &inside)]);
        assert!(all[0].asked.is_empty() && !told(&all[0]).contains("address alone"), "{cidr}: {}", told(&all[0]));
    }
    // a private address beside the cluster moves as others do, where it is known where the cluster is
    let all = named(&[https(&["10.1.2.3/32"]), dns()], &[answer("db.corp.example", "10.1.2.3")]);
    assert_eq!(all[0].asked.len(), 1);
    let block = |cidr: &str| IpBlock { cidr: cidr.parse().unwrap(), except: Vec::new() };
    assert!(
        !Ground::default().is_outside(&block("10.1.2.3/32")) && Ground::default().is_outside(&block("203.0.113.9/32"))
    );
    let known = ground().with_ranges(["10.1.0.0/16".parse().unwrap()]);
    assert!(!known.is_outside(&block("10.1.2.3/32")) && known.is_outside(&block("10.2.0.0/16")));
}

#[test]
fn more_names_than_somebody_reads_are_not_written() {
    let many = |addresses: u8, of_each: usize| -> Vec<Answer> {
        let all = (0..addresses).flat_map(|n| (0..of_each).map(move |name| (n, name)));
        all.map(|(n, name)| answer(&format!("n{name}.a{n}.example.com"), &format!("203.0.113.{n}"))).collect()
    };
    let all = named(&[https(&["203.0.113.0/32", "203.0.113.1/32"]), dns()], &[many(1, 17), many(2, 1)].concat());
    assert!(told(&all[0]).contains("203.0.113.0/32 by address alone: its pods use more names"), "{}", told(&all[0]));
    assert_eq!(all[0].asked.len(), 1, "the other block has its name");
    let blocks: Vec<String> = (0..5).map(|n| format!("203.0.113.{n}/32")).collect();
    let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
    assert_eq!(named(&[https(&blocks[..4]), dns()], &many(4, 16))[0].asked.len(), 64);
    let all = named(&[https(&blocks), dns()], &many(5, 16));
    assert_eq!((all[0].asked.len(), all[0].remarks[0].by_address_alone().len()), (0, 5));
}

#[test]
fn names_that_the_proxy_would_not_learn_are_not_written() {
    let answers = [answer("a.example.com", "203.0.113.9")];
    let web = https(&["203.0.113.9/32"]);
    let alone = named(std::slice::from_ref(&web), &answers);
    assert!(
        told(&alone[0])
            .ends_with("no rule of port 53 (UDP) among these policies lets them ask through Cilium's DNS proxy")
    );
    assert_eq!(alone[0].object["spec"]["egress"].as_array().map(Vec::len), Some(1));
    let cache = egress(&json!([{"ipBlock": {"cidr": "169.254.20.10/32"}}]), &json!([{"port": 53, "protocol": "UDP"}]));
    let by_node = named(&[web.clone(), cache.clone()], &answers);
    assert!(told(&by_node[0]).ends_with("they ask on their own node, where Cilium's DNS proxy does not see it"));
    assert_eq!(by_node[1].object["spec"], cilium(&cache));
    // beside a resolver elsewhere the cache stays as it was
    let both = json!([{"ipBlock": {"cidr": "169.254.20.10/32"}}, {"ipBlock": {"cidr": "198.51.100.53/32"}}]);
    let both = named(&[web.clone(), egress(&both, &json!([{"port": 53, "protocol": "UDP"}]))], &answers);
    let rules = both[1].object["spec"]["egress"].as_array().unwrap();
    let is_led = |rule: &Value| rule["toPorts"][0]["rules"].is_object();
    assert_eq!(rules.iter().map(is_led).collect::<Vec<_>>(), [true, false, false], "{rules:?}");
    assert_eq!(rules[1]["toCIDRSet"][0]["cidr"], "169.254.20.10/32");
    assert!(told(&both[1]).contains("lets its pods ask on their own node"), "{}", told(&both[1]));
    // another port, or a range, is no rule about DNS
    for ports in [json!([{"port": 5353, "protocol": "UDP"}]), json!([{"port": 50, "endPort": 60, "protocol": "UDP"}])] {
        assert!(named(&[web.clone(), egress(&json!([]), &ports)], &answers)[0].asked.is_empty());
    }
}

#[test]
fn a_rule_beside_which_one_about_dns_has_no_effect_is_told() {
    let answers = [answer("a.example.com", "203.0.113.9")];
    let mut open = dns();
    open["egress"][0].as_object_mut().unwrap().remove("ports");
    let all = named(&[https(&["203.0.113.9/32"]), dns(), open], &answers);
    assert!(
        told(&all[2]).contains("egress on all ports lets its pods ask DNS without a rule about DNS"),
        "{}",
        told(&all[2])
    );
    let of_others =
        named(&[https(&["203.0.113.9/32"]), dns(), egress(&json!([{"podSelector": {}}]), &json!([]))], &answers);
    assert_eq!(of_others[2].remarks, []);
}
