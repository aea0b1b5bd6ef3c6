//! IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::{Cursor, Layer, NotDecoded, be16, be32, link};
use crate::model::Protocol;

/// No stack sends more; the longest chain seen in the wild is a test of parsers with about 100.
const MAX_EXTENSIONS: usize = 128;

/// Extension headers that are read in their own ways (IANA "IPv6 Extension Header Types").
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const ROUTING: u8 = 43;

/// What is known of the room that a packet has.
#[derive(Clone, Copy, Default)]
pub(super) struct Room {
    /// Bytes on the wire behind those that were captured.
    pub not_captured: u32,
    /// Whether a packet that claims more than there is cannot be one: what uses a tunnel's port need be no tunnel.
    pub must_fit: bool,
}

impl Room {
    /// Bytes from here to the end of the frame: what of the wire was not captured belongs to the packet too, for lengths of 0.
    fn on_wire(self, data: &[u8]) -> u32 {
        u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_add(self.not_captured)
    }
}

/// A fragment's part of its packet.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// The identification that all fragments of the packet share.
    pub id: u32,
    /// What the header of all of them names next; of IPv6 only the first fragment does (RFC 8200, section 4.5).
    pub protocol: Protocol,
    pub is_later: bool,
}

/// An IP packet up to its transport header.
pub(super) struct Network<'a> {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: Protocol,
    pub hop_limit: u8,
    pub ip_id: u16,
    pub ip_bytes: u32,
    /// Of a fragment, which one.
    pub part: Option<Part>,
    /// Bytes behind the IP headers on the wire; `payload` may hold less, never more.
    pub payload_bytes: u32,
    pub payload: &'a [u8],
}

pub(super) fn decode<'a>(cursor: &Cursor<'a>, room: Room) -> Result<Network<'a>, NotDecoded> {
    let on_wire = room.on_wire(cursor.rest);
    let (network, layer) = match cursor.ether_type {
        link::IPV4 => (v4(cursor.rest, on_wire)?, Layer::Ipv4),
        _ => (v6(cursor.rest, on_wire)?, Layer::Ipv6),
    };
    if room.must_fit && network.ip_bytes > on_wire {
        return Err(NotDecoded::Malformed(layer));
    }
    network.trimmed().past_extensions(layer)
}

/// Whether bytes are an IP header and not by chance alike: of version 4 by its checksum (RFC 791, section 3.1), of version 6 by
/// a length that fills the room and a header behind it that there is.
pub(super) fn is_beyond_doubt(data: &[u8], room: Room) -> bool {
    match data {
        [first, ..] if first >> 4 == 4 => {
            let header = data.get(..usize::from(first & 0x0f) * 4).filter(|header| header.len() >= 20);
            header.is_some_and(|header| {
                let words = header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
                let sum: u32 = words.sum();
                (sum & 0xffff) + (sum >> 16) == 0xffff
            })
        }
        [_, _, _, _, high, low, next, ..] => {
            const KNOWN: [u8; 17] = [0, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 60, 89, 103, 112, 132, 135];
            KNOWN.contains(next) && u32::from(u16::from_be_bytes([*high, *low])) + 40 == room.on_wire(data)
        }
        _ => false,
    }
}

fn v4(data: &[u8], on_wire: u32) -> Result<Network<'_>, NotDecoded> {
    let header = Ipv4HeaderSlice::from_slice(data).map_err(|_| fault(data, 20, 4, Layer::Ipv4))?;
    let header_bytes = header.slice().len();
    // length 0: segmentation was left to the network card, the true length is the frame's
    let ip_bytes = match header.total_len() {
        0 => on_wire,
        length if usize::from(length) < header_bytes => return Err(NotDecoded::Malformed(Layer::Ipv4)),
        length => u32::from(length),
    };
    let is_later = header.fragments_offset().value() > 0;
    let protocol = Protocol(header.protocol().0);
    let part = Part { id: header.identification().into(), protocol, is_later };
    Ok(Network {
        src: IpAddr::V4(Ipv4Addr::from(header.source())),
        dst: IpAddr::V4(Ipv4Addr::from(header.destination())),
        protocol,
        hop_limit: header.ttl(),
        ip_id: header.identification(),
        ip_bytes,
        part: (is_later || header.more_fragments()).then_some(part),
        payload_bytes: ip_bytes.saturating_sub(u32::try_from(header_bytes).unwrap_or(0)),
        payload: data.get(header_bytes..).unwrap_or_default(),
    })
}

