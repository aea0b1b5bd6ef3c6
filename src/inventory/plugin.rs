//! The network plugin, recognised by what runs of it in the cluster, and what it makes of NetworkPolicies.

use std::fmt;

use serde::Serialize;

use crate::model::{Cluster, Pod};

/// Whether a plugin enforces a part of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Enforces {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It depends on how it is set up, or nobody knows.
    Unknown,
}

/// A network plugin and what it enforces of `networking.k8s.io/v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkPlugin {
    /// Its name; `unknown` where nothing known runs.
    pub name: &'static str,
    /// Rules on who may come.
    pub ingress: Enforces,
    /// Rules on where pods may go.
    pub egress: Enforces,
    /// Rules that name ports.
    pub ports: Enforces,
    /// Rules that name addresses.
    pub ip_block: Enforces,
    /// What to know besides.
    pub note: &'static str,
}

impl NetworkPlugin {
    const fn all(name: &'static str, enforces: Enforces, note: &'static str) -> Self {
        Self { name, ingress: enforces, egress: enforces, ports: enforces, ip_block: enforces, note }
    }

    /// Whether a rule that names the address of a node reaches it: Cilium knows nodes as entities.
    #[must_use]
    pub fn knows_nodes_by_address(&self) -> bool {
        self.name != CILIUM
    }

    /// Whether it is known to ignore policies in a direction: then they look applied and protect nothing.
    #[must_use]
    pub fn ignores(&self) -> bool {
        [self.ingress, self.egress, self.ports, self.ip_block].contains(&Enforces::No)
    }
}

impl fmt::Display for NetworkPlugin {
    /// In a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.ingress {
            _ if self.ignores() => "does not enforce NetworkPolicies",
            Enforces::Yes => "enforces NetworkPolicies",
            _ => "whether it enforces NetworkPolicies is not known",
        };
        let note = if self.note.is_empty() { String::new() } else { format!(" ({})", self.note) };
        write!(f, "{}: {verdict}{note}", self.name)
    }
}

const CILIUM: &str = "Cilium";

/// What the `DaemonSet` of a plugin is called or begins with, and the plugin. The first that runs counts: policy engines
/// stand before the plugins that they run beside.
const PLUGINS: [(&[&str], NetworkPlugin); 15] = {
    use Enforces::{No, Unknown, Yes};
    [
        (
            &["cilium", "anetd"],
            NetworkPlugin::all(
                CILIUM,
                Yes,
                "an ipBlock never covers pods, nor nodes unless policyCIDRMatchMode says so",
            ),
        ),
        (&["canal"], NetworkPlugin::all("Canal", Yes, "")),
        (&["calico-node"], NetworkPlugin::all("Calico", Yes, "")),
        (&["antrea-agent"], NetworkPlugin::all("Antrea", Yes, "")),
        (&["ovnkube-node", "ovnkube"], NetworkPlugin::all("OVN-Kubernetes", Yes, "")),
        (&["kube-ovn-cni"], NetworkPlugin::all("Kube-OVN", Yes, "")),
        (&["sdn"], NetworkPlugin::all("OpenShift SDN", Yes, "")),
        (&["kube-router"], NetworkPlugin::all("kube-router", Yes, "")),
        (&["weave-net"], NetworkPlugin::all("Weave Net", Yes, "")),
        (&["azure-npm"], NetworkPlugin::all("Azure NPM", Yes, "")),
        (&["kube-network-policies"], NetworkPlugin::all("kube-network-policies", Yes, "")),
        (&["kindnet"], NetworkPlugin::all("kindnet", Unknown, "enforces since kind 0.24, ignores policies before")),
        (
            &["aws-node"],
            NetworkPlugin::all(
                "Amazon VPC CNI",
                Unknown,
                "enforces only where its network policy agent is switched on",
            ),
        ),
        (
            &["azure-cns"],
            NetworkPlugin::all("Azure CNI", Unknown, "enforces only with Azure NPM, Calico or Cilium beside it"),
        ),
        (&["kube-flannel"], NetworkPlugin::all("Flannel", No, "policies would look applied and protect nothing")),
    ]
};

const UNKNOWN: NetworkPlugin = NetworkPlugin::all("unknown", Enforces::Unknown, "nothing known of it was listed");

/// Namespaces in which network plugins run.
const NAMESPACES: [&str; 10] = [
    "calico-system",
    "cilium",
    "cilium-system",
    "kube-flannel",
    "kube-ovn",
    "kube-system",
    "openshift-ovn-kubernetes",
    "openshift-sdn",
    "ovn-kubernetes",
    "tigera-operator",
];

/// The plugin that runs in a cluster.
#[must_use]
pub fn network_plugin(cluster: &Cluster) -> NetworkPlugin {
    let is_system = |namespace: &str| NAMESPACES.contains(&namespace);
    let pods = cluster.pods.iter().filter(|pod| is_system(&pod.namespace) && !pod.finished);
    let names = pods.map(|pod: &Pod| pod.workload.name.as_str());
    let owners = cluster.workloads.iter().filter(|it| is_system(&it.id.namespace)).map(|it| it.id.name.as_str());
    let names: Vec<&str> = names.chain(owners).collect();
    let runs = |(known, _): &&(&[&str], NetworkPlugin)| names.iter().any(|name| known.iter().any(|it| is_of(name, it)));
    PLUGINS.iter().find(runs).map_or(UNKNOWN, |(_, plugin)| *plugin)
}

/// Whether a name is that of a plugin's agent: itself, or with a word behind it (`kube-flannel-ds`), but not its
/// operator, which is left behind where the agent is not.
fn is_of(name: &str, known: &str) -> bool {
    name == known || name.strip_prefix(known).is_some_and(|rest| rest.starts_with("-ds") || rest.starts_with("-node"))
}
