//! Who asks whom for names: what a namespace has in common, what one workload does by itself, and what the servers of
//! names must let in.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Purpose, baseline,
    edge::{Edge, Far, Side, Support},
    gather::Gathering,
    units::UnitId,
    usage::{Use, use_of},
};
use crate::{
    inventory::{is_cloud_metadata, is_link_local},
    model::{Dependency, PartyKind, Protocol},
};

/// Datagrams, and what is too long for one (RFC 7766): who may ask by one may ask by the other.
const PROTOCOLS: [Protocol; 2] = [Protocol::UDP, Protocol::TCP];

/// Name resolution of one namespace.
#[derive(Default)]
pub(super) struct DnsDraft {
    /// Who was seen asking.
    pub clients: BTreeSet<UnitId>,
    /// Who was seen to answer of those whom everybody asks: the cluster's, and the caches of its nodes.
    pub servers: BTreeMap<(Far, u16), Support>,
    /// Other servers, by who asks them: what one workload is told to ask is nothing that the others need.
    others: BTreeMap<(UnitId, Far, u16), Support>,
}

/// Whether an address of a server of names is that of the cache of its client's node.
fn is_of_node(address: IpAddr) -> bool {
    is_link_local(address) && !is_cloud_metadata(address)
}

impl Gathering<'_> {
    /// Takes in that a pod, of whatever namespace, asks the cache of its node for names.
    pub(super) fn note_cache(&mut self, dependency: &Dependency) {
        let is_asked = dependency.client.kind == PartyKind::Workload
            && baseline::is_dns(dependency)
            && matches!(use_of(dependency), Use::Rule | Use::OwnNode);
        let addresses = dependency.server.addresses.iter().filter(|address| is_asked && is_of_node(**address));
        self.caches.extend(addresses.map(|address| (Far::Address(*address), dependency.port)));
    }

    /// Takes in that a unit asks servers of names.
    pub(super) fn add_asker(&mut self, unit: UnitId, servers: Vec<(Far, u16)>, dependency: &Dependency) {
        let Some(namespace) = self.units.all.get(unit).map(|unit| unit.namespace.clone()) else { return };
        let dns = self.dns.entry(namespace).or_default();
        for (far, port) in servers {
            let (purpose, is_everybodys) = match far {
                Far::Address(address) if is_of_node(address) => (Purpose::NodeLocalDns, true),
                _ => (Purpose::Dns, self.cluster_dns.contains(&(far, port))),
            };
            if is_everybodys {
                dns.clients.insert(unit);
                dns.servers.entry((far, port)).or_default().add(dependency, Some(&purpose));
            } else {
                dns.others.entry((unit, far, port)).or_default().add(dependency, Some(&purpose));
            }
        }
    }

    /// Whether a dependency is that of a pod with the cluster's DNS, which every pod needs.
    pub(super) fn answers_everybody(&self, unit: UnitId, dependency: &Dependency) -> bool {
        dependency.client.kind == PartyKind::Workload
            && baseline::is_dns(dependency)
            && self.cluster_dns.contains(&(Far::Unit(unit), dependency.port))
    }

    /// Decides whose servers the others are, and lets in whoever may ask.
    pub(super) fn settle_names(&mut self) {
        self.share_caches();
        for (namespace, mut draft) in std::mem::take(&mut self.dns) {
            let is_beside = !self.cluster_dns.is_empty() || !draft.servers.is_empty();
            for ((unit, far, port), support) in std::mem::take(&mut draft.others) {
                if is_beside {
                    self.ask_by_itself(unit, far, port, &support);
                } else {
                    // nobody else answers here
                    draft.clients.insert(unit);
                    draft.servers.entry((far, port)).or_default().join(support);
                }
            }
            self.let_askers_in(&namespace, &draft);
            self.dns.insert(namespace, draft);
        }
        self.let_everybody_ask();
    }

    /// The kubelets tell all pods of a cluster to ask the cache of their node where they tell one: who was not seen asking
    /// there asks there too. Its upstream is asked where there is no cache yet, or no longer.
    fn share_caches(&mut self) {
        let caches = std::mem::take(&mut self.caches);
        if caches.is_empty() {
            return;
        }
        let namespaces: BTreeSet<String> = self.units.all.iter().map(|unit| unit.namespace.clone()).collect();
        for namespace in namespaces {
            let draft = self.dns.entry(namespace).or_default();
            for (end, purpose) in caches.iter().map(|end| (end, Purpose::NodeLocalDns)) {
                draft.servers.entry(*end).or_default().add_unseen(Some(&purpose));
            }
            for end in &self.cluster_dns {
                draft.servers.entry(*end).or_default().add_unseen(Some(&Purpose::Dns));
            }
        }
    }

    fn ask_by_itself(&mut self, unit: UnitId, far: Far, port: u16, support: &Support) {
        for protocol in PROTOCOLS {
            let evidence = support.evidence.iter().filter(|it| it.protocol == protocol).cloned();
            let of_protocol =
                Support { evidence: evidence.collect(), purposes: support.purposes.clone(), ..Support::default() };
            let edges = if of_protocol.evidence.is_empty() { &mut self.unseen } else { &mut self.edges };
            edges.entry(Edge { unit, side: Side::Egress, far, protocol, port }).or_default().join(of_protocol);
        }
        if let Far::Unit(server) = far {
            self.let_ask(server, port, Far::Unit(unit));
        }
    }

    /// The pods that answer the names of a namespace let in all who may ask there.
    fn let_askers_in(&mut self, namespace: &str, draft: &DnsDraft) {
        let is_here = |unit: &UnitId| self.units.all.get(*unit).is_some_and(|unit| unit.namespace == namespace);
        let callers = self.callers.iter().filter(|unit| is_here(unit));
        let askers: BTreeSet<UnitId> = draft.clients.iter().chain(callers).copied().collect();
        let others = draft.servers.keys().filter(|end| !self.cluster_dns.contains(end));
        let others: Vec<(Far, u16)> = others.copied().collect();
        for (server, port) in others {
            let Far::Unit(server) = server else { continue };
            for client in &askers {
                self.let_ask(server, port, Far::Unit(*client));
            }
        }
    }

    /// Lets somebody ask a server of names by both protocols.
    fn let_ask(&mut self, unit: UnitId, port: u16, far: Far) {
        if !self.is_wanted(unit) {
            return;
        }
        for protocol in PROTOCOLS {
            let edge = Edge { unit, side: Side::Ingress, far, protocol, port };
            let purposes = BTreeSet::from([Purpose::Dns]);
            self.unseen.entry(edge).or_default().join(Support { purposes, ..Support::default() });
        }
    }

    /// The cluster's DNS lets every pod ask, by datagrams and by TCP; and all nodes where one was seen to ask, for on
    /// each of them there may be a cache.
    fn let_everybody_ask(&mut self) {
        for (far, port) in self.cluster_dns.clone() {
            let Far::Unit(unit) = far else { continue };
            self.let_ask(unit, port, Far::EveryPod);
            let seen =
                self.edges.keys().filter(|edge| (edge.unit, edge.side, edge.port) == (unit, Side::Ingress, port));
            let seen = seen.filter(|edge| PROTOCOLS.contains(&edge.protocol));
            let nodes = seen.filter_map(|edge| if let Far::Node(address) = edge.far { Some(address) } else { None });
            let all: BTreeSet<IpAddr> = nodes.flat_map(|address| self.known.ends_like(address)).collect();
            for address in all {
                self.let_ask(unit, port, Far::Node(address));
            }
        }
    }
}
