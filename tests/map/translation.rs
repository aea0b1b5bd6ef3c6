//! One connection seen under several addresses.

use crate::common::{
    frames::{CLIENT, Frames, Packet, SERVER, connection, datagram, opening, reset, syn, traffic},
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

#[test]
fn a_datagram_that_a_bridge_translates_before_its_hop_is_counted_is_one_exchange() {
    let (client, service, pod) = ("10.244.0.5:40000", "10.96.0.10:53", "10.244.0.2:53");
    let asked = [
        datagram(client, service, "question").id(7).at(0.0),
        datagram(client, pod, "question").id(7).at(0.0),
        datagram(client, pod, "question").id(7).hops(63).at(0.000_1),
    ];
    let answered =
        [datagram(pod, client, "answer").id(8).at(0.005), datagram(service, client, "answer").id(8).at(0.005_01)];
    let row = |outcome: &str| format!("10.244.0.5 > 10.244.0.2:53/UDP {outcome} port 1 via 10.96.0.10:53");
    expect(&[Frames::cooked(asked.clone())], &[row("oneway")]);
    expect(&[Frames::cooked(asked.into_iter().chain(answered))], &[row("established")]);
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

#[test]
fn datagrams_that_two_captures_saw_before_and_behind_their_masquerade_are_exchanges_of_the_pods() {
    let asked = |n: u16| {
        let (pod, node, server) = (format!("10.244.1.{n}:45000"), format!("172.18.0.2:{}", 50_000 + n), "8.8.8.8:53");
        let at = f64::from(n) * 0.000_2;
        let (question, answer) = (format!("question {n}"), format!("answer {n}"));
        let near =
            [datagram(&pod, server, &question).at(at), datagram(server, &pod, &answer).hops(63).at(at + 0.001_05)];
        let far = [
            datagram(&node, server, &question).hops(63).at(at + 0.000_05),
            datagram(server, &node, &answer).at(at + 0.001),
        ];
        [near, far]
    };
    let inside = Frames::ethernet((1..=3).flat_map(|n| asked(n)[0].clone()));
    let outside = Frames::ethernet((1..=3).flat_map(|n| asked(n)[1].clone()));
    let rows = (1..=3).map(|n| format!("10.244.1.{n} > 8.8.8.8:53/UDP established fan-in 1"));
    expect(&[inside, outside], &rows.collect::<Vec<_>>());
}

#[test]
fn what_nobody_answers_is_one_attempt_of_the_pod_behind_a_masquerade() {
    let (pod, node, server) = ("10.244.1.5:40000", "172.18.0.2:51000", "198.51.100.9:443");
    let unanswered = [syn(pod, server, 5).at(0.0), syn(node, server, 5).hops(63).at(0.000_05)];
    expect(&[Frames::cooked(unanswered.clone())], &["10.244.1.5 > 198.51.100.9:443/TCP unanswered handshake 1"]);
    let refusals = [reset(server, node, 6).at(0.1), reset(server, pod, 6).hops(63).at(0.100_05)];
    let refused = [unanswered, refusals].concat();
    expect(&[Frames::cooked(refused)], &["10.244.1.5 > 198.51.100.9:443/TCP refused handshake 1"]);
    // no router lies between two hosts whose packets come from one distance
    let alike = [syn(pod, server, 5).at(0.0), syn(node, server, 5).at(0.000_05)];
    let rows = ["10.244.1.5", "172.18.0.2"].map(|it| format!("{it} > 198.51.100.9:443/TCP unanswered handshake 1"));
    expect(&[Frames::cooked(alike)], &rows);
}

#[test]
fn a_log_of_several_datagrams_is_one_of_the_pod_behind_a_masquerade() {
    let (pod, node, server) = ("10.244.1.5:40000", "172.18.0.2:51000", "198.51.100.9:514");
    let log = |count: u16, word: &dyn Fn(u16) -> String| {
        Frames::cooked((0..count).flat_map(|n| {
            let at = f64::from(n);
            let near = datagram(pod, server, &word(n)).at(at);
            [near, datagram(node, server, &word(n)).hops(63).at(at + 0.000_05)]
        }))
    };
    expect(&[log(3, &|n| format!("line {n}"))], &["10.244.1.5 > 198.51.100.9:514/UDP oneway port 1"]);
    // two hosts at different distances may well say the same
    let rows = ["10.244.1.5", "172.18.0.2"].map(|it| format!("{it} > 198.51.100.9:514/UDP oneway port 1"));
    expect(&[log(1, &|_| "alive".to_owned())], &rows);
    expect(&[log(3, &|_| "alive".to_owned())], &rows);
}

#[test]
fn a_capture_behind_a_translation_that_began_later_adds_no_server() {
    let (client, service, pod) = ("10.244.0.5:40000", "10.96.11.3:80", "10.244.0.6:8081");
    let at = |packets: Vec<Packet>, later_s: f64| -> Vec<Packet> {
        packets.into_iter().zip(0..).map(|(packet, n)| packet.at(f64::from(n) * 0.01 + later_s)).collect()
    };
    let before = at(connection(client, service, 1_000, 2_000), 0.0);
    let is_from_pod = |packet: &Packet| packet.is_from(pod);
    let behind: Vec<Packet> = at(connection(client, pod, 1_000, 2_000), 0.000_05)
        .into_iter()
        .map(|packet| if is_from_pod(&packet) { packet } else { packet.hops(63) })
        .collect();
    let row = "10.244.0.5 > 10.244.0.6:8081/TCP established handshake 1 via 10.96.11.3:80";
    let replied = |packets: &[Packet]| -> Vec<Packet> {
        packets.iter().map(|it| if it.is_from(service) { it.clone().hops(63) } else { it.clone() }).collect()
    };
    for missed in 0..5 {
        expect(&[Frames::ethernet(replied(&before)), Frames::ethernet(behind[missed..].to_vec())], &[row]);
    }
    // another connection of the client that stands elsewhere is another one
    let other = at(connection(client, pod, 700_000_000, 900_000_000), 0.000_05);
    let rows = [
        "10.244.0.5 > 10.244.0.6:8081/TCP midstream port 1".to_owned(),
        "10.244.0.5 > 10.96.11.3:80/TCP established handshake 1".to_owned(),
    ];
    expect(&[Frames::ethernet(replied(&before)), Frames::ethernet(other[3..].to_vec())], &rows);
}

#[test]
fn replies_of_another_name_that_came_less_far_name_the_true_server() {
    // a mirror of what comes in at the server's port, beside all that the client's port saw
    let (client, service, pod) = ("10.244.0.5:40000", "10.96.11.3:80", "10.244.0.6:8081");
    let near = connection(client, service, 1_000, 2_000).into_iter();
    let near = near.map(|it| if it.is_from(service) { it.hops(63) } else { it });
    let packets = near.zip(connection(client, pod, 1_000, 2_000)).zip(0..).flat_map(|((near, far), n)| {
        let at = f64::from(n) * 0.01;
        let incoming = Some(far).filter(|far| far.is_from(pod)).map(|far| far.at(at));
        incoming.into_iter().chain([near.at(at + 0.000_05)])
    });
    let row = "10.244.0.5 > 10.244.0.6:8081/TCP established handshake 1 via 10.96.11.3:80";
    expect(&[Frames::ethernet(packets)], &[row]);
}

/// The same packets as one capture saw them before a masquerade, and another one behind it.
fn in_two(near: Vec<Packet>, far: Vec<Packet>) -> [Frames; 2] {
    [Frames::ethernet(near), Frames::ethernet(far)]
}

#[test]
fn what_nobody_answers_is_one_attempt_of_the_pod_where_two_captures_saw_it() {
    let (pod, node, server) = ("10.244.1.5:40000", "172.18.0.2:51000", "198.51.100.9:443");
    let tries = |from: &str, hops: u8, later_s: f64| -> Vec<Packet> {
        [0.0, 1.0, 3.0].map(|at_s| syn(from, server, 77_777).hops(hops).at(at_s + later_s)).to_vec()
    };
    let row = "10.244.1.5 > 198.51.100.9:443/TCP unanswered handshake 1";
    expect(&in_two(tries(pod, 64, 0.01), tries(node, 63, 0.0)), &[row]);
    // as far away, or not at one time
    let rows = ["10.244.1.5", "172.18.0.2"].map(|it| format!("{it} > 198.51.100.9:443/TCP unanswered handshake 1"));
    expect(&in_two(tries(pod, 64, 0.0), tries(node, 64, 0.000_05)), &rows);
    expect(&in_two(tries(pod, 64, 0.0), tries(node, 63, 0.5)), &rows);
    // a log of several datagrams
    let (words, other): ([&str; 3], [&str; 3]) = (["line 0", "line 1", "line 2"], ["alive"; 3]);
    let log = |from: &str, hops: u8, later_s: f64, words: [&str; 3]| -> Vec<Packet> {
        let sent = words.into_iter().zip(0..);
        let sent = sent.map(|(word, n)| datagram(from, server, word).hops(hops).at(f64::from(n) + later_s));
        sent.collect()
    };
    let rows = ["10.244.1.5", "172.18.0.2"].map(|it| format!("{it} > 198.51.100.9:443/UDP oneway port 1"));
    expect(&in_two(log(pod, 64, 0.000_05, words), log(node, 63, 0.0, words)), &rows[..1]);
    expect(&in_two(log(pod, 64, 0.0, other), log(node, 63, 0.000_05, other)), &rows);
    expect(&in_two(log(pod, 64, 0.0, words), log(node, 62, 0.000_05, words)), &rows);
}

#[test]
fn a_server_that_sends_first_after_a_silence_has_the_masqueraded_pod_for_its_client() {
    let (pod, node, server) = ("10.244.1.5:45000", "172.18.0.2:51000", "198.51.100.9:5060");
    let said = |n: u16, at_s: f64, is_asked: bool| {
        let word = format!("message {n}");
        let packet = |from: &str, to: &str, hops: u8, at_s: f64| datagram(from, to, &word).id(n).hops(hops).at(at_s);
        if is_asked {
            [packet(pod, server, 64, at_s), packet(node, server, 63, at_s + 0.000_03)]
        } else {
            [packet(server, node, 60, at_s), packet(server, pod, 59, at_s + 0.000_03)]
        }
    };
    let all = [said(1, 0.0, true), said(2, 0.01, false), said(3, 300.0, false), said(4, 300.01, true)];
    expect(&[Frames::cooked(all.concat())], &["10.244.1.5 > 198.51.100.9:5060/UDP established port 2"]);
}

/// A connection before a translation, and behind it without its first packets. Replies come from the server's side first.
fn met_later(near: [&str; 2], far: [&str; 2], number: u32, first_s: f64) -> [Vec<Packet>; 2] {
    let of = |[client, server]: [&str; 2], is_near: bool| -> Vec<Packet> {
        let seen = |(packet, n): (Packet, u32)| {
            let is_second = packet.is_from(client) != is_near;
            let packet = packet.at(first_s + f64::from(n) * 0.01 + if is_second { 0.000_03 } else { 0.0 });
            if is_second { packet.hops(63) } else { packet }
        };
        connection(client, server, number, number.wrapping_mul(7)).into_iter().zip(0..).map(seen).collect()
    };
    [of(near, true), of(far, false)[3..].to_vec()]
}

#[test]
fn any_number_of_masqueraded_streams_that_were_met_later_are_the_pods() {
    let server = "198.51.100.9:5432";
    for count in [16, 17, 33, 300] {
        let each = (0..count).map(|n: u16| {
            let (pod, node) = (format!("10.244.1.{}:{}", 2 + n % 5, 40_000 + n), format!("172.18.0.2:{}", 51_000 + n));
            let number = u32::from(n + 1).wrapping_mul(2_654_435_761);
            met_later([&pod, server], [&node, server], number, f64::from(n) * 0.5)
        });
        let (near, far): (Vec<_>, Vec<_>) = each.map(|[near, far]| (near, far)).unzip();
        let rows: Vec<String> = (0..5)
            .map(|n| {
                format!("10.244.1.{} > 198.51.100.9:5432/TCP established handshake {}", 2 + n, (count + 4 - n) / 5)
            })
            .collect();
        expect(&in_two(near.concat(), far.concat()), &rows);
    }
}

#[test]
fn a_stream_within_the_numbers_of_a_long_one_is_another() {
    let (pod, node, server) = ("10.244.1.5:40000", "172.18.0.2:51000", "198.51.100.9:5432");
    let [end, middle] = [600_000_000, 300_000_000];
    let long = opening(pod, server, 1_000, 2_000).into_iter();
    let long = long.chain([traffic(pod, server, end, end, 9), traffic(server, pod, end, end + 9, 9)]);
    let other = [traffic(node, server, middle, middle, 9), traffic(server, node, middle, middle + 9, 9)];
    let rows = [
        "10.244.1.5 > 198.51.100.9:5432/TCP established handshake 1",
        "172.18.0.2 > 198.51.100.9:5432/TCP midstream listener 1",
    ];
    expect(&in_two(long.collect(), other.map(|packet| packet.hops(63)).to_vec()), &rows);
}

#[test]
fn a_stream_that_was_met_later_is_one_also_where_both_of_its_ends_changed() {
    let (near, far) = (["10.244.1.5:40000", "10.96.0.7:80"], ["10.244.1.1:41000", "10.244.1.6:8080"]);
    let [before, behind] = met_later(near, far, 1_000, 0.0);
    let row = "10.244.1.5 > 10.244.1.6:8080/TCP established handshake 1 via 10.96.0.7:80";
    expect(&in_two(before.clone(), behind.clone()), &[row]);
    // it must have come to the same end
    let cut = behind[..behind.len() - 1].to_vec();
    let rows =
        ["10.244.1.1 > 10.244.1.6:8080/TCP midstream port 1", "10.244.1.5 > 10.96.0.7:80/TCP established handshake 1"];
    expect(&in_two(before, cut), &rows);
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
fn one_datagram_sent_to_two_servers_is_two_exchanges_whoever_answers_first_and_whatever() {
    let (client, servers) = ("10.0.0.1:40000", ["10.0.0.2:53", "10.0.0.3:53"]);
    let asked = servers.map(|server| datagram(client, server, "who is it?").id(0));
    let rows = ["10.0.0.2", "10.0.0.3"].map(|server| format!("10.0.0.1 > {server}:53/UDP established port 1"));
    for (answers, order) in [["nobody", "nobody"], ["it is 7", "it is 8"]].into_iter().zip([[0, 1], [1, 0]].repeat(2)) {
        let answered = order.map(|n: usize| datagram(servers[n], client, answers[n]).id(0));
        let all = asked.iter().chain(&answered).zip([0.0, 0.000_03, 0.001, 0.002]);
        expect(&[Frames::ethernet(all.map(|(packet, at_s)| packet.clone().at(at_s)))], &rows);
        // each in a capture of its own, at another distance
        let at = |n: usize| {
            let answer = answered.iter().find(|it| it.is_from(servers[n])).unwrap().clone().at(0.001);
            Frames::ethernet([asked[n].clone().hops(if n == 0 { 63 } else { 61 }).at(0.0), answer])
        };
        expect(&[at(0), at(1)], &rows);
    }
}

#[test]
fn a_datagram_without_an_identification_is_known_behind_a_service_by_the_hops_that_it_lost() {
    let (client, service, pod) = ("10.244.0.5:40000", "10.96.0.10:53", "10.244.0.2:53");
    let passed = |hops: u8, answer: &str| {
        [
            datagram(client, service, "question").at(0.0),
            datagram(client, pod, "question").hops(hops).at(0.000_05),
            datagram(pod, client, answer).at(0.001),
            datagram(service, client, "answer").hops(hops).at(0.001_05),
        ]
    };
    let row = "10.244.0.5 > 10.244.0.2:53/UDP established port 1 via 10.96.0.10:53";
    expect(&[Frames::cooked(passed(63, "answer"))], &[row]);
    let rows = ["10.244.0.2", "10.96.0.10"].map(|server| format!("10.244.0.5 > {server}:53/UDP established port 1"));
    expect(&[Frames::cooked(passed(64, "answer"))], &rows);
    expect(&[Frames::cooked(passed(63, "another"))], &rows);
}

#[test]
fn one_log_sent_to_two_collectors_is_two() {
    let servers = ["10.0.0.2:2055", "10.0.0.3:2055"];
    let sent = |n: u16, at: usize| {
        let packet = datagram("10.0.0.1:40000", servers[at], &format!("message {n}")).id(0);
        packet.at(f64::from(n) * 5.0 + if at == 0 { 0.0 } else { 0.000_02 })
    };
    let rows = ["10.0.0.2", "10.0.0.3"].map(|server| format!("10.0.0.1 > {server}:2055/UDP oneway port 1"));
    expect(&[Frames::ethernet((0..20).flat_map(|n| [sent(n, 0), sent(n, 1)]))], &rows);
    let at = |at: usize| Frames::ethernet((0..20).map(|n| sent(n, at).hops(if at == 0 { 63 } else { 61 })));
    expect(&[at(0), at(1)], &rows);
}

#[test]
fn the_same_capture_under_two_names_adds_no_connection() {
    let packets = [connection(CLIENT, SERVER, 1_000, 2_000), connection("10.0.0.3:40000", SERVER, 9, 8)].concat();
    let rows = ["10.0.0.1", "10.0.0.3"].map(|client| format!("{client} > 10.0.0.2:80/TCP established handshake 1"));
    expect(&[Frames::ethernet(packets.clone()), Frames::ethernet(packets)], &rows);
}

#[test]
fn two_hosts_that_send_the_same_with_the_highest_hop_limit_are_two() {
    let sent =
        |client: &str, at: f64| ["one", "two"].map(|word| datagram(client, "10.0.0.9:5353", word).hops(255).at(at));
    let packets = [sent("10.0.0.1:5353", 0.0), sent("10.0.0.2:5353", 0.000_1)].concat();
    let rows = ["10.0.0.1", "10.0.0.2"].map(|client| format!("{client} > 10.0.0.9:5353/UDP oneway order 1"));
    expect(&[Frames::ethernet(packets)], &rows);
}

#[test]
fn numbers_that_nobody_chose_tell_of_stages_that_count_no_hop() {
    let (client, dialled, pod, node) = ("203.0.113.50:41000", "203.0.113.1:443", "10.244.0.5:8443", "172.18.0.2:52000");
    let row = "203.0.113.50 > 10.244.0.5:8443/TCP established handshake 1 via 203.0.113.1:443";
    let stage = |from: &str, to: &str, hops: u8, later_s: f64| -> Vec<Packet> {
        let packets = connection(from, to, 2_271_560_481, 3_820_447_205).into_iter().zip(0..);
        packets.map(|(packet, n)| packet.hops(hops).at(f64::from(n) * 0.01 + later_s)).collect()
    };
    let to_server = |packets: Vec<Packet>, from: &str| -> Vec<Packet> {
        packets.into_iter().filter(|packet| packet.is_from(from)).collect()
    };
    // a load balancer and a node, one after the other
    let three = [stage(client, dialled, 64, 0.0), stage(client, pod, 64, 0.000_05), stage(node, pod, 63, 0.000_1)];
    expect(&[Frames::ethernet(three.concat())], &[row]);
    // of which one way alone was captured
    let one_way =
        [to_server(stage(client, dialled, 64, 0.0), client), to_server(stage(client, pod, 63, 0.000_05), client)];
    expect(&[Frames::ethernet(one_way.concat())], &[row]);
}

#[test]
fn a_last_packet_that_one_stage_lacks_parts_no_known_hosts_behind_a_router() {
    let (client, gateway, server) = ("10.0.0.1:40000", "192.0.2.1:52000", "198.51.100.9:443");
    let near = connection(client, server, 2_271_560_481, 3_820_447_205);
    let far = connection(gateway, server, 2_271_560_481, 3_820_447_205);
    let at = |packets: Vec<Packet>, later_s: f64, (forth, back): (u8, u8), from: &str| -> Vec<Packet> {
        let hops = |packet: &Packet| if packet.is_from(from) { forth } else { back };
        let timed =
            packets.into_iter().zip(0..).map(|(packet, n)| (hops(&packet), packet.at(f64::from(n) * 0.01 + later_s)));
        timed.map(|(hops, packet)| packet.hops(hops)).collect()
    };
    // a reset long after the end that the gateway did not let through
    let late = reset(server, gateway, 2_271_560_482).at(5.0).hops(60);
    let frames = [at(near, 0.0, (64, 59), client), at(far, 0.000_05, (63, 60), gateway), vec![late]].concat();
    let flowmap = crate::common::Flowmap::new();
    flowmap.write("x.pcap", Frames::ethernet(frames).bytes());
    flowmap.write("hosts.csv", "address,name\n10.0.0.1,client\n192.0.2.1,gateway\n");
    let flows = flowmap.json(&["flows", "--by", "address", "--from", "x.pcap", "--inventory", "hosts.csv"]);
    let clients: Vec<_> = flows.as_array().unwrap().iter().map(|flow| flow["client"]["name"].as_str()).collect();
    assert_eq!(clients, [Some("10.0.0.1")], "{flows:#}");
}
