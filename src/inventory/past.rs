//! Items with the times they were seen at, as owners with their claims.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use foldhash::HashMap;

use super::{
    claims::{History, Start, Version},
    items::{Item, Items, Meta, State},
    sights::Sights,
    tenure::Claim,
    timeline::{AddressClaim, Class},
};
use crate::model::{Endpoint, Node, Pod, Service, Timestamp, WorkloadRef};

/// A Service while it was as it is written.
#[derive(Clone, Debug)]
pub(super) struct PastService {
    pub service: Service,
    /// When it can have been so, in nanoseconds since 1970.
    pub from: i64,
    pub to: i64,
    /// Whether it is the last version of it that is known.
    pub is_last: bool,
}

/// An address behind a Service while it was.
#[derive(Clone, Debug)]
pub(super) struct PastEndpoint {
    pub endpoint: Endpoint,
    pub from: i64,
    pub to: i64,
}

/// Everybody who ever had an address, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    pub pods: Vec<Pod>,
    /// For every pod a number that pods of one workload share.
    pub parties: Vec<u32>,
    pub nodes: Vec<Node>,
    /// The place of the node that stands for the cache of names on every one: nobody listed it.
    pub cache: Option<u32>,
    /// Each as it was last known: under its name there may have been another before.
    pub services: Vec<Service>,
    /// Their versions.
    pub service_versions: Vec<PastService>,
    pub endpoints: Vec<PastEndpoint>,
}

impl Past {
    /// Whether two owners of a class are one party: pods of one workload, Services of one name. An address outside may
    /// be shared by any Services, each with ports of its own.
    pub fn is_same(&self, class: Class, a: u32, b: u32) -> bool {
        let (first, second) = (a as usize, b as usize);
        let name = |place: usize| self.services.get(place).map(|it| (&it.namespace, &it.name));
        match class {
            Class::Pod => self.parties.get(first) == self.parties.get(second),
            Class::Node => a == b,
            Class::Service => name(first) == name(second),
            Class::Exposed => true,
        }
    }

    /// What an owner is called: `Pod shop/web-1`.
    pub fn name(&self, class: Class, owner: u32) -> String {
        let place = owner as usize;
        let name = match class {
            Class::Pod => self.pods.get(place).map(|pod| format!("Pod {}/{}", pod.namespace, pod.name)),
            Class::Node => self.nodes.get(place).map(|node| format!("Node {}", node.name)),
            Class::Service | Class::Exposed => {
                let named = |it: &Service| format!("Service {}/{}", it.namespace, it.name);
                self.services.get(place).map(named)
            }
        };
        name.unwrap_or_default()
    }
}

/// What there was, and who claims which address.
pub(super) fn past(items: &Items, sights: &Sights) -> (Past, Vec<AddressClaim>) {
    let mut made: HashMap<&WorkloadRef, Vec<Timestamp>> = HashMap::default();
    for meta in &items.metas {
        made.entry(&meta.id).or_default().extend(meta.created);
    }
    for times in made.values_mut() {
        times.sort_unstable();
    }
    let mut builder = Builder { items, sights, made, past: Past::default(), claims: Vec::new() };
    builder.pods();
    builder.nodes();
    builder.services();
    builder.endpoints();
    (builder.past, builder.claims)
}

struct Builder<'a> {
    items: &'a Items,
    sights: &'a Sights,
    /// When objects of one name were made, in order.
    made: HashMap<&'a WorkloadRef, Vec<Timestamp>>,
    past: Past,
    claims: Vec<AddressClaim>,
}

