//! Policies of one tier and one priority: where they contradict each other, nothing defines which of them comes first.

use std::collections::BTreeSet;

use crate::policy::{ClusterPeer, ClusterPolicy, ClusterRule, Operator, PodsOf, PolicyType, Port, PortMatch, Selector};

/// So many policies are named.
const NAMED: usize = 5;

/// So many rules, peers and policies are compared: beyond that all count as contradicting each other.
const COMPARISONS: usize = 1_000_000;

/// What is not defined among policies of one tier and one priority; nothing where none contradicts another.
pub(super) fn doubt(policies: &[ClusterPolicy]) -> Option<String> {
    let tied = tied(policies);
    let first = policies.get(*tied.first()?)?;
    let mut names: Vec<String> = tied.iter().take(NAMED).map(|index| policies[*index].to_string()).collect();
    let more = tied.len() - names.len();
    let last = if more > 0 { Some(format!("{more} more")) } else { names.pop() }?;
    let order = if tied.len() == 2 { format!("it is {first}") } else { "they come by their names".to_owned() };
    Some(format!(
        "{} and {last} have the priority {} in the {} tier: which of them comes first is not defined, and here {order}",
        names.join(", "),
        first.priority,
        first.tier.as_str()
    ))
}

/// The places of those that contradict another.
fn tied(policies: &[ClusterPolicy]) -> BTreeSet<usize> {
    let mut tied = BTreeSet::new();
    let mut comparison = Comparison { left: COMPARISONS };
    for (n, one) in policies.iter().enumerate() {
        for (m, other) in policies.iter().enumerate().skip(n + 1) {
            if comparison.is_over() {
                return (0..policies.len()).collect();
            }
            if !(tied.contains(&n) && tied.contains(&m)) && comparison.contradict(one, other) {
                tied.extend([n, m]);
            }
        }
    }
    tied
}

/// Compares until it has compared enough.
struct Comparison {
    left: usize,
}

impl Comparison {
    /// Counts one more, and tells whether that was the last.
    fn is_over(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    /// Whether two policies may say something else of one connection.
    fn contradict(&mut self, one: &ClusterPolicy, other: &ClusterPolicy) -> bool {
        pods_meet(&one.subject, &other.subject)
            && [PolicyType::Ingress, PolicyType::Egress].into_iter().any(|direction| {
                let others = other.rules(direction);
                one.rules(direction).iter().any(|rule| {
                    others.iter().any(|other| self.is_over() || other.action != rule.action && self.meet(rule, other))
                })
            })
    }

    /// Whether a connection may be what both rules are about.
    fn meet(&mut self, one: &ClusterRule, other: &ClusterRule) -> bool {
        let is_port = |port: &Port| other.ports.iter().any(|other| ports_meet(port, other));
        let is_any_port = one.ports.is_empty() || other.ports.is_empty();
        (is_any_port || one.ports.iter().any(is_port))
            && one.peers.iter().any(|peer| other.peers.iter().any(|other| self.is_over() || peers_meet(peer, other)))
    }
}

fn pods_meet(one: &PodsOf, other: &PodsOf) -> bool {
    selectors_meet(&one.namespaces, &other.namespaces) && selectors_meet(&one.pods, &other.pods)
}

/// Whether no label must have values of each that the other does not take.
fn selectors_meet(one: &Selector, other: &Selector) -> bool {
    one.0.iter().all(|requirement| {
        let Operator::In(values) = &requirement.operator else { return true };
        other.0.iter().filter(|it| it.key == requirement.key).all(|it| match &it.operator {
            Operator::In(others) => !values.is_disjoint(others),
            _ => true,
        })
    })
}

fn peers_meet(one: &ClusterPeer, other: &ClusterPeer) -> bool {
    match (one, other) {
        (ClusterPeer::Pods(one), ClusterPeer::Pods(other)) => pods_meet(one, other),
        (ClusterPeer::Nodes(one), ClusterPeer::Nodes(other)) => selectors_meet(one, other),
        (ClusterPeer::Networks(one), ClusterPeer::Networks(other)) => {
            one.iter().any(|net| other.iter().any(|other| net.contains(other) || other.contains(net)))
        }
        _ => true,
    }
}

fn ports_meet(one: &Port, other: &Port) -> bool {
    match (&one.ports, &other.ports) {
        // a name may be that of any number, also of any protocol
        (PortMatch::Named(_), _) | (_, PortMatch::Named(_)) => true,
        _ if one.protocol != other.protocol => false,
        (PortMatch::Range(first, last), PortMatch::Range(from, to)) => first <= to && from <= last,
        _ => true,
    }
}
