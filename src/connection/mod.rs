//! Packets to observations: which connections there were, who opened them, what became of them.
//!
//! One connection is one trace however many interfaces and VLANs of a capture its packets crossed: each place counts what
//! it saw by itself, and adds its tags. Time comes in with the packets. Memory is bounded: the idle and closed connections
//! are written out when the table is full, and all that a bound left out is counted.

mod arrival;
mod attempts;
mod book;
mod context;
mod ending;
mod event;
mod flush;
mod index;
mod leaving;
mod live;
mod places;
mod queue;
mod rows;
mod sweeps;
mod table;
mod tuple;
mod words;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    decode::{Packet, Transport},
    model::{Note, Observation, Protocol, Sweep, Timestamp},
};
use book::Book;
use flush::Flushing;
use leaving::Leaving;
use queue::Queue;
use sweeps::Sweeps;
use table::Table;

pub use arrival::Arrivals;
pub use ending::end_some;

/// Bounds of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections held at once. A million take some 120 MB, of IPv6 140 MB.
    pub connections: usize,
    /// Silence after which datagrams between equal ends are a new exchange, in microseconds (Linux tracks UDP for 30 to 120
    /// seconds).
    pub datagram_idle_us: u32,
    /// Silence after which a connection is written out and forgotten, in seconds; what comes later is joined to it when
    /// the map is made.
    pub idle_s: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_250_000, datagram_idle_us: 60_000_000, idle_s: 3_600.0 }
    }
}

/// Parts that a table can be divided in, to be worked on side by side. Part of what is written: another number would lay
/// out other samples where a bound is hit.
pub const SHARDS: usize = 8;

/// Who accepts connections: an address, a port and a protocol.
pub type Listener = (IpAddr, u16, Protocol);

/// The live connections, and the observations of those that were written out.
pub struct Tracker {
    v4: Table<Ipv4Addr>,
    v6: Table<Ipv6Addr>,
    book: Book,
    /// Room for a packet that comes by itself.
    only: Arrivals,
    /// Where a flush in steps is.
    flushing: Option<Flushing>,
    /// What is left of it at the end.
    ending: Option<Leaving>,
}

impl Default for Tracker {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Tracker {
    /// Without any connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (v4, v6, only) = (Table::default(), Table::default(), Arrivals::default());
        Self { v4, v6, book: Book::new(limits), only, flushing: None, ending: None }
    }

    /// Takes one packet in. Tells whether it says something new of where its connection is seen: another interface, other
    /// tags, the first packet of one side; of an error always.
    pub fn ingest(&mut self, time: Timestamp, packet: &Packet<'_>) -> bool {
        let mut only = std::mem::take(&mut self.only);
        only.clear();
        only.push(0, time, packet);
        let mut is_new = matches!(packet.transport, Transport::Unreachable(_));
        self.ingest_all(&only, |_| is_new = true);
        self.only = only;
        is_new
    }

    /// Takes packets in, in their order; tells the numbers of those of which [`Tracker::ingest`] would tell that they say
    /// something new, but for errors. Their connections are looked for ahead, so that the memory of several is waited for at
    /// once.
    pub fn ingest_all(&mut self, packets: &Arrivals, mut tell: impl FnMut(u32)) {
        let Arrivals { v4, v6, contexts } = packets;
        let (mut v4, mut v6) = (Queue::new(v4), Queue::new(v6));
        loop {
            let (next_v4, next_v6) = (v4.next_number(), v6.next_number());
            if next_v4 == next_v6 {
                // both have no more
                return;
            }
            if let Some((count, time)) = if next_v4 < next_v6 { v4.due() } else { v6.due() } {
                self.make_room(time, count);
            }
            let Self { v4: table_v4, v6: table_v6, book, .. } = self;
            if next_v4 < next_v6 {
                v4.take(next_v6, (book, table_v4), contexts, &mut tell);
            } else {
                v6.take(next_v4, (book, table_v6), contexts, &mut tell);
            }
        }
    }

    /// Learns who listens, by which rows are laid out.
    fn learn(&mut self) {
        self.book.learn(&self.v4);
        self.book.learn(&self.v6);
    }

    /// Takes the observations of everything so far out, in order, and keeps the connections open: their next packets make further
    /// parts of the same traces.
    pub fn flush(&mut self) -> Vec<Observation> {
        // one that has begun is brought to its end, and leaves what packets wrote out meanwhile
        let mut rows = self.flush_rest();
        self.begin_flush();
        rows.append(&mut self.flush_rest());
        rows::sorted(rows)
    }

    /// Takes out the observations of connections that were written out early or ended; the others stay as they are.
    pub fn drain(&mut self) -> Vec<Observation> {
        self.book.rows.take(&self.book.contexts)
    }

    /// Traces that wait to be taken out.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.book.rows.waiting()
    }

    /// Holds at most so many connections from now on.
    pub fn set_bound(&mut self, connections: usize) {
        self.book.limits.connections = connections;
    }

    /// Connections held now.
    #[must_use]
    pub fn live(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// How often each bound left something out.
    #[must_use]
    pub fn bounds(&self) -> BTreeMap<Note, u64> {
        self.book.bounds()
    }

    /// Writes out the silent connections now and then, and more of them when the table is full.
    fn make_room(&mut self, time: Timestamp, packets: usize) {
        let live = self.live();
        if self.book.is_expiry_due(time, packets, live) {
            self.book.expire(&mut self.v4, time);
            self.book.expire(&mut self.v6, time);
        }
        if live + packets <= self.book.limits.connections.max(packets) {
            return;
        }
        if self.v4.len() >= self.v6.len() { self.book.evict(&mut self.v4) } else { self.book.evict(&mut self.v6) }
    }
}

/// Observations in the order of their keys, each key once.
#[must_use]
pub fn merged(mut rows: Vec<Observation>) -> Vec<Observation> {
    // parts of one key stay in the order in which they came
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    rows::joined(rows)
}

/// What was tried in vain beyond the observations, by source and hour, all so far; of a table that is divided, together.
#[must_use]
pub fn sweeps(parts: &[Tracker]) -> Vec<Sweep> {
    Sweeps::together(parts.iter().map(|part| &part.book.rows.sweeps))
}

#[cfg(test)]
mod tests;
