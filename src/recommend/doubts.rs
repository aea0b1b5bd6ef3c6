//! What the inventory tells of tomorrow and no dependency does: what may move, change places, or be made anew under other
//! labels. No rule depends on it; it is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::labels::{names_a_role, names_an_application, stable};
use crate::model::{Cluster, Dependency, Labels, Mark, PartyKind, Pod, Service, WorkloadRef, own_ends};

/// What is doubtful of tomorrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Every node, and what may leave it.
    pub nodes: Vec<NodeOfToday>,
    /// Workloads that may take each other's place.
    pub twins: BTreeSet<Twin>,
    /// Pods that nobody owns and that are made one by one.
    pub one_by_one: BTreeSet<OneByOne>,
    /// Clients that were seen with some of those behind a Service alone.
    pub behind: BTreeSet<Behind>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOfToday {
    /// All its addresses, those in the pod network among them.
    pub addresses: BTreeSet<IpAddr>,
    /// What is on its network and may be on another's tomorrow, as `namespace/name`: no `DaemonSet`, and nothing that the node
    /// starts itself.
    pub movable: BTreeSet<String>,
}

/// A workload that a Service selects, and one that differs from it in what the Service selects by and in nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Twin {
    /// The Service, as `namespace/name`.
    pub service: String,
    /// Whom it selects.
    pub selected: WorkloadRef,
    /// Whom it would with another value.
    pub other: WorkloadRef,
    /// In which labels they differ.
    pub keys: BTreeSet<String>,
}

/// Pods, or Jobs, without an owner that are named and labelled alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OneByOne {
    /// Their namespace.
    pub namespace: String,
    /// The pods; of Jobs their names.
    pub pods: BTreeSet<String>,
    /// In which labels they differ.
    pub keys: BTreeSet<String>,
}

/// A client of pods, dialled by their own addresses, that a Service leads to along with others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Behind {
    /// The client, as `namespace/name`.
    pub client: String,
    /// The Service, as `namespace/name`.
    pub service: String,
    /// Those behind it that the client was seen with.
    pub seen: BTreeSet<String>,
    /// Those that it was not.
    pub others: BTreeSet<String>,
}

/// What is doubtful of some namespaces, of which these are the dependencies.
#[must_use]
pub fn doubts(cluster: &Cluster, dependencies: &[Dependency], namespaces: &BTreeSet<String>) -> Doubts {
    Doubts {
        nodes: nodes(cluster),
        twins: twins(cluster, namespaces),
        one_by_one: one_by_one(cluster, namespaces),
        behind: behind(cluster, dependencies),
    }
}

fn nodes(cluster: &Cluster) -> Vec<NodeOfToday> {
    let mut movable: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for pod in cluster.pods.iter().filter(|pod| pod.host_network && !pod.finished) {
        if let Some(node) = pod.node.as_deref().filter(|_| !matches!(pod.workload.kind.as_str(), "DaemonSet" | "Pod")) {
            movable.entry(node).or_default().insert(pod.workload.to_string());
        }
    }
    let node = |node: &crate::model::Node| NodeOfToday {
        addresses: node.pod_ranges.iter().flat_map(|range| own_ends(*range)).chain(node.addresses.clone()).collect(),
        movable: movable.remove(node.name.as_str()).unwrap_or_default(),
    };
    cluster.nodes.iter().map(node).collect()
}

/// What a workload looks like: the labels that last, and the ports that it declares.
type Look = (Labels, BTreeSet<u16>);

