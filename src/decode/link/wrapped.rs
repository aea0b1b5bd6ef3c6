//! Headers that a capturing system puts before a frame of another link type.

use super::{CUT, raw};
use crate::{
    capture::LinkType,
    decode::{Layer, NotDecoded, ONLY_POINT, be16, be32, fnv, le16, le32},
};

/// The frame inside.
pub(super) struct Wrapped<'a> {
    pub link: LinkType,
    pub data: &'a [u8],
    /// A number for the interface and direction that the header tells.
    pub place: u32,
}

/// The frame inside; `None` where the link type is of no such header.
pub(super) fn unwrap(link: LinkType, data: &[u8]) -> Result<Option<Wrapped<'_>>, NotDecoded> {
    match link {
        LinkType::PKTAP => pktap(data).map(Some),
        LinkType::PPI => ppi(data).map(Some),
        LinkType::PFLOG => pflog(data).map(Some),
        LinkType::NFLOG => nflog(data).map(Some),
        LinkType::IPNET => ipnet(data).map(Some),
        LinkType::ENC => enc(data).map(Some),
        LinkType::JUNIPER_ETHER => juniper(data).map(Some),
        LinkType::ERF => erf(data).map(Some),
        _ => Ok(None),
    }
}

fn part(data: &[u8], from: usize) -> Result<&[u8], NotDecoded> {
    data.get(from..).ok_or(CUT)
}

/// A step of a place's number, by a field that ends with its first zero.
fn with_name(place: u32, name: Option<&[u8]>) -> u32 {
    name.unwrap_or_default().iter().take_while(|byte| **byte != 0).fold(place, |place, byte| fnv(place, (*byte).into()))
}

/// Apple: the header's length, the type of record, the link type, the interface's name, whether it came or went. Macs are
/// little-endian.
fn pktap(data: &[u8]) -> Result<Wrapped<'_>, NotDecoded> {
    const CAME_OR_WENT: u32 = 0x03;
    let (length, link) = le32(data, 0).zip(le32(data, 8)).ok_or(CUT)?;
    let length = usize::try_from(length).map_err(|_| NotDecoded::Malformed(Layer::Link))?;
    let place = with_name(ONLY_POINT, data.get(12..36));
    let place = fnv(place, le32(data, 36).unwrap_or_default() & CAME_OR_WENT);
    Ok(Wrapped { link: LinkType(link), data: part(data, length)?, place })
}

/// Per-packet information: version, flags, the header's length, the link type.
fn ppi(data: &[u8]) -> Result<Wrapped<'_>, NotDecoded> {
    let (length, link) = le16(data, 2).zip(le32(data, 4)).ok_or(CUT)?;
    Ok(Wrapped { link: LinkType(link), data: part(data, length.into())?, place: ONLY_POINT })
}

/// OpenBSD's packet filter: the header's length without its padding, family, action, reason, the interface's name, rules,
/// users, and whether it came or went.
fn pflog(data: &[u8]) -> Result<Wrapped<'_>, NotDecoded> {
    const CAME_OR_WENT: usize = 60;
    let own_length = usize::from(*data.first().ok_or(CUT)?);
    let direction = data.get(CAME_OR_WENT).filter(|_| own_length > CAME_OR_WENT).copied().unwrap_or_default();
    let place = fnv(with_name(ONLY_POINT, data.get(4..20)), direction.into());
    Ok(Wrapped { link: LinkType::RAW, data: part(data, own_length.next_multiple_of(4))?, place })
}

/// Netfilter's log: attributes with length and type, in the byte order of the capturing host. One is the packet.
fn nflog(data: &[u8]) -> Result<Wrapped<'_>, NotDecoded> {
    let attributes = part(data, 4)?;
    let wrapped = logged(attributes, le16).or_else(|| logged(attributes, be16)).ok_or(CUT)?;
    // what netfilter logs of bridges and ARP is no IP
    match raw(wrapped.data) {
        Err(reason) if reason.is_damage() => Err(NotDecoded::LinkControl(LinkType::NFLOG)),
        result => result.map(|_| wrapped),
    }
}

