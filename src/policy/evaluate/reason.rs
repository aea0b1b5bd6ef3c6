//! Why a connection is denied: who isolates the end, and how the nearest rule misses.

use std::collections::BTreeSet;

use super::Evaluator;
use crate::{
    model::Labels,
    policy::{End, NetworkPolicy, Peer, PolicyType, Port, PortMatch, Probe, Rule, Selector},
};

/// A sentence for a side that denies: `no rule of production/db allows ingress from production/frontend on TCP/5432`,
/// then, where some rule nearly does, what keeps it from doing so.
pub(super) fn denied(
    evaluator: &Evaluator,
    direction: PolicyType,
    policies: &[&NetworkPolicy],
    probe: &Probe,
) -> String {
    let names = policies.iter().map(|policy| policy.full_name()).collect::<Vec<_>>().join(", ");
    let peer = probe.peer(direction);
    let preposition = if direction == PolicyType::Ingress { "from" } else { "to" };
    let service = service(probe);
    let near = Near { evaluator, direction, policies, probe };
    let miss = near.port_miss().or_else(|| near.peer_miss()).map(|miss| format!(": {miss}")).unwrap_or_default();
    format!("no rule of {names} allows {} {preposition} {peer} on {service}{miss}", direction.as_str())
}

/// `TCP/5432`; protocols without ports by name alone.
fn service(probe: &Probe) -> String {
    if probe.protocol.has_ports() { format!("{}/{}", probe.protocol, probe.port) } else { probe.protocol.to_string() }
}

/// The search for the rule that misses least.
struct Near<'a> {
    evaluator: &'a Evaluator<'a>,
    direction: PolicyType,
    policies: &'a [&'a NetworkPolicy],
    probe: &'a Probe<'a>,
}

impl<'a> Near<'a> {
    fn rules(&self) -> impl Iterator<Item = (&'a NetworkPolicy, &'a Rule)> {
        let direction = self.direction;
        self.policies
            .iter()
            .flat_map(move |policy| policy.rules(direction).into_iter().flatten().map(move |rule| (*policy, rule)))
    }

    /// The ports that are allowed with this peer, where the port is all that misses.
    fn port_miss(&self) -> Option<String> {
        let peer = self.probe.peer(self.direction);
        let ports: BTreeSet<&Port> = self
            .rules()
            .filter(|(policy, rule)| self.evaluator.peers_match(policy, rule, peer))
            .flat_map(|(_, rule)| &rule.ports)
            .collect();
        let words: Vec<String> = ports.into_iter().map(|port| self.port_word(port)).collect();
        let protocol = self.probe.protocol;
        let asked = if protocol.has_ports() { format!("port {}", self.probe.port) } else { protocol.to_string() };
        (!words.is_empty()).then(|| format!("{asked} is not among {}", words.join(", ")))
    }

    /// A port as short as it can be beside the one that was asked for.
    fn port_word(&self, port: &Port) -> String {
        let protocol = if port.protocol == self.probe.protocol { String::new() } else { format!("{}/", port.protocol) };
        let PortMatch::Named(name) = &port.ports else { return format!("{protocol}{}", port.ports) };
        let numbers: Vec<String> = self.probe.server_ports(name, port.protocol).map(|n| n.to_string()).collect();
        let meaning = if numbers.is_empty() { "not declared there".to_owned() } else { numbers.join(", ") };
        format!("{protocol}{name} ({meaning})")
    }

    /// What keeps the nearest peer from being this one, among the rules for this port.
    fn peer_miss(&self) -> Option<String> {
        let rules = self.rules().filter(|(_, rule)| rule.covers_port(self.probe));
        let peers = rules.flat_map(|(policy, rule)| rule.peers.iter().map(move |peer| (policy, peer)));
        let misses = peers.filter_map(|(policy, peer)| self.miss(policy, peer));
        misses.min_by_key(Vec::len).map(|miss| miss.join(", "))
    }

    /// What all misses between a peer and the end; none where one is of pods and the other of addresses.
    fn miss(&self, policy: &NetworkPolicy, peer: &Peer) -> Option<Vec<String>> {
        match (peer, self.probe.peer(self.direction)) {
            (Peer::Pods { namespaces, pods }, End::Pod(pod)) if self.evaluator.is_selectable(pod) => {
                let labels = self.evaluator.namespace_labels(&pod.namespace);
                let mut misses = match namespaces {
                    Some(selector) => unmet(&format!("namespace {}", pod.namespace), selector, &labels),
                    None if pod.namespace == policy.namespace => Vec::new(),
                    None => vec![format!("{pod} is not in namespace {}", policy.namespace)],
                };
                misses.extend(unmet(&pod.to_string(), pods, &pod.labels));
                Some(misses)
            }
            (Peer::Block(block), end) => {
                let address = *self.evaluator.plain_addresses(end).first()?;
                Some(vec![match block.exception(address) {
                    Some(except) => format!("{address} is in {except}, which is excepted"),
                    None => format!("{address} is not in {}", block.cidr),
                }])
            }
            _ => None,
        }
    }
}

fn unmet(who: &str, selector: &Selector, labels: &Labels) -> Vec<String> {
    selector.unmet(labels).map(|requirement| format!("{who} does not match {requirement}")).collect()
}
