//! Whatever the commands: captures of one moment give one map, however they were split, ordered and repeated.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

mod common;

use std::{fs, path::Path};

use common::{Flowmap, data, frames, sample, text};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// A classic pcap file in little-endian order, in pieces.
struct Pieces {
    header: Vec<u8>,
    records: Vec<Vec<u8>>,
}

impl Pieces {
    fn of(bytes: &[u8]) -> Self {
        const HEADER_BYTES: usize = 24;
        const RECORD_HEADER_BYTES: usize = 16;
        let (header, mut rest) = bytes.split_at(HEADER_BYTES);
        let mut records = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
            let (record, behind) = rest.split_at(RECORD_HEADER_BYTES + length);
            records.push(record.to_vec());
            rest = behind;
        }
        Self { header: header.to_vec(), records }
    }

    fn file(&self, records: std::ops::Range<usize>) -> Vec<u8> {
        [&self.header[..], &self.records[records].concat()].concat()
    }

    /// The file cut at these places.
    fn split(&self, cuts: &[Index]) -> Vec<Vec<u8>> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(self.records.len())).collect();
        places.extend([0, self.records.len()]);
        places.sort_unstable();
        places.dedup();
        places.windows(2).map(|pair| self.file(pair[0]..pair[1])).collect()
    }
}

/// The map by address and by workload, byte for byte.
fn map(flowmap: &Flowmap) -> [String; 2] {
    [&["flows", "-o", "json"][..], &["flows", "--by", "address", "-o", "json"]].map(|args| flowmap.ok(args).stdout)
}

/// The map of these files, imported in this order.
fn map_of(files: &[Vec<u8>], by_one_command: bool) -> [String; 2] {
    let flowmap = Flowmap::new();
    let names: Vec<String> = (0..files.len()).map(|n| format!("{n}.pcap")).collect();
    for (name, file) in names.iter().zip(files) {
        flowmap.write(name, file);
    }
    if by_one_command {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        flowmap.ok(&[&["import"], &names[..]].concat());
    } else {
        for name in &names {
            flowmap.ok(&["import", name]);
        }
    }
    map(&flowmap)
}

/// Runs a property over the same cases every time.
fn check<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, rng).run(strategy, |value| {
        property(value);
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
}

/// Cuts the captures at random packets, and imports the parts in any order, some of them twice.
fn split_and_check(cases: u32, captures: &[String]) {
    for capture in captures {
        let bytes = fs::read(capture).unwrap();
        let whole = map_of(std::slice::from_ref(&bytes), true);
        assert!(whole[0].len() > 100, "{capture}: {}", whole[0]);
        let pieces = Pieces::of(&bytes);
        let cuts = prop::collection::vec(any::<Index>(), 1..5);
        let order = prop::collection::vec(any::<Index>(), 8);
        check(cases, &(cuts, order, any::<bool>()), |(cuts, order, by_one_command)| {
            let mut parts = pieces.split(&cuts);
            for (n, other) in order.iter().enumerate().take(parts.len()) {
                let other = other.index(parts.len());
                parts.swap(n, other);
            }
            parts.push(order[7].get(&parts).clone());
            assert_eq!(map_of(&parts, by_one_command), whole, "{capture}, {} parts", parts.len());
        });
    }
}

#[test]
fn a_sample_that_was_split_gives_the_map_of_the_whole() {
    split_and_check(16, &["node-1.pcap", "node-2.pcap", "pod-api.pcap"].map(sample));
}

fn lab(folder: &str, prefix: &str) -> Vec<String> {
    let Some(folder) = data().map(|data| data.join("pcaps").join(folder)) else { return Vec::new() };
    let is_lab = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut captures: Vec<String> = paths.filter(|path| is_lab(path)).map(|path| text(&path)).collect();
    captures.sort();
    assert!(captures.len() > 2, "{captures:?}");
    captures
}

#[test]
fn captures_of_a_cluster_that_were_split_give_the_map_of_the_whole() {
    split_and_check(12, &lab("kubernetes", "k8s-lab-A__"));
}

#[test]
fn captures_of_a_trunk_that_were_split_give_the_map_of_the_whole() {
    split_and_check(12, &lab("enterprise_multi_host", "ent-lab-A__"));
}

#[test]
fn how_packets_of_different_connections_mingle_changes_nothing() {
    let conversations: Vec<Vec<frames::Frame>> = (1..=6u32)
        .map(|n| {
            let client = format!("10.0.0.{}:{}", n % 3 + 1, 40_000 + n);
            frames::conversation(&client, "10.0.0.9:443", n * 1_000_000, n * 3_000_000)
        })
        .collect();
    let mingle = |order: &[Index]| {
        let mut left: Vec<_> = conversations.iter().map(|all| all.iter().cloned()).collect();
        let mut mingled = Vec::new();
        for index in order {
            mingled.extend(index.get_mut(&mut left).next());
        }
        mingled.extend(left.into_iter().flatten());
        // the order alone differs: times would be those of another capture
        let frames: Vec<_> = mingled.into_iter().map(|frame| frame.at_us(0)).collect();
        frames::pcap(&frames)
    };
    let plain = map_of(&[mingle(&[])], true);
    check(12, &prop::collection::vec(any::<Index>(), 0..42), |order| {
        assert_eq!(map_of(&[mingle(&order)], true), plain);
    });
}

#[test]
fn one_processor_gives_the_map_that_several_give() {
    let flowmap = Flowmap::new();
    let mut alone = std::process::Command::new("taskset");
    alone.args(["-c", "0", env!("CARGO_BIN_EXE_flowmap"), "import", &sample("node-1.pcap")]);
    let Ok(status) = alone.env("FLOWMAP_DB", flowmap.path("flowmap.db")).stderr(std::process::Stdio::null()).status()
    else {
        return common::skipped("taskset is not there");
    };
    assert!(status.success());
    assert_eq!(map(&flowmap), map_of(&[fs::read(sample("node-1.pcap")).unwrap()], true));
}
