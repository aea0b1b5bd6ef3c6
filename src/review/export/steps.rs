//! `ROLLOUT.md`: the steps with their commands, and what of the past each would deny.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{Plan, ended::Ended};
use crate::{
    model::words::count,
    policy::Simulation,
    proposal::{RolloutStep, Standing},
    render::{self, PolicyKey},
    review::{desk::Desk, view::View},
};

/// How to go on.
const HOW: &str =
    "Commands are for this folder. The least risk comes first; what stands in one step goes together: for one alone
would deny what the other allows, or is in the same file. After each step look whether anything complains before the
next one. `sh UNDO.sh` puts back what was there before, at any step.
";

/// All of it.
pub(super) fn text(desk: &Desk, view: &View, plan: &Plan<'_>) -> String {
    let mut text = String::from("# Rollout\n\n");
    // writing to a String cannot fail
    let Simulation { connections, allowed, denied, uncertain, .. } = plan.replay;
    let gone = if plan.stale.ended.is_empty() { "" } else { ", and without what is to go" };
    let _ = writeln!(
        text,
        "Approved: {} of {} policies, proposed by {}. With all of them on top of what the inventory says is deployed{gone}, of {connections}\n\
         connections of the past {allowed} are allowed, {denied} denied and {uncertain} uncertain.\n",
        plan.approved.len(),
        plan.approved.len() + plan.left.len(),
        view.asking.granularity.as_str()
    );
    text.push_str(HOW);
    if let Some(Simulation { connections, denied, uncertain, .. }) = plan.before {
        let _ = writeln!(
            text,
            "\nThe past before the first step, with what is deployed alone: {denied} denied, {uncertain} uncertain of {connections}."
        );
    }
    if !plan.same.is_empty() {
        let names: Vec<String> = plan.same.iter().map(|name| plain(name)).collect();
        let _ = writeln!(text, "\nDeployed already, and the same: {}.", names.join(", "));
    }
    for (n, step) in plan.steps.iter().enumerate() {
        self::step(&mut text, (view, plan), (n, step));
    }
    waiting(&mut text, plan);
    undone(&mut text, view, plan);
    open(&mut text, view, plan);
    findings(&mut text, plan, view);
    if !plan.left.is_empty() {
        text.push_str("\n## Not approved, and not here\n\n");
        for name in plan.left.iter().map(|sheet| sheet.full_name()) {
            let rest = if plan.stale.kept.contains(&name) { ", there from before: it stays as it is" } else { "" };
            let _ = writeln!(text, "- {}{rest}", plain(&name));
        }
    }
    at_once(&mut text, desk, plan);
    text
}

/// Everything in one go.
fn at_once(text: &mut String, desk: &Desk, plan: &Plan<'_>) {
    let folder = desk.config.out_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    text.push_str("\nAll of it at once, where that is wanted. From above this folder, to see what it does:\n\n");
    let _ = writeln!(
        text,
        "```sh\nflowmap simulate {}\n```\n\nIn this folder, by namespace:\n\n```sh",
        render::quoted(&folder)
    );
    for arguments in plan.kustomizations.arguments(plan.approved.iter().copied()) {
        let _ = writeln!(text, "kubectl apply {arguments}");
    }
    text.push_str(&deletions(plan, &plan.stale.names()));
    text.push_str("```\n");
    for path in plan.kustomizations.edited_paths() {
        let _ = writeln!(
            text,
            "\n{} was changed by hand and does more than list files. What `kubectl apply -k` would make of these policies was not\n\
             held against the past, and `UNDO.sh` does not know its names: apply them by file.",
            plain(&path)
        );
    }
}