/// How the workloads of some namespaces look, those of them that look alike in all their pods.
fn looks<'c>(cluster: &'c Cluster, namespaces: &BTreeSet<String>) -> BTreeMap<&'c WorkloadRef, Look> {
    let mut looks: BTreeMap<&WorkloadRef, BTreeSet<Look>> = BTreeMap::new();
    let is_asked = |id: &WorkloadRef| namespaces.contains(&id.namespace);
    let pods = cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network && is_asked(&pod.workload));
    let templates = cluster.workloads.iter().filter(|it| !it.host_network && is_asked(&it.id));
    let all = pods.map(|pod| (&pod.workload, &pod.labels, &pod.ports));
    for (id, labels, ports) in all.chain(templates.map(|it| (&it.id, &it.template_labels, &it.ports))) {
        let ports = ports.iter().map(|port| port.port).collect();
        looks.entry(id).or_default().insert((stable(labels), ports));
    }
    looks.into_iter().filter_map(|(id, looks)| Some((id, looks.into_iter().next()?))).collect()
}

/// Blue and green: a Service leads to one, and to the other by one change of its selector. They have the name of an application in
/// common, and all else but labels that name no role.
fn twins(cluster: &Cluster, namespaces: &BTreeSet<String>) -> BTreeSet<Twin> {
    let looks = looks(cluster, namespaces);
    let mut twins = BTreeSet::new();
    for service in cluster.services.iter().filter(|service| namespaces.contains(&service.namespace)) {
        let Some(selector) = service.selector.as_ref().filter(|selector| selector.0.len() > 1) else { continue };
        let here = || looks.iter().filter(|(id, _)| id.namespace == service.namespace);
        let (selected, others): (Vec<_>, Vec<_>) = here().partition(|(_, (labels, _))| labels.contain(selector));
        for (other, look) in others {
            for (own, of_own) in &selected {
                if let Some(keys) = difference(selector, of_own, look) {
                    let (selected, other) = ((**own).clone(), (*other).clone());
                    twins.insert(Twin { service: full_name(service), selected, other, keys });
                }
            }
        }
    }
    twins
}

/// The labels of a selector in which two workloads differ, where that is all, and none of them names a role.
fn difference(selector: &Labels, (own, own_ports): &Look, (other, other_ports): &Look) -> Option<BTreeSet<String>> {
    let keys: BTreeSet<&String> = own.0.keys().chain(other.0.keys()).collect();
    let differ: BTreeSet<String> = keys.into_iter().filter(|key| own.get(key) != other.get(key)).cloned().collect();
    let is_switch = |key: &String| selector.get(key).is_some() && other.get(key).is_some() && !names_a_role(key);
    let is_one_application = selector.0.keys().any(|key| names_an_application(key) && !differ.contains(key));
    (!differ.is_empty() && is_one_application && own_ports == other_ports && differ.iter().all(is_switch))
        .then_some(differ)
}

fn full_name(service: &Service) -> String {
    format!("{}/{}", service.namespace, service.name)
}

/// Pods that are alike: by their namespace, the beginning of their names, and the keys of their labels.
type Kin<'c> = (&'c String, &'c str, BTreeSet<String>);

/// How the names of pods begin that are made for one user after the other, and those of Jobs of one run each: Jobs of different work
/// have names of several words.
fn beginning(workload: &WorkloadRef) -> &str {
    let name = workload.name.as_str();
    let has_number = |last: &str| last.bytes().any(|byte| byte.is_ascii_digit());
    match name.rsplit_once('-') {
        Some((work, run)) if workload.kind == "Job" && has_number(run) => work,
        _ if workload.kind == "Job" => name,
        _ => name.split('-').next().unwrap_or_default(),
    }
}

