//! (address, time) to owner: for every address its stretches in the order of time, found by bisection.

use std::net::IpAddr;

use foldhash::HashMap;

use super::tenure::{Claim, Dispute, Held, Stretch, settle};

/// What an owner is. Of owners of several kinds at one address the first counts: a pod's address is its own, also where
/// it stands among a node's or a Service's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    Pod,
    Node,
    /// By a ClusterIP.
    Service,
    /// By an address outside of the cluster, which Services may share.
    Exposed,
}

/// An owner by its kind and its place among those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Nobody,
    /// One of several, and nobody can tell which.
    Untold,
    Disputed,
    By(Class, u32),
}

/// Somebody's claim to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressClaim {
    pub address: IpAddr,
    pub class: Class,
    pub claim: Claim,
}

/// An address that two owners had at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddressDispute {
    pub address: IpAddr,
    pub class: Class,
    pub dispute: Dispute,
}

/// Where an address's stretches lie among all.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: u32,
    count: u32,
    /// Whether it was a pod's, a node's or a ClusterIP at some time, so that it is never outside.
    is_inside: bool,
}

/// Who had every address, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    entries: HashMap<IpAddr, Entry>,
    stretches: Vec<(i64, Who)>,
}

impl Timeline {
    /// Settles all claims. `is_same` tells owners of a class that are one party.
    pub fn new(
        mut claims: Vec<AddressClaim>,
        is_same: impl Fn(Class, u32, u32) -> bool,
    ) -> (Self, Vec<AddressDispute>) {
        claims.sort_unstable();
        let (mut timeline, mut disputes) = (Self::default(), Vec::new());
        for of_address in claims.chunk_by(|a, b| a.address == b.address) {
            let Some(AddressClaim { address, .. }) = of_address.first().copied() else { continue };
            let mut layers: Vec<(Class, Vec<Stretch>)> = Vec::new();
            for of_class in of_address.chunk_by(|a, b| a.class == b.class) {
                let Some(AddressClaim { class, .. }) = of_class.first().copied() else { continue };
                let settlement = settle(of_class.iter().map(|it| it.claim).collect(), |a, b| is_same(class, a, b));
                disputes.extend(settlement.disputes.into_iter().map(|dispute| AddressDispute {
                    address,
                    class,
                    dispute,
                }));
                layers.push((class, settlement.stretches));
            }
            timeline.add(address, &layers);
        }
        (timeline, disputes)
    }

    /// Marks an address as the cluster's own, also if nothing tells when it was whose.
    pub fn own(&mut self, address: IpAddr) {
        self.entries.entry(address).or_insert(Entry { first: 0, count: 0, is_inside: true }).is_inside = true;
    }

    /// Who had an address at a moment; `None` where it never was anybody's.
    pub fn at(&self, address: IpAddr, moment: i64) -> Option<(Who, bool)> {
        let entry = self.entries.get(&address)?;
        let stretches = self.of(entry);
        let begun = stretches.partition_point(|(from, _)| *from <= moment);
        let who = begun.checked_sub(1).and_then(|n| stretches.get(n)).map_or(Who::Nobody, |(_, who)| *who);
        Some((who, entry.is_inside))
    }

    /// The stretches of an address that touch the time between two moments, both included, each with its end; and
    /// whether the address is the cluster's own.
    pub fn over(
        &self,
        address: IpAddr,
        first: i64,
        last: i64,
    ) -> Option<(impl Iterator<Item = (i64, i64, Who)>, bool)> {
        let entry = self.entries.get(&address)?;
        let stretches = self.of(entry);
        let begun = stretches.partition_point(|(from, _)| *from <= first);
        // before the first stretch it was nobody's
        let before =
            (begun == 0).then(|| (i64::MIN, stretches.first().map_or(i64::MAX, |(from, _)| *from), Who::Nobody));
        let rest = (begun.saturating_sub(1)..stretches.len()).map_while(move |n| {
            let (from, who) = *stretches.get(n)?;
            let to = stretches.get(n + 1).map_or(i64::MAX, |(next, _)| *next);
            (from <= last).then_some((from, to, who))
        });
        Some((before.into_iter().chain(rest), entry.is_inside))
    }

    /// Every stretch in which somebody had an address: the address, its first moment, its end, who. In no order.
    pub fn all(&self) -> impl Iterator<Item = (IpAddr, i64, i64, Class, u32)> {
        self.entries.iter().flat_map(|(address, entry)| {
            let stretches = self.of(entry);
            stretches.iter().enumerate().filter_map(move |(n, (from, who))| {
                let to = stretches.get(n + 1).map_or(i64::MAX, |(next, _)| *next);
                let Who::By(class, owner) = *who else { return None };
                Some((*address, *from, to, class, owner))
            })
        })
    }

    fn of(&self, entry: &Entry) -> &[(i64, Who)] {
        let first = entry.first as usize;
        self.stretches.get(first..first + entry.count as usize).unwrap_or_default()
    }

    /// Lays the classes over each other.
    fn add(&mut self, address: IpAddr, layers: &[(Class, Vec<Stretch>)]) {
        let first = self.stretches.len();
        let mut moments: Vec<i64> = layers.iter().flat_map(|(_, stretches)| stretches.iter().map(|it| it.0)).collect();
        moments.sort_unstable();
        moments.dedup();
        for moment in moments {
            let of_layers = || layers.iter().map(|layer| in_layer(layer, moment));
            let known = of_layers().find(|who| !matches!(who, Who::Nobody | Who::Untold));
            let who = known.or_else(|| of_layers().find(|who| *who == Who::Untold)).unwrap_or(Who::Nobody);
            let is_new = self.stretches.get(first..).and_then(<[_]>::last).is_none_or(|(_, last)| *last != who);
            if is_new {
                self.stretches.push((moment, who));
            }
        }
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let is_inside = layers.iter().any(|(class, _)| *class != Class::Exposed);
        let entry = Entry { first: small(first), count: small(self.stretches.len() - first), is_inside };
        self.entries.insert(address, entry);
    }
}

fn in_layer((class, stretches): &(Class, Vec<Stretch>), moment: i64) -> Who {
    let begun = stretches.partition_point(|(from, _)| *from <= moment);
    match begun.checked_sub(1).and_then(|n| stretches.get(n)) {
        None | Some((_, Held::Nobody)) => Who::Nobody,
        Some((_, Held::Untold)) => Who::Untold,
        Some((_, Held::Disputed)) => Who::Disputed,
        Some((_, Held::By(owner))) => Who::By(*class, *owner),
    }
}
