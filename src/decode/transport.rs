//! TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260), and the ICMP errors that answer attempts (RFC 792, RFC 4443).

use super::{Layer, NotDecoded, be16, be32, ip::Network};
use crate::model::{Control, Protocol};

/// The flags of a TCP segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    #[must_use]
    pub fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// Opens a connection.
    #[must_use]
    pub fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// Refuses or breaks a connection.
    #[must_use]
    pub fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// The acknowledgment number counts.
    #[must_use]
    pub fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// What the transport header said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// A TCP segment.
    Tcp {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
        /// Sequence number.
        sequence: u32,
        /// Acknowledgment number.
        acknowledgment: u32,
        /// Its flags; `None` where the capture ends before them.
        flags: Option<TcpFlags>,
        /// Bytes of data on the wire.
        data_bytes: u32,
        /// The data, as far as it was captured.
        data: &'a [u8],
    },
    /// A UDP datagram.
    Udp {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
        /// Bytes of data on the wire; of the first fragment those of the whole datagram.
        data_bytes: u32,
        /// The data, as far as it was captured.
        data: &'a [u8],
    },
    /// An SCTP packet.
    Sctp {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
        /// Verification tag: the receiver's.
        tag: u32,
        /// The type of its first chunk.
        chunk: Option<u8>,
        /// The sender's own tag, where the chunk is an INIT or INIT ACK; else 0.
        initiate_tag: u32,
    },
    /// A fragment past the first: the ports are those of the first, 0 until [`Fragments`](super::Fragments) knew them.
    Part {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
    },
    /// A fragment past the first of a tunnel's packet: what it carries is of a packet that was counted whole where it began.
    Rest,
    /// An ICMP destination unreachable, with the head of the packet that found no way: see [`super::quoted`].
    Unreachable(&'a [u8]),
    /// Another message of ICMP.
    Control(Control),
    /// All else: known by addresses and protocol alone.
    Other,
}

pub(super) fn decode<'a>(network: &Network<'a>) -> Result<Transport<'a>, NotDecoded> {
    if network.is_later() {
        return Ok(Transport::Part { src_port: 0, dst_port: 0 });
    }
    match network.protocol {
        Protocol::TCP => tcp(network),
        Protocol::UDP => udp(network),
        Protocol::SCTP => sctp(network),
        Protocol::ICMP | Protocol::ICMPV6 => Ok(control(network)),
        _ => Ok(Transport::Other),
    }
}

/// What all transports begin with, where there is room for a header of so many bytes. A first fragment may hold less of it.
fn ports(network: &Network<'_>, header_bytes: u32, layer: Layer) -> Result<(u16, u16), NotDecoded> {
    if network.part.is_none() && network.payload_bytes < header_bytes {
        return Err(NotDecoded::Malformed(layer));
    }
    be16(network.payload, 0).zip(be16(network.payload, 2)).ok_or(NotDecoded::CutShort(layer))
}

fn tcp<'a>(network: &Network<'a>) -> Result<Transport<'a>, NotDecoded> {
    let words = network.payload.get(12).map_or(5, |byte| byte >> 4);
    let header_bytes = u32::from(words) * 4;
    if header_bytes < 20 {
        return Err(NotDecoded::Malformed(Layer::Tcp));
    }
    let (src_port, dst_port) = ports(network, header_bytes, Layer::Tcp)?;
    Ok(Transport::Tcp {
        src_port,
        dst_port,
        sequence: be32(network.payload, 4).unwrap_or_default(),
        acknowledgment: be32(network.payload, 8).unwrap_or_default(),
        flags: network.payload.get(13).map(|byte| TcpFlags(*byte)),
        data_bytes: network.payload_bytes.saturating_sub(header_bytes),
        data: network.payload.get(usize::from(words) * 4..).unwrap_or_default(),
    })
}

fn udp<'a>(network: &Network<'a>) -> Result<Transport<'a>, NotDecoded> {
    let (src_port, dst_port) = ports(network, 8, Layer::Udp)?;
    let data = network.payload.get(8..).unwrap_or_default();
    // the first fragment holds a part of what the datagram's own length tells, which is 0 of jumbograms alone (RFC 2675, section 4)
    let whole = network.part.and_then(|_| be16(network.payload, 4)).filter(|length| *length >= 8);
    let bytes = whole.map_or(network.payload_bytes, u32::from);
    Ok(Transport::Udp { src_port, dst_port, data_bytes: bytes.saturating_sub(8), data })
}

fn sctp<'a>(network: &Network<'a>) -> Result<Transport<'a>, NotDecoded> {
    let (src_port, dst_port) = ports(network, 12, Layer::Sctp)?;
    let payload = network.payload;
    let chunk = payload.get(12).copied();
    // INIT and INIT ACK (RFC 9260, section 3.3.2)
    let opens = matches!(chunk, Some(1 | 2));
    let initiate_tag = be32(payload, 16).filter(|_| opens).unwrap_or_default();
    Ok(Transport::Sctp { src_port, dst_port, tag: be32(payload, 4).unwrap_or_default(), chunk, initiate_tag })
}

/// Whether a message asks for routers and neighbours, or tells of them: what no router forwards has its first hop limit, or
/// nobody heeds it (RFC 4861, sections 4 and 6.1).
pub(super) fn is_discovery(network: &Network<'_>) -> bool {
    let is_meant = |kind: &u8| Control::is_discovery(network.protocol, *kind);
    network.hop_limit == u8::MAX && network.payload.first().is_some_and(is_meant)
}

/// Type 3 of ICMP and type 1 of `ICMPv6` carry the head of the packet they answer. Code 4 of the first refuses nothing: the
/// sender is to send less at once (RFC 1191). A neighbour's advertisement says whether it was asked for (RFC 4861).
fn control<'a>(network: &Network<'a>) -> Transport<'a> {
    const FRAGMENTATION_NEEDED: u8 = 4;
    const NEIGHBOUR: u8 = 136;
    const SOLICITED: u8 = 0x40;
    let quote = match (network.protocol, network.payload) {
        (Protocol::ICMP, [3, FRAGMENTATION_NEEDED, ..]) => None,
        (Protocol::ICMP, [3, ..]) | (Protocol::ICMPV6, [1, ..]) => network.payload.get(8..),
        _ => None,
    };
    let message = || match (network.protocol, network.payload) {
        (Protocol::ICMPV6, [NEIGHBOUR, _, _, _, flags, ..]) if flags & SOLICITED != 0 => Control::Answers,
        (protocol, [kind, ..]) => Control::of(protocol, *kind),
        _ => Control::Tells,
    };
    quote.map_or_else(|| Transport::Control(message()), Transport::Unreachable)
}
