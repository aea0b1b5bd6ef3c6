//! Why a frame gave no packet.

use std::fmt;

use crate::capture::LinkType;

/// A header, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Link layer and tags.
    Link,
    /// IPv4.
    Ipv4,
    /// IPv6 and its extension headers.
    Ipv6,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// IEEE 802.11, with what captures put before it.
    Wifi,
    /// MPLS labels.
    Mpls,
    /// PPP and PPP over Ethernet.
    Ppp,
}

/// Why an 802.11 frame gave no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wifi {
    /// A management or control frame.
    NotData,
    /// A data frame without data: it only tells that the station sleeps or wakes.
    Null,
    /// Its data is encrypted.
    Encrypted,
    /// Several frames in one (A-MSDU).
    Aggregate,
    /// A fragment past the first.
    LaterFragment,
    /// This frame was seen a moment ago.
    Repeated,
}

/// Why a frame gave no packet. Every frame is either decoded or counted under one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotDecoded {
    /// The capture file's link type is not read.
    LinkType(LinkType),
    /// A frame by which the link itself is run.
    LinkControl(LinkType),
    /// An 802.11 frame that carries no packet that can be read.
    Wifi(Wifi),
    /// Address resolution, which makes no flow.
    Arp,
    /// What does the same for IPv6.
    Discovery,
    /// An IEEE 802.2 LLC header with this destination (DSAP), which is not IP.
    Llc(u8),
    /// A SNAP header with a protocol of Cisco's.
    CiscoSnap(u16),
    /// A SNAP header with a protocol of somebody else.
    Snap,
    /// A cooked capture's protocol that is not an Ethernet type.
    Cooked(u16),
    /// Another Ethernet type.
    EtherType(u16),
    /// Another protocol of PPP.
    Ppp(u16),
    /// MPLS labels that lead to no IP packet.
    Mpls,
    /// More VLAN tags than any network stacks.
    TooManyTags,
    /// More tunnels in each other than any network nests.
    TooManyTunnels,
    /// The capture holds too little of the header.
    CutShort(Layer),
    /// The header contradicts itself.
    Malformed(Layer),
    /// More extension headers than any stack sends.
    TooManyExtensions,
    /// A fragment past the first, whose ports are in a first one that was not seen.
    LaterFragment(Layer),
}

impl NotDecoded {
    /// Whether the frame was read, and holds what runs the link in place of a packet.
    #[must_use]
    pub(super) fn is_read(self) -> bool {
        matches!(self, Self::Arp | Self::Discovery)
    }

    /// Whether the packet itself is damaged, and not only of a kind that is not read or cut by the capture.
    #[must_use]
    pub fn is_damage(self) -> bool {
        matches!(self, Self::Malformed(_) | Self::TooManyExtensions)
    }

    /// Whether a packet of some connection may have been in the frame, which nobody reads. Control frames of a link, and protocols
    /// beside IP that are known by name, carry none; what tunnels or encrypts may, and so may what is not known.
    #[must_use]
    pub fn may_hide_packet(self) -> bool {
        match self {
            Self::Arp
            | Self::Discovery
            | Self::LinkControl(_)
            | Self::Llc(_)
            | Self::CiscoSnap(_)
            | Self::Snap
            | Self::Wifi(Wifi::NotData | Wifi::Null | Wifi::Repeated) => false,
            Self::EtherType(number) => CARRIERS.contains(&number) || name(&ETHER_TYPES, &number).is_none(),
            Self::Ppp(number) => PPP_CARRIERS.contains(&number) || name(&PPP, &number).is_none(),
            Self::LinkType(_)
            | Self::Wifi(Wifi::Encrypted | Wifi::Aggregate | Wifi::LaterFragment)
            | Self::Cooked(_)
            | Self::Mpls
            | Self::TooManyTags
            | Self::TooManyTunnels
            | Self::CutShort(_)
            | Self::Malformed(_)
            | Self::TooManyExtensions
            | Self::LaterFragment(_) => true,
        }
    }

    /// What others of its kind are called together, where it is one of thousands that have a number and no name.
    #[must_use]
    pub fn of_many(self) -> Option<&'static str> {
        match self {
            Self::EtherType(number) if name(&ETHER_TYPES, &number).is_none() => Some("ethertype: others"),
            Self::Ppp(number) if name(&PPP, &number).is_none() => Some("ppp: other protocols"),
            Self::CiscoSnap(number) if name(&CISCO, &number).is_none() => Some("llc: cisco, others"),
            Self::Cooked(_) => Some("cooked protocol: others"),
            Self::LinkType(_) => Some("link type: others"),
            _ => None,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Link => "link",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Wifi => "802.11",
            Self::Mpls => "mpls",
            Self::Ppp => "ppp",
        })
    }
}

impl fmt::Display for Wifi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotData => "not data",
            Self::Null => "no data",
            Self::Encrypted => "encrypted",
            Self::Aggregate => "several frames in one",
            Self::LaterFragment => "later fragment",
            Self::Repeated => "sent again",
        })
    }
}

