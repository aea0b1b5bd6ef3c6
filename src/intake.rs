//! Frames to observations, names and sightings of links: decode, connection table, names, links and the counts of what was lost, in one value.
//! Files and live interfaces are taken in by the same code.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::Xxh3;

use crate::{
    capture::Frame,
    connection::{Bound, Limits, Tracker},
    decode::{Fragments, NotDecoded, Options, Packet, Transport, decode_with},
    model::{LinkSighting, MissedNames, NameSighting, Observation, Protocol, Span},
    names::Gatherer,
    segment::Table,
};

/// Whether a packet may tell more of its link than its addresses: broadcasts, neighbour discovery, DHCP.
fn speaks_of_links(packet: &Packet<'_>) -> bool {
    const DHCP_SERVER: u16 = 67;
    let is_dhcp = matches!(packet.transport, Transport::Udp { src_port: DHCP_SERVER, .. });
    packet.is_broadcast || packet.protocol == Protocol::ICMPV6 || is_dhcp
}

/// Bytes of each packet that tell one capture from another, beside its time and lengths.
const DIGEST_BYTES: usize = 128;

/// What came in, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All frames.
    pub packets: u64,
    /// Those that belong to a connection.
    pub decoded: u64,
    /// The others, by reason; with `decoded` they add up to `packets`.
    pub not_decoded: BTreeMap<NotDecoded, u64>,
    /// From the earliest to the latest frame.
    pub span: Option<Span>,
    /// How often each bound of the table left something out.
    pub bounds: BTreeMap<Bound, u64>,
    /// Names that were told and are not kept.
    pub missed_names: MissedNames,
    /// Packets whose word about links is not kept, for there was too much of it.
    pub missed_links: u64,
}

/// Takes frames in.
pub struct Intake {
    options: Options,
    fragments: Fragments,
    tracker: Tracker,
    names: Gatherer,
    links: Table,
    counts: Counts,
    digest: Xxh3,
}

impl Intake {
    /// With a table of these bounds.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            options: Options::default(),
            fragments: Fragments::default(),
            tracker: Tracker::new(limits),
            names: Gatherer::default(),
            links: Table::default(),
            counts: Counts::default(),
            digest: Xxh3::new(),
        }
    }

    /// The same where something is known of the network.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Takes one frame in.
    pub fn take(&mut self, frame: &Frame<'_>) {
        self.counts.packets += 1;
        let moment = Span::at(frame.time);
        self.counts.span.get_or_insert(moment).join(moment);
        self.identify(frame);
        let mut decoded = decode_with(frame, &self.options);
        if let Ok(packet) = &decoded
            && packet.fragment.is_some()
        {
            decoded = self.fragments.joined(frame.time, *packet);
        }
        let is_new = match decoded {
            Ok(packet) => {
                self.counts.decoded += 1;
                self.names.take(frame.time, &packet);
                self.tracker.ingest(frame.time, &packet) || speaks_of_links(&packet)
            }
            Err(reason) => {
                *self.counts.not_decoded.entry(reason).or_default() += 1;
                true
            }
        };
        self.links.take(frame, is_new);
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            bounds: self.tracker.bounds(),
            missed_names: self.names.missed(),
            missed_links: self.links.left_out(),
            ..self.counts.clone()
        }
    }

    /// Frames so far.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.counts.packets
    }

    /// A number for all that came in: equal captures have the same, however they are packed.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest.digest()
    }

    /// How many traces wait to be taken out.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.tracker.waiting()
    }

    /// The names that are new or told again since they were asked for last.
    pub fn names(&mut self) -> Vec<NameSighting> {
        self.names.changed()
    }

    /// What frames said about their links that is new or told again since this was asked for last.
    pub fn links(&mut self) -> Vec<LinkSighting> {
        self.links.news()
    }

    /// Takes out the observations of connections that were written out early.
    pub fn drain(&mut self) -> Vec<Observation> {
        self.tracker.drain()
    }

    /// Takes out the observations of everything so far; connections stay open.
    pub fn flush(&mut self) -> Vec<Observation> {
        self.tracker.flush()
    }

    /// Ends all connections and takes their observations out, some at a time: none are left where none come.
    pub fn end_some(&mut self) -> Vec<Observation> {
        self.tracker.end_some()
    }

    /// The observations that were not taken out yet, all at once.
    #[must_use]
    pub fn finish(mut self) -> Vec<Observation> {
        let mut all = Vec::new();
        loop {
            let mut some = self.end_some();
            if some.is_empty() {
                return all;
            }
            all.append(&mut some);
        }
    }

    fn identify(&mut self, frame: &Frame<'_>) {
        let captured = u32::try_from(frame.data.len()).unwrap_or(u32::MAX);
        self.digest.update(&frame.time.0.to_le_bytes());
        self.digest.update(&frame.link.0.to_le_bytes());
        self.digest.update(&frame.wire_length.to_le_bytes());
        self.digest.update(&captured.to_le_bytes());
        self.digest.update(frame.data.get(..DIGEST_BYTES).unwrap_or(frame.data));
    }
}
