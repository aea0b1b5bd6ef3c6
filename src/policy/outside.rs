//! The addresses outside of a cluster, in pieces that policies do not tell apart.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    Evaluator,
    addresses::{AddressRange, Partition},
};
use crate::model::{Cluster, PRIVATE_RANGES};

/// What kind of addresses a piece holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Realm {
    /// On the public Internet; ranges for documentation and benchmarks too, which stand for it in examples.
    Public,
    /// Of private networks (RFC 1918, RFC 6598, RFC 4193) beside the cluster.
    Private,
    /// A node's.
    Node,
    /// Pods' and Services': who has one is no address to policies, but where `ipBlock`s cover pods.
    Inside,
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
    /// Whether pods are addresses too, as the policies are read.
    covers_pods: bool,
}

const UNROUTED: [&str; 5] = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"];
/// What is assigned of IPv6 (IANA "Internet Protocol Version 6 Address Space").
const PUBLIC_V6: &str = "2000::/3";

impl Outside {
    /// Cuts the address space at the ranges of policies and at the cluster's own. A family of which the cluster has no
    /// address is left out; IPv4 counts where nothing is known of it.
    #[must_use]
    pub fn new(evaluators: &[&Evaluator<'_>], cluster: &Cluster, pod_ranges: &[IpNet]) -> Self {
        let realms = Realms::new(cluster, pod_ranges);
        let of_policies = evaluators.iter().flat_map(|evaluator| evaluator.ranges());
        let partition = Partition::new(of_policies.chain(realms.edges()));
        let (has_v4, has_v6) = (realms.has_family(true), realms.has_family(false));
        let is_used = |range: &AddressRange| if range.first.is_ipv4() { has_v4 || !has_v6 } else { has_v6 };
        let pieces = (0..partition.len()).map(|n| partition.range(n)).filter(is_used);
        let pieces = pieces.map(|range| Piece { range, realm: realms.of(range.first) }).collect();
        Self { pieces, covers_pods: evaluators.iter().any(|evaluator| evaluator.options.ipblock_matches_pods) }
    }

    /// All pieces that count as addresses: those of pods and Services only where `ipBlock`s cover pods.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(|piece| piece.realm != Realm::Inside || self.covers_pods)
    }

    /// The pieces of the public Internet.
    #[must_use]
    pub fn public(&self) -> Vec<AddressRange> {
        self.pieces.iter().filter(|piece| piece.realm == Realm::Public).map(|piece| piece.range).collect()
    }

    /// Whether an address lies where pods and Services have theirs.
    #[must_use]
    pub fn is_inside(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let holds = |piece: &&Piece| piece.range.first <= address && address <= piece.range.last;
        self.pieces.iter().find(holds).is_some_and(|piece| piece.realm == Realm::Inside)
    }
}

struct Realms {
    nodes: Vec<IpNet>,
    inside: Vec<IpNet>,
    private: Vec<IpNet>,
    unrouted: Vec<IpNet>,
    public_v6: Vec<IpNet>,
}

impl Realms {
    fn new(cluster: &Cluster, pod_ranges: &[IpNet]) -> Self {
        let parsed = |texts: &[&str]| texts.iter().filter_map(|text| text.parse().ok()).collect();
        let single = |address: &IpAddr| IpNet::from(address.to_canonical());
        let nodes = cluster.nodes.iter().flat_map(|node| &node.addresses).map(single);
        let services = cluster.services.iter().flat_map(|service| &service.cluster_ips).map(single);
        Self {
            nodes: sorted(nodes),
            inside: sorted(pod_ranges.iter().copied().chain(services)),
            private: PRIVATE_RANGES.to_vec(),
            unrouted: parsed(&UNROUTED),
            public_v6: parsed(&[PUBLIC_V6]),
        }
    }

    fn edges(&self) -> impl Iterator<Item = IpNet> {
        let all = [&self.nodes, &self.inside, &self.private, &self.unrouted, &self.public_v6];
        all.into_iter().flatten().copied()
    }

    /// Whether the cluster has addresses of a family.
    fn has_family(&self, is_ipv4: bool) -> bool {
        self.nodes.iter().chain(&self.inside).any(|range| range.addr().is_ipv4() == is_ipv4)
    }

    fn of(&self, address: IpAddr) -> Realm {
        let within = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address));
        if holds(&self.nodes, address) {
            Realm::Node
        } else if holds(&self.inside, address) {
            Realm::Inside
        } else if within(&self.private) {
            Realm::Private
        } else if within(&self.unrouted) || (address.is_ipv6() && !within(&self.public_v6)) {
            Realm::Unrouted
        } else {
            Realm::Public
        }
    }
}

/// Whether one of many ranges, in order and without overlaps, holds an address.
fn holds(ranges: &[IpNet], address: IpAddr) -> bool {
    let after = ranges.partition_point(|range| range.network() <= address);
    after.checked_sub(1).and_then(|n| ranges.get(n)).is_some_and(|range| range.contains(&address))
}

/// Ranges without overlaps, in order.
fn sorted(ranges: impl IntoIterator<Item = IpNet>) -> Vec<IpNet> {
    let mut ranges = IpNet::aggregate(&ranges.into_iter().collect());
    ranges.sort();
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Node,
        policy::{Options, PolicySet},
    };

    #[test]
    fn every_piece_is_of_one_realm_and_ipv6_counts_where_the_cluster_has_it() {
        let set = PolicySet::default();
        let evaluator = Evaluator::new(&set, &[], Options::default());
        let ranges = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        let node = |address: &str| Node { addresses: vec![address.parse().unwrap()], ..Node::default() };
        let cluster = Cluster { nodes: vec![node("172.18.0.2")], ..Cluster::default() };
        let outside = Outside::new(&[&evaluator], &cluster, &ranges(&["10.244.0.0/16"]));
        let realm = |address: &str| {
            let address: IpAddr = address.parse().unwrap();
            let holds = |piece: &&Piece| piece.range.first <= address && address <= piece.range.last;
            outside.pieces.iter().find(holds).map(|piece| piece.realm)
        };
        assert_eq!(realm("10.244.255.255"), Some(Realm::Inside));
        assert_eq!(realm("172.18.0.2"), Some(Realm::Node));
        assert_eq!(realm("172.18.0.3"), Some(Realm::Private));
        assert_eq!(realm("203.0.113.9"), Some(Realm::Public));
        assert_eq!(realm("224.0.0.1"), Some(Realm::Unrouted));
        assert_eq!(realm("2001:db8::1"), None);
        let public = |own: &[&str]| Outside::new(&[&evaluator], &Cluster::default(), &ranges(own)).public();
        let v6 = |own| public(own).iter().filter(|it| it.first.is_ipv6()).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(v6(&["10.244.0.0/16", "fd00::/48"]), ["2000::/3"]);
        assert!(public(&["fd00::/48"]).iter().all(|range| range.first.is_ipv6()), "a cluster of IPv6 alone");
        assert!(public(&[]).iter().all(|range| range.first.is_ipv4()));
    }
}