/// Ethernet types that captures often hold and that make no flow (IEEE registration authority).
const ETHER_TYPES: [(u16, &str); 33] = [
    (0x0842, "wake on lan"),
    (0x2000, "cdp"),
    (0x22f3, "trill"),
    (0x6003, "decnet"),
    (0x809b, "appletalk"),
    (0x80f3, "appletalk"),
    (0x8137, "ipx"),
    (0x8808, "ethernet pause"),
    (0x8809, "lacp"),
    (0x8863, "pppoe discovery"),
    (0x886d, "intel teaming"),
    (0x886f, "network load balancing"),
    (0x887b, "homeplug"),
    (0x888e, "eapol"),
    (0x8892, "profinet"),
    (0x8899, "realtek"),
    (0x88a2, "ata over ethernet"),
    (0x88a4, "ethercat"),
    (0x88b8, "goose"),
    (0x88ba, "sampled values"),
    (0x88cc, "lldp"),
    (0x88d9, "lltd"),
    (0x88e1, "homeplug"),
    (0x88e5, "macsec"),
    (0x88f7, "ptp"),
    (0x88fb, "prp"),
    (0x8902, "ethernet oam"),
    (0x8906, "fcoe"),
    (0x8914, "fcoe"),
    (0x892f, "hsr"),
    (0x893a, "ieee 1905"),
    (0x894f, "nsh"),
    (0x9000, "ethernet loopback"),
];

/// Ethernet types among these whose frames may carry IP: TRILL, `MACsec`, PRP, HSR, NSH.
const CARRIERS: [u16; 5] = [0x22f3, 0x88e5, 0x88fb, 0x892f, 0x894f];

/// Destinations in LLC headers (IEEE 802.2 and what grew around it).
const LLC: [(u8, &str); 5] = [(0x42, "spanning tree"), (0xe0, "ipx"), (0xf0, "netbios"), (0xfe, "iso"), (0xff, "ipx")];

/// Protocols of PPP that carry no packet (IANA "Point-to-Point Protocol Field Assignments").
const PPP: [(u16, &str); 9] = [
    (0x003d, "multilink"),
    (0x00fd, "compressed"),
    (0x8021, "ipcp"),
    (0x8057, "ipv6cp"),
    (0x80fd, "ccp"),
    (0xc021, "lcp"),
    (0xc023, "pap"),
    (0xc025, "lqr"),
    (0xc223, "chap"),
];

/// Protocols among these that may carry IP: parts of packets, and compressed ones.
const PPP_CARRIERS: [u16; 2] = [0x003d, 0x00fd];

/// Protocols of Cisco behind SNAP.
const CISCO: [(u16, &str); 5] =
    [(0x010b, "spanning tree"), (0x0111, "udld"), (0x2000, "cdp"), (0x2003, "vtp"), (0x2004, "dtp")];

fn name<N: PartialEq>(names: &[(N, &'static str)], number: &N) -> Option<&'static str> {
    names.iter().find(|(known, _)| known == number).map(|(_, name)| *name)
}

impl fmt::Display for NotDecoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkType(link) => write!(f, "link type {link}"),
            Self::LinkControl(link) => write!(f, "{link}: not data"),
            Self::Wifi(why) => write!(f, "802.11: {why}"),
            Self::Arp => f.write_str("arp"),
            Self::Discovery => f.write_str("neighbour discovery"),
            Self::Llc(number) => match name(&LLC, number) {
                Some(name) => f.write_str(name),
                None => write!(f, "llc 0x{number:02x}"),
            },
            Self::CiscoSnap(number) => match name(&CISCO, number) {
                Some(name) => f.write_str(name),
                None => write!(f, "llc: cisco 0x{number:04x}"),
            },
            Self::Snap => f.write_str("llc: vendor's protocol"),
            Self::Cooked(number) => write!(f, "cooked protocol 0x{number:04x}"),
            Self::EtherType(number) => match name(&ETHER_TYPES, number) {
                Some(name) => f.write_str(name),
                None => write!(f, "ethertype 0x{number:04x}"),
            },
            Self::Ppp(number) => match name(&PPP, number) {
                Some(name) => write!(f, "ppp: {name}"),
                None => write!(f, "ppp: protocol 0x{number:04x}"),
            },
            Self::Mpls => f.write_str("mpls: no ip inside"),
            Self::TooManyTags => f.write_str("vlan: too many tags"),
            Self::TooManyTunnels => f.write_str("too many tunnels in each other"),
            Self::CutShort(layer) => write!(f, "{layer}: cut short"),
            Self::Malformed(layer) => write!(f, "{layer}: malformed"),
            Self::TooManyExtensions => f.write_str("ipv6: too many extension headers"),
            Self::LaterFragment(layer) => write!(f, "{layer}: fragment whose first part was not seen"),
        }
    }
}
