//! IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::{Cursor, Layer, NotDecoded, be16, link};
use crate::model::Protocol;

/// No stack sends more; the longest chain seen in the wild is a test of parsers with about 100.
const MAX_EXTENSIONS: usize = 128;

/// An IP packet up to its transport header.
pub(super) struct Network<'a> {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: Protocol,
    pub hop_limit: u8,
    pub ip_id: u16,
    pub ip_bytes: u32,
    /// Bytes behind the IP headers on the wire; `payload` may hold less, never more.
    pub payload_bytes: u32,
    pub payload: &'a [u8],
}

pub(super) fn decode<'a>(cursor: &Cursor<'a>, not_captured: u32) -> Result<Network<'a>, NotDecoded> {
    // what of the wire was not captured belongs to the packet too, for lengths of 0
    let on_wire = u32::try_from(cursor.rest.len()).unwrap_or(u32::MAX).saturating_add(not_captured);
    match cursor.ether_type {
        link::IPV4 => v4(cursor.rest, on_wire),
        link::IPV6 => v6(cursor.rest, on_wire),
        0x0806 | 0x8035 => Err(NotDecoded::Arp),
        other => Err(NotDecoded::EtherType(other)),
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
    if header.fragments_offset().value() > 0 {
        return Err(NotDecoded::LaterFragment(Layer::Ipv4));
    }
    let network = Network {
        src: IpAddr::V4(Ipv4Addr::from(header.source())),
        dst: IpAddr::V4(Ipv4Addr::from(header.destination())),
        protocol: Protocol(header.protocol().0),
        hop_limit: header.ttl(),
        ip_id: header.identification(),
        ip_bytes,
        payload_bytes: ip_bytes.saturating_sub(u32::try_from(header_bytes).unwrap_or(0)),
        payload: data.get(header_bytes..).unwrap_or_default(),
    };
    Ok(network.trimmed())
}

fn v6(data: &[u8], on_wire: u32) -> Result<Network<'_>, NotDecoded> {
    let header = Ipv6HeaderSlice::from_slice(data).map_err(|_| fault(data, 40, 6, Layer::Ipv6))?;
    let payload_bytes = match header.payload_length() {
        // 0 is right for hop-by-hop jumbograms (RFC 2675) and for what the network card is to segment
        0 => on_wire.saturating_sub(40),
        length => u32::from(length),
    };
    let network = Network {
        src: IpAddr::V6(Ipv6Addr::from(header.source())),
        dst: IpAddr::V6(Ipv6Addr::from(header.destination())),
        protocol: Protocol(header.next_header().0),
        hop_limit: header.hop_limit(),
        ip_id: 0,
        ip_bytes: payload_bytes.saturating_add(40),
        payload_bytes,
        payload: data.get(40..).unwrap_or_default(),
    };
    network.trimmed().past_extensions()
}

impl Network<'_> {
    /// Without the padding that Ethernet adds to short packets.
    fn trimmed(mut self) -> Self {
        let length = usize::try_from(self.payload_bytes).unwrap_or(usize::MAX);
        self.payload = self.payload.get(..length).unwrap_or(self.payload);
        self
    }

    /// Walks the chain of extension headers to the transport.
    fn past_extensions(mut self) -> Result<Self, NotDecoded> {
        for _ in 0..MAX_EXTENSIONS {
            let length = match self.protocol.0 {
                // hop-by-hop, routing, destination options, mobility, HIP, shim6: length in units of 8 bytes
                0 | 43 | 60 | 135 | 139 | 140 => self.extension_units()? * 8 + 8,
                // authentication header: in units of 4 bytes, less 2 (RFC 4302)
                51 => self.extension_units()? * 4 + 8,
                44 => {
                    let offset = be16(self.payload, 2).ok_or(NotDecoded::CutShort(Layer::Ipv6))? >> 3;
                    if offset > 0 {
                        return Err(NotDecoded::LaterFragment(Layer::Ipv6));
                    }
                    8
                }
                _ => return Ok(self),
            };
            let cut = NotDecoded::CutShort(Layer::Ipv6);
            self.protocol = Protocol(*self.payload.first().ok_or(cut)?);
            self.payload = self.payload.get(length..).ok_or(cut)?;
            self.payload_bytes = self.payload_bytes.saturating_sub(u32::try_from(length).unwrap_or(0));
        }
        Err(NotDecoded::TooManyExtensions)
    }

    fn extension_units(&self) -> Result<usize, NotDecoded> {
        self.payload.get(1).map(|units| usize::from(*units)).ok_or(NotDecoded::CutShort(Layer::Ipv6))
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
