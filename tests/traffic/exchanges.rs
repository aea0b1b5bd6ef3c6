//! Exchanges of datagrams, which name no connection: each way in another network, several networks with equal ends, silences, and
//! who asked.

use crate::common::{
    frames::{Frames, Packet, Tunnel, datagram},
    rows::expect,
};

const ASKER: &str = "10.0.0.1:45353";
const SERVER: &str = "10.0.0.2:50000";
const ROW: &str = "10.0.0.1 > 10.0.0.2:50000/UDP";

/// Questions and answers in turn, each another datagram: the first at this second, and so many seconds between.
fn exchange(name: u16, count: u16, first_s: f64, gap_s: f64) -> Vec<Packet> {
    let said = |n: u16| {
        let [from, to] = if n.is_multiple_of(2) { [ASKER, SERVER] } else { [SERVER, ASKER] };
        let id = name * 100 + n + 1;
        datagram(from, to, &format!("{name} says {n}")).id(id).at(first_s + f64::from(n) * gap_s)
    };
    (0..count).map(said).collect()
}

fn in_vlan(packets: &[Packet], vlan: u16) -> Vec<Packet> {
    packets.iter().map(|packet| packet.clone().vlans(&[vlan])).collect()
}

/// What is sent from the asker, and what is sent to it.
fn ways(packets: &[Packet]) -> [Vec<Packet>; 2] {
    [true, false].map(|asks| packets.iter().filter(|packet| packet.is_from(ASKER) == asks).cloned().collect())
}

/// In the order of time, which is theirs already where they are one capture's.
fn merged(packets: &[Vec<Packet>; 2]) -> Vec<Packet> {
    let mut all = packets.concat();
    all.sort_by(|a, b| a.time_s().total_cmp(&b.time_s()));
    all
}

/// What one capture and what two give.
#[track_caller]
fn expect_together_and_apart(packets: [Vec<Packet>; 2], row: &str) {
    expect(&[Frames::ethernet(merged(&packets))], &[row]);
    expect(&packets.map(Frames::ethernet), &[row]);
}

#[test]
fn each_way_in_a_network_of_its_own_is_one_exchange_in_one_capture_or_in_two() {
    let [asked, answered] = ways(&exchange(1, 6, 0.0, 0.01));
    let tagged = [in_vlan(&asked, 10), in_vlan(&answered, 20)];
    expect_together_and_apart(tagged, &format!("{ROW} established order 1 vlans 10,20"));
    let tunnels: [fn(u32) -> Tunnel; 2] = [Tunnel::Gre, |network| Tunnel::Vxlan(4_789, network)];
    for tunnel in tunnels {
        let through = |packets: &[Packet], network| -> Vec<Packet> {
            packets.iter().map(|packet| packet.clone().through(tunnel(network))).collect()
        };
        let mirrored = [through(&asked, 7), through(&answered, 8)];
        expect_together_and_apart(mirrored, &format!("{ROW} established order 1"));
    }
}

#[test]
fn an_exchange_that_another_network_is_met_in_later_is_one() {
    let all = exchange(1, 10, 0.0, 0.01);
    let later: Vec<Packet> = in_vlan(&all[3..], 20).into_iter().map(|packet| packet.hops(63)).collect();
    expect(
        &[Frames::ethernet(in_vlan(&all, 10)), Frames::ethernet(later)],
        &[format!("{ROW} established order 1 vlans 10,20")],
    );
}

#[test]
fn two_networks_with_equal_ends_are_two_exchanges_whatever_was_seen_of_them_first() {
    let row = format!("{} established port 2 vlans 10,20", ROW.replace("50000", "53"));
    let to_dns = |from: &str| if from == SERVER { "10.0.0.2:53" } else { ASKER };
    let dns = |name: u16, first_s: f64| -> Vec<Packet> {
        let said = |n: u16| {
            let [from, to] = if n.is_multiple_of(2) { [ASKER, SERVER] } else { [SERVER, ASKER] }.map(to_dns);
            datagram(from, to, &format!("{name} says {n}")).id(name * 100 + n).at(first_s + f64::from(n) * 0.02)
        };
        (0..6).map(said).collect()
    };
    for missed in 0..4 {
        // the first that is seen of one is an answer, before any answer in the other network
        let [ten, twenty] = [in_vlan(&dns(1, 0.005), 10), in_vlan(&dns(2, 0.0)[missed..], 20)];
        expect_together_and_apart([ten, twenty], &row);
    }
}

