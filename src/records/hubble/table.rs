//! Packets that Hubble reports to connections, in bounded memory.
//!
//! One packet is reported at several points of its way, by the nodes of both its ends, and most packets are not reported
//! at all. So a connection is known by its ends alone, and each point counts by itself: as with captures, the map takes the
//! fullest.

use foldhash::HashMap;

use super::super::record::{is_stream, laid};
use super::packet::{End, Event, Packet, Verdict};
use crate::model::{Flags, Hour, Observation, ObservationKey, Opening, Protocol, Sent, Trace};

/// Connections of one generation; two are held. Some 300 bytes each.
pub(super) const MAX_CONNECTIONS: usize = 32_768;

/// The ends of a connection, the lower first.
type Ends = (Protocol, End, End);

/// Which end opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Unknown,
    Lower,
    Higher,
}

/// What was seen of a connection within an hour; the lower end is `src`.
#[derive(Debug)]
struct Live {
    client: Client,
    hour: Hour,
    trace: Trace,
}

/// The connections that were seen last: those of the present generation, and of the one before.
pub(super) struct Table {
    max: usize,
    young: HashMap<Ends, Live>,
    old: HashMap<Ends, Live>,
    done: Vec<Observation>,
}

impl Table {
    pub fn new(max: usize) -> Self {
        Self { max, young: HashMap::default(), old: HashMap::default(), done: Vec::new() }
    }

    pub fn take(&mut self, packet: &Packet) {
        let is_lower = packet.sender <= packet.receiver;
        let (lower, higher) =
            if is_lower { (packet.sender, packet.receiver) } else { (packet.receiver, packet.sender) };
        let ends = (packet.protocol, lower, higher);
        let mut live = self.young.remove(&ends).or_else(|| self.old.remove(&ends)).unwrap_or_else(|| Live::new(packet));
        let client = client(packet, is_lower).unwrap_or(live.client);
        let is_other = live.client != Client::Unknown && client != live.client;
        if is_other || live.hour != packet.time.hour() {
            let next = live.next(packet, is_other);
            self.done.push(live.observation(ends));
            live = next;
        }
        live.client = client;
        live.take(packet, is_lower);
        if self.young.len() >= self.max {
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.done.extend(old.into_iter().map(|(ends, live)| live.observation(ends)));
        }
        self.young.insert(ends, live);
    }

    /// The observations of what was forgotten.
    pub fn drain(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.done)
    }

    /// Those of all that is left.
    pub fn end(&mut self) -> Vec<Observation> {
        let left = std::mem::take(&mut self.young).into_iter().chain(std::mem::take(&mut self.old));
        self.done.extend(left.map(|(ends, live)| live.observation(ends)));
        self.drain()
    }
}

/// Who opened, as far as a packet tells.
fn client(packet: &Packet, is_from_lower: bool) -> Option<Client> {
    packet.is_reply.map(|is_reply| if is_reply == is_from_lower { Client::Higher } else { Client::Lower })
}

impl Live {
    fn new(packet: &Packet) -> Self {
        let moment = packet.time.micros_in_hour();
        Self {
            client: Client::Unknown,
            hour: packet.time.hour(),
            trace: Trace { first: moment, last: moment, ..Trace::default() },
        }
    }

    /// What begins with a packet: the same in another hour, or another connection between the same ends.
    fn next(&self, packet: &Packet, is_other: bool) -> Self {
        let client = if is_other { Client::Unknown } else { self.client };
        Self { client, ..Self::new(packet) }
    }

    fn take(&mut self, packet: &Packet, is_from_lower: bool) {
        let moment = packet.time.micros_in_hour();
        let trace = &mut self.trace;
        // the first that was seen, whatever the order of lines
        if trace.flags == Flags::default() || moment < trace.first {
            let first = if is_from_lower { Flags::SRC_FIRST.0 } else { 0 };
            let untold = if packet.is_untold { Flags::UNTOLD.0 } else { 0 };
            trace.flags = Flags(trace.flags.0 & !(Flags::SRC_FIRST.0 | Flags::UNTOLD.0) | first | untold);
        }
        trace.first = trace.first.min(moment);
        trace.last = trace.last.max(moment);
        if let Some(point) = packet.point {
            let sent = Sent { point, packets: 1, bytes: 0 };
            if is_from_lower { trace.from_src.add(sent) } else { trace.from_dst.add(sent) }
        }
        let is_from_server = client(packet, is_from_lower)
            .or(Some(self.client))
            .is_some_and(|client| client == if is_from_lower { Client::Higher } else { Client::Lower });
        flags(&mut self.trace.flags, packet, is_from_lower, is_from_server);
    }

    fn observation(mut self, (protocol, lower, higher): Ends) -> Observation {
        let flags = &mut self.trace.flags;
        if self.client != Client::Unknown {
            flags.0 &= !Flags::UNTOLD.0;
        }
        // where both sides got through, a packet that was dropped refused nothing
        if flags.has(Flags::FROM_SRC) && flags.has(Flags::FROM_DST) {
            flags.0 &= !Flags::REFUSED.0;
        }
        let key = |src: End, dst: End, opening| ObservationKey {
            hour: self.hour,
            protocol,
            opening,
            src: src.0,
            dst: dst.0,
            dst_port: dst.1,
            vlans: String::new(),
            tunnels: String::new(),
        };
        match self.client {
            Client::Lower => laid(key(lower, higher, Opening::Seen), Trace { src_port: lower.1, ..self.trace }),
            Client::Higher => laid(key(higher, lower, Opening::Seen), self.trace.turned(higher.1)),
            Client::Unknown => laid(key(lower, higher, Opening::Open), Trace { src_port: lower.1, ..self.trace }),
        }
    }
}

/// What a packet adds to what is known. One that was dropped has reached nobody: it opens, and carries nothing.
fn flags(flags: &mut Flags, packet: &Packet, is_from_lower: bool, is_from_server: bool) {
    if packet.event == Event::Open {
        flags.add(Flags::ASKED);
    }
    if matches!(packet.verdict, Verdict::Denied | Verdict::Dropped) {
        return flags.add(Flags::REFUSED);
    }
    let is_asking = is_stream(packet.protocol) && flags.has(Flags::ASKED) && !flags.has(Flags::AGREED);
    let from = if is_from_lower { Flags::FROM_SRC } else { Flags::FROM_DST };
    match packet.event {
        Event::Open => {}
        Event::Agree => flags.add(Flags::AGREED),
        Event::Reset if is_asking && is_from_server && !flags.has(from) => flags.add(Flags::REFUSED),
        Event::Reset => [from, Flags::CLOSED].into_iter().for_each(|bit| flags.add(bit)),
        Event::Traffic { has_data, closes } => {
            flags.add(from);
            let bits = [(Flags::PAYLOAD, has_data), (Flags::CLOSED, closes)];
            bits.into_iter().filter(|(_, is_set)| *is_set).for_each(|(bit, _)| flags.add(bit));
        }
    }
}
