//! The ends that names, addresses and parties stand for, in the cluster as it was last seen: policies speak of tomorrow.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::{HashMap, HashSet};

use super::{End, PodEnd};
use crate::model::{Cluster, Host, Node, Party, PartyKind, Pod, WorkloadRef};

/// A pod or a template by its place in the inventory, or an address: what an end is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// A pod.
    Pod(usize),
    /// The pods that a workload's template will make.
    Template(usize),
    /// An address of nobody that policies could tell by more.
    Address(IpAddr),
}

/// Every pod and workload of a cluster, ready to be judged.
#[derive(Clone, Debug)]
pub struct Roster<'c> {
    cluster: &'c Cluster,
    nodes: HashMap<&'c str, &'c Node>,
    pods: BTreeMap<(&'c str, &'c str), usize>,
    by_address: HashMap<IpAddr, usize>,
    workloads: BTreeMap<&'c WorkloadRef, Members>,
    by_name: BTreeMap<(&'c str, &'c str), Vec<&'c WorkloadRef>>,
    node_addresses: HashSet<IpAddr>,
}

/// The pods of a workload, and what makes them, by place.
#[derive(Clone, Debug, Default)]
struct Members {
    pods: Vec<usize>,
    template: Option<usize>,
}

impl<'c> Roster<'c> {
    /// Arranges the pods that have not ended, and the workloads with or without pods.
    #[must_use]
    pub fn new(cluster: &'c Cluster) -> Self {
        let of_nodes = cluster.nodes.iter().flat_map(|node| &node.addresses).map(IpAddr::to_canonical);
        let mut roster = Self {
            cluster,
            nodes: cluster.nodes.iter().map(|node| (node.name.as_str(), node)).collect(),
            pods: BTreeMap::new(),
            by_address: HashMap::default(),
            workloads: BTreeMap::new(),
            by_name: BTreeMap::new(),
            node_addresses: of_nodes.collect(),
        };
        for (n, pod) in cluster.pods.iter().enumerate().filter(|(_, pod)| !pod.finished) {
            roster.pods.insert((&pod.namespace, &pod.name), n);
            roster.workloads.entry(&pod.workload).or_default().pods.push(n);
            if !pod.host_network {
                roster.by_address.extend(pod.addresses.iter().map(|address| (address.to_canonical(), n)));
            }
        }
        for (n, workload) in cluster.workloads.iter().enumerate() {
            roster.workloads.entry(&workload.id).or_default().template = Some(n);
        }
        for id in roster.workloads.keys() {
            roster.by_name.entry((&id.namespace, &id.name)).or_default().push(id);
        }
        roster
    }

