//! Packets to observations: which connections there were, who opened them, what became of them.
//!
//! One connection is one trace however many interfaces and VLANs of a capture its packets crossed: each place counts what
//! it saw by itself, and adds its tags. Time comes in with the packets. Memory is bounded: the idle and closed connections
//! are written out when the table is full, and all that a bound left out is counted.

mod attempts;
mod book;
mod context;
mod event;
mod index;
mod live;
mod places;
mod rows;
mod sweeps;
mod table;
mod tuple;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use smallvec::SmallVec;

use crate::{
    decode::{self, Packet, Transport},
    model::{Observation, Protocol, Sweep, Timestamp},
};
use book::{Book, Ends};
use event::{Event, read};
use index::SlotId;
use sweeps::Sweeps;
use table::Table;
use tuple::{Address, FiveTuple};

/// Bounds of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections held at once. A million take some 120 MB, of IPv6 140 MB.
    pub connections: usize,
    /// Silence after which datagrams between equal ends are a new exchange, in seconds (Linux tracks UDP for 30 to 120).
    pub datagram_idle_s: f64,
    /// Silence after which a connection is written out and forgotten, in seconds; what comes later is joined to it when
    /// the map is made.
    pub idle_s: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_250_000, datagram_idle_s: 60.0, idle_s: 3_600.0 }
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

/// Parts that a table can be divided in, to be worked on side by side. Part of what is written: another number would lay
/// out other samples where a bound is hit.
pub const SHARDS: usize = 8;

/// Who accepts connections: an address, a port and a protocol.
pub type Listener = (IpAddr, u16, Protocol);

/// Packets whose connections are looked for at once: more memory at a time is not fetched side by side.
const AHEAD: usize = 32;

/// A packet with what it means, before its connection is looked for.
struct Ready<'p> {
    time: Timestamp,
    packet: &'p Packet<'p>,
    about: About,
}

/// Whose packet it is.
enum About {
    V4(Event, Ends<Ipv4Addr>),
    V6(Event, Ends<Ipv6Addr>),
    /// It quotes the packet that it is about.
    Error,
    Nothing,
}

