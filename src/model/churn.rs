use std::collections::{BTreeMap, BTreeSet};

use super::{Hour, PortKind};

/// So many ports of one server may still be so many services.
const MIN_PORTS: usize = 8;
/// From this share of transient ports on they are handed out. One pair of 503 had it in four days of a real network
/// (`docs/recommendation.md`).
const MIN_TRANSIENT: f64 = 0.3;
/// A port is transient that was in use in less than this share of the hours in which the pair talked.
const TRANSIENT_SHARE: f64 = 0.1;
/// With fewer hours a port is transient that was seen in one of them alone.
const FEW_HOURS: usize = 20;

/// Ports below belong to services, whoever asks.
pub const FIRST_DYNAMIC_PORT: u16 = 1024;

/// The ports that a server hands out anew, by the hours in which each was in use: those that came and went, where that
/// is the way of many of them. Else none. One that is known as a service's and lies far from the others is a service's.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shares of small counts")]
pub fn handed_out(ports: &BTreeMap<u16, BTreeSet<Hour>>) -> BTreeSet<u16> {
    let all: BTreeSet<&Hour> = ports.values().flatten().collect();
    if ports.len() < MIN_PORTS || all.len() < 2 {
        return BTreeSet::new();
    }
    let is_transient = |hours: &BTreeSet<Hour>| match all.len() {
        few if few < FEW_HOURS => hours.len() == 1,
        many => (hours.len() as f64) < TRANSIENT_SHARE * many as f64,
    };
    let mut transient: BTreeSet<u16> =
        ports.iter().filter(|(_, hours)| is_transient(hours)).map(|(port, _)| *port).collect();
    let are_many = transient.len() as f64 > MIN_TRANSIENT * ports.len() as f64;
    if !are_many {
        return BTreeSet::new();
    }
    while let Some(stray) = stray(&transient) {
        transient.remove(&stray);
    }
    transient
}

/// The lowest port or the highest, where it is known as a service's, and further from the next than all others lie apart.
fn stray(ports: &BTreeSet<u16>) -> Option<u16> {
    let (first, last) = (*ports.first()?, *ports.last()?);
    let (second, last_but_one) = (*ports.iter().nth(1)?, *ports.iter().nth_back(1)?);
    let is_known = |port| PortKind::of(port).is_service();
    if is_known(first) && second - first > last - second {
        return Some(first);
    }
    (is_known(last) && last - last_but_one > last_but_one - first).then_some(last)
}
