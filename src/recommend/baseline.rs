//! What every namespace needs once it is closed, also where little of it was seen: names, the whole API server, webhooks.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Access, Dns, DnsClient, Peer, Purpose, Selector, Widened,
    access::Accesses,
    edge::{Far, Support},
    gather::Gathering,
    known::Known,
    lift::{FarKey, access, peer},
    resolvers::DnsDraft,
    units::UnitId,
};
use crate::model::{Cluster, Dependency, Duty, Protocol, WorkloadRef};

/// Whether this is name resolution: by the port that was dialled, for pods that may not bind low ones answer on another
/// (5353 on `OpenShift`).
pub(super) fn is_dns(dependency: &Dependency) -> bool {
    Duty::of_server(dependency) == Duty::NameServer
}

/// Pods that may ask for names: a group, or a unit alone.
pub(super) struct Asker {
    pub name: String,
    pub units: BTreeSet<UnitId>,
    pub selectors: Vec<Selector>,
}

/// Name resolution for a namespace. `all` are its askers; those get it of which a unit was seen asking, or dialled a
/// Service: who was not seen asking for its address knew it from before, and asks again after the next restart. Who
/// calls nobody needs no names.
pub(super) fn dns(draft: DnsDraft, all: &[Asker], gathering: &Gathering<'_>) -> Option<Dns> {
    let mut servers = Accesses::new();
    for ((far, port), support) in draft.servers {
        serve(&mut servers, far, port, support, gathering);
    }
    if servers.is_empty() {
        known_servers(&mut servers, gathering);
    }
    let needs = |asker: &&Asker| {
        asker.units.iter().any(|unit| draft.clients.contains(unit) || gathering.callers.contains(unit))
    };
    let clients: Vec<&Asker> = all.iter().filter(needs).collect();
    if clients.is_empty() || servers.is_empty() {
        return None;
    }
    let clients = if clients.len() == all.len() {
        vec![DnsClient { name: String::new(), members: members(&clients, gathering), selector: Selector::default() }]
    } else {
        together(&clients, gathering)
    };
    Some(Dns { clients, servers })
}

/// A server of names. An answer too long for a datagram is asked for again by TCP, at any time (RFC 7766).
fn serve(servers: &mut Accesses, far: Far, port: u16, support: Support, gathering: &Gathering<'_>) {
    let mut new = access(Protocol::UDP, port, support);
    new.ports.insert((Protocol::TCP, port.into()));
    servers.entry(peer(far.into(), None, gathering)).or_default().join(new);
}

/// The pods that the cluster's DNS Service selects, where none was seen to answer.
fn known_servers(servers: &mut Accesses, gathering: &Gathering<'_>) {
    for (far, target) in gathering.cluster_dns.iter().copied() {
        let support = Support { purposes: BTreeSet::from([Purpose::Dns]), ..Support::default() };
        serve(servers, far, target, support, gathering);
    }
}

fn members(askers: &[&Asker], gathering: &Gathering<'_>) -> Vec<WorkloadRef> {
    let units = askers.iter().flat_map(|asker| &asker.units);
    let members: BTreeSet<&WorkloadRef> = units.flat_map(|unit| gathering.members(*unit)).collect();
    members.into_iter().cloned().collect()
}

/// One selector for all where one label tells them all, else one for each.
fn together(askers: &[&Asker], gathering: &Gathering<'_>) -> Vec<DnsClient> {
    let single = |asker: &&Asker| {
        let [selector] = asker.selectors.as_slice() else { return None };
        let is_plain = selector.any_of.is_empty() && selector.absent.is_empty() && selector.equal.0.len() == 1;
        is_plain.then(|| selector.equal.0.iter().next().map(|(key, value)| (key.clone(), value.clone()))).flatten()
    };
    let pairs: Option<Vec<_>> = askers.iter().map(single).collect();
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, value) in pairs.into_iter().flatten() {
        values.entry(key).or_default().insert(value);
    }
    if values.len() == 1 && askers.len() > 1 {
        let selector = Selector { any_of: values, ..Selector::default() };
        return vec![DnsClient { name: String::new(), members: members(askers, gathering), selector }];
    }
    let mut clients = Vec::new();
    for asker in askers {
        for (n, selector) in asker.selectors.iter().enumerate() {
            let name = if n == 0 { asker.name.clone() } else { format!("{}-{}", asker.name, n + 1) };
            clients.push(DnsClient { name, members: members(&[asker], gathering), selector: selector.clone() });
        }
    }
    clients
}

/// Whether an address is a node's.
fn host(cluster: &Cluster, address: std::net::IpAddr) -> Peer {
    let is_node = cluster.nodes.iter().any(|node| node.addresses.contains(&address));
    if is_node { Peer::NodeAddress(address) } else { Peer::Addresses(address.into()) }
}

/// Who asks one API server must be let reach all of them: which one answers is not the client's choice.
pub(super) fn whole_api_server(egress: &mut Accesses, known: &Known<'_>, cluster: &Cluster) {
    if !egress.values().any(|access| access.purposes.contains(&Purpose::ApiServer)) {
        return;
    }
    for (address, port) in &known.api_servers {
        let access = egress.entry(host(cluster, *address)).or_default();
        if access.ports.insert((Protocol::TCP, (*port).into())) {
            access.purposes.insert(Purpose::ApiServer);
            access.widened.insert(Widened::Unseen);
        }
    }
}

/// The API server asks webhooks when objects change, which may be seldom: the rule is there before the first time.
pub(super) fn webhooks(ingress: &mut Accesses, unit: UnitId, known: &Known<'_>, cluster: &Cluster) {
    for (port, purpose) in known.webhooks.get(&unit).into_iter().flatten() {
        for (address, _) in &known.api_servers {
            let access: &mut Access = ingress.entry(host(cluster, *address)).or_default();
            access.purposes.insert(purpose.clone());
            if access.ports.insert((Protocol::TCP, (*port).into())) {
                access.widened.insert(Widened::Unseen);
            }
        }
    }
}

impl From<Far> for FarKey {
    fn from(far: Far) -> Self {
        match far {
            Far::Unit(unit) => Self::Unit(unit),
            other => Self::Other(other),
        }
    }
}
