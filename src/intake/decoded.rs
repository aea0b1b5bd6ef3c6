//! What is made of a batch without looking at any other frame: packets, sorted by the shard that they go to.

use std::net::IpAddr;

use super::{Counts, digest::Digest, twice::Twice};
use crate::{
    application::{self, Recent, Said},
    capture::{Batch, Frame},
    connection::{Arrivals, SHARDS},
    decode::{Fragment, Fragments, NotDecoded, Options, Packet, Repeats, Transport, Wifi, common, decode_with, quoted},
    model::{Protocol, Timestamp, well_known},
    names, segment,
};

/// A fragment without its data: a first one is to be remembered, a later one is of no connection until its first is known.
struct Piece {
    n: usize,
    time: Timestamp,
    packet: Packet<'static>,
}

/// A batch, and what was decoded of it.
#[derive(Default)]
pub(super) struct Decoded {
    pub batch: Batch,
    pub counts: Counts,
    pub digest: Digest,
    pub twice: Twice,
    /// The packets by the shard of their connection, each with the number of its frame in the batch.
    pub by_shard: [Arrivals; SHARDS],
    pieces: Vec<Piece>,
    /// Frames of which must be known whether they were sent before.
    maybe_repeated: Vec<usize>,
    /// Frames that may tell a name.
    pub names: Vec<usize>,
    /// What packets said of their applications, but for what was said a moment ago.
    pub said: Vec<Said>,
    recent: Recent,
    /// Frames that may tell of their link, whatever connection they are of.
    pub links: Vec<usize>,
    /// How many frames were seen at each place.
    pub places: segment::Places,
}

impl Decoded {
    /// Takes all out; the room is kept.
    pub fn clear(&mut self) {
        self.batch.clear();
        self.counts = Counts::default();
        self.digest = Digest::default();
        self.twice = Twice::default();
        self.by_shard.iter_mut().for_each(Arrivals::clear);
        self.pieces.clear();
        self.maybe_repeated.clear();
        self.names.clear();
        self.said.clear();
        self.recent.clear();
        self.links.clear();
        self.places.clear();
    }

    /// Decodes the frames of its batch.
    pub fn decode(&mut self, options: &Options) {
        let batch = std::mem::take(&mut self.batch);
        for (n, frame) in (0..).zip(batch.range(0..batch.len())) {
            self.add(n, &frame, options);
        }
        self.batch = batch;
    }

    fn add(&mut self, n: usize, frame: &Frame<'_>, options: &Options) {
        self.counts.begin(frame);
        let content = self.digest.add(frame);
        self.twice.add(frame, content);
        match common(frame, options) {
            Some(packet) => {
                self.places.count_tagged(frame, packet.vlans);
                self.take(n, frame.time, &packet);
            }
            None => self.add_uncommon(n, frame, options),
        }
    }

    /// Takes a frame in that is not a common one: out of the way of those that are.
    #[cold]
    fn add_uncommon(&mut self, n: usize, frame: &Frame<'_>, options: &Options) {
        self.places.count(frame);
        if Repeats::concern(frame) {
            self.maybe_repeated.push(n);
            return;
        }
        self.add_decoded(n, frame, options);
    }

