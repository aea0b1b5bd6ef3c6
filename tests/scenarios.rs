//! Real applications: their traffic in, policies out, and an independent judge of what these deny and let through.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

mod common;

use std::{collections::BTreeMap, path::Path, process::Command};

use common::{
    Flowmap, data,
    python::{has_modules, python},
    text, tools,
};
use serde_json::Value;

/// More than this of what is allowed over what is needed is too much.
const MAX_OVER_PERMISSION: f64 = 1.05;

#[test]
fn bookinfo_gets_what_it_needs_and_no_more() {
    judged("bookinfo", &["--plain"]);
}

#[test]
fn online_boutique_gets_what_it_needs_and_no_more() {
    judged("online-boutique", &["--plain"]);
}

#[test]
fn teastore_gets_what_it_needs_and_no_more() {
    judged("teastore", &["--plain"]);
}

#[test]
fn bookinfo_is_told_from_the_noise_around_it() {
    noisy("bookinfo");
}

#[test]
fn online_boutique_is_told_from_the_noise_around_it() {
    noisy("online-boutique");
}

#[test]
fn teastore_is_told_from_the_noise_around_it() {
    noisy("teastore");
}

/// With scans, probes, refusals, handed-on addresses, and connections that captures met in their middle.
fn noisy(application: &str) {
    for seed in ["1", "2", "3", "4", "5"] {
        judged(application, &["--seed", seed]);
    }
}

/// Replays an application, holds the connections against what was played, proposes policies, and has them judged.
fn judged(application: &str, options: &[&str]) {
    let (Some(data), Some(tools)) = (data(), tools()) else { return };
    if !has_modules(&["yaml"]) {
        return;
    }
    let flowmap = Flowmap::new();
    let scenario = flowmap.path("scenario");
    let (source, target) = (text(&data.join("apps").join(application)), text(&scenario));
    let play = [options, &[&source, &target]].concat();
    tool(&tools, "traffic.py", &play);
    let expected: Value = serde_json::from_slice(&std::fs::read(scenario.join("expected.json")).unwrap()).unwrap();
    let namespace = expected["namespace"].as_str().unwrap();
    for node in common::files(&scenario).into_keys().filter(|name| name.starts_with("node-")) {
        flowmap.ok(&["import", &text(&scenario.join(node))]);
    }
    flowmap.ok(&["inventory", "import", &text(&scenario.join("cluster.json"))]);
    let about = format!("{application} {options:?}");
    assert_counts(&flowmap.json(&["flows"]), &expected, &about);
    flowmap.ok(&["suggest", "-n", namespace, "--out-dir", "policies"]);

    let is_plain = options.contains(&"--plain");
    let simulation = flowmap.json(&["simulate", "policies"]);
    assert_eq!(simulation["denied"], 0, "{about}: {simulation}");
    assert!(!is_plain || simulation["uncertain"] == 0, "{about}: {simulation}");
    assert!(simulation["connections"].as_u64() > Some(100), "{about}: {simulation}");

    let verdict = tool(&tools, "judge.py", &["--json", &text(&scenario), &text(&flowmap.path("policies"))]);
    let verdict: Value = serde_json::from_str(&verdict).expect("the judge prints JSON");
    for complaint in ["needed_but_denied", "harmful_but_allowed", "cidrs_over_pods"] {
        assert_eq!(verdict[complaint], serde_json::json!([]), "{about}: {complaint}");
    }
    assert!(verdict["needed"].as_u64().unwrap() > 0 && verdict["harmful"].as_u64().unwrap() > 0, "{verdict}");
    let over_permission = verdict["over_permission"].as_f64().unwrap();
    assert!(over_permission <= MAX_OVER_PERMISSION, "{about}: over-permission {over_permission}");
}

/// Client, server, protocol, port.
type Edge = (String, String, String, u64);

/// Every edge that was played has as many connections as were played, though node captures show most packets several
/// times. Nodes stand for the outside clients that they masquerade.
fn assert_counts(flows: &Value, expected: &Value, about: &str) {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let mut counts: BTreeMap<Edge, u64> = BTreeMap::new();
    for flow in flows.as_array().unwrap() {
        let is_normal = flow["marks"].as_array().unwrap().is_empty();
        let is_use = ["established", "midstream", "oneway"].contains(&flow["outcome"].as_str().unwrap());
        if !is_normal || !is_use {
            continue;
        }
        let is_outside = flow["client"]["kind"] == "external" || flow["client"]["kind"] == "node";
        let client = if is_outside { "external".to_owned() } else { word(&flow["client"]["name"]) };
        let edge = (client, word(&flow["server"]["name"]), word(&flow["protocol"]), flow["port"].as_u64().unwrap());
        *counts.entry(edge).or_default() += flow["connections"].as_u64().unwrap();
    }
    let played = expected["allow"].as_array().unwrap().iter().filter(|edge| edge["connections"].is_u64());
    let mut edges = 0;
    for edge in played {
        let key = (word(&edge["from"]), word(&edge["to"]), word(&edge["protocol"]), edge["port"].as_u64().unwrap());
        assert_eq!(counts.get(&key).copied().unwrap_or_default(), edge["connections"], "{about}: {key:?}");
        edges += 1;
    }
    assert!(edges > 5, "{about}: {edges} edges");
}

/// What a tool prints; the judge exits with 1 where it has complaints, which it prints as well.
fn tool(tools: &Path, name: &str, args: &[&str]) -> String {
    let output = Command::new(python()).arg(tools.join(name)).args(args).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
