//! What an operator should look at.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    layout::{Layout, Segment},
    point::Point,
};
use crate::model::{Host, Mac, Span};

/// Something that is not as it should be, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What sort of thing, for programs: `address-at-two-macs`.
    pub kind: &'static str,
    /// Where, in words: a segment, or a point.
    pub place: String,
    /// What, in words.
    pub what: String,
}

/// All findings of a site, in order; `hosts` says in which VLAN each host is meant to be.
#[must_use]
pub fn findings(layout: &Layout, hosts: &[Host]) -> Vec<Finding> {
    let mut all: Vec<Finding> = layout.segments.iter().flat_map(|segment| two_macs(segment, layout)).collect();
    all.extend(two_segments(layout));
    all.extend(shared_subnets(layout));
    all.extend(tags(layout));
    all.extend(misplaced(layout, hosts));
    all.sort_unstable();
    all.dedup();
    all
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" and ")
}

/// Addresses that several MACs claim in one broadcast domain: a conflict, or somebody in the middle; where one was silent once the
/// other had it, an address that moved. A virtual router may have several MACs, for its load to be shared.
fn two_macs<'a>(segment: &'a Segment, layout: &'a Layout) -> impl Iterator<Item = Finding> + 'a {
    let mixes_interfaces = |n: &usize| layout.points.get(*n).is_some_and(Point::mixes_interfaces);
    let caveat = if segment.points.iter().any(mixes_interfaces) {
        ", perhaps one host's own: the capture does not tell its interfaces apart"
    } else {
        ""
    };
    let several = segment.residents.iter().map(|resident| (resident.address, layout.domains.rivals(&resident.macs)));
    let several = several.filter(|(_, macs)| macs.len() > 1 && macs.keys().any(|mac| !mac.is_virtual_router()));
    several.map(move |(address, macs)| {
        let (kind, what) = match moves(&macs) {
            Some(moves) => ("address-moved", format!("{address} moved {}", moves.join(", "))),
            None => ("address-at-two-macs", format!("{address} is at {}{caveat}", list(macs.keys()))),
        };
        Finding { kind, place: segment.name(), what }
    })
}

/// From which MAC to which an address moved, in words; nothing where two of them had it at a time.
fn moves(macs: &BTreeMap<Mac, Span>) -> Option<Vec<String>> {
    /// For so long nothing is seen of the one that had it, while something is of the next: who has a conflict goes on.
    const SILENCE_S: f64 = 60.0;
    let mut in_turn: Vec<(Span, &Mac)> = macs.iter().map(|(mac, span)| (*span, mac)).collect();
    in_turn.sort_unstable_by_key(|(Span { first, last }, mac)| (*first, *last, *mac));
    let moves = in_turn.windows(2).map(|pair| {
        let [(before, from), (next, to)] = pair else { return None };
        let is_over = next.first > before.last && next.last.seconds_since(before.last) >= SILENCE_S;
        is_over.then(|| format!("from {from} to {to} at {}", next.first))
    });
    moves.collect()
}

/// Hosts that live in several segments without routing between them, by MAC or by address.
fn two_segments(layout: &Layout) -> Vec<Finding> {
    let routers: BTreeSet<Mac> = layout.segments.iter().flat_map(|it| &it.gateways).map(|it| it.mac).collect();
    let mut by_mac: BTreeMap<Mac, BTreeSet<String>> = BTreeMap::new();
    let mut by_address: BTreeMap<IpAddr, BTreeSet<String>> = BTreeMap::new();
    for segment in &layout.segments {
        for resident in &segment.residents {
            by_address.entry(resident.address).or_default().insert(segment.name());
            for mac in resident.macs.keys().filter(|mac| !routers.contains(mac) && !mac.is_virtual_router()) {
                by_mac.entry(*mac).or_default().insert(segment.name());
            }
        }
    }
    let finding = |kind, what: String, places: &BTreeSet<String>| Finding { kind, place: list(places), what };
    let macs = by_mac.iter().filter(|(_, places)| places.len() > 1);
    let macs =
        macs.map(|(mac, places)| finding("host-in-two-segments", format!("{mac} has addresses in each"), places));
    let addresses = by_address.iter().filter(|(_, places)| places.len() > 1);
    let addresses = addresses
        .map(|(address, places)| finding("address-in-two-segments", format!("{address} is claimed in each"), places));
    macs.chain(addresses).collect()
}

/// Subnets that lie in each other but in different segments: addresses of these are at home nowhere for certain.
fn shared_subnets(layout: &Layout) -> Vec<Finding> {
    let subnets = layout.segments.iter().enumerate();
    let mut subnets: Vec<(IpNet, usize)> =
        subnets.flat_map(|(n, it)| it.subnets.iter().map(move |subnet| (subnet.prefix, n))).collect();
    subnets.sort_unstable();
    let name = |n: usize| layout.segments.get(n).map(Segment::name).unwrap_or_default();
    let mut all = Vec::new();
    // a network sorts before all that it contains, and these stand together
    let mut around: Vec<(IpNet, usize)> = Vec::new();
    for (prefix, n) in subnets {
        around.retain(|(wider, _)| wider.contains(&prefix));
        if let Some((wider, other)) = around.iter().rev().find(|(_, other)| *other != n) {
            let what =
                if *wider == prefix { format!("{prefix} is in both") } else { format!("{wider} holds {prefix}") };
            all.push(Finding { kind: "subnet-in-two-segments", place: list([name(*other), name(n)]), what });
        }
        around.push((prefix, n));
    }
    all
}

/// Double tags where none belong, and ids that are no ordinary VLANs.
fn tags(layout: &Layout) -> impl Iterator<Item = Finding> {
    layout.points.iter().flat_map(|point| {
        let place = point.place.to_string();
        let doubles = point.double_tagged().filter(|_| point.has_no_tags()).map(|stack| {
            let vlans = stack.vlans.unwrap_or_default();
            let what =
                format!("{} frames came with the tags {vlans} where frames carry none: VLAN hopping?", stack.frames);
            ("double-tags-at-access-port", what)
        });
        let notes = point.stacks.iter().flat_map(|stack| stack.notes.iter().map(move |note| (stack, note)));
        let special = notes.map(|(stack, note)| {
            let vlans = stack.vlans.unwrap_or_default();
            ("special-vlan", format!("{} frames in {vlans}: {note}", stack.frames))
        });
        doubles.chain(special).map(move |(kind, what)| Finding { kind, place: place.clone(), what })
    })
}

/// Hosts that a hosts file puts into another VLAN than they were seen in.
fn misplaced(layout: &Layout, hosts: &[Host]) -> Vec<Finding> {
    let wanted = hosts.iter().filter_map(|host| host.vlan.map(|vlan| (host, vlan)));
    let mut all = Vec::new();
    for (host, vlan) in wanted.filter(|(host, _)| host.range.prefix_len() == host.range.max_prefix_len()) {
        let home = layout.home(host.range.addr()).and_then(|home| layout.segments.get(home));
        let Some(home) = home.and_then(|home| home.vlan) else { continue };
        if !home.ids().eq([vlan]) {
            let name = host.name.clone().unwrap_or_else(|| host.range.addr().to_string());
            let what = format!("{name} ({}) is meant to be in VLAN {vlan}", host.range.addr());
            all.push(Finding { kind: "host-in-wrong-vlan", place: home.to_string(), what });
        }
    }
    all
}
