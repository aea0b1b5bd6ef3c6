//! However a capture is cut, ordered and imported, the map is that of the whole. Each property is tried on a few cases
//! that are drawn from a fixed seed: the same at every run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use serde_json::Value;

use crate::common::{Flowmap, Output, data, files, pcap::Pcap, sample};

/// Tries a property on so many cases.
#[track_caller]
fn holds<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> Result<(), String>) {
    // shrinking runs the program some hundred times more: the first case that fails says enough
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    match runner.run(strategy, |value| property(value).map_err(TestCaseError::fail)) {
        Err(TestError::Fail(why, _)) => panic!("{why}"),
        outcome => outcome.unwrap(),
    }
}

/// How a capture is cut, and how its parts are imported.
#[derive(Clone, Debug)]
struct Cut {
    at: Vec<Index>,
    /// The parts, by their number, in the order of the imports; some come twice.
    order: Vec<Index>,
    /// Before which imports a new command begins.
    commands: Vec<bool>,
}

fn cut() -> impl Strategy<Value = Cut> {
    let at = prop::collection::vec(any::<Index>(), 1..=4);
    let order = prop::collection::vec(any::<Index>(), 10);
    let commands = prop::collection::vec(any::<bool>(), 16);
    (at, order, commands).prop_map(|(at, order, commands)| Cut { at, order, commands })
}

impl Cut {
    /// The cut in numbers, to do it again.
    fn told(&self, path: &Path, capture: &Pcap) -> String {
        let mut at: Vec<usize> = self.at.iter().map(|at| at.index(capture.packets.len())).collect();
        at.sort_unstable();
        at.retain(|at| *at > 0);
        at.dedup();
        let order = self.imports(at.len() + 1);
        format!("{} cut before packets {at:?}, its parts imported in the order {order:?}", path.display())
    }

    /// The numbers of the parts in the order of their imports.
    fn imports(&self, parts: usize) -> Vec<usize> {
        let mut imports: Vec<usize> = self.order.iter().take(parts + 2).map(|it| it.index(parts)).collect();
        let missing: Vec<usize> = (0..parts).rev().filter(|part| !imports.contains(part)).collect();
        imports.extend(missing);
        imports
    }

    /// Imports a capture in parts.
    fn import(&self, capture: &Pcap) -> Flowmap {
        let flowmap = Flowmap::new();
        let parts = capture.cut(self.at.iter().map(|at| at.index(capture.packets.len())));
        for (n, part) in parts.iter().enumerate() {
            flowmap.write(&format!("part-{n}.pcap"), part.bytes());
        }
        let names: Vec<String> = self.imports(parts.len()).iter().map(|part| format!("part-{part}.pcap")).collect();
        let mut command = vec!["import"];
        for (name, is_new) in names.iter().zip(&self.commands) {
            if *is_new && command.len() > 1 {
                flowmap.ok(&command);
                command.truncate(1);
            }
            command.push(name);
        }
        flowmap.ok(&command);
        flowmap
    }
}

/// The map by workload and by address.
fn maps(flowmap: &Flowmap) -> [Vec<Value>; 2] {
    let list = |args: &[&str]| flowmap.json(args).as_array().unwrap().clone();
    [list(&["flows"]), list(&["flows", "--by", "address"])]
}

fn whole(capture: &Pcap) -> Flowmap {
    let flowmap = Flowmap::new();
    flowmap.write("whole.pcap", capture.bytes());
    flowmap.ok(&["import", "whole.pcap"]);
    flowmap
}

/// Whether two maps are equal, with the flows that differ.
fn is_same(found: &[Vec<Value>; 2], expected: &[Vec<Value>; 2], what: &str) -> Result<(), String> {
    for (found, expected) in found.iter().zip(expected) {
        let only = |these: &[Value], those: &[Value]| -> Vec<String> {
            these.iter().filter(|flow| !those.contains(flow)).map(ToString::to_string).collect()
        };
        let (missing, added) = (only(expected, found), only(found, expected));
        if found != expected {
            return Err(format!("{what}\nonly in the whole: {missing:#?}\nonly in the parts: {added:#?}"));
        }
    }
    Ok(())
}

