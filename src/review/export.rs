//! What is approved, written to a folder: policies, in which order they go out, and the way back.

mod ended;
mod steps;
mod undo;

use std::collections::BTreeSet;

use ended::{Before, Stale};

use super::{
    desk::{Desk, DeskError},
    fields::Fields,
    view::View,
};
use crate::{
    policy::{NetworkPolicy, PolicySet, Simulation},
    proposal::{self, Found, Known, Log, ProposalError, Rollout, RolloutStep, Standing, folder},
    recommend::Recommendation,
    render::{self, Document, Facts, Kustomizations, Policies, PolicyKey, Sheet, WayBack},
    store::content_id,
};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// Nothing is approved.
    #[error("nothing is approved as it is now")]
    Nothing,
    /// What is proposed or approved changed meanwhile.
    #[error("what is proposed or approved changed since you looked at it; nothing was written")]
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
    /// The approved policies by themselves, held against the past.
    pub alone: Simulation,
    /// The approved policies on top of what is deployed.
    pub on_top: Simulation,
    /// The approved policies and what is deployed, without what is to go: the past after the last step.
    pub replay: Simulation,
    /// The past with what is deployed now; nothing where nothing is.
    pub before: Option<Simulation>,
    /// Policies that are there before, and are replaced by others.
    pub replaced: Vec<String>,
    /// Policies that are there already and mean the same.
    pub same: Vec<String>,
    /// flowmap's own of before that are neither.
    pub stale: Stale,
    /// Workloads that stay open, for they were not seen enough to be closed.
    pub left_open: BTreeSet<String>,
    /// Kustomizations, the edited ones of these alone.
    pub kustomizations: Kustomizations,
}

impl<'v> Plan<'v> {
    /// Of what a log says is approved; `way_back` tells what was exported by now.
    pub fn new(view: &'v View, log: &Log, way_back: &WayBack) -> Result<Self, ProposalError> {
        let is_approved = |sheet: &&Sheet| {
            let content = view.contents.get(&sheet.key).map(String::as_str);
            matches!(log.standing(&sheet.key, content), Standing::Approved(_))
        };
        let there = view.facts.sheets.iter().filter(|sheet| sheet.object.is_some());
        let (approved, left): (Vec<&Sheet>, Vec<&Sheet>) = there.partition(is_approved);
        let names: BTreeSet<String> = approved.iter().map(|sheet| sheet.full_name()).collect();
        let set = proposal::only(&view.proposal.set, &names);
        let past = view.judge()?;
        let there: BTreeSet<String> = view.deployed.policies.iter().map(NetworkPolicy::full_name).collect();
        let stale = Stale::new(&Before {
            sheets: &view.facts.sheets,
            namespaces: &view.namespaces,
            approved: &names,
            left: &left,
            way_back,
            deployed: &view.site()?.cluster().policies,
        });
        let judge = |set: &PolicySet, gone: &BTreeSet<String>| {
            if gone.is_empty() {
                return past.replay(&set.on_top_of(&view.deployed));
            }
            let kept: BTreeSet<String> = there.difference(gone).cloned().collect();
            past.replay(&set.on_top_of(&proposal::only(&view.deployed, &kept)))
        };
        let (sheets, gone, facts) = (&approved[..], &stale.names(), &view.facts);
        let rollout = Rollout { sheets, set: &set, gone, cluster: view.site()?.cluster(), facts, judge: &judge };
        let steps = rollout.steps();
        let (alone, on_top, replay) = (past.replay(&set), judge(&set, &BTreeSet::new()), judge(&set, gone));
        let before = (!view.deployed.is_empty()).then(|| past.replay(&view.deployed));
        let is_there = |name: &String| {
            let mut new = set.policies.iter().filter(|policy| policy.full_name() == *name);
            new.any(|policy| view.deployed.policies.contains(policy))
        };
        let (same, replaced) = names.intersection(&there).cloned().partition(is_there);
        let open = approved.iter().filter(|sheet| sheet.is_open).flat_map(|sheet| &sheet.members);
        let left_open = open.map(ToString::to_string).collect();
        let is_of_these = |namespace: &String| approved.iter().any(|sheet| sheet.namespace == *namespace);
        let mut kustomizations = view.facts.kustomizations.clone();
        kustomizations.edited.retain(is_of_these);
        Ok(Self {
            approved,
            left,
            steps,
            alone,
            on_top,
            replay,
            before,
            replaced,
            same,
            stale,
            left_open,
            kustomizations,
        })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.approved.is_empty() && self.stale.ended.is_empty()
    }

