//! One record of a flow log, whatever its format, as observations.

use std::net::IpAddr;

use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3;

use crate::model::{
    Flags, Hour, Lump, Observation, ObservationKey, Opening, Outcome, Protocol, Span, Tally, Trace, TraceSet,
};

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
}

impl FlowRecord {
    /// The record as observations: of the hour that it names first, and of the one that it names last.
    ///
    /// A record without times is laid to the first of [`Hour::unnamed`]. What it says of the client is as good as an
    /// opening that was seen: whoever wrote the log has seen it, or has decided. So the direction is `handshake`.
    #[must_use]
    pub fn observations(&self) -> SmallVec<[Observation; 2]> {
        let span = self.span.unwrap_or_else(|| Span::at(Hour(0).start()));
        let (first, last) = (span.first.hour(), span.last.hour());
        let micros = |time: crate::model::Timestamp| time.micros_in_hour();
        let whole = Trace {
            identity: self.identity(),
            flags: self.flags(),
            from_src: Tally::one(0, self.counted_packets(), self.bytes_to_server),
            from_dst: Tally::one(0, 0, self.bytes_to_client),
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

    fn observation(&self, hour: Hour, trace: Trace) -> Observation {
        let key = ObservationKey {
            hour,
            protocol: self.protocol,
            opening: Opening::Seen,
            src: self.client,
            dst: self.server,
            dst_port: self.port,
            vlans: String::new(),
            tunnels: String::new(),
        };
        Observation { key, traces: TraceSet::restore([trace], 1) }
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
        let outcome = self.outcome.unwrap_or(Outcome::Established);
        let bits: &[Flags] = match outcome {
            Outcome::Established => &[Flags::ASKED, Flags::AGREED, Flags::FROM_SRC, Flags::FROM_DST],
            Outcome::Midstream => &[Flags::FROM_SRC, Flags::FROM_DST],
            Outcome::Refused => &[Flags::ASKED, Flags::REFUSED],
            Outcome::Unanswered if is_stream(self.protocol) => &[Flags::ASKED],
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
        let mut digest = Xxh3::new();
        digest.update(format!("{self:?}").as_bytes());
        let [a, b, c, d, ..] = digest.digest().to_le_bytes();
        u32::from_le_bytes([a, b, c, d]).max(1)
    }
}

fn is_stream(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::TCP | Protocol::SCTP)
}
