//! Who had an address when, as a watch saw objects come, change and go.

use super::*;
use crate::{
    inventory::{Listing, Sighted, Sighting},
    model::Scope,
};

/// A watch from ten to noon, of all pods; each object with its stretch, empty where it was there at that end.
fn watched(objects: &[(Value, &str, &str)]) -> Directory {
    let mut complete = Scope::default();
    complete.add_everywhere("Pod");
    let watch = Listing {
        source: "cluster".into(),
        taken_at: Some(at("10:00:00")),
        until: Some(at("12:00:00")),
        complete: complete.clone(),
    };
    // another begins at one: who does not stand in it was gone by then
    let later = Listing { taken_at: Some(at("13:00:00")), until: None, ..watch.clone() };
    let time = |text: &str| (!text.is_empty()).then(|| at(text));
    let sighted = |(object, since, until): &(Value, &str, &str)| Sighted {
        object: object.clone(),
        sightings: vec![Sighting { listing: 0, since: time(since), until: time(until) }],
    };
    Directory::over(&[watch, later], objects.iter().map(sighted))
}

fn pod(name: &str, address: &str, start: &str) -> Value {
    let pod = with(mk_pod(name, address), "/metadata/uid", name.into());
    with(pod, "/status/startTime", format!("2026-09-21T{start}Z").into())
}

fn pending(name: &str, made: &str) -> Value {
    let pod = with(mk_pod(name, ""), "/status", json!({"phase": "Pending"}));
    with(with(pod, "/metadata/uid", name.into()), "/metadata/creationTimestamp", format!("2026-09-21T{made}Z").into())
}

fn leaving(pod: Value, due: &str) -> Value {
    with(pod, "/metadata/deletionTimestamp", format!("2026-09-21T{due}Z").into())
}

#[track_caller]
fn assert_owners(directory: &Directory, expected: &[(&str, &str)]) {
    for (time, owner) in expected {
        assert_eq!(who(directory, "10.244.1.5", time), *owner, "{time}");
    }
}

#[test]
fn a_pod_owns_its_address_until_it_was_seen_to_go() {
    let directory = watched(&[(pod("web", "10.244.1.5", "09:00:00"), "", "11:00:00")]);
    assert_owners(&directory, &[("09:30:00", "Pod shop/web"), ("10:59:59", "Pod shop/web"), ("11:00:01", "Unknown")]);
    assert!(directory.cluster().pods.is_empty());
}

#[test]
fn what_a_later_list_lacks_went_while_nobody_watched() {
    let directory = watched(&[(pod("web", "10.244.1.5", "09:00:00"), "", "")]);
    assert_owners(&directory, &[("12:00:00", "Pod shop/web"), ("12:59:59", "Pod shop/web"), ("13:00:00", "Unknown")]);
}

#[test]
fn an_address_is_a_pods_from_when_it_was_seen_without_it_last() {
    let versions =
        [(pending("web", "10:10:00"), "10:10:00", "10:15:00"), (pod("web", "10.244.1.5", "10:10:01"), "10:15:00", "")];
    let directory = watched(&versions);
    assert_owners(&directory, &[("10:14:59", "Unknown"), ("10:15:00", "Pod shop/web"), ("11:00:00", "Pod shop/web")]);
}

#[test]
fn a_pod_whose_sandbox_was_made_anew_has_another_address() {
    let versions = [
        (pod("web", "10.244.1.5", "09:00:00"), "", "10:30:00"),
        (pod("web", "10.244.1.6", "09:00:00"), "10:30:00", ""),
        (pod("db", "10.244.1.5", "10:40:00"), "10:40:00", ""),
    ];
    let directory = watched(&versions);
    let expected = [("10:29:59", "Pod shop/web"), ("10:35:00", "Unknown"), ("10:40:00", "Pod shop/db")];
    assert_owners(&directory, &expected);
    assert_eq!(who(&directory, "10.244.1.6", "10:29:59"), "Unknown");
    assert_eq!(who(&directory, "10.244.1.6", "10:30:00"), "Pod shop/web");
}

