//! Nodes and namespaces.

use std::net::IpAddr;

use serde_json::Value;

use super::field::{Notes, addresses, labels, list, ranges, sorted, word};
use crate::model::{NAMESPACE_NAME_LABEL, Namespace, Node};

/// Where network plugins write the node's own addresses inside the pod network, from which its kubelet, its
/// host-network pods and all that it SNATs talk to pods.
const TUNNEL_ANNOTATIONS: [&str; 6] = [
    "network.cilium.io/ipv4-cilium-host",
    "network.cilium.io/ipv6-cilium-host",
    "projectcalico.org/IPv4IPIPTunnelAddr",
    "projectcalico.org/IPv4VXLANTunnelAddr",
    "projectcalico.org/IPv4WireguardInterfaceAddr",
    "projectcalico.org/IPv6VXLANTunnelAddr",
];

/// Where flannel writes the address by which other nodes reach it: the node's own, outside the pod network.
const PUBLIC_ANNOTATION: &str = "flannel.alpha.coreos.com/public-ip";

/// Those of a node's addresses that are inside the pod network. What is none is told with the node.
pub(super) fn tunnels(item: &Value) -> Vec<IpAddr> {
    let annotated = TUNNEL_ANNOTATIONS.iter().filter_map(|key| word(&item["metadata"]["annotations"][*key]));
    annotated.filter_map(|text| Some(text.parse::<IpAddr>().ok()?.to_canonical())).collect()
}

/// A node with all its addresses.
pub(super) fn node(item: &Value, name: String, notes: &mut Notes) -> Node {
    let spec = &item["spec"];
    let told =
        list(&item["status"]["addresses"]).iter().filter(|entry| is_address(entry)).map(|entry| &entry["address"]);
    let keys = TUNNEL_ANNOTATIONS.iter().chain([&PUBLIC_ANNOTATION]);
    let annotated = keys.map(|key| &item["metadata"]["annotations"][*key]);
    let addresses = addresses(told.chain(annotated), "node address", notes);
    let told = list(&spec["podCIDRs"]).iter().chain([&spec["podCIDR"]]);
    let pod_ranges = ranges(told, "pod range", notes);
    let labels = labels(&item["metadata"]["labels"], "labels", notes);
    Node { name, addresses, pod_ranges, labels: Some(labels) }
}

/// Host and DNS names stand among the addresses; on some clouds the host name is an address.
fn is_address(entry: &Value) -> bool {
    matches!(word(&entry["type"]), Some("InternalIP" | "ExternalIP"))
        || word(&entry["address"]).is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}

/// What a pod tells of its node: files of pods alone are common, and their nodes talk to pods all the same.
pub(super) fn host_node(pod: &Value, notes: &mut Notes) -> Option<Node> {
    let name = word(&pod["spec"]["nodeName"])?.to_owned();
    let status = &pod["status"];
    let told = list(&status["hostIPs"]).iter().map(|entry| &entry["ip"]).chain([&status["hostIP"]]);
    let addresses = sorted(addresses(told, "host address", notes));
    Some(Node { name, addresses, ..Node::default() }).filter(|node| !node.addresses.is_empty())
}

/// A namespace with the label that the API server would add.
pub(super) fn namespace(item: &Value, name: String, notes: &mut Notes) -> Namespace {
    let mut labels = labels(&item["metadata"]["labels"], "labels", notes);
    labels.0.insert(NAMESPACE_NAME_LABEL.to_owned(), name.clone());
    Namespace { name, labels }
}
