//! What MACs tell of hosts: which addresses several stations have, and what else a closed host answers at.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    firewall::{Dispute, Firewall, ZoneKind},
    model::{Host, Mac, Span},
    segment::{Layout, Segment},
};

/// The segment in which an address lives, and at which MACs.
type Home<'l> = (&'l Segment, &'l BTreeMap<Mac, Span>);

/// Addresses that live in two segments, at other MACs in each: those of overlapping networks. An operator who gave one a VLAN
/// tells them apart, wherever tags do.
pub(super) fn disputed(layout: &Layout, listed: &[Host]) -> BTreeMap<IpAddr, Dispute> {
    let mut homes: BTreeMap<IpAddr, Vec<Home<'_>>> = BTreeMap::new();
    for (segment, resident) in layout.segments.iter().flat_map(|it| it.residents.iter().map(move |who| (it, who))) {
        homes.entry(resident.address).or_default().push((segment, &resident.macs));
    }
    // a bridge between two segments leaves MACs as they are
    let is_another = |a: &BTreeMap<Mac, Span>, b: &BTreeMap<Mac, Span>| a.keys().all(|mac| !b.contains_key(mac));
    let are_several = |homes: &[Home<'_>]| {
        homes.iter().enumerate().any(|(n, (_, a))| homes[n + 1..].iter().any(|(_, b)| is_another(a, b)))
    };
    homes.retain(|_, homes| are_several(homes));
    let dispute = |(address, homes): (IpAddr, Vec<Home<'_>>)| {
        let Some(vlan) = meant_vlan(listed, address) else { return (address, Dispute::Open) };
        let is_meant = |segment: &Segment| segment.vlan.is_some_and(|stack| stack.ids().any(|id| id == vlan));
        let within: Vec<Home<'_>> = homes.iter().filter(|(segment, _)| is_meant(segment)).copied().collect();
        let is_untagged_too = homes.iter().any(|(segment, _)| segment.vlan.is_none());
        let settled = Dispute::Settled { vlan, is_untagged_too };
        (address, if are_several(&within) { Dispute::Open } else { settled })
    };
    homes.into_iter().map(dispute).collect()
}

/// The VLAN of the narrowest entry of a hosts file around an address, where it gives one.
fn meant_vlan(listed: &[Host], address: IpAddr) -> Option<u16> {
    let around = || listed.iter().filter(|host| host.range.contains(&address));
    let narrowest = around().map(|host| host.range.prefix_len()).max()?;
    let vlans: BTreeSet<Option<u16>> =
        around().filter(|host| host.range.prefix_len() == narrowest).map(|host| host.vlan).collect();
    if vlans.len() == 1 { vlans.into_iter().next().flatten() } else { None }
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
