//! The rules of all policies with their peers and ports by number.

use std::collections::BTreeSet;

use foldhash::HashMap;

use super::{DIRECTIONS, Interned, PortSet, place};
use crate::{
    model::Protocol,
    policy::{
        Action, ClusterPeer, ClusterPolicy, ClusterRule, Evaluator, IpBlock, NetworkPolicy, Operator, Peer, Port,
        PortMatch, Rule, Selector, Tier,
    },
};

/// What one peer of a rule asks for; the same question is asked once, however many rules ask it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Atom<'a> {
    /// Pods of the policy's own namespace.
    Own(&'a str, &'a Selector),
    /// Pods of the namespaces that a selector selects.
    Selected(&'a Selector, &'a Selector),
    /// Addresses.
    Block(&'a IpBlock),
    /// What rules of policies of whole clusters name.
    Wide(&'a ClusterPeer),
}

/// A rule.
pub(super) struct Compiled {
    /// The atoms of its peers; none: everybody.
    pub peers: Option<Vec<u32>>,
    /// Whether any of its peers is known by its address.
    pub names_addresses: bool,
    /// Its ports.
    pub ports: CompiledPorts,
}

/// The ports of a rule.
#[derive(Default)]
pub(super) struct CompiledPorts {
    /// The ports that it names by number.
    pub numbered: PortSet,
    /// Those that it names by name, which only the server can tell.
    pub named: Vec<(Protocol, u32)>,
}

/// A rule of a policy of the whole cluster.
pub(super) struct Wide {
    pub action: Action,
    pub rule: Compiled,
}

/// A policy of the whole cluster with its rules, by direction.
pub(super) struct WidePolicy<'a> {
    pub policy: &'a ClusterPolicy,
    pub is_admin: bool,
    pub rules: [Vec<Wide>; 2],
}

/// All rules.
pub(super) struct Rules<'a> {
    pub policies: Vec<&'a NetworkPolicy>,
    /// By direction, for each policy its rules; none where it does not isolate.
    pub compiled: [Vec<Option<Vec<Compiled>>>; 2],
    /// The policies of whole clusters, in the order in which they are asked.
    pub wide: Vec<WidePolicy<'a>>,
    /// By direction, what is asked of peers.
    pub atoms: [Vec<Atom<'a>>; 2],
    /// The labels that any selector of pods names.
    pub keys: BTreeSet<&'a str>,
    /// The port names that any rule names.
    pub names: HashMap<(Protocol, &'a str), u32>,
}

impl<'a> Rules<'a> {
    pub fn new(evaluator: &Evaluator<'a>) -> Self {
        let policies: Vec<&NetworkPolicy> = evaluator.policies().collect();
        let mut names = Interned::default();
        let mut atoms = [Interned::default(), Interned::default()];
        let mut keys = BTreeSet::new();
        keys.extend(policies.iter().flat_map(|policy| keys_of(&policy.pod_selector)));
        let compiled = DIRECTIONS.map(|direction| {
            let atoms = &mut atoms[place(direction)];
            let mut all_of = |policy: &'a NetworkPolicy| {
                let rules = policy.rules(direction)?;
                Some(rules.iter().map(|rule| compile(policy, rule, atoms, &mut names)).collect())
            };
            policies.iter().map(|policy| all_of(policy)).collect()
        });
        let wide: Vec<WidePolicy> = evaluator
            .cluster_wide()
            .iter()
            .map(|policy| {
                let rules = DIRECTIONS.map(|direction| {
                    let atoms = &mut atoms[place(direction)];
                    policy.rules(direction).iter().map(|rule| compile_wide(rule, atoms, &mut names)).collect()
                });
                WidePolicy { policy, is_admin: policy.tier == Tier::Admin, rules }
            })
            .collect();
        keys.extend(wide.iter().flat_map(|it| keys_of(&it.policy.subject.pods)));
        let atoms = atoms.map(|atoms| atoms.values);
        for atom in atoms.iter().flatten() {
            match atom {
                Atom::Own(_, pods) | Atom::Selected(_, pods) => keys.extend(keys_of(pods)),
                Atom::Wide(ClusterPeer::Pods(pods)) => keys.extend(keys_of(&pods.pods)),
                Atom::Block(_) | Atom::Wide(_) => {}
            }
        }
        Self { policies, compiled, wide, atoms, keys, names: names.ids }
    }
}

fn keys_of(selector: &Selector) -> impl Iterator<Item = &str> {
    selector.0.iter().map(|requirement| requirement.key.as_str())
}

fn compile<'a>(
    policy: &'a NetworkPolicy,
    rule: &'a Rule,
    atoms: &mut Interned<Atom<'a>>,
    known: &mut Interned<(Protocol, &'a str)>,
) -> Compiled {
    let mut atom = |peer: &'a Peer| {
        atoms.id(match peer {
            Peer::Pods { namespaces: None, pods } => Atom::Own(&policy.namespace, pods),
            Peer::Pods { namespaces: Some(namespaces), pods } => Atom::Selected(namespaces, pods),
            Peer::Block(block) => Atom::Block(block),
        })
    };
    let peers = (!rule.peers.is_empty()).then(|| rule.peers.iter().map(&mut atom).collect());
    let names_addresses = rule.peers.iter().any(|peer| matches!(peer, Peer::Block(_)));
    Compiled { peers, names_addresses, ports: compile_ports(&rule.ports, known) }
}

fn compile_wide<'a>(
    rule: &'a ClusterRule,
    atoms: &mut Interned<Atom<'a>>,
    known: &mut Interned<(Protocol, &'a str)>,
) -> Wide {
    let peers = rule.peers.iter().map(|peer| atoms.id(Atom::Wide(peer))).collect();
    let names_addresses = rule.peers.iter().any(|peer| peer.pods().is_none());
    let rule_of = Compiled { peers: Some(peers), names_addresses, ports: compile_ports(&rule.ports, known) };
    Wide { action: rule.action, rule: rule_of }
}

fn compile_ports<'a>(ports: &'a [Port], known: &mut Interned<(Protocol, &'a str)>) -> CompiledPorts {
    let mut named = Vec::new();
    let mut numbered = Vec::new();
    for port in ports {
        match &port.ports {
            PortMatch::All => numbered.push(PortSet::all_of(port.protocol)),
            PortMatch::Range(first, last) => numbered.push(PortSet::range(port.protocol, *first, *last)),
            PortMatch::Named(name) => named.push((port.protocol, known.id((port.protocol, name.as_str())))),
        }
    }
    let numbered = if ports.is_empty() { PortSet::everything() } else { PortSet::all(numbered) };
    CompiledPorts { numbered, named }
}

/// The requirement of a selector that the fewest things meet, by what is known of each label: how many have it.
pub(super) fn rarest(
    selector: &Selector,
    having: impl Fn(&str, &str) -> usize,
) -> Option<(&str, &BTreeSet<String>, usize)> {
    let wanted = selector.0.iter().filter_map(|requirement| match &requirement.operator {
        Operator::In(values) => Some((requirement.key.as_str(), values)),
        _ => None,
    });
    let counted = wanted.map(|(key, values)| (key, values, values.iter().map(|value| having(key, value)).sum()));
    counted.min_by_key(|(_, _, count)| *count)
}
