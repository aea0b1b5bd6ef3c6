//! Pods on the network of their nodes, whose labels no policy can select: what is proposed for whom they dial and for who
//! dials them.

use serde_json::{Value, json};

use crate::common::{
    case::{Case, cluster},
    cluster::{node, object, pod, service, with},
};

/// The addresses of the nodes.
const NODES: [&str; 3] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];

/// A `DaemonSet`'s pod on each of these nodes' network, that answers on 9100.
fn agents(name: &str, nodes: &[usize]) -> Vec<Value> {
    let agent = |n: &usize| {
        let mut agent = pod(&format!("{name}-{n}"), NODES[n - 1]);
        agent["metadata"]["namespace"] = "logging".into();
        agent["metadata"]["ownerReferences"] = json!([{"kind": "DaemonSet", "name": name, "controller": true}]);
        agent["spec"]["hostNetwork"] = true.into();
        agent["spec"]["nodeName"] = format!("node-{n}").into();
        with(agent, "/spec/containers/0/ports/0/containerPort", json!(9100))
    };
    nodes.iter().map(agent).collect()
}

fn case(agents: &[Vec<Value>], draw: impl FnOnce(&mut crate::common::packets::Capture)) -> Case {
    let mut items = cluster(&[node("node-3", "192.0.2.3", "10.244.3.0/24")]);
    items.extend(agents.concat());
    Case::new(&items, draw)
}

/// Which nodes a policy names.
fn nodes_in(policy: &str) -> Vec<&'static str> {
    NODES.into_iter().filter(|address| policy.contains(&format!("cidr: {address}/32"))).collect()
}

#[test]
fn who_is_dialled_by_a_daemon_set_of_one_node_is_open_to_all_its_nodes() {
    let case = case(&[agents("shipper", &[1, 2, 3]), agents("kube-proxy", &[1, 2, 3])], |capture| {
        capture.talk("192.0.2.2:40000", "10.244.1.6:8080");
    });
    assert_eq!(nodes_in(&case.policy("api")), NODES, "the pod, or another node's agent, comes elsewhere tomorrow");
    let review = case.document("REVIEW.md");
    let told = "as the DaemonSet logging/shipper may do from the network of each of its nodes";
    assert!(review.contains(told) && !review.contains("kube-proxy"), "{review}");
    assert!(case.is_whole());
}

#[test]
fn a_node_without_such_pods_stands_for_itself() {
    let case = case(&[agents("shipper", &[1, 3]), agents("kube-proxy", &[1, 2, 3])], |capture| {
        capture.talk("192.0.2.2:40000", "10.244.1.6:8080");
    });
    assert_eq!(nodes_in(&case.policy("api")), ["192.0.2.2"]);
}

