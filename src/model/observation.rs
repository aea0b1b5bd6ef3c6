//! The joint of the house: what one sensor saw of the connections between two ends within one hour.
//!
//! Packets, flow logs and kernel counters all become observations, and the store keeps nothing else about traffic.
//! An observation is keyed by content, and what it holds is a set: one [`Trace`] a connection, told apart by the
//! connection's own numbers ([`Trace::id`]). Sets merge as unions and counts as maxima, so that a capture read twice,
//! one connection captured in two places, or the stores of two hosts are the same operation, and none counts twice.
//!
//! `src` and `dst` say how the row is laid out, not who the client is. Where the opening was seen `src` opened it;
//! else ([`Opening::Open`]) the row was laid towards the likelier server, every trace keeps the other port, and the
//! map decides when it reads, from all that the store knows by then.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Hour, Protocol, Span};

/// Whether the opening of the connections was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opening {
    /// `src` opened them: SYN, SYN-ACK or INIT was seen.
    Seen,
    /// Not seen; who is the client is still open.
    Open,
}

/// What an observation is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservationKey {
    /// The hour of its packets.
    pub hour: Hour,
    /// The IP protocol.
    pub protocol: Protocol,
    /// Whether `src` is certainly the client.
    pub opening: Opening,
    /// One end.
    pub src: IpAddr,
    /// The other end.
    pub dst: IpAddr,
    /// The other end's port; 0 for protocols without ports.
    pub dst_port: u16,
    /// The VLAN stacks of its packets, outer first and dots between, sorted, commas between; empty without tags.
    pub vlans: String,
    /// The tunnels of its packets likewise, outer first with slashes between: `vxlan:42`; empty outside of tunnels.
    pub tunnels: String,
}

/// Bits of what was seen of a connection; sightings add up by OR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// `src` asked to open (SYN, INIT).
    pub const ASKED: Self = Self(1);
    /// `dst` agreed (SYN-ACK, INIT-ACK).
    pub const AGREED: Self = Self(1 << 1);
    /// `dst` refused (RST in answer to a SYN, ICMP unreachable).
    pub const REFUSED: Self = Self(1 << 2);
    /// Packets from `src` past the opening.
    pub const FROM_SRC: Self = Self(1 << 3);
    /// Packets from `dst` past the opening.
    pub const FROM_DST: Self = Self(1 << 4);
    /// `src` sent the first packet that was seen.
    pub const SRC_FIRST: Self = Self(1 << 5);
    /// FIN or RST was seen after the opening.
    pub const CLOSED: Self = Self(1 << 6);
    /// Bytes of payload went either way.
    pub const PAYLOAD: Self = Self(1 << 7);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the bits of `other`.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The highest and the lowest hop limit that packets came with: the nearer to their sender, the higher. Both are 0 where
/// none was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hops {
    /// At the place nearest to the sender.
    pub high: u8,
    /// At the place furthest from it.
    pub low: u8,
}

impl Hops {
    /// Those of one packet.
    #[must_use]
    pub fn of(limit: u8) -> Self {
        Self { high: limit, low: limit }
    }

    /// Whether none was seen.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.high == 0
    }

    /// Takes others in.
    pub fn join(&mut self, other: Self) {
        if !other.is_none() {
            self.low = if self.is_none() { other.low } else { self.low.min(other.low) };
            self.high = self.high.max(other.high);
        }
    }
}

/// What was seen of one connection within one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    /// The port of `src`; 0 for protocols without ports.
    pub src_port: u16,
    /// Tells connections with equal ends apart and stays the same through address translation: the first number that was
    /// seen of `src` - its initial sequence number where the opening was seen, the sequence number of its first segment
    /// elsewhere, a digest of its first datagram (UDP); 0 where nothing was.
    pub identity: u32,
    /// The same of `dst`.
    pub answer: u32,
    /// Where the stream of `src` stood at its last segment, 0 where nothing was seen: parts of one connection that were
    /// captured apart are joined by it.
    pub src_end: u32,
    /// The same of `dst`.
    pub dst_end: u32,
    /// What was seen.
    pub flags: Flags,
    /// First packet, in microseconds since the start of the hour.
    pub first: u32,
    /// Last packet, in microseconds since the start of the hour.
    pub last: u32,
    /// Packets both ways.
    pub packets: u64,
    /// IP bytes from `src` to `dst`.
    pub bytes_to_dst: u64,
    /// IP bytes from `dst` to `src`.
    pub bytes_to_src: u64,
    /// Hop limits of the packets from `src`.
    pub hops_src: Hops,
    /// Hop limits of the packets from `dst`.
    pub hops_dst: Hops,
}

/// Tells the connections of one observation apart.
pub type TraceId = (u16, u32);

impl Trace {
    /// What tells it from the other connections between the same ends.
    #[must_use]
    pub fn id(&self) -> TraceId {
        (self.src_port, self.identity)
    }

    /// The same as seen from its other end, whose port this is.
    #[must_use]
    pub fn turned(&self, src_port: u16) -> Self {
        let mut flags = self.flags.0 & !(Flags::FROM_SRC.0 | Flags::FROM_DST.0 | Flags::SRC_FIRST.0);
        for (bit, mirrored) in [(Flags::FROM_SRC, Flags::FROM_DST), (Flags::FROM_DST, Flags::FROM_SRC)] {
            if self.flags.has(bit) {
                flags |= mirrored.0;
            }
        }
        if !self.flags.has(Flags::SRC_FIRST) {
            flags |= Flags::SRC_FIRST.0;
        }
        Self {
            src_port,
            flags: Flags(flags),
            identity: self.answer,
            answer: self.identity,
            src_end: self.dst_end,
            dst_end: self.src_end,
            bytes_to_dst: self.bytes_to_src,
            bytes_to_src: self.bytes_to_dst,
            hops_src: self.hops_dst,
            hops_dst: self.hops_src,
            ..*self
        }
    }

