//! One connection seen under several addresses, and what looks like that and is none.

use crate::common::{
    frames::{CLIENT, Frames, Packet, SERVER, connection, datagram, reset, syn, syn_ack, traffic},
    rows::expect,
};

/// The packets of a connection, and right behind each the same with other ends, one hop on: what one host sees of it.
/// Replies come from the server's side first.
fn translated(near: [&str; 2], far: [&str; 2]) -> Vec<Packet> {
    let pairs = connection(near[0], near[1], 1_000, 2_000).into_iter().zip(connection(far[0], far[1], 1_000, 2_000));
    let is_reply = [false, true, false, false, true, false, true];
    let passages = pairs.zip(is_reply).zip(0..).flat_map(|(((near, far), is_reply), n)| {
        let (first, second) = if is_reply { (far, near) } else { (near, far) };
        let at = f64::from(n) * 0.01;
        [first.at(at).on(2), second.hops(63).at(at + 0.000_050).on(3)]
    });
    passages.collect()
}

#[test]
fn a_service_address_and_the_pod_behind_it_are_one_connection() {
    let packets = translated(["10.244.0.5:40000", "10.96.11.3:80"], ["10.244.0.5:40000", "10.244.0.6:8081"]);
    let row = "10.244.0.5 > 10.244.0.6:8081/TCP established handshake 1 via 10.96.11.3:80";
    expect(&[Frames::ethernet(packets.clone())], &[row]);
    expect(&[Frames::cooked(packets.clone())], &[row]);
    // the pod's interface in one capture, the node's in another
    let [near, far] = [0, 1].map(|n| {
        let is_near = |packet: &&Packet| row_is_near(packet) == (n == 0);
        Frames::ethernet(packets.iter().filter(is_near).cloned())
    });
    expect(&[near, far], &[row]);
}

/// Whether a packet names the Service's address.
fn row_is_near(packet: &Packet) -> bool {
    packet.names("10.96.11.3")
}

#[test]
fn a_node_port_and_the_pod_behind_it_are_one_connection_of_the_outside_client() {
    let row = "203.0.113.50 > 10.244.0.5:8079/TCP established handshake 1 via 203.0.113.1:30001";
    // with the client's port kept, and with another
    for port in [41_000, 52_345] {
        let node = format!("10.244.0.1:{port}");
        let packets = translated(["203.0.113.50:41000", "203.0.113.1:30001"], [&node, "10.244.0.5:8079"]);
        expect(&[Frames::cooked(packets)], &[row]);
    }
}

#[test]
fn a_pod_masqueraded_by_its_node_is_one_connection_of_the_pod() {
    let packets = translated(["10.244.1.5:40000", "198.51.100.9:443"], ["172.18.0.2:51000", "198.51.100.9:443"]);
    let row = "10.244.1.5 > 198.51.100.9:443/TCP established handshake 1";
    expect(&[Frames::cooked(packets)], &[row]);
}

#[test]
fn a_datagram_to_a_service_and_to_the_pod_behind_it_is_one_exchange() {
    let (client, service, pod) = ("10.244.0.5:40000", "10.96.0.10:53", "10.244.0.2:53");
    let packets = [
        datagram(client, service, "question").id(7).at(0.0),
        datagram(client, pod, "question").id(7).hops(63).at(0.000_05),
        datagram(pod, client, "answer").id(8).at(0.001),
        datagram(service, client, "answer").id(8).hops(63).at(0.001_05),
    ];
    let row = "10.244.0.5 > 10.244.0.2:53/UDP established port 1 via 10.96.0.10:53";
    expect(&[Frames::cooked(packets)], &[row]);
}

/// A question and its answer, each passed on under other ends.
fn passed_on(near: [&str; 2], far: [&str; 2]) -> [Packet; 4] {
    [
        datagram(near[0], near[1], "question").id(7).at(0.0),
        datagram(far[0], far[1], "question").id(7).hops(63).at(0.000_05),
        datagram(far[1], far[0], "answer").id(8).at(0.001),
        datagram(near[1], near[0], "answer").id(8).hops(63).at(0.001_05),
    ]
}

