//! Ports of nodes that lead to pods there (`hostPort`).

use std::net::IpAddr;

use foldhash::HashMap;

use super::directory::{Directory, Owner};
use crate::model::{Pod, Protocol, Span};

/// The pods that ever had a port of their node, and which of their host ports that is, by their places.
#[derive(Clone, Debug, Default)]
pub(super) struct HostPorts(HashMap<(Protocol, u16), Vec<(usize, usize)>>);

impl HostPorts {
    pub fn new(pods: &[Pod]) -> Self {
        let mut all: HashMap<(Protocol, u16), Vec<(usize, usize)>> = HashMap::default();
        // in its node's network a pod is the node
        for (n, pod) in pods.iter().enumerate().filter(|(_, pod)| !pod.host_network) {
            for (m, opened) in pod.host_ports.iter().enumerate() {
                all.entry((opened.protocol, opened.port)).or_default().push((n, m));
            }
        }
        Self(all)
    }
}

impl Directory {
    /// The pod that a port of its node led to when a connection was there, with the pod's address and port. None where pods of
    /// several workloads had it then.
    #[must_use]
    pub fn host_port_over(
        &self,
        address: IpAddr,
        protocol: Protocol,
        port: u16,
        span: Span,
    ) -> Option<(&Pod, IpAddr, u16)> {
        let places = self.host_ports.0.get(&(protocol, port))?;
        let Owner::Node(node) = self.who_over(address, span) else { return None };
        let address = address.to_canonical();
        let mut found = places.iter().filter_map(|(n, m)| {
            let pod = self.past.pods.get(*n).filter(|pod| pod.node.as_ref() == Some(&node.name))?;
            let opened = pod.host_ports.get(*m).filter(|opened| opened.address.is_none_or(|own| own == address))?;
            let is_own = |own: &&IpAddr| {
                own.is_ipv4() == address.is_ipv4()
                    && matches!(self.who_over(**own, span), Owner::Pod(owner) if owner == pod)
            };
            Some((pod, *pod.addresses.iter().find(is_own)?, opened.target))
        });
        let first = found.next()?;
        found.all(|(pod, _, target)| (&pod.workload, target) == (&first.0.workload, first.2)).then_some(first)
    }

    /// Whether a port of a node led on, to a Service or to a pod: what came there was not for the node.
    #[must_use]
    pub fn leads_on(&self, address: IpAddr, protocol: Protocol, port: u16, span: Span) -> bool {
        matches!(self.who_over(address, span), Owner::Node(_))
            && (self.service_over(address, protocol, port, span).is_some()
                || self.node_port_over(protocol, port, span).is_some()
                || self.host_port_over(address, protocol, port, span).is_some())
    }
}
