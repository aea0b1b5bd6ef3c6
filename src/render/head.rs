//! The comment before a policy: what it allows, and on what evidence.

use std::fmt::Write;

use super::words;
use crate::{
    model::Directions,
    recommend::{Accesses, Group, NamespacePlan, Peer},
};

/// Of a group's policy.
pub(super) fn comment(plan: &NamespacePlan, group: &Group, directions: Directions) -> String {
    let members: Vec<_> = group.members.iter().map(|member| format!("{} {}", member.kind, member.name)).collect();
    let mut text = format!("{} in {}.\n", members.join(" and "), plan.namespace);
    if let Some(whole) = &group.residue_of {
        let _ = writeln!(text, "What it needs besides the policy of {whole}.");
    }
    if group.missing.iter().any(|missing| missing.values.len() > 1) {
        text.push_str("No stable label tells them apart, so they share this policy: give each a label of its own.\n");
    } else if let Some(label) = group.missing.iter().find_map(|missing| missing.until_release.as_ref()) {
        let _ = writeln!(
            text,
            "Only {} tells it from others, and the next release has another value of it: give it a label that",
            words::safe(label)
        );
        text.push_str("lasts (REVIEW.md says how).\n");
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

/// How a line ends about addresses that a name had besides.
pub(super) const NOT_ALLOWED: &str = ": not seen in use, not allowed";

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
                let _ = writeln!(text, "    {} was also at {}{NOT_ALLOWED}", name.name, others.join(", "));
            }
        }
    }
}

/// Whether a line of comment is one that flowmap writes, now or in an older proposal: those are nobody's notes. Only
/// lines whose words change with the traffic need to be known by their looks.
pub(super) fn is_own_line(line: &str) -> bool {
    let Some(text) = line.strip_prefix("#   ") else {
        return matches!(line, "#" | "# ingress" | "# egress" | "# by hand");
    };
    let is_side = |text: &str| text.starts_with("ingress ") || text.starts_with("egress ");
    if let Some(text) = text.strip_prefix("added: ").or_else(|| text.strip_prefix("removed: ")) {
        return is_side(text);
    }
    let is_port = |text: &str| ["TCP", "UDP", "SCTP", "any"].iter().any(|it| text.starts_with(it));
    let is_rule = text.split_once(" on ").is_some_and(|(_, ports)| is_port(ports) && ports.contains(": "));
    text == "nothing" || is_rule || text.ends_with(NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use super::is_own_line;

    #[test]
    fn lines_of_flowmaps_are_told_from_notes() {
        let own = [
            "#   nothing",
            "#   api on TCP/5432: 14 connections in 1 hour, 2026-01-05 09:00, by handshake",
            "#   kube-system/coredns on TCP/53, UDP/53: 2 connections in 1 hour",
            "#   removed: egress to app=cache on TCP/6379",
            "#     db.example was also at 192.0.2.7: not seen in use, not allowed",
        ];
        assert!(own.iter().all(|line| is_own_line(line)));
        let notes =
            ["# see TICKET-7", "#   on call: the DBA team", "#removed: egress", "#   added: by Ann", "## egress"];
        assert!(!notes.iter().any(|line| is_own_line(line)));
    }
}
