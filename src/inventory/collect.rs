//! Objects of a file, one after another, into a cluster.

use serde_json::Value;

use super::{
    field::{Notes, word},
    hosts, merge,
    node::{host_node, namespace, node},
    owners::{Owners, controller},
    pod::{self, pod},
    read::{Problem, Reading},
    service::{endpoint_slice, endpoints, service},
    strip::{latest, strip, strip_to_identity},
};
use crate::model::{Pod, RawObject, WorkloadRef};

/// The kinds that own pods by nature; others may, and show it by a pod template.
const WORKLOADS: [&str; 7] =
    ["CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// API groups whose kinds are read by name; the same name in another group is another thing (a Service of Knative).
const GROUPS: [&str; 5] = ["", "apps", "batch", "discovery.k8s.io", "extensions"];

/// What was read so far.
pub(super) struct Collector<'a> {
    source: &'a str,
    reading: Reading,
    /// Places in the file so far, used or not.
    places: usize,
    /// Whether a List was seen: an empty one is an answer too.
    listed: bool,
    owners: Owners,
    /// Pods with their controllers, as long as not every owner is known.
    pods: Vec<(Pod, Option<WorkloadRef>)>,
}

impl<'a> Collector<'a> {
    pub fn new(source: &'a str) -> Self {
        let (reading, owners) = (Reading::default(), Owners::default());
        Self { source, reading, places: 0, listed: false, owners, pods: Vec::new() }
    }

    /// Notes that something at `place` could not be used.
    pub fn problem(&mut self, place: &str, reason: impl Into<String>) {
        self.reading.problems.push(Problem {
            source: self.source.to_owned(),
            object: place.to_owned(),
            reason: reason.into(),
        });
    }

    /// Takes a document: an object, a List of objects, or a list of objects or hosts.
    pub fn document(&mut self, document: Value) {
        match document {
            Value::Array(items) => items.into_iter().for_each(|item| self.document(item)),
            Value::Object(_) if is_list(&document) => self.list(document),
            _ => self.item(document),
        }
    }

    /// Takes an entry of a hosts file.
    pub fn host(&mut self, place: &str, entry: Value) {
        let problems = &mut self.reading.problems;
        let mut notes = Notes { source: self.source, object: place.to_owned(), problems };
        self.reading.cluster.hosts.extend(hosts::host(&entry, &mut notes));
        self.reading.objects.push(entry);
    }

    /// What was read, or nothing where none of it was an object or a host.
    pub fn finish(mut self) -> Option<Reading> {
        if self.reading.objects.is_empty() && !self.listed {
            return None;
        }
        let mut cluster = std::mem::take(&mut self.reading.cluster);
        for (mut pod, controller) in self.pods {
            pod.workload = self.owners.top(&pod, controller);
            cluster.pods.push(pod);
        }
        cluster.workloads.retain(|workload| self.owners.is_top(&workload.id));
        let taken_at = self.reading.objects.iter().filter_map(latest).max();
        Some(Reading { cluster: merge::settled(cluster), taken_at, ..self.reading })
    }

    /// The items of a List. Those of a typed one (`PodList`, from the API itself) leave their kind to it.
    fn list(&mut self, mut list: Value) {
        let kind = word(&list["kind"]).and_then(|kind| kind.strip_suffix("List")).unwrap_or_default().to_owned();
        self.listed |= list["kind"].is_string();
        let version = list["apiVersion"].take();
        let Value::Array(items) = list["items"].take() else { return };
        for mut item in items {
            if let Some(object) = item.as_object_mut().filter(|_| !kind.is_empty()) {
                object.entry("kind").or_insert_with(|| kind.clone().into());
                object.entry("apiVersion").or_insert_with(|| version.clone());
            }
            self.document(item);
        }
    }

    fn item(&mut self, mut item: Value) {
        self.places += 1;
        let place = format!("item {}", self.places);
        if hosts::is_host(&item) {
            return self.host(&place, item);
        }
        let is_object = item["metadata"].is_object() || item["apiVersion"].is_string();
        let Some(kind) = word(&item["kind"]).filter(|_| is_object).map(str::to_owned) else {
            return self.problem(&place, "is no Kubernetes object: it has no kind");
        };
        strip(&mut item);
        if kind.ends_with("NetworkPolicy") {
            // as it is, also without a name: the policy room judges what an API server would take
            let raw = RawObject { source: self.source.to_owned(), document: self.places, object: item.clone() };
            self.reading.cluster.policies.push(raw);
        } else if let Some(name) = word(&item["metadata"]["name"]) {
            let id = WorkloadRef { namespace: namespace_of(&kind, &item), name: name.to_owned(), kind };
            if !self.object(&item, id) {
                strip_to_identity(&mut item);
            }
        } else {
            self.problem(&format!("{place} ({kind})"), "has no metadata.name");
        }
        self.reading.objects.push(item);
    }

    /// Takes an object by its kind; false where that says nothing of the network.
    fn object(&mut self, item: &Value, id: WorkloadRef) -> bool {
        let group =
            word(&item["apiVersion"]).and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
        let known = GROUPS.contains(&group);
        let object =
            if id.namespace.is_empty() { format!("{} {}", id.kind, id.name) } else { format!("{} {id}", id.kind) };
        let notes = &mut Notes { source: self.source, object, problems: &mut self.reading.problems };
        let cluster = &mut self.reading.cluster;
        let controller = controller(item, &id.namespace);
        match id.kind.as_str() {
            "Pod" if known => {
                cluster.nodes.extend(host_node(item, notes));
                self.pods.push((pod(item, id, notes), controller));
            }
            "Namespace" if known => cluster.namespaces.push(namespace(item, id.name, notes)),
            "Node" if known => cluster.nodes.push(node(item, id.name, notes)),
            "Service" if known => cluster.services.push(service(item, id, notes)),
            "Endpoints" if known => cluster.endpoints.extend(endpoints(item, &id, notes)),
            "EndpointSlice" if known => cluster.endpoints.extend(endpoint_slice(item, &id, notes)),
            kind => {
                // of any kind: it may stand between a workload and its top owner
                self.owners.add(id.clone(), controller);
                match pod::template(item) {
                    Some(template) => cluster.workloads.push(pod::workload(template, id, notes)),
                    None if known && WORKLOADS.contains(&kind) => notes.add("has no pod template"),
                    None => {
                        *self.reading.skipped.entry(qualified(kind, group)).or_default() += 1;
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// Whether a document stands for its items alone. A kind of another meaning (`AllowList`) has a name.
fn is_list(document: &Value) -> bool {
    let items = &document["items"];
    match word(&document["kind"]) {
        None => items.is_array(),
        Some(kind) => {
            let is_nameless = document["metadata"]["name"].is_null();
            kind.ends_with("List") && (items.is_array() || items.is_null() && is_nameless)
        }
    }
}

/// Manifests may leave the namespace to kubectl, which then means `default`.
fn namespace_of(kind: &str, item: &Value) -> String {
    match word(&item["metadata"]["namespace"]) {
        Some(namespace) => namespace.to_owned(),
        None if matches!(kind, "Namespace" | "Node") => String::new(),
        None => "default".to_owned(),
    }
}

/// A kind with its API group, where that is not one of Kubernetes' own.
fn qualified(kind: &str, group: &str) -> String {
    if GROUPS.contains(&group) || group.ends_with(".k8s.io") { kind.to_owned() } else { format!("{kind}.{group}") }
}
