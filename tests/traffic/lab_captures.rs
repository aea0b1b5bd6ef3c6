//! Captures of labs whose truth is known, and every capture that others use to test decoders.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::common::{Flowmap, data, text};

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
    let all = Flowmap::new().json(&["flows", "--by", "address", "--from", &text(capture)]);
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

// --- the cluster -----------------------------------------------------------------------------------------------------

/// Where the cluster lab was captured.
const POINTS: [&str; 6] = [
    "kubernetes/k8s-lab-A__node1_any_sll2.pcap",
    "kubernetes/k8s-lab-A__node1_cni0.pcap",
    "kubernetes/k8s-lab-A__node1_eth0_vxlan8472.pcap",
    "kubernetes/k8s-lab-A__node2_any_sll.pcap",
    "kubernetes/k8s-lab-A__pod_frontend_eth0_ns.pcap",
    "truncated_malformed/k8s-lab-A__node2_eth0_vxlan_snap96.pcap",
];

/// The scenario: client, server, protocol, what was dialled, connections, and how each of [`POINTS`] shows it. `v`:
/// before and behind the translation. `p`: between the true ends. `d`: as it was dialled. `s`: from the address that the
/// node put in place of the client's. `c`: between the true ends, cut short before the TCP flags. `.`: not at all.
///
/// A node's `any` sees its pods' packets before and behind. The bridge sees requests behind, and those replies before that
/// come from the other node or go to the outside: they name what was dialled, or the true client. The uplink sees what goes
/// from node to node, behind; the pod what it dialled itself.
const SCENARIO: [(&str, &str, &str, &str, u64, &str); 11] = [
    ("203.0.113.50", "10.244.0.5:8079", "TCP", "203.0.113.1:30001", 12, "vp..s."),
    ("10.244.0.5", "10.244.1.7:8080", "TCP", "10.96.11.2:80", 12, "vvppdc"),
    ("10.244.0.5", "10.244.0.6:8081", "TCP", "10.96.11.3:80", 12, "vp..d."),
    ("10.244.0.5", "10.244.1.8:8082", "TCP", "10.96.11.4:80", 12, "vvppdc"),
    ("10.244.1.8", "10.244.0.6:8081", "TCP", "10.96.11.3:80", 12, "pppv.c"),
    ("10.244.1.7", "10.244.1.9:3306", "TCP", "10.96.11.5:3306", 12, "...v.."),
    ("10.244.1.8", "10.244.1.9:3306", "TCP", "10.96.11.5:3306", 12, "...v.."),
    ("10.244.0.5", "10.244.0.2:53", "UDP", "10.96.0.10:53", 36, "vp..d."),
    ("10.244.1.7", "10.244.0.2:53", "UDP", "10.96.0.10:53", 12, "pppv.p"),
    ("10.244.1.8", "10.244.0.2:53", "UDP", "10.96.0.10:53", 24, "pppv.p"),
    ("10.244.0.5", "10.244.1.7:9999", "TCP", "", 1, "ppppdc"),
];

/// The address that the node puts in place of the outside client's.
const MASQUERADED: &str = "10.244.0.1";

/// What these points show of the scenario, one line an edge.
fn scenario(points: &[usize]) -> BTreeSet<String> {
    let line = |(client, server, protocol, dialled, connections, shown): (&str, &str, &str, &str, u64, &str)| {
        let seen: Vec<char> =
            points.iter().filter_map(|point| shown.chars().nth(*point)).filter(|it| *it != '.').collect();
        let has = |kinds: &str| seen.iter().any(|it| kinds.contains(*it));
        let client = if has("vpdc") { client } else { MASQUERADED };
        let (server, via) = match (has("vpsc"), has("vd") && !dialled.is_empty()) {
            (true, true) => (server, dialled),
            (false, true) => (dialled, ""),
            (_, false) => (server, ""),
        };
        let outcome = match () {
            // of TCP cut before its flags a refusal alone is known by its numbers
            () if server.ends_with(":9999") => "refused",
            () if !has("vpds") => "midstream",
            () => "established",
        };
        (!seen.is_empty()).then(|| told(client, server, protocol, outcome, connections, via))
    };
    SCENARIO.into_iter().filter_map(line).collect()
}