#[test]
fn a_datagram_of_a_masqueraded_pod_is_one_exchange_of_the_pod() {
    let packets = passed_on(["10.244.1.5:40000", "8.8.8.8:53"], ["172.18.0.2:51000", "8.8.8.8:53"]);
    expect(&[Frames::cooked(packets)], &["10.244.1.5 > 8.8.8.8:53/UDP established port 1"]);
    let packets = passed_on(["203.0.113.50:41000", "203.0.113.1:30053"], ["10.244.0.1:52345", "10.244.0.5:53"]);
    expect(&[Frames::cooked(packets)], &["203.0.113.50 > 10.244.0.5:53/UDP established port 1 via 203.0.113.1:30053"]);
}

#[test]
fn a_second_host_whose_clock_is_behind_parts_nothing_that_the_first_joins() {
    let far = ["10.244.0.1:52345", "10.244.0.5:8079"];
    let first = translated(["203.0.113.50:41000", "203.0.113.1:30001"], far);
    let row = "203.0.113.50 > 10.244.0.5:8079/TCP established handshake 1 via 203.0.113.1:30001";
    for behind_s in [-10.0, -0.5, 0.04, 0.1, 1.0, 3.0] {
        let second = (0..).zip(connection(far[0], far[1], 1_000, 2_000));
        let second = second.map(|(n, packet)| packet.hops(62).at(f64::from(n) * 0.01 - behind_s).on(4));
        expect(&[Frames::cooked(first.clone()), Frames::cooked(second)], &[row]);
    }
}

#[test]
fn a_datagram_that_a_second_capture_saw_behind_its_translation_alone_is_still_one_exchange() {
    let far = ["172.18.0.2:51000", "8.8.8.8:53"];
    let near = "10.244.1.5:40000";
    for behind_s in [-0.02, 0.0, 0.02] {
        let second = [
            datagram(far[0], far[1], "question").id(7).hops(63).at(0.000_06 - behind_s),
            datagram(far[1], far[0], "answer").id(8).at(0.000_99 - behind_s),
        ];
        let first = Frames::cooked(passed_on([near, far[1]], far));
        expect(&[first, Frames::cooked(second.clone())], &["10.244.1.5 > 8.8.8.8:53/UDP established port 1"]);
        // two hosts that ask alike: the answers come from one distance
        let alike = [
            datagram(near, far[1], "question").id(7).at(0.0),
            datagram(far[0], far[1], "question").id(7).hops(63).at(0.000_05),
            datagram(far[1], far[0], "answer").id(8).at(0.001),
            datagram(far[1], near, "answer").id(8).at(0.001_05),
        ];
        let rows = ["10.244.1.5", "172.18.0.2"].map(|client| format!("{client} > 8.8.8.8:53/UDP established port 1"));
        expect(&[Frames::cooked(alike), Frames::cooked(second)], &rows);
    }
}

// --- what looks like translation, and is none ------------------------------------------------------------------------

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
fn one_datagram_sent_to_many_is_as_many_exchanges() {
    for hosts in [2, 3, 20] {
        let ask = |host| datagram("10.0.0.1:40000", &format!("10.0.0.{host}:161"), "get").id(0);
        let answer = |host| datagram(&format!("10.0.0.{host}:161"), "10.0.0.1:40000", "response").id(host);
        let packets = (2..2 + hosts).map(ask).chain((2..2 + hosts).map(answer));
        let packets = packets.enumerate().map(|(n, packet)| packet.at(f64::from(u32::try_from(n).unwrap()) * 0.000_1));
        let rows: Vec<String> =
            (2..2 + hosts).map(|host| format!("10.0.0.1 > 10.0.0.{host}:161/UDP established port 1")).collect();
        expect(&[Frames::ethernet(packets)], &rows);
    }
}

#[test]
fn the_same_capture_under_two_names_adds_no_connection() {
    let packets = [connection(CLIENT, SERVER, 1_000, 2_000), connection("10.0.0.3:40000", SERVER, 9, 8)].concat();
    let rows = ["10.0.0.1", "10.0.0.3"].map(|client| format!("{client} > 10.0.0.2:80/TCP established handshake 1"));
    expect(&[Frames::ethernet(packets.clone()), Frames::ethernet(packets)], &rows);
}
