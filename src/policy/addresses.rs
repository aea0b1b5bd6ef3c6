//! The address space cut at the edges of ranges, so that all addresses of a piece are in the same ranges.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::IpNet;

/// Where IPv4 lies among IPv6 addresses (RFC 4291, 2.5.5.2): one line holds both.
const V4_FIRST: u128 = 0xffff_0000_0000;
const V4_LAST: u128 = 0xffff_ffff_ffff;

/// Pieces of the address space, in order; every address lies in exactly one.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    /// Where each begins.
    starts: Vec<u128>,
}

/// Addresses from the first to the last, both included, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressRange {
    pub first: IpAddr,
    pub last: IpAddr,
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(number: u128) -> IpAddr {
    Ipv6Addr::from_bits(number).to_canonical()
}

impl Partition {
    /// Cuts the space at the edges of these ranges.
    pub fn new(ranges: impl IntoIterator<Item = IpNet>) -> Self {
        let edges = |range: IpNet| [Some(number(range.network())), number(range.broadcast()).checked_add(1)];
        let mut starts = vec![0, V4_FIRST, V4_LAST + 1];
        starts.extend(ranges.into_iter().flat_map(edges).flatten());
        starts.sort_unstable();
        starts.dedup();
        Self { starts }
    }

    /// The piece that an address lies in.
    pub fn at(&self, address: IpAddr) -> usize {
        self.starts.partition_point(|start| *start <= number(address)) - 1
    }

    /// The addresses of a piece.
    pub fn range(&self, piece: usize) -> AddressRange {
        let last = self.starts.get(piece + 1).map_or(u128::MAX, |next| next - 1);
        AddressRange { first: address(self.starts[piece]), last: address(last) }
    }
}

impl AddressRange {
    /// The CIDR that it is, where it is one.
    fn cidr(&self) -> Option<IpNet> {
        let bits = if self.first.is_ipv4() { 32 } else { 128 };
        let free = (number(self.first) ^ number(self.last)).checked_ilog2().map_or(0, |bit| bit + 1);
        let prefix = u8::try_from(bits - free.min(bits)).ok()?;
        IpNet::new(self.first, prefix).ok().filter(|net| net.network() == self.first && net.broadcast() == self.last)
    }
}

impl fmt::Display for AddressRange {
    /// A CIDR where it is one, an address where it holds one alone, else the first and the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cidr() {
            Some(_) if self.first == self.last => write!(f, "{}", self.first),
            Some(cidr) => write!(f, "{cidr}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_lies_in_one_piece_and_pieces_end_where_ranges_do() {
        let cut = |ranges: &[&str]| Partition::new(ranges.iter().map(|range| range.parse().unwrap()));
        let partition = cut(&["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0", "::/0"]);
        let piece = |address: &str| partition.range(partition.at(address.parse().unwrap())).to_string();
        for (address, range) in [
            ("10.0.255.255", "10.0.0.0/16"),
            ("10.1.0.0", "10.1.0.0/16"),
            ("10.2.0.0", "10.2.0.0-10.255.255.255"),
            ("9.9.9.9", "0.0.0.0-9.255.255.255"),
            ("255.255.255.255", "11.0.0.0-255.255.255.255"),
            ("2001:db8::1", "2001:db8::/32"),
            ("::ffff:10.1.2.3", "10.1.0.0/16"),
        ] {
            assert_eq!(piece(address), range, "{address}");
        }
    }
}
