//! `CiliumNetworkPolicy` (`cilium.io/v2`), after Cilium's documentation of its policy language and what its agent makes of
//! NetworkPolicies.
//!
//! Cilium judges by identities. Nodes and the API server have their own, and no rule about addresses reaches them
//! (`policy-cidr-match-mode` aside): they are named as entities. Pods are told by labels alone, those of their namespace
//! among them.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::{Map, Value, json};

use super::{
    Ground, Remark,
    ground::is_link_local,
    holds_tcp,
    label_selector::LabelSelector,
    names::{NamesByPorts, Plan, tcp_ports},
    proxy::{is_dns, is_of_own_node},
    words,
};
use crate::{
    model::{NAMESPACE_NAME_LABEL, Protocol},
    policy::{IpBlock, NetworkPolicy, Operator, Peer, PolicyType, Port, PortMatch, Requirement, Rule, Selector},
};

/// The label by which Cilium knows a pod's namespace.
const NAMESPACE: &str = "k8s:io.kubernetes.pod.namespace";

/// What stands before the labels of a pod's namespace.
const NAMESPACE_LABELS: &str = "k8s:io.cilium.k8s.namespace.labels.";

/// So many ports one list may hold.
const MAX_PORTS: usize = 40;

/// What the keys of labels begin with that are no part of identities (the agent's default list of `labels`).
const LEFT_OUT: [&str; 13] = [
    "annotation",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "controller-revision-hash",
    "controller-uid",
    "etcd_node",
    "io.kubernetes",
    "k8s.io",
    "kubernetes.io",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// Left out wherever it stands in a key.
const LEFT_OUT_WITHIN: &str = "beta.kubernetes.io";

/// The clouds' instance metadata, which no node answers itself though they are link-local.
const METADATA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));

/// The spec of a policy, and where it is not the same.
pub(super) fn spec(policy: &NetworkPolicy, ground: &Ground, plan: &Plan) -> (Value, Vec<Remark>) {
    let mut remarks = plan.remarks.clone();
    let mut spec = Map::new();
    spec.insert("endpointSelector".into(), pods(&policy.pod_selector, &mut remarks).into());
    for side in [PolicyType::Ingress, PolicyType::Egress] {
        let Some(rules) = policy.rules(side) else { continue };
        let mut all: Vec<Value> = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            let names = plan.names.get(&place).filter(|_| side == PolicyType::Egress);
            let beside = Beside { names, is_heard: plan.is_heard && side == PolicyType::Egress };
            all.extend(self::rules(rule, side, ground, beside, &mut remarks));
        }
        if all.is_empty() {
            // allows nothing, and closes the side all the same
            all.push(json!({}));
        }
        spec.insert(side.as_str().into(), all.into());
    }
    (spec.into(), remarks.into_iter().collect())
}

/// What names make of a rule.
#[derive(Clone, Copy)]
struct Beside<'p> {
    /// What may be dialled besides, and on which ports.
    names: Option<&'p NamesByPorts>,
    /// Whether DNS passes the proxy.
    is_heard: bool,
}

/// A rule may name its peers in one way alone: one for each way.
fn rules(
    rule: &Rule,
    side: PolicyType,
    ground: &Ground,
    beside: Beside<'_>,
    remarks: &mut BTreeSet<Remark>,
) -> Vec<Value> {
    let mut peers = Peers::default();
    if rule.peers.is_empty() {
        peers.entities.insert("all");
    }
    for peer in &rule.peers {
        match peer {
            Peer::Pods { namespaces, pods } => peers.endpoints.push(endpoints(namespaces.as_ref(), pods, remarks)),
            Peer::Block(block) => peers.block(block, (rule, side), ground, remarks),
        }
    }
    if !peers.nodes.is_empty() && peers.nodes.len() < ground.node_count() {
        let (named, known) = (peers.nodes.len(), ground.node_count());
        remarks.insert(Remark::AllNodes { side, ports: words(&rule.ports), named, known });
    }
    if rule.ports.iter().any(|port| port.protocol == Protocol::SCTP) {
        remarks.insert(Remark::Sctp);
    }
    let way = if side == PolicyType::Ingress { "from" } else { "to" };
    let plain = ports(&rule.ports);
    let heard = if beside.is_heard { heard_ports(&rule.ports) } else { plain.clone() };
    let one = |(kind, peers, ports): (&str, Vec<Value>, Vec<Value>)| {
        (!peers.is_empty()).then(|| {
            let mut rule = Map::new();
            rule.insert(format!("{way}{kind}"), peers.into());
            if !ports.is_empty() {
                rule.insert("toPorts".into(), ports.into());
            }
            Value::from(rule)
        })
    };
    // the proxy is no way to the node itself, so that nothing is led there by it
    let has_dns = beside.is_heard && rule.ports.iter().any(is_dns);
    let (near, far): (Vec<_>, Vec<_>) = peers.cidrs.into_iter().partition(|(is_near, _)| has_dns && *is_near);
    let values = |cidrs: Vec<(bool, Value)>| cidrs.into_iter().map(|(_, cidr)| cidr).collect();
    let of_all = if peers.entities.contains("all") { &heard } else { &plain };
    let of_all = of_all.clone();
    let names = beside.names.into_iter().flatten().map(|(numbers, names)| {
        let names = names.iter().map(|name| json!({"matchName": name})).collect();
        ("FQDNs", names, ports(&tcp_ports(numbers)))
    });
    let entities = peers.entities.into_iter().map(Value::from).collect();
    let by_address = [
        ("Endpoints", peers.endpoints, heard.clone()),
        ("CIDRSet", values(far), heard),
        ("CIDRSet", values(near), plain),
    ];
    by_address.into_iter().chain(names).chain([("Entities", entities, of_all)]).filter_map(one).collect()
}

