//! Packets to observations: which connections there were, who opened them, what became of them.
//!
//! One connection is counted once however many interfaces and VLANs of a capture its packets crossed: packets and bytes
//! count where each side was first seen, the other places only add their tags. Time comes in with the packets.
//! Memory is bounded: beyond [`Limits::connections`] the idle and closed ones are written out early, and counted.

mod context;
mod live;
mod rows;

use std::net::IpAddr;

use foldhash::HashMap;

use crate::{
    decode::{Attempt, Packet, TcpFlags, Transport},
    model::{Observation, Opening, Protocol, Timestamp},
};
use context::Contexts;
use live::{Connection, Side};
use rows::Rows;

/// Bounds of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections held at once.
    pub connections: usize,
    /// Silence after which datagrams between equal ends are a new exchange, in seconds (Linux tracks UDP for 30 to 120).
    pub datagram_idle_s: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_000_000, datagram_idle_s: 60.0 }
    }
}

/// Networks with equal addresses that one capture point sees.
const MAX_NETWORKS: usize = 8;

/// A connection's ends in an order that both directions share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct FiveTuple {
    low: (IpAddr, u16),
    high: (IpAddr, u16),
    protocol: Protocol,
}

impl FiveTuple {
    /// The ends in order, and which of them sent.
    fn of(src: (IpAddr, u16), dst: (IpAddr, u16), protocol: Protocol) -> (Self, Side) {
        if src <= dst {
            (Self { low: src, high: dst, protocol }, Side::Low)
        } else {
            (Self { low: dst, high: src, protocol }, Side::High)
        }
    }

    fn end(&self, side: Side) -> (IpAddr, u16) {
        match side {
            Side::Low => self.low,
            Side::High => self.high,
        }
    }
}

/// Where a segment stands in both streams.
#[derive(Clone, Copy)]
struct At {
    /// Its first byte.
    sequence: u32,
    /// Behind its last byte.
    end: u32,
    /// What it has of the other side.
    acknowledgment: u32,
}

/// What a packet means for its connection.
#[derive(Clone, Copy)]
enum Event {
    /// The sender opens, with this initial sequence number.
    Open(u32),
    /// The sender agrees to an opening with the first number; its own is the second.
    Agree(u32, u32),
    /// The sender refuses or breaks.
    Reset { at: Option<At> },
    /// Past the opening: whether data was carried, whether the sender closes, and where it stands in both streams.
    Traffic { data: bool, closes: bool, at: Option<At> },
    /// A datagram, with a number to know it by elsewhere.
    Datagram(u32),
}

/// The table of live connections, and the observations of those that are written out.
pub struct Tracker {
    limits: Limits,
    live: HashMap<FiveTuple, Connection>,
    contexts: Contexts,
    rows: Rows,
    evicted: u64,
}

