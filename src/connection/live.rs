//! One connection while its packets come in.

mod claim;
mod refused;
mod state;
mod untold;

use super::{
    arrival::Arrival,
    context::{ContextId, ContextSet, Contexts},
    event::Event,
    places::{Places, Sum},
    tuple::Side,
};
use crate::model::{Flags, Hops, Hour, Lump, Opening, Span, Tally, Timestamp, Trace};
pub(super) use claim::{Answers, Claim};

/// What one side has sent.
#[derive(Clone, Copy, Debug, Default)]
struct Half {
    /// The first number that was seen of its stream, or of its datagrams: see [`Trace::identity`].
    begin: u32,
    /// Where its stream stood at its furthest packet; of datagrams the last one's number.
    end: u32,
    /// What the place saw where it was seen first, and the further places.
    sum: Sum,
    hops: Hops,
    /// The tags and tunnels that its packets came with.
    contexts: ContextSet,
}

/// The state of a connection, and what the current hour added to it. A million of them are held: no byte too many.
#[derive(Debug)]
pub(super) struct Connection {
    /// What `src` has sent, then what the other side has.
    halves: [Half; 2],
    hour: Hour,
    /// First and last packet of the hour, in microseconds since its start.
    first: u32,
    last: u32,
    flags: Flags,
    /// The side that the trace calls `src`: who opened, else who was seen first.
    src: Side,
    opening: Opening,
    /// Whether the hour has news that were not written out yet.
    has_news: bool,
    /// The second of the hour at which somebody last said that its datagrams cannot be delivered.
    refused_s: u16,
}

/// Segments of one connection, seen at several places, stand no further apart in their stream than this.
const WINDOW_BYTES: u32 = 1 << 20;

/// After so long a closed connection's ports are given to another one, in microseconds, as Linux does (RFC 9293, 3.4.2, has two
/// to four minutes).
const TIME_WAIT_US: u32 = 60_000_000;

impl Connection {
    /// One that begins with this packet, which is still to be taken in.
    pub fn new<A>(packet: &Arrival<A>) -> Self {
        Self {
            halves: [Half::default(); 2],
            hour: packet.hour,
            first: packet.moment,
            last: packet.moment,
            flags: Flags::SRC_FIRST,
            src: packet.sender,
            opening: Opening::Unseen,
            has_news: false,
            refused_s: 0,
        }
    }

    /// Becomes the next connection between the same ends. What the places saw must have been taken out before.
    pub fn renew<A>(&mut self, packet: &Arrival<A>) {
        *self = Self::new(packet);
    }

    /// Looks at all of its cache lines: its slot may lie in three.
    pub fn touch(&self) -> u32 {
        let [src, dst] = &self.halves;
        src.sum.place() ^ src.begin ^ dst.begin ^ self.last
    }

    pub fn opening(&self) -> Opening {
        self.opening
    }

    pub fn hour(&self) -> Hour {
        self.hour
    }

    pub fn src(&self) -> Side {
        self.src
    }

    pub fn has_agreed(&self) -> bool {
        self.opening == Opening::Seen && self.flags.has(Flags::AGREED)
    }

    pub fn contexts(&self) -> [ContextSet; 2] {
        self.halves.map(|half| half.contexts)
    }

    pub fn has_news(&self) -> bool {
        self.has_news
    }

    /// The time of its last packet.
    pub fn last(&self) -> Timestamp {
        self.hour.at(self.last)
    }

    /// The first and the last packet of its hour.
    pub fn span(&self) -> Span {
        Span { first: self.hour.at(self.first), last: self.last() }
    }

    /// What its `src` sent, where most of it was seen: packets and bytes.
    pub fn sent(&self, places: &Places) -> (u64, u64) {
        places.all(&self.halves[0].sum).map(|sent| (sent.packets, sent.bytes)).max().unwrap_or_default()
    }

    /// The least useful to keep sort first: the closed, then the longest silent.
    pub fn usefulness(&self) -> (bool, Timestamp) {
        (!self.flags.has(Flags::CLOSED), self.last())
    }

