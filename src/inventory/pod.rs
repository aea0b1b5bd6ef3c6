//! Pods, and the templates they are made from.

use std::net::IpAddr;

use serde_json::Value;

use super::field::{Notes, addresses, labels, list, port, protocol, selector, sorted, time, word};
use crate::model::{ContainerPort, HostPort, Labels, Mesh, Pod, Schedule, Selected, Workload, WorkloadRef};

/// A pod, for now its own workload.
pub(super) fn pod(item: &Value, id: WorkloadRef, notes: &mut Notes) -> Pod {
    let (meta, spec, status) = (&item["metadata"], &item["spec"], &item["status"]);
    let phase = word(&status["phase"]).unwrap_or_default();
    let told = list(&status["podIPs"]).iter().map(|entry| &entry["ip"]).chain([&status["podIP"]]);
    let addresses = addresses(told, "pod address", notes);
    if addresses.is_empty() && phase == "Running" {
        notes.add("is running without an address");
    }
    Pod {
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        workload: id,
        maker: maker(meta),
        labels: labels(&meta["labels"], "labels", notes),
        host_network: is_host_network(spec, status),
        addresses,
        node: word(&spec["nodeName"]).map(str::to_owned),
        ports: container_ports(spec, notes),
        host_ports: host_ports(spec),
        started: time(&status["startTime"]).or_else(|| time(&meta["creationTimestamp"])),
        finished: matches!(phase, "Succeeded" | "Failed"),
        mesh: mesh(meta, spec),
    }
}

/// The controlling owner, of which there is one at most.
fn maker(meta: &Value) -> Option<String> {
    let owner = list(&meta["ownerReferences"]).iter().find(|owner| owner["controller"] == Value::Bool(true))?;
    word(&owner["name"]).map(str::to_owned)
}

/// The mesh that carries a pod's traffic, by the proxy that was put into it or by what redirects it on its node.
fn mesh(meta: &Value, spec: &Value) -> Option<Mesh> {
    let named = |wanted: &str| {
        let containers = ["containers", "initContainers"].into_iter().flat_map(|key| list(&spec[key]));
        containers.into_iter().any(|container| word(&container["name"]) == Some(wanted))
    };
    let is_redirected = word(&meta["annotations"]["ambient.istio.io/redirection"]) == Some("enabled");
    if named("istio-proxy") {
        Some(Mesh::IstioSidecar)
    } else if named("linkerd-proxy") {
        Some(Mesh::Linkerd)
    } else {
        is_redirected.then_some(Mesh::IstioAmbient)
    }
}

/// By its spec; or by its address, for the spec may have been left out of a file.
fn is_host_network(spec: &Value, status: &Value) -> bool {
    spec["hostNetwork"] == Value::Bool(true)
        || word(&status["podIP"]).is_some_and(|address| word(&status["hostIP"]) == Some(address))
}

fn container_ports(spec: &Value, notes: &mut Notes) -> Vec<ContainerPort> {
    let ports = lasting_containers(spec).flat_map(|container| list(&container["ports"]));
    sorted(ports.filter_map(|item| container_port(item, notes)))
}

/// The containers that run as long as the pod does: sidecars are init containers that restart always.
fn lasting_containers(spec: &Value) -> impl Iterator<Item = &Value> {
    let sidecars = list(&spec["initContainers"]).iter().filter(|container| container["restartPolicy"] == "Always");
    list(&spec["containers"]).iter().chain(sidecars)
}

/// The container's ports that the node opens as well, but for those at its loopback address, which nobody outside reaches.
/// What is wrong with one is told with the container's ports.
fn host_ports(spec: &Value) -> Vec<HostPort> {
    let ports = lasting_containers(spec).flat_map(|container| list(&container["ports"]));
    let opened = ports.filter_map(|item| {
        let number = |name: &str| u16::try_from(item[name].as_u64()?).ok().filter(|port| *port > 0);
        let protocol = word(&item["protocol"]).unwrap_or("TCP").parse().ok()?;
        let address: Option<IpAddr> = word(&item["hostIP"]).and_then(|text| text.parse().ok());
        let address = address.filter(|address| !address.is_unspecified());
        Some(HostPort { protocol, port: number("hostPort")?, target: number("containerPort")?, address })
    });
    sorted(opened.filter(|opened| opened.address.is_none_or(|address| !address.is_loopback())))
}

fn container_port(item: &Value, notes: &mut Notes) -> Option<ContainerPort> {
    let number = port(&item["containerPort"], "containerPort", notes);
    let protocol = protocol(&item["protocol"], notes);
    Some(ContainerPort { name: word(&item["name"]).map(str::to_owned), port: number?, protocol: protocol? })
}

/// The pod template of an object of any kind that has one, also through a `CronJob`'s job template.
pub(super) fn template(item: &Value) -> Option<&Value> {
    let spec = &item["spec"];
    [&spec["template"], &spec["jobTemplate"]["spec"]["template"]]
        .into_iter()
        .find(|template| template["spec"]["containers"].is_array())
}

/// An owner of pods by its template.
pub(super) fn workload(template: &Value, id: WorkloadRef, notes: &mut Notes) -> Workload {
    Workload {
        id,
        template_labels: labels(&template["metadata"]["labels"], "template labels", notes),
        ports: container_ports(&template["spec"], notes),
        host_network: template["spec"]["hostNetwork"] == Value::Bool(true),
    }
}

/// The labels by which an owner finds its pods; those of a `ReplicationController` are its selector itself.
pub(super) fn selected(item: &Value, id: &WorkloadRef, notes: &mut Notes) -> Option<Selected> {
    let whole = &item["spec"]["selector"];
    let plain = if id.kind == "ReplicationController" { whole } else { &whole["matchLabels"] };
    let labels: Labels = selector(plain, notes);
    (!labels.is_empty()).then(|| Selected { id: id.clone(), labels })
}

/// When a `CronJob` runs.
pub(super) fn schedule(item: &Value, id: &WorkloadRef) -> Option<Schedule> {
    let spec = &item["spec"];
    let cron = word(&spec["schedule"]).filter(|_| id.kind == "CronJob")?.to_owned();
    let zone = word(&spec["timeZone"]).map(str::to_owned);
    Some(Schedule { id: id.clone(), cron, zone, is_suspended: spec["suspend"] == Value::Bool(true) })
}
