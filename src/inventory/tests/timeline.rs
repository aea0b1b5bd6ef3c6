//! Who had an address when, from several snapshots.

use proptest::prelude::*;

use super::*;
use crate::{
    inventory::{Listing, Sighted, Sighting},
    model::{Protocol, Span},
};

/// A snapshot taken at a time, with its objects. It shows its own time by a node's heartbeat.
#[derive(Clone, Debug)]
struct Snapshot(&'static str, Vec<Value>);

/// A snapshot of the whole cluster.
fn snapshot(time: &'static str, objects: &[Value]) -> Snapshot {
    let node = with(
        mk_node("node-1", "192.0.2.1", "10.244.1.0/24"),
        "/status/conditions",
        json!([{"lastHeartbeatTime": format!("2026-09-21T{time}Z")}]),
    );
    // pods of several namespaces: kubectl was asked for all
    let elsewhere = with(mk_pod("other", "10.244.9.9"), "/metadata/namespace", "elsewhere".into());
    let third = with(mk_pod("other", "10.244.9.8"), "/metadata/namespace", "third".into());
    Snapshot(time, [objects, &[node, elsewhere, third]].concat())
}

/// As files would give it.
fn over(snapshots: &[Snapshot]) -> Directory {
    let (mut listings, mut objects) = (Vec::new(), Vec::new());
    for (listing, Snapshot(time, items)) in snapshots.iter().enumerate() {
        let reading = reading(items);
        assert!(items.is_empty() || reading.taken_at == Some(at(time)), "{time}");
        let sighting = Sighting { listing, since: None, until: None };
        listings.push(Listing {
            source: format!("{time}.json"),
            taken_at: reading.taken_at,
            complete: reading.complete,
            until: None,
        });
        let value = |object: &String| serde_json::from_str(object).unwrap();
        objects
            .extend(reading.objects.iter().map(|object| Sighted { object: value(object), sightings: vec![sighting] }));
    }
    Directory::over(&listings, objects)
}

fn pod(name: &str, address: &str, start: &str) -> Value {
    let time = format!("2026-09-21T{start}Z");
    let pod = with(mk_pod(name, address), "/metadata/uid", format!("{name}-{start}").into());
    let pod = with(pod, "/metadata/creationTimestamp", time.clone().into());
    with(pod, "/status/startTime", time.into())
}

fn service(name: &str, address: &str, made: &str) -> Value {
    with(mk_service(name, address), "/metadata/creationTimestamp", format!("2026-09-21T{made}Z").into())
}

/// The owners of the address in question at these times.
fn owners(directory: &Directory, times: &[&str]) -> Vec<String> {
    times.iter().map(|time| who(directory, "10.244.1.5", time)).collect()
}

fn during(directory: &Directory, address: &str, first: &str, last: &str) -> String {
    named(directory.who_over(ip(address), Span { first: at(first), last: at(last) }))
}

#[test]
fn a_pod_that_a_later_snapshot_lacks_was_gone_by_then() {
    let snapshots = [snapshot("10:30:00", &[pod("web", "10.244.1.5", "10:00:00")]), snapshot("11:00:00", &[])];
    let directory = over(&snapshots);
    let expected = ["Unknown", "Pod shop/web", "Pod shop/web", "Unknown"];
    assert_eq!(owners(&directory, &["09:59:59", "10:00:00", "10:59:59", "11:00:00"]), expected);
    assert!(directory.cluster().pods.iter().all(|pod| pod.name != "web"));
}

#[test]
fn a_snapshot_of_one_namespace_says_nothing_of_another() {
    let web = pod("web", "10.244.1.5", "10:00:00");
    let other = with(pod("late", "10.244.8.8", "11:00:00"), "/metadata/namespace", "elsewhere".into());
    let directory = over(&[snapshot("10:30:00", std::slice::from_ref(&web)), Snapshot("11:00:00", vec![other])]);
    assert_eq!(owners(&directory, &["11:30:00"]), ["Pod shop/web"]);
    // and one of the same namespace does
    let same = pod("late", "10.244.8.8", "11:00:00");
    let directory = over(&[snapshot("10:30:00", &[web]), Snapshot("11:00:00", vec![same])]);
    assert_eq!(owners(&directory, &["10:59:59", "11:30:00"]), ["Pod shop/web", "Unknown"]);
}

#[test]
fn manifests_and_single_objects_make_nothing_absent() {
    let web = pod("web", "10.244.1.5", "10:00:00");
    let late = pod("late", "10.244.8.8", "11:00:00").to_string();
    assert_eq!(read("late.json", late.as_bytes()).unwrap().complete, crate::model::Scope::default());
    let page = json!({"kind": "PodList", "metadata": {"continue": "more"}, "items": [web]}).to_string();
    assert_eq!(read("page.json", page.as_bytes()).unwrap().complete, crate::model::Scope::default());
    let whole = reading(&[web]).complete;
    assert!(whole.covers("Pod", "shop") && !whole.covers("Pod", "elsewhere") && !whole.covers("Service", "shop"));
}

#[test]
fn between_the_last_sight_and_the_next_start_nobody_can_tell_who_it_was() {
    let snapshots = [
        snapshot("10:30:00", &[pod("a", "10.244.1.5", "10:00:00")]),
        snapshot("12:00:00", &[pod("b", "10.244.1.5", "11:00:00")]),
    ];
    let expected = ["Pod shop/a", "Unknown", "Unknown", "Pod shop/b", "Pod shop/b"];
    assert_eq!(owners(&over(&snapshots), &["10:30:00", "10:30:01", "10:59:59", "11:00:00", "13:00:00"]), expected);
}

/// With containers as its status has them.
fn containers(pod: Value, states: &[Value]) -> Value {
    let statuses: Vec<Value> = states.iter().map(|state| json!({"restartCount": 0, "state": state})).collect();
    with(pod, "/status/containerStatuses", statuses.into())
}

fn ran(first: &str, last: &str) -> Value {
    let time = |hour: &str| format!("2026-09-21T{hour}Z");
    json!({"terminated": {"startedAt": time(first), "finishedAt": time(last)}})
}

#[test]
fn a_pod_that_is_over_had_its_address_no_sooner_than_its_containers_began() {
    // it waited for a volume from 10:00 on; kubelets take the condition back with the sandbox
    let ended = with(pod("job", "10.244.1.5", "10:00:00"), "/status/phase", "Succeeded".into());
    let gone =
        json!([{"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": "2026-09-21T10:31:00Z"}]);
    for conditions in [gone, json!([])] {
        let ended = with(ended.clone(), "/status/conditions", conditions);
        let ended = containers(ended, &[ran("10:20:00", "10:30:00"), ran("10:21:00", "10:25:00")]);
        let directory = over(&[snapshot("11:00:00", &[ended])]);
        let expected = ["Unknown", "Pod shop/job", "Pod shop/job", "Unknown"];
        assert_eq!(owners(&directory, &["10:10:00", "10:20:00", "10:29:59", "10:30:00"]), expected);
    }
}

#[test]
fn a_pod_that_was_lost_with_its_node_was_there_as_long_as_it_was_seen() {
    let running = json!({"running": {"startedAt": "2026-09-21T10:00:06Z"}});
    let here = containers(pod("web", "10.244.1.5", "10:00:00"), &[ran("10:00:01", "10:00:05"), running.clone()]);
    let lost = with(here.clone(), "/status/phase", "Failed".into());
    let directory = over(&[snapshot("11:00:00", &[here]), snapshot("14:00:00", &[lost])]);
    let expected = ["Pod shop/web", "Pod shop/web", "Pod shop/web", "Unknown"];
    assert_eq!(owners(&directory, &["10:30:00", "11:00:00", "12:00:00", "14:00:00"]), expected);
}

#[test]
fn what_was_made_anew_under_its_name_has_no_more_what_the_one_before_had() {
    let anew = |name: &str, address: &str, start: &'static str, seen: &'static str| {
        snapshot(seen, &[pod(name, address, start), service("db", address, start)])
    };
    let directory =
        over(&[anew("db-0", "10.244.1.5", "10:00:00", "11:00:00"), anew("db-0", "10.244.1.6", "12:00:00", "14:00:00")]);
    assert_eq!(owners(&directory, &["11:30:00", "13:00:00"]), ["Pod shop/db-0", "Unknown"]);
    assert_eq!(who(&directory, "10.244.1.6", "13:00:00"), "Pod shop/db-0");
    let service = |address: &str, made: &'static str, seen| snapshot(seen, &[service("db", address, made)]);
    let directory = over(&[service("10.96.0.5", "10:00:00", "11:00:00"), service("10.96.0.6", "12:00:00", "14:00:00")]);
    let times = ["11:30:00", "13:00:00"];
    assert_eq!(times.map(|time| who(&directory, "10.96.0.5", time)), ["Service shop/db", "Unknown"]);
    let node = |address: &str, made: &str, seen| {
        let node = mk_node("node-7", address, "10.244.7.0/24");
        let made = format!("2026-09-21T{made}Z");
        snapshot(seen, &[with(node, "/metadata/creationTimestamp", made.into())])
    };
    let directory = over(&[node("192.0.2.7", "10:00:00", "11:00:00"), node("192.0.2.8", "12:00:00", "14:00:00")]);
    assert_eq!(times.map(|time| who(&directory, "192.0.2.7", time)), ["Node node-7", "Unknown"]);
    assert_eq!(times.map(|time| who(&directory, "192.0.2.8", time)), ["Unknown", "Node node-7"]);
    // after its node was started anew a pod is the same, and has another address
    let started = |address: &str, began: &str, seen| {
        let state = json!({"running": {"startedAt": format!("2026-09-21T{began}Z")}});
        snapshot(seen, &[containers(pod("web", address, "10:00:00"), &[state])])
    };
    let directory =
        over(&[started("10.244.1.5", "10:00:01", "11:00:00"), started("10.244.1.6", "13:00:00", "14:00:00")]);
    assert_eq!(owners(&directory, &["12:30:00", "13:30:00"]), ["Pod shop/web", "Unknown"]);
    assert_eq!(who(&directory, "10.244.1.6", "13:30:00"), "Pod shop/web");
}

#[test]
fn just_before_the_next_start_nobody_can_tell_either() {
    let directory = over(&[
        snapshot("10:30:00", &[pod("a", "10.244.1.5", "10:00:00")]),
        snapshot("12:00:00", &[pod("b", "10.244.1.5", "11:00:00")]),
    ]);
    for (first, last, expected) in [
        ("10:59:59", "10:59:59", "Unknown"),
        ("10:59:59", "11:00:30", "Unknown"),
        ("11:00:00", "11:00:30", "Pod shop/b"),
        ("10:30:00", "10:30:01", "Unknown"),
        ("10:29:00", "10:30:00", "Pod shop/a"),
    ] {
        assert_eq!(during(&directory, "10.244.1.5", first, last), expected, "{first} {last}");
    }
}

#[test]
fn a_service_is_what_it_was_then() {
    let external = |name: &str, own: &str, address: &str| {
        with(service(name, own, "10:00:00"), "/spec/externalIPs", json!([address]))
    };
    let directory = over(&[
        snapshot("11:00:00", &[external("a", "10.96.0.7", "198.51.100.7"), external("b", "10.96.0.8", "198.51.100.8")]),
        snapshot("14:00:00", &[external("a", "10.96.0.7", "198.51.100.9"), external("b", "10.96.0.8", "198.51.100.7")]),
    ]);
    let name = |address: &str, time: &str| {
        let found = directory.exposed_over(ip(address), Protocol::TCP, 80, Span::at(at(time)));
        found.map(|(service, _)| service.name.clone())
    };
    assert_eq!(["10:30:00", "14:30:00"].map(|time| name("198.51.100.7", time)), [Some("a".into()), Some("b".into())]);
    assert_eq!(["10:30:00", "14:30:00"].map(|time| name("198.51.100.8", time)), [Some("b".into()), None]);
    // the colour that it selects, and the port there
    let coloured = |colour: &str, port: u16| {
        let web = with(service("web", "10.96.0.9", "10:00:00"), "/spec/selector", json!({"colour": colour}));
        with(web, "/spec/ports", json!([{"port": 80, "targetPort": port}]))
    };
    let pods = |colour: &str, address: &str| {
        with(pod(colour, address, "10:00:00"), "/metadata/labels", json!({"colour": colour}))
    };
    let both = [pods("blue", "10.244.1.5"), pods("green", "10.244.1.6")];
    let at_time = |time, colour, port| snapshot(time, &[&both[..], &[coloured(colour, port)]].concat());
    let directory = over(&[at_time("11:00:00", "blue", 8080), at_time("14:00:00", "green", 9090)]);
    let targets = |time: &str| {
        let span = Span::at(at(time));
        let (service, port) = directory.service_over(ip("10.96.0.9"), Protocol::TCP, 80, span).unwrap();
        directory.targets_over(service, port, span)
    };
    assert_eq!(targets("10:30:00"), [(ip("10.244.1.5"), 8080)]);
    assert_eq!(targets("14:30:00"), [(ip("10.244.1.6"), 9090)]);
}

#[test]
fn a_job_owns_its_address_until_its_containers_have_ended() {
    let ended = with(pod("job-1", "10.244.1.5", "10:00:00"), "/status/phase", "Succeeded".into());
    let told = json!([{"state": {"terminated": {"finishedAt": "2026-09-21T10:20:00Z"}}}]);
    let told = with(ended.clone(), "/status/containerStatuses", told);
    let times = ["10:00:00", "10:19:59", "10:20:00", "11:00:00"];
    let expected = ["Pod shop/job-1", "Pod shop/job-1", "Unknown", "Unknown"];
    assert_eq!(owners(&over(&[snapshot("10:30:00", &[told])]), &times), expected);
    // where nobody tells when: it was seen to run at 10:10, and may have run until it was seen to have ended
    let running = snapshot("10:10:00", &[pod("job-1", "10.244.1.5", "10:00:00")]);
    let directory = over(&[running, snapshot("10:30:00", &[ended])]);
    assert_eq!(
        owners(&directory, &["10:10:00", "10:29:59", "10:30:00"]),
        ["Pod shop/job-1", "Pod shop/job-1", "Unknown"]
    );
}

#[test]
fn a_pod_that_was_told_to_go_leaves_its_address_to_the_next() {
    let leaving =
        with(pod("a", "10.244.1.5", "10:00:00"), "/metadata/deletionTimestamp", "2026-09-21T10:25:30Z".into());
    let leaving = with(leaving, "/metadata/deletionGracePeriodSeconds", 30.into());
    let alone = over(&[snapshot("10:25:10", std::slice::from_ref(&leaving))]);
    assert_eq!(owners(&alone, &["10:25:00", "10:25:29", "10:25:30"]), ["Pod shop/a", "Pod shop/a", "Unknown"]);
    // what started within its grace has the address: both stand in one listing, and that is no conflict
    let both = over(&[snapshot("10:25:10", &[leaving, pod("b", "10.244.1.5", "10:25:05")])]);
    let expected = ["Pod shop/a", "Unknown", "Pod shop/b", "Pod shop/b"];
    assert_eq!(owners(&both, &["10:25:00", "10:25:03", "10:25:05", "10:30:00"]), expected);
    assert_eq!(both.conflicts(), []);
}

#[test]
fn a_later_snapshot_settles_what_two_disputed() {
    let two = [pod("a", "10.244.1.5", "10:00:00"), pod("b", "10.244.1.5", "10:00:00")];
    let directory = over(&[snapshot("10:30:00", &two), snapshot("12:00:00", &[pod("c", "10.244.1.5", "11:00:00")])]);
    assert_eq!(owners(&directory, &["10:30:00", "11:30:00"]), ["Unknown", "Pod shop/c"]);
    assert_eq!(directory.conflicts().len(), 1);
}

#[test]
fn a_pod_without_a_start_owns_its_address_from_its_first_sight() {
    let pod = with(mk_pod("web", "10.244.1.5"), "/status/startTime", Value::Null);
    let directory = over(&[snapshot("10:30:00", std::slice::from_ref(&pod)), snapshot("11:30:00", &[pod])]);
    assert_eq!(owners(&directory, &["10:29:59", "10:30:00", "12:00:00"]), ["Unknown", "Pod shop/web", "Pod shop/web"]);
}

#[test]
fn a_cluster_ip_that_was_given_to_another_service_was_the_first_ones_before() {
    let directory = over(&[
        snapshot("10:30:00", &[service("a", "10.96.0.7", "09:00:00")]),
        snapshot("12:00:00", &[service("b", "10.96.0.7", "11:00:00")]),
    ]);
    let owner = |time: &str| who(&directory, "10.96.0.7", time);
    assert_eq!(["10:00:00", "10:45:00", "11:30:00"].map(owner), ["Service shop/a", "Unknown", "Service shop/b"]);
    let name = |time: &str| {
        let found = directory.service_over(ip("10.96.0.7"), Protocol::TCP, 80, Span::at(at(time)));
        found.map(|(service, _)| service.name.clone())
    };
    assert_eq!(["10:00:00", "10:45:00", "11:30:00"].map(name), [Some("a".into()), None, Some("b".into())]);
    let services: Vec<&str> = directory.cluster().services.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(services, ["b"]);
}

#[test]
fn a_node_that_changed_its_address_has_had_both() {
    let node = |address: &str, time: &'static str| {
        let node = mk_node("node-7", address, "10.244.7.0/24");
        snapshot(time, &[with(node, "/metadata/creationTimestamp", "2026-09-21T08:00:00Z".into())])
    };
    let directory = over(&[node("192.0.2.7", "10:00:00"), node("192.0.2.8", "12:00:00")]);
    assert_eq!(who(&directory, "192.0.2.7", "09:00:00"), "Node node-7");
    assert_eq!(who(&directory, "192.0.2.7", "12:00:00"), "Unknown");
    assert_eq!(who(&directory, "192.0.2.8", "09:00:00"), "Unknown");
    assert_eq!(who(&directory, "192.0.2.8", "12:00:00"), "Node node-7");
}

