//! Whom captures can close: by what MACs and tags tell of where they were taken.

use std::fmt::Write as _;

use std::ops::Range;

use serde_json::Value;

use crate::common::{Flowmap, links::Wire, packets::Capture};

/// The router's station; those of hosts are higher.
const ROUTER: u32 = 1;
const GATEWAY: &str = "10.1.10.1";

/// Enough datagrams to be in use, as they leave one station for another.
fn sends(wire: &mut Wire, tags: &[u16], stations: (u32, u32), ends: (&str, &str)) {
    for _ in 0..3 {
        wire.ip(tags, stations, ends, 64);
    }
}

/// Five clients of VLAN 10, each with its frames to the router on the way to two servers that live elsewhere.
fn clients_of_servers_elsewhere() -> Wire {
    clients_with(&[10])
}

/// Such clients with these tags on all frames.
fn clients_with(tags: &[u16]) -> Wire {
    let mut wire = Wire::new();
    clients(&mut wire, tags, 0..5);
    wire
}

fn clients(wire: &mut Wire, tags: &[u16], which: Range<u32>) {
    for n in which {
        let client = format!("10.1.10.5{n}");
        wire.arp(tags, 50 + n, &client, GATEWAY);
        wire.arp(tags, ROUTER, GATEWAY, &client);
        for server in ["10.1.20.11", "10.1.30.31"] {
            sends(wire, tags, (50 + n, ROUTER), (&client, server));
        }
    }
}

fn proposed(wire: &Wire, more: &[&str]) -> (Flowmap, Value) {
    let flowmap = Flowmap::new();
    flowmap.write("trunk.pcap", wire.bytes());
    flowmap.write("hosts.csv", "address,name\n10.1.10.50,pc\n10.1.10.51,other\n10.1.20.11,web\n10.1.30.31,db\n");
    let found = flowmap.json(&[&["firewall", "--from", "trunk.pcap", "--out-dir", "out"], more].concat());
    (flowmap, found)
}

fn closed(found: &Value) -> Vec<&str> {
    found["closed"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().trim_end_matches("/32")).collect()
}

const CLIENTS: [&str; 5] = ["10.1.10.50", "10.1.10.51", "10.1.10.52", "10.1.10.53", "10.1.10.54"];

#[test]
fn who_is_known_on_a_link_between_switches_by_broadcasts_alone_is_not_closed() {
    let mut wire = clients_of_servers_elsewhere();
    // these reach all switches; what the servers send their router does not
    wire.arp(&[20], 20, "10.1.20.11", "10.1.20.1").arp(&[30], 30, "10.1.30.31", "10.1.30.1");
    assert_eq!(closed(&proposed(&wire, &[]).1), CLIENTS);
}

#[test]
fn who_was_seen_within_its_segment_alone_is_closed_only_with_its_frames_to_a_router() {
    let mut wire = clients_of_servers_elsewhere();
    let (server, station) = ("10.1.10.5", 5);
    wire.arp(&[10], station, server, GATEWAY);
    for (n, client) in (50..).zip(CLIENTS) {
        sends(&mut wire, &[10], (n, station), (client, server));
    }
    assert_eq!(closed(&proposed(&wire, &[]).1), CLIENTS);
    // a client of another VLAN: its own frames pass here, those of the server do not
    wire.arp(&[40], 40, "10.1.40.9", "10.1.40.1");
    sends(&mut wire, &[40], (40, ROUTER), ("10.1.40.9", server));
    assert_eq!(closed(&proposed(&wire, &[]).1), [&CLIENTS[..], &["10.1.40.9"]].concat());
    sends(&mut wire, &[10], (station, ROUTER), (server, "10.1.30.31"));
    assert_eq!(closed(&proposed(&wire, &[]).1), [&["10.1.10.5"], &CLIENTS[..], &["10.1.40.9"]].concat());
}

#[test]
fn tags_that_give_a_priority_alone_are_of_no_other_segment() {
    for tags in [&[0][..], &[0, 10]] {
        assert_eq!(closed(&proposed(&clients_with(tags), &[]).1), CLIENTS, "{tags:?}");
    }
}

