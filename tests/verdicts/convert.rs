//! `flowmap convert`: NetworkPolicies as the kinds of network plugins.

use std::fs;

use serde_json::json;

use crate::common::{
    Flowmap, case,
    cluster::{list, service},
    packets::Capture,
    sample,
};

/// A cluster of two nodes, with the API server on the first.
fn cluster(flowmap: &Flowmap) {
    let node = |name: &str, address: &str| {
        json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"addresses": [{"type": "InternalIP", "address": address}]},
        })
    };
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "kubernetes"},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
    });
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"namespace": "default", "name": "kubernetes"},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"name": "https", "port": 6443}]}],
    });
    let items = [node("node-1", "192.0.2.1"), node("node-2", "192.0.2.2"), service, endpoints];
    flowmap.write("cluster.json", json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
}

const POLICIES: &str = r#"# who may call
# 12 connections
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{ipBlock: {cidr: 192.0.2.2/32}}]
    ports: [{port: 8080}]
  egress:
  - to: [{ipBlock: {cidr: 192.0.2.1/32}}]
    ports: [{port: 6443}]
---
# nobody
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: "on", namespace: shop}
spec: {podSelector: {}}
"#;

const TO_CILIUM: [&str; 5] = ["convert", "np.yaml", "--to", "cilium", "--inventory"];

fn convert(flowmap: &Flowmap, more: &[&str]) -> crate::common::Output {
    flowmap.ok(&[&TO_CILIUM[..], &["cluster.json"], more].concat())
}

#[test]
fn each_policy_is_a_document_with_its_comment_and_what_is_not_the_same() {
    let flowmap = Flowmap::new();
    cluster(&flowmap);
    flowmap.write("np.yaml", POLICIES);
    let told = convert(&flowmap, &[]).stdout;
    assert!(told.contains("ingress on TCP/8080 names 1 node of 2"), "{told}");
    assert!(told.contains("2 CiliumNetworkPolicies of 1 namespace; read cilium-out/REVIEW.md"), "{told}");
    let web = flowmap.read("cilium-out/shop/web.yaml");
    let lines: Vec<&str> = web.lines().collect();
    assert!(lines[0].starts_with("# flowmap wrote what follows: sha256 "), "{web}");
    assert_eq!(&lines[1..4], ["# who may call", "# 12 connections", "#"], "{web}");
    assert!(lines[4].starts_with("# NOT THE SAME: ingress on TCP/8080"), "{web}");
    for part in ["kind: CiliumNetworkPolicy", "remote-node", "kube-apiserver", "port: \"6443\""] {
        assert!(web.contains(part), "{part}: {web}");
    }
    assert!(!web.contains("192.0.2."), "{web}");
    assert!(flowmap.read("cilium-out/shop/on.yaml").contains("name: \"on\""));
    assert!(flowmap.read("cilium-out/REVIEW.md").contains("- `shop/web` ingress on TCP/8080 names 1 node of 2;"));
    let value = flowmap.json(&[&TO_CILIUM[..], &["cluster.json"]].concat());
    assert_eq!((&value["kind"], &value["policies"][0]["not_the_same"]), (&json!("CiliumNetworkPolicy"), &json!([])));
    assert_eq!(value["policies"][1]["not_the_same"][0]["wider"], true);
}

#[test]
fn a_folder_is_replaced_as_a_whole_and_never_what_was_edited_there() {
    let flowmap = Flowmap::new();
    cluster(&flowmap);
    flowmap.write("np.yaml", POLICIES);
    convert(&flowmap, &[]);
    let (alone, _) = POLICIES.split_once("---\n").unwrap();
    flowmap.write("np.yaml", alone);
    convert(&flowmap, &[]);
    assert!(!flowmap.path("cilium-out/shop/on.yaml").exists(), "it is no policy any more");
    let edited = flowmap.read("cilium-out/shop/web.yaml") + "# mine\n";
    flowmap.write("cilium-out/shop/web.yaml", &edited);
    let arguments = [&TO_CILIUM[..], &["cluster.json"]].concat();
    flowmap.run(&arguments).is_an_error(&["web.yaml: was edited since flowmap wrote it", "hint:"]);
    assert_eq!(flowmap.read("cilium-out/shop/web.yaml"), edited);
    // nor one that would go
    flowmap.write("np.yaml", alone.replace("name: web", "name: api"));
    flowmap.run(&arguments).is_an_error(&["web.yaml: was edited since flowmap wrote it"]);
    assert!(!flowmap.path("cilium-out/shop/api.yaml").exists());
    fs::remove_file(flowmap.path("cilium-out/shop/web.yaml")).unwrap();
    // what is somebody's own is in nobody's way
    flowmap.write("cilium-out/shop/own.yaml", "a: 1\n");
    flowmap.ok(&arguments);
    assert!(flowmap.path("cilium-out/shop/own.yaml").exists() && flowmap.path("cilium-out/shop/api.yaml").exists());
}

