//! A recommendation as decisions leave it: who is in it, what is left of its groups, and what was left out.

use super::{
    Decisions, PolicyKey, Sheet,
    draft::{Atom, dns_name, numbered},
    peers,
};
use crate::{
    model::{PortRange, Protocol},
    policy::PolicyType,
    recommend::{Accesses, Dns, DnsClient, Group, Recommendation},
};

/// The recommendation without what was rejected: of a group, what all of its policies reject. What each policy allows,
/// with what a person added to it, [`super::sheets`] tell.
#[must_use]
pub fn decided(recommendation: &Recommendation, decisions: &Decisions) -> Recommendation {
    let mut decided = recommendation.clone();
    for plan in &mut decided.namespaces {
        let namespace = plan.namespace.clone();
        for group in &mut plan.groups {
            let keys = keys(group, &namespace);
            without_rejected(&mut group.ingress, decisions, &keys, PolicyType::Ingress, &namespace);
            without_rejected(&mut group.egress, decisions, &keys, PolicyType::Egress, &namespace);
        }
        plan.groups.retain(|group| !keys(group, &namespace).iter().all(|key| decisions.rejects(key)));
        plan.dns = plan.dns.take().and_then(|dns| of_dns(dns, decisions, &namespace));
    }
    decided
}

/// The part of a recommendation that some policies are of.
#[must_use]
pub fn part(recommendation: &Recommendation, sheets: &[Sheet]) -> Recommendation {
    let mut part = recommendation.clone();
    let is_there = |key: &PolicyKey| sheets.iter().any(|sheet| sheet.key == *key);
    for plan in &mut part.namespaces {
        let namespace = plan.namespace.clone();
        plan.groups.retain(|group| keys(group, &namespace).iter().any(is_there));
        if let Some(dns) = &mut plan.dns {
            dns.clients.retain(|client| is_there(&dns_key(client, &namespace)));
        }
        plan.dns = plan.dns.take().filter(|dns| !dns.clients.is_empty());
    }
    part.namespaces.retain(|plan| sheets.iter().any(|sheet| sheet.namespace == plan.namespace));
    part
}

fn of_dns(mut dns: Dns, decisions: &Decisions, namespace: &str) -> Option<Dns> {
    dns.clients.retain(|client| !decisions.rejects(&dns_key(client, namespace)));
    let keys: Vec<PolicyKey> = dns.clients.iter().map(|client| dns_key(client, namespace)).collect();
    without_rejected(&mut dns.servers, decisions, &keys, PolicyType::Egress, namespace);
    (!dns.clients.is_empty()).then_some(dns)
}

fn dns_key(client: &DnsClient, namespace: &str) -> PolicyKey {
    PolicyKey::in_file(namespace, "allow-dns", &dns_name(client))
}

/// The policies of a group.
fn keys(group: &Group, namespace: &str) -> Vec<PolicyKey> {
    let key = |n| PolicyKey::in_file(namespace, &group.name, &numbered(&group.name, n));
    (0..group.selectors.len().max(1)).map(key).collect()
}

/// Takes out what all of these policies reject.
pub(super) fn without_rejected(
    accesses: &mut Accesses,
    decisions: &Decisions,
    keys: &[PolicyKey],
    side: PolicyType,
    namespace: &str,
) {
    for (peer, access) in accesses.iter_mut() {
        let ends = peers::peer(peer, namespace);
        let is_rejected = |port: &(Protocol, PortRange)| {
            let atom = |peer: &serde_json::Value| Atom { peer: peer.clone(), port: peers::port(*port) };
            let is_out = |key: &PolicyKey| ends.iter().all(|peer| decisions.rejects_atom(key, side, &atom(peer)));
            !ends.is_empty() && !keys.is_empty() && keys.iter().all(is_out)
        };
        access.ports.retain(|port| !is_rejected(port));
    }
    accesses.retain(|_, access| !access.ports.is_empty());
}
