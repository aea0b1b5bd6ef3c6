//! Connections that were written out, gathered by their ends.

use std::{
    cmp::Reverse,
    hash::{Hash, Hasher},
    net::IpAddr,
};

use foldhash::{HashMap, HashSet, fast::RandomState};
use indexmap::{IndexMap, map::Entry};

use super::{
    Listener,
    context::{ContextSet, Contexts},
    live::Connection,
    places::Places,
    sweeps::{self, Source, Sweeps},
    tuple::{Address, FiveTuple},
};
use crate::model::{
    Hour, Observation, ObservationKey, Opening, Protocol, Trace, TraceSet, TraceSetBuilder, service_port_rank,
};

/// An [`ObservationKey`] whose tags and tunnels are still numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RowKey {
    hour: Hour,
    protocol: Protocol,
    opening: Opening,
    src: IpAddr,
    dst: IpAddr,
    dst_port: u16,
    contexts: [ContextSet; 2],
}

/// How a connection is laid out as a trace of a row.
struct Laid {
    key: RowKey,
    src_port: u16,
    /// Whether the row's `src` is not the connection's.
    is_turned: bool,
}

/// Listeners that are remembered. They only lay rows out well; a capture that invents them shall not fill the memory.
const MAX_LISTENERS: usize = 65_536;

/// Traces that wait when it is first looked whether any are of a sweep: while there are fewer, an attempt that is repeated late is still
/// found to be one.
const FIRST_LOOK: usize = 8_192;

#[derive(Default)]
pub(super) struct Rows {
    by_key: HashMap<RowKey, TraceSetBuilder>,
    /// What is taken out next, as it came: nearly in the order of the ranks; and how many traces and rows were added.
    in_order: IndexMap<RowKey, TraceSetBuilder, RandomState>,
    count_in_order: usize,
    /// Rows that wait until those before them are taken out, the last of them first, behind their ranks.
    aside: Vec<(u128, RowKey, TraceSetBuilder)>,
    /// Traces written since rows were last taken out.
    written: usize,
    /// How often it was looked since whether any are of a sweep.
    looks: u32,
    /// What of them is summed up.
    pub sweeps: Sweeps,
    /// Addresses and ports that accepted connections in this capture.
    listeners: HashSet<Listener>,
}

impl Rows {
    /// Learns who accepts connections, by which the rows of those whose opening was not seen are laid out.
    pub fn learn<A: Address>(&mut self, tuple: &FiveTuple<A>, connection: &Connection) {
        if connection.has_agreed() && self.listeners.len() < MAX_LISTENERS {
            let (address, port) = tuple.end(connection.src().other());
            self.listeners.insert((address, port, tuple.protocol));
        }
    }

    /// Who accepts connections, in order.
    pub fn listeners(&self) -> Vec<Listener> {
        let mut all: Vec<Listener> = self.listeners.iter().copied().collect();
        all.sort_unstable();
        all
    }

    /// Learns more of them.
    pub fn know(&mut self, listeners: &[Listener]) {
        let room = MAX_LISTENERS.saturating_sub(self.listeners.len());
        self.listeners.extend(listeners.iter().take(room));
    }

    /// Adds what the current hour of a connection has seen.
    pub fn write<A: Address>(&mut self, tuple: &FiveTuple<A>, connection: &Connection, places: &Places) {
        if let Some((key, trace)) = self.written(tuple, connection, places) {
            self.add(key, trace);
        }
    }

    /// Sums up what waits of sources that sweep, now and then: else many of their attempts would cost as much as connections do.
    pub fn sum_up(&mut self, contexts: &Contexts) {
        // each time with twice as many: to look at all that waits must not cost more than to write it did
        if self.written < FIRST_LOOK << self.looks {
            return;
        }
        self.looks += 1;
        // of datagrams only all parts of an exchange together tell that it was in vain
        let is_in_vain = |(key, traces): &(&RowKey, &TraceSetBuilder)| {
            key.opening == Opening::Seen && sweeps::is_in_vain(key.opening, traces.parts())
        };
        let mut in_vain: Vec<RowKey> = self.by_key.iter().filter(is_in_vain).map(|(key, _)| *key).collect();
        in_vain.sort_unstable_by_key(|key| (key.source(), key.rank()));
        // of all sources that have a few, each would need memory of its own
        for of_one in in_vain.chunk_by(|one, next| one.source() == next.source()).filter(|rows| sweeps::are_many(rows))
        {
            for key in of_one {
                self.sweeps.count(key.source(), (key.dst, key.dst_port));
            }
        }
        in_vain.retain(|key| self.sweeps.sweep(key.source()).is_some());
        let taken = in_vain.into_iter().filter_map(|key| self.by_key.remove_entry(&key));
        for row in sorted(observations(taken, contexts)) {
            self.written = self.written.saturating_sub(row.traces.held());
            if let Some(row) = self.sweeps.take(row) {
                self.sweeps.leave(row);
            }
        }
    }