#[test]
fn without_nodes_in_the_inventory_that_is_told() {
    let flowmap = Flowmap::new();
    flowmap.write("np.yaml", POLICIES);
    // what would be said of them is not guessed
    flowmap.run(&["convert", "np.yaml", "--to", "cilium"]).is_an_error(&["inventory: nobody is known yet", "hint:"]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "web", "labels": {"app": "web"}},
        "spec": {}, "status": {"podIP": "10.244.1.10"},
    });
    flowmap.write("pods.json", pod.to_string());
    let arguments = ["convert", "np.yaml", "--to", "cilium", "--inventory", "pods.json", "--out-dir", "-"];
    let output = flowmap.ok(&arguments);
    assert!(output.stderr.contains("the inventory lists no nodes"), "{}", output.stderr);
    assert!(output.stdout.contains("cidr: 192.0.2.2/32") && output.stdout.contains("\n---\n"), "{}", output.stdout);
    // Calico knows nodes by their addresses
    let staged = flowmap.ok(&["convert", "np.yaml", "--to", "calico-staged", "--out-dir", "-"]);
    assert!(staged.stderr.is_empty() && staged.stdout.contains("stagedAction: Set"), "{staged:?}");
}

#[test]
fn what_is_no_policy_is_not_converted_and_a_wrong_one_refused() {
    let flowmap = Flowmap::new();
    cluster(&flowmap);
    let arguments = [&TO_CILIUM[..], &["cluster.json"]].concat();
    flowmap
        .write("np.yaml", "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a, namespace: b}\n");
    let output = flowmap.ok(&arguments);
    assert!(output.stderr.contains("no NetworkPolicies to convert"), "{output:?}");
    assert!(output.stderr.contains("not converted: CiliumNetworkPolicy b/a"), "{output:?}");
    assert!(!flowmap.path("cilium-out").exists());
    flowmap.write("np.yaml", POLICIES.replace("192.0.2.2/32", "192.0.2.2/24"));
    flowmap.run(&arguments).is_an_error(&["192.0.2.2/24", "hint:"]);
    assert!(!flowmap.path("cilium-out").exists());
}

#[test]
fn what_suggest_writes_is_converted_with_its_evidence() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "production"]);
    flowmap.ok(&["convert", "policies-out/", "--to", "cilium"]);
    let api = flowmap.read("cilium-out/production/api.yaml");
    let evidence = flowmap.read("policies-out/production/api.yaml");
    let comment = evidence.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n");
    assert!(api.contains(&comment) && comment.contains("connections"), "{api}");
    let inventory = sample("cluster.json");
    let alone = ["convert", "policies-out/", "--to", "cilium", "--inventory", &inventory, "--out-dir", "again"];
    flowmap.ok(&alone);
    assert_eq!(flowmap.read("again/production/api.yaml"), api, "the store's inventory is the file's");
}