#[test]
fn an_address_that_two_segments_claim_is_left_open() {
    let mut wire = clients_of_servers_elsewhere();
    wire.arp(&[110], 150, "10.1.10.50", GATEWAY);
    sends(&mut wire, &[110], (150, 101), ("10.1.10.50", "10.1.20.11"));
    let (flowmap, found) = proposed(&wire, &["--isolate-unseen"]);
    assert!(!closed(&found).contains(&"10.1.10.50") && closed(&found).contains(&"10.1.10.51"), "{found}");
    assert_eq!(found["left_open"], serde_json::json!([{"host": "10.1.10.50", "why": "two segments have its address"}]));
    assert_eq!(found["replay"]["denied"], 0);
    assert!(found["replay"]["uncertain"].as_u64().unwrap() > 0, "{found}");
    assert!(flowmap.read("out/REVIEW.md").contains("- 10.1.10.50: left open, two segments have its address\n"));
    assert!(!flowmap.read("out/flowmap.nft").contains("10.1.10.50"));
    let told = flowmap.ok(&["firewall", "--from", "trunk.pcap", "--out-dir", "-"]).stderr;
    assert!(told.contains("captures could not see all of them, or two segments have an address of theirs"), "{told}");
    // a bridge between VLANs has the same station in both
    let mut bridged = clients_of_servers_elsewhere();
    bridged.arp(&[110], 50, "10.1.10.50", GATEWAY);
    assert_eq!(closed(&proposed(&bridged, &[]).1), CLIENTS);
}

#[test]
fn what_else_a_closed_host_answers_at_is_told() {
    let mut wire = clients_of_servers_elsewhere();
    wire.ip6(&[10], (50, ROUTER), ("2001:db8:1:10::50", "2001:db8:1:30::31"), 64);
    let (flowmap, found) = proposed(&wire, &["--inventory", "hosts.csv"]);
    assert_eq!(closed(&found), ["10.1.10.50", "10.1.10.51"]);
    let expected = serde_json::json!([{"host": "pc", "addresses": ["2001:db8:1:10::50"]}]);
    assert_eq!(found["other_addresses"], expected, "{found}");
    let review = flowmap.read("out/REVIEW.md");
    assert!(review.contains("- **pc also has 2001:db8:1:10::50**, by the MAC: left open"), "{review}");
    let told = flowmap.ok(&["firewall", "--from", "trunk.pcap", "--inventory", "hosts.csv", "--out-dir", "-"]);
    assert!(
        told.stderr.contains("flowmap: pc: has other addresses by the MAC, which are left open: 2001:db8:1:10::50\n"),
        "{}",
        told.stderr
    );
    assert!(told.stderr.contains("hint: add what is a host's own to the hosts file"), "{}", told.stderr);
}

#[test]
fn of_whose_work_nothing_was_seen_is_in_no_tier() {
    let flowmap = Flowmap::new();
    let mut log = "client,server,protocol,port,packets,connections,outcome\n".to_owned();
    for pc in ["10.1.10.11", "10.1.10.12", "10.1.10.13"] {
        let _ = writeln!(log, "{pc},10.1.20.11,tcp,443,40,4,\n{pc},10.1.50.11,udp,67,4,2,established");
        let _ = writeln!(log, "{pc},10.1.10.1,icmp,0,4,1,established");
    }
    // relays ask for others
    for relay in ["10.1.10.1", "10.1.10.2"] {
        let _ = writeln!(log, "{relay},10.1.50.11,udp,67,6,3,established");
    }
    flowmap.write("flows.csv", log);
    let tiers = flowmap.json(&["tiers", "--from", "flows.csv"]);
    let of = |member: &str| {
        let has = |role: &&Value| role["members"].as_array().unwrap().contains(&member.into());
        tiers.as_array().unwrap().iter().find(has).unwrap_or_else(|| panic!("{member}: {tiers}"))
    };
    assert_eq!(
        (of("10.1.50.11")["tier"].as_str(), of("10.1.10.1")["role"].as_str()),
        (Some("infrastructure"), Some("not seen"))
    );
    for granularity in ["role", "tier"] {
        let out = ["firewall", "--from", "flows.csv", "--granularity", granularity, "--out-dir", "out"];
        let found = flowmap.json(&out);
        assert_eq!(found["replay"]["denied"], 0, "{found}");
        let rules = flowmap.read("out/flowmap.nft");
        assert!(rules.contains("elements = { 10.1.10.11, 10.1.10.12, 10.1.10.13 }"), "{rules}");
        assert!(rules.contains("# of no role -> "), "{rules}");
        // that the pcs ask one such host is no sign that they need another
        let pings: Vec<&str> = rules.lines().filter(|line| line.contains("l4proto 1 ")).collect();
        assert!(matches!(pings[..], [line] if line.contains("daddr 10.1.10.1 ")), "{pings:?}");
    }
}

