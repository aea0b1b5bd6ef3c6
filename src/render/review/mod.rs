//! `REVIEW.md`: what a person reads before the policies are applied.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde::Serialize;

use super::{Conflict, Decisions, Document, Granularity, granularities, words};
use crate::{
    inventory::NetworkPlugin,
    map::{Hidden, Learning},
    model::{Coverage, Outcome, Protocol, Span},
    policy::Simulation,
    recommend::{Access, Accesses, Evidence, LeftOut, MissedRun, NamespacePlan, Peer, Recommendation, Sum},
};

mod labels;
mod seen;

pub use seen::{Seen, seen};

/// What a run of captures lost, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLoss {
    /// From its first packet to its last.
    pub span: Span,
    /// Packets that were captured.
    pub packets: u64,
    /// Packets that never reached the capture.
    pub dropped: u64,
}

/// Attempts that nobody answered, to or from pods that a deployed policy isolates: it may have blocked them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Blocked {
    /// The client.
    pub from: String,
    /// The server.
    pub to: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The server's port.
    pub port: u16,
    /// How many attempts.
    pub attempts: u64,
    /// What the deployed policies say.
    pub reason: String,
}

/// What a review tells beside the recommendation.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The window of the captures.
    pub span: Option<Span>,
    /// Every capture with what it lost.
    pub losses: Vec<RunLoss>,
    /// Captures that are damaged or were too much for the table.
    pub damaged: usize,
    /// How complete the learning is, by namespace.
    pub learning: BTreeMap<String, Learning>,
    /// For how much of their time the workloads were watched.
    pub coverage: Coverage,
    /// What makes the policies more than paper.
    pub plugin: NetworkPlugin,
    /// Traffic whose real port a mesh hides.
    pub hidden: Vec<Hidden>,
    /// The past, held against the proposal.
    pub replay: Simulation,
    /// `CronJob`s that did not run while captures were taken.
    pub missed_runs: Vec<MissedRun>,
    /// What deployed policies may have blocked while captures were taken.
    pub blocked: Vec<Blocked>,
    /// Deployed policies of these namespaces that flowmap did not write: they stay in force beside these.
    pub deployed: Vec<String>,
    /// What each granularity costs.
    pub granularities: Vec<Granularity>,
    /// What a person decided.
    pub decisions: Decisions,
    /// What that changes.
    pub conflicts: Vec<Conflict>,
}

impl Facts {
    /// Packets that never reached a capture.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.losses.iter().map(|loss| loss.dropped).sum()
    }

    /// The share of packets that captures lost in a time, in captures that overlap with it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn loss(&self, span: Span) -> f64 {
        let overlaps = |loss: &&RunLoss| loss.span.first <= span.last && span.first <= loss.span.last;
        let (mut packets, mut dropped) = (0_u64, 0_u64);
        for loss in self.losses.iter().filter(overlaps) {
            packets += loss.packets;
            dropped += loss.dropped;
        }
        if dropped == 0 { 0.0 } else { dropped as f64 / (packets + dropped) as f64 }
    }
}

/// The review of a recommendation.
#[must_use]
pub fn review(recommendation: &Recommendation, facts: &Facts) -> Document {
    let mut text = String::from("# Review\n\n");
    seen::section(&mut text, recommendation, &facts.coverage);
    text.push_str("## In short\n\n");
    summary(&mut text, facts);
    warnings(&mut text, recommendation, facts);
    text.push('\n');
    if facts.granularities.len() > 1 {
        let _ = writeln!(text, "## How fine\n\n{}", granularities(&facts.granularities));
    }
    by_hand(&mut text, facts);
    for plan in &recommendation.namespaces {
        namespace(&mut text, plan, facts);
    }
    apply(&mut text, recommendation);
    Document { path: "REVIEW.md".into(), text }
}

fn summary(text: &mut String, facts: &Facts) {
    let replay = &facts.replay;
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
        let captures = words::count(facts.losses.len() as u64, "capture");
        let _ = writeln!(
            text,
            "- Seen from {} to {} UTC in {captures}.",
            words::minute(span.first),
            words::minute(span.last)
        );
    }
    if facts.dropped() > 0 || facts.damaged > 0 {
        let damaged = words::count(facts.damaged as u64, "capture");
        let _ = writeln!(
            text,
            "- **Loss:** {} dropped, {damaged} damaged or incomplete: rare connections may be missing.",
            words::count(facts.dropped(), "packet")
        );
    }
    for (namespace, learning) in &facts.learning {
        let _ = writeln!(text, "- How complete: {}: {learning}.", words::safe(namespace));
    }
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
        "- What runs more seldom than this window is long (backups, renewals, month ends) was not seen and is denied. {}",
        window(facts.span)
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
}

