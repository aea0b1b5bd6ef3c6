//! The captures of a site: what each saw, and of whom it could see all.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::super::world::Site;
use crate::{
    firewall::{Capture, Dispute, Host},
    model::{Dependency, How, LinkSighting, Mac, Mark, ObservationKey, Protocol, VlanStack},
    segment::{Layout, Place, Segment, usual_network},
    store::{Run, RunId},
};
use foldhash::{HashMap, HashSet};

/// The captures and flow logs of a site. What was dropped on the way tells nothing of who watched, and is none.
pub(super) fn captures(
    site: &Site,
    runs: &[Run],
    hosts: &[Host],
    dependencies: &[Dependency],
    disputed: &BTreeMap<IpAddr, Dispute>,
) -> Vec<Capture> {
    let watched: BTreeMap<RunId, &Run> =
        runs.iter().filter(|run| run.site == site.name && !run.is_drops()).map(|run| (run.id, run)).collect();
    let talk = Talk::of(dependencies);
    let mut captures: BTreeMap<RunId, (Links, Capture)> = BTreeMap::new();
    site.each_seen(|run, key| {
        let Some(run) = watched.get(&run) else { return };
        let (links, capture) = captures.entry(run.id).or_insert_with(|| capture(site, run, hosts));
        if [key.src, key.dst].iter().any(|address| is_anothers(disputed.get(address), key)) {
            return;
        }
        links.note(key, &mut capture.routed);
        let ends = if talk.is_use(key) { &mut capture.ends } else { &mut capture.attempts };
        ends.push((key.src, key.dst));
    });
    captures.into_values().map(|(_, capture)| capture).collect()
}

/// Whether what was seen is not of the host that has the address by the hosts file: it tells nothing of what that one does.
fn is_anothers(dispute: Option<&Dispute>, key: &ObservationKey) -> bool {
    let settled = dispute.filter(|dispute| matches!(dispute, Dispute::Settled { .. }));
    settled.is_some_and(|settled| settled.may_be_anothers(key.vlan_stacks().flat_map(VlanStack::ids)))
}

/// A capture before anything of it is known but where it was taken.
fn capture(site: &Site, run: &Run, hosts: &[Host]) -> (Links, Capture) {
    let is_its = |(place, _): &&(Place, LinkSighting)| (&place.sensor, &place.source) == (&run.sensor, &run.source);
    let links = || Links::of(Layout::of(site.links.iter().filter(is_its).cloned()));
    let links = if run.is_records() { Links::default() } else { links() };
    let sensor = hosts.iter().find(|host| host.name == run.sensor);
    let capture = Capture {
        stations: (!run.is_records()).then(|| links.stations()),
        sensor: sensor.map(|host| host.addresses.clone()).unwrap_or_default(),
        ..Capture::default()
    };
    (links, capture)
}

/// Who talks with whom: of sweeps, and of attempts that got nothing, nobody knows whether they would ever be in use.
struct Talk {
    pairs: HashSet<(IpAddr, IpAddr)>,
    idle: HashSet<(IpAddr, IpAddr, Protocol, u16)>,
}

impl Talk {
    fn of(dependencies: &[Dependency]) -> Self {
        let mut talk = Self { pairs: HashSet::default(), idle: HashSet::default() };
        for dependency in dependencies {
            let Dependency { client, server, via, sources, protocol, port, .. } = dependency;
            let is_use = dependency.outcome.is_needed() && !dependency.marks.contains(&Mark::Scan);
            let dialled = via.iter().map(|via| (via.address, via.port));
            let servers: BTreeSet<(IpAddr, u16)> =
                server.addresses.iter().map(|address| (*address, *port)).chain(dialled).collect();
            for client in client.addresses.union(sources) {
                for (server, port) in &servers {
                    if is_use {
                        talk.pairs.extend([(*client, *server), (*server, *client)]);
                    } else {
                        talk.idle.insert((*client, *server, *protocol, *port));
                    }
                }
            }
        }
        talk
    }

    fn is_use(&self, key: &ObservationKey) -> bool {
        let ObservationKey { src, dst, protocol, dst_port, .. } = key;
        self.pairs.contains(&(*src, *dst)) && !self.idle.contains(&(*src, *dst, *protocol, *dst_port))
    }
}

/// A station's address in one segment of a capture.
struct Home {
    segment: usize,
    mac: Mac,
    /// Whether packets came from this MAC or went to it; else it is known by what it told of itself alone.
    has_traffic: bool,
}

/// The links that a capture watched.
#[derive(Default)]
struct Links {
    segments: Vec<Segment>,
    homes: HashMap<IpAddr, Vec<Home>>,
}

impl Links {
    fn of(layout: Layout) -> Self {
        let mut links = Self { segments: layout.segments, homes: HashMap::default() };
        for (segment, resident) in
            links.segments.iter().enumerate().flat_map(|(n, it)| it.residents.iter().map(move |it| (n, it)))
        {
            // whose address two stations claim is nobody's
            if let (1, Some(mac)) = (resident.macs.len(), resident.macs.keys().next()) {
                let home = Home { segment, mac: *mac, has_traffic: resident.hows.contains(&How::Traffic) };
                links.homes.entry(resident.address).or_default().push(home);
            }
        }
        links
    }

    /// The MAC of each address that is one station's, in whichever segments.
    fn stations(&self) -> BTreeMap<IpAddr, Mac> {
        let of_one = self.homes.iter().filter_map(|(address, homes)| {
            let first = homes.first()?.mac;
            homes.iter().all(|home| home.mac == first).then_some((*address, first))
        });
        of_one.collect()
    }

    /// Notes whose frames were on the way to a router, or from it: those of an end that lives in a segment in which the packets
    /// were seen, and the other end does not.
    fn note(&self, key: &ObservationKey, routed: &mut BTreeSet<Mac>) {
        for (end, peer) in [(key.src, key.dst), (key.dst, key.src)] {
            for home in self.homes.get(&end).into_iter().flatten().filter(|home| home.has_traffic) {
                let Some(segment) = self.segments.get(home.segment) else { continue };
                let is_new = !routed.contains(&home.mac);
                if is_new && was_in(segment, key) && self.is_beyond(home.segment, end, peer) {
                    routed.insert(home.mac);
                }
            }
        }
    }

    /// Whether packets between an address of a segment and another must pass a router.
    fn is_beyond(&self, segment: usize, address: IpAddr, peer: IpAddr) -> bool {
        let of_peer = || self.homes.get(&peer).into_iter().flatten();
        let holds = |it: &Segment| it.subnets.iter().any(|subnet| subnet.prefix.contains(&peer));
        if of_peer().any(|home| home.segment == segment) || self.segments.get(segment).is_none_or(holds) {
            return false;
        }
        // a subnet that was inferred from few hosts may be wider than it looks
        of_peer().next().is_some() || usual_network(address) != usual_network(peer)
    }
}

/// Whether packets with these tags may have been on a segment: where no tag tells it, any.
fn was_in(segment: &Segment, key: &ObservationKey) -> bool {
    segment.vlan.is_none_or(|vlan| key.vlan_stacks().any(|stack| stack.without_priority_tags() == vlan))
}