#[test]
fn what_was_seen_in_another_vlan_than_a_host_is_meant_for_may_be_anothers() {
    let uncertain = |vlan: &str, tags: &[u16], own: &[u16]| {
        let mut wire = clients_with(own);
        wire.arp(tags, 150, "10.1.10.50", GATEWAY);
        sends(&mut wire, tags, (150, 101), ("10.1.10.50", "10.1.40.9"));
        wire.ip(&[40], (101, 40), ("10.1.10.50", "10.1.40.9"), 63).arp(&[40], 40, "10.1.40.9", "10.1.40.254");
        sends(&mut wire, &[40], (40, ROUTER), ("10.1.40.9", "10.1.30.31"));
        let flowmap = Flowmap::new();
        flowmap.write("trunk.pcap", wire.bytes());
        let others = "10.1.20.11,web,\n10.1.30.31,db,\n10.1.40.9,mail,\n";
        flowmap.write("hosts.csv", format!("address,name,vlan\n10.1.10.50,pc,{vlan}\n{others}"));
        let out =
            ["firewall", "--from", "trunk.pcap", "--inventory", "hosts.csv", "--out-dir", "out", "--isolate-unseen"];
        let found = flowmap.json(&out);
        assert_eq!(found["replay"]["denied"], 0, "{found}");
        let left_out = found["left_out"].as_array().unwrap().iter().filter(|it| it["from"] == "pc");
        let mut to: Vec<String> = left_out.map(|it| format!("{} {}", it["to"], it["reason"])).collect();
        to.sort();
        to.join(", ").replace('"', "").replace(" two segments have the address", "")
    };
    // the other one of VLAN 110 called mail; without a VLAN in the hosts file nobody knows who called what
    assert_eq!(uncertain("10", &[110], &[10]), "mail");
    assert_eq!(uncertain("10", &[110], &[0, 10]), "mail");
    assert_eq!(uncertain("", &[110], &[10]), "db, mail, web");
    // one customer's VLAN 10 is not another's
    assert_eq!(uncertain("10", &[200, 10], &[100, 10]), "db, mail, web");
    assert_eq!(uncertain("100", &[200, 10], &[100, 10]), "mail");
    // as it is meant: where its own VLAN was not captured too
    let mut wire = Wire::new();
    for n in 0..5 {
        let (server, station) = (format!("10.1.40.{n}"), 40 + n);
        wire.arp(&[40], station, &server, "10.1.40.254");
        for client in ["10.1.10.50", "10.1.20.11"] {
            for _ in 0..3 {
                wire.ip(&[40], (ROUTER, station), (client, &server), 63);
            }
        }
    }
    let flowmap = Flowmap::new();
    flowmap.write("servers.pcap", wire.bytes());
    flowmap.write("hosts.csv", "address,name,vlan\n10.1.10.50,pc,10\n10.1.20.11,web,20\n10.1.40.0/24,mail,40\n");
    let found = flowmap.json(&["firewall", "--from", "servers.pcap", "--inventory", "hosts.csv", "--out-dir", "out"]);
    assert_eq!((&found["replay"]["denied"], &found["replay"]["uncertain"]), (&0.into(), &0.into()));
    assert!(flowmap.read("out/flowmap.nft").contains("10.1.10.50"), "{found}");
}

#[test]
fn one_address_of_a_range_leaves_no_other_open_and_is_named() {
    let mut wire = clients_of_servers_elsewhere();
    // made up in another VLAN, or a gateway's
    wire.ip(&[20], (20, 21), ("10.1.10.77", "10.1.20.11"), 63);
    let flowmap = Flowmap::new();
    flowmap.write("trunk.pcap", wire.bytes());
    flowmap.write("hosts.csv", "address,name\n10.1.10.0/24,pcs\n10.1.20.11,web\n10.1.30.31,db\n");
    let at = |granularity: &'static str| {
        let from = ["firewall", "--from", "trunk.pcap", "--inventory", "hosts.csv", "--granularity", granularity];
        let found = flowmap.json(&[&from[..], &["--out-dir", "out"]].concat());
        let told = flowmap.ok(&[&from[..], &["--out-dir", "-"]].concat()).stderr;
        (found, told + &flowmap.read("out/REVIEW.md"))
    };
    let why = "seen where not all of it passes";
    let (found, told) = at("host");
    assert_eq!(closed(&found), CLIENTS);
    assert_eq!(found["left_open"][0], serde_json::json!({"host": "db", "why": why}));
    assert_eq!(found["left_open"][1], serde_json::json!({"host": "pcs, 10.1.10.77", "why": why}));
    assert!(!told.contains("One address leaves all of its host open"), "{told}");
    // there the range is one host
    let (found, told) = at("role");
    assert_eq!(closed(&found), [""; 0]);
    let expected = serde_json::json!({"host": "pcs", "why": format!("10.1.10.77: {why}")});
    assert_eq!(found["left_open"][1], expected);
    assert!(told.contains(&format!("pcs (10.1.10.77: {why})")), "{told}");
    for hint in ["hint: one address leaves all of its host open", "\nOne address leaves all of its host open: list"] {
        assert!(told.contains(hint), "{told}");
    }
}

