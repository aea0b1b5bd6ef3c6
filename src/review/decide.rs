//! One decision: on what was shown, by somebody, written to the log together with what follows from it.

use std::collections::BTreeMap;

use super::{
    asking::Asking,
    desk::{Desk, DeskError},
    edit::{self, EditError},
    fields::Fields,
    view::View,
};
use crate::{
    proposal::{Action, Body, Entry, Known, Log, ProposalError},
    render::{PolicyKey, Sheet, Step},
    store::{Decided, EntryId},
};

/// Letters of a reason or a name that are kept.
const MAX_REASON: usize = 1_000;
const MAX_AUTHOR: usize = 100;
/// How often a decision is tried while others decide on other policies of the namespace.
const MAX_TRIES: usize = 5;

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecideError {
    /// The policy is not there.
    #[error("there is no such policy in this proposal, or not any more")]
    NoPolicy,
    /// No policy was ticked.
    #[error("nothing was ticked: choose the policies that you approve")]
    NothingTicked,
    /// The entry to take back is not there, or was taken back.
    #[error("there is no such decision that could be taken back")]
    NoEntry,
    /// Nobody says who decides.
    #[error("who decides? a decision is kept with a name")]
    NoAuthor,
    /// A rejection without a reason.
    #[error("why? a rejection is kept with its reason")]
    NoReason,
    /// Another decision on the same policy came first.
    #[error("somebody decided on this policy since you looked at it")]
    Conflict(Box<Conflict>),
    /// It was decided again on the same thing: that comes first.
    #[error("this was decided again since: take that back first")]
    Since(PolicyKey, Vec<Entry>),
    /// The choice means nothing here.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// There is no view.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The store does not take it.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
}

/// What was meant, and what came first.
#[derive(Debug)]
pub(super) struct Conflict {
    pub policy: PolicyKey,
    /// Decisions of others since.
    pub others: Vec<Entry>,
    /// Whether the policy itself is another by now.
    pub is_another: bool,
}

impl Conflict {
    /// With what was decided of a policy since a version of it was looked at.
    fn new(log: &Log, version: &Version, is_another: bool) -> Self {
        let all: Vec<&Entry> = log.of(&version.policy).collect();
        let seen = version.head.and_then(|head| all.iter().position(|entry| entry.id == head)).map_or(0, |n| n + 1);
        let others = all.into_iter().skip(seen).cloned().collect();
        Self { policy: version.policy.clone(), others, is_another }
    }
}

/// What a form is about: the version of a policy that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub policy: PolicyKey,
    pub head: Option<EntryId>,
    /// The hash of its content; empty where it stays away.
    pub content: String,
}

impl Version {
    /// As it is now.
    pub fn of(view: &View, policy: &PolicyKey) -> Self {
        let content = view.contents.get(policy).cloned().unwrap_or_default();
        Self { policy: policy.clone(), head: view.known.log.head(policy), content }
    }

    /// As one field.
    pub fn text(&self) -> String {
        let head = self.head.map(|id| id.to_string()).unwrap_or_default();
        format!("{head}:{}:{}", self.content, self.policy)
    }

    /// From such a field.
    pub fn read(text: &str) -> Option<Self> {
        let (head, rest) = text.split_once(':')?;
        let (content, policy) = rest.split_once(':')?;
        let head = if head.is_empty() { None } else { Some(head.parse().ok()?) };
        Some(Self { policy: policy.parse().ok()?, head, content: content.to_owned() })
    }
}

/// Who decides, and why.
#[derive(Clone, Debug, Default)]
pub(super) struct Voice {
    pub author: String,
    pub reason: String,
}

impl Voice {
    pub fn read(fields: &Fields) -> Result<Self, DecideError> {
        let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let author = short(fields.get("author"), MAX_AUTHOR);
        let reason = short(fields.get("reason"), MAX_REASON);
        if author.is_empty() { Err(DecideError::NoAuthor) } else { Ok(Self { author, reason }) }
    }
}

/// What is to be written.
struct Draft {
    version: Version,
    action: Action,
    body: Body,
}

/// Takes the decision of a form on one or, approvals, several policies.
pub(super) async fn decide(desk: &Desk, asking: &Asking, fields: &Fields) -> Result<Vec<PolicyKey>, DecideError> {
    let voice = Voice::read(fields)?;
    let versions = versions(fields);
    if versions.is_empty() {
        return Err(DecideError::NothingTicked);
    }
    let view = desk.view(asking).await?.view;
    let mut drafts = Vec::new();
    for version in versions {
        drafts.push(draft(&view, version, fields, &voice)?);
    }
    write(desk, &view, &voice, drafts).await
}

fn draft(view: &View, version: Version, fields: &Fields, voice: &Voice) -> Result<Draft, DecideError> {
    let sheet = view.sheet(&version.policy).ok_or(DecideError::NoPolicy)?;
    check(view, &version)?;
    let choice = edit::choice(view, sheet, fields)?;
    if choice.action == Action::Reject && voice.reason.is_empty() {
        return Err(DecideError::NoReason);
    }
    let object = approved(sheet, choice.action)?;
    let content = version.content.clone();
    let body = Body { reason: voice.reason.clone(), content, object, steps: choice.steps, undoes: String::new() };
    Ok(Draft { version, action: choice.action, body })
}

