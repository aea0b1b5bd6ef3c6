//! `evidence.json`: on what every rule rests, for machines; and what was written, for the next time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Document, Facts, Policies, seen, words};
use crate::recommend::{Accesses, Evidence, Group, LeftOut, NamespacePlan, Recommendation, Sum};

/// The name of the document; it also lists the files that belong to the proposal.
pub(super) const NAME: &str = "evidence.json";

/// Everything that the policies rest on, what was left out, and the verdict.
#[must_use]
pub fn evidence(recommendation: &Recommendation, policies: &Policies, facts: &Facts, files: &[String]) -> Document {
    let namespaces: BTreeMap<&str, Value> =
        recommendation.namespaces.iter().map(|plan| (plan.namespace.as_str(), namespace(plan, facts))).collect();
    let value = json!({
        "coverage": seen(recommendation, &facts.coverage),
        "files": files,
        "replay": facts.replay,
        "granularities": facts.granularities,
        "missed_runs": facts.missed_runs.iter().map(|missed| json!({
            "job": missed.job, "schedule": missed.schedule, "why": missed.why,
        })).collect::<Vec<_>>(),
        "blocked_while_learning": facts.blocked,
        "deployed": facts.deployed,
        "namespaces": namespaces,
        "decisions": policies.decisions,
        "written": policies.written,
    });
    let text = format!("{value:#}\n");
    Document { path: NAME.into(), text }
}

fn namespace(plan: &NamespacePlan, facts: &Facts) -> Value {
    let policy = |group: &Group| {
        let mut value = json!({
            "members": group.members,
            "open": group.is_open,
            "watched": group.watched,
            "ingress": accesses(&group.ingress, &plan.namespace, facts),
            "egress": accesses(&group.egress, &plan.namespace, facts),
        });
        if let Some(whole) = &group.residue_of {
            value["besides"] = json!(whole);
        }
        if !group.missing.is_empty() {
            let missing = group.missing.iter().flat_map(|missing| {
                missing
                    .values
                    .iter()
                    .map(|(member, value)| json!({"workload": member, "key": missing.key, "value": value}))
            });
            value["labels_to_add"] = missing.collect::<Vec<_>>().into();
        }
        (group.name.clone(), value)
    };
    let left_out = |left: &LeftOut| {
        let mut value = one(&left.evidence);
        value["reason"] = left.reason.clone().into();
        value
    };
    json!({
        "learning": facts.learning.get(&plan.namespace),
        "policies": plan.groups.iter().map(policy).collect::<BTreeMap<_, _>>(),
        "dns": plan.dns.as_ref().map(|dns| accesses(&dns.servers, &plan.namespace, facts)),
        "left_out": plan.left_out.iter().map(left_out).collect::<Vec<_>>(),
    })
}

fn accesses(peers: &Accesses, namespace: &str, facts: &Facts) -> Vec<Value> {
    let mut values = Vec::new();
    for (peer, access) in peers {
        let ports: Vec<String> =
            access.ports.iter().map(|(protocol, range)| words::ports_of_one(*protocol, *range)).collect();
        let evidence: Vec<_> = access.evidence.iter().map(one).collect();
        let mut value = json!({"peer": words::peer(peer, namespace), "ports": ports});
        if !access.purposes.is_empty() {
            value["purposes"] = access.purposes.iter().map(words::purpose).collect::<Vec<_>>().into();
        }
        if !access.widened.is_empty() {
            value["generalised"] = access.widened.iter().map(words::widened).collect::<Vec<_>>().into();
        }
        if let Some(sum) = access.sum() {
            value["confidence"] = confidence(&sum, facts);
        }
        let names = access.names(peer);
        if !names.is_empty() {
            value["names"] = json!(names);
        }
        value["evidence"] = evidence.into();
        values.push(value);
    }
    values
}

fn confidence(sum: &Sum, facts: &Facts) -> Value {
    let loss = (facts.loss(sum.span) * 1e6).round() / 1e6;
    json!({
        "connections": sum.connections,
        "hours": sum.hours,
        "days": sum.days,
        "first_seen": sum.span.first,
        "last_seen": sum.span.last,
        "direction": sum.direction,
        "capture_loss": loss,
    })
}

fn one(evidence: &Evidence) -> Value {
    json!({
        "client": evidence.client,
        "server": evidence.server,
        "protocol": evidence.protocol,
        "port": evidence.port,
        "via": evidence.via,
        "outcome": evidence.outcome,
        "direction": evidence.direction,
        "connections": evidence.connections,
        "hours": evidence.hours.len(),
        "days": evidence.days(),
        "first_seen": evidence.first,
        "last_seen": evidence.last,
    })
}
