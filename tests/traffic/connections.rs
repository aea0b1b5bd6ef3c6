//! Packets and the connections that they make: each test one case, with the rows of `flows --by address` that it gives.

use crate::common::{
    Flowmap,
    frames::{
        CLIENT, Frames, Packet, SERVER, connection, datagram, esp, icmp, opening, reset, rest, sctp, seen_again, syn,
        syn_ack, too_big, traffic, unreachable,
    },
    rows::expect,
};

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

// --- one packet in several frames ------------------------------------------------------------------------------------

/// The capture again, with other frames of another link in the place of each.
fn relinked(capture: &Frames, link: u32, others: impl Fn(u16, &[u8]) -> Vec<Vec<u8>>) -> Vec<u8> {
    let (head, mut rest) = capture.bytes().split_at(24);
    let mut file = [&head[..20], &link.to_le_bytes()].concat();
    for number in 0.. {
        let Some((record, behind)) = rest.split_at_checked(16) else { break };
        let length = usize::try_from(u32::from_le_bytes(record[8..12].try_into().unwrap())).unwrap();
        let (frame, next) = behind.split_at(length);
        for other in others(number, frame) {
            let length = u32::try_from(other.len()).unwrap().to_le_bytes();
            file.extend([&record[..8], &length, &length, &other].concat());
        }
        rest = next;
    }
    file
}

/// What `import` told of a file, and how many packets its flows have.
fn counted(file: &[u8]) -> (serde_json::Value, u64) {
    let flowmap = Flowmap::new();
    flowmap.write("it.pcap", file);
    let run = flowmap.json(&["import", &flowmap.path("it.pcap").to_string_lossy()])[0]["run"].clone();
    let flows = flowmap.json(&["flows"]);
    (run, flows.as_array().unwrap().iter().map(|flow| flow["packets"].as_u64().unwrap()).sum())
}

#[test]
fn a_frame_sent_again_on_the_air_is_one_packet() {
    let capture = Frames::ethernet(connection(CLIENT, SERVER, 1_000, 2_000));
    let file = relinked(&capture, 105, |number, frame| {
        let sent = |flags: u8| {
            let to_access_point = [0x08, 0x01 | flags, 0, 0];
            let head = [&to_access_point[..], &[2; 18], &(number << 4).to_le_bytes()].concat();
            [&head[..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &frame[14..]].concat()
        };
        vec![sent(0), sent(0x08), sent(0x08)]
    });
    let (run, packets) = counted(&file);
    let decoded = run["decoded"].as_u64().unwrap();
    assert_eq!(run["packets"], 3 * decoded);
    assert_eq!(run["not_decoded"], serde_json::json!({ "802.11: sent again": 2 * decoded }));
    assert_eq!(packets, decoded);
}

#[test]
fn a_packet_that_two_hosts_mirror_to_one_collector_is_one() {
    let capture = Frames::ethernet(connection(CLIENT, SERVER, 1_000, 2_000));
    let file = relinked(&capture, 101, |_, frame| {
        let mirrored = |host: u8| {
            let inner = [&[8, 0, 0, 0, 0, 0, 42, 0][..], frame].concat();
            let length = |before: usize| u16::try_from(before + inner.len()).unwrap().to_be_bytes();
            let ip = [&[0x45, 0][..], &length(28), &[0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, host, 192, 0, 2, 9]].concat();
            [&ip[..], &50_000u16.to_be_bytes(), &4_789u16.to_be_bytes(), &length(8), &[0, 0], &inner].concat()
        };
        vec![mirrored(1), mirrored(2)]
    });
    let (run, packets) = counted(&file);
    assert_eq!(run["decoded"], run["packets"]);
    assert_eq!(run["packets"], 2 * packets);
}

#[test]
fn a_capture_of_several_mirrored_ports_is_told_as_one() {
    let capture = Frames::ethernet(connection(CLIENT, SERVER, 1_000, 2_000));
    let doubled = relinked(&capture, 1, |_, frame| vec![frame.to_vec(), frame.to_vec()]);
    let (run, packets) = counted(&doubled);
    assert_eq!((&run["decoded"], &run["packets"]), (&packets.into(), &packets.into()), "each counts");
    let flowmap = Flowmap::new();
    flowmap.write("doubled.pcap", doubled);
    flowmap.write("once.pcap", relinked(&capture, 1, |_, frame| vec![frame.to_vec()]));
    let said = flowmap.ok(&["import", "doubled.pcap"]).stderr;
    let warning = format!("doubled.pcap: warning: {} packets stand in it once more", packets / 2);
    assert!(said.contains(&warning), "{said}");
    assert_eq!(flowmap.json(&["flows"])[0]["connections"], 1);
    assert!(flowmap.ok(&["status"]).stdout.contains("stand in it once more"));
    let said = flowmap.ok(&["import", "once.pcap"]).stderr;
    assert!(!said.contains("warning"), "{said}");
}

/// A connection that began before a window is not of it, however its hours lie; and what tells who opened one, or what became of it,
/// may lie outside.
#[test]
fn a_window_selects_whole_connections() {
    let flowmap = Flowmap::new();
    let hour = |n: f64| n * 3_600.0;
    // a listener that is known by a handshake of an hour before
    let (api, db) = ("10.0.0.7:40500", "10.0.0.8:40087");
    let answered_late = opening("10.0.0.1:40001", SERVER, 70_000, 90_000);
    let mut packets: Vec<(f64, Packet)> = Vec::new();
    packets.extend(opening(CLIENT, SERVER, 1_000, 2_000).map(|it| (0.1, it)));
    packets.extend([1.5, 2.5].map(|n| (hour(n), traffic(CLIENT, SERVER, 1_001, 2_001, 100))));
    packets.extend(opening("10.0.0.7:41000", db, 5, 6).map(|it| (hour(0.8), it)));
    packets
        .extend([(hour(1.02), traffic(api, db, 9_000, 7_000, 100)), (hour(1.03), traffic(db, api, 7_000, 9_100, 50))]);
    packets.extend([-0.003, 0.003, 0.004].map(|after| hour(2.0) + after).into_iter().zip(answered_late));
    packets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let packets = packets.into_iter().map(|(time, packet)| packet.at(time));
    flowmap.write("it.pcap", Frames::ethernet(packets).bytes());
    let from = |args: &[&str]| {
        let flows = flowmap.json(&[&["flows", "--by", "address", "--from", "it.pcap"], args].concat());
        let words = |flow: &serde_json::Value| {
            format!("{} {} {} {}", flow["server"]["name"], flow["outcome"], flow["direction"], flow["connections"])
        };
        flows.as_array().unwrap().iter().map(|flow| words(flow).replace('"', "")).collect::<Vec<_>>()
    };
    let start = "2026-11-24T06:00:00Z";
    let at = |minutes: i64| {
        let start: jiff::Timestamp = start.parse().unwrap();
        (start + jiff::SignedDuration::from_mins(minutes)).to_string()
    };
    assert_eq!(from(&[]).len(), 3);
    let later = ["10.0.0.2 established handshake 1"];
    for minutes in [90, 119] {
        assert_eq!(from(&["--since", &at(minutes)]), later, "{minutes}");
    }
    assert_eq!(from(&["--since", &at(120)]), [""; 0], "it was opened before");
    assert_eq!(from(&["--since", &at(60), "--until", &at(110)]), ["10.0.0.8 midstream listener 1"]);
    assert_eq!(from(&["--since", &at(110), "--until", &at(120)]), later, "what became of it is told by the next hour");
}