#[test]
fn the_next_pod_has_the_address_after_the_last_was_seen_to_go_not_from_its_own_start() {
    let versions = [
        (pod("old", "10.244.1.5", "09:00:00"), "", "10:30:00"),
        // it waited for a volume, and had no address yet
        (pod("new", "10.244.1.5", "10:29:00"), "10:31:00", ""),
    ];
    let directory = watched(&versions);
    assert_owners(
        &directory,
        &[("10:29:30", "Pod shop/old"), ("10:29:59", "Pod shop/old"), ("10:31:00", "Pod shop/new")],
    );
    assert_eq!(directory.conflicts(), []);
}

#[test]
fn within_its_grace_a_pod_may_have_gone_already() {
    let old = pod("old", "10.244.1.5", "09:00:00");
    let versions = [
        (old.clone(), "", "10:30:00"),
        (leaving(old, "10:30:30"), "10:30:00", "10:30:25"),
        (pod("new", "10.244.1.5", "10:30:10"), "10:30:20", ""),
    ];
    let directory = watched(&versions);
    let expected = [
        ("10:30:00", "Pod shop/old"),
        ("10:30:05", "Unknown"),
        ("10:30:10", "Pod shop/new"),
        ("11:00:00", "Pod shop/new"),
    ];
    assert_owners(&directory, &expected);
    assert_eq!(directory.conflicts(), []);
}

#[test]
fn two_pods_that_had_one_address_for_long_are_a_conflict() {
    let versions =
        [(pod("a", "10.244.1.5", "09:00:00"), "", "11:00:00"), (pod("b", "10.244.1.5", "10:30:00"), "10:30:05", "")];
    let directory = watched(&versions);
    assert_owners(&directory, &[("10:29:59", "Pod shop/a"), ("10:45:00", "Unknown"), ("11:00:01", "Pod shop/b")]);
    assert_eq!(directory.conflicts().len(), 1);
}

#[test]
fn the_present_is_what_was_not_seen_to_go_in_its_last_version() {
    let relabelled = |labels: Value| with(pod("web", "10.244.1.5", "09:00:00"), "/metadata/labels", labels);
    let later = Listing { taken_at: Some(at("10:00:00")), until: Some(at("12:00:00")), ..Listing::default() };
    let sighting = |since: Option<&str>, until: Option<&str>| {
        vec![Sighting { listing: 0, since: since.map(at), until: until.map(at) }]
    };
    let objects = [
        Sighted { object: relabelled(json!({"app": "web", "old": "x"})), sightings: sighting(None, Some("10:30:00")) },
        Sighted { object: relabelled(json!({"app": "web"})), sightings: sighting(Some("10:30:00"), None) },
    ];
    let directory = Directory::over(&[later], objects);
    let pods = &directory.cluster().pods;
    assert_eq!((pods.len(), pods[0].labels.get("old")), (1, None));
}

#[test]
fn a_watch_that_broke_and_began_anew_neither_loses_nor_doubles_owners() {
    let mut complete = Scope::default();
    complete.add_everywhere("Pod");
    let watch = |from: &str, until: &str| Listing {
        source: "cluster".into(),
        taken_at: Some(at(from)),
        until: Some(at(until)),
        complete: complete.clone(),
    };
    let listings = [watch("10:00:00", "11:00:00"), watch("11:30:00", "12:00:00")];
    let in_both = |pod: Value| {
        let sighting = |listing| Sighting { listing, since: None, until: None };
        Sighted { object: pod, sightings: vec![sighting(0), sighting(1)] }
    };
    let went = Sighted {
        object: pod("job", "10.244.1.6", "09:00:00"),
        sightings: vec![Sighting { listing: 0, since: None, until: None }],
    };
    let directory = Directory::over(&listings, [in_both(pod("web", "10.244.1.5", "09:00:00")), went]);
    let web = "Pod shop/web";
    assert_owners(&directory, &[("10:30:00", web), ("11:15:00", web), ("11:45:00", web), ("13:00:00", web)]);
    assert_eq!(who(&directory, "10.244.1.6", "11:29:59"), "Pod shop/job");
    assert_eq!(who(&directory, "10.244.1.6", "11:30:00"), "Unknown");
    assert_eq!((directory.conflicts().len(), directory.cluster().pods.len()), (0, 1));
    assert_eq!(directory.holdings().iter().filter(|it| it.pod().is_some()).count(), 2);
}
