use askama::Template;

use super::{Frame, ROWS, minute, shown};
use crate::{
    proposal::{Action, Entry},
    render::{PolicyKey, Step},
    review::{
        decide::{self, Version},
        fields::Fields,
        view::View,
    },
};

/// An entry of the log as a page shows it.
pub(in crate::review) struct EntryRow {
    pub id: String,
    pub action: &'static str,
    pub class: &'static str,
    pub policy: String,
    pub query: String,
    pub author: String,
    pub time: String,
    pub minute: String,
    pub reason: String,
    pub steps: Vec<String>,
    pub is_undone: bool,
    /// The version of its policy, where it can be taken back.
    pub undo: Option<String>,
}

impl EntryRow {
    pub fn new(view: &View, entry: &Entry) -> Self {
        let (action, class) = match entry.action {
            Action::Approve => ("approved", "good"),
            Action::Reject => ("rejected", "bad"),
            Action::Edit => ("edited", "edit"),
            Action::Undo => ("taken back", ""),
            Action::Folder => ("edited in the folder", "edit"),
        };
        let is_undone = view.known.log.is_undone(entry.id);
        let can_undo = !is_undone && decide::can_undo(entry);
        Self {
            id: entry.id.to_string(),
            action,
            class,
            policy: shown(entry.policy.as_str()),
            query: view.asking.query(&[("policy", entry.policy.as_str())]),
            author: shown(&entry.author),
            time: entry.time.to_string(),
            minute: minute(entry.time),
            reason: shown(&entry.body.reason),
            steps: entry.body.steps.iter().map(Step::words).map(|words| shown(&words)).collect(),
            is_undone,
            undo: can_undo.then(|| Version::of(view, &entry.policy).text()),
        }
    }
}

/// All decisions, a page of them.
#[derive(Template)]
#[template(path = "review/history.html")]
pub(in crate::review) struct History {
    frame: Frame,
    place: String,
    newer: Option<String>,
    older: Option<String>,
    entries: Vec<EntryRow>,
}

impl History {
    pub fn new(frame: Frame, view: &View, fields: &Fields) -> Self {
        let all = &view.known.log.entries;
        let pages = all.len().div_ceil(ROWS).max(1);
        let page = fields.get("page").parse::<usize>().unwrap_or(1).clamp(1, pages);
        let first = (page - 1) * ROWS;
        let entries: Vec<EntryRow> =
            all.iter().rev().skip(first).take(ROWS).map(|entry| EntryRow::new(view, entry)).collect();
        let link = |page: usize| view.asking.query(&[("page", &page.to_string())]);
        Self {
            frame,
            place: format!("{} to {} of {}", first + 1, first + entries.len(), all.len()),
            newer: (page > 1).then(|| link(page - 1)),
            older: (page < pages).then(|| link(page + 1)),
            entries,
        }
    }
}

/// Somebody decided first.
#[derive(Template)]
#[template(path = "review/conflict.html")]
pub(in crate::review) struct ConflictPage {
    frame: Frame,
    sentence: String,
    meant: String,
    reason: String,
    can_repeat: bool,
    version: String,
    choice: Vec<(&'static str, String)>,
    /// The other policies that were ticked, as they were looked at, which are still so.
    rest: Vec<String>,
    /// Those that are another by now, as this one.
    also: Vec<(String, String)>,
    others: Vec<EntryRow>,
    query: String,
}

impl ConflictPage {
    pub fn new(
        frame: Frame,
        view: &View,
        fields: &Fields,
        policy: &PolicyKey,
        others: &[Entry],
        sentence: &str,
        can_repeat: bool,
    ) -> Self {
        let mut choice = Self::choice(fields);
        choice.push(("reason", fields.get("reason").to_owned()));
        Self {
            sentence: sentence.to_owned(),
            meant: shown(&format!("{}: {policy}", meaning(fields.get("op")))),
            reason: shown(fields.get("reason")),
            can_repeat: can_repeat && view.sheet(policy).is_some() && is_known(view, fields, policy),
            version: Version::of(view, policy).text(),
            choice,
            rest: rest(view, fields),
            also: also(view, fields, policy),
            others: others.iter().map(|entry| EntryRow { undo: None, ..EntryRow::new(view, entry) }).collect(),
            query: view.asking.query(&[("policy", policy.as_str())]),
            frame,
        }
    }

    /// What of a form says what is to be done.
    pub fn choice(fields: &Fields) -> Vec<(&'static str, String)> {
        let names = ["op", "rule", "port", "cidr"];
        let pairs = names.into_iter().map(|name| (name, fields.get(name).to_owned()));
        pairs.filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// Whether who decides knows on what: nobody approves what was never shown.
fn is_known(view: &View, fields: &Fields, policy: &PolicyKey) -> bool {
    let content = Version::of(view, policy).content;
    let mut shown = decide::versions(fields).into_iter().filter(|version| version.policy == *policy);
    fields.get("op") != "approve" || shown.any(|version| version.content == content)
}

/// Of many that were ticked those that are still as they were shown.
fn rest(view: &View, fields: &Fields) -> Vec<String> {
    if fields.get("op") != "approve" {
        return Vec::new();
    }
    let is_so =
        |version: &Version| Version::of(view, &version.policy) == *version && view.sheet(&version.policy).is_some();
    decide::versions(fields).into_iter().filter(is_so).map(|version| version.text()).collect()
}

/// Of many that were ticked those that are another by now, or were decided on, beside one.
fn also(view: &View, fields: &Fields, policy: &PolicyKey) -> Vec<(String, String)> {
    let is_other = |version: &Version| version.policy != *policy && Version::of(view, &version.policy) != *version;
    let link = |it: Version| (view.asking.query(&[("policy", it.policy.as_str())]), shown(it.policy.as_str()));
    decide::versions(fields).into_iter().filter(is_other).map(link).collect()
}

/// What an operation is called.
pub(in crate::review) fn meaning(op: &str) -> &'static str {
    match op {
        "approve" => "Approve as it is",
        "reject-policy" => "Reject the whole policy",
        "allow-policy" => "Propose it again",
        "remove" => "Remove a peer",
        "restore" => "Put back what was removed",
        "widen-tier" => "Widen a peer to its tier",
        "widen-namespace" => "Widen a peer to its namespace",
        "prefix" => "Replace addresses by a prefix",
        _ => "Take a decision back",
    }
}
