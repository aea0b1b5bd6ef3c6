//! More connections between two ends than are kept one by one: how many there were is told within the error of a sample.

use serde_json::Value;

use crate::common::{
    Flowmap,
    frames::{Frames, Packet, connection, reset, syn},
};

/// Connections of one client with one server, by their numbers.
fn opened(numbers: std::ops::Range<u32>) -> Frames {
    let of = |n: u32| -> Vec<Packet> {
        let client = format!("10.0.0.1:{}", 1_024 + n);
        let packets = connection(&client, "10.0.0.2:443", n.wrapping_mul(2_654_435_761), n + 7);
        packets.into_iter().map(|packet| packet.at(f64::from(n) * 0.05)).collect()
    };
    Frames::ethernet(numbers.flat_map(of).collect::<Vec<_>>())
}

fn counted(captures: &[Frames]) -> u64 {
    let flowmap = Flowmap::new();
    for (n, capture) in captures.iter().enumerate() {
        let name = format!("{n}.pcap");
        flowmap.write(&name, capture.bytes());
        flowmap.ok(&["import", &name]);
    }
    let flows = flowmap.json(&["flows"]);
    assert_eq!(flows.as_array().map(Vec::len), Some(1), "{flows}");
    flows[0]["connections"].as_u64().unwrap_or_default()
}

#[test]
fn what_two_captures_saw_in_part_is_counted_once() {
    for (one, other, connections) in [
        (0..3_000, 2_000..5_000, 5_000),
        (0..3_000, 0..3_000, 3_000),
        (0..12_000, 3_000..6_000, 12_000),
        (0..2_000, 0..12_000, 12_000),
        (0..1_500, 1_000..10_000, 10_000),
    ] {
        let told = counted(&[opened(one), opened(other)]);
        let error = told.abs_diff(connections) * 100 / connections;
        assert!(error <= 7, "{told} told of {connections}");
    }
    // a few that were seen elsewhere are among those of the sample
    let told = counted(&[opened(0..3_000), opened(100..200)]);
    assert!(told.abs_diff(3_000) <= 150, "{told}");
}

/// Of a Service with two pods the Service's sample is of both, and each pod's of its own: who was dialled and who answered
/// are one connection each, in samples of different depth.
#[test]
fn connections_through_a_service_count_once_for_each_pod() {
    let of = |n: u32| -> Vec<Packet> {
        let (client, pod) =
            (format!("10.0.0.1:{}", 1_024 + n), if n.is_multiple_of(4) { "10.0.0.3:80" } else { "10.0.0.4:80" });
        let [near, far] =
            ["10.96.0.9:80", pod].map(|server| connection(&client, server, n.wrapping_mul(2_654_435_761), n + 7));
        let at = |k: usize| f64::from(n) * 0.05 + f64::from(u32::try_from(k).unwrap_or_default()) * 0.001;
        let is_reply = [false, true, false, false, true, false, true];
        let passages = near.into_iter().zip(far).zip(is_reply).enumerate();
        let passages = passages.flat_map(|(k, ((near, far), is_reply))| {
            let (first, second) = if is_reply { (far, near) } else { (near, far) };
            [first.at(at(k)), second.hops(63).at(at(k) + 0.000_05)]
        });
        passages.collect()
    };
    let flowmap = Flowmap::new();
    flowmap.write("x.pcap", Frames::ethernet((0..8_000).flat_map(of).collect::<Vec<_>>()).bytes());
    flowmap.ok(&["import", "x.pcap"]);
    let flows = flowmap.json(&["flows"]);
    let mut told: Vec<(&str, u64)> = Vec::new();
    for flow in flows.as_array().into_iter().flatten() {
        told.push((
            flow["server"]["name"].as_str().unwrap_or_default(),
            flow["connections"].as_u64().unwrap_or_default(),
        ));
    }
    told.sort_unstable();
    let [("10.0.0.3", few), ("10.0.0.4", many)] = told[..] else { panic!("{flows}") };
    assert!(few.abs_diff(2_000) < 140 && many.abs_diff(6_000) < 420, "{told:?}");
}

