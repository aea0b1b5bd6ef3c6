//! Where somebody else may have been at an end than the inventory tells.

use super::{Cautions, Check, Level, Told};
use crate::{model::Span, render::words};

/// Each kind once, in this order.
pub(super) const CHECKS: [Check; 3] = [led_elsewhere, guessed, later_than_listed];

fn led_elsewhere(cautions: &mut Cautions, told: &Told<'_>) {
    let led = &told.facts.captures.led_elsewhere;
    if !led.is_empty() {
        let why = format!(
            "{}: the inventory knows nobody there of that Service. The address may have been another's by then: whoever is named here has a \
             rule, and who answered may have none. Import the pods as they were then.",
            told.few(led)
        );
        cautions.add(Level::Look, "Was it somebody else?", why);
    }
}

fn guessed(cautions: &mut Cautions, told: &Told<'_>) {
    let guessed = &told.facts.captures.guessed;
    if !guessed.is_empty() {
        let why = format!(
            "{}: all of it is later than any list that shows one of these ends with its address, and the next list lacks that end. Who \
             took the address meanwhile, and is in no list, counts as the one who had it: whoever is named here has a rule, and who was \
             there may have none. {FOLLOW}.",
            told.few(guessed)
        );
        cautions.add(Level::Look, "Was it somebody else?", why);
    }
}

fn later_than_listed(cautions: &mut Cautions, told: &Told<'_>) {
    let captures = &told.facts.captures;
    if let Some((listed, Span { last, .. })) = captures.listed_until.zip(captures.span) {
        let why = format!(
            "No list of pods tells of a time after {} UTC, and captures end {} later. Who took an address since then counts as the one who \
             had it. Import a list of their end (`--taken-at` says when it was taken). {FOLLOW}.",
            words::minute(listed),
            words::length(last.0.saturating_sub(listed.0))
        );
        cautions.add(Level::Look, "Captures later than the inventory", why);
    }
}

/// How an inventory is kept that knows who had an address when.
const FOLLOW: &str = "List more often, or follow the cluster with `flowmap inventory sync --watch`";
