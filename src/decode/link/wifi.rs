//! Data frames of IEEE 802.11, behind the headers that captures put before them.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::llc;
use crate::{
    capture::LinkType,
    decode::{Cursor, Layer, NotDecoded, Sent, Wifi, be16, be32, le16, le32},
};

const CUT: NotDecoded = NotDecoded::CutShort(Layer::Wifi);
const MALFORMED: NotDecoded = NotDecoded::Malformed(Layer::Wifi);

/// Flags in the second byte of a frame.
const TO_AND_FROM_DISTRIBUTION: u8 = 0x03;
const RETRY: u8 = 0x08;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

/// A frame without the headers that a capture put before it.
pub(super) struct Bare<'a> {
    data: &'a [u8],
    /// Some hardware pads its header to a multiple of four bytes.
    is_padded: bool,
}

/// The frame in a capture of one of these link types; `None` where it is of another.
pub(super) fn bare(link: LinkType, data: &[u8]) -> Result<Option<Bare<'_>>, NotDecoded> {
    match link {
        LinkType::IEEE802_11 => Ok(Some(Bare { data, is_padded: false })),
        LinkType::IEEE802_11_RADIOTAP => radiotap(data).map(Some),
        LinkType::IEEE802_11_PRISM => prism(data).map(Some),
        LinkType::IEEE802_11_AVS => avs(data).map(Some),
        _ => Ok(None),
    }
}

/// Radiotap (radiotap.org): a version of 0, the header's length, and which fields it has.
fn radiotap(data: &[u8]) -> Result<Bare<'_>, NotDecoded> {
    const PADDED: u8 = 0x20;
    if data.first().ok_or(CUT)? != &0 {
        return Err(MALFORMED);
    }
    let length = usize::from(le16(data, 2).ok_or(CUT)?);
    let is_padded = radiotap_flags(data).unwrap_or_default() & PADDED != 0;
    Ok(Bare { data: data.get(length..).ok_or(CUT)?, is_padded })
}

/// The field of flags: the second, behind a clock of eight bytes where there is one.
fn radiotap_flags(data: &[u8]) -> Option<u8> {
    const HAS_CLOCK: u32 = 1;
    const HAS_FLAGS: u32 = 2;
    const GOES_ON: u32 = 1 << 31;
    /// Nobody has so many fields.
    const MAX_WORDS: usize = 16;
    let present = le32(data, 4)?;
    let last = (0..MAX_WORDS).find(|n| le32(data, 4 + n * 4).is_none_or(|word| word & GOES_ON == 0))?;
    let fields = 8 + last * 4;
    let at = if present & HAS_CLOCK != 0 { fields.next_multiple_of(8) + 8 } else { fields };
    data.get(at).copied().filter(|_| present & HAS_FLAGS != 0)
}

/// Prism's header has its length second, in the byte order of the capturing host; AVS's came under its number too.
fn prism(data: &[u8]) -> Result<Bare<'_>, NotDecoded> {
    if be32(data, 0).ok_or(CUT)? & 0xffff_f000 == 0x8021_1000 {
        return avs(data);
    }
    let [little, big] = [le32(data, 4).ok_or(CUT)?, be32(data, 4).ok_or(CUT)?];
    behind(data, little.min(big))
}

/// A magic number, and the header's length.
fn avs(data: &[u8]) -> Result<Bare<'_>, NotDecoded> {
    behind(data, be32(data, 4).ok_or(CUT)?)
}

fn behind(data: &[u8], length: u32) -> Result<Bare<'_>, NotDecoded> {
    let data = usize::try_from(length).ok().and_then(|length| data.get(length..)).ok_or(CUT)?;
    Ok(Bare { data, is_padded: false })
}

/// What a frame with data has in common with the same one sent again: all but its flags, the time it takes, and the check
/// sequence at its end (IEEE 802.11, 10.3.2.14).
pub(super) fn sent(Bare { data, .. }: &Bare<'_>) -> Option<Sent> {
    /// Up to where the shortest packet of IP with ports ends.
    const COMPARED: usize = 60;
    let [control, flags, ..] = **data else { return None };
    // of version 0, with data, and not encrypted
    let is_readable = control & 0x4f == 0x08 && flags & PROTECTED == 0;
    let common = data.get(4..data.len().min(COMPARED)).filter(|_| is_readable)?;
    Some(Sent { key: FixedState::default().hash_one((control, common)), is_repeated: flags & RETRY != 0 })
}

/// The packet of a frame.
pub(super) fn frame(Bare { data, is_padded }: Bare<'_>) -> Result<Cursor<'_>, NotDecoded> {
    let [control, flags, ..] = *data else { return Err(CUT) };
    let (version, kind, subtype) = (control & 3, control >> 2 & 3, control >> 4);
    match (version, kind) {
        (0, 2) => {}
        (0, _) => return Err(NotDecoded::Wifi(Wifi::NotData)),
        _ => return Err(MALFORMED),
    }
    if subtype & 4 != 0 {
        return Err(NotDecoded::Wifi(Wifi::Null));
    }
    if flags & PROTECTED != 0 {
        return Err(NotDecoded::Wifi(Wifi::Encrypted));
    }
    if le16(data, 22).ok_or(CUT)? & 0x0f != 0 {
        return Err(NotDecoded::Wifi(Wifi::LaterFragment));
    }
    let Header { bytes, is_aggregate } = header(data, flags, subtype)?;
    let bytes = if is_padded { bytes.next_multiple_of(4) } else { bytes };
    let body = data.get(bytes..).ok_or(CUT)?;
    let carried = llc(if is_aggregate { only_frame(body)? } else { body })?;
    // an access point sends on what it was sent: the two are different places
    let direction = flags & TO_AND_FROM_DISTRIBUTION;
    let destination = if direction & 1 == 0 { data.get(4..10) } else { data.get(16..22) };
    Ok(Cursor { packet_type: direction.into(), is_broadcast: destination == Some(&[0xff; 6]), ..carried })
}

/// What a frame's header tells of what follows.
struct Header {
    bytes: usize,
    /// Several frames follow, each behind a header of its own (A-MSDU).
    is_aggregate: bool,
}

fn header(data: &[u8], flags: u8, subtype: u8) -> Result<Header, NotDecoded> {
    const AGGREGATE: u8 = 0x80;
    let addresses = if flags & TO_AND_FROM_DISTRIBUTION == TO_AND_FROM_DISTRIBUTION { 30 } else { 24 };
    if subtype & 8 == 0 {
        return Ok(Header { bytes: addresses, is_aggregate: false });
    }
    let is_aggregate = data.get(addresses).ok_or(CUT)? & AGGREGATE != 0;
    // quality of service, and HT control where the order bit is set
    Ok(Header { bytes: addresses + if flags & ORDER != 0 { 6 } else { 2 }, is_aggregate })
}

/// The frame of an aggregate that holds one: two addresses, its length, and what cannot be another's header behind it, which
/// is padding and a check sequence (IEEE 802.11, 9.3.2.2).
fn only_frame(body: &[u8]) -> Result<&[u8], NotDecoded> {
    const HEADER_BYTES: usize = 14;
    const SEVERAL: NotDecoded = NotDecoded::Wifi(Wifi::Aggregate);
    let length = usize::from(be16(body, 12).ok_or(CUT)?);
    let (frame, behind) = body.get(HEADER_BYTES..).and_then(|rest| rest.split_at_checked(length)).ok_or(SEVERAL)?;
    if behind.len() < HEADER_BYTES { Ok(frame) } else { Err(SEVERAL) }
}
