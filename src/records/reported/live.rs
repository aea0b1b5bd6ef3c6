//! One connection while its packets are told, in any order: nodes are put one behind the other, and relays mix their lines.
//! So what is seen adds up, hour by hour, and what it comes to is told at the end.

use foldhash::HashMap;
use smallvec::SmallVec;

use super::{super::record::laid, End, Event, Packet, Told, Verdict};
use crate::model::{Flags, Hour, Observation, ObservationKey, Opening, Protocol, Sent, Tally, Trace};

/// The ends of a connection, the lower first.
pub type Ends = (Protocol, End, End);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Lower,
    Higher,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Lower, Self::Higher];

    /// Which of two ends the first is.
    pub fn of(end: End, other: End) -> Self {
        if end <= other { Self::Lower } else { Self::Higher }
    }

    pub fn other(self) -> Self {
        match self {
            Self::Lower => Self::Higher,
            Self::Higher => Self::Lower,
        }
    }
}

/// Of each side one.
#[derive(Clone, Copy, Debug, Default)]
struct Pair<T> {
    lower: T,
    higher: T,
}

impl<T> Pair<T> {
    fn of(&self, side: Side) -> &T {
        match side {
            Side::Lower => &self.lower,
            Side::Higher => &self.higher,
        }
    }

    fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Lower => &mut self.lower,
            Side::Higher => &mut self.higher,
        }
    }
}

/// What kinds of packets a side has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds(u16);

impl Kinds {
    /// It asked to open.
    const ASKED: Self = Self(1);
    const AGREED: Self = Self(1 << 1);
    const DATA: Self = Self(1 << 2);
    /// Anything past the opening that carries nothing.
    const BARE: Self = Self(1 << 3);
    const CLOSED: Self = Self(1 << 4);
    /// A reset that acknowledges nothing, as hosts send that know of no such connection.
    const DISOWNED: Self = Self(1 << 5);
    /// Any other.
    const RESET: Self = Self(1 << 6);
    const PROBE: Self = Self(1 << 7);
    /// One that reached nobody.
    const DROPPED: Self = Self(1 << 8);
    /// One that was seen to reach whom it was for.
    const DELIVERED: Self = Self(1 << 9);
    const RESETS: Self = Self(Self::DISOWNED.0 | Self::RESET.0);
    /// It went on past an opening.
    const SPOKE: Self = Self(Self::DATA.0 | Self::BARE.0);
    const OPENING: Self = Self(Self::ASKED.0 | Self::AGREED.0);

    fn of(packet: &Packet) -> Self {
        let is_dropped = is_dropped(packet);
        let delivered = if is_delivered(packet) { Self::DELIVERED.0 } else { 0 };
        let all = match packet.event {
            // it opens, and carries nothing
            Event::Open if is_dropped => [Self::ASKED, Self::DROPPED],
            _ if is_dropped => [Self::DROPPED; 2],
            Event::Open => [Self::ASKED; 2],
            Event::Agree => [Self::AGREED; 2],
            Event::Reset { acknowledges } => [if acknowledges { Self::RESET } else { Self::DISOWNED }; 2],
            Event::Probe => [Self::PROBE; 2],
            Event::Traffic { has_data, closes } => {
                let kind = if has_data { Self::DATA } else { Self::BARE };
                [kind, if closes { Self::CLOSED } else { kind }]
            }
        };
        Self(all[0].0 | all[1].0 | delivered)
    }

    fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }
}

/// What was seen within an hour.
#[derive(Clone, Debug)]
struct Hourly {
    hour: Hour,
    /// Of ends that each may begin, who began this.
    begun: Option<Side>,
    /// First and last packet, in microseconds since the start of the hour.
    first: u32,
    last: u32,
    /// Who sent the first, and whether that tells nothing of who began.
    opener: (u32, bool, Side),
    kinds: Pair<Kinds>,
    sent: Pair<Tally>,
    /// When a packet told first by itself that the side is the client.
    told: Pair<Option<u32>>,
    /// When Cilium's entry said so first.
    entered: Pair<Option<u32>>,
    /// When an entry was made midway first.
    doubted: Option<u32>,
    /// When what a side sent was delivered or denied by a policy last, and whether it was denied.
    last_word: Pair<Option<(u32, bool)>>,
}

impl Hourly {
    fn new(packet: &Packet, sender: Side, begun: Option<Side>) -> Self {
        let moment = packet.time.micros_in_hour();
        Self {
            hour: packet.time.hour(),
            begun,
            first: moment,
            last: moment,
            opener: (moment, packet.is_untold, sender),
            kinds: Pair::default(),
            sent: Pair::default(),
            told: Pair::default(),
            entered: Pair::default(),
            doubted: None,
            last_word: Pair::default(),
        }
    }