#[test]
fn endpoints_are_those_of_then() {
    let endpoints = |address: &str| {
        let subsets = json!([{"addresses": [{"ip": address}], "ports": [{"name": "http", "port": 6443}]}]);
        with(
            with(mk_object("v1", "Endpoints", "api"), "/subsets", subsets),
            "/metadata/creationTimestamp",
            "2026-09-21T08:00:00Z".into(),
        )
    };
    let api = with(service("api", "10.96.0.1", "08:00:00"), "/spec/selector", Value::Null);
    let directory = over(&[
        snapshot("10:00:00", &[api.clone(), endpoints("198.51.100.1")]),
        snapshot("12:00:00", &[api, endpoints("198.51.100.2")]),
    ]);
    let service = &directory.cluster().services[0];
    let then = |time: &str| directory.targets_over(service, &service.ports[0], Span::at(at(time)));
    assert_eq!(then("09:00:00"), [(ip("198.51.100.1"), 6443)]);
    assert_eq!(then("12:30:00"), [(ip("198.51.100.2"), 6443)]);
    assert_eq!(directory.present_targets(service, &service.ports[0]), [(ip("198.51.100.2"), 6443)]);
}

/// The pods were listed again, and the Endpoints were not.
#[test]
fn an_endpoint_whose_address_has_gone_to_another_pod_leads_nowhere() {
    let labelled = |pod: Value| with(pod, "/metadata/labels", json!({"app": "web"}));
    let subsets = json!([{"addresses": [{"ip": "10.244.1.5"}], "ports": [{"name": "http", "port": 8080}]}]);
    let endpoints = with(mk_object("v1", "Endpoints", "web"), "/subsets", subsets);
    let web = service("web", "10.96.0.7", "08:00:00");
    let first = snapshot("10:30:00", &[web.clone(), endpoints, labelled(pod("a", "10.244.1.5", "10:00:00"))]);
    let targets = |next: Value| {
        let Snapshot(_, items) = snapshot("12:00:00", &[next]);
        let pods = items.into_iter().filter(|item| item["kind"] != "Service");
        let directory = over(&[first.clone(), Snapshot("12:00:00", pods.collect())]);
        let service = &directory.cluster().services[0];
        let then = directory.targets_over(service, &service.ports[0], Span::at(at("11:45:00")));
        (then, directory.present_targets(service, &service.ports[0]))
    };
    let of_nobody = (Vec::new(), Vec::new());
    let elsewhere = with(labelled(pod("b", "10.244.1.5", "11:30:00")), "/metadata/namespace", "elsewhere".into());
    assert_eq!(targets(elsewhere), of_nobody, "its labels count in its namespace alone");
    assert_eq!(targets(pod("b", "10.244.1.5", "11:30:00")), of_nobody);
    let own = vec![(ip("10.244.1.5"), 8080)];
    assert_eq!(targets(labelled(pod("b", "10.244.1.5", "11:30:00"))), (own.clone(), own));
}

