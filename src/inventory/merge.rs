use std::collections::BTreeMap;

use super::object;
use crate::model::{Cluster, Pod};

/// Several listings of one cluster as one, whatever their order. A pod that any of them saw end has ended.
#[must_use]
pub fn merge(parts: impl IntoIterator<Item = Cluster>) -> Cluster {
    let mut whole = Cluster::default();
    for part in parts {
        whole.namespaces.extend(part.namespaces);
        whole.nodes.extend(part.nodes);
        whole.pods.extend(part.pods);
        whole.services.extend(part.services);
        whole.endpoints.extend(part.endpoints);
        whole.workloads.extend(part.workloads);
        whole.hosts.extend(part.hosts);
        whole.policies.extend(part.policies);
    }
    whole.pods = pods(whole.pods);
    object::sort(&mut whole);
    whole
}

/// One pod for each that was listed in several versions.
fn pods(listed: Vec<Pod>) -> Vec<Pod> {
    let mut pods: BTreeMap<(String, String, Option<crate::model::Timestamp>), Pod> = BTreeMap::new();
    for pod in listed {
        let key = (pod.namespace.clone(), pod.name.clone(), pod.started);
        match pods.entry(key) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(pod);
            }
            std::collections::btree_map::Entry::Occupied(mut slot) => {
                let finished = slot.get().finished || pod.finished;
                let fuller = (pod.addresses.len(), &pod) > (slot.get().addresses.len(), slot.get());
                if fuller {
                    slot.insert(pod);
                }
                slot.get_mut().finished = finished;
            }
        }
    }
    pods.into_values().collect()
}
