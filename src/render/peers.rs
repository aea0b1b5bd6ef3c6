//! Peers, ports and selectors as the fields of a NetworkPolicy.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::draft::Atom;
use crate::{
    model::{NAMESPACE_NAME_LABEL, PortRange, Protocol},
    recommend::{Accesses, Peer, Selector},
};

/// Every permission.
pub(super) fn atoms(peers: &Accesses, namespace: &str) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for (peer, access) in peers {
        for peer in self::peer(peer, namespace) {
            atoms.extend(access.ports.iter().map(|port| Atom { peer: peer.clone(), port: self::port(*port) }));
        }
    }
    atoms
}

/// A port or a range of ports.
pub(super) fn port((protocol, PortRange { first, last }): (Protocol, PortRange)) -> Value {
    let mut port = json!({"protocol": protocol, "port": first});
    if first < last {
        port["endPort"] = last.into();
    }
    port
}

/// A peer as a policy of a namespace has it; several, where pods have no one selector.
#[must_use]
pub fn peer(peer: &Peer, namespace: &str) -> Vec<Value> {
    match peer {
        Peer::Pods(pods) => {
            pods.selectors.iter().map(|selector| pods_by(&pods.namespace, selector, namespace)).collect()
        }
        Peer::Addresses(range) => vec![json!({"ipBlock": {"cidr": range}})],
        Peer::NodeAddress(address) => vec![json!({"ipBlock": {"cidr": IpNet::from(*address)}})],
        Peer::EveryPod => vec![json!({"namespaceSelector": {}})],
        Peer::Anyone { all, except } => {
            let mut block = json!({"cidr": all});
            if !except.is_empty() {
                block["except"] = json!(except);
            }
            vec![json!({"ipBlock": block})]
        }
    }
}

fn pods_by(namespace: &str, selector: &Selector, own: &str) -> Value {
    if namespace == own {
        return json!({"podSelector": self::selector(selector)});
    }
    json!({
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: namespace}},
        "podSelector": self::selector(selector),
    })
}

/// A selector; all pods where it asks for nothing.
pub(super) fn selector(selector: &Selector) -> Value {
    let mut value = Map::new();
    if !selector.equal.is_empty() {
        value.insert("matchLabels".into(), json!(selector.equal));
    }
    let any_of = selector.any_of.iter().map(|(key, values)| json!({"key": key, "operator": "In", "values": values}));
    let absent = selector.absent.iter().map(|key| json!({"key": key, "operator": "DoesNotExist"}));
    let expressions: Vec<Value> = any_of.chain(absent).collect();
    if !expressions.is_empty() {
        value.insert("matchExpressions".into(), expressions.into());
    }
    value.into()
}