/// Pods that something makes by itself, for a user or a build: they have no owner, the same labels with other values, and names that
/// begin alike. So do Jobs that a pipeline makes, each for one run: those that are over were seen as well.
fn one_by_one(cluster: &Cluster, namespaces: &BTreeSet<String>) -> BTreeSet<OneByOne> {
    let is_bare = |pod: &&Pod| match pod.workload.kind.as_str() {
        "Pod" => !pod.host_network && !pod.finished,
        kind => kind == "Job" && !pod.host_network,
    };
    let pods = cluster.pods.iter().filter(is_bare).filter(|pod| namespaces.contains(&pod.namespace));
    let mut alike: BTreeMap<Kin<'_>, Vec<(&Pod, Labels)>> = BTreeMap::new();
    for pod in pods {
        let labels = stable(&pod.labels);
        let beginning = beginning(&pod.workload);
        let key = (&pod.namespace, beginning, labels.0.keys().cloned().collect());
        alike.entry(key).or_default().push((pod, labels));
    }
    let together = |((namespace, _, keys), pods): (Kin<'_>, Vec<(&Pod, Labels)>)| {
        let values = |key: &String| pods.iter().map(|(_, labels)| labels.get(key)).collect::<BTreeSet<_>>();
        let keys: BTreeSet<String> = keys.into_iter().filter(|key| values(key).len() > 1).collect();
        let names = pods.iter().map(|(pod, _)| pod.workload.name.clone()).collect();
        (!keys.is_empty()).then(|| OneByOne { namespace: namespace.clone(), pods: names, keys })
    };
    alike.into_iter().filter_map(together).collect()
}

/// Where the address of a Service is never on the wire, as behind a headless one or where sockets are connected to pods at once, it is
/// not seen that it was dialled.
fn behind(cluster: &Cluster, dependencies: &[Dependency]) -> BTreeSet<Behind> {
    let mut pods: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network) {
        pods.entry(&pod.namespace).or_default().push(pod);
    }
    // who dialled whom by his own address, by server and port
    let mut direct: BTreeMap<(WorkloadRef, u16), BTreeSet<WorkloadRef>> = BTreeMap::new();
    let mut dialled: BTreeSet<(WorkloadRef, &str)> = BTreeSet::new();
    for it in dependencies.iter().filter(|it| it.unneeded().is_none() && !it.marks.contains(&Mark::Itself)) {
        let Some(client) = it.client.workload() else { continue };
        if it.server.kind == PartyKind::Service {
            dialled.insert((client, &it.server.name));
            continue;
        }
        let services: Vec<&String> = it.via.iter().filter_map(|via| via.service.as_ref()).collect();
        dialled.extend(services.iter().map(|service| (client.clone(), service.as_str())));
        if let Some(server) = it.server.workload().filter(|_| services.is_empty()) {
            direct.entry((server, it.port)).or_default().insert(client);
        }
    }
    let mut found = BTreeSet::new();
    for service in &cluster.services {
        let name = full_name(service);
        for port in &service.ports {
            let Some(selector) = &service.selector else { continue };
            let here = pods.get(service.namespace.as_str()).into_iter().flatten();
            let selected = here.filter(|pod| pod.labels.contain(selector));
            let targets: BTreeSet<(&WorkloadRef, u16)> =
                selected.filter_map(|pod| Some((&pod.workload, port.on(pod)?))).collect();
            if targets.len() < 2 {
                continue;
            }
            let clients_of = |(server, port): (&WorkloadRef, u16)| direct.get(&(server.clone(), port));
            let clients: BTreeSet<&WorkloadRef> =
                targets.iter().filter_map(|target| clients_of(*target)).flatten().collect();
            for client in clients.into_iter().filter(|client| !dialled.contains(&((*client).clone(), name.as_str()))) {
                let is_seen =
                    |target: &&(&WorkloadRef, u16)| clients_of(**target).is_some_and(|all| all.contains(client));
                let (seen, others): (Vec<_>, Vec<_>) = targets.iter().partition(is_seen);
                // what is behind it may call the others of it by their own names
                if others.is_empty() || targets.iter().any(|(target, _)| *target == client) {
                    continue;
                }
                let names = |all: Vec<&(&WorkloadRef, u16)>| all.iter().map(|(id, _)| id.to_string()).collect();
                found.insert(Behind {
                    client: client.to_string(),
                    service: name.clone(),
                    seen: names(seen),
                    others: names(others),
                });
            }
        }
    }
    found
}
