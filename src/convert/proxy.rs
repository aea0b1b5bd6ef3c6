//! What Cilium's DNS proxy sees: what rules of port 53 lead through it, and of whom pods ask names elsewhere.

use super::{Ground, ground::is_link_local};
use crate::{
    model::{Protocol, well_known::DNS},
    policy::{IpBlock, Peer, Port, PortMatch, Rule, Selector},
};

/// Whether Cilium's proxy sees what a pod asks, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// No rule of port 53 lets it ask.
    None,
    /// It asks its own node, where the proxy does not see it.
    OwnNode,
    /// It asks somebody else.
    Seen,
}

/// The blocks that a rule names.
pub(super) fn blocks(rule: &Rule) -> impl Iterator<Item = &IpBlock> {
    rule.peers.iter().filter_map(|peer| match peer {
        Peer::Block(block) => Some(block),
        Peer::Pods { .. } => None,
    })
}

/// Whether it is the port of DNS and no other: a DNS rule goes with no range.
pub(super) fn is_dns(port: &Port) -> bool {
    is_dns_over_udp(port) || port.protocol == Protocol::TCP && port.ports == PortMatch::Range(DNS, DNS)
}

pub(super) fn is_dns_over_udp(port: &Port) -> bool {
    port.protocol == Protocol::UDP && port.ports == PortMatch::Range(DNS, DNS)
}

/// The ports that names get of a rule's: all but that of DNS, for beside a rule that allows it without one about DNS the latter has
/// no effect, and a resolver may be among what the names lead to.
pub(super) fn without_dns(ports: &[Port]) -> Vec<Port> {
    let all = [Protocol::TCP, Protocol::UDP].map(|protocol| Port { protocol, ports: PortMatch::All });
    let rest = |port: &Port| {
        let has_dns = [Protocol::TCP, Protocol::UDP].contains(&port.protocol);
        let (first, last) = match port.ports {
            PortMatch::All if has_dns => (1, u16::MAX),
            PortMatch::Range(first, last) if has_dns && (first..=last).contains(&DNS) => (first, last),
            _ => return vec![port.clone()],
        };
        let pieces = [(first, DNS - 1), (DNS + 1, last)].into_iter().filter(|(first, last)| first <= last);
        pieces.map(|(first, last)| Port { protocol: port.protocol, ports: PortMatch::Range(first, last) }).collect()
    };
    if ports.is_empty() { all.iter().flat_map(rest).collect() } else { ports.iter().flat_map(rest).collect() }
}

/// Whether a rule lets DNS pass among other ports.
pub(super) fn holds_dns(rule: &Rule) -> bool {
    let holds = |port: &Port| match port.ports {
        PortMatch::All => port.protocol == Protocol::UDP,
        PortMatch::Range(first, last) => {
            port.protocol == Protocol::UDP && first < last && (first..=last).contains(&DNS)
        }
        PortMatch::Named(_) => false,
    };
    rule.ports.is_empty() || rule.ports.iter().any(holds)
}

/// Whether who is meant by one peer is meant by another as well: that is all pods, all of the same namespaces, or a larger block.
pub(super) fn covers(peer: &Peer, other: &Peer) -> bool {
    let is_any = |selector: &Selector| selector.0.is_empty();
    match (peer, other) {
        (Peer::Pods { namespaces, pods }, Peer::Pods { namespaces: others, .. }) if is_any(pods) => {
            namespaces == others || namespaces.as_ref().is_some_and(is_any)
        }
        (Peer::Block(block), Peer::Block(other)) => block.cidr.contains(&other.cidr) && block.except.is_empty(),
        _ => peer == other,
    }
}

/// What the proxy sees of what is asked by a rule of port 53.
pub(super) fn sight_of(rule: &Rule, ground: &Ground) -> Sight {
    let is_far = |peer: &Peer| match peer {
        Peer::Pods { .. } => true,
        Peer::Block(block) => !is_of_own_node(block, ground) && !ground.is_inside(block),
    };
    if rule.peers.is_empty() || rule.peers.iter().any(is_far) {
        return Sight::Seen;
    }
    let asks_own_node = blocks(rule).any(|block| is_of_own_node(block, ground));
    if asks_own_node { Sight::OwnNode } else { Sight::None }
}

/// Whether a block leads to a node, as to its own cache of names.
pub(super) fn is_of_own_node(block: &IpBlock, ground: &Ground) -> bool {
    let is_single = block.cidr.prefix_len() == block.cidr.max_prefix_len();
    is_link_local(block.cidr.network()) || is_single && !ground.nodes_in(block).is_empty()
}
