//! Five-tuples: what all packets of a connection share, whichever way they go.

use std::{
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::model::Protocol;

/// One end of a five-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Low,
    High,
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// An address of one family: connections of IPv4 take less room than those of IPv6.
pub(super) trait Address: Copy + Ord + Hash + Into<IpAddr> {
    /// Two ends in order, by address and port.
    fn in_order(one: (Self, u16), other: (Self, u16)) -> [(Self, u16); 2];

    /// Feeds a pair of addresses and 40 bits beside them to a hasher: in as few words as they have.
    fn hash_pair<H: Hasher>(low: Self, high: Self, beside: u64, state: &mut H);
}

impl Address for Ipv4Addr {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "48 bits are put together and taken apart")]
    fn in_order(one: (Self, u16), other: (Self, u16)) -> [(Self, u16); 2] {
        // as numbers: a branch would be foretold wrong for every second packet
        let [one, other] = [one, other].map(|(address, port)| u64::from(address.to_bits()) << 16 | u64::from(port));
        [one.min(other), one.max(other)].map(|end| (Self::from_bits((end >> 16) as u32), end as u16))
    }

    fn hash_pair<H: Hasher>(low: Self, high: Self, beside: u64, state: &mut H) {
        state.write_u128(u128::from(low.to_bits()) << 72 | u128::from(high.to_bits()) << 40 | u128::from(beside));
    }
}

impl Address for Ipv6Addr {
    #[inline]
    fn in_order(one: (Self, u16), other: (Self, u16)) -> [(Self, u16); 2] {
        if one <= other { [one, other] } else { [other, one] }
    }

    fn hash_pair<H: Hasher>(low: Self, high: Self, beside: u64, state: &mut H) {
        state.write_u128(low.to_bits());
        state.write_u128(high.to_bits());
        state.write_u64(beside);
    }
}

/// A connection's ends in an order that both directions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FiveTuple<A> {
    low: A,
    high: A,
    low_port: u16,
    high_port: u16,
    pub protocol: Protocol,
}

impl<A: Address> FiveTuple<A> {
    /// The ends in order, and which of them sent.
    #[inline]
    pub fn of(src: (A, u16), dst: (A, u16), protocol: Protocol) -> (Self, Side) {
        let [low, high] = A::in_order(src, dst);
        let sender = if low == src { Side::Low } else { Side::High };
        (Self { low: low.0, high: high.0, low_port: low.1, high_port: high.1, protocol }, sender)
    }

    pub fn end(&self, side: Side) -> (IpAddr, u16) {
        match side {
            Side::Low => (self.low.into(), self.low_port),
            Side::High => (self.high.into(), self.high_port),
        }
    }
}

impl<A: Address> Hash for FiveTuple<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ports = u64::from(self.low_port) << 16 | u64::from(self.high_port);
        A::hash_pair(self.low, self.high, ports << 8 | u64::from(self.protocol.0), state);
    }
}
