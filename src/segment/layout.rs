//! The segments of a site, from what was learnt of its links at all points.
//!
//! Where frames carry tags, a VLAN stack is a segment, at whatever points it was seen. Where they carry none, or may have
//! lost them, a subnet is: it is the segment of a tagged VLAN that has the same subnet, if there is one.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    domain::{Domains, Groups},
    evidence::{Link, Place, Raw, is_link_local, lay_out},
    gateway::{self, Claims, Gateway},
    home::{Resident, on_link, residents},
    point::{Point, PointKind, point},
    subnet::{self, OnLink, Subnet},
};
use crate::model::{LinkSighting, Mac, VlanStack};

/// A VLAN, or a subnet whose VLAN is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The VLAN, in those around it; `None` where no tag told it.
    pub vlan: Option<VlanStack>,
    /// Its subnets, in order.
    pub subnets: Vec<Subnet>,
    /// Who routes for it.
    pub gateways: Vec<Gateway>,
    /// Who lives there.
    pub residents: Vec<Resident>,
    /// The points that saw it, by their places in the layout.
    pub points: Vec<usize>,
}

impl Segment {
    /// What it is called: its VLAN, else its first subnet.
    #[must_use]
    pub fn name(&self) -> String {
        let subnet = || self.subnets.first().map_or_else(|| "no subnet known".to_owned(), |it| it.prefix.to_string());
        self.vlan.map_or_else(subnet, |vlan| vlan.to_string())
    }

    /// Whether nothing is known of it.
    fn is_empty(&self) -> bool {
        self.subnets.is_empty() && self.gateways.is_empty() && self.residents.is_empty()
    }

    /// The length of its narrowest subnet around an address.
    fn holds(&self, address: IpAddr) -> Option<u8> {
        let around = self.subnets.iter().filter(|subnet| subnet.prefix.contains(&address));
        around.map(|subnet| subnet.prefix.prefix_len()).max()
    }
}

/// The points and segments of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Where was captured, in order.
    pub points: Vec<Point>,
    /// The segments: those with a VLAN first, then by subnet.
    pub segments: Vec<Segment>,
    homes: BTreeMap<IpAddr, Vec<usize>>,
    /// Which MACs are of one broadcast domain.
    pub(super) domains: Domains,
}

/// What is known of one link before subnets are inferred.
struct Opened {
    link: Link,
    gateways: BTreeMap<Mac, Gateway>,
    on_link: OnLink,
    points: Vec<usize>,
}

impl Layout {
    /// Infers the layout. Neither the order of sightings nor how captures were split into runs of one point matters.
    #[must_use]
    pub fn of(sightings: impl IntoIterator<Item = (Place, LinkSighting)>) -> Self {
        let raw = lay_out(sightings);
        let claims = gateway::claims(raw.values());
        let points: Vec<Point> = raw.iter().map(|(place, raw)| point(place, raw, &claims)).collect();
        let domains = Domains::of(&raw, &points);
        let (tagged, untagged) = links(raw, &points);
        let tagged: BTreeMap<VlanStack, Opened> =
            tagged.into_iter().map(|(vlan, (link, points))| (vlan, open(link, points, &claims))).collect();
        let untagged: Vec<Opened> = untagged.into_iter().map(|(link, n)| open(link, vec![n], &claims)).collect();
        let mut segments: Vec<Segment> = Vec::new();
        let living = in_order(tagged.values().flat_map(|opened| opened.on_link.keys().copied()));
        for (vlan, opened) in &tagged {
            segments.push(Segment { vlan: Some(*vlan), ..segment(opened, &living) });
        }
        for opened in &untagged {
            let whole = segment(opened, &[]);
            let is_one = opened.points.iter().all(|n| is_one_vlan(points.get(*n)));
            let parts = if is_one { vec![whole] } else { by_hosts(&whole) };
            parts.into_iter().filter(|part| !part.is_empty()).for_each(|part| add(&mut segments, part));
        }
        segments.sort_by_cached_key(|it| (it.vlan.is_none(), it.vlan, it.name()));
        let homes = homes(&segments);
        Self { points, segments, homes, domains }
    }

