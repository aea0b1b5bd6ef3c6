use askama::Template;

use crate::render::page::{filters, grouped};

use super::{Figures, FindingRow, Frame, Line, count, shown};
use crate::{
    proposal::RolloutStep,
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
            notes: notes(view, plan, folder),
            folder: shown(folder),
            written: is_written.then(|| shown(&written)),
            commands: shown_lines(&format!(
                "cat {folder}/ROLLOUT.md\nflowmap simulate {folder}\nsh {folder}/UNDO.sh   # the way back"
            )),
            replay: Figures::of(&plan.replay),
            findings: plan.replay.findings.iter().map(|it| FindingRow::of(view, it)).collect(),
            version: plan.version(view),
            before: plan.before.as_ref().map(|before| {
                let [denied, uncertain] = [before.denied, before.uncertain].map(grouped);
                format!("The past before, with what is deployed alone: {denied} denied, {uncertain} uncertain.")
            }),
            unjudged: plan.steps.iter().filter(|step| step.replay.is_none()).count(),
            can_write: !plan.is_empty(),
            steps: plan.steps.iter().map(|it| step(plan, it)).collect(),
            left: plan
                .left
                .iter()
                .map(|sheet| (view.asking.query(&[("policy", sheet.key.as_str())]), shown(&sheet.full_name())))
                .collect(),
            frame,
        }
    }
}

/// What is to be known before it is written.
fn notes(view: &View, plan: &Plan<'_>, folder: &str) -> Vec<Line> {
    let mut notes: Vec<Line> = readiness(plan).into_iter().collect();
    notes.extend(met(view, plan, folder));
    notes.extend(stops(view, plan));
    notes.extend(alone(plan));
    notes.extend(beside(plan));
    notes
}

/// What speaks against writing it now.
fn readiness(plan: &Plan<'_>) -> Option<Line> {
    if plan.is_empty() {
        return Some(Line::new("", "Nothing is approved as it is now. Approve policies first."));
    }
    if plan.replay.denied == 0 {
        return None;
    }
    let text = if plan.left.is_empty() {
        "Some of what was seen would be denied with these."
    } else {
        "Some of what was seen would be denied with these alone: policies that are not approved may be missing."
    };
    Some(Line::new("bad", text))
}

/// What of it is there already, in force or in the folder.
fn met(view: &View, plan: &Plan<'_>, folder: &str) -> Vec<Line> {
    let mut notes = Vec::new();
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
    let edited = view.found.edited_documents();
    let goes = |path: &&str| !plan.approved.iter().any(|sheet| sheet.key.document() == *path);
    let going: Vec<&str> = edited.into_iter().filter(goes).collect();
    if !going.is_empty() {
        let text = format!(
            "Edited in {folder}, and not approved as it is now: {}. What is not approved is taken out of the folder. What was \
             decided by the edit is kept: approve it before, and the file stays.",
            going.join(", ")
        );
        notes.push(Line::new("doubt", text));
    }
    let others = view.found.others(&view.namespaces);
    if !others.is_empty() {
        let text = format!(
            "{folder} also holds documents of {}, which was not asked for here: they go. What was decided of them is kept.",
            others.join(", ")
        );
        notes.push(Line::new("doubt", text));
    }
    notes
}

/// Cautions for which one should stop.
fn stops(view: &View, plan: &Plan<'_>) -> Vec<Line> {
    // what is to go keeps nothing open
    let gone = plan.stale.names();
    let mut facts = view.facts.clone();
    facts.in_force.undone.retain(|undone| !gone.contains(&undone.policy));
    let cautions = crate::render::cautions(&view.decided, &facts, MAX_NAMES);
    cautions.iter().filter(|caution| caution.level == Level::Stop).flat_map(Line::of_caution).collect()
}

/// The verdict without what is deployed besides, where that is another.
fn alone(plan: &Plan<'_>) -> Option<Line> {
    let alone = &plan.alone;
    if (alone.denied, alone.uncertain) == (plan.replay.denied, plan.replay.uncertain) {
        return None;
    }
    let text = format!(
        "Without what is deployed besides, for that may go: {} denied, {} uncertain.",
        grouped(alone.denied),
        grouped(alone.uncertain)
    );
    Some(Line::new(if alone.denied > plan.replay.denied { "bad" } else { "doubt" }, text))
}

/// What of flowmap's own is to go, and what stays for now; what stays open; what is not what it seems.
fn beside(plan: &Plan<'_>) -> Vec<Line> {
    let mut notes = Vec::new();
    if !plan.stale.ended.is_empty() {
        let names: Vec<String> = plan.stale.ended.iter().map(|it| format!("{} ({})", it.name, it.why)).collect();
        let text = format!(
            "To go, with commands of their own in ROLLOUT.md, for what was exported or deployed before is not taken away by applying: {}.",
            names.join(", ")
        );
        notes.push(Line::new("doubt", &text));
    }
    if !plan.stale.waiting.is_empty() {
        let text = format!(
            "Proposed no more, and staying in force until all policies of their namespace are approved: {}.",
            plan.stale.waiting.join(", ")
        );
        notes.push(Line::new("doubt", &text));
    }
    if !plan.left_open.is_empty() {
        let text = format!(
            "Left open, for they were not seen enough to be closed: {}.",
            crate::render::few(&plan.left_open, MAX_NAMES)
        );
        notes.push(Line::new("doubt", text));
    }
    for path in plan.kustomizations.edited_paths() {
        let text = format!(
            "{path} was changed by hand and does more than list files: what kubectl apply -k makes of it is not in the verdict, \
             and UNDO.sh does not know its names. ROLLOUT.md applies by file."
        );
        notes.push(Line::new("doubt", text));
    }
    notes
}

fn shown_lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

fn step(plan: &Plan<'_>, step: &RolloutStep) -> StepView {
    let keys = &step.policies;
    let applied = plan.approved.iter().filter(|sheet| keys.contains(&sheet.key)).map(|sheet| sheet.full_name());
    let names: Vec<String> = applied.chain(step.gone.iter().map(|name| format!("{name} goes"))).collect();
    let verdict = step
        .replay
        .as_ref()
        .map(|replay| (grouped(replay.denied), grouped(replay.uncertain)))
        .map(|(denied, uncertain)| format!("The past up to here: {denied} denied, {uncertain} uncertain."));
    let is_clean = step.replay.as_ref().is_none_or(|replay| replay.denied == 0);
    StepView {
        names: shown(&names.join(", ")),
        risk: if step.policies.is_empty() { String::new() } else { step.risk.words() },
        verdict,
        class: if is_clean { "dim" } else { "bad-line" },
    }
}
