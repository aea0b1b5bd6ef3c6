//! Captures of labs whose truth is known, and every capture that others use to test decoders.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use common::{Flowmap, data, text};
use serde_json::Value;

/// Client, server, protocol, port.
type Edge = (String, String, String, u64);

/// The edges of a truth file, with the VLANs of each.
fn truth(pcaps: &Path, capture: &str) -> BTreeMap<Edge, BTreeSet<String>> {
    let table = fs::read_to_string(pcaps.join("truth").join(format!("{capture}.edges.tsv"))).unwrap();
    let mut edges: BTreeMap<Edge, BTreeSet<String>> = BTreeMap::new();
    for line in table.lines().skip(1) {
        let [vlan, protocol, client, server, port, ..] = line.split('\t').collect::<Vec<_>>()[..] else { panic!() };
        let edge = (client.to_owned(), server.to_owned(), protocol.to_uppercase(), port.parse().unwrap());
        edges.entry(edge).or_default().extend(Some(vlan.to_owned()).filter(|vlan| vlan != "-"));
    }
    edges
}

/// What `flows --by address` says of a capture, TCP and UDP alone.
fn flows(capture: &Path) -> BTreeMap<Edge, Value> {
    edges(&Flowmap::new().json(&["flows", "--by", "address", "--from", &text(capture)]))
}

/// Rows by their edge, TCP and UDP alone; no edge may have two.
fn edges(all: &Value) -> BTreeMap<Edge, Value> {
    let mut edges = BTreeMap::new();
    for flow in all.as_array().unwrap() {
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let edge = (
            word(&flow["client"]["name"]),
            word(&flow["server"]["name"]),
            word(&flow["protocol"]),
            flow["port"].as_u64().unwrap(),
        );
        if ["TCP", "UDP"].contains(&edge.2.as_str()) {
            assert!(edges.insert(edge.clone(), flow.clone()).is_none(), "{edge:?} twice");
        }
    }
    edges
}

fn edge(client: &str, server: &str, protocol: &str, port: u64) -> Edge {
    (client.into(), server.into(), protocol.into(), port)
}

#[test]
fn the_enterprise_lab_is_mapped_edge_by_edge() {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    let captures = [
        ("enterprise_multi_host", "ent-lab-A__trunk_8021q.pcap"),
        ("enterprise_multi_host", "ent-lab-A__switchA_any_sll2.pcap"),
        ("enterprise_multi_host", "ent-lab-A__router_any_sll.pcap"),
        ("vlan", "ent-lab-A__ws1_access_port.pcap"),
    ];
    for (folder, capture) in captures {
        let (truth, found) = (truth(&pcaps, capture), flows(&pcaps.join(folder).join(capture)));
        assert_eq!(found.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>(), "{capture}");
        let refused: Vec<_> = found.iter().filter(|(_, flow)| flow["outcome"] == "refused").map(|(it, _)| it).collect();
        let expected = edge("10.1.10.13", "10.1.30.31", "TCP", 22);
        assert!(refused.iter().all(|it| **it == expected), "{capture}: {refused:?}");
        assert_eq!(refused.len(), usize::from(truth.contains_key(&expected)), "{capture}");
        for (edge, vlans) in &truth {
            let seen: BTreeSet<String> =
                found[edge]["vlans"].as_array().unwrap().iter().map(|vlan| vlan.as_str().unwrap().to_owned()).collect();
            assert_eq!(seen, *vlans, "{capture}: {edge:?}");
            // seen once in each VLAN and counted once
            let connections = found[edge]["connections"].as_u64().unwrap();
            assert_eq!(connections, if *edge == expected { 1 } else { 3 }, "{capture}: {edge:?}");
        }
    }
}

/// The six points of the cluster lab, and what each can show of its twelve orders.
const CLUSTER_POINTS: [&str; 6] = [
    "kubernetes/k8s-lab-A__node1_any_sll2.pcap",
    "kubernetes/k8s-lab-A__node1_cni0.pcap",
    "kubernetes/k8s-lab-A__node1_eth0_vxlan8472.pcap",
    "kubernetes/k8s-lab-A__node2_any_sll.pcap",
    "kubernetes/k8s-lab-A__pod_frontend_eth0_ns.pcap",
    "truncated_malformed/k8s-lab-A__node2_eth0_vxlan_snap96.pcap",
];

