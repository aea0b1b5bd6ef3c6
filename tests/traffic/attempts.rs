//! Segments past an opening that nobody answers as a connection would: what of them is an attempt, and what stays a connection.

use crate::common::{
    frames::{CLIENT, Frames, SERVER, connection, datagram, disowned, fin, probe, reset, seen_again, syn, traffic},
    rows::expect,
};

#[test]
fn one_socket_that_asks_many_serves_none_of_them() {
    let agents: Vec<String> = (2..9).map(|n| format!("10.0.0.{n}:20001")).collect();
    let asked = |agent: &String| [datagram(CLIENT, agent, "how much?"), datagram(agent, CLIENT, "so much")];
    let answered: Vec<_> = agents.iter().flat_map(asked).collect();
    let row = |outcome: &str| -> Vec<String> {
        agents.iter().map(|agent| format!("10.0.0.1 > {agent}/UDP {outcome} port 1")).collect()
    };
    expect(&[Frames::ethernet(answered)], &row("established"));
    let alone = agents.iter().map(|agent| datagram(CLIENT, agent, "how much?"));
    expect(&[Frames::ethernet(alone)], &row("oneway"));
    // both ports are of those that systems give away: who was first tells
    let traced = (33_434..33_464).map(|port| format!("10.0.0.2:{port}"));
    let traced: Vec<String> = traced.collect();
    let rows = traced.iter().map(|end| format!("10.0.0.1 > {end}/UDP oneway order 1"));
    let rows: Vec<String> = rows.collect();
    expect(&[Frames::ethernet(traced.iter().map(|end| datagram(CLIENT, end, "probe")))], &rows);
}

#[test]
fn a_client_that_goes_on_was_answered_also_where_that_was_not_captured() {
    let [syn, acknowledged] = [syn(CLIENT, SERVER, 1_000), traffic(CLIENT, SERVER, 1_001, 2_001, 0)];
    let row = ["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"];
    expect(&[Frames::ethernet([syn.clone(), acknowledged])], &row);
    expect(&[Frames::ethernet([syn.clone(), fin(CLIENT, SERVER, 1_001, 2_001)])], &row);
    let half_open = [syn, disowned(CLIENT, SERVER, 1_001)];
    expect(&[Frames::ethernet(half_open)], &["10.0.0.1 > 10.0.0.2:80/TCP unanswered handshake 1"]);
}

