//! Tunnels whose packets carry others. By its port alone nothing is taken for a tunnel: what is inside must hold together.

mod gre;
mod udp;

use std::fmt;

pub use udp::is_port;

use super::{Options, Transport, ip::Network, link, shim};

/// Tunnels nested deeper than this are an attack on the decoder, not a network.
const MAX_DEPTH: usize = 4;

/// A tunnel that a packet went through, with the number that tells its networks apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// VXLAN with its network identifier (VNI; RFC 7348).
    Vxlan(u32),
    /// Geneve with its network identifier (RFC 8926).
    Geneve(u32),
    /// GRE without a key (RFC 2784).
    Gre,
    /// GRE with its key (RFC 2890).
    GreKey(u32),
    /// PPTP with its call (RFC 2637).
    Pptp(u16),
    /// Ethernet over GRE as `RouterOS` has it, with the tunnel's number.
    Eoip(u16),
    /// ERSPAN of the first type, which has no session.
    ErspanI,
    /// ERSPAN of the second and third type with the session.
    Erspan(u16),
    /// GTP-U with the tunnel's endpoint identifier (TEID; 3GPP TS 29.281).
    Gtp(u32),
    /// IPv4 in IPv4 (RFC 2003).
    Ipip,
    /// IPv6 in IPv4 (RFC 4213).
    SixInFour,
    /// IPv4 in IPv6 (RFC 2473).
    FourInSix,
    /// IPv6 in IPv6 (RFC 2473).
    SixInSix,
    /// IP or UDP in which MPLS is carried (RFC 4023, RFC 7510).
    Ip,
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// Ethernet in IP without a header of its own, as in segment routing (RFC 8986, section 4.9).
    Ethernet,
    /// IPv6 in UDP over IPv4 (RFC 4380).
    Teredo,
    /// MPLS with the innermost label that is not reserved; 0 where there is none.
    Mpls(u32),
    /// PPP over Ethernet with its session.
    Pppoe(u16),
    /// A provider backbone bridge (IEEE 802.1ah) with the service identifier.
    Backbone(u32),
}

/// The tunnels of a packet, outer first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelStack {
    layers: [Option<Tunnel>; MAX_DEPTH],
}

impl TunnelStack {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers[0].is_none()
    }

    /// A word that likely tells it from others.
    pub(crate) fn word(&self) -> u64 {
        self.layers.iter().flatten().fold(0, |word, tunnel| word.rotate_left(23) ^ u64::from(tunnel.word()))
    }

    /// The stack with one more inside; `None` where it is full.
    #[must_use]
    pub fn within(mut self, tunnel: Tunnel) -> Option<Self> {
        let slot = self.layers.iter_mut().find(|layer| layer.is_none())?;
        *slot = Some(tunnel);
        Some(self)
    }
}

impl Tunnel {
    /// Its kind and number.
    fn parts(self) -> (&'static str, Option<u32>) {
        match self {
            Self::Vxlan(id) => ("vxlan", Some(id)),
            Self::Geneve(id) => ("geneve", Some(id)),
            Self::Gre => ("gre", None),
            Self::GreKey(id) => ("gre", Some(id)),
            Self::Pptp(id) => ("pptp", Some(id.into())),
            Self::Eoip(id) => ("eoip", Some(id.into())),
            Self::ErspanI => ("erspan", None),
            Self::Erspan(id) => ("erspan", Some(id.into())),
            Self::Gtp(id) => ("gtp", Some(id)),
            Self::Ipip => ("ipip", None),
            Self::SixInFour => ("6in4", None),
            Self::FourInSix => ("4in6", None),
            Self::SixInSix => ("6in6", None),
            Self::Ip => ("ip", None),
            Self::EtherIp => ("etherip", None),
            Self::Ethernet => ("ethernet", None),
            Self::Teredo => ("teredo", None),
            Self::Mpls(id) => ("mpls", Some(id)),
            Self::Pppoe(id) => ("pppoe", Some(id.into())),
            Self::Backbone(id) => ("pbb", Some(id)),
        }
    }

    /// A word that tells it from the others at one place.
    pub(super) fn word(self) -> u32 {
        let (kind, id) = self.parts();
        kind.bytes().fold(id.unwrap_or_default(), |word, byte| super::fnv(word, byte.into()))
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (kind, Some(id)) => write!(f, "{kind}:{id}"),
            (kind, None) => f.write_str(kind),
        }
    }
}

impl fmt::Display for TunnelStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, tunnel) in self.layers.iter().flatten().enumerate() {
            write!(f, "{}{tunnel}", if n > 0 { "/" } else { "" })?;
        }
        Ok(())
    }
}

/// What a tunnel's packet carries.
pub(super) struct Inner<'a> {
    pub tunnel: Tunnel,
    pub content: Content,
    /// The tag that the tunnel's header has in place of the frame.
    pub vlan: Option<u16>,
    pub data: &'a [u8],
}

/// As what it is to be read.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Ethernet,
    EtherType(u16),
    Ppp,
}

impl<'a> Inner<'a> {
    fn ethernet(tunnel: Tunnel, data: &'a [u8]) -> Self {
        Self { tunnel, content: Content::Ethernet, vlan: None, data }
    }

    fn network(tunnel: Tunnel, ether_type: u16, data: &'a [u8]) -> Self {
        Self { tunnel, content: Content::EtherType(ether_type), vlan: None, data }
    }

    /// By an Ethernet type, where it is one that tunnels carry.
    fn of_type(tunnel: Tunnel, ether_type: u16, data: &'a [u8]) -> Option<Self> {
        const BRIDGED: u16 = 0x6558;
        match ether_type {
            BRIDGED => Some(Self::ethernet(tunnel, data)),
            link::IPV4 | link::IPV6 | shim::MPLS => Some(Self::network(tunnel, ether_type, data)),
            _ => None,
        }
    }

    /// By the version that the first bits tell.
    fn ip(tunnel: Tunnel, data: &'a [u8]) -> Option<Self> {
        match data.first()? >> 4 {
            4 => Some(Self::network(tunnel, link::IPV4, data)),
            6 => Some(Self::network(tunnel, link::IPV6, data)),
            _ => None,
        }
    }
}

/// The tunnel that a packet may be of, and what it carries.
pub(super) fn inner<'a>(network: &Network<'a>, transport: &Transport<'a>, options: &Options) -> Option<Inner<'a>> {
    let data = network.payload;
    match network.protocol.0 {
        4 => {
            let tunnel = if network.src.is_ipv4() { Tunnel::Ipip } else { Tunnel::FourInSix };
            Some(Inner::network(tunnel, link::IPV4, data))
        }
        41 => {
            let tunnel = if network.src.is_ipv4() { Tunnel::SixInFour } else { Tunnel::SixInSix };
            Some(Inner::network(tunnel, link::IPV6, data))
        }
        47 => gre::inner(data),
        // version 3, and nothing else in its header
        97 => Some(Inner::ethernet(Tunnel::EtherIp, data.strip_prefix(&[0x30, 0])?)),
        // IANA "Assigned Internet Protocol Numbers": Ethernet
        143 => Some(Inner::ethernet(Tunnel::Ethernet, data)),
        137 => Some(Inner::network(Tunnel::Ip, shim::MPLS, data)),
        17 => udp::inner(transport, options),
        _ => None,
    }
}
