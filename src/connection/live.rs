//! One connection while its packets come in.

use super::{Event, TagSets};
use crate::{
    decode::{Packet, VlanStack},
    model::{Flags, Hour, Opening, Timestamp, Trace},
};

/// One end of a five-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Low,
    High,
}

/// The state of a connection, and what the current hour added to it.
#[derive(Clone, Copy)]
pub(super) struct Connection {
    /// The side that the trace calls `src`: who opened, else who was seen first.
    src: Side,
    opening: Opening,
    hour: Hour,
    last: Timestamp,
    trace: Trace,
    /// Where the packets of `src` and of the other side were first seen; they count there alone.
    points: [Option<u32>; 2],
    tags: u32,
    last_tags: VlanStack,
    is_tagged: bool,
}

impl Connection {
    pub(super) fn new(time: Timestamp, sender: Side) -> Self {
        let moment = time.micros_in_hour();
        Self {
            src: sender,
            opening: Opening::Open,
            hour: time.hour(),
            last: time,
            trace: Trace { flags: Flags::SRC_FIRST, first: moment, last: moment, ..Trace::default() },
            points: [None; 2],
            tags: 0,
            last_tags: VlanStack::default(),
            is_tagged: false,
        }
    }

    pub(super) fn opening(&self) -> Opening {
        self.opening
    }

    pub(super) fn hour(&self) -> Hour {
        self.hour
    }

    pub(super) fn src(&self) -> Side {
        self.src
    }

    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    pub(super) fn tags(&self) -> u32 {
        self.tags
    }

    /// Whether the current hour has packets that were not written out yet.
    pub(super) fn has_news(&self) -> bool {
        self.trace.packets > 0
    }

    /// The least useful to keep sort first: the closed, then the longest silent.
    pub(super) fn usefulness(&self) -> (bool, Timestamp) {
        (!self.trace.flags.has(Flags::CLOSED), self.last)
    }

    /// Whether this packet belongs to a later connection between the same ends.
    pub(super) fn is_over(&self, event: Event, sender: Side, time: Timestamp, datagram_idle_s: f64) -> bool {
        let is_new = self.points == [None; 2];
        match event {
            _ if is_new => false,
            // the SYN may come after the SYN-ACK where two interfaces were captured
            Event::Open(number) => self.opening == Opening::Open || self.trace.identity != number || sender != self.src,
            Event::Agree(number, _) => {
                self.opening == Opening::Seen && (self.trace.identity != number || sender == self.src)
            }
            Event::Datagram(_) => time.seconds_since(self.last) > datagram_idle_s,
            Event::Reset | Event::Traffic { .. } => false,
        }
    }

    /// What the packet says of the connection's state.
    pub(super) fn apply(&mut self, event: Event, sender: Side) {
        match event {
            Event::Open(number) => {
                self.opened_by(sender);
                self.trace.identity = number;
                self.trace.flags.add(Flags::ASKED);
            }
            Event::Agree(number, answer) => {
                if self.opening == Opening::Open {
                    self.opened_by(other(sender));
                }
                self.trace.identity = number;
                self.trace.answer = answer;
                self.trace.flags.add(Flags::AGREED);
            }
            Event::Reset if sender != self.src && self.is_asking() => self.trace.flags.add(Flags::REFUSED),
            Event::Reset => {
                self.spoke(sender);
                self.trace.flags.add(Flags::CLOSED);
            }
            Event::Traffic { data, closes, at } => {
                self.spoke(sender);
                self.learn_answer(sender, at);
                if data {
                    self.trace.flags.add(Flags::PAYLOAD);
                }
                if closes {
                    self.trace.flags.add(Flags::CLOSED);
                }
            }
            Event::Datagram(number) => {
                if self.trace.identity == 0 {
                    self.trace.identity = number;
                }
                self.spoke(sender);
                self.trace.flags.add(Flags::PAYLOAD);
            }
        }
    }

    /// Somebody else said that the attempt of `sender` cannot be answered.
    pub(super) fn refuse(&mut self, sender: Side) {
        if sender == self.src && !self.trace.flags.has(Flags::AGREED) && !self.trace.flags.has(Flags::FROM_DST) {
            self.trace.flags.add(Flags::REFUSED);
        }
    }

    /// Counts the packet, unless it is another sighting of one that counts elsewhere.
    pub(super) fn count(&mut self, time: Timestamp, sender: Side, packet: &Packet<'_>) {
        let moment = time.micros_in_hour();
        self.last = self.last.max(time);
        self.trace.first = self.trace.first.min(moment);
        self.trace.last = self.trace.last.max(moment);
        let is_src = sender == self.src;
        let hops = if is_src { &mut self.trace.hops_src } else { &mut self.trace.hops_dst };
        *hops = (*hops).max(packet.hop_limit);
        let [src_point, dst_point] = &mut self.points;
        let point = if is_src { src_point } else { dst_point };
        if *point.get_or_insert(packet.point) != packet.point {
            return;
        }
        self.trace.packets += 1;
        let bytes = if is_src { &mut self.trace.bytes_to_dst } else { &mut self.trace.bytes_to_src };
        *bytes += u64::from(packet.ip_bytes);
    }

    /// Remembers the tags of a packet.
    pub(super) fn tag(&mut self, vlans: VlanStack, sets: &mut TagSets) {
        if !self.is_tagged || self.last_tags != vlans {
            self.tags = sets.with(self.tags, vlans);
            self.last_tags = vlans;
            self.is_tagged = true;
        }
    }

    /// Starts the count of a new hour; what is known of the connection holds on.
    pub(super) fn turn_hour(&mut self, time: Timestamp) {
        self.hour = time.hour();
        self.clear();
        let moment = time.micros_in_hour();
        (self.trace.first, self.trace.last) = (moment, moment);
    }

    /// Forgets the counts that were written out.
    pub(super) fn clear(&mut self) {
        (self.trace.packets, self.trace.bytes_to_dst, self.trace.bytes_to_src) = (0, 0, 0);
    }

    /// The client's first segment past its SYN acknowledges the server's initial sequence number: so it is known also
    /// where the server's packets come under another address.
    fn learn_answer(&mut self, sender: Side, at: Option<(u32, u32)>) {
        let Some((sequence, acknowledgment)) = at else { return };
        let is_first = sequence == self.trace.identity.wrapping_add(1);
        if sender == self.src && self.trace.answer == 0 && self.trace.flags.has(Flags::ASKED) && is_first {
            self.trace.answer = acknowledgment.wrapping_sub(1);
        }
    }

    fn is_asking(&self) -> bool {
        self.trace.flags.has(Flags::ASKED) && !self.trace.flags.has(Flags::AGREED)
    }

    /// Now the client is known: it is `src` from here on.
    fn opened_by(&mut self, client: Side) {
        self.opening = Opening::Seen;
        if self.src != client {
            self.src = client;
            self.trace = self.trace.turned(0);
            self.points.reverse();
        }
    }

    fn spoke(&mut self, sender: Side) {
        self.trace.flags.add(if sender == self.src { Flags::FROM_SRC } else { Flags::FROM_DST });
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Low => Side::High,
        Side::High => Side::Low,
    }
}
