//! The joint of the house: what one sensor saw of the connections between two ends within one hour.
//!
//! Packets, flow logs and kernel counters all become observations, and the store keeps nothing else about traffic.
//! An observation is keyed by content, and what it holds is a set: one [`Trace`] a connection, told apart by the
//! connection's own numbers ([`Trace::id`]). Sets merge as unions, and packets are counted at each place by itself, so that
//! a capture read twice, one connection captured in two places, or the stores of two hosts are the same operation: the map
//! takes the fullest place, and none counts twice.
//!
//! `src` and `dst` say how the row is laid out, not who the client is. Where the opening was seen `src` opened it;
//! else ([`Opening::Unseen`](super::Opening::Unseen)) the row was laid towards the likelier server, every trace keeps the other port, and the
//! map decides when it reads, from all that the store knows by then.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::{Flags, Hour, ObservationKey, Span, TraceSet};

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

/// How another sighting of a connection lies in time to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Whether it began earlier.
    pub is_begun_before: bool,
    /// Whether it ended later, by more than what lies between the two sightings of one packet.
    pub ended: Ordering,
}

impl Order {
    /// How one that lasted so lies to another. Ends are compared by the 4 s that they lie in: so that the order in which several
    /// are joined does not matter.
    #[must_use]
    pub fn of(other: Span, own: Span) -> Self {
        const TOGETHER_NS: i64 = 4_000_000_000;
        let end = |span: Span| span.last.0.div_euclid(TOGETHER_NS);
        Self { is_begun_before: other.first < own.first, ended: end(other).cmp(&end(own)) }
    }
}

/// What one side of a connection sent, as one place of a capture saw it: an interface, a direction on it, a VLAN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent {
    /// The place, by the decoder's number; equal in captures that were made alike.
    pub point: u32,
    /// Packets.
    pub packets: u64,
    /// IP bytes.
    pub bytes: u64,
}

/// What one side sent, by the places that saw it. Sorted; mostly one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally(SmallVec<[Sent; 1]>);

impl Tally {
    /// Paths through a host cross fewer places; further ones are left out.
    pub const MAX_POINTS: usize = 16;

    /// From one place.
    #[must_use]
    pub fn one(point: u32, packets: u64, bytes: u64) -> Self {
        [Sent { point, packets, bytes }].into_iter().collect()
    }

    /// The places, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Sent> {
        self.0.iter()
    }

    /// How many places there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Packets and bytes at the fullest place.
    #[must_use]
    pub fn fullest(&self) -> (u64, u64) {
        self.iter().map(|sent| (sent.packets, sent.bytes)).max().unwrap_or_default()
    }

    /// Adds packets that were not counted before.
    pub fn add(&mut self, more: Sent) {
        match self.0.binary_search_by_key(&more.point, |sent| sent.point) {
            Ok(n) => {
                let known = &mut self.0[n];
                known.packets = known.packets.saturating_add(more.packets);
                known.bytes = known.bytes.saturating_add(more.bytes);
            }
            Err(n) if self.0.len() < Self::MAX_POINTS => self.0.insert(n, more),
            Err(_) => {}
        }
    }
}

impl FromIterator<Sent> for Tally {
    fn from_iter<I: IntoIterator<Item = Sent>>(all: I) -> Self {
        let mut tally = Self::default();
        all.into_iter().for_each(|sent| tally.add(sent));
        tally
    }
}

/// What a record of a flow log stands for, where it stands for more than one connection in the hour of its row. Packets
/// tell each connection by itself: there it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lump {
    /// Connections in the record; 0 where there is no record.
    pub connections: u64,
    /// Different hours it was seen in, as far as the record counts them without naming them; 0 where it does not.
    pub hours: u32,
}

impl Lump {
    /// Whether a record of a flow log says it, and not packets.
    #[must_use]
    pub fn is_record(self) -> bool {
        self.connections > 0
    }
}

