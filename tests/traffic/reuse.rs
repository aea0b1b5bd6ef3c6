//! Ports that both sides open at once.

use crate::common::{
    frames::{Frames, Packet, connection, syn, syn_ack, traffic},
    rows::expect,
};

/// Both send a SYN before they see the other's (RFC 9293, figure 8).
fn opened_at_once(a: &str, b: &str) -> [Packet; 6] {
    [
        syn(a, b, 100),
        syn(b, a, 300),
        syn_ack(a, b, 100, 301),
        syn_ack(b, a, 300, 101),
        traffic(a, b, 101, 301, 50),
        traffic(b, a, 301, 151, 50),
    ]
}

#[test]
fn what_both_sides_open_at_once_is_one_connection() {
    let packets = opened_at_once("10.0.0.1:6000", "10.0.0.2:5000");
    let row = "10.0.0.1 > 10.0.0.2:5000/TCP established unknown 1";
    expect(&[Frames::ethernet(packets.clone())], &[row]);
    let [a, b]: [Vec<Packet>; 2] = ["10.0.0.1:6000", "10.0.0.2:5000"]
        .map(|end| packets.iter().filter(|packet| packet.is_from(end)).cloned().collect());
    expect(&[Frames::ethernet(a), Frames::ethernet(b)], &[row]);
    // one of the SYNs is answered, the other answer was lost
    let lost: Vec<Packet> = packets.iter().enumerate().filter(|(n, _)| *n != 2).map(|it| it.1.clone()).collect();
    expect(&[Frames::ethernet(lost)], &[row]);
}

#[test]
fn who_else_is_served_tells_the_server_of_what_both_open_at_once() {
    let served = connection("10.0.0.3:40000", "10.0.0.2:5000", 7_000, 9_000);
    let packets = [served, opened_at_once("10.0.0.1:6000", "10.0.0.2:5000").to_vec()].concat();
    let rows = ["10.0.0.1", "10.0.0.3"].map(|client| {
        let direction = if client == "10.0.0.1" { "listener" } else { "handshake" };
        format!("{client} > 10.0.0.2:5000/TCP established {direction} 1")
    });
    expect(&[Frames::ethernet(packets)], &rows);
}

#[test]
fn two_openings_of_both_sides_with_other_numbers_are_two_connections() {
    let one = connection("10.0.0.1:6000", "10.0.0.2:5000", 100, 300);
    let other = connection("10.0.0.2:5000", "10.0.0.1:6000", 7_000_000, 90_000_000);
    let rows = [
        "10.0.0.1 > 10.0.0.2:5000/TCP established handshake 1",
        "10.0.0.2 > 10.0.0.1:6000/TCP established handshake 1",
    ];
    expect(&[Frames::ethernet([one, other].concat())], &rows);
}
