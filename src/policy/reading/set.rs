//! The policies among the objects of files or a cluster.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{PolicyError, Reason, cidr, fault::Fault, parse::network_policy};
use crate::{model::RawObject, policy::NetworkPolicy};

/// Kinds that also decide over traffic, and are not evaluated here.
const OTHER_KINDS: [&str; 13] = [
    "CiliumNetworkPolicy",
    "CiliumClusterwideNetworkPolicy",
    "GlobalNetworkPolicy",
    "StagedNetworkPolicy",
    "StagedGlobalNetworkPolicy",
    "StagedKubernetesNetworkPolicy",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
    "ClusterNetworkPolicy",
    "MultiNetworkPolicy",
    "EgressFirewall",
    "EgressNetworkPolicy",
    "AuthorizationPolicy",
];

/// Those of them that are in no namespace.
const CLUSTER_WIDE: [&str; 6] = [
    "CiliumClusterwideNetworkPolicy",
    "GlobalNetworkPolicy",
    "StagedGlobalNetworkPolicy",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
    "ClusterNetworkPolicy",
];

/// Groups of other makers whose kind is `NetworkPolicy` too.
const OTHER_GROUPS: [&str; 3] = ["projectcalico.org", "crd.projectcalico.org", "crd.antrea.io"];

/// The group of NetworkPolicies.
const GROUP: &str = "networking.k8s.io";

/// The kinds of `networking.k8s.io`: another one there is misspelt.
const KINDS: &[&str] = &["NetworkPolicy", "Ingress", "IngressClass", "IPAddress", "ServiceCIDR"];

/// What to do with a policy that a strict API server would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Refuse all.
    Strict,
    /// Leave it out, and say so.
    Lenient,
}

/// A policy of a kind that is not evaluated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotEvaluated {
    /// The file it came from, with its place there, or the inventory.
    pub origin: String,
    /// Its kind.
    pub kind: String,
    /// `namespace/name`, or the name alone where its kind has no namespaces.
    pub name: String,
}

/// Whether objects of a kind are in no namespace.
#[must_use]
pub fn is_cluster_wide(kind: &str) -> bool {
    CLUSTER_WIDE.contains(&kind)
}

impl std::fmt::Display for NotEvaluated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.kind, self.name, self.origin)
    }
}

/// Policies by namespace and name, each with the object it was read from.
type Known<'a> = BTreeMap<(String, String), (NetworkPolicy, &'a RawObject)>;

/// All policies that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySet {
    /// Those that count, by namespace and name.
    pub policies: Vec<NetworkPolicy>,
    /// Those of kinds that are not evaluated.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Those that were left out, each with what is wrong with it.
    pub skipped: Vec<PolicyError>,
}

impl PolicySet {
    /// Finds the policies among objects; objects of kinds that decide over no traffic are passed over.
    pub fn from_objects(objects: &[RawObject], strictness: Strictness) -> Result<Self, PolicyError> {
        let mut set = Self::lenient(objects);
        if strictness == Strictness::Lenient || set.skipped.is_empty() {
            return Ok(set);
        }
        Err(set.skipped.swap_remove(0))
    }

    /// The policies that a cluster holds. API servers took prefixes with further bits, and keep them (`10.1.2.3/8`): they are
    /// in force as what they mean.
    #[must_use]
    pub fn deployed(objects: &[RawObject]) -> Self {
        let mut objects = objects.to_vec();
        for raw in &mut objects {
            cidr::make_canonical(&mut raw.object);
        }
        Self::lenient(&objects)
    }

    /// What can be read; the rest is left out and told.
    fn lenient(objects: &[RawObject]) -> Self {
        let mut set = Self::default();
        let mut known = Known::new();
        for raw in objects {
            if let Some(kind) = other_kind(&raw.object) {
                set.not_evaluated.push(not_evaluated(raw, kind));
                continue;
            }
            match read_one(raw, &known) {
                Ok(None) => {}
                Ok(Some(policy)) => {
                    known.insert((policy.namespace.clone(), policy.name.clone()), (policy, raw));
                }
                Err(error) => set.skipped.push(error),
            }
        }
        set.policies = known.into_values().map(|(policy, _)| policy).collect();
        set
    }
}

/// The policy that an object is, where it is one, and no second of its name.
fn read_one(raw: &RawObject, known: &Known) -> Result<Option<NetworkPolicy>, PolicyError> {
    let at = |Fault { path, reason }| PolicyError { origin: raw.place(), path, reason };
    if !is_policy(&raw.object).map_err(at)? {
        return Ok(None);
    }
    let policy = network_policy(&raw.object).map_err(at)?;
    match known.get(&(policy.namespace.clone(), policy.name.clone())) {
        None => Ok(Some(policy)),
        Some((_, first)) => {
            let reason = Reason::Duplicate { name: policy.full_name(), origin: first.place() };
            Err(at(Fault::at("metadata.name", reason)))
        }
    }
}

/// Whether an object is a NetworkPolicy; one that is nearly one is a fault.
fn is_policy(object: &Value) -> Result<bool, Fault> {
    let (kind, version) = (text(object, "kind"), text(object, "apiVersion").unwrap_or_default());
    let Some(kind) = kind else {
        // files of other tools have no kind either, but no metadata with a spec
        let is_object = !version.is_empty() || ["metadata", "spec"].iter().all(|field| object[*field].is_object());
        return if is_object { Err(Fault::at("kind", Reason::Missing)) } else { Ok(false) };
    };
    if kind == "NetworkPolicy" {
        return Ok(true);
    }
    let is_of_the_group = version.split_once('/').map_or(version, |(group, _)| group) == GROUP;
    let is_misspelt = kind.eq_ignore_ascii_case("NetworkPolicy") || is_of_the_group && !KINDS.contains(&kind);
    if is_misspelt {
        return Err(Fault::at("kind", Reason::UnknownWord { word: kind.to_owned(), known: KINDS }));
    }
    Ok(false)
}

/// The kind of a policy that is not evaluated.
fn other_kind(object: &Value) -> Option<&str> {
    let kind = text(object, "kind")?;
    let group = text(object, "apiVersion").and_then(|version| version.split_once('/')).map(|(group, _)| group);
    let is_of_another_maker = kind == "NetworkPolicy" && group.is_some_and(|group| OTHER_GROUPS.contains(&group));
    (is_of_another_maker || OTHER_KINDS.contains(&kind)).then_some(kind)
}

fn not_evaluated(raw: &RawObject, kind: &str) -> NotEvaluated {
    let metadata = raw.object.get("metadata").unwrap_or(&Value::Null);
    let name = text(metadata, "name").unwrap_or_default();
    let name = text(metadata, "namespace").map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
    // its name is told already
    let origin = if raw.document.is_some() { raw.place() } else { raw.source.clone() };
    NotEvaluated { origin, kind: kind.to_owned(), name }
}

fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}
