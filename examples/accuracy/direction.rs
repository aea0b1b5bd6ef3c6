//! The section on who is taken for the client where the opening of a connection is lost.

use std::{collections::BTreeMap, fmt::Write, io, path::Path};

use flowmap::model::Direction;

use crate::directions::{Score, captures, score};

/// Shares of the SYN and SYN-ACK packets that are removed, in percent.
const SHARES: [u64; 4] = [0, 25, 50, 100];

const METHOD: &str = "## Client and server

Every capture with TCP handshakes is read four times, with 0, 25, 50 and 100 % of its SYN and SYN-ACK packets removed. A hash
of each packet says whether it is removed, so that a run can be repeated. The map of what is left, by address and without an
inventory, is held against who opened each connection in the whole capture:

- right: client, server and port are those of the handshake;
- wrong: the server of the handshake is taken for the client;
- unknown: flowmap says that it does not know. Such connections are listed, and never become a rule;
- nothing left: all packets of the connection were removed. They count neither way.

A connection that is seen before and after address translation counts once. At 100 % a few have an opening still: a refusal
names the SYN that it answers.
";

/// Measures and writes.
pub fn section(captures: &Path) -> io::Result<String> {
    let scores = measure(captures)?;
    let mut total: [Score; SHARES.len()] = Default::default();
    for of_capture in scores.values() {
        total.iter_mut().zip(of_capture).for_each(|(sum, score)| sum.add(score));
    }
    Ok([METHOD.to_owned(), overall(&total), evidence(&total), mistakes(&scores), each(&scores)].join("\n"))
}

/// By capture, those with handshakes alone; a score for each share.
fn measure(folder: &Path) -> io::Result<BTreeMap<String, [Score; SHARES.len()]>> {
    let mut scores: BTreeMap<String, [Score; SHARES.len()]> = BTreeMap::new();
    for path in captures(folder)? {
        for (n, percent) in SHARES.into_iter().enumerate() {
            let Some(score) = score(&path, percent)? else { continue };
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            scores.entry(name).or_default()[n] = score;
        }
    }
    Ok(scores)
}

fn overall(total: &[Score]) -> String {
    let mut table = String::from(
        "| removed | connections | decided | wrong | unknown | nothing left | wrong by evidence |
|---:|---:|---:|---:|---:|---:|---|
",
    );
    for (percent, score) in SHARES.into_iter().zip(total) {
        let all = score.connections();
        let row = format!(
            "| {percent} % | {all} | {} | {} | {} | {} | {} |",
            share(score.decided(), all),
            share(score.wrong(), all),
            share(score.unknown, all),
            score.nothing_left,
            counts(&score.wrong)
        );
        let _ = writeln!(table, "{row}");
    }
    table
}

fn evidence(total: &[Score]) -> String {
    let mut table =
        String::from("What decided, right or wrong, in connections:\n\n| removed | evidence |\n|---:|---|\n");
    for (percent, score) in SHARES.into_iter().zip(total) {
        let mut decided = score.right.clone();
        score.wrong.iter().for_each(|(direction, count)| *decided.entry(*direction).or_default() += count);
        let _ = writeln!(table, "| {percent} % | {} |", counts(&decided));
    }
    table
}

fn mistakes(scores: &BTreeMap<String, [Score; SHARES.len()]>) -> String {
    let mut list = String::from("Every wrong answer, as flowmap gave it:\n\n");
    for (name, of_capture) in scores {
        for (percent, score) in SHARES.into_iter().zip(of_capture) {
            for mistake in &score.mistakes {
                let _ = writeln!(list, "- {percent} %, {name}: {mistake}");
            }
        }
    }
    list
}

fn each(scores: &BTreeMap<String, [Score; SHARES.len()]>) -> String {
    let mut table = String::from(
        "Each capture: connections in all, then wrong and unknown ones at each share removed.

| capture | connections | 25 % | 50 % | 100 % |
|---|---:|---:|---:|---:|
",
    );
    for (name, [whole, rest @ ..]) in scores {
        let cells: Vec<String> = rest.iter().map(|score| format!("{} / {}", score.wrong(), score.unknown)).collect();
        let _ = writeln!(table, "| {name} | {} | {} |", whole.connections(), cells.join(" | "));
    }
    table
}

/// A count as a share of all, in percent.
fn share(count: u64, all: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of connections stay far below 2^52")]
    let percent = count as f64 * 100.0 / all.max(1) as f64;
    format!("{percent:.2} %")
}

fn counts(by_evidence: &BTreeMap<Direction, u64>) -> String {
    let words: Vec<String> =
        by_evidence.iter().map(|(direction, count)| format!("{} {count}", direction.as_str())).collect();
    words.join(", ")
}
