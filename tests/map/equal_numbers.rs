//! Scans and made-up captures, in which many connections have the same numbers: what looks like translation, and is none.

use crate::common::{
    frames::{Frames, Packet, connection, datagram, fin, opening, reset, rest, syn, syn_ack, traffic},
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

/// Numbers as kernels draw them.
const DRAWN: [u32; 2] = [2_271_560_481, 305_419_897];

/// A connection of a script: so many questions and answers, a packet every 10 ms.
fn session(ends: [&str; 2], [number, answer]: [u32; 2], rounds: u32, first_s: f64) -> Vec<Packet> {
    let [client, server] = ends;
    let at = |n: u32| (number + 1 + 100 * n, answer + 1 + 300 * n);
    let said = (0..rounds).flat_map(|n| {
        let (a, b) = at(n);
        [traffic(client, server, a, b, 100), traffic(server, client, b, a + 100, 300)]
    });
    let (a, b) = at(rounds);
    let end = [fin(client, server, a, b), fin(server, client, b, a + 1), traffic(client, server, a + 1, b + 1, 0)];
    timed(opening(client, server, number, answer).into_iter().chain(said).chain(end), first_s)
}

fn timed(packets: impl IntoIterator<Item = Packet>, first_s: f64) -> Vec<Packet> {
    packets.into_iter().zip(0..).map(|(packet, n)| packet.at(first_s + f64::from(n) * 0.01)).collect()
}

fn sorted(mut packets: Vec<Packet>) -> Frames {
    packets.sort_by(|a, b| a.time_s().total_cmp(&b.time_s()));
    Frames::ethernet(packets)
}

const ENDS: [[&str; 2]; 3] =
    [["10.0.0.1:40000", "10.0.0.9:443"], ["10.0.0.2:40001", "10.0.0.9:443"], ["10.0.0.3:40002", "10.0.0.9:443"]];
const ROWS: [&str; 3] = [
    "10.0.0.1 > 10.0.0.9:443/TCP established handshake 1",
    "10.0.0.2 > 10.0.0.9:443/TCP established handshake 1",
    "10.0.0.3 > 10.0.0.9:443/TCP established handshake 1",
];

#[test]
fn made_up_connections_of_two_captures_are_two() {
    for (gap_s, rounds) in [0.0, 0.5, 1.5, 30.0, 59.0].into_iter().flat_map(|gap_s| [3, 5].map(|it| (gap_s, it))) {
        let of = |ends, rounds, first_s| Frames::ethernet(session(ends, [1_000, 9_000], rounds, first_s));
        expect(&[of(ENDS[0], 3, 0.0), of(ENDS[1], rounds, gap_s)], &ROWS[..2]);
        // one client's port at two servers
        let other = ["10.0.0.1:40000", "10.0.0.8:443"];
        let rows = [ROWS[0], "10.0.0.1 > 10.0.0.8:443/TCP established handshake 1"];
        expect(&[of(ENDS[0], 3, 0.0), of(other, rounds, gap_s)], &rows);
    }
}

#[test]
fn made_up_streams_that_two_captures_met_midway_are_two() {
    let of = |ends: [&str; 2], first_s| Frames::ethernet(timed(rest(ends[0], ends[1], 1_001, 9_001), first_s));
    let rows = ["10.0.0.1", "10.0.0.2"].map(|it| format!("{it} > 10.0.0.9:443/TCP midstream port 1"));
    for gap_s in [0.01, 0.5, 30.0] {
        expect(&[of(ENDS[0], 0.0), of(ENDS[1], gap_s)], &rows);
    }
    // within the numbers of one that was seen whole
    let whole = Frames::ethernet(session(ENDS[0], [1_000, 9_000], 5, 0.0));
    let later = Frames::ethernet(timed(rest("10.0.0.2:40001", "10.0.0.9:443", 1_201, 9_301), 0.03));
    expect(&[whole, later], &[ROWS[0], "10.0.0.2 > 10.0.0.9:443/TCP midstream listener 1"]);
}

#[test]
fn connections_that_ended_at_other_numbers_are_two_however_they_lie() {
    for numbers in [[1_000, 5_000], DRAWN] {
        let [long, short] = [session(ENDS[0], numbers, 20, 0.0), session(ENDS[1], numbers, 3, 0.02)];
        expect(&[sorted([long.clone(), short.clone()].concat())], &ROWS[..2]);
        expect(&[Frames::ethernet(long), Frames::ethernet(short)], &ROWS[..2]);
    }
}

#[test]
fn numbers_that_three_connections_have_are_no_evidence() {
    for (numbers, step_s) in [[1_000, 5_000], DRAWN].into_iter().flat_map(|it| [0.0, 0.001].map(|step_s| (it, step_s)))
    {
        let all = [0, 1, 2].map(|n| session(ENDS[n], numbers, 3, [0.0, step_s, 2.0 * step_s][n]));
        expect(&[sorted(all.concat())], &ROWS);
        expect(&all.map(Frames::ethernet), &ROWS);
    }
}

#[test]
fn drawn_numbers_tell_translation_also_where_no_hop_is_lost() {
    // a bridge, or a firewall that does not count itself
    let [near, far] = [ENDS[0], ["10.0.0.77:50000", "10.0.0.9:443"]];
    let [before, behind] = [session(near, DRAWN, 3, 0.0), session(far, DRAWN, 3, 0.000_05)];
    // the first capture misses the last packet
    expect(&[Frames::ethernet(before[..11].to_vec()), Frames::ethernet(behind)], &ROWS[..1]);
}

#[test]
fn a_chosen_number_of_a_syn_that_nobody_answers_tells_nothing_by_two_clocks() {
    let of = |n: usize, hops: u8, at_s: f64| Frames::ethernet([syn(ENDS[n][0], ENDS[n][1], 100).hops(hops).at(at_s)]);
    let rows = ["10.0.0.1", "10.0.0.2"].map(|it| format!("{it} > 10.0.0.9:443/TCP unanswered handshake 1"));
    expect(&[of(0, 64, 0.0), of(1, 63, 0.01)], &rows);
}

#[test]
fn answers_of_two_servers_alone_that_count_from_one_number_are_two() {
    let answers = |server: &str, at_s: f64| {
        let client = "10.0.0.1:40000";
        [syn_ack(server, client, 9_000, 1_001).at(at_s), traffic(server, client, 9_001, 1_101, 300).at(at_s + 0.01)]
    };
    let packets = [answers("10.0.0.8:443", 0.0), answers("10.0.0.9:443", 0.001)].concat();
    let rows = ["10.0.0.8", "10.0.0.9"].map(|it| format!("10.0.0.1 > {it}:443/TCP established handshake 1"));
    expect(&[sorted(packets)], &rows);
}

#[test]
fn what_one_client_sends_to_several_servers_at_once_is_as_many() {
    let servers = ["10.0.0.5", "10.0.0.6", "10.0.0.7"];
    let sent = |gap_s: f64, packet: &dyn Fn(&str) -> Packet| {
        let at = |(server, n): (&str, u32)| packet(server).at(f64::from(n) * gap_s);
        servers.into_iter().zip(0..).map(at).collect::<Vec<_>>()
    };
    for gap_s in [0.0, 0.000_2, 0.001] {
        // makers of captures give every packet one identification; others none, as kernels do
        for id in [0, 1, 7] {
            let log = |server: &str| datagram("10.0.0.1:5000", &format!("{server}:514"), "<13>hello").id(id);
            let rows = servers.map(|server| format!("10.0.0.1 > {server}:514/UDP oneway port 1"));
            expect(&[Frames::ethernet(sent(gap_s, &log))], &rows);
        }
        for number in [1_000, DRAWN[0]] {
            let try_one = |server: &str| syn("10.0.0.1:5000", &format!("{server}:80"), number);
            let rows = servers.map(|server| format!("10.0.0.1 > {server}:80/TCP unanswered handshake 1"));
            expect(&[Frames::ethernet(sent(gap_s, &try_one))], &rows);
        }
    }
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

#[test]
fn two_collectors_at_other_distances_are_two() {
    let servers = ["10.0.1.5:514", "10.0.2.5:514"];
    let sent = |n: u32, at: usize| {
        let packet = datagram("10.0.1.7:50514", servers[at], &format!("<13>message {n}"));
        let (hops, late_s) = if at == 0 { (64, 0.0) } else { (63, 0.000_3) };
        packet.hops(hops).at(f64::from(n) * 0.5 + late_s)
    };
    let rows = ["10.0.1.5", "10.0.2.5"].map(|server| format!("10.0.1.7 > {server}:514/UDP oneway port 1"));
    for count in [1, 12] {
        expect(&[Frames::ethernet((0..count).flat_map(|n| [sent(n, 0), sent(n, 1)]))], &rows);
    }
}