    /// Whether somebody asked to open it, or sent a datagram, and nothing more came of it so far.
    pub fn is_unanswered(&self) -> bool {
        let asked = Flags::SRC_FIRST.with(Flags::ASKED);
        let sent = Flags::SRC_FIRST.with(Flags::FROM_SRC).with(Flags::PAYLOAD);
        let flags = self.flags.without(Flags::ASKS);
        flags == asked || flags == sent && self.halves[0].sum.is_single()
    }

    /// What the hour has seen. The port of `src` is left to the caller, who knows the ends.
    pub fn trace(&self, places: &Places) -> Trace {
        let [src, dst] = &self.halves;
        let tally = |half: &Half| -> Tally { places.all(&half.sum).collect() };
        Trace {
            src_port: 0,
            identity: src.begin,
            answer: dst.begin,
            src_end: src.end,
            dst_end: dst.end,
            flags: self.flags,
            first: self.first,
            last: self.last,
            from_src: tally(src),
            from_dst: tally(dst),
            hops_src: src.hops,
            hops_dst: dst.hops,
            lump: Lump::default(),
        }
    }

    /// Takes in a packet like those before it: in the middle of its connection, in the same hour, at the place and with the
    /// tags that its side was seen at first. Most are; of any other one it tells false, and nothing is done.
    #[inline]
    pub fn take_like<A>(
        &mut self,
        packet: &Arrival<A>,
        (context, contexts): (ContextId, &Contexts),
        datagram_idle_us: u32,
    ) -> bool {
        let Arrival { sender, moment, .. } = *packet;
        let half = self.half_mut(sender);
        let is_like = contexts.is_only(half.contexts, context) && half.sum.is_at(packet.point, packet.ip_bytes);
        if !is_like || self.hour != packet.hour {
            return false;
        }
        match packet.event {
            Event::Traffic { data, closes, at }
                if !self.is_long_closed(moment) && !self.is_of_another_than_asked(sender, data, at) =>
            {
                self.passed(sender, (data, closes), at);
            }
            Event::Datagram(number) if moment.saturating_sub(self.last) <= datagram_idle_us => {
                self.passed_on(sender, number, moment);
            }
            Event::Control(control) if moment.saturating_sub(self.last) <= datagram_idle_us => {
                self.controlled(sender, control);
            }
            _ => return false,
        }
        self.note(packet);
        let half = self.half_mut(sender);
        half.hops.join(Hops::of(packet.hop_limit));
        half.sum.add(packet.ip_bytes);
        true
    }

    /// Whether this packet belongs to a later connection between the same ends.
    pub fn is_over<A>(&self, packet: &Arrival<A>, datagram_idle_us: u32) -> bool {
        if self.is_new() {
            return false;
        }
        let sender = packet.sender;
        match packet.event {
            // the SYN may come after the SYN-ACK where two interfaces were captured
            Event::Open(number) => {
                self.opening == Opening::Unseen || self.halves[0].begin != number || sender != self.src
            }
            // whatever it acknowledges, it answers the SYN that waits: made-up captures count from elsewhere. Where its server went on
            // already it comes too late, unless one of its numbers is of what was said
            Event::Agree(number, answer) if self.is_asking() && sender != self.src => {
                let [asked, gone_on] = [&self.halves[0], &self.halves[1]].map(|half| half.end);
                gone_on != 0 && !is_near(number, asked) && !is_near(answer, gone_on)
            }
            // where a SYN carried data it acknowledges that, too (RFC 7413), and its own number tells that it came before
            Event::Agree(number, answer) => {
                // 0 stands for nothing yet, unless it was agreed to: made-up captures count from there
                let has_answer = answer != 0 || self.flags.has(Flags::AGREED);
                let is_known = self.halves[0].begin == number || has_answer && self.halves[1].begin == answer;
                self.opening == Opening::Seen && (!is_known || sender == self.src)
            }
            Event::Control(_) | Event::Datagram(_) | Event::Told { .. } => {
                let silence_s = packet.time().seconds_since(self.last());
                silence_s > f64::from(datagram_idle_us) / 1e6
            }
            Event::Traffic { data, at, .. } => {
                self.is_of_another_than_asked(sender, data, at) || self.is_of_another(sender, at, packet.time())
            }
            Event::Reset(_)
            | Event::BareReset(_)
            | Event::BlindReset
            | Event::BlindTraffic
            | Event::Probe(_)
            | Event::Tagged { .. }
            | Event::Part { .. } => false,
        }
    }

