//! Link headers, up to the Ethernet type of what they carry.

use super::{Cursor, Layer, NotDecoded, be16, be32};
use crate::capture::{Frame, LinkType};

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;

/// Smaller numbers in the type field of Ethernet are lengths of 802.3 frames.
const FIRST_ETHER_TYPE: u16 = 0x0600;

/// The type of packets that a cooked capture saw sent to everybody.
const PACKET_BROADCAST: u16 = 1;

pub(super) fn strip<'a>(frame: &Frame<'a>) -> Result<Cursor<'a>, NotDecoded> {
    let data = frame.data;
    match frame.link {
        LinkType::ETHERNET => ethernet(data),
        LinkType::LINUX_SLL => cooked(data),
        LinkType::LINUX_SLL2 => cooked_v2(data),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OLD | LinkType::IPV4 | LinkType::IPV6 => raw(data),
        LinkType::NULL | LinkType::LOOP => loopback(data),
        other => Err(NotDecoded::LinkType(other)),
    }
}

fn cursor(ether_type: Option<u16>, rest: Option<&[u8]>) -> Result<Cursor<'_>, NotDecoded> {
    let (Some(ether_type), Some(rest)) = (ether_type, rest) else { return Err(NotDecoded::CutShort(Layer::Link)) };
    Ok(Cursor { ether_type, rest, interface: 0, packet_type: 0, is_broadcast: false })
}

pub(super) fn ethernet(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let mut cursor = cursor(be16(data, 12), data.get(14..))?;
    // not every address with the group bit: load balancers let one unicast address be heard by several hosts
    cursor.is_broadcast = data.get(..6) == Some(&[0xff; 6]);
    if cursor.ether_type < FIRST_ETHER_TYPE { Err(NotDecoded::Llc) } else { Ok(cursor) }
}

/// LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address, protocol.
fn cooked(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let mut cursor = cursor(be16(data, 14), data.get(16..))?;
    cursor.packet_type = be16(data, 0).unwrap_or_default();
    cursor.is_broadcast = cursor.packet_type == PACKET_BROADCAST;
    // no interface is told; the address of the sender on the link differs from one to the next
    cursor.interface = be32(data, 8).unwrap_or_default();
    if cursor.ether_type < FIRST_ETHER_TYPE { Err(NotDecoded::Llc) } else { Ok(cursor) }
}

/// LINKTYPE_LINUX_SLL2: protocol, interface index, ARPHRD, packet type, address length, address.
fn cooked_v2(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let mut cursor = cursor(be16(data, 0), data.get(20..))?;
    cursor.interface = be32(data, 4).unwrap_or_default();
    cursor.packet_type = data.get(10).copied().unwrap_or_default().into();
    cursor.is_broadcast = cursor.packet_type == PACKET_BROADCAST;
    if cursor.ether_type < FIRST_ETHER_TYPE { Err(NotDecoded::Llc) } else { Ok(cursor) }
}

/// The version says which IP follows.
fn raw(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    match data.first().map(|byte| byte >> 4) {
        Some(4) => cursor(Some(IPV4), Some(data)),
        Some(6) => cursor(Some(IPV6), Some(data)),
        Some(_) => Err(NotDecoded::Malformed(Layer::Link)),
        None => Err(NotDecoded::CutShort(Layer::Link)),
    }
}

/// Four bytes of address family, whose numbers differ by system; the IP version behind them tells the same.
fn loopback(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    raw(data.get(4..).ok_or(NotDecoded::CutShort(Layer::Link))?)
}
