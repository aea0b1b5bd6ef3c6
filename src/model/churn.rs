use std::collections::{BTreeMap, BTreeSet};

use super::Hour;

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

/// Whether a server hands these ports out anew, by the hours in which each was in use.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "shares of small counts")]
pub fn are_handed_out(ports: &BTreeMap<u16, BTreeSet<Hour>>) -> bool {
    let all: BTreeSet<&Hour> = ports.values().flatten().collect();
    if ports.len() < MIN_PORTS || all.len() < 2 {
        return false;
    }
    let is_transient = |hours: &&BTreeSet<Hour>| match all.len() {
        few if few < FEW_HOURS => hours.len() == 1,
        many => (hours.len() as f64) < TRANSIENT_SHARE * many as f64,
    };
    let transient = ports.values().filter(is_transient).count();
    transient as f64 > MIN_TRANSIENT * ports.len() as f64
}