#[test]
fn what_has_tags_in_one_capture_and_none_in_another_is_one_unless_it_cannot_be() {
    let row = |count: u64| format!("{ROW} established order {count} vlans 10");
    let all = exchange(1, 20, 5.0, 0.01);
    // the other capture began later, or ended before
    for part in [&all[3..], &all[3..17], &all[..9], &all[..]] {
        expect(&[Frames::ethernet(all.clone()), Frames::ethernet(in_vlan(part, 10))], &[row(1)]);
    }
    // all that was said is known, and nothing of it is the same
    let [one, other] = [exchange(1, 4, 5.0, 0.01), exchange(2, 4, 5.003, 0.01)];
    expect(&[Frames::ethernet(one), Frames::ethernet(in_vlan(&other, 10))], &[row(2)]);
    // where too little was captured to know it, it may be the same
    let cut = Frames::ethernet(exchange(1, 4, 5.0, 0.01)).cut_to(14 + 20 + 8 + 4);
    expect(&[cut, Frames::ethernet(in_vlan(&exchange(1, 4, 5.0, 0.01), 10))], &[row(1)]);
}

#[test]
fn a_server_that_sends_first_after_a_silence_stays_the_server() {
    let asked = exchange(1, 4, 0.0, 0.01);
    let pushed = |at_s: f64| datagram(SERVER, ASKER, &format!("pushed at {at_s}")).id(9).at(at_s);
    let established = format!("{ROW} established order 1");
    let push = [&asked[..], &[pushed(90.0), pushed(3_000.0)]].concat();
    let rows = [established.clone(), format!("{ROW} oneway order 2")];
    expect(&[Frames::ethernet(push.clone())], &rows);
    let [before, after] = [push[..4].to_vec(), push[4..].to_vec()];
    expect(&[Frames::ethernet(before), Frames::ethernet(after)], &rows);
    // after hours its port may be another program's
    let late = [&asked[..], &[pushed(9_000.0)]].concat();
    let turned = "10.0.0.2 > 10.0.0.1:45353/UDP oneway order 1".to_owned();
    expect(&[Frames::ethernet(late)], &[established, turned]);
}

#[test]
fn who_asked_is_told_by_what_was_seen_from_its_beginning() {
    let begun = exchange(1, 4, 100.0, 0.01);
    let taken_up =
        [datagram(SERVER, ASKER, "pushed").id(9).at(200.0), datagram(ASKER, SERVER, "got it").id(10).at(200.01)];
    // another host was heard for long enough before
    let before = datagram("10.0.0.8:514", "10.0.0.9:514", "log").at(0.0);
    let log = "10.0.0.8 > 10.0.0.9:514/UDP oneway order 1".to_owned();
    let packets = [&[before][..], &begun, &taken_up].concat();
    expect(&[Frames::ethernet(packets)], &[log, format!("{ROW} established order 2")]);
    // what a capture begins with may be an answer, and what comes then the question
    let met = [
        datagram(SERVER, ASKER, "an answer").id(9).at(0.0),
        datagram(ASKER, SERVER, "a question").id(10).at(100.0),
        datagram(SERVER, ASKER, "its answer").id(11).at(100.01),
    ];
    let turned = "10.0.0.2 > 10.0.0.1:45353/UDP oneway order 1".to_owned();
    expect(&[Frames::ethernet(met)], &[turned, format!("{ROW} established order 1")]);
}

