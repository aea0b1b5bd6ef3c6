//! `evidence.json`: on what every rule rests, for machines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Document, words};
use crate::{
    policy::Simulation,
    recommend::{Access, Evidence, Peer, Recommendation},
};

/// The name of the document; it also lists the files that belong to the proposal.
pub(super) const NAME: &str = "evidence.json";

/// Everything that the policies rest on, what was left out, and the verdict.
#[must_use]
pub fn evidence(recommendation: &Recommendation, replay: &Simulation, files: &[String]) -> Document {
    let namespaces: BTreeMap<&str, Value> = recommendation
        .namespaces
        .iter()
        .map(|plan| {
            let policy = |group: &crate::recommend::Group| {
                let value = json!({
                    "members": group.members,
                    "open": group.is_open,
                    "watched": group.watched,
                    "ingress": accesses(&group.ingress, &plan.namespace),
                    "egress": accesses(&group.egress, &plan.namespace),
                });
                (group.name.clone(), value)
            };
            let left_out = |left: &crate::recommend::LeftOut| {
                let mut value = one(&left.evidence);
                value["reason"] = left.reason.clone().into();
                value
            };
            let value = json!({
                "policies": plan.groups.iter().map(policy).collect::<BTreeMap<_, _>>(),
                "dns": plan.dns.as_ref().map(|dns| accesses(&dns.servers, &plan.namespace)),
                "left_out": plan.left_out.iter().map(left_out).collect::<Vec<_>>(),
            });
            (plan.namespace.as_str(), value)
        })
        .collect();
    let value = json!({"files": files, "replay": replay, "namespaces": namespaces});
    let text = format!("{value:#}\n");
    Document { path: NAME.into(), text }
}

fn accesses(peers: &BTreeMap<Peer, Access>, namespace: &str) -> Vec<Value> {
    let access = |(peer, access): (&Peer, &Access)| {
        let ports: Vec<_> = access.ports.iter().map(|(protocol, port)| words::port(*protocol, *port)).collect();
        let evidence: Vec<_> = access.evidence.iter().map(one).collect();
        let mut value = json!({"peer": words::peer(peer, namespace), "ports": ports, "evidence": evidence});
        let names = access.names(peer);
        if !names.is_empty() {
            value["names"] = json!(names);
        }
        value
    };
    peers.iter().map(access).collect()
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
        "hours": evidence.hours,
        "first_seen": evidence.first,
        "last_seen": evidence.last,
    })
}
