//! The ends of a connection, as policies see them.

use std::{fmt, net::IpAddr};

use crate::model::{ContainerPort, Labels, Pod, Protocol, Workload};

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A pod of the cluster.
    Pod(PodEnd),
    /// Any other address.
    Address(IpAddr),
}

/// A pod, or the pods that a workload's template makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodEnd {
    /// Its namespace.
    pub namespace: String,
    /// What sentences call it within its namespace: the pod, or the workload it stands for.
    pub name: String,
    /// The pod's own name; none for the pods of a template, of which one may well talk to another.
    pub pod: Option<String>,
    /// Its labels.
    pub labels: Labels,
    /// Its addresses, where they are known.
    pub addresses: Vec<IpAddr>,
    /// The ports its containers declare.
    pub ports: Vec<ContainerPort>,
    /// Whether it shares its node's network.
    pub host_network: bool,
    /// The addresses of the node that it runs on, where that is known.
    pub node: Vec<IpAddr>,
}

/// What a client dialled in the place of the server's own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialled {
    /// The address.
    pub address: IpAddr,
    /// The port there.
    pub port: u16,
    /// Whether it is a port of a node (`NodePort`, `hostPort`): that node alone is sure to lead it on, so that on others a
    /// policy may see the connection as it was dialled.
    pub is_of_node: bool,
}

/// The question that policies answer: may this connection be opened?
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// Who opens it.
    pub from: &'a End,
    /// Who accepts it.
    pub to: &'a End,
    /// The protocol.
    pub protocol: Protocol,
    /// The port at the server, as the server sees it.
    pub port: u16,
    /// What the client dialled, where that was a Service's address and port or a node's.
    pub dialled: Option<Dialled>,
    /// What sentences call the client, where its address only stands for others.
    pub from_alias: Option<&'a str>,
    /// What sentences call the server likewise.
    pub to_alias: Option<&'a str>,
}

impl<'a> Probe<'a> {
    /// A connection to an address that is the server's own.
    #[must_use]
    pub fn new(from: &'a End, to: &'a End, protocol: Protocol, port: u16) -> Self {
        Self { from, to, protocol, port, dialled: None, from_alias: None, to_alias: None }
    }

    /// Whether no policy can forbid it: a pod with itself, and a pod with its own node, "regardless of the IP address of
    /// the Pod or the node" (the API's documentation of NetworkPolicy).
    #[must_use]
    pub fn is_always_allowed(&self) -> bool {
        match (self.from, self.to) {
            (End::Pod(from), End::Pod(to)) => {
                is_same_pod(from, to) || is_on_node_of(from, to) || is_on_node_of(to, from)
            }
            (End::Pod(pod), End::Address(address)) | (End::Address(address), End::Pod(pod)) => {
                !pod.host_network && pod.node.contains(&address.to_canonical())
            }
            (End::Address(_), End::Address(_)) => false,
        }
    }

    /// The node and the port there that a pod dialled, where that is not known to be its own node.
    pub(super) fn at_other_node(&self) -> Option<(End, u16)> {
        let Dialled { address, port, .. } = self.dialled.filter(|dialled| dialled.is_of_node)?;
        let is_elsewhere = matches!(self.from, End::Pod(pod) if !pod.node.contains(&address.to_canonical()));
        is_elsewhere.then_some((End::Address(address), port))
    }

    /// The same connection on its way to such a node.
    pub(super) fn on_the_way<'n>(&self, (node, port): &'n (End, u16)) -> Probe<'n>
    where
        'a: 'n,
    {
        Probe { to: node, port: *port, dialled: None, to_alias: None, ..*self }
    }
}

fn is_same_pod(one: &PodEnd, other: &PodEnd) -> bool {
    one.pod.is_some() && (&one.namespace, &one.pod) == (&other.namespace, &other.pod)
}

/// Whether a pod speaks with the addresses of the node that another pod runs on.
fn is_on_node_of(host: &PodEnd, pod: &PodEnd) -> bool {
    host.host_network && !pod.host_network && host.addresses.iter().any(|address| pod.node.contains(address))
}

impl From<&Pod> for PodEnd {
    fn from(pod: &Pod) -> Self {
        Self {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            pod: Some(pod.name.clone()),
            labels: pod.labels.clone(),
            addresses: pod.addresses.clone(),
            ports: pod.ports.clone(),
            host_network: pod.host_network,
            node: Vec::new(),
        }
    }
}

impl From<&Workload> for PodEnd {
    /// The pods that the workload's template makes, wherever they will run.
    fn from(workload: &Workload) -> Self {
        Self {
            namespace: workload.id.namespace.clone(),
            name: workload.id.name.clone(),
            pod: None,
            labels: workload.template_labels.clone(),
            addresses: Vec::new(),
            ports: workload.ports.clone(),
            host_network: workload.host_network,
            node: Vec::new(),
        }
    }
}

impl End {
    /// Whether a connection between the two is possible at all: their addresses, where known, share a family.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.families().meets(other.families())
    }

    /// The families of its addresses; both where none is known.
    pub(super) fn families(&self) -> Families {
        let has = |is_ipv4: bool| match self {
            Self::Address(address) => address.to_canonical().is_ipv4() == is_ipv4,
            Self::Pod(pod) => {
                pod.addresses.is_empty() || pod.addresses.iter().any(|address| address.is_ipv4() == is_ipv4)
            }
        };
        Families { ipv4: has(true), ipv6: has(false) }
    }
}

/// Families of addresses: a connection has one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Families {
    pub ipv4: bool,
    pub ipv6: bool,
}

impl Families {
    /// Both of them.
    pub const BOTH: Self = Self { ipv4: true, ipv6: true };

    /// Whether two share one.
    pub fn meets(self, other: Self) -> bool {
        self.ipv4 && other.ipv4 || self.ipv6 && other.ipv6
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(pod) => pod.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for PodEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