/// What was seen of one connection within one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    /// The port of `src`; 0 for protocols without ports.
    pub src_port: u16,
    /// Tells connections with equal ends apart and stays the same through address translation: the first number that was
    /// seen of `src` - its initial sequence number where the opening was seen, the sequence number of its first segment
    /// elsewhere, a digest of its first datagram (UDP); 0 where nothing was.
    pub identity: u32,
    /// The first number that was seen of `dst`, as `identity` is of `src`.
    pub answer: u32,
    /// Where the stream of `src` stood at its last segment, 0 where nothing was seen: parts of one connection that were
    /// captured apart are joined by it.
    pub src_end: u32,
    /// Where the stream of `dst` stood at its last segment, 0 where nothing was seen.
    pub dst_end: u32,
    /// What was seen.
    pub flags: Flags,
    /// First packet, in microseconds since the start of the hour.
    pub first: u32,
    /// Last packet, in microseconds since the start of the hour.
    pub last: u32,
    /// What `src` sent.
    pub from_src: Tally,
    /// What `dst` sent.
    pub from_dst: Tally,
    /// Hop limits of the packets from `src`.
    pub hops_src: Hops,
    /// Hop limits of the packets from `dst`.
    pub hops_dst: Hops,
    /// How much of a flow log it is.
    pub lump: Lump,
}

/// The last byte of the numbers of datagrams that were cut: none in particular.
const CUT: u32 = 0xa5;

/// The last byte of the numbers of datagrams whose packet had no identification.
const NAMELESS: u32 = 0x5a;

/// Tells the connections of one observation apart: the port of `src`, its number, and where none was seen the other side's.
pub type TraceId = (u16, u32, u32);

/// No two ports' hashes differ in this bit alone.
const BY_ANSWER: u32 = 2;

impl Trace {
    /// What tells it from the other connections between the same ends.
    #[must_use]
    pub fn id(&self) -> TraceId {
        (self.src_port, self.identity, if self.identity == 0 { self.answer } else { 0 })
    }

    /// Where it stands among those of which a sample is kept: the smallest ranks are. The port decides, then what tells the
    /// connections of one port apart: two captures of which one met a connection in its middle, or behind a translation
    /// that left its port, keep the same ones. Ids are spread evenly and reversibly, so that no two rank alike (the finaliser
    /// of `MurmurHash3`, Appleby 2011).
    #[must_use]
    pub fn rank(&self) -> u64 {
        let spread = |mut x: u32| {
            x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
            x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
            x ^ (x >> 16)
        };
        let (port, identity, answer) = self.id();
        let by_answer = if answer == 0 { 0 } else { BY_ANSWER };
        u64::from(spread(u32::from(port)) ^ by_answer) << 32 | u64::from(spread(identity | answer))
    }

    /// The trace as seen from its other end, whose port this is.
    #[must_use]
    pub fn turned(self, src_port: u16) -> Self {
        Self {
            src_port,
            flags: self.flags.turned(),
            identity: self.answer,
            answer: self.identity,
            src_end: self.dst_end,
            dst_end: self.src_end,
            from_src: self.from_dst,
            from_dst: self.from_src,
            hops_src: self.hops_dst,
            hops_dst: self.hops_src,
            ..self
        }
    }

    /// Takes in a further part of the same sighting, of packets that were not counted before.
    pub fn append(&mut self, other: &Self) {
        let connections = self.lump.connections.saturating_add(other.lump.connections);
        self.join(other);
        self.lump.connections = connections;
        other.from_src.iter().for_each(|sent| self.from_src.add(*sent));
        other.from_dst.iter().for_each(|sent| self.from_dst.add(*sent));
    }

    /// Takes in what another sighting of the same hour tells of the connection, all but what was sent.
    pub fn join(&mut self, other: &Self) {
        let at = |trace: &Self| Span { first: Hour(0).at(trace.first), last: Hour(0).at(trace.last) };
        self.join_of_any_hour(other, Order::of(at(other), at(self)));
    }

