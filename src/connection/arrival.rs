//! Packets on their way to their connections: of each what its connection wants, and nothing else. One of IPv4 takes a
//! cache line where a whole [`Packet`] takes two and a half.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    context::{Context, Tags},
    event::{Event, read},
    tuple::{Address, FiveTuple, Side},
};
use crate::{
    decode::{self, Packet, Transport},
    model::{Hour, Timestamp},
};

/// A packet, as its connection sees it.
#[derive(Clone, Copy)]
pub(super) struct Arrival<A> {
    pub tuple: FiveTuple<A>,
    pub sender: Side,
    pub is_broadcast: bool,
    /// It was not seen: an ICMP error quotes it.
    pub is_refused: bool,
    pub hop_limit: u8,
    /// By which it is known to whoever brought it.
    pub number: u32,
    pub hour: Hour,
    /// Microseconds since the start of the hour.
    pub moment: u32,
    pub point: u32,
    pub ip_bytes: u32,
    pub tags: Tags,
    pub event: Event,
}

impl<A> Arrival<A> {
    pub fn time(&self) -> Timestamp {
        self.hour.at(self.moment)
    }
}

/// Packets on their way to one table, in their order.
#[derive(Default)]
pub struct Arrivals {
    pub(super) v4: Vec<Arrival<Ipv4Addr>>,
    pub(super) v6: Vec<Arrival<Ipv6Addr>>,
    /// The tags and tunnels that do not fit a word.
    pub(super) contexts: Vec<Context>,
}

impl Arrivals {
    /// Adds a packet, or what an error quotes of one, with a number to know it by: numbers must rise, unless
    /// [`Arrivals::sort`] puts them in order.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a packet is long, and most of it need never be written")]
    pub fn push(&mut self, number: u32, time: Timestamp, packet: &Packet<'_>) {
        match packet.transport {
            // a copy: of what is lent out, all would have to be written
            Transport::Unreachable(quote) => self.push_quoted(number, time, *packet, quote),
            _ => self.push_one(number, time, packet, false),
        }
    }

    #[cold]
    fn push_quoted(&mut self, number: u32, time: Timestamp, error: Packet<'_>, quote: &[u8]) {
        if let Some(packet) = decode::quoted(&error, quote) {
            self.push_one(number, time, &packet, true);
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a packet is long, and most of it need never be written")]
    fn push_one(&mut self, number: u32, time: Timestamp, packet: &Packet<'_>, is_refused: bool) {
        let Some((src_port, dst_port, event)) = read(packet) else { return };
        let tags = Tags::of(packet, &mut self.contexts);
        let about = About { number, time, packet, event, tags, is_refused };
        match (&packet.src, &packet.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.v4.push(about.arrival((*src, src_port), (*dst, dst_port))),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.v6.push(about.arrival((*src, src_port), (*dst, dst_port))),
            // no packet has ends of two families
            _ => {}
        }
    }

    /// Puts them in the order of their numbers.
    pub fn sort(&mut self) {
        self.v4.sort_by_key(|one| one.number);
        self.v6.sort_by_key(|one| one.number);
    }

    /// Takes all out; the room is kept.
    pub fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
        self.contexts.clear();
    }
}

/// What does not depend on the address family.
struct About<'p> {
    number: u32,
    time: Timestamp,
    packet: &'p Packet<'p>,
    event: Event,
    tags: Tags,
    is_refused: bool,
}

impl About<'_> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a packet is long, and most of it need never be written")]
    fn arrival<A: Address>(self, src: (A, u16), dst: (A, u16)) -> Arrival<A> {
        let Self { number, time, packet, event, tags, is_refused } = self;
        let (tuple, sender) = FiveTuple::of(src, dst, packet.protocol);
        let (hour, moment) = time.in_hour();
        Arrival {
            tuple,
            sender,
            is_broadcast: packet.is_broadcast,
            is_refused,
            hop_limit: packet.hop_limit,
            number,
            hour,
            moment,
            point: packet.point,
            ip_bytes: packet.ip_bytes,
            tags,
            event,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_ipv4_takes_one_cache_line() {
        assert_eq!(size_of::<Arrival<Ipv4Addr>>(), 64);
    }
}