fn told(client: &str, server: &str, protocol: &str, outcome: &str, connections: u64, via: &str) -> String {
    format!("{client} > {server} {protocol} {outcome} {connections} via [{via}]")
}

/// What flowmap finds at these points, in this order.
fn found(pcaps: &Path, points: &[usize]) -> BTreeSet<String> {
    let files: Vec<String> = points.iter().map(|point| text(&pcaps.join(POINTS[*point]))).collect();
    let args: Vec<&str> =
        ["flows", "--by", "address", "--from"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let flows = Flowmap::new().json(&args);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |flow: &Value| {
        let via: Vec<String> = flow["via"]
            .as_array()
            .unwrap()
            .iter()
            .map(|via| format!("{}:{}", word(&via["address"]), via["port"]))
            .collect();
        let [client, server] = ["client", "server"].map(|side| word(&flow[side]["name"]));
        let (server, protocol) = (format!("{server}:{}", flow["port"]), word(&flow["protocol"]));
        assert!(flow["direction"] != "unknown" && flow["marks"] == serde_json::json!([]), "{flow}");
        told(
            &client,
            &server,
            &protocol,
            &word(&flow["outcome"]),
            flow["connections"].as_u64().unwrap(),
            &via.join(","),
        )
    };
    let flows = flows.as_array().unwrap().iter();
    flows.filter(|flow| ["TCP", "UDP"].contains(&flow["protocol"].as_str().unwrap())).map(line).collect()
}

#[test]
fn the_cluster_lab_is_mapped_at_each_point() {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    for (point, name) in POINTS.iter().enumerate() {
        assert_eq!(found(&pcaps, &[point]), scenario(&[point]), "{name}");
    }
}

#[test]
fn the_cluster_lab_is_mapped_from_all_points_in_any_order() {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    let mut points: Vec<usize> = (0..POINTS.len()).collect();
    let expected = scenario(&points);
    assert_eq!(expected.len(), SCENARIO.len());
    for _ in 0..POINTS.len() {
        points.rotate_left(1);
        assert_eq!(found(&pcaps, &points), expected, "{points:?}");
        let backwards: Vec<usize> = points.iter().rev().copied().collect();
        assert_eq!(found(&pcaps, &backwards), expected, "{backwards:?}");
    }
}

/// All sets of these points, of two or more.
fn sets(points: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let sets = (1u32..1 << points.len()).map(|set| {
        let is_in = |(n, _): &(usize, &usize)| set >> n & 1 == 1;
        points.iter().enumerate().filter(is_in).map(|(_, point)| *point).collect::<Vec<_>>()
    });
    sets.filter(|set| set.len() > 1)
}

/// Points together show what each shows alone, joined.
fn add_up(sets: impl Iterator<Item = Vec<usize>>) {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    let wrong = |set: Vec<usize>| {
        let (found, expected) = (found(&pcaps, &set), scenario(&set));
        let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| -> Vec<String> {
            these.difference(those).cloned().collect()
        };
        let (missing, added) = (only(&expected, &found), only(&found, &expected));
        (found != expected).then(|| format!("points {set:?}: not found {missing:#?}, but {added:#?}"))
    };
    let wrong: Vec<String> = sets.filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_cluster_lab_is_mapped_from_all_that_a_node_saw_and_any_other_points() {
    add_up(sets(&[0, 1, 2, 3, 4, 5]).filter(|set| set.contains(&0)));
}

#[test]
fn the_cluster_lab_is_mapped_from_the_uplink_the_other_node_and_a_pod() {
    add_up(sets(&[2, 3, 4]));
    add_up(sets(&[2, 3, 5]));
}

#[test]
fn the_cluster_lab_is_mapped_from_the_bridge_and_any_other_points() {
    add_up(sets(&[1, 2, 3, 4]).filter(|set| set.contains(&1)));
}

#[test]
fn the_cluster_lab_is_mapped_from_captures_cut_short_and_any_other_points() {
    add_up(sets(&[1, 2, 3, 4, 5]).filter(|set| set.contains(&5)));
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
