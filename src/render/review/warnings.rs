//! What may go wrong though the past holds.

use std::{collections::BTreeSet, fmt::Write};

use super::{Blocked, Facts};
use crate::{
    model::Outcome,
    recommend::{Evidence, Recommendation},
    render::words,
};

/// So many policies that undo a proposal are told one by one.
const MAX_UNDONE: usize = 10;

/// What may go wrong though the past holds.
pub(super) fn section(text: &mut String, recommendation: &Recommendation, facts: &Facts) {
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
    let opened = crate::render::opened(&facts.sheets);
    if !opened.is_empty() {
        let names = words::safe(&opened.join(", "));
        let _ = writeln!(text, "- **Open by decision:** {names}. The policies that would close them were rejected.");
    }
    if !facts.replaced.is_empty() {
        let names = words::safe(&facts.replaced.join(", "));
        let _ = writeln!(
            text,
            "- **Replaced:** {names}. Policies of the same names take their place: what they allow ends."
        );
    }
    if !facts.deployed.is_empty() {
        let names = words::safe(&facts.deployed.join(", "));
        let _ = writeln!(text, "- **Deployed already:** {names}. They stay in force: what they allow stays allowed.");
    }
    for undone in facts.undone.iter().take(MAX_UNDONE) {
        let (policy, what) = (words::safe(&undone.policy), words::safe(&undone.words()));
        let _ = writeln!(text, "- **Kept open by {policy}**, which is deployed: {what}. As long as it is there.");
    }
    if let Some(more @ 1..) = facts.undone.len().checked_sub(MAX_UNDONE) {
        let _ = writeln!(text, "- **Kept open** by {more} more deployed policies: `flowmap simulate` lists all.");
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
