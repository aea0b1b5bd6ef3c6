//! What every namespace with closed egress needs: name resolution.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, Dns, Group, Peer, Selector, peers::Peers};
use crate::model::{Dependency, Protocol, Service};

/// Ports on which cluster DNS answers: 53, and 5353 where its pods may not bind low ports (`OpenShift`).
const DNS_PORTS: [u16; 2] = [53, 5353];

/// Where the cluster's DNS Service is: everywhere but on `OpenShift` the first.
const DNS_NAMESPACES: [&str; 2] = ["kube-system", "openshift-dns"];

/// Whether this is name resolution.
pub(super) fn is_dns(dependency: &Dependency) -> bool {
    let is_dialled = dependency.via.iter().any(|via| via.port == 53);
    matches!(dependency.protocol, Protocol::UDP | Protocol::TCP)
        && (dependency.port == 53 || is_dialled && DNS_PORTS.contains(&dependency.port))
}

/// Name resolution while it is gathered.
#[derive(Default)]
pub(super) struct DnsDraft {
    clients: BTreeSet<String>,
    servers: BTreeMap<Peer, Access>,
}

impl DnsDraft {
    pub(super) fn add(&mut self, group: &str, servers: Vec<(Peer, u16)>, dependency: &Dependency) {
        self.clients.insert(group.to_owned());
        for (peer, port) in servers {
            let access = self.servers.entry(peer).or_default();
            access.add(dependency, port);
            // an answer too long for a datagram is asked for again by TCP, at any time (RFC 7766)
            access.ports.extend([(Protocol::UDP, port), (Protocol::TCP, port)]);
        }
    }

    /// Besides those seen asking, `older` get names: they were met with connections to a Service that were opened before
    /// the captures began, and will have to ask again. Who was seen opening without asking does not need to.
    pub(super) fn finish(mut self, groups: &[Group], older: BTreeSet<String>, peers: &Peers<'_>) -> Option<Dns> {
        self.clients.extend(older);
        if self.servers.is_empty() {
            self.servers = known_servers(peers);
        }
        if self.clients.is_empty() || self.servers.is_empty() {
            return None;
        }
        let clients: Vec<&Group> = groups.iter().filter(|group| self.clients.contains(&group.name)).collect();
        let clients =
            if clients.len() == groups.len() { vec![(String::new(), Selector::default())] } else { together(&clients) };
        Some(Dns { clients, servers: self.servers })
    }
}

/// The pods that the cluster's DNS Service selects, where none was seen to answer.
fn known_servers(peers: &Peers<'_>) -> BTreeMap<Peer, Access> {
    let mut servers: BTreeMap<Peer, Access> = BTreeMap::new();
    let is_system = |service: &&Service| DNS_NAMESPACES.contains(&service.namespace.as_str());
    for service in peers.input.cluster.services.iter().filter(is_system) {
        for port in service.ports.iter().filter(|port| port.port == 53) {
            for (peer, target) in peers.targets(service, port) {
                servers.entry(peer).or_default().ports.extend([(Protocol::UDP, target), (Protocol::TCP, target)]);
            }
        }
    }
    servers
}

/// One selector for all where one label tells them all, else one for each.
fn together(groups: &[&Group]) -> Vec<(String, Selector)> {
    let single = |group: &&Group| {
        let selector = &group.selector;
        let is_plain = selector.any_of.is_empty() && selector.absent.is_empty() && selector.equal.0.len() == 1;
        is_plain.then(|| selector.equal.0.iter().next().map(|(key, value)| (key.clone(), value.clone()))).flatten()
    };
    let pairs: Option<Vec<_>> = groups.iter().map(single).collect();
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, value) in pairs.into_iter().flatten() {
        values.entry(key).or_default().insert(value);
    }
    let names = |groups: &[&Group]| groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>();
    match values.len() {
        1 if groups.len() > 1 => vec![(String::new(), Selector { any_of: values, ..Selector::default() })],
        _ => names(groups).into_iter().zip(groups.iter().map(|group| group.selector.clone())).collect(),
    }
}
