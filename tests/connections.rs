//! Packets and the connections that they make: each test one case, with the rows of `flows --by address` that it gives.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

mod common;

use common::{
    frames::{
        Frames, Packet, connection, datagram, esp, icmp, reset, rest, sctp, seen_again, syn, syn_ack, too_big, traffic,
        unreachable,
    },
    rows::expect,
};

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:80";

// --- state -----------------------------------------------------------------------------------------------------------

#[test]
fn a_reset_in_answer_to_a_syn_refuses() {
    let packets = [syn(CLIENT, SERVER, 1_000), reset(SERVER, CLIENT, 1_001)];
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP refused handshake 1"]);
}

#[test]
fn a_reset_whose_syn_was_not_captured_refuses() {
    expect(&[Frames::ethernet([reset(SERVER, CLIENT, 1_001)])], &["10.0.0.1 > 10.0.0.2:80/TCP refused handshake 1"]);
}

#[test]
fn a_refusal_is_known_where_segments_were_cut_before_their_flags() {
    let refused = ["10.0.0.1 > 10.0.0.2:80/TCP refused handshake 1"];
    let packets = [syn(CLIENT, SERVER, 1_000), reset(SERVER, CLIENT, 1_001)];
    expect(&[Frames::ethernet(packets.clone()).cut_to(46)], &refused);
    expect(&packets.map(|packet| Frames::ethernet([packet]).cut_to(46)), &refused);
    let packets = connection(CLIENT, SERVER, 1_000, 2_000);
    expect(&[Frames::ethernet(packets).cut_to(46)], &["10.0.0.1 > 10.0.0.2:80/TCP midstream port 1"]);
}

#[test]
fn segments_that_are_cut_behind_their_ports_are_a_sighting() {
    let packets = connection(CLIENT, SERVER, 1_000, 2_000);
    for cut in [14 + 20 + 4, 14 + 20 + 8] {
        let row = "10.0.0.1 > 10.0.0.2:80/TCP midstream port 1";
        expect(&[Frames::ethernet(packets.clone()).cut_to(cut)], &[row]);
    }
}

#[test]
fn an_icmp_error_refuses_the_attempt_that_it_quotes() {
    let attempt = syn(CLIENT, SERVER, 1_000);
    let [error, short] = [40, 28].map(|bytes| unreachable("10.0.0.254", &attempt, bytes));
    let rows = ["10.0.0.1 > 10.0.0.2:80/TCP refused handshake 1"];
    expect(&[Frames::ethernet([attempt.clone(), error.clone()])], &rows);
    expect(&[Frames::ethernet([attempt.clone(), short])], &rows);
    expect(&[Frames::ethernet([error.clone(), attempt.clone()])], &rows);
    expect(&[Frames::ethernet([error.clone()])], &rows);
    // the SYN in one capture, the error in another
    expect(&[Frames::ethernet([attempt]), Frames::ethernet([error])], &rows);
}

#[test]
fn an_icmp_error_refuses_the_datagram_that_it_quotes() {
    let question = datagram("10.0.0.1:40000", "10.0.0.2:514", "<13>message").id(7);
    let error = unreachable("10.0.0.2", &question, 28);
    let rows = ["10.0.0.1 > 10.0.0.2:514/UDP refused port 1"];
    expect(&[Frames::ethernet([error.clone()])], &rows);
    expect(&[Frames::ethernet([question.clone(), error.clone()])], &rows);
    expect(&[Frames::ethernet([question]), Frames::ethernet([error])], &rows);
}

#[test]
fn a_router_that_wants_less_at_once_refuses_nothing() {
    let log = datagram("10.0.0.1:40000", "10.0.0.2:514", &"x".repeat(1_300));
    let rest = (1..4).map(|n| datagram("10.0.0.1:40000", "10.0.0.2:514", "less").id(n));
    let packets = [log.clone(), too_big("10.0.0.254", &log)].into_iter().chain(rest);
    let rows = ["10.0.0.1 > 10.0.0.2:514/UDP oneway port 1", "10.0.0.1 > 10.0.0.254:0/ICMP oneway unknown 1"];
    expect(&[Frames::ethernet(packets)], &rows);
}

