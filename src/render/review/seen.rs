//! What the captures could have seen of the workloads of a proposal: the first thing to know of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde::Serialize;

use super::Facts;
use crate::{
    model::{Coverage, Watched, WorkloadRef},
    recommend::{NamespacePlan, Recommendation},
    render::{Purpose, Sheet, words},
};

/// How well the workloads of a namespace were watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Watched all the time.
    pub covered: usize,
    /// Watched for a part of it.
    pub partly: Vec<String>,
    /// Never watched at their own side.
    pub unseen: Vec<String>,
    /// Left open for that.
    pub left_open: Vec<String>,
}

/// What the captures could have seen, by namespace.
#[must_use]
pub fn seen<'r>(recommendation: &'r Recommendation, facts: &Facts) -> BTreeMap<&'r str, Seen> {
    let of_plan = |plan: &'r NamespacePlan| (plan.namespace.as_str(), Seen::of(plan, facts));
    recommendation.namespaces.iter().map(of_plan).collect()
}

impl Seen {
    fn of(plan: &NamespacePlan, facts: &Facts) -> Self {
        // workloads whose policies were rejected are no part of the plan, and of the namespace all the same
        let is_here = |sheet: &&Sheet| sheet.purpose == Purpose::Group && sheet.namespace == plan.namespace;
        let of_sheets = facts.sheets.iter().filter(is_here).flat_map(|sheet| &sheet.members);
        let members: BTreeSet<&WorkloadRef> =
            plan.groups.iter().flat_map(|group| &group.members).chain(of_sheets).collect();
        let open: BTreeSet<&WorkloadRef> =
            plan.groups.iter().filter(|group| group.is_open).flat_map(|group| &group.members).collect();
        let mut seen = Self::default();
        for member in members {
            match facts.captures.coverage.state(member) {
                Watched::Covered => seen.covered += 1,
                Watched::Partly => seen.partly.push(member.name.clone()),
                Watched::Unseen => seen.unseen.push(member.name.clone()),
            }
        }
        seen.left_open = open.into_iter().map(|member| member.name.clone()).collect();
        seen
    }

    /// All workloads.
    #[must_use]
    pub fn all(&self) -> usize {
        self.covered + self.partly.len() + self.unseen.len()
    }

    /// In a line.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { covered, partly, unseen, left_open } = self;
        let mut text = format!("{covered} of {} watched all the time", words::count(self.all() as u64, "workload"));
        // writing to a String cannot fail
        if !partly.is_empty() {
            let _ = write!(text, "; for a part of it: {}", partly.join(", "));
        }
        if !unseen.is_empty() {
            let _ = write!(text, "; never: {}", unseen.join(", "));
        }
        if !left_open.is_empty() {
            let _ = write!(text, "; left open: {}", left_open.join(", "));
        }
        text
    }
}

/// The section of the review.
pub(super) fn section(text: &mut String, recommendation: &Recommendation, facts: &Facts) {
    text.push_str("## What the captures could see\n\n");
    for plan in &recommendation.namespaces {
        let seen = Seen::of(plan, facts);
        let _ = writeln!(text, "- **{}:** {}.", words::safe(&plan.namespace), words::safe(&seen.line()));
    }
    text.push('\n');
    for plan in &recommendation.namespaces {
        open(text, plan);
        not_watched(text, plan, &facts.captures.coverage);
    }
}

fn open(text: &mut String, plan: &NamespacePlan) {
    let open: Vec<_> = plan.groups.iter().filter(|group| group.is_open).collect();
    if open.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "**Left open in {}, for the captures could not see all that they do:**\n",
        words::safe(&plan.namespace)
    );
    for group in open {
        let _ = writeln!(text, "- {}: allowed is everything", words::safe(&group.name));
    }
    text.push_str(
        "\nCapture at their nodes and run this again; `--isolate-unseen` closes them with what was seen.\n\n",
    );
}

/// What captures elsewhere saw of these is in the policies; what else they do was not seen.
fn not_watched(text: &mut String, plan: &NamespacePlan, coverage: &Coverage) {
    let known = plan.groups.iter().filter(|group| group.is_seen || !group.is_open);
    let known: BTreeSet<&WorkloadRef> = known.flat_map(|group| &group.members).collect();
    let mut lines = String::new();
    for member in known {
        let cover = coverage.of(member);
        let name = words::safe(&member.name);
        let _ = match cover.state {
            Watched::Covered => Ok(()),
            Watched::Partly => writeln!(lines, "- {name}: for {:.0} % of its time", cover.share * 100.0),
            Watched::Unseen => writeln!(lines, "- {name}: never"),
        };
    }
    if !lines.is_empty() {
        let _ = writeln!(
            text,
            "**Not watched at their own side all the time in {}, so they may need more than is here:**\n\n{lines}",
            words::safe(&plan.namespace)
        );
    }
}
