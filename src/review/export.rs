//! What is approved, written to a folder: policies, in which order they go out, and the way back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde_json::Value;

use super::{
    desk::{Desk, DeskError},
    view::View,
};
use crate::{
    model::RawObject,
    policy::{PolicySet, Simulation},
    proposal::{self, Found, Known, ProposalError, RolloutStep, Site, Standing, folder, full_name},
    render::{self, Document, Policies, Purpose, Sheet},
    yaml,
};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// Nothing is approved.
    #[error("nothing is approved as it is now")]
    Nothing,
    /// What is proposed changed meanwhile.
    #[error("what is proposed changed since you looked at it; nothing was written")]
    Changed,
    /// There is no view.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The folder or the store does not take it.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
}

/// What would be written.
pub(super) struct Plan<'v> {
    /// Approved as they are.
    pub approved: Vec<&'v Sheet>,
    /// Not approved, or not as they are now.
    pub left: Vec<&'v Sheet>,
    pub steps: Vec<RolloutStep>,
    /// The approved policies, on top of what is deployed, held against the past.
    pub replay: Simulation,
    /// Policies that are there before, and are replaced.
    pub replaced: Vec<String>,
}

impl<'v> Plan<'v> {
    pub fn new(view: &'v View) -> Result<Self, ProposalError> {
        let (approved, left): (Vec<&Sheet>, Vec<&Sheet>) =
            view.sheets.iter().filter(|sheet| sheet.object.is_some()).partition(|sheet| is_approved(view, sheet));
        let site = view.site()?;
        let names: BTreeSet<String> = approved.iter().map(|sheet| full_name(&sheet.key)).collect();
        let set = proposal::only(&view.proposal.set, &names);
        let judge = |set: &PolicySet| view.replay(set).unwrap_or_default();
        let steps = proposal::rollout(&approved, &set, site.cluster(), &view.facts, &judge);
        let replay = view.replay(&set)?;
        let there: BTreeSet<String> =
            view.deployed.policies.iter().map(crate::policy::NetworkPolicy::full_name).collect();
        let replaced = names.intersection(&there).cloned().collect();
        Ok(Self { approved, left, steps, replay, replaced })
    }

    fn keys(&self) -> BTreeSet<String> {
        self.approved.iter().map(|sheet| sheet.key.clone()).collect()
    }
}

/// Whether a policy is approved as it is now; what a person put there is the person's.
pub(super) fn is_approved(view: &View, sheet: &Sheet) -> bool {
    let content = view.contents.get(&sheet.key).map(String::as_str);
    matches!(view.known.log.standing(&sheet.key, content), Standing::Approved(_))
}

/// Writes what is approved; `keep` takes what the folder teaches into the store first. Runs off the server's thread, for it
/// waits for others that write there.
pub(super) fn write(
    desk: &Desk,
    view: &View,
    known: &Known,
    keep: impl FnOnce(&Found, &Policies) -> Result<(), ProposalError>,
) -> Result<(), ExportError> {
    let out_dir = &desk.config.out_dir;
    let plan = Plan::new(view)?;
    if plan.approved.is_empty() {
        return Err(ExportError::Nothing);
    }
    let mut found = folder::read(out_dir, &|_| {})?;
    known.tell(&mut found);
    let recommendation = view.proposal.recommendation.clone();
    let proposal = proposal::Proposal::of(recommendation, &found.decisions(), &found.now)?;
    let keys = plan.keys();
    let is_same = |key: &String| {
        let now = proposal.policies.written.0.get(key).map(|written| proposal::content(&written.object));
        now.as_ref() == view.contents.get(key)
    };
    if !keys.iter().all(is_same) {
        return Err(ExportError::Changed);
    }
    let some = render::some(&proposal.policies, &|key| keys.contains(key)).map_err(ProposalError::from)?;
    let documents = documents(desk, view, &plan, &some)?;
    // before the folder: what was taken back there is not brought back if this ends in between
    keep(&found, &some)?;
    folder::replace(out_dir, &documents, &some, &found, &|_| {})?;
    Ok(())
}

fn documents(desk: &Desk, view: &View, plan: &Plan<'_>, some: &Policies) -> Result<Vec<Document>, ProposalError> {
    let mut documents = some.documents.clone();
    documents.extend([render::review(&view.decided, &view.facts), view.report()?]);
    documents.push(Document { path: folder::ROLLOUT.to_owned(), text: rollout_text(desk, view, plan) });
    documents.push(Document { path: folder::UNDO.to_owned(), text: undo_text(view.site()?, plan)? });
    let mut files: Vec<String> = documents.iter().map(|document| document.path.clone()).collect();
    files.push(folder::INDEX.to_owned());
    files.sort();
    documents.push(render::evidence(&view.decided, some, &view.facts, &files));
    Ok(documents)
}

