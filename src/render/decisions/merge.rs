//! Decisions of a folder and of the store as one: what changed in the folder since it was written counts, and else what
//! the store keeps, for another folder may have changed that.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Decisions, Later, Permission, Step, put};
use crate::render::{PolicyKey, draft::canonical, written::WrittenObject};

/// What kind of decision, on which policy, and which one.
pub(super) type Id = (Kind, PolicyKey, String);

/// Kinds of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Rejected,
    Added,
    RejectedPolicy,
    AddedObject,
    Adopted,
    Field,
    Notes,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Permission(Permission),
    Policy,
    Object(WrittenObject),
    Field(Value),
    Notes(Vec<String>),
}

/// Decisions as a store keeps them, and which were taken back: a folder that has them from before does not bring them
/// back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The decisions.
    #[serde(flatten)]
    pub decisions: Decisions,
    /// Those that were taken back.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) withdrawn: BTreeSet<Id>,
}

impl Kept {
    /// Those of one namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        let is_here = |(_, key, _): &&Id| key.namespace() == namespace;
        let withdrawn = self.withdrawn.iter().filter(is_here).cloned().collect();
        Self { decisions: self.decisions.within(namespace), withdrawn }
    }

    /// Takes in those of other namespaces.
    pub fn join(&mut self, other: Self) {
        self.decisions.join(other.decisions);
        self.withdrawn.extend(other.withdrawn);
    }

    /// Whether nothing was decided, nor taken back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is decided where a folder was written with `before` and now says `now`; but for what was decided later than
    /// the folder was edited: there what is kept counts.
    #[must_use]
    pub fn merged(&self, before: &Decisions, now: Decisions, later: &Later) -> Decisions {
        let (was, mut is, kept) = (items(before), items(&now), items(&self.decisions));
        let ids: BTreeSet<Id> = is.keys().chain(was.keys()).chain(kept.keys()).cloned().collect();
        let is_overruled = |id: &Id| later.has(id) || opposite(id).is_some_and(|other| later.has(&other));
        let is_new = |id: &Id| is.get(id) != was.get(id) && !is_overruled(id);
        let contradicted: BTreeSet<Id> = ids.iter().filter(|id| is_new(id)).filter_map(opposite).collect();
        let mut changes = BTreeMap::new();
        for id in ids.iter().filter(|id| !is_new(id)) {
            match kept.get(id) {
                Some(item) if !contradicted.contains(id) => {
                    changes.insert(id.clone(), Some(item.clone()));
                }
                None if self.withdrawn.contains(id) || is_overruled(id) => {
                    changes.insert(id.clone(), None);
                }
                _ => {}
            }
        }
        for (id, item) in changes {
            match item {
                Some(item) => is.insert(id, item),
                None => is.remove(&id),
            };
        }
        let Decisions { mut restored, mut withdrawn, .. } = now;
        for (key, all) in &mut restored {
            all.retain(|one| !later.has(&(Kind::Rejected, key.clone(), one.id())));
        }
        for (key, all) in &mut withdrawn {
            all.retain(|one| !later.has(&(Kind::Added, key.clone(), one.id())));
        }
        Decisions { restored, withdrawn, ..decisions(is) }
    }

    /// What was edited in a folder since it was written with `before`, and does not count, for it was decided otherwise
    /// later: each with the policy it is about.
    #[must_use]
    pub fn overruled(&self, before: &Decisions, now: &Decisions, later: &Later) -> Vec<(PolicyKey, Step)> {
        let edited = Self { decisions: before.clone(), ..Self::default() }.steps_to(now).into_iter();
        let is_other = |key: &PolicyKey, step: &Step| later.is_about(key, step) && !self.decisions.has(key, step);
        edited.filter(|(key, step)| is_other(key, step)).collect()
    }

    /// What to keep where these are the decisions from now on.
    #[must_use]
    pub fn followed_by(&self, before: &Decisions, now: &Decisions) -> Self {
        let is = items(now);
        let mut withdrawn = self.withdrawn.clone();
        withdrawn.extend(items(before).into_keys().chain(items(&self.decisions).into_keys()));
        withdrawn.retain(|id| !is.contains_key(id));
        Self { decisions: now.clone(), withdrawn }
    }
}

/// The decision that contradicts one.
fn opposite((kind, key, what): &Id) -> Option<Id> {
    let kind = match kind {
        Kind::Rejected => Kind::Added,
        Kind::Added => Kind::Rejected,
        Kind::RejectedPolicy => Kind::AddedObject,
        Kind::AddedObject => Kind::RejectedPolicy,
        Kind::Adopted | Kind::Field | Kind::Notes => return None,
    };
    Some((kind, key.clone(), what.clone()))
}

impl Item {
    /// As a step, where it is one.
    pub fn step(&self, (kind, key, _): &Id) -> Option<(PolicyKey, Step)> {
        let step = match (kind, self) {
            (Kind::Rejected, Self::Permission(one)) => Step::Reject(one.clone()),
            (Kind::Added, Self::Permission(one)) => Step::Add(one.clone()),
            (Kind::RejectedPolicy, _) => Step::RejectPolicy,
            _ => return None,
        };
        // what a kustomization lists is no policy
        (!key.is_kustomization()).then(|| (key.clone(), step))
    }
}

/// Decisions one by one.
pub(super) fn items(all: &Decisions) -> BTreeMap<Id, Item> {
    let Decisions { rejected, added, rejected_policies, added_objects, adopted, fields, notes, .. } = all;
    let mut items = BTreeMap::new();
    for (kind, permissions) in [(Kind::Rejected, rejected), (Kind::Added, added)] {
        for (key, all) in permissions {
            let id = |one: &Permission| (kind, key.clone(), one.id());
            items.extend(all.iter().map(|one| (id(one), Item::Permission(one.clone()))));
        }
    }
    let mut add = |kind, key: &PolicyKey, what: &str, item| items.insert((kind, key.clone(), what.to_owned()), item);
    for key in rejected_policies {
        add(Kind::RejectedPolicy, key, "", Item::Policy);
    }
    for (key, object) in added_objects {
        add(Kind::AddedObject, key, "", Item::Object(object.clone()));
    }
    for key in adopted {
        add(Kind::Adopted, key, "", Item::Policy);
    }
    for (key, fields) in fields {
        for (name, value) in fields {
            add(Kind::Field, key, name, Item::Field(value.clone()));
        }
    }
    for (key, lines) in notes {
        add(Kind::Notes, key, "", Item::Notes(lines.clone()));
    }
    items
}

/// Single decisions together.
fn decisions(items: BTreeMap<Id, Item>) -> Decisions {
    let mut all = Decisions::default();
    for ((kind, key, what), item) in items {
        match (kind, item) {
            (Kind::Rejected, Item::Permission(one)) => put(&mut all.rejected, &key, &one),
            (Kind::Added, Item::Permission(one)) => put(&mut all.added, &key, &one),
            (Kind::RejectedPolicy, _) => drop(all.rejected_policies.insert(key)),
            (Kind::Adopted, _) => drop(all.adopted.insert(key)),
            (_, Item::Object(object)) => drop(all.added_objects.insert(key, object)),
            (_, Item::Field(value)) => drop(all.fields.entry(key).or_default().insert(what, value)),
            (_, Item::Notes(lines)) => drop(all.notes.insert(key, lines)),
            (_, Item::Permission(_) | Item::Policy) => {}
        }
    }
    all
}

impl Permission {
    /// What tells it from others of its policy.
    pub(super) fn id(&self) -> String {
        [self.side.as_str(), &canonical(&self.peer), &canonical(&self.port)].join(" ")
    }
}
