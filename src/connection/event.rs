//! What a packet means for its connection.

use super::words;
use crate::{
    decode::{Packet, TcpFlags, Transport},
    model::{Control, Trace},
};

/// Where a segment stands in both streams.
#[derive(Clone, Copy)]
pub(super) struct At {
    /// Its first byte.
    pub sequence: u32,
    /// Behind its last byte.
    pub end: u32,
    /// What it has of the other side.
    pub acknowledgment: u32,
}

/// What a packet means for its connection.
#[derive(Clone, Copy)]
pub(super) enum Event {
    /// The sender opens, with this initial sequence number.
    Open(u32),
    /// No segment of a connection, for past the opening all acknowledge (RFC 9293, 3.10.7.4): whoever sends it, with this number,
    /// looks what comes back.
    Probe(u32),
    /// The sender agrees to an opening with the first number; its own is the second.
    Agree(u32, u32),
    /// The sender refuses or breaks, and where it stands in both streams.
    Reset(At),
    /// A reset that acknowledges nothing, with its own number.
    BareReset(u32),
    /// A reset that was cut before its numbers.
    BlindReset,
    /// Past the opening: whether data was carried, whether the sender closes, and where it stands in both streams.
    Traffic { data: bool, closes: bool, at: At },
    /// Past the opening, of a packet that was cut before its numbers.
    BlindTraffic,
    /// Past the opening, of a protocol whose packets name their connection by the receiver's number instead (SCTP).
    Tagged { data: bool, closes: bool, receiver: u32 },
    /// A fragment without numbers of its own: of the connection that its first fragment was seen of. `is_data` where that says
    /// by itself that data was carried: the rest of a datagram, not of a segment, which may be a SYN.
    Part { is_data: bool },
    /// A message of ICMP.
    Control(Control),
    /// A datagram, with a number to know it by elsewhere.
    Datagram(u32),
    /// A datagram that says by itself whether its sender asks, or answers.
    Told { number: u32, asks: bool },
}

impl Event {
    pub fn is_datagram(self) -> bool {
        matches!(self, Self::Datagram(_) | Self::Told { .. })
    }
}

/// The ports of a packet, and what it means for its connection; `None` for an error about another packet, and for the rest of
/// one that was counted.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what a packet says is told in pieces, and need not be put together")]
pub(super) fn read(packet: &Packet<'_>) -> Option<(u16, u16, Event)> {
    Some(match packet.transport {
        Transport::Tcp { src_port, dst_port, sequence, acknowledgment, flags, data_bytes, .. } => {
            (src_port, dst_port, tcp_event(flags, sequence, acknowledgment, data_bytes))
        }
        Transport::Udp { src_port, dst_port, data_bytes, data } => {
            let number = digest(packet.ip_id, data_bytes, data);
            let event = match words::asks((src_port, dst_port), data_bytes, data) {
                None => Event::Datagram(number),
                Some(asks) => Event::Told { number, asks },
            };
            (src_port, dst_port, event)
        }
        Transport::Sctp { src_port, dst_port, tag, chunk, initiate_tag } => {
            (src_port, dst_port, sctp_event(tag, chunk, initiate_tag))
        }
        Transport::Part { src_port, dst_port } => {
            let is_data = !packet.protocol.is_stream();
            (src_port, dst_port, Event::Part { is_data })
        }
        Transport::Control(control) => (0, 0, Event::Control(control)),
        Transport::Other => (0, 0, Event::Datagram(0)),
        Transport::Rest | Transport::Unreachable(_) => return None,
    })
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "what a packet says is told in pieces, and need not be put together")]
fn tcp_event(flags: Option<TcpFlags>, sequence: u32, acknowledgment: u32, data_bytes: u32) -> Event {
    let Some(flags) = flags else {
        // how much of it is data, its header's length would have told
        let at = At { sequence, end: sequence, acknowledgment };
        return match (sequence, acknowledgment) {
            (0, 0) => Event::BlindTraffic,
            // nothing but the refusal of a SYN (RFC 9293, 3.10.7.1) stands at 0, unless by chance
            (0, _) => Event::Reset(at),
            _ => Event::Traffic { data: false, closes: false, at },
        };
    };
    let end = sequence.wrapping_add(data_bytes).wrapping_add(u32::from(flags.fin()));
    let at = At { sequence, end, acknowledgment };
    match (flags.syn(), flags.ack()) {
        (true, false) => Event::Open(sequence),
        (true, true) => Event::Agree(acknowledgment.wrapping_sub(1), sequence),
        _ if flags.rst() && flags.ack() => Event::Reset(at),
        _ if flags.rst() => Event::BareReset(sequence),
        (_, false) => Event::Probe(sequence),
        _ => Event::Traffic { data: data_bytes > 0, closes: flags.fin(), at },
    }
}

/// Chunk types of RFC 9260: 0 DATA, 1 INIT, 2 INIT ACK, 6 ABORT; 7, 8 and 14 close.
fn sctp_event(tag: u32, chunk: Option<u8>, initiate_tag: u32) -> Event {
    match chunk {
        Some(1) => Event::Open(initiate_tag),
        Some(2) => Event::Agree(tag, initiate_tag),
        Some(6) => Event::BlindReset,
        _ => Event::Tagged { data: chunk == Some(0), closes: matches!(chunk, Some(7 | 8 | 14)), receiver: tag },
    }
}

/// A number for a datagram that stays the same through address translation and tunnels: from its identification, its
/// length and its first bytes, few enough that short captures have them; more of them where there is no identification, for
/// many a protocol begins all its datagrams alike. 1 is none: makers of captures give it to all packets (Scapy's default).
fn digest(ip_id: u16, data_bytes: u32, data: &[u8]) -> u32 {
    const PREFIX_BYTES: usize = 8;
    const PREFIX_BYTES_ALONE: usize = 48;
    let is_nameless = ip_id <= 1;
    let prefix = if is_nameless { PREFIX_BYTES_ALONE } else { PREFIX_BYTES };
    let head = data.get(..prefix).unwrap_or(data);
    let seed = u64::from(ip_id) << 32 | u64::from(data_bytes);
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(head, seed);
    // 0 says that none was seen
    let number = u32::try_from(hash >> 32).unwrap_or(0).max(1);
    let is_cut = data.len() < prefix && u32::try_from(data.len()).is_ok_and(|captured| captured < data_bytes);
    if is_cut {
        Trace::cut_number(number)
    } else if is_nameless {
        Trace::nameless_number(number)
    } else {
        Trace::named_number(number)
    }
}
