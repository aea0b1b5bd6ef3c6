//! Ports that a node opens for one of its pods (`hostPort`): who dials one talks with the pod.

use std::fs;

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, pod, with},
};

/// Closes the pods of `agent`.
const CLOSED: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: shop}\n\
                      spec: {podSelector: {matchLabels: {app: agent}}, policyTypes: [Ingress]}\n";

/// `agent` on both nodes behind port 8125 of each, its own being 9125, and `cli` on the second.
fn shop(opened: &Value) -> Flowmap {
    let on = |name: &str, address: &str, n: u8| {
        let placed = with(pod(name, address), "/spec/nodeName", format!("node-{n}").into());
        let named = with(placed, "/metadata/name", format!("{name}-{n}").into());
        with(named, "/status/hostIP", format!("192.0.2.{n}").into())
    };
    let agent = |address: &str, n: u8| {
        let owner = json!([{"kind": "DaemonSet", "name": "agent", "controller": true}]);
        let made = with(on("agent", address, n), "/metadata/ownerReferences", owner);
        with(made, "/spec/containers", json!([{"name": "agent", "ports": [opened]}]))
    };
    let items = [
        node("node-1", "192.0.2.1", "10.244.1.0/24"),
        node("node-2", "192.0.2.2", "10.244.2.0/24"),
        agent("10.244.1.5", 1),
        agent("10.244.2.5", 2),
        on("cli", "10.244.2.7", 2),
    ];
    let flowmap = Flowmap::new();
    flowmap.write("cluster.json", list(&items));
    flowmap.write("closed.yaml", CLOSED);
    flowmap
}

fn opened() -> Value {
    json!({"containerPort": 9125, "hostPort": 8125, "protocol": "UDP"})
}

/// What a flow log has of one exchange.
fn seen(flowmap: &Flowmap, client: &str, server: &str) {
    flowmap.write("seen.csv", format!("client,server,protocol,port\n{client},{server},UDP,8125\n"));
}

fn ask(flowmap: &Flowmap, args: &[&str]) -> Value {
    let files = ["--from", "seen.csv", "--inventory", "cluster.json", "-o", "json"];
    let output = flowmap.run(&[args, &files].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {}", output.stderr))
}

#[test]
fn who_dials_the_port_of_a_node_talks_with_its_pod() {
    let flowmap = shop(&opened());
    for client in ["198.51.100.8", "10.244.2.7"] {
        for (server, behind) in [("192.0.2.1", "10.244.1.5"), ("192.0.2.2", "10.244.2.5")] {
            seen(&flowmap, client, server);
            let flow = &ask(&flowmap, &["flows"])[0];
            let told = json!([flow["server"]["name"], flow["server"]["addresses"], flow["port"], flow["marks"]]);
            assert_eq!(told, json!(["shop/agent", [behind], 9125, []]), "{client} to {server}");
            assert_eq!((&flow["via"][0]["address"], &flow["via"][0]["port"]), (&json!(server), &json!(8125)));
            assert_eq!(ask(&flowmap, &["simulate", "closed.yaml"])["denied"], 1, "{client} to {server}");
        }
    }
}

#[test]
fn a_question_about_the_port_is_one_about_the_pod_there() {
    let flowmap = shop(&opened());
    let explained = |to: &str, port: &str| {
        let who = ["--policies", "closed.yaml", "--inventory", "cluster.json", "-o", "json"];
        let output = flowmap.run(&[&["explain", "external", to, port][..], &who].concat());
        serde_json::from_str::<Value>(&output.stdout).expect("an answer")
    };
    for to in ["192.0.2.1", "node-2"] {
        assert_eq!(explained(to, "8125/UDP")["allowed"], false, "{to}");
        assert_eq!(explained(to, "8125")["allowed"], true, "of {to} only the UDP port leads on");
        assert_eq!(explained(to, "9125/UDP")["allowed"], true, "the container's number is none of {to}");
    }
}

#[test]
fn rules_let_in_by_the_pods_own_port() {
    let flowmap = shop(&opened());
    let propose = |client: &str, server: &str| {
        seen(&flowmap, client, server);
        let files = ["--from", "seen.csv", "--inventory", "cluster.json", "--isolate-unseen"];
        let output = flowmap.run(&[&["suggest", "-n", "shop", "--out-dir", "-"][..], &files].concat());
        assert_eq!(output.code, 0, "nothing that was seen is denied: {}", output.stderr);
        output.stdout
    };
    let policies = propose("198.51.100.8", "192.0.2.1");
    assert!(policies.contains("cidr: 0.0.0.0/0") && policies.contains("port: 9125"), "open to anyone: {policies}");
    assert!(!policies.contains("port: 8125"), "a pod has no such port: {policies}");
    let policies = propose("10.244.2.7", "192.0.2.1");
    let (own, of_node) = (policies.matches("port: 9125").count(), policies.matches("port: 8125").count());
    assert_eq!((own >= 2, of_node), (true, 1), "the pod, and the other node on the way out: {policies}");
}

#[test]
fn a_port_that_two_workloads_had_is_nobodys() {
    let flowmap = shop(&opened());
    let cluster = fs::read_to_string(flowmap.path("cluster.json")).expect("a cluster");
    let mut cluster: Value = serde_json::from_str(&cluster).expect("JSON");
    let items = cluster["items"].as_array_mut().expect("a list");
    let mut other = items[2].clone();
    other["metadata"]["name"] = "other".into();
    other["metadata"]["ownerReferences"][0]["name"] = "other".into();
    other["status"]["podIP"] = "10.244.1.9".into();
    other["status"]["podIPs"] = json!([{"ip": "10.244.1.9"}]);
    items.push(other);
    flowmap.write("cluster.json", cluster.to_string());
    seen(&flowmap, "198.51.100.8", "192.0.2.1");
    assert_eq!(ask(&flowmap, &["flows"])[0]["server"]["name"], "node-1");
    seen(&flowmap, "198.51.100.8", "192.0.2.2");
    assert_eq!(ask(&flowmap, &["flows"])[0]["server"]["name"], "shop/agent");
}

#[test]
fn a_port_at_one_address_is_open_there_alone() {
    let bound = |address: &str| {
        let mut port = opened();
        port["hostIP"] = address.into();
        let flowmap = shop(&port);
        seen(&flowmap, "198.51.100.8", "192.0.2.1");
        ask(&flowmap, &["flows"])[0]["server"]["name"].clone()
    };
    assert_eq!(bound("192.0.2.1"), "shop/agent");
    assert_eq!(bound("0.0.0.0"), "shop/agent");
    for elsewhere in ["192.0.2.9", "127.0.0.1", "::1"] {
        assert_eq!(bound(elsewhere), "node-1", "{elsewhere}");
    }
    let mut port = opened();
    port["hostIP"] = "127.0.0.1".into();
    let flowmap = shop(&port);
    flowmap.write("seen.csv", "client,server,protocol,port\n198.51.100.8,10.244.1.5,UDP,9125\n");
    let files = ["--from", "seen.csv", "--inventory", "cluster.json"];
    let output = flowmap.run(&[&["suggest", "-n", "shop", "--out-dir", "-"][..], &files].concat());
    assert!(!output.stdout.contains("0.0.0.0/0"), "loopback is open to nobody: {}", output.stdout);
}