/// A capture in parts gives the map of the whole.
fn splits(path: &Path, cases: u32) {
    let capture = Pcap::read(path);
    let expected = maps(&whole(&capture));
    assert!(!expected[0].is_empty(), "{}", path.display());
    holds(cases, &cut(), |cut| is_same(&maps(&cut.import(&capture)), &expected, &cut.told(path, &capture)));
}

/// So it does where a while passed in its middle: less than an hour, more than one, half a day.
fn splits_with_a_gap(path: &Path, cases: u32) {
    let capture = Pcap::read(path);
    let gap = (any::<Index>(), prop::sample::select(vec![3_500, 3_600, 3_700, 50_000]));
    holds(cases, &(cut(), gap), |(cut, (at, seconds))| {
        let at = at.index(capture.packets.len());
        let capture = capture.with_gap(at, seconds);
        let what = format!("{}, {seconds} s before packet {at}", cut.told(path, &capture));
        is_same(&maps(&cut.import(&capture)), &maps(&whole(&capture)), &what)
    });
}

/// The captures of a lab taken at these points.
fn labs(folder: &str, points: &[&str]) -> Vec<PathBuf> {
    let Some(folder) = data().map(|data| data.join("pcaps").join(folder)) else { return Vec::new() };
    let is_at = |name: &String| name.contains("-lab-A__") && points.iter().any(|point| name.contains(point));
    let names: Vec<String> = files(&folder).into_keys().filter(is_at).collect();
    assert!(names.len() >= points.len(), "{points:?} in {}", folder.display());
    names.iter().map(|name| folder.join(name)).collect()
}

const SAMPLES: [&str; 3] = ["node-1.pcap", "node-2.pcap", "pod-api.pcap"];

#[test]
fn a_sample_in_parts_is_the_whole() {
    for name in SAMPLES {
        splits(Path::new(&sample(name)), 8);
    }
}

#[test]
fn a_sample_in_parts_with_a_gap_is_the_whole() {
    for name in SAMPLES {
        splits_with_a_gap(Path::new(&sample(name)), 6);
    }
}

#[test]
fn a_capture_of_an_uplink_or_a_pod_in_parts_is_the_whole() {
    for path in labs("kubernetes", &["node1_eth0", "pod_frontend"]) {
        splits(&path, 8);
        splits_with_a_gap(&path, 6);
    }
}

#[test]
fn a_capture_of_a_node_in_parts_is_the_whole() {
    for path in labs("kubernetes", &["node1_any", "node2_any"]) {
        splits(&path, 30);
        splits_with_a_gap(&path, 6);
    }
}

#[test]
fn a_capture_of_a_bridge_in_parts_is_the_whole() {
    for path in labs("kubernetes", &["node1_cni0"]) {
        splits(&path, 16);
        splits_with_a_gap(&path, 6);
    }
}

#[test]
fn an_enterprise_capture_in_parts_is_the_whole() {
    for path in labs("enterprise_multi_host", &[""]) {
        splits(&path, 8);
    }
}

#[test]
fn an_enterprise_capture_in_parts_with_a_gap_is_the_whole() {
    for path in labs("enterprise_multi_host", &[""]) {
        splits_with_a_gap(&path, 6);
    }
}

/// Three points of one cluster, each in parts of its own, all parts shuffled.
#[test]
fn captures_of_several_points_in_parts_are_the_whole() {
    let captures = SAMPLES.map(|name| Pcap::read(Path::new(&sample(name))));
    let together = Flowmap::new();
    together.ok(&["import", &sample(SAMPLES[0]), &sample(SAMPLES[1]), &sample(SAMPLES[2])]);
    let expected = maps(&together);
    let cuts = (prop::array::uniform3(prop::collection::vec(any::<Index>(), 1..=2)), any::<[u64; 9]>());
    holds(6, &cuts, |(cuts, order)| {
        let flowmap = Flowmap::new();
        let parts = captures
            .iter()
            .zip(&cuts)
            .flat_map(|(capture, at)| capture.cut(at.iter().map(|at| at.index(capture.packets.len()))));
        let mut parts: Vec<(u64, Vec<u8>)> = order.into_iter().zip(parts.map(|part| part.bytes())).collect();
        parts.sort();
        for (n, (_, part)) in parts.iter().enumerate() {
            flowmap.write(&format!("{n}.pcap"), part);
            flowmap.ok(&["import", &format!("{n}.pcap")]);
        }
        is_same(&maps(&flowmap), &expected, &format!("{cuts:?}"))
    });
}

