//! Dependencies by address as parts of those by workload: addresses have no namespace, it is that of the workloads they were of.

use std::collections::BTreeMap;

use crate::model::{Dependency, Party, Protocol};

/// Whether the ends of a dependency by address are of those of one by workload.
pub(super) fn is_part_of(part: &Dependency, whole: &Dependency) -> bool {
    let has = |whole: &Party, part: &Party| part.addresses.is_subset(&whole.addresses);
    has(&whole.client, &part.client) && has(&whole.server, &part.server)
}

/// Dependencies by address that are part of some by workload.
pub(super) fn parts_of<'d>(by_workload: &[&Dependency], by_address: &'d [Dependency]) -> Vec<&'d Dependency> {
    let mut wholes: BTreeMap<(Protocol, u16), Vec<&Dependency>> = BTreeMap::new();
    for it in by_workload {
        wholes.entry((it.protocol, it.port)).or_default().push(it);
    }
    let is_wanted = |part: &&Dependency| {
        wholes.get(&(part.protocol, part.port)).is_some_and(|all| all.iter().any(|whole| is_part_of(part, whole)))
    };
    by_address.iter().filter(is_wanted).collect()
}
