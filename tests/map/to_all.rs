//! Packets for one host in frames that the link carried to everybody: programs that make captures write the MAC of all
//! where they know no other.

use serde_json::json;

use crate::common::{
    Flowmap,
    cluster::{list, node, pod},
    frames::{Frames, Packet, connection, datagram, opening},
    rows::{expect, row},
};

fn to_all(packets: impl IntoIterator<Item = Packet>) -> Vec<Packet> {
    packets.into_iter().map(Packet::sent_to_all).collect()
}

#[test]
fn a_stream_goes_to_one_whatever_its_frames_say() {
    let (client, server) = ("10.0.0.1:40000", "10.0.0.2:80");
    let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1";
    expect(&[Frames::ethernet(to_all(opening(client, server, 1_000, 2_000)))], &[row]);
    let half = connection(client, server, 1_000, 2_000);
    let half: Vec<Packet> = half.into_iter().map(|it| if it.is_from(client) { it.sent_to_all() } else { it }).collect();
    expect(&[Frames::ethernet(half)], &[row]);
}

#[test]
fn datagrams_to_all_are_for_one_where_it_has_sent_anything_or_the_inventory_knows_it() {
    let logs = |to: &str| to_all((0..20).map(|n| datagram("10.244.1.5:40000", to, &format!("line {n}"))));
    let oneway = |to: &str| format!("10.244.1.5 > {to}:514/UDP oneway order 1");
    // nobody knows: a network's broadcast address may be any
    let flowmap = Flowmap::new();
    flowmap.write("x.pcap", Frames::ethernet(logs("10.244.1.6:514")).bytes());
    let server = |args: &[&str]| {
        let flows = flowmap.json(&[&["flows", "--by", "address", "--from", "x.pcap"], args].concat());
        let flow = flows[0].clone();
        (flow["server"]["kind"].clone(), row(&flow))
    };
    assert_eq!(server(&[]), (json!("multicast"), oneway("10.244.1.6")));
    let items = [node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.5"), pod("logs", "10.244.1.6")];
    flowmap.write("cluster.json", list(&items));
    assert_eq!(server(&["--inventory", "cluster.json"]).0, json!("workload"));
    flowmap.write("hosts.csv", "address,name\n10.244.1.6,logs\n");
    assert_eq!(server(&["--inventory", "hosts.csv"]).0, json!("host"));
    // a range is no host: the broadcast address of its network lies in it
    flowmap.write("lan.csv", "address,name\n10.244.1.0/24,lan\n");
    assert_eq!(server(&["--inventory", "lan.csv"]).0, json!("multicast"));
    let asked = [datagram("10.244.1.6:50000", "10.0.0.53:53", "who?")];
    flowmap.write("x.pcap", Frames::ethernet([logs("10.244.1.6:514"), asked.to_vec()].concat()).bytes());
    let flows = flowmap.json(&["flows", "--by", "address", "--from", "x.pcap"]);
    let kinds: Vec<_> = flows.as_array().unwrap().iter().map(|flow| flow["server"]["kind"].clone()).collect();
    assert_eq!(kinds, [json!("external"), json!("external")], "{flows:#}");
}

#[test]
fn rules_are_made_of_what_frames_to_all_carried() {
    let flowmap = Flowmap::new();
    let items = [node("node-1", "192.0.2.1", "10.244.1.0/24"), pod("web", "10.244.1.5"), pod("db", "10.244.1.6")];
    flowmap.write("cluster.json", list(&items));
    let packets = to_all(opening("10.244.1.5:40000", "10.244.1.6:5432", 1_000, 2_000));
    flowmap.write("x.pcap", Frames::ethernet(packets).bytes());
    flowmap.ok(&["inventory", "import", "cluster.json"]);
    flowmap.ok(&["import", "--sensor", "node-1", "x.pcap"]);
    flowmap.ok(&["suggest", "-n", "shop", "--isolate-unseen", "--out-dir", "out"]);
    flowmap.ok(&["explain", "shop/web", "shop/db", "5432", "--policies", "out"]);
}
