//! IEEE 802.2 LLC and SNAP (RFC 1042).

use super::{CUT, FIRST_ETHER_TYPE, IPV4};
use crate::decode::{Cursor, NotDecoded, be16};

/// Destination, source and control; behind them, where they announce SNAP, an organisation and a protocol.
pub(in crate::decode) fn llc(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    match data {
        [0xaa, 0xaa, 0x03, snap @ ..] => self::snap(snap),
        // IP by itself, as before SNAP
        [0x06, 0x06, 0x03, rest @ ..] => Ok(Cursor::bare(IPV4, rest)),
        [destination, _, _, ..] => Err(NotDecoded::Llc(*destination)),
        _ => Err(CUT),
    }
}

/// An organisation's number, and a protocol's by its rules.
pub(super) fn snap(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let (Some(organisation), Some(protocol), Some(rest)) = (data.get(..3), be16(data, 3), data.get(5..)) else {
        return Err(CUT);
    };
    match organisation {
        // Ethernet types, also where a bridge put them here (802.1H)
        [0, 0, 0 | 0xf8] if protocol >= FIRST_ETHER_TYPE => Ok(Cursor::bare(protocol, rest)),
        [0, 0, 0x0c] => Err(NotDecoded::CiscoSnap(protocol)),
        _ => Err(NotDecoded::Snap),
    }
}
