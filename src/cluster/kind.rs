//! What is asked for.

use std::fmt;

/// A kind of objects of the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// `Pod`.
    pub name: &'static str,
    /// Its API group; empty for the core.
    pub group: &'static str,
    /// The group's version.
    pub version: &'static str,
    /// `pods`: its name in URLs and in RBAC rules.
    pub plural: &'static str,
    /// Whether its objects lie in namespaces.
    pub is_namespaced: bool,
}

const fn kind(
    name: &'static str,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    is_namespaced: bool,
) -> Kind {
    Kind { name, group, version, plural, is_namespaced }
}

/// The group of policies of whole clusters: definitions that few clusters have.
const POLICY_GROUP: &str = "policy.networking.k8s.io";

/// The kinds that say something of the network. Those that have addresses come first: their lists are dated by when
/// they were asked for.
/// Of a kind that stands here in several versions, the first that the API server knows is asked for.
pub const KINDS: [Kind; 23] = [
    kind("Pod", "", "v1", "pods", true),
    kind("Service", "", "v1", "services", true),
    kind("Endpoints", "", "v1", "endpoints", true),
    kind("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices", true),
    kind("Node", "", "v1", "nodes", false),
    kind("Namespace", "", "v1", "namespaces", false),
    kind("Deployment", "apps", "v1", "deployments", true),
    kind("ReplicaSet", "apps", "v1", "replicasets", true),
    kind("StatefulSet", "apps", "v1", "statefulsets", true),
    kind("DaemonSet", "apps", "v1", "daemonsets", true),
    kind("Job", "batch", "v1", "jobs", true),
    kind("CronJob", "batch", "v1", "cronjobs", true),
    kind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies", true),
    kind("ClusterNetworkPolicy", POLICY_GROUP, "v1beta1", "clusternetworkpolicies", false),
    kind("ClusterNetworkPolicy", POLICY_GROUP, "v1alpha2", "clusternetworkpolicies", false),
    kind("AdminNetworkPolicy", POLICY_GROUP, "v1alpha1", "adminnetworkpolicies", false),
    kind("BaselineAdminNetworkPolicy", POLICY_GROUP, "v1alpha1", "baselineadminnetworkpolicies", false),
    kind("Ingress", "networking.k8s.io", "v1", "ingresses", true),
    kind("ServiceCIDR", "networking.k8s.io", "v1", "servicecidrs", false),
    kind("MutatingWebhookConfiguration", "admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", false),
    kind(
        "ValidatingWebhookConfiguration",
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        false,
    ),
    kind("CustomResourceDefinition", "apiextensions.k8s.io", "v1", "customresourcedefinitions", false),
    kind("APIService", "apiregistration.k8s.io", "v1", "apiservices", false),
];

/// Objects in one answer: what kubectl asks for.
const PAGE_OBJECTS: u32 = 500;

/// Definitions in one answer: they may have a megabyte each, nearly all of it schemas that are not kept.
const PAGE_DEFINITIONS: u32 = 10;

impl Kind {
    /// Whether its objects have addresses, so that who has one depends on them.
    #[must_use]
    pub fn has_addresses(&self) -> bool {
        matches!(self.name, "Pod" | "Service" | "Endpoints" | "EndpointSlice" | "Node")
    }

    /// How many of its objects are asked for at once.
    pub(super) fn page_objects(&self) -> u32 {
        if self.name == "CustomResourceDefinition" { PAGE_DEFINITIONS } else { PAGE_OBJECTS }
    }

    /// `apps/v1`, or `v1` of the core.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// All objects of a kind, or those of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub kind: &'static Kind,
    /// The namespace; none for all of them, and for kinds that lie in none.
    pub namespace: Option<String>,
}

impl Target {
    /// Whether another is the same in another version.
    #[must_use]
    pub fn is_version_of(&self, other: &Self) -> bool {
        let key = |target: &Self| (target.kind.group, target.kind.plural);
        key(self) == key(other) && self.namespace == other.namespace
    }

    /// Every kind in these namespaces, or in all where none is named; kinds that lie in none are asked for as a whole.
    #[must_use]
    pub fn all(namespaces: &[String]) -> Vec<Self> {
        let mut targets = Vec::new();
        for kind in &KINDS {
            if namespaces.is_empty() || !kind.is_namespaced {
                targets.push(Self { kind, namespace: None });
            } else {
                targets.extend(namespaces.iter().map(|name| Self { kind, namespace: Some(name.clone()) }));
            }
        }
        targets
    }

    /// Where the API has them.
    pub(super) fn path(&self) -> String {
        let root = if self.kind.group.is_empty() { "api" } else { "apis" };
        let within = self.namespace.as_ref().map(|name| format!("namespaces/{name}/")).unwrap_or_default();
        format!("/{root}/{}/{within}{}", self.kind.api_version(), self.kind.plural)
    }
}

impl fmt::Display for Target {
    /// As kubectl calls them: `pods`, `networkpolicies.networking.k8s.io`, `pods in shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.plural)?;
        if !self.kind.group.is_empty() {
            write!(f, ".{}", self.kind.group)?;
        }
        self.namespace.as_ref().map_or(Ok(()), |namespace| write!(f, " in {namespace}"))
    }
}
