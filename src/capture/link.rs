use std::fmt;

/// A link-layer header type by its number in capture files (tcpdump.org, "Link-Layer Header Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: the address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet II and 802.3.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP as OpenBSD numbers it.
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP as other BSDs number it.
    pub const RAW_OLD: Self = Self(14);
    /// Raw IPv4 or IPv6.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: the address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, `-i any` before libpcap 1.10.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture v2, with the interface's index.
    pub const LINUX_SLL2: Self = Self(276);
}

/// Names for messages, also of types that are not decoded.
const NAMES: [(u32, &str); 22] = [
    (0, "null"),
    (1, "ethernet"),
    (9, "ppp"),
    (10, "fddi"),
    (12, "raw"),
    (14, "raw"),
    (50, "ppp-serial"),
    (101, "raw"),
    (105, "802.11"),
    (107, "frame-relay"),
    (108, "loop"),
    (113, "linux-sll"),
    (127, "802.11-radiotap"),
    (147, "user0"),
    (189, "usb"),
    (195, "802.15.4"),
    (228, "ipv4"),
    (229, "ipv6"),
    (230, "802.15.4-nofcs"),
    (239, "nflog"),
    (258, "pktap"),
    (276, "linux-sll2"),
];

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}
