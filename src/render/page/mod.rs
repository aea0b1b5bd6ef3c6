//! The review as a page: a view model that templates print, and nothing that they would have to think about.
//!
//! ```text
//! Material -> Report (what a page says, as text and figures) -> report.html, one file that asks for nothing elsewhere
//!             verdict, matrix, maps, tree, curve                 templates/
//! ```
//!
//! The parts are values of their own, each with a template under `templates/part/`, so that another page can show some of
//! them. Whatever comes from outside goes through [`visible`], and the templates escape it.

mod alone;
mod clear_text;
mod curve;
pub mod filters;
mod maps;
mod matrix;
mod sealed;
mod tables;
mod tree;
mod verdict;

use std::collections::BTreeMap;

pub use crate::model::words::{counted, grouped};
pub use alone::map_page;
use askama::Template;
pub use clear_text::ClearTextView;
pub use curve::Curve;
pub use maps::MapView;
pub use matrix::{Cell, Matrix};
pub use sealed::{SCRIPT, STYLE, Sealed};
pub use tables::{DecisionView, FindingView, GranularityView, LeftOutView, SaidView};
pub use tree::{AccessView, BeforeAfter, NamespaceView, PolicyView, ReachView, TierView};
pub use verdict::{Figure, VerdictView};

use super::{Caution, Document, Facts, words};
use crate::{
    graph::Map,
    map::Novelty,
    model::{WorkloadRef, visible},
    recommend::Recommendation,
    tier::Tier,
};

/// For parts of the workloads and the outside, which comes last: in how many pairs they can open connections, by part and
/// part, before and after.
pub type Pairs<'a> = dyn Fn(&[Vec<String>]) -> [Vec<Vec<usize>>; 2] + 'a;

/// What a page is made of.
pub struct Material<'a> {
    /// The proposal, as decisions leave it.
    pub recommendation: &'a Recommendation,
    /// What there is to say of it.
    pub facts: &'a Facts,
    /// The tier of every workload that has one.
    pub tiers: &'a BTreeMap<WorkloadRef, Tier>,
    /// The map of what was seen of the namespaces, with the verdicts on it; boxes are workloads.
    pub map: Map,
    /// In how many pairs workloads can open connections to each other, between parts that it is given and the outside, which
    /// comes last; before and after.
    pub ways: &'a Pairs<'a>,
    /// The learning hour by hour.
    pub curve: Vec<Novelty>,
}

/// Everything that a page says.
#[derive(Debug, Template)]
#[template(path = "report.html")]
pub struct Report {
    /// The namespaces.
    pub title: String,
    /// The window of the captures, in words.
    pub window: String,
    /// The verdict on the past.
    pub verdict: VerdictView,
    /// The figures that stand beside it.
    pub figures: Vec<Figure>,
    /// What may go wrong though the past holds; the worst first.
    pub cautions: Vec<Caution>,
    /// What was seen, and what stays possible.
    pub maps: Vec<MapView>,
    /// Who can reach whom by tier, before and after.
    pub matrix: Matrix,
    /// What others can read on the way, by namespace.
    pub clear_text: Vec<ClearTextView>,
    /// The policies, by namespace and tier.
    pub namespaces: Vec<NamespaceView>,
    /// How many policies there are.
    pub policies: usize,
    /// Whether there are so many rules that evidence is told once, and in one cell.
    pub is_terse: bool,
    /// What would be denied, and what is uncertain.
    pub findings: Vec<FindingView>,
    /// What becomes of the past with what is deployed besides, where that differs.
    pub beside: Option<String>,
    /// What was seen and makes no rule.
    pub left_out: Vec<LeftOutView>,
    /// New dependencies over time.
    pub curve: Curve,
    /// What other granularities cost.
    pub granularities: Vec<GranularityView>,
    /// On what their openness rests, where policies are deployed besides.
    pub open_beside: Option<String>,
    /// What a person decided.
    pub decisions: Vec<DecisionView>,
    /// Who decided what on the review page, when and why.
    pub said: Vec<SaidView>,
    /// The commands that roll it out.
    pub apply: Vec<String>,
    /// Style, script, and the policy that lets nothing else run.
    pub sealed: Sealed,
}

impl Report {
    /// What the page says of a proposal.
    #[must_use]
    pub fn new(material: &Material<'_>) -> Self {
        let Material { recommendation, facts, .. } = material;
        let names: Vec<&str> = recommendation.namespaces.iter().map(|plan| plan.namespace.as_str()).collect();
        let namespaces = tree::namespaces(material);
        Self {
            title: title(&names),
            window: window(facts),
            verdict: verdict::verdict(facts),
            figures: verdict::figures(material),
            cautions: verdict::cautions(recommendation, facts),
            maps: maps::maps(material),
            matrix: matrix::matrix(material),
            clear_text: clear_text::views(facts),
            is_terse: tree::is_terse(recommendation),
            policies: namespaces.iter().map(NamespaceView::policies).sum(),
            namespaces,
            findings: tables::findings(facts),
            beside: facts.beside(grouped),
            left_out: tables::left_out(recommendation, facts),
            curve: Curve::new(&material.curve),
            granularities: tables::granularities(facts),
            open_beside: facts.open_beside(),
            decisions: tables::decisions(facts),
            said: tables::said(facts),
            apply: apply(facts),
            sealed: Sealed::new(STYLE, SCRIPT),
        }
    }

    /// What stands above the tables of what policies may reach.
    fn egress_caption(&self) -> &'static str {
        if self.is_terse { "May reach (the evidence stands with the policies of who is reached)" } else { "May reach" }
    }

    /// As a document beside the others; why there is none where a template fails.
    pub fn document(&self) -> Result<Document, super::RenderError> {
        let path = "report.html".to_owned();
        match self.render() {
            Ok(text) => Ok(Document { path, text: sealed::tidy(&text) + "\n" }),
            Err(error) => Err(super::RenderError::Page { path, reason: error.to_string() }),
        }
    }
}

/// Namespaces that a title names.
const TITLE_NAMES: usize = 3;

fn title(names: &[&str]) -> String {
    match names {
        [] => "nothing".into(),
        some if some.len() <= TITLE_NAMES => visible(&some.join(", ")).into_owned(),
        many => words::count(many.len() as u64, "namespace"),
    }
}

fn window(facts: &Facts) -> String {
    let Some(span) = facts.captures.span else { return "When it was seen is not known".into() };
    let captures = words::count(facts.captures.losses.len() as u64, "capture");
    format!("Seen from {} to {} UTC in {captures}", words::minute(span.first), words::minute(span.last))
}

fn apply(facts: &Facts) -> Vec<String> {
    let of_namespace = |arguments: &String| [format!("kubectl diff {arguments}"), format!("kubectl apply {arguments}")];
    facts.kustomizations.arguments(&facts.sheets).iter().flat_map(of_namespace).collect()
}