/// The flows of captures by outcome, with their connections.
fn by_outcome(captures: &[Frames]) -> Vec<(String, u64)> {
    let flowmap = Flowmap::new();
    let mut names = Vec::new();
    for (n, capture) in captures.iter().enumerate() {
        names.push(format!("{n}.pcap"));
        flowmap.write(&names[n], capture.bytes());
    }
    let from: Vec<&str> = ["flows", "--from"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let flows = flowmap.json(&from);
    let row = |flow: &Value| {
        (flow["outcome"].as_str().unwrap_or_default().to_owned(), flow["connections"].as_u64().unwrap_or_default())
    };
    flows.as_array().into_iter().flatten().map(row).collect()
}

#[test]
fn of_thousands_that_fail_the_few_that_do_not_are_known() {
    let client = |n: u32| format!("10.0.0.1:{}", 1_024 + n);
    let number = |n: u32| n.wrapping_mul(2_654_435_761);
    let tried = |n: u32| -> Vec<Packet> {
        let packets = match n {
            77 | 3_333 => connection(&client(n), "10.0.0.2:443", number(n), n + 7),
            5_555 => vec![syn(&client(n), "10.0.0.2:443", number(n)), reset("10.0.0.2:443", &client(n), number(n) + 1)],
            _ => vec![syn(&client(n), "10.0.0.2:443", number(n))],
        };
        packets.into_iter().map(|packet| packet.at(f64::from(n) * 0.05)).collect()
    };
    let whole = || Frames::ethernet((0..6_000).flat_map(tried).collect::<Vec<_>>());
    for captures in [vec![whole()], vec![whole(), whole()]] {
        let told = by_outcome(&captures);
        let of = |outcome: &str| told.iter().find(|(it, _)| it == outcome).map_or(0, |(_, connections)| *connections);
        assert!((1..=2).contains(&of("established")) && of("refused") == 1, "{told:?}");
        assert!(of("unanswered").abs_diff(5_997) <= 2, "{told:?}");
    }
}

/// Nearly all have one outcome: at the edge of a sample a connection may be known by one of its parts alone.
#[track_caller]
fn are_one(told: &[(String, u64)], connections: u64) {
    let all: u64 = told.iter().map(|(_, of_outcome)| of_outcome).sum();
    let most = told.iter().map(|(_, of_outcome)| *of_outcome).max().unwrap_or_default();
    assert!(all.abs_diff(connections) * 100 <= connections * 7 && (all - most) * 100 <= all, "{told:?}");
}

#[test]
fn connections_that_go_on_in_the_next_file_are_known_again() {
    // 0 is no number to know a connection by
    let number = |n: u32| (n + 1).wrapping_mul(2_654_435_761);
    let part = |from: usize, to: usize, later_s: f64| {
        let of = |n: u32| -> Vec<Packet> {
            let packets = connection(&format!("10.0.0.1:{}", 1_024 + n), "10.0.0.2:443", number(n), n + 7);
            let at = |k: usize| later_s + f64::from(n) * 0.02 + f64::from(u32::try_from(k).unwrap_or_default()) * 0.001;
            packets.into_iter().enumerate().map(|(k, packet)| packet.at(at(k))).skip(from).take(to - from).collect()
        };
        Frames::ethernet((0..4_000).flat_map(of).collect::<Vec<_>>())
    };
    let told = by_outcome(&[part(0, 4, 0.0), part(4, 9, 100.0)]);
    are_one(&told, 4_000);
    // one file over the turn of an hour
    let told = by_outcome(&[part(0, 4, 0.0), part(4, 9, 3_600.0)]);
    are_one(&told, 4_000);
}

#[test]
fn what_captures_saw_one_after_the_other_adds_up_exactly() {
    assert_eq!(counted(&[opened(0..2_500), opened(2_500..5_000), opened(5_000..5_010)]), 5_010);
}