#[test]
fn who_asks_many_ports_from_one_and_is_refused_is_no_server() {
    let asked = (33_500..33_505).map(|port| datagram("10.0.0.1:51000", &format!("10.0.0.2:{port}"), "probe"));
    let packets = asked.flat_map(|probe| [probe.clone(), unreachable("10.0.0.2", &probe, 28)]);
    let rows: Vec<String> =
        (33_500..33_505).map(|port| format!("10.0.0.1 > 10.0.0.2:{port}/UDP refused order 1")).collect();
    expect(&[Frames::ethernet(packets)], &rows.iter().map(String::as_str).collect::<Vec<_>>());
    // a server that answers somebody who is gone is told by its port
    let answer = datagram("10.0.0.2:53", "10.0.0.1:40000", "answer");
    let packets = [answer.clone(), unreachable("10.0.0.1", &answer, 28)];
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:53/UDP refused port 1"]);
}

#[test]
fn equal_ends_in_two_networks_are_not_mixed_where_nothing_says_that_they_are_one() {
    // without an identification, and alike at their beginning
    let log = |vlan: u16, n: u16| {
        datagram("10.0.0.1:40000", "10.0.0.2:514", &format!("<134>Jan 12 host{vlan} message {n}")).vlans(&[vlan])
    };
    let packets = (0..4).flat_map(|n| [log(10, n), log(20, n)]);
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:514/UDP oneway port 2 vlans 10,20"]);
    // without ports
    let packets = (0..3).flat_map(|n| [10, 20].map(|vlan| esp("10.0.0.1", "10.0.0.2").id(n).vlans(&[vlan])));
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:0/ESP oneway order 2 vlans 10,20"]);
    // cut behind their ports
    let of = |vlan: u16| connection(CLIENT, SERVER, u32::from(vlan), 7).into_iter().map(move |it| it.vlans(&[vlan]));
    let packets = of(10).zip(of(20)).flat_map(|(one, other)| [one, other]);
    let row = "10.0.0.1 > 10.0.0.2:80/TCP midstream port 2 vlans 10,20";
    expect(&[Frames::ethernet(packets).cut_to(14 + 4 + 20 + 4)], &[row]);
}

#[test]
fn an_icmp_error_does_not_refuse_a_connection_that_was_answered() {
    let mut packets = connection(CLIENT, SERVER, 1_000, 2_000);
    packets.push(unreachable("10.0.0.254", &syn(CLIENT, SERVER, 1_000), 40));
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
}

#[test]
fn a_syn_sent_again_is_one_connection() {
    let tries = [0.0, 1.0, 3.0].map(|at| syn(CLIENT, SERVER, 1_000).at(at));
    expect(&[Frames::ethernet(tries.clone())], &["10.0.0.1 > 10.0.0.2:80/TCP unanswered handshake 1"]);
    let at_last = connection(CLIENT, SERVER, 1_000, 2_000).into_iter().skip(1);
    let packets = tries.into_iter().chain(at_last);
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
}

#[test]
fn a_port_used_again_makes_two_connections() {
    let packets = [connection(CLIENT, SERVER, 1_000, 2_000), connection(CLIENT, SERVER, 800_000_000, 5)].concat();
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 2"]);
}

#[test]
fn a_port_used_again_after_a_refusal_makes_two_rows() {
    let mut packets = vec![syn(CLIENT, SERVER, 1_000), reset(SERVER, CLIENT, 1_001)];
    packets.extend(connection(CLIENT, SERVER, 800_000_000, 5));
    let rows = ["10.0.0.1 > 10.0.0.2:80/TCP refused handshake 1", "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"];
    expect(&[Frames::ethernet(packets)], &rows);
}

#[test]
fn a_connection_met_in_its_middle_is_midstream() {
    let packets = rest(CLIENT, SERVER, 1_000, 2_000);
    expect(&[Frames::ethernet(packets.clone())], &["10.0.0.1 > 10.0.0.2:80/TCP midstream port 1"]);
    let packets = packets.into_iter().skip(1).step_by(2);
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP oneway port 1"]);
}

