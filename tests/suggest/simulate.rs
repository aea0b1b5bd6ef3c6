//! `flowmap simulate` on the sample: what proposals would have done to what was seen.

use std::fs;

use serde_json::{Value, json};

use crate::{
    common::{
        Flowmap,
        cluster::{node, of, owned, pod},
        proposal::proposed,
    },
    warnings::{SUGGEST, flowmap, review, talk},
};

fn policy(name: &str, spec: &str) -> String {
    let head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n";
    format!("{head}metadata: {{name: {name}, namespace: production}}\nspec: {spec}\n")
}

/// The inventory of the sample with one more object.
fn deploy(flowmap: &Flowmap, object: &str) {
    let text = fs::read_to_string(crate::common::sample("cluster.json")).unwrap();
    let mut cluster: Value = serde_json::from_str(&text).unwrap();
    let object = flowmap::policy::read("x", object).unwrap().remove(0).object;
    cluster["items"].as_array_mut().unwrap().push(object);
    flowmap.write("cluster.json", cluster.to_string());
}

fn simulate(flowmap: &Flowmap, args: &[&str]) -> Value {
    let output = flowmap.run(&[&["simulate", "-o", "json"], args].concat());
    assert!(output.code < 2, "{}", output.stderr);
    let value: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code == 0, value["denied"] == 0, "the exit code tells the verdict");
    value
}

#[test]
fn every_connection_is_allowed_denied_or_uncertain() {
    let flowmap = proposed();
    let simulation = simulate(&flowmap, &["out"]);
    let count = |key: &str| simulation[key].as_u64().unwrap();
    assert_eq!(count("allowed") + count("denied") + count("uncertain"), count("connections"));
    assert!(count("also_closed") > 0, "the sample holds a scan");
    let closed: u64 =
        simulation["closed"].as_array().unwrap().iter().map(|it| it["connections"].as_u64().unwrap()).sum();
    assert_eq!(closed, count("also_closed"));
    assert_eq!(simulation["excess"]["over_permission"], json!(1.0), "{}", simulation["excess"]);
    assert_eq!(simulation["reading"]["dnat"], "after");
    let (alone, beside) = (flowmap.ok(&["simulate", "out"]), flowmap.ok(&["simulate", "out", "--versus", "out"]));
    assert!(alone.stdout.contains("\nover-permission 1.00: 0 ways open"), "{}", alone.stdout);
    assert_eq!(beside.stdout.matches("1.00\n").count(), 2, "{}", beside.stdout);
    flowmap.write("none.yaml", policy("none", "{podSelector: {}, policyTypes: [Ingress, Egress]}"));
    assert!(simulate(&flowmap, &["none.yaml"])["denied"].as_u64().unwrap() > 100);
    let only = simulate(&flowmap, &["none.yaml", "-n", "kube-system"]);
    assert!(only["connections"].as_u64() < simulation["connections"].as_u64(), "one namespace alone");
}

#[test]
fn a_deployed_policy_that_undoes_the_proposal_is_named() {
    let flowmap = proposed();
    deploy(&flowmap, &policy("legacy", "{podSelector: {}, ingress: [{}]}"));
    let args = ["out", "--inventory", "cluster.json"];
    let simulation = simulate(&flowmap, &args);
    let undone = simulation["undone"].as_array().unwrap();
    assert_eq!(undone.len(), 1, "{undone:?}");
    assert_eq!((&undone[0]["policy"], &undone[0]["direction"]), (&json!("production/legacy"), &json!("ingress")));
    let workloads = undone[0]["workloads"].as_array().unwrap();
    assert!(workloads.contains(&json!("production/db")), "{workloads:?}");
    assert!(simulation["excess"]["over_permission"].as_f64().unwrap() > 2.0);
    assert_eq!(simulation["excess"]["widest"][0]["rule"], "production/legacy spec.ingress[0]");
    let text = flowmap.ok(&["simulate", "out", "--inventory", "cluster.json"]).stdout;
    assert!(text.contains("undone by deployed production/legacy: ingress of production/"), "{text}");
    assert_eq!(simulate(&flowmap, &[&args[..], &["--only"]].concat())["undone"], json!([]));
}

