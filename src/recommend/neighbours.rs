//! Who is known to be at addresses beside those that a rule names: a prefix must not let him in as if nobody were there.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::model::{Cluster, Dependency, HostName, Mark, Outcome, Party, PartyKind};

/// Addresses outside of which something is known.
pub(super) struct Neighbours {
    /// Who was seen, with the names by which clients knew him each time.
    seen: BTreeMap<IpAddr, Vec<HostName>>,
    /// Who is listed in the inventory by a single address.
    listed: BTreeSet<IpAddr>,
    /// Who is listed by a range.
    ranges: Vec<IpNet>,
}

impl Neighbours {
    pub fn new(cluster: &Cluster) -> Self {
        let (single, ranges): (Vec<IpNet>, Vec<IpNet>) =
            cluster.hosts.iter().map(|host| host.range).partition(|range| range.prefix_len() == range.max_prefix_len());
        let exposed = cluster.services.iter().flat_map(|service| service.external_ips.iter().copied());
        let endpoints = cluster.endpoints.iter().map(|endpoint| endpoint.address);
        let listed = single.into_iter().map(|range| range.addr()).chain(exposed).chain(endpoints).collect();
        Self { seen: BTreeMap::new(), listed, ranges }
    }

    /// Takes in who took part in a dependency.
    pub fn note(&mut self, dependency: &Dependency) {
        let Dependency { client, server, via, sources, outcome, marks, .. } = dependency;
        self.note_party(client);
        // a sweep goes to addresses at which nobody is, too
        let is_in_vain = matches!(outcome, Outcome::Unanswered | Outcome::Oneway);
        if !(is_in_vain && marks.contains(&Mark::Scan)) {
            self.note_party(server);
        }
        // the inventory knows what leads to its Services
        let dialled = via.iter().filter(|via| via.service.is_none()).map(|via| via.address);
        for address in dialled.chain(sources.iter().copied()) {
            self.note_address(address, &[]);
        }
    }

    fn note_party(&mut self, party: &Party) {
        // no prefix reaches into the pods' ranges
        if matches!(party.kind, PartyKind::Workload | PartyKind::Multicast) {
            return;
        }
        for address in &party.addresses {
            let names = party.names.iter().filter(|name| name.address == *address && name.source.is_of_clients());
            let names: Vec<&HostName> = names.map(|name| &name.name).collect();
            self.note_address(*address, &names);
        }
    }

    fn note_address(&mut self, address: IpAddr, names: &[&HostName]) {
        match self.seen.entry(address) {
            Entry::Occupied(mut known) => known.get_mut().retain(|name| names.contains(&name)),
            Entry::Vacant(free) => drop(free.insert(names.iter().map(|name| (*name).clone()).collect())),
        }
    }

    /// Whether a prefix holds somebody who is neither of these addresses nor was known by their name whenever he was seen.
    pub fn has_others(&self, prefix: IpNet, own: &BTreeSet<IpAddr>, name: &HostName) -> bool {
        let within = |range: IpNet| range.network()..=range.broadcast();
        let is_called_so = |address: &IpAddr| self.seen.get(address).is_some_and(|names| names.contains(name));
        let seen = self.seen.range(within(prefix)).map(|(address, _)| address);
        let mut known = seen.chain(self.listed.range(within(prefix)));
        let is_others = |range: &IpNet| prefix.contains(range) && own.range(within(*range)).next().is_none();
        known.any(|address| !own.contains(address) && !is_called_so(address)) || self.ranges.iter().any(is_others)
    }
}
