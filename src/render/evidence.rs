//! `evidence.json`: on what every rule rests, for machines; and what was written, for the next time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Document, Facts, Policies, Purpose, Sheet, SheetRule, WayBack, seen, words};
use crate::{
    policy::PolicyType,
    recommend::{Evidence, Group, LeftOut, NamespacePlan, Recommendation, Sum},
};

/// The name of the document; it also lists the files that belong to the proposal.
pub(super) const NAME: &str = "evidence.json";

/// Everything that the policies rest on, what was left out, and the verdict; for the next time the files of the folder, and
/// what was there before an export.
#[must_use]
pub fn evidence(
    recommendation: &Recommendation,
    policies: &Policies,
    facts: &Facts,
    (files, way_back): (&[String], &WayBack),
) -> Document {
    let namespaces: BTreeMap<&str, Value> =
        recommendation.namespaces.iter().map(|plan| (plan.namespace.as_str(), namespace(plan, facts))).collect();
    let mut value = json!({
        "coverage": seen(recommendation, facts),
        "site": facts.site,
        "files": files,
        "replay": facts.replay,
        "replay_on_top_of_deployed": facts.in_force.on_top,
        "granularities": facts.measured.granularities,
        "over_permission_on_top_of_deployed": facts.measured.over_permission_on_top,
        "missed_runs": facts.captures.missed_runs.iter().map(|missed| json!({
            "job": missed.job, "schedule": missed.schedule, "why": missed.why,
        })).collect::<Vec<_>>(),
        "blocked_while_learning": facts.captures.blocked,
        "deployed": facts.in_force.deployed,
        "namespaces": namespaces,
        "decisions": policies.decisions,
        "written": policies.written,
    });
    if !way_back.is_empty() {
        value["way_back"] = json!(way_back);
    }
    let text = format!("{value:#}\n");
    Document { path: NAME.into(), text }
}

fn namespace(plan: &NamespacePlan, facts: &Facts) -> Value {
    let sheets = || facts.sheets.iter().filter(|it| it.namespace == plan.namespace && it.object.is_some());
    let group_of = |sheet: &&'_ Sheet| {
        plan.groups.iter().find(|group| sheet.key.document() == format!("{}/{}.yaml", plan.namespace, group.name))
    };
    let groups = sheets().filter(|sheet| sheet.purpose == Purpose::Group);
    let groups = groups.filter_map(|sheet| Some((sheet, group_of(&sheet)?)));
    let policy = |(sheet, group): (&Sheet, &Group)| {
        let mut value = json!({
            "members": group.members,
            "open": group.is_open,
            "watched": group.watched,
            "ingress": accesses(sheet, PolicyType::Ingress, facts),
            "egress": accesses(sheet, PolicyType::Egress, facts),
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
        (sheet.name.clone(), value)
    };
    let left_out = |left: &LeftOut| {
        let mut value = one(&left.evidence);
        value["reason"] = left.reason.to_string().into();
        value
    };
    let mut value = json!({
        "learning": facts.captures.learning.get(&plan.namespace),
        "policies": groups.map(policy).collect::<BTreeMap<_, _>>(),
        "dns": plan.dns.as_ref().map(|_| resolution(sheets().filter(|sheet| sheet.purpose == Purpose::Dns), facts)),
        "left_out": plan.left_out.iter().map(left_out).collect::<Vec<_>>(),
    });
    if let Some(audit) = facts.measured.audit.by_namespace.get(&plan.namespace) {
        value["audit"] = json!(audit);
    }
    value
}

/// What each policy of name resolution allows.
fn resolution<'s>(sheets: impl Iterator<Item = &'s Sheet>, facts: &Facts) -> Vec<Value> {
    let of_one = |sheet: &'s Sheet| {
        let named = |mut value: Value| {
            value["policy"] = sheet.name.clone().into();
            value
        };
        accesses(sheet, PolicyType::Egress, facts).into_iter().map(named).collect::<Vec<_>>()
    };
    sheets.flat_map(of_one).collect()
}

/// What a policy allows one way, and on what it rests.
fn accesses(sheet: &Sheet, side: PolicyType, facts: &Facts) -> Vec<Value> {
    let value = |rule: &SheetRule| {
        let (Some(peer), Some(access)) = (&rule.peer, &rule.access) else {
            return json!({"peer": rule.name, "ports": rule.ports_in_force(), "by_hand": true, "evidence": []});
        };
        let evidence: Vec<_> = access.evidence.iter().map(one).collect();
        let mut value = json!({"peer": words::peer(peer, &sheet.namespace), "ports": rule.ports_in_force()});
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
        value
    };
    sheet.in_force(side).map(value).collect()
}

fn confidence(sum: &Sum, facts: &Facts) -> Value {
    let loss = (facts.captures.loss(sum.span) * 1e6).round() / 1e6;
    json!({
        "connections": sum.connections,
        "hours": sum.hours,
        "days": sum.days,
        "first_seen": sum.span.first.named(),
        "last_seen": sum.span.last.named(),
        "direction": sum.direction,
        "capture_loss": loss,
    })
}

fn one(evidence: &Evidence) -> Value {
    let mut value = json!({
        "client": evidence.client.name,
        "server": evidence.server.name,
        "protocol": evidence.protocol,
        "port": evidence.port,
        "via": evidence.via,
        "outcome": evidence.outcome,
        "direction": evidence.direction,
        "connections": evidence.connections,
        "hours": evidence.hours.len(),
        "days": evidence.days(),
        "first_seen": evidence.first.named(),
        "last_seen": evidence.last.named(),
    });
    for (key, party) in [("client_owner", &evidence.client), ("server_owner", &evidence.server)] {
        if let Some(kind) = &party.owner {
            value[key] = kind.as_str().into();
        }
    }
    value
}
