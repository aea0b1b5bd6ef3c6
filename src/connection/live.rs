//! One connection while its packets come in.

use super::{
    At, Event,
    context::{ContextSet, Contexts},
};
use crate::{
    decode::Packet,
    model::{Flags, Hops, Hour, Opening, Timestamp, Trace},
};

/// One end of a five-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Low,
    High,
}

/// What one side has sent.
#[derive(Clone, Copy, Default)]
struct Half {
    /// Where its packets were first seen; they count there alone.
    point: Option<u32>,
    /// The tags and tunnels that its packets came with.
    contexts: ContextSet,
    /// The number of its last packet: where a segment stands in the stream, a datagram's digest.
    last: u32,
}

/// The state of a connection, and what the current hour added to it.
#[derive(Clone)]
pub(super) struct Connection {
    /// The side that the trace calls `src`: who opened, else who was seen first.
    src: Side,
    opening: Opening,
    hour: Hour,
    last: Timestamp,
    trace: Trace,
    /// What `src` has sent, then what the other side has.
    halves: [Half; 2],
    /// Another connection between equal ends, in other VLANs or tunnels.
    pub(super) next: Option<Box<Connection>>,
}

/// Segments of one connection, seen at several places, stand no further apart in their stream than this.
const WINDOW_BYTES: u32 = 1 << 20;

impl Connection {
    pub(super) fn new(time: Timestamp, sender: Side) -> Self {
        let moment = time.micros_in_hour();
        Self {
            src: sender,
            opening: Opening::Open,
            hour: time.hour(),
            last: time,
            trace: Trace { flags: Flags::SRC_FIRST, first: moment, last: moment, ..Trace::default() },
            halves: [Half::default(); 2],
            next: None,
        }
    }