    /// Whether it was seen with these tags and tunnels.
    pub fn is_in(&self, context: ContextId, contexts: &Contexts) -> bool {
        self.halves.iter().any(|half| contexts.has(half.contexts, context))
    }

    /// By which number the datagrams of a side go, where this is the last of them that was seen.
    pub fn number_of_last(&self, sender: Side, number: u32) -> Option<u32> {
        let half = self.half(sender);
        (number != 0 && half.end == number).then_some(half.begin)
    }

    /// The number of the last datagram of a side that was seen; 0 where none was.
    pub fn last_number(&self, sender: Side) -> u32 {
        self.half(sender).end
    }

    /// Has the datagrams of a side go by a number.
    pub fn go_by(&mut self, sender: Side, number: u32) {
        self.half_mut(sender).begin = number;
    }

    /// Whether the place's sums might have no room for the packet: what they hold must be written out before.
    pub fn is_full<A>(&self, packet: &Arrival<A>, places: &Places) -> bool {
        places.is_full(&self.half(packet.sender).sum, packet.ip_bytes)
    }

    /// Counts the packet at the place where it was seen; tells whether its side was not seen there, or so, before.
    pub fn count<A>(
        &mut self,
        packet: &Arrival<A>,
        (context, contexts): (ContextId, &mut Contexts),
        places: &mut Places,
    ) -> bool {
        self.note(packet);
        let half = self.half_mut(packet.sender);
        half.hops.join(Hops::of(packet.hop_limit));
        let before = half.contexts;
        half.contexts = contexts.with(before, context);
        let is_first = places.count(&mut half.sum, packet.point, packet.ip_bytes);
        is_first || half.contexts != before
    }

    /// What of a packet has nothing to do with its side.
    #[inline]
    fn note<A>(&mut self, packet: &Arrival<A>) {
        self.first = self.first.min(packet.moment);
        self.last = self.last.max(packet.moment);
        self.has_news = true;
        if packet.is_broadcast {
            self.flags.add(if packet.sender == self.src { Flags::BROADCAST } else { Flags::DST_BROADCAST });
        }
    }

    /// Starts the count of a new hour; what is known of the connection holds on.
    pub fn turn_hour<A>(&mut self, packet: &Arrival<A>, places: &mut Places) {
        self.clear(places);
        self.hour = packet.hour;
        (self.first, self.last, self.refused_s) = (packet.moment, packet.moment, 0);
    }

    /// Forgets the counts that were written out.
    pub fn clear(&mut self, places: &mut Places) {
        self.halves.iter_mut().for_each(|half| places.clear(&mut half.sum));
        self.has_news = false;
    }

    #[inline]
    fn half(&self, side: Side) -> &Half {
        &self.halves[usize::from(side != self.src)]
    }

    #[inline]
    fn half_mut(&mut self, side: Side) -> &mut Half {
        &mut self.halves[usize::from(side != self.src)]
    }

    /// Whether its numbers may be another's by now.
    #[inline]
    fn is_long_closed(&self, moment: u32) -> bool {
        self.flags.has(Flags::CLOSED) && moment.saturating_sub(self.last) > TIME_WAIT_US
    }

    /// Whether nothing of it has been seen yet.
    fn is_new(&self) -> bool {
        self.flags == Flags::SRC_FIRST
    }

    fn is_asking(&self) -> bool {
        self.flags.has(Flags::ASKED) && !self.flags.has(Flags::AGREED)
    }
}

/// Whether two places of a stream are within a window of each other; numbers wrap (RFC 9293, section 3.4).
fn is_near(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).min(b.wrapping_sub(a)) <= WINDOW_BYTES
}
