//! Pods to the workload that a person knows: the top controlling owner.

use std::collections::HashMap;

use serde_json::Value;

use super::field::{list, text};
use crate::model::WorkloadRef;

/// Owners own owners this deep at most: `ReplicaSet`, Deployment, and what custom controllers put above.
const MAX_DEPTH: usize = 8;

/// An object by kind, namespace and name.
type Key = (String, String, String);

/// Who controls whom, as far as it is listed.
pub(super) struct Owners(HashMap<Key, Option<(String, String)>>);

impl Owners {
    pub(super) fn new(objects: &[Value]) -> Self {
        let entry = |object: &Value| Some((key(object)?, controller(object)));
        Self(objects.iter().filter_map(entry).collect())
    }

    /// The workload that a pod belongs to.
    pub(super) fn workload(&self, pod: &Value, namespace: &str, name: &str) -> WorkloadRef {
        let of = |kind: &str, name: &str| WorkloadRef {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
        };
        let Some((kind, owner)) = controller(pod) else { return of("Pod", name) };
        if kind == "Node" {
            // a static pod: its node's name is no part of what it is
            return of("Pod", name.strip_suffix(&format!("-{owner}")).unwrap_or(name));
        }
        let (kind, name) = self.top(namespace, kind, owner, pod);
        of(&kind, &name)
    }

    /// Follows controllers up; where the next is not listed, what its name tells counts.
    pub(super) fn top(&self, namespace: &str, mut kind: String, mut name: String, pod: &Value) -> (String, String) {
        for _ in 0..MAX_DEPTH {
            match self.0.get(&(kind.clone(), namespace.to_owned(), name.clone())) {
                Some(Some((above, above_name))) => (kind, name) = (above.clone(), above_name.clone()),
                Some(None) => break,
                None => return guess(kind, name, pod),
            }
        }
        (kind, name)
    }

    /// Whether a listed object is controlled by another.
    pub(super) fn is_controlled(object: &Value) -> bool {
        controller(object).is_some()
    }
}

fn key(object: &Value) -> Option<Key> {
    let namespace = text(object, &["metadata", "namespace"]).unwrap_or("default");
    Some((text(object, &["kind"])?.to_owned(), namespace.to_owned(), text(object, &["metadata", "name"])?.to_owned()))
}

fn controller(object: &Value) -> Option<(String, String)> {
    let is_controller = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
    let owner = list(object, &["metadata", "ownerReferences"]).find(is_controller)?;
    Some((text(owner, &["kind"])?.to_owned(), text(owner, &["name"])?.to_owned()))
}

/// Names that controllers make: a Deployment's `ReplicaSet` ends in its hash, a `CronJob`'s Job in its scheduled minute.
fn guess(kind: String, name: String, pod: &Value) -> (String, String) {
    let label = |key: &str| text(pod, &["metadata", "labels", key]);
    let without = |hash: Option<&str>| hash.and_then(|hash| name.strip_suffix(&format!("-{hash}"))).map(str::to_owned);
    let (stem, last) = name.rsplit_once('-').unwrap_or((&name, ""));
    match kind.as_str() {
        "ReplicaSet" => {
            if let Some(rollout) = without(label("rollouts-pod-template-hash")) {
                return ("Rollout".into(), rollout);
            }
            let named = without(label("pod-template-hash"));
            let looks_hashed = named.is_none() && is_hash(last);
            match named.or_else(|| looks_hashed.then(|| stem.to_owned())) {
                Some(deployment) => ("Deployment".into(), deployment),
                None => (kind, name),
            }
        }
        "Job" if last.len() >= 8 && last.bytes().all(|byte| byte.is_ascii_digit()) => {
            ("CronJob".into(), stem.to_owned())
        }
        _ => (kind, name),
    }
}

/// A hash as the API server writes it (k8s.io/apimachinery/pkg/util/rand: no vowels), or in hexadecimal.
fn is_hash(text: &str) -> bool {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let all_in = |alphabet: &str| text.chars().all(|letter| alphabet.contains(letter));
    (8..=10).contains(&text.len()) && has_digit && (all_in("bcdfghjklmnpqrstvwxz2456789") || all_in("0123456789abcdef"))
}
