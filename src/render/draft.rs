//! Policies while they are written: rules as single permissions, so that they can be held against a person's edits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Permission, PolicyKey};
use crate::{policy::PolicyType, recommend::DnsClient};

/// One permission: one peer, one port. `null` stands for all of either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Atom {
    pub peer: Value,
    pub port: Value,
}

/// A policy and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    /// The document it is in.
    pub path: String,
    /// The comment before it.
    pub head: String,
    pub metadata: Value,
    pub selector: Value,
    pub types: Vec<Value>,
    pub ingress: Vec<Atom>,
    pub egress: Vec<Atom>,
}

impl Draft {
    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata["name"].as_str().unwrap_or_default()
    }

    /// Document and name: what tells it from all others.
    pub fn key(&self) -> PolicyKey {
        PolicyKey::new(&self.path, self.name())
    }

    /// The permissions of a side.
    pub fn side(&mut self, side: PolicyType) -> &mut Vec<Atom> {
        match side {
            PolicyType::Ingress => &mut self.ingress,
            PolicyType::Egress => &mut self.egress,
        }
    }

    /// Whether it has a permission.
    pub fn has(&self, one: &Permission) -> bool {
        let sides = [(PolicyType::Ingress, &self.ingress), (PolicyType::Egress, &self.egress)];
        sides.into_iter().any(|(side, atoms)| atoms.iter().any(|atom| one.is(side, atom)))
    }

    /// The object.
    pub fn object(&self) -> Value {
        let mut spec = Map::new();
        spec.insert("podSelector".into(), self.selector.clone());
        spec.insert("policyTypes".into(), self.types.clone().into());
        for (side, atoms) in [(PolicyType::Ingress, &self.ingress), (PolicyType::Egress, &self.egress)] {
            if !atoms.is_empty() {
                spec.insert(side.as_str().into(), rules(side, atoms).into());
            }
        }
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": self.metadata,
            "spec": spec,
        })
    }
}

/// The name of a group's policy: where no one selector selects all of its pods there are several.
pub(super) fn numbered(name: &str, n: usize) -> String {
    if n == 0 { name.to_owned() } else { format!("{name}-{}", n + 1) }
}

/// The name of a policy for name resolution.
pub(super) fn dns_name(client: &DnsClient) -> String {
    if client.name.is_empty() { "allow-dns".to_owned() } else { format!("allow-dns-{}", client.name) }
}

/// The permissions of a side of a policy's spec.
pub(super) fn atoms(spec: &Value, side: PolicyType) -> Vec<Atom> {
    let all = |value: &Value| match value.as_array() {
        Some(list) if !list.is_empty() => list.clone(),
        _ => vec![Value::Null],
    };
    let mut atoms = Vec::new();
    for rule in spec[side.as_str()].as_array().into_iter().flatten() {
        let ports: Vec<Value> = all(&rule["ports"]).into_iter().map(port).collect();
        for peer in all(&rule[side.preposition()]) {
            atoms.extend(ports.iter().map(|port| Atom { peer: peer.clone(), port: port.clone() }));
        }
    }
    atoms
}

/// A port with its default.
fn port(mut port: Value) -> Value {
    if let Some(fields) = port.as_object_mut() {
        let protocol = fields.remove("protocol").filter(|it| !it.is_null()).unwrap_or_else(|| "TCP".into());
        let mut ordered = Map::from_iter([("protocol".to_owned(), protocol)]);
        ordered.extend(std::mem::take(fields));
        return ordered.into();
    }
    port
}

/// The order of ports: protocol, number, end of a range; names after numbers.
type PortKey = (String, u64, u64, String);

fn port_key(port: &Value) -> PortKey {
    let number = |value: &Value, none| value.as_u64().unwrap_or(none);
    let protocol = port["protocol"].as_str().unwrap_or_default().to_owned();
    let named = port["port"].as_str().unwrap_or_default().to_owned();
    (protocol, number(&port["port"], u64::from(!named.is_empty()) * u64::MAX), number(&port["endPort"], 0), named)
}

/// The peers and the ports of a rule.
type Parts<'a> = (Vec<&'a Value>, Vec<&'a Value>);

/// Permissions as rules: one for all peers with equal ports, in the order of these.
fn rules(side: PolicyType, atoms: &[Atom]) -> Vec<Value> {
    let mut peers: Vec<(&Value, BTreeMap<PortKey, &Value>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for atom in atoms {
        let place = *places.entry(canonical(&atom.peer)).or_insert_with(|| {
            peers.push((&atom.peer, BTreeMap::new()));
            peers.len() - 1
        });
        if let Some((_, ports)) = peers.get_mut(place) {
            ports.insert(port_key(&atom.port), &atom.port);
        }
    }
    let mut by_ports: BTreeMap<(bool, Vec<PortKey>), Parts<'_>> = BTreeMap::new();
    for (peer, ports) in peers {
        let key = (peer.is_null(), ports.keys().cloned().collect());
        by_ports.entry(key).or_insert_with(|| (Vec::new(), ports.into_values().collect())).0.push(peer);
    }
    let rule = |((is_any, _), (peers, ports)): ((bool, _), Parts<'_>)| {
        let mut rule = Map::new();
        if !is_any {
            rule.insert(side.preposition().into(), json!(peers));
        }
        if !ports.iter().any(|port| port.is_null()) {
            rule.insert("ports".into(), json!(ports));
        }
        rule.into()
    };
    by_ports.into_iter().map(rule).collect()
}

/// A value as text that does not depend on the order of its fields.
#[must_use]
pub fn canonical(value: &Value) -> String {
    fn ordered(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let keys: BTreeSet<&String> = fields.keys().collect();
                keys.into_iter().map(|key| (key.clone(), ordered(&fields[key]))).collect::<Map<_, _>>().into()
            }
            Value::Array(items) => items.iter().map(ordered).collect::<Vec<_>>().into(),
            other => other.clone(),
        }
    }
    ordered(value).to_string()
}
