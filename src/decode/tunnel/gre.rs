//! GRE (RFC 2784, RFC 2890) and what is built on it: PPTP (RFC 2637), ERSPAN (draft-foschiano-erspan), WCCP.

use super::{Content, Inner, Tunnel};
use crate::decode::{be16, be32, vlan};

/// Flags in the first word.
const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACKNOWLEDGMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// Protocols beside Ethernet types.
const PPP: u16 = 0x880b;
const EOIP: u16 = 0x6400;
const WCCP: u16 = 0x883e;
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;

pub(super) fn inner(data: &[u8]) -> Option<Inner<'_>> {
    let (flags, protocol) = (be16(data, 0)?, be16(data, 2)?);
    match (flags & VERSION, protocol) {
        (1, PPP) => pptp(flags, data),
        (1, EOIP) => eoip(data),
        // routes in the header were given up with RFC 2784
        (0, _) if flags & ROUTING == 0 => plain(flags, protocol, data),
        _ => None,
    }
}

/// Checksum, key and sequence number stand where flags announce them.
fn plain(flags: u16, protocol: u16, data: &[u8]) -> Option<Inner<'_>> {
    let mut at = if flags & CHECKSUM != 0 { 8 } else { 4 };
    let mut tunnel = Tunnel::Gre;
    if flags & KEY != 0 {
        tunnel = Tunnel::GreKey(be32(data, at)?);
        at += 4;
    }
    let has_sequence = flags & SEQUENCE != 0;
    let data = data.get(at + if has_sequence { 4 } else { 0 }..)?;
    match protocol {
        // the first type of ERSPAN has no header of its own, and no sequence numbers
        ERSPAN if has_sequence => erspan(data, 1, 8),
        ERSPAN => Some(Inner::ethernet(Tunnel::ErspanI, data)),
        ERSPAN_III => {
            const HAS_MORE: u16 = 1;
            const HEADER_BYTES: usize = 12;
            let further = if be16(data, 10)? & HAS_MORE != 0 { 8 } else { 0 };
            erspan(data, 2, HEADER_BYTES + further)
        }
        // a header of four bytes, which came with the second version
        WCCP if data.first()? >> 4 == 4 => Inner::ip(tunnel, data),
        WCCP => Inner::ip(tunnel, data.get(4..)?),
        _ => Inner::of_type(tunnel, protocol, data),
    }
}

/// Version, VLAN, class, how the frame was tagged (of the third type whether it is damaged), session.
fn erspan(data: &[u8], version: u16, header_bytes: usize) -> Option<Inner<'_>> {
    const VLAN: u16 = 0x0fff;
    const SESSION: u16 = 0x03ff;
    let (first, second) = (be16(data, 0)?, be16(data, 2)?);
    if first >> 12 != version {
        return None;
    }
    let frame = data.get(header_bytes..)?;
    let was_untagged = match version {
        // the tag was taken off the frame and stands here
        1 => matches!(second >> 11 & 3, 1 | 2),
        _ => first & VLAN != 0 && !be16(frame, 12).is_some_and(vlan::is_tag),
    };
    let vlan = Some(first & VLAN).filter(|_| was_untagged);
    Some(Inner { vlan, ..Inner::ethernet(Tunnel::Erspan(second & SESSION), frame) })
}

/// The length and the call in place of the key; without a sequence number there is nothing inside.
fn pptp(flags: u16, data: &[u8]) -> Option<Inner<'_>> {
    if flags & (CHECKSUM | ROUTING | KEY | SEQUENCE) != KEY | SEQUENCE {
        return None;
    }
    let (length, call) = (usize::from(be16(data, 4)?), be16(data, 6)?);
    let data = data.get(if flags & ACKNOWLEDGMENT != 0 { 16 } else { 12 }..)?;
    let data = data.get(..length).unwrap_or(data);
    Some(Inner { tunnel: Tunnel::Pptp(call), content: Content::Ppp, vlan: None, data })
}

/// The length, and the tunnel's number in the other byte order.
fn eoip(data: &[u8]) -> Option<Inner<'_>> {
    let tunnel = Tunnel::Eoip(be16(data, 6)?.swap_bytes());
    Some(Inner::ethernet(tunnel, data.get(8..)?))
}
