use std::{collections::BTreeSet, fmt::Write};

use askama::Template;

use crate::render::page::filters;

use super::{Figures, FindingRow, Frame, ROWS, port, shown};
use crate::{
    render::page::{counted, grouped},
    review::view::View,
};

/// What would be denied, and what was left out on purpose.
#[derive(Template)]
#[template(path = "review/findings.html")]
pub(in crate::review) struct Findings {
    frame: Frame,
    sentence: String,
    replay: Figures,
    /// What becomes of the past with what is deployed besides, where that differs.
    beside: Option<String>,
    rows: Vec<FindingRow>,
    left_title: String,
    left_out: Vec<LeftRow>,
}

struct LeftRow {
    from: String,
    to: String,
    port: String,
    connections: String,
    reason: String,
}

impl Findings {
    pub fn new(frame: Frame, view: &View) -> Self {
        let replay = &view.facts.replay;
        let all: BTreeSet<_> = view.decided.namespaces.iter().flat_map(|plan| &plan.left_out).collect();
        let scans: Vec<u64> = all.iter().filter(|left| left.is_scan).map(|left| left.evidence.connections).collect();
        let shown_rows = all.iter().filter(|left| !left.is_scan).take(ROWS);
        let row = |left: &&crate::recommend::LeftOut| LeftRow {
            from: shown(&view.called(&left.evidence.client)),
            to: shown(&view.called(&left.evidence.server)),
            port: port(left.evidence.protocol, left.evidence.port),
            connections: grouped(left.evidence.connections),
            reason: shown(&left.reason.to_string()),
        };
        let left_out: Vec<LeftRow> = shown_rows.map(row).collect();
        let hidden = all.len() - scans.len() - left_out.len();
        let mut left_title = "These made no rule.".to_owned();
        if !scans.is_empty() {
            let (connections, parts) =
                (counted(scans.iter().sum(), "connection"), counted(scans.len() as u64, "dependency"));
            // writing to a String cannot fail
            let _ = write!(left_title, " {connections} more, of {parts}, belonged to scans.");
        }
        if hidden > 0 {
            let _ = write!(left_title, " {hidden} rows more are listed in REVIEW.md.");
        }
        Self {
            frame,
            sentence: "Every connection that was seen, held against the policies as they are decided now. Uncertain is what cannot be told: a side that nobody could name, or a direction that is not known."
                .to_owned(),
            replay: Figures::of(replay),
            beside: view.facts.beside(grouped),
            rows: view.facts.findings().map(|(word, finding)| FindingRow::called(view, finding, &word)).collect(),
            left_title,
            left_out,
        }
    }
}