/// How long was looked, in words of rhythms.
fn window(span: Option<Span>) -> &'static str {
    const HOUR_S: f64 = 3_600.0;
    let hours = span.map_or(0.0, |span| span.last.seconds_since(span.first)) / HOUR_S;
    match hours {
        hours if hours < 24.0 => "It is shorter than a day.",
        hours if hours < 7.0 * 24.0 => "It is shorter than a week.",
        hours if hours < 31.0 * 24.0 => "It is shorter than a month.",
        _ => "It is longer than a month; quarters and years are longer.",
    }
}

/// What may go wrong though the past holds.
fn warnings(text: &mut String, recommendation: &Recommendation, facts: &Facts) {
    for missed in &facts.missed_runs {
        let (job, schedule) = (words::safe(&missed.job.to_string()), words::safe(&missed.schedule));
        let _ =
            writeln!(text, "- **Not seen:** CronJob {job} (`{schedule}`) {}: what it needs is not known.", missed.why);
    }
    for blocked in &facts.blocked {
        let Blocked { from, to, protocol, port, attempts, reason } = blocked;
        let _ = writeln!(
            text,
            "- **Blocked while learning?** {} -> {} on {}, {} without an answer: {}. If it is needed, it is missing here.",
            words::safe(from),
            words::safe(to),
            words::port(*protocol, *port),
            words::count(*attempts, "attempt"),
            words::safe(reason)
        );
    }
    if !facts.deployed.is_empty() {
        let names = words::safe(&facts.deployed.join(", "));
        let _ = writeln!(text, "- **Deployed already:** {names}. They stay in force: what they allow stays allowed.");
    }
    let members = || recommendation.namespaces.iter().flat_map(|plan| &plan.groups).flat_map(|group| &group.members);
    let jobs: BTreeSet<String> =
        members().filter(|it| matches!(it.kind.as_str(), "Job" | "CronJob")).map(ToString::to_string).collect();
    if !jobs.is_empty() {
        let jobs = words::safe(&jobs.into_iter().collect::<Vec<_>>().join(", "));
        let _ = writeln!(
            text,
            "- **Short-lived:** {jobs}. Policies reach a new pod some time after its start: let it try again, or wait."
        );
    }
    let accesses = recommendation.namespaces.iter().flat_map(|plan| &plan.groups);
    let accesses = accesses.flat_map(|group| group.ingress.values().chain(group.egress.values()));
    let open: BTreeSet<&Evidence> =
        accesses.flat_map(|access| &access.evidence).filter(|it| it.outcome == Outcome::Midstream).collect();
    if !open.is_empty() {
        let connections = open.iter().map(|evidence| evidence.connections).sum();
        let _ = writeln!(
            text,
            "- **Long-lived:** {} were open before the captures began. Whether they outlive the change, and whether they \
             come back through the rules, is seen at their next opening alone: restart these pods in a quiet hour.",
            words::count(connections, "connection")
        );
    }
}

/// What a person decided, and what that changes.
fn by_hand(text: &mut String, facts: &Facts) {
    if facts.decisions.is_empty() {
        return;
    }
    text.push_str("## Decided by hand\n\nEdits of these files outlast every proposal.");
    text.push_str(" `evidence.json` keeps them; to take one back, edit the file back.\n\n");
    if !facts.conflicts.is_empty() {
        text.push_str("What they change of what would be proposed:\n\n```diff\n");
        let mut policy = "";
        for conflict in &facts.conflicts {
            if conflict.policy != policy {
                let _ = writeln!(text, "  {}", words::safe(&conflict.policy));
                policy = &conflict.policy;
            }
            let _ = writeln!(text, "{}{}", if conflict.is_added { '+' } else { '-' }, words::safe(&conflict.what));
        }
        text.push_str("```\n\n");
    }
    let Decisions { rejected_policies, added_objects, fields, notes, .. } = &facts.decisions;
    let lines = [
        ("deleted, and stays away", rejected_policies.iter().collect::<Vec<_>>()),
        ("yours, kept as it is", added_objects.keys().collect()),
        ("fields that you set", fields.keys().collect()),
        ("comments that you added", notes.keys().collect()),
    ];
    for (what, keys) in lines.iter().filter(|(_, keys)| !keys.is_empty()) {
        for key in keys {
            let _ = writeln!(text, "- {}: {what}", words::safe(key));
        }
    }
    text.push('\n');
}

fn namespace(text: &mut String, plan: &NamespacePlan, facts: &Facts) {
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

fn doubts(access: &Access, facts: &Facts) -> Vec<String> {
    /// From this share on loss is worth a word with the rule itself.
    const MUCH_LOSS: f64 = 0.001;
    let mut doubts: Vec<String> = access.widened.iter().map(|it| words::safe(&words::widened(it))).collect();
    let Some(sum) = Sum::of(&access.evidence) else { return doubts };
    if sum.direction > crate::model::Direction::Inventory {
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
