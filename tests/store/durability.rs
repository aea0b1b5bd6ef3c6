//! What a crash leaves: killed at any moment, an import is either wholly in the store or not at all.

use std::{
    hash::{BuildHasher, RandomState},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::common::{Flowmap, packets::Capture, python::script};

/// Stores, and how often an import into each of them is killed: twenty times in all.
const STORES: u64 = 5;
const KILLS_EACH: u64 = 4;
/// Connections in each of the captures: enough for an import to take its time.
const CONNECTIONS: u16 = 6_000;

/// Writes captures of a busy server, each by a sensor of its own.
fn busy(flowmap: &Flowmap) -> [String; 4] {
    ["a", "b", "c", "d"].map(|name| {
        let mut capture = Capture::new();
        for number in 0..CONNECTIONS {
            let [high, low] = (number % 300).to_be_bytes();
            let client = [10, name.as_bytes()[0], high, low];
            capture.accepted(client, 20_000 + number, [10, 0, 0, 1], 80 + number % 7);
        }
        flowmap.write(&format!("{name}.pcap"), capture.bytes());
        crate::common::text(&flowmap.path(&format!("{name}.pcap")))
    })
}

/// Every table of the store, row by row, after a check that SQLite finds it whole.
fn dump(flowmap: &Flowmap) -> String {
    script("dump.py", &[&flowmap.path("flowmap.db")])
}

#[test]
fn an_import_killed_at_any_moment_and_repeated_gives_the_store_of_a_clean_import() {
    let clean = Flowmap::new();
    let files = busy(&clean);
    let import: Vec<&str> = std::iter::once("import").chain(files.iter().map(String::as_str)).collect();
    let started = Instant::now();
    clean.ok(&import);
    let duration = started.elapsed();
    let (told, dumped) = (clean.told(), dump(&clean));
    let runs = clean.json(&["runs"]);
    assert_eq!(runs.as_array().unwrap().len(), files.len());

    let mut killed = 0;
    for store in 0..STORES {
        let flowmap = Flowmap::new();
        for kill in 0..KILLS_EACH {
            let wait = moment(duration, store * KILLS_EACH + kill);
            let mut child = flowmap.command(&import).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(wait);
            // this is SIGKILL: nothing of flowmap runs after it
            child.kill().unwrap();
            killed += u32::from(!child.wait().unwrap().success());
            let found = flowmap.json(&["runs"]);
            for run in found.as_array().unwrap() {
                assert!(runs.as_array().unwrap().contains(run), "half a run after {wait:?} of {duration:?}: {run}");
            }
        }
        flowmap.ok(&import);
        assert!(flowmap.told() == told, "store {store} answers otherwise");
        assert!(dump(&flowmap) == dumped, "store {store} holds other rows");
    }
    assert!(killed > 0, "every import was done before it could be killed");
}

/// A random moment of a duration.
fn moment(duration: Duration, number: u64) -> Duration {
    let share = RandomState::new().hash_one(number) % 1_000;
    duration.mul_f64(f64::from(u32::try_from(share).unwrap()) / 1_000.0)
}

#[test]
fn two_imports_at_the_same_time_both_land() {
    let (together, one_by_one) = (Flowmap::with_sample(), Flowmap::with_sample());
    let files = busy(&together);
    let start = |file: &String| together.command(&["import", file]).stderr(Stdio::piped()).spawn().unwrap();
    for child in files.iter().map(start).collect::<Vec<_>>() {
        let output = crate::common::Output::of(&child.wait_with_output().unwrap());
        assert_eq!(output.code, 0, "{}", output.stderr);
    }
    for file in &files {
        one_by_one.ok(&["import", file]);
    }
    assert!(together.told() == one_by_one.told() && dump(&together) == dump(&one_by_one));
}

#[test]
fn a_run_taken_back_leaves_nothing_behind() {
    let (flowmap, before) = (Flowmap::with_sample(), Flowmap::with_sample());
    let files = busy(&flowmap);
    flowmap.ok(&["import", &files[0]]);
    let runs = flowmap.json(&["runs"]);
    let run = runs.as_array().unwrap().iter().find(|run| run["source"] == "a.pcap").unwrap();
    flowmap.ok(&["runs", "rm", run["id"].as_str().unwrap()]);
    assert!(dump(&flowmap) == dump(&before));
}
