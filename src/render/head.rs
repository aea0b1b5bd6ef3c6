//! The comment before a policy: what it allows, and on what evidence.

use std::fmt::Write;

use super::words;
use crate::recommend::{Accesses, Directions, Group, NamespacePlan, Peer};

/// Of a group's policy.
pub(super) fn comment(plan: &NamespacePlan, group: &Group, directions: Directions) -> String {
    let members: Vec<_> = group.members.iter().map(|member| format!("{} {}", member.kind, member.name)).collect();
    let mut text = format!("{} in {}.\n", members.join(" and "), plan.namespace);
    if let Some(whole) = &group.residue_of {
        let _ = writeln!(text, "What it needs besides the policy of {whole}.");
    }
    if group.missing.iter().any(|missing| missing.values.len() > 1) {
        text.push_str("No stable label tells them apart, so they share this policy: give each a label of its own.\n");
    } else if !group.missing.is_empty() {
        text.push_str("No label says who it is: give it one of its own (REVIEW.md says how).\n");
    }
    if group.is_open {
        text.push_str(
            "LEFT OPEN: the captures could not see all that it does, so what it needs is not known. Capture at its\n",
        );
        text.push_str("nodes, or close it with --isolate-unseen.\n");
        if !group.ingress.is_empty() || !group.egress.is_empty() {
            text.push_str("What was seen of it so far:\n");
        }
    }
    let sides =
        [("ingress", &group.ingress, directions.has_ingress()), ("egress", &group.egress, directions.has_egress())];
    let shown = sides.into_iter().filter(|(_, peers, is_closed)| *is_closed && !(group.is_open && peers.is_empty()));
    for (name, peers, _) in shown {
        let _ = write!(text, "\n{name}\n");
        text.push_str(if peers.is_empty() { "  nothing\n" } else { "" });
        accesses(&mut text, peers, &plan.namespace);
    }
    text
}

/// A line for every peer.
pub(super) fn accesses(text: &mut String, peers: &Accesses, namespace: &str) {
    for (peer, access) in peers {
        let name = words::named(peer, access, namespace);
        // writing to a String cannot fail
        let _ = writeln!(text, "  {name} on {}: {}", words::ports(&access.ports), words::access(access));
        for name in access.names(peer) {
            // an address of a name with several is a rule that ends when the name moves
            let is_allowed = |address: &std::net::IpAddr| {
                peers.keys().any(|peer| matches!(peer, Peer::Addresses(range) if range.contains(address)))
            };
            let others = name.also_at.iter().filter(|other| !is_allowed(other));
            let others: Vec<String> = others.map(ToString::to_string).collect();
            if !others.is_empty() {
                let _ =
                    writeln!(text, "    {} was also at {}: not seen in use, not allowed", name.name, others.join(", "));
            }
        }
    }
}
