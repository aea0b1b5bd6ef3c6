//! Who held addresses, and for how long.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    directory::{Directory, Owner},
    timeline::Class,
};
use crate::model::{Pod, Timestamp};

/// The time that an owner had addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding<'d> {
    /// The owner.
    pub owner: Owner<'d>,
    /// The addresses it had, in order.
    pub addresses: Vec<IpAddr>,
    /// Since when; none where nobody tells.
    pub since: Option<Timestamp>,
    /// Until when; none where no end is known.
    pub until: Option<Timestamp>,
}

impl Directory {
    /// Who ever held addresses, each once, with the time from its first to its last: pods, then nodes, then Services,
    /// by name. Stretches in which an address was disputed count for nobody, and the cache of names that nodes may have is
    /// left out, for nobody listed it.
    #[must_use]
    pub fn holdings(&self) -> Vec<Holding<'_>> {
        self.gather(|_, _| true)
    }

    /// Who held addresses at a time.
    #[must_use]
    pub fn holdings_at(&self, at: Timestamp) -> Vec<Holding<'_>> {
        self.gather(|from, to| from <= at.0 && at.0 < to)
    }

    fn gather(&self, is_wanted: impl Fn(i64, i64) -> bool) -> Vec<Holding<'_>> {
        let mut times: BTreeMap<_, (i64, i64, Vec<IpAddr>)> = BTreeMap::new();
        let is_cache = |class, owner| class == Class::Node && Some(owner) == self.past.cache;
        let all = self.timeline.all().filter(|(_, from, to, ..)| is_wanted(*from, *to));
        for (address, from, to, class, owner) in all.filter(|(.., class, owner)| !is_cache(*class, *owner)) {
            let time = times.entry((class, owner)).or_insert((from, to, Vec::new()));
            *time = (time.0.min(from), time.1.max(to), std::mem::take(&mut time.2));
            time.2.push(address);
        }
        let known = |moment: i64, never: i64| Some(Timestamp(moment)).filter(|_| moment != never);
        let holding = |((class, owner), (from, to, mut addresses)): ((_, u32), (i64, i64, Vec<IpAddr>))| {
            addresses.sort_unstable();
            addresses.dedup();
            let (since, until) = (known(from, i64::MIN), known(to, i64::MAX));
            Holding { owner: self.owner(class, owner), addresses, since, until }
        };
        times.into_iter().map(holding).collect()
    }
}

impl<'d> Holding<'d> {
    /// The pod, where it is one.
    #[must_use]
    pub fn pod(&self) -> Option<&'d Pod> {
        if let Owner::Pod(pod) = self.owner { Some(pod) } else { None }
    }
}
