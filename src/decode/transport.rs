//! TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260), and the ICMP errors that answer attempts (RFC 792, RFC 4443).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Layer, NotDecoded, be16, be32, ip::Network};
use crate::model::Protocol;

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

/// The attempt that an ICMP error answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who sent the packet that found no way.
    pub src: IpAddr,
    /// Where it was to go.
    pub dst: IpAddr,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its source port.
    pub src_port: u16,
    /// Its destination port.
    pub dst_port: u16,
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
        /// Bytes of data on the wire.
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
        /// Verification tag.
        tag: u32,
        /// The type of its first chunk.
        chunk: Option<u8>,
    },
    /// An ICMP destination unreachable, of an attempt with ports.
    Unreachable(Attempt),
    /// All else: known by addresses and protocol alone.
    Other,
}

pub(super) fn decode<'a>(network: &Network<'a>) -> Result<Transport<'a>, NotDecoded> {
    match network.protocol {
        Protocol::TCP => tcp(network),
        Protocol::UDP => udp(network),
        Protocol::SCTP => sctp(network.payload),
        Protocol::ICMP | Protocol::ICMPV6 => Ok(unreachable(network)),
        _ => Ok(Transport::Other),
    }
}

fn ports(payload: &[u8], layer: Layer) -> Result<(u16, u16), NotDecoded> {
    be16(payload, 0).zip(be16(payload, 2)).ok_or(NotDecoded::CutShort(layer))
}

fn tcp<'a>(network: &Network<'a>) -> Result<Transport<'a>, NotDecoded> {
    let (src_port, dst_port) = ports(network.payload, Layer::Tcp)?;
    let words = network.payload.get(12).map_or(5, |byte| byte >> 4);
    let header_bytes = u32::from(words) * 4;
    if header_bytes < 20 {
        return Err(NotDecoded::Malformed(Layer::Tcp));
    }
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
    let (src_port, dst_port) = ports(network.payload, Layer::Udp)?;
    let data = network.payload.get(8..).unwrap_or_default();
    Ok(Transport::Udp { src_port, dst_port, data_bytes: network.payload_bytes.saturating_sub(8), data })
}

fn sctp(payload: &[u8]) -> Result<Transport<'_>, NotDecoded> {
    let (src_port, dst_port) = ports(payload, Layer::Sctp)?;
    Ok(Transport::Sctp {
        src_port,
        dst_port,
        tag: be32(payload, 4).unwrap_or_default(),
        chunk: payload.get(12).copied(),
    })
}

/// Type 3 of ICMP and type 1 of `ICMPv6` carry the head of the packet they answer.
fn unreachable<'a>(network: &Network<'a>) -> Transport<'a> {
    let attempt = match (network.protocol, network.payload.first()) {
        (Protocol::ICMP, Some(3)) => network.payload.get(8..).and_then(attempt_v4),
        (Protocol::ICMPV6, Some(1)) => network.payload.get(8..).and_then(attempt_v6),
        _ => None,
    };
    attempt.map_or(Transport::Other, Transport::Unreachable)
}

fn attempt_v4(inner: &[u8]) -> Option<Attempt> {
    let header_bytes = usize::from(inner.first()? & 0x0f) * 4;
    let behind = inner.get(header_bytes..)?;
    let address = |at: usize| be32(inner, at).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
    with_ports(Protocol(*inner.get(9)?), address(12)?, address(16)?, behind)
}

fn attempt_v6(inner: &[u8]) -> Option<Attempt> {
    let address = |at: usize| {
        let octets: [u8; 16] = inner.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    with_ports(Protocol(*inner.get(6)?), address(8)?, address(24)?, inner.get(40..)?)
}

fn with_ports(protocol: Protocol, src: IpAddr, dst: IpAddr, behind: &[u8]) -> Option<Attempt> {
    if !protocol.has_ports() {
        return None;
    }
    Some(Attempt { src, dst, protocol, src_port: be16(behind, 0)?, dst_port: be16(behind, 2)? })
}
