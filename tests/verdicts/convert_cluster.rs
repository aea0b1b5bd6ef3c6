//! `flowmap convert --to cluster-network-policy`: NetworkPolicies as policies of the whole cluster.

use serde_json::{Value, json};

use crate::common::{Flowmap, Output};

/// `web` may be called by `api` and go to a partner; all else of `shop` is closed.
const POLICIES: &str = r"# who may call
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop, labels: {team: a}}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}, {ipBlock: {cidr: 203.0.113.0/24}}]
    ports: [{port: 8080}]
  egress:
  - to: [{ipBlock: {cidr: 203.0.113.9/32}}]
    ports: [{port: 443}]
---
# nobody
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
";

const CONVERT: [&str; 4] = ["convert", "np.yaml", "--to", "cluster-network-policy"];
const OUT: &str = "cluster-network-policy-out";

fn shop() -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("np.yaml", POLICIES);
    let pod = |name: &str, address: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}},
            "spec": {}, "status": {"podIP": address},
        })
    };
    let items = [pod("web", "10.244.1.10"), pod("api", "10.244.1.11"), pod("db", "10.244.1.12")];
    flowmap.write("cluster.json", json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
    flowmap
}

fn convert(flowmap: &Flowmap, more: &[&str]) -> Output {
    flowmap.ok(&[&CONVERT[..], more].concat())
}

