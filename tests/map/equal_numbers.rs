//! Scans and made-up captures, in which many connections have the same numbers: what looks like translation, and is none.

use crate::common::{
    frames::{Frames, Packet, connection, datagram, reset, syn, syn_ack, traffic},
    rows::expect,
};

/// A scanner that sends all its SYNs from one port with one number, as nmap does.
fn scan(targets: &[(String, bool)]) -> Vec<Packet> {
    let scanner = "10.0.0.66:54321";
    let probe = |(n, (target, is_open)): (u32, &(String, bool))| {
        if *is_open {
            // its kernel knows nothing of the SYN
            let (answer, reset) = (syn_ack(target, scanner, 77_000_000 * n, 1_001), reset(scanner, target, 0));
            return vec![syn(scanner, target, 1_000), answer, reset];
        }
        vec![syn(scanner, target, 1_000), reset(target, scanner, 1_001)]
    };
    (1..)
        .zip(targets)
        .flat_map(probe)
        .enumerate()
        .map(|(n, packet)| packet.at(f64::from(u32::try_from(n).unwrap()) * 1e-4))
        .collect()
}

#[test]
fn a_scan_of_many_ports_with_one_number_is_never_joined() {
    let targets: Vec<(String, bool)> = (1..=40).map(|port| (format!("10.0.0.2:{port}"), port == 22)).collect();
    let rows = (1..=40).map(|port| {
        let outcome = if port == 22 { "established" } else { "refused" };
        format!("10.0.0.66 > 10.0.0.2:{port}/TCP {outcome} handshake 1 marks scan")
    });
    expect(&[Frames::ethernet(scan(&targets))], &rows.collect::<Vec<_>>());
}

/// Scans of as many hosts as a translated connection has sightings; all of them open, or all refuse.
fn small_scans(is_open: bool) {
    let outcome = if is_open { "established" } else { "refused" };
    for hosts in 2..=4 {
        let targets: Vec<(String, bool)> = (1..=hosts).map(|host| (format!("10.0.0.{host}:443"), is_open)).collect();
        let rows = (1..=hosts).map(|host| format!("10.0.0.66 > 10.0.0.{host}:443/TCP {outcome} handshake 1"));
        expect(&[Frames::ethernet(scan(&targets))], &rows.collect::<Vec<_>>());
    }
}

#[test]
fn a_scan_of_a_few_open_hosts_with_one_number_is_never_joined() {
    small_scans(true);
}

#[test]
fn a_scan_of_a_few_closed_hosts_with_one_number_is_never_joined() {
    small_scans(false);
}

#[test]
fn one_segment_that_went_astray_does_not_change_who_answered() {
    let (client, server, stray) = ("10.0.0.1:40000", "10.0.0.2:80", "10.0.0.77:80");
    let mut packets = connection(client, server, 1_000, 2_000);
    packets.insert(3, traffic(client, stray, 1_001, 2_001, 0));
    let rows = ["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1", "10.0.0.1 > 10.0.0.77:80/TCP oneway port 1"];
    expect(&[Frames::ethernet(packets)], &rows);
}

/// Connections of a made-up capture that all count from the same numbers, packet by packet so far apart.
fn made_up(number: u32, pairs: usize, gap_s: f64, is_interleaved: bool) -> (Vec<Packet>, Vec<String>) {
    let one = |n: usize| connection(&format!("10.0.1.{n}:40000"), &format!("10.0.2.{n}:80"), number, number);
    let connections: Vec<Vec<Packet>> = (1..=pairs).map(one).collect();
    let length = connections[0].len();
    let packets: Vec<Packet> = if is_interleaved {
        (0..length).flat_map(|n| connections.iter().map(move |it| it[n].clone())).collect()
    } else {
        connections.concat()
    };
    let at = |n: usize| f64::from(u32::try_from(n).unwrap()) * gap_s;
    let packets = packets.into_iter().enumerate().map(|(n, packet)| packet.at(at(n))).collect();
    let rows = (1..=pairs).map(|n| format!("10.0.1.{n} > 10.0.2.{n}:80/TCP established handshake 1")).collect();
    (packets, rows)
}

/// Such captures with few connections and with many.
fn never_joined(number: u32, gaps_s: &[f64], is_interleaved: bool) {
    for (pairs, gap_s) in [2, 3, 30].into_iter().flat_map(|pairs| gaps_s.iter().map(move |gap_s| (pairs, *gap_s))) {
        let (packets, rows) = made_up(number, pairs, gap_s, is_interleaved);
        expect(&[Frames::ethernet(packets)], &rows);
    }
}

#[test]
fn made_up_connections_that_count_from_0_are_never_joined() {
    never_joined(0, &[1e-4, 1e-3, 1e-2, 0.1], false);
    never_joined(0, &[1e-4, 1e-3, 1e-2, 0.1], true);
}

#[test]
fn made_up_slow_connections_with_equal_numbers_are_never_joined() {
    never_joined(1_000, &[1e-2, 0.1, 1.0], false);
    never_joined(1_000, &[0.1, 1.0], true);
}

#[test]
fn made_up_fast_connections_one_after_the_other_with_equal_numbers_are_never_joined() {
    never_joined(1_000, &[1e-4, 1e-3], false);
}

#[test]
fn made_up_fast_connections_at_one_time_with_equal_numbers_are_never_joined() {
    never_joined(1_000, &[1e-4, 1e-3, 1e-2], true);
}

#[test]
fn made_up_connections_within_others_with_equal_numbers_are_never_joined() {
    let outer = connection("10.0.1.1:40000", "10.0.2.1:80", 5, 6);
    let inner = connection("10.0.1.2:40000", "10.0.2.2:80", 5, 6);
    let (head, tail) = outer.split_at(3);
    let packets = [head, &inner, tail].concat().into_iter().enumerate();
    let packets = packets.map(|(n, packet)| packet.at(f64::from(u32::try_from(n).unwrap()) * 0.001));
    let rows = [1, 2].map(|n| format!("10.0.1.{n} > 10.0.2.{n}:80/TCP established handshake 1"));
    expect(&[Frames::ethernet(packets)], &rows);
}

#[test]
fn one_question_to_two_servers_of_a_made_up_capture_is_two_whoever_answers_first() {
    let (client, servers) = ("10.0.0.1:5000", ["10.0.0.5:53", "10.0.0.6:53"]);
    let asked = servers.map(|server| datagram(client, server, "question"));
    let answered = servers.map(|server| datagram(server, client, "answer"));
    let rows = ["10.0.0.5", "10.0.0.6"].map(|server| format!("10.0.0.1 > {server}:53/UDP established port 1"));
    for order in [[0, 1], [1, 0]] {
        let packets = asked.iter().chain(order.map(|n: usize| &answered[n])).zip([0.0, 0.001, 0.002, 0.003]);
        expect(&[Frames::ethernet(packets.map(|(packet, at_s)| packet.clone().id(1).at(at_s)))], &rows);
    }
}