/// How many connections, and what their clients dial in place of the server.
type Calls = (u64, Option<(&'static str, u64)>);

/// The connections of the scenario: who calls whom at which port, how often, what is dialled.
fn cluster_scenario() -> BTreeMap<Edge, Calls> {
    let (frontend, catalogue, carts) = ("10.244.0.5", "10.244.1.7", "10.244.0.6");
    let (orders, db, dns) = ("10.244.1.8", "10.244.1.9", "10.244.0.2");
    let resolver = Some(("10.96.0.10", 53));
    BTreeMap::from([
        (edge("203.0.113.50", frontend, "TCP", 8079), (12, Some(("203.0.113.1", 30001)))),
        (edge(frontend, catalogue, "TCP", 8080), (12, Some(("10.96.11.2", 80)))),
        (edge(frontend, carts, "TCP", 8081), (12, Some(("10.96.11.3", 80)))),
        (edge(frontend, orders, "TCP", 8082), (12, Some(("10.96.11.4", 80)))),
        (edge(orders, carts, "TCP", 8081), (12, Some(("10.96.11.3", 80)))),
        (edge(catalogue, db, "TCP", 3306), (12, Some(("10.96.11.5", 3306)))),
        (edge(orders, db, "TCP", 3306), (12, Some(("10.96.11.5", 3306)))),
        (edge(frontend, dns, "UDP", 53), (36, resolver)),
        (edge(catalogue, dns, "UDP", 53), (12, resolver)),
        (edge(orders, dns, "UDP", 53), (24, resolver)),
        // refused
        (edge(frontend, catalogue, "TCP", 9999), (1, None)),
    ])
}

/// The rows of one or more points in short, TCP and UDP alone.
fn rows_of(points: &[&str]) -> BTreeMap<Edge, Value> {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return BTreeMap::new() };
    let flowmap = Flowmap::new();
    for point in points {
        flowmap.ok(&["import", &text(&pcaps.join(point))]);
    }
    edges(&flowmap.json(&["flows", "--by", "address"]))
}

#[test]
fn each_point_of_the_cluster_lab_shows_its_part_of_the_scenario() {
    if data().is_none() {
        return;
    }
    let scenario = cluster_scenario();
    // what a pod dials and what it cannot see behind that
    let dialled: BTreeSet<Edge> = scenario
        .iter()
        .filter_map(|(edge, (_, via))| {
            via.map(|(address, port)| (edge.0.clone(), address.to_owned(), edge.2.clone(), port))
        })
        .collect();
    for point in CLUSTER_POINTS {
        let rows = rows_of(&[point]);
        assert!(rows.len() >= 6, "{point}: {rows:#?}");
        for (edge, flow) in &rows {
            let connections = flow["connections"].as_u64().unwrap();
            // behind the bridge the outside client is seen by the address that it was given there
            let masqueraded = edge.0 == "10.244.0.1" && edge.1 == "10.244.0.5" && edge.3 == 8079;
            let (expected, via) = match scenario.get(edge) {
                Some((expected, via)) => (*expected, *via),
                None if masqueraded => (12, None),
                None if dialled.contains(edge) => (if edge.3 == 53 { 36 } else { 12 }, None),
                None => panic!("{point}: {edge:?} is not in the scenario"),
            };
            assert_eq!(connections, expected, "{point}: {edge:?}");
            for told in flow["via"].as_array().unwrap() {
                let told = (told["address"].as_str().unwrap(), told["port"].as_u64().unwrap());
                assert_eq!(Some(told), via, "{point}: {edge:?}");
            }
            let is_cut = point.contains("snap96");
            let outcome = match edge.3 {
                _ if is_cut && edge.2 == "TCP" => "midstream",
                9999 => "refused",
                _ => "established",
            };
            assert_eq!(flow["outcome"], outcome, "{point}: {edge:?}");
        }
    }
    // node 1 sees the outside client, its node port and every Service that the front-end calls
    let node = rows_of(&CLUSTER_POINTS[..1]);
    for (edge, (_, via)) in scenario.iter().filter(|(edge, _)| edge.0 == "10.244.0.5" || edge.0 == "203.0.113.50") {
        let told: Vec<&str> =
            node[edge]["via"].as_array().unwrap().iter().map(|via| via["address"].as_str().unwrap()).collect();
        assert_eq!(told, via.iter().map(|(address, _)| *address).collect::<Vec<_>>(), "{edge:?}");
    }
}

#[test]
fn all_points_of_the_cluster_lab_together_show_the_scenario_once() {
    if data().is_none() {
        return;
    }
    let mut points = CLUSTER_POINTS;
    for _ in 0..3 {
        let rows = rows_of(&points);
        for (edge, (connections, via)) in cluster_scenario() {
            let flow = &rows[&edge];
            assert_eq!(flow["connections"], connections, "{edge:?}");
            let told: Vec<_> = flow["via"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| (it["address"].as_str().unwrap(), it["port"].as_u64().unwrap()))
                .collect();
            assert_eq!(told, via.into_iter().collect::<Vec<_>>(), "{edge:?}");
        }
        assert_eq!(rows.len(), cluster_scenario().len(), "{:#?}", rows.keys());
        points.rotate_left(2);
    }
}

/// Imports every capture into one store, and gives its runs with the number of packets that the index says they hold.
fn runs_of_all(pcaps: &Path) -> Vec<(Value, Option<u64>)> {
    let index = fs::read_to_string(pcaps.join("INDEX.tsv")).unwrap();
    let mut lines = index.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|it| *it == name).unwrap();
    let (path, packets) = (column("path"), column("packets"));
    let files: Vec<(PathBuf, Option<u64>)> =
        lines.map(|fields| (pcaps.join(fields[path]), fields[packets].parse().ok())).collect();
    assert!(files.len() >= 100, "{} captures in the index", files.len());

    let flowmap = Flowmap::new();
    for (file, _) in &files {
        let output = flowmap.run(&["import", &text(file)]);
        assert!(!output.stderr.contains("panicked"), "{}: {}", file.display(), output.stderr);
        if output.code != 0 {
            output.is_an_error(&[&text(file)]);
        }
    }
    let status = flowmap.json(&["status"]);
    let packets: BTreeMap<String, Option<u64>> =
        files.into_iter().map(|(file, packets)| (text(Path::new(file.file_name().unwrap())), packets)).collect();
    let with_packets = |run: &Value| (run.clone(), packets[run["source"].as_str().unwrap()]);
    status["runs"].as_array().unwrap().iter().map(with_packets).collect()
}

#[test]
fn every_packet_of_every_capture_is_decoded_or_counted_with_its_reason() {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    let runs = runs_of_all(&pcaps);
    assert!(runs.len() >= 100, "{} of the captures can be read", runs.len());
    let mut wrong = Vec::new();
    for (run, indexed) in &runs {
        let number = |name: &str| run[name].as_u64().unwrap();
        let not_decoded: u64 = run["not_decoded"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        if number("decoded") + not_decoded != number("packets") {
            wrong.push(format!("does not add up: {run}"));
        }
        if indexed.is_some_and(|indexed| indexed != number("packets")) {
            wrong.push(format!("holds {indexed:?} packets: {run}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
