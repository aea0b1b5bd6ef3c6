//! What packets tell of a connection's state.

use super::{Connection, Half};
use crate::{
    connection::{
        event::{At, Event},
        tuple::Side,
    },
    model::{Flags, Opening},
};

/// Within so many seconds a host says again that a datagram could not be delivered.
const REFUSED_AGAIN_S: u16 = 2;

impl Half {
    /// A datagram with this number was sent.
    fn numbered(&mut self, number: u32) {
        self.begin = if self.begin == 0 { number } else { self.begin };
        self.end = number;
    }
}

impl Connection {
    /// What the packet says of the connection's state.
    pub fn apply(&mut self, event: Event, sender: Side, moment: u32) {
        match event {
            Event::Open(number) => {
                self.opened_by(sender, number);
                self.flags.add(Flags::ASKED);
                self.stands_at(sender, number, number.wrapping_add(1));
            }
            Event::Probe(number) if self.is_new() => {
                self.opened_by(sender, number);
                self.flags.add(Flags::ASKED);
            }
            // tried again; and the rest of a SYN in fragments is not its sender going on
            Event::Probe(_) | Event::Part { is_data: false } if sender == self.src && self.is_asking() => {}
            Event::Agree(number, answer) => {
                if self.opening == Opening::Unseen {
                    self.opened_by(sender.other(), number);
                }
                let is_first = !self.flags.has(Flags::AGREED);
                let half = self.half_mut(sender);
                half.begin = answer;
                if is_first {
                    // what came before was of an older connection (RFC 9293, 3.5.2)
                    half.end = answer.wrapping_add(1);
                }
                self.flags.add(Flags::AGREED);
            }
            Event::Reset(_) | Event::BareReset(_) | Event::BlindReset if sender != self.src && self.is_asking() => {
                self.flags.add(Flags::REFUSED);
            }
            // a refusal whose SYN was not captured names it: sequence 0, and one more than the SYN's (RFC 9293, 3.10.7.1)
            Event::Reset(At { sequence: 0, acknowledgment, .. })
                if self.is_new() || self.may_be_asked(sender.other(), acknowledgment.wrapping_sub(1)) =>
            {
                self.opened_by(sender.other(), acknowledgment.wrapping_sub(1));
                self.flags.add(Flags::REFUSED);
            }
            Event::Reset(at) => {
                self.broke(sender);
                self.stands_at(sender, at.sequence, at.end);
            }
            Event::BareReset(number) if self.opening == Opening::Unseen && !self.has_spoken(sender) => {
                self.disowned(sender, number);
            }
            Event::BareReset(_) | Event::BlindReset => self.broke(sender),
            Event::Traffic { data, closes, at } => self.passed(sender, (data, closes), at),
            Event::Probe(_) | Event::BlindTraffic | Event::Part { is_data: false } => self.spoke(sender),
            Event::Tagged { data, closes, receiver } => {
                self.carried(sender, data, closes);
                self.stands_at(sender.other(), receiver, receiver);
            }
            Event::Part { is_data: true } => self.carried(sender, true, false),
            Event::Control(control) => self.controlled(sender, control),
            Event::Datagram(number) => self.passed_on(sender, number, moment),
            Event::Told { number, asks } => self.told(sender, (number, asks), moment),
        }
    }

    /// Whether all that was seen is one segment of this side with this number: a SYN, where it was cut before its flags.
    fn may_be_asked(&self, side: Side, number: u32) -> bool {
        let (half, other) = (self.half(side), self.half(side.other()));
        self.opening == Opening::Unseen
            && (half.begin, half.end) == (number, number)
            && (other.begin, other.end) == (0, 0)
    }

    /// Now the client is known, and its initial sequence number: it is `src` from here on.
    pub(super) fn opened_by(&mut self, client: Side, number: u32) {
        self.opening = Opening::Seen;
        if self.src != client {
            self.src = client;
            self.halves.reverse();
            self.flags = self.flags.turned();
        }
        let client = &mut self.halves[0];
        client.begin = number;
        if client.end == 0 {
            client.end = number.wrapping_add(1);
        }
    }

    /// What a side acknowledges tells where the other one stands, also where the other's packets come under another
    /// address: the client's first segment past its SYN tells the server's initial sequence number.
    #[inline]
    fn learn_answer(&mut self, sender: Side, sequence: u32, acknowledgment: u32) {
        // what is false of nearly all packets first: which side sent cannot be foretold
        let other = self.half(sender.other());
        // a SYN that was cut before its flags acknowledges nothing
        if other.begin != 0 || other.end != 0 || acknowledgment == 0 {
            return;
        }
        let is_asking = self.flags.has(Flags::ASKED);
        let is_first = if is_asking {
            sender == self.src && sequence == self.halves[0].begin.wrapping_add(1)
        } else {
            self.opening == Opening::Unseen && self.half(sender).end == 0
        };
        if is_first {
            self.half_mut(sender.other()).begin = acknowledgment.wrapping_sub(1);
        }
    }

    /// Notes where the sender stands: the first number that was seen of it, and the furthest.
    #[inline]
    fn stands_at(&mut self, sender: Side, number: u32, end: u32) {
        let is_open = self.opening == Opening::Unseen;
        let half = self.half_mut(sender);
        // what was learnt of an opening holds; what one was seen to acknowledge mid-stream gives way to its own packets
        if half.end == 0 && (half.begin == 0 || is_open) {
            half.begin = number;
        }
        // both at once: whether a segment goes further cannot be foretold
        half.end = if (half.end == 0) | is_after(end, half.end) { end } else { half.end };
    }

    /// A segment past the opening.
    #[inline]
    pub(super) fn passed(&mut self, sender: Side, (data, closes): (bool, bool), at: At) {
        self.carried(sender, data, closes);
        self.learn_answer(sender, at.sequence, at.acknowledgment);
        self.stands_at(sender, at.sequence, at.end);
    }

    /// A datagram.
    #[inline]
    pub(super) fn passed_on(&mut self, sender: Side, number: u32, moment: u32) {
        self.carried(sender, true, false);
        self.half_mut(sender).numbered(number);
        // a host says once in a second, or more often, that nobody listens (RFC 1812, section 4.3.2.8): where it has ceased to,
        // somebody does
        if self.flags.has(Flags::REFUSED) && second(moment) > self.refused_s.saturating_add(REFUSED_AGAIN_S) {
            self.flags.remove(Flags::REFUSED);
        }
    }

    fn has_spoken(&self, side: Side) -> bool {
        self.flags.has(if side == self.src { Flags::FROM_SRC } else { Flags::FROM_DST })
    }

    fn broke(&mut self, sender: Side) {
        self.spoke(sender);
        self.flags.add(Flags::CLOSED);
    }

    #[inline]
    pub(super) fn carried(&mut self, sender: Side, data: bool, closes: bool) {
        self.spoke(sender);
        if data {
            self.flags.add(Flags::PAYLOAD);
        }
        if closes {
            self.flags.add(Flags::CLOSED);
        }
    }

    #[inline]
    fn spoke(&mut self, sender: Side) {
        self.flags.add(if sender == self.src { Flags::FROM_SRC } else { Flags::FROM_DST });
    }
}

/// The second of a moment within its hour, in microseconds.
pub(super) fn second(moment: u32) -> u16 {
    u16::try_from(moment / 1_000_000).unwrap_or(u16::MAX)
}

fn is_after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}
