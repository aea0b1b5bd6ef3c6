//! Addresses outside to prefixes: the fewest that let in no more than is allowed for.
//!
//! On the trie of prefixes a node covers all seen addresses below it. Of the nodes that waste no more than the bound
//! the topmost are the fewest that cover all: each of them stands in one place of every cover, and nothing above it may
//! (Soldo, Markopoulou, Argyraki, "Optimal Filtering of Malicious IP Sources", INFOCOM 2009, with a bound on each prefix
//! in place of a sum, so that one crowded prefix does not pay for a lonely one).

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::PRIVATE_RANGES;

/// How far addresses may be put together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CidrBounds {
    /// The shortest prefix of IPv4.
    pub floor_v4: u8,
    /// The shortest prefix of IPv6.
    pub floor_v6: u8,
    /// For every address that was seen, a prefix may let in so many that were not. 0 joins only what loses nothing.
    pub waste: u16,
}

impl Default for CidrBounds {
    /// A /24 and a /64 are what one owner mostly has at least. One not seen for each seen is little, and enough for
    /// neighbours.
    fn default() -> Self {
        Self { floor_v4: 24, floor_v6: 64, waste: 1 }
    }
}

/// A prefix and how many of the seen addresses lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cover {
    pub range: IpNet,
    pub seen: u64,
}

impl Cover {
    /// Addresses in it that were not seen.
    pub fn extra(&self) -> u128 {
        size(self.range).saturating_sub(u128::from(self.seen))
    }
}

/// The fewest prefixes that cover all addresses within the bounds; none reaches into what is forbidden, nor from
/// private addresses into public ones.
pub(super) fn cover(
    addresses: &BTreeSet<IpAddr>,
    bounds: CidrBounds,
    is_forbidden: &dyn Fn(IpNet) -> bool,
) -> Vec<Cover> {
    let seen: Vec<IpAddr> = addresses.iter().copied().collect();
    let mut covers = Vec::new();
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = seen.into_iter().partition(IpAddr::is_ipv4);
    for family in [v4, v6] {
        if let (Some(first), Some(last)) = (family.first(), family.last()) {
            let top = common(*first, *last);
            below(top, &family, bounds, is_forbidden, &mut covers);
        }
    }
    covers
}

/// Covers addresses that all lie in `top`, in order.
fn below(
    top: IpNet,
    seen: &[IpAddr],
    bounds: CidrBounds,
    is_forbidden: &dyn Fn(IpNet) -> bool,
    covers: &mut Vec<Cover>,
) {
    let cover = Cover { range: top, seen: seen.len() as u64 };
    let is_within = cover.extra() <= u128::from(bounds.waste) * seen.len() as u128;
    let floor = if top.addr().is_ipv4() { bounds.floor_v4 } else { bounds.floor_v6 };
    let is_one = top.prefix_len() == top.max_prefix_len();
    if is_one || is_within && top.prefix_len() >= floor && !is_mixed(top) && !is_forbidden(top) {
        covers.push(cover);
        return;
    }
    let Ok(halves) = top.subnets(top.prefix_len() + 1) else { return };
    for half in halves {
        let from = seen.partition_point(|address| *address < half.network());
        let to = seen.partition_point(|address| *address <= half.broadcast());
        let within = seen.get(from..to).unwrap_or_default();
        if let (Some(first), Some(last)) = (within.first(), within.last()) {
            below(common(*first, *last), within, bounds, is_forbidden, covers);
        }
    }
}

/// The longest prefix that two addresses of one family share.
fn common(a: IpAddr, b: IpAddr) -> IpNet {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let length = (a.to_bits() ^ b.to_bits()).leading_zeros();
            Ipv4Net::new(a, u8::try_from(length).unwrap_or(32)).map(|net| IpNet::V4(net.trunc())).unwrap_or_default()
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let length = (a.to_bits() ^ b.to_bits()).leading_zeros();
            Ipv6Net::new(a, u8::try_from(length).unwrap_or(128)).map(|net| IpNet::V6(net.trunc())).unwrap_or_default()
        }
        _ => IpNet::from(a),
    }
}

fn size(range: IpNet) -> u128 {
    1_u128.checked_shl(u32::from(range.max_prefix_len() - range.prefix_len())).unwrap_or(u128::MAX)
}

/// Whether a prefix holds private and public addresses.
fn is_mixed(range: IpNet) -> bool {
    PRIVATE_RANGES.iter().any(|private| range.contains(private) && range != *private)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(addresses: &[&str], waste: u16) -> Vec<String> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let bounds = CidrBounds { waste, ..CidrBounds::default() };
        let forbidden: IpNet = "10.244.0.0/16".parse().unwrap();
        let is_forbidden = |range: IpNet| range.contains(&forbidden) || forbidden.contains(&range);
        let covers = cover(&addresses, bounds, &is_forbidden);
        covers.iter().map(|cover| format!("{} +{}", cover.range, cover.extra())).collect()
    }

    #[test]
    fn what_loses_nothing_is_joined() {
        assert_eq!(covered(&["192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11"], 0), ["192.0.2.8/30 +0"]);
        assert_eq!(covered(&["192.0.2.8", "192.0.2.10"], 0), ["192.0.2.8/32 +0", "192.0.2.10/32 +0"]);
    }

    #[test]
    fn private_ranges_are_written_as_the_standards_do() {
        let written = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
        assert_eq!(PRIVATE_RANGES.map(|range| range.to_string()), written);
    }

    #[test]
    fn every_prefix_pays_for_itself() {
        let api = ["192.0.2.8", "192.0.2.9", "192.0.2.11", "192.0.2.200"];
        assert_eq!(covered(&api, 1), ["192.0.2.8/30 +1", "192.0.2.200/32 +0"]);
        assert_eq!(covered(&api, 100), ["192.0.2.0/24 +252"]);
    }

    #[test]
    fn no_prefix_is_shorter_than_the_floor() {
        assert_eq!(covered(&["192.0.2.255", "192.0.3.0"], 1000), ["192.0.2.255/32 +0", "192.0.3.0/32 +0"]);
        assert_eq!(covered(&["2001:db8::1", "2001:db8::2"], 1), ["2001:db8::/126 +2"]);
    }

    #[test]
    fn none_reaches_from_private_into_public_or_into_the_cluster() {
        let wide = CidrBounds { floor_v4: 0, waste: u16::MAX, ..CidrBounds::default() };
        let addresses = BTreeSet::from(["9.255.255.255", "10.0.0.0"].map(|address| address.parse().unwrap()));
        assert_eq!(cover(&addresses, wide, &|_| false).len(), 2);
        let around = BTreeSet::from(["10.243.255.255", "10.245.0.0"].map(|address| address.parse().unwrap()));
        let forbidden: IpNet = "10.244.0.0/16".parse().unwrap();
        assert_eq!(cover(&around, wide, &|range| range.contains(&forbidden)).len(), 2);
    }
}
