//! Packets to sightings.

use proptest::prelude::*;

use super::{
    super::{Gatherer, may_tell},
    *,
};
use crate::model::Span;

const CLIENT: &str = "10.0.0.1";
const RESOLVER: &str = "10.0.0.53";
const SERVER: &str = "203.0.113.9";

/// What is gathered from these packets, a second apart.
fn gathered(packets: &[Packet<'_>]) -> (Vec<NameSighting>, u64) {
    let mut gatherer = Gatherer::default();
    for (second, packet) in (0..).zip(packets) {
        gatherer.take(at(second), packet);
    }
    (gatherer.changed(), gatherer.missed().not_a_name)
}

fn only(packet: &Packet<'_>) -> Option<Short> {
    let (sightings, _) = gathered(std::slice::from_ref(packet));
    assert!(sightings.len() <= 1);
    sightings.first().map(short)
}

fn answer() -> Vec<u8> {
    response("api.example.com", &[record(&labels("api.example.com"), 1, 1, 60, &[203, 0, 113, 9])])
}

fn expected(source: NameSource, used_by: &str, ttl_s: u32) -> Short {
    (SERVER.into(), "api.example.com".into(), source, Some(used_by.into()), ttl_s)
}

#[test]
fn an_answer_belongs_to_the_client_that_received_it_also_where_its_question_was_not_seen() {
    let answer = answer();
    let from = |port| only(&datagram((RESOLVER, port), (CLIENT, 40_000), &answer));
    assert_eq!(from(53), Some(expected(NameSource::Dns, CLIENT, 60)));
    // the DNS of OpenShift
    assert_eq!(from(5_353), Some(expected(NameSource::Dns, CLIENT, 60)));
    assert_eq!(from(5_355), Some(expected(NameSource::Llmnr, CLIENT, 60)));
    assert_eq!(from(5_354), None);
    // a client that sends to the port of name servers does not answer
    assert_eq!(only(&datagram((CLIENT, 40_000), (RESOLVER, 53), &answer)), None);
}

#[test]
fn an_answer_over_tcp_counts_where_it_lies_in_one_segment() {
    let message = answer();
    let sized = [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat();
    let from = |data: &[u8]| only(&segment((RESOLVER, 53), (CLIENT, 40_000), data));
    assert_eq!(from(&sized), Some(expected(NameSource::Dns, CLIENT, 60)));
    assert_eq!(from(&sized[..sized.len() - 1]), None);
    assert_eq!(from(&message), None);
}

#[test]
fn several_answers_may_lie_in_one_segment() {
    let sized = |name: &str| {
        let message = response(name, &[record(&labels(name), 1, 1, 60, &[203, 0, 113, 9])]);
        [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
    };
    let names = |data: &[u8]| {
        let (sightings, _) = gathered(&[segment((RESOLVER, 53), (CLIENT, 40_000), data)]);
        sightings.iter().map(|sighting| sighting.name.to_string()).collect::<Vec<_>>()
    };
    let all = [sized("a.example"), vec![0, 0], sized("b.example"), sized("c.example")].concat();
    assert_eq!(names(&all), ["a.example", "b.example", "c.example"]);
    // the last one goes on in another segment
    assert_eq!(names(&all[..all.len() - 1]), ["a.example", "b.example"]);
}

#[test]
fn an_answer_is_one_whatever_its_length_looks_like() {
    // 5635 is how a record of TLS begins, the other two are capitals
    for length in [0x1603, 0x4745, 0x5f2d] {
        let mut message = answer();
        message.resize(length, 0);
        let sized = [&u16::try_from(length).unwrap().to_be_bytes()[..], &message].concat();
        let seen = only(&segment((RESOLVER, 53), (CLIENT, 40_000), &sized));
        assert_eq!(seen, Some(expected(NameSource::Dns, CLIENT, 60)), "{length}");
    }
}

#[test]
fn an_announcement_is_told_to_all() {
    let printer = record(&labels("printer.local"), 1, 0x8001, 120, &[192, 168, 1, 50]);
    let message = [&header(0x8400, [0, 1, 0, 0])[..], &printer].concat();
    let seen = only(&datagram(("192.168.1.50", 5_353), ("224.0.0.251", 5_353), &message));
    assert_eq!(seen, Some(("192.168.1.50".into(), "printer.local".into(), NameSource::Mdns, None, 120)));
}

#[test]
fn a_server_is_called_what_its_clients_call_it_on_any_port() {
    for port in [443, 8_443, 5_432] {
        let hello = hello(b"API.example.com.");
        let seen = only(&segment((CLIENT, 40_000), (SERVER, port), &hello));
        assert_eq!(seen, Some(expected(NameSource::Tls, CLIENT, 0)), "{port}");
        let request = b"GET /health HTTP/1.1\r\nHost: api.example.com:8080\r\n\r\n";
        let seen = only(&segment((CLIENT, 40_000), (SERVER, port), request));
        assert_eq!(seen, Some(expected(NameSource::Http, CLIENT, 0)), "{port}");
    }
}

#[test]
fn requests_with_any_method_name_the_server_and_are_looked_at() {
    for method in
        ["GET", "PROPFIND", "REPORT", "LOCK", "ACL", "BASELINE-CONTROL", "RPC_IN_DATA", "SSTP_DUPLEX_POST", "M-X"]
    {
        let request = format!("{method} /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
        let packet = segment((CLIENT, 40_000), (SERVER, 80), request.as_bytes());
        assert!(may_tell(&packet), "{method}");
        assert_eq!(only(&packet), Some(expected(NameSource::Http, CLIENT, 0)), "{method}");
    }
    for method in ["get", "G3T", "G:T", "AVERYLONGMETHODTHATNOBODYHAS", ""] {
        let request = format!("{method} /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
        assert_eq!(only(&segment((CLIENT, 40_000), (SERVER, 80), request.as_bytes())), None, "{method}");
    }
}

#[test]
fn bytes_in_the_place_of_a_name_are_counted_and_left_out() {
    let (address, text, escape) = (hello(b"203.0.113.9"), hello(b"not a name"), hello(b"x\x1b]0;y\x07"));
    let request = b"GET / HTTP/1.1\r\nHost: #evil: {yaml}\r\n\r\n".to_vec();
    let hellos: Vec<_> = [&address, &text, &escape, &request]
        .into_iter()
        .map(|data| segment((CLIENT, 40_000), (SERVER, 443), data))
        .collect();
    let (sightings, not_a_name) = gathered(&hellos);
    assert_eq!((sightings.len(), not_a_name), (0, 4));
}

#[test]
fn what_a_proxy_is_asked_for_is_not_its_name() {
    let (hello, request) = (hello(b"api.example.com"), b"GET / HTTP/1.1\r\nHost: proxy.example\r\n\r\n");
    let connect = b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n";
    let proxied =
        [segment((CLIENT, 40_000), (SERVER, 3_128), connect), segment((CLIENT, 40_000), (SERVER, 3_128), &hello)];
    assert_eq!(gathered(&proxied), (Vec::new(), 0));
    // that one client uses it as a proxy says nothing of others, and of other ports
    let others = [
        proxied[0],
        segment(("10.0.0.2", 40_000), (SERVER, 3_128), &hello),
        segment((CLIENT, 40_000), (SERVER, 443), &hello),
        segment((CLIENT, 40_001), (SERVER, 80), request),
    ];
    let (sightings, _) = gathered(&others);
    let told: Vec<_> = sightings.iter().map(|it| (it.name.to_string(), it.used_by.unwrap().to_string())).collect();
    let expected = [("api.example.com", CLIENT), ("api.example.com", "10.0.0.2"), ("proxy.example", CLIENT)];
    assert_eq!(told, expected.map(|(name, user)| (name.to_owned(), user.to_owned())));
}

#[test]
fn a_plain_request_through_a_proxy_does_not_name_it() {
    let connect = b"CONNECT intranet.example.com:80 HTTP/1.1\r\nHost: intranet.example.com:80\r\n\r\n";
    let request = b"GET / HTTP/1.1\r\nHost: intranet.example.com\r\n\r\n";
    let to_proxy = |data| segment((CLIENT, 40_000), (SERVER, 3_128), data);
    assert_eq!(gathered(&[to_proxy(connect), to_proxy(request)]), (Vec::new(), 0));
    assert_eq!(
        only(&to_proxy(request)),
        Some((SERVER.into(), "intranet.example.com".into(), NameSource::Http, Some(CLIENT.into()), 0))
    );
}

#[test]
fn nobody_is_named_that_is_no_host() {
    for octets in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255]] {
        let message = response("ads.example", &[record(&labels("ads.example"), 1, 1, 60, &octets)]);
        assert_eq!(only(&datagram((RESOLVER, 53), (CLIENT, 40_000), &message)), None, "{octets:?}");
    }
}

#[test]
fn what_is_told_again_is_one_sighting_with_its_times_and_the_longest_validity() {
    let answer = |ttl_s| response("a.example", &[record(&labels("a.example"), 1, 1, ttl_s, &[203, 0, 113, 9])]);
    let (long, short) = (answer(300), answer(20));
    let mut gatherer = Gatherer::default();
    for (second, message) in [(5, &long), (9, &short), (2, &short)] {
        gatherer.take(at(second), &datagram((RESOLVER, 53), (CLIENT, 40_000), message));
    }
    let seen = gatherer.changed();
    let [sighting] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((sighting.ttl_s, sighting.times), (300, 3));
    assert_eq!((sighting.span.first, sighting.span.last), (at(2), at(9)));
    // nothing is new; then the figures are those of all packets so far
    assert_eq!(gatherer.changed(), []);
    gatherer.take(at(11), &datagram((RESOLVER, 53), (CLIENT, 40_000), &short));
    let again = gatherer.changed();
    assert_eq!((again[0].times, again[0].span.first, again[0].span.last), (4, at(2), at(11)));
}

#[test]
fn a_run_holds_so_many_names_and_counts_the_others() {
    let mut gatherer = Gatherer::new(3);
    for n in 0..5u8 {
        let message = response("a.example", &[record(&labels("a.example"), 1, 1, 60, &[203, 0, 113, n])]);
        for _ in 0..2 {
            gatherer.take(at(n.into()), &datagram((RESOLVER, 53), (CLIENT, 40_000), &message));
        }
    }
    let addresses: Vec<_> = gatherer.changed().iter().map(|sighting| sighting.address.to_string()).collect();
    assert_eq!(addresses, ["203.0.113.0", "203.0.113.1", "203.0.113.2"]);
    assert_eq!(gatherer.missed().beyond_bound, 4);
}

#[test]
fn strangers_that_call_a_server_names_leave_room_for_what_clients_were_answered() {
    let mut gatherer = Gatherer::new(10);
    for n in 0..20 {
        let request = format!("GET / HTTP/1.1\r\nHost: n{n}.example\r\n\r\n");
        gatherer.take(at(n), &segment(("198.51.100.7", 40_000), (SERVER, 80), request.as_bytes()));
    }
    gatherer.take(at(20), &datagram((RESOLVER, 53), (CLIENT, 40_000), &answer()));
    let sightings = gatherer.changed();
    let count = |source| sightings.iter().filter(|sighting| sighting.source == source).count();
    assert_eq!((count(NameSource::Http), count(NameSource::Dns)), (5, 1));
    assert_eq!(gatherer.missed().beyond_bound, 15);
}

#[test]
fn of_a_name_with_many_users_the_later_ones_count_together() {
    let mut gatherer = Gatherer::default();
    let hello = hello(b"api.example.com");
    for n in 0..300u16 {
        let [high, low] = n.to_be_bytes();
        gatherer.take(at(0), &segment((&format!("10.1.{high}.{low}"), 40_000), (SERVER, 443), &hello));
    }
    // one of the first ones again
    gatherer.take(at(1), &segment(("10.1.0.7", 40_000), (SERVER, 443), &hello));
    let sightings = gatherer.changed();
    let times = |user: Option<&str>| {
        let used_by = user.map(address);
        sightings.iter().find(|sighting| sighting.used_by == used_by).map(|sighting| sighting.times)
    };
    assert_eq!(sightings.len(), 257);
    assert_eq!((times(Some("10.1.0.7")), times(Some("10.1.0.255"))), (Some(2), Some(1)));
    assert_eq!((times(Some("10.1.1.0")), times(None)), (None, Some(44)));
    assert_eq!(gatherer.missed().beyond_bound, 0);
}

/// The days around one.
fn around(day: i64) -> Span {
    let [first, last] = [day - 1, day + 1].map(|day| at(day * 86_400));
    Span { first, last }
}

#[test]
fn what_was_taken_out_and_is_old_makes_room_for_answers_uses_users_and_proxies() {
    let mut gatherer = Gatherer::new(600);
    let request = b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    let connect = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";
    for day in [0, 2] {
        for n in 0..300u16 {
            let [high, low] = n.to_be_bytes();
            let client = format!("10.{day}.{high}.{low}");
            gatherer.take(at(day * 86_400), &segment((&client, 40_000), (SERVER, 80), request));
            let message = response("a.example", &[record(&labels("a.example"), 1, 1, 60, &[10, 9, high, low])]);
            gatherer.take(at(day * 86_400), &datagram((RESOLVER, 53), (&client, 40_000), &message));
        }
        let sightings = gatherer.changed();
        let count = |source| sightings.iter().filter(|it| it.source == source && it.used_by.is_some()).count();
        assert_eq!((count(NameSource::Http), count(NameSource::Dns)), (256, 300), "day {day}");
        assert_eq!(gatherer.missed().beyond_bound, 0);
        gatherer.forget(around(day + 2));
    }
    // as many as can be proxies at a time; then there are others
    for (day, proxy) in [(0, "192.0.2.1"), (2, "192.0.2.2")] {
        for n in 0..10_000u16 {
            let [high, low] = n.to_be_bytes();
            gatherer.take(at(day * 86_400), &segment((&format!("10.1.{high}.{low}"), 40_000), (proxy, 80), connect));
        }
        gatherer.take(at(day * 86_400), &segment(("10.1.0.7", 40_000), (proxy, 80), request));
        assert_eq!(gatherer.changed(), [], "{proxy} is called nothing");
        gatherer.forget(around(day + 2));
    }
}

/// A message of each kind, to be damaged.
fn samples() -> Vec<Vec<u8>> {
    let request = b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec();
    let sized = [&[0, 61][..], &answer()].concat();
    vec![answer(), hello(b"api.example.com"), request, sized]
}

fn take_everywhere(data: &[u8]) -> (usize, u64) {
    let mut gatherer = Gatherer::default();
    for port in [53, 67, 68, 5_353, 5_355, 443] {
        gatherer.take(at(0), &datagram((RESOLVER, port), (CLIENT, 40_000), data));
        gatherer.take(at(0), &datagram((RESOLVER, port), (CLIENT, port), data));
        gatherer.take(at(0), &segment((RESOLVER, port), (CLIENT, 40_000), data));
        gatherer.take(at(0), &segment((CLIENT, 40_000), (RESOLVER, port), data));
    }
    (gatherer.changed().len(), gatherer.missed().not_a_name)
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(data in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = take_everywhere(&data);
    }

    #[test]
    fn no_damage_is_too_much(n in 0usize..4, cut in 0usize..200, damage in prop::collection::vec((0usize..200, any::<u8>()), 0..6)) {
        let mut data = samples().swap_remove(n);
        for (at, byte) in damage {
            let length = data.len();
            data[at % length] = byte;
        }
        data.truncate(data.len().saturating_sub(cut % 60));
        let (names, not_names) = take_everywhere(&data);
        // a message of that size has no room for more answers than these
        prop_assert!(names <= 24 && not_names <= 24);
    }
}
