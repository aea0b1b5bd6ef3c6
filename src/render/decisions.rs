//! What a person decided by editing what flowmap wrote: it outlasts every later proposal.
//!
//! Rules are compared as single permissions (one peer, one port), so that neither their order nor how they are put
//! together matters. What was there when flowmap wrote last and is not now was rejected; what is there now and was not
//! then was added.

mod apply;
mod learn;
mod merge;
mod step;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    PolicyKey,
    draft::{Atom, canonical},
    written::{Written, WrittenObject},
};
use crate::policy::PolicyType;

pub use merge::Kept;
pub use step::{Later, Step};

/// One permission of a policy, and which way. Two are equal whatever the order of their fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permission {
    /// What of the object it is in.
    pub side: Side,
    /// The peer, as a policy has it; null for everybody.
    pub peer: Value,
    /// The port, as a policy has it; null for all.
    pub port: Value,
}

/// What of an object is decided on piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Who may reach the pods of a policy.
    Ingress,
    /// What they may reach.
    Egress,
    /// What a kustomization lists.
    Resources,
}

impl Side {
    /// As the field of the object.
    fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => PolicyType::Ingress.as_str(),
            Self::Egress => PolicyType::Egress.as_str(),
            Self::Resources => RESOURCES,
        }
    }

    /// The direction, where it is of a policy.
    #[must_use]
    pub fn of_policy(self) -> Option<PolicyType> {
        match self {
            Self::Ingress => Some(PolicyType::Ingress),
            Self::Egress => Some(PolicyType::Egress),
            Self::Resources => None,
        }
    }
}

impl From<PolicyType> for Side {
    fn from(direction: PolicyType) -> Self {
        match direction {
            PolicyType::Ingress => Self::Ingress,
            PolicyType::Egress => Self::Egress,
        }
    }
}

impl Permission {
    /// Of a policy.
    #[must_use]
    pub fn new(direction: PolicyType, peer: Value, port: Value) -> Self {
        Self { side: direction.into(), peer, port }
    }

    pub(super) fn is(&self, direction: PolicyType, atom: &Atom) -> bool {
        self.side == direction.into() && self.peer == atom.peer && self.port == atom.port
    }
}

/// All decisions, by document and name of the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decisions {
    /// Permissions that stay away.
    pub rejected: BTreeMap<PolicyKey, Vec<Permission>>,
    /// Permissions that stay.
    pub added: BTreeMap<PolicyKey, Vec<Permission>>,
    /// Policies that stay away.
    pub rejected_policies: BTreeSet<PolicyKey>,
    /// Objects that a person put into a document of flowmap's, as they are.
    pub added_objects: BTreeMap<PolicyKey, WrittenObject>,
    /// Of these the policies that were proposed once, with what a person added to them, and are not at another
    /// granularity.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub adopted: BTreeSet<PolicyKey>,
    /// Fields that a person set: `podSelector`, `policyTypes`, `metadata`; of a kustomization all.
    pub fields: BTreeMap<PolicyKey, Map<String, Value>>,
    /// Lines of comment that a person put before a policy.
    pub notes: BTreeMap<PolicyKey, Vec<String>>,
    /// Permissions that were rejected before and are put back: mere proposals again, where they are proposed.
    #[serde(skip)]
    restored: BTreeMap<PolicyKey, Vec<Permission>>,
    /// Permissions that were added before and are taken out again: rejected where they are proposed.
    #[serde(skip)]
    withdrawn: BTreeMap<PolicyKey, Vec<Permission>>,
}

/// A decision that makes a difference to what is proposed now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The policy, by document and name.
    pub policy: PolicyKey,
    /// Whether a person added it, else rejected it.
    pub is_added: bool,
    /// What, in words.
    pub what: String,
}

/// A decision that finds nothing to apply to in what is proposed now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Idle {
    /// The policy it was made on, by document and name.
    pub policy: PolicyKey,
    /// What was done, in words.
    pub what: String,
}

/// Fields of a policy that a person may set; null where one was taken out.
const FIELDS: [(&str, &str); 3] =
    [("podSelector", "/spec/podSelector"), ("policyTypes", "/spec/policyTypes"), ("metadata", "/metadata")];

/// What a kustomization lists.
const RESOURCES: &str = "resources";

impl Decisions {
    /// Those of one namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        let mut within = self.clone();
        within.forget(|key| key.namespace() != namespace);
        within
    }

    /// Takes in those of other namespaces.
    pub fn join(&mut self, other: Self) {
        self.rejected.extend(other.rejected);
        self.added.extend(other.added);
        self.rejected_policies.extend(other.rejected_policies);
        self.added_objects.extend(other.added_objects);
        self.adopted.extend(other.adopted);
        self.fields.extend(other.fields);
        self.notes.extend(other.notes);
    }

    /// Whether a document is one of flowmap's that stays away until now: all its policies were, and carry its label.
    #[must_use]
    pub fn is_put_back(&self, document: &Written) -> bool {
        let is_labelled = |object: &Value| object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "flowmap";
        let is_own = |(key, found): (&PolicyKey, &WrittenObject)| {
            self.rejected_policies.contains(key) && (key.is_kustomization() || is_labelled(&found.object))
        };
        !document.0.is_empty() && document.0.iter().all(is_own)
    }

    fn forget(&mut self, is_gone: impl Fn(&PolicyKey) -> bool) {
        self.rejected.retain(|key, _| !is_gone(key));
        self.added.retain(|key, _| !is_gone(key));
        self.rejected_policies.retain(|key| !is_gone(key));
        self.added_objects.retain(|key, _| !is_gone(key));
        self.adopted.retain(|key| !is_gone(key));
        self.fields.retain(|key, _| !is_gone(key));
        self.notes.retain(|key, _| !is_gone(key));
        self.restored.retain(|key, _| !is_gone(key));
        self.withdrawn.retain(|key, _| !is_gone(key));
    }

    fn tidy(&mut self) {
        self.rejected.retain(|_, all| !all.is_empty());
        self.added.retain(|_, all| !all.is_empty());
        self.notes.retain(|_, all| !all.is_empty());
    }

    /// Whether nothing was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn put(all: &mut BTreeMap<PolicyKey, Vec<Permission>>, key: &PolicyKey, one: &Permission) {
    let of_policy = all.entry(key.clone()).or_default();
    if !of_policy.contains(one) {
        of_policy.push(one.clone());
        of_policy.sort_by_cached_key(|one| (one.side.as_str(), canonical(&one.peer), canonical(&one.port)));
    }
}

/// Whether it was there to be taken.
fn take(all: &mut BTreeMap<PolicyKey, Vec<Permission>>, key: &PolicyKey, one: &Permission) -> bool {
    let Some(of_policy) = all.get_mut(key) else { return false };
    let count = of_policy.len();
    of_policy.retain(|known| known != one);
    of_policy.len() < count
}