#[test]
fn who_asked_does_not_change_where_a_capture_is_split_or_a_second_one_was_begun_just_before() {
    let begun = exchange(1, 4, 100.0, 0.1);
    let taken_up =
        [datagram(SERVER, ASKER, "pushed").id(9).at(300.0), datagram(ASKER, SERVER, "got it").id(10).at(300.1)];
    let log = |at_s: f64| datagram("10.0.0.8:514", "10.0.0.9:514", &format!("log {at_s}")).at(at_s);
    let early: Vec<Packet> = (0..10).map(|n| log(f64::from(n) * 10.0)).collect();
    let all = [&early[..], &begun, &taken_up].concat();
    let rows = ["10.0.0.8 > 10.0.0.9:514/UDP oneway order 1".to_owned(), format!("{ROW} established order 2")];
    expect(&[Frames::ethernet(all.clone())], &rows);
    for cut in 1..all.len() {
        let [before, after] = [&all[..cut], &all[cut..]].map(|part| Frames::ethernet(part.to_vec()));
        expect(&[before, after], &rows);
    }
    let second = [&[log(95.0)][..], &all[early.len()..]].concat();
    expect(&[Frames::ethernet(all), Frames::ethernet(second)], &rows);
}

#[test]
fn each_way_in_a_network_of_its_own_makes_one_exchange_of_what_no_silence_parts() {
    // at which second who sent
    let said = |times: &[(u16, bool)]| -> Frames {
        let packet = |(n, (at_s, asks)): (u16, &(u16, bool))| {
            let [from, to] = if *asks { [ASKER, SERVER] } else { [SERVER, ASKER] };
            let vlan = if *asks { 10 } else { 20 };
            datagram(from, to, &format!("says {n}")).id(n).vlans(&[vlan]).at(f64::from(*at_s))
        };
        Frames::ethernet((1..).zip(times).map(packet))
    };
    let row = |count: u64| format!("{ROW} established order {count} vlans 10,20");
    expect(&[said(&[(100, true), (101, false), (200, true), (201, false)])], &[row(2)]);
    // one way alone was silent for more than a minute
    expect(&[said(&[(100, true), (110, false), (165, false), (166, true)])], &[row(1)]);
    expect(&[said(&[(100, true), (101, false), (150, true), (199, false), (205, true)])], &[row(1)]);
}

#[test]
fn what_datagrams_between_equal_ports_say_tells_the_server_whoever_is_heard_first() {
    let ntp = |mode: &str| format!("{mode}{}", "\0".repeat(47));
    let cases = [
        (123, ntp("\x23"), ntp("\x24")),
        (5_060, "OPTIONS sip:a@b SIP/2.0\r\n".to_owned(), "SIP/2.0 200 OK\r\n".to_owned()),
    ];
    for (port, question, answer) in cases {
        let [client, server] = ["10.0.0.1", "10.0.0.2"].map(|host| format!("{host}:{port}"));
        let asks = |at_s: f64| datagram(&client, &server, &question).id(1).at(at_s);
        let answers = |at_s: f64| datagram(&server, &client, &answer).id(2).at(at_s);
        let row = |count: u64| format!("10.0.0.1 > 10.0.0.2:{port}/UDP established order {count}");
        expect(&[Frames::ethernet([answers(0.0), asks(64.0), answers(64.1)])], &[row(2)]);
        expect(&[Frames::ethernet([answers(0.0), asks(0.1), answers(0.2)])], &[row(1)]);
        expect(&[Frames::ethernet([answers(0.0)])], &[row(1)]);
        let oneway = format!("10.0.0.1 > 10.0.0.2:{port}/UDP oneway order 1");
        expect(&[Frames::ethernet([asks(0.0)])], &[oneway]);
    }
}

#[test]
fn a_relay_of_leases_asks_also_where_a_capture_is_too_short_for_the_cookie() {
    let says = |operation: char| format!("{operation}\u{1}\u{6}{}", "\0".repeat(300));
    let (relay, server) = ("10.0.0.1:67", "10.0.0.2:67");
    let packets =
        [datagram(server, relay, &says('\u{2}')).id(1).at(0.0), datagram(relay, server, &says('\u{1}')).id(2).at(1.0)];
    expect(&[Frames::ethernet(packets).cut_to(256)], &["10.0.0.1 > 10.0.0.2:67/UDP established order 1"]);
}