#[test]
fn the_pods_behind_a_service_are_those_of_then() {
    let labelled = |pod: Value| with(pod, "/metadata/labels", json!({"app": "web"}));
    let web = service("web", "10.96.0.7", "08:00:00");
    let directory = over(&[
        snapshot("10:30:00", &[web.clone(), labelled(pod("a", "10.244.1.5", "10:00:00"))]),
        snapshot("12:00:00", &[web, labelled(pod("b", "10.244.1.6", "11:00:00"))]),
    ]);
    let service = &directory.cluster().services[0];
    let then = |time: &str| directory.targets_over(service, &service.ports[0], Span::at(at(time)));
    assert_eq!(then("10:15:00"), [(ip("10.244.1.5"), 8080)]);
    assert_eq!(then("12:30:00"), [(ip("10.244.1.6"), 8080)]);
    assert_eq!(directory.present_targets(service, &service.ports[0]), [(ip("10.244.1.6"), 8080)]);
}

#[test]
fn a_connection_belongs_to_who_had_the_address_all_the_time_give_or_take_two_seconds() {
    let directory = over(&[
        snapshot("10:30:00", &[pod("a", "10.244.1.5", "10:00:00")]),
        snapshot("10:40:00", &[]),
        snapshot("12:00:00", &[pod("b", "10.244.1.5", "11:00:00"), pod("c", "10.244.1.6", "11:00:00")]),
    ]);
    let table = [
        ("10:10:00", "10:20:00", "Pod shop/a"),
        // clocks differ by up to two seconds
        ("09:59:58", "10:20:00", "Pod shop/a"),
        ("09:59:57", "10:20:00", "Unknown"),
        ("09:59:58", "09:59:58", "Pod shop/a"),
        ("09:59:57", "09:59:57", "Unknown"),
        ("10:30:00", "10:40:02", "Pod shop/a"),
        ("10:30:00", "10:40:03", "Unknown"),
        // it changed hands in between
        ("10:10:00", "11:10:00", "Unknown"),
        ("11:00:00", "13:00:00", "Pod shop/b"),
    ];
    for (first, last, expected) in table {
        assert_eq!(during(&directory, "10.244.1.5", first, last), expected, "{first} to {last}");
    }
    assert_eq!(during(&directory, "198.51.100.1", "10:00:00", "11:00:00"), "External");
    assert_eq!(during(&directory, "224.0.0.1", "10:00:00", "11:00:00"), "Multicast");
}

