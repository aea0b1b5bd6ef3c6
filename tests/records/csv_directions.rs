//! Flow logs as CSV that tell of each way by itself, and what packets tell of attempts, through the command line.

use std::fmt::Write as _;

use crate::common::{Flowmap, rows::rows};

/// A row of a log that tells of each way by itself.
fn way(from: &str, to: &str, packets: u64, action: &str) -> String {
    let [from, to] = [from, to].map(|end| end.replace(':', ","));
    format!("{from},{to},6,{packets},{},{action},2026-09-21T10:00:01Z,2026-09-21T10:01:00Z\n", packets * 40)
}

/// The flows of a log of such rows.
fn told(log: &str) -> Vec<String> {
    let flowmap = Flowmap::new();
    let header = "src_ip,src_port,dst_ip,dst_port,proto,packets,bytes,action,first_seen,last_seen\n";
    flowmap.write("vpc.csv", format!("{header}{log}"));
    rows(&flowmap, &["vpc.csv".into()])
}

#[test]
fn a_port_that_a_client_got_by_chance_turns_no_connection_of_a_log_of_each_way() {
    let server = "10.0.1.9:30080";
    let mut log = String::new();
    for port in (0..396).map(|n| 32_768 + 61 * n).chain([1_883, 8_400, 8_443, 13_133]) {
        let client = format!("10.0.0.5:{port}");
        log += &way(&client, server, 10, "ACCEPT");
        log += &way(server, &client, 10, "ACCEPT");
    }
    assert_eq!(told(&log), ["10.0.0.5 > 10.0.1.9:30080/TCP established fan-in 400"]);
}

#[test]
fn the_ports_of_a_log_of_each_way_tell_the_server_and_nobody_has_seen_a_handshake() {
    let (client, server) = ("10.0.0.5:51234", "10.0.1.9:443");
    let [forth, back] = [way(client, server, 9, "ACCEPT"), way(server, client, 7, "ACCEPT")];
    let both = "10.0.0.5 > 10.0.1.9:443/TCP established port 1";
    assert_eq!(told(&(forth.clone() + &back)), [both]);
    assert_eq!(told(&(back.clone() + &forth)), [both]);
    // one way alone shows no answer
    let one = "10.0.0.5 > 10.0.1.9:443/TCP oneway port 1";
    assert_eq!([told(&forth), told(&back)], [[one], [one]]);
    // either end may have either of these
    let (forth, back) = (forth.replace(",443", ",45000"), back.replace(",443", ",45000"));
    assert_eq!(told(&(forth + &back)), ["10.0.0.5 > 10.0.1.9:45000/TCP established unknown 1"]);
}

#[test]
fn datagrams_and_protocols_without_ports_are_one_pair_however_many_ways_a_log_tells() {
    let (client, server) = ("10.0.0.5:51234", "10.0.1.9:53");
    let rows = |protocol: &str, [client, server]: [&str; 2]| {
        let log = way(client, server, 10, "ACCEPT") + &way(server, client, 10, "ACCEPT");
        told(&log.replace(",6,", &format!(",{protocol},")))
    };
    assert_eq!(rows("17", [client, server]), ["10.0.0.5 > 10.0.1.9:53/UDP established port 1"]);
    // peers, and ends of which each may have either port: who was first is not told to the second
    for port in [123, 45_000] {
        let [client, server] = ["10.0.0.5", "10.0.1.9"].map(|end| format!("{end}:{port}"));
        let expected = format!("10.0.0.5 > 10.0.1.9:{port}/UDP established unknown 1");
        assert_eq!(rows("17", [&client, &server]), [expected]);
    }
    for (protocol, name) in [("1", "ICMP"), ("47", "GRE")] {
        let expected = format!("10.0.0.5 > 10.0.1.9:0/{name} established unknown 1");
        assert_eq!(rows(protocol, ["10.0.0.5:0", "10.0.1.9:0"]), [expected]);
    }
}

