//! Sightings laid out by link and station: what is known before anything is inferred.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use ipnet::IpNet;

use crate::model::{Hops, How, LinkSighting, Mac, Span, VlanStack};

/// A capture point: one interface as one sensor saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Where it was taken: a host, or what was said at the import.
    pub sensor: String,
    /// The file, or the interface.
    pub source: String,
    /// The interface within the file; empty for the first or only one.
    pub interface: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sensor, source, interface } = self;
        let is_said = sensor == source || source.split('.').next() == Some(sensor);
        match (is_said, interface.is_empty()) {
            (true, true) => write!(f, "{source}"),
            (true, false) => write!(f, "{source}, {interface}"),
            (false, true) => write!(f, "{sensor}: {source}"),
            (false, false) => write!(f, "{sensor}: {source}, {interface}"),
        }
    }
}

/// What is known of one address at one MAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// How it was learnt.
    pub hows: BTreeSet<How>,
    /// The hop limits of its packets.
    pub hops: Hops,
    /// First and last sight.
    pub span: Span,
    /// Packets that it sent, or said so; of each connection the first count.
    pub packets: u64,
    /// Packets that it was sent.
    pub received: u64,
}

/// Hop limits that systems begin with.
const INITIAL_HOP_LIMITS: [u8; 4] = [32, 64, 128, 255];

/// No path is longer: a hop limit this little below an initial one was counted down on the way.
const LONGEST_PATH: u8 = 30;

impl Known {
    /// Whether the MAC itself says that the address is its own, by ARP, neighbour discovery, or a packet that no router
    /// would have forwarded.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        [How::Arp, How::Nd, How::Link].iter().any(|how| self.hows.contains(how))
    }

    /// Whether nobody claims it but by packets that stay on the link: from a virtual MAC, those say which router speaks, not
    /// whose address it is.
    fn is_lent(&self) -> bool {
        self.hows.contains(&How::Link) && !self.hows.contains(&How::Arp) && !self.hows.contains(&How::Nd)
    }

    /// Whether it is claimed, but not by a packet that stays on the link, and its packets were forwarded.
    fn may_be_behind(&self) -> bool {
        self.is_claimed() && !self.hows.contains(&How::Link) && self.is_forwarded()
    }

    /// Whether it is the MAC's own, which answers for others where it `is_proxy`.
    pub(super) fn is_own(&self, is_proxy: bool) -> bool {
        self.is_claimed() && !(is_proxy && self.may_be_behind())
    }

    /// Whether packets came from it.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.hows.contains(&How::Traffic) && !self.hops.is_none()
    }

    /// Whether its packets came as they were sent: no router had them before.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.has_sent() && INITIAL_HOP_LIMITS.contains(&self.hops.high)
    }

    /// Whether its packets were forwarded by a router: never fresh, and a path below an initial hop limit. Neither where
    /// the limit is one that no path explains.
    #[must_use]
    pub fn is_forwarded(&self) -> bool {
        let is_below = |initial: &u8| (1..=LONGEST_PATH).contains(&initial.saturating_sub(self.hops.high));
        self.has_sent() && !self.is_fresh() && INITIAL_HOP_LIMITS[1..].iter().any(is_below)
    }
}

/// A MAC that claims so many addresses whose packets it forwards answers for them.
const SEVERAL_BEHIND: usize = 2;

/// What is known of one MAC on one link.
#[derive(Default)]
pub(super) struct Station {
    /// Addresses that it claims, sends from or is sent to.
    pub addresses: BTreeMap<IpAddr, Known>,
    /// Whom it asked for.
    pub asked: BTreeSet<IpAddr>,
    /// What it wrote to as broadcast addresses.
    pub broadcasts: BTreeSet<IpAddr>,
    /// Whether it advertises itself as a router.
    pub advertises: bool,
    /// Networks that it calls on-link.
    pub prefixes: BTreeSet<IpNet>,
    /// Whether it has more addresses than are listed.
    pub has_more: bool,
}

/// One VLAN at one point.
#[derive(Default)]
pub(super) struct Link {
    pub stations: BTreeMap<Mac, Station>,
    /// Networks that routers and servers told.
    pub told: BTreeMap<IpNet, BTreeSet<How>>,
    /// Routers that DHCP named.
    pub named_routers: BTreeSet<IpAddr>,
}

/// One point, before anything is inferred.
#[derive(Default)]
pub(super) struct Raw {
    /// Links by VLAN stack without priority tags; `None` where tags may have been lost.
    pub links: BTreeMap<Option<VlanStack>, Link>,
    /// Frames by stack as it was on the wire.
    pub stacks: BTreeMap<Option<VlanStack>, u64>,
    /// Kinds of frames that came.
    pub media: BTreeSet<How>,
    /// Packets that told of what no room was left for.
    pub left_out: u64,
}

/// Lays sightings out, whatever their order; those of several runs at one point are a union.
pub(super) fn lay_out(sightings: impl IntoIterator<Item = (Place, LinkSighting)>) -> BTreeMap<Place, Raw> {
    let mut merged = BTreeMap::new();
    for (place, sighting) in sightings {
        let key = (place, sighting.key.clone());
        merged.entry(key).and_modify(|known: &mut LinkSighting| known.merge(&sighting)).or_insert(sighting);
    }
    let mut points: BTreeMap<Place, Raw> = BTreeMap::new();
    for ((place, _), sighting) in merged {
        points.entry(place).or_default().take(sighting);
    }
    points
}

