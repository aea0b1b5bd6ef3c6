mod cluster_network_policy;
mod names;

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::*;
use crate::model::{Cluster, Node, Pod, Service, ServiceKind, WorkloadRef};

fn node(name: &str, address: &str, range: &str) -> Node {
    let pod_ranges = vec![range.parse().unwrap()];
    Node { name: name.into(), addresses: vec![address.parse().unwrap()], pod_ranges, labels: None }
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
    let service = Service {
        namespace: "kube-system".into(),
        name: "kube-dns".into(),
        kind: ServiceKind::ClusterIp,
        selector: None,
        cluster_ips: vec!["10.96.0.10".parse().unwrap()],
        external_ips: Vec::new(),
        proxied_ips: Vec::new(),
        source_ranges: Vec::new(),
        keeps_sources: false,
        ports: Vec::new(),
    };
    let cluster = Cluster { nodes, pods: vec![pod], services: vec![service], ..Cluster::default() };
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
    converted(spec, Target::Cilium).objects[0]["spec"].clone()
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
    let object = converted(&json!({"podSelector": {}}), Target::Cilium).objects.remove(0);
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
    let service = json!([{"ipBlock": {"cidr": "10.96.0.10/32"}}]);
    let words = "egress names 10.96.0.10/32, in which the inventory has 1 Service: Cilium judges by the pods behind a Service, and \
                 never by its address";
    assert_eq!(remarks(&egress(&service, &json!([{"port": 53, "protocol": "UDP"}]))), [words]);
    assert_eq!(remarks(&ingress(&service, &json!([{"port": 53, "protocol": "UDP"}]))), [""; 0]);
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
    for key in ["controller-uid", "batch.kubernetes.io/controller-uid", "pod-template-hash", "k8s.io/x"] {
        let spec = json!({"podSelector": {"matchLabels": {key: "1"}}, "policyTypes": ["Ingress"]});
        let told = remarks(&spec);
        assert!(told.iter().any(|remark| remark.contains(key)), "{key}: {told:?}");
    }
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
    assert_eq!((&staged.objects[0]["spec"], staged.remarks.len()), (&expected, 0));
    assert_eq!(staged.objects[0]["kind"], "StagedKubernetesNetworkPolicy");
    assert_eq!(staged.objects[0]["apiVersion"], "projectcalico.org/v3");
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
    assert_eq!((all.len(), &all[0].objects[0]["spec"]["podSelector"]["matchLabels"]["app"]), (1, &json!("web")));
}
