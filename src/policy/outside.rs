//! The addresses outside of a cluster, in pieces that policies do not tell apart.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    Evaluator,
    addresses::{AddressRange, Partition},
};

/// What kind of addresses a piece holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Realm {
    /// On the public Internet; ranges for documentation and benchmarks too, which stand for it in examples.
    Public,
    /// Of private networks (RFC 1918, RFC 6598, RFC 4193) beside the cluster.
    Private,
    /// The cluster's own: pods, nodes, Services.
    Cluster,
    /// Nobody's from outside: this host, the link, multicast, reserved (RFC 6890, RFC 4291).
    Unrouted,
}

/// Addresses of one realm that lie in the same ranges of all policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The addresses.
    pub range: AddressRange,
    /// What they are.
    pub realm: Realm,
}

/// The address space of the families that a cluster uses, in order.
#[derive(Clone, Debug)]
pub struct Outside {
    pieces: Vec<Piece>,
}

const PRIVATE: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
const UNROUTED: [&str; 5] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"];
/// What is assigned of IPv6 (IANA "Internet Protocol Version 6 Address Space").
const PUBLIC_V6: &str = "2000::/3";

impl Outside {
    /// Cuts the address space at the ranges of policies and at the cluster's own. IPv6 is left out where the cluster has
    /// no address of it.
    #[must_use]
    pub fn new(evaluators: &[&Evaluator<'_>], cluster_ranges: &[IpNet]) -> Self {
        let special = PRIVATE.iter().chain(&UNROUTED).chain([&PUBLIC_V6]).filter_map(|text| text.parse().ok());
        let of_policies = evaluators.iter().flat_map(|evaluator| evaluator.ranges());
        let partition = Partition::new(of_policies.chain(cluster_ranges.iter().copied()).chain(special));
        let realms = Realms::new(cluster_ranges);
        let pieces = (0..partition.len()).map(|n| partition.range(n));
        let pieces = pieces.filter(|range| range.first.is_ipv4() || realms.has_v6);
        Self { pieces: pieces.map(|range| Piece { range, realm: realms.of(range.first) }).collect() }
    }

    /// All pieces.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The pieces of the public Internet.
    #[must_use]
    pub fn public(&self) -> Vec<AddressRange> {
        self.pieces.iter().filter(|piece| piece.realm == Realm::Public).map(|piece| piece.range).collect()
    }
}

struct Realms {
    cluster: Vec<IpNet>,
    private: Vec<IpNet>,
    unrouted: Vec<IpNet>,
    public_v6: Vec<IpNet>,
    has_v6: bool,
}

impl Realms {
    fn new(cluster_ranges: &[IpNet]) -> Self {
        let parsed = |texts: &[&str]| texts.iter().filter_map(|text| text.parse().ok()).collect();
        Self {
            cluster: sorted(cluster_ranges),
            private: parsed(&PRIVATE),
            unrouted: parsed(&UNROUTED),
            public_v6: parsed(&[PUBLIC_V6]),
            has_v6: cluster_ranges.iter().any(|range| range.addr().is_ipv6()),
        }
    }

    fn of(&self, address: IpAddr) -> Realm {
        let within = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address));
        if self.is_of_the_cluster(address) {
            Realm::Cluster
        } else if within(&self.private) {
            Realm::Private
        } else if within(&self.unrouted) || (address.is_ipv6() && !within(&self.public_v6)) {
            Realm::Unrouted
        } else {
            Realm::Public
        }
    }

    fn is_of_the_cluster(&self, address: IpAddr) -> bool {
        let after = self.cluster.partition_point(|range| range.network() <= address);
        after.checked_sub(1).and_then(|n| self.cluster.get(n)).is_some_and(|range| range.contains(&address))
    }
}

/// Ranges without overlaps, in order.
fn sorted(ranges: &[IpNet]) -> Vec<IpNet> {
    let mut ranges = IpNet::aggregate(&ranges.to_vec());
    ranges.sort();
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Options, PolicySet};

    #[test]
    fn every_piece_is_of_one_realm_and_ipv6_counts_where_the_cluster_has_it() {
        let set = PolicySet::default();
        let evaluator = Evaluator::new(&set, &[], Options::default());
        let ranges = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        let outside = Outside::new(&[&evaluator], &ranges(&["10.244.0.0/16", "10.96.0.1/32"]));
        let realm = |address: &str| {
            let address: IpAddr = address.parse().unwrap();
            let holds = |piece: &&Piece| piece.range.first <= address && address <= piece.range.last;
            outside.pieces().iter().find(holds).map(|piece| piece.realm)
        };
        assert_eq!(realm("10.244.255.255"), Some(Realm::Cluster));
        assert_eq!(realm("10.96.0.1"), Some(Realm::Cluster));
        assert_eq!(realm("10.96.0.2"), Some(Realm::Private));
        assert_eq!(realm("203.0.113.9"), Some(Realm::Public));
        assert_eq!(realm("224.0.0.1"), Some(Realm::Unrouted));
        assert_eq!(realm("2001:db8::1"), None);
        let dual = Outside::new(&[&evaluator], &ranges(&["10.244.0.0/16", "fd00::/48"]));
        let v6: Vec<String> = dual.public().iter().filter(|it| it.first.is_ipv6()).map(ToString::to_string).collect();
        assert_eq!(v6, ["2000::/3"]);
    }
}
