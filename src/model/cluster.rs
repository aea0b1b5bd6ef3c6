//! What is known of a cluster or a site at one moment: plain values, read by `inventory`, used by `map` and `policy`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Labels, Protocol, Timestamp, WorkloadRef};

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerPort {
    /// Its name, for `targetPort` and policies that name ports.
    pub name: Option<String>,
    /// Its number.
    pub port: u16,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The top controlling owner, or the pod itself where nobody controls it.
    pub workload: WorkloadRef,
    /// The name of what controls it directly: a `ReplicaSet` or a `Job`, where its workload stands above that.
    pub maker: Option<String>,
    /// Its labels.
    pub labels: Labels,
    /// `status.podIPs`; a host-network pod has its node's.
    pub addresses: Vec<IpAddr>,
    /// The node it runs on.
    pub node: Option<String>,
    /// Whether it shares its node's network.
    pub host_network: bool,
    /// The ports its containers declare.
    pub ports: Vec<ContainerPort>,
    /// Those of them that its node opens to the outside.
    pub host_ports: Vec<HostPort>,
    /// `status.startTime`, else `metadata.creationTimestamp`; its addresses were not its own before.
    pub started: Option<Timestamp>,
    /// Whether it has ended (phase Succeeded or Failed, or it is gone): it owns its addresses no more.
    pub finished: bool,
    /// The service mesh whose proxy carries its traffic.
    pub mesh: Option<Mesh>,
}

impl Pod {
    /// Which pod it is.
    #[must_use]
    pub fn life(&self) -> PodLife {
        let Self { namespace, name, node, started, .. } = self;
        PodLife { namespace: namespace.clone(), name: name.clone(), node: node.clone(), started: *started }
    }
}

/// A pod in one life: that of a `StatefulSet` is made anew under its name, and maybe on another node.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodLife {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The node it runs on.
    pub node: Option<String>,
    /// When it was started.
    pub started: Option<Timestamp>,
}

/// A port of a pod's node that leads to the pod (`hostPort`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The port on the node.
    pub port: u16,
    /// The container's port.
    pub target: u16,
    /// The one address of the node that it is opened at (`hostIP`), where it is not at all of them.
    pub address: Option<IpAddr>,
}

/// A service mesh, by what carries a pod's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mesh {
    /// A proxy in the pod: Istio's sidecar.
    IstioSidecar,
    /// A tunnel of its node: Istio without sidecars.
    IstioAmbient,
    /// Linkerd's proxy in the pod.
    Linkerd,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels, `kubernetes.io/metadata.name` always among them.
    pub labels: Labels,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// All its addresses.
    pub addresses: Vec<IpAddr>,
    /// `spec.podCIDRs`.
    pub pod_ranges: Vec<IpNet>,
    /// Its labels; none where it is known by its pods alone.
    pub labels: Option<Labels>,
}

/// The addresses of a pod range that network plugins give to the node itself: the first to its end of an overlay
/// (`flannel.1`), the one after it to its bridge (`cni0`, `cbr0`) or to the other end of its pods' cables.
#[must_use]
pub fn own_ends(range: IpNet) -> [IpAddr; 2] {
    let first = range.network();
    let second = match first {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits().saturating_add(1)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().saturating_add(1)).into(),
    };
    [first, second]
}

/// The addresses under which the kubelet's health checks come to pods of Istio's ambient mode (`istio-cni`, since Istio 1.21): those
/// of the pod's own node, and of nobody else (<https://istio.io/latest/docs/ambient/usage/networkpolicy/>).
const AMBIENT_PROBES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 7, 127)),
    IpAddr::V6(Ipv6Addr::new(0xfd16, 0x9254, 0x7127, 0x1337, 0xffff, 0xffff, 0xffff, 0xffff)),
];

/// Whether an address is one under which health checks come to pods of Istio's ambient mode.
#[must_use]
pub fn is_ambient_probe(address: &IpAddr) -> bool {
    AMBIENT_PROBES.contains(&address.to_canonical())
}