#[test]
fn a_stream_that_says_a_word_a_minute_is_one_and_no_attempt() {
    let minute = |m: u32, packets: u64| {
        let at = |row: String| {
            row.replace("T10:00:01Z", &format!("T10:{m:02}:00Z")).replace("T10:01:00Z", &format!("T10:{m:02}:50Z"))
        };
        let (client, server) = ("10.0.0.5:51234", "10.0.1.9:5432");
        at(way(client, server, packets, "ACCEPT")) + &at(way(server, client, packets, "ACCEPT"))
    };
    let established = ["10.0.0.5 > 10.0.1.9:5432/TCP established port 1"];
    assert_eq!(told(&(0..50).map(|m| minute(m, 1)).collect::<String>()), established, "keepalives alone");
    assert_eq!(told(&(minute(10, 20) + &minute(11, 1))), established, "the end of one that was in use");
    // a port that is used again much later is another connection's, and one packet each way an attempt
    assert_eq!(told(&(minute(10, 20) + &minute(30, 1))).len(), 2);
    // so are a few, and all from a port that its client has bound: it asks, and is refused, from there again and again
    let few = (0..5).map(|m| minute(m, 1)).collect::<String>();
    assert_eq!(told(&few), ["10.0.0.5 > 10.0.1.9:5432/TCP unanswered port 1"]);
    let bound = (0..50).map(|m| minute(m, 1)).collect::<String>().replace("51234", "872");
    assert_eq!(told(&bound), ["10.0.0.5 > 10.0.1.9:5432/TCP unanswered port 50"]);
    // what is turned away when all is over, for it was forgotten, takes nothing back
    let late = minute(11, 1).replace("ACCEPT", "REJECT");
    let both = ["10.0.0.5 > 10.0.1.9:5432/TCP established port 1", "10.0.0.5 > 10.0.1.9:5432/TCP refused port 1"];
    assert_eq!(told(&(minute(10, 20) + &late)), both);
    assert_eq!(told(&minute(10, 1)), ["10.0.0.5 > 10.0.1.9:5432/TCP unanswered port 1"]);
}

#[test]
fn what_a_firewall_turned_away_between_ports_that_tell_nothing_is_no_handshake() {
    let (client, server) = ("10.0.0.1:45000", "10.0.0.9:31000");
    // the answers alone were turned away
    let log = way(client, server, 3, "ACCEPT") + &way(server, client, 3, "REJECT");
    assert_eq!(told(&log), ["10.0.0.1 > 10.0.0.9:31000/TCP refused port 1"]);
    assert_eq!(told(&way(server, client, 3, "REJECT")), ["10.0.0.1 > 10.0.0.9:31000/TCP refused port 1"]);
    let log = way(client, server, 3, "REJECT").replace("31000", "51000");
    assert_eq!(told(&log), ["10.0.0.1 > 10.0.0.9:51000/TCP refused unknown 1"]);
}

#[test]
fn attempts_that_nobody_answered_are_no_needs_in_a_log_of_each_way() {
    let scanner = "10.0.0.66:40001";
    let mut log = String::new();
    for host in 1..=24 {
        for port in [22, 80, 443, 3306, 5432, 6379, 7001, 8080, 8443, 9200, 31000, 45000, 50000] {
            log += &way(scanner, &format!("10.0.1.{host}:{port}"), 1, "ACCEPT");
        }
    }
    let told_of_scan = told(&log);
    assert!(told_of_scan.iter().all(|row| row.contains(" unanswered ")), "{told_of_scan:#?}");
    let to_ssh = "10.0.0.66 > 10.0.1.1:22/TCP unanswered port 1 marks scan";
    assert!(told_of_scan.iter().any(|row| row == to_ssh), "{told_of_scan:#?}");
    // half-open: one packet each way
    let (client, server) = ("10.0.0.5:51234", "10.0.1.9:443");
    let half = way(client, server, 1, "ACCEPT") + &way(server, client, 1, "ACCEPT");
    assert_eq!(told(&half), ["10.0.0.5 > 10.0.1.9:443/TCP unanswered port 1"]);
    // few packets of one way are many of a connection that has more of the other
    let whole = way(client, server, 2, "ACCEPT") + &way(server, client, 9, "ACCEPT");
    assert_eq!(told(&whole), ["10.0.0.5 > 10.0.1.9:443/TCP established port 1"]);
}

#[test]
fn the_end_of_a_session_that_never_was_one_is_a_failure() {
    let outcome = |packets: u64, action: &str| {
        let rows = told(&way("10.0.0.7:40001", "10.0.1.1:445", packets, action));
        rows[0].split(' ').nth(3).unwrap().to_owned()
    };
    let told = [(2, "server-rst"), (1, "timeout"), (20, "server-rst"), (20, "timeout")].map(|(n, it)| outcome(n, it));
    assert_eq!(told, ["refused", "unanswered", "oneway", "oneway"]);
}

