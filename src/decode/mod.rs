//! Bytes to [`Packet`]: link, VLAN tags, tunnels, IP and transport. No I/O, no clock, and but for the tables of [`Fragments`]
//! and [`Repeats`] no allocation and no state; any bytes are safe input.

mod common;
mod fragments;
mod ip;
mod link;
pub mod neighbour;
mod reason;
mod repeats;
mod shim;
mod transport;
mod tunnel;
mod vlan;

use std::net::IpAddr;

pub use fragments::{Fragment, Fragments};
pub use reason::{Layer, NotDecoded, Wifi};
pub use repeats::Repeats;
pub use transport::{TcpFlags, Transport};
pub use tunnel::{Tunnel, TunnelStack, is_port as is_tunnel_port};

use ip::Room;
use repeats::Sent;
use tunnel::Content;

use crate::{
    capture::Frame,
    model::{Protocol, VlanStack},
};

/// A packet as the connection room wants it: who, to whom, and what the transport said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The tags it carried, outer first; of a packet in a tunnel through IP, those inside.
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
    /// Of a fragment, of which packet: [`Fragments`] then has to be asked.
    pub fragment: Option<Fragment>,
    /// What the transport header said.
    pub transport: Transport<'a>,
}

/// What of a network only its people can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Ports of VXLAN beside 4789 and 8472.
    pub vxlan_ports: Vec<u16>,
}

/// Decodes a frame, through the tunnels that it went through.
pub fn decode<'a>(frame: &Frame<'a>) -> Result<Packet<'a>, NotDecoded> {
    const ORDINARY: &Options = &Options { vxlan_ports: Vec::new() };
    decode_with(frame, ORDINARY)
}

/// Decodes one frame, where something is known of the network.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a packet is long to copy, and each is decoded here")]
pub fn decode_with<'a>(frame: &Frame<'a>, options: &Options) -> Result<Packet<'a>, NotDecoded> {
    match common(frame, options) {
        Some(packet) => Ok(packet),
        None => general(frame, options),
    }
}

/// Decodes a common frame: what most are. `None` where [`decode_with`] must be asked, which gives the same of this one.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a packet is long to copy, and each is decoded here")]
#[must_use]
pub fn common<'a>(frame: &Frame<'a>, options: &Options) -> Option<Packet<'a>> {
    common::decode(frame, place(frame.interface, 0, 0), options)
}

/// Decodes a frame of any kind.
fn general<'a>(frame: &Frame<'a>, options: &Options) -> Result<Packet<'a>, NotDecoded> {
    let cursor = link::strip(frame)?;
    let captured = u32::try_from(frame.data.len()).unwrap_or(u32::MAX);
    let room = Room { not_captured: frame.wire_length.saturating_sub(captured), must_fit: false };
    let place = place(frame.interface, cursor.interface, cursor.packet_type);
    let (vlans, tunnels, fragment) = Default::default();
    layer(cursor, Around { vlans, tunnels, place, room, fragment, options })
}

/// The packet that an ICMP error quotes, as it would have been decoded where the error was seen. `None` where too little is
/// quoted to know its connection.
#[must_use]
pub fn quoted<'a>(error: &Packet<'_>, quote: &'a [u8]) -> Option<Packet<'a>> {
    let ether_type = if error.src.is_ipv4() { link::IPV4 } else { link::IPV6 };
    let cursor = Cursor::bare(ether_type, quote);
    // what is not quoted was on the wire; its length stands in the header
    let mut network = ip::decode(&cursor, Room::default()).ok()?;
    if !network.protocol.has_ports() || network.is_later() {
        return None;
    }
    // some hosts quote a length that they have changed; the ports hold, as those of a first fragment do
    network.part = Some(ip::Part { id: 0, protocol: network.protocol, is_later: false });
    let transport = transport::decode(&network).ok()?;
    let ip::Network { src, dst, protocol, hop_limit, ip_id, ip_bytes, .. } = network;
    Some(Packet {
        is_broadcast: false,
        fragment: None,
        src,
        dst,
        protocol,
        hop_limit,
        ip_id,
        ip_bytes,
        transport,
        ..*error
    })
}

/// What is around the layer that is being read.
#[derive(Clone, Copy)]
struct Around<'o> {
    /// The tags so far.
    vlans: VlanStack,
    tunnels: TunnelStack,
    /// Where the frame was seen, without its tags.
    place: u32,
    room: Room,
    /// Of which of a tunnel's packets this is the first fragment.
    fragment: Option<Fragment>,
    options: &'o Options,
}

impl Around<'_> {
    /// The surroundings inside a tunnel, the tags still being those outside; `None` where there are too many tunnels.
    fn within(self, tunnel: Tunnel) -> Option<Self> {
        let tunnels = self.tunnels.within(tunnel)?;
        Some(Self { tunnels, place: fnv(self.point(), tunnel.word()), ..self })
    }

    /// The surroundings between these ends of the tunnel: hubs and mirrors carry one packet through several tunnels of one number.
    fn between(self, ends: [IpAddr; 2]) -> Self {
        let place = ends.into_iter().fold(self.place, |place, end| match end {
            IpAddr::V4(v4) => fnv(place, v4.to_bits()),
            IpAddr::V6(v6) => v6.segments().into_iter().map(u32::from).fold(place, fnv),
        });
        Self { place, ..self }
    }

    /// The number of the place, of which the tags are a part.
    fn point(&self) -> u32 {
        self.vlans.without_priority_tags().ids().map(u32::from).fold(self.place, fnv)
    }
}