/// What `explain` says of a connection by the converted policies alone.
fn explained(flowmap: &Flowmap, from: &str, to: &str, port: &str) -> Value {
    let policies = ["--policies", OUT, "--only", "--inventory", "cluster.json", "-o", "json"];
    let output = flowmap.run(&[&["explain", from, to, port][..], &policies].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn each_policy_is_a_document_of_several_with_what_is_not_the_same() {
    let flowmap = shop();
    let told = convert(&flowmap, &["--inventory", "cluster.json"]).stdout;
    assert!(told.contains("shop/web") && told.contains("closes ingress from pods only"), "{told}");
    assert!(
        told.contains("4 ClusterNetworkPolicies of 1 namespace; read cluster-network-policy-out/REVIEW.md"),
        "{told}"
    );
    let web = flowmap.read("cluster-network-policy-out/shop/web.yaml");
    let lines: Vec<&str> = web.lines().collect();
    assert!(lines[0].starts_with("# flowmap wrote what follows: sha256 "), "{web}");
    assert_eq!(&lines[1..3], ["# who may call", "#"], "{web}");
    assert!(lines[3].starts_with("# NOT THE SAME: closes ingress from pods only"), "{web}");
    assert!(lines[3].ends_with("; those for 203.0.113.0/24 are left out"), "{web}");
    for part in [
        "apiVersion: policy.networking.k8s.io/v1alpha2",
        "kind: ClusterNetworkPolicy",
        "name: shop.web.allow-pods",
        "name: shop.web.allow-networks",
        "tier: Baseline",
        "priority: 102",
        "team: a",
        "\n---\napiVersion",
    ] {
        assert!(web.contains(part), "{part}: {web}");
    }
    // the default deny closes what the policy closed itself
    assert!(!web.contains("Deny") && !web.contains("namespace: shop"), "{web}");
    let deny = flowmap.read("cluster-network-policy-out/shop/default-deny.yaml");
    assert!(deny.contains("name: shop.default-deny.deny-pods") && deny.contains("priority: 103"), "{deny}");
    let review = flowmap.read("cluster-network-policy-out/REVIEW.md");
    assert!(review.contains("# NetworkPolicies as ClusterNetworkPolicies"), "{review}");
    assert!(review.contains("- `shop/web` closes ingress from pods only"), "{review}");
    assert!(review.contains("They take the priorities 100 to 103 of the Baseline tier: no other policy"), "{review}");
    assert!(review.contains("They are asked where no NetworkPolicy isolates a pod."), "{review}");
    let value = flowmap.json(&[&CONVERT[..], &["--inventory", "cluster.json"]].concat());
    assert_eq!((&value["kind"], &value["out_dir"]), (&json!("ClusterNetworkPolicy"), &json!(OUT)));
    assert_eq!(value["policies"][1]["document"], "shop/web.yaml");
    assert_eq!(value["policies"][1]["not_the_same"][0]["wider"], true);
}

#[test]
fn what_is_written_says_what_the_network_policies_said() {
    let flowmap = shop();
    convert(&flowmap, &["--inventory", "cluster.json"]);
    let answer = |from: &str, to: &str, port: &str| explained(&flowmap, from, to, port)["allowed"].clone();
    assert_eq!(answer("203.0.113.77", "shop/web", "22"), true, "as is told");
    for (to, port) in [("203.0.113.9", "80"), ("203.0.113.8", "443"), ("shop/db", "443")] {
        assert_eq!(answer("shop/web", to, port), false, "{to} {port}");
    }
    assert_eq!(answer("shop/web", "203.0.113.9", "443"), true);
    let denied = explained(&flowmap, "shop/db", "shop/web", "8080");
    let rule = |answer: &Value| answer["ingress"]["decided"]["rule"].clone();
    assert_eq!(rule(&denied), "ClusterNetworkPolicy shop.default-deny.deny-pods spec.ingress[0]");
    let called = explained(&flowmap, "shop/api", "shop/web", "8080");
    assert_eq!(rule(&called), "ClusterNetworkPolicy shop.web.allow-pods spec.ingress[0]");
    assert_eq!(explained(&flowmap, "shop/api", "shop/web", "8081")["ingress"]["allowed"], false);
}

#[test]
fn in_the_admin_tier_they_pass_on_what_is_listed() {
    let flowmap = shop();
    convert(&flowmap, &["--inventory", "cluster.json", "--tier", "admin", "--priority", "10"]);
    let web = flowmap.read("cluster-network-policy-out/shop/web.yaml");
    assert!(web.contains("tier: Admin") && web.contains("action: Pass") && web.contains("priority: 12"), "{web}");
    assert!(!web.contains("Accept"), "{web}");
    let review = flowmap.read("cluster-network-policy-out/REVIEW.md");
    assert!(review.contains("They take the priorities 10 to 13 of the Admin tier"), "{review}");
    assert!(review.contains("pass the rest on to the NetworkPolicies"), "{review}");
    // what nobody isolates is allowed then, and what is not listed never
    assert_eq!(explained(&flowmap, "shop/web", "203.0.113.9", "443")["allowed"], true);
    assert_eq!(explained(&flowmap, "shop/web", "203.0.113.9", "80")["allowed"], false);
}

#[test]
fn a_folder_is_replaced_as_a_whole_and_never_what_was_edited_there() {
    let flowmap = shop();
    let known = ["--inventory", "cluster.json"];
    convert(&flowmap, &known);
    let (alone, _) = POLICIES.split_once("---\n").unwrap();
    flowmap.write("np.yaml", alone);
    convert(&flowmap, &known);
    assert!(!flowmap.path("cluster-network-policy-out/shop/default-deny.yaml").exists(), "it is no policy any more");
    let web = flowmap.read("cluster-network-policy-out/shop/web.yaml");
    assert!(web.contains("name: shop.web.deny-pods") && web.contains("name: shop.web.deny-networks"), "{web}");
    flowmap.write("cluster-network-policy-out/shop/web.yaml", web + "# mine\n");
    let arguments = [&CONVERT[..], &known].concat();
    flowmap.run(&arguments).is_an_error(&["web.yaml: was edited since flowmap wrote it", "hint:"]);
}

#[test]
fn no_inventory_is_asked_for_but_what_it_would_tell_is() {
    let flowmap = shop();
    let output = convert(&flowmap, &["--out-dir", "-"]);
    assert!(output.stderr.contains("the inventory lists no pods: which ipBlocks"), "{}", output.stderr);
    assert!(output.stderr.contains("2 policies: wider than before"), "{}", output.stderr);
    assert_eq!(output.stdout.matches("\n---\n").count(), 3, "{}", output.stdout);
    flowmap.write("np.yaml", POLICIES.replace("203.0.113.9/32", "10.0.0.0/8"));
    let output = convert(&flowmap, &["--out-dir", "-", "--inventory", "cluster.json"]);
    assert!(!output.stderr.contains("lists no pods"), "{}", output.stderr);
    assert!(
        output.stdout.contains("NOT THE SAME: egress names 10.0.0.0/8, in which the inventory has 3 pods"),
        "{output:?}"
    );
}

#[test]
fn tiers_and_priorities_are_of_this_target_alone() {
    let flowmap = shop();
    for flags in [["--tier", "admin"], ["--priority", "5"]] {
        let arguments = [&["convert", "np.yaml", "--to", "calico-staged"][..], &flags].concat();
        let wrong = format!("flowmap: {}: calico-staged has no tiers", flags[0]);
        flowmap.run(&arguments).is_an_error(&[&wrong, "hint: `--to cluster-network-policy`"]);
    }
    flowmap.run(&[&CONVERT[..], &["--priority", "998"]].concat()).is_an_error(&["998", "997"]);
    flowmap
        .run(&[&CONVERT[..], &["--names"]].concat())
        .is_an_error(&["--names: cluster-network-policy knows no names"]);
    assert!(!flowmap.path(OUT).exists());
}

#[test]
fn those_that_are_of_the_whole_cluster_already_are_told() {
    let flowmap = shop();
    convert(&flowmap, &["--inventory", "cluster.json"]);
    let again = ["convert", OUT, "np.yaml", "--to", "cluster-network-policy", "--out-dir", "-"];
    let output = flowmap.ok(&again);
    assert!(
        output.stderr.contains("not converted: ClusterNetworkPolicy shop.web.allow-pods: it is of the whole cluster"),
        "{}",
        output.stderr
    );
}