#[test]
fn fewer_packets_than_a_handshake_has_are_no_connection_in_a_log_of_what_a_firewall_did() {
    let flowmap = Flowmap::new();
    let mut log = "client,server,protocol,port,packets,connections,outcome,action\n".to_owned();
    let mut expected = Vec::new();
    let cases = [
        ("tcp", "1", "1", "", "unanswered"),
        ("tcp", "2", "", "", "unanswered"),
        ("tcp", "3", "1", "", "established"),
        ("tcp", "20", "10", "", "unanswered"),
        ("tcp", "30", "10", "", "established"),
        // not counted, or said otherwise
        ("tcp", "", "7", "", "established"),
        ("tcp", "0", "7", "", "established"),
        ("tcp", "1", "1", "established", "established"),
        ("udp", "2", "1", "", "established"),
        // one packet both ways together has no answer
        ("udp", "1", "", "", "oneway"),
        ("udp", "10", "10", "", "oneway"),
        ("udp", "11", "10", "", "established"),
        ("udp", "", "1", "", "established"),
    ];
    for (port, (protocol, packets, connections, said, outcome)) in (7_001..).zip(cases) {
        let _ = writeln!(log, "10.0.0.1,10.0.0.9,{protocol},{port},{packets},{connections},{said},ACCEPT");
        let count = if connections.is_empty() { "1" } else { connections };
        let name = protocol.to_uppercase();
        expected.push(format!("10.0.0.1 > 10.0.0.9:{port}/{name} {outcome} handshake {count}"));
    }
    flowmap.write("flows.csv", log);
    expected.sort();
    assert_eq!(rows(&flowmap, &["flows.csv".into()]), expected);
    let pinged = |packets: u64, bytes_back: u64| {
        let flowmap = Flowmap::new();
        let row = format!("10.0.0.1,10.0.0.9,icmp,,{packets},1,{bytes_back},ACCEPT");
        let head = "client,server,protocol,port,packets,connections,bytes_to_client,action";
        flowmap.write("flows.csv", format!("{head}\n{row}\n"));
        rows(&flowmap, &["flows.csv".into()]).join("")
    };
    assert_eq!(pinged(1, 0), "10.0.0.1 > 10.0.0.9:0/ICMP unanswered handshake 1");
    for answered in [pinged(2, 0), pinged(1, 84)] {
        assert_eq!(answered, "10.0.0.1 > 10.0.0.9:0/ICMP established handshake 1");
    }
    // who names servers alone says that they accepted, and may sample packets
    let plain = Flowmap::new();
    plain.write("flows.csv", "client,server,protocol,port,packets\n10.0.0.1,10.0.0.9,tcp,7001,1\n");
    let accepted = "10.0.0.1 > 10.0.0.9:7001/TCP established handshake 1";
    assert_eq!(rows(&plain, &["flows.csv".into()]), [accepted]);
}

#[test]
fn what_a_firewall_let_pass_of_a_sweep_without_answers_is_no_need() {
    let flowmap = Flowmap::new();
    let mut log = "src_ip,dst_ip,proto,dst_port,action,packets,first_seen,last_seen\n".to_owned();
    let mut row = |to: String, what: &str, packets: u64, second: u64| {
        let time = format!("2026-09-21T10:{:02}:{:02}Z", second / 60, second % 60);
        let _ = writeln!(log, "10.0.0.66,{to},{what},ACCEPT,{packets},{time},{time}");
    };
    for n in 0..40 {
        row(format!("10.1.0.{n}"), "udp,161", 1, n);
        row(format!("10.1.0.{n}"), "icmp,", 1, 60 + n);
    }
    row("10.1.0.200".to_owned(), "tcp,443", 20, 300);
    row("10.1.0.201".to_owned(), "udp,53", 2, 300);
    flowmap.write("flows.csv", log);
    let found = flowmap.json(&["firewall", "--from", "flows.csv", "--out-dir", "out"]);
    assert_eq!(found["replay"]["denied"], 0, "{found}");
    let rules = flowmap.read("out/flowmap.nft");
    let needed: Vec<&str> = rules.lines().filter(|line| line.contains("counter accept")).map(str::trim).collect();
    assert!(rules.contains("tcp dport 443") && rules.contains("udp dport 53"), "{rules}");
    assert!(!needed.iter().any(|line| line.contains("161") || line.contains("l4proto")), "{needed:?}");
}

