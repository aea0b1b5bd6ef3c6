//! Ports that both sides open at once, and ports that are used again.

use crate::common::{
    frames::{
        CLIENT, Frames, Packet, SERVER, connection, disowned, fin, opening, reset, rest, seen_again, syn, syn_ack,
        traffic,
    },
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

#[test]
fn what_comes_long_after_the_end_with_numbers_far_off_is_another_connection() {
    let whole: Vec<Packet> = connection(CLIENT, SERVER, 1_000, 2_000);
    let whole: Vec<Packet> = whole.into_iter().zip(0..).map(|(packet, n)| packet.at(f64::from(n) * 0.001)).collect();
    let after = |at_s: f64, a: u32, b: u32| -> Vec<Packet> {
        rest(CLIENT, SERVER, a, b).into_iter().map(|packet| packet.at(at_s)).collect()
    };
    let established = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1";
    let midstream = "10.0.0.1 > 10.0.0.2:80/TCP midstream listener 1";
    let far = after(600.0, 1_000_000_000, 3_000_000_000);
    expect(&[Frames::ethernet([whole.clone(), far.clone()].concat())], &[established, midstream]);
    expect(&[Frames::ethernet(whole.clone()), Frames::ethernet(far)], &[established, midstream]);
    // what stands near is of the same, and so is what comes at once
    expect(&[Frames::ethernet([whole.clone(), after(600.0, 1_101, 3_001)].concat())], &[established]);
    expect(&[Frames::ethernet([whole, after(1.0, 1_000_000_000, 3_000_000_000)].concat())], &[established]);
}

#[test]
fn what_stands_far_from_a_syn_that_nobody_answered_is_another_connection() {
    let tried = syn(CLIENT, SERVER, 1_000).at(0.0);
    let [asks, answers] = [
        traffic(CLIENT, SERVER, 900_000_000, 700_000_000, 100).at(7.0),
        traffic(SERVER, CLIENT, 700_000_000, 900_000_100, 300).at(7.01),
    ];
    let midstream = "10.0.0.1 > 10.0.0.2:80/TCP midstream port 1";
    let rows = ["10.0.0.1 > 10.0.0.2:80/TCP unanswered handshake 1", midstream];
    for rest in [[asks.clone(), answers.clone()], [answers.clone(), asks.clone().at(7.02)]] {
        expect(&[Frames::ethernet([&[tried.clone()][..], &rest].concat())], &rows);
    }
    // beside a capture that has all of both
    let whole = [
        vec![tried.clone(), reset(SERVER, CLIENT, 1_001).at(0.001)],
        vec![syn(CLIENT, SERVER, 899_999_999).at(6.9), syn_ack(SERVER, CLIENT, 699_999_999, 900_000_000).at(6.91)],
        vec![asks.clone(), answers.clone()],
    ];
    let rows = ["established", "refused"].map(|outcome| format!("10.0.0.1 > 10.0.0.2:80/TCP {outcome} handshake 1"));
    expect(&[Frames::ethernet(whole.concat()), Frames::ethernet([tried.clone(), asks, answers])], &rows);
    // a server may still have an older connection, and says where that stands (RFC 9293, figure 10)
    let older = [traffic(SERVER, CLIENT, 700_000_000, 900_000_000, 0), disowned(CLIENT, SERVER, 900_000_000)];
    let packets = [&[tried][..], &older, &connection(CLIENT, SERVER, 1_000, 2_000)].concat();
    let packets = packets.into_iter().zip(0..).map(|(packet, n)| packet.at(f64::from(n) * 0.01));
    expect(&[Frames::ethernet(packets)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1"]);
}

#[test]
fn an_opening_is_agreed_to_by_its_number_wherever_the_answer_comes() {
    // each time from the same port, to and fro in other networks
    let once = |number: u32, at_s: f64, [there, back]: [u16; 2]| -> Vec<Packet> {
        let vlan = |packet: &Packet| if packet.is_from(CLIENT) { there } else { back };
        let packets = connection(CLIENT, SERVER, number, number.wrapping_mul(3)).into_iter().zip(0..);
        packets.map(|(packet, n)| packet.clone().vlans(&[vlan(&packet)]).at(at_s + f64::from(n) * 0.01)).collect()
    };
    let all = [
        once(1_000_000_000, 0.0, [10, 10]),
        once(2_000_000_000, 5.0, [20, 10]),
        once(3_000_000_000, 10.0, [30, 20]),
        once(4_000_000_000, 15.0, [20, 30]),
    ];
    let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 4 vlans 10,20,30";
    expect(&[Frames::ethernet(all.concat())], &[row]);
    expect(&all.map(Frames::ethernet), &[row]);
}

#[test]
fn a_made_up_connection_that_counts_from_0_is_one_in_two_networks() {
    let made_up = [
        syn(CLIENT, SERVER, 0),
        syn_ack(SERVER, CLIENT, 0, 0),
        traffic(CLIENT, SERVER, 0, 0, 10),
        traffic(SERVER, CLIENT, 0, 0, 20),
    ];
    let tagged = made_up.map(|packet| packet.vlans(&[10])).to_vec();
    let routed = seen_again(tagged, |packet| packet.clone().vlans(&[20]).hops(63));
    expect(&[Frames::ethernet(routed)], &["10.0.0.1 > 10.0.0.2:80/TCP established handshake 1 vlans 10,20"]);
}

#[test]
fn a_syn_ack_of_other_numbers_after_the_end_is_another_connection() {
    // the first one's SYN-ACK was lost, and the SYN of the second
    let first = [
        syn(CLIENT, SERVER, 1_000).at(0.0),
        traffic(CLIENT, SERVER, 1_001, 500_001, 100).at(0.01),
        traffic(SERVER, CLIENT, 500_001, 1_101, 300).at(0.02),
        fin(SERVER, CLIENT, 500_301, 1_101).at(0.03),
        fin(CLIENT, SERVER, 1_101, 500_302).at(0.04),
    ];
    let [_, agreed, accepted] = opening(CLIENT, SERVER, 601_605_382, 3_820_447_205);
    for gap_s in [2.0, 120.0, 3_400.0, 4_000.0] {
        let second = [
            agreed.clone().at(gap_s),
            accepted.clone().at(gap_s + 0.01),
            traffic(CLIENT, SERVER, 601_605_383, 3_820_447_206, 50).at(gap_s + 0.02),
            traffic(SERVER, CLIENT, 3_820_447_206, 601_605_433, 50).at(gap_s + 0.03),
        ];
        let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 2";
        expect(&[Frames::ethernet([&first[..], &second].concat())], &[row]);
        expect(&[Frames::ethernet(first.clone()), Frames::ethernet(second)], &[row]);
    }
    // it comes late, by its number; and where capturing turned the order round, whatever it acknowledges
    let late = syn_ack(SERVER, CLIENT, 500_000, 1_001).at(0.05);
    let row = "10.0.0.1 > 10.0.0.2:80/TCP established handshake 1";
    expect(&[Frames::ethernet([&first[..], &[late]].concat())], &[row]);
    let odd = [syn(CLIENT, SERVER, 1_000), syn_ack(SERVER, CLIENT, 7, 9), traffic(CLIENT, SERVER, 1_001, 8, 10)];
    expect(&[Frames::ethernet(odd)], &[row]);
}