impl<'a> Builder<'a> {
    fn meta(&self, object: usize) -> &'a Meta {
        self.items.metas.get(object).unwrap_or(&NO_META)
    }

    fn version<K, T>(&self, item: &Item<T>, holds: Vec<K>) -> Version<'a, K> {
        let is_partial = self.meta(item.object).created.is_none();
        let Meta { state, networked, .. } = self.meta(item.object);
        let from = networked.map_or(i64::MIN, |time| time.0);
        Version { holds, state: *state, from, sights: self.sights.of(item.object), is_partial }
    }

    /// Items by their object, in order: versions of one object together.
    fn groups<T>(&self, items: &'a [Item<T>]) -> Vec<Vec<&'a Item<T>>> {
        let mut groups: BTreeMap<(&WorkloadRef, &str), Vec<&Item<T>>> = BTreeMap::new();
        for item in items {
            let meta = self.meta(item.object);
            groups.entry((&meta.id, &meta.uid)).or_default().push(item);
        }
        groups.into_values().collect()
    }

    /// When another object of the name of these was made next, where each has its identity told.
    fn replaced<T>(&self, group: &[&Item<T>]) -> Option<Timestamp> {
        let first = self.meta(group.first()?.object);
        let (created, made) = (first.created?, self.made.get(&first.id)?);
        made.get(made.partition_point(|other| *other <= created)).copied()
    }

    /// The last version of an object; of several the one that says more, so that their order does not matter.
    fn last<T: Ord>(&self, group: &[&'a Item<T>], is_full: impl Fn(&T) -> bool) -> Option<&'a T> {
        let seen = |item: &Item<T>| self.sights.of(item.object).iter().map(|sight| sight.to).max();
        group.iter().max_by_key(|item| (is_full(&item.value), seen(item), &item.value)).map(|item| &item.value)
    }

    fn claim(&mut self, class: Class, id: &WorkloadRef, history: &History<IpAddr>) {
        let sights = self.sights;
        let claims = history.claims(|moment| sights.missed_after(&id.kind, &id.namespace, moment));
        self.claims.extend(claims.into_iter().map(|(address, claim)| AddressClaim { address, class, claim }));
    }

    fn pods(&mut self) {
        let mut parties: HashMap<&WorkloadRef, u32> = HashMap::default();
        for group in self.groups(&self.items.pods) {
            let Some(pod) = self.last(&group, |pod| !pod.addresses.is_empty()) else { continue };
            let Some(first) = group.first().map(|item| self.meta(item.object)) else { continue };
            let owner = place(self.past.pods.len());
            if !pod.host_network {
                let versions = group
                    .iter()
                    .map(|item| Version { is_partial: false, ..self.version(item, item.value.addresses.clone()) });
                let started = group.iter().filter_map(|item| self.meta(item.object).started);
                // a pod that waits tells when it was made, one that runs when it was started: that is later, and truer
                let start = started.max().map_or(Start::FirstSight, Start::At);
                let replaced = self.replaced(&group);
                let history = History { owner, start, replaced, versions: versions.collect() };
                self.claim(Class::Pod, &first.id, &history);
            }
            let count = place(parties.len());
            self.past.parties.push(*parties.entry(&pod.workload).or_insert(count));
            self.past.pods.push(pod.clone());
        }
    }

    fn nodes(&mut self) {
        let mut groups: BTreeMap<&str, Vec<&Item<Node>>> = BTreeMap::new();
        for item in &self.items.nodes {
            groups.entry(&item.value.name).or_default().push(item);
        }
        for (name, group) in groups {
            let is_told_by_pod = |item: &&Item<Node>| self.meta(item.object).id.kind == "Pod";
            let versions = group.iter().map(|item| {
                let is_partial = is_told_by_pod(item);
                // the beginning and the end of a pod are not its node's; one that was made anew has what it has since then
                let made = self.meta(item.object).created.filter(|_| !is_partial);
                let (state, from) = (State::Here, made.map_or(i64::MIN, |time| time.0));
                Version { state, from, is_partial, ..self.version(item, item.value.addresses.clone()) }
            });
            let versions = versions.collect();
            // the start of a pod is not its node's: one that pods alone tell of was always there
            let own = group.iter().filter(|item| !is_told_by_pod(item)).map(|item| self.meta(item.object).started);
            let own: Option<Vec<Timestamp>> = own.collect();
            let start = own.and_then(|started| started.into_iter().min()).map_or(Start::Always, Start::At);
            let id = WorkloadRef { kind: "Node".into(), name: name.to_owned(), ..WorkloadRef::default() };
            let history = History { owner: place(self.past.nodes.len()), start, replaced: None, versions };
            self.claim(Class::Node, &id, &history);
            let mut node = Node { name: name.to_owned(), ..Node::default() };
            for item in group {
                node.addresses.extend(&item.value.addresses);
                node.pod_ranges.extend(&item.value.pod_ranges);
            }
            node.addresses = super::field::sorted(node.addresses);
            node.pod_ranges = super::field::sorted(node.pod_ranges);
            self.past.nodes.push(node);
        }
        self.node_local_dns();
    }

    /// The address of the DNS cache that every node has for its own pods, where there are pods: link-local, and yet no
    /// stranger's.
    fn node_local_dns(&mut self) {
        if self.items.pods.is_empty() {
            return;
        }
        let owner = place(self.past.nodes.len());
        let (start, end) = (i64::MIN, i64::MAX);
        let claim = Claim { start, first_sight: start, last_sight: end, end, over_by: end, owner };
        self.past.cache = Some(owner);
        self.claims.push(AddressClaim { address: NODE_LOCAL_DNS_ADDRESS, class: Class::Node, claim });
        let addresses = vec![NODE_LOCAL_DNS_ADDRESS];
        self.past.nodes.push(Node { name: NODE_LOCAL_DNS.into(), addresses, ..Node::default() });
    }

    fn services(&mut self) {
        for group in self.groups(&self.items.services) {
            let Some(service) = self.last(&group, |service| !service.cluster_ips.is_empty()) else { continue };
            let Some(first) = group.first().map(|item| self.meta(item.object)) else { continue };
            let owner = place(self.past.services.len());
            let start = first.started.map_or(Start::Always, Start::At);
            let replaced = self.replaced(&group);
            for (class, addresses) in [
                (Class::Service, (|service| &service.cluster_ips) as fn(&Service) -> &Vec<IpAddr>),
                (Class::Exposed, |service| &service.external_ips),
            ] {
                let versions = group.iter().map(|item| self.version(item, addresses(&item.value).clone())).collect();
                self.claim(class, &first.id, &History { owner, start, replaced, versions });
            }
            let versions = group.iter().map(|item| {
                let is_partial = false;
                Version { is_partial, ..self.version(item, vec![&item.value]) }
            });
            let sights = self.sights;
            let missed = |moment| sights.missed_after(&first.id.kind, &first.id.namespace, moment);
            let lived = History { owner, start, replaced, versions: versions.collect() }.claims(missed);
            let past = |(it, claim): (&Service, Claim)| PastService {
                service: it.clone(),
                from: claim.start,
                to: claim.end.min(claim.over_by),
                is_last: it == service,
            };
            self.past.service_versions.extend(lived.into_iter().map(past));
            self.past.services.push(service.clone());
        }
    }

    fn endpoints(&mut self) {
        let mut groups: BTreeMap<&WorkloadRef, Vec<&Item<Vec<Endpoint>>>> = BTreeMap::new();
        for item in &self.items.endpoints {
            groups.entry(&self.meta(item.object).id).or_default().push(item);
        }
        for (id, group) in groups {
            let versions = group
                .iter()
                .map(|item| Version { is_partial: false, ..self.version(item, item.value.iter().collect()) });
            let history = History { owner: 0, start: Start::Always, replaced: None, versions: versions.collect() };
            let claims = history.claims(|moment| self.sights.missed_after(&id.kind, &id.namespace, moment));
            self.past.endpoints.extend(claims.into_iter().map(|(endpoint, claim): (&Endpoint, _)| PastEndpoint {
                endpoint: endpoint.clone(),
                from: claim.start,
                to: claim.end,
            }));
        }
        self.past.endpoints.sort_by(|a, b| (&a.endpoint, a.from, a.to).cmp(&(&b.endpoint, b.from, b.to)));
    }
}

/// What the cache of names is called that every node has for its own pods.
pub const NODE_LOCAL_DNS: &str = "node-local-dns";

/// Where `NodeLocal DNSCache` listens on every node unless it is told otherwise.
const NODE_LOCAL_DNS_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10));

/// Stands in for a place that does not exist.
static NO_META: Meta = Meta {
    id: WorkloadRef { namespace: String::new(), name: String::new(), kind: String::new() },
    uid: String::new(),
    created: None,
    started: None,
    networked: None,
    state: State::Here,
};

/// Places fit in 32 bits: more objects than that fit in no memory.
fn place(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
