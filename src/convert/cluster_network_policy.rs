//! `ClusterNetworkPolicy` (`policy.networking.k8s.io/v1alpha2`), after the API's documentation and the limits of its definitions.
//!
//! NetworkPolicies add up, and close what none of them allows. Of these the first rule that is about a connection decides, so that
//! the same is said in four phases, each with a priority of its own. Within a phase all rules do the same, and their order does not
//! matter. Pods come before networks, because networks hold the addresses of pods too, and an `ipBlock` holds none.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Ground, Remark, label_selector::LabelSelector, words};
use crate::{
    model::{NAMESPACE_NAME_LABEL, Protocol},
    policy::{Action, IpBlock, NetworkPolicy, Peer, PolicyType, Port, PortMatch, Requirement, Rule, Selector, Tier},
};

/// So many rules a direction may have, peers and ports a rule, and networks a peer.
const MOST: usize = 25;

/// Letters of an object's name.
const MAX_NAME: usize = 253;

/// The highest priority.
const MAX_PRIORITY: u16 = 1_000;

/// All addresses.
const ALL_NETWORKS: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Where policies of whole clusters are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The tier.
    pub tier: Tier,
    /// The first of the priorities that they take there.
    pub priority: u16,
}

impl Slot {
    /// Behind the NetworkPolicies, and with room before.
    pub const DEFAULT: Self = Self { tier: Tier::Baseline, priority: 100 };

    /// The highest first priority: all of them must have one.
    pub const LAST_PRIORITY: u16 = MAX_PRIORITY - 3;

    /// The last of the priorities that they take.
    #[must_use]
    pub fn last(self) -> u16 {
        self.priority + 3
    }
}

/// What is decided one after the other.
#[derive(Clone, Copy)]
enum Phase {
    AllowPods,
    DenyPods,
    AllowNetworks,
    DenyNetworks,
}

impl Phase {
    const ALL: [Self; 4] = [Self::AllowPods, Self::DenyPods, Self::AllowNetworks, Self::DenyNetworks];

    fn as_str(self) -> &'static str {
        match self {
            Self::AllowPods => "allow-pods",
            Self::DenyPods => "deny-pods",
            Self::AllowNetworks => "allow-networks",
            Self::DenyNetworks => "deny-networks",
        }
    }
}

/// The names and specs that stand for a policy, at least one, in their order. What one of `all` closes for it is not closed twice.
pub(super) fn specs(policy: &NetworkPolicy, all: &[NetworkPolicy], slot: Slot) -> Vec<(String, Value)> {
    let own = |side: PolicyType| !opens(policy, side) && !all.iter().any(|other| closes_for(other, policy, side));
    let specs = phases(policy, slot, &own);
    // closed by another and allowing nothing, it would be gone
    if specs.is_empty() { phases(policy, slot, &|_| true) } else { specs }
}

fn phases(policy: &NetworkPolicy, slot: Slot, closes: &dyn Fn(PolicyType) -> bool) -> Vec<(String, Value)> {
    let namespace = Selector(vec![Requirement::equals(NAMESPACE_NAME_LABEL, &policy.namespace)]);
    let subject = pods(&namespace, &policy.pod_selector);
    let mut specs = Vec::new();
    for (phase, priority) in Phase::ALL.into_iter().zip(slot.priority..) {
        let [ingress, egress] = PolicyType::ALL.map(|side| {
            let closes = policy.rules(side).is_some() && closes(side);
            rules(policy, (phase, side), slot.tier, closes)
        });
        let parts = ingress.len().max(egress.len()).div_ceil(MOST);
        for part in 0..parts {
            let mut spec = json!({"tier": slot.tier.as_str(), "priority": priority, "subject": subject});
            for (side, rules) in PolicyType::ALL.into_iter().zip([&ingress, &egress]) {
                if let Some(rules) = rules.chunks(MOST).nth(part) {
                    spec[side.as_str()] = rules.into();
                }
            }
            specs.push((name(policy, phase, part), spec));
        }
    }
    specs
}

