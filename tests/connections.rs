//! What is one connection, what became of it and who opened it: packets in, rows of `flows` out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

mod common;

use common::{
    Flowmap, data,
    frames::{Frame, conversation, pcap},
    text,
};
use serde_json::Value;

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:443";

/// A row as the tables below write it: `10.0.0.1 > 10.0.0.2 TCP/443 established handshake 1`, then tags and what was
/// dialled where there are any.
fn row(flow: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value, entry: &dyn Fn(&Value) -> String| {
        value.as_array().unwrap().iter().map(entry).collect::<Vec<_>>().join(",")
    };
    let mut row = format!(
        "{} > {} {}/{} {} {} {}",
        word(&flow["client"]["name"]),
        word(&flow["server"]["name"]),
        word(&flow["protocol"]),
        flow["port"],
        word(&flow["outcome"]),
        word(&flow["direction"]),
        flow["connections"],
    );
    let vlans = list(&flow["vlans"], &word);
    let via = list(&flow["via"], &|via| format!("{}:{}", word(&via["address"]), via["port"]));
    let marks = list(&flow["marks"], &word);
    for (name, value) in [("vlans", vlans), ("via", via), ("marks", marks)] {
        if !value.is_empty() {
            row = format!("{row} {name} {value}");
        }
    }
    row
}

/// The rows that these captures give, each imported by a command of its own.
fn rows(captures: &[Vec<Frame>]) -> Vec<String> {
    let flowmap = Flowmap::new();
    for (n, frames) in captures.iter().enumerate() {
        flowmap.write(&format!("{n}.pcap"), pcap(frames));
        flowmap.ok(&["import", &format!("{n}.pcap")]);
    }
    flowmap.json(&["flows", "--by", "address"]).as_array().unwrap().iter().map(row).collect()
}

fn in_vlan(frames: Vec<Frame>, vlan: u16) -> Vec<Frame> {
    frames.into_iter().map(|frame| frame.in_vlan(vlan)).collect()
}

/// Each frame of the first, then the one of the second that belongs to it, a moment later.
fn interleaved(first: Vec<Frame>, second: Vec<Frame>) -> Vec<Frame> {
    let times = (0..).map(|n| n * 1_000);
    let pairs = first.into_iter().zip(second).zip(times);
    pairs.flat_map(|((one, other), us)| [one.at_us(us), other.at_us(us + 20)]).collect()
}

/// What a case is called, its captures, and the rows that they give.
type Case<'a> = (&'a str, Vec<Vec<Frame>>, &'a [&'a str]);

