//! A proposal for the sample in the folder `out`, read and edited as people do.

use std::fs;

use super::Flowmap;

/// What makes it.
pub const SUGGEST: [&str; 5] = ["suggest", "-n", "production", "--out-dir", "out"];

/// The rule of the proposal by which api reaches cache.
pub const REDIS: &str = "  - to:\n    - podSelector:\n        matchLabels:\n          app: cache\n    ports:\n    - protocol: TCP\n      port: 6379\n";

/// The sample with what is proposed for it.
pub fn proposed() -> Flowmap {
    let flowmap = Flowmap::with_sample();
    flowmap.ok(&SUGGEST);
    flowmap
}

/// A file of it, without the places where a line may break.
#[track_caller]
pub fn read(flowmap: &Flowmap, name: &str) -> String {
    fs::read_to_string(flowmap.path(&format!("out/{name}"))).expect("a file of the proposal").replace("<wbr>", "")
}

/// Edits a file of it.
#[track_caller]
pub fn edit(flowmap: &Flowmap, name: &str, from: &str, to: &str) {
    let text = read(flowmap, name);
    assert!(text.contains(from), "{text}");
    flowmap.write(&format!("out/{name}"), text.replacen(from, to, 1));
}