    /// Adds what the current hour of a connection has seen that leaves in the order of the ranks. Where its rank is another one by now it waits like any other.
    pub fn write_in_order<A: Address>(
        &mut self,
        rank: u128,
        (tuple, connection): (&FiveTuple<A>, &Connection),
        places: &Places,
    ) {
        let Some((key, trace)) = self.written(tuple, connection, places) else { return };
        if key.rank() != rank {
            return self.add(key, trace);
        }
        // what came before of its row goes first
        let by_key = &mut self.by_key;
        self.in_order.entry(key).or_insert_with(|| by_key.remove(&key).unwrap_or_default()).push(trace);
        self.count_in_order += 1;
    }

    fn add(&mut self, key: RowKey, trace: Trace) {
        self.by_key.entry(key).or_default().push(trace);
        self.written += 1;
    }

    /// What is written of a connection; `None` where it is summed up.
    fn written<A: Address>(
        &mut self,
        tuple: &FiveTuple<A>,
        connection: &Connection,
        places: &Places,
    ) -> Option<(RowKey, Trace)> {
        if self.is_summed_up(tuple, connection, places) {
            return None;
        }
        self.learn(tuple, connection);
        let Laid { key, src_port, is_turned } = self.laid(tuple, connection);
        let trace = connection.trace(places);
        let trace = if is_turned { trace.turned(src_port) } else { trace };
        Some((key, Trace { src_port, ..trace }))
    }

    /// The rank of the row that a connection belongs to, once all listeners are known.
    pub fn rank<A: Address>(&self, tuple: &FiveTuple<A>, connection: &Connection) -> u128 {
        self.laid(tuple, connection).key.rank()
    }

    fn laid<A: Address>(&self, tuple: &FiveTuple<A>, connection: &Connection) -> Laid {
        let (src, dst) = (tuple.end(connection.src()), tuple.end(connection.src().other()));
        let (protocol, opening) = (tuple.protocol, connection.opening());
        let is_turned = opening == Opening::Unseen && self.likelihood(src, protocol) > self.likelihood(dst, protocol);
        let (src, dst) = if is_turned { (dst, src) } else { (src, dst) };
        let (hour, contexts) = (connection.hour(), connection.contexts());
        let key = RowKey { hour, protocol, opening, src: src.0, dst: dst.0, dst_port: dst.1, contexts };
        Laid { key, src_port: src.1, is_turned }
    }

    /// Sets what waits aside, to be taken up by its ranks.
    pub fn set_aside(&mut self) {
        self.begin_again();
        self.count_in_order = 0;
        // with their memory: a table of what waited is as large as what is set aside
        let (by_key, in_order) = (std::mem::take(&mut self.by_key), std::mem::take(&mut self.in_order));
        let waiting = by_key.into_iter().chain(in_order);
        self.aside.extend(waiting.map(|(key, traces)| (key.rank(), key, traces)));
        self.aside.sort_by_key(|(rank, ..)| Reverse(*rank));
    }

    /// Up to which rank so many rows that were set aside are taken up next.
    pub fn until(&self, rows: usize) -> Option<u128> {
        let next = self.aside.len().saturating_sub(rows.max(1));
        self.aside.get(next).map(|(rank, ..)| *rank)
    }

    /// Takes up what was set aside, up to a rank.
    pub fn take_up(&mut self, until: u128) {
        while let Some((_, key, traces)) = self.aside.pop_if(|(rank, ..)| *rank <= until) {
            self.count_in_order += 1;
            match self.in_order.entry(key) {
                Entry::Vacant(free) => drop(free.insert(traces)),
                Entry::Occupied(mut known) => known.get_mut().extend(traces.finish()),
            }
        }
    }

    /// Whether a sweep has taken it: an attempt to open that nobody answered need be no row for that.
    fn is_summed_up<A: Address>(&mut self, tuple: &FiveTuple<A>, connection: &Connection, places: &Places) -> bool {
        if connection.opening() != Opening::Seen || !connection.is_unanswered() {
            return false;
        }
        let (src, dst) = (tuple.end(connection.src()), tuple.end(connection.src().other()));
        let Some(sum) = self.sweeps.sweep((connection.hour(), tuple.protocol, src.0)) else { return false };
        sum.takes(dst, connection.sent(places), connection.span())
    }

    /// How likely an end is the server: a known listener, then by its port's number.
    fn likelihood(&self, (address, port): (IpAddr, u16), protocol: Protocol) -> u8 {
        if self.listeners.contains(&(address, port, protocol)) { u8::MAX } else { service_port_rank(protocol, port) }
    }

