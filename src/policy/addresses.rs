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
pub struct AddressRange {
    /// The first.
    pub first: IpAddr,
    /// The last.
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

    /// How many pieces there are.
    pub fn len(&self) -> usize {
        self.starts.len()
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
    /// How many addresses it holds; `u128::MAX` where that is all of IPv6.
    #[must_use]
    pub fn size(&self) -> u128 {
        (number(self.last) - number(self.first)).saturating_add(1)
    }

    /// Joins ranges that stand beside each other; those given are in order.
    pub(super) fn joined(ranges: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for range in ranges {
            match joined.last_mut() {
                Some(before)
                    if before.first.is_ipv4() == range.first.is_ipv4()
                        && number(before.last).checked_add(1) == Some(number(range.first)) =>
                {
                    before.last = range.last;
                }
                _ => joined.push(range),
            }
        }
        joined
    }

    fn between(first: u128, last: u128) -> Self {
        Self { first: address(first), last: address(last) }
    }

    /// What of it lies in none of these, which are in order.
    fn without(&self, ranges: &[Self]) -> Vec<Self> {
        let (mut gaps, last) = (Vec::new(), number(self.last));
        let mut next = Some(number(self.first));
        for range in ranges.iter().filter(|range| range.last >= self.first && range.first <= self.last) {
            let (from, to) = (number(range.first), number(range.last));
            gaps.extend(next.filter(|next| *next < from).map(|next| Self::between(next, from - 1)));
            next = to.checked_add(1).filter(|next| *next <= last);
        }
        gaps.extend(next.map(|next| Self::between(next, last)));
        gaps
    }

    /// The CIDR that it is, where it is one.
    fn cidr(&self) -> Option<IpNet> {
        let bits = if self.first.is_ipv4() { 32 } else { 128 };
        let free = (number(self.first) ^ number(self.last)).checked_ilog2().map_or(0, |bit| bit + 1);
        let prefix = u8::try_from(bits - free.min(bits)).ok()?;
        IpNet::new(self.first, prefix).ok().filter(|net| net.network() == self.first && net.broadcast() == self.last)
    }
}

/// Ranges in words, those beside each other joined; the ranges given are in order. Of a family that they mostly fill the
/// gaps are told: `0.0.0.0/0 except 10.244.0.0/16`.
pub(super) fn words(ranges: impl IntoIterator<Item = AddressRange>) -> String {
    let joined = AddressRange::joined(ranges);
    let (v4, v6): (Vec<AddressRange>, Vec<AddressRange>) = joined.into_iter().partition(|it| it.first.is_ipv4());
    // the IPv6 space has a hole here, where IPv4 lies in it
    let v4_parts = [AddressRange::between(V4_FIRST, V4_LAST)];
    let v6_parts = [AddressRange::between(0, V4_FIRST - 1), AddressRange::between(V4_LAST + 1, u128::MAX)];
    let mut words = family("0.0.0.0/0", &v4_parts, &v4);
    words.extend(family("::/0", &v6_parts, &v6));
    words.join(", ")
}

/// The ranges of one family, or all of it but the gaps between them where they fill more than half of it.
fn family(all: &str, parts: &[AddressRange], ranges: &[AddressRange]) -> Vec<String> {
    let size = |ranges: &[AddressRange]| ranges.iter().fold(0u128, |sum, range| sum.saturating_add(range.size()));
    if size(ranges) <= size(parts) / 2 {
        return ranges.iter().map(ToString::to_string).collect();
    }
    let gaps: Vec<String> = parts.iter().flat_map(|part| part.without(ranges)).map(|gap| gap.to_string()).collect();
    if gaps.is_empty() { vec![all.to_owned()] } else { vec![format!("{all} except {}", gaps.join(", "))] }
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
        let all: Vec<AddressRange> = (0..partition.len()).map(|piece| partition.range(piece)).collect();
        assert_eq!(words(all.clone()), "0.0.0.0/0, ::/0");
        let within = |address: &str| partition.at(address.parse().unwrap());
        let inner = within("10.1.2.3");
        assert_eq!(words([all[inner]]), "10.1.0.0/16");
        let without = |hole: usize| words(all.iter().enumerate().filter(|(n, _)| *n != hole).map(|(_, range)| *range));
        assert_eq!(without(inner), "0.0.0.0/0 except 10.1.0.0/16, ::/0");
        assert_eq!(without(within("2001:db8::1")), "0.0.0.0/0, ::/0 except 2001:db8::/32");
    }
}
