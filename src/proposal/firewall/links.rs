//! What MACs tell of hosts: which addresses several stations have, and what else a closed host answers at.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    firewall::{Firewall, ZoneKind},
    model::{Host, Mac, Span},
    segment::Layout,
};

/// Addresses that live in two segments, at other MACs in each: those of overlapping networks. Not those that an operator
/// gave a VLAN, by which they are told apart.
pub(super) fn disputed(layout: &Layout, listed: &[Host]) -> BTreeSet<IpAddr> {
    let mut macs: BTreeMap<IpAddr, Vec<&BTreeMap<Mac, Span>>> = BTreeMap::new();
    for resident in layout.segments.iter().flat_map(|segment| &segment.residents) {
        macs.entry(resident.address).or_default().push(&resident.macs);
    }
    // a bridge between two segments leaves MACs as they are
    let is_another = |a: &BTreeMap<Mac, Span>, b: &BTreeMap<Mac, Span>| a.keys().all(|mac| !b.contains_key(mac));
    let are_several = |macs: &[&BTreeMap<Mac, Span>]| {
        macs.iter().enumerate().any(|(n, a)| macs[n + 1..].iter().any(|b| is_another(a, b)))
    };
    let has_vlan = |address: IpAddr| listed.iter().any(|host| host.vlan.is_some() && host.range.contains(&address));
    let disputed = macs.into_iter().filter(|(_, macs)| are_several(macs)).map(|(address, _)| address);
    disputed.filter(|address| !has_vlan(*address)).collect()
}

/// What closed hosts have beside the addresses that are closed: others that live at their MACs and are no host's, by the names
/// of the hosts.
pub(super) fn beside(layout: &Layout, firewall: &Firewall) -> BTreeMap<String, BTreeSet<IpAddr>> {
    let Firewall { zones, closed, .. } = firewall;
    let routers: BTreeSet<Mac> = layout.segments.iter().flat_map(|it| &it.gateways).map(|it| it.mac).collect();
    let mut by_mac: BTreeMap<Mac, BTreeSet<IpAddr>> = BTreeMap::new();
    for resident in layout.segments.iter().flat_map(|segment| &segment.residents).filter(|it| it.macs.len() == 1) {
        for mac in resident.macs.keys().filter(|mac| !routers.contains(mac) && !mac.is_virtual_router()) {
            by_mac.entry(*mac).or_default().insert(resident.address);
        }
    }
    let is_nobodys = |address: IpAddr| matches!(zones.kind(zones.of(address)), ZoneKind::Inside | ZoneKind::Outside);
    let mut beside: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for addresses in by_mac.values() {
        let of_host = addresses.iter().filter(|address| closed.contains(&zones.unit(**address)));
        let names: BTreeSet<String> = of_host.map(|address| zones.name(*address)).collect();
        let open: BTreeSet<IpAddr> = addresses.iter().filter(|address| is_nobodys(**address)).copied().collect();
        if !names.is_empty() && !open.is_empty() {
            let names: Vec<String> = names.into_iter().collect();
            beside.entry(names.join(", ")).or_default().extend(open);
        }
    }
    beside
}