    /// The segment that an address is at home in, by its place; `None` where none or several come into question.
    #[must_use]
    pub fn home(&self, address: IpAddr) -> Option<usize> {
        let only = |places: &[usize]| match places {
            [place] => Some(*place),
            _ => None,
        };
        if let Some(places) = self.homes.get(&address) {
            return only(places);
        }
        let around = |(n, it): (usize, &Segment)| it.holds(address).map(|length| (length, n));
        let around: Vec<(u8, usize)> = self.segments.iter().enumerate().filter_map(around).collect();
        let narrowest = around.iter().map(|(length, _)| *length).max()?;
        let places: Vec<usize> = around.iter().filter(|(length, _)| *length == narrowest).map(|(_, n)| *n).collect();
        only(&places)
    }
}

/// Links by VLAN stack with the points that saw them, and those without one, each with its point.
type Links = (BTreeMap<VlanStack, (Link, Vec<usize>)>, Vec<(Link, usize)>);

fn links(raw: BTreeMap<Place, Raw>, points: &[Point]) -> Links {
    let mut tagged: BTreeMap<VlanStack, (Link, Vec<usize>)> = BTreeMap::new();
    let mut untagged = Vec::new();
    for (n, raw) in raw.into_values().enumerate() {
        for (vlan, link) in raw.links {
            match vlan.filter(|stack| !stack.is_empty()) {
                // stray frames at a port that has no tags tell nothing of who lives in their VLAN
                Some(_) if points.get(n).is_some_and(Point::has_no_tags) => {}
                Some(stack) => {
                    let (whole, points) = tagged.entry(stack).or_default();
                    whole.merge(link);
                    points.push(n);
                }
                None => untagged.push((link, n)),
            }
        }
    }
    (tagged, untagged)
}

/// Whether all frames of a point that carry no tag are of one VLAN.
fn is_one_vlan(point: Option<&Point>) -> bool {
    point.is_some_and(|point| matches!(point.kind, PointKind::Access | PointKind::Trunk))
}

fn open(mut link: Link, points: Vec<usize>, claims: &Claims) -> Opened {
    link.give_back();
    let gateways = gateway::find(&link, claims);
    let on_link = on_link(&link, &gateways);
    Opened { link, gateways, on_link, points }
}

/// Addresses behind the routers of a link.
fn behind(opened: &Opened) -> Vec<IpAddr> {
    let routers = opened.link.stations.iter().filter(|(mac, _)| opened.gateways.contains_key(mac));
    let forwarded = routers.flat_map(|(_, station)| &station.addresses).filter(|(_, known)| known.is_forwarded());
    in_order(forwarded.map(|(address, _)| *address))
}

