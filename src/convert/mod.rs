//! NetworkPolicies as other kinds, those that network plugins have of their own and those of whole clusters: the same permissions in
//! other words, and what cannot be said in them.

mod cilium;
mod cluster_network_policy;
mod ground;
mod label_selector;
mod names;
mod proxy;
mod remark;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use cluster_network_policy::Slot;
pub use ground::Ground;
pub use names::{Answer, Answers, Asked, Unused};
pub use remark::Remark;

use crate::{
    model::{Protocol, RawObject},
    policy::{NetworkPolicy, PolicySet, Port, PortMatch, Strictness},
};

/// What policies are converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `CiliumNetworkPolicy` (`cilium.io/v2`): enforced, and with nodes and the API server as what Cilium knows them by.
    Cilium,
    /// `StagedKubernetesNetworkPolicy` (`projectcalico.org/v3`): Calico enforces nothing of it, and tells in its flow logs what
    /// it would deny.
    CalicoStaged,
    /// `ClusterNetworkPolicy` (`policy.networking.k8s.io/v1alpha2`): rules of whole clusters, in order, that allow and deny.
    ClusterNetworkPolicy(Slot),
}

impl Target {
    /// All of them, as they are where nothing else is asked for.
    pub const ALL: [Self; 3] = [Self::Cilium, Self::CalicoStaged, Self::ClusterNetworkPolicy(Slot::DEFAULT)];

    /// As it is named on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cilium => "cilium",
            Self::CalicoStaged => "calico-staged",
            Self::ClusterNetworkPolicy(_) => "cluster-network-policy",
        }
    }

    /// The kind of its objects.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cilium => "CiliumNetworkPolicy",
            Self::CalicoStaged => "StagedKubernetesNetworkPolicy",
            Self::ClusterNetworkPolicy(_) => "ClusterNetworkPolicy",
        }
    }
}

/// A policy in the words of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// The NetworkPolicy's namespace.
    pub namespace: String,
    /// The NetworkPolicy's name.
    pub name: String,
    /// Where the policy stood that it was made of.
    pub origin: RawObject,
    /// The objects, at least one.
    pub objects: Vec<Value>,
    /// Where it is not what the policy was, or not what names were to make of it.
    pub remarks: Vec<Remark>,
    /// The names that it allows besides, and who asked for them.
    pub asked: Vec<Asked>,
    /// The names that its pods were answered alone, which it does not allow.
    pub unused: Unused,
}

impl Converted {
    /// Where it allows something else than the policy did.
    pub fn differences(&self) -> impl Iterator<Item = &Remark> {
        self.remarks.iter().filter(|remark| remark.by_address_alone().is_empty())
    }

    /// What is allowed as it was, for no names of it are written.
    pub fn without_names(&self) -> impl Iterator<Item = &Remark> {
        self.remarks.iter().filter(|remark| !remark.by_address_alone().is_empty())
    }
}

/// Converts the policies of a set, which was read from these objects. In the order of the set. Where `answers` are given, what
/// is outside is also allowed by the names that pods asked for, where the target knows names.
#[must_use]
pub fn convert(
    set: &PolicySet,
    objects: &[RawObject],
    target: Target,
    ground: &Ground,
    answers: Option<&Answers>,
) -> Vec<Converted> {
    // of several of one name the set has the first that is valid
    let mut raw: BTreeMap<String, &RawObject> = BTreeMap::new();
    for object in objects {
        let alone = PolicySet::from_objects(std::slice::from_ref(object), Strictness::Lenient);
        if let Some(policy) = alone.ok().and_then(|set| set.policies.into_iter().next()) {
            raw.entry(policy.full_name()).or_insert(object);
        }
    }
    let answers = answers.filter(|_| target == Target::Cilium);
    let mut plans = answers.map(|answers| names::plans(set, ground, answers)).unwrap_or_default();
    let one = |policy: &NetworkPolicy| {
        let origin = raw.get(&policy.full_name())?;
        let plan = plans.remove(&policy.full_name()).unwrap_or_default();
        let labels = &origin.object["metadata"]["labels"];
        let in_namespace = |spec| {
            let metadata = json!({"name": policy.name, "namespace": policy.namespace});
            vec![object(target, metadata, labels, &spec)]
        };
        let (objects, remarks) = match target {
            Target::Cilium => {
                let (spec, remarks) = cilium::spec(policy, ground, &plan);
                (in_namespace(spec), remarks)
            }
            Target::CalicoStaged => (in_namespace(staged(&origin.object["spec"])), Vec::new()),
            Target::ClusterNetworkPolicy(slot) => {
                let specs = cluster_network_policy::specs(policy, &set.policies, slot);
                let one = |(name, spec): (String, Value)| object(target, json!({"name": name}), labels, &spec);
                let remarks = cluster_network_policy::remarks(policy, ground);
                (specs.into_iter().map(one).collect(), remarks)
            }
        };
        Some(Converted {
            namespace: policy.namespace.clone(),
            name: policy.name.clone(),
            origin: (*origin).clone(),
            objects,
            remarks,
            asked: plan.asked,
            unused: plan.unused,
        })
    };
    set.policies.iter().filter_map(one).collect()
}

/// Whether TCP on a port is among these.
fn holds_tcp(port: &Port, number: u16) -> bool {
    port.protocol == Protocol::TCP
        && match port.ports {
            PortMatch::All => true,
            PortMatch::Range(first, last) => (first..=last).contains(&number),
            PortMatch::Named(_) => false,
        }
}

/// Ports, for remarks.
fn words(ports: &[Port]) -> String {
    if ports.is_empty() {
        return "all ports".to_owned();
    }
    let all: Vec<String> = ports.iter().map(|port| format!("{}/{}", port.protocol, port.ports)).collect();
    all.join(", ")
}

/// Labels stay; whatever else the metadata hold is an API server's own, or another tool's.
fn object(target: Target, mut metadata: Value, labels: &Value, spec: &Value) -> Value {
    let version = match target {
        Target::Cilium => "cilium.io/v2",
        Target::CalicoStaged => "projectcalico.org/v3",
        Target::ClusterNetworkPolicy(_) => "policy.networking.k8s.io/v1alpha2",
    };
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        metadata["labels"] = labels.clone();
    }
    json!({"apiVersion": version, "kind": target.kind(), "metadata": metadata, "spec": spec})
}

/// The spec of a NetworkPolicy with what is to be done with it: Calico takes the same fields.
fn staged(spec: &Value) -> Value {
    let mut fields = serde_json::Map::new();
    fields.insert("stagedAction".into(), "Set".into());
    fields.extend(spec.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    fields.into()
}
