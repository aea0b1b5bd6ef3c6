//! Who routes: one MAC that speaks for many networks.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::evidence::{Known, Link, Raw, Station, is_link_local, usual_network};
use crate::model::Mac;

/// A MAC that routes for its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// The MAC.
    pub mac: Mac,
    /// Its own addresses in this segment.
    pub addresses: BTreeSet<IpAddr>,
    /// Networks that it advertises as this segment's.
    pub prefixes: BTreeSet<IpNet>,
    /// Whether it advertises itself by IPv6, with prefixes or without.
    pub advertises: bool,
    /// Addresses of other networks that packets through it came from or went to.
    pub speaks_for: usize,
    /// Whether it speaks for more than are counted.
    pub has_more: bool,
    /// What told.
    pub reasons: Vec<String>,
}

impl Gateway {
    /// Takes in what another point saw of it.
    pub(super) fn merge(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
        self.prefixes.extend(other.prefixes);
        self.advertises |= other.advertises;
        self.speaks_for = self.speaks_for.max(other.speaks_for);
        self.has_more |= other.has_more;
        for reason in other.reasons {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
    }
}

/// A MAC that sends from this many addresses that it never claimed is no host with a few of its own.
const MANY_ADDRESSES: usize = 4;
/// A MAC that sends from this many networks in which it claims nothing is no host with a few of its own.
const MANY_NETWORKS: usize = 3;
/// So many addresses that are known to live elsewhere cannot be a mistake.
const SEVERAL_ELSEWHERE: usize = 2;

/// Who claims which address at any point, in whichever VLAN.
pub(super) type Claims = BTreeMap<IpAddr, BTreeSet<Mac>>;

pub(super) fn claims<'a>(points: impl Iterator<Item = &'a Raw>) -> Claims {
    let mut claims = Claims::new();
    for (mac, station) in points.flat_map(|raw| raw.links.values()).flat_map(|link| &link.stations) {
        for address in station.claimed() {
            claims.entry(address).or_default().insert(*mac);
        }
    }
    claims
}

/// The routers of a link, each with what tells it.
pub(super) fn find(link: &Link, claims: &Claims) -> BTreeMap<Mac, Gateway> {
    let gateway = |(mac, station): (&Mac, &Station)| {
        let through = through(*mac, station, claims);
        let reasons = through.reasons(station, link);
        let gateway = Gateway {
            mac: *mac,
            addresses: station.claimed().collect(),
            prefixes: station.prefixes.clone(),
            advertises: station.advertises,
            speaks_for: through.all.len(),
            has_more: station.has_more,
            reasons,
        };
        (!gateway.reasons.is_empty()).then_some((*mac, gateway))
    };
    link.stations.iter().filter_map(gateway).collect()
}

/// Addresses of others that packets through a MAC came from or went to.
struct Through {
    all: BTreeSet<IpAddr>,
    /// Those whose hop limit says that they were forwarded.
    forwarded: usize,
    /// Those that another MAC claims.
    elsewhere: usize,
    /// Those it sent from, in networks where it claims nothing; and these networks.
    sent_from: usize,
    networks: BTreeSet<IpNet>,
    /// Those it was sent, in networks where it claims nothing.
    sent_to: usize,
}

fn through(mac: Mac, station: &Station, claims: &Claims) -> Through {
    let own: BTreeSet<IpNet> = station.claimed().map(usual_network).collect();
    let is_proxy = station.is_proxy();
    let is_other = |(address, known): &(&IpAddr, &Known)| !known.is_own(is_proxy) && !is_link_local(**address);
    let others: Vec<(IpAddr, &Known)> =
        station.addresses.iter().filter(is_other).map(|(address, known)| (*address, known)).collect();
    let is_elsewhere =
        |address: IpAddr| claims.get(&address).is_some_and(|macs| macs.iter().any(|other| *other != mac));
    let is_strange = |address: IpAddr| !own.contains(&usual_network(address));
    // the privacy addresses of one host are many, but in one network
    let counts = |address: IpAddr| address.is_ipv4() && is_strange(address);
    let came_from = Known::has_sent;
    let counted = |wanted: &dyn Fn(IpAddr, &Known) -> bool| others.iter().filter(|(a, k)| wanted(*a, k)).count();
    Through {
        forwarded: counted(&|_, known| known.is_forwarded()),
        elsewhere: counted(&|address, _| is_elsewhere(address)),
        sent_from: counted(&|address, known| came_from(known) && counts(address)),
        sent_to: counted(&|address, known| !came_from(known) && counts(address)),
        networks: others.iter().map(|(a, _)| *a).filter(|a| is_strange(*a)).map(usual_network).collect(),
        all: others.into_iter().map(|(address, _)| address).collect(),
    }
}

impl Through {
    fn reasons(&self, station: &Station, link: &Link) -> Vec<String> {
        let of = |count: usize| if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") };
        let is_named = station.claimed().any(|address| link.named_routers.contains(&address));
        let has_many = station.has_more
            || self.sent_from >= MANY_ADDRESSES
            || self.sent_to >= MANY_ADDRESSES
            || self.networks.len() >= MANY_NETWORKS;
        let more = if station.has_more { "more than " } else { "" };
        let reasons = [
            station.advertises.then(|| "sends router advertisements".to_owned()),
            is_named.then(|| "named by DHCP".to_owned()),
            (self.forwarded > 0).then(|| format!("forwards packets of {}, by their hop limits", of(self.forwarded))),
            (self.elsewhere >= SEVERAL_ELSEWHERE)
                .then(|| format!("is the way to {} that live elsewhere", of(self.elsewhere))),
            has_many.then(|| format!("speaks for {more}{} that it never claims", of(self.all.len()))),
        ];
        reasons.into_iter().flatten().collect()
    }
}
