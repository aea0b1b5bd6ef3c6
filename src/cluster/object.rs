//! An object as it is kept: stripped, and without what changes all the time and tells nothing.

use serde_json::{Map, Value, json};

use super::kind::{Kind, Target};
use crate::inventory::{self, Problem};

/// An object of a live cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// `shop/web`, or `node-1` where the kind lies in no namespace.
    pub name: String,
    /// The object as JSON.
    pub body: String,
}

/// An object, and what could not be used of it.
pub(super) struct Taken {
    pub object: Option<Object>,
    pub problems: Vec<Problem>,
}

/// Takes an item of a list or of a watch.
pub(super) fn take(source: &str, target: &Target, mut item: Value) -> Taken {
    let kind = target.kind;
    let Some(fields) = item.as_object_mut() else {
        return unusable(source, kind, "is no object");
    };
    // the items of a list leave these to it
    fields.insert("kind".into(), kind.name.into());
    fields.insert("apiVersion".into(), kind.api_version().into());
    let text = |key: &str| item["metadata"][key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (name, namespace) = (text("name"), text("namespace"));
    let mut reading = inventory::read_object(source, item);
    let problems = std::mem::take(&mut reading.problems);
    let object = reading.objects.pop().and_then(|kept| serde_json::from_str(&kept).ok());
    let (Some(name), Some(mut value)) = (name, object) else { return Taken { object: None, problems } };
    calm(kind.name, &mut value);
    let name = namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"));
    Taken { object: Some(Object { name, body: value.to_string() }), problems }
}

fn unusable(source: &str, kind: &Kind, reason: &str) -> Taken {
    let problem =
        Problem { source: source.to_owned(), object: format!("an item of {}", kind.plural), reason: reason.to_owned() };
    Taken { object: None, problems: vec![problem] }
}

/// Metadata that tells who an object is, and when.
const KEPT_METADATA: [&str; 9] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "labels",
    "name",
    "namespace",
    "ownerReferences",
    "uid",
];

/// Annotations that tell of addresses and of meshes begin so; others may be long, secret, or a heartbeat.
const KEPT_ANNOTATIONS: [&str; 9] = [
    "ambient.istio.io/",
    "flannel.alpha.coreos.com/",
    "ingress.kubernetes.io/forwarding-rule",
    "ingress.kubernetes.io/https-forwarding-rule",
    "kubernetes.io/ingress.class",
    "linkerd.io/",
    "network.cilium.io/",
    "projectcalico.org/",
    "sidecar.istio.io/",
];

/// Removes what changes although nothing has happened (versions, heartbeats, counts of replicas): each change is a
/// version in the store.
fn calm(kind: &str, object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.retain(|key, _| KEPT_METADATA.contains(&key.as_str()));
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| KEPT_ANNOTATIONS.iter().any(|kept| key.starts_with(kept)));
        }
        meta.retain(|key, value| key != "annotations" || value.as_object().is_some_and(|map| !map.is_empty()));
    }
    let Some(fields) = object.as_object_mut() else { return };
    let kept: &[&str] = match kind {
        "Pod" => &["phase", "podIP", "podIPs", "hostIP", "hostIPs", "startTime"],
        "Node" => &["addresses"],
        "Service" | "Ingress" => &["loadBalancer"],
        _ => &[],
    };
    let ends = fields.get("status").map(ends).unwrap_or_default();
    if let Some(status) = fields.get_mut("status").and_then(Value::as_object_mut) {
        status.retain(|key, _| kept.contains(&key.as_str()));
        if kind == "Pod" {
            status.extend(ends);
        }
    }
    fields.retain(|key, value| key != "status" || value.as_object().is_some_and(|status| !status.is_empty()));
}

/// When the containers of a pod that is over ended; of one that runs they come and go.
fn ends(status: &Value) -> Map<String, Value> {
    let mut kept = Map::new();
    if !matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return kept;
    }
    for key in ["containerStatuses", "initContainerStatuses"] {
        let containers = status[key].as_array().into_iter().flatten();
        let times = containers.map(|container| &container["state"]["terminated"]["finishedAt"]);
        let ends: Vec<Value> = times
            .filter(|time| time.is_string())
            .map(|time| json!({"state": {"terminated": {"finishedAt": time}}}))
            .collect();
        if !ends.is_empty() {
            kept.insert(key.to_owned(), ends.into());
        }
    }
    kept
}