#[test]
fn the_daemon_set_on_the_fewest_nodes_is_meant() {
    let case = case(&[agents("shipper", &[1, 2]), agents("monitor", &[1, 2, 3])], |capture| {
        capture.talk("192.0.2.2:40000", "10.244.1.6:8080");
    });
    assert_eq!(nodes_in(&case.policy("api")), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn who_dials_a_daemon_set_on_one_node_may_dial_it_on_all() {
    let case = case(&[agents("exporter", &[1, 2, 3])], |capture| {
        capture.talk("10.244.1.5:40000", "192.0.2.2:9100").talk("10.244.1.6:40000", "192.0.2.2:22");
    });
    assert_eq!(nodes_in(&case.policy("web")), NODES, "it declares the port");
    assert_eq!(nodes_in(&case.policy("api")), ["192.0.2.2"], "nobody declares this one");
}

#[test]
fn webhooks_are_asked_by_all_api_servers_under_the_addresses_that_nodes_use() {
    let mut hook = object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "checks");
    hook["metadata"].as_object_mut().unwrap().remove("namespace");
    let asked = json!({"service": {"name": "api", "namespace": "shop", "port": 80}});
    hook["webhooks"] = json!([{"name": "checks.example.com", "clientConfig": asked}]);
    let mut api_servers = object("v1", "Endpoints", "kubernetes");
    api_servers["metadata"]["namespace"] = "default".into();
    let addresses = json!([{"ip": "192.0.2.101"}, {"ip": "192.0.2.102"}]);
    api_servers["subsets"] = json!([{"addresses": addresses, "ports": [{"name": "https", "port": 6443}]}]);
    let mut kubernetes = service("kubernetes", "10.96.0.1");
    kubernetes["metadata"]["namespace"] = "default".into();
    kubernetes["spec"].as_object_mut().unwrap().remove("selector");
    kubernetes["spec"]["ports"] = json!([{"name": "https", "port": 443, "targetPort": 6443}]);
    let items = cluster(&[
        node("cp-1", "192.0.2.101", "10.244.11.0/24"),
        node("cp-2", "192.0.2.102", "10.244.12.0/24"),
        service("api", "10.96.0.7"),
        hook,
        api_servers,
        kubernetes,
    ]);
    let ends = |draw: fn(&mut crate::common::packets::Capture)| -> Vec<&str> {
        let policy = Case::new(&items, draw).policy("api");
        let all = ["192.0.2.101", "192.0.2.102", "10.244.11.0", "10.244.12.0", "10.244.2.0", "192.0.2.2"];
        all.into_iter().filter(|address| policy.contains(&format!("cidr: {address}/32"))).collect()
    };
    let own = ["192.0.2.101", "192.0.2.102"];
    assert_eq!(ends(|_| {}), own, "none was seen to ask");
    let over_overlay = ends(|capture| {
        capture.talk("10.244.12.0:40000", "10.244.1.6:8080");
    });
    assert_eq!(over_overlay, [own[0], own[1], "10.244.11.0", "10.244.12.0"], "one was, over an overlay");
}

/// A node with the address that Calico gave its end of the tunnels between nodes.
fn tunnelled(name: &str, address: &str, range: &str, tunnel: &str) -> Value {
    let annotations = json!({"projectcalico.org/IPv4IPIPTunnelAddr": tunnel});
    with(node(name, address, range), "/metadata/annotations", annotations)
}

#[test]
fn where_nodes_come_by_their_tunnels_all_nodes_do() {
    let mut items = vec![
        tunnelled("node-1", "192.0.2.1", "10.244.1.0/24", "10.244.1.192"),
        tunnelled("node-2", "192.0.2.2", "10.244.2.0/24", "10.244.2.192"),
        tunnelled("node-3", "192.0.2.3", "10.244.3.0/24", "10.244.3.192"),
        pod("web", "10.244.1.5"),
        pod("api", "10.244.1.6"),
    ];
    items.extend(agents("shipper", &[1, 2, 3]));
    let case = Case::new(&items, |capture| {
        capture.talk("10.244.2.192:40000", "10.244.1.6:8080");
    });
    let policy = case.policy("api");
    for tunnel in ["10.244.1.192", "10.244.2.192", "10.244.3.192"] {
        assert!(policy.contains(&format!("cidr: {tunnel}/32")), "{tunnel}: {policy}");
    }
    assert!(nodes_in(&policy).is_empty(), "from the others nothing comes: {policy}");
}

/// The API server at two addresses, and a webhook at `api` of `shop`.
fn with_webhook(api_servers: &[&str], hook: Value) -> Vec<Value> {
    let mut endpoints = object("v1", "Endpoints", "kubernetes");
    endpoints["metadata"]["namespace"] = "default".into();
    let addresses: Vec<Value> = api_servers.iter().map(|address| json!({"ip": address})).collect();
    endpoints["subsets"] = json!([{"addresses": addresses, "ports": [{"name": "https", "port": 6443}]}]);
    let mut kubernetes = service("kubernetes", "10.96.0.1");
    kubernetes["metadata"]["namespace"] = "default".into();
    kubernetes["spec"].as_object_mut().unwrap().remove("selector");
    kubernetes["spec"]["ports"] = json!([{"name": "https", "port": 443, "targetPort": 6443}]);
    vec![service("api", "10.96.0.7"), hook, endpoints, kubernetes]
}

fn of_cluster(version: &str, kind: &str, name: &str, spec: Value) -> Value {
    let mut object = object(version, kind, name);
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    with(object, "/spec", spec)
}

#[test]
fn conversions_and_servers_of_the_api_are_asked_by_the_api_server_too() {
    let service = json!({"name": "api", "namespace": "shop", "port": 80});
    let conversion = json!({"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"service": service}}},
                            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"description": "long"}}}]});
    for (hook, words) in [
        (
            of_cluster("apiextensions.k8s.io/v1", "CustomResourceDefinition", "xs.example.com", conversion),
            "the API server has objects of xs.example.com converted",
        ),
        (
            of_cluster("apiregistration.k8s.io/v1", "APIService", "v1.example.com", json!({"service": service})),
            "the API server hands on what is asked of v1.example.com",
        ),
    ] {
        let case = Case::new(&cluster(&with_webhook(&["192.0.2.101"], hook)), |_| {});
        assert!(case.policy("api").contains("cidr: 192.0.2.101/32"), "{}", case.policy("api"));
        assert!(case.document("REVIEW.md").contains(words));
    }
    let none = of_cluster("apiextensions.k8s.io/v1", "CustomResourceDefinition", "xs.example.com", json!({}));
    let case = Case::new(&cluster(&with_webhook(&["192.0.2.101"], none)), |_| {});
    assert!(!case.policy("api").contains("192.0.2.101"), "nothing is asked of it");
}

#[test]
fn where_the_api_server_reaches_pods_by_agents_these_ask_webhooks() {
    let service = json!({"name": "api", "namespace": "shop", "port": 80});
    let hook = of_cluster("apiregistration.k8s.io/v1", "APIService", "v1.example.com", json!({"service": service}));
    let mut items = cluster(&with_webhook(&["198.51.100.50"], hook));
    let agent = with(pod("konnectivity-agent", "10.244.2.8"), "/metadata/namespace", "kube-system".into());
    let policy = |items: &[Value]| Case::new(items, |_| {}).policy("api");
    assert!(!policy(&items).contains("konnectivity"));
    items.push(with(agent, "/spec/nodeName", "node-2".into()));
    let policy = policy(&items);
    assert!(policy.contains("app: konnectivity-agent") && policy.contains("name: kube-system"), "{policy}");
}