    /// All workloads, in order.
    pub fn workloads(&self) -> impl Iterator<Item = &'c WorkloadRef> {
        self.workloads.keys().copied()
    }

    /// The pods of a workload; without pods the one that its template would make.
    #[must_use]
    pub fn members(&self, id: &WorkloadRef) -> Vec<Who> {
        let Some(members) = self.workloads.get(id) else { return Vec::new() };
        match members.template {
            Some(template) if members.pods.is_empty() => vec![Who::Template(template)],
            _ => members.pods.iter().copied().map(Who::Pod).collect(),
        }
    }

    /// Whether an address is a node's.
    #[must_use]
    pub fn is_node(&self, address: IpAddr) -> bool {
        self.node_addresses.contains(&address.to_canonical())
    }

    /// The names of workloads that may have been meant: those that hold what was written or are held by it, in any
    /// namespace; else all of the namespace.
    #[must_use]
    pub fn like(&self, name: &str) -> Vec<String> {
        let (namespace, last) = name.split_once('/').unwrap_or(("", name));
        let is_like = |known: &str| !last.is_empty() && (known.contains(last) || last.contains(known));
        let (alike, others): (Vec<_>, Vec<_>) = self.by_name.keys().partition(|(_, known)| is_like(known));
        let of_namespace = others.into_iter().filter(|(of, _)| *of == namespace);
        let meant = if alike.is_empty() { of_namespace.collect() } else { alike };
        meant.into_iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect()
    }

    /// The ends of `namespace/pod`, `namespace/workload`, an address, or the name of a node or of a host; none where
    /// nobody is called so. An address that is a pod's is that pod.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Vec<End>> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Some(vec![self.at(address)]);
        }
        let ends: Vec<End> = match name.split_once('/') {
            Some(key) => match self.pods.get(&key) {
                Some(n) => vec![End::Pod(self.pod(&self.cluster.pods[*n]))],
                None => self.called(key).into_iter().map(|who| self.end(who)).collect(),
            },
            None => self.host_addresses(name).into_iter().map(End::Address).collect(),
        };
        Some(ends).filter(|ends| !ends.is_empty())
    }

    /// The pods of the workloads of a name; else those that a `ReplicaSet` or `Job` of that name controls, which stands
    /// between a workload and its pods.
    fn called(&self, (namespace, name): (&str, &str)) -> Vec<Who> {
        if let Some(ids) = self.by_name.get(&(namespace, name)) {
            return ids.iter().flat_map(|id| self.members(id)).collect();
        }
        let pods = self.pods.iter().filter(|((of, _), _)| *of == namespace).map(|(_, n)| *n);
        pods.filter(|n| self.cluster.pods[*n].maker.as_deref() == Some(name)).map(Who::Pod).collect()
    }

    /// Who has an address: a pod by its own name, or nobody that policies could tell by more than the address.
    #[must_use]
    pub fn at(&self, address: IpAddr) -> End {
        let address = address.to_canonical();
        let pod = self.by_address.get(&address).map(|n| &self.cluster.pods[*n]);
        pod.map_or(End::Address(address), |pod| End::Pod(self.pod(pod)))
    }

    /// An end. A pod goes by the name of its workload and stands for any of its replicas, for one may talk to another.
    #[must_use]
    pub fn end(&self, who: Who) -> End {
        match who {
            Who::Address(address) => End::Address(address),
            Who::Template(n) => End::Pod(PodEnd::from(&self.cluster.workloads[n])),
            Who::Pod(n) => {
                let pod = &self.cluster.pods[n];
                let end = self.pod(pod);
                let is_bare = pod.workload.kind == "Pod";
                let (name, pod) = (pod.workload.name.clone(), end.pod.clone().filter(|_| is_bare));
                End::Pod(PodEnd { name, pod, ..end })
            }
        }
    }

    fn pod(&self, pod: &Pod) -> PodEnd {
        let node = pod.node.as_deref().and_then(|name| self.nodes.get(name));
        PodEnd { node: node.map(|node| node.addresses.clone()).unwrap_or_default(), ..PodEnd::from(pod) }
    }

    /// Who a party of a dependency is: of a workload the pods that were seen, else all of it. The error says why it
    /// cannot be told.
    pub fn party(&self, party: &Party) -> Result<Vec<Who>, String> {
        match party.kind {
            PartyKind::Workload => self.seen_pods(party),
            PartyKind::Node | PartyKind::Host | PartyKind::External => {
                Ok(party.addresses.iter().map(|address| Who::Address(address.to_canonical())).collect())
            }
            PartyKind::Service => Err(format!("which pod behind {} answered was not seen", party.name)),
            PartyKind::Unknown | PartyKind::Multicast => Err(format!("nobody known owned {} then", party.name)),
        }
    }

    fn seen_pods(&self, party: &Party) -> Result<Vec<Who>, String> {
        let id = party.workload().ok_or_else(|| format!("{} is in no namespace", party.name))?;
        let at = |address: &IpAddr| self.by_address.get(&address.to_canonical()).copied();
        let seen = party.addresses.iter().filter_map(at).filter(|n| self.cluster.pods[*n].workload == id);
        let seen: BTreeSet<Who> = seen.map(Who::Pod).collect();
        let who = if seen.is_empty() { self.members(&id) } else { seen.into_iter().collect() };
        if who.is_empty() { Err(format!("{} has no pods in the inventory", party.name)) } else { Ok(who) }
    }

    /// The addresses of a node, or of hosts of a hosts file that have one address each.
    fn host_addresses(&self, name: &str) -> Vec<IpAddr> {
        if let Some(node) = self.nodes.get(name) {
            return node.addresses.clone();
        }
        let is_single = |host: &&Host| host.range.prefix_len() == host.range.max_prefix_len();
        let named = self.cluster.hosts.iter().filter(|host| host.name.as_deref() == Some(name));
        named.filter(is_single).map(|host| host.range.addr()).collect()
    }
}
