//! The proposal for one namespace: its policies, what to look at twice, and what was left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{Facts, labels};
use crate::{
    model::{Direction, Protocol},
    recommend::{Access, Accesses, LeftOut, NamespacePlan, Peer, Sum},
    render::words,
};

pub(super) fn section(text: &mut String, plan: &NamespacePlan, facts: &Facts) {
    let _ = writeln!(text, "## {}\n", words::safe(&plan.namespace));
    let _ = writeln!(text, "| policy | selects | may be reached by | may reach |\n|---|---|---|---|");
    for group in &plan.groups {
        let row = [
            if group.is_open { format!("{} (left open; seen was)", group.name) } else { group.name.clone() },
            words::selectors(&group.selectors),
            accesses(&group.ingress, &plan.namespace),
            accesses(&group.egress, &plan.namespace),
        ];
        self::row(text, [&row[0], &row[1], &row[2], &row[3]]);
    }
    if let Some(dns) = &plan.dns {
        for client in &dns.clients {
            let selector = words::selector(&client.selector);
            let name = if client.name.is_empty() { "allow-dns".into() } else { format!("allow-dns-{}", client.name) };
            let row = [name, selector, String::new(), accesses(&dns.servers, &plan.namespace)];
            self::row(text, [&row[0], &row[1], &row[2], &row[3]]);
        }
    }
    text.push('\n');
    doubtful(text, plan, facts);
    labels::section(text, plan);
    left_out(text, plan);
}

/// Rules to look at twice: on little evidence, or wider than it.
fn doubtful(text: &mut String, plan: &NamespacePlan, facts: &Facts) {
    let mut lines = String::new();
    for group in &plan.groups {
        for (side, accesses) in [("from", &group.ingress), ("to", &group.egress)] {
            for (peer, access) in accesses {
                for why in doubts(access, facts) {
                    let name = words::safe(&words::named(peer, access, &plan.namespace));
                    let ports = words::ports(&access.ports);
                    let _ = writeln!(lines, "- {} {side} {name} on {ports}: {why}", words::safe(&group.name));
                }
            }
        }
    }
    if !lines.is_empty() {
        let _ = writeln!(text, "### Look twice\n\n{lines}");
    }
}

/// Why a rule is to be looked at twice.
pub(in crate::render) fn doubts(access: &Access, facts: &Facts) -> Vec<String> {
    /// From this share on loss is worth a word with the rule itself.
    const MUCH_LOSS: f64 = 0.001;
    let mut doubts: Vec<String> = access.widened.iter().map(|it| words::safe(&words::widened(it))).collect();
    let Some(sum) = Sum::of(&access.evidence) else { return doubts };
    if sum.direction > Direction::Inventory {
        doubts.push(format!("who the client is was told by {} alone", sum.direction.as_str()));
    }
    let is_long = facts.span.is_some_and(|span| span.first.hour() != span.last.hour());
    if is_long && sum.hours == 1 && !access.evidence.is_empty() {
        doubts.push(format!("seen in one hour alone, {}", words::count(sum.connections, "connection")));
    }
    let loss = facts.loss(sum.span);
    if loss >= MUCH_LOSS {
        doubts.push(format!("captures lost {:.1} % of packets in that time", loss * 100.0));
    }
    doubts
}

fn accesses(peers: &Accesses, namespace: &str) -> String {
    let access = |(peer, access): (&Peer, &Access)| {
        format!("{} ({})", words::named(peer, access, namespace), words::ports(&access.ports))
    };
    let all: Vec<_> = peers.iter().map(access).collect();
    if all.is_empty() { "-".into() } else { all.join("; ") }
}

fn left_out(text: &mut String, plan: &NamespacePlan) {
    if plan.left_out.is_empty() {
        return;
    }
    let _ = writeln!(text, "### Left out\n\n| from | to | port | connections | why |\n|---|---|---|---|---|");
    for cells in left_out_rows(plan) {
        row(text, cells.each_ref().map(String::as_str));
    }
    text.push('\n');
}

/// From, to, port, connections and why of what makes no rule.
pub(in crate::render) fn left_out_rows(plan: &NamespacePlan) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    // a sweep is one fact, however many ports it touched
    let mut sweeps: BTreeMap<(&str, &str), Sweep> = BTreeMap::new();
    for left in &plan.left_out {
        let LeftOut { reason, evidence, is_scan } = left;
        if *is_scan {
            let sweep = sweeps.entry((&evidence.client, reason)).or_default();
            sweep.targets.insert(&evidence.server);
            sweep.ports.insert((evidence.protocol, evidence.port));
            sweep.connections += evidence.connections;
            continue;
        }
        let port = words::port(evidence.protocol, evidence.port);
        let (from, to) = (evidence.client.clone(), evidence.server.clone());
        rows.push([from, to, port, evidence.connections.to_string(), reason.clone()]);
    }
    for ((client, reason), sweep) in sweeps {
        let targets = words::count(sweep.targets.len() as u64, "target");
        let ports = words::count(sweep.ports.len() as u64, "port");
        rows.push([client.to_owned(), targets, ports, sweep.connections.to_string(), reason.to_owned()]);
    }
    rows
}

/// What one source swept.
#[derive(Default)]
struct Sweep<'a> {
    targets: BTreeSet<&'a str>,
    ports: BTreeSet<(Protocol, u16)>,
    connections: u64,
}

/// A row of a table.
fn row<const N: usize>(text: &mut String, cells: [&str; N]) {
    let _ = writeln!(text, "| {} |", cells.map(words::safe).join(" | "));
}