    fn take(&mut self, packet: &Packet, sender: Side) {
        let moment = packet.time.micros_in_hour();
        self.first = self.first.min(moment);
        self.last = self.last.max(moment);
        self.opener = self.opener.min((moment, packet.is_untold, sender));
        self.kinds.of_mut(sender).0 |= Kinds::of(packet).0;
        if let Some(point) = packet.point {
            self.sent.of_mut(sender).add(Sent { point, packets: 1, bytes: 0 });
        }
        match (packet.told, client(packet, sender)) {
            (Told::ByItself(_), Some(client)) => note(self.told.of_mut(client), moment),
            (Told::ByEntry(_), Some(client)) => note(self.entered.of_mut(client), moment),
            (Told::Midway, _) => note(&mut self.doubted, moment),
            _ => {}
        }
        if is_delivered(packet) || packet.verdict == Verdict::Denied {
            let word = self.last_word.of_mut(sender);
            *word = (*word).max(Some((moment, packet.verdict == Verdict::Denied)));
        }
    }

    /// Its hour, and who began it.
    fn key(&self) -> (Hour, Option<Side>) {
        (self.hour, self.begun)
    }

    /// Takes in more of the same hour.
    fn join(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.opener = self.opener.min(other.opener);
        for side in Side::BOTH {
            self.kinds.of_mut(side).0 |= other.kinds.of(side).0;
            other.sent.of(side).iter().for_each(|sent| self.sent.of_mut(side).add(*sent));
            other.told.of(side).iter().for_each(|moment| note(self.told.of_mut(side), *moment));
            other.entered.of(side).iter().for_each(|moment| note(self.entered.of_mut(side), *moment));
            let word = self.last_word.of_mut(side);
            *word = (*word).max(*other.last_word.of(side));
        }
        other.doubted.iter().for_each(|moment| note(&mut self.doubted, *moment));
    }
}

/// Keeps the earliest moment.
fn note(known: &mut Option<u32>, moment: u32) {
    *known = Some(known.map_or(moment, |known| known.min(moment)));
}

fn is_dropped(packet: &Packet) -> bool {
    matches!(packet.verdict, Verdict::Denied | Verdict::Dropped)
}

fn is_delivered(packet: &Packet) -> bool {
    packet.is_delivered && !is_dropped(packet)
}

/// Who is the client, as far as a packet tells.
fn client(packet: &Packet, sender: Side) -> Option<Side> {
    match packet.told {
        Told::ByItself(is_reply) | Told::ByEntry(is_reply) => Some(if is_reply { sender.other() } else { sender }),
        Told::Midway | Told::Nothing => None,
    }
}

/// Whether both ends send datagrams from the port that they receive them on, or have no ports: each may begin, and what the
/// one begins is not what the other does.
fn are_peers(protocol: Protocol, ports: (u16, u16)) -> bool {
    !protocol.is_stream() && ports.0 == ports.1
}

/// Up to so many hours one is found by looking at all of them.
const FEW_HOURS: usize = 8;

/// What was seen of a connection, hour by hour.
#[derive(Debug, Default)]
pub struct Live {
    hours: SmallVec<[Hourly; 1]>,
    /// Where each of them is, where there are more than a few.
    places: HashMap<(Hour, Option<Side>), usize>,
    /// Whether anything was seen of it that could have shown an answer, or was dropped.
    has_more: bool,
}

impl Live {
    /// How many hours are held.
    pub fn hours(&self) -> usize {
        self.hours.len()
    }

    /// Whether all that is known of a stream is that a policy let its beginning pass: that tells of no answer, and a scan looks
    /// the same.
    pub fn is_verdicts_alone(&self, protocol: Protocol) -> bool {
        protocol.is_stream() && !self.has_more
    }

    pub fn take(&mut self, packet: &Packet, sender: Side) {
        let are_peers = are_peers(packet.protocol, (packet.sender.1, packet.receiver.1));
        let begun = client(packet, sender).filter(|_| are_peers);
        let hour = packet.time.hour();
        self.has_more |= !packet.is_verdict || is_dropped(packet);
        let place = self.place((hour, begun)).unwrap_or_else(|| {
            self.hours.push(Hourly::new(packet, sender, begun));
            self.note_last();
            self.hours.len() - 1
        });
        if let Some(hourly) = self.hours.get_mut(place) {
            hourly.take(packet, sender);
        }
    }

    /// Where an hour is.
    fn place(&self, key: (Hour, Option<Side>)) -> Option<usize> {
        if self.places.is_empty() {
            return self.hours.iter().position(|known| known.key() == key);
        }
        self.places.get(&key).copied()
    }

