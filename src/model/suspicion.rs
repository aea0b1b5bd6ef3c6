//! Who counts as outside and may be of the cluster all the same, because an inventory does not list all of it.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{Dependency, PartyKind, Protocol, is_private, well_known};

/// As whom of the cluster somebody outside may come out. A rule for an address lets no pod through, and opens no Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspicion {
    /// A pod: others have addresses right beside it.
    Pod,
    /// A pod of those that are not listed: it is of the range that others have their addresses from, as far as that is guessed.
    UnlistedPod,
    /// A Service of those that are not listed.
    UnlistedService,
    /// The cluster's DNS, of which nothing is listed.
    UnlistedNames,
}

impl Suspicion {
    /// Why an address may be somebody else.
    #[must_use]
    pub fn why(self, address: IpAddr) -> String {
        match self {
            Self::Pod => {
                format!("pods have addresses beside {address}: it may be one that the inventory does not know")
            }
            Self::UnlistedPod => {
                format!("the inventory lists neither all pods nor their ranges: {address} may be a pod")
            }
            Self::UnlistedService => format!("the inventory does not list all Services: {address} may be one"),
            Self::UnlistedNames => {
                format!("the cluster's DNS is not in the inventory: {address} may be its Service")
            }
        }
    }
}

/// What somebody does in a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Duty {
    /// He opens connections.
    Client,
    /// He answers them.
    Server,
    /// He is asked for names.
    NameServer,
}

impl Duty {
    /// That of a server, by the port that was dialled: pods that may not bind low ones answer on another (5353 on `OpenShift`).
    #[must_use]
    pub fn of_server(dependency: &Dependency) -> Self {
        let has_datagrams = matches!(dependency.protocol, Protocol::UDP | Protocol::TCP);
        let is_dialled = || dependency.via.iter().any(|via| via.port == well_known::DNS);
        let is_asked = has_datagrams && (dependency.port == well_known::DNS || is_dialled());
        if is_asked { Self::NameServer } else { Self::Server }
    }
}

/// Where somebody outside may be of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Suspects {
    /// The ranges that pods have their addresses from: those that nodes list, and what lies right beside known pods.
    pub pods: Vec<IpNet>,
    /// Where pods may have theirs that are not listed.
    pub unlisted_pods: Vec<IpNet>,
    /// Where Services may have theirs that are not listed.
    pub unlisted_services: Vec<IpNet>,
    /// Whether the cluster's DNS is not listed.
    pub has_no_names: bool,
    /// Those behind Services, which are none themselves.
    pub endpoints: BTreeSet<IpAddr>,
}

impl Suspects {
    /// As whom an address that counts as outside may come out.
    #[must_use]
    pub fn at(&self, address: IpAddr, duty: Duty) -> Option<Suspicion> {
        let is_in = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address));
        let is_unlisted = duty != Duty::Client && !self.endpoints.contains(&address);
        if is_in(&self.pods) {
            Some(Suspicion::Pod)
        } else if is_unlisted && duty == Duty::NameServer && self.has_no_names && is_private(address) {
            Some(Suspicion::UnlistedNames)
        } else if is_unlisted && is_in(&self.unlisted_services) {
            Some(Suspicion::UnlistedService)
        } else {
            is_in(&self.unlisted_pods).then_some(Suspicion::UnlistedPod)
        }
    }

    /// All of a dependency that count as outside and may be of the cluster.
    pub fn of<'d>(&'d self, dependency: &'d Dependency) -> impl Iterator<Item = (Suspicion, IpAddr)> + 'd {
        let ends = [(&dependency.client, Duty::Client), (&dependency.server, Duty::of_server(dependency))];
        let outside = ends.into_iter().filter(|(party, _)| party.kind == PartyKind::External);
        let addresses = outside.flat_map(|(party, duty)| party.addresses.iter().map(move |address| (*address, duty)));
        addresses.filter_map(|(address, duty)| Some((self.at(address, duty)?, address)))
    }
}
