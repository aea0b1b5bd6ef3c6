//! One record of a flow log, whatever its format, as observations.

use std::net::IpAddr;

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use crate::model::{
    Application, ApplicationSighting, Flags, Hour, Lump, Observation, ObservationKey, Opening, Outcome, PortKind,
    Protection, Protocol, Span, Tally, Timestamp, Trace, TraceSet, VlanStack,
};

/// Whether a time can be placed: it lies in an hour that names one.
pub(super) fn is_usable(time: Timestamp) -> bool {
    time.hour().is_named() && time.hour() < Hour(i32::MAX)
}

/// Packets and bytes of a record stay below this, as in JSON numbers that every reader takes (RFC 8259, section 6).
pub(super) const MAX_COUNT: u64 = 1 << 53;
/// Connections of a record stay below this: a quarter of a thousand million records of as many still add up.
pub(super) const MAX_CONNECTIONS: u64 = 1 << 36;

/// What a flow log says of the connections between a client and a port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// Who opened them.
    pub client: IpAddr,
    /// Who accepted them.
    pub server: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The server's port; 0 for protocols without ports.
    pub port: u16,
    /// What became of them; established where it does not say.
    pub outcome: Option<Outcome>,
    /// Packets both ways, where it says so.
    pub packets: Option<u64>,
    /// IP bytes from the client, and all of them where it does not tell the ways apart.
    pub bytes_to_server: u64,
    /// IP bytes from the server.
    pub bytes_to_client: u64,
    /// How many connections, at least 1.
    pub connections: u64,
    /// First and last sight, where it names times.
    pub span: Option<Span>,
    /// In how many different hours, where it counts them.
    pub hours: Option<u32>,
    /// What logs of single connections tell besides.
    pub detail: Option<Detail>,
}

/// What a log tells of a single connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Whether it is known who opened. Else `client` and `server` are two ends, and the map decides who was who.
    pub opening: Opening,
    /// The client's port where `opening` is not known; the map weighs both.
    pub client_port: u16,
    /// What was seen of it, the client being `src`. Stands in place of the outcome.
    pub flags: Flags,
    /// Packets from the server, among all.
    pub packets_to_client: u64,
    /// Its VLANs.
    pub vlans: VlanStack,
    /// The tunnel that it was in.
    pub tunnels: String,
    /// Tells it from all other connections.
    pub tag: u64,
    /// What was recognised in it.
    pub services: Vec<(Application, Protection)>,
}

impl FlowRecord {
    /// The record as observations: of the hour that it names first, and of the one that it names last.
    ///
    /// A record without times is laid to the first of [`Hour::unnamed`]. What it says of the client, without detail, is as good
    /// as an opening that was seen: whoever wrote the log has seen it, or has decided. So the direction is `handshake`.
    #[must_use]
    pub fn observations(&self) -> SmallVec<[Observation; 2]> {
        let span = self.span.unwrap_or_else(|| Span::at(Hour(0).start()));
        let (first, last) = (span.first.hour(), span.last.hour());
        let micros = |time: Timestamp| time.micros_in_hour();
        let to_client = self.detail.as_ref().map_or(0, |detail| detail.packets_to_client);
        let identity = self.identity();
        let whole = Trace {
            src_port: self.detail.as_ref().map_or(0, |detail| detail.client_port),
            identity,
            // where it is open which end is which, each goes by the number
            answer: if self.opening() == Opening::Unseen { identity } else { 0 },
            flags: self.flags(),
            from_src: Tally::one(0, self.counted_packets().saturating_sub(to_client), self.bytes_to_server),
            from_dst: Tally::one(0, to_client, self.bytes_to_client),
            lump: Lump { connections: self.connections, hours: self.hours.unwrap_or_default() },
            ..Trace::default()
        };
        if first == last {
            let trace = Trace { first: micros(span.first), last: micros(span.last), ..whole };
            return [self.observation(first, trace)].into_iter().collect();
        }
        let end = Trace {
            first: micros(span.last),
            last: micros(span.last),
            from_src: Tally::default(),
            from_dst: Tally::default(),
            ..whole.clone()
        };
        let begin = Trace { first: micros(span.first), last: micros(span.first), ..whole };
        [self.observation(first, begin), self.observation(last, end)].into_iter().collect()
    }