/// Somebody of VLAN 110 who has an address of VLAN 10, and calls what nobody else does.
fn another(wire: &mut Wire) {
    wire.arp(&[110], 150, "10.1.10.50", GATEWAY);
    sends(wire, &[110], (150, 101), ("10.1.10.50", "10.1.40.9"));
}

/// Proposes rules for the first of the clients, of VLAN 10 by its own entry, and for others.
fn of_client(trunk: &Wire, port: &Wire, entry: &str, more: &[&str]) -> Value {
    let flowmap = Flowmap::new();
    flowmap.write("trunk.pcap", trunk.bytes());
    flowmap.write("port.pcap", port.bytes());
    let others = "10.1.20.11,web,\n10.1.30.31,db,\n10.1.40.9,mail,\n";
    flowmap.write("hosts.csv", format!("address,name,vlan\n{entry}\n{others}"));
    let files = ["firewall", "--from", "trunk.pcap", "port.pcap", "--inventory", "hosts.csv", "--out-dir", "out"];
    flowmap.json(&[&files, more].concat())
}

#[test]
fn a_port_without_tags_settles_nothing_of_what_another_does_in_its_own_vlan() {
    let mut trunk = clients_with(&[10]);
    another(&mut trunk);
    let mut port = Wire::new();
    port.arp(&[], 50, "10.1.10.50", GATEWAY);
    sends(&mut port, &[], (50, ROUTER), ("10.1.10.50", "10.1.20.11"));
    let targets = |entry: &str| {
        let found = of_client(&trunk, &port, entry, &["--isolate-unseen"]);
        assert_eq!(found["replay"]["denied"], 0, "{found}");
        let uncertain = found["left_out"].as_array().unwrap().iter().filter(|it| it["from"] == "pc");
        let mut to: Vec<String> = uncertain.map(|it| it["to"].as_str().unwrap().to_owned()).collect();
        to.sort();
        to.join(" ")
    };
    assert_eq!(targets("10.1.10.50,pc,10"), "mail");
    // what is said of a network is not said of who stands in it by itself
    assert_eq!(targets("10.1.10.50,pc,\n10.1.10.0/24,pcs,110"), "db mail web");
}

#[test]
fn who_was_seen_by_the_traffic_of_another_alone_was_not_seen() {
    let mut trunk = Wire::new();
    trunk.arp(&[10], 50, "10.1.10.50", GATEWAY);
    clients(&mut trunk, &[10], 1..5);
    another(&mut trunk);
    let found = of_client(&trunk, &Wire::new(), "10.1.10.50,pc,10\n10.1.10.51,other,10", &[]);
    assert!(closed(&found).contains(&"10.1.10.51") && !closed(&found).contains(&"10.1.10.50"), "{found}");
}

#[test]
fn what_was_open_before_the_window_is_named_by_its_hosts() {
    let (pc, db) = (([10, 1, 10, 50], 42_000), ([10, 1, 30, 31], 5432));
    let mut capture = Capture::new();
    capture.at("2026-11-24T10:00:00Z").accepted(pc.0, pc.1, db.0, db.1);
    capture.at("2026-11-24T11:30:00Z").said(pc, db, b"select 1").said(db, pc, b"1");
    capture.talk("10.1.10.50:42001", "10.1.30.31:443");
    let flowmap = Flowmap::new();
    flowmap.write("x.pcap", capture.bytes());
    flowmap.write("hosts.csv", "address,name\n10.1.10.50,pc\n10.1.30.31,db\n");
    let told = |since: &str| {
        let args = ["firewall", "--from", "x.pcap", "--inventory", "hosts.csv", "--isolate-unseen", "--out-dir", "-"];
        flowmap.ok(&[&args[..], &["--since", since]].concat()).stderr
    };
    let late = told("2026-11-24T11:00:00Z");
    assert!(late.contains("flowmap: pc -> db on TCP/5432: 1 connection began before --since and went on"), "{late}");
    assert!(!told("2026-11-24T09:00:00Z").contains("went on"));
}
