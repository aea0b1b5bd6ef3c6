//! Ports that a server hands out anew: seen by their churn, allowed as the range that they come from.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Peer,
    access::{Access, Widened},
};
use crate::model::{FIRST_DYNAMIC_PORT, Hour, PortRange, Protocol, handed_out};

/// Puts a range in place of ports that come and go, for each protocol. Ports that the server declares stay as they are.
pub(super) fn widen(access: &mut Access, declared: &BTreeSet<(Protocol, u16)>) {
    let mut hours: BTreeMap<Protocol, BTreeMap<u16, BTreeSet<Hour>>> = BTreeMap::new();
    for evidence in &access.evidence {
        let port = (evidence.protocol, evidence.port);
        if evidence.port >= FIRST_DYNAMIC_PORT && !declared.contains(&port) {
            hours.entry(port.0).or_default().entry(port.1).or_default().extend(&evidence.hours);
        }
    }
    for (protocol, ports) in hours {
        let ports = handed_out(&ports);
        if let (Some(first), Some(last)) = (ports.first(), ports.last()) {
            access.ports.retain(|(known, port)| *known != protocol || !ports.contains(&port.first));
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

/// Whether a peer's ports can be handed out by it: an exposed Service's, and those of name resolution, are what they are.
pub(super) fn may_hand_out(peer: &Peer) -> bool {
    !matches!(peer, Peer::Anyone { .. } | Peer::EveryPod)
}