/// The rules of a phase.
fn rules(policy: &NetworkPolicy, (phase, side): (Phase, PolicyType), tier: Tier, closes: bool) -> Vec<Value> {
    let allow = match tier {
        // what is accepted there no NetworkPolicy can deny any more
        Tier::Admin => Action::Pass,
        Tier::Baseline => Action::Accept,
    };
    let allowed = policy.rules(side).into_iter().flatten();
    let deny = |peer: Value| if closes { written(Action::Deny, side, &[peer], &[vec![]]) } else { Vec::new() };
    match (phase, side) {
        (Phase::AllowPods, _) => {
            allowed.flat_map(|rule| written(allow, side, &pod_peers(policy, rule), &ports(rule, true))).collect()
        }
        (Phase::DenyPods, _) => deny(json!({"namespaces": {}})),
        (Phase::AllowNetworks | Phase::DenyNetworks, PolicyType::Ingress) => Vec::new(),
        (Phase::AllowNetworks, PolicyType::Egress) => {
            allowed.flat_map(|rule| written(allow, side, &network_peers(rule), &ports(rule, false))).collect()
        }
        (Phase::DenyNetworks, PolicyType::Egress) => deny(json!({"networks": ALL_NETWORKS})),
    }
}

/// Rules that say one thing of all these peers, on the ports of each of these lists, of which an empty one means all.
fn written(action: Action, side: PolicyType, peers: &[Value], ports: &[Vec<Value>]) -> Vec<Value> {
    let each = peers.chunks(MOST).flat_map(|peers| ports.iter().map(move |ports| (peers, ports)));
    let one = |(peers, ports): (&[Value], &Vec<Value>)| {
        let mut rule = json!({"action": action.as_str(), side.preposition(): peers});
        if !ports.is_empty() {
            rule["protocols"] = ports.as_slice().into();
        }
        rule
    };
    each.map(one).collect()
}

/// The peers of a rule that are pods; everybody's are those of all namespaces.
fn pod_peers(policy: &NetworkPolicy, rule: &Rule) -> Vec<Value> {
    if rule.peers.is_empty() {
        return vec![json!({"namespaces": {}})];
    }
    let own = Selector(vec![Requirement::equals(NAMESPACE_NAME_LABEL, &policy.namespace)]);
    let one = |peer: &Peer| match peer {
        Peer::Pods { namespaces, pods } => Some(self::pods(namespaces.as_ref().unwrap_or(&own), pods)),
        Peer::Block(_) => None,
    };
    rule.peers.iter().filter_map(one).collect()
}

fn pods(namespaces: &Selector, pods: &Selector) -> Value {
    let [of_namespaces, of_pods] = [namespaces, pods].map(|selector| Value::from(LabelSelector::from(selector)));
    if pods.0.is_empty() {
        json!({"namespaces": of_namespaces})
    } else {
        json!({"pods": {"namespaceSelector": of_namespaces, "podSelector": of_pods}})
    }
}

/// The peers of a rule that are addresses; everybody's are all of them.
fn network_peers(rule: &Rule) -> Vec<Value> {
    if rule.peers.is_empty() {
        return vec![json!({"networks": ALL_NETWORKS})];
    }
    // none twice, for a list of them is a set
    let networks: BTreeSet<IpNet> = blocks(rule).flat_map(|block| rest(block.cidr.trunc(), &block.except)).collect();
    let networks: Vec<IpNet> = networks.into_iter().collect();
    networks.chunks(MOST).map(|networks| json!({"networks": networks})).collect()
}

fn blocks(rule: &Rule) -> impl Iterator<Item = &IpBlock> {
    rule.peers.iter().filter_map(|peer| match peer {
        Peer::Block(block) => Some(block),
        Peer::Pods { .. } => None,
    })
}

/// The networks that are left of one without its exceptions.
fn rest(network: IpNet, except: &[IpNet]) -> Vec<IpNet> {
    if except.iter().any(|it| it.contains(&network)) {
        return Vec::new();
    }
    let within: Vec<IpNet> = except.iter().copied().filter(|it| network.contains(it)).collect();
    if within.is_empty() {
        return vec![network];
    }
    let halves = network.subnets(network.prefix_len() + 1).into_iter().flatten();
    halves.flat_map(|half| rest(half, &within)).collect()
}

/// The ports of a rule, in lists of as many as one may hold: one empty list where all are allowed, none where nothing is said.
fn ports(rule: &Rule, with_names: bool) -> Vec<Vec<Value>> {
    if rule.ports.is_empty() {
        return vec![Vec::new()];
    }
    let mut names = BTreeSet::new();
    let one = |port: &Port| {
        let numbers = match &port.ports {
            // of all protocols at once
            PortMatch::Named(name) => {
                let is_new = with_names && names.insert(name.clone());
                return is_new.then(|| json!({"destinationNamedPort": name}));
            }
            PortMatch::Range(first, last) if first == last => json!({"number": first}),
            PortMatch::Range(first, last) => json!({"range": {"start": first, "end": last}}),
            PortMatch::All => json!({"range": {"start": 1, "end": u16::MAX}}),
        };
        let protocol = port.protocol.to_string().to_ascii_lowercase();
        Some(json!({protocol: {"destinationPort": numbers}}))
    };
    let all: Vec<Value> = rule.ports.iter().filter_map(one).collect();
    all.chunks(MOST).map(<[Value]>::to_vec).collect()
}

