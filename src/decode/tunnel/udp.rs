//! Tunnels in UDP, each known by its port and by a header that must be as its format says.

use super::{Content, Inner, Tunnel};
use crate::decode::{Options, Transport, be16, be32, link, shim, vlan};

/// The registered port of VXLAN (RFC 7348), and the one that Linux used before and flannel still does.
const VXLAN: u16 = 4_789;
const VXLAN_OF_LINUX: u16 = 8_472;
const VXLAN_GPE: u16 = 4_790;
const GENEVE: u16 = 6_081;
const GTP_U: u16 = 2_152;
/// MPLS in UDP (RFC 7510).
const MPLS: u16 = 6_635;
const TEREDO: u16 = 3_544;

/// Whether a datagram to or from this port may be a tunnel's.
#[inline]
#[must_use]
pub fn is_port(port: u16, options: &Options) -> bool {
    let is_known = matches!(port, VXLAN | VXLAN_OF_LINUX | VXLAN_GPE | GENEVE | GTP_U | MPLS | TEREDO);
    is_known || !options.vxlan_ports.is_empty() && options.vxlan_ports.contains(&port)
}

pub(super) fn inner<'a>(transport: &Transport<'a>, options: &Options) -> Option<Inner<'a>> {
    let Transport::Udp { src_port, dst_port, data_bytes, data } = *transport else { return None };
    match dst_port {
        VXLAN | VXLAN_OF_LINUX => vxlan(data),
        VXLAN_GPE => vxlan_gpe(data),
        GENEVE => geneve(data),
        GTP_U => gtp(data, data_bytes),
        MPLS => Some(Inner::network(Tunnel::Ip, shim::MPLS, data)),
        TEREDO => teredo(data, data_bytes),
        other if options.vxlan_ports.contains(&other) => vxlan(data),
        _ if src_port == TEREDO => teredo(data, data_bytes),
        _ => None,
    }
}

/// VXLAN's header: flags, reserved, the network's identifier, reserved.
const VXLAN_BYTES: usize = 8;

fn vxlan(data: &[u8]) -> Option<Inner<'_>> {
    /// The identifier is valid.
    const VALID: u32 = 0x0800_0000;
    let (flags, network) = (be32(data, 0)?, be32(data, 4)?);
    let frame = data.get(VXLAN_BYTES..)?;
    // what is reserved is not looked at on receipt (RFC 7348, section 5): policies of groups and offloads use it. But then the
    // frame must look like one
    let is_as_sent = flags == VALID && network.trailing_zeros() >= 8;
    let holds = flags & VALID != 0 && (is_as_sent || is_common(frame));
    holds.then_some(Inner::ethernet(Tunnel::Vxlan(network >> 8), frame))
}

/// Whether a frame is of what nearly all are.
fn is_common(frame: &[u8]) -> bool {
    const ETHER_TYPE: usize = 12;
    const ARP: u16 = 0x0806;
    let ether_type = be16(frame, ETHER_TYPE);
    ether_type.is_some_and(|it| matches!(it, link::IPV4 | link::IPV6 | ARP) || vlan::is_tag(it))
}

/// VXLAN whose header names the protocol of what is inside (draft-ietf-nvo3-vxlan-gpe).
fn vxlan_gpe(data: &[u8]) -> Option<Inner<'_>> {
    const VALID: u32 = 0x0800_0000;
    /// Set where a protocol is told; some forget it.
    const HAS_PROTOCOL: u32 = 0x0400_0000;
    let (flags, network) = (be32(data, 0)?, be32(data, 4)?);
    let (tunnel, data) = (Tunnel::Vxlan(network >> 8), data.get(VXLAN_BYTES..)?);
    if flags & !HAS_PROTOCOL & 0xffff_ff00 != VALID || network & 0xff != 0 {
        return None;
    }
    match flags & 0xff {
        0 if flags == VALID => Some(Inner::ethernet(tunnel, data)),
        1 => Some(Inner::network(tunnel, link::IPV4, data)),
        2 => Some(Inner::network(tunnel, link::IPV6, data)),
        3 => Some(Inner::ethernet(tunnel, data)),
        5 => Some(Inner::network(tunnel, shim::MPLS, data)),
        _ => None,
    }
}

