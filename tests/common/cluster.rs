//! Objects as the API writes them, for inventories that a test makes itself, and whole clusters.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use super::{Flowmap, python, text};

/// When everything was made that says nothing else: before any capture of a test.
pub const MADE: &str = "2026-11-24T00:00:00Z";

/// An object of namespace `shop`.
pub fn object(version: &str, kind: &str, name: &str) -> Value {
    let meta = json!({"name": name, "namespace": "shop", "uid": format!("{kind}-{name}"), "creationTimestamp": MADE});
    json!({"apiVersion": version, "kind": kind, "metadata": meta})
}

/// A running pod of `shop` on `node-1`, labelled `app=APP`, of the Deployment APP; its name is APP with a suffix.
pub fn pod(app: &str, address: &str) -> Value {
    let mut pod = object("v1", "Pod", &format!("{app}-5d78c9869d-x{}", address.replace(['.', ':'], "")));
    pod["metadata"]["labels"] = json!({"app": app, "pod-template-hash": "5d78c9869d"});
    pod["spec"] = json!({"nodeName": "node-1", "containers": [{"name": "c", "ports": [{"containerPort": 8080}]}]});
    pod["status"] = json!({"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                           "hostIP": "192.0.2.1", "startTime": MADE});
    owned(pod, "ReplicaSet", &format!("{app}-5d78c9869d"))
}

/// A Service of `shop` in front of the pods labelled `app=NAME`, from port 80 to 8080.
pub fn service(name: &str, address: &str) -> Value {
    let mut service = object("v1", "Service", name);
    service["spec"] = json!({"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "selector": {"app": name},
                             "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]});
    service
}

/// A node.
pub fn node(name: &str, address: &str, range: &str) -> Value {
    let mut node = object("v1", "Node", name);
    node["metadata"].as_object_mut().expect("a map").remove("namespace");
    node["spec"] = json!({"podCIDR": range, "podCIDRs": [range]});
    node["status"] = json!({"addresses": [{"type": "InternalIP", "address": address}]});
    node
}

/// Endpoints of a Service.
pub fn endpoints(name: &str, address: &str, port: u16) -> Value {
    let mut endpoints = object("v1", "Endpoints", name);
    endpoints["subsets"] = json!([{"addresses": [{"ip": address}], "ports": [{"name": "http", "port": port}]}]);
    endpoints
}

/// The same object with a controlling owner.
pub fn owned(object: Value, kind: &str, name: &str) -> Value {
    let owner = json!([{"kind": kind, "name": name, "controller": true}]);
    with(object, "/metadata/ownerReferences", owner)
}

/// The same object in another namespace.
pub fn of(namespace: &str, object: Value) -> Value {
    with(object, "/metadata/namespace", namespace.into())
}

/// The same object with one field changed.
pub fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    object.pointer_mut(parent).expect("the field above")[key] = value;
    object
}

/// What `kubectl get ... -A -o json` prints.
pub fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}).to_string()
}

/// Writes `cluster.json` and `flows.csv`: `shop/a` calls `shop/b` ninety times on port 80 and once on port 81.
pub fn two_ports(flowmap: &Flowmap) {
    let items = [node("node-1", "192.0.2.1", "10.244.0.0/16"), pod("a", "10.244.1.1"), pod("b", "10.244.1.2")];
    flowmap.write("cluster.json", list(&items));
    let row = |port: u16, connections: u16| {
        format!(
            "10.244.1.1,10.244.1.2,TCP,{port},{connections},established,2026-11-25T10:00:00Z,2026-11-25T12:00:09Z\n"
        )
    };
    let head = "client,server,protocol,port,connections,outcome,first_seen,last_seen\n";
    flowmap.write("flows.csv", format!("{head}{}{}", row(80, 90), row(81, 1)));
}

/// Files of a made-up cluster: its flows, and its inventory.
pub fn made_up(flowmap: &Flowmap, workloads: u32, dependencies: u32) -> [String; 2] {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/made_up_cluster.py");
    let (workloads, dependencies) = (workloads.to_string(), dependencies.to_string());
    let folder = text(&flowmap.path("made-up"));
    let args = [&text(&script), &workloads, &dependencies, &folder];
    let output = Command::new(python::python()).args(args).output().expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ["flows.csv", "cluster.json"].map(|name| format!("{folder}/{name}"))
}
