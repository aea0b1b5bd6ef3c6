//! What is kept of an object as it was written, and the time it tells.

use serde_json::{Map, Value};

use super::field::{list, time};
use crate::model::Timestamp;

/// What kubectl and the API server write for themselves, often most of an object.
const OWN_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Removes what nobody reads: the API server's own fields, and environments, which hold secrets.
pub(super) fn strip(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(OWN_ANNOTATION);
        }
    }
    // certificates of webhooks, often most of their configuration
    for hook in object.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(client) = hook.get_mut("clientConfig").and_then(Value::as_object_mut) {
            client.remove("caBundle");
        }
    }
    // schemas of resources, often most of all there is
    if object["kind"] == "CustomResourceDefinition" {
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            spec.retain(|key, _| key == "conversion");
        }
        for client in ["/spec/conversion/webhook/clientConfig", "/spec/conversion/webhookClientConfig"] {
            if let Some(client) = object.pointer_mut(client).and_then(Value::as_object_mut) {
                client.remove("caBundle");
            }
        }
    }
    if object["kind"] == "APIService"
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.remove("caBundle");
    }
    for spec in ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"] {
        let Some(spec) = object.pointer_mut(spec).and_then(Value::as_object_mut) else { continue };
        for containers in ["containers", "initContainers"] {
            let containers = spec.get_mut(containers).and_then(Value::as_array_mut).into_iter().flatten();
            containers.filter_map(Value::as_object_mut).for_each(strip_container);
        }
    }
}

fn strip_container(container: &mut Map<String, Value>) {
    for key in ["env", "envFrom", "args", "command"] {
        container.remove(key);
    }
}

/// Leaves only who an object is: what else kinds say that are not read (Secrets among them) is nobody's business.
pub(super) fn strip_to_identity(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
    }
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "ownerReferences" | "creationTimestamp"));
    }
}

/// The latest time among those that an object tells of itself: a listing with it is no older.
pub(super) fn latest(object: &Value) -> Option<Timestamp> {
    let conditions = list(&object["status"]["conditions"]).iter().flat_map(|condition| {
        ["lastTransitionTime", "lastHeartbeatTime", "lastProbeTime", "lastUpdateTime"].map(|key| &condition[key])
    });
    let own = [&object["metadata"]["creationTimestamp"], &object["status"]["startTime"]];
    let ends = list(&object["status"]["containerStatuses"]).iter();
    let ends = ends.map(|container| &container["state"]["terminated"]["finishedAt"]);
    conditions.chain(own).chain(ends).filter_map(time).max()
}