fn ends<A: Address>(table: &Table<A>, src: (A, u16), dst: (A, u16), protocol: Protocol) -> Ends<A> {
    let (tuple, sender) = FiveTuple::of(src, dst, protocol);
    Ends { tuple, sender, tag: table.tag(&tuple) }
}

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
        self.make_room(time, 1);
        self.take(&self.ready(time, packet))
    }

    /// Takes packets in, in their order, each with its time; tells of each what [`Tracker::ingest`] does. Their connections
    /// are looked for ahead, so that the memory of several is waited for at once.
    pub fn ingest_all<'p, T>(
        &mut self,
        all: &'p [T],
        packet: impl Fn(&'p T) -> (Timestamp, &'p Packet<'p>),
        mut tell: impl FnMut(&'p T, bool),
    ) {
        for some in all.chunks(AHEAD) {
            let ready = |one| {
                let (time, packet) = packet(one);
                self.ready(time, packet)
            };
            let ready: SmallVec<[Ready<'_>; AHEAD]> = some.iter().map(ready).collect();
            let Some(last) = ready.last() else { continue };
            self.make_room(last.time, some.len());
            self.look_ahead(&ready);
            for (one, ready) in some.iter().zip(&ready) {
                let is_new = self.take(ready);
                tell(one, is_new);
            }
        }
    }

    /// Addresses and ports that accepted connections.
    #[must_use]
    pub fn listeners(&mut self) -> Vec<Listener> {
        self.book.learn(&self.v4);
        self.book.learn(&self.v6);
        self.book.rows.listeners()
    }

    /// Learns who listens, as another part of the same capture saw it.
    pub fn know(&mut self, listeners: &[Listener]) {
        self.book.rows.know(listeners);
    }

    fn ready<'p>(&self, time: Timestamp, packet: &'p Packet<'p>) -> Ready<'p> {
        let Some((src_port, dst_port, event)) = read(packet) else {
            return Ready { time, packet, about: About::Error };
        };
        let about = self.about(packet, (src_port, dst_port), event);
        Ready { time, packet, about }
    }

    fn about(&self, packet: &Packet<'_>, (src_port, dst_port): (u16, u16), event: Event) -> About {
        match (packet.src, packet.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                About::V4(event, ends(&self.v4, (src, src_port), (dst, dst_port), packet.protocol))
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                About::V6(event, ends(&self.v6, (src, src_port), (dst, dst_port), packet.protocol))
            }
            // no packet has ends of two families
            _ => About::Nothing,
        }
    }

    fn look_ahead(&self, ready: &[Ready<'_>]) {
        let likely: SmallVec<[SlotId; AHEAD]> = ready.iter().map(|one| self.likely(one)).collect();
        let touch = |(one, id): (&Ready<'_>, &SlotId)| match one.about {
            About::V4(..) => self.v4.touch(*id),
            About::V6(..) => self.v6.touch(*id),
            About::Error | About::Nothing => 0,
        };
        let touched = ready.iter().zip(&likely).map(touch).fold(0, |sum, word| sum ^ word);
        // the reads themselves are what is wanted
        std::hint::black_box(touched);
    }

    fn likely(&self, one: &Ready<'_>) -> SlotId {
        match &one.about {
            About::V4(_, ends) => self.v4.likely(ends.tag),
            About::V6(_, ends) => self.v6.likely(ends.tag),
            About::Error | About::Nothing => index::NONE,
        }
    }

    fn take(&mut self, one: &Ready<'_>) -> bool {
        let Ready { time, packet, about } = one;
        match about {
            About::V4(event, ends) => self.book.take(&mut self.v4, (*time, packet, *event), *ends),
            About::V6(event, ends) => self.book.take(&mut self.v6, (*time, packet, *event), *ends),
            About::Nothing => false,
            About::Error => {
                if let Transport::Unreachable(quote) = packet.transport {
                    self.refuse(*time, packet, quote);
                }
                true
            }
        }
    }

    /// An ICMP error answers an attempt that nobody else answered.
    fn refuse(&mut self, time: Timestamp, error: &Packet<'_>, quote: &[u8]) {
        let Some(packet) = decode::quoted(error, quote) else { return };
        let Some((src_port, dst_port, event)) = read(&packet) else { return };
        match self.about(&packet, (src_port, dst_port), event) {
            About::V4(event, ends) => Book::refuse(&mut self.v4, (time, event), ends),
            About::V6(event, ends) => Book::refuse(&mut self.v6, (time, event), ends),
            About::Error | About::Nothing => {}
        }
    }

    /// Takes the observations of everything so far out and keeps the connections open: their next packets make further
    /// parts of the same traces.
    pub fn flush(&mut self) -> Vec<Observation> {
        self.book.learn(&self.v4);
        self.book.learn(&self.v6);
        self.book.write_news(&mut self.v4);
        self.book.write_news(&mut self.v6);
        let mut rows = self.drain();
        rows.extend(self.book.rows.sweeps.samples());
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        self.book.forget_sweeps();
        rows
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
        loop {
            let mut are_left = true;
            while are_left && self.book.rows.waiting() < TRACES_AT_ONCE {
                are_left = self.book.end_some(&mut self.v4) || self.book.end_some(&mut self.v6);
            }
            let rows = self.drain();
            if !rows.is_empty() {
                return rows;
            }
            if !are_left {
                return self.book.rows.sweeps.samples();
            }
        }
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

/// What was tried in vain beyond the observations, by source and hour, all so far; of a table that is divided, together.
#[must_use]
pub fn sweeps(parts: &[Tracker]) -> Vec<Sweep> {
    Sweeps::together(parts.iter().map(|part| &part.book.rows.sweeps))
}

#[cfg(test)]
mod tests;