#[test]
fn several_proposals_stand_side_by_side() {
    let flowmap = proposed();
    flowmap.write("none.yaml", policy("none", "{podSelector: {}, policyTypes: [Ingress, Egress]}"));
    let value = simulate(&flowmap, &["out", "--versus", "none.yaml"]);
    assert_eq!(value["denied"], 0);
    let other = &value["versus"][0];
    assert_eq!(other["proposal"], "none.yaml");
    assert_eq!(other["denied"], simulate(&flowmap, &["none.yaml"])["denied"]);
    let text = flowmap.ok(&["simulate", "out", "--versus", "none.yaml"]).stdout;
    assert!(text.starts_with("PROPOSAL"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("none.yaml")), "{text}");
}

#[test]
fn reach_is_told_before_and_after() {
    let flowmap = proposed();
    let value = simulate(&flowmap, &["out", "--reach"]);
    let reach = value["reach"].as_array().unwrap();
    let db = reach.iter().find(|it| it["after"]["workload"] == "production/db").unwrap();
    assert_eq!((&db["before"]["reached_by"], &db["after"]["reached_by"]), (&json!(6), &json!(1)));
    assert_eq!((&db["after"]["reaches"], &db["after"]["reached_from_outside"]), (&json!(0), &json!(false)));
    let text = flowmap.ok(&["simulate", "out", "--reach"]).stdout;
    assert!(text.contains("REACHED BY") && text.lines().all(|line| line.len() <= 100), "{text}");
}

#[test]
fn invalid_policies_are_refused_or_counted_and_other_kinds_are_named() {
    let flowmap = proposed();
    flowmap.write("out/bad.yaml", policy("bad", "{podSelector: {}, ingress: [{ports: [{port: 70000}]}]}"));
    let why = "out/bad.yaml: document 1: spec.ingress[0].ports[0].port: 70000 is not between 1 and 65535";
    flowmap.run(&["simulate", "out"]).is_an_error(&[why, "--lenient"]);
    let output = flowmap.ok(&["simulate", "out", "--lenient"]);
    for words in ["skipped: ", why, "1 invalid policy was skipped"] {
        assert!(output.stderr.contains(words), "no `{words}` in {}", output.stderr);
    }
    let cilium = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: production}\n";
    flowmap.write("out/bad.yaml", cilium);
    let output = flowmap.ok(&["simulate", "out"]);
    assert!(output.stderr.contains("not evaluated: CiliumNetworkPolicy production/c"), "{}", output.stderr);
}

/// Two pods, `a` and `b`, and a policy that closes all of them.
fn two_pods() -> Flowmap {
    let flowmap = Flowmap::new();
    let pod = |name: &str, address: &str| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "production", "labels": {"app": name}},
            "spec": {"nodeName": "n1", "hostNetwork": name == "agent", "containers": [{"name": "c"}]},
            "status": {"phase": "Running", "podIP": address, "hostIP": "192.0.2.1"}})
    };
    let pods = [pod("a", "10.244.1.11"), pod("b", "10.244.1.12"), pod("agent", "192.0.2.1")];
    flowmap.write("cluster.json", json!({"apiVersion": "v1", "kind": "List", "items": pods}).to_string());
    flowmap.write("none.yaml", policy("none", "{podSelector: {}, policyTypes: [Ingress, Egress]}"));
    flowmap
}

#[test]
fn what_a_node_sent_is_no_pods_also_where_policies_select_those_of_its_network() {
    let flowmap = two_pods();
    flowmap
        .write("flows.csv", "client,server,protocol,port,connections,packets\n10.244.1.11,10.244.1.12,TCP,80,8,80\n");
    let args = ["simulate", "none.yaml", "--from", "flows.csv", "--inventory", "cluster.json"];
    let words = "which pod in a node's network it was no packet tells";
    assert!(!flowmap.run(&args).stderr.contains(words));
    let told = flowmap.run(&[&args[..], &["--host-network", "selected"]].concat());
    assert!(told.stderr.contains(words), "{}", told.stderr);
}

#[test]
fn protocols_that_no_policy_names_are_told_of() {
    let flowmap = two_pods();
    let flow = |protocol: &str, port: u16| format!("10.244.1.11,10.244.1.12,{protocol},{port},8,80\n");
    let flows = flow("TCP", 80) + &flow("GRE", 0) + &flow("ICMP", 0);
    flowmap.write("flows.csv", format!("client,server,protocol,port,connections,packets\n{flows}"));
    let told = flowmap.run(&["simulate", "none.yaml", "--from", "flows.csv", "--inventory", "cluster.json"]);
    assert!(told.stdout.contains("\n8 connections: 0 allowed, 8 denied"), "{}", told.stdout);
    assert!(told.stderr.contains("GRE: 8 connections: no NetworkPolicy names it"), "{}", told.stderr);
    assert!(told.stderr.contains("ICMP: 8 connections: no NetworkPolicy names it"), "{}", told.stderr);
}