/// The peers of a rule, by the ways in which they are named.
#[derive(Default)]
struct Peers {
    endpoints: Vec<Value>,
    /// Each with whether it is of the pod's own node.
    cidrs: Vec<(bool, Value)>,
    entities: BTreeSet<&'static str>,
    /// The nodes that were named by their addresses.
    nodes: BTreeSet<usize>,
}

impl Peers {
    /// A block of addresses: what is outside by its addresses, nodes and the API server as what they are.
    fn block(
        &mut self,
        block: &IpBlock,
        (rule, side): (&Rule, PolicyType),
        ground: &Ground,
        remarks: &mut BTreeSet<Remark>,
    ) {
        let nodes = ground.nodes_in(block);
        let api_servers = ground.api_servers_in(block);
        let single = (block.cidr.prefix_len() == block.cidr.max_prefix_len()).then(|| block.cidr.addr());
        if single.is_none() || nodes.is_empty() {
            let mut cidr = json!({"cidr": block.cidr});
            if !block.except.is_empty() {
                cidr["except"] = json!(block.except);
            }
            self.cidrs.push((is_of_own_node(block, ground), cidr));
        }
        let is_asked = |number: u16| rule.ports.is_empty() || rule.ports.iter().any(|port| holds_tcp(port, number));
        // what comes from the API server comes from its node, and under an overlay not from an address that tells it
        let is_api = api_servers.iter().any(|(_, port)| side == PolicyType::Ingress || is_asked(*port));
        if is_api {
            self.entities.insert("kube-apiserver");
        }
        let asks_nothing_else = |address: IpAddr| {
            let own = |port: &Port| {
                api_servers
                    .iter()
                    .any(|(at, number)| *at == address && port.ports == PortMatch::Range(*number, *number))
            };
            side == PolicyType::Egress && !rule.ports.is_empty() && rule.ports.iter().all(own)
        };
        let named: Vec<usize> =
            nodes.iter().filter(|(address, _)| !asks_nothing_else(*address)).map(|(_, node)| *node).collect();
        // answered by the node itself: its cache of names, its agent of the cloud
        let is_of_own_node = single.is_some_and(|address| is_link_local(address) && address != METADATA);
        if !named.is_empty() || is_of_own_node && side == PolicyType::Egress {
            self.entities.insert("host");
        }
        if !named.is_empty() {
            self.entities.insert("remote-node");
            self.nodes.extend(named);
        }
        let pods = ground.pods_in(block);
        if pods > 0 {
            remarks.insert(Remark::PodsByAddress { side, cidr: block.cidr.to_string(), pods });
        }
        // who is let in never comes from such an address
        let services = ground.services_in(block);
        if services > 0 && side == PolicyType::Egress {
            remarks.insert(Remark::ServicesByAddress { cidr: block.cidr.to_string(), services });
        }
    }
}

/// Pods of the policy's namespace, which Cilium takes where none is named; else of others, by name or by label.
fn endpoints(namespaces: Option<&Selector>, pods: &Selector, remarks: &mut BTreeSet<Remark>) -> Value {
    let mut selector = self::pods(pods, remarks);
    let Some(namespaces) = namespaces else { return selector.into() };
    let is_named = |it: &&Requirement| it.key == NAMESPACE_NAME_LABEL && matches!(it.operator, Operator::In(_));
    let (names, labels): (Vec<&Requirement>, Vec<&Requirement>) = namespaces.0.iter().partition(is_named);
    for requirement in &names {
        selector.add(NAMESPACE, &requirement.operator);
    }
    if names.is_empty() {
        // any: without it Cilium takes the policy's own
        selector.add(NAMESPACE, &Operator::Exists);
    }
    for requirement in labels {
        selector.add(&format!("{NAMESPACE_LABELS}{}", requirement.key), &requirement.operator);
    }
    selector.into()
}

fn pods(selector: &Selector, remarks: &mut BTreeSet<Remark>) -> LabelSelector {
    let mut all = LabelSelector::default();
    for Requirement { key, operator } in &selector.0 {
        if LEFT_OUT.iter().any(|left| key.starts_with(left)) || key.contains(LEFT_OUT_WITHIN) {
            remarks.insert(Remark::LabelLeftOut { key: key.clone() });
        }
        all.add(key, operator);
    }
    all
}

/// The ports of a rule with those of DNS apart, which pass the proxy whatever is asked: rules about DNS go with no other
/// ports.
fn heard_ports(all: &[Port]) -> Vec<Value> {
    let (dns, others): (Vec<Port>, Vec<Port>) = all.iter().cloned().partition(is_dns);
    let mut heard = ports(&dns);
    for list in &mut heard {
        list["rules"] = json!({"dns": [{"matchPattern": "*"}]});
    }
    heard.extend(ports(&others));
    heard
}

/// Ports as lists of as many as one may hold; none where all are allowed.
fn ports(ports: &[Port]) -> Vec<Value> {
    let one = |port: &Port| match &port.ports {
        PortMatch::All => json!({"port": "0", "protocol": port.protocol}),
        PortMatch::Named(name) => json!({"port": name, "protocol": port.protocol}),
        PortMatch::Range(first, last) if first == last => {
            json!({"port": first.to_string(), "protocol": port.protocol})
        }
        PortMatch::Range(first, last) => {
            json!({"port": first.to_string(), "endPort": last, "protocol": port.protocol})
        }
    };
    ports.chunks(MAX_PORTS).map(|chunk| json!({"ports": chunk.iter().map(one).collect::<Vec<_>>()})).collect()
}