fn check(cases: &[Case<'_>]) {
    for (name, captures, expected) in cases {
        assert_eq!(rows(captures), *expected, "{name}");
    }
}

#[test]
fn a_connection_is_told_by_its_opening_and_what_became_of_it() {
    let whole = || conversation(CLIENT, SERVER, 100, 900);
    let syn = || Frame::syn(CLIENT, SERVER, 100);
    let refused = "10.0.0.1 > 10.0.0.2 TCP/443 refused handshake 1";
    let established = "10.0.0.1 > 10.0.0.2 TCP/443 established handshake 1";
    let again = [whole(), conversation(CLIENT, SERVER, 50_000, 70_000)].concat();
    let twice_asked = [vec![syn(), syn()], whole()].concat();
    let reply_first = [vec![whole().remove(1), syn()], whole().split_off(2)].concat();
    // made-up captures acknowledge the SYN itself
    let mut off_by_one = whole();
    off_by_one[1] = Frame::syn_ack(SERVER, CLIENT, 900, 100);
    let counted_from_zero = conversation(CLIENT, SERVER, 0, 0);
    check(&[
        ("whole", vec![whole()], &[established]),
        ("refused", vec![vec![syn(), Frame::refusal(SERVER, CLIENT, 101)]], &[refused]),
        ("refused, the SYN not captured", vec![vec![Frame::refusal(SERVER, CLIENT, 101)]], &[refused]),
        ("refused by ICMP", vec![vec![syn(), Frame::unreachable("10.0.0.254", &syn())]], &[refused]),
        (
            "refused by ICMP in another file",
            vec![vec![syn()], vec![Frame::unreachable("10.0.0.254", &syn())]],
            &[refused],
        ),
        ("unanswered", vec![vec![syn()]], &["10.0.0.1 > 10.0.0.2 TCP/443 unanswered handshake 1"]),
        ("asked several times", vec![twice_asked], &[established]),
        ("the reply seen before the SYN", vec![reply_first], &[established]),
        ("off by one", vec![off_by_one], &[established]),
        ("counted from zero", vec![counted_from_zero], &[established]),
        ("the port used again", vec![again], &["10.0.0.1 > 10.0.0.2 TCP/443 established handshake 2"]),
        ("mid-stream", vec![whole()[3..5].to_vec()], &["10.0.0.1 > 10.0.0.2 TCP/443 midstream port 1"]),
        ("one side, mid-stream", vec![whole()[4..5].to_vec()], &["10.0.0.1 > 10.0.0.2 TCP/443 oneway port 1"]),
    ]);
}

#[test]
fn datagrams_and_associations_are_connections_too() {
    let question = || Frame::udp("10.0.0.1:40000", "10.0.0.2:53", 7, b"question");
    let answer = || Frame::udp("10.0.0.2:53", "10.0.0.1:40000", 8, b"the answer");
    let init = || Frame::sctp("10.0.0.1:40000", "10.0.0.2:3868", 0, 1, 77);
    let association = || {
        vec![
            init(),
            Frame::sctp("10.0.0.2:3868", "10.0.0.1:40000", 77, 2, 88),
            Frame::sctp("10.0.0.1:40000", "10.0.0.2:3868", 88, 10, 0),
            Frame::sctp("10.0.0.2:3868", "10.0.0.1:40000", 77, 11, 0),
            Frame::sctp("10.0.0.1:40000", "10.0.0.2:3868", 88, 0, 0),
        ]
    };
    let log = (0..5).map(|n| Frame::udp("10.0.0.1:40000", "10.0.0.2:514", n, b"<13>a line")).collect();
    let late = |frame: Frame| frame.at_us(200_000_000);
    check(&[
        ("answered", vec![vec![question(), answer()]], &["10.0.0.1 > 10.0.0.2 UDP/53 established port 1"]),
        ("unanswered", vec![vec![question()]], &["10.0.0.1 > 10.0.0.2 UDP/53 oneway port 1"]),
        (
            "refused",
            vec![vec![question(), Frame::unreachable("10.0.0.2", &question())]],
            &["10.0.0.1 > 10.0.0.2 UDP/53 refused port 1"],
        ),
        ("a log", vec![log], &["10.0.0.1 > 10.0.0.2 UDP/514 oneway port 1"]),
        (
            "after silence",
            vec![vec![question(), answer(), late(Frame::udp("10.0.0.1:40000", "10.0.0.2:53", 9, b"another"))]],
            &["10.0.0.1 > 10.0.0.2 UDP/53 established port 1", "10.0.0.1 > 10.0.0.2 UDP/53 oneway port 1"],
        ),
        ("association", vec![association()], &["10.0.0.1 > 10.0.0.2 SCTP/3868 established handshake 1"]),
        (
            "its middle in another file",
            vec![association()[..2].to_vec(), association()[2..].to_vec()],
            &["10.0.0.1 > 10.0.0.2 SCTP/3868 established handshake 1"],
        ),
        (
            "aborted",
            vec![vec![init(), Frame::sctp("10.0.0.2:3868", "10.0.0.1:40000", 77, 6, 0)]],
            &["10.0.0.1 > 10.0.0.2 SCTP/3868 refused handshake 1"],
        ),
    ]);
}

#[test]
fn equal_ends_in_two_vlans_are_one_connection_or_two() {
    let here = || in_vlan(conversation(CLIENT, SERVER, 100, 900), 10);
    let there = |number| {
        let frames = in_vlan(conversation(CLIENT, SERVER, number, number + 800), 20);
        frames.into_iter().map(|frame| frame.with_hop_limit(63)).collect::<Vec<_>>()
    };
    let one = "10.0.0.1 > 10.0.0.2 TCP/443 established handshake 1 vlans 10,20";
    let two = "10.0.0.1 > 10.0.0.2 TCP/443 established handshake 2 vlans 10,20";
    let replies_elsewhere: Vec<Frame> = conversation(CLIENT, SERVER, 100, 900)
        .into_iter()
        .enumerate()
        .map(|(n, frame)| frame.in_vlan(if [1, 4, 6].contains(&n) { 20 } else { 10 }))
        .collect();
    check(&[
        ("routed from one to the other", vec![interleaved(here(), there(100))], &[one]),
        ("the same, captured in two files", vec![here(), there(100)], &[one]),
        ("unrelated numbers", vec![interleaved(here(), there(4_000_000))], &[two]),
        ("unrelated numbers in two files", vec![here(), there(4_000_000)], &[two]),
        ("unrelated, one after the other", vec![[here(), there(4_000_000)].concat()], &[two]),
        (
            "unrelated, mid-stream",
            vec![interleaved(here()[3..5].to_vec(), there(4_000_000)[3..5].to_vec())],
            &["10.0.0.1 > 10.0.0.2 TCP/443 midstream port 2 vlans 10,20"],
        ),
        ("replies in another VLAN", vec![replies_elsewhere], &[one]),
    ]);
}

#[test]
fn captures_that_show_the_vlans_or_the_sides_apart_give_whole_connections() {
    let Some(pcaps) = data().map(|data| data.join("pcaps")) else { return };
    let rows = |capture: &str| {
        let flows = Flowmap::new().json(&["flows", "--by", "address", "--from", &text(&pcaps.join(capture))]);
        flows.as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    // requests in VLAN 100 or 300, their replies in 200 or 400
    let asymmetric = rows("vlan/trex-core__bp_sim_dns_vlans.pcap");
    assert_eq!(asymmetric.len(), 9, "{asymmetric:#?}");
    for (n, row) in (1..).zip(&asymmetric) {
        let ends = format!("16.0.0.{n} > 48.0.0.{n} UDP/53 established port 1 vlans");
        assert!([format!("{ends} 100,200"), format!("{ends} 300,400")].contains(row), "{row}");
    }

    // only what the servers sent: 284 connections, of servers at port 80
    let flows = Flowmap::new().json(&[
        "flows",
        "--by",
        "address",
        "--from",
        &text(&pcaps.join("midstream/pcapplusplus__650HttpResponses.pcap")),
    ]);
    let flows = flows.as_array().unwrap();
    assert_eq!(flows.iter().map(|flow| flow["connections"].as_u64().unwrap()).sum::<u64>(), 284);
    for flow in flows {
        assert_eq!((&flow["port"], &flow["outcome"]), (&80.into(), &"oneway".into()), "{flow}");
        assert_eq!((&flow["client"]["name"], &flow["bytes_to_server"]), (&"10.0.0.1".into(), &0.into()), "{flow}");
    }
}

#[test]
fn translation_is_learnt_from_the_wire_and_chance_is_not_taken_for_it() {
    let stage = |client: &str, server: &str, hop_limit: u8| {
        let frames = conversation(client, server, 4_000_100, 7_000_900).into_iter();
        frames.map(|frame| frame.with_hop_limit(hop_limit)).collect::<Vec<_>>()
    };
    let pod = "10.244.0.5:40000";
    let destination = interleaved(stage(pod, "10.96.0.5:80", 64), stage(pod, "10.244.0.7:8080", 63));
    let both = interleaved(
        stage("203.0.113.9:40000", "172.18.0.2:30080", 64),
        stage("10.244.0.1:61000", "10.244.0.7:8080", 63),
    );
    let scan = |ports: std::ops::Range<u16>| -> Vec<Frame> {
        let attempt = |port: u16| {
            let server = format!("10.0.0.2:{port}");
            [Frame::syn(CLIENT, &server, 100), Frame::refusal(&server, CLIENT, 101)]
        };
        ports.flat_map(attempt).collect()
    };
    let one_number: Vec<Frame> =
        (1..=3u8).flat_map(|n| conversation(CLIENT, &format!("10.0.1.{n}:80"), 1_000, 5_000)).collect();
    let two_pairs: Vec<Frame> = (1..=3u8)
        .flat_map(|n| conversation(&format!("10.0.2.{n}:40000"), &format!("10.0.1.{n}:80"), 1_000, 5_000))
        .collect();
    let questions: Vec<Frame> =
        (1..=3u8).map(|n| Frame::udp(CLIENT, &format!("10.0.1.{n}:53"), 7, b"the same question")).collect();
    check(&[
        (
            "a Service's address",
            vec![destination],
            &["10.244.0.5 > 10.244.0.7 TCP/8080 established handshake 1 via 10.96.0.5:80"],
        ),
        (
            "a Service's address, in two files",
            vec![stage(pod, "10.96.0.5:80", 64), stage(pod, "10.244.0.7:8080", 63)],
            &["10.244.0.5 > 10.244.0.7 TCP/8080 established handshake 1 via 10.96.0.5:80"],
        ),
        (
            "a node port and the node's own address",
            vec![both],
            &["203.0.113.9 > 10.244.0.7 TCP/8080 established handshake 1 via 172.18.0.2:30080"],
        ),
        (
            "a scan with one number",
            vec![scan(1..4)],
            &[
                "10.0.0.1 > 10.0.0.2 TCP/1 refused handshake 1",
                "10.0.0.1 > 10.0.0.2 TCP/2 refused handshake 1",
                "10.0.0.1 > 10.0.0.2 TCP/3 refused handshake 1",
            ],
        ),
        (
            "made-up connections with one number",
            vec![one_number],
            &[
                "10.0.0.1 > 10.0.1.1 TCP/80 established handshake 1",
                "10.0.0.1 > 10.0.1.2 TCP/80 established handshake 1",
                "10.0.0.1 > 10.0.1.3 TCP/80 established handshake 1",
            ],
        ),
        (
            "made-up connections of several hosts",
            vec![two_pairs],
            &[
                "10.0.2.1 > 10.0.1.1 TCP/80 established handshake 1",
                "10.0.2.2 > 10.0.1.2 TCP/80 established handshake 1",
                "10.0.2.3 > 10.0.1.3 TCP/80 established handshake 1",
            ],
        ),
        (
            "one question to several",
            vec![questions],
            &[
                "10.0.0.1 > 10.0.1.1 UDP/53 oneway port 1",
                "10.0.0.1 > 10.0.1.2 UDP/53 oneway port 1",
                "10.0.0.1 > 10.0.1.3 UDP/53 oneway port 1",
            ],
        ),
    ]);
}
