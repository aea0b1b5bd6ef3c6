//! Exchanges of datagrams, which name no connection: who asked.

use crate::common::{
    frames::{Frames, datagram},
    rows::expect,
};

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
