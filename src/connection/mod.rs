//! Packets to observations: which connections there were, who opened them, what became of them.
//!
//! One connection is one trace however many interfaces and VLANs of a capture its packets crossed: each place counts what
//! it saw by itself, and adds its tags. Time comes in with the packets. Memory is bounded: the idle and closed connections
//! are written out when the table is full, and all that a bound left out is counted.

mod book;
mod context;
mod event;
mod live;
mod places;
mod rows;
mod table;
mod tuple;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    decode::{self, Packet, Transport},
    model::{Observation, Timestamp},
};
use book::Book;
use event::read;
use table::Table;

/// Bounds of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections held at once. A million take some 110 MB, of IPv6 130 MB.
    pub connections: usize,
    /// Silence after which datagrams between equal ends are a new exchange, in seconds (Linux tracks UDP for 30 to 120).
    pub datagram_idle_s: f64,
    /// Silence after which a connection is written out and forgotten, in seconds; what comes later is joined to it when
    /// the map is made.
    pub idle_s: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_000_000, datagram_idle_s: 60.0, idle_s: 3_600.0 }
    }
}

/// What a bound left out: while none was hit, the same packets give the same connections, however they come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Connections that were written out early, for the table was full.
    Connections,
    /// Packets between equal addresses in more networks than are told apart.
    Networks,
    /// Packets whose tags, tunnel or place were not noted, for there were too many of them.
    Places,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "connections written out early, the table was full",
            Self::Networks => "packets between equal addresses in too many networks to tell apart",
            Self::Places => "packets whose tags or place were not noted, there were too many",
        })
    }
}

/// Traces that are taken out at once, at the end.
const TRACES_AT_ONCE: usize = 32_768;

/// The live connections, and the observations of those that were written out.
pub struct Tracker {
    v4: Table<Ipv4Addr>,
    v6: Table<Ipv6Addr>,
    book: Book,
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
        Self { v4: Table::default(), v6: Table::default(), book: Book::new(limits) }
    }

    /// Takes one packet in. Tells whether it says something new of where its connection is seen: another interface, other
    /// tags, the first packet of one side.
    pub fn ingest(&mut self, time: Timestamp, packet: &Packet<'_>) -> bool {
        let Some((src_port, dst_port, event)) = read(packet) else {
            if let Transport::Unreachable(quote) = packet.transport {
                self.refuse(time, packet, quote);
            }
            return true;
        };
        self.make_room(time);
        match (packet.src, packet.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                self.book.take(&mut self.v4, time, packet, event, (src, src_port), (dst, dst_port))
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                self.book.take(&mut self.v6, time, packet, event, (src, src_port), (dst, dst_port))
            }
            // no packet has ends of two families
            _ => false,
        }
    }

    /// An ICMP error answers an attempt that nobody else answered.
    fn refuse(&mut self, time: Timestamp, error: &Packet<'_>, quote: &[u8]) {
        let Some(packet) = decode::quoted(error, quote) else { return };
        let Some((src_port, dst_port, event)) = read(&packet) else { return };
        self.make_room(time);
        match (packet.src, packet.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                Book::refuse(&mut self.v4, time, event, (src, src_port), (dst, dst_port), packet.protocol);
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                Book::refuse(&mut self.v6, time, event, (src, src_port), (dst, dst_port), packet.protocol);
            }
            _ => {}
        }
    }

    /// Takes the observations of everything so far out and keeps the connections open: their next packets make further
    /// parts of the same traces.
    pub fn flush(&mut self) -> Vec<Observation> {
        self.book.learn(&self.v4);
        self.book.learn(&self.v6);
        self.book.write_news(&mut self.v4);
        self.book.write_news(&mut self.v6);
        self.drain()
    }

    /// Takes out the observations of connections that were written out early or ended; the others stay as they are.
    pub fn drain(&mut self) -> Vec<Observation> {
        self.book.rows.take(&self.book.contexts)
    }

    /// Ends the connections, some at a time, and takes their observations out, of which one key may come in several parts;
    /// none are left where none come. Nothing may be taken in any more.
    pub fn end_some(&mut self) -> Vec<Observation> {
        if !self.book.is_ending {
            self.book.learn(&self.v4);
            self.book.learn(&self.v6);
            self.book.is_ending = true;
        }
        while self.book.rows.waiting() < TRACES_AT_ONCE {
            if !self.book.end_some(&mut self.v4) && !self.book.end_some(&mut self.v6) {
                break;
            }
        }
        self.drain()
    }

    /// Traces that wait to be taken out.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.book.rows.waiting()
    }

    /// Connections held now.
    #[must_use]
    pub fn live(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// How often each bound left something out.
    #[must_use]
    pub fn bounds(&self) -> BTreeMap<Bound, u64> {
        self.book.bounds()
    }

    /// Writes out the silent connections now and then, and more of them when the table is full.
    fn make_room(&mut self, time: Timestamp) {
        let live = self.live();
        if self.book.is_sweep_due(time, live) {
            self.book.sweep(&mut self.v4, time);
            self.book.sweep(&mut self.v6, time);
        }
        if live < self.book.limits.connections {
            return;
        }
        if self.v4.len() >= self.v6.len() { self.book.evict(&mut self.v4) } else { self.book.evict(&mut self.v6) }
    }
}

#[cfg(test)]
mod tests;