#[test]
fn within_two_seconds_of_a_handover_nobody_can_tell() {
    let ended = with(pod("job", "10.244.1.5", "10:00:00"), "/status/phase", "Succeeded".into());
    let told = json!([{"state": {"terminated": {"finishedAt": "2026-09-21T10:20:00Z"}}}]);
    let ended = with(ended, "/status/containerStatuses", told);
    let directory = over(&[snapshot("10:30:00", &[ended, pod("web", "10.244.1.5", "10:20:01")])]);
    let at = |time: &str| during(&directory, "10.244.1.5", time, time);
    let times = ["10:19:58", "10:19:59", "10:20:01", "10:20:02"];
    assert_eq!(times.map(at), ["Pod shop/job", "Unknown", "Unknown", "Pod shop/web"]);
}

#[test]
fn a_workload_whose_pods_have_all_ended_is_still_known_by_its_labels() {
    let job = owned(pod("backup-28812345-x", "10.244.1.5", "10:00:00"), "Job", "backup-28812345");
    let bare = pod("debug", "10.244.1.6", "10:00:00");
    let directory = over(&[snapshot("10:30:00", &[job, bare]), snapshot("12:00:00", &[])]);
    let pods: Vec<String> = directory.cluster().pods.iter().map(|pod| pod.workload.to_string()).collect();
    assert_eq!(pods, ["elsewhere/other", "shop/backup", "third/other"]);
    let backup = &directory.cluster().pods[1];
    assert!(backup.addresses.is_empty() && backup.labels.get("app") == Some("backup-28812345-x"));
}