impl Link {
    /// Takes in what another point saw of it.
    pub fn merge(&mut self, other: Self) {
        for (mac, station) in other.stations {
            let known = self.stations.entry(mac).or_default();
            for (address, news) in station.addresses {
                known.learn(address, news);
            }
            known.asked.extend(station.asked);
            known.broadcasts.extend(station.broadcasts);
            known.advertises |= station.advertises;
            known.prefixes.extend(station.prefixes);
            known.has_more |= station.has_more;
        }
        for (network, hows) in other.told {
            self.told.entry(network).or_default().extend(hows);
        }
        self.named_routers.extend(other.named_routers);
    }

    /// Gives routers their own addresses back. A virtual router advertises itself from its virtual MAC, but with the address
    /// of the router that it is at the time: where a station has that address, it is not the virtual MAC's.
    pub fn give_back(&mut self) {
        let mut lent: BTreeSet<IpAddr> = BTreeSet::new();
        for (_, station) in self.stations.iter().filter(|(mac, _)| mac.is_virtual_router()) {
            let known = station.addresses.iter().filter(|(_, known)| known.is_lent());
            lent.extend(known.map(|(address, _)| *address));
        }
        if lent.is_empty() {
            return;
        }
        let mut given_back: BTreeSet<IpAddr> = BTreeSet::new();
        for (_, station) in self.stations.iter_mut().filter(|(mac, _)| !mac.is_virtual_router()) {
            for (address, known) in station.addresses.iter_mut().filter(|(address, _)| lent.contains(address)) {
                if known.is_claimed() || known.is_fresh() {
                    known.hows.insert(How::Link);
                    given_back.insert(*address);
                }
            }
        }
        for (_, station) in self.stations.iter_mut().filter(|(mac, _)| mac.is_virtual_router()) {
            station.addresses.retain(|address, known| !known.is_lent() || !given_back.contains(address));
        }
    }
}

impl Raw {
    /// Frames by stack without priority tags, of those whose tags are known.
    pub fn links_by_frames(&self) -> impl Iterator<Item = (VlanStack, u64)> {
        self.stacks.iter().filter_map(|(vlans, frames)| Some((vlans.as_ref()?.without_priority_tags(), *frames)))
    }

    fn take(&mut self, sighting: LinkSighting) {
        let LinkSighting { key, span, packets, received, hops } = sighting;
        let vlan = key.vlans.map(VlanStack::without_priority_tags);
        match key.how {
            How::LeftOut => self.left_out += packets,
            How::Frame | How::Cooked | How::Bare => {
                self.media.insert(key.how);
                *self.stacks.entry(key.vlans).or_default() += packets;
                self.links.entry(vlan).or_default();
            }
            how => {
                let link = self.links.entry(vlan).or_default();
                let station = link.stations.entry(key.mac).or_default();
                let network = || key.address.and_then(|address| IpNet::new(address, key.prefix).ok());
                match (how, key.address) {
                    (How::More, _) => station.has_more = true,
                    (How::Router, _) => station.advertises = true,
                    (How::Asked, Some(address)) => _ = station.asked.insert(address),
                    (How::Broadcast, Some(address)) => _ = station.broadcasts.insert(address),
                    (How::DhcpRouter, Some(address)) => _ = link.named_routers.insert(address),
                    (How::Ra | How::Dhcp, _) => {
                        let Some(network) = network().map(|network| network.trunc()) else { return };
                        link.told.entry(network).or_default().insert(how);
                        if how == How::Ra {
                            station.prefixes.insert(network);
                        }
                    }
                    (how, Some(address)) => {
                        station.learn(address, Known { hows: [how].into(), hops, span, packets, received });
                    }
                    (_, None) => {}
                }
            }
        }
    }
}

impl Station {
    fn learn(&mut self, address: IpAddr, news: Known) {
        let Some(known) = self.addresses.get_mut(&address) else {
            self.addresses.insert(address, news);
            return;
        };
        known.hows.extend(news.hows);
        known.hops.join(news.hops);
        known.span.join(news.span);
        known.packets = known.packets.max(news.packets);
        known.received = known.received.max(news.received);
    }

    /// Addresses that it calls its own, without those that it answers for.
    pub fn claimed(&self) -> impl Iterator<Item = IpAddr> {
        let is_proxy = self.is_proxy();
        let own = self.addresses.iter().filter(move |(_, known)| known.is_own(is_proxy));
        own.map(|(address, _)| *address)
    }

    /// Whether it answers for hosts behind it (RFC 1027): it claims several addresses whose packets it only forwards. One alone
    /// may be its own, with a hop limit that no other system begins with.
    pub fn is_proxy(&self) -> bool {
        self.addresses.values().filter(|known| known.may_be_behind()).nth(SEVERAL_BEHIND - 1).is_some()
    }
}

/// Whether an address is of its link alone, and so says nothing of a subnet (RFC 3927, RFC 4291).
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The network of usual size that an address is in: /24, and /64.
#[must_use]
pub fn usual_network(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 24 } else { 64 };
    IpNet::new(address, length).map_or(IpNet::from(address), |network| network.trunc())
}
