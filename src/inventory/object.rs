//! Objects to what they say about the network.

use serde_json::Value;

use super::{
    field::{addresses, at, labels, list, port, protocol, text, time},
    owner::Owners,
    service,
};
use crate::model::{Cluster, ContainerPort, NAMESPACE_NAME_LABEL, Namespace, Node, Pod, Workload, WorkloadRef};

type Tell<'t> = &'t mut dyn FnMut(String);

/// Adds an object; false where its kind says nothing about the network.
pub(super) fn add(cluster: &mut Cluster, kind: &str, value: &Value, owners: &Owners, problem: Tell<'_>) -> bool {
    let name = text(value, &["metadata", "name"]).unwrap_or_default().to_owned();
    let namespace = text(value, &["metadata", "namespace"]).unwrap_or("default").to_owned();
    match kind {
        "Pod" => cluster.pods.push(pod(value, namespace, name, owners, problem)),
        "Namespace" => cluster.namespaces.push(self::namespace(value, name, problem)),
        "Node" => cluster.nodes.push(node(value, name, problem)),
        "Service" => cluster.services.extend(service::service(value, namespace, name, problem)),
        "Endpoints" => cluster.endpoints.extend(service::endpoints(value, &namespace, &name, problem)),
        "EndpointSlice" => cluster.endpoints.extend(service::endpoint_slice(value, &namespace, problem)),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicationController" | "Job" | "ReplicaSet" => {
            // what another object controls is not what a person knows it by
            if !Owners::is_controlled(value) {
                cluster.workloads.push(workload(value, &["spec", "template"], kind, namespace, name, problem));
            }
        }
        "CronJob" => {
            let template = ["spec", "jobTemplate", "spec", "template"];
            cluster.workloads.push(workload(value, &template, kind, namespace, name, problem));
        }
        _ => return false,
    }
    true
}

fn pod(value: &Value, namespace: String, name: String, owners: &Owners, problem: Tell<'_>) -> Pod {
    let phase = text(value, &["status", "phase"]);
    let listed = list(value, &["status", "podIPs"]).filter_map(|ip| text(ip, &["ip"]));
    let found = addresses(text(value, &["status", "podIP"]).into_iter().chain(listed), problem);
    if found.is_empty() && phase == Some("Running") {
        problem("it runs but has no address".into());
    }
    Pod {
        workload: owners.workload(value, &namespace, &name),
        labels: labels(value, &["metadata", "labels"], problem),
        addresses: found,
        node: text(value, &["spec", "nodeName"]).map(str::to_owned),
        host_network: at(value, &["spec", "hostNetwork"]).and_then(Value::as_bool).unwrap_or(false),
        ports: container_ports(value, &["spec"], problem),
        started: time(value, &["status", "startTime"]).or_else(|| time(value, &["metadata", "creationTimestamp"])),
        finished: matches!(phase, Some("Succeeded" | "Failed")),
        namespace,
        name,
    }
}

fn container_ports(value: &Value, path: &[&str], problem: Tell<'_>) -> Vec<ContainerPort> {
    let Some(spec) = at(value, path) else { return Vec::new() };
    let mut ports: Vec<ContainerPort> = Vec::new();
    // init containers that keep running (sidecars) serve too
    for container in list(spec, &["containers"]).chain(list(spec, &["initContainers"])) {
        for declared in list(container, &["ports"]) {
            let name = text(declared, &["name"]).map(str::to_owned);
            match (port(declared, &["containerPort"]), protocol(declared)) {
                (Some(port), Some(protocol)) => ports.push(ContainerPort { name, port, protocol }),
                _ => problem("a container port is not one".into()),
            }
        }
    }
    ports.sort();
    ports.dedup();
    ports
}

fn namespace(value: &Value, name: String, problem: Tell<'_>) -> Namespace {
    let mut labels = labels(value, &["metadata", "labels"], problem);
    labels.0.entry(NAMESPACE_NAME_LABEL.into()).or_insert_with(|| name.clone());
    Namespace { name, labels }
}

fn node(value: &Value, name: String, problem: Tell<'_>) -> Node {
    let listed = list(value, &["status", "addresses"]);
    let numeric =
        listed.filter(|address| !matches!(text(address, &["type"]), Some("Hostname" | "InternalDNS" | "ExternalDNS")));
    let found = addresses(numeric.filter_map(|address| text(address, &["address"])), problem);
    let ranges = list(value, &["spec", "podCIDRs"]).chain(at(value, &["spec", "podCIDR"]));
    let mut pod_ranges: Vec<ipnet::IpNet> = Vec::new();
    for range in ranges.filter_map(Value::as_str) {
        match range.parse::<ipnet::IpNet>() {
            Ok(range) => pod_ranges.push(range.trunc()),
            Err(_) => problem(format!("`{range}` is not a range of addresses")),
        }
    }
    pod_ranges.sort();
    pod_ranges.dedup();
    Node { name, addresses: found, pod_ranges }
}

fn workload(
    value: &Value,
    template: &[&str],
    kind: &str,
    namespace: String,
    name: String,
    problem: Tell<'_>,
) -> Workload {
    let none = Value::Null;
    let template = at(value, template).unwrap_or(&none);
    Workload {
        id: WorkloadRef { namespace, name, kind: kind.to_owned() },
        template_labels: labels(template, &["metadata", "labels"], problem),
        ports: container_ports(template, &["spec"], problem),
        host_network: at(template, &["spec", "hostNetwork"]).and_then(Value::as_bool).unwrap_or(false),
    }
}

/// Brings everything into an order that the file's own does not change, and drops what is there twice.
pub(super) fn sort(cluster: &mut Cluster) {
    cluster.namespaces.sort();
    cluster.namespaces.dedup();
    cluster.nodes.sort();
    cluster.nodes.dedup();
    cluster.pods.sort();
    cluster.pods.dedup();
    cluster.services.sort();
    cluster.services.dedup();
    cluster.endpoints.sort();
    cluster.endpoints.dedup();
    cluster.workloads.sort();
    cluster.workloads.dedup();
    cluster.hosts.sort();
    cluster.hosts.dedup();
    cluster.policies.sort_by_cached_key(|policy| policy.object.to_string());
    cluster.policies.dedup_by(|a, b| a.object == b.object);
}