    /// Becomes the next connection between the same ends.
    pub(super) fn renew(&mut self, time: Timestamp, sender: Side) {
        *self = Self { next: self.next.take(), ..Self::new(time, sender) };
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

    pub(super) fn contexts(&self) -> [ContextSet; 2] {
        self.halves.map(|half| half.contexts)
    }

    /// Whether the current hour has packets that were not written out yet.
    pub(super) fn has_news(&self) -> bool {
        self.trace.packets > 0
    }

    /// The least useful to keep sort first: the closed, then the longest silent.
    pub(super) fn usefulness(&self) -> (bool, Timestamp) {
        (!self.trace.flags.has(Flags::CLOSED), self.last)
    }

    /// Whether a packet may be of this connection. One that comes in VLANs or tunnels which its side was not seen in must
    /// be a packet that was seen elsewhere, or near it; equal addresses in two networks are otherwise two connections.
    pub(super) fn owns(&self, event: Event, sender: Side, packet: &Packet<'_>, contexts: &Contexts) -> bool {
        let half = self.half(sender);
        if half.point.is_none() || contexts.has(half.contexts, (packet.vlans, packet.tunnels)) {
            return true;
        }
        match event {
            Event::Datagram(number) => number == half.last,
            Event::Open(number) | Event::Agree(_, number) => is_near(number, half.last),
            Event::Reset { at } | Event::Traffic { at, .. } => at.is_none_or(|at| is_near(at.sequence, half.last)),
        }
    }

    /// Whether this packet belongs to a later connection between the same ends.
    pub(super) fn is_over(&self, event: Event, sender: Side, time: Timestamp, datagram_idle_s: f64) -> bool {
        if self.is_new() {
            return false;
        }
        match event {
            // the SYN may come after the SYN-ACK where two interfaces were captured
            Event::Open(number) => self.opening == Opening::Open || self.trace.identity != number || sender != self.src,
            Event::Agree(number, _) => {
                self.opening == Opening::Seen && (self.trace.identity != number || sender == self.src)
            }
            Event::Datagram(_) => time.seconds_since(self.last) > datagram_idle_s,
            Event::Reset { .. } | Event::Traffic { .. } => false,
        }
    }

    /// What the packet says of the connection's state.
    pub(super) fn apply(&mut self, event: Event, sender: Side) {
        match event {
            Event::Open(number) => {
                self.opened_by(sender);
                self.trace.identity = number;
                self.trace.flags.add(Flags::ASKED);
                self.stands_at(sender, number, number.wrapping_add(1));
            }
            Event::Agree(number, answer) => {
                if self.opening == Opening::Open {
                    self.opened_by(sender.other());
                }
                self.trace.identity = number;
                self.trace.answer = answer;
                self.trace.flags.add(Flags::AGREED);
                self.stands_at(sender, answer, answer.wrapping_add(1));
            }
            Event::Reset { .. } if sender != self.src && self.is_asking() => self.trace.flags.add(Flags::REFUSED),
            // a refusal whose SYN was not captured names it: sequence 0, and one more than the SYN's (RFC 9293, 3.10.7.1)
            Event::Reset { at: Some(At { sequence: 0, acknowledgment, .. }) } if self.is_new() => {
                self.opened_by(sender.other());
                self.trace.identity = acknowledgment.wrapping_sub(1);
                self.trace.flags.add(Flags::REFUSED);
            }
            Event::Reset { at } => {
                self.spoke(sender);
                self.trace.flags.add(Flags::CLOSED);
                if let Some(at) = at {
                    self.stands_at(sender, at.sequence, at.end);
                }
            }
            Event::Traffic { data, closes, at } => {
                self.spoke(sender);
                if let Some(at) = at {
                    self.learn_answer(sender, at.sequence, at.acknowledgment);
                    self.stands_at(sender, at.sequence, at.end);
                }
                if data {
                    self.trace.flags.add(Flags::PAYLOAD);
                }
                if closes {
                    self.trace.flags.add(Flags::CLOSED);
                }
            }
            Event::Datagram(number) => {
                self.stands_at(sender, number, number);
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
    pub(super) fn count(&mut self, time: Timestamp, sender: Side, packet: &Packet<'_>, contexts: &mut Contexts) {
        let moment = time.micros_in_hour();
        self.last = self.last.max(time);
        self.trace.first = self.trace.first.min(moment);
        self.trace.last = self.trace.last.max(moment);
        let is_src = sender == self.src;
        let hops = if is_src { &mut self.trace.hops_src } else { &mut self.trace.hops_dst };
        hops.join(Hops::of(packet.hop_limit));
        let half = self.half_mut(sender);
        half.contexts = contexts.with(half.contexts, (packet.vlans, packet.tunnels));
        if *half.point.get_or_insert(packet.point) != packet.point {
            return;
        }
        self.trace.packets += 1;
        let bytes = if is_src { &mut self.trace.bytes_to_dst } else { &mut self.trace.bytes_to_src };
        *bytes += u64::from(packet.ip_bytes);
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

    fn half(&self, side: Side) -> &Half {
        let [src, dst] = &self.halves;
        if side == self.src { src } else { dst }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        let [src, dst] = &mut self.halves;
        if side == self.src { src } else { dst }
    }

    /// Whether no packet of it has been counted yet.
    fn is_new(&self) -> bool {
        self.halves.iter().all(|half| half.point.is_none())
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
            self.halves.reverse();
        }
    }

    /// The client's first segment past its SYN acknowledges the server's initial sequence number: so it is known also
    /// where the server's packets come under another address.
    fn learn_answer(&mut self, sender: Side, sequence: u32, acknowledgment: u32) {
        let is_first = sequence == self.trace.identity.wrapping_add(1);
        if sender == self.src && self.trace.answer == 0 && self.trace.flags.has(Flags::ASKED) && is_first {
            self.trace.answer = acknowledgment.wrapping_sub(1);
        }
    }

    /// Notes where the sender stands: the first number that was seen of it, and the furthest.
    fn stands_at(&mut self, sender: Side, number: u32, end: u32) {
        let is_src = sender == self.src;
        let is_first = self.half(sender).point.is_none();
        let (begin, furthest) = if is_src {
            (&mut self.trace.identity, &mut self.trace.src_end)
        } else {
            (&mut self.trace.answer, &mut self.trace.dst_end)
        };
        if *begin == 0 {
            *begin = number;
        }
        if is_first || *furthest == 0 || is_after(end, *furthest) {
            *furthest = end;
        }
        self.half_mut(sender).last = number;
    }

    fn spoke(&mut self, sender: Side) {
        self.trace.flags.add(if sender == self.src { Flags::FROM_SRC } else { Flags::FROM_DST });
    }
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// Whether two places of a stream are within a window of each other; numbers wrap (RFC 9293, section 3.4).
fn is_near(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).min(b.wrapping_sub(a)) <= WINDOW_BYTES
}

fn is_after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}
