//! Fragments past the first, which have no ports: counted to the flow of the first one, through a table of fixed size. Nothing
//! is put together again.

use std::{
    hash::{BuildHasher, Hash},
    num::NonZeroU64,
};

use foldhash::{HashMap, quality::FixedState};

use super::{Layer, NotDecoded, Packet, Transport};
use crate::model::Timestamp;

/// First fragments that are remembered. The others of a packet follow within milliseconds.
const MAX_FIRSTS: usize = 4_096;

/// No host waits longer for the rest of a packet (RFC 8200, section 4.5); its number may then be another packet's.
const LIFETIME_S: f64 = 60.0;

/// Which packet a fragment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fragment(
    /// A hash of what all fragments of one packet at one place have in common, whose lowest bit says that it is a later
    /// one, and the next that the packet is no tunnel's: packets are copied often, and few are fragments. Never 0.
    NonZeroU64,
);

/// The bit of a later fragment, and that of a packet which is no tunnel's.
const LATER: u64 = 1;
const PLAIN: u64 = 1 << 1;

impl Fragment {
    pub(super) fn of(common: impl Hash, is_later: bool) -> Self {
        const NOT_ZERO: u64 = 1 << 2;
        let key = FixedState::default().hash_one(common) | LATER | PLAIN | NOT_ZERO;
        Self::of_bits(if is_later { key } else { key & !LATER })
    }

    fn of_bits(bits: u64) -> Self {
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }

    fn key(self) -> u64 {
        self.0.get() | LATER | PLAIN
    }

    /// The fragment of a tunnel's packet, in whose first fragment another packet begins.
    pub(super) fn of_tunnel(self) -> Self {
        Self::of_bits(self.0.get() & !PLAIN)
    }

    /// Whether it is past the first of its packet: it has no ports.
    #[must_use]
    pub fn is_later(self) -> bool {
        self.0.get() & LATER != 0
    }

    fn is_of_tunnel(self) -> bool {
        self.0.get() & PLAIN == 0
    }
}

/// The first fragments that came last.
#[derive(Default)]
pub struct Fragments {
    /// Places in the ring.
    places: HashMap<u64, usize>,
    ring: Vec<(u64, First)>,
    oldest: usize,
}

/// A first fragment, as what it is in a tunnel too.
struct First {
    time: Timestamp,
    packet: Packet<'static>,
}

impl Fragments {
    /// Notes a first fragment, and gives a later one the ends, tags and place of its first. Others than fragments need not
    /// come here.
    pub fn joined<'a>(&mut self, time: Timestamp, packet: Packet<'a>) -> Result<Packet<'a>, NotDecoded> {
        let Some(fragment) = packet.fragment else { return Ok(packet) };
        if !fragment.is_later() {
            self.note(fragment.key(), time, &packet);
            return Ok(packet);
        }
        let layer = if packet.src.is_ipv4() { Layer::Ipv4 } else { Layer::Ipv6 };
        let first = self.find(fragment.key(), time).ok_or(NotDecoded::LaterFragment(layer))?;
        Ok(Packet { ip_bytes: packet.ip_bytes, fragment: Some(fragment), ..*first })
    }

    fn find(&self, key: u64, time: Timestamp) -> Option<&Packet<'static>> {
        let (_, first) = self.ring.get(*self.places.get(&key)?)?;
        (time.seconds_since(first.time).abs() <= LIFETIME_S).then_some(&first.packet)
    }

    fn note(&mut self, key: u64, time: Timestamp, packet: &Packet<'_>) {
        let Some(packet) = packet.as_part() else { return };
        let entry = (key, First { time, packet });
        let place = self.oldest;
        if let Some(slot) = self.ring.get_mut(place) {
            let (replaced, _) = std::mem::replace(slot, entry);
            if self.places.get(&replaced) == Some(&place) {
                self.places.remove(&replaced);
            }
        } else {
            self.ring.push(entry);
        }
        self.places.insert(key, place);
        self.oldest = (place + 1) % MAX_FIRSTS;
    }
}

impl Packet<'_> {
    /// What all fragments of one packet share; `None` where they belong to no flow, as those of an error.
    #[must_use]
    pub fn as_part(&self) -> Option<Packet<'static>> {
        let transport = match self.transport {
            Transport::Unreachable(_) => return None,
            // the packet inside tells its whole length in the first fragment
            _ if self.fragment.is_some_and(Fragment::is_of_tunnel) => Transport::Rest,
            Transport::Rest => Transport::Rest,
            Transport::Tcp { src_port, dst_port, .. }
            | Transport::Udp { src_port, dst_port, .. }
            | Transport::Sctp { src_port, dst_port, .. }
            | Transport::Part { src_port, dst_port } => Transport::Part { src_port, dst_port },
            Transport::Control(_) | Transport::Other => Transport::Part { src_port: 0, dst_port: 0 },
        };
        let Packet {
            vlans,
            tunnels,
            point,
            is_broadcast,
            src,
            dst,
            protocol,
            hop_limit,
            ip_id,
            ip_bytes,
            fragment,
            ..
        } = *self;
        Some(Packet {
            vlans,
            tunnels,
            point,
            is_broadcast,
            src,
            dst,
            protocol,
            hop_limit,
            ip_id,
            ip_bytes,
            fragment,
            transport,
        })
    }
}
