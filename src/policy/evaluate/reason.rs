//! Why a connection is denied: who isolates the end, and how the nearest rule misses.

use std::collections::BTreeSet;

use super::{Evaluator, Match, Met, Nearest, RuleRef, Tiers, rules_of};
use crate::{
    model::{Labels, Protocol},
    policy::{
        ClusterPeer, End, IpBlock, NetworkPolicy, Peer, PodEnd, PolicyType, Port, PortMatch, Probe, Rule, Selector,
        Tier, ports::NAMED,
    },
};

/// A side that denies.
pub(super) struct Denial {
    /// `no rule of production/db allows ingress from production/frontend on TCP/5432`.
    pub sentence: String,
    /// What keeps the nearest rule from doing so.
    pub nearest: Option<Nearest>,
}

/// Why two ways to see a connection to a port of another node are not one verdict.
pub(super) const OF_OTHER_NODE: &str =
    "network plugins differ in whether a port of another node is judged as it was dialled or as the pod behind it";

/// Explains why none of the policies that isolate an end allows a connection.
pub(super) fn denied(
    evaluator: &Evaluator<'_>,
    direction: PolicyType,
    policies: &[&NetworkPolicy],
    probe: &Probe<'_>,
) -> Denial {
    let names = policies.iter().map(|policy| policy.full_name()).collect::<Vec<_>>().join(", ");
    let nearest = Near { evaluator, direction, policies, probe }.nearest();
    Denial { sentence: format!("no rule of {names} allows {}", about(direction, probe)), nearest }
}

/// The rule that denies, and who could allow it: no NetworkPolicy, where it comes before them.
pub(super) fn denied_by(met: &Met<'_>, direction: PolicyType, probe: &Probe<'_>) -> Denial {
    let about = about(direction, probe);
    let remedy = match met.policy.tier {
        Tier::Admin => "no NetworkPolicy can allow it".to_owned(),
        Tier::Baseline => {
            format!("no NetworkPolicy isolates {}, which would decide instead", probe.subject_name(direction))
        }
    };
    Denial { sentence: format!("{} denies {about}: {remedy}", called(met, direction)), nearest: None }
}

/// The first rule of which it is not known whether it is about the connection, and why that is so.
pub(super) fn uncertain(
    evaluator: &Evaluator<'_>,
    direction: PolicyType,
    tiers: &Tiers<'_>,
    probe: &Probe<'_>,
) -> Denial {
    let Some(met) = tiers.doubt() else {
        return Denial { sentence: "what decides is not known".to_owned(), nearest: None };
    };
    let peer = probe.peer_name(direction);
    let is_doubted = |it: &&ClusterPeer| evaluator.is_cluster_peer(it, direction, probe) == Match::Maybe;
    let why = match met.rule.peers.iter().find(is_doubted) {
        Some(ClusterPeer::Names(_)) => format!("which addresses its domainNames have, and whether {peer} is one"),
        Some(ClusterPeer::Nodes(_)) if matches!(probe.peer(direction), End::Address(_)) => {
            format!("the labels of the node {peer}, which the inventory does not list")
        }
        Some(ClusterPeer::Nodes(_)) => format!("on which nodes {peer} will run"),
        _ => format!("the address of {peer}"),
    };
    let sentence =
        format!("{} may decide over {}: not known is {why}", called(met, direction), about(direction, probe));
    Denial { sentence, nearest: None }
}

/// A rule with what its author calls it, which ends no line of ours.
fn called(met: &Met<'_>, direction: PolicyType) -> String {
    let reference = met.reference(direction);
    let Some(name) = &met.rule.name else { return reference.to_string() };
    let name = name.replace(char::is_control, " ");
    format!("{reference} ({name})")
}

/// `ingress from production/frontend on TCP/5432`.
fn about(direction: PolicyType, probe: &Probe<'_>) -> String {
    let preposition = direction.preposition();
    format!("{} {preposition} {} on {}", direction.as_str(), probe.peer_name(direction), service(probe))
}

/// `TCP/5432`; protocols without ports by name alone.
fn service(probe: &Probe<'_>) -> String {
    if probe.protocol.has_ports() { format!("{}/{}", probe.protocol, probe.port) } else { probe.protocol.to_string() }
}

/// The search for the rule that misses least.
struct Near<'a> {
    evaluator: &'a Evaluator<'a>,
    direction: PolicyType,
    policies: &'a [&'a NetworkPolicy],
    probe: &'a Probe<'a>,
}

/// How far a rule is from allowing: a port is mended more easily than a peer of another kind.
type Distance = usize;

/// A peer that speaks of pods where the end is an address, or the other way round, is further than any label.
const OTHER_KIND: Distance = 100;

impl<'a> Near<'a> {
    fn nearest(&self) -> Option<Nearest> {
        let (policy, index, rule) = self.rules().min_by_key(|(policy, _, rule)| self.distance(policy, rule))?;
        let mut misses = self.peer_miss(policy, rule).map(|(_, misses)| misses).unwrap_or_default();
        if !self.evaluator.covers_port(&rule.ports, self.probe) {
            misses.push(self.port_miss(if misses.is_empty() { None } else { Some(rule) }));
        }
        let rule = RuleRef { policy: policy.full_name(), direction: self.direction, index };
        Some(Nearest { rule, misses })
    }

