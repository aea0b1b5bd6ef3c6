//! What objects say, one by one, each with the object it is from: so that it can be told when it was so.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::{
    field::{list, time, word},
    merge::settled,
};
use crate::model::{
    Cluster, Endpoint, Host, Ingress, Namespace, Node, Pod, RawObject, Schedule, Selected, Service, Timestamp, Webhook,
    Workload, WorkloadRef,
};

/// Something that an object says.
#[derive(Clone, Debug)]
pub(super) struct Item<T> {
    /// The object's place among those read.
    pub object: usize,
    /// What it says.
    pub value: T,
}

/// What was the matter with an object's holding of its addresses when it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It has them.
    #[default]
    Here,
    /// It was told to go: from `asked` on it may be gone at any time, and should be by `due`.
    Leaving { asked: Timestamp, due: Timestamp },
    /// It has ended, then if anybody tells.
    Over(Option<Timestamp>),
}

/// What every object says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Meta {
    /// Its kind, namespace and name.
    pub id: WorkloadRef,
    /// `metadata.uid`: an object of the same name with another is another. Where there is none, the time it was made
    /// or started tells as much.
    pub uid: String,
    /// When it was made, if it tells: manifests do not.
    pub created: Option<Timestamp>,
    /// The first moment at which it can have had its addresses.
    pub started: Option<Timestamp>,
    /// Of a pod, when what it has its addresses from was made, if it tells: after its node was started anew, it has others.
    pub networked: Option<Timestamp>,
    /// Whether it still has its addresses.
    pub state: State,
}

impl Meta {
    /// Reads what every object says of itself.
    pub fn of(item: &Value, id: WorkloadRef) -> Self {
        let (meta, status) = (&item["metadata"], &item["status"]);
        let uid = [&meta["uid"], &meta["creationTimestamp"], &status["startTime"]].into_iter().find_map(word);
        let created = time(&meta["creationTimestamp"]);
        let is_pod = id.kind == "Pod";
        let started = time(&status["startTime"]).filter(|_| is_pod).or(created);
        let state = if is_pod { state(item) } else { State::Here };
        let networked = networked(status).filter(|_| is_pod);
        let uid = uid.unwrap_or_default().to_owned();
        Self { id, uid, created, started, networked, state }
    }
}

/// The statuses of a pod's containers.
fn containers(status: &Value) -> impl Iterator<Item = &Value> {
    ["containerStatuses", "initContainerStatuses"].into_iter().flat_map(|key| list(&status[key]))
}

/// When a pod's sandbox, and with it its addresses, was made at the latest (`PodReadyToStartContainers`, since Kubernetes 1.29). The
/// kubelet may say so when it has pulled images only: a container that runs already tells better. Of a pod that is over it says
/// that there is no sandbox any more, and before that version nothing: where none of its containers began a second time, there
/// was but one.
fn networked(status: &Value) -> Option<Timestamp> {
    let is_ready =
        |condition: &&Value| condition["type"] == "PodReadyToStartContainers" && condition["status"] == "True";
    let ready = list(&status["conditions"]).iter().find(is_ready).and_then(|it| time(&it["lastTransitionTime"]));
    let is_first = |container: &Value| container["restartCount"].as_u64().unwrap_or_default() == 0;
    if ready.is_none() && !containers(status).all(is_first) {
        return None;
    }
    let begun = containers(status).flat_map(|container| {
        let state = &container["state"];
        [&state["running"]["startedAt"], &state["terminated"]["startedAt"]].into_iter().filter_map(time)
    });
    begun.chain(ready).min()
}

/// The grace that the API server gives a pod where nothing else is said, in seconds.
const DEFAULT_GRACE_S: i64 = 30;

fn state(pod: &Value) -> State {
    let (meta, status) = (&pod["metadata"], &pod["status"]);
    if matches!(word(&status["phase"]), Some("Succeeded" | "Failed")) {
        return State::Over(finished_at(status));
    }
    let Some(due) = time(&meta["deletionTimestamp"]) else { return State::Here };
    let grace_s = meta["deletionGracePeriodSeconds"].as_i64().unwrap_or(DEFAULT_GRACE_S).max(0);
    State::Leaving { asked: Timestamp(due.0.saturating_sub(grace_s.saturating_mul(1_000_000_000))), due }
}

/// When the last of a pod's containers ended. Of a pod that its node was lost with, or that was stopped with it, nobody tells: its
/// containers stand there as they ran last.
fn finished_at(status: &Value) -> Option<Timestamp> {
    if containers(status).any(|container| container["state"]["running"].is_object()) {
        return None;
    }
    containers(status).filter_map(|container| time(&container["state"]["terminated"]["finishedAt"])).max()
}

/// What was read, by what it is about.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub metas: Vec<Meta>,
    pub namespaces: Vec<Item<Namespace>>,
    pub nodes: Vec<Item<Node>>,
    pub tunnels: Vec<Item<Vec<IpAddr>>>,
    pub pods: Vec<Item<Pod>>,
    pub services: Vec<Item<Service>>,
    pub service_ranges: Vec<Item<Vec<IpNet>>>,
    pub endpoints: Vec<Item<Vec<Endpoint>>>,
    pub workloads: Vec<Item<Workload>>,
    pub selected: Vec<Item<Selected>>,
    pub schedules: Vec<Item<Schedule>>,
    pub webhooks: Vec<Item<Vec<Webhook>>>,
    pub ingresses: Vec<Item<Ingress>>,
    pub hosts: Vec<Item<Host>>,
    pub policies: Vec<Item<RawObject>>,
}

impl Items {
    /// Adds an object and tells its place.
    pub fn meta(&mut self, meta: Meta) -> usize {
        self.metas.push(meta);
        self.metas.len() - 1
    }

    /// All as one cluster, whenever it was so.
    pub fn cluster(self) -> Cluster {
        let Self { namespaces, nodes, pods, services, endpoints, workloads, ingresses, hosts, policies, .. } = self;
        let (selected, schedules, webhooks) = (self.selected, self.schedules, self.webhooks);
        let (service_ranges, tunnels) = (self.service_ranges, self.tunnels);
        settled(Cluster {
            namespaces: values(namespaces),
            nodes: values(nodes),
            pods: values(pods),
            services: values(services),
            tunnels: values(tunnels).into_iter().flatten().collect(),
            service_ranges: values(service_ranges).into_iter().flatten().collect(),
            endpoints: values(endpoints).into_iter().flatten().collect(),
            workloads: values(workloads),
            selected: values(selected),
            schedules: values(schedules),
            webhooks: values(webhooks).into_iter().flatten().collect(),
            ingresses: values(ingresses),
            hosts: values(hosts),
            policies: values(policies),
        })
    }
}

fn values<T>(items: Vec<Item<T>>) -> Vec<T> {
    items.into_iter().map(|item| item.value).collect()
}