/// A policy of `shop` for what the pods of an application call.
fn calls(name: &str, app: &str, egress: &Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Egress"], "egress": egress}})
}

#[test]
fn what_is_deployed_for_the_other_direction_counts_as_in_simulate_and_is_told_apart() {
    let shop = flowmap(&talk(), &[calls("strict", "web", &json!([]))]);
    let ingress = [&SUGGEST[..], &["--direction", "ingress"]].concat();
    let told = shop.run(&ingress);
    assert_eq!(told.code, 1, "{}", told.stdout);
    assert!(told.stdout.contains("2 connections: 0 allowed, 2 denied, 0 uncertain"), "{}", told.stdout);
    let words =
        "The proposal by itself: 2 allowed, 0 denied, 0 uncertain; what is deployed denies 2 already, without it.";
    assert!(told.stdout.replace('\n', " ").contains(words), "{}", told.stdout);
    let review = review(&shop);
    assert!(review.contains("would break but **what deployed policies deny already**."), "{review}");
    assert!(review.contains("What is deployed denies 2 of these already, without the proposal."), "{review}");
    assert!(review.contains("- denied besides: shop/web -> shop/api on TCP/8080, 2 connections"), "{review}");
    assert!(shop.read("out/report.html").contains("would break but what deployed policies deny already."));
    assert_eq!(shop.run(&["suggest", "-n", "shop", "--direction", "ingress", "--out-dir", "-"]).code, 1);

    let told: Value = serde_json::from_str(&shop.run(&[&ingress[..], &["-o", "json"]].concat()).stdout).unwrap();
    let judged = simulate(&shop, &["out"]);
    for figure in ["connections", "allowed", "denied", "uncertain"] {
        assert_eq!(told["replay"][figure], judged[figure], "{figure}: {told}");
    }
    assert_eq!([&told["denied_already"], &told["replay_by_itself"]["denied"]], [2, 0], "{told}");
}

#[test]
fn what_neither_denies_alone_would_break_all_the_same() {
    // the proposal's policy of this name has nothing to say of calls, and takes the place of what allowed them
    let deployed = [calls("strict", "api", &json!([])), calls("api", "api", &json!([{}]))];
    let mut capture = talk();
    capture.talk("10.244.1.6:40000", "10.244.1.5:9090");
    let shop = flowmap(&capture, &deployed);
    let told = shop.run(&[&SUGGEST[..], &["--direction", "ingress", "-o", "json"]].concat());
    let json: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told.code, 1);
    assert_eq!([&json["replay"]["denied"], &json["denied_already"]], [1, 0], "{json}");
    let review = review(&shop);
    assert!(review.contains("3 allowed, 0 denied, 0 uncertain. **Something that was seen would break.**"), "{review}");
    assert!(review.contains("- denied with what is deployed: shop/api -> shop/web on TCP/9090"), "{review}");
}

#[test]
fn blocks_of_nodes_are_told_where_cilium_reaches_none_by_its_address() {
    let block = |name: &str, cidr: &str| {
        let spec = format!("{{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]}}");
        policy(name, &spec).replace("production", "shop")
    };
    for (plugin, is_told) in [("cilium", true), ("calico-node", false)] {
        let agent = owned(of("kube-system", pod(plugin, "10.244.1.77")), "DaemonSet", plugin);
        let flowmap = flowmap(&talk(), &[node("node-9", "198.51.100.9", "10.244.9.0/24"), agent]);
        flowmap.write("all.yaml", block("all", "0.0.0.0/0"));
        flowmap.write("nodes.yaml", block("nodes", "198.51.100.0/24") + "---\n" + &block("other", "203.0.113.0/24"));
        let said = |args: &[&str]| flowmap.run(&[&["simulate", "--only"], args].concat()).stderr;
        let nodes = said(&["nodes.yaml"]);
        assert_eq!(
            nodes.contains("flowmap: shop/nodes: Cilium, which runs here, reaches nodes by no ipBlock"),
            is_told
        );
        assert!(!said(&["all.yaml"]).contains("Cilium"));
        let pods = said(&["all.yaml", "--ipblock-matches-pods"]);
        assert_eq!(pods.contains("Cilium, which runs here, reaches pods by no ipBlock"), is_told, "{pods}");
    }
}
