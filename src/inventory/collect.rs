//! Objects of a file or of the store, one after another, into items.

use serde_json::Value;

use super::{
    field::{Notes, Problems, list, ranges, word},
    hosts,
    items::{Item, Items, Meta},
    node::{host_node, namespace, node, tunnels},
    owners::{Owners, controller},
    pod::{self, pod},
    read::{Problem, ReadError, Reading},
    service::{api_service, conversion, endpoint_slice, endpoints, ingress, service, webhooks},
    strip::{latest, strip, strip_to_identity},
};
use crate::model::{ListTally, RawObject, Timestamp, WorkloadRef, form::NAMESPACE};

/// The kinds that own pods by nature; others may, and show it by a pod template.
const WORKLOADS: [&str; 7] =
    ["CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// API groups whose kinds are read by name; the same name in another group is another thing (a Service of Knative).
const GROUPS: [&str; 6] = ["", "apps", "batch", "discovery.k8s.io", "extensions", "networking.k8s.io"];

/// The API group of webhook configurations.
const WEBHOOK_GROUP: &str = "admissionregistration.k8s.io";

/// The API group of `CustomResourceDefinition`s, which may name a webhook that converts their objects.
const DEFINITION_GROUP: &str = "apiextensions.k8s.io";

/// The API group of `APIService`s, which name the servers of groups of the API.
const API_GROUP: &str = "apiregistration.k8s.io";

/// What was read so far.
pub(super) struct Collector<'a> {
    source: &'a str,
    reading: Reading,
    problems: Problems,
    items: Items,
    /// Places in the file so far, used or not.
    places: usize,
    /// Objects and hosts that were left out for a fault of their own.
    left_out: usize,
    /// Whether a List was seen: an empty one is an answer too.
    listed: bool,
    /// What the List that is being read holds.
    tally: Option<ListTally>,
    taken_at: Option<Timestamp>,
    owners: Owners,
    /// The controllers of the pods, by their places among the items, as long as not every owner is known.
    controllers: Vec<Option<WorkloadRef>>,
    /// Whether objects are kept as they were written.
    keeps: bool,
}

impl<'a> Collector<'a> {
    /// A collector of one file, which keeps its objects.
    pub fn new(source: &'a str) -> Self {
        Self {
            source,
            reading: Reading::default(),
            problems: Problems::default(),
            items: Items::default(),
            places: 0,
            left_out: 0,
            listed: false,
            tally: None,
            taken_at: None,
            owners: Owners::default(),
            controllers: Vec::new(),
            keeps: true,
        }
    }

    /// A collector of objects that are kept elsewhere.
    pub fn of_store() -> Self {
        Self { keeps: false, ..Self::new("") }
    }

    /// Notes that something at `place` could not be used.
    pub fn problem(&mut self, place: &str, reason: impl Into<String>) {
        let (source, object) = (self.source.to_owned(), place.to_owned());
        self.problems.add(Problem { source, object, reason: reason.into() });
    }

    /// Leaves an object or a host out, and tells why.
    pub fn leave_out(&mut self, place: &str, why: String) {
        self.left_out += 1;
        self.problem(place, why);
    }