/// Whether a policy allows everything in a direction.
fn opens(policy: &NetworkPolicy, side: PolicyType) -> bool {
    policy.rules(side).into_iter().flatten().any(|rule| rule.peers.is_empty() && rule.ports.is_empty())
}

/// Whether another policy closes a direction for all pods of this one, or opens it for them. Of two for the same pods the first does.
fn closes_for(other: &NetworkPolicy, policy: &NetworkPolicy, side: PolicyType) -> bool {
    let holds = |wide: &NetworkPolicy, narrow: &NetworkPolicy| {
        wide.pod_selector.0.iter().all(|requirement| narrow.pod_selector.0.contains(requirement))
    };
    other.namespace == policy.namespace
        && other.rules(side).is_some()
        && holds(other, policy)
        && (!holds(policy, other) || other.name < policy.name)
}

/// `shop.web.allow-pods`, then `shop.web.allow-pods-2`: a namespace has no dot in its name and the last part none either, so that no
/// two are alike. Of what is too long the end becomes a digest, in the last part.
fn name(policy: &NetworkPolicy, phase: Phase, part: usize) -> String {
    let whole = format!("{}.{}", policy.namespace, policy.name);
    let number = if part == 0 { String::new() } else { format!("-{}", part + 1) };
    let last = format!("{}{number}", phase.as_str());
    let name = format!("{whole}.{last}");
    if name.len() <= MAX_NAME {
        return name;
    }
    let digest = Sha256::digest(&whole).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    let last = format!("{last}-x{digest:016x}");
    let room = MAX_NAME.saturating_sub(last.len() + 1);
    let cut: String = whole.chars().take(room).collect();
    format!("{}.{last}", cut.trim_end_matches(['.', '-']))
}

/// Where these are not what the policy was.
pub(super) fn remarks(policy: &NetworkPolicy, ground: &Ground) -> Vec<Remark> {
    let mut remarks = BTreeSet::new();
    if policy.ingress.is_some() && !opens(policy, PolicyType::Ingress) {
        let blocks: BTreeSet<String> =
            policy.ingress.iter().flatten().flat_map(blocks).map(|block| block.cidr.to_string()).collect();
        remarks.insert(Remark::OpenToOutside { cidrs: blocks.into_iter().collect() });
    }
    let sides = PolicyType::ALL.into_iter().map(|side| (side, policy.rules(side).unwrap_or_default()));
    for (side, rule) in sides.flat_map(|(side, rules)| rules.iter().map(move |rule| (side, rule))) {
        of_names(rule, side, &mut remarks);
        for block in blocks(rule) {
            let pods = ground.pods_in(block);
            let services = if side == PolicyType::Egress { ground.services_in(block) } else { 0 };
            if pods + services > 0 {
                remarks.insert(Remark::InCluster { side, cidr: block.cidr.to_string(), pods, services });
            }
        }
    }
    remarks.into_iter().collect()
}

/// What names of ports are here: those of every protocol, and of pods alone.
fn of_names(rule: &Rule, side: PolicyType, remarks: &mut BTreeSet<Remark>) {
    let named: Vec<Port> =
        rule.ports.iter().filter(|port| matches!(port.ports, PortMatch::Named(_))).cloned().collect();
    if named.is_empty() {
        return;
    }
    let is_of_all = |port: &Port| {
        let has = |protocol| named.iter().any(|it| it.protocol == protocol && it.ports == port.ports);
        [Protocol::TCP, Protocol::UDP, Protocol::SCTP].into_iter().all(has)
    };
    let is_everybody = rule.peers.is_empty();
    let has_pods = is_everybody || rule.peers.iter().any(|peer| matches!(peer, Peer::Pods { .. }));
    if has_pods && !named.iter().all(is_of_all) {
        remarks.insert(Remark::AnyProtocol { side, ports: words(&named) });
    }
    if side == PolicyType::Egress && (is_everybody || blocks(rule).next().is_some()) {
        remarks.insert(Remark::NoPortNames { ports: words(&named) });
    }
}
