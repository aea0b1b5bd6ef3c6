//! Whether a rule's peers and ports are those of a connection.

use std::net::IpAddr;

use super::Evaluator;
use crate::{
    model::{ContainerPort, Protocol},
    policy::{End, NetworkPolicy, Peer, PolicyType, Port, PortMatch, Probe, Rule},
};

impl Evaluator<'_> {
    /// Whether a rule of a policy names an end; a rule without peers names everybody.
    pub(super) fn peers_match(&self, policy: &NetworkPolicy, rule: &Rule, end: &End) -> bool {
        rule.peers.is_empty() || rule.peers.iter().any(|peer| self.peer_matches(policy, peer, end))
    }

    fn peer_matches(&self, policy: &NetworkPolicy, peer: &Peer, end: &End) -> bool {
        match (peer, end) {
            (Peer::Pods { namespaces, pods }, End::Pod(pod)) => {
                let in_namespace = match namespaces {
                    Some(selector) => selector.matches(&self.namespace_labels(&pod.namespace)),
                    None => pod.namespace == policy.namespace,
                };
                self.is_selectable(pod) && in_namespace && pods.matches(&pod.labels)
            }
            (Peer::Pods { .. }, End::Address(_)) => false,
            (Peer::Block(block), end) => self.plain_addresses(end).iter().any(|address| block.contains(*address)),
        }
    }

    /// The addresses of an end that an `ipBlock` may cover.
    pub(in crate::policy) fn plain_addresses(&self, end: &End) -> Vec<IpAddr> {
        match end {
            End::Address(address) => vec![address.to_canonical()],
            End::Pod(pod) if self.options.ipblock_matches_pods || !self.is_selectable(pod) => pod.addresses.clone(),
            End::Pod(_) => Vec::new(),
        }
    }
}

impl Rule {
    /// Whether the connection's port is among the rule's; a rule without ports covers all, of all protocols.
    pub(super) fn covers_port(&self, probe: &Probe) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|port| port.covers(probe))
    }
}

impl Port {
    fn covers(&self, probe: &Probe) -> bool {
        self.protocol == probe.protocol
            && match &self.ports {
                PortMatch::All => true,
                PortMatch::Range(first, last) => (*first..=*last).contains(&probe.port),
                PortMatch::Named(name) => probe.server_ports(name, probe.protocol).any(|port| port == probe.port),
            }
    }
}

impl<'a> Probe<'a> {
    /// The end that policies of a direction select.
    pub(super) fn subject(&self, direction: PolicyType) -> &'a End {
        match direction {
            PolicyType::Ingress => self.to,
            PolicyType::Egress => self.from,
        }
    }

    /// The end that their rules name.
    pub(super) fn peer(&self, direction: PolicyType) -> &'a End {
        match direction {
            PolicyType::Ingress => self.from,
            PolicyType::Egress => self.to,
        }
    }

    /// The numbers that a port's name has at the server: in both directions the name is the server's.
    pub(super) fn server_ports(&self, name: &str, protocol: Protocol) -> impl Iterator<Item = u16> {
        let declared = match self.to {
            End::Pod(pod) => pod.ports.as_slice(),
            End::Address(_) => &[],
        };
        let is_named = move |port: &&ContainerPort| port.protocol == protocol && port.name.as_deref() == Some(name);
        declared.iter().filter(is_named).map(|port| port.port)
    }
}
