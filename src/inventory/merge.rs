//! Several readings, or snapshots of one cluster at several times, as one. The order they come in never matters: a
//! model value does not know when it was read, so of two that differ the one that says more counts.

use foldhash::HashSet;
use ipnet::IpNet;

use super::field::sorted;
use crate::model::{Cluster, Host, Ingress, Namespace, Node, Pod, RawObject, Service, Workload};

/// The union of several clusters.
#[must_use]
pub fn merge(clusters: impl IntoIterator<Item = Cluster>) -> Cluster {
    let mut all = Cluster::default();
    for cluster in clusters {
        all.namespaces.extend(cluster.namespaces);
        all.nodes.extend(cluster.nodes);
        all.pods.extend(cluster.pods);
        all.tunnels.extend(cluster.tunnels);
        all.services.extend(cluster.services);
        all.service_ranges.extend(cluster.service_ranges);
        all.endpoints.extend(cluster.endpoints);
        all.workloads.extend(cluster.workloads);
        all.selected.extend(cluster.selected);
        all.schedules.extend(cluster.schedules);
        all.webhooks.extend(cluster.webhooks);
        all.ingresses.extend(cluster.ingresses);
        all.hosts.extend(cluster.hosts);
        all.policies.extend(cluster.policies);
    }
    settled(all)
}

/// Everything once and in order.
pub(super) fn settled(cluster: Cluster) -> Cluster {
    Cluster {
        namespaces: joined(cluster.namespaces, |one| one.name.clone(), join_namespace),
        nodes: joined(cluster.nodes, |one| one.name.clone(), join_node),
        pods: without_pending(&pods(cluster.pods)),
        services: joined(cluster.services, |one| (one.namespace.clone(), one.name.clone()), join_service),
        tunnels: sorted(cluster.tunnels),
        service_ranges: sorted(cluster.service_ranges),
        endpoints: sorted(cluster.endpoints),
        workloads: joined(cluster.workloads, |one| one.id.clone(), join_workload),
        selected: joined(cluster.selected, |one| one.id.clone(), |_, _| {}),
        schedules: joined(cluster.schedules, |one| one.id.clone(), |_, _| {}),
        webhooks: sorted(cluster.webhooks),
        ingresses: joined(cluster.ingresses, |one| (one.namespace.clone(), one.name.clone()), join_ingress),
        hosts: hosts(cluster.hosts),
        policies: policies(cluster.policies),
    }
}

/// One value for each key. They are joined in their own order, so that the result does not depend on another.
fn joined<T: Ord, K: Ord>(items: Vec<T>, key: impl Fn(&T) -> K, join: impl Fn(&mut T, T)) -> Vec<T> {
    let mut items = sorted(items);
    items.sort_by_cached_key(&key);
    let mut all: Vec<T> = Vec::with_capacity(items.len());
    for item in items {
        match all.last_mut().filter(|last| key(last) == key(&item)) {
            Some(last) => join(last, item),
            None => all.push(item),
        }
    }
    all.sort_unstable();
    all
}

/// Keeps the one that says more.
fn keep_fuller<T, M: Ord>(known: &mut T, other: T, measure: impl Fn(&T) -> M) {
    if measure(&other) > measure(known) {
        *known = other;
    }
}

fn join_namespace(known: &mut Namespace, other: Namespace) {
    keep_fuller(known, other, |namespace| namespace.labels.0.len());
}

/// A node may be known by itself and by its pods, and its address may have changed between two snapshots.
fn join_node(known: &mut Node, other: Node) {
    unite(&mut known.addresses, other.addresses);
    unite(&mut known.pod_ranges, other.pod_ranges);
    keep_fuller(&mut known.labels, other.labels, |labels| labels.as_ref().map(|labels| labels.0.len()));
}