/// `web` may go to a partner and to a place that nobody named, and all of `shop` may ask DNS.
const OUT: &str = r"apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 203.0.113.9/32}}, {ipBlock: {cidr: 203.0.113.77/32}}]
    ports: [{port: 443}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
    ports: [{port: 53, protocol: UDP}, {port: 53}]
";

const PARTNER: [u8; 4] = [203, 0, 113, 9];

/// What a node saw: who was answered what.
fn answers(flowmap: &Flowmap) {
    let mut capture = Capture::new();
    capture.answered("10.244.1.5:40000", "API.partner.example", PARTNER);
    capture.called("10.244.1.5:40001", "api.partner.example", PARTNER);
    // in the cluster, of another's asking, and before anybody of the cluster had the address
    capture.called("10.244.1.5:40002", "partner.shop.svc.cluster.local", PARTNER);
    capture.called("10.244.1.6:40003", "others.partner.example", PARTNER);
    capture.at("2026-11-23T12:00:00Z").called("10.244.1.5:40004", "before.partner.example", PARTNER);
    flowmap.write("node-1.pcap", capture.bytes());
    flowmap.write("cluster.json", list(&case::cluster(&[service("web", "10.96.0.7")])));
    flowmap.write("out.yaml", OUT);
}

const TO_NAMES: [&str; 5] = ["convert", "out.yaml", "--to", "cilium", "--names"];

#[test]
fn what_is_outside_is_allowed_by_the_names_that_its_clients_asked_for() {
    let flowmap = Flowmap::new();
    answers(&flowmap);
    flowmap.ok(&["import", "node-1.pcap"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let output = flowmap.ok(&TO_NAMES);
    assert!(output.stderr.contains("1 block outside, of 1 policy, is allowed by address alone"), "{output:?}");
    let web = flowmap.read("cilium-out/shop/web.yaml");
    let names: Vec<&str> = web.lines().filter(|line| line.contains("matchName")).map(str::trim).collect();
    assert_eq!(names, ["- matchName: api.partner.example"], "{web}");
    assert!(web.contains("cidr: 203.0.113.9/32") && web.contains("cidr: 203.0.113.77/32"), "{web}");
    assert!(web.contains("# NOT THE SAME: egress on TCP/443 also goes to every address that api.partner.example will"));
    assert!(web.contains("# WITHOUT NAMES: egress on TCP/443 goes to 203.0.113.77/32 by address alone"), "{web}");
    let dns = flowmap.read("cilium-out/shop/dns.yaml");
    assert!(dns.contains("dns:") && dns.contains("matchPattern: \"*\""), "{dns}");
    let review = flowmap.read("cilium-out/REVIEW.md");
    let row = "| `shop/web` | TCP/443 | `api.partner.example` | 203.0.113.9 |  | shop/web | 2 | 2026-11-24 ";
    assert!(review.contains(row) && review.contains("CiliumLocalRedirectPolicy"), "{review}");
    let value = flowmap.json(&[&TO_NAMES[..], &["--out-dir", "again"]].concat());
    let web = &value["policies"][1];
    assert_eq!((&web["policy"], &web["names"][0]["name"]), (&json!("shop/web"), &json!("api.partner.example")));
    assert_eq!((&web["names"][0]["answers"], &web["names"][0]["asked_by"]), (&json!(2), &json!(["shop/web"])));
    assert_eq!(flowmap.read("again/shop/dns.yaml"), dns);
    // without it nothing of that
    flowmap.ok(&["convert", "out.yaml", "--to", "cilium"]);
    let plain = ["web", "dns"].map(|name| flowmap.read(&format!("cilium-out/shop/{name}.yaml"))).concat();
    assert!(!plain.contains("partner") && !plain.contains("NOT THE SAME") && !plain.contains("rules:"), "{plain}");
}

#[test]
fn names_come_from_the_store_or_from_captures_alone() {
    let flowmap = Flowmap::new();
    answers(&flowmap);
    let alone = [&TO_NAMES[..], &["--out-dir", "-", "--inventory", "cluster.json", "--from", "node-1.pcap"]].concat();
    let by_files = flowmap.ok(&alone).stdout;
    assert!(by_files.contains("matchName: api.partner.example"), "{by_files}");
    assert!(!flowmap.path("flowmap.db").exists());
    flowmap.ok(&["import", "node-1.pcap"]);
    let with_inventory = [&TO_NAMES[..], &["--out-dir", "-", "--inventory", "cluster.json"]].concat();
    assert_eq!(flowmap.ok(&with_inventory).stdout, by_files);
    // whose pods they are must be known
    flowmap.ok(&["import", "--site", "other", "node-1.pcap"]);
    flowmap
        .run(&with_inventory)
        .is_an_error(&["there are several sites: default, other", "hint: choose one with --site"]);
    let chosen = [&with_inventory[..], &["--site", "other"]].concat();
    assert_eq!(flowmap.ok(&chosen).stdout, by_files);
}

#[test]
fn where_no_names_are_known_or_the_target_has_none_that_is_told() {
    let flowmap = Flowmap::new();
    answers(&flowmap);
    flowmap.write("node-1.pcap", Capture::new().talk("10.244.1.5:40000", "203.0.113.9:443").bytes());
    flowmap.ok(&["import", "node-1.pcap"]);
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    let output = flowmap.ok(&TO_NAMES);
    assert!(output.stderr.contains("no names: of no pod it is known that DNS answered it"), "{output:?}");
    assert!(output.stderr.contains("2 blocks outside, of 1 policy, are allowed by address alone"), "{output:?}");
    assert!(!flowmap.read("cilium-out/REVIEW.md").contains("## Names"));
    let staged = ["convert", "out.yaml", "--to", "calico-staged", "--names"];
    flowmap.run(&staged).is_an_error(&["flowmap: --names: calico-staged knows no names", "hint: `--to cilium`"]);
    assert!(!flowmap.path("calico-staged-out").exists());
}

#[test]
fn names_of_other_sources_or_of_hostile_answers_are_none() {
    let flowmap = Flowmap::new();
    answers(&flowmap);
    let mut capture = Capture::new();
    capture.answered("10.244.1.5:40000", "x y.example\n- matchPattern: '*'", PARTNER);
    let request = b"GET / HTTP/1.1\r\nHost: http.partner.example\r\n\r\n";
    capture.said(([10, 244, 1, 5], 40_001), (PARTNER, 80), request);
    flowmap.write("node-1.pcap", capture.bytes());
    let inventory = ["--inventory", "cluster.json", "--from", "node-1.pcap", "--out-dir", "-"];
    let output = flowmap.ok(&[&TO_NAMES[..], &inventory].concat());
    assert!(!output.stdout.contains("toFQDNs") && !output.stdout.contains("matchName"), "{}", output.stdout);
    assert!(output.stderr.contains("no names:"), "{}", output.stderr);
}

/// What `convert --names` prints and says of a capture, with these objects beside `web` and `api`.
fn by_capture(capture: &Capture, others: &[serde_json::Value], more: &[&str]) -> (Flowmap, String) {
    let flowmap = Flowmap::new();
    flowmap.write("node-1.pcap", capture.bytes());
    flowmap.write("cluster.json", list(&case::cluster(others)));
    flowmap.write("out.yaml", OUT);
    let inventory = ["--inventory", "cluster.json", "--from", "node-1.pcap"];
    flowmap.ok(&[&TO_NAMES[..], &inventory, more].concat());
    let web = flowmap.read("cilium-out/shop/web.yaml");
    (flowmap, web)
}

#[test]
fn a_name_that_was_answered_and_not_used_is_listed_and_not_written() {
    let mut capture = Capture::new();
    // anybody can send this, and the pod calls the address by another name, or another pod by this one
    capture.answered("10.244.1.5:9999", "forged.example", PARTNER);
    capture.talk("10.244.1.5:40000", "203.0.113.9:443");
    capture.said(([10, 244, 1, 6], 40_001), (PARTNER, 80), b"GET / HTTP/1.1\r\nHost: forged.example\r\n\r\n");
    capture.said(([10, 244, 1, 5], 40_002), ([203, 0, 113, 8], 80), b"GET / HTTP/1.1\r\nHost: forged.example\r\n\r\n");
    let (flowmap, web) = by_capture(&capture, &[], &[]);
    assert!(!web.contains("matchName"), "{web}");
    assert!(
        web.contains("203.0.113.9/32 by address alone: DNS gave its pods names of that, and none of these"),
        "{web}"
    );
    assert!(!flowmap.read("cilium-out/shop/dns.yaml").contains("matchPattern"));
    let review = flowmap.read("cilium-out/REVIEW.md");
    assert!(review.contains("## Answered, and not seen in use\n\n1 name not written: whoever can send"), "{review}");
    assert!(review.contains("| `shop/web` | TCP/443 | `forged.example` | 203.0.113.9 |"), "{review}");
    capture.called("10.244.1.5:40003", "api.partner.example", PARTNER);
    let (flowmap, web) = by_capture(&capture, &[], &[]);
    let names: Vec<&str> = web.lines().filter(|line| line.contains("matchName")).map(str::trim).collect();
    assert_eq!(names, ["- matchName: api.partner.example"], "{web}");
    let value = flowmap.json(&[&TO_NAMES[..], &["--inventory", "cluster.json", "--from", "node-1.pcap"]].concat());
    assert_eq!(value["policies"][1]["names_not_in_use"][0]["name"], "forged.example");
}

#[test]
fn a_name_is_written_for_the_ports_alone_on_which_it_can_have_been_used() {
    let mut capture = Capture::new();
    capture.called("10.244.1.5:40000", "api.partner.example", PARTNER);
    capture.answered("10.244.1.5:40001", "db.partner.example", PARTNER).talk("10.244.1.5:40002", "203.0.113.9:5432");
    // another pod's own
    capture.called("10.244.1.6:40003", "api.partner.example", PARTNER);
    capture.said(([10, 244, 1, 6], 40_004), (PARTNER, 5_432), b"GET / HTTP/1.1\r\nHost: api.partner.example\r\n\r\n");
    let flowmap = Flowmap::new();
    flowmap.write("node-1.pcap", capture.bytes());
    flowmap.write("cluster.json", list(&case::cluster(&[])));
    flowmap.write("out.yaml", OUT.replace("ports: [{port: 443}]", "ports: [{port: 443}, {port: 5432}]"));
    flowmap.ok(&[&TO_NAMES[..], &["--inventory", "cluster.json", "--from", "node-1.pcap"]].concat());
    let web = flowmap.read("cilium-out/shop/web.yaml");
    let (_, names) = web.split_once("toFQDNs").unwrap();
    assert!(names.contains("matchName: api.partner.example") && names.contains("port: \"443\""), "{web}");
    assert!(!names.contains("5432") && !names.contains("db.partner"), "{web}");
    assert!(
        web.contains("goes to 203.0.113.9/32 by name on TCP/443 alone, and on its other ports by address"),
        "{web}"
    );
}

#[test]
fn what_a_pod_asks_that_answers_dns_itself_is_no_name_of_its_own() {
    let mut capture = Capture::new();
    capture.called("10.244.1.5:40000", "others.example", PARTNER);
    let mut service = service("web", "10.96.0.7");
    service["spec"]["ports"] = json!([{"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"}]);
    let (_, web) = by_capture(&capture, &[service], &[]);
    assert!(!web.contains("matchName"), "{web}");
    assert!(by_capture(&capture, &[], &[]).1.contains("matchName: others.example"));
}

#[test]
fn a_name_is_left_out_where_that_is_asked_for() {
    let mut capture = Capture::new();
    capture.called("10.244.1.5:40000", "a.example", PARTNER).called("10.244.1.5:40001", "b.example", PARTNER);
    let (flowmap, web) = by_capture(&capture, &[], &["--without-name", "B.example"]);
    assert!(web.contains("matchName: a.example") && !web.contains("b.example"), "{web}");
    let both =
        ["--inventory", "cluster.json", "--from", "node-1.pcap", "--without-name", "b.example", "--without-name"];
    let told = flowmap.ok(&[&TO_NAMES[..], &both, &["a.example", "--without-name", "c.example"]].concat()).stderr;
    assert!(told.contains("--without-name c.example: no pod was answered this name"), "{told}");
    assert!(!told.contains("--without-name a.example"), "{told}");
    let web = flowmap.read("cilium-out/shop/web.yaml");
    assert!(web.contains("203.0.113.9/32 by address alone: its names were to be left out"), "{web}");
    flowmap
        .run(&["convert", "out.yaml", "--to", "cilium", "--names", "--without-name", "1.2.3.4"])
        .is_an_error(&["1.2.3.4"]);
}

#[test]
fn a_comment_that_a_name_makes_wrong_is_left_out_and_the_other_addresses_are_listed() {
    let mut capture = Capture::new();
    capture.called("10.244.1.5:40000", "a.example", PARTNER);
    capture.answered("10.244.1.5:40001", "a.example", [198, 51, 100, 7]);
    let (flowmap, _) = by_capture(&capture, &[], &[]);
    let line = |name: &str| format!("#     {name} was also at 198.51.100.7: not seen in use, not allowed\n");
    flowmap.write("out.yaml", line("a.example") + &line("b.example") + OUT);
    flowmap.ok(&[&TO_NAMES[..], &["--inventory", "cluster.json", "--from", "node-1.pcap"]].concat());
    let web = flowmap.read("cilium-out/shop/web.yaml");
    assert!(!web.contains(&line("a.example")) && web.contains(&line("b.example")), "{web}");
    let review = flowmap.read("cilium-out/REVIEW.md");
    assert!(review.contains("| `a.example` | 203.0.113.9 | 198.51.100.7 | shop/web | 1 |"), "{review}");
}
