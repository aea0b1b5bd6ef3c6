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

#[test]
fn the_cluster_lab_is_mapped_through_its_services() {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    let capture = "k8s-lab-A__node1_cni0.pcap";
    let mut expected: BTreeSet<Edge> = truth(&pcaps, capture).into_keys().collect();
    // the node port's client behind the bridge address that it was masqueraded with
    assert!(expected.remove(&edge("10.244.0.1", "10.244.0.5", "TCP", 8079)));
    let outside = edge("203.0.113.50", "10.244.0.5", "TCP", 8079);
    expected.insert(outside.clone());
    let found = flows(&pcaps.join("kubernetes").join(capture));
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), expected);

    let refused = edge("10.244.0.5", "10.244.1.7", "TCP", 9999);
    for (edge, flow) in &found {
        let outcome = if *edge == refused { "refused" } else { "established" };
        assert_eq!(flow["outcome"], outcome, "{edge:?}");
        let via: Vec<_> = flow["via"].as_array().unwrap().iter().map(|via| (&via["address"], &via["port"])).collect();
        match (edge.1.as_str(), edge.3) {
            ("10.244.1.7", 8080) => assert_eq!(via, [(&"10.96.11.2".into(), &80.into())]),
            ("10.244.1.8", 8082) => assert_eq!(via, [(&"10.96.11.4".into(), &80.into())]),
            _ => assert!(via.is_empty(), "{edge:?}: {via:?}"),
        }
    }
    assert_eq!(found[&outside]["connections"], 12);
    assert_eq!(found[&refused]["connections"], 1);
    assert_eq!(found[&edge("10.244.0.5", "10.244.0.2", "UDP", 53)]["connections"], 36);
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
