//! NetworkPolicies as the kinds that network plugins have of their own: the same permissions in other words, and what cannot
//! be said in them.

mod cilium;
mod ground;
mod remark;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use ground::Ground;
pub use remark::Remark;

use crate::{
    model::RawObject,
    policy::{NetworkPolicy, PolicySet, Strictness},
};

/// What policies are converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `CiliumNetworkPolicy` (`cilium.io/v2`): enforced, and with nodes and the API server as what Cilium knows them by.
    Cilium,
    /// `StagedKubernetesNetworkPolicy` (`projectcalico.org/v3`): Calico enforces nothing of it, and tells in its flow logs what
    /// it would deny.
    CalicoStaged,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cilium, Self::CalicoStaged];

    /// As it is named on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cilium => "cilium",
            Self::CalicoStaged => "calico-staged",
        }
    }

    /// The kind of its objects.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cilium => "CiliumNetworkPolicy",
            Self::CalicoStaged => "StagedKubernetesNetworkPolicy",
        }
    }
}

/// A policy in the words of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where the policy stood that it was made of.
    pub origin: RawObject,
    /// The object.
    pub object: Value,
    /// Where it is not what the policy was.
    pub remarks: Vec<Remark>,
}

/// Converts the policies of a set, which was read from these objects. In the order of the set.
#[must_use]
pub fn convert(set: &PolicySet, objects: &[RawObject], target: Target, ground: &Ground) -> Vec<Converted> {
    // of several of one name the set has the first that is valid
    let mut raw: BTreeMap<String, &RawObject> = BTreeMap::new();
    for object in objects {
        let alone = PolicySet::from_objects(std::slice::from_ref(object), Strictness::Lenient);
        if let Some(policy) = alone.ok().and_then(|set| set.policies.into_iter().next()) {
            raw.entry(policy.full_name()).or_insert(object);
        }
    }
    let one = |policy: &NetworkPolicy| {
        let origin = raw.get(&policy.full_name())?;
        let (spec, remarks) = match target {
            Target::Cilium => cilium::spec(policy, ground),
            Target::CalicoStaged => (staged(&origin.object["spec"]), Vec::new()),
        };
        Some(Converted {
            namespace: policy.namespace.clone(),
            name: policy.name.clone(),
            origin: (*origin).clone(),
            object: object(target, policy, &origin.object["metadata"]["labels"], &spec),
            remarks,
        })
    };
    set.policies.iter().filter_map(one).collect()
}

/// Labels stay; whatever else the metadata hold is an API server's own, or another tool's.
fn object(target: Target, policy: &NetworkPolicy, labels: &Value, spec: &Value) -> Value {
    let version = match target {
        Target::Cilium => "cilium.io/v2",
        Target::CalicoStaged => "projectcalico.org/v3",
    };
    let mut metadata = json!({"name": policy.name, "namespace": policy.namespace});
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
