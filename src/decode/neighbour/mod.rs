//! What a frame says about the link it was captured on: its MACs, its tags, and who claims which address.
//!
//! A path of its own beside [`decode`](super::decode): ARP makes no flow but tells who lives here, and a flow needs no MAC.
//! Only the outermost frame counts: what is in a tunnel was not on this link.

mod dhcp;
mod discovery;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Cursor, be16, be32, link, vlan};
use crate::{
    capture::{Frame, LinkType},
    model::{How, Mac, VlanStack},
};

/// The link as one frame shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour<'a> {
    /// The interface's index on the capturing Linux host, where the capture tells it; else 0.
    pub interface_index: u32,
    /// [`How::Frame`], [`How::Cooked`] or [`How::Bare`].
    pub medium: How,
    /// Its tags; `None` where it shows none but may have lost some.
    pub vlans: Option<VlanStack>,
    /// Who sent it on this link; `None` where that is not told, or can be no station.
    pub src: Option<Mac>,
    /// For whom it was on this link.
    pub dst: Option<Mac>,
    ether_type: u16,
    rest: &'a [u8],
}

/// What a frame carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried<'a> {
    /// Nothing that tells an address.
    Other,
    /// An ARP packet.
    Arp(&'a [u8]),
    /// An IP packet.
    Packet(Header<'a>),
}

/// The parts of an IP header that tell something about the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Hop limit, or time to live.
    pub hop_limit: u8,
    protocol: u8,
    /// Behind the fixed header.
    payload: &'a [u8],
}

/// One thing that a frame says about its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact {
    /// How it is known.
    pub how: How,
    /// Of which MAC.
    pub mac: Mac,
    /// Which address, or network.
    pub address: IpAddr,
    /// The length of the network's prefix; 0 for addresses.
    pub prefix: u8,
}

impl Fact {
    fn of(how: How, mac: Mac, address: impl Into<IpAddr>) -> Self {
        Self { how, mac, address: address.into(), prefix: 0 }
    }
}

/// Reads a frame's link header and the addresses behind it. Any bytes are safe input; what is not understood says nothing.
#[must_use]
pub fn neighbour<'a>(frame: &Frame<'a>) -> Neighbour<'a> {
    let data = frame.data;
    let bare = Neighbour {
        interface_index: 0,
        medium: How::Bare,
        vlans: None,
        src: None,
        dst: None,
        ether_type: 0,
        rest: &[],
    };
    match frame.link {
        LinkType::ETHERNET => {
            let head = Neighbour { medium: How::Frame, src: station(data, 6), dst: mac(data, 0), ..bare };
            opened(head, be16(data, 12), data.get(14..))
        }
        LinkType::LINUX_SLL => {
            let src = station(data, 6).filter(|_| be16(data, 4) == Some(6));
            opened(Neighbour { medium: How::Cooked, src, ..bare }, be16(data, 14), data.get(16..))
        }
        LinkType::LINUX_SLL2 => {
            let src = station(data, 12).filter(|_| data.get(11) == Some(&6));
            let interface_index = be32(data, 4).unwrap_or_default();
            let head = Neighbour { medium: How::Cooked, src, interface_index, ..bare };
            opened(head, be16(data, 0), data.get(20..))
        }
        _ => bare,
    }
}

/// Takes the tags off, and the headers of 802.3: a length in the place of the type, and the type behind LLC and SNAP.
fn opened<'a>(head: Neighbour<'a>, ether_type: Option<u16>, rest: Option<&'a [u8]>) -> Neighbour<'a> {
    let (Some(ether_type), Some(rest)) = (ether_type, rest) else { return head };
    let (mut cursor, mut stack) = (Cursor::bare(ether_type, rest), VlanStack::default());
    if vlan::strip(&mut cursor, &mut stack).is_err() {
        return head;
    }
    let length = match (head.medium, cursor.ether_type) {
        // a number of the kernel's, unless a tag is before it
        (How::Cooked, link::COOKED_LLC) if stack.is_empty() => Some(usize::MAX),
        (How::Cooked, ..link::FIRST_ETHER_TYPE) if stack.is_empty() => None,
        (_, length @ ..link::FIRST_ETHER_TYPE) => Some(usize::from(length)),
        _ => None,
    };
    // tags stand behind SNAP too
    if let Some(carried) = length.and_then(|length| link::llc(cursor.rest.get(..length).unwrap_or(cursor.rest)).ok()) {
        cursor = carried;
        if vlan::strip(&mut cursor, &mut stack).is_err() {
            return head;
        }
    }
    let has_lost_tags = head.medium == How::Cooked && stack.is_empty();
    let Cursor { ether_type, rest, .. } = cursor;
    Neighbour { vlans: (!has_lost_tags).then_some(stack), ether_type, rest, ..head }
}