fn in_order(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = addresses.collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The segment of a link; `living` are the addresses that live on any link with tags, in order.
fn segment(opened: &Opened, living: &[IpAddr]) -> Segment {
    let behind = behind(opened);
    let holds_other = |addresses: &[IpAddr], network: &IpNet| {
        let from = addresses.partition_point(|address| *address < network.network());
        let mut inside = addresses.iter().skip(from).take_while(|address| network.contains(*address));
        inside.any(|address| !opened.on_link.contains_key(address))
    };
    let is_foreign = |network: &IpNet| holds_other(&behind, network) || holds_other(living, network);
    Segment {
        vlan: None,
        subnets: subnet::infer(&opened.link, &opened.on_link, &is_foreign),
        gateways: opened.gateways.values().cloned().collect(),
        residents: residents(&opened.on_link),
        points: opened.points.clone(),
    }
}

/// The segments of a link without tags, which may hold several VLANs: subnets that share a host are of one.
fn by_hosts(whole: &Segment) -> Vec<Segment> {
    let routers: BTreeSet<Mac> = whole.gateways.iter().map(|gateway| gateway.mac).collect();
    let mut groups = Groups::new(whole.subnets.len());
    let around = |address: IpAddr| {
        let before = whole.subnets.partition_point(|it| it.prefix.network() <= address).checked_sub(1)?;
        whole.subnets.get(before).filter(|it| it.prefix.contains(&address)).map(|_| before)
    };
    let mut first_of: BTreeMap<Mac, usize> = BTreeMap::new();
    for resident in &whole.residents {
        let Some(subnet) = around(resident.address) else { continue };
        // virtual routers of several networks may have one number, and so one MAC
        for mac in resident.macs.keys().filter(|mac| !routers.contains(mac) && !mac.is_virtual_router()) {
            groups.join(subnet, *first_of.entry(*mac).or_insert(subnet));
        }
    }
    let mut parts: BTreeMap<usize, Segment> = BTreeMap::new();
    let empty = || Segment { points: whole.points.clone(), ..Segment::default() };
    for (n, subnet) in whole.subnets.iter().enumerate() {
        parts.entry(groups.of(n)).or_insert_with(empty).subnets.push(subnet.clone());
    }
    for resident in &whole.residents {
        if let Some(part) = around(resident.address).and_then(|n| parts.get_mut(&groups.of(n))) {
            part.residents.push(resident.clone());
        }
    }
    for gateway in &whole.gateways {
        let prefixes = gateway.prefixes.iter().map(IpNet::network);
        let told = gateway.addresses.iter().copied().filter(|address| !is_link_local(*address)).chain(prefixes);
        let told: Vec<IpAddr> = told.collect();
        let of: BTreeSet<usize> = told.iter().filter_map(|it| around(*it)).map(|n| groups.of(n)).collect();
        for (n, part) in &mut parts {
            // a router that advertises no more than itself routes IPv6 for whom nobody can tell
            let has_v6 = || part.subnets.iter().any(|subnet| subnet.prefix.addr().is_ipv6());
            let may_be_here = || gateway.addresses.is_empty() || gateway.advertises && has_v6();
            if of.contains(n) || told.is_empty() && may_be_here() {
                part.gateways.push(gateway.clone());
            }
        }
    }
    parts.into_values().collect()
}

/// Adds a segment without tags: to the one that has its subnet, if that is one alone.
fn add(segments: &mut Vec<Segment>, part: Segment) {
    let is_same = |it: &Segment| it.subnets.iter().any(|a| part.subnets.iter().any(|b| overlap(a.prefix, b.prefix)));
    let mut same = segments.iter_mut().filter(|it| is_same(it));
    match (same.next(), same.next()) {
        (Some(known), None) => known.take(part),
        _ => segments.push(part),
    }
}

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

impl Segment {
    /// Takes in what another point saw of it.
    fn take(&mut self, other: Self) {
        for subnet in other.subnets {
            let known = self.subnets.iter_mut().find(|it| overlap(it.prefix, subnet.prefix));
            let Some(known) = known else {
                self.subnets.push(subnet);
                continue;
            };
            known.by.extend(subnet.by);
            // where no tag tells more, the wider of two guesses holds both
            if self.vlan.is_none() && subnet.prefix.contains(&known.prefix) {
                known.prefix = subnet.prefix;
            }
        }
        self.subnets.sort();
        for gateway in other.gateways {
            match self.gateways.iter_mut().find(|it| it.mac == gateway.mac) {
                Some(known) => known.merge(gateway),
                None => self.gateways.push(gateway),
            }
        }
        for resident in other.residents {
            match self.residents.iter_mut().find(|it| it.address == resident.address) {
                Some(known) => known.merge(resident),
                None => self.residents.push(resident),
            }
        }
        self.gateways.sort_by_key(|it| it.mac);
        self.residents.sort_by_key(|it| it.address);
        self.points.extend(other.points);
        self.points.sort_unstable();
        self.points.dedup();
    }
}

fn homes(segments: &[Segment]) -> BTreeMap<IpAddr, Vec<usize>> {
    let mut homes: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (n, segment) in segments.iter().enumerate() {
        for resident in &segment.residents {
            homes.entry(resident.address).or_default().push(n);
        }
    }
    homes
}
