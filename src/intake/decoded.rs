//! What is made of a part of a batch without looking at any other frame: packets, sorted by the shard that they go to.

use std::{net::IpAddr, ops::Range};

use super::{Counts, digest::Digest};
use crate::{
    capture::{Batch, Frame},
    connection::SHARDS,
    decode::{Fragments, NotDecoded, Options, Packet, Transport, decode_with, quoted},
    model::{Protocol, Timestamp},
    names, segment,
};

/// A packet on its way to its connection.
pub(super) struct Taken<'b> {
    /// The number of its frame in the batch.
    pub n: usize,
    pub time: Timestamp,
    pub packet: Packet<'b>,
}

/// A part of a batch, decoded.
pub(super) struct Decoded<'b> {
    pub counts: Counts,
    pub digest: Digest,
    /// The packets by the shard of their connection.
    pub by_shard: [Vec<Taken<'b>>; SHARDS],
    /// Fragments, which are of no connection until the first of their packet is known.
    pub fragments: Vec<Taken<'b>>,
    /// Frames that may tell a name.
    pub names: Vec<usize>,
    /// Frames that may tell of their link, whatever connection they are of.
    pub links: Vec<usize>,
    /// How many frames were seen at each place.
    pub places: segment::Places,
}

impl<'b> Decoded<'b> {
    /// Decodes the frames of these numbers.
    pub fn of(batch: &'b Batch, numbers: Range<usize>, options: &Options) -> Self {
        let room = numbers.len() / SHARDS * 2;
        let mut decoded = Self {
            counts: Counts::default(),
            digest: Digest::default(),
            by_shard: std::array::from_fn(|_| Vec::with_capacity(room)),
            fragments: Vec::new(),
            names: Vec::new(),
            links: Vec::new(),
            places: segment::Places::default(),
        };
        for (n, frame) in numbers.clone().zip(batch.range(numbers)) {
            decoded.add(n, &frame, options);
        }
        decoded
    }

    fn add(&mut self, n: usize, frame: &Frame<'b>, options: &Options) {
        self.counts.begin(frame);
        self.digest.add(frame);
        self.places.count(frame);
        match decode_with(frame, options) {
            Ok(packet) => {
                if names::may_tell(&packet) {
                    self.names.push(n);
                }
                if speaks_of_links(&packet) {
                    self.links.push(n);
                }
                let taken = Taken { n, time: frame.time, packet };
                if packet.fragment.is_some() {
                    self.fragments.push(taken);
                } else {
                    self.hand_on(taken);
                }
            }
            Err(reason) => self.leave_out(n, reason),
        }
    }

    fn hand_on(&mut self, taken: Taken<'b>) {
        self.counts.use_packet(&taken.packet);
        if let Some(shard) = self.by_shard.get_mut(shard(&taken.packet)) {
            shard.push(taken);
        }
    }

    fn leave_out(&mut self, n: usize, reason: NotDecoded) {
        *self.counts.not_decoded.entry(reason).or_default() += 1;
        self.links.push(n);
    }

    /// Takes the fragments to the connections of their packets, between the other packets.
    pub fn join_fragments(&mut self, known: &mut Fragments) {
        if self.fragments.is_empty() {
            return;
        }
        for Taken { n, time, packet } in std::mem::take(&mut self.fragments) {
            match known.joined(time, packet) {
                Ok(packet) => self.hand_on(Taken { n, time, packet }),
                Err(reason) => self.leave_out(n, reason),
            }
        }
        for shard in &mut self.by_shard {
            shard.sort_by_key(|taken| taken.n);
        }
    }
}

/// Whether a packet may tell more of its link than its addresses: broadcasts, neighbour discovery, DHCP.
pub(super) fn speaks_of_links(packet: &Packet<'_>) -> bool {
    const DHCP_SERVER: u16 = 67;
    let is_dhcp = matches!(packet.transport, Transport::Udp { src_port: DHCP_SERVER, .. });
    packet.is_broadcast || packet.protocol == Protocol::ICMPV6 || is_dhcp
}

/// The shard of a packet: by the two addresses in any order, so that fragments, which name no ports, go with the rest, and
/// an error goes with what it is about. It has no seed, for equal captures shall give equal stores.
fn shard(packet: &Packet<'_>) -> usize {
    let about = match packet.transport {
        Transport::Unreachable(quote) => quoted(packet, quote),
        _ => None,
    };
    let (src, dst) = about.map_or((packet.src, packet.dst), |about| (about.src, about.dst));
    let both = word(src).wrapping_add(word(dst)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // the upper bits are the well mixed ones
    usize::try_from(both >> 32).unwrap_or_default() % SHARDS
}

/// An address, so that sums of two are well spread.
fn word(address: IpAddr) -> u64 {
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