/// A manifest has no addresses, and a Service made anew has others: all of them were its own.
fn join_service(known: &mut Service, mut other: Service) {
    let measure = |service: &Service| {
        (service.cluster_ips.len(), service.external_ips.len(), service.ports.len(), service.selector.is_some())
    };
    let is_fuller = measure(&other) > measure(known);
    unite(&mut known.cluster_ips, std::mem::take(&mut other.cluster_ips));
    unite(&mut known.external_ips, std::mem::take(&mut other.external_ips));
    unite(&mut known.proxied_ips, std::mem::take(&mut other.proxied_ips));
    if is_fuller {
        other.cluster_ips = std::mem::take(&mut known.cluster_ips);
        other.external_ips = std::mem::take(&mut known.external_ips);
        other.proxied_ips = std::mem::take(&mut known.proxied_ips);
        *known = other;
    }
}

/// Takes items into a list that is in order. They mostly come in order too, and then cost little.
fn unite<T: Ord>(known: &mut Vec<T>, others: Vec<T>) {
    for other in others {
        if let Err(place) = known.binary_search(&other) {
            known.insert(place, other);
        }
    }
}

fn join_workload(known: &mut Workload, other: Workload) {
    keep_fuller(known, other, |workload| (workload.template_labels.0.len(), workload.ports.len()));
}

fn join_ingress(known: &mut Ingress, other: Ingress) {
    keep_fuller(known, other, |ingress| ingress.backends.len());
}

/// One host for each range and name. Two names for one range stay two: which of them is right cannot be told.
fn hosts(hosts: Vec<Host>) -> Vec<Host> {
    let mut hosts = joined(
        hosts,
        |one| (one.range, one.name.clone()),
        |known, other| {
            keep_fuller(known, other, |host| {
                (host.role.is_some(), host.labels.0.len(), host.vlan, host.site.is_some())
            });
        },
    );
    let named: HashSet<IpNet> = hosts.iter().filter(|host| host.name.is_some()).map(|host| host.range).collect();
    hosts.retain(|host| host.name.is_some() || !named.contains(&host.range));
    hosts
}

/// A pod is one by namespace, name and start: a `StatefulSet` gives the name again. The end of a pod is the later news.
fn pods(pods: Vec<Pod>) -> Vec<Pod> {
    let id = |pod: &Pod| (pod.namespace.clone(), pod.name.clone(), pod.started);
    joined(pods, id, |known, other| {
        keep_fuller(known, other, |pod| (pod.finished, pod.addresses.len(), pod.ports.len()));
    })
}

/// Drops pods that were seen while they had no address yet, where they were seen with one too: their start, until the
/// kubelet has taken them, is their creation, and so another.
fn without_pending(pods: &[Pod]) -> Vec<Pod> {
    let same = |one: &Pod, other: &Pod| one.namespace == other.namespace && one.name == other.name;
    let mut kept = Vec::with_capacity(pods.len());
    for mut namesakes in pods.chunk_by(same).map(<[Pod]>::to_vec) {
        if namesakes.iter().any(|pod| !pod.addresses.is_empty()) {
            namesakes.retain(|pod| pod.finished || !pod.addresses.is_empty());
        }
        kept.append(&mut namesakes);
    }
    kept
}

/// Policies by what they are, not by where they were read; the same one from several places is one.
fn policies(mut policies: Vec<RawObject>) -> Vec<RawObject> {
    policies.sort_by_cached_key(|policy| {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let (object, meta) = (&policy.object, &policy.object["metadata"]);
        let name = (text(&meta["namespace"]), text(&object["kind"]), text(&meta["name"]));
        (name, policy.source.clone(), policy.document, object.to_string())
    });
    let mut kept: Vec<RawObject> = Vec::with_capacity(policies.len());
    for policy in policies {
        let namesakes = kept.iter().rev().take_while(|known| named(known) == named(&policy));
        if !namesakes.into_iter().any(|known| known.object == policy.object) {
            kept.push(policy);
        }
    }
    kept
}

fn named(policy: &RawObject) -> [&serde_json::Value; 3] {
    let meta = &policy.object["metadata"];
    [&meta["namespace"], &policy.object["kind"], &meta["name"]]
}