#[test]
fn a_deployment_that_is_gone_is_gone_with_its_pods() {
    let web = owned(pod("web-5d78c9869d-x", "10.244.1.5", "10:00:00"), "ReplicaSet", "web-5d78c9869d");
    let other = with(mk_owner("apps/v1", "Deployment", "other"), "/metadata/namespace", "elsewhere".into());
    let first = snapshot("10:30:00", &[web, mk_owner("apps/v1", "Deployment", "web"), other.clone()]);
    let directory = over(&[first.clone(), snapshot("12:00:00", &[])]);
    assert!(directory.cluster().workloads.iter().any(|it| it.id.name == "web"), "no Deployment was listed at noon");
    let directory = over(&[first, snapshot("12:00:00", &[other])]);
    assert!(directory.cluster().workloads.iter().all(|it| it.id.name != "web"));
    assert!(directory.cluster().pods.iter().all(|it| it.workload.name != "web"));
    // who it was then stays known
    assert_eq!(owners(&directory, &["10:30:00"]), ["Pod shop/web-5d78c9869d-x"]);
}

/// A minute past ten, and the pods at it: their number, the last byte of their address, the minute of their start.
type Drawn = (u8, Vec<(usize, u8, u8)>);

/// Pods with an address, a start and a length each, as snapshots at these minutes show them.
fn shown(lives: &[(u8, u8, u8)], minute: u8) -> Drawn {
    let is_alive = |(_, (_, start, length)): &(usize, &(u8, u8, u8))| (*start..start + length).contains(&minute);
    (minute, lives.iter().enumerate().filter(is_alive).map(|(n, (address, start, _))| (n, *address, *start)).collect())
}