// --- order -----------------------------------------------------------------------------------------------------------

/// Packets in another order, those between the same two addresses in theirs.
fn reordered(capture: &Pcap, priorities: &[u32]) -> Pcap {
    let mut queues: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    for (n, packet) in capture.packets.iter().enumerate() {
        queues.entry(capture.ends(packet)).or_default().push(n);
    }
    // every packet draws a number; those of one pair of addresses are handed out in the order of the packets
    let mut order: Vec<(u32, usize)> = Vec::new();
    for (pair, queue) in queues.values().enumerate() {
        let draw = |n: &usize| priorities[(n * 31 + pair * 17) % priorities.len()];
        let mut drawn: Vec<u32> = queue.iter().map(draw).collect();
        drawn.sort_unstable();
        order.extend(drawn.into_iter().zip(queue.iter().copied()));
    }
    order.sort_unstable();
    let packets = order.into_iter().map(|(_, n)| capture.packets[n].clone()).collect();
    Pcap { header: capture.header, packets }
}

#[test]
fn the_order_of_unrelated_packets_changes_nothing() {
    let mut paths: Vec<PathBuf> = SAMPLES.iter().map(|name| sample(name).into()).collect();
    paths.extend(labs("kubernetes", &["node1_any", "node1_cni0"]));
    for path in paths {
        let capture = Pcap::read(&path);
        let expected = maps(&whole(&capture));
        let priorities = prop::collection::vec(any::<u32>(), 997);
        holds(4, &priorities, |priorities| {
            let reordered = reordered(&capture, &priorities);
            assert_ne!(reordered.packets, capture.packets);
            is_same(&maps(&whole(&reordered)), &expected, &path.display().to_string())
        });
    }
}

/// A flow without its times.
fn timeless(flow: &Value) -> Value {
    let mut flow = flow.clone();
    let is_time = |name: &str| ["first_seen", "last_seen", "names"].contains(&name);
    for value in flow.as_object_mut().unwrap().values_mut() {
        value.as_object_mut().into_iter().for_each(|party| party.retain(|name, _| !is_time(name)));
    }
    flow.as_object_mut().unwrap().retain(|name, _| !is_time(name));
    flow
}

#[test]
fn a_capture_taken_at_two_points_counts_once() {
    let mut paths: Vec<PathBuf> = SAMPLES.iter().map(|name| sample(name).into()).collect();
    paths.extend(labs("kubernetes", &[""]));
    paths.extend(labs("enterprise_multi_host", &[""]));
    for path in paths {
        let capture = Pcap::read(&path);
        let flowmap = whole(&capture);
        let expected = maps(&flowmap).map(|flows| flows.iter().map(timeless).collect::<Vec<_>>());
        // its clock is a third of a second ahead
        flowmap.write("other.pcap", capture.later_by(333_000).bytes());
        flowmap.ok(&["import", "other.pcap"]);
        let found = maps(&flowmap).map(|flows| flows.iter().map(timeless).collect::<Vec<_>>());
        is_same(&found, &expected, &path.display().to_string()).unwrap();
    }
}

#[test]
fn the_number_of_processors_changes_nothing() {
    let flowmap = Flowmap::with_sample();
    let expected = flowmap.told();
    let alone = Flowmap::new();
    let on_one = |args: &[&str]| {
        let mut command = Command::new("taskset");
        command.args(["-c", "0", env!("CARGO_BIN_EXE_flowmap")]).args(args).env("FLOWMAP_DB", alone.path("flowmap.db"));
        let output = Output::of(&command.output().expect("taskset, of util-linux"));
        assert_eq!(output.code, 0, "{}", output.stderr);
        output.stdout
    };
    on_one(&["import", &sample("node-1.pcap"), &sample("node-2.pcap"), &sample("pod-api.pcap")]);
    on_one(&["inventory", "import", &sample("cluster.json")]);
    assert_eq!(on_one(&["flows", "-o", "json"]), expected[0]);
    assert_eq!(on_one(&["flows", "--by", "address", "-o", "json"]), expected[1]);
}