    /// Notes where the hour is that came last.
    fn note_last(&mut self) {
        let count = self.hours.len();
        let first = if count == FEW_HOURS + 1 { 0 } else { count - 1 };
        if count > FEW_HOURS {
            self.places.extend(self.hours.iter().enumerate().skip(first).map(|(place, hourly)| (hourly.key(), place)));
        }
    }

    /// What it comes to.
    pub fn observations(self, ends: &Ends) -> Vec<Observation> {
        let mut hours = settled(self.hours);
        hours.sort_unstable_by_key(|hourly| (hourly.begun, hourly.hour));
        hours.chunk_by_mut(|a, b| a.begun == b.begun).for_each(carry_words);
        hours.chunk_by(|a, b| a.begun == b.begun).flat_map(|hours| Whole::of(ends, hours).observations(hours)).collect()
    }
}

/// What was said last of what a side sends holds in later hours too, until it is said otherwise.
fn carry_words(hours: &mut [Hourly]) {
    let mut last: Pair<Option<(u32, bool)>> = Pair::default();
    for hourly in hours {
        for side in Side::BOTH {
            let word = hourly.last_word.of_mut(side);
            *word = word.or(*last.of(side));
            *last.of_mut(side) = *word;
        }
    }
}

/// Lays what does not tell who began it to what somebody began.
fn settled(mut hours: SmallVec<[Hourly; 1]>) -> SmallVec<[Hourly; 1]> {
    let Some(begun) = hours.iter().filter_map(|hourly| hourly.begun).min() else { return hours };
    hours.sort_unstable_by_key(|hourly| (hourly.hour, hourly.begun.is_none(), hourly.begun));
    let mut settled: SmallVec<[Hourly; 1]> = SmallVec::new();
    for mut hourly in hours {
        let of_same_hour = settled.iter_mut().rev().take_while(|before| before.hour == hourly.hour);
        if let Some(before) = of_same_hour.last().filter(|_| hourly.begun.is_none()) {
            before.join(&hourly);
        } else {
            hourly.begun = hourly.begun.or(Some(begun));
            settled.push(hourly);
        }
    }
    settled
}

/// What all hours of a connection tell together.
struct Whole<'e> {
    ends: &'e Ends,
    kinds: Pair<Kinds>,
    /// Who opened, where that is known.
    client: Option<Side>,
    /// Who has tried without a segment that opens, to see what comes back.
    prober: Option<Side>,
    /// Whose resets refuse.
    refuser: Option<Side>,
}

impl<'e> Whole<'e> {
    fn of(ends: &'e Ends, hours: &[Hourly]) -> Self {
        let mut kinds = Pair::<Kinds>::default();
        for hourly in hours {
            for side in Side::BOTH {
                kinds.of_mut(side).0 |= hourly.kinds.of(side).0;
            }
        }
        let prober = prober(kinds);
        let refuser = refuser(kinds, hours.iter().any(|hourly| hourly.doubted.is_some()));
        let client = first(hours, |hourly| hourly.told).or(prober).or_else(|| by_entry(ends.0, hours));
        Self { ends, kinds, client, prober, refuser }
    }

    fn observations(&self, hours: &[Hourly]) -> Vec<Observation> {
        hours.iter().map(|hourly| self.observation(hourly)).collect()
    }

    fn observation(&self, hourly: &Hourly) -> Observation {
        let (protocol, lower, higher) = *self.ends;
        let key = |src: End, dst: End, opening| ObservationKey {
            hour: hourly.hour,
            protocol,
            opening,
            src: src.0,
            dst: dst.0,
            dst_port: dst.1,
            vlans: String::new(),
            tunnels: String::new(),
        };
        let trace = Trace {
            src_port: lower.1,
            flags: self.flags(hourly),
            first: hourly.first,
            last: hourly.last,
            from_src: hourly.sent.lower.clone(),
            from_dst: hourly.sent.higher.clone(),
            ..Trace::default()
        };
        match self.client {
            Some(Side::Lower) => laid(key(lower, higher, Opening::Seen), trace),
            Some(Side::Higher) => laid(key(higher, lower, Opening::Seen), trace.turned(higher.1)),
            None => laid(key(lower, higher, Opening::Unseen), trace),
        }
    }