prop_compose! {
    /// Pods that take turns at three addresses.
    fn any_snapshots()(lives in prop::collection::vec((0u8..3, 0u8..50, 1u8..30), 1..8),
                       minutes in prop::collection::btree_set(0u8..60, 1..6)) -> Vec<Drawn> {
        minutes.into_iter().map(|minute| shown(&lives, minute)).collect()
    }
}

/// A snapshot at a minute past ten.
fn drawn((minute, pods): &Drawn) -> Snapshot {
    let pods: Vec<Value> = pods
        .iter()
        .map(|(n, address, start)| pod(&format!("p{n}"), &format!("10.244.1.{address}"), &format!("10:{start:02}:00")))
        .collect();
    let time: &'static str = Box::leak(format!("10:{minute:02}:30").into_boxed_str());
    snapshot(time, &pods)
}

proptest! {
    #[test]
    fn the_order_of_snapshots_and_objects_changes_nothing(drawn_snapshots in any_snapshots(), seed: u64) {
        let snapshots: Vec<Snapshot> = drawn_snapshots.iter().map(drawn).collect();
        let mut shuffled = snapshots.clone();
        let turn = usize::try_from(seed % 7).unwrap() % snapshots.len();
        shuffled.rotate_left(turn);
        for Snapshot(_, objects) in &mut shuffled {
            objects.reverse();
        }
        let (forth, back) = (over(&snapshots), over(&shuffled));
        for minute in 0..60 {
            for address in 0..3 {
                let (address, time) = (format!("10.244.1.{address}"), format!("10:{minute:02}:10"));
                prop_assert_eq!(who(&forth, &address, &time), who(&back, &address, &time));
            }
        }
        prop_assert_eq!(forth.conflicts(), back.conflicts());
        prop_assert_eq!(forth.cluster(), back.cluster());
    }

    #[test]
    fn nothing_is_credited_to_a_pod_that_was_not_there(drawn_snapshots in any_snapshots()) {
        let snapshots: Vec<Snapshot> = drawn_snapshots.iter().map(drawn).collect();
        let directory = over(&snapshots);
        for minute in 0..60u8 {
            for address in 0..3u8 {
                let owner = who(&directory, &format!("10.244.1.{address}"), &format!("10:{minute:02}:10"));
                let Some(name) = owner.strip_prefix("Pod shop/p") else { continue };
                let n: usize = name.parse().unwrap();
                let seen: Vec<_> = drawn_snapshots.iter().flat_map(|(_, pods)| pods).filter(|pod| pod.0 == n).collect();
                prop_assert!(seen.iter().any(|(_, at, start)| *at == address && *start <= minute), "{owner} at {minute}");
                let missed = drawn_snapshots.iter().any(|(taken, pods)| {
                    let last = drawn_snapshots.iter().filter(|(_, pods)| pods.iter().any(|pod| pod.0 == n)).map(|it| it.0).max();
                    Some(*taken) > last && *taken < minute && pods.iter().all(|pod| pod.0 != n)
                });
                prop_assert!(!missed, "{owner} was gone by {minute}");
            }
        }
    }
}
