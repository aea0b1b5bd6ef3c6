//! Where a reader should look twice, on stderr: what `firewall`, `simulate` and `suggest` say alike.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::one_line;
use crate::{
    model::words::{count, noun},
    store::Run,
};

/// Clients that are named.
const SHOWN: usize = 5;

/// Says how many of a site's captures and flow logs lack something that nobody meant to leave out.
pub(super) fn warn_incomplete(runs: &[Run], site: &str) {
    let of_site = || runs.iter().filter(|run| run.site == site && !run.is_drops());
    let lacking = of_site().filter(|run| run.is_incomplete() || run.loss.dropped() > 0).count();
    if lacking > 0 {
        let all = of_site().count() as u64;
        let captures = noun(all, "capture");
        warnln!("flowmap: {lacking} of {all} {captures} damaged or incomplete: rare connections may be missing");
        warnln!("hint: `flowmap status` tells what is missing");
    }
}

/// Says whose connections with data both ways make no rule, for they look like a part of a sweep.
pub(super) fn warn_swept(swept: &BTreeMap<String, u64>) {
    if swept.is_empty() {
        return;
    }
    let (names, sum) = who(swept);
    let answered = count(sum, "answered connection");
    warnln!("flowmap: {}", one_line(&format!("{names}: {answered} taken for parts of sweeps: no rule comes of them")));
    warnln!("hint: `flowmap flows` marks them `scan`: look whether any of them is needed");
}

/// Says whose rules rest on answers alone.
pub(super) fn warn_unasked(unasked: &BTreeMap<String, u64>) {
    if unasked.is_empty() {
        return;
    }
    let (names, sum) = who(unasked);
    let seen = count(sum, "connection");
    let words = format!("{names}: of {seen} answers alone were captured, though of others both ways: they make rules");
    warnln!("flowmap: {}", one_line(&words));
    warnln!("hint: anybody can forge answers: look whether these were asked for");
}

/// Says who serves FTP, and that rules know the ports of the past alone; `cure` is what helps.
pub(super) fn warn_ftp(ftp: &BTreeSet<String>, cure: &str) {
    if ftp.is_empty() {
        return;
    }
    let words = format!("{}: FTP takes another port for each transfer: of these what was seen passes", few(ftp.iter()));
    warnln!("flowmap: {}", one_line(&words));
    warnln!("hint: {cure}");
}

/// Names in words, and the sum of what is counted for all.
fn who(counts: &BTreeMap<String, u64>) -> (String, u64) {
    (few(counts.keys()), counts.values().sum())
}

fn few<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = names.take(SHOWN).map(String::as_str).collect();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
