//! Real applications: their traffic in, policies out, and an independent judge of what these deny and let through.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

mod common;

use std::{path::Path, process::Command};

use common::{
    Flowmap, data,
    python::{has_modules, python},
    text, tools,
};
use serde_json::Value;

/// More than this of what is allowed over what is needed is too much.
const MAX_OVER_PERMISSION: f64 = 1.05;

/// Seeds of the noise: what is scanned, refused, translated, met mid-stream, and whose address was another's before.
const SEEDS: std::ops::RangeInclusive<u8> = 1..=5;

#[test]
fn bookinfo_gets_what_it_needs_and_no_more() {
    judged("bookinfo", None);
}

#[test]
fn bookinfo_gets_what_it_needs_amid_noise() {
    SEEDS.for_each(|seed| judged("bookinfo", Some(seed)));
}

#[test]
fn online_boutique_gets_what_it_needs_amid_noise() {
    SEEDS.for_each(|seed| judged("online-boutique", Some(seed)));
}

#[test]
fn teastore_gets_what_it_needs_amid_noise() {
    SEEDS.for_each(|seed| judged("teastore", Some(seed)));
}

#[test]
fn online_boutique_gets_what_it_needs_and_no_more() {
    judged("online-boutique", None);
}

#[test]
fn teastore_gets_what_it_needs_and_no_more() {
    judged("teastore", None);
}

/// Replays an application, without noise or with that of a seed, proposes policies, and has them judged.
fn judged(application: &str, noise: Option<u8>) {
    let (Some(data), Some(tools)) = (data(), tools()) else { return };
    if !has_modules(&["yaml"]) {
        return;
    }
    let flowmap = Flowmap::new();
    let scenario = flowmap.path("scenario");
    let (app, seed) = (text(&data.join("apps").join(application)), noise.unwrap_or(1).to_string());
    let folder = text(&scenario);
    let plain = ["--plain"].into_iter().filter(|_| noise.is_none());
    let args: Vec<&str> = plain.chain(["--seed", &seed, &app, &folder]).collect();
    tool(&tools, "traffic.py", &args);
    let namespace = namespace(&scenario);
    for node in common::files(&scenario).into_keys().filter(|name| name.starts_with("node-")) {
        flowmap.ok(&["import", &text(&scenario.join(node))]);
    }
    flowmap.ok(&["inventory", "import", &text(&scenario.join("cluster.json"))]);
    flowmap.ok(&["suggest", "-n", &namespace, "--out-dir", "policies"]);

    let simulation = flowmap.json(&["simulate", "policies"]);
    assert_eq!(simulation["denied"], 0, "{simulation}");
    if noise.is_none() {
        assert_eq!(simulation["uncertain"], 0, "{simulation}");
        assert_eq!(simulation["allowed"], simulation["connections"], "{simulation}");
    }
    assert!(simulation["connections"].as_u64() > Some(100), "{simulation}");

    let verdict = tool(&tools, "judge.py", &["--json", &text(&scenario), &text(&flowmap.path("policies"))]);
    let verdict: Value = serde_json::from_str(&verdict).expect("the judge prints JSON");
    for complaint in ["needed_but_denied", "harmful_but_allowed", "cidrs_over_pods"] {
        assert_eq!(verdict[complaint], serde_json::json!([]), "{application}: {complaint}");
    }
    assert!(verdict["needed"].as_u64().unwrap() > 0 && verdict["harmful"].as_u64().unwrap() > 0, "{verdict}");
    let over_permission = verdict["over_permission"].as_f64().unwrap();
    assert!(over_permission <= MAX_OVER_PERMISSION, "{application}: over-permission {over_permission}");
}

fn namespace(scenario: &Path) -> String {
    let expected: Value = serde_json::from_slice(&std::fs::read(scenario.join("expected.json")).unwrap()).unwrap();
    expected["namespace"].as_str().unwrap().to_owned()
}

/// What a tool prints; the judge exits with 1 where it has complaints, which it prints as well.
fn tool(tools: &Path, name: &str, args: &[&str]) -> String {
    let output = Command::new(python()).arg(tools.join(name)).args(args).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