    /// What an hour shows, the lower end being `src`.
    fn flags(&self, hourly: &Hourly) -> Flags {
        let (_, is_untold, opener) = hourly.opener;
        // of datagrams an entry remembers longer who was first; whom a reset refuses has asked
        let entered = first(std::slice::from_ref(hourly), |hourly| hourly.entered).filter(|_| !self.ends.0.is_stream());
        let opener = entered.or(self.refuser.map(Side::other)).unwrap_or(opener);
        let mut flags = Flags::default();
        let mut add = |flag, is_set| {
            if is_set {
                flags.add(flag);
            }
        };
        add(Flags::SRC_FIRST, opener == Side::Lower);
        add(Flags::UNTOLD, is_untold && self.client.is_none());
        for side in Side::BOTH {
            let kinds = *hourly.kinds.of(side);
            let is_reset = kinds.any(Kinds::RESETS);
            let has_tried = kinds.any(Kinds::PROBE) && self.prober == Some(side);
            let refuses = is_reset && self.refuser == Some(side);
            add(Flags::ASKED, (kinds.any(Kinds::ASKED) || has_tried) && self.client == Some(side));
            add(Flags::AGREED, kinds.any(Kinds::AGREED));
            add(if side == Side::Lower { Flags::FROM_SRC } else { Flags::FROM_DST }, self.spoke(side, kinds));
            add(Flags::PAYLOAD, kinds.any(Kinds::DATA));
            add(Flags::CLOSED, kinds.any(Kinds::CLOSED) || is_reset && !refuses);
            add(Flags::REFUSED, refuses || self.is_turned_away(side, hourly));
        }
        flags
    }

    /// Whether what a side sent within an hour was dropped for good. Where both sides got through, a packet that was dropped refused
    /// nothing. Who sends datagrams need not be answered: there it shows the same that others were delivered. But what a policy
    /// denies it denies until one is delivered again.
    fn is_turned_away(&self, side: Side, hourly: &Hourly) -> bool {
        let is_delivered = self.kinds.of(side).any(Kinds::DELIVERED) && !self.ends.0.is_stream();
        let goes_on = is_delivered && hourly.last_word.of(side).is_none_or(|(_, is_denied)| !is_denied);
        let works = goes_on || Side::BOTH.into_iter().all(|side| self.spoke(side, *self.kinds.of(side)));
        hourly.kinds.of(side).any(Kinds::DROPPED) && !works
    }

    /// Whether a side sent something past the opening that refused nothing, and tried nothing.
    fn spoke(&self, side: Side, kinds: Kinds) -> bool {
        let is_probe = kinds.any(Kinds::PROBE) && self.prober != Some(side);
        kinds.any(Kinds::SPOKE) || is_probe || kinds.any(Kinds::RESETS) && self.refuser != Some(side)
    }
}

/// The side that something was told of first.
fn first(hours: &[Hourly], told: impl Fn(&Hourly) -> Pair<Option<u32>>) -> Option<Side> {
    let all = hours.iter().flat_map(|hourly| {
        let told = told(hourly);
        Side::BOTH.into_iter().filter_map(move |side| told.of(side).map(|moment| (hourly.hour, moment, side)))
    });
    all.min().map(|(.., side)| side)
}

/// Of ends that each may begin, who did so by Cilium's entry, where no packet tells it by itself.
///
/// An entry is made for the first packet that comes, and forgotten: of datagrams after a minute of silence, of streams when
/// Cilium begins anew or after hours. Of datagrams it tells who was first, which the map weighs with all else; only where
/// both ends have one port nothing else tells. Of a stream it may have been made midway, by a line that is in another file or in
/// none: whether it was, nothing but an opening shows.
fn by_entry(protocol: Protocol, hours: &[Hourly]) -> Option<Side> {
    hours.first().and_then(|hourly| hourly.begun).filter(|_| !protocol.is_stream())
}

/// The side that sent probes, where there is no connection that they could be part of.
fn prober(kinds: Pair<Kinds>) -> Option<Side> {
    let is_prober = |side: &Side| {
        let (own, other) = (*kinds.of(*side), *kinds.of(side.other()));
        let is_connection = Kinds(own.0 | other.0).any(Kinds(Kinds::SPOKE.0 | Kinds::OPENING.0));
        own.any(Kinds::PROBE) && !other.any(Kinds::PROBE) && !is_connection
    };
    Side::BOTH.into_iter().find(is_prober)
}

/// The side whose resets refuse: it has sent nothing else, and the other side nothing that shows a connection. That is one that has
/// carried data, or of which the resets say that they know it, unless it is new to Cilium as well. A reset alone answers what was
/// not seen.
fn refuser(kinds: Pair<Kinds>, is_new: bool) -> Option<Side> {
    let refuses = |side: &Side| {
        let (own, other) = (*kinds.of(*side), *kinds.of(side.other()));
        let has_more = own.any(Kinds(Kinds::SPOKE.0 | Kinds::OPENING.0 | Kinds::PROBE.0));
        let is_connection = other.any(Kinds(Kinds::DATA.0 | Kinds::AGREED.0))
            || other.any(Kinds::BARE) && own.any(Kinds::RESET) && !is_new;
        own.any(Kinds::RESETS) && !has_more && (other.any(Kinds::ASKED) || !is_connection)
    };
    Side::BOTH.into_iter().find(refuses)
}
