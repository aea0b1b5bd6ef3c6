//! The policies among the objects of files or a cluster.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::Value;

use super::{
    PolicyError, Reason, cidr,
    cluster::{Dialect, cluster_policy, dialect},
    fault::Fault,
    parse::network_policy,
    ties,
};
use crate::{
    model::RawObject,
    policy::{Action, ClusterPolicy, NetworkPolicy, PolicyType},
};

/// Kinds that also decide over traffic, and are not evaluated here, but in versions that [`dialect`] knows.
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

/// A policy of any kind that is evaluated.
enum Policy {
    Network(NetworkPolicy),
    Cluster(ClusterPolicy),
}

impl Policy {
    fn full_name(&self) -> String {
        match self {
            Self::Network(policy) => policy.full_name(),
            Self::Cluster(policy) => policy.full_name(),
        }
    }
}

/// Objects that policies were read from, by the names of these.
type Known<'a> = BTreeMap<String, &'a RawObject>;

/// All policies that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySet {
    /// Those that count, by namespace and name.
    pub policies: Vec<NetworkPolicy>,
    /// Those of whole clusters, in the order in which they are asked.
    pub cluster_wide: Vec<ClusterPolicy>,
    /// Those of kinds that are not evaluated.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Those that were left out, each with what is wrong with it.
    pub skipped: Vec<PolicyError>,
}

impl PolicySet {
    /// Finds the policies among objects; objects of kinds that decide over no traffic are passed over. What an API server wrote is
    /// read as [`deployed`](Self::deployed).
    pub fn from_objects(objects: &[RawObject], strictness: Strictness) -> Result<Self, PolicyError> {
        let mut set = Self::lenient(objects, is_of_a_server);
        if strictness == Strictness::Lenient || set.skipped.is_empty() {
            return Ok(set);
        }
        Err(set.skipped.swap_remove(0))
    }

    /// The policies that a cluster holds. API servers took prefixes with further bits, and keep them (`10.1.2.3/8`): they are
    /// in force as what they mean.
    #[must_use]
    pub fn deployed(objects: &[RawObject]) -> Self {
        Self::lenient(objects, |_| true)
    }

    /// Whether it holds nothing that decides over traffic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.cluster_wide.is_empty()
    }

    /// These policies, and of others those whose names they do not have: one of the same name takes the other's place.
    #[must_use]
    pub fn on_top_of(&self, others: &Self) -> Self {
        let names: BTreeSet<String> = self.policies.iter().map(NetworkPolicy::full_name).collect();
        let wide: BTreeSet<String> = self.cluster_wide.iter().map(ClusterPolicy::full_name).collect();
        let kept = others.policies.iter().filter(|policy| !names.contains(&policy.full_name()));
        let kept_wide = others.cluster_wide.iter().filter(|policy| !wide.contains(&policy.full_name()));
        let mut all = self.clone();
        all.policies.extend(kept.cloned());
        all.policies.sort();
        all.cluster_wide.extend(kept_wide.cloned());
        all.cluster_wide.sort();
        all.not_evaluated.extend(others.not_evaluated.iter().cloned());
        all.skipped.extend(others.skipped.iter().cloned());
        all
    }

    /// Whether any policy selects namespaces by labels other than their names.
    #[must_use]
    pub fn selects_namespaces(&self) -> bool {
        self.policies.iter().any(NetworkPolicy::selects_namespaces)
            || self.cluster_wide.iter().any(ClusterPolicy::selects_namespaces)
    }

    /// What no verdict can be sure of: policies of one priority that contradict each other may come in any order, and whose names
    /// a rule has nobody knows.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let of_one_place = |a: &ClusterPolicy, b: &ClusterPolicy| (a.tier, a.priority) == (b.tier, b.priority);
        for policies in self.cluster_wide.chunk_by(of_one_place) {
            doubts.extend(ties::doubt(policies));
        }
        for one in &self.cluster_wide {
            for direction in [PolicyType::Ingress, PolicyType::Egress] {
                for index in one.names_domains(direction) {
                    let is_accept = one.rules(direction)[index].action == Action::Accept;
                    let opens = if is_accept { ", and may be kept open" } else { "" };
                    doubts.push(format!(
                        "{one} spec.{}[{index}]: which addresses its domainNames have is not known; what they decide is \
                         uncertain{opens}",
                        direction.as_str()
                    ));
                }
            }
        }
        doubts
    }

    /// What can be read, of what is in force also if it could not be made today; the rest is left out and told.
    fn lenient(objects: &[RawObject], is_in_force: fn(&RawObject) -> bool) -> Self {
        let mut set = Self::default();
        let mut known = Known::new();
        for raw in objects {
            if let Some(kind) = other_kind(&raw.object) {
                set.not_evaluated.push(not_evaluated(raw, kind));
                continue;
            }
            match read_one(raw, is_in_force(raw), &known) {
                Ok(None) => {}
                Ok(Some(policy)) => {
                    known.insert(policy.full_name(), raw);
                    match policy {
                        Policy::Network(policy) => set.policies.push(policy),
                        Policy::Cluster(policy) => set.cluster_wide.push(policy),
                    }
                }
                Err(error) => set.skipped.push(error),
            }
        }
        set.policies.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        set.cluster_wide.sort();
        set
    }
}

/// Whether an API server wrote an object, and so accepted it: nobody else gives these two.
fn is_of_a_server(raw: &RawObject) -> bool {
    ["uid", "resourceVersion"]
        .iter()
        .all(|field| raw.object["metadata"][field].as_str().is_some_and(|it| !it.is_empty()))
}

/// The policy that an object is, where it is one, and no second of its name.
fn read_one(raw: &RawObject, is_in_force: bool, known: &Known) -> Result<Option<Policy>, PolicyError> {
    let at = |Fault { path, reason }| PolicyError { origin: place(raw), path, reason };
    let object = || {
        let mut object = Cow::Borrowed(&raw.object);
        if is_in_force {
            cidr::make_canonical(object.to_mut());
        }
        object
    };
    let policy = match dialect_of(&raw.object) {
        Some(dialect) => Policy::Cluster(cluster_policy(&object(), dialect).map_err(at)?),
        None if is_policy(&raw.object).map_err(at)? => Policy::Network(network_policy(&object()).map_err(at)?),
        None => return Ok(None),
    };
    match known.get(&policy.full_name()) {
        None => Ok(Some(policy)),
        Some(first) => {
            let reason = Reason::Duplicate { name: policy.full_name(), origin: place(first) };
            Err(at(Fault::at("metadata.name", reason)))
        }
    }
}

/// Where an object stands, else what it is.
fn place(raw: &RawObject) -> String {
    match text(&raw.object, "kind").filter(|kind| raw.document.is_none() && is_cluster_wide(kind)) {
        Some(kind) => {
            let name = raw.object["metadata"]["name"].as_str().unwrap_or_default();
            format!("{}: {kind} {name}", raw.source)
        }
        None => raw.place(),
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

/// How the policy of a whole cluster is read that an object is.
fn dialect_of(object: &Value) -> Option<Dialect> {
    dialect(text(object, "kind")?, text(object, "apiVersion")?)
}

/// The kind of a policy that is not evaluated.
fn other_kind(object: &Value) -> Option<&str> {
    let kind = text(object, "kind")?;
    if dialect_of(object).is_some() {
        return None;
    }
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