/// `ROLLOUT.md`.
fn rollout_text(desk: &Desk, view: &View, plan: &Plan<'_>) -> String {
    let folder = desk.config.out_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut text = String::from("# Rollout\n\n");
    // writing to a String cannot fail
    let Simulation { connections, allowed, denied, uncertain, .. } = plan.replay;
    let _ = writeln!(
        text,
        "Approved: {} of {} policies, proposed by {}. With all of them on top of what the inventory says is deployed, of {connections}\n\
         connections of the past {allowed} are allowed, {denied} denied and {uncertain} uncertain.\n",
        plan.approved.len(),
        plan.approved.len() + plan.left.len(),
        view.asking.granularity.as_str()
    );
    text.push_str("Commands are for this folder. The least risk comes first; what stands in one step goes together, for one alone\nwould deny what the other allows. After each step look whether anything complains before the next one. `sh UNDO.sh`\nputs back what was there before, at any step.\n");
    for (n, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(text, "\n## Step {}\n\nRisk: {}.", n + 1, step.risk.words());
        if let Some(replay) = &step.replay {
            let _ = writeln!(
                text,
                "The past with this step and those before: {} denied, {} uncertain of {}.",
                replay.denied, replay.uncertain, replay.connections
            );
        }
        for key in &step.policies {
            let _ = writeln!(text, "- {}{}", full_name(key), by(view, key));
        }
        text.push_str("\n```sh\n");
        let files: BTreeSet<&str> =
            step.policies.iter().filter_map(|key| key.split_once('#')).map(|(file, _)| file).collect();
        let files: Vec<String> = files.into_iter().map(|file| format!("-f {file}")).collect();
        let _ = writeln!(text, "kubectl diff {0}\nkubectl apply {0}\n```", files.join(" "));
    }
    if !plan.replay.findings.is_empty() {
        text.push_str("\n## What of the past would not go through\n\n");
        for finding in &plan.replay.findings {
            let _ = writeln!(
                text,
                "- {}: {} -> {} on {}/{}, {} connections: {}",
                finding.verdict,
                render::safe(&finding.from),
                render::safe(&finding.to),
                finding.protocol,
                finding.port,
                finding.connections,
                render::safe(&finding.reason)
            );
        }
    }
    if !plan.left.is_empty() {
        text.push_str("\n## Not approved, and not here\n\n");
        for sheet in &plan.left {
            let _ = writeln!(text, "- {}", full_name(&sheet.key));
        }
    }
    let _ = writeln!(
        text,
        "\nAll of it at once, where that is wanted, from above this folder: `flowmap simulate {folder}`, then apply the namespaces:\n\n```sh"
    );
    for namespace in plan.approved.iter().map(|sheet| &sheet.namespace).collect::<BTreeSet<_>>() {
        let _ = writeln!(text, "kubectl apply -k {namespace}");
    }
    text.push_str("```\n");
    text
}

/// Who approved a policy.
fn by(view: &View, key: &str) -> String {
    let content = view.contents.get(key).map(String::as_str);
    match view.known.log.standing(key, content) {
        Standing::Approved(entry) => {
            format!(", approved by {} on {}", render::safe(&entry.author), render::minute(entry.time))
        }
        _ => String::new(),
    }
}

/// `UNDO.sh`: policies that were not there go, that which closes a namespace first; those that were there are again as
/// the inventory has them.
fn undo_text(site: &Site, plan: &Plan<'_>) -> Result<String, ProposalError> {
    let mut gone: BTreeMap<&str, Vec<(bool, &str)>> = BTreeMap::new();
    for sheet in plan.approved.iter().filter(|sheet| !plan.replaced.contains(&full_name(&sheet.key))) {
        gone.entry(&sheet.namespace).or_default().push((sheet.purpose != Purpose::Deny, &sheet.name));
    }
    let mut text = String::from(
        "#!/bin/sh\n# Puts the NetworkPolicies back to what they were, as the inventory has it: `sh UNDO.sh`.\nset -eu\n",
    );
    if !gone.is_empty() {
        text.push_str("\n# not there before; what closes a namespace goes first\n");
    }
    for (namespace, names) in &mut gone {
        names.sort_unstable();
        let names: Vec<String> = names.iter().map(|(_, name)| format!("'{name}'")).collect();
        let _ = writeln!(text, "kubectl delete networkpolicy --ignore-not-found -n '{namespace}' {}", names.join(" "));
    }
    let before: Vec<Value> = site
        .cluster()
        .policies
        .iter()
        .filter(|raw| plan.replaced.contains(&name_of(raw)))
        .map(|raw| cleaned(&raw.object))
        .collect();
    if !before.is_empty() {
        let mut documents = Vec::new();
        for object in &before {
            let fault = |error: yaml::YamlError| render::RenderError::Yaml {
                path: folder::UNDO.into(),
                reason: error.to_string(),
            };
            documents.push(yaml::write(object).map_err(fault)?);
        }
        let all = documents.join("---\n");
        let mark = mark(&all);
        let _ =
            writeln!(text, "\n# there before, as they were\nkubectl apply -f - <<'{mark}'\n{}\n{mark}", all.trim_end());
    }
    Ok(text)
}

/// A line that ends a text and is not in it.
fn mark(text: &str) -> String {
    let mut mark = "UNDO".to_owned();
    while text.lines().any(|line| line == mark) {
        mark.push('_');
    }
    mark
}

fn name_of(raw: &RawObject) -> String {
    let word = |field: &str| raw.object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let namespace = Some(word("namespace")).filter(|it| !it.is_empty()).unwrap_or_else(|| "default".to_owned());
    format!("{namespace}/{}", word("name"))
}

/// Without what an API server adds.
fn cleaned(object: &Value) -> Value {
    const ADDED: [&str; 6] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| !ADDED.contains(&key.as_str()));
        if let Some(notes) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            notes.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        if metadata.get("annotations").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            metadata.remove("annotations");
        }
    }
    object
}