#[test]
fn an_opener_that_was_sent_again_and_what_brought_nothing_back_are_attempts() {
    let one_way = "src_ip,dst_ip,proto,src_port,dst_port,packets,bytes,action,first_seen,last_seen";
    let session = "src_ip,dst_ip,proto,src_port,dst_port,bytes_to_server,bytes_to_client,action,first_seen,last_seen";
    let named = "src_ip,dst_ip,proto,dst_port,packets,bytes_to_server,bytes_to_client,action,first_seen,last_seen";
    let outcome = |header: &str, fields: &str| {
        let flowmap = Flowmap::new();
        let v6 = fields.starts_with("fd00");
        let ends = if v6 { fields.to_owned() } else { format!("10.0.0.1,10.0.0.9,{fields}") };
        let row = format!("{ends},ACCEPT,2026-09-21T10:00:01Z,2026-09-21T10:01:00Z");
        flowmap.write("flows.csv", format!("{header}\n{row}\n"));
        rows(&flowmap, &["flows.csv".into()])[0].split(' ').nth(3).unwrap().to_owned()
    };
    for (header, fields, expected) in [
        // six openers of Linux, of macOS, and of Linux by IPv6
        (one_way, "tcp,40000,5432,6,360", "unanswered"),
        (one_way, "tcp,40000,5432,3,192", "unanswered"),
        (one_way, "fd00::1,fd00::9,tcp,40000,5432,6,480", "unanswered"),
        // acknowledgements, other packets, data, and more than anybody sends again
        (one_way, "tcp,40000,5432,5,260", "oneway"),
        (one_way, "tcp,40000,5432,4,216", "oneway"),
        (one_way, "tcp,40000,5432,6,900", "oneway"),
        (one_way, "tcp,40000,5432,20,1200", "oneway"),
        (session, "tcp,40000,5432,360,0", "unanswered"),
        (session, "tcp,40000,5432,360,120", "established"),
        // so much nobody sends to who does not answer: the answers went another way
        (session, "tcp,40000,5432,5000,0", "oneway"),
        (named, "tcp,5432,8000,10000000,0", "established"),
        (session, "udp,40000,514,360,0", "oneway"),
        (named, "tcp,5432,6,360,0", "unanswered"),
        (named, "tcp,5432,12,900,0", "unanswered"),
        (named, "tcp,5432,12,900,700", "established"),
        // both ways together
        ("src_ip,dst_ip,proto,dst_port,packets,bytes,action,first_seen,last_seen", "tcp,5432,6,360", "established"),
        (named, "udp,514,12,900,0", "oneway"),
        (named, "icmp,,12,900,0", "unanswered"),
        // a log that counts no bytes
        (named, "tcp,5432,12,0,0", "established"),
    ] {
        assert_eq!(outcome(header, fields), expected, "{header}: {fields}");
    }
    // the other way's record shows that it was answered
    let both = way("10.0.0.5:51234", "10.0.1.9:443", 6, "ACCEPT").replace(",240,", ",360,")
        + &way("10.0.1.9:443", "10.0.0.5:51234", 5, "ACCEPT");
    assert_eq!(told(&both), ["10.0.0.5 > 10.0.1.9:443/TCP established port 1"]);
}

#[test]
fn one_record_that_tells_little_makes_no_attempt_of_a_stream() {
    let header =
        "src_ip,dst_ip,proto,src_port,dst_port,packets,bytes_to_server,bytes_to_client,action,first_seen,last_seen";
    let row = |(counts, minute): &(&str, &str)| {
        let times = format!("2026-09-21T10:{minute}:00Z,2026-09-21T10:{minute}:59Z");
        format!("10.0.0.1,10.0.0.9,tcp,40000,5432,{counts},ACCEPT,{times}\n")
    };
    let outcomes = |log: String| {
        let flowmap = Flowmap::new();
        flowmap.write("flows.csv", format!("{header}\n{log}"));
        let outcome = |row: &String| row.split(' ').nth(3).unwrap().to_owned();
        rows(&flowmap, &["flows.csv".into()]).iter().map(outcome).collect::<Vec<_>>().join(" ")
    };
    let told = |records: &[(&str, &str)]| {
        let forwards = outcomes(records.iter().map(row).collect());
        assert_eq!(outcomes(records.iter().rev().map(row).collect()), forwards, "{records:?}");
        forwards
    };
    // a session that is logged as it begins and as it ends, and one of which a part brought nothing back
    assert_eq!(told(&[(",74,0", "00"), (",5000,90000", "00")]), "established");
    assert_eq!(told(&[(",5000,9000", "00"), (",52,0", "01"), (",500,9000", "02")]), "established");
    // one way alone: data, then acknowledgements or an end
    assert_eq!(told(&[("400,25000,", "00"), ("5,260,", "01")]), "oneway");
    assert_eq!(told(&[("20,2000,", "00"), ("1,40,", "01")]), "oneway");
    assert_eq!(told(&[("1,60,", "00"), ("2,120,", "01")]), "unanswered");
}
