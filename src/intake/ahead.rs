//! Frames that come one by one, some at a time: a frame's bytes are gone when the next one is asked for, so that what is
//! still needed of it is kept.

use super::decoded::speaks_of_links;
use crate::{
    capture::{Frame, LinkType},
    connection::{Arrivals, Tracker},
    decode::{Packet, Transport},
    model::{Timestamp, well_known::DHCP},
    segment::{Places, Table},
};

/// Frames that are kept at most: twice as many as are looked for at once.
const AT_MOST: usize = 64;

/// Bytes of a frame by which it tells of its link: two tags and Ethernet take 22, IPv6 40, the cooked header 20.
const HEAD_BYTES: usize = 64;

/// What is kept.
#[derive(Default)]
pub(super) struct Ahead {
    /// Each by the number of its head.
    packets: Arrivals,
    heads: Vec<Head>,
    places: Places,
}

/// The beginning of a frame.
struct Head {
    time: Timestamp,
    link: LinkType,
    interface: u32,
    wire_length: u32,
    length: usize,
    data: [u8; HEAD_BYTES],
}

impl Head {
    fn of(frame: &Frame<'_>) -> Self {
        let Frame { time, link, interface, wire_length, data: bytes } = *frame;
        if let Some(data) = bytes.first_chunk() {
            // most are long enough: so many bytes at once, and none of them made before
            return Self { time, link, interface, wire_length, length: HEAD_BYTES, data: *data };
        }
        let mut data = [0; HEAD_BYTES];
        let length = bytes.len();
        if let Some(to) = data.get_mut(..length) {
            to.copy_from_slice(bytes);
        }
        Self { time, link, interface, wire_length, length, data }
    }

    fn frame(&self) -> Frame<'_> {
        let Self { time, link, interface, wire_length, length, ref data } = *self;
        Frame { time, link, interface, wire_length, data: data.get(..length).unwrap_or_default() }
    }
}

/// Whether what it says stands in its head and its numbers.
fn can_wait(packet: &Packet<'_>) -> bool {
    // messages of DHCP tell of links by all that is in them
    let is_dhcp = match packet.transport {
        Transport::Udp { src_port, dst_port, .. } => DHCP.contains(&src_port) || DHCP.contains(&dst_port),
        _ => false,
    };
    packet.fragment.is_none() && !is_dhcp && !speaks_of_links(packet)
}

impl Ahead {
    /// Keeps a frame with its packet, unless it must be taken in by itself, which is told by false.
    #[inline]
    pub fn keep(&mut self, frame: &Frame<'_>, packet: &Packet<'_>, is_common: bool) -> bool {
        if !can_wait(packet) {
            return false;
        }
        self.packets.push(u32::try_from(self.heads.len()).unwrap_or(u32::MAX), frame.time, packet);
        self.heads.push(Head::of(frame));
        if is_common {
            self.places.count_tagged(frame, packet.vlans);
        } else {
            self.places.count(frame);
        }
        true
    }

    pub fn is_full(&self) -> bool {
        self.heads.len() >= AT_MOST
    }

    /// Takes in what was kept.
    pub fn settle(&mut self, tracker: &mut Tracker, links: &mut Table) {
        if self.heads.is_empty() {
            return;
        }
        links.add_places(&self.places);
        self.places.clear();
        tracker.ingest_all(&self.packets, |n| {
            if let Some(head) = self.heads.get(n as usize) {
                links.hear(&head.frame());
            }
        });
        links.settle();
        self.packets.clear();
        self.heads.clear();
    }
}