    /// What was spoken, where it is told.
    pub fn applications(&self) -> impl Iterator<Item = ApplicationSighting> {
        let services = self.detail.as_ref().map(|detail| &detail.services[..]).unwrap_or_default();
        services.iter().filter_map(|(application, protection)| {
            Some(ApplicationSighting {
                client: Some(self.client),
                server: self.server,
                port: self.port,
                protocol: self.protocol,
                application: *application,
                protection: *protection,
                span: self.span?,
                times: 1,
            })
        })
    }

    fn observation(&self, hour: Hour, trace: Trace) -> Observation {
        let key = ObservationKey {
            hour,
            protocol: self.protocol,
            opening: self.opening(),
            src: self.client,
            dst: self.server,
            dst_port: self.port,
            vlans: self.detail.as_ref().map(|detail| detail.vlans.to_string()).unwrap_or_default(),
            tunnels: self.detail.as_ref().map(|detail| detail.tunnels.clone()).unwrap_or_default(),
        };
        laid(key, trace)
    }

    fn opening(&self) -> Opening {
        self.detail.as_ref().map_or(Opening::Seen, |detail| detail.opening)
    }

    /// None where the record does not say; but datagrams without an answer are only needed where they go on, so of these
    /// the least that there must have been is counted.
    fn counted_packets(&self) -> u64 {
        let least = match self.outcome {
            Some(Outcome::Oneway) => self.connections.max(u64::from(self.hours.unwrap_or_default())),
            _ => 0,
        };
        self.packets.unwrap_or(least)
    }

    /// The flags that the map reads the outcome from.
    fn flags(&self) -> Flags {
        if let Some(detail) = &self.detail {
            return detail.flags;
        }
        let outcome = self.outcome.unwrap_or(Outcome::Established);
        let bits: &[Flags] = match outcome {
            Outcome::Established => &[Flags::ASKED, Flags::AGREED, Flags::FROM_SRC, Flags::FROM_DST],
            Outcome::Midstream => &[Flags::FROM_SRC, Flags::FROM_DST],
            Outcome::Refused => &[Flags::ASKED, Flags::REFUSED],
            Outcome::Unanswered if self.protocol.is_stream() => &[Flags::ASKED],
            Outcome::Unanswered if matches!(self.protocol, Protocol::ICMP | Protocol::ICMPV6) => {
                &[Flags::ASKED, Flags::FROM_SRC]
            }
            Outcome::Unanswered | Outcome::Oneway => &[Flags::FROM_SRC],
        };
        let mut flags = Flags::SRC_FIRST;
        for bit in bits {
            flags.add(*bit);
        }
        if outcome.is_needed() && self.packets != Some(0) {
            flags.add(Flags::PAYLOAD);
        }
        flags
    }

    /// A number that tells it from other records between the same ends; equal records are one, whose counts add up.
    fn identity(&self) -> u32 {
        let tag = match &self.detail {
            Some(detail) => detail.tag,
            // stores hold numbers from before there were details
            None => xxh3_64(format!("{self:?}").replace(", detail: None", "").as_bytes()),
        };
        let [a, b, c, d, ..] = tag.to_le_bytes();
        u32::from_le_bytes([a, b, c, d]).max(1)
    }
}

/// The observation of one trace. Where it is open who opened, the row is laid towards the likelier server: rows are kept
/// by its port, and clients have many.
pub(super) fn laid(key: ObservationKey, trace: Trace) -> Observation {
    let is_turned = key.opening == Opening::Unseen && PortKind::of(trace.src_port).outranks(PortKind::of(key.dst_port));
    let (key, trace) = if is_turned {
        let turned = ObservationKey { src: key.dst, dst: key.src, dst_port: trace.src_port, ..key };
        (turned, trace.turned(key.dst_port))
    } else {
        (key, trace)
    };
    Observation { key, traces: TraceSet::restore([trace], 1) }
}
