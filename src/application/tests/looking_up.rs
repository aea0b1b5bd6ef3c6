//! Sightings to what is told of a dependency.

use std::collections::{BTreeMap, BTreeSet};

use super::{super::Applications, *};
use crate::model::{
    Application, ApplicationSighting, Dependency, Direction, Outcome, Party, PartyKind, Protection, Secrecy, Span, Via,
};

fn party(addresses: &[&str]) -> Party {
    Party {
        kind: PartyKind::External,
        name: addresses.join(" "),
        owner: None,
        addresses: addresses.iter().map(|text| address(text)).collect(),
        names: Vec::new(),
    }
}

/// From 10.0.0.1 and .2 to 10.0.0.9, dialled at 10.96.0.1, from second 100 to 200.
fn dependency() -> Dependency {
    let via = Via { address: address("10.96.0.1"), port: 80, service: None, disputed: false };
    Dependency {
        site: "default".into(),
        client: party(&["10.0.0.1", "10.0.0.2"]),
        server: party(&["10.0.0.9"]),
        protocol: Protocol::TCP,
        port: 8_080,
        via: [via].into(),
        sources: BTreeSet::new(),
        outcome: Outcome::Established,
        direction: Direction::Handshake,
        connections: 1,
        packets: 9,
        packets_are_least: false,
        bytes_to_server: 0,
        bytes_to_client: 0,
        span: Span { first: at(100), last: at(200) },
        vlans: BTreeSet::new(),
        tunnels: BTreeSet::new(),
        marks: BTreeSet::new(),
        history: BTreeMap::new(),
    }
}

fn seen(
    client: &str,
    server: (&str, u16),
    seconds: (i64, i64),
    spoken: (Application, Protection),
) -> ApplicationSighting {
    ApplicationSighting {
        client: client.parse().ok(),
        server: address(server.0),
        port: server.1,
        protocol: Protocol::TCP,
        application: spoken.0,
        protection: spoken.1,
        span: Span { first: at(seconds.0), last: at(seconds.1) },
        times: 1,
    }
}

const HTTP: (Application, Protection) = (Application::Http, Protection::Clear);
const TLS: (Application, Protection) = (Application::Tls, Protection::Encrypted);
const ASKED: (Application, Protection) = (Application::Postgresql, Protection::Undecided);

fn spoken(sightings: &[ApplicationSighting], dependency: &Dependency) -> (Option<String>, Option<bool>) {
    let spoken = Applications::new(sightings.iter().cloned()).of(dependency, |_, _, _| true);
    (spoken.names(), spoken.encrypted)
}

#[test]
fn what_was_spoken_with_the_server_or_with_what_was_dialled_is_told() {
    for (client, server) in [("10.0.0.1", SERVER), ("10.0.0.2", ("10.96.0.1", 80)), ("", SERVER)] {
        let told = spoken(&[seen(client, server, (150, 150), HTTP)], &dependency());
        assert_eq!(told, (Some("http".into()), Some(false)), "{client} {server:?}");
    }
}

#[test]
fn what_was_spoken_at_an_address_when_it_was_anothers_is_not() {
    let sightings = [
        seen("10.0.0.1", SERVER, (150, 150), HTTP),
        seen("10.0.0.1", SERVER, (170, 190), TLS),
        seen("10.0.0.1", SERVER, (130, 190), ASKED),
    ];
    let is_its = |_: &Party, it: IpAddr, stretch: Span| it != address("10.0.0.1") || stretch.first >= at(180);
    let spoken = Applications::new(sightings).of(&dependency(), is_its);
    assert_eq!((spoken.names(), spoken.encrypted), (Some("postgresql,tls".into()), Some(true)));
}

#[test]
fn a_greeting_behind_which_logins_in_clear_may_go_on_leaves_it_open() {
    let greeted = |application| (application, Protection::Undecided);
    for (application, encrypted) in [
        (Application::Pop3, None),
        (Application::Ftp, None),
        (Application::Imap, None),
        (Application::Xmpp, None),
        (Application::Smtp, Some(true)),
    ] {
        let mut sightings = [greeted(application), TLS].map(|it| seen("10.0.0.1", SERVER, (150, 150), it));
        assert_eq!(spoken(&sightings, &dependency()).1, encrypted, "{application:?}");
        sightings.reverse();
        assert_eq!(spoken(&sightings, &dependency()).1, encrypted, "{application:?}");
    }
}

