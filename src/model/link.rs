//! What frames say about the link that they were captured on: which MAC and which address stand behind one another, in
//! which VLAN, at which interface, and how that was learnt. Segments are inferred from it when it is read.

use std::{fmt, net::IpAddr};

use serde::{Serialize, Serializer};

use super::{Hops, Span, VlanStack};

/// A hardware address of IEEE 802.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it can be one station's: no group address, and not the zeros of loopback.
    #[must_use]
    pub fn is_station(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }

    /// Whether all stations of the link are meant.
    #[must_use]
    pub fn is_broadcast(self) -> bool {
        self.0 == [0xff; 6]
    }

    /// Whether it is no station's own, but that of a virtual router which one of several is for the time being: VRRP, also
    /// for IPv6 (RFC 5798, 7.3), HSRP, its version 2 and that for IPv6, and GLBP.
    #[must_use]
    pub fn is_virtual_router(self) -> bool {
        match self.0 {
            [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _] | [0x00, 0x00, 0x0c, 0x07, 0xac, _] => true,
            [0x00, 0x00, 0x0c, 0x9f, group, _] => group >> 4 == 0xf,
            [0x00, 0x05, 0x73, 0xa0, group, _] => group >> 4 == 0,
            // six bits of zero, then the group's ten
            [0x00, 0x07, 0xb4, group, ..] => group >> 2 == 0,
            _ => false,
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02x}", if n > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How something about a link was learnt, or what was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// Frames with an Ethernet header: what tags they carry is known.
    Frame,
    /// Frames of a cooked capture (`-i any`), which may have lost their tags.
    Cooked,
    /// Frames without any hardware address.
    Bare,
    /// What the table had no room for: a count, with neither MAC nor address.
    LeftOut,
    /// The sender of an ARP packet (RFC 826).
    Arp,
    /// The sender or target of IPv6 neighbour discovery (RFC 4861).
    Nd,
    /// The source of a packet that no router forwards: to 255.255.255.255, 224.0.0.0/24 or `ff02::/16`.
    Link,
    /// The end of packets on this link: their source, their destination, or both.
    Traffic,
    /// Packets from or to further addresses of a MAC that has more than are listed.
    More,
    /// Asked for by ARP or neighbour solicitation: the asker takes it for a neighbour.
    Asked,
    /// Written to as the broadcast address of a subnet.
    Broadcast,
    /// The sender of router advertisements that offers itself as a router.
    Router,
    /// A prefix that a router advertisement calls on-link.
    Ra,
    /// A network by the mask of a DHCP lease (RFC 2132, option 1).
    Dhcp,
    /// A router that a DHCP lease names (option 3).
    DhcpRouter,
}

/// The names, for the store and the output.
const NAMES: [(How, &str); 15] = [
    (How::Frame, "frame"),
    (How::Cooked, "cooked"),
    (How::Bare, "bare"),
    (How::LeftOut, "left-out"),
    (How::Arp, "arp"),
    (How::Nd, "nd"),
    (How::Link, "link"),
    (How::Traffic, "traffic"),
    (How::More, "more"),
    (How::Asked, "asked"),
    (How::Broadcast, "broadcast"),
    (How::Router, "router"),
    (How::Ra, "ra"),
    (How::Dhcp, "dhcp"),
    (How::DhcpRouter, "dhcp-router"),
];

impl How {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(how, _)| *how == self).map_or("", |(_, name)| name)
    }

    /// By its name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(how, _)| *how)
    }
}

/// What a sighting is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkKey {
    /// The interface within the capture: empty for the first or only one.
    pub interface: String,
    /// The VLANs, none without tags; `None` where the capture may have lost them.
    pub vlans: Option<VlanStack>,
    /// How it was learnt.
    pub how: How,
    /// The MAC; zeros where none belongs to it.
    pub mac: Mac,
    /// The address, or that of the network; `None` for counts of frames.
    pub address: Option<IpAddr>,
    /// The length of the network's prefix; 0 for single addresses.
    pub prefix: u8,
}

/// Something that one capture learnt about a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSighting {
    /// What it is about.
    pub key: LinkKey,
    /// From the first to the last packet that said so.
    pub span: Span,
    /// Packets that said so, or frames; of traffic, those that it sent.
    pub packets: u64,
    /// Of traffic, the packets that it was sent.
    pub received: u64,
    /// The hop limits of what it sent.
    pub hops: Hops,
}

impl LinkSighting {
    /// Takes in the sighting of another run: a set of what was learnt, the fullest count.
    pub fn merge(&mut self, other: &Self) {
        self.span.join(other.span);
        self.packets = self.packets.max(other.packets);
        self.received = self.received.max(other.received);
        self.hops.join(other.hops);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_learning_has_a_name_of_its_own() {
        for (how, name) in NAMES {
            assert_eq!((how.as_str(), How::of(name)), (name, Some(how)));
        }
    }

    #[test]
    fn group_addresses_and_zeros_are_no_stations() {
        assert!(Mac([2, 0, 0, 0, 0, 1]).is_station());
        for other in [[0; 6], [0xff; 6], [0x33, 0x33, 0, 0, 0, 1]] {
            assert!(!Mac(other).is_station(), "{other:?}");
        }
        assert_eq!(Mac([0, 0x1b, 2, 3, 4, 0xff]).to_string(), "00:1b:02:03:04:ff");
    }

    #[test]
    fn virtual_routers_are_known_by_their_macs() {
        let virtuals = [
            [0, 0, 0x5e, 0, 1, 10],
            [0, 0, 0x5e, 0, 2, 255],
            [0, 0, 0x0c, 7, 0xac, 1],
            [0, 0, 0x0c, 0x9f, 0xf1, 2],
            [0, 5, 0x73, 0xa0, 0x0f, 255],
            [0, 7, 0xb4, 3, 255, 1],
        ];
        assert!(virtuals.iter().all(|octets| Mac(*octets).is_virtual_router()));
        let others = [
            [2, 0, 0, 0, 0, 1],
            [0, 0, 0x5e, 0, 3, 1],
            [0, 0, 0x0c, 7, 0xad, 1],
            [0, 0, 0x0c, 0x9f, 0xe1, 2],
            [0, 5, 0x73, 0xa0, 0x10, 0],
            [0, 7, 0xb4, 4, 0, 1],
        ];
        assert!(!others.iter().any(|octets| Mac(*octets).is_virtual_router()));
    }
}