fn step(text: &mut String, (view, plan): (&View, &Plan<'_>), (n, step): (usize, &RolloutStep)) {
    let what = if step.policies.is_empty() { ": what is to go" } else { "" };
    let _ = writeln!(text, "\n## Step {}{what}\n", n + 1);
    if !step.policies.is_empty() {
        let _ = writeln!(text, "Risk: {}.", step.risk.words());
    }
    let _ = match &step.replay {
        Some(replay) => writeln!(
            text,
            "The past with this step and those before: {} denied, {} uncertain of {}.",
            replay.denied, replay.uncertain, replay.connections
        ),
        None => writeln!(text, "Not held against the past by itself: only the first steps are."),
    };
    for sheet in plan.approved.iter().filter(|sheet| step.policies.contains(&sheet.key)) {
        let _ = writeln!(text, "- {}{}", plain(&sheet.full_name()), by(view, &sheet.key));
    }
    let ended: Vec<&Ended> = plan.stale.ended.iter().filter(|ended| step.gone.contains(&ended.name)).collect();
    if !ended.is_empty() {
        text.push_str("\nTo go, for `kubectl apply` takes nothing away of what was exported or deployed before:\n\n");
    }
    for ended in ended {
        let rest = if ended.has_before {
            "; another stood there before the first export: `UNDO.sh` holds it, to be put back by hand"
        } else {
            ""
        };
        let _ = writeln!(text, "- {}, {}{rest}", plain(&ended.name), ended.why);
    }
    let mut commands = String::new();
    if !step.policies.is_empty() {
        let files = render::files(&step.policies);
        let _ = writeln!(commands, "kubectl diff {files}\nkubectl apply {files}");
    }
    commands.push_str(&deletions(plan, &step.gone));
    if !commands.is_empty() {
        let _ = writeln!(text, "\n```sh\n{commands}```");
    }
}

fn waiting(text: &mut String, plan: &Plan<'_>) {
    if !plan.stale.waiting.is_empty() {
        text.push_str("\n## Of before, and staying until all of their namespace is approved\n\n");
        for name in &plan.stale.waiting {
            let _ = writeln!(text, "- {}", plain(name));
        }
    }
}

/// What stays open with all of it, or is open again.
fn open(text: &mut String, view: &View, plan: &Plan<'_>) {
    if !plan.left_open.is_empty() {
        text.push_str("\n## Left open, for they were not seen enough to be closed\n\n");
        for name in &plan.left_open {
            let _ = writeln!(text, "- {}", plain(name));
        }
    }
    if !view.facts.in_force.reopened.is_empty() {
        text.push_str("\n## Closed by what is deployed, and open with the whole proposal\n\n");
        for (direction, workloads) in &view.facts.in_force.reopened {
            let names: Vec<&str> = workloads.iter().map(String::as_str).collect();
            let _ = writeln!(text, "- {} of {}", direction.as_str(), plain(&names.join(", ")));
        }
    }
}

/// The commands that delete some of what is to go, a namespace a line; what closes one is named first.
fn deletions(plan: &Plan<'_>, gone: &BTreeSet<String>) -> String {
    let mut namespaces: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for ended in plan.stale.ended.iter().filter(|ended| !ended.has_before && gone.contains(&ended.name)) {
        let (namespace, name) = ended.name.split_once('/').unwrap_or(("default", &ended.name));
        namespaces.entry(namespace).or_default().push(name);
    }
    let mut text = String::new();
    for (namespace, mut names) in namespaces {
        names.sort_by_key(|name| (*name != "default-deny", *name));
        let names: Vec<String> = names.into_iter().map(render::quoted).collect();
        let _ = writeln!(
            text,
            "kubectl delete networkpolicy --ignore-not-found -n {} {}",
            render::quoted(namespace),
            names.join(" ")
        );
    }
    text
}

/// What is deployed and keeps open what is exported here, whoever wrote it. What is to go is not among it.
fn undone(text: &mut String, view: &View, plan: &Plan<'_>) {
    let ended = plan.stale.names();
    let mut left = view.facts.in_force.undone.iter().filter(|undone| !ended.contains(&undone.policy)).peekable();
    if left.peek().is_some() {
        text.push_str("\n## Kept open by what is deployed\n\nOf the whole proposal, as long as these are there:\n\n");
    }
    for undone in left {
        let _ = writeln!(text, "- {}: {}", plain(&undone.policy), plain(&undone.words()));
    }
}

fn findings(text: &mut String, plan: &Plan<'_>, view: &View) {
    if !plan.replay.findings.is_empty() {
        text.push_str("\n## What of the past would not go through\n\n");
    }
    for finding in &plan.replay.findings {
        let _ = writeln!(
            text,
            "- {}: {} -> {} on {}/{}, {}: {}",
            finding.verdict,
            plain(&view.called(&finding.from)),
            plain(&view.called(&finding.to)),
            finding.protocol,
            finding.port,
            count(finding.connections, "connection"),
            plain(&finding.reason)
        );
    }
}

/// Who approved a policy.
fn by(view: &View, key: &PolicyKey) -> String {
    let content = view.contents.get(key).map(String::as_str);
    match view.known.log.standing(key, content) {
        Standing::Approved(entry) => {
            format!(", approved by {} on {}", plain(&entry.author), render::minute(entry.time))
        }
        _ => String::new(),
    }
}

/// A text as one line of Markdown that is nothing but text.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in render::safe(text).chars() {
        if matches!(letter, '<' | '[' | ']' | '`' | '\\' | '!') {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}