    fn rules(&self) -> impl Iterator<Item = (&'a NetworkPolicy, usize, &'a Rule)> {
        rules_of(self.policies, self.direction)
    }

    fn distance(&self, policy: &NetworkPolicy, rule: &Rule) -> Distance {
        let of_peers = self.peer_miss(policy, rule).map_or(0, |(distance, _)| 2 * distance);
        of_peers + usize::from(!self.evaluator.covers_port(&rule.ports, self.probe))
    }

    /// What keeps the nearest peer of a rule from being the other end; none where one is.
    fn peer_miss(&self, policy: &NetworkPolicy, rule: &Rule) -> Option<(Distance, Vec<String>)> {
        if self.evaluator.peers_match(policy, rule, self.direction, self.probe) {
            return None;
        }
        let misses = rule.peers.iter().map(|peer| self.miss(policy, peer));
        misses.min_by_key(|(distance, _)| *distance)
    }

    fn miss(&self, policy: &NetworkPolicy, peer: &Peer) -> (Distance, Vec<String>) {
        match (peer, self.probe.peer(self.direction)) {
            (Peer::Pods { namespaces, pods }, End::Pod(pod)) if self.evaluator.is_selectable(pod) => {
                let misses = self.pods_miss(policy, namespaces.as_ref(), pods, pod);
                (misses.len(), misses)
            }
            (Peer::Pods { .. }, End::Pod(pod)) => (OTHER_KIND, vec![format!("{pod} is in its node's network")]),
            (Peer::Pods { .. }, End::Address(_)) => {
                (OTHER_KIND, vec![format!("{} is no pod", self.probe.peer_name(self.direction))])
            }
            (Peer::Block(block), end) => self.block_miss(block, end),
        }
    }

    fn pods_miss(
        &self,
        policy: &NetworkPolicy,
        namespaces: Option<&Selector>,
        pods: &Selector,
        pod: &PodEnd,
    ) -> Vec<String> {
        let labels = self.evaluator.namespace_labels(&pod.namespace);
        let mut misses = match namespaces {
            Some(selector) => unmet(&format!("namespace {}", pod.namespace), selector, &labels),
            None if pod.namespace == policy.namespace => Vec::new(),
            None => vec![format!("{pod} is not in namespace {}", policy.namespace)],
        };
        misses.extend(unmet(&pod.to_string(), pods, &pod.labels));
        misses
    }

    fn block_miss(&self, block: &IpBlock, end: &End) -> (Distance, Vec<String>) {
        let Some(address) = self.evaluator.block_addresses(self.direction, self.probe).first().copied() else {
            return (OTHER_KIND, vec![format!("{} is an ipBlock and covers no pods such as {end}", block.cidr)]);
        };
        let name = match end {
            End::Address(own) if own.to_canonical() == address => self.probe.peer_name(self.direction),
            _ => address.to_string(),
        };
        let miss = match block.exception(address) {
            Some(except) => format!("{name} is in {except}, which is excepted"),
            None => format!("{name} is not in {}", block.cidr),
        };
        (1, vec![miss])
    }

    /// The port with those of a rule; without one, with those of all rules that name the peer.
    fn port_miss(&self, of: Option<&Rule>) -> String {
        let names_peer =
            |policy: &NetworkPolicy, rule: &Rule| self.evaluator.peers_match(policy, rule, self.direction, self.probe);
        let rules =
            self.rules().filter(|(policy, _, rule)| of.map_or_else(|| names_peer(policy, rule), |of| of == *rule));
        let ports: Vec<&Port> = rules.flat_map(|(_, _, rule)| &rule.ports).collect();
        let mut words = self.port_words(&ports);
        if words.len() > NAMED {
            let more = words.len() - NAMED;
            words.truncate(NAMED);
            words.push(format!("{more} more"));
        }
        let protocol = self.probe.protocol;
        let asked = if protocol.has_ports() { format!("port {}", self.probe.port) } else { protocol.to_string() };
        format!("{asked} is not among {}", words.join(", "))
    }

    /// Ports as short as they can be beside the protocol that was asked for: numbers, then names with their numbers.
    fn port_words(&self, ports: &[&Port]) -> Vec<String> {
        let numbers = ports.iter().filter(|port| !matches!(port.ports, PortMatch::Named(_)));
        let numbered = self.evaluator.all_at(numbers.copied(), self.probe.to);
        let names: BTreeSet<(Protocol, &str)> = ports
            .iter()
            .filter_map(|port| match &port.ports {
                PortMatch::Named(name) => Some((port.protocol, name.as_str())),
                _ => None,
            })
            .collect();
        let words = names.into_iter().map(|(protocol, name)| self.name_word(protocol, name));
        numbered.names_beside(self.probe.protocol).into_iter().chain(words).collect()
    }

    fn name_word(&self, of: Protocol, name: &str) -> String {
        let protocol = if of == self.probe.protocol { String::new() } else { format!("{of}/") };
        let numbers: Vec<String> = self.evaluator.ports_named(self.probe.to, name, of).map(|n| n.to_string()).collect();
        let meaning = if numbers.is_empty() { "not declared there".to_owned() } else { numbers.join(", ") };
        format!("{protocol}{name} ({meaning})")
    }
}

fn unmet(who: &str, selector: &Selector, labels: &Labels) -> Vec<String> {
    selector.unmet(labels).map(|requirement| format!("{who} does not match {requirement}")).collect()
}