    fn add_decoded(&mut self, n: usize, frame: &Frame<'_>, options: &Options) {
        match decode_with(frame, options) {
            Ok(packet) => {
                let is_later = packet.fragment.is_some_and(Fragment::is_later);
                if let Some(piece) = packet.fragment.and_then(|_| packet.as_part()) {
                    self.pieces.push(Piece { n, time: frame.time, packet: piece });
                }
                if is_later { self.note(n, frame.time, &packet) } else { self.take(n, frame.time, &packet) }
            }
            Err(reason) => self.leave_out(n, reason),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a packet is long, and most of it need never be written")]
    fn take(&mut self, n: usize, time: Timestamp, packet: &Packet<'_>) {
        self.note(n, time, packet);
        self.hand_on(n, time, packet);
    }

    /// What a packet tells beside its connection.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a packet is long, and most of it need never be written")]
    fn note(&mut self, n: usize, time: Timestamp, packet: &Packet<'_>) {
        if names::may_tell(packet) {
            self.names.push(n);
        }
        if let Some(said) = application::said(time, packet)
            && self.recent.is_new(&said)
        {
            self.said.push(said);
        }
        if speaks_of_links(packet) {
            self.links.push(n);
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a packet is long, and most of it need never be written")]
    fn hand_on(&mut self, n: usize, time: Timestamp, packet: &Packet<'_>) {
        self.counts.use_packet(packet);
        if let Some(shard) = self.by_shard.get_mut(shard(packet)) {
            shard.push(u32::try_from(n).unwrap_or(u32::MAX), time, packet);
        }
    }

    fn leave_out(&mut self, n: usize, reason: NotDecoded) {
        *self.counts.not_decoded.entry(reason).or_default() += 1;
        self.links.push(n);
    }

    /// Takes in the frames that may be others sent again, unless they are. Before [`Decoded::join_fragments`].
    pub fn join_repeats(&mut self, known: &mut Repeats, options: &Options) {
        if self.maybe_repeated.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        for n in std::mem::take(&mut self.maybe_repeated) {
            match batch.get(n) {
                Some(frame) if known.has(&frame) => self.leave_out(n, NotDecoded::Wifi(Wifi::Repeated)),
                Some(frame) => self.add_decoded(n, &frame, options),
                None => {}
            }
        }
        self.batch = batch;
        self.pieces.sort_by_key(|piece| piece.n);
        self.by_shard.iter_mut().for_each(Arrivals::sort);
        self.names.sort_unstable();
        self.links.sort_unstable();
    }

    /// Remembers first fragments, and takes later ones to the connections of their packets, between the other packets.
    pub fn join_fragments(&mut self, known: &mut Fragments) {
        let pieces = std::mem::take(&mut self.pieces);
        for Piece { n, time, packet } in &pieces {
            let is_later = packet.fragment.is_some_and(Fragment::is_later);
            match known.joined(*time, *packet) {
                Ok(packet) if is_later => self.hand_on(*n, *time, &packet),
                Ok(_) => {}
                Err(reason) => self.leave_out(*n, reason),
            }
        }
        if !pieces.is_empty() {
            self.by_shard.iter_mut().for_each(Arrivals::sort);
        }
    }
}

/// Whether a packet may tell more of its link than its addresses: broadcasts, errors, neighbour discovery, DHCP.
#[inline]
pub(super) fn speaks_of_links(packet: &Packet<'_>) -> bool {
    let is_dhcp = matches!(packet.transport, Transport::Udp { src_port: well_known::DHCP_SERVER, .. });
    let is_error = matches!(packet.transport, Transport::Unreachable(_));
    packet.is_broadcast || packet.protocol == Protocol::ICMPV6 || is_dhcp || is_error
}

/// The shard of a packet: by the two addresses in any order, so that fragments, which name no ports, go with the rest, and
/// an error goes with what it is about. It has no seed, for equal captures shall give equal stores.
#[inline]
fn shard(packet: &Packet<'_>) -> usize {
    let both = match packet.transport {
        Transport::Unreachable(quote) => {
            let (src, dst) = ends_of_quoted(*packet, quote);
            word(&src).wrapping_add(word(&dst))
        }
        // by reference: nothing of it need be copied
        _ => word(&packet.src).wrapping_add(word(&packet.dst)),
    };
    // the upper bits are the well mixed ones
    usize::try_from(both.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap_or_default() % SHARDS
}

#[cold]
fn ends_of_quoted(error: Packet<'_>, quote: &[u8]) -> (IpAddr, IpAddr) {
    quoted(&error, quote).map_or((error.src, error.dst), |about| (about.src, about.dst))
}

/// An address, so that sums of two are well spread.
fn word(address: &IpAddr) -> u64 {
    let (high, low) = match address {
        IpAddr::V4(v4) => (0, u64::from(v4.to_bits())),
        IpAddr::V6(v6) => {
            let [high, low] = [v6.to_bits() >> 64, v6.to_bits() & u128::from(u64::MAX)];
            (u64::try_from(high).unwrap_or_default(), u64::try_from(low).unwrap_or_default())
        }
    };
    let mixed = (low ^ high.rotate_left(17)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 31
}
