//! Headers that a capturing system puts before a frame of another link type.

use super::{CUT, raw};
use crate::{
    capture::LinkType,
    decode::{Layer, NotDecoded, be16, le16, le32},
};

type Inner<'a> = Result<Option<(LinkType, &'a [u8])>, NotDecoded>;

/// The frame inside with its link type; `None` where the link type is of no such header.
pub(super) fn unwrap(link: LinkType, data: &[u8]) -> Inner<'_> {
    match link {
        LinkType::PKTAP => pktap(data).map(Some),
        LinkType::PPI => ppi(data).map(Some),
        LinkType::PFLOG => pflog(data).map(Some),
        LinkType::NFLOG => nflog(data).map(Some),
        _ => Ok(None),
    }
}

fn part(data: &[u8], from: usize) -> Result<&[u8], NotDecoded> {
    data.get(from..).ok_or(CUT)
}

/// Apple: the header's length, the type of record, the link type. Macs are little-endian.
fn pktap(data: &[u8]) -> Result<(LinkType, &[u8]), NotDecoded> {
    let (length, link) = le32(data, 0).zip(le32(data, 8)).ok_or(CUT)?;
    let length = usize::try_from(length).map_err(|_| NotDecoded::Malformed(Layer::Link))?;
    Ok((LinkType(link), part(data, length)?))
}

/// Per-packet information: version, flags, the header's length, the link type.
fn ppi(data: &[u8]) -> Result<(LinkType, &[u8]), NotDecoded> {
    let (length, link) = le16(data, 2).zip(le32(data, 4)).ok_or(CUT)?;
    Ok((LinkType(link), part(data, length.into())?))
}

/// OpenBSD's packet filter: the header's length without its padding.
fn pflog(data: &[u8]) -> Result<(LinkType, &[u8]), NotDecoded> {
    let length = usize::from(*data.first().ok_or(CUT)?).next_multiple_of(4);
    Ok((LinkType::RAW, part(data, length)?))
}

/// Netfilter's log: attributes with length and type, in the byte order of the capturing host. One is the packet.
fn nflog(data: &[u8]) -> Result<(LinkType, &[u8]), NotDecoded> {
    let attributes = part(data, 4)?;
    let packet = attribute(attributes, le16).or_else(|| attribute(attributes, be16)).ok_or(CUT)?;
    // what netfilter logs of bridges and ARP is no IP
    match raw(packet) {
        Err(reason) if reason.is_damage() => Err(NotDecoded::LinkControl(LinkType::NFLOG)),
        result => result.map(|_| (LinkType::RAW, packet)),
    }
}

fn attribute(mut data: &[u8], word: fn(&[u8], usize) -> Option<u16>) -> Option<&[u8]> {
    const PAYLOAD: u16 = 9;
    const HEADER_BYTES: usize = 4;
    loop {
        let (length, kind) = (usize::from(word(data, 0)?), word(data, 2)?);
        if length < HEADER_BYTES {
            return None;
        }
        if kind == PAYLOAD {
            // the last attribute is cut where the capture's snap length is
            return Some(data.get(HEADER_BYTES..length).unwrap_or(data.get(HEADER_BYTES..)?));
        }
        data = data.get(length.next_multiple_of(HEADER_BYTES)..)?;
    }
}
