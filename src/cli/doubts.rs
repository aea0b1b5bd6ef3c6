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
    let lacking = of_site().filter(|run| run.is_incomplete() || run.loss.lost() > 0).count();
    if lacking > 0 {
        let all = of_site().count() as u64;
        let captures = noun(all, "capture");
        warnln!("flowmap: {lacking} of {all} {captures} damaged or incomplete: rare connections may be missing");
        warnln!("hint: `flowmap status` tells what is missing");
    }
    let sum = |of: fn(&Run) -> u64| of_site().map(of).fold(0, u64::saturating_add);
    let (seen, lost) = (sum(|run| run.packets), sum(|run| run.loss.lost()));
    if lost > seen {
        warnln!("flowmap: more was lost than was seen, {lost} to {seen}: needed connections may well be missing");
    }
}

/// Says whose connections with data both ways make no rule, for they look like a part of a sweep.
pub(super) fn warn_swept(swept: &BTreeMap<String, u64>) {
    let answered = count(swept.values().sum(), "answered connection");
    let words = format!("{answered} taken for parts of sweeps: no rule comes of them");
    warn_of(swept.keys(), &words, "`flowmap flows` marks them `scan`: look whether any of them is needed");
}

/// Says whose rules rest on answers alone.
pub(super) fn warn_unasked(unasked: &BTreeMap<String, u64>) {
    let seen = count(unasked.values().sum(), "connection");
    let words = format!("of {seen} answers alone were captured, though of others both ways: they make rules");
    warn_of(unasked.keys(), &words, "anybody can forge answers: look whether these were asked for");
}

/// Says what was in use and makes no rule, for it began before the window.
pub(super) fn warn_outlasting(outlasting: &BTreeMap<String, u64>) {
    let open = count(outlasting.values().sum(), "connection");
    let words = format!("{open} began before --since and went on: no rule comes of them");
    warn_of(outlasting.keys(), &words, "begin the window earlier, or their next opening is denied");
}

/// Says whom a Service led to though the inventory does not know them behind it.
pub(super) fn warn_led_elsewhere(led: &BTreeSet<String>) {
    let words = "the inventory knows nobody there of that Service: it may have been somebody else, who has no rule";
    warn_of(led.iter(), words, "import the pods as they were then");
}

/// Says between whom a rule rests on nothing but an address that an end had before.
pub(super) fn warn_guessed(guessed: &BTreeSet<String>) {
    let words = "all of it is later than any list that shows one of these ends, which the next list lacks: it may have been \
                 somebody else";
    warn_of(guessed.iter(), words, "list more often, or follow the cluster with `flowmap inventory sync --watch`");
}

/// Says who is closed and was there for a short time alone.
pub(super) fn warn_brief(brief: &BTreeSet<String>) {
    let words = "there for a small part of the window alone: what they need besides is denied";
    warn_of(brief.iter(), words, "capture for longer before they are closed");
}

/// Says who serves FTP, and that rules know the ports of the past alone; `cure` is what helps.
pub(super) fn warn_ftp(ftp: &BTreeSet<String>, cure: &str) {
    warn_of(ftp.iter(), "FTP takes another port for each transfer: of these what was seen passes", cure);
}

/// The same of TFTP.
pub(super) fn warn_tftp(tftp: &BTreeSet<String>, cure: &str) {
    warn_of(
        tftp.iter(),
        "TFTP answers from another port each time and asks by single datagrams: rules may lack both",
        cure,
    );
}

/// Says something of whoever is named, unless nobody is.
fn warn_of<'n>(names: impl ExactSizeIterator<Item = &'n String>, words: &str, hint: &str) {
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = names.take(SHOWN).map(String::as_str).collect();
    if shown.is_empty() {
        return;
    }
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    warnln!("flowmap: {}", one_line(&format!("{}{more}: {words}", shown.join(", "))));
    warnln!("hint: {hint}");
}