/// Where a Service's port leads on the pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetPort {
    /// A number.
    Number(u16),
    /// A container port's name; pods may give it different numbers.
    Name(String),
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServicePort {
    /// Its name.
    pub name: Option<String>,
    /// The port that clients dial.
    pub port: u16,
    /// The port on the pods.
    pub target: TargetPort,
    /// The port on every node, for NodePort and LoadBalancer.
    pub node_port: Option<u16>,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
}

impl ServicePort {
    /// Where it leads on one pod: pods may give a named port different numbers. None where the pod has no port of that
    /// name.
    #[must_use]
    pub fn on(&self, pod: &Pod) -> Option<u16> {
        self.among(&pod.ports)
    }

    /// The port's number at a pod that declares these ports.
    #[must_use]
    pub fn among(&self, declared: &[ContainerPort]) -> Option<u16> {
        match &self.target {
            TargetPort::Number(number) => Some(*number),
            TargetPort::Name(name) => {
                let mut named = declared.iter().filter(|own| own.name.as_ref() == Some(name));
                named.find(|own| own.protocol == self.protocol).map(|own| own.port)
            }
        }
    }
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKind {
    /// By an address inside the cluster, or by the pods' own where it has none (headless).
    ClusterIp,
    /// Also by a port of every node.
    NodePort,
    /// Also by an address outside.
    LoadBalancer,
    /// A name for a host outside.
    ExternalName,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub kind: ServiceKind,
    /// The labels of its pods; a Service without a selector has its Endpoints from elsewhere.
    pub selector: Option<Labels>,
    /// ClusterIPs; none where headless.
    pub cluster_ips: Vec<IpAddr>,
    /// `externalIPs` and the load balancer's addresses.
    pub external_ips: Vec<IpAddr>,
    /// Those of them that nodes do not stand in for (`ipMode: Proxy`, KEP-1860): what a pod sends there leaves the cluster, and comes
    /// back from the load balancer. In order.
    pub proxied_ips: Vec<IpAddr>,
    /// The ranges that its load balancer lets in; anybody where there are none. In order.
    pub source_ranges: Vec<IpNet>,
    /// Whether nodes hand on what comes from outside to their own pods alone, and leave its source address as it is
    /// (`externalTrafficPolicy: Local`).
    pub keeps_sources: bool,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

impl Service {
    /// Whether it opens its pods to the outside: by nodes' ports, a load balancer or addresses outside.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        matches!(self.kind, ServiceKind::NodePort | ServiceKind::LoadBalancer) || !self.external_ips.is_empty()
    }

    /// Whether a pod may be behind it: its selector selects in its own namespace alone; without one, whoever writes its
    /// Endpoints may name any.
    #[must_use]
    pub fn may_lead_to(&self, pod: &Pod) -> bool {
        let selects = |selector| pod.namespace == self.namespace && pod.labels.contain(selector);
        self.selector.as_ref().is_none_or(selects)
    }
}

/// An address behind a Service, from Endpoints or an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// The address.
    pub address: IpAddr,
    /// The name of the Service's port that leads here.
    pub port_name: Option<String>,
    /// The port there; none means all.
    pub port: Option<u16>,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
}

/// An Ingress: which Services it opens to the outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ingress {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whose controller it is for: `spec.ingressClassName`, else what its annotations say.
    pub class: Option<String>,
    /// The Services it leads to, in its namespace, each with the number or the name of the port.
    pub backends: Vec<(String, String)>,
}

/// An owner of pods, with what its next pods will be labelled.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Who it is.
    pub id: WorkloadRef,
    /// `spec.template.metadata.labels`.
    pub template_labels: Labels,
    /// The ports its template declares.
    pub ports: Vec<ContainerPort>,
    /// Whether its template asks for the node's network.
    pub host_network: bool,
}

/// The labels by which an owner finds its pods: `spec.selector.matchLabels`. All its pods have them for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selected {
    /// The owner.
    pub id: WorkloadRef,
    /// The labels.
    pub labels: Labels,
}

