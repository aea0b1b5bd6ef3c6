//! Broadcast domains, as far as MACs tell them: which interfaces of a host that was captured at all of them (`-i any`) are of one.
//!
//! Linux asks and answers by ARP with any of its addresses at each of its interfaces, whichever they belong to (the weak end system
//! model of RFC 1122, 3.3.4.2; `arp_announce`, `arp_ignore`). So a node's address is at another MAC at each of its pods' interfaces,
//! and nobody claims it but the node.

use std::collections::BTreeMap;

use super::{
    evidence::{Place, Raw},
    point::{Point, PointKind},
};
use crate::model::{Mac, Span};

/// In which broadcast domain each MAC is that was seen at interfaces of such hosts alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Domains(BTreeMap<Mac, Domain>);

/// Where a MAC was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Domain {
    /// In the one with this number.
    One(usize),
    /// Where others are that were never seen beside it, or in several.
    Any,
}

impl Domains {
    /// Interfaces that saw one MAC are of one domain. A virtual router may be of several.
    pub fn of(raw: &BTreeMap<Place, Raw>, points: &[Point]) -> Self {
        let mut groups = Groups::new(points.len());
        let mut seen: BTreeMap<Mac, Domain> = BTreeMap::new();
        for (n, (point, raw)) in points.iter().zip(raw.values()).enumerate() {
            for mac in raw.links.values().flat_map(|link| link.stations.keys()) {
                let here = if point.kind == PointKind::Cooked && !mac.is_virtual_router() {
                    Domain::One(n)
                } else {
                    Domain::Any
                };
                match (seen.get(mac).copied(), here) {
                    (Some(Domain::One(first)), Domain::One(n)) => groups.join(first, n),
                    (Some(Domain::Any), _) => {}
                    (_, here) => _ = seen.insert(*mac, here),
                }
            }
        }
        for domain in seen.values_mut() {
            if let Domain::One(n) = domain {
                *domain = Domain::One(groups.of(*n));
            }
        }
        Self(seen)
    }

    /// Those of some MACs that may be in one domain with another of them.
    pub fn rivals(&self, macs: &BTreeMap<Mac, Span>) -> BTreeMap<Mac, Span> {
        let domain = |mac: &Mac| self.0.get(mac).copied().unwrap_or(Domain::Any);
        let mut members: BTreeMap<usize, usize> = BTreeMap::new();
        let mut anywhere = 0;
        for mac in macs.keys() {
            match domain(mac) {
                Domain::One(n) => *members.entry(n).or_default() += 1,
                Domain::Any => anywhere += 1,
            }
        }
        let has_rival = |mac: &Mac| match domain(mac) {
            Domain::One(n) => anywhere + members.get(&n).copied().unwrap_or_default() > 1,
            Domain::Any => macs.len() > 1,
        };
        macs.iter().filter(|(mac, _)| has_rival(mac)).map(|(mac, span)| (*mac, *span)).collect()
    }
}

/// What is joined with what, by number: each with a lower one, or itself.
pub(super) struct Groups(Vec<usize>);

impl Groups {
    /// So many, none joined.
    pub fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The lowest number that one is joined with.
    pub fn of(&self, mut n: usize) -> usize {
        while let Some(lower) = self.0.get(n).copied().filter(|lower| *lower != n) {
            n = lower;
        }
        n
    }

    /// Joins two.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        if let Some(higher) = self.0.get_mut(a.max(b)) {
            *higher = a.min(b);
        }
    }
}