/// Decodes what follows a link header: tags, then one IP packet or what leads to one.
fn layer<'a>(mut cursor: Cursor<'a>, mut around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    vlan::strip(&mut cursor, &mut around.vlans)?;
    if cursor.ether_type < link::FIRST_ETHER_TYPE {
        let length = usize::from(cursor.ether_type);
        let carried = link::llc(cursor.rest.get(..length).unwrap_or(cursor.rest))?;
        cursor = Cursor { ether_type: carried.ether_type, rest: carried.rest, ..cursor };
        vlan::strip(&mut cursor, &mut around.vlans)?;
    }
    match cursor.ether_type {
        link::IPV4 | link::IPV6 => packet(&cursor, around),
        _ => shim::decode(&cursor, around),
    }
}

/// Decodes one IP packet, and the one inside where it is a tunnel's.
fn packet<'a>(cursor: &Cursor<'a>, around: Around<'_>) -> Result<Packet<'a>, NotDecoded> {
    let network = ip::decode(cursor, around.room)?;
    // what a tunnel carries tells of the tunnel, of which nothing else may
    if around.tunnels.is_empty() && transport::is_discovery(&network) {
        return Err(NotDecoded::Discovery);
    }
    let transport = transport::decode(&network)?;
    let own = network.part.map(|part| {
        let Around { vlans, tunnels, .. } = around;
        let vlans = vlans.without_priority_tags();
        let common = (network.src, network.dst, part.protocol, part.id, around.point(), vlans, tunnels);
        Fragment::of(common, part.is_later)
    });
    let fragment = own.or(around.fragment);
    if !network.is_later()
        && let Some(inner) = tunnel::inner(&network, &transport, around.options)
        && let Some(result) = inside(&inner, &network, Around { fragment: fragment.map(Fragment::of_tunnel), ..around })
    {
        return result;
    }
    let ip::Network { src, dst, protocol, hop_limit, ip_id, ip_bytes, .. } = network;
    let Around { vlans, tunnels, .. } = around;
    let (is_broadcast, point) = (cursor.is_broadcast, around.point());
    let ends = Packet {
        vlans,
        tunnels,
        point,
        is_broadcast,
        src,
        dst,
        protocol,
        hop_limit,
        ip_id,
        ip_bytes,
        fragment,
        transport,
    };
    Ok(ends)
}

/// The packet in a tunnel; `None` where it does not hold together, so that it was no tunnel.
fn inside<'a>(
    inner: &tunnel::Inner<'a>,
    network: &ip::Network<'a>,
    around: Around<'_>,
) -> Option<Result<Packet<'a>, NotDecoded>> {
    let captured = u32::try_from(network.payload.len()).unwrap_or(u32::MAX);
    let not_captured = network.payload_bytes.saturating_sub(captured);
    // the rest of a fragment is in the next one
    let is_whole = around.fragment.is_none();
    let within = around.within(inner.tunnel)?.between([network.src, network.dst]);
    let mut around = Around { vlans: VlanStack::default(), ..within };
    around.room = Room { not_captured, must_fit: is_whole };
    if let Some(vlan) = inner.vlan {
        around.vlans.push(vlan);
    }
    let cursor = match inner.content {
        Content::Ethernet => link::ethernet(inner.data),
        Content::EtherType(ether_type) => Ok(Cursor::bare(ether_type, inner.data)),
        Content::Ppp => link::ppp(inner.data),
    };
    let result = cursor.and_then(|cursor| layer(cursor, around));
    let holds = match result {
        // where a port alone announces labels or IPv6, nothing but a packet proves them
        Err(_) if matches!(inner.tunnel, Tunnel::Ip | Tunnel::Teredo) => false,
        Err(NotDecoded::CutShort(_)) => not_captured > 0 || !is_whole,
        Err(NotDecoded::Mpls | NotDecoded::TooManyTags | NotDecoded::TooManyTunnels) => false,
        Err(reason) => !reason.is_damage(),
        Ok(_) => true,
    };
    holds.then_some(result)
}

/// The number of the place where nothing tells places apart: the first interface, without tags.
const ONLY_POINT: u32 = 0;

/// The number of a place without tags, by what the capture and the link header tell of it.
fn place(interface: u32, interface_index: u32, packet_type: u16) -> u32 {
    [interface, interface_index, u32::from(packet_type)].into_iter().fold(ONLY_POINT, fnv)
}

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

impl<'a> Cursor<'a> {
    /// Of a link that tells nothing but this.
    fn bare(ether_type: u16, rest: &'a [u8]) -> Self {
        Self { ether_type, rest, interface: 0, packet_type: 0, is_broadcast: false }
    }
}

/// Two bytes in network order.
fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes)
}

/// Four bytes in network order.
fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes)
}

/// Two bytes in the order of most hosts.
fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    be16(bytes, at).map(u16::swap_bytes)
}

/// Four bytes in the order of most hosts.
fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    be32(bytes, at).map(u32::swap_bytes)
}

#[cfg(test)]
mod tests;
