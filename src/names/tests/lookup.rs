//! Sightings to answers.

use super::{super::Names, *};
use crate::model::Span;

const DAY_S: i64 = 24 * 3_600;

/// A sighting from one second to another.
fn seen(address: &str, name: &str, source: NameSource, used_by: &str, ttl_s: u32, seconds: (i64, i64)) -> NameSighting {
    NameSighting {
        address: super::address(address),
        name: super::name(name),
        source,
        used_by: used_by.parse().ok(),
        ttl_s,
        span: Span { first: at(seconds.0), last: at(seconds.1) },
        times: 1,
    }
}

fn answered(name: &str, used_by: &str, ttl_s: u32, second: i64) -> NameSighting {
    seen("203.0.113.9", name, NameSource::Dns, used_by, ttl_s, (second, second))
}

/// What 203.0.113.9 was called for 10.0.0.1 then, whatever the order of the sightings.
fn called(sightings: &[NameSighting], seconds: (i64, i64)) -> Vec<String> {
    called_where(|user, _| user == address("10.0.0.1"), sightings, seconds)
}

/// The same for a client who had an address only at some times.
fn called_where(
    is_own: impl Fn(IpAddr, Timestamp) -> bool,
    sightings: &[NameSighting],
    seconds: (i64, i64),
) -> Vec<String> {
    let span = Span { first: at(seconds.0), last: at(seconds.1) };
    let ask = |names: Names| {
        let called = names.called(address("203.0.113.9"), &is_own, span);
        called.iter().map(|name| format!("{} {}", name.source.as_str(), name.name)).collect::<Vec<_>>()
    };
    let forward = ask(Names::new(sightings.iter().cloned()));
    assert_eq!(forward, ask(Names::new(sightings.iter().rev().cloned())));
    forward
}

#[test]
fn the_clients_own_answers_count_before_all_others() {
    let (own, other) = ("10.0.0.1", "10.0.0.2");
    let mut sightings = vec![
        answered("own.example", own, 60, 5),
        seen("203.0.113.9", "own.use.example", NameSource::Tls, own, 0, (5, 5)),
        answered("other.example", other, 60, 5),
        seen("203.0.113.9", "other.use.example", NameSource::Http, other, 0, (5, 5)),
        seen("203.0.113.9", "claim.local", NameSource::Mdns, "", 600, (5, 5)),
        seen("203.0.113.9", "nine.example", NameSource::Ptr, own, 600, (5, 5)),
    ];
    let ladder: [&[&str]; 6] = [
        &["dns own.example", "tls own.use.example"],
        &["tls own.use.example"],
        &["dns other.example", "http other.use.example"],
        &["http other.use.example"],
        &["mdns claim.local"],
        &["ptr nine.example"],
    ];
    for expected in ladder {
        assert_eq!(called(&sightings, (5, 9)), expected);
        sightings.remove(0);
    }
    assert_eq!(called(&sightings, (5, 9)), [""; 0]);
}

#[test]
fn an_answer_counts_from_when_it_came_and_while_it_holds() {
    let answers = [answered("old.example", "10.0.0.1", 60, 100), answered("new.example", "10.0.0.1", 60, 1_000)];
    assert_eq!(called(&answers, (0, 99)), [""; 0], "nobody knew it yet");
    assert_eq!(called(&answers, (100, 100)), ["dns old.example"]);
    assert_eq!(called(&answers, (160, 160)), ["dns old.example"]);
    assert_eq!(called(&answers, (999, 999)), ["dns old.example"], "nothing came after it");
    assert_eq!(called(&answers, (1_000, 1_000)), ["dns new.example"], "a later answer says otherwise");
    assert_eq!(called(&answers, (1_030, 1_030)), ["dns new.example"]);
    assert_eq!(called(&answers, (5_000, 5_000)), ["dns new.example"]);
    assert_eq!(called(&answers, (1_060 + DAY_S, 1_060 + DAY_S)), ["dns new.example"]);
    assert_eq!(called(&answers, (1_061 + DAY_S, 1_061 + DAY_S)), [""; 0], "it may be somebody else's by now");
    // connections over a longer time had both
    assert_eq!(called(&answers, (120, 1_200)), ["dns new.example", "dns old.example"]);
}

#[test]
fn what_another_was_answered_who_had_the_clients_address_before_is_not_its_own() {
    let second = |time: Timestamp| (time.0 - at(0).0) / 1_000_000_000;
    let own = |from: i64| move |user, time| user == address("10.0.0.1") && second(time) >= from;
    let sightings = [answered("old.example", "10.0.0.1", 30, 10), answered("new.example", "10.0.0.2", 3_600, 1_200)];
    assert_eq!(called_where(own(600), &sightings, (1_300, 1_300)), ["dns new.example"]);
    assert_eq!(called_where(own(0), &sightings, (1_300, 1_300)), ["dns old.example"]);
    // both were answered it: of what came after the connection nothing is its own
    let both = seen("203.0.113.9", "old.example", NameSource::Dns, "10.0.0.1", 30, (10, 1_250));
    let sightings = [both, answered("new.example", "10.0.0.2", 3_600, 1_200)];
    assert_eq!(called_where(own(600), &sightings, (1_300, 1_300)), ["dns old.example"]);
    assert_eq!(called_where(own(600), &sightings, (1_240, 1_240))[0], "dns new.example");
}

