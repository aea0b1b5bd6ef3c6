//! Who a pod belongs to: its top controlling owner, from what is listed, else from how Kubernetes names things.

use std::collections::HashMap;

use serde_json::Value;

use super::field::{list, word};
use crate::model::{Pod, WorkloadRef};

/// More steps than owners have in practice (pod, `ReplicaSet`, Deployment, custom); stops references that go round.
const MAX_STEPS: usize = 8;

/// The letters of the API server's generated names and hashes: no vowels, and no digits that look like them.
const SAFE_LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";

/// The listed owners and their own controllers.
#[derive(Default)]
pub(super) struct Owners(HashMap<WorkloadRef, Option<WorkloadRef>>);

impl Owners {
    /// Adds a listed object. Of two that differ, the one with a controller counts, whatever their order.
    pub fn add(&mut self, id: WorkloadRef, controller: Option<WorkloadRef>) {
        let known = self.0.entry(id).or_default();
        if controller > *known {
            *known = controller;
        }
    }

    /// The top owner of a pod, given its controller.
    pub fn top(&self, pod: &Pod, controller: Option<WorkloadRef>) -> WorkloadRef {
        match controller {
            None => pod.workload.clone(),
            Some(controller) if controller.kind == "Node" => static_pod(pod, &controller.name),
            Some(controller) => self.climb(controller, Some(pod)),
        }
    }

    /// Whether nobody controls a listed object.
    pub fn is_top(&self, id: &WorkloadRef) -> bool {
        self.climb(id.clone(), None) == *id
    }

    fn climb(&self, mut owner: WorkloadRef, pod: Option<&Pod>) -> WorkloadRef {
        for _ in 0..MAX_STEPS {
            match self.above(&owner, pod) {
                Some(above) => owner = above,
                None => break,
            }
        }
        owner
    }

    /// The next owner. A `ReplicaSet`, Job or Workflow is always a step to the one it names. Other kinds stand on their own, and
    /// lead further only to what is listed: an operator's object may control all Deployments of an application, which
    /// are workloads of their own unless whoever made the snapshot asked for that object.
    fn above(&self, owner: &WorkloadRef, pod: Option<&Pod>) -> Option<WorkloadRef> {
        match self.0.get(owner) {
            None => named_after(owner, pod?),
            Some(above) => above.clone().filter(|above| is_step(&owner.kind) || self.0.contains_key(above)),
        }
    }
}

fn is_step(kind: &str) -> bool {
    matches!(kind, "ReplicaSet" | "ReplicationController" | "Job" | "Workflow")
}

/// The controlling owner of an object: the one reference with `controller: true`.
pub(super) fn controller(item: &Value, namespace: &str) -> Option<WorkloadRef> {
    let references = list(&item["metadata"]["ownerReferences"]);
    let controlling = references.iter().find(|reference| reference["controller"] == Value::Bool(true))?;
    let (kind, name) = (word(&controlling["kind"])?, word(&controlling["name"])?);
    Some(WorkloadRef { namespace: namespace.to_owned(), name: name.to_owned(), kind: kind.to_owned() })
}

/// A static pod: a file on a node made it, the kubelet added the node's name. The pods of several control plane nodes
/// are so one workload.
fn static_pod(pod: &Pod, node: &str) -> WorkloadRef {
    let node = pod.node.as_deref().unwrap_or(node);
    let bare = pod.name.strip_suffix(node).and_then(|rest| rest.strip_suffix('-')).filter(|bare| !bare.is_empty());
    WorkloadRef { name: bare.unwrap_or(&pod.name).to_owned(), ..pod.workload.clone() }
}

/// The owner of an owner that is not listed, by its name.
fn named_after(owner: &WorkloadRef, pod: &Pod) -> Option<WorkloadRef> {
    let (kind, name) = match owner.kind.as_str() {
        "ReplicaSet" => deployment(&owner.name, pod)?,
        "ReplicationController" => ("DeploymentConfig", deployment_config(&owner.name, pod)?),
        // the CronJob controller appends the scheduled minute since 1970; before Kubernetes 1.21 the second
        "Job" => ("CronJob", suffixed(&owner.name, |suffix| suffix.len() >= 8 && digits(suffix))?),
        // Argo's appends the scheduled second
        "Workflow" => ("CronWorkflow", suffixed(&owner.name, |suffix| suffix.len() == 10 && digits(suffix))?),
        _ => return None,
    };
    Some(WorkloadRef { namespace: owner.namespace.clone(), name: name.to_owned(), kind: kind.to_owned() })
}

/// The Deployment or Rollout that a `ReplicaSet`'s name is made from, by the hash that its pods are labelled with.
fn deployment<'n>(replica_set: &'n str, pod: &Pod) -> Option<(&'static str, &'n str)> {
    for (label, kind) in [("pod-template-hash", "Deployment"), ("rollouts-pod-template-hash", "Rollout")] {
        if let Some(hash) = pod.labels.get(label) {
            return Some((kind, suffixed(replica_set, |suffix| suffix == hash)?));
        }
    }
    Some(("Deployment", suffixed(replica_set, is_hash)?))
}

/// The `DeploymentConfig` of `OpenShift` that a `ReplicationController` is a version of (`web-3`), by the label that its pods have.
fn deployment_config<'n>(controller: &'n str, pod: &Pod) -> Option<&'n str> {
    let name = suffixed(controller, |suffix| !suffix.is_empty() && digits(suffix))?;
    (pod.labels.get("deploymentconfig") == Some(name)).then_some(name)
}

/// What stands before the last `-` of a name whose ending is as wanted.
fn suffixed(name: &str, wanted: impl Fn(&str) -> bool) -> Option<&str> {
    name.rsplit_once('-').filter(|(rest, suffix)| !rest.is_empty() && wanted(suffix)).map(|(rest, _)| rest)
}

/// Whether a text looks like the hash of a pod template: 32 bits in letters that spell no words, or in hex.
fn is_hash(text: &str) -> bool {
    (8..=10).contains(&text.len())
        && (text.chars().all(|letter| SAFE_LETTERS.contains(letter))
            || text.chars().all(|letter| matches!(letter, '0'..='9' | 'a'..='f')))
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
