//! Link headers, up to the Ethernet type of what they carry.

mod llc;
mod ppp;
mod serial;
mod wifi;
mod wrapped;

pub(super) use llc::llc;
pub(super) use ppp::ppp;

use super::{Cursor, Layer, NotDecoded, be16, be32, vlan::is_tag};
use crate::capture::{Frame, LinkType};

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;

/// Smaller numbers in the type field of Ethernet are lengths of 802.3 frames.
pub(super) const FIRST_ETHER_TYPE: u16 = 0x0600;

/// The type of packets that a cooked capture saw sent to everybody.
const PACKET_BROADCAST: u16 = 1;

const CUT: NotDecoded = NotDecoded::CutShort(Layer::Link);

pub(super) fn strip<'a>(frame: &Frame<'a>) -> Result<Cursor<'a>, NotDecoded> {
    match wrapped::unwrap(frame.link, frame.data)? {
        Some((link, data)) => of_type(link, data),
        None => of_type(frame.link, frame.data),
    }
}

fn of_type(link: LinkType, data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    match link {
        LinkType::ETHERNET => ethernet(data),
        LinkType::LINUX_SLL => cooked(data),
        LinkType::LINUX_SLL2 => cooked_v2(data),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OLD | LinkType::IPV4 | LinkType::IPV6 => raw(data),
        LinkType::NULL | LinkType::LOOP => loopback(data),
        LinkType::PPP => ppp(data),
        LinkType::PPP_HDLC => serial::ppp_or_cisco(data),
        LinkType::PPP_ETHER => cursor(Some(super::shim::PPPOE_SESSION), Some(data)),
        // the address field of PPP's framing says the direction instead
        LinkType::PPP_PPPD => ppp(data.get(2..).ok_or(CUT)?),
        LinkType::PPP_WITH_DIR => ppp(data.get(1..).ok_or(CUT)?),
        LinkType::C_HDLC => serial::cisco(data),
        LinkType::FRELAY => serial::frame_relay(data),
        LinkType::FDDI => serial::fddi(data),
        LinkType::IEEE802_11 => wifi::frame(data, false),
        LinkType::IEEE802_11_RADIOTAP => wifi::radiotap(data),
        LinkType::IEEE802_11_PRISM => wifi::prism(data),
        LinkType::IEEE802_11_AVS => wifi::avs(data),
        other => Err(NotDecoded::LinkType(other)),
    }
}

fn cursor(ether_type: Option<u16>, rest: Option<&[u8]>) -> Result<Cursor<'_>, NotDecoded> {
    let (Some(ether_type), Some(rest)) = (ether_type, rest) else { return Err(CUT) };
    Ok(Cursor::bare(ether_type, rest))
}

pub(super) fn ethernet(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let mut cursor = cursor(be16(data, 12), data.get(14..))?;
    // not every address with the group bit: load balancers let one unicast address be heard by several hosts
    cursor.is_broadcast = data.get(..6) == Some(&[0xff; 6]);
    Ok(cursor)
}

/// `LINKTYPE_LINUX_SLL`: packet type, ARPHRD, address length, address, protocol.
fn cooked(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let carried = cooked_payload(be16(data, 14), data.get(16..))?;
    let packet_type = be16(data, 0).unwrap_or_default();
    // no interface is told; the address of the sender on the link differs from one to the next
    let interface = be32(data, 8).unwrap_or_default();
    Ok(Cursor { packet_type, is_broadcast: packet_type == PACKET_BROADCAST, interface, ..carried })
}

/// `LINKTYPE_LINUX_SLL2`: protocol, interface index, ARPHRD, packet type, address length, address.
fn cooked_v2(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let carried = cooked_payload(be16(data, 0), data.get(20..))?;
    let packet_type = data.get(10).copied().unwrap_or_default().into();
    let interface = be32(data, 4).unwrap_or_default();
    Ok(Cursor { packet_type, is_broadcast: packet_type == PACKET_BROADCAST, interface, ..carried })
}

/// Linux gives frames without an Ethernet type small numbers of its own (`if_ether.h`): 4 is LLC.
fn cooked_payload(protocol: Option<u16>, rest: Option<&[u8]>) -> Result<Cursor<'_>, NotDecoded> {
    match (protocol, rest) {
        (Some(4), Some(rest)) => llc(rest),
        (Some(other), Some(_)) if other < FIRST_ETHER_TYPE => Err(NotDecoded::Cooked(other)),
        (Some(protocol), Some(rest)) if has_hidden_tag(protocol, rest) => Ok(Cursor::bare(TAG, rest)),
        _ => cursor(protocol, rest),
    }
}

/// The type of a VLAN tag (IEEE 802.1Q).
const TAG: u16 = 0x8100;

/// Whether the rest begins within a tag. Of a frame with several the kernel takes off the first one, and since Linux 6.11 names
/// the protocol behind all of them (`vlan_get_protocol_dgram`): the others stand before the packet and nothing says so.
fn has_hidden_tag(protocol: u16, mut rest: &[u8]) -> bool {
    let version = match protocol {
        IPV4 => 4,
        IPV6 => 6,
        _ => return false,
    };
    // what was cut before it tells is cut either way
    let is_packet = |bytes: &[u8]| bytes.first().is_none_or(|byte| byte >> 4 == version);
    if is_packet(rest) {
        return false;
    }
    while let (Some(next), Some(behind)) = (be16(rest, 2), rest.get(4..)) {
        if next == protocol {
            return is_packet(behind);
        }
        if !is_tag(next) {
            return false;
        }
        rest = behind;
    }
    true
}

/// The version says which IP follows.
pub(super) fn raw(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    match data.first().map(|byte| byte >> 4) {
        Some(4) => cursor(Some(IPV4), Some(data)),
        Some(6) => cursor(Some(IPV6), Some(data)),
        Some(_) => Err(NotDecoded::Malformed(Layer::Link)),
        None => Err(CUT),
    }
}

/// Four bytes of address family, whose numbers differ by system; the IP version behind them tells the same.
fn loopback(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    raw(data.get(4..).ok_or(CUT)?)
}