    /// Another sighting of the same connection: the fullest counts.
    pub fn merge(&mut self, other: &Self) {
        self.join(other);
        self.packets = self.packets.max(other.packets);
        self.bytes_to_dst = self.bytes_to_dst.max(other.bytes_to_dst);
        self.bytes_to_src = self.bytes_to_src.max(other.bytes_to_src);
    }

    /// A further part of the same sighting, of packets not counted before.
    pub fn append(&mut self, other: &Self) {
        self.join(other);
        self.packets += other.packets;
        self.bytes_to_dst += other.bytes_to_dst;
        self.bytes_to_src += other.bytes_to_src;
    }

    fn join(&mut self, other: &Self) {
        // who was first is told by the sighting that began first
        if other.first < self.first {
            self.flags.0 = self.flags.0 & !Flags::SRC_FIRST.0 | other.flags.0 & Flags::SRC_FIRST.0;
        }
        self.flags.0 |= other.flags.0 & !Flags::SRC_FIRST.0;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        if self.answer == 0 {
            self.answer = other.answer;
        }
        self.src_end = furthest(self.src_end, other.src_end);
        self.dst_end = furthest(self.dst_end, other.dst_end);
        self.hops_src.join(other.hops_src);
        self.hops_dst.join(other.hops_dst);
    }
}

/// The further of two places in a stream; numbers wrap, and 0 is none.
fn furthest(a: u32, b: u32) -> u32 {
    match (a, b) {
        (0, other) | (other, 0) => other,
        (a, b) if b.wrapping_sub(a) < 1 << 31 => b,
        _ => a,
    }
}

/// A set of connections: exact up to [`TraceSet::EXACT`], beyond that the sample with the smallest hashes and the
/// totals. Such bottom-k samples merge as sets do, and the count of a union is estimated from them with a relative
/// standard error of about 1/sqrt(k-2) (Beyer et al., "On synopses for distinct-value estimation", SIGMOD 2007): 3 %.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceSet {
    traces: BTreeMap<(u64, TraceId), Trace>,
    total: u64,
}

impl TraceSet {
    /// How many connections an observation holds one by one.
    pub const EXACT: usize = 1_024;

    /// The connections, all or a sample, in the order of their hashes.
    pub fn iter(&self) -> impl Iterator<Item = &Trace> {
        self.traces.values()
    }

    /// How many connections there were, also those beyond the sample.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether every connection is held.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.total == self.traces.len() as u64
    }

    /// Adds a part of a connection that the same sensor saw.
    pub fn append(&mut self, trace: Trace) {
        self.insert(trace, Trace::append);
    }

    /// Adds what the same sensor saw later.
    pub fn extend(&mut self, later: &Self) {
        let beyond = later.total - later.traces.len() as u64;
        for trace in later.iter() {
            self.append(*trace);
        }
        self.total += beyond;
    }

    /// Restores a set from what [`TraceSet::iter`] and [`TraceSet::total`] gave.
    #[must_use]
    pub fn restore(traces: impl IntoIterator<Item = Trace>, total: u64) -> Self {
        let traces: BTreeMap<_, _> = traces.into_iter().map(|trace| ((rank(trace.id()), trace.id()), trace)).collect();
        let total = total.max(traces.len() as u64);
        Self { traces, total }
    }

    fn insert(&mut self, trace: Trace, join: fn(&mut Trace, &Trace)) {
        let key = (rank(trace.id()), trace.id());
        if let Some(known) = self.traces.get_mut(&key) {
            join(known, &trace);
            return;
        }
        // beyond the sample a connection that comes in two parts may count twice: the total is then an estimate
        self.total += 1;
        if self.traces.len() < Self::EXACT {
            self.traces.insert(key, trace);
        } else if self.traces.last_key_value().is_some_and(|(last, _)| key < *last) {
            self.traces.pop_last();
            self.traces.insert(key, trace);
        }
    }
}

/// Spreads ids evenly and reversibly, so that no two rank alike (splitmix64's finaliser, Steele et al., OOPSLA 2014).
fn rank((port, identity): TraceId) -> u64 {
    let mut x = u64::from(port) << 32 | u64::from(identity);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What one sensor saw of the connections between two ends within one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it is about.
    pub key: ObservationKey,
    /// The connections.
    pub traces: TraceSet,
}

impl Observation {
    /// First and last packet of a trace.
    #[must_use]
    pub fn span(&self, trace: &Trace) -> Span {
        Span { first: self.key.hour.at(trace.first), last: self.key.hour.at(trace.last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(src_port: u16, packets: u64) -> Trace {
        Trace { src_port, packets, ..Trace::default() }
    }

    #[test]
    fn parts_of_one_sighting_add_up_and_sightings_do_not() {
        let mut part = trace(40_000, 3);
        part.append(&trace(40_000, 4));
        assert_eq!(part.packets, 7);
        part.merge(&trace(40_000, 5));
        assert_eq!(part.packets, 7);
    }

    #[test]
    fn a_full_set_keeps_the_same_sample_in_any_order() {
        let mut forth = TraceSet::default();
        let mut back = TraceSet::default();
        for port in 0..5_000 {
            forth.append(trace(port, 1));
            back.append(trace(4_999 - port, 1));
        }
        assert_eq!(forth, back);
        assert_eq!(forth.iter().count(), TraceSet::EXACT);
        assert_eq!(forth.total(), 5_000);
        assert!(!forth.is_exact());
    }
}
