use std::fmt;

use super::link_names::NAMES;

/// A link-layer header type by its number in capture files (tcpdump.org, "Link-Layer Header Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: the address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet II and 802.3.
    pub const ETHERNET: Self = Self(1);
    /// IEEE 802.5.
    pub const TOKEN_RING: Self = Self(6);
    /// PPP, with or without framing.
    pub const PPP: Self = Self(9);
    /// FDDI.
    pub const FDDI: Self = Self(10);
    /// Raw IP as OpenBSD numbers it.
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP as other BSDs number it.
    pub const RAW_OLD: Self = Self(14);
    /// PPP with the framing of HDLC, or Cisco's.
    pub const PPP_HDLC: Self = Self(50);
    /// PPP over Ethernet, from its own header on.
    pub const PPP_ETHER: Self = Self(51);
    /// ATM with LLC (RFC 1483).
    pub const ATM_RFC1483: Self = Self(100);
    /// Raw IPv4 or IPv6.
    pub const RAW: Self = Self(101);
    /// Cisco's PPP with the framing of HDLC.
    pub const C_HDLC: Self = Self(104);
    /// IEEE 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// Frame Relay.
    pub const FRELAY: Self = Self(107);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// What is inside of `IPsec`, as BSDs show it.
    pub const ENC: Self = Self(109);
    /// Linux "cooked" capture, `-i any` before libpcap 1.10.
    pub const LINUX_SLL: Self = Self(113);
    /// OpenBSD's log of its packet filter.
    pub const PFLOG: Self = Self(117);
    /// IEEE 802.11 behind the header of Prism cards.
    pub const IEEE802_11_PRISM: Self = Self(119);
    /// IP over Fibre Channel.
    pub const IP_OVER_FC: Self = Self(122);
    /// IEEE 802.11 behind radiotap.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// IEEE 802.11 behind the header of AVS.
    pub const IEEE802_11_AVS: Self = Self(163);
    /// PPP whose framing says the direction.
    pub const PPP_PPPD: Self = Self(166);
    /// Ethernet behind a header of Juniper's routers.
    pub const JUNIPER_ETHER: Self = Self(178);
    /// Per-packet information, then a frame of any type.
    pub const PPI: Self = Self(192);
    /// Endace's records, each of a type of its own.
    pub const ERF: Self = Self(197);
    /// PPP behind a byte that says the direction.
    pub const PPP_WITH_DIR: Self = Self(204);
    /// Cisco HDLC behind a byte that says the direction.
    pub const C_HDLC_WITH_DIR: Self = Self(205);
    /// Frame Relay behind a byte that says the direction.
    pub const FRELAY_WITH_DIR: Self = Self(206);
    /// MPLS labels.
    pub const MPLS: Self = Self(219);
    /// Solaris' observability of IP.
    pub const IPNET: Self = Self(226);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Netfilter's log.
    pub const NFLOG: Self = Self(239);
    /// IP over InfiniBand.
    pub const IPOIB: Self = Self(242);
    /// Apple's capture of all interfaces, then a frame of any type.
    pub const PKTAP: Self = Self(258);
    /// Linux "cooked" capture v2, with the interface's index.
    pub const LINUX_SLL2: Self = Self(276);
    /// Ethernet with the tag of a Broadcom switch chip.
    pub const DSA_BROADCOM: Self = Self(281);
    /// Ethernet with the tag of a Broadcom switch chip before the frame.
    pub const DSA_BROADCOM_BEFORE: Self = Self(282);
    /// Ethernet with the tag of a Marvell switch chip.
    pub const DSA_MARVELL: Self = Self(284);
    /// Ethernet with an Ethernet type and the tag of a Marvell switch chip.
    pub const DSA_MARVELL_TYPED: Self = Self(285);
    /// What a capture did not say. Files have 16 bits for the number: none has this one.
    pub const NOT_DESCRIBED: Self = Self(u32::MAX);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None if *self == Self::NOT_DESCRIBED => f.write_str("not described"),
            None => write!(f, "{}", self.0),
        }
    }
}
