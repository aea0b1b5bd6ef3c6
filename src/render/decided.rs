//! A recommendation as decisions leave it: who is in it, what is left of its groups, and what was left out.

use super::{
    Decisions, Sheet,
    draft::{Atom, dns_name, key, numbered},
    peers,
};
use crate::{
    model::{PortRange, Protocol},
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
            without_rejected(&mut group.ingress, decisions, &keys, "ingress", &namespace);
            without_rejected(&mut group.egress, decisions, &keys, "egress", &namespace);
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
    let is_there = |key: &String| sheets.iter().any(|sheet| sheet.key == *key);
    for plan in &mut part.namespaces {
        let namespace = plan.namespace.clone();
        plan.groups.retain(|group| keys(group, &namespace).iter().any(is_there));
        let dns_key = |client: &DnsClient| key(&format!("{namespace}/allow-dns.yaml"), &dns_name(client));
        if let Some(dns) = &mut plan.dns {
            dns.clients.retain(|client| is_there(&dns_key(client)));
        }
        plan.dns = plan.dns.take().filter(|dns| !dns.clients.is_empty());
    }
    part.namespaces.retain(|plan| sheets.iter().any(|sheet| sheet.namespace == plan.namespace));
    part
}

fn of_dns(mut dns: Dns, decisions: &Decisions, namespace: &str) -> Option<Dns> {
    let key = |name: &str| key(&format!("{namespace}/allow-dns.yaml"), name);
    dns.clients.retain(|client| !decisions.rejects(&key(&dns_name(client))));
    let keys: Vec<String> = dns.clients.iter().map(|client| key(&dns_name(client))).collect();
    without_rejected(&mut dns.servers, decisions, &keys, "egress", namespace);
    (!dns.clients.is_empty()).then_some(dns)
}

/// The policies of a group, by document and name.
fn keys(group: &Group, namespace: &str) -> Vec<String> {
    let document = format!("{namespace}/{}.yaml", group.name);
    (0..group.selectors.len().max(1)).map(|n| key(&document, &numbered(&group.name, n))).collect()
}

/// Takes out what all of these policies reject.
pub(super) fn without_rejected(
    accesses: &mut Accesses,
    decisions: &Decisions,
    keys: &[String],
    side: &str,
    namespace: &str,
) {
    for (peer, access) in accesses.iter_mut() {
        let ends = peers::peer(peer, namespace);
        let is_rejected = |port: &(Protocol, PortRange)| {
            let atom = |peer: &serde_json::Value| Atom { peer: peer.clone(), port: peers::port(*port) };
            let is_out = |key: &String| ends.iter().all(|peer| decisions.rejects_atom(key, side, &atom(peer)));
            !ends.is_empty() && !keys.is_empty() && keys.iter().all(is_out)
        };
        access.ports.retain(|port| !is_rejected(port));
    }
    accesses.retain(|_, access| !access.ports.is_empty());
}
