//! `flowmap inventory sync --watch` where the API server breaks off, refuses, or tells what cannot be.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use serde_json::json;

use flowmap::model::Timestamp;

use super::api::{
    End, PODS, Reply, SYNC, Server, bookmark, event, flowmap_of, is, list, pod, pods, start, status, stop, watched,
};
use crate::common::Flowmap;

const INGRESSES: &str = "/apis/networking.k8s.io/v1/ingresses";

/// Who had 10.0.0.1 so long after a moment.
fn owners(flowmap: &Flowmap, moment: SystemTime, later: Duration) -> Vec<String> {
    let at = (moment + later).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let at = Timestamp(i64::try_from(at).unwrap()).to_string();
    let listed = flowmap.json(&["inventory", "list", "--at", &at]);
    let of_it = listed.as_array().unwrap().iter().filter(|entry| entry["addresses"] == "10.0.0.1");
    of_it.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn a_kind_that_may_be_listed_and_not_watched_takes_nobody_elses_time() {
    let server = Server::new();
    server.beats().always("WATCH", INGRESSES, status(403, "ingresses is forbidden"));
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    let flowmap = flowmap_of(&server.url);
    let child = start(&flowmap);
    let watched = server.asked_at("WATCH", PODS, 1);
    thread::sleep(seconds(5.0));
    let output = stop(child);
    assert!(
        output.stderr.contains("ingresses.networking.k8s.io: may not be watched (403), and is listed every 30 seconds"),
        "{}",
        output.stderr
    );
    let mut next = pod("b", "10.0.0.1", "20");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    next["status"]["startTime"] = json!(Timestamp::new(now.cast_signed(), 0).to_string());
    server.on("GET", PODS, list("20", "", &[next]));
    flowmap.ok(&SYNC);
    assert_eq!(owners(&flowmap, watched, seconds(1.0)), ["shop/a"]);
}

#[test]
fn a_kind_that_cannot_be_watched_is_listed_now_and_then() {
    let server = Server::new();
    server.always("WATCH", PODS, status(400, "no watch today"));
    for version in ["7", "8"] {
        server.on("GET", PODS, list(version, "", &[pod("a", "10.0.0.1", "1")]));
    }
    server.on("GET", PODS, list("9", "", &[pod("b", "10.0.0.1", "8")]));
    let flowmap = flowmap_of(&server.url);
    let child = start(&flowmap);
    // the first time it may be for the version
    let refused = server.asked_at("WATCH", PODS, 2);
    let listed = server.asked_at_within("GET", PODS, 3, seconds(60.0));
    assert!(listed.duration_since(refused).unwrap() > seconds(20.0));
    server.asked_at("WATCH", PODS, 3);
    let output = stop(child);
    assert_eq!(output.stderr.matches("pods: cannot be watched").count(), 1, "{}", output.stderr);
    assert_eq!(pods(&flowmap), [is("shop/b", "10.0.0.1")]);
}

/// A pod has 10.0.0.1 until the connection breaks off; what follows is told over the next one.
fn breaks_off(server: &Server) {
    server.on("GET", PODS, list("100", "", &[pod("a", "10.0.0.1", "1")]));
    server.on("WATCH", PODS, Reply::Stream(vec![bookmark("100")], End::Cut));
}

#[test]
fn a_pause_within_a_line_does_not_end_what_happened_before() {
    let server = Server::new();
    breaks_off(&server);
    let moved = event("MODIFIED", &pod("a", "10.0.0.2", "110"));
    let (half, rest) = moved.split_at(60);
    let parts = vec![(seconds(2.0), half.to_owned()), (seconds(2.0), rest.to_owned())];
    server.on("WATCH", PODS, Reply::Slow(parts, End::Open));
    let flowmap = flowmap_of(&server.url);
    let child = start(&flowmap);
    let back = server.asked_at("WATCH", PODS, 2);
    thread::sleep(seconds(7.0));
    stop(child);
    assert_eq!(pods(&flowmap), [is("shop/a", "10.0.0.2")]);
    assert!(owners(&flowmap, back, seconds(1.0)).is_empty(), "nobody knows when it left");
}

#[test]
fn what_is_told_of_a_break_for_long_is_not_dated_now_and_what_is_new_ends_it() {
    let server = Server::new();
    breaks_off(&server);
    server.on("GET", PODS, list("200", "", &[]));
    // for longer than anybody waits for it
    let told = |n: usize| event("ADDED", &pod(&format!("x-{n}"), &format!("10.0.5.{n}"), &(100 + n).to_string()));
    let pause = Duration::from_millis(100);
    let mut parts: Vec<_> = (1..75).map(|n| (pause, told(n))).collect();
    parts.push((pause, event("DELETED", &pod("a", "10.0.0.1", "200"))));
    // it never pauses, and is heard all the same
    let new = |n: usize| event("ADDED", &pod(&format!("y-{n}"), &format!("10.0.6.{n}"), &(200 + n).to_string()));
    parts.extend((1..200).map(|n| (pause, new(n))));
    server.on("WATCH", PODS, Reply::Slow(parts, End::Open));
    let flowmap = flowmap_of(&server.url);
    let child = start(&flowmap);
    let back = server.asked_at("WATCH", PODS, 2);
    thread::sleep(seconds(14.0));
    stop(child);
    assert!(owners(&flowmap, back, seconds(1.0)).is_empty(), "nobody knows when it went");
    assert!(pods(&flowmap).iter().any(|(name, _)| name == "shop/y-1"));
}

#[test]
fn a_watch_that_ends_at_once_is_told() {
    for broken in ["", "<html>login</html>", "{\"kind\":\"Status\",\"code\":500,\"message\":\"no\"}", "{\"type\":\"ADD"]
    {
        let server = Server::new();
        server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
        server.always("GET", PODS, list("9", "", &[pod("b", "10.0.0.1", "1")]));
        server.always("WATCH", PODS, Reply::Text(200, broken.to_owned()));
        let flowmap = flowmap_of(&server.url);
        let child = start(&flowmap);
        server.asked_at("WATCH", PODS, 4);
        let output = stop(child);
        assert_eq!(output.stderr.matches("flowmap: pods: ").count(), 1, "{broken:?}: {}", output.stderr);
        assert!(!output.stderr.contains("in sync again"), "{broken:?}: {}", output.stderr);
    }
}

#[test]
fn a_server_that_went_back_is_listed_again() {
    let too_large = || status(504, "Too large resource version: 5000, current: 60");
    let back = || Reply::Stream(vec![bookmark("5000"), bookmark("60")], End::Open);
    for broken in [too_large(), back(), status(400, "invalid resource version")] {
        let server = Server::new();
        server.on("GET", PODS, list("5000", "", &[pod("a", "10.0.0.1", "1")])).on("WATCH", PODS, broken.clone());
        server.always("GET", PODS, list("61", "", &[pod("b", "10.0.0.2", "55")]));
        let flowmap = flowmap_of(&server.url);
        watched(&server, &flowmap, "61");
        assert_eq!(pods(&flowmap), [is("shop/b", "10.0.0.2")]);
    }
}

#[test]
fn a_watch_that_fails_again_and_again_is_listed_again() {
    let server = Server::new();
    server.on("GET", PODS, list("7", "", &[pod("a", "10.0.0.1", "1")]));
    for _ in 0..6 {
        server.on("WATCH", PODS, status(500, "something is wrong with this version"));
    }
    server.always("GET", PODS, list("61", "", &[pod("b", "10.0.0.2", "55")]));
    let flowmap = flowmap_of(&server.url);
    let output = watched(&server, &flowmap, "61");
    assert!(output.stderr.contains("pods: HTTP 500: something is wrong"), "{}", output.stderr);
    assert_eq!(pods(&flowmap), [is("shop/b", "10.0.0.2")]);
}
