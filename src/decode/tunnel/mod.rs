//! Tunnels whose packets carry others.

use std::fmt;

use super::{Transport, be32};

/// Tunnels nested deeper than this are an attack on the decoder, not a network.
const MAX_DEPTH: usize = 4;

/// UDP ports of VXLAN: the registered one (RFC 7348) and the one that Linux used before, and flannel still does.
const VXLAN_PORTS: [u16; 2] = [4789, 8472];

/// VXLAN's header: flags, reserved, the network's identifier, reserved.
const VXLAN_BYTES: usize = 8;

/// A tunnel that a packet went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// VXLAN with its network identifier (VNI).
    Vxlan(u32),
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

    /// The stack with one more inside; `None` where it is full.
    #[must_use]
    pub fn within(mut self, tunnel: Tunnel) -> Option<Self> {
        let slot = self.layers.iter_mut().find(|layer| layer.is_none())?;
        *slot = Some(tunnel);
        Some(self)
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vxlan(network) => write!(f, "vxlan:{network}"),
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

/// The tunnel that a packet is of, and the Ethernet frame inside it. By its port alone nothing is taken for a tunnel:
/// flags and reserved bits must be as the format says.
pub(super) fn inner<'a>(transport: &Transport<'a>) -> Option<(Tunnel, &'a [u8])> {
    let Transport::Udp { dst_port, data, .. } = transport else { return None };
    if !VXLAN_PORTS.contains(dst_port) {
        return None;
    }
    let flags = be32(data, 0)?;
    let network = be32(data, 4)?;
    (flags == 0x0800_0000 && network.trailing_zeros() >= 8)
        .then_some((Tunnel::Vxlan(network >> 8), data.get(VXLAN_BYTES..)?))
}
