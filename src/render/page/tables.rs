//! Tables of a page: what would be denied, what was left out, how fine, and what was decided by hand.

use super::grouped;
use crate::{
    model::visible,
    policy::{Finding, Ruling},
    recommend::Recommendation,
    render::{Cost, Facts, review, words},
};

/// A connection that would break, or may.
#[derive(Clone, Debug)]
pub struct FindingView {
    /// Whether it would; else it may.
    pub is_denied: bool,
    /// Its verdict in words.
    pub word: String,
    /// The client.
    pub from: String,
    /// The server.
    pub to: String,
    /// Protocol and port.
    pub port: String,
    /// How many connections.
    pub connections: String,
    /// Why.
    pub reason: String,
}

/// What was seen and makes no rule, for one reason in one namespace.
#[derive(Clone, Debug)]
pub struct LeftOutView {
    /// The namespace.
    pub namespace: String,
    /// From, to, port, connections and why.
    pub rows: Vec<[String; 5]>,
    /// Rows that are not shown: `evidence.json` has them all.
    pub more: usize,
}

/// What a granularity costs and leaves open.
#[derive(Clone, Debug)]
pub struct GranularityView {
    /// Its name.
    pub name: String,
    /// Whether it is this proposal's.
    pub is_chosen: bool,
    /// Why there is none.
    pub missing: Option<String>,
    /// Policies, rules, entries, entries of pods, over-permission, reach.
    pub cells: [String; 6],
}

/// What a person decided.
#[derive(Clone, Debug)]
pub struct DecisionView {
    /// The policy.
    pub policy: String,
    /// `added` or `rejected`, or what else.
    pub verb: &'static str,
    /// What.
    pub what: String,
}

/// Who decided what, when and why.
#[derive(Clone, Debug)]
pub struct SaidView {
    /// When.
    pub time: String,
    /// Who.
    pub author: String,
    /// On which policy.
    pub policy: String,
    /// What.
    pub what: String,
    /// Why; empty where nothing was said.
    pub reason: String,
}

pub(super) fn findings(facts: &Facts) -> Vec<FindingView> {
    let view = |(word, finding): (String, &Finding)| FindingView {
        is_denied: finding.verdict == Ruling::Denied,
        word,
        from: visible(&facts.namesakes.called(&finding.from)).into_owned(),
        to: visible(&facts.namesakes.called(&finding.to)).into_owned(),
        port: words::port(finding.protocol, finding.port),
        connections: grouped(finding.connections),
        reason: visible(&finding.reason).into_owned(),
    };
    let mut views: Vec<FindingView> = facts.findings().map(view).collect();
    views.sort_by_key(|view| !view.is_denied);
    views
}

/// Rows of a namespace that are shown.
const MAX_ROWS: usize = 400;

pub(super) fn left_out(recommendation: &Recommendation, facts: &Facts) -> Vec<LeftOutView> {
    let mut views = Vec::new();
    for plan in &recommendation.namespaces {
        let all = review::left_out_rows(plan, &facts.namesakes);
        let more = all.len().saturating_sub(MAX_ROWS);
        let rows: Vec<[String; 5]> =
            all.into_iter().take(MAX_ROWS).map(|cells| cells.map(|cell| visible(&cell).into_owned())).collect();
        if !rows.is_empty() {
            views.push(LeftOutView { namespace: visible(&plan.namespace).into_owned(), rows, more });
        }
    }
    views
}

pub(super) fn granularities(facts: &Facts) -> Vec<GranularityView> {
    let figure = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.2}"));
    let view = |one: &crate::render::Granularity| {
        let Cost { policies, rules, entries, entries_of_pods } = one.cost;
        let [policies, rules, entries, pods] = [policies, rules, entries, entries_of_pods].map(|it| grouped(it as u64));
        GranularityView {
            name: one.name(),
            is_chosen: one.chosen,
            missing: one.missing.as_deref().map(|why| visible(why).into_owned()),
            cells: [policies, rules, entries, pods, figure(one.over_permission), figure(one.reach)],
        }
    };
    facts.measured.granularities.iter().map(view).collect()
}

pub(super) fn decisions(facts: &Facts) -> Vec<DecisionView> {
    let conflict = |it: &crate::render::Conflict| DecisionView {
        policy: visible(it.policy.as_str()).into_owned(),
        verb: if it.is_added { "added" } else { "rejected" },
        what: visible(&it.what).into_owned(),
    };
    let idle = |it: &crate::render::Idle| DecisionView {
        policy: visible(it.policy.as_str()).into_owned(),
        verb: "not in force",
        what: visible(&it.what).into_owned(),
    };
    facts.by_hand.conflicts.iter().map(conflict).chain(facts.by_hand.idle.iter().map(idle)).collect()
}

pub(super) fn said(facts: &Facts) -> Vec<SaidView> {
    let view = |it: &crate::render::Said| SaidView {
        time: words::minute(it.time),
        author: visible(&it.author).into_owned(),
        policy: visible(it.policy.as_str()).into_owned(),
        what: visible(&it.what).into_owned(),
        reason: visible(&it.reason).into_owned(),
    };
    facts.by_hand.said.iter().map(view).collect()
}
