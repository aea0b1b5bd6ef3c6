//! Links before Ethernet was everywhere: Cisco HDLC, Frame Relay (RFC 2427), FDDI (RFC 1390), token ring (RFC 1042).

use super::{CUT, IPV4, IPV6, cursor, llc, llc::snap, ppp};
use crate::{
    capture::LinkType,
    decode::{Cursor, NotDecoded, be16},
};

/// Which of both the address byte says: Cisco's are for one station or for all.
pub(super) fn ppp_or_cisco(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    if matches!(data.first(), Some(0x0f | 0x8f)) { cisco(data) } else { ppp(data) }
}

/// Address, control, Ethernet type.
pub(super) fn cisco(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    match be16(data, 2) {
        // SLARP, by which Cisco's routers see whether the link is up
        Some(0x8035) => Err(NotDecoded::LinkControl(LinkType::C_HDLC)),
        ether_type => cursor(ether_type, data.get(4..)),
    }
}

/// An address of two to four bytes, then either a control byte and a number for the protocol, or Cisco's Ethernet type.
pub(super) fn frame_relay(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    const UNNUMBERED: u8 = 0x03;
    let last = data.iter().take(4).position(|byte| byte & 1 == 1).ok_or(CUT)?;
    match data.get(last + 1..).unwrap_or_default() {
        [UNNUMBERED, 0xcc, rest @ ..] => cursor(Some(IPV4), Some(rest)),
        [UNNUMBERED, 0x8e, rest @ ..] => cursor(Some(IPV6), Some(rest)),
        // one byte of padding may stand before SNAP
        [UNNUMBERED, 0x80, rest @ ..] | [UNNUMBERED, 0, 0x80, rest @ ..] => snap(rest),
        [UNNUMBERED, 0xcf, rest @ ..] => ppp(rest),
        [] | [UNNUMBERED] | [UNNUMBERED, 0] => Err(CUT),
        [UNNUMBERED, ..] => Err(NotDecoded::LinkControl(LinkType::FRELAY)),
        rest => cursor(be16(rest, 0), rest.get(2..)),
    }
}

/// Frame control, two addresses, LLC.
pub(super) fn fddi(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    match data.first() {
        Some(control) if control & 0xf0 != 0x50 => Err(NotDecoded::LinkControl(LinkType::FDDI)),
        _ => llc(data.get(13..).ok_or(CUT)?),
    }
}

/// Access control, frame control, two addresses, the route through bridges where the sender's address says so, LLC.
pub(super) fn token_ring(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    const HEADER_BYTES: usize = 14;
    const SENDER: usize = 8;
    const IS_ROUTED: u8 = 0x80;
    if data.get(1).ok_or(CUT)? & 0xc0 != 0x40 {
        return Err(NotDecoded::LinkControl(LinkType::TOKEN_RING));
    }
    let route = if data.get(SENDER).ok_or(CUT)? & IS_ROUTED == 0 {
        0
    } else {
        usize::from(data.get(HEADER_BYTES).ok_or(CUT)? & 0x1f)
    };
    llc(data.get(HEADER_BYTES + route..).ok_or(CUT)?)
}
