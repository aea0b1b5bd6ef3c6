//! `REVIEW.md`: what a person reads before the policies are applied.

use std::fmt::Write;

use super::{Document, granularities, words};
use crate::recommend::Recommendation;

mod by_hand;
mod clear_text;
mod facts;
mod labels;
mod namespace;
mod reach;
mod seen;
mod warnings;

pub use facts::{Blocked, ByHand, Captures, DeployedPolicy, Facts, InForce, Measured, Opens, RunLoss, Said};
pub(super) use namespace::{doubts, left_out_rows};
pub use seen::{Seen, seen};

/// The review of a recommendation.
#[must_use]
pub fn review(recommendation: &Recommendation, facts: &Facts) -> Document {
    let mut text = String::from("# Review\n\n");
    seen::section(&mut text, recommendation, facts);
    text.push_str("## In short\n\n");
    summary(&mut text, facts);
    warnings::section(&mut text, recommendation, facts);
    text.push('\n');
    if facts.measured.granularities.len() > 1 {
        let _ = writeln!(text, "## How fine\n\n{}", granularities(&facts.measured.granularities));
        if let Some(words) = facts.open_beside() {
            let _ = writeln!(text, "{words}\n");
        }
    }
    by_hand::section(&mut text, facts);
    for plan in &recommendation.namespaces {
        namespace::section(&mut text, plan, facts);
    }
    apply(&mut text, facts);
    Document { path: "REVIEW.md".into(), text: words::without_markup(&text) }
}

fn summary(text: &mut String, facts: &Facts) {
    let replay = &facts.replay;
    let but = if facts.denied_already() > 0 { " but **what deployed policies deny already**" } else { "" };
    let verdict = match (facts.breaks(), replay.uncertain) {
        (true, _) => "**Something that was seen would break.**".to_owned(),
        (false, 0) => format!("Nothing that was seen would break{but}."),
        (false, _) => {
            format!("Nothing that is known would break{but}; **what is uncertain may** (`flowmap simulate` lists it).")
        }
    };
    let _ = writeln!(
        text,
        "- **Verdict on the past:** {} seen, {} allowed, {} denied, {} uncertain. {verdict}",
        words::count(replay.connections, "connection"),
        replay.allowed,
        replay.denied,
        replay.uncertain
    );
    if let Some(words) = facts.beside(|number| number.to_string()) {
        let _ = writeln!(text, "- {words}");
    }
    if replay.also_closed > 0 {
        let _ = writeln!(
            text,
            "- Also closed: {} that failed or belonged to a scan.",
            words::count(replay.also_closed, "attempt")
        );
    }
    if let Some(span) = facts.captures.span {
        let captures = words::count(facts.captures.losses.len() as u64, "capture");
        let _ = writeln!(
            text,
            "- Seen from {} to {} UTC in {captures}.",
            words::minute(span.first),
            words::minute(span.last)
        );
    }
    let _ = writeln!(
        text,
        "- Ports are those of the pods, behind Services, as the API defines it. A plugin that judges before it translates a Service's address needs the Service's port besides."
    );
    for (word, finding) in facts.findings() {
        let _ = writeln!(
            text,
            "- {word}: {} -> {} on {}, {}: {}",
            words::safe(&facts.namesakes.called(&finding.from)),
            words::safe(&facts.namesakes.called(&finding.to)),
            words::port(finding.protocol, finding.port),
            words::count(finding.connections, "connection"),
            words::safe(&finding.reason)
        );
    }
}

/// How long was looked, in words of rhythms.
pub(super) fn window(watched_s: f64) -> &'static str {
    const DAY_S: f64 = 86_400.0;
    match watched_s / DAY_S {
        days if days < 1.0 => "It is shorter than a day.",
        days if days < 7.0 => "It is shorter than a week.",
        days if days < 31.0 => "It is shorter than a month.",
        _ => "It is longer than a month; quarters and years are longer.",
    }
}

fn apply(text: &mut String, facts: &Facts) {
    text.push_str("## Roll out\n\nLook at the difference first; one namespace after the other:\n\n```sh\n");
    for arguments in facts.kustomizations.arguments(&facts.sheets) {
        let _ = writeln!(text, "kubectl diff {arguments}\nkubectl apply {arguments}");
    }
    text.push_str("```\n\nHow connections that are open at that moment fare depends on the network plugin.\n");
}