    /// Takes in a sighting whose hour may be another, so that times within the hour do not compare: `order` tells how it lies to this
    /// one. The times within the hour mean nothing afterwards.
    pub fn join_of_any_hour(&mut self, other: &Self, order: Order) {
        const WHO_BEGAN: Flags = Flags::SRC_FIRST.with(Flags::UNTOLD);
        if self.is_begun_by(other, order.is_begun_before) {
            self.flags = self.flags.without(WHO_BEGAN).with(other.flags.among(WHO_BEGAN));
        }
        self.join_answer(other);
        // one that tells of more is of no attempt
        let little = self.flags.among(other.flags).among(Flags::LITTLE);
        let own = self.flags.without(Flags::LITTLE).with(little);
        self.flags = own.with(other.flags.without(WHO_BEGAN.with(Flags::REFUSED).with(Flags::LITTLE)));
        self.join_refusal(other, order.ended);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.src_end = furthest(self.src_end, other.src_end);
        self.hops_src.join(other.hops_src);
        self.hops_dst.join(other.hops_dst);
        self.lump.connections = self.lump.connections.max(other.lump.connections);
        self.lump.hours = self.lump.hours.max(other.lump.hours);
    }
}

impl Trace {
    /// An opening that was refused stays so. Datagrams are refused where the last ones were: who listens again need not answer.
    fn join_refusal(&mut self, other: &Self, ended: Ordering) {
        let (own, its) = (self.flags.among(Flags::REFUSED), other.flags.among(Flags::REFUSED));
        let refused = match ended {
            _ if self.flags.has_any(Flags::ASKED.with(Flags::AGREED)) => own.with(its),
            Ordering::Greater => its,
            Ordering::Less => own,
            Ordering::Equal => own.with(its),
        };
        self.flags = self.flags.without(Flags::REFUSED).with(refused);
    }

    /// Whether another sighting tells better who was first: the one that tells, else the one that began first.
    fn is_begun_by(&self, other: &Self, is_earlier: bool) -> bool {
        let (own, its) = (self.flags.has(Flags::UNTOLD), other.flags.has(Flags::UNTOLD));
        if own == its { is_earlier } else { own }
    }

    /// The number of a datagram that was cut before the bytes which tell it: elsewhere it has another one.
    #[must_use]
    pub fn cut_number(number: u32) -> u32 {
        number & !u32::from(u8::MAX) | CUT
    }

    /// The number of a whole one whose packet had no identification, as of IPv6: another one that says the same has the same.
    #[must_use]
    pub fn nameless_number(number: u32) -> u32 {
        number & !u32::from(u8::MAX) | NAMELESS
    }

    /// The number of a whole one whose packet had an identification.
    #[must_use]
    pub fn named_number(number: u32) -> u32 {
        let is_free = ![CUT, NAMELESS].contains(&(number & u32::from(u8::MAX)));
        if is_free { number } else { number ^ 1 }
    }

    /// Whether a datagram may be known by another number elsewhere. In older stores one of 256 looks so that was not cut.
    #[must_use]
    pub fn may_be_cut(number: u32) -> bool {
        number & u32::from(u8::MAX) == CUT
    }

    /// Whether a datagram with an equal number is the same one, for its packet had an identification. In older stores nearly all look
    /// so, also those that had none.
    #[must_use]
    pub fn is_named(number: u32) -> bool {
        ![CUT, NAMELESS].contains(&(number & u32::from(u8::MAX)))
    }

    /// Whether all that one side sent is a segment that carries nothing, and all that the other did the reset that says that it
    /// knows of no such connection: its number is the one that the segment acknowledges (RFC 9293, section 3.10.7.1).
    /// Whether there ever was one is not known; somebody has tried. Tells whether that was `dst`.
    #[must_use]
    pub fn disowned(&self) -> Option<bool> {
        const TRIED: Flags = Flags::FROM_SRC.with(Flags::DST_DISOWNED);
        const TRIED_BY_DST: Flags = Flags::FROM_DST.with(Flags::DISOWNED);
        const SIDES: Flags = TRIED.with(TRIED_BY_DST);
        const MORE: Flags = Flags::ASKED.with(Flags::AGREED).with(Flags::PAYLOAD);
        if self.flags.has_any(MORE) {
            return None;
        }
        let (src, dst) = ((self.identity, self.src_end), (self.answer, self.dst_end));
        let is_answered =
            |(begin, end): (u32, u32), answer: (u32, u32)| begin == end && answer.0.wrapping_add(1) == answer.1;
        match self.flags.among(SIDES) {
            TRIED if is_answered(src, dst) => Some(false),
            TRIED_BY_DST if is_answered(dst, src) => Some(true),
            _ => None,
        }
    }

