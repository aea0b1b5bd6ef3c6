//! Whether a rule's peers and ports are those of a connection.

use std::net::IpAddr;

use super::{Dnat, Evaluator};
use crate::{
    model::{ContainerPort, Protocol},
    policy::{End, NetworkPolicy, Peer, PodEnd, PolicyType, Port, PortMatch, PortSet, Probe, Rule},
};

impl Evaluator<'_> {
    /// Whether a rule of a policy allows a connection as far as it is concerned.
    pub(super) fn rule_allows(
        &self,
        policy: &NetworkPolicy,
        rule: &Rule,
        direction: PolicyType,
        probe: &Probe<'_>,
    ) -> bool {
        let Some(dialled) = self.as_dialled(direction, probe) else {
            return self.peers_match(policy, rule, direction, probe) && self.covers_port(&rule.ports, probe);
        };
        // peers by labels are the pods behind the Service in any case
        let (by_label, by_address): (Vec<&Peer>, Vec<&Peer>) =
            rule.peers.iter().partition(|peer| matches!(peer, Peer::Pods { .. }));
        let matches = |peers: &[&Peer]| peers.iter().any(|peer| self.peer_matches(policy, peer, direction, probe));
        (matches(&by_label) && self.covers_port(&rule.ports, probe))
            || ((rule.peers.is_empty() || matches(&by_address)) && self.covers_port(&rule.ports, &dialled))
    }

    /// The connection as it was dialled, where that is what is judged in this direction.
    pub(super) fn as_dialled<'p>(&self, direction: PolicyType, probe: &Probe<'p>) -> Option<Probe<'p>> {
        let port = probe.dialled?.port;
        let is_seen = direction == PolicyType::Egress && self.options.dnat == Dnat::Before;
        is_seen.then_some(Probe { port, ..*probe })
    }

    /// Whether a rule of a policy names the other end; a rule without peers names everybody.
    pub(super) fn peers_match(
        &self,
        policy: &NetworkPolicy,
        rule: &Rule,
        direction: PolicyType,
        probe: &Probe<'_>,
    ) -> bool {
        rule.peers.is_empty() || rule.peers.iter().any(|peer| self.peer_matches(policy, peer, direction, probe))
    }

    fn peer_matches(&self, policy: &NetworkPolicy, peer: &Peer, direction: PolicyType, probe: &Probe<'_>) -> bool {
        match (peer, probe.peer(direction)) {
            (Peer::Pods { namespaces, pods }, End::Pod(pod)) => {
                let in_namespace = match namespaces {
                    Some(selector) => selector.matches(&self.namespace_labels(&pod.namespace)),
                    None => pod.namespace == policy.namespace,
                };
                self.is_selectable(pod) && in_namespace && pods.matches(&pod.labels)
            }
            (Peer::Pods { .. }, End::Address(_)) => false,
            (Peer::Block(block), _) => {
                self.block_addresses(direction, probe).iter().any(|address| block.contains(*address))
            }
        }
    }

    /// The addresses of the other end that an `ipBlock` is held against.
    pub(super) fn block_addresses(&self, direction: PolicyType, probe: &Probe<'_>) -> Vec<IpAddr> {
        match (self.as_dialled(direction, probe), probe.dialled) {
            (Some(_), Some(dialled)) => vec![dialled.address.to_canonical()],
            _ => self.plain_addresses(probe.peer(direction)),
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

    /// Whether a pod is one for policies: those on their node's network mostly are not.
    pub(in crate::policy) fn is_selectable(&self, pod: &PodEnd) -> bool {
        !pod.host_network || self.options.host_network_selected
    }
    /// Whether the connection's port is among those of a rule; a rule without ports covers all, of all protocols.
    pub(super) fn covers_port(&self, ports: &[Port], probe: &Probe<'_>) -> bool {
        let covers = |port: &Port| {
            port.protocol == probe.protocol
                && match &port.ports {
                    PortMatch::All => true,
                    PortMatch::Range(first, last) => (*first..=*last).contains(&probe.port),
                    PortMatch::Named(name) => {
                        self.ports_named(probe.to, name, port.protocol).any(|it| it == probe.port)
                    }
                }
        };
        ports.is_empty() || ports.iter().any(covers)
    }

    /// All ports that a rule with these covers at a server.
    pub(super) fn ports_at(&self, ports: &[Port], server: &End) -> PortSet {
        if ports.is_empty() { PortSet::everything() } else { self.all_at(ports, server) }
    }

    /// The ports that these are at a server.
    pub(super) fn all_at<'p>(&self, ports: impl IntoIterator<Item = &'p Port>, server: &End) -> PortSet {
        let at = |Port { protocol, ports }: &Port| match ports {
            PortMatch::All => PortSet::all_of(*protocol),
            PortMatch::Range(first, last) => PortSet::range(*protocol, *first, *last),
            PortMatch::Named(name) => {
                let numbers = self.ports_named(server, name, *protocol);
                PortSet::all(numbers.map(|port| PortSet::range(*protocol, port, port)))
            }
        };
        PortSet::all(ports.into_iter().map(at))
    }

    /// The numbers that a port's name has at a server: in both directions the name is the server's. A node has none, and no
    /// more has a pod that is its node.
    pub(super) fn ports_named(&self, server: &End, name: &str, protocol: Protocol) -> impl Iterator<Item = u16> {
        let declared = self.named_ports(server).iter();
        let is_named = move |port: &&ContainerPort| port.protocol == protocol && port.name.as_deref() == Some(name);
        declared.filter(is_named).map(|port| port.port)
    }

    /// The ports of an end that rules may name.
    pub(in crate::policy) fn named_ports<'e>(&self, end: &'e End) -> &'e [ContainerPort] {
        match end {
            End::Pod(pod) if self.is_selectable(pod) => &pod.ports,
            End::Pod(_) | End::Address(_) => &[],
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

    /// What sentences call the end whose policies are asked.
    pub(super) fn subject_name(&self, direction: PolicyType) -> String {
        let alias = match direction {
            PolicyType::Ingress => self.to_alias,
            PolicyType::Egress => self.from_alias,
        };
        alias.map_or_else(|| self.subject(direction).to_string(), str::to_owned)
    }

    /// What sentences call the end that their rules name.
    pub(super) fn peer_name(&self, direction: PolicyType) -> String {
        let alias = match direction {
            PolicyType::Ingress => self.from_alias,
            PolicyType::Egress => self.to_alias,
        };
        alias.map_or_else(|| self.peer(direction).to_string(), str::to_owned)
    }
}
