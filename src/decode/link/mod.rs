//! Link headers, up to the Ethernet type of what they carry.

mod llc;
mod ppp;
mod serial;
mod switch;
mod wifi;
mod wrapped;

pub(super) use llc::llc;
pub(super) use ppp::ppp;

use wrapped::Wrapped;

use super::{
    Cursor, Layer, NotDecoded, Sent, be16, be32, fnv,
    shim::{MPLS, PPPOE_SESSION},
    vlan::is_tag,
};
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
        Some(Wrapped { link, data, place }) => {
            let cursor = of_type(link, data)?;
            Ok(Cursor { interface: fnv(place, cursor.interface), ..cursor })
        }
        None => of_type(frame.link, frame.data),
    }
}

/// What an 802.11 frame has in common with the same one sent again; `None` of frames that say nothing of that.
pub(super) fn sent(frame: &Frame<'_>) -> Option<Sent> {
    let bare = match wrapped::unwrap(frame.link, frame.data).ok()? {
        Some(Wrapped { link, data, .. }) => wifi::bare(link, data),
        None => wifi::bare(frame.link, frame.data),
    };
    wifi::sent(&bare.ok()??)
}

fn of_type(link: LinkType, data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    match link {
        LinkType::ETHERNET => ethernet(data),
        LinkType::LINUX_SLL => cooked(data),
        LinkType::LINUX_SLL2 => cooked_v2(data),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OLD | LinkType::IPV4 | LinkType::IPV6 => raw(data),
        LinkType::NULL | LinkType::LOOP => loopback(data),
        // routers write Cisco's framing under both
        LinkType::PPP | LinkType::PPP_HDLC => serial::ppp_or_cisco(data),
        LinkType::PPP_ETHER => cursor(Some(PPPOE_SESSION), Some(data)),
        LinkType::MPLS => cursor(Some(MPLS), Some(data)),
        // the address field of PPP's framing says the direction instead
        LinkType::PPP_PPPD => ppp(data.get(2..).ok_or(CUT)?),
        LinkType::PPP_WITH_DIR => ppp(data.get(1..).ok_or(CUT)?),
        LinkType::C_HDLC => serial::cisco(data),
        LinkType::C_HDLC_WITH_DIR => serial::cisco(data.get(1..).ok_or(CUT)?),
        LinkType::FRELAY => serial::frame_relay(data),
        LinkType::FRELAY_WITH_DIR => serial::frame_relay(data.get(1..).ok_or(CUT)?),
        LinkType::FDDI => serial::fddi(data),
        LinkType::TOKEN_RING => serial::token_ring(data),
        LinkType::ATM_RFC1483 => llc(data),
        // the addresses of stations on Fibre Channel (RFC 2625, section 3.2)
        LinkType::IP_OVER_FC => llc(data.get(16..).ok_or(CUT)?),
        // a header of routing, then the type and two reserved bytes (RFC 4391, section 6)
        LinkType::IPOIB => cursor(be16(data, 40), data.get(44..)),
        LinkType::DSA_BROADCOM => switch::broadcom(data),
        LinkType::DSA_BROADCOM_BEFORE => switch::broadcom_before(data),
        LinkType::DSA_MARVELL => switch::marvell(data),
        LinkType::DSA_MARVELL_TYPED => switch::marvell_typed(data),
        other => match wifi::bare(other, data)? {
            Some(bare) => wifi::frame(bare),
            None => Err(NotDecoded::LinkType(other)),
        },
    }
}

fn cursor(ether_type: Option<u16>, rest: Option<&[u8]>) -> Result<Cursor<'_>, NotDecoded> {
    let (Some(ether_type), Some(rest)) = (ether_type, rest) else { return Err(CUT) };
    Ok(Cursor::bare(ether_type, rest))
}

pub(super) fn ethernet(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let mut cursor = cursor(be16(data, 12), data.get(14..))?;
    // a capture of the port to a switch chip need not say that it is one
    if cursor.ether_type == switch::MARVELL && matches!(cursor.rest, [] | [0] | [0, 0, ..]) {
        return switch::marvell_typed(data);
    }
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

/// Linux gives frames without an Ethernet type small numbers of its own (`if_ether.h`): this one to LLC.
pub(super) const COOKED_LLC: u16 = 4;

fn cooked_payload(protocol: Option<u16>, rest: Option<&[u8]>) -> Result<Cursor<'_>, NotDecoded> {
    match (protocol, rest) {
        (Some(COOKED_LLC), Some(rest)) => llc(rest),
        (Some(other), Some(_)) if other < FIRST_ETHER_TYPE => Err(NotDecoded::Cooked(other)),
        (Some(protocol), Some(rest)) if has_hidden_tag(protocol, rest) => Ok(Cursor::bare(TAG, rest)),
        _ => cursor(protocol, rest),
    }
}

/// The type of a VLAN tag (IEEE 802.1Q).
const TAG: u16 = 0x8100;

/// Whether the rest begins within a tag. Of a frame with several the kernel takes off the first one, and since Linux 6.11 names
/// the protocol behind all of them (`vlan_get_protocol_dgram`): the others stand before the packet and nothing says so. Where
/// both readings begin alike, the one that holds together counts.
fn has_hidden_tag(protocol: u16, rest: &[u8]) -> bool {
    if !matches!(protocol, IPV4 | IPV6 | PPPOE_SESSION | MPLS) {
        return false;
    }
    let is_plain = begins(protocol, rest);
    let mut behind = rest;
    loop {
        let (Some(next), Some(after)) = (be16(behind, 2), behind.get(4..)) else {
            // what was cut before it tells is cut either way
            return !is_plain;
        };
        if next == protocol {
            return begins(protocol, after) && !(is_plain && holds_together(protocol, rest, after));
        }
        if !is_tag(next) {
            return false;
        }
        behind = after;
    }
}

/// Whether a packet of a protocol may begin so.
fn begins(protocol: u16, bytes: &[u8]) -> bool {
    let Some(first) = bytes.first() else { return true };
    match protocol {
        IPV4 => first >> 4 == 4 && first & 0xf >= 5,
        IPV6 => first >> 4 == 6,
        // version and type, then the code of a session
        PPPOE_SESSION => *first == 0x11 && bytes.get(1).is_none_or(|code| *code == 0),
        _ => true,
    }
}

/// Whether a packet is one, for all that it might be a tag before another: by its checksum (RFC 791), by its length.
fn holds_together(protocol: u16, bytes: &[u8], other: &[u8]) -> bool {
    match protocol {
        IPV4 => {
            let header = bytes.first().and_then(|first| bytes.get(..usize::from(first & 0xf) * 4));
            let sum = |header: &[u8]| {
                let words = header.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
                let sum = words.sum::<u32>();
                (sum & 0xffff) + (sum >> 16)
            };
            // a sum of zero is what cards leave to fill in
            header.is_some_and(|header| matches!(sum(header), 0xffff) || be16(header, 10) == Some(0))
        }
        IPV6 => {
            let fits =
                |bytes: &[u8], room: usize| be16(bytes, 4).is_some_and(|length| usize::from(length) + 40 <= room);
            fits(bytes, bytes.len()) || !fits(other, other.len())
        }
        // the value of a tag is no label that says that more follow
        _ => protocol == PPPOE_SESSION,
    }
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
