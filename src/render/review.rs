//! `REVIEW.md`: what a person reads before the policies are applied.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{Document, words};
use crate::{
    inventory::NetworkPlugin,
    map::{Hidden, Learning},
    model::{Cover, Coverage, Protocol, Span, Watched},
    policy::Simulation,
    recommend::{Access, Group, LeftOut, NamespacePlan, Peer, Recommendation},
};

/// What a review tells beside the recommendation.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The window of the captures.
    pub span: Option<Span>,
    /// How many captures.
    pub captures: usize,
    /// Packets that never reached a capture.
    pub dropped: u64,
    /// Captures that are damaged or were too much for the table.
    pub damaged: usize,
    /// How complete the learning is.
    pub learning: Learning,
    /// For how much of their time the workloads were watched.
    pub coverage: Coverage,
    /// What makes the policies more than paper.
    pub plugin: NetworkPlugin,
    /// Traffic whose real port a mesh hides.
    pub hidden: Vec<Hidden>,
    /// The past, held against the proposal.
    pub replay: Simulation,
}

/// The review of a recommendation.
#[must_use]
pub fn review(recommendation: &Recommendation, facts: &Facts) -> Document {
    let mut text = String::new();
    // writing to a String cannot fail
    let _ = writeln!(text, "# Review\n\n{}", summary(facts));
    for plan in &recommendation.namespaces {
        namespace(&mut text, plan, &facts.coverage);
    }
    apply(&mut text, recommendation);
    Document { path: "REVIEW.md".into(), text }
}

fn summary(facts: &Facts) -> String {
    let Facts { replay, learning, .. } = facts;
    let mut text = String::new();
    let verdict = if replay.denied == 0 {
        "Nothing that was seen would break."
    } else {
        "**Something that was seen would break.**"
    };
    let _ = writeln!(
        text,
        "- **Verdict on the past:** {} seen, {} allowed, {} denied, {} uncertain. {verdict}",
        words::count(replay.connections, "connection"),
        replay.allowed,
        replay.denied,
        replay.uncertain
    );
    if replay.also_closed > 0 {
        let _ = writeln!(
            text,
            "- Also closed: {} that failed or belonged to a scan.",
            words::count(replay.also_closed, "attempt")
        );
    }
    if let Some(span) = facts.span {
        let captures = words::count(facts.captures as u64, "capture");
        let _ = writeln!(
            text,
            "- Seen from {} to {} UTC in {captures}.",
            words::minute(span.first),
            words::minute(span.last)
        );
    }
    if facts.dropped > 0 || facts.damaged > 0 {
        let damaged = words::count(facts.damaged as u64, "capture");
        let _ = writeln!(
            text,
            "- **Loss:** {} dropped, {damaged} damaged or incomplete: rare connections may be missing.",
            words::count(facts.dropped, "packet")
        );
    }
    let _ = writeln!(text, "- How complete: {learning}.");
    if facts.plugin.ignores() {
        let _ = writeln!(text, "- **The network plugin ignores policies:** {}.", facts.plugin);
    } else {
        let _ = writeln!(text, "- Network plugin: {}.", facts.plugin);
    }
    for hidden in &facts.hidden {
        let _ = writeln!(
            text,
            "- **Mesh:** {}. A rule on this port lets everything through that the mesh carries: restrict it there.",
            words::safe(&hidden.to_string())
        );
    }
    let _ = writeln!(
        text,
        "- Ports are those of the pods, behind Services, as the API defines it. A plugin that judges before it translates a Service's address needs the Service's port besides."
    );
    let _ = writeln!(
        text,
        "- What runs more seldom than this window is long (backups, renewals, month ends) was not seen and is denied."
    );
    for finding in &replay.findings {
        let _ = writeln!(
            text,
            "- {}: {} -> {} on {}, {}: {}",
            finding.verdict,
            words::safe(&finding.from),
            words::safe(&finding.to),
            words::port(finding.protocol, finding.port),
            words::count(finding.connections, "connection"),
            words::safe(&finding.reason)
        );
    }
    text
}

fn namespace(text: &mut String, plan: &NamespacePlan, coverage: &Coverage) {
    let _ = writeln!(text, "## {}\n", plan.namespace);
    open(text, plan);
    not_watched(text, plan, coverage);
    let _ = writeln!(text, "| policy | selects | may be reached by | may reach |\n|---|---|---|---|");
    for group in plan.groups.iter().filter(|group| !group.is_open) {
        let row = [
            group.name.clone(),
            words::selector(&group.selector),
            accesses(&group.ingress, &plan.namespace),
            accesses(&group.egress, &plan.namespace),
        ];
        self::row(text, [&row[0], &row[1], &row[2], &row[3]]);
    }
    if let Some(dns) = &plan.dns {
        for (_, selector) in &dns.clients {
            let row =
                ["allow-dns".into(), words::selector(selector), String::new(), accesses(&dns.servers, &plan.namespace)];
            self::row(text, [&row[0], &row[1], &row[2], &row[3]]);
        }
    }
    text.push('\n');
    left_out(text, plan);
}

fn open(text: &mut String, plan: &NamespacePlan) {
    let open: Vec<&Group> = plan.groups.iter().filter(|group| group.is_open).collect();
    if !open.is_empty() {
        let _ = writeln!(text, "**Left open, for nothing of them was seen, nor could all of it have been:**\n");
        for group in open {
            let _ = writeln!(text, "- {}", group.name);
        }
        text.push('\n');
    }
    for group in plan.groups.iter().filter(|group| group.members.len() > 1) {
        let members: Vec<_> = group.members.iter().map(|member| member.name.as_str()).collect();
        let _ = writeln!(
            text,
            "**No stable label tells {} apart:** they share one policy. Give each a label of its own.\n",
            members.join(" and ")
        );
    }
}

/// What captures elsewhere saw of these is in the policies; what else they do was not seen.
fn not_watched(text: &mut String, plan: &NamespacePlan, coverage: &Coverage) {
    let members = plan.groups.iter().filter(|group| !group.is_open).flat_map(|group| &group.members);
    let mut lines = String::new();
    for member in members {
        let Cover { state, share, .. } = coverage.of(member);
        let _ = match state {
            Watched::Covered => Ok(()),
            Watched::Partly => writeln!(lines, "- {}: for {:.0} % of its time", member.name, share * 100.0),
            Watched::Unseen => writeln!(lines, "- {}: never", member.name),
        };
    }
    if !lines.is_empty() {
        let _ = writeln!(
            text,
            "**Not watched at their own side all the time, so they may need more than is here:**\n\n{lines}"
        );
    }
}

fn accesses(peers: &BTreeMap<Peer, Access>, namespace: &str) -> String {
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
        let port = match evidence.port {
            0 => evidence.protocol.to_string(),
            port => words::port(evidence.protocol, port),
        };
        row(text, [&evidence.client, &evidence.server, &port, &evidence.connections.to_string(), reason]);
    }
    for ((client, reason), sweep) in sweeps {
        let targets = words::count(sweep.targets.len() as u64, "target");
        let ports = words::count(sweep.ports.len() as u64, "port");
        row(text, [client, &targets, &ports, &sweep.connections.to_string(), reason]);
    }
    text.push('\n');
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

fn apply(text: &mut String, recommendation: &Recommendation) {
    text.push_str("## Roll out\n\nLook at the difference first; one namespace after the other:\n\n```sh\n");
    for plan in &recommendation.namespaces {
        let _ = writeln!(text, "kubectl diff -k {0}\nkubectl apply -k {0}", plan.namespace);
    }
    text.push_str("```\n\nHow connections that are open at that moment fare depends on the network plugin.\n");
}