#[test]
fn an_opening_in_fragments_is_no_more_than_one() {
    let pieces = || syn(CLIENT, SERVER, 1_000).id(7).fragments(16);
    assert!(pieces().len() > 1, "the rest of it is a packet of its own");
    expect(&[Frames::ethernet(pieces())], &["10.0.0.1 > 10.0.0.2:80/TCP unanswered handshake 1"]);
    let refused = pieces().into_iter().chain([reset(SERVER, CLIENT, 1_001)]);
    expect(&[Frames::ethernet(refused)], &["10.0.0.1 > 10.0.0.2:80/TCP refused handshake 1"]);
    let whole = connection(CLIENT, SERVER, 1_000, 2_000);
    let in_pieces = whole.into_iter().zip(1..).flat_map(|(packet, id)| packet.id(id).fragments(16));
    expect(&[Frames::ethernet(in_pieces)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
}

#[test]
fn a_segment_that_no_connection_can_have_is_an_attempt() {
    let probe = probe(CLIENT, SERVER, 1_000);
    let unanswered = ["10.0.0.1 > 10.0.0.2:80/TCP unanswered handshake 1"];
    expect(&[Frames::ethernet([probe.clone()])], &unanswered);
    expect(&[Frames::ethernet([probe.clone(), probe.clone()])], &unanswered);
    let refused = ["10.0.0.1 > 10.0.0.2:80/TCP refused handshake 1"];
    expect(&[Frames::ethernet([probe.clone(), reset(SERVER, CLIENT, 1_001)])], &refused);
    // within a connection it changes nothing
    let mut packets = connection(CLIENT, SERVER, 1_000, 2_000);
    packets.insert(4, probe);
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
}

#[test]
fn a_lone_acknowledgment_that_a_host_knows_no_connection_of_is_an_attempt() {
    let ack = |sequence, acknowledgment| traffic(CLIENT, SERVER, sequence, acknowledgment, 0);
    let refused = ["10.0.0.1 > 10.0.0.2:80/TCP refused port 1"];
    for acknowledgment in [5_000, 1, 0] {
        let packets = [ack(9_000, acknowledgment), disowned(SERVER, CLIENT, acknowledgment)];
        expect(&[Frames::ethernet(packets.clone())], &refused);
        // in two captures, at two places, and tried again
        expect(&packets.clone().map(|packet| Frames::ethernet([packet])), &refused);
        let seen_twice = seen_again(packets.to_vec(), |it| it.clone().on(3).hops(63));
        expect(&[Frames::cooked(seen_twice)], &refused);
        expect(&[Frames::ethernet([packets.clone(), packets].concat())], &refused);
    }
    // ports that may be either side's: who tried is who sent
    let (one, other) = ("10.0.0.2:45000", "10.0.0.1:46000");
    let packets = [traffic(one, other, 9_000, 5_000, 0), disowned(other, one, 5_000)];
    expect(&[Frames::ethernet(packets)], &["10.0.0.2 > 10.0.0.1:46000/TCP refused order 1"]);
}

#[test]
fn a_scan_by_acknowledgments_is_a_scan() {
    let packets = (1..=20).flat_map(|host| {
        let target = format!("10.0.1.{host}:80");
        [traffic("10.0.0.1:54321", &target, 9_000, 5_000, 0), disowned(&target, "10.0.0.1:54321", 5_000)]
    });
    let lone =
        |client: &str, host: u8| traffic(&format!("{client}:54321"), &format!("10.0.1.{host}:80"), 9_000, 5_000, 0);
    // some drop it; who sent another such segment is no scanner, nor who sent it at another time
    let dropped = [lone("10.0.0.1", 21), lone("10.0.0.2", 21), lone("10.0.0.1", 22).at(900.0)];
    let row = |client: &str, host: u8, told: &str| format!("{client} > 10.0.1.{host}:80/TCP {told}");
    let mut rows: Vec<String> = (1..=20).map(|host| row("10.0.0.1", host, "refused port 1 marks scan")).collect();
    rows.push(row("10.0.0.1", 21, "oneway port 1 marks scan"));
    rows.extend([row("10.0.0.2", 21, "oneway port 1"), row("10.0.0.1", 22, "oneway port 1")]);
    expect(&[Frames::ethernet(packets.chain(dropped))], &rows);
}

#[test]
fn an_idle_connection_that_answers_stays_one() {
    let midstream = ["10.0.0.1 > 10.0.0.2:80/TCP midstream port 1"];
    let ack = |sequence, bytes| traffic(CLIENT, SERVER, sequence, 5_000, bytes);
    // keep-alives carry nothing or one byte (RFC 9293, 3.8.4)
    for bytes in [0, 1] {
        expect(&[Frames::ethernet([ack(9_000, bytes), traffic(SERVER, CLIENT, 5_000, 9_001, 0)])], &midstream);
    }
    let answered = [ack(9_000, 0), traffic(SERVER, CLIENT, 5_000, 9_001, 0), disowned(SERVER, CLIENT, 5_000)];
    expect(&[Frames::ethernet(answered.clone())], &midstream);
    expect(&answered.map(|packet| Frames::ethernet([packet])), &midstream);
    // data was sent, the number is another one, more was acknowledged than the first time, the server lost its client
    let cases = [
        vec![ack(9_000, 1), disowned(SERVER, CLIENT, 5_000)],
        vec![ack(9_000, 0), disowned(SERVER, CLIENT, 5_001)],
        vec![ack(9_000, 0), traffic(CLIENT, SERVER, 9_000, 7_000, 0), disowned(SERVER, CLIENT, 7_000)],
        vec![traffic(SERVER, CLIENT, 5_000, 9_000, 0), disowned(CLIENT, SERVER, 9_000)],
        vec![ack(9_000, 0), disowned(SERVER, CLIENT, 5_000), traffic(SERVER, CLIENT, 5_000, 9_000, 100)],
    ];
    for packets in cases {
        expect(&[Frames::ethernet(packets)], &midstream);
    }
    // what nobody answers may have been answered elsewhere
    expect(&[Frames::ethernet([ack(9_000, 0)])], &["10.0.0.1 > 10.0.0.2:80/TCP oneway port 1"]);
    // and one that opened is open, whoever breaks it how
    let broken = connection(CLIENT, SERVER, 1_000, 2_000).into_iter().chain([disowned(SERVER, CLIENT, 3_002)]);
    expect(&[Frames::ethernet(broken)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
}