impl Default for Tracker {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Tracker {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, live: HashMap::default(), contexts: Contexts::default(), rows: Rows::default(), evicted: 0 }
    }

    /// Takes one packet in.
    pub fn ingest(&mut self, time: Timestamp, packet: &Packet<'_>) {
        let (src_port, dst_port, event) = match packet.transport {
            Transport::Tcp { src_port, dst_port, sequence, acknowledgment, flags, data_bytes, .. } => {
                let event = tcp_event(flags, sequence, acknowledgment, data_bytes);
                (src_port, dst_port, event)
            }
            Transport::Udp { src_port, dst_port, data_bytes, data } => {
                (src_port, dst_port, Event::Datagram(digest(packet.ip_id, data_bytes, data)))
            }
            Transport::Sctp { src_port, dst_port, tag, chunk } => (src_port, dst_port, sctp_event(tag, chunk)),
            Transport::Unreachable(attempt) => return self.refuse(&attempt),
            Transport::Other => (0, 0, Event::Datagram(0)),
        };
        let (tuple, sender) = FiveTuple::of((packet.src, src_port), (packet.dst, dst_port), packet.protocol);
        self.make_room();
        let mut connection = self.live.entry(tuple).or_insert_with(|| Connection::new(time, sender));
        // equal ends in several networks: at most this many are told apart, further ones count with the last
        for _ in 0..MAX_NETWORKS {
            if connection.owns(event, sender, packet, &self.contexts) {
                break;
            }
            connection = connection.next.get_or_insert_with(|| Box::new(Connection::new(time, sender)));
        }
        if connection.is_over(event, sender, time, self.limits.datagram_idle_s) {
            self.rows.write(&tuple, connection);
            connection.renew(time, sender);
        } else if connection.hour() != time.hour() {
            self.rows.write(&tuple, connection);
            connection.turn_hour(time);
        }
        connection.apply(event, sender);
        connection.count(time, sender, packet, &mut self.contexts);
    }

    /// The observations of all packets so far, in order; the table is empty afterwards.
    #[must_use]
    pub fn finish(mut self) -> Vec<Observation> {
        self.write_all(|_| {});
        self.rows.take(&self.contexts)
    }

    /// Takes the observations of everything so far out and keeps the connections open: their next packets make further
    /// parts of the same traces.
    pub fn flush(&mut self) -> Vec<Observation> {
        self.write_all(Connection::clear);
        self.rows.take(&self.contexts)
    }

    /// Writes every connection out that has news. Openings first: they tell the listeners, by which the rows of the others
    /// are laid out.
    fn write_all(&mut self, after: impl Fn(&mut Connection)) {
        for opening in [Opening::Seen, Opening::Open] {
            for (tuple, first) in &mut self.live {
                let mut next = Some(first);
                while let Some(connection) = next {
                    if connection.opening() == opening && connection.has_news() {
                        self.rows.write(tuple, connection);
                        after(connection);
                    }
                    next = connection.next.as_deref_mut();
                }
            }
        }
    }

    /// Traces that wait to be taken out.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rows.waiting()
    }

    /// Takes out the observations of connections that were written out early or ended; the others stay as they are.
    pub fn drain(&mut self) -> Vec<Observation> {
        self.rows.take(&self.contexts)
    }

    /// Connections held now.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// Connections written out early for want of room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// An ICMP error answers an attempt that nobody else answered.
    fn refuse(&mut self, attempt: &Attempt) {
        let src = (attempt.src, attempt.src_port);
        let (tuple, sender) = FiveTuple::of(src, (attempt.dst, attempt.dst_port), attempt.protocol);
        let mut next = self.live.get_mut(&tuple);
        while let Some(connection) = next {
            connection.refuse(sender);
            next = connection.next.as_deref_mut();
        }
    }

    /// Writes out the eighth of the connections that were silent longest, when the table is full.
    fn make_room(&mut self) {
        if self.live.len() < self.limits.connections {
            return;
        }
        let mut ages: Vec<_> = self.live.iter().map(|(tuple, connection)| (connection.usefulness(), *tuple)).collect();
        ages.sort_unstable();
        ages.truncate(self.limits.connections.div_ceil(8));
        for (_, tuple) in ages {
            let mut next = self.live.remove(&tuple).map(Box::new);
            while let Some(mut connection) = next {
                self.rows.write(&tuple, &connection);
                self.evicted += 1;
                next = connection.next.take();
            }
        }
    }
}

fn tcp_event(flags: Option<TcpFlags>, sequence: u32, acknowledgment: u32, data_bytes: u32) -> Event {
    let Some(flags) = flags else { return Event::Traffic { data: false, closes: false, at: None } };
    let end = sequence.wrapping_add(data_bytes).wrapping_add(u32::from(flags.fin()));
    let at = At { sequence, end, acknowledgment };
    match (flags.syn(), flags.ack()) {
        (true, false) => Event::Open(sequence),
        (true, true) => Event::Agree(acknowledgment.wrapping_sub(1), sequence),
        _ if flags.rst() => Event::Reset { at: flags.ack().then_some(at) },
        _ => Event::Traffic { data: data_bytes > 0, closes: flags.fin(), at: Some(at) },
    }
}

/// Chunk types of RFC 9260: 1 INIT, 2 INIT ACK, 6 ABORT; 8 and 14 close.
fn sctp_event(tag: u32, chunk: Option<u8>) -> Event {
    match chunk {
        Some(1) => Event::Open(0),
        Some(2) => Event::Agree(0, tag),
        Some(6) => Event::Reset { at: None },
        chunk => Event::Traffic { data: chunk == Some(0), closes: matches!(chunk, Some(7 | 8 | 14)), at: None },
    }
}

/// A number for a datagram that stays the same through address translation and tunnels: from its identification, its
/// length and its first bytes, few enough that short captures have them.
fn digest(ip_id: u16, data_bytes: u32, data: &[u8]) -> u32 {
    const PREFIX_BYTES: usize = 8;
    let head = data.get(..PREFIX_BYTES).unwrap_or(data);
    let seed = u64::from(ip_id) << 32 | u64::from(data_bytes);
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(head, seed);
    // 0 says that none was seen
    u32::try_from(hash >> 32).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests;
