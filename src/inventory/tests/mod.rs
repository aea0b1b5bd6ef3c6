//! Builders of objects as the API writes them, and tests by subject.

mod apps;
mod directory;
mod hosts;
mod malformed;
mod merging;
mod owners;
mod reading;
mod services;
mod timeline;
mod watch;

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Directory, Owner, Reading, read};
use crate::model::{Cluster, Timestamp};

fn mk_object(version: &str, kind: &str, name: &str) -> Value {
    let cluster_wide = matches!(kind, "Node" | "Namespace");
    let namespace = if cluster_wide { Value::Null } else { "shop".into() };
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}})
}

/// A running pod of `shop` on `node-1`, started at ten.
fn mk_pod(name: &str, address: &str) -> Value {
    let mut pod = mk_object("v1", "Pod", name);
    pod["metadata"]["labels"] = json!({"app": name});
    pod["spec"] = json!({"nodeName": "node-1", "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]});
    pod["status"] = json!({"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                           "hostIP": "192.0.2.1", "startTime": "2026-09-21T10:00:00Z"});
    pod
}

fn mk_node(name: &str, address: &str, range: &str) -> Value {
    let mut node = mk_object("v1", "Node", name);
    node["spec"] = json!({"podCIDR": range, "podCIDRs": [range]});
    node["status"] =
        json!({"addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]});
    node
}

fn mk_service(name: &str, address: &str) -> Value {
    let mut service = mk_object("v1", "Service", name);
    service["spec"] = json!({"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "selector": {"app": name},
                             "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]});
    service
}

fn mk_owner(version: &str, kind: &str, name: &str) -> Value {
    let mut owner = mk_object(version, kind, name);
    owner["spec"] = json!({"template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"ports": [{"containerPort": 8080}]}]}}});
    owner
}

fn owned(mut object: Value, kind: &str, name: &str) -> Value {
    object["metadata"]["ownerReferences"] = json!([{"kind": kind, "name": name, "controller": true}]);
    object
}

/// An object with one field changed.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    object
}

fn mk_list(items: &[Value]) -> Vec<u8> {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string().into_bytes()
}

fn reading(items: &[Value]) -> Reading {
    read("cluster.json", &mk_list(items)).unwrap()
}

fn cluster(items: &[Value]) -> Cluster {
    let reading = reading(items);
    assert_eq!(reading.problems, []);
    reading.cluster
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-09-21T{time}Z")).unwrap()
}

/// An owner in a word: `Pod shop/web-1`, `Node node-1`, `External`.
fn who(directory: &Directory, address: &str, time: &str) -> String {
    named(directory.who(ip(address), at(time)))
}

fn named(owner: Owner<'_>) -> String {
    match owner {
        Owner::Pod(pod) => format!("Pod {}/{}", pod.namespace, pod.name),
        Owner::Node(node) => format!("Node {}", node.name),
        Owner::Service(service) => format!("Service {}/{}", service.namespace, service.name),
        Owner::Host(host) => format!("Host {}", host.name.as_deref().unwrap_or_default()),
        other => format!("{other:?}"),
    }
}
