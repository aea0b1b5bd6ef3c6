//! Packets to sightings.

use super::{
    super::{Gatherer, Recent, said},
    *,
};
use crate::model::{Application, ApplicationSighting, Protection, Span};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// A sighting in short.
fn short(sighting: &ApplicationSighting) -> String {
    let ApplicationSighting { client, server, port, protocol, application, protection, times, .. } = sighting;
    let client = client.map_or_else(|| "any".to_owned(), |client| client.to_string());
    let spoken = format!("{} {}", application.as_str(), protection.as_str());
    format!("{client} {server}:{port}/{protocol} {spoken} {times}")
}

fn gathered(packets: &[(i64, Packet<'_>)]) -> Vec<String> {
    let mut gatherer = Gatherer::default();
    for (seconds, packet) in packets {
        gatherer.take(at(*seconds), packet);
    }
    gatherer.changed().iter().map(short).collect()
}

#[test]
fn a_request_and_its_answer_name_one_server() {
    let both = [(0, segment(CLIENT, SERVER, REQUEST)), (0, segment(SERVER, CLIENT, ANSWER))];
    assert_eq!(gathered(&both), ["10.0.0.1 10.0.0.9:8080/TCP http clear 1"]);
}

#[test]
fn a_record_that_either_may_have_sent_goes_by_the_ports_then_by_what_is_known() {
    let bytes = record(23, &[9; 40]);
    let (https, other) = (("10.0.0.9", 443), ("10.0.0.9", 41_000));
    let of = |server| [(0, segment(CLIENT, server, &bytes)), (0, segment(server, CLIENT, &bytes))];
    assert_eq!(gathered(&of(https)), ["10.0.0.1 10.0.0.9:443/TCP tls encrypted 1"]);
    // no port tells: the map will know which of them serves
    let either = ["10.0.0.9 10.0.0.1:40000/TCP tls encrypted 1", "10.0.0.1 10.0.0.9:41000/TCP tls encrypted 1"];
    assert_eq!(gathered(&of(other)), either);
    let first = hello(1);
    let [there, back] = of(other);
    let asked = "10.0.0.1 10.0.0.9:41000/TCP tls undecided 1";
    assert_eq!(gathered(&[(0, segment(CLIENT, other, &first)), there, back]), [either[1], asked]);
}

#[test]
fn times_are_kept_in_stretches_of_ten_seconds_and_each_counts_once() {
    let packet = segment(CLIENT, SERVER, REQUEST);
    let mut gatherer = Gatherer::default();
    for seconds in [3, 4, 4, 19, 12, 47] {
        gatherer.take(at(seconds), &packet);
    }
    let sightings = gatherer.changed();
    let [sighting] = &sightings[..] else { panic!("{sightings:?}") };
    assert_eq!((sighting.span, sighting.times), (Span { first: at(0), last: at(40) }, 3));
    let between = |first, last| sighting.overlaps(Span { first: at(first), last: at(last) });
    assert!(between(-5, 0) && between(20, 21) && between(49, 60));
    assert!(!between(-5, -1) && !between(50, 60));
}

#[test]
fn what_was_taken_out_comes_again_when_it_goes_on() {
    let packet = segment(CLIENT, SERVER, REQUEST);
    let mut gatherer = Gatherer::default();
    gatherer.take(at(0), &packet);
    assert_eq!(gatherer.changed().len(), 1);
    gatherer.take(at(1), &packet);
    assert_eq!(gatherer.changed(), []);
    gatherer.take(at(10), &packet);
    assert_eq!(gatherer.changed().iter().map(short).collect::<Vec<_>>(), ["10.0.0.1 10.0.0.9:8080/TCP http clear 2"]);
}

#[test]
fn of_many_clients_further_ones_count_together() {
    let mut gatherer = Gatherer::default();
    let clients: Vec<String> = (0..300).map(|n| format!("10.1.{}.{}", n / 200, n % 200)).collect();
    for client in clients.iter().chain(&clients) {
        gatherer.take(at(0), &segment((client, 40_000), SERVER, REQUEST));
    }
    let sightings = gatherer.changed();
    assert_eq!(sightings.len(), 257);
    assert_eq!(sightings.iter().filter(|it| it.client.is_none()).count(), 1);
    assert_eq!(gatherer.missed(), 0);
}

#[test]
fn what_is_beyond_the_bound_is_counted() {
    let mut gatherer = Gatherer::new(2);
    for port in [80, 81, 82, 80] {
        gatherer.take(at(0), &segment(CLIENT, ("10.0.0.9", port), REQUEST));
    }
    assert_eq!((gatherer.changed().len(), gatherer.missed()), (2, 1));
}

#[test]
fn addresses_are_canonical() {
    let packets = [(0, segment(("::ffff:10.0.0.1", 40_000), ("::ffff:10.0.0.9", 8_080), REQUEST))];
    assert_eq!(gathered(&packets), ["10.0.0.1 10.0.0.9:8080/TCP http clear 1"]);
}

#[test]
fn what_was_said_a_moment_ago_is_not_new() {
    let (packet, other) = (segment(CLIENT, SERVER, REQUEST), segment(SERVER, CLIENT, ANSWER));
    let said = |seconds, packet| said(at(seconds), packet).unwrap();
    let mut recent = Recent::default();
    assert!(recent.is_new(&said(0, &packet)) && !recent.is_new(&said(1, &packet)));
    assert!(recent.is_new(&said(10, &packet)), "another stretch");
    assert!(recent.is_new(&said(10, &other)), "the other end");
    recent.clear();
    assert!(recent.is_new(&said(10, &packet)));
}

#[test]
fn a_log_tells_what_was_spoken_and_when() {
    let mut gatherer = Gatherer::default();
    let told = ApplicationSighting {
        client: Some(address("::ffff:10.0.0.1")),
        server: address("10.0.0.9"),
        port: 443,
        protocol: Protocol::TCP,
        application: Application::Tls,
        protection: Protection::Encrypted,
        span: Span { first: at(7), last: at(25) },
        times: 1,
    };
    gatherer.hear(&told);
    let span = Span { first: at(0), last: at(20) };
    assert_eq!(gatherer.changed(), [ApplicationSighting { client: Some(address("10.0.0.1")), span, ..told }]);
}

/// The days around one.
fn around(day: i64) -> Span {
    let [first, last] = [day - 1, day + 1].map(|day| at(day * 86_400));
    Span { first, last }
}

#[test]
fn what_was_taken_out_and_is_old_makes_room_and_comes_again_as_new() {
    let mut gatherer = Gatherer::new(4);
    let take = |gatherer: &mut Gatherer, day: i64, port: u16| {
        gatherer.take(at(day * 86_400), &segment(CLIENT, ("10.0.0.9", port), REQUEST));
    };
    let changed = |gatherer: &mut Gatherer| gatherer.changed().iter().map(|it| (it.port, it.times)).collect::<Vec<_>>();
    (80..83).for_each(|port| take(&mut gatherer, 0, port));
    gatherer.forget(around(9));
    assert_eq!(changed(&mut gatherer).len(), 3, "what nobody has yet stays");
    gatherer.forget(around(9));
    take(&mut gatherer, 1, 80);
    assert_eq!(changed(&mut gatherer), [(80, 2)], "what has room stays");
    take(&mut gatherer, 3, 81);
    take(&mut gatherer, 3, 83);
    assert_eq!(changed(&mut gatherer), [(81, 2), (83, 1)]);
    gatherer.forget(around(3));
    for port in [80, 81, 84] {
        take(&mut gatherer, 4, port);
    }
    assert_eq!(changed(&mut gatherer), [(80, 1), (81, 3), (84, 1)]);
    assert_eq!(gatherer.missed(), 0);
    // by a clock that was set back, what is far ahead is old as well
    gatherer.forget(around(1));
    take(&mut gatherer, 1, 85);
    take(&mut gatherer, 1, 83);
    assert_eq!((changed(&mut gatherer), gatherer.missed()), (vec![(83, 1), (85, 1)], 0));
}

#[test]
fn clients_that_are_forgotten_leave_their_places_to_others() {
    let mut gatherer = Gatherer::new(300);
    for day in [0, 2] {
        let clients: Vec<String> = (0..280).map(|n| format!("10.{day}.{}.{}", n / 200, n % 200)).collect();
        for client in &clients {
            gatherer.take(at(day * 86_400), &segment((client, 40_000), SERVER, REQUEST));
        }
        let apart = gatherer.changed().iter().filter(|it| it.client.is_some()).count();
        assert_eq!((apart, gatherer.missed()), (256, 0), "day {day}");
        gatherer.forget(around(day + 2));
    }
}
