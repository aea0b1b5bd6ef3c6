//! The sample: what its README says who talks to whom is what flowmap says.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::common::{Flowmap, sample};

/// Client, server, port with protocol, and outcome, without sweeps and without the nodes' health checks.
fn edges(flows: &Value) -> BTreeSet<[String; 4]> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let is_use = |flow: &&Value| flow["marks"].as_array().unwrap().is_empty();
    let edge = |flow: &Value| {
        let port = format!("{}/{}", flow["port"], text(&flow["protocol"]));
        [text(&flow["client"]["name"]), text(&flow["server"]["name"]), port, text(&flow["outcome"])]
    };
    flows.as_array().unwrap().iter().filter(is_use).map(edge).collect()
}

#[test]
fn everybody_who_talks_in_the_sample_is_found_and_nobody_else() {
    let flowmap = Flowmap::with_sample();
    let expected = [
        ("monitoring/prometheus", "production/api", "8080/TCP", "established"),
        ("monitoring/prometheus", "production/web", "9113/TCP", "established"),
        ("production/api", "kube-system/coredns", "53/UDP", "established"),
        ("production/api", "production/cache", "6379/TCP", "established"),
        ("production/api", "production/db", "5432/TCP", "established"),
        ("production/api", "production/db", "5433/TCP", "refused"),
        ("production/debug", "kube-system/coredns", "53/UDP", "established"),
        ("production/web", "kube-system/coredns", "53/UDP", "established"),
        ("production/web", "production/api", "8080/TCP", "established"),
        ("198.51.100.23", "production/web", "8080/TCP", "established"),
        ("198.51.100.77", "production/web", "8080/TCP", "established"),
    ];
    let expected: BTreeSet<[String; 4]> =
        expected.map(|(client, server, port, outcome)| [client, server, port, outcome].map(str::to_owned)).into();
    assert_eq!(edges(&flowmap.json(&["flows"])), expected);
}

#[test]
fn the_scan_in_the_sample_is_marked_and_nothing_else_is() {
    let flowmap = Flowmap::with_sample();
    let flows = flowmap.json(&["flows"]);
    let is_marked = |flow: &&Value| flow["marks"].as_array().unwrap().contains(&"scan".into());
    let scans: Vec<&Value> = flows.as_array().unwrap().iter().filter(is_marked).collect();
    assert!(scans.iter().all(|flow| flow["client"]["name"] == "production/debug"));
    let targets: BTreeSet<_> = scans.iter().map(|flow| flow["server"]["name"].as_str().unwrap()).collect();
    assert_eq!(
        targets.into_iter().collect::<Vec<_>>(),
        ["api", "cache", "db", "web"].map(|to| format!("production/{to}"))
    );
    // 20 ports of each of six pods
    let connections: u64 = scans.iter().map(|flow| flow["connections"].as_u64().unwrap()).sum();
    assert_eq!(connections, 120);
}

#[test]
fn the_same_connection_seen_by_several_sensors_counts_once() {
    let (all, alone) = (Flowmap::with_sample(), Flowmap::new());
    alone.ok(&["import", &sample("pod-api.pcap")]);
    alone.ok(&["inventory", "import", &sample("cluster.json")]);
    // the pod on node-1, which its own capture and that of its node show
    let connections = |flowmap: &Flowmap| {
        let flows = flowmap.json(&["flows", "--by", "address"]);
        let of_pod = |flow: &&Value| flow["client"]["name"] == "10.244.1.4" && flow["port"] == 5432;
        flows.as_array().unwrap().iter().filter(of_pod).map(|flow| flow["connections"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(connections(&alone).len(), 1);
    assert_eq!(connections(&alone), connections(&all));
}

#[test]
fn a_namespace_has_the_addresses_of_its_workloads() {
    let flowmap = Flowmap::with_sample();
    let count = |args: &[&str]| flowmap.json(&[&["flows", "--by", "address"], args].concat()).as_array().unwrap().len();
    assert!(count(&["-n", "monitoring"]) > 0 && count(&["-n", "monitoring"]) < count(&["-n", "production"]));
    assert_eq!(count(&["-n", "production", "-n", "monitoring"]), count(&[]));
    let flows = flowmap.json(&["flows", "--by", "address", "-n", "monitoring"]);
    // the node's health checks go to Prometheus as well
    assert!(flows.as_array().unwrap().iter().all(|flow| {
        [&flow["client"], &flow["server"]].iter().any(|end| end["name"].as_str().unwrap().starts_with("10.244."))
    }));
}

/// On a terminal rows go on below; in a pipe each is a line, whatever is said of columns there.
#[test]
fn the_wide_list_fits_a_terminal_of_a_hundred_columns() {
    let flowmap = Flowmap::with_sample();
    let binary = env!("CARGO_BIN_EXE_flowmap");
    let at = |columns: usize, output: &str| {
        let store = crate::common::text(&flowmap.path("flowmap.db"));
        let line = format!("stty cols {columns}; {binary} --db {store} flows -n production -o {output}");
        let script =
            Command::new("script").args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh").output().unwrap();
        assert!(script.status.success());
        String::from_utf8(script.stdout).unwrap().replace('\r', "")
    };
    let piped = flowmap.ok(&["flows", "-n", "production", "-o", "wide"]).stdout;
    let (narrow, roomy) = (at(100, "wide"), at(300, "wide"));
    assert_eq!(roomy, piped);
    assert!(narrow.lines().all(|line| line.len() <= 100), "{narrow}");
    let words = |text: &str| {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    assert_eq!(words(&narrow), words(&piped), "nothing is left out");
    let (first, rest) = narrow.split_once('\n').unwrap();
    assert!(first.starts_with("CLIENT") && rest.starts_with("    "), "{narrow}");
    assert_eq!(at(100, "table"), flowmap.ok(&["flows", "-n", "production"]).stdout);
}

#[test]
fn the_wide_list_is_for_people_and_the_csv_for_machines() {
    let flowmap = Flowmap::with_sample();
    let [wide, csv] = ["wide", "csv"].map(|output| flowmap.ok(&["flows", "-n", "production", "-o", output]).stdout);
    let heads = [wide.as_str(), csv.as_str()].map(|text| text.lines().next().expect("a header"));
    assert!(!heads[0].contains("SITE") && !heads[0].contains("VLANS"), "nothing stands in these columns: {}", heads[0]);
    assert!(wide.lines().all(|line| line.len() < 210) && wide.contains(" 2026-11-23 23:23 "), "{wide}");
    assert!(
        heads[1].starts_with("site,client_kind,client,")
            && heads[1].ends_with(",application,encrypted,hours,client_owner,server_owner"),
        "{}",
        heads[1]
    );
    assert!(
        !wide.contains("production/web:30080,production/web:30080"),
        "a Service that was dialled stands there once"
    );
    assert!(csv.contains("2026-11-23T23:23:25.870907Z"), "{csv}");
}

#[test]
fn lists_for_people_fit_a_page_and_wide_ones_tell_all() {
    let flowmap = Flowmap::with_sample();
    for list in [&["flows"][..], &["tiers"], &["segments"], &["runs"], &["inventory", "list"], &["inventory", "names"]]
    {
        let text = flowmap.ok(list).stdout;
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.chars().count() <= 100), "{list:?}: {text}");
    }
    assert!(flowmap.ok(&["inventory", "names", "-o", "wide"]).stdout.contains("2026-11-23T23:23:30.890539Z"));
}