#[test]
fn a_listener_learnt_from_another_capture_tells_who_served() {
    let server = "10.0.0.1:50000";
    let middle = Frames::ethernet(rest("10.0.0.2:40000", server, 1_000, 2_000));
    expect(&[middle], &["10.0.0.1 > 10.0.0.2:40000/TCP midstream unknown 1"]);
    let middle = Frames::ethernet(rest("10.0.0.2:40000", server, 1_000, 2_000));
    let opening = Frames::ethernet(connection("10.0.0.3:40000", server, 1_000, 2_000));
    let rows =
        ["10.0.0.2 > 10.0.0.1:50000/TCP midstream listener 1", "10.0.0.3 > 10.0.0.1:50000/TCP established handshake 1"];
    expect(&[middle, opening], &rows);
}

#[test]
fn a_connection_cut_by_two_captures_is_one() {
    let packets = connection(CLIENT, SERVER, u32::MAX - 50, 2_000);
    let at = |n: u32| f64::from(n) * 600.0;
    let packets: Vec<Packet> = (0..).zip(packets).map(|(n, packet)| packet.at(at(n))).collect();
    for cut in 1..packets.len() {
        let (first, second) = packets.split_at(cut);
        let captures = [first, second].map(|part| Frames::ethernet(part.to_vec()));
        expect(&captures, &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
    }
}

#[test]
fn a_syn_ack_before_its_syn_is_one_connection() {
    let mut packets = connection(CLIENT, SERVER, 1_000, 2_000);
    packets.swap(0, 1);
    let packets = packets.into_iter().zip([3, 2].into_iter().chain(std::iter::repeat(2)));
    let packets = packets.map(|(packet, interface)| packet.on(interface));
    expect(&[Frames::cooked(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
}

#[test]
fn a_connection_on_two_interfaces_out_of_order_is_one() {
    let both = seen_again(connection(CLIENT, SERVER, 1_000, 2_000), |packet| packet.clone().on(3).hops(63));
    // what the second interface saw comes first
    let packets = both.chunks(4).flat_map(|chunk| chunk.iter().rev().cloned());
    expect(&[Frames::cooked(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
}

#[test]
fn a_made_up_syn_ack_that_acknowledges_the_syn_itself_answers_it() {
    let (open, agree) = (syn(CLIENT, SERVER, 1_000), syn_ack(SERVER, CLIENT, 2_000, 1_000));
    let done = traffic(CLIENT, SERVER, 1_001, 2_001, 100);
    let rows = ["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"];
    expect(&[Frames::ethernet([open.clone(), agree.clone(), done.clone()])], &rows);
    expect(&[Frames::ethernet([open]), Frames::ethernet([agree.at(0.02), done])], &rows);
}

/// The same packets by a clock that is ahead by so many seconds.
fn by_a_clock_ahead(packets: Vec<Packet>, seconds: f64) -> Vec<Packet> {
    (0..).zip(packets).map(|(n, packet)| packet.at(10.0 + seconds + f64::from(n) * 0.01)).collect()
}

#[test]
fn hosts_whose_clocks_differ_saw_one_connection() {
    let (client, dialled, pod) = ("10.244.0.5:40000", "10.96.11.3:80", "10.244.1.6:8081");
    for ahead_s in [-5.0, -1.0, 1.0, 40.0] {
        let near = by_a_clock_ahead(connection(client, dialled, u32::MAX, 2_000), 0.0);
        let far = connection(client, pod, u32::MAX, 2_000).into_iter().map(|packet| packet.hops(62)).collect();
        let far = by_a_clock_ahead(far, ahead_s);
        let row = "10.244.0.5 > 10.244.1.6:8081/TCP established handshake 1 via 10.96.11.3:80";
        expect(&[Frames::ethernet(near), Frames::ethernet(far)], &[row]);
        let [here, there] = [0.0, ahead_s].map(|s| by_a_clock_ahead(connection(client, pod, 9, u32::MAX - 9), s));
        let row = "10.244.0.5 > 10.244.1.6:8081/TCP established handshake 1";
        expect(&[Frames::ethernet(here.clone()), Frames::ethernet(there.clone())], &[row]);
        // the one saw its beginning, the other its end
        let parts = [&here[..5], &there[3..]].map(|part| Frames::ethernet(part.to_vec()));
        expect(&parts, &[row]);
    }
}

// --- datagrams and SCTP ----------------------------------------------------------------------------------------------

#[test]
fn datagrams_answered_are_established_and_others_one_way() {
    let (ask, server) = ("10.0.0.1:40000", "10.0.0.2:53");
    let packets = [datagram(ask, server, "question"), datagram(server, ask, "answer")];
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:53/UDP established port 1"]);
    let lines = (0..50).map(|n| datagram("10.0.0.1:40000", "10.0.0.2:514", &format!("<13>line {n}")).at(f64::from(n)));
    expect(&[Frames::ethernet(lines)], &["10.0.0.1 > 10.0.0.2:514/UDP oneway port 1"]);
}

#[test]
fn an_answer_of_icmp_names_who_asked_also_where_that_was_not_seen() {
    let (host, server) = ("10.0.0.1", "10.0.0.2");
    let row = |outcome: &str| format!("10.0.0.1 > 10.0.0.2:0/ICMP {outcome} order 1");
    // echo, timestamp, address mask, extended echo
    for (question, answer) in [(8, 0), (13, 14), (17, 18), (42, 43)] {
        let (asks, answers) = (icmp(host, server, question), icmp(server, host, answer));
        expect(&[Frames::ethernet([asks.clone()])], &[row("oneway")]);
        expect(&[Frames::ethernet([answers.clone()])], &[row("oneway")]);
        expect(&[Frames::ethernet([answers.clone(), answers.clone(), asks.clone()])], &[row("established")]);
        // one way in each of two captures
        let captures = [Frames::ethernet([answers.at(1.0)]), Frames::ethernet([asks.at(2.0)])];
        expect(&captures, &[row("established")]);
    }
}

#[test]
fn a_message_of_icmp_that_neither_asks_nor_answers_does_not_tell_who_began() {
    let (host, router) = ("10.0.0.9", "10.0.0.1");
    // time exceeded, redirect, router advertisement, parameter problem
    for kind in [11, 5, 9, 12] {
        let error = icmp(router, host, kind);
        let unknown = ["10.0.0.1 > 10.0.0.9:0/ICMP oneway unknown 1"];
        expect(&[Frames::ethernet([error.clone(), error.clone()])], &unknown);
        // a question tells, at whatever time and place
        let told = ["10.0.0.9 > 10.0.0.1:0/ICMP established order 1"];
        let asks = icmp(host, router, 8);
        expect(&[Frames::ethernet([error.clone(), asks.clone()])], &told);
        expect(&[Frames::ethernet([error.clone().at(1.0)]), Frames::ethernet([asks.at(4_000.0)])], &told);
    }
}

#[test]
fn datagrams_after_a_long_silence_are_another_exchange() {
    let ask = |at, id| datagram("10.0.0.1:40000", "10.0.0.2:53", "question").id(id).at(at);
    expect(&[Frames::ethernet([ask(0.0, 1), ask(50.0, 2)])], &["10.0.0.1 > 10.0.0.2:53/UDP oneway port 1"]);
    let rows = ["10.0.0.1 > 10.0.0.2:53/UDP oneway port 2"];
    expect(&[Frames::ethernet([ask(0.0, 1), ask(500.0, 2)])], &rows);
    expect(&[Frames::ethernet([ask(0.0, 1)]), Frames::ethernet([ask(500.0, 2)])], &rows);
}

#[test]
fn an_sctp_association_is_opened_by_its_init() {
    let (client, server) = ("10.0.0.1:36412", "10.0.0.2:36412");
    let packets = [
        sctp(client, server, 0, 1, 77),
        sctp(server, client, 77, 2, 88),
        sctp(client, server, 88, 10, 0),
        sctp(server, client, 77, 11, 0),
        sctp(client, server, 88, 0, 0),
    ];
    let established = ["10.0.0.1 > 10.0.0.2:36412/SCTP established handshake 1"];
    expect(&[Frames::ethernet(packets.clone())], &established);
    let [opening, answer @ ..] = &packets.map(|packet| vec![packet]);
    expect(&[Frames::ethernet(opening.clone()), Frames::ethernet(answer.concat())], &established);
    expect(&[Frames::ethernet(opening.clone())], &["10.0.0.1 > 10.0.0.2:36412/SCTP unanswered handshake 1"]);
    let abort = sctp(server, client, 77, 6, 0);
    let packets = [opening.clone(), vec![abort]].concat();
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:36412/SCTP refused handshake 1"]);
}

// --- translation -----------------------------------------------------------------------------------------------------

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
