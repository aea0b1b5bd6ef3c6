//! The cluster as it was last seen: what was seen to go, or is missing from a later listing, is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    items::{Item, Items},
    sights::Sights,
};
use crate::model::{Cluster, Pod, WorkloadRef};

/// What is known to be there at last.
///
/// A workload is there as long as it may come back: where all its pods have ended, as a `CronJob`'s do, one of each kind
/// of them stands for the next, without addresses, for only its labels and ports still tell something.
pub(super) fn present(mut items: Items, sights: &Sights) -> Cluster {
    let pods = std::mem::take(&mut items.pods);
    let (mut current, gone): (Vec<_>, Vec<_>) = pods.into_iter().partition(|pod| sights.is_current(pod.object));
    keep_current(&mut items, sights);
    let ends = ends(gone.iter().chain(current.iter().filter(|pod| pod.value.finished)), sights);
    let living: BTreeSet<WorkloadRef> =
        current.iter().filter(|pod| !pod.value.finished).map(|pod| pod.value.workload.clone()).collect();
    let templates: BTreeSet<WorkloadRef> = items.workloads.iter().map(|it| it.value.id.clone()).collect();
    let comes_back = |workload: &WorkloadRef| {
        let end = ends.get(workload).copied().unwrap_or(i64::MIN);
        let is_missed = || sights.missed_after(&workload.kind, &workload.namespace, end).is_some();
        workload.kind != "Pod" && !living.contains(workload) && !templates.contains(workload) && !is_missed()
    };
    let mut likenesses: Vec<Item<Pod>> = Vec::new();
    for pod in
        gone.into_iter().chain(current.extract_if(.., |pod| pod.value.finished && comes_back(&pod.value.workload)))
    {
        if comes_back(&pod.value.workload) {
            likenesses.push(Item { value: likeness(pod.value), ..pod });
        }
    }
    items.pods = current;
    items.pods.append(&mut distinct(likenesses));
    items.cluster()
}

fn keep_current(items: &mut Items, sights: &Sights) {
    fn keep<T>(items: &mut Vec<Item<T>>, sights: &Sights) {
        items.retain(|item| sights.is_current(item.object));
    }
    keep(&mut items.namespaces, sights);
    keep(&mut items.nodes, sights);
    keep(&mut items.tunnels, sights);
    keep(&mut items.services, sights);
    keep(&mut items.service_ranges, sights);
    keep(&mut items.endpoints, sights);
    keep(&mut items.workloads, sights);
    keep(&mut items.selected, sights);
    keep(&mut items.schedules, sights);
    keep(&mut items.webhooks, sights);
    keep(&mut items.ingresses, sights);
    keep(&mut items.policies, sights);
}

/// When the last pod of every workload was last seen.
fn ends<'a>(pods: impl Iterator<Item = &'a Item<Pod>>, sights: &Sights) -> BTreeMap<WorkloadRef, i64> {
    let mut ends: BTreeMap<WorkloadRef, i64> = BTreeMap::new();
    for pod in pods {
        let last = sights.of(pod.object).iter().map(|sight| sight.to).max().unwrap_or(i64::MIN);
        let end = ends.entry(pod.value.workload.clone()).or_insert(last);
        *end = last.max(*end);
    }
    ends
}

/// What the next pod will be like.
fn likeness(pod: Pod) -> Pod {
    Pod { addresses: Vec::new(), node: None, started: None, finished: false, ..pod }
}

/// Of pods that differ in nothing but their names the first.
fn distinct(mut pods: Vec<Item<Pod>>) -> Vec<Item<Pod>> {
    pods.sort_by(|a, b| a.value.cmp(&b.value));
    let mut seen = BTreeSet::new();
    pods.retain(|pod| {
        let Pod { workload, labels, ports, .. } = &pod.value;
        seen.insert((workload.clone(), labels.clone(), ports.clone()))
    });
    pods
}
