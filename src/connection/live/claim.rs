//! Whose a packet is, of several connections between the same ends in other VLANs or tunnels.

use super::{Connection, Half, TIME_WAIT_US, is_near};
use crate::{
    connection::{
        context::{ContextId, Contexts},
        event::{At, Event},
        tuple::Side,
    },
    model::{Flags, Timestamp},
};

/// What says that a packet is of a connection, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::connection) enum Claim {
    /// Its side was not seen yet, and the other one in other VLANs or tunnels: the way back may be another, as what it acknowledges
    /// tells.
    Elsewhere,
    /// Its number: the packet was seen before, or comes near one that was.
    Again,
    /// Its side was not seen yet, and the other one was in the same VLANs and tunnels, or neither was.
    Answers,
    /// Its side was seen in the same VLANs and tunnels.
    Seen,
}

/// Whether a packet agrees to the very number that was asked with: that says more than where it was seen, for the way back may be
/// another, and an older connection's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::connection) enum Answers {
    Nothing,
    Number,
}

impl Claim {
    /// What no other claim on such a packet is stronger than.
    pub fn strongest(event: Event) -> (Answers, Self) {
        let answers = if matches!(event, Event::Agree(..)) { Answers::Number } else { Answers::Nothing };
        (answers, Self::Seen)
    }
}

impl Half {
    /// Whether a packet from the other side may belong to what was sent, by what it acknowledges of it.
    fn may_be_answered(&self, event: Event) -> bool {
        match event {
            Event::Agree(number, _) => self.end == 0 || number == self.begin || is_near(number, self.end),
            Event::Reset(At { acknowledgment, .. }) | Event::Traffic { at: At { acknowledgment, .. }, .. } => {
                self.end == 0 || acknowledgment == 0 || is_near(acknowledgment, self.end)
            }
            Event::Tagged { receiver, .. } => self.begin == 0 || receiver == self.begin,
            // what acknowledges nothing may be another's answer: the map joins the two ways of an exchange, where nothing else could
            // be meant
            Event::Datagram(_) | Event::Told { .. } | Event::Control(_) | Event::Part { is_data: true } => false,
            _ => true,
        }
    }
}

impl Connection {
    /// What says that a packet is of this connection; none where it may not be. One that comes in VLANs or tunnels which its side was
    /// not seen in must be a packet that was seen elsewhere, or near it; equal addresses in two networks are otherwise two
    /// connections.
    pub fn claim(
        &self,
        event: Event,
        sender: Side,
        context: ContextId,
        contexts: &Contexts,
    ) -> Option<(Answers, Claim)> {
        let claim = self.claim_by_network(event, sender, context, contexts);
        match event {
            // one of a chance of four thousand million; made-up captures count all alike, or acknowledge what was not sent
            Event::Agree(number, _) if number != 0 && self.has_asked(sender.other(), number) => {
                Some((Answers::Number, claim.unwrap_or(Claim::Again)))
            }
            _ => claim.map(|claim| (Answers::Nothing, claim)),
        }
    }

    fn has_asked(&self, side: Side, number: u32) -> bool {
        self.flags.has(Flags::ASKED) && side == self.src && self.halves[0].begin == number
    }

    fn claim_by_network(&self, event: Event, sender: Side, context: ContextId, contexts: &Contexts) -> Option<Claim> {
        let (half, other) = (self.half(sender), self.half(sender.other()));
        if contexts.has(half.contexts, context) {
            return Some(Claim::Seen);
        }
        if half.contexts.is_empty() {
            let is_there = other.contexts.is_empty() || contexts.has(other.contexts, context);
            return if is_there {
                Some(Claim::Answers)
            } else {
                other.may_be_answered(event).then_some(Claim::Elsewhere)
            };
        }
        self.is_again(event, sender).then_some(Claim::Again)
    }

    /// Whether a segment that comes long after the end stands far from all that was seen of either side: of another connection, whose
    /// opening was not captured.
    pub(super) fn is_of_another(&self, sender: Side, at: At, time: Timestamp) -> bool {
        // asked of every segment: of most the first word is the last
        if !self.flags.has(Flags::CLOSED) || time.seconds_since(self.last()) * 1e6 <= f64::from(TIME_WAIT_US) {
            return false;
        }
        let known = [(at.sequence, self.half(sender).end), (at.acknowledgment, self.half(sender.other()).end)];
        let mut known = known.into_iter().filter(|(_, end)| *end != 0).peekable();
        known.peek().is_some() && known.all(|(number, end)| !is_near(number, end))
    }

    /// Whether a segment stands far from a SYN of which nothing more was seen: of another connection, whose opening was not captured.
    /// Where the server acknowledges another number it must carry data: else it may answer for an older connection (RFC 9293, section
    /// 3.5.2).
    #[inline]
    pub(super) fn is_of_another_than_asked(&self, sender: Side, data: bool, at: At) -> bool {
        const MORE: Flags = Flags::AGREED.with(Flags::FROM_SRC).with(Flags::FROM_DST);
        if self.flags.among(Flags::ASKED.with(MORE)) != Flags::ASKED {
            return false;
        }
        let asked = self.halves[0].end;
        if sender == self.src {
            !is_near(at.sequence, asked)
        } else {
            data && at.acknowledgment != 0 && !is_near(at.acknowledgment, asked)
        }
    }

    /// Whether a packet was seen before, or comes near one that was, by its number.
    fn is_again(&self, event: Event, sender: Side) -> bool {
        let half = self.half(sender);
        match event {
            // without a number of its own nothing says so
            Event::Part { .. }
            | Event::Control(_)
            | Event::Datagram(0)
            | Event::BareReset(_)
            | Event::BlindReset
            | Event::BlindTraffic => false,
            Event::Datagram(number) | Event::Told { number, .. } => number == half.end,
            Event::Open(number) | Event::Probe(number) | Event::Agree(_, number) => is_near(number, half.end),
            Event::Reset(at) | Event::Traffic { at, .. } => is_near(at.sequence, half.end),
            Event::Tagged { receiver, .. } => self.half(sender.other()).begin == receiver,
        }
    }
}
