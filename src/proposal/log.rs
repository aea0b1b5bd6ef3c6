//! The log of decisions: what was decided of each policy, by whom, and what of it holds.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Found, ProposalError};
use crate::{
    model::Timestamp,
    render::{Later, PolicyKey, Said, Sheet, Step},
    store::{EntryId, LogEntry, Store, content_id},
};

/// What kind of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// A policy as it was is good.
    Approve,
    /// A policy, or a rule of it, stays away.
    Reject,
    /// Rules of a policy are others.
    Edit,
    /// An entry no longer holds.
    Undo,
    /// Learnt from a folder that was edited.
    Folder,
}

impl Action {
    const ALL: [Self; 5] = [Self::Approve, Self::Reject, Self::Edit, Self::Undo, Self::Folder];

    /// As in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Edit => "edit",
            Self::Undo => "undo",
            Self::Folder => "folder",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

/// What was decided on, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Body {
    /// Why, in the words of who decided.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What was decided on: the hash of the policy's content as it was shown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// That policy itself, where it was approved.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub object: Value,
    /// What follows for later proposals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The entry that no longer holds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub undoes: String,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// The policy.
    pub policy: PolicyKey,
    /// Its namespace.
    pub namespace: String,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub author: String,
    /// What kind of decision.
    pub action: Action,
    /// What was decided on, and what follows.
    pub body: Body,
}

/// The log of a site.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// From the first to the last.
    pub entries: Vec<Entry>,
    undone: BTreeSet<String>,
    /// The places of the entries on each policy.
    places: BTreeMap<PolicyKey, Vec<usize>>,
}

/// Where a policy stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Standing {
    /// Nobody decided on it.
    #[default]
    Open,
    /// It was approved as it is, by this entry.
    Approved(Entry),
    /// It was approved, but was another then.
    Outdated(Entry),
    /// It stays away.
    Rejected(Option<Entry>),
}

impl Log {
    /// The log of a site.
    pub async fn read(store: &Store, site: &str) -> Result<Self, ProposalError> {
        let rows = store.decision_log(site).await?;
        let entries = rows.into_iter().map(|(id, row)| entry(id, row)).collect::<Result<Vec<_>, _>>()?;
        let undone = entries.iter().map(|entry| entry.body.undoes.clone()).filter(|id| !id.is_empty()).collect();
        let mut places: BTreeMap<PolicyKey, Vec<usize>> = BTreeMap::new();
        for (n, entry) in entries.iter().enumerate() {
            places.entry(entry.policy.clone()).or_default().push(n);
        }
        Ok(Self { entries, undone, places })
    }

    /// The newest entry on a policy: the version that a decision rests on.
    #[must_use]
    pub fn head(&self, policy: &PolicyKey) -> Option<EntryId> {
        self.of(policy).next_back().map(|entry| entry.id)
    }