    /// Where `dst` stands. Before it agreed it may have answered for an older connection (RFC 9293, section 3.5.2).
    fn join_answer(&mut self, other: &Self) {
        let is_unanswered = |trace: &Self| trace.flags.has(Flags::ASKED) && !trace.flags.has(Flags::AGREED);
        match (self.flags.has(Flags::AGREED), other.flags.has(Flags::AGREED)) {
            (true, false) if is_unanswered(other) => {}
            (false, true) if is_unanswered(self) => (self.answer, self.dst_end) = (other.answer, other.dst_end),
            _ => {
                self.answer = if self.answer == 0 { other.answer } else { self.answer };
                self.dst_end = furthest(self.dst_end, other.dst_end);
            }
        }
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

/// What one sensor saw of the connections between two ends within one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it is about.
    pub key: ObservationKey,
    /// The connections.
    pub traces: TraceSet,
}

/// What one run saw: a capture, or an import of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its first and last packet; runs that follow each other saw different packets.
    pub span: Span,
    /// The interface of a live capture, with its sensor: what two of them saw they never saw one after the other. None of
    /// a file, which may be the next part of another.
    pub interface: Option<String>,
    /// What it saw; one key may come in several parts.
    pub observations: Vec<Observation>,
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
        Trace { src_port, from_src: Tally::one(0, packets, 40 * packets), ..Trace::default() }
    }

    #[test]
    fn parts_of_one_sighting_add_up_at_each_place() {
        let mut whole = trace(40_000, 3);
        whole.append(&trace(40_000, 4));
        whole.append(&Trace { from_src: Tally::one(9, 5, 200), ..trace(40_000, 0) });
        assert_eq!(
            whole.from_src,
            [Sent { point: 0, packets: 7, bytes: 280 }, Sent { point: 9, packets: 5, bytes: 200 }]
                .into_iter()
                .collect()
        );
        assert_eq!(whole.from_src.fullest(), (7, 280));
    }

    #[test]
    fn what_one_side_alone_sent_is_told_apart_by_its_number_and_ranks_like_nothing_else() {
        let answered = |answer| Trace { answer, ..trace(40_000, 1) };
        let all: crate::model::TraceSet = [answered(5), answered(6), answered(5)].into_iter().collect();
        assert_eq!(all.total(), 2);
        let ranks = |of: fn(u16) -> Trace| (0..=u16::MAX).map(move |port| of(port).rank());
        let of_answers = ranks(|port| Trace { src_port: port, answer: 7, ..Trace::default() });
        let of_both = ranks(|port| Trace { src_port: port, identity: 7, answer: 7, ..Trace::default() });
        assert_eq!(of_answers.chain(of_both).collect::<std::collections::BTreeSet<u64>>().len(), 2 << 16);
    }

    #[test]
    fn who_was_first_is_told_by_the_sighting_that_tells_it_and_else_by_the_one_that_began_first() {
        let seen = |first, flags: &[Flags]| {
            let flags = flags.iter().fold(Flags::default(), |all, flag| all.with(*flag));
            Trace { flags, first, ..Trace::default() }
        };
        let cases = [
            (seen(1, &[Flags::SRC_FIRST]), seen(2, &[]), Flags::SRC_FIRST),
            (seen(1, &[Flags::UNTOLD]), seen(2, &[Flags::SRC_FIRST]), Flags::SRC_FIRST),
            (seen(1, &[Flags::UNTOLD, Flags::SRC_FIRST]), seen(2, &[]), Flags::default()),
            (seen(1, &[Flags::UNTOLD]), seen(2, &[Flags::UNTOLD, Flags::SRC_FIRST]), Flags::UNTOLD),
        ];
        for (one, other, flags) in cases {
            for (mut whole, part) in [(one.clone(), &other), (other.clone(), &one)] {
                whole.join(part);
                assert_eq!(whole.flags, flags, "{one:?} {other:?}");
            }
        }
    }
}