    fn keys(&self) -> BTreeSet<PolicyKey> {
        self.approved.iter().map(|sheet| sheet.key.clone()).collect()
    }

    /// What is approved, as one word: a form that carries it is about this and nothing else.
    pub fn version(&self, view: &View) -> String {
        let content = |key: &PolicyKey| view.contents.get(key).map_or("", String::as_str);
        let ended = self.stale.ended.iter().flat_map(|ended| [&*ended.name, ended.why]);
        let all = self.approved.iter().flat_map(|sheet| [sheet.key.as_str(), content(&sheet.key)]).chain(ended);
        let all: Vec<&str> = all.collect();
        format!("{:016x}", content_id(&all.iter().map(|text| text.as_bytes()).collect::<Vec<_>>()))
    }
}

/// Writes what is approved; `keep` takes what the folder teaches into the store first, unless somebody decides on one of
/// these policies before that. Runs off the server's thread, for it waits for others that write there.
pub(super) fn write(
    desk: &Desk,
    view: &View,
    known: &Known,
    fields: &Fields,
    keep: impl FnOnce(&Found, &Policies, &BTreeSet<PolicyKey>) -> Result<(), ProposalError>,
) -> Result<(), ExportError> {
    let out_dir = &desk.config.out_dir;
    let mut found = folder::read(out_dir, &view.site()?.name, &|_| {})?;
    let plan = Plan::new(view, &known.log, found.way_back())?;
    if plan.version(view) != fields.get("plan") {
        return Err(ExportError::Changed);
    }
    if plan.is_empty() {
        return Err(ExportError::Nothing);
    }
    known.tell(&mut found, (desk.config.clock)());
    let recommendation = view.proposal.recommendation.clone();
    let proposal = proposal::Proposal::in_folder(recommendation, &found)?;
    let keys = plan.keys();
    let is_same = |key: &PolicyKey| {
        let now = proposal.policies.written.0.get(key).map(|written| proposal::content(&written.object));
        now.as_ref() == view.contents.get(key)
    };
    if !keys.iter().all(is_same) {
        return Err(ExportError::Changed);
    }
    let some = render::some(&proposal.policies, &|key| keys.contains(key)).map_err(ProposalError::from)?;
    let way_back = undo::way_back(found.way_back(), view.site()?, &plan);
    let documents = documents(desk, view, &plan, &some, &way_back)?;
    // before the folder: what was taken back there is not brought back if this ends in between
    keep(&found, &some, &keys)?;
    folder::replace(out_dir, &documents, &some, &found, (&way_back, &|_| {}))?;
    Ok(())
}

fn documents(
    desk: &Desk,
    view: &View,
    plan: &Plan<'_>,
    some: &Policies,
    way_back: &WayBack,
) -> Result<Vec<Document>, ProposalError> {
    let mut documents = some.documents.clone();
    let keys = plan.keys();
    let is_whole = plan.left.is_empty();
    // these speak of a whole proposal
    let whole = if is_whole { Some(view.told()?) } else { None };
    if let Some((facts, report)) = &whole {
        documents.extend([render::review(&view.decided, facts), report.clone()]);
    }
    documents.push(Document { path: folder::ROLLOUT.to_owned(), text: steps::text(desk, view, plan) });
    documents.push(Document { path: folder::UNDO.to_owned(), text: undo::text(way_back)? });
    let mut files: Vec<String> = documents.iter().map(|document| document.path.clone()).collect();
    files.push(folder::INDEX.to_owned());
    files.sort();
    let evidence = |decided: &Recommendation, facts: &Facts| render::evidence(decided, some, facts, (&files, way_back));
    documents.push(if let Some((facts, _)) = &whole {
        evidence(&view.decided, facts)
    } else {
        let on_top = view.facts.in_force.on_top.as_ref().map(|_| plan.on_top.clone());
        let facts = view.facts.of(&|key| keys.contains(key), (plan.alone.clone(), on_top));
        evidence(&render::part(&view.decided, &facts.sheets), &facts)
    });
    Ok(documents)
}
