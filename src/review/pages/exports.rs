use askama::Template;

use crate::render::page::{filters, grouped};

use super::{Figures, FindingRow, Frame, Line, count, shown};
use crate::{
    proposal::{RolloutStep, full_name},
    render::Level,
    review::{export::Plan, view::View},
};

/// What is approved, and in which order it would go out.
#[derive(Template)]
#[template(path = "review/export.html")]
pub(in crate::review) struct ExportPage {
    frame: Frame,
    sentence: String,
    notes: Vec<Line>,
    folder: String,
    written: Option<String>,
    commands: String,
    replay: Figures,
    findings: Vec<FindingRow>,
    version: String,
    /// The past before the first step.
    before: Option<String>,
    unjudged: usize,
    can_write: bool,
    steps: Vec<StepView>,
    left: Vec<(String, String)>,
}

/// Names in one line.
const MAX_NAMES: usize = 8;

struct StepView {
    names: String,
    risk: String,
    verdict: Option<String>,
    class: &'static str,
}

impl ExportPage {
    pub fn new(frame: Frame, view: &View, plan: &Plan<'_>, folder: &str, is_written: bool) -> Self {
        let in_all = plan.approved.len() + plan.left.len();
        let mut notes = Vec::new();
        if plan.is_empty() {
            notes.push(Line::new("", "Nothing is approved as it is now. Approve policies first."));
        } else if plan.replay.denied > 0 {
            let text = match plan.left.len() {
                0 => "Some of what was seen would be denied with these.",
                _ => {
                    "Some of what was seen would be denied with these alone: policies that are not approved may be missing."
                }
            };
            notes.push(Line::new("bad", text));
        }
        if !plan.replaced.is_empty() {
            let text = format!(
                "These are deployed under the same names, mean something else and are replaced; UNDO.sh puts back what was there before the first export: {}.",
                plan.replaced.join(", ")
            );
            notes.push(Line::new("doubt", text));
        }
        if !plan.same.is_empty() {
            notes.push(Line::new("", format!("Deployed already, and the same: {}.", plan.same.join(", "))));
        }
        let others = view.found.others(&view.namespaces);
        if !others.is_empty() {
            let text = format!(
                "{folder} also holds documents of {}, which was not asked for here: they go. What was decided of them is kept.",
                others.join(", ")
            );
            notes.push(Line::new("doubt", text));
        }
        let cautions = crate::render::cautions(&view.decided, &view.facts, MAX_NAMES);
        let stops = cautions.iter().filter(|caution| caution.level == Level::Stop);
        notes.extend(stops.flat_map(Line::of_caution));
        let alone = &plan.alone;
        if (alone.denied, alone.uncertain) != (plan.replay.denied, plan.replay.uncertain) {
            let text = format!(
                "Without what is deployed besides, for that may go: {} denied, {} uncertain.",
                grouped(alone.denied),
                grouped(alone.uncertain)
            );
            notes.push(Line::new(if alone.denied > plan.replay.denied { "bad" } else { "doubt" }, text));
        }
        notes.extend(stale(plan));
        let written = format!(
            "{folder} is written: {}, ROLLOUT.md with the order, UNDO.sh with the way back.",
            count(plan.approved.len(), "policy", "policies")
        );
        Self {
            sentence: format!(
                "{} of {} approved as they are now. They are written with the order of the rollout, the commands, and the way back to what is deployed.",
                plan.approved.len(),
                count(in_all, "policy is", "policies are")
            ),
            notes,
            folder: shown(folder),
            written: is_written.then(|| shown(&written)),
            commands: shown_lines(&format!(
                "cat {folder}/ROLLOUT.md\nflowmap simulate {folder}\nsh {folder}/UNDO.sh   # the way back"
            )),
            replay: Figures::of(&plan.replay),
            findings: plan.replay.findings.iter().map(FindingRow::of).collect(),
            version: plan.version(view),
            before: plan.before.as_ref().map(|before| {
                let [denied, uncertain] = [before.denied, before.uncertain].map(grouped);
                format!("The past before, with what is deployed alone: {denied} denied, {uncertain} uncertain.")
            }),
            unjudged: plan.steps.iter().filter(|step| step.replay.is_none()).count(),
            can_write: !plan.is_empty(),
            steps: plan.steps.iter().map(step).collect(),
            left: plan
                .left
                .iter()
                .map(|sheet| (view.asking.query(&[("policy", &sheet.key)]), shown(&full_name(&sheet.key))))
                .collect(),
            frame,
        }
    }
}

/// What of flowmap's own is to go, and what stays for now.
fn stale(plan: &Plan<'_>) -> Vec<Line> {
    let mut notes = Vec::new();
    if let Some(replay) = &plan.last {
        let names: Vec<String> = plan.stale.ended.iter().map(|it| format!("{} ({})", it.name, it.why)).collect();
        let text = format!(
            "To go, in a last step of ROLLOUT.md, for what was exported or deployed before is not taken away by applying: {}. \
             The past without them: {} denied, {} uncertain.",
            names.join(", "),
            grouped(replay.denied),
            grouped(replay.uncertain)
        );
        notes.push(Line::new(if replay.denied > 0 { "bad" } else { "doubt" }, &text));
    }
    if !plan.stale.waiting.is_empty() {
        let text = format!(
            "Proposed no more, and staying in force until all policies of their namespace are approved: {}.",
            plan.stale.waiting.join(", ")
        );
        notes.push(Line::new("doubt", &text));
    }
    notes
}

fn shown_lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

fn step(step: &RolloutStep) -> StepView {
    let names: Vec<String> = step.policies.iter().map(|key| full_name(key)).collect();
    let verdict = step
        .replay
        .as_ref()
        .map(|replay| (grouped(replay.denied), grouped(replay.uncertain)))
        .map(|(denied, uncertain)| format!("The past up to here: {denied} denied, {uncertain} uncertain."));
    let is_clean = step.replay.as_ref().is_none_or(|replay| replay.denied == 0);
    StepView {
        names: shown(&names.join(", ")),
        risk: step.risk.words(),
        verdict,
        class: if is_clean { "dim" } else { "bad-line" },
    }
}
