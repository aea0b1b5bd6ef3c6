//! Ports that a server hands out anew: seen by their churn, allowed as the range that they come from.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Peer,
    access::{Access, PortRange, Widened},
};
use crate::model::{Hour, Protocol};

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
const FIRST_DYNAMIC: u16 = 1024;

/// Puts a range in place of ports that come and go, for each protocol. Ports that the server declares stay as they are.
pub(super) fn widen(access: &mut Access, declared: &BTreeSet<(Protocol, u16)>) {
    let mut hours: BTreeMap<Protocol, BTreeMap<u16, BTreeSet<Hour>>> = BTreeMap::new();
    for evidence in &access.evidence {
        let port = (evidence.protocol, evidence.port);
        if evidence.port >= FIRST_DYNAMIC && !declared.contains(&port) {
            hours.entry(port.0).or_default().entry(port.1).or_default().extend(&evidence.hours);
        }
    }
    for (protocol, ports) in hours {
        if !are_handed_out(&ports) {
            continue;
        }
        if let (Some((first, _)), Some((last, _))) = (ports.first_key_value(), ports.last_key_value()) {
            access.ports.retain(|(known, port)| *known != protocol || !ports.contains_key(&port.first));
            access.ports.extend(between(*first, *last, protocol, declared).map(|range| (protocol, range)));
            access.widened.insert(Widened::DynamicPorts { seen: ports.len() });
        }
    }
}

/// The range without the ports that the server declares: those are services of their own, for whom they are for.
fn between(
    first: u16,
    last: u16,
    protocol: Protocol,
    declared: &BTreeSet<(Protocol, u16)>,
) -> impl Iterator<Item = PortRange> {
    let holes = declared.range((protocol, first)..=(protocol, last)).map(|(_, port)| *port);
    let mut next = Some(first);
    let mut parts = Vec::new();
    for hole in holes {
        parts.extend(next.filter(|next| *next < hole).map(|next| PortRange { first: next, last: hole - 1 }));
        next = hole.checked_add(1);
    }
    parts.extend(next.filter(|next| *next <= last).map(|next| PortRange { first: next, last }));
    parts.into_iter()
}

#[expect(clippy::cast_precision_loss, reason = "shares of small counts")]
fn are_handed_out(ports: &BTreeMap<u16, BTreeSet<Hour>>) -> bool {
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

/// Whether a peer's ports can be handed out by it: an exposed Service's, and those of name resolution, are what they are.
pub(super) fn may_hand_out(peer: &Peer) -> bool {
    !matches!(peer, Peer::Anyone { .. } | Peer::EveryPod)
}
