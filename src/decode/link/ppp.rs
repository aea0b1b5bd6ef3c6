//! The protocol field of PPP (RFC 1661), with or without the framing of HDLC (RFC 1662).

use super::{IPV4, IPV6};
use crate::decode::{Cursor, Layer, NotDecoded, be16};

const CUT: NotDecoded = NotDecoded::CutShort(Layer::Ppp);

/// Address and control of HDLC's framing: all stations, unnumbered information.
const FRAMING: &[u8] = &[0xff, 0x03];

pub(in crate::decode) fn ppp(data: &[u8]) -> Result<Cursor<'_>, NotDecoded> {
    let data = data.strip_prefix(FRAMING).unwrap_or(data);
    let first = match data {
        // no protocol has the number with which framing begins
        [] | [0xff] => return Err(CUT),
        [first, ..] => *first,
    };
    // the last byte of the protocol is odd, so that its first may be left out
    let (protocol, length) = if first & 1 == 1 { (u16::from(first), 1) } else { (be16(data, 0).ok_or(CUT)?, 2) };
    let rest = data.get(length..).ok_or(CUT)?;
    match protocol {
        0x0021 => Ok(Cursor::bare(IPV4, rest)),
        0x0057 => Ok(Cursor::bare(IPV6, rest)),
        0x0281 | 0x0283 => Ok(Cursor::bare(crate::decode::shim::MPLS, rest)),
        other => Err(NotDecoded::Ppp(other)),
    }
}