fn v4(data: &[u8]) -> Option<Header<'_>> {
    let first = *data.first().filter(|first| **first >> 4 == 4)?;
    let is_later_fragment = be16(data, 6)? & 0x1fff != 0;
    let payload = data.get(usize::from(first & 0x0f) * 4..).filter(|_| !is_later_fragment);
    Some(Header {
        src: Ipv4Addr::from_bits(be32(data, 12)?).into(),
        dst: Ipv4Addr::from_bits(be32(data, 16)?).into(),
        hop_limit: *data.get(8)?,
        protocol: *data.get(9)?,
        payload: payload.unwrap_or_default(),
    })
}

fn v6(data: &[u8]) -> Option<Header<'_>> {
    data.first().filter(|first| **first >> 4 == 6)?;
    Some(Header {
        src: address_v6(data, 8)?.into(),
        dst: address_v6(data, 24)?.into(),
        hop_limit: *data.get(7)?,
        protocol: *data.get(6)?,
        payload: data.get(40..)?,
    })
}

impl<'a> Neighbour<'a> {
    /// What the frame carried.
    #[must_use]
    pub fn carried(&self) -> Carried<'a> {
        match self.ether_type {
            0x0806 => Carried::Arp(self.rest),
            link::IPV4 => v4(self.rest).map_or(Carried::Other, Carried::Packet),
            link::IPV6 => v6(self.rest).map_or(Carried::Other, Carried::Packet),
            _ => Carried::Other,
        }
    }

    /// What the frame announces by what it carried, beside the addresses that it came from and went to: ARP, neighbour
    /// discovery, router advertisements, DHCP leases.
    pub fn announced(&self, carried: &Carried<'a>, mut tell: impl FnMut(Fact)) {
        match carried {
            Carried::Other => {}
            Carried::Arp(packet) => arp(packet, &mut tell),
            Carried::Packet(header) => match (header.protocol, self.src) {
                (58, Some(src)) => discovery::read(header, src, &mut tell),
                (17, Some(src)) => dhcp::read(header, src, &mut tell),
                _ => {}
            },
        }
    }
}

/// RFC 826, for IPv4 over Ethernet: the sender's MAC and address, then the target's.
fn arp(packet: &[u8], tell: &mut impl FnMut(Fact)) {
    const FOR_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
    let address = |at: usize| be32(packet, at).map(Ipv4Addr::from_bits).filter(|address| !address.is_unspecified());
    // a sender of 0.0.0.0 only probes whether an address is free (RFC 5227)
    let (Some(mac), Some(sender)) = (station(packet, 8), address(14)) else { return };
    if packet.get(..6) != Some(&FOR_IPV4) {
        return;
    }
    tell(Fact::of(How::Arp, mac, sender));
    let is_request = be16(packet, 6) == Some(1);
    if let Some(target) = address(24).filter(|target| is_request && *target != sender) {
        tell(Fact::of(How::Asked, mac, target));
    }
}

impl Header<'_> {
    /// What the addresses of a packet between these MACs say, and whether of its sender.
    pub fn facts(&self, (from, to): (Option<Mac>, Option<Mac>), mut tell: impl FnMut(Fact, bool)) {
        let Self { src, dst, .. } = *self;
        if let Some(from) = from.filter(|_| is_host(src)) {
            tell(Fact::of(How::Traffic, from, src), true);
            if is_never_routed(dst) {
                tell(Fact::of(How::Link, from, src), true);
            }
            if to.is_some_and(Mac::is_broadcast) && is_host(dst) {
                tell(Fact::of(How::Broadcast, from, dst), true);
            }
        }
        if let Some(to) = to.filter(|to| to.is_station() && is_host(dst)) {
            tell(Fact::of(How::Traffic, to, dst), false);
        }
    }
}

/// Whether it can be one host's address.
fn is_host(address: IpAddr) -> bool {
    let is_group = match address {
        IpAddr::V4(v4) => v4.octets()[0] >= 224,
        IpAddr::V6(v6) => v6.is_multicast(),
    };
    !is_group && !address.is_unspecified() && !address.is_loopback()
}

/// Whether packets to this address stay on their link: limited broadcast, and multicast of link-local scope (RFC 5771,
/// RFC 4291).
fn is_never_routed(dst: IpAddr) -> bool {
    match dst {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.octets().starts_with(&[224, 0, 0]),
        IpAddr::V6(v6) => matches!(v6.segments()[0], 0xff01 | 0xff02),
    }
}

fn mac(data: &[u8], at: usize) -> Option<Mac> {
    data.get(at..at + 6).and_then(|octets| octets.try_into().ok()).map(Mac)
}

fn station(data: &[u8], at: usize) -> Option<Mac> {
    mac(data, at).filter(|mac| mac.is_station())
}

fn address_v6(data: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = data.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets))
}

#[cfg(test)]
mod tests;
