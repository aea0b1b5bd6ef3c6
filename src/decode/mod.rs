//! Bytes to [`Packet`]: link, VLAN tags, IP and transport. No allocation, no I/O, no clock; any bytes are safe input.

mod ip;
mod link;
pub mod neighbour;
mod transport;
mod tunnel;
mod vlan;

use std::{fmt, net::IpAddr};

pub use transport::{TcpFlags, Transport};
pub use tunnel::{Tunnel, TunnelStack};
pub use vlan::VlanStack;

use crate::{
    capture::{Frame, LinkType},
    model::Protocol,
};

/// A packet as the connection room wants it: who, to whom, and what the transport said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The tags it carried, outer first; of a packet in a tunnel, those inside.
    pub vlans: VlanStack,
    /// The tunnels it came through.
    pub tunnels: TunnelStack,
    /// Where on the host it was seen: equal for packets of one interface and direction.
    pub point: u32,
    /// Whether the link carried it to everybody: so it is no one's alone, whatever its address.
    pub is_broadcast: bool,
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// The IP protocol past all extension headers.
    pub protocol: Protocol,
    /// Hop limit, or time to live.
    pub hop_limit: u8,
    /// IPv4 identification; 0 for IPv6.
    pub ip_id: u16,
    /// Length of the IP packet on the wire.
    pub ip_bytes: u32,
    /// What the transport header said.
    pub transport: Transport<'a>,
}

/// A header, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Link layer and tags.
    Link,
    /// IPv4.
    Ipv4,
    /// IPv6 and its extension headers.
    Ipv6,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// Why a frame gave no packet. Every frame is either decoded or counted under one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotDecoded {
    /// The capture file's link type is not read.
    LinkType(LinkType),
    /// Address resolution, which makes no flow.
    Arp,
    /// An IEEE 802.3 frame with an LLC header in place of an Ethernet type.
    Llc,
    /// Another Ethernet type.
    EtherType(u16),
    /// More VLAN tags than any network stacks.
    TooManyTags,
    /// The capture holds too little of the header.
    CutShort(Layer),
    /// The header contradicts itself.
    Malformed(Layer),
    /// More extension headers than any stack sends.
    TooManyExtensions,
    /// A fragment without ports, past the first.
    LaterFragment(Layer),
}

impl NotDecoded {
    /// Whether the packet itself is damaged, and not only of a kind that is not read or cut by the capture.
    #[must_use]
    pub fn is_damage(self) -> bool {
        matches!(self, Self::Malformed(_) | Self::TooManyExtensions)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "link",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl fmt::Display for NotDecoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkType(link) => write!(f, "link type {link}"),
            Self::Arp => f.write_str("arp"),
            Self::Llc => f.write_str("llc"),
            Self::EtherType(0x88cc) => f.write_str("lldp"),
            Self::EtherType(0x8847 | 0x8848) => f.write_str("mpls"),
            Self::EtherType(0x8863 | 0x8864) => f.write_str("pppoe"),
            Self::EtherType(0x888e) => f.write_str("eapol"),
            Self::EtherType(number) => write!(f, "ethertype 0x{number:04x}"),
            Self::TooManyTags => f.write_str("vlan: too many tags"),
            Self::CutShort(layer) => write!(f, "{layer}: cut short"),
            Self::Malformed(layer) => write!(f, "{layer}: malformed"),
            Self::TooManyExtensions => f.write_str("ipv6: too many extension headers"),
            Self::LaterFragment(layer) => write!(f, "{layer}: later fragment"),
        }
    }
}

/// Decodes a frame, through the tunnels that it went through.
pub fn decode<'a>(frame: &Frame<'a>) -> Result<Packet<'a>, NotDecoded> {
    let cursor = link::strip(frame)?;
    let captured = u32::try_from(frame.data.len()).unwrap_or(u32::MAX);
    let not_captured = frame.wire_length.saturating_sub(captured);
    let place = [frame.interface, cursor.interface, u32::from(cursor.packet_type)].into_iter().fold(ONLY_POINT, fnv);
    layer(cursor, not_captured, TunnelStack::default(), place)
}

/// The packet that an ICMP error quotes, as it would have been decoded where the error was seen. `None` where too little is
/// quoted to know its connection.
#[must_use]
pub fn quoted<'a>(error: &Packet<'_>, quote: &'a [u8]) -> Option<Packet<'a>> {
    let ether_type = if error.src.is_ipv4() { link::IPV4 } else { link::IPV6 };
    let cursor = Cursor { ether_type, rest: quote, interface: 0, packet_type: 0, is_broadcast: false };
    // what is not quoted was on the wire; its length stands in the header
    let network = ip::decode(&cursor, 0).ok().filter(|network| network.protocol.has_ports())?;
    let transport = transport::decode(&network).ok()?;
    let ip::Network { src, dst, protocol, hop_limit, ip_id, ip_bytes, .. } = network;
    let Packet { vlans, tunnels, point, .. } = *error;
    let is_broadcast = false;
    Some(Packet { vlans, tunnels, point, is_broadcast, src, dst, protocol, hop_limit, ip_id, ip_bytes, transport })
}

/// Decodes one IP packet, and the one inside where it is a tunnel's.
fn layer(
    mut cursor: Cursor<'_>,
    not_captured: u32,
    tunnels: TunnelStack,
    place: u32,
) -> Result<Packet<'_>, NotDecoded> {
    let vlans = vlan::strip(&mut cursor)?;
    let network = ip::decode(&cursor, not_captured)?;
    let transport = transport::decode(&network)?;
    let point = vlans.ids().iter().map(|id| u32::from(*id)).fold(place, fnv);
    if let Some((tunnel, frame)) = tunnel::inner(&transport) {
        let inside = tunnels.within(tunnel).zip(link::ethernet(frame).ok());
        let inner = inside.map(|(tunnels, cursor)| layer(cursor, not_captured, tunnels, fnv(point, 1)));
        // what does not hold together inside was no tunnel
        if let Some(inner) = inner.filter(|inner| !matches!(inner, Err(NotDecoded::Malformed(_)))) {
            return inner;
        }
    }
    let ip::Network { src, dst, protocol, hop_limit, ip_id, ip_bytes, .. } = network;
    let is_broadcast = cursor.is_broadcast;
    Ok(Packet { vlans, tunnels, point, is_broadcast, src, dst, protocol, hop_limit, ip_id, ip_bytes, transport })
}

/// The number of the place where nothing tells places apart: the first interface, without tags.
const ONLY_POINT: u32 = 0;

/// A step of FNV-1a, so that packets of one place get one number; of [`ONLY_POINT`] and 0 it is 0 again.
fn fnv(hash: u32, word: u32) -> u32 {
    (hash ^ word).wrapping_mul(0x0100_0193)
}

/// What is left of a frame, and what its link header told.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    /// The Ethernet type of what follows.
    ether_type: u16,
    rest: &'a [u8],
    interface: u32,
    packet_type: u16,
    is_broadcast: bool,
}

/// Two bytes in network order.
fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes)
}

/// Four bytes in network order.
fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests;
