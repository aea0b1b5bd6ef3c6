//! What policies cost the one who reads them and the one who enforces them, for each granularity.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;

use super::{Policies, Purpose, Sheet, SheetRule};
use crate::{
    model::{Cluster, WorkloadRef},
    recommend::{NamespacePlan, Recommendation},
};

/// What policies cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Policies.
    pub policies: usize,
    /// Rules: one group, one direction, one peer.
    pub rules: usize,
    /// Permissions: one policy, one peer, one port or range of ports. An enforcer that compiles selectors to sets holds so
    /// many entries.
    pub entries: usize,
    /// Permissions of every pod that a policy selects: an enforcer that compiles rules for each pod holds so many, over all
    /// nodes.
    pub entries_of_pods: usize,
}

/// What a granularity gives, so that a person can choose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Granularity {
    /// `workload`, `tier` or `namespace`.
    pub granularity: &'static str,
    /// Whether it is the one that was asked for.
    pub chosen: bool,
    /// Whether it is as nobody decided on it, though somebody did on the one that was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub decisions_apart: bool,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// What it costs.
    #[serde(flatten)]
    pub cost: Cost,
    /// What is allowed over what was seen, where it was judged.
    pub over_permission: Option<f64>,
    /// How many other workloads one workload can reach, on average, where it was judged.
    pub reach: Option<f64>,
}

impl Granularity {
    /// What tables call it.
    #[must_use]
    pub fn name(&self) -> String {
        let rest = if self.decisions_apart { ", without decisions by hand" } else { "" };
        format!("{}{rest}", self.granularity)
    }
}

/// Rules that a person added to policies of a proposal.
fn added(sheets: &[Sheet]) -> impl Iterator<Item = (&Sheet, &SheetRule)> {
    let sheets = sheets.iter().filter(|sheet| sheet.purpose != Purpose::Own);
    let rules = sheets.flat_map(|sheet| sheet.rules.iter().map(move |rule| (sheet, rule)));
    rules.filter(|(_, rule)| rule.access.is_none() && rule.is_in_force())
}

/// Rules of a namespace, as decisions leave them: those of its plan, and those that a person added.
#[must_use]
pub fn rules(plan: &NamespacePlan, sheets: &[Sheet]) -> usize {
    let proposed: usize = plan.groups.iter().map(|group| group.ingress.len() + group.egress.len()).sum();
    proposed + added(sheets).filter(|(sheet, _)| sheet.namespace == plan.namespace).count()
}

/// What a proposal costs, as decisions leave it.
#[must_use]
pub fn cost((recommendation, sheets): (&Recommendation, &[Sheet]), policies: &Policies, cluster: &Cluster) -> Cost {
    let mut pods: BTreeMap<&WorkloadRef, usize> = BTreeMap::new();
    for pod in cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network) {
        *pods.entry(&pod.workload).or_default() += 1;
    }
    let pods_of = |members: &[WorkloadRef]| -> usize { members.iter().filter_map(|member| pods.get(member)).sum() };
    let mut cost = Cost { policies: policies.count, entries: policies.entries, ..Cost::default() };
    for (sheet, rule) in added(sheets) {
        cost.entries_of_pods += rule.ports_in_force().len() * pods_of(&sheet.members);
    }
    for plan in &recommendation.namespaces {
        cost.rules += rules(plan, sheets);
        for group in &plan.groups {
            let accesses = group.ingress.values().chain(group.egress.values());
            let entries: usize = accesses.map(|access| access.ports.len()).sum();
            cost.entries_of_pods += entries * pods_of(&group.members);
        }
        if let Some(dns) = &plan.dns {
            let entries: usize = dns.servers.values().map(|access| access.ports.len()).sum();
            cost.entries_of_pods += dns.clients.iter().map(|client| entries * pods_of(&client.members)).sum::<usize>();
        }
    }
    cost
}

/// The granularities as a table in Markdown.
#[must_use]
pub fn granularities(all: &[Granularity]) -> String {
    let mut text = String::from(
        "| granularity | policies | rules | entries | entries of pods | over-permission | reach |\n|---|---|---|---|---|---|---|\n",
    );
    for one in all {
        let name = if one.chosen { format!("**{}**", one.name()) } else { one.name() };
        // writing to a String cannot fail
        if let Some(why) = &one.missing {
            let _ = writeln!(text, "| {name} | {} | | | | | |", super::words::safe(why));
            continue;
        }
        let Cost { policies, rules, entries, entries_of_pods } = one.cost;
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let (over, reach) = (number(one.over_permission), number(one.reach));
        let _ = writeln!(text, "| {name} | {policies} | {rules} | {entries} | {entries_of_pods} | {over} | {reach} |");
    }
    text
}