/// When a `CronJob` runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule {
    /// The `CronJob`.
    pub id: WorkloadRef,
    /// `spec.schedule`, as it is written.
    pub cron: String,
    /// `spec.timeZone`; the controller's own where none is given, mostly UTC.
    pub zone: Option<String>,
    /// Whether it is told not to run.
    pub is_suspended: bool,
}

/// What the API server asks a Service of the cluster for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AskedFor {
    /// Whether an object may be, or how it is to be (admission webhooks).
    #[default]
    Admission,
    /// An object in another version of its kind (`CustomResourceDefinition`).
    Conversion,
    /// The objects of a group themselves (`APIService`).
    Api,
}

/// What the API server calls in the cluster: a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Webhook {
    /// The name of its configuration.
    pub configuration: String,
    /// For what.
    pub asked_for: AskedFor,
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub port: u16,
}

/// A host or a range from a hosts file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// Its address or range.
    pub range: IpNet,
    /// Its name; the address where it has none.
    pub name: Option<String>,
    /// The role an operator gave it.
    pub role: Option<String>,
    /// Where it stands; nowhere in particular where none is given.
    pub site: Option<String>,
    /// The VLAN it is meant to be in: 1 to 4094.
    pub vlan: Option<u16>,
    /// Its labels.
    pub labels: Labels,
}

/// An object of the API as it was written, for rooms that read its kind (policies).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawObject {
    /// The file it came from, or the cluster.
    pub source: String,
    /// Its place in the file, from 1; none of an inventory's, which is put together from many.
    pub document: Option<usize>,
    /// The object.
    pub object: serde_json::Value,
}

impl RawObject {
    /// Where it stands: `f.yaml: document 2`, else what it is: `cluster.json: NetworkPolicy shop/db`.
    #[must_use]
    pub fn place(&self) -> String {
        let named = || format!("{} {}", self.object["kind"].as_str().unwrap_or_default(), self.full_name());
        let place = self.document.map_or_else(named, |document| format!("document {document}"));
        format!("{}: {place}", self.source)
    }

    /// `namespace/name`; manifests may leave the namespace to kubectl, which then means `default`.
    #[must_use]
    pub fn full_name(&self) -> String {
        let word = |field: &str| self.object["metadata"][field].as_str().unwrap_or_default();
        let namespace = Some(word("namespace")).filter(|it| !it.is_empty()).unwrap_or("default");
        format!("{namespace}/{}", word("name"))
    }
}

/// Everything known of a cluster or a site at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// Namespaces that were listed; others are known by name alone.
    pub namespaces: Vec<Namespace>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Pods.
    pub pods: Vec<Pod>,
    /// Services.
    pub services: Vec<Service>,
    /// Those addresses of nodes that a network plugin gave them in the pod network, as it notes: from there they reach pods of
    /// other nodes. In order.
    pub tunnels: Vec<IpAddr>,
    /// The ranges that ClusterIPs come from, as far as they are listed (`ServiceCIDR`); in order.
    pub service_ranges: Vec<IpNet>,
    /// Addresses behind Services.
    pub endpoints: Vec<Endpoint>,
    /// Owners of pods.
    pub workloads: Vec<Workload>,
    /// The labels by which owners find their pods.
    pub selected: Vec<Selected>,
    /// When `CronJob`s run.
    pub schedules: Vec<Schedule>,
    /// What the API server calls.
    pub webhooks: Vec<Webhook>,
    /// What opens Services to the outside.
    pub ingresses: Vec<Ingress>,
    /// Hosts from a hosts file.
    pub hosts: Vec<Host>,
    /// NetworkPolicies and the policies of other kinds, as they were written.
    pub policies: Vec<RawObject>,
}

impl Cluster {
    /// The labels of a namespace; one that was not listed has the label that every namespace has.
    #[must_use]
    pub fn namespace_labels(&self, name: &str) -> Labels {
        let listed = self.namespaces.iter().find(|namespace| namespace.name == name);
        listed
            .map_or_else(|| [(NAMESPACE_NAME_LABEL, name)].into_iter().collect(), |namespace| namespace.labels.clone())
    }
}

/// The label with its name that the API server sets on every namespace (since Kubernetes 1.21).
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";
