//! Policies of the whole cluster that are deployed where something is proposed: they come first, and what they do is told.

use serde_json::{Value, json};

use crate::common::{
    Flowmap,
    cluster::{list, node, pod},
    packets::Capture,
};

/// A store where web talked with the API, and the API with somebody outside.
fn flowmap(policies: &[Value]) -> Flowmap {
    let mut capture = Capture::new();
    capture.at("2026-11-24T10:00:00Z").talk("10.244.1.5:40000", "10.244.1.6:8080");
    capture.at("2026-11-24T11:00:00Z").talk("10.244.1.6:40000", "203.0.113.9:443");
    capture.at("2026-11-24T12:00:00Z").talk("10.244.1.5:40001", "10.244.1.6:8080");
    let flowmap = Flowmap::new();
    let mut items =
        vec![node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.5"), pod("api", "10.244.1.6")];
    items.extend_from_slice(policies);
    flowmap.write("cluster.json", list(&items));
    flowmap.write("x.pcap", capture.bytes());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&["import", "--sensor", "node-1", "x.pcap"]);
    flowmap
}

fn policy(tier: &str, ingress: &Value, egress: &Value) -> Value {
    let spec =
        json!({"tier": tier, "priority": 5, "subject": {"namespaces": {}}, "ingress": ingress, "egress": egress});
    json!({"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": {"name": "guard"}, "spec": spec})
}

fn to_api(action: &str) -> Value {
    let api = json!({"pods": {"podSelector": {"matchLabels": {"app": "web"}}}});
    let port = json!({"tcp": {"destinationPort": {"number": 8080}}});
    json!([{"action": action, "from": [api], "protocols": [port]}])
}

const SUGGEST: [&str; 5] = ["suggest", "-n", "shop", "--out-dir", "out"];

fn review(flowmap: &Flowmap) -> String {
    flowmap.run(&SUGGEST);
    flowmap.read("out/REVIEW.md")
}

fn simulate(flowmap: &Flowmap) -> Value {
    serde_json::from_str(&flowmap.run(&["simulate", "out", "-o", "json"]).stdout).unwrap()
}

#[test]
fn a_needed_connection_that_one_forbids_is_denied_besides_whatever_is_proposed() {
    let without = flowmap(&[]);
    without.ok(&SUGGEST);
    let flowmap = flowmap(&[policy("Admin", &to_api("Deny"), &json!([]))]);
    let review = review(&flowmap);
    assert!(review.contains("- denied besides: shop/web -> shop/api on TCP/8080, 2 connections: "), "{review}");
    assert!(
        review.contains("ClusterNetworkPolicy guard spec.ingress[0] denies ingress from shop/web on TCP/8080"),
        "{review}"
    );
    assert!(review.contains("no NetworkPolicy can allow it"), "{review}");
    for file in ["out/shop/api.yaml", "out/shop/web.yaml"] {
        assert_eq!(flowmap.read(file), without.read(file), "what is proposed is the same");
    }
    let report = simulate(&flowmap);
    assert_eq!((&report["denied"], &report["allowed"]), (&json!(2), &json!(1)), "{report}");
    assert_eq!(report["findings"][0]["verdict"], "denied");
}

#[test]
fn pass_and_a_baseline_change_nothing_once_the_proposal_isolates() {
    let all = json!([{"action": "Deny", "from": [{"namespaces": {}}]}]);
    for deployed in [policy("Admin", &to_api("Pass"), &json!([])), policy("Baseline", &all, &json!([]))] {
        let flowmap = flowmap(&[deployed]);
        let review = review(&flowmap);
        assert!(!review.contains("besides: shop") && !review.contains("Kept open"), "{review}");
        assert!(
            review.contains("**Deployed already, for the whole cluster:** ClusterNetworkPolicy guard."),
            "{review}"
        );
        let report = simulate(&flowmap);
        assert_eq!((&report["denied"], &report["undone"]), (&json!(0), &json!([])), "{report}");
    }
}

#[test]
fn what_one_accepts_stays_open_whatever_the_proposal_closes() {
    let everybody = json!([{"action": "Accept", "from": [{"namespaces": {}}]}]);
    let flowmap = flowmap(&[policy("Admin", &everybody, &json!([]))]);
    let review = review(&flowmap);
    assert!(
        review.contains("**Kept open by what is deployed:** by ClusterNetworkPolicy guard: ingress of shop/api"),
        "{review}"
    );
    let report = simulate(&flowmap);
    let undone = report["undone"].as_array().unwrap();
    assert_eq!((undone.len(), &undone[0]["policy"]), (1, &json!("ClusterNetworkPolicy guard")), "{report}");
    assert!(report["excess"]["over_permission"].as_f64().unwrap() > 1.0, "{report}");
    let widest = report["excess"]["widest"].as_array().unwrap();
    assert_eq!(widest[0]["rule"], "ClusterNetworkPolicy guard spec.ingress[0]", "{report}");
}

#[test]
fn what_depends_on_a_name_is_uncertain() {
    let names = json!([
        {"action": "Accept", "to": [{"domainNames": ["*.example.org"]}]},
        {"action": "Deny", "to": [{"networks": ["203.0.113.0/24"]}]},
    ]);
    let flowmap = flowmap(&[policy("Admin", &json!([]), &names)]);
    let review = review(&flowmap);
    assert!(review.contains("- uncertain besides: shop/api -> 203.0.113.9 on TCP/443, 1 connection: "), "{review}");
    let report = simulate(&flowmap);
    assert_eq!((&report["denied"], &report["uncertain"]), (&json!(0), &json!(1)), "{report}");
    let reason = report["findings"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("not known is which addresses its domainNames have"), "{reason}");
}

#[test]
fn what_no_verdict_knows_of_stops_and_what_is_not_sure_is_looked_at() {
    let cilium = json!({"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "far"}, "spec": {}});
    let mut bad = policy("Admin", &to_api("Deny"), &json!([]));
    (bad["metadata"]["name"], bad["spec"]["priority"]) = (json!("bad"), json!(5000));
    let names = json!([{"action": "Accept", "to": [{"domainNames": ["*.example.org"]}]}]);
    let flowmap = flowmap(&[cilium, bad, policy("Admin", &json!([]), &names)]);
    let told = flowmap.run(&SUGGEST).stderr;
    let review = flowmap.read("out/REVIEW.md");
    assert!(review.contains("- **Deployed, and not judged:** "), "{review}");
    assert!(flowmap.read("out/report.html").contains("Deployed, and not judged"));
    for words in ["CiliumClusterwideNetworkPolicy far", "ClusterNetworkPolicy bad: spec.priority: 5000"] {
        assert!(review.contains(words) && told.contains(words), "{words}: {told}{review}");
    }
    let doubt = "ClusterNetworkPolicy guard spec.egress[0]: which addresses its domainNames have is not known";
    assert!(review.contains(&format!("- **Deployed, and not sure:** {doubt}")), "{review}");
    assert!(review.contains("uncertain, and may be kept open."), "{review}");
    assert!(told.contains(&format!("deployed: {doubt}")), "{told}");
}
