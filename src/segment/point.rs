//! Capture points: what was seen there, and whether it is a trunk or an access port.

use std::collections::BTreeSet;

use super::{
    evidence::{Known, Link, Place, Raw, Station},
    gateway::{self, Claims},
};
use crate::model::{How, Mac, VlanStack};

/// What a point is, as far as its frames tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// Several VLANs with their tags.
    Trunk,
    /// No tags, and one station takes part in all: a port of a switch, or the station's own interface.
    Access,
    /// No tags, and several stations talk with each other: a bridge, a mirrored VLAN, a wire between switches.
    Untagged,
    /// One VLAN with its tags.
    Tagged,
    /// All interfaces of a host (`-i any`), where tags may have been lost.
    Cooked,
    /// Frames without MAC addresses.
    Bare,
}

impl PointKind {
    /// As in the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Access => "access",
            Self::Untagged => "untagged",
            Self::Tagged => "tagged",
            Self::Cooked => "cooked",
            Self::Bare => "bare",
        }
    }
}

/// A VLAN stack as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The ids; none: no tag; `None`: tags may have been lost.
    pub vlans: Option<VlanStack>,
    /// Frames with it.
    pub frames: u64,
    /// What its ids mean where they are no ordinary VLANs: priority tag, default VLAN, reserved.
    pub notes: Vec<&'static str>,
}

/// One capture point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Where it is.
    pub place: Place,
    /// What it is.
    pub kind: PointKind,
    /// What tells.
    pub reason: String,
    /// The stacks that were seen, in the order of their numbers.
    pub stacks: Vec<Stack>,
    /// Facts that were not kept, for there were too many.
    pub left_out: u64,
}

impl Point {
    /// Whether it is a port whose frames are to carry no tags.
    #[must_use]
    pub fn has_no_tags(&self) -> bool {
        matches!(self.kind, PointKind::Access | PointKind::Untagged)
    }

    /// Whether it is all interfaces of a host, and nothing tells them apart (`LINKTYPE_LINUX_SLL`).
    #[must_use]
    pub fn mixes_interfaces(&self) -> bool {
        self.kind == PointKind::Cooked && self.place.interface.is_empty()
    }

    /// Stacks of several VLANs.
    pub fn double_tagged(&self) -> impl Iterator<Item = &Stack> {
        let is_double = |vlans: VlanStack| vlans.without_priority_tags().depth() > 1;
        self.stacks.iter().filter(move |stack| stack.vlans.is_some_and(is_double))
    }
}

/// Of the packets of an access port its station has nearly all: broadcasts of others come there too.
const STATION_SHARE: f64 = 0.9;

/// Double tags that are so small a share were not meant for this port.
pub(super) const STRAY_SHARE: f64 = 0.5;

pub(super) fn point(place: &Place, raw: &Raw, claims: &Claims) -> Point {
    let stack = |(vlans, frames): (&Option<VlanStack>, &u64)| Stack {
        vlans: *vlans,
        frames: *frames,
        notes: notes(vlans.unwrap_or_default()),
    };
    let stacks = raw.stacks.iter().map(stack).collect();
    let (kind, reason) = kind(raw, claims);
    Point { place: place.clone(), kind, reason, stacks, left_out: raw.left_out }
}

/// What ids mean that are no ordinary VLANs (IEEE 802.1Q, table 9-2).
fn notes(vlans: VlanStack) -> Vec<&'static str> {
    let known = [(0, "0 is a priority tag, no VLAN"), (1, "1 is the default VLAN"), (4_095, "4095 is reserved")];
    known.into_iter().filter(|(id, _)| vlans.ids().any(|it| it == *id)).map(|(_, note)| note).collect()
}

fn kind(raw: &Raw, claims: &Claims) -> (PointKind, String) {
    let frames = |are_bare: bool| -> u64 {
        let known = raw.links_by_frames();
        known.filter(|(vlans, _)| vlans.is_empty() == are_bare).map(|(_, frames)| frames).sum()
    };
    let tagged: BTreeSet<VlanStack> =
        raw.links_by_frames().map(|(vlans, _)| vlans).filter(|vlans| !vlans.is_empty()).collect();
    let (bare, with_tags) = (frames(true), frames(false));
    #[expect(clippy::cast_precision_loss, reason = "a share of frames")]
    let are_strays = with_tags as f64 <= STRAY_SHARE * bare as f64 && tagged.iter().all(|vlans| vlans.depth() > 1);
    if raw.media.contains(&How::Cooked) {
        return (PointKind::Cooked, "captured on all interfaces: tags may have been lost".to_owned());
    }
    if raw.media.iter().all(|medium| *medium == How::Bare) {
        return (PointKind::Bare, "no link layer was captured".to_owned());
    }
    match (tagged.len(), bare) {
        (0, _) => untagged(raw, claims),
        (_, 1..) if are_strays => untagged(raw, claims),
        (1, 0) => (PointKind::Tagged, "all frames carry the same tags".to_owned()),
        (1, untagged) => (PointKind::Trunk, format!("1 VLAN with tags, and {untagged} frames without")),
        (n, 0) => (PointKind::Trunk, format!("{n} VLANs with tags")),
        (n, untagged) => (PointKind::Trunk, format!("{n} VLANs with tags, and {untagged} frames without")),
    }
}

/// Whether a router joins hosts that all send here by themselves: packets for one of them go to the router, as where several VLANs
/// are mirrored without their tags. At its port in one VLAN they come from elsewhere.
fn joins_segments(link: &Link, router: Mac) -> bool {
    let through = link.stations.get(&router).into_iter().flat_map(|station| &station.addresses);
    let mut through =
        through.filter(|(_, known)| known.received > 0 || known.is_forwarded()).map(|(address, _)| address);
    let sends = |station: &Station, address| station.addresses.get(address).is_some_and(Known::is_fresh);
    through.any(|address| link.stations.iter().any(|(mac, station)| *mac != router && sends(station, address)))
}

/// Frames without tags: of one station, or of several.
fn untagged(raw: &Raw, claims: &Claims) -> (PointKind, String) {
    let Some(link) = raw.links.get(&Some(VlanStack::default())) else {
        return (PointKind::Untagged, "no tags".to_owned());
    };
    let sum = |station: &Station, count: fn(&Known) -> u64| -> u64 {
        let traffic = station.addresses.values().filter(|known| known.hows.contains(&How::Traffic));
        traffic.map(count).sum()
    };
    let received = |station: &Station| sum(station, |known| known.received);
    // packets to one station: broadcasts come everywhere
    let all: u64 = link.stations.values().map(received).sum();
    #[expect(clippy::cast_precision_loss, reason = "a share of packets")]
    let has_nearly_all = |(_, station): &(&Mac, &Station)| {
        let received = received(station);
        let own = received + sum(station, |known| known.packets).min(all - received);
        all > 0 && own as f64 >= STATION_SHARE * all as f64
    };
    let routers = gateway::find(link, claims);
    let ends: Vec<&Mac> = link.stations.iter().filter(has_nearly_all).map(|(mac, _)| mac).collect();
    // of a host and its router that both have all, the host
    let host = ends.iter().find(|mac| !routers.contains_key(mac));
    let router = || ends.iter().find(|mac| !joins_segments(link, ***mac));
    let Some(mac) = host.or_else(router) else {
        return (PointKind::Untagged, format!("no tags, {} stations", link.stations.len()));
    };
    let address = claims.iter().find(|(_, macs)| macs.contains(mac)).map(|(address, _)| format!(" ({address})"));
    let reason = format!("no tags, and {mac}{} takes part in nearly all", address.unwrap_or_default());
    (PointKind::Access, reason)
}
