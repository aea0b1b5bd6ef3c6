use askama::Template;

use super::{Frame, minute, shown};
use crate::{
    proposal::{Action, Entry},
    render::Step,
    review::{decide::Version, fields::Fields, view::View},
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
        let can_undo = !is_undone && !matches!(entry.action, Action::Undo | Action::Folder);
        Self {
            id: entry.id.to_string(),
            action,
            class,
            policy: shown(&entry.policy),
            query: view.asking.query(&[("policy", &entry.policy)]),
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

/// All decisions.
#[derive(Template)]
#[template(path = "review/history.html")]
pub(in crate::review) struct History {
    frame: Frame,
    entries: Vec<EntryRow>,
}

impl History {
    pub fn new(frame: Frame, view: &View) -> Self {
        let entries = view.known.log.entries.iter().rev().map(|entry| EntryRow::new(view, entry)).collect();
        Self { frame, entries }
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
    others: Vec<EntryRow>,
    query: String,
}

impl ConflictPage {
    pub fn new(
        frame: Frame,
        view: &View,
        fields: &Fields,
        policy: &str,
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
            can_repeat: can_repeat && view.sheet(policy).is_some(),
            version: Version::of(view, policy).text(),
            choice,
            others: others.iter().map(|entry| EntryRow { undo: None, ..EntryRow::new(view, entry) }).collect(),
            query: view.asking.query(&[("policy", policy)]),
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
