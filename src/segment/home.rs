//! Who lives on a link, and in which segment an address is at home.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    evidence::{Known, Link, is_link_local, usual_network},
    gateway::Gateway,
    subnet::{Lives, OnLink},
};
use crate::model::{How, Mac, Span};

/// An address that lives in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The address.
    pub address: IpAddr,
    /// The MACs behind it, each from its first to its last sight: one, unless two claim it.
    pub macs: BTreeMap<Mac, Span>,
    /// How that was learnt.
    pub hows: BTreeSet<How>,
}

impl Resident {
    /// Takes in what another point saw of it.
    pub(super) fn merge(&mut self, other: Self) {
        for (mac, span) in other.macs {
            self.macs.entry(mac).and_modify(|known| known.join(span)).or_insert(span);
        }
        self.hows.extend(other.hows);
    }
}

/// Addresses that are known to be on a link: those that a MAC claims, and those whose packets came as they were sent, from
/// a MAC that routes for nobody. Of a MAC that claims some of a family, others of it must be of their networks: a bridge that
/// translates addresses sends from such that live nowhere, and counts no hop. What is of the link alone, and what is of the
/// other family, says nothing of where the rest may live. Whom a router only answers for lives behind it.
pub(super) fn on_link(link: &Link, gateways: &BTreeMap<Mac, Gateway>) -> OnLink {
    let mut on_link = OnLink::new();
    for (mac, station) in &link.stations {
        let routes = gateways.contains_key(mac);
        let global = station.claimed().filter(|address| !is_link_local(*address));
        let networks: BTreeSet<IpNet> = global.map(usual_network).collect();
        let claims_of = |is_v4: bool| networks.iter().any(|network| network.addr().is_ipv4() == is_v4);
        let (claims_v4, claims_v6) = (claims_of(true), claims_of(false));
        let claims_some = |address: IpAddr| if address.is_ipv4() { claims_v4 } else { claims_v6 };
        let may_live = |address: IpAddr| !claims_some(address) || networks.contains(&usual_network(address));
        let is_proxy = station.is_proxy();
        let lives =
            |address: IpAddr, known: &Known| known.is_own(is_proxy) || !routes && known.is_fresh() && may_live(address);
        for (address, known) in station.addresses.iter().filter(|(address, known)| lives(**address, known)) {
            on_link.entry(*address).or_default().insert(*mac, Lives { hows: known.hows.clone(), span: known.span });
        }
    }
    on_link
}

/// The residents that are told by more than the link alone.
pub(super) fn residents(on_link: &OnLink) -> Vec<Resident> {
    let resident = |(address, macs): (&IpAddr, &BTreeMap<Mac, Lives>)| Resident {
        address: *address,
        macs: macs.iter().map(|(mac, lives)| (*mac, lives.span)).collect(),
        hows: macs.values().flat_map(|lives| &lives.hows).copied().collect(),
    };
    on_link.iter().filter(|(address, _)| !is_link_local(**address)).map(resident).collect()
}
