//! Connections that were written out, gathered by their ends.

use std::{collections::BTreeMap, net::IpAddr};

use foldhash::{HashMap, HashSet};

use super::{
    context::{ContextSet, Contexts},
    live::Connection,
    places::Places,
    tuple::{Address, FiveTuple},
};
use crate::model::{Hour, Observation, ObservationKey, Opening, Protocol, Trace, TraceSet, service_port_rank};

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

/// Listeners that are remembered. They only lay rows out well; a capture that invents them shall not fill the memory.
const MAX_LISTENERS: usize = 65_536;

#[derive(Default)]
pub(super) struct Rows {
    by_key: HashMap<RowKey, TraceSet>,
    /// Traces written since rows were last taken out.
    written: usize,
    /// Addresses and ports that accepted connections in this capture.
    listeners: HashSet<(IpAddr, u16, Protocol)>,
}

impl Rows {
    /// Learns who accepts connections, by which the rows of those whose opening was not seen are laid out.
    pub fn learn<A: Address>(&mut self, tuple: &FiveTuple<A>, connection: &Connection) {
        if connection.has_agreed() && self.listeners.len() < MAX_LISTENERS {
            let (address, port) = tuple.end(connection.src().other());
            self.listeners.insert((address, port, tuple.protocol));
        }
    }

    /// Adds what the current hour of a connection has seen.
    pub fn write<A: Address>(&mut self, tuple: &FiveTuple<A>, connection: &Connection, places: &Places) {
        self.learn(tuple, connection);
        let (src, dst) = (tuple.end(connection.src()), tuple.end(connection.src().other()));
        let protocol = tuple.protocol;
        let opening = connection.opening();
        let mut trace = connection.trace(places);
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
    pub fn waiting(&self) -> usize {
        self.written
    }

    /// Takes the observations out, in order; listeners are remembered.
    pub fn take(&mut self, contexts: &Contexts) -> Vec<Observation> {
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
        whole.extend(part);
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