    /// Leaves an object or a host of a document out, and tells why. The List that it is in says nothing of what it lacks.
    pub fn refuse(&mut self, item: &Value, why: String) {
        self.places += 1;
        self.tally = None;
        let place = format!("item {}", self.places);
        let words = [word(&item["kind"]), word(&item["metadata"]["name"])];
        let name = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        self.leave_out(&if name.is_empty() { place } else { format!("{place} ({name})") }, why);
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
    pub fn host(&mut self, place: &str, entry: &Value) {
        let problems = &mut self.problems;
        let mut notes = Notes { source: self.source, object: place.to_owned(), problems };
        let object = self.items.meta(Meta::default());
        self.items.hosts.extend(hosts::host(entry, &mut notes).map(|value| Item { object, value }));
        self.keep(entry);
    }

    /// Takes an object of the store, as it was kept; `source` names what it came from.
    pub fn stored(&mut self, source: &'a str, object: Value) {
        self.source = source;
        self.item(object);
    }

    /// How many objects were taken.
    pub fn count(&self) -> usize {
        self.items.metas.len()
    }

    /// What was read; an error where none of it was an object or a host that can be used.
    pub fn finish(self) -> Result<Reading, ReadError> {
        if self.reading.objects.is_empty() && !self.listed {
            return Err(match self.problems.kept.first() {
                Some(first) if self.left_out > 0 => ReadError::AtFault { first: first.line(), more: self.left_out - 1 },
                _ => ReadError::NoObjects,
            });
        }
        let taken_at = self.taken_at;
        let (items, reading, Problems { kept, beyond }) = self.settle();
        Ok(Reading { cluster: items.cluster(), problems: kept, more_problems: beyond, taken_at, ..reading })
    }

    /// The items alone.
    pub fn items(self) -> Items {
        self.settle().0
    }

    /// Every pod with its top owner, and of the owners only these.
    fn settle(mut self) -> (Items, Reading, Problems) {
        for (pod, controller) in self.items.pods.iter_mut().zip(self.controllers) {
            pod.value.workload = self.owners.top(&pod.value, controller);
        }
        self.items.workloads.retain(|workload| self.owners.is_top(&workload.value.id));
        self.items.selected.retain(|it| self.owners.is_top(&it.value.id));
        self.items.schedules.retain(|it| self.owners.is_top(&it.value.id));
        (self.items, self.reading, self.problems)
    }

    fn keep(&mut self, object: &Value) {
        self.taken_at = self.taken_at.max(latest(object));
        if self.keeps {
            // as text: its tree is several times as large
            self.reading.objects.push(object.to_string());
        }
    }

    /// The items of a List. Those of a typed one (`PodList`, from the API itself) leave their kind to it.
    fn list(&mut self, mut list: Value) {
        let Value::Array(items) = list["items"].take() else {
            self.listed |= list["kind"].is_string();
            return;
        };
        let outer = self.open_list();
        for item in items {
            self.list_item(item, &list);
        }
        self.close_list(outer, &list);
    }

    /// Takes the items of a List that was cut short between two lines, but for the last: a part of it may be an object too, one
    /// without addresses.
    pub fn cut_list(&mut self, mut list: Value) {
        let mut items = list["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        items.pop();
        let outer = self.open_list();
        for item in items {
            self.list_item(item, &list);
        }
        self.leave_list(outer);
        let place = format!("item {}", self.places + 1);
        let why = "the YAML is cut short: it ends before the `kind` of its List, which stands behind the items; \
                   this last one may be cut too and is left out";
        self.leave_out(&place, why.to_owned());
    }

    /// Begins a List, which may stand within another; what that held so far is to be given back at its end.
    pub fn open_list(&mut self) -> Option<ListTally> {
        self.tally.replace(ListTally::default())
    }

    /// Ends a List that was not read to its end, or was none: it says nothing of what it lacks.
    pub fn leave_list(&mut self, outer: Option<ListTally>) {
        self.tally = outer;
    }

    /// Takes an item of the List of which `head` holds the rest.
    pub fn list_item(&mut self, mut item: Value, head: &Value) {
        let kind = word(&head["kind"]).and_then(|kind| kind.strip_suffix("List")).unwrap_or_default();
        if let Some(object) = item.as_object_mut().filter(|_| !kind.is_empty()) {
            object.entry("kind").or_insert_with(|| kind.into());
            object.entry("apiVersion").or_insert_with(|| head["apiVersion"].clone());
        }
        self.document(item);
    }

    /// Ends a List that was read whole. A page of a longer one says nothing of what it lacks.
    pub fn close_list(&mut self, outer: Option<ListTally>, head: &Value) {
        self.listed |= head["kind"].is_string();
        let is_page = self.note_page(head);
        if let Some(tally) = std::mem::replace(&mut self.tally, outer).filter(|_| !is_page) {
            self.reading.complete.add_list(version(head), tally);
        }
    }

    /// Whether a List has further pages; which List, is noted: the last page does not say that it is one.
    pub fn note_page(&mut self, head: &Value) -> bool {
        let is_page = word(&head["metadata"]["continue"]).is_some();
        if let Some(version) = version(head).filter(|_| is_page) {
            self.reading.complete.add_page(version);
        }
        is_page
    }

    fn item(&mut self, mut item: Value) {
        self.places += 1;
        let place = || format!("item {}", self.places);
        if hosts::is_host(&item) {
            return self.host(&place(), &item);
        }
        let is_object = item["metadata"].is_object() || item["apiVersion"].is_string();
        let Some(kind) = word(&item["kind"]).filter(|_| is_object).map(str::to_owned) else {
            return self.problem(&place(), "is no Kubernetes object: it has no kind");
        };
        strip(&mut item);
        let name = word(&item["metadata"]["name"]).map(str::to_owned);
        let id = WorkloadRef { namespace: namespace_of(&kind, &item), name: name.unwrap_or_default(), kind };
        if let Some(tally) = &mut self.tally {
            tally.add(&id.kind, &id.namespace);
        }
        let object = self.items.meta(Meta::of(&item, id.clone()));
        if decides_over_traffic(&id.kind) {
            // as it is, also without a name: the policy room judges what an API server would take
            let value = RawObject { source: self.source.to_owned(), document: None, object: item.clone() };
            self.items.policies.push(Item { object, value });
        } else if id.name.is_empty() {
            self.problem(&format!("{} ({})", place(), id.kind), "has no metadata.name");
        } else if let Some(odd) = odd_namespace(&item) {
            // it would be taken for one that says none, and so for one of another namespace
            let why =
                format!("has a namespace that is no text: {odd} (YAML reads words such as on, n and 7 as others)");
            self.problem(&format!("{} ({} {})", place(), id.kind, id.name), why);
        } else if let Some(refusal) = refused_namespace(&id) {
            self.problem(&format!("{} ({})", place(), id.kind), refusal);
        } else if !self.object(&item, object, id) {
            strip_to_identity(&mut item);
        }
        self.keep(&item);
    }

    /// Takes an object by its kind; false where that says nothing of the network.
    fn object(&mut self, item: &Value, object: usize, id: WorkloadRef) -> bool {
        let group =
            word(&item["apiVersion"]).and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
        let known = GROUPS.contains(&group);
        let name =
            if id.namespace.is_empty() { format!("{} {}", id.kind, id.name) } else { format!("{} {id}", id.kind) };
        let notes = &mut Notes { source: self.source, object: name, problems: &mut self.problems };
        let items = &mut self.items;
        let controller = controller(item, &id.namespace);
        match id.kind.as_str() {
            "Pod" if known => {
                items.nodes.extend(host_node(item, notes).map(|value| Item { object, value }));
                items.pods.push(Item { object, value: pod(item, id, notes) });
                self.controllers.push(controller);
            }
            "Namespace" if known => items.namespaces.push(Item { object, value: namespace(item, id.name, notes) }),
            "Node" if known => {
                items.tunnels.push(Item { object, value: tunnels(item) });
                items.nodes.push(Item { object, value: node(item, id.name, notes) });
            }
            "Service" if known => items.services.push(Item { object, value: service(item, id, notes) }),
            "ServiceCIDR" if known => {
                items.service_ranges.push(Item { object, value: ranges(list(&item["spec"]["cidrs"]), "range", notes) });
            }
            "Ingress" if known => items.ingresses.push(Item { object, value: ingress(item, id) }),
            "Endpoints" if known => items.endpoints.push(Item { object, value: endpoints(item, &id, notes) }),
            "EndpointSlice" if known => {
                items.endpoints.push(Item { object, value: endpoint_slice(item, &id, notes) });
            }
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" if group == WEBHOOK_GROUP => {
                items.webhooks.push(Item { object, value: webhooks(item, &id) });
            }
            "CustomResourceDefinition" if group == DEFINITION_GROUP => {
                let Some(value) = conversion(item, &id) else { return false };
                items.webhooks.push(Item { object, value: vec![value] });
            }
            "APIService" if group == API_GROUP => {
                let Some(value) = api_service(item, &id) else { return false };
                items.webhooks.push(Item { object, value: vec![value] });
            }
            kind => {
                // of any kind: it may stand between a workload and its top owner
                self.owners.add(id.clone(), controller);
                match pod::template(item) {
                    Some(template) => {
                        items.selected.extend(pod::selected(item, &id, notes).map(|value| Item { object, value }));
                        items.schedules.extend(pod::schedule(item, &id).map(|value| Item { object, value }));
                        items.workloads.push(Item { object, value: pod::workload(template, id, notes) });
                    }
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

/// What all pages of a List share: its kind and the version that the API server read it at. kubectl joins pages and writes none.
fn version(head: &Value) -> Option<String> {
    let version = word(&head["metadata"]["resourceVersion"])?;
    Some(format!("{} {version}", word(&head["kind"]).unwrap_or_default()))
}

/// A namespace that is no text, as it stands there.
fn odd_namespace(item: &Value) -> Option<String> {
    let namespace = &item["metadata"]["namespace"];
    (!namespace.is_null() && !namespace.is_string()).then(|| namespace.to_string())
}

/// Why an object is in no namespace that there can be: no policy could be written for it, nor name its namespace.
fn refused_namespace(id: &WorkloadRef) -> Option<String> {
    let (what, namespace) = if id.kind == "Namespace" { ("name", &id.name) } else { ("namespace", &id.namespace) };
    let is_good = namespace.is_empty() || (NAMESPACE.holds)(namespace);
    (!is_good).then(|| format!("{what} {}", NAMESPACE.refusal(namespace)))
}

/// Kinds that lie in no namespace.
const IN_NO_NAMESPACE: [&str; 6] =
    ["Namespace", "Node", "ServiceCIDR", "ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"];

/// Manifests may leave the namespace to kubectl, which then means `default`.
fn namespace_of(kind: &str, item: &Value) -> String {
    match word(&item["metadata"]["namespace"]) {
        Some(namespace) => namespace.to_owned(),
        None if IN_NO_NAMESPACE.contains(&kind) => String::new(),
        None => "default".to_owned(),
    }
}

/// A kind with its API group, where that is not one of Kubernetes' own.
fn qualified(kind: &str, group: &str) -> String {
    if GROUPS.contains(&group) || group.ends_with(".k8s.io") { kind.to_owned() } else { format!("{kind}.{group}") }
}

/// Kinds of policies, also such as are named and not evaluated.
fn decides_over_traffic(kind: &str) -> bool {
    kind.ends_with("NetworkPolicy") || matches!(kind, "EgressFirewall" | "AuthorizationPolicy")
}
