//! Any bytes are safe input: no panic, no hang, nothing lost without a word. Inputs are made from the samples by chance that
//! can be repeated; `make fuzz` holds the same against inputs that a fuzzer finds by what they reach.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod mutate;
mod targets;
mod texts;

use std::{
    fs,
    io::{Read as _, Write as _},
    panic::catch_unwind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::{
    Flowmap, data,
    random::{self, Random},
    sample,
};
use flate2::{Compression, write::GzEncoder};
use flowmap::{capture::file::CaptureReader, records::Format};
use serde_json::Value;
use targets::TARGETS;

/// No input of this size takes near so long: what does hangs.
const HANG: Duration = Duration::from_secs(20);

/// A number from the environment.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// What is worked on, and since when.
type Current = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// Runs inputs, and keeps the one that breaks something.
struct Runner {
    name: &'static str,
    target: fn(&[u8]),
    current: Current,
}

impl Runner {
    fn new(name: &str) -> Self {
        let (name, target) = *TARGETS.iter().find(|(known, _)| *known == name).unwrap();
        let current = Current::default();
        let watched = Arc::downgrade(&current);
        std::thread::spawn(move || {
            while let Some(current) = watched.upgrade() {
                if let Some((_, input)) = current.lock().unwrap().as_ref().filter(|(since, _)| since.elapsed() > HANG) {
                    eprintln!("{name} hangs on {}", keep(name, input).display());
                    std::process::abort();
                }
                drop(current);
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        Self { name, target, current }
    }

    fn run(&self, input: &[u8], what: &str) {
        let Self { name, target, current } = self;
        *current.lock().unwrap() = Some((Instant::now(), input.to_vec()));
        let result = catch_unwind(|| target(input));
        assert!(result.is_ok(), "{name} is broken by {what}: {}", keep(name, input).display());
        *current.lock().unwrap() = None;
    }
}

/// Writes an input down; it belongs into `tests/fuzz/found`.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(name);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{:016x}", targets::number(input)));
    fs::write(&path, input).unwrap();
    path
}

/// Runs what fuzzing begins with, then so many changed copies, or as many as `FLOWMAP_FUZZ_RUNS` says.
fn fuzz(name: &str, runs: u64) {
    let seeds = corpus::of(name);
    let runner = Runner::new(name);
    for (n, input) in seeds.iter().enumerate() {
        runner.run(input, &format!("input {n} of the corpus"));
    }
    let seed = asked("FLOWMAP_FUZZ_SEED").unwrap_or(1);
    let mut random = Random::new(seed);
    for run in 0..asked("FLOWMAP_FUZZ_RUNS").unwrap_or(runs) {
        runner.run(&mutate::changed(&seeds, &mut random), &format!("input {run} of seed {seed}"));
    }
}

#[test]
fn any_bytes_of_a_pcap_file_read_alike_in_all_ways() {
    fuzz("pcap", 50_000);
}

#[test]
fn any_bytes_of_a_pcapng_file_read_alike_in_all_ways() {
    fuzz("pcapng", 50_000);
}

#[test]
fn any_frame_of_any_link_type_is_decoded_or_refused() {
    fuzz("decode", 50_000);
}

#[test]
fn every_packet_of_any_file_is_accounted_for_and_batches_tell_the_same() {
    fuzz("intake", 50_000);
}

#[test]
fn every_line_of_any_flow_log_is_used_or_counted() {
    fuzz("records", 50_000);
}

#[test]
fn any_payload_tells_names_or_none() {
    fuzz("names", 50_000);
}

#[test]
fn every_item_of_any_inventory_is_kept_or_told_and_reads_again_the_same() {
    fuzz("inventory", 10_000);
}

#[test]
fn any_policies_read_alike_again_and_every_verdict_has_its_reason() {
    fuzz("policies", 10_000);
}

#[test]
fn what_is_proposed_for_any_inventory_is_taken_by_a_strict_reader() {
    fuzz("suggest", 5_000);
}

#[test]
fn the_corpus_holds_what_its_targets_are_about() {
    let reads = |file: &Vec<u8>| CaptureReader::new(&file[..]).unwrap().next_frame().unwrap().is_some();
    for target in ["pcap", "pcapng", "intake"] {
        assert!(corpus::of(target).iter().all(reads), "{target}");
    }
    assert!(corpus::of("decode").len() > 120);
    let read = |text: &Vec<u8>| flowmap::inventory::read("f", text).is_ok_and(|it| !it.objects.is_empty());
    assert_eq!(corpus::of("inventory").iter().filter(|text| !read(text)).count(), 0);
    let policies = |text: &Vec<u8>| flowmap::policy::read_some("f", std::str::from_utf8(text).unwrap()).0.len();
    assert!(corpus::of("policies").iter().all(|text| policies(text) > 0));
    assert_eq!(corpus::of("records").iter().filter(|log| Format::of(log).is_none()).count(), 0);
}

/// Every capture that others test decoders with, whole and damaged.
#[test]
fn every_packet_of_damaged_captures_is_accounted_for() {
    let Some(data) = data() else { return };
    let runner = Runner::new("intake");
    let seed = asked("FLOWMAP_FUZZ_SEED").unwrap_or(1);
    let mut captures = 0;
    for path in captures_below(&data.join("pcaps")) {
        let mut random = Random::new(seed);
        let whole = opened(&path);
        captures += 1;
        runner.run(&whole, &path.display().to_string());
        for n in 0..asked("FLOWMAP_FUZZ_RUNS").unwrap_or(16) {
            let changes = 1 + random.below(40);
            let file = mutate::damaged(&whole, changes, &mut random);
            runner.run(&file, &format!("{} {n} of seed {seed}", path.display()));
        }
    }
    assert!(captures > 100, "{captures} captures");
}

/// Through the command line, which alone unpacks: what is whole is used and accounted for, or the file is refused.
#[test]
fn damaged_compressed_captures_are_accounted_for_or_refused() {
    let flowmap = Flowmap::new();
    let whole = fs::read(sample("pod-api.pcap")).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&whole).unwrap();
    let files = [packed.finish().unwrap(), zstd::encode_all(&whole[..], 3).unwrap()];
    let mut random = Random::new(asked("FLOWMAP_FUZZ_SEED").unwrap_or(1));
    let mut used = 0;
    for n in 0..24 {
        let changes = 1 + random.below(2);
        let file = mutate::damaged(&files[n % 2], changes, &mut random);
        let path = keep("compressed", &file);
        let output = flowmap.run(&["import", "-o", "json", path.to_str().unwrap()]);
        if output.code == 0 {
            let told: Value = serde_json::from_str(&output.stdout).unwrap();
            let run = &told[0]["run"];
            let left_out: u64 = run["not_decoded"].as_object().unwrap().values().map(|it| it.as_u64().unwrap()).sum();
            assert_eq!(run["decoded"].as_u64().unwrap() + left_out, run["packets"].as_u64().unwrap(), "{run}");
            used += 1;
        } else {
            output.is_an_error(&[]);
        }
        fs::remove_file(path).unwrap();
    }
    assert!((1..24).contains(&used), "{used} of 24 files were used");
}

fn captures_below(folder: &Path) -> Vec<PathBuf> {
    let index = fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    index.lines().skip(1).filter_map(|row| row.split('\t').next()).map(|path| folder.join(path)).collect()
}

fn opened(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut whole = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut whole).unwrap();
    whole
}