fn v6(data: &[u8], on_wire: u32) -> Result<Network<'_>, NotDecoded> {
    let header = Ipv6HeaderSlice::from_slice(data).map_err(|_| fault(data, 40, 6, Layer::Ipv6))?;
    let payload_bytes = match header.payload_length() {
        // 0 is right for hop-by-hop jumbograms (RFC 2675) and for what the network card is to segment
        0 => on_wire.saturating_sub(40),
        length => u32::from(length),
    };
    Ok(Network {
        src: IpAddr::V6(Ipv6Addr::from(header.source())),
        dst: IpAddr::V6(Ipv6Addr::from(header.destination())),
        protocol: Protocol(header.next_header().0),
        hop_limit: header.hop_limit(),
        ip_id: 0,
        ip_bytes: payload_bytes.saturating_add(40),
        part: None,
        payload_bytes,
        payload: data.get(40..).unwrap_or_default(),
    })
}

impl Network<'_> {
    /// Without the padding that Ethernet adds to short packets.
    fn trimmed(mut self) -> Self {
        let length = usize::try_from(self.payload_bytes).unwrap_or(usize::MAX);
        self.payload = self.payload.get(..length).unwrap_or(self.payload);
        self
    }

    /// Whether this is a fragment past the first: what it holds is no header.
    pub fn is_later(&self) -> bool {
        self.part.is_some_and(|part| part.is_later)
    }

    /// Walks the chain of extension headers to the transport. IPv4 has but one of them.
    fn past_extensions(mut self, layer: Layer) -> Result<Self, NotDecoded> {
        for _ in 0..MAX_EXTENSIONS {
            if self.is_later() {
                return Ok(self);
            }
            let length = match (self.protocol.0, layer) {
                (AUTHENTICATION, _) => self.authentication_bytes(layer)?,
                (0 | ROUTING | 60 | 135 | 139 | 140, Layer::Ipv6) => {
                    if self.protocol.0 == ROUTING {
                        self.note_route();
                    }
                    self.extension_units(layer)? * 8 + 8
                }
                (FRAGMENT, Layer::Ipv6) => {
                    self.note_fragment()?;
                    8
                }
                _ => return Ok(self),
            };
            let cut = NotDecoded::CutShort(layer);
            self.protocol = Protocol(*self.payload.first().ok_or(cut)?);
            self.payload = self.payload.get(length..).ok_or(cut)?;
            self.payload_bytes = self.payload_bytes.saturating_sub(u32::try_from(length).unwrap_or(0));
        }
        Err(NotDecoded::TooManyExtensions)
    }

    /// Whoever is named last is who it is for; the header's own address is the next on the way: a routing header with segments
    /// left (RFC 8200, section 4.4), whose addresses stand in their order (RFC 6275), or backwards (RFC 8754).
    fn note_route(&mut self) {
        let [_, units, kind, left, ..] = *self.payload else { return };
        let addresses = usize::from(units) / 2;
        let last = match kind {
            0 | 2 => addresses.checked_sub(1),
            4 => Some(0),
            _ => None,
        };
        let Some(at) = last.filter(|_| left > 0 && addresses > 0).map(|n| 8 + 16 * n) else { return };
        if let Some(address) = self.payload.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
            self.dst = IpAddr::from(*address);
        }
    }

    /// Hop-by-hop, routing, destination options, mobility, HIP and shim6 tell their length in units of 8 bytes.
    fn extension_units(&self, layer: Layer) -> Result<usize, NotDecoded> {
        self.payload.get(1).map(|units| usize::from(*units)).ok_or(NotDecoded::CutShort(layer))
    }

    /// The authentication header does in units of 4 bytes, less 2 (RFC 4302); 12 bytes of it are fixed.
    fn authentication_bytes(&self, layer: Layer) -> Result<usize, NotDecoded> {
        match self.extension_units(layer)? {
            0 => Err(NotDecoded::Malformed(layer)),
            units => Ok(units * 4 + 8),
        }
    }

    /// Offset, whether more follow, identification. A fragment that is the whole packet is none (RFC 6946).
    fn note_fragment(&mut self) -> Result<(), NotDecoded> {
        let (bits, id) = be16(self.payload, 2).zip(be32(self.payload, 4)).ok_or(NotDecoded::CutShort(Layer::Ipv6))?;
        let part = Part { id, protocol: Protocol(0), is_later: bits >> 3 > 0 };
        self.part = (part.is_later || bits & 1 != 0).then_some(part);
        Ok(())
    }
}

/// Too few bytes, or bytes that cannot be.
fn fault(data: &[u8], header_bytes: usize, version: u8, layer: Layer) -> NotDecoded {
    let right_version = data.first().is_none_or(|byte| byte >> 4 == version);
    let needed = match (version, data.first()) {
        (4, Some(byte)) => usize::from(byte & 0x0f) * 4,
        _ => header_bytes,
    };
    if right_version && needed >= header_bytes && data.len() < needed.max(header_bytes) {
        NotDecoded::CutShort(layer)
    } else {
        NotDecoded::Malformed(layer)
    }
}