    /// The entries on a policy, from the first to the last.
    pub fn of<'l>(&'l self, policy: &PolicyKey) -> impl DoubleEndedIterator<Item = &'l Entry> + use<'l> {
        self.places.get(policy).into_iter().flatten().filter_map(|n| self.entries.get(*n))
    }

    /// Whether an entry was taken back.
    #[must_use]
    pub fn is_undone(&self, id: EntryId) -> bool {
        self.undone.contains(&id.to_string())
    }

    /// Where a policy stands that has this content now; none where it stays away.
    #[must_use]
    pub fn standing(&self, policy: &PolicyKey, content: Option<&str>) -> Standing {
        let holds = |entry: &&Entry| !self.is_undone(entry.id);
        let is_rejection = |entry: &&Entry| entry.body.steps.contains(&Step::RejectPolicy);
        let Some(content) = content else {
            return Standing::Rejected(self.of(policy).filter(holds).rfind(is_rejection).cloned());
        };
        // whoever rejects a policy ends what was approved of it, unless that is taken back
        let last = self.of(policy).filter(holds).rfind(|it| it.action == Action::Approve || is_rejection(it));
        match last.filter(|entry| entry.action == Action::Approve) {
            Some(entry) if entry.body.content == content => Standing::Approved(entry.clone()),
            Some(entry) => Standing::Outdated(entry.clone()),
            None => Standing::Open,
        }
    }

    /// Who decided what of some policies on the review page, as far as it holds: nothing decided again since, nothing taken back, no
    /// approval of what is another by now. In the order of time.
    #[must_use]
    pub fn said(&self, sheets: &[Sheet]) -> Vec<Said> {
        let said = |(sheet, entry): (&Sheet, &Entry)| {
            let now = sheet.object.as_ref().map(content);
            let what = match entry.action {
                Action::Approve if now.as_ref() == Some(&entry.body.content) => "approved as it is".to_owned(),
                Action::Reject | Action::Edit => {
                    entry.body.steps.iter().map(Step::words).collect::<Vec<_>>().join("; ")
                }
                Action::Approve | Action::Undo | Action::Folder => return None,
            };
            let (author, reason) = (entry.author.clone(), entry.body.reason.clone());
            Some(Said { time: entry.time, author, policy: entry.policy.clone(), what, reason })
        };
        let holds = |(_, entry): &(&Sheet, &Entry)| !self.is_undone(entry.id) && self.since(entry).is_empty();
        let all = sheets.iter().flat_map(|sheet| self.of(&sheet.key).map(move |entry| (sheet, entry)));
        let mut all: Vec<Said> = all.filter(holds).filter_map(said).collect();
        all.sort_by(|a, b| (a.time, &a.policy, &a.what).cmp(&(b.time, &b.policy, &b.what)));
        all.dedup();
        all
    }

    /// The entries that decided again, after an entry and on the same thing: it cannot be taken back before them.
    #[must_use]
    pub fn since<'l>(&'l self, entry: &'l Entry) -> Vec<&'l Entry> {
        let later = self.of(&entry.policy).skip_while(|it| it.id != entry.id).skip(1);
        let is_about = |it: &&Entry| {
            let pairs = entry.body.steps.iter().flat_map(|one| it.body.steps.iter().map(move |other| (one, other)));
            !self.is_undone(it.id)
                && it.action != Action::Undo
                && pairs.into_iter().any(|(a, b)| a.is_about_the_same(b))
        };
        later.filter(is_about).collect()
    }

    /// The newest entry of a person on the page that decided on the same thing of a policy and holds.
    #[must_use]
    pub fn decided<'l>(&'l self, policy: &PolicyKey, step: &Step) -> Option<&'l Entry> {
        let is_about = |entry: &&Entry| {
            entry.action != Action::Folder && entry.body.steps.iter().any(|it| it.is_about_the_same(step))
        };
        self.of(policy).rfind(is_about)
    }

    /// What was decided on the page after a folder was edited.
    #[must_use]
    pub fn later(&self, found: &Found) -> Later {
        let mut newest: BTreeMap<&PolicyKey, Timestamp> = BTreeMap::new();
        let mut later = Later::default();
        for entry in self.entries.iter().filter(|entry| entry.action != Action::Folder) {
            let changed =
                *newest.entry(&entry.policy).or_insert_with(|| found.changed(&entry.policy).unwrap_or_default());
            for step in entry.body.steps.iter().filter(|_| entry.time > changed) {
                later.add(&entry.policy, step);
            }
        }
        later
    }
}

fn entry(id: EntryId, row: LogEntry) -> Result<Entry, ProposalError> {
    let LogEntry { namespace, policy, time, author, action, body } = row;
    let wrong = |error: serde_json::Error| ProposalError::Decisions { namespace: namespace.clone(), error };
    let body = serde_json::from_str(&body).map_err(wrong)?;
    let unknown = || wrong(serde::de::Error::custom(format_args!("unknown decision `{action}`")));
    let action = Action::of(&action).ok_or_else(unknown)?;
    let policy = policy.parse().map_err(|error| wrong(serde::de::Error::custom(error)))?;
    Ok(Entry { id, policy, namespace, time, author, action, body })
}

impl Entry {
    /// As the store keeps it.
    #[must_use]
    pub fn row(policy: &PolicyKey, time: Timestamp, author: &str, action: Action, body: &Body) -> LogEntry {
        LogEntry {
            namespace: policy.namespace().to_owned(),
            policy: policy.to_string(),
            time,
            author: author.to_owned(),
            action: action.as_str().to_owned(),
            body: serde_json::json!(body).to_string(),
        }
    }
}

/// The hash of a policy's content: fields in whatever order, rules and ports in whatever order a person wrote them.
#[must_use]
pub fn content(object: &Value) -> String {
    format!("{:016x}", content_id(&[crate::render::canonical(object).as_bytes()]))
}