/// Version and length of options, flags, an Ethernet type, the network's identifier, reserved, options.
fn geneve(data: &[u8]) -> Option<Inner<'_>> {
    const HEADER_BYTES: usize = 8;
    const CRITICAL: u8 = 0x40;
    const CONTROL: u8 = 0x80;
    let [first, flags, ..] = *data else { return None };
    let (ether_type, network) = (be16(data, 2)?, be32(data, 4)?);
    // messages by which the tunnel itself is run are not of its networks
    if first >> 6 != 0 || flags & CONTROL != 0 {
        return None;
    }
    let options = usize::from(first & 0x3f) * 4;
    let inner = Inner::of_type(Tunnel::Geneve(network >> 8), ether_type, data.get(HEADER_BYTES + options..)?)?;
    // what is reserved is not looked at on receipt (RFC 8926, section 3.4), but then it must look like what is carried
    let is_as_sent = flags & !CRITICAL == 0 && network.trailing_zeros() >= 8;
    let is_likely = is_as_sent || !matches!(inner.content, Content::Ethernet) || is_common(inner.data);
    is_likely.then_some(inner)
}

/// Version and flags, message type, length, the endpoint's identifier; then, where a flag says so, sequence number, N-PDU
/// number and extension headers.
fn gtp(data: &[u8], data_bytes: u32) -> Option<Inner<'_>> {
    const HEADER_BYTES: usize = 8;
    const USER_DATA: u8 = 255;
    const HAS_MORE: u8 = 0x07;
    /// Releases of 3GPP have defined fewer.
    const MAX_EXTENSIONS: usize = 8;
    let [flags, kind, ..] = *data else { return None };
    let (length, endpoint) = (be16(data, 2)?, be32(data, 4)?);
    if flags >> 4 != 3 || kind != USER_DATA || u32::from(length) + 8 != data_bytes {
        return None;
    }
    let tunnel = Tunnel::Gtp(endpoint);
    if flags & HAS_MORE == 0 {
        return Inner::ip(tunnel, data.get(HEADER_BYTES..)?);
    }
    let (mut at, mut next) = (HEADER_BYTES + 4, *data.get(HEADER_BYTES + 3)?);
    for _ in 0..MAX_EXTENSIONS {
        // the last says so, or the flag that there is none
        if next == 0 || flags & 0x04 == 0 {
            return Inner::ip(tunnel, data.get(at..)?);
        }
        let length = usize::from(*data.get(at)?) * 4;
        next = *data.get(at + length.checked_sub(1)?)?;
        at += length;
    }
    None
}

/// Perhaps the word of an authentication and of where it came from, then IPv6, which fills the datagram.
fn teredo(datagram: &[u8], data_bytes: u32) -> Option<Inner<'_>> {
    const ORIGIN_BYTES: usize = 8;
    const IPV6_BYTES: u32 = 40;
    let data = match datagram {
        [0, 1, identifier_bytes, value_bytes, ..] => {
            // beside both: type, lengths, a number of eight bytes, confirmation
            datagram.get(13 + usize::from(*identifier_bytes) + usize::from(*value_bytes)..)?
        }
        _ => datagram,
    };
    let data = if data.starts_with(&[0, 0]) { data.get(ORIGIN_BYTES..)? } else { data };
    let before = u32::try_from(datagram.len() - data.len()).ok()?;
    let fills = u32::from(be16(data, 4)?) + IPV6_BYTES == data_bytes.saturating_sub(before);
    (data.first()? >> 4 == 6 && fills).then_some(Inner::network(Tunnel::Teredo, link::IPV6, data))
}
