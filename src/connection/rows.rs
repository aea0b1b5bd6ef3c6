//! Connections that were written out, gathered by their ends.

use std::{collections::BTreeMap, net::IpAddr};

use foldhash::{HashMap, HashSet};

use super::{
    FiveTuple,
    context::{ContextSet, Contexts},
    live::{Connection, Side},
};
use crate::model::{Flags, Hour, Observation, ObservationKey, Opening, Protocol, Trace, TraceSet, service_port_rank};

/// An [`ObservationKey`] whose tags and tunnels are still numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct RowKey {
    hour: Hour,
    protocol: Protocol,
    opening: Opening,
    src: IpAddr,
    dst: IpAddr,
    dst_port: u16,
    contexts: [ContextSet; 2],
}

#[derive(Default)]
pub(super) struct Rows {
    by_key: HashMap<RowKey, TraceSet>,
    /// Traces written since rows were last taken out.
    written: usize,
    /// Addresses and ports that accepted connections in this capture.
    listeners: HashSet<(IpAddr, u16, Protocol)>,
}

impl Rows {
    /// Adds what the current hour of a connection has seen.
    pub(super) fn write(&mut self, tuple: &FiveTuple, connection: &Connection) {
        let (src, dst) = match connection.src() {
            Side::Low => (tuple.end(Side::Low), tuple.end(Side::High)),
            Side::High => (tuple.end(Side::High), tuple.end(Side::Low)),
        };
        let protocol = tuple.protocol;
        let opening = connection.opening();
        let mut trace = *connection.trace();
        if opening == Opening::Seen && trace.flags.has(Flags::AGREED) {
            self.listeners.insert((dst.0, dst.1, protocol));
        }
        let is_turned = opening == Opening::Open && self.likelihood(src, protocol) > self.likelihood(dst, protocol);
        let (src, dst) = if is_turned { (dst, src) } else { (src, dst) };
        if is_turned {
            trace = trace.turned(src.1);
        }
        trace.src_port = src.1;
        let key = RowKey {
            hour: connection.hour(),
            protocol,
            opening,
            src: src.0,
            dst: dst.0,
            dst_port: dst.1,
            contexts: connection.contexts(),
        };
        self.by_key.entry(key).or_default().append(trace);
        self.written += 1;
    }

    /// How likely an end is the server: a known listener, then by its port's number.
    fn likelihood(&self, (address, port): (IpAddr, u16), protocol: Protocol) -> u8 {
        if self.listeners.contains(&(address, port, protocol)) { u8::MAX } else { service_port_rank(protocol, port) }
    }

    /// How much waits to be taken out, in traces: what takes the memory.
    pub(super) fn waiting(&self) -> usize {
        self.written
    }

    /// Takes the observations out, in order; listeners are remembered.
    pub(super) fn take(&mut self, contexts: &Contexts) -> Vec<Observation> {
        self.written = 0;
        let mut by_key: BTreeMap<ObservationKey, Vec<TraceSet>> = BTreeMap::new();
        for (key, traces) in self.by_key.drain() {
            // sets of contexts that differ may read alike: tags that one side came with, or both
            by_key.entry(key.observation_key(contexts)).or_default().push(traces);
        }
        by_key.into_iter().map(|(key, parts)| Observation { key, traces: joined(parts) }).collect()
    }
}

/// Parts of one observation together, whatever their order.
fn joined(mut parts: Vec<TraceSet>) -> TraceSet {
    parts.sort_by_cached_key(|part| part.iter().map(Trace::id).collect::<Vec<_>>());
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_default();
    for part in parts {
        whole.extend(&part);
    }
    whole
}

impl RowKey {
    fn observation_key(self, contexts: &Contexts) -> ObservationKey {
        let Self { hour, protocol, opening, src, dst, dst_port, contexts: sets } = self;
        let (vlans, tunnels) = (contexts.vlans(sets), contexts.tunnels(sets));
        ObservationKey { hour, protocol, opening, src, dst, dst_port, vlans, tunnels }
    }
}
