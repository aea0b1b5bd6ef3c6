//! Addresses outside that are in use alike, put together: those of one name within the bounds, where nobody else is known
//! to be among them, and others where it loses nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    Access, CidrBounds, Peer, Ports, Widened,
    access::Accesses,
    cidr::{self, Cover},
    neighbours::Neighbours,
};
use crate::model::{HostName, PartyName};

/// So many addresses of one name tell that it has more of them nearby.
const MIN_ALIKE: usize = 3;

/// Addresses by the ports that are used there, and by the name that their clients knew them by where several have it.
type Alike = BTreeMap<(Ports, Option<HostName>), BTreeSet<IpAddr>>;

/// Puts addresses together that are in use alike; nothing of what is forbidden is let in.
pub(super) fn put_together(
    accesses: Accesses,
    bounds: CidrBounds,
    is_forbidden: &dyn Fn(IpNet) -> bool,
    neighbours: &Neighbours,
) -> Accesses {
    let mut found = Accesses::new();
    let mut single: BTreeMap<IpAddr, Access> = BTreeMap::new();
    for (peer, access) in accesses {
        match peer {
            Peer::Addresses(range) => drop(single.insert(range.addr(), access)),
            _ => drop(found.insert(peer, access)),
        }
    }
    let exact = CidrBounds { waste: 0, ..bounds };
    for ((_, name), addresses) in alike(&single) {
        let bounds = if name.is_some() { bounds } else { exact };
        let has_others = |range| name.as_ref().is_some_and(|name| neighbours.has_others(range, &addresses, name));
        for (cover, inside) in covers(&addresses, bounds, &|range| is_forbidden(range) || has_others(range)) {
            let range = Peer::Addresses(cover.range);
            // addresses that are used otherwise may lie among them: each keeps its own ports
            let is_taken = found.contains_key(&range);
            let parts = if is_taken { covers(&inside, exact, is_forbidden) } else { vec![(cover, inside)] };
            for (cover, inside) in parts {
                let access = found.entry(Peer::Addresses(cover.range)).or_default();
                if cover.extra() > 0 {
                    access.widened.insert(Widened::Prefix { seen: cover.seen, extra: cover.extra() });
                }
                inside.iter().filter_map(|address| single.remove(address)).for_each(|other| access.join(other));
            }
        }
    }
    found
}

fn alike(single: &BTreeMap<IpAddr, Access>) -> Alike {
    let mut alike = Alike::new();
    for (address, access) in single {
        // whoever has an address says in its reverse what he likes, others dial what they like, and a single label is no
        // server's own: any of them is `localhost`
        let is_told = |name: &&PartyName| {
            name.address == *address && name.is_own && name.source.is_of_clients() && name.name.as_str().contains('.')
        };
        let told = access.evidence.iter().flat_map(|evidence| &evidence.names).find(is_told);
        let named = told.map(|name| name.name.clone());
        alike.entry((access.ports.clone(), named)).or_default().insert(*address);
    }
    let few = alike.extract_if(.., |(_, name), addresses| name.is_some() && addresses.len() < MIN_ALIKE);
    let few: Vec<_> = few.collect();
    for ((ports, _), addresses) in few {
        alike.entry((ports, None)).or_default().extend(addresses);
    }
    alike
}

/// Prefixes with the addresses that they stand for.
fn covers(
    addresses: &BTreeSet<IpAddr>,
    bounds: CidrBounds,
    is_forbidden: &dyn Fn(IpNet) -> bool,
) -> Vec<(Cover, BTreeSet<IpAddr>)> {
    let inside = |cover: &Cover| addresses.range(cover.range.network()..=cover.range.broadcast()).copied().collect();
    cidr::cover(addresses, bounds, is_forbidden).into_iter().map(|cover| (cover, inside(&cover))).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_prefix_stands_for_the_addresses_in_it(
            v4 in prop::collection::vec(0u32..400, 0..40), v6 in prop::collection::vec(0u128..400, 0..40), waste in 0u16..4,
        ) {
            let v4 = v4.into_iter().map(|n| IpAddr::from(Ipv4Addr::from_bits(n + 0xc000_0200)));
            let v6 = v6.into_iter().map(|n| IpAddr::from(Ipv6Addr::from_bits(n + (0x2001_0db8 << 96))));
            let addresses: BTreeSet<IpAddr> = v4.chain(v6).collect();
            for (cover, inside) in covers(&addresses, CidrBounds { waste, ..CidrBounds::default() }, &|_| false) {
                let expected = addresses.iter().filter(|address| cover.range.contains(*address)).copied().collect();
                prop_assert_eq!(inside, expected, "{}", cover.range);
            }
        }
    }
}
