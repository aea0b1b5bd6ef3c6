//! The policies proposed for the sample: valid for readers that are not flowmap's, and the same bytes every time.

use std::{fs, path::Path};

use flowmap::policy::{self, PolicySet, Strictness};

use crate::common::{
    Flowmap, files,
    python::{has_modules, script},
    sample,
};

#[test]
fn every_policy_is_valid_for_kubernetes_and_listed_for_kustomize() {
    if !has_modules(&["yaml", "kubernetes_validate"]) {
        return;
    }
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-A", "--out-dir", "out"]);
    let counted = script("policies.py", &[&flowmap.path("out")]);
    // production: nine, as `suggest` reports them too; monitoring: default-deny and prometheus
    assert_eq!(counted.trim(), "11 2");
}

#[test]
fn every_policy_passes_the_strict_check() {
    let flowmap = Flowmap::with_sample();
    let stream = flowmap.ok(&["suggest", "-A", "--out-dir", "-"]).stdout;
    let objects = policy::read("stdout", &stream).unwrap();
    let set = PolicySet::from_objects(&objects, Strictness::Strict).unwrap();
    assert_eq!((set.policies.len(), set.skipped.len(), set.not_evaluated.len()), (11, 0, 0));
}

#[test]
fn every_policy_begins_with_its_evidence() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "production", "--out-dir", "out"]);
    for (name, bytes) in files(&flowmap.path("out/production")) {
        assert!(bytes.starts_with(b"# "), "{name}");
    }
    let api = fs::read_to_string(flowmap.path("out/production/api.yaml")).unwrap();
    let comment: Vec<&str> = api.lines().take_while(|line| line.starts_with('#')).collect();
    for peer in ["web on TCP/8080: ", "db on TCP/5432: ", "cache on TCP/6379: ", "monitoring/prometheus on TCP/8080: "]
    {
        assert!(comment.iter().any(|line| line.contains(peer)), "{peer} in {comment:?}");
    }
    assert!(!api.contains("5433"), "a refused connection is no need");
}

#[test]
fn what_was_proposed_denies_nothing_that_was_seen() {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "production", "--out-dir", "out"]);
    let simulation = flowmap.json(&["simulate", "out"]);
    assert_eq!((&simulation["denied"], &simulation["uncertain"]), (&0.into(), &0.into()), "{simulation}");
    assert!(simulation["connections"].as_u64().unwrap() > 200, "{simulation}");
    // without what lets the shop's own calls in, they are denied, and said so
    fs::remove_file(flowmap.path("out/production/db.yaml")).unwrap();
    let output = flowmap.run(&["simulate", "out", "-o", "json"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    let simulation: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let findings = simulation["findings"].as_array().unwrap();
    let to_db = findings.iter().find(|it| it["verdict"] == "denied" && it["to"] == "production/db").unwrap();
    assert_eq!((&to_db["from"], &to_db["port"]), (&"production/api".into(), &5432.into()));
    assert_eq!(simulation["denied"], to_db["connections"]);
}

#[test]
fn the_same_packets_give_the_same_bytes() {
    let [a, b, c] = ["node-1.pcap", "node-2.pcap", "pod-api.pcap"].map(sample);
    let cluster = sample("cluster.json");
    let first = Flowmap::with_sample();
    first.ok(&["suggest", "-n", "production"]);
    let expected = files(&first.path("policies-out"));
    first.ok(&["suggest", "-n", "production"]);
    assert!(files(&first.path("policies-out")) == expected, "a second time into the same folder");
    first.ok(&["suggest", "-n", "production", "--out-dir", "other"]);
    assert!(files(&first.path("other")) == expected, "into another folder");

    for order in [[&a, &c, &b], [&b, &a, &c], [&b, &c, &a], [&c, &a, &b], [&c, &b, &a]] {
        let flowmap = Flowmap::new();
        flowmap.ok(&["inventory", "import", &cluster]);
        flowmap.ok(&["import", order[0], order[1], order[2]]);
        flowmap.ok(&["suggest", "-n", "production"]);
        assert!(files(&flowmap.path("policies-out")) == expected, "{order:?}");
    }
    let alone = Flowmap::new();
    alone.ok(&["suggest", "-n", "production", "--from", &b, &c, &a, "--inventory", &cluster]);
    assert!(files(&alone.path("policies-out")) == expected, "files alone");
}

#[test]
fn the_committed_policies_are_those_proposed_now() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies-out");
    if !committed.exists() {
        return crate::common::skipped("policies-out is not there yet");
    }
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&["suggest", "-n", "production"]);
    let (now, committed) = (files(&flowmap.path("policies-out")), files(&committed));
    assert_eq!(now.keys().collect::<Vec<_>>(), committed.keys().collect::<Vec<_>>());
    for (name, bytes) in &now {
        assert!(committed[name] == *bytes, "{name} has changed: `make demo` writes it anew");
    }
}

#[test]
fn policies_that_an_api_server_would_refuse_are_refused() {
    let flowmap = Flowmap::with_sample();
    let egress = |rule: &str| {
        let head =
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: production}\n";
        format!("{head}spec: {{podSelector: {{}}, policyTypes: [Egress], egress: [{rule}]}}\n")
    };
    let cases = [
        ("{to: [{ipBlock: {cidr: 10.0.0.1/8}}]}", "10.0.0.1/8"),
        ("{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}", "11.0.0.0/16"),
        ("{ports: [{port: 0}]}", "not between 1 and 65535"),
        ("{ports: [{port: 70000}]}", "not between 1 and 65535"),
        ("{ports: [{port: http, endPort: 90}]}", "needs a numeric port"),
        ("{ports: [{port: 90, endPort: 80}]}", "below port 90"),
        ("{to: [{podselector: {}}]}", "podselector"),
    ];
    for (rule, words) in cases {
        flowmap.write("policy.yaml", egress(rule));
        flowmap.run(&["simulate", "policy.yaml"]).is_an_error(&[
            "policy.yaml",
            words,
            "hint: an API server would refuse",
        ]);
    }
}