#[test]
fn clear_text_is_told_apart_from_clear_text_in_part_and_from_what_other_clients_spoke() {
    let of = |all: &[(&str, (Application, Protection))]| {
        let sightings = all.iter().map(|(client, it)| seen(client, SERVER, (150, 150), *it));
        Applications::new(sightings).of(&dependency(), |_, _, _| true)
    };
    let (own, other) = ("10.0.0.1", "");
    let cases: [(&[_], Secrecy); 7] = [
        (&[(own, HTTP)], Secrecy::Clear),
        (&[(own, HTTP), (own, ASKED)], Secrecy::Clear),
        (&[(own, HTTP), ("10.0.0.2", TLS)], Secrecy::Mixed),
        (&[(own, TLS)], Secrecy::Encrypted),
        (&[(own, ASKED)], Secrecy::NotKnown),
        // of one of many clients it is not known who of them it was
        (&[(other, HTTP)], Secrecy::NotKnown),
        (&[(own, TLS), (other, HTTP)], Secrecy::NotKnown),
    ];
    for (all, expected) in cases {
        assert_eq!(of(all).secrecy(), expected, "{all:?}");
        // whatever is joined first
        let mut joined = of(&[]);
        all.iter().rev().for_each(|one| joined.join(&of(std::slice::from_ref(one))));
        assert_eq!(joined.secrecy(), expected, "{all:?}");
    }
}

#[test]
fn what_others_spoke_or_at_another_time_is_not() {
    let other = |protocol| ApplicationSighting { protocol, ..seen("10.0.0.1", SERVER, (150, 150), HTTP) };
    let cases = [
        seen("10.0.0.3", SERVER, (150, 150), HTTP),
        seen("10.0.0.1", ("10.0.0.9", 80), (150, 150), HTTP),
        seen("10.0.0.1", ("10.96.0.1", 8_080), (150, 150), HTTP),
        // the other way round
        seen("10.0.0.9", ("10.0.0.1", 8_080), (150, 150), HTTP),
        seen("10.0.0.1", SERVER, (0, 90), HTTP),
        seen("10.0.0.1", SERVER, (210, 300), HTTP),
        other(Protocol::UDP),
    ];
    for case in cases {
        assert_eq!(spoken(std::slice::from_ref(&case), &dependency()), (None, None), "{case:?}");
    }
    let refused = Dependency { outcome: Outcome::Refused, ..dependency() };
    assert_eq!(spoken(&[seen("10.0.0.1", SERVER, (150, 150), HTTP)], &refused), (None, None));
}

#[test]
fn encrypted_is_all_that_says_so_and_nothing_decides_for_what_does_not() {
    let of = |all: &[(Application, Protection)]| {
        let sightings: Vec<_> = all.iter().map(|it| seen("10.0.0.1", SERVER, (150, 150), *it)).collect();
        spoken(&sightings, &dependency())
    };
    assert_eq!(of(&[ASKED]), (Some("postgresql".into()), None));
    assert_eq!(of(&[TLS, ASKED]), (Some("postgresql,tls".into()), Some(true)));
    assert_eq!(of(&[TLS, HTTP]), (Some("http,tls".into()), Some(false)));
    let open = (Application::Smtp, Protection::Open);
    assert_eq!(of(&[open]), (Some("smtp".into()), None));
    assert_eq!(of(&[TLS, open]), (Some("smtp,tls".into()), None));
    assert_eq!(of(&[open, HTTP]), (Some("http,smtp".into()), Some(false)));
    assert_eq!(of(&[HTTP, TLS, ASKED]), (Some("http,postgresql,tls".into()), Some(false)));
}

#[test]
fn what_began_with_nobody_who_answered_is_not_encrypted() {
    let (quic, dtls) = ((Application::Quic, Protection::Encrypted), (Application::Dtls, Protection::Encrypted));
    let cases = [
        (quic, Outcome::Established, Some(true)),
        (quic, Outcome::Oneway, None),
        (quic, Outcome::Refused, None),
        (dtls, Outcome::Oneway, Some(true)),
    ];
    for (it, outcome, expected) in cases {
        let sighting = ApplicationSighting { protocol: Protocol::UDP, ..seen("10.0.0.1", SERVER, (150, 150), it) };
        let dependency = Dependency { outcome, protocol: Protocol::UDP, ..dependency() };
        assert_eq!(spoken(&[sighting], &dependency), (Some(it.0.as_str().into()), expected), "{outcome:?}");
    }
}

#[test]
fn parts_of_a_capture_tell_what_the_whole_does() {
    let parts = [seen("10.0.0.1", SERVER, (0, 10), HTTP), seen("10.0.0.1", SERVER, (300, 310), HTTP)];
    let whole = [seen("10.0.0.1", SERVER, (0, 310), HTTP)];
    assert_eq!(spoken(&parts, &dependency()), spoken(&whole, &dependency()));
    let [first, last] = parts;
    assert_eq!(spoken(&[last, first], &dependency()), (Some("http".into()), Some(false)));
}
