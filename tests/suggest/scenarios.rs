//! Real applications: their traffic in, policies out, and an independent judge of what these deny and let through.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::common::{
    Flowmap, data,
    python::{has_modules, python},
    text, tools,
};

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
    for seed in seeds() {
        judged(application, &["--seed", &seed]);
    }
}

/// `make scenarios` takes ten, ordinary runs three.
fn seeds() -> impl Iterator<Item = String> {
    let count = std::env::var("FLOWMAP_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(3_u32);
    (1..=count).map(|seed| seed.to_string())
}

const APPLICATIONS: [&str; 3] = ["bookinfo", "online-boutique", "teastore"];

/// What was played.
struct Played {
    flowmap: Flowmap,
    tools: PathBuf,
    namespace: String,
    expected: Value,
    nodes: Vec<String>,
}

/// Plays an application; nothing where the data or Python is not there.
fn played(application: &str, options: &[&str]) -> Option<Played> {
    let (data, tools) = (data()?, tools()?);
    if !has_modules(&["yaml"]) {
        return None;
    }
    let flowmap = Flowmap::new();
    let scenario = flowmap.path("scenario");
    let (source, target) = (text(&data.join("apps").join(application)), text(&scenario));
    let play = [options, &[&source, &target]].concat();
    tool(&tools, "traffic.py", &play);
    let expected: Value = serde_json::from_slice(&std::fs::read(scenario.join("expected.json")).unwrap()).unwrap();
    let namespace = expected["namespace"].as_str().unwrap().to_owned();
    let nodes = crate::common::files(&scenario).into_keys().filter(|name| name.starts_with("node-")).collect();
    flowmap.ok(&["inventory", "import", &text(&scenario.join("cluster.json"))]);
    Some(Played { flowmap, tools, namespace, expected, nodes })
}

impl Played {
    fn import(&self, node: &str) {
        self.flowmap.ok(&["import", &text(&self.flowmap.path("scenario").join(node))]);
    }

    fn judge(&self, policies: &str) -> Value {
        let scenario = text(&self.flowmap.path("scenario"));
        let verdict = tool(&self.tools, "judge.py", &["--json", &scenario, &text(&self.flowmap.path(policies))]);
        serde_json::from_str(&verdict).expect("the judge prints JSON")
    }
}

#[test]
fn every_granularity_lets_pass_what_is_needed() {
    for application in APPLICATIONS {
        for seed in seeds() {
            let Some(played) = played(application, &["--seed", &seed]) else { return };
            played.nodes.iter().for_each(|node| played.import(node));
            for granularity in ["workload", "tier", "namespace"] {
                let args = ["suggest", "-n", &played.namespace, "--granularity", granularity, "--out-dir", granularity];
                played.flowmap.ok(&args);
                let verdict = played.judge(granularity);
                let (over, harmful) = (&verdict["over_permission"], verdict["harmful_but_allowed"].as_array().unwrap());
                println!("{application} {seed} by {granularity}: over-permission {over}, harmful {}", harmful.len());
                assert_eq!(verdict["needed_but_denied"], serde_json::json!([]), "{application} {seed} {granularity}");
                let is_wide = granularity == "namespace";
                assert!(is_wide || harmful.is_empty(), "{application} {seed} {granularity}: {harmful:?}");
            }
        }
    }
}

#[test]
fn one_node_of_three_is_no_reason_for_an_outage() {
    for application in APPLICATIONS {
        for seed in seeds() {
            let Some(played) = played(application, &["--seed", &seed]) else { return };
            for node in &played.nodes {
                one_node(&played, node, &format!("{application} {seed} {node}"));
            }
        }
    }
}

/// Proposes from the capture of one node in a store of its own.
fn one_node(played: &Played, node: &str, about: &str) {
    let (flowmap, namespace) = (&played.flowmap, played.namespace.as_str());
    let scenario = flowmap.path("scenario");
    let (capture, cluster) = (text(&scenario.join(node)), text(&scenario.join("cluster.json")));
    let out = format!("of-{node}");
    let output =
        flowmap.run(&["suggest", "-n", namespace, "--out-dir", &out, "--from", &capture, "--inventory", &cluster]);
    if output.code == 2 {
        // nothing of the namespace runs there
        assert!(output.stderr.contains("nothing was seen of its pods"), "{about}: {}", output.stderr);
        return;
    }
    let verdict = played.judge(&out);
    assert_eq!(verdict["needed_but_denied"], serde_json::json!([]), "{about}");
    let evidence = std::fs::read(flowmap.path(&out).join("evidence.json")).unwrap();
    let evidence: Value = serde_json::from_slice(&evidence).unwrap();
    let coverage = &evidence["coverage"][namespace];
    let names = |list: &Value| {
        list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (unseen, partly, open) = (&coverage["unseen"], &coverage["partly"], names(&coverage["left_open"]));
    let unseen = [names(unseen), names(partly)].concat();
    assert!(!unseen.is_empty(), "{about}: a node shows its own pods alone");
    for name in unseen {
        assert!(open.contains(&name), "{about}: {name} is isolated in silence");
        assert!(output.stderr.contains(&format!("{namespace}/{name}: ")), "{about}: {name}: {}", output.stderr);
    }
}

#[test]
fn what_is_learnt_from_the_first_part_holds_for_the_rest() {
    for application in APPLICATIONS {
        for seed in seeds() {
            let Some(played) = played(application, &["--seed", &seed]) else { return };
            for node in &played.nodes {
                played.import(node);
            }
            for until in ["2026-09-21T17:13:20Z", "2026-09-21T18:13:20Z"] {
                held_out(&played, until, &format!("{application} {seed} until {until}"));
            }
        }
    }
}

/// The share of needed connections that rules learnt until then deny, over the whole time.
fn held_out(played: &Played, until: &str, about: &str) {
    let flowmap = &played.flowmap;
    flowmap.run(&["suggest", "-n", &played.namespace, "--out-dir", "early", "--until", until]);
    let simulation: Value = serde_json::from_str(&flowmap.run(&["simulate", "early", "-o", "json"]).stdout).unwrap();
    let (denied, all) = (simulation["denied"].as_f64().unwrap(), simulation["connections"].as_f64().unwrap());
    println!("{about}: {denied} of {all} connections denied ({:.2} %)", denied / all * 100.0);
    assert!(denied / all <= MAX_HELD_OUT, "{about}: {simulation}");
}

/// More than this share of connections denied by what was learnt before them is too much.
const MAX_HELD_OUT: f64 = 0.05;

/// Replays an application, holds the connections against what was played, proposes policies, and has them judged.
fn judged(application: &str, options: &[&str]) {
    let Some(played) = played(application, options) else { return };
    let Played { flowmap, namespace, expected, nodes, .. } = &played;
    for node in nodes {
        played.import(node);
    }
    let about = format!("{application} {options:?}");
    assert_counts(&flowmap.json(&["flows"]), expected, &about);
    flowmap.ok(&["suggest", "-n", namespace, "--out-dir", "policies"]);

    let is_plain = options.contains(&"--plain");
    let simulation = flowmap.json(&["simulate", "policies"]);
    assert_eq!(simulation["denied"], 0, "{about}: {simulation}");
    assert!(!is_plain || simulation["uncertain"] == 0, "{about}: {simulation}");
    assert!(simulation["connections"].as_u64() > Some(100), "{about}: {simulation}");

    let verdict = played.judge("policies");
    for complaint in ["needed_but_denied", "harmful_but_allowed", "cidrs_over_pods"] {
        assert_eq!(verdict[complaint], serde_json::json!([]), "{about}: {complaint}");
    }
    for direction in ["Ingress", "Egress"] {
        assert_eq!(verdict["unprotected"][direction], serde_json::json!([]), "{about}: unprotected in {direction}");
    }
    assert!(verdict["needed"].as_u64().unwrap() > 0 && verdict["harmful"].as_u64().unwrap() > 0, "{verdict}");
    let over_permission = verdict["over_permission"].as_f64().unwrap();
    assert!(over_permission <= MAX_OVER_PERMISSION, "{about}: over-permission {over_permission}");

    flowmap.ok(&["suggest", "-n", namespace, "--out-dir", "wide", "--granularity", "namespace"]);
    let wide = played.judge("wide");
    assert_eq!(wide["needed_but_denied"], serde_json::json!([]), "{about} by namespace");
    assert_eq!(wide["cidrs_over_pods"], serde_json::json!([]), "{about} by namespace");
    let harmful = |verdict: &Value| verdict["harmful_but_allowed"].as_array().map_or(0, Vec::len);
    println!(
        "{about}: over-permission {over_permission} by workload, {} by namespace; harmful allowed {} and {} of {}",
        wide["over_permission"],
        harmful(&verdict),
        harmful(&wide),
        wide["harmful"]
    );
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