    /// Nothing waits any more.
    fn begin_again(&mut self) {
        (self.written, self.looks) = (0, 0);
    }

    /// How much waits to be taken out, in traces: what takes the memory.
    pub fn waiting(&self) -> usize {
        self.written
    }

    /// How much is to be taken out in the order of the ranks.
    pub fn are_in_order(&self) -> usize {
        self.count_in_order
    }

    /// Takes the observations out, in order; listeners are remembered.
    pub fn take(&mut self, contexts: &Contexts) -> Vec<Observation> {
        self.begin_again();
        let rows = std::mem::take(&mut self.by_key);
        self.sweeps.fold(joined(sorted(observations(rows, contexts))))
    }

    /// Takes out the observations of those that leave in the order of their ranks.
    pub fn take_in_order(&mut self, contexts: &Contexts) -> Vec<Observation> {
        self.count_in_order = 0;
        let rows = std::mem::take(&mut self.in_order);
        self.sweeps.fold(joined(sorted(observations(rows, contexts))))
    }
}

/// Rows with their tags and tunnels by name.
fn observations(rows: impl IntoIterator<Item = (RowKey, TraceSetBuilder)>, contexts: &Contexts) -> Vec<Observation> {
    let mut words: HashMap<[ContextSet; 2], (String, String)> = HashMap::default();
    let rows = rows.into_iter().map(|(key, traces)| {
        let (vlans, tunnels) =
            words.entry(key.contexts).or_insert_with(|| (contexts.vlans(key.contexts), contexts.tunnels(key.contexts)));
        Observation { key: key.observation_key((vlans, tunnels)), traces: traces.finish() }
    });
    rows.collect()
}

/// Rows in the order of their keys, those of one key as they came.
pub(super) fn sorted(rows: Vec<Observation>) -> Vec<Observation> {
    if rows.is_sorted_by(|row, next| row.key <= next.key) {
        return rows;
    }
    let mut order: Vec<(u128, usize)> = rows.iter().map(|row| row.key.rank()).zip(0..).collect();
    // a stable sort, which has little to do where they come in a few runs that are in order
    order.sort_by(|(rank, n), (other, m)| rank.cmp(other).then_with(|| rows[*n].key.cmp_beyond_rank(&rows[*m].key)));
    // observations are long: each is moved once
    let mut rows: Vec<Option<Observation>> = rows.into_iter().map(Some).collect();
    order.into_iter().filter_map(|(_, n)| rows.get_mut(n).and_then(Option::take)).collect()
}

/// Rows with equal keys together: sets of contexts that differ may read alike, tags that one side came with, or both.
pub(super) fn joined(rows: Vec<Observation>) -> Vec<Observation> {
    if rows.windows(2).all(|pair| matches!(pair, [a, b] if a.key != b.key)) {
        return rows;
    }
    let mut whole: Vec<Observation> = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter().peekable();
    while let Some(row) = rows.next() {
        let mut parts = vec![row.traces];
        while let Some(more) = rows.next_if(|next| next.key == row.key) {
            parts.push(more.traces);
        }
        whole.push(Observation { key: row.key, traces: together(parts) });
    }
    whole
}

/// Parts of one observation together, whatever their order.
fn together(mut parts: Vec<TraceSet>) -> TraceSet {
    parts.sort_by_cached_key(|part| part.iter().map(Trace::id).collect::<Vec<_>>());
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_default();
    for part in parts {
        whole.extend(part);
    }
    whole
}

impl RowKey {
    fn source(&self) -> Source {
        (self.hour, self.protocol, self.src)
    }

    fn rank(&self) -> u128 {
        let Self { hour, protocol, opening, src, dst, dst_port, .. } = *self;
        ObservationKey::rank_of((hour, protocol, opening), (src, dst, dst_port))
    }

    fn observation_key(self, (vlans, tunnels): (&str, &str)) -> ObservationKey {
        let Self { hour, protocol, opening, src, dst, dst_port, .. } = self;
        let (vlans, tunnels) = (vlans.to_owned(), tunnels.to_owned());
        ObservationKey { hour, protocol, opening, src, dst, dst_port, vlans, tunnels }
    }
}

impl Hash for RowKey {
    /// In as few words as there are.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { hour, protocol, opening, src, dst, dst_port, contexts: [src_set, dst_set] } = self;
        let small = u64::from(*dst_port) << 32 | u64::from(hour.0.cast_unsigned());
        state.write_u64(small ^ u64::from(protocol.0) << 56 ^ u64::from(*opening == Opening::Seen) << 55);
        state.write_u32(u32::from(src_set.number()) << 16 | u32::from(dst_set.number()));
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                state.write_u64(u64::from(src.to_bits()) << 32 | u64::from(dst.to_bits()));
            }
            (src, dst) => (src, dst).hash(state),
        }
    }
}