/// The packet among the attributes. The hook that logged it and the interfaces stand before it: rules at several hooks log one
/// packet several times.
fn logged(mut data: &[u8], word: fn(&[u8], usize) -> Option<u16>) -> Option<Wrapped<'_>> {
    /// What is common to packets (`nfnetlink_log.h`): the protocol, then the hook.
    const PACKET_HEADER: u16 = 1;
    const CAME_FROM: u16 = 4;
    const WENT_TO: u16 = 5;
    const PAYLOAD: u16 = 9;
    const HEADER_BYTES: usize = 4;
    let mut place = ONLY_POINT;
    loop {
        let (length, kind) = (usize::from(word(data, 0)?), word(data, 2)?);
        if length < HEADER_BYTES {
            return None;
        }
        match kind {
            PAYLOAD => {
                // the last attribute is cut where the capture's snap length is
                let data = data.get(HEADER_BYTES..length).unwrap_or(data.get(HEADER_BYTES..)?);
                return Some(Wrapped { link: LinkType::RAW, data, place });
            }
            PACKET_HEADER => place = fnv(place, data.get(HEADER_BYTES + 2).copied().unwrap_or_default().into()),
            CAME_FROM | WENT_TO => {
                place = fnv(fnv(place, kind.into()), be32(data, HEADER_BYTES).unwrap_or_default());
            }
            _ => {}
        }
        data = data.get(length.next_multiple_of(HEADER_BYTES)..)?;
    }
}

/// Solaris (`LINKTYPE_IPNET` of tcpdump.org): version, family, kind of hook, length, the interface's index and that of its
/// group, the zones that the packet is from and for.
fn ipnet(data: &[u8]) -> Result<Wrapped<'_>, NotDecoded> {
    const HEADER_BYTES: usize = 24;
    let field = |at| be32(data, at).unwrap_or_default();
    let place = [field(8), field(16), field(20)].into_iter().fold(ONLY_POINT, fnv);
    Ok(Wrapped { link: LinkType::RAW, data: part(data, HEADER_BYTES)?, place })
}

/// The packets inside of `IPsec`, as BSDs show them (`LINKTYPE_ENC` of tcpdump.org): family, security association, flags.
fn enc(data: &[u8]) -> Result<Wrapped<'_>, NotDecoded> {
    const HEADER_BYTES: usize = 12;
    Ok(Wrapped { link: LinkType::RAW, data: part(data, HEADER_BYTES)?, place: ONLY_POINT })
}

/// Juniper's routers (tcpdump's `print-juniper.c`): a magic number of three bytes, flags, extensions behind their length where a
/// flag says so; then a frame, or four bytes and a packet. The extensions tell the interface.
fn juniper(data: &[u8]) -> Result<Wrapped<'_>, NotDecoded> {
    const MAGIC: &[u8] = b"MGC";
    const CAME_IN: u8 = 0x01;
    const NO_LINK: u8 = 0x02;
    const HAS_EXTENSIONS: u8 = 0x80;
    let (magic, flags) = data.get(..3).zip(data.get(3)).ok_or(CUT)?;
    if magic != MAGIC {
        return Err(NotDecoded::Malformed(Layer::Link));
    }
    let extensions = if flags & HAS_EXTENSIONS != 0 {
        let length = usize::from(be16(data, 4).ok_or(CUT)?);
        data.get(4..6 + length).ok_or(CUT)?
    } else {
        &[]
    };
    let place = extensions.iter().fold(u32::from(flags & CAME_IN), |place, byte| fnv(place, (*byte).into()));
    let data = part(data, 4 + extensions.len())?;
    if flags & NO_LINK != 0 {
        return Ok(Wrapped { link: LinkType::RAW, data: part(data, 4)?, place });
    }
    Ok(Wrapped { link: LinkType::ETHERNET, data, place })
}

/// Endace's record ("ERF types" of its capture cards): a time of eight bytes, type, flags of which two bits number the
/// interface, lengths; then extension headers of eight bytes, whose highest bits say that more follow; before Ethernet two bytes.
fn erf(data: &[u8]) -> Result<Wrapped<'_>, NotDecoded> {
    const HEADER_BYTES: usize = 16;
    const EXTENSION_BYTES: usize = 8;
    const HAS_MORE: u8 = 0x80;
    const INTERFACE: u8 = 0x03;
    let [kind, flags] = *data.get(8..10).ok_or(CUT)? else { return Err(CUT) };
    let (mut at, mut more) = (HEADER_BYTES, kind & HAS_MORE);
    while more != 0 {
        more = data.get(at).ok_or(CUT)? & HAS_MORE;
        at += EXTENSION_BYTES;
    }
    let (link, at) = match kind & !HAS_MORE {
        1 | 10 | 15 | 19 => (LinkType::PPP_HDLC, at),
        2 | 11 | 16 | 20 => (LinkType::ETHERNET, at + 2),
        22 | 23 => (LinkType::RAW, at),
        _ => return Err(NotDecoded::LinkControl(LinkType::ERF)),
    };
    Ok(Wrapped { link, data: part(data, at)?, place: (flags & INTERFACE).into() })
}