/// What was approved is kept with the approval.
fn approved(sheet: &Sheet, action: Action) -> Result<serde_json::Value, DecideError> {
    match (action, &sheet.object) {
        (Action::Approve, None) => Err(DecideError::NoPolicy),
        (Action::Approve, Some(object)) => Ok(object.clone()),
        _ => Ok(serde_json::Value::Null),
    }
}

/// Whether a policy is still as it was shown.
fn check(view: &View, version: &Version) -> Result<(), DecideError> {
    let now = Version::of(view, &version.policy);
    if now == *version {
        return Ok(());
    }
    let conflict = Conflict::new(&view.known.log, version, now.content != version.content);
    Err(DecideError::Conflict(Box::new(conflict)))
}

/// Whether an entry is one that can be taken back: what was learnt from a folder too, or nothing before it could be.
pub(super) fn can_undo(entry: &Entry) -> bool {
    entry.action != Action::Undo && (entry.action != Action::Folder || !entry.body.steps.is_empty())
}

/// The versions that a form is about.
pub(super) fn versions(fields: &Fields) -> Vec<Version> {
    fields.all("on").filter_map(Version::read).collect()
}

/// Takes a decision back.
pub(super) async fn undo(desk: &Desk, asking: &Asking, fields: &Fields) -> Result<Vec<PolicyKey>, DecideError> {
    let voice = Voice::read(fields)?;
    let view = desk.view(asking).await?.view;
    let log = &view.known.log;
    let id: EntryId = fields.get("entry").parse().map_err(|_| DecideError::NoEntry)?;
    let is_it = |entry: &&Entry| entry.id == id && !log.is_undone(id);
    let entry = log.entries.iter().find(is_it).ok_or(DecideError::NoEntry)?;
    if !can_undo(entry) {
        return Err(DecideError::NoEntry);
    }
    let since = log.since(entry);
    if !since.is_empty() {
        return Err(DecideError::Since(entry.policy.clone(), since.into_iter().cloned().collect()));
    }
    let version = fields.all("on").find_map(Version::read).filter(|version| version.policy == entry.policy);
    let version = version.ok_or(DecideError::NoEntry)?;
    // what it was decided on may be another by now: what it is to be taken back from is the log
    let now = Version::of(&view, &entry.policy);
    check(&view, &Version { content: now.content, ..version.clone() })?;
    let steps: Vec<Step> = entry.body.steps.iter().rev().map(Step::inverse).collect();
    let body = Body { reason: voice.reason.clone(), steps, undoes: id.to_string(), ..Body::default() };
    write(desk, &view, &voice, vec![Draft { version, action: Action::Undo, body }]).await
}

/// Writes all of them, unless somebody decided on one of these policies first.
async fn write(desk: &Desk, view: &View, voice: &Voice, drafts: Vec<Draft>) -> Result<Vec<PolicyKey>, DecideError> {
    let policies: Vec<PolicyKey> = drafts.iter().map(|draft| draft.version.policy.clone()).collect();
    let heads: BTreeMap<String, Option<EntryId>> =
        drafts.iter().map(|draft| (draft.version.policy.to_string(), draft.version.head)).collect();
    let namespaces = view.loaded.known_namespaces(&view.site);
    let now = (desk.config.clock)();
    for _ in 0..MAX_TRIES {
        let store = desk.store.get().await.map_err(ProposalError::from)?;
        let known = Known::read(&store, &view.site, &namespaces).await?;
        let mut kept = known.kept.clone();
        for draft in &drafts {
            for step in &draft.body.steps {
                kept.step(&draft.version.policy, step);
            }
        }
        let row = |draft: &Draft| Entry::row(&draft.version.policy, now, &voice.author, draft.action, &draft.body);
        let mut change = known.change(&kept, drafts.iter().map(row).collect());
        change.heads.clone_from(&heads);
        match store.decide(&view.site, &change).await.map_err(ProposalError::from)? {
            Decided::Done => {
                desk.store.settle().await;
                return Ok(policies);
            }
            Decided::Decided(policy) => {
                let known = Known::read(&store, &view.site, &namespaces).await?;
                let decided = drafts.iter().find(|draft| draft.version.policy.as_str() == policy);
                let version = decided.map(|draft| draft.version.clone()).ok_or(DecideError::NoPolicy)?;
                return Err(DecideError::Conflict(Box::new(Conflict::new(&known.log, &version, false))));
            }
            // of another policy: what follows from both is computed anew
            Decided::Changed(_) => {}
        }
    }
    let names: Vec<&str> = policies.iter().map(PolicyKey::as_str).collect();
    Err(ProposalError::DecidedMeanwhile { what: names.join(", ") }.into())
}
