//! The common frame, read at once: Ethernet, a tag or two, IPv4 without options or IPv6 without extensions, TCP or UDP, with
//! all headers whole. Everything else, and whatever is odd, is left to the general way, which reads the common frame just
//! as well, only slower: a property test holds the two against each other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Options, Packet, TcpFlags, Transport, TunnelStack, fnv, link, tunnel};
use crate::{
    capture::{Frame, LinkType},
    model::{Protocol, VlanStack},
};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What the IP header says.
struct Network<'a> {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    hop_limit: u8,
    ip_id: u16,
    ip_bytes: u16,
    payload_bytes: u16,
    payload: &'a [u8],
}

/// The packet of a common frame; `None` where it may be another one.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a packet is long to copy, and each is decoded here")]
pub(super) fn decode<'a>(frame: &Frame<'a>, place: u32, options: &Options) -> Option<Packet<'a>> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let (header, mut rest) = frame.data.split_first_chunk::<14>()?;
    let mut ether_type = u16::from_be_bytes([header[12], header[13]]);
    let (mut vlans, mut point) = (VlanStack::default(), place);
    while matches!(ether_type, 0x8100 | 0x88a8) {
        let (tag, behind) = rest.split_first_chunk::<4>()?;
        let id = u16::from_be_bytes([tag[0], tag[1]]) & 0x0fff;
        if !vlans.push(id) {
            return None;
        }
        // a priority tag makes no other place
        if id != 0 {
            point = fnv(point, u32::from(id));
        }
        ether_type = u16::from_be_bytes([tag[2], tag[3]]);
        rest = behind;
    }
    let network = match ether_type {
        link::IPV4 => v4(rest)?,
        link::IPV6 => v6(rest)?,
        _ => return None,
    };
    let transport = match network.protocol {
        TCP => tcp(&network)?,
        UDP => udp(&network, options)?,
        _ => return None,
    };
    let Network { src, dst, protocol, hop_limit, ip_id, ip_bytes, .. } = network;
    Some(Packet {
        vlans,
        tunnels: TunnelStack::default(),
        point,
        is_broadcast: header[..6] == [0xff; 6],
        src,
        dst,
        protocol: Protocol(protocol),
        hop_limit,
        ip_id,
        ip_bytes: u32::from(ip_bytes),
        fragment: None,
        transport,
    })
}

#[inline]
fn v4(data: &[u8]) -> Option<Network<'_>> {
    const MORE_OR_OFFSET: u16 = 0x3fff;
    let (header, payload) = data.split_first_chunk::<20>()?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
    // version 4 and no options; a length of 0 means another one
    if header[0] != 0x45 || word(2) < 20 || word(6) & MORE_OR_OFFSET != 0 {
        return None;
    }
    let payload_bytes = word(2) - 20;
    Some(Network {
        src: address(12).into(),
        dst: address(16).into(),
        protocol: header[9],
        hop_limit: header[8],
        ip_id: word(4),
        ip_bytes: word(2),
        payload_bytes,
        payload: payload.get(..usize::from(payload_bytes)).unwrap_or(payload),
    })
}

#[inline]
fn v6(data: &[u8]) -> Option<Network<'_>> {
    let (header, payload) = data.split_first_chunk::<40>()?;
    let payload_bytes = u16::from_be_bytes([header[4], header[5]]);
    let ip_bytes = payload_bytes.checked_add(40)?;
    if header[0] >> 4 != 6 || payload_bytes == 0 {
        return None;
    }
    let (src, dst) = (header[8..].first_chunk::<16>()?, header[24..].first_chunk::<16>()?);
    Some(Network {
        src: Ipv6Addr::from(*src).into(),
        dst: Ipv6Addr::from(*dst).into(),
        protocol: header[6],
        hop_limit: header[7],
        ip_id: 0,
        ip_bytes,
        payload_bytes,
        payload: payload.get(..usize::from(payload_bytes)).unwrap_or(payload),
    })
}

#[inline]
fn tcp<'a>(network: &Network<'a>) -> Option<Transport<'a>> {
    let header = network.payload.first_chunk::<20>()?;
    let header_bytes = u16::from(header[12] >> 4) * 4;
    if header_bytes < 20 || network.payload_bytes < header_bytes {
        return None;
    }
    Some(Transport::Tcp {
        src_port: u16::from_be_bytes([header[0], header[1]]),
        dst_port: u16::from_be_bytes([header[2], header[3]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: Some(TcpFlags(header[13])),
        data_bytes: u32::from(network.payload_bytes - header_bytes),
        data: network.payload.get(usize::from(header_bytes)..).unwrap_or_default(),
    })
}

#[inline]
fn udp<'a>(network: &Network<'a>, options: &Options) -> Option<Transport<'a>> {
    let (header, data) = network.payload.split_first_chunk::<8>()?;
    let src_port = u16::from_be_bytes([header[0], header[1]]);
    let dst_port = u16::from_be_bytes([header[2], header[3]]);
    if tunnel::is_port(src_port, options) || tunnel::is_port(dst_port, options) {
        return None;
    }
    Some(Transport::Udp { src_port, dst_port, data_bytes: u32::from(network.payload_bytes - 8), data })
}