#[test]
fn of_two_answers_that_both_hold_the_later_is_first() {
    let answers = [answered("b.example", "10.0.0.1", 600, 10), answered("a.example", "10.0.0.1", 600, 20)];
    assert_eq!(called(&answers, (30, 30)), ["dns a.example", "dns b.example"]);
    assert_eq!(called(&answers, (15, 15)), ["dns b.example"]);
    let tied = [answered("b.example", "10.0.0.1", 600, 10), answered("a.example", "10.0.0.1", 600, 10)];
    assert_eq!(called(&tied, (30, 30)), ["dns a.example", "dns b.example"]);
}

#[test]
fn what_was_said_again_after_a_connection_does_not_count_as_said_just_before_it() {
    const HOUR_S: i64 = 3_600;
    let own = "10.0.0.1";
    let again = |name, hours: (i64, i64)| {
        seen("203.0.113.9", name, NameSource::Dns, own, 60, (hours.0 * HOUR_S, hours.1 * HOUR_S))
    };
    let (old, new) = (again("old.example", (0, 10)), again("new.example", (5, 5)));
    let at_six = (6 * HOUR_S, 6 * HOUR_S);
    // whether it was said between the other one and the connection is not known
    assert_eq!(called(&[old.clone(), new.clone()], at_six), ["dns new.example", "dns old.example"]);
    // nor where the other one holds, or was used
    let fresh = answered("fresh.example", own, 60, at_six.0 - 30);
    let both = ["dns fresh.example", "dns old.example"];
    assert_eq!(called(&[old.clone(), fresh, new.clone()], at_six), both);
    let used = seen("203.0.113.9", "used.example", NameSource::Tls, own, 0, at_six);
    assert_eq!(called(&[old.clone(), used], at_six), ["tls used.example", "dns old.example"]);
    // of one that was said first after the other it is known
    let later = again("later.example", (5, 10));
    assert_eq!(called(&[again("early.example", (4, 4)), later], at_six), ["dns later.example"]);
    // what is said all the time is told however long ago it began
    assert_eq!(called(&[again("steady.example", (-1_000, 1_000))], at_six), ["dns steady.example"]);
    assert_eq!(called(&[old, new], (10 * HOUR_S, 10 * HOUR_S)), ["dns old.example"]);
}

#[test]
fn a_name_from_several_runs_and_sources_is_told_once() {
    let sightings = [
        answered("api.example", "10.0.0.1", 60, 10),
        answered("api.example", "10.0.0.1", 60, 40),
        seen("203.0.113.9", "api.example", NameSource::Tls, "10.0.0.1", 0, (12, 70)),
    ];
    let is_own = |user, _| user == address("10.0.0.1");
    let names = Names::new(sightings).called(address("203.0.113.9"), is_own, Span { first: at(0), last: at(90) });
    let [only] = &names[..] else { panic!("{names:?}") };
    assert_eq!((only.source, only.first_seen, only.last_seen), (NameSource::Dns, at(10), at(70)));
    assert!(only.is_own);
}

#[test]
fn no_more_than_eight_names_are_told() {
    let many: Vec<_> = (0..20).map(|n| answered(&format!("n{n:02}.example"), "10.0.0.1", 600, n)).collect();
    let told = called(&many, (30, 30));
    assert_eq!((told.len(), told[0].as_str(), told[7].as_str()), (8, "dns n19.example", "dns n12.example"));
}

#[test]
fn the_addresses_of_one_name_are_found_together() {
    let names = Names::new([
        seen("203.0.113.9", "api.example", NameSource::Dns, "10.0.0.1", 60, (1, 1)),
        seen("203.0.113.10", "api.example", NameSource::Tls, "10.0.0.2", 0, (900, 900)),
        seen("2001:db8::9", "api.example", NameSource::Dns, "10.0.0.1", 60, (1, 1)),
        seen("203.0.113.11", "api.example", NameSource::Ptr, "10.0.0.1", 60, (1, 1)),
        seen("203.0.113.12", "web.example", NameSource::Dns, "10.0.0.1", 60, (1, 1)),
    ]);
    let addresses: Vec<String> = names.addresses(&name("api.example")).map(|address| address.to_string()).collect();
    assert_eq!(addresses, ["203.0.113.9", "203.0.113.10", "2001:db8::9"]);
    let called = names.called(address("203.0.113.9"), |_, _| false, Span::at(at(2)));
    assert!(!called[0].is_own);
    let also: Vec<String> = called[0].also_at.iter().map(ToString::to_string).collect();
    assert_eq!(also, ["203.0.113.10", "2001:db8::9"]);
}

#[test]
fn sightings_of_several_runs_join_as_maxima() {
    let sighting = |ttl_s, seconds, times| NameSighting {
        times,
        ..seen("203.0.113.9", "api.example", NameSource::Dns, "10.0.0.1", ttl_s, seconds)
    };
    let runs = [sighting(60, (5, 9), 4), sighting(300, (7, 20), 3), sighting(60, (5, 9), 4)];
    assert_eq!(Names::new(runs).sightings(), [sighting(300, (5, 20), 4)]);
}
