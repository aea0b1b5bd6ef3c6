//! Single decisions on a policy, as a log keeps them: each can be taken back by itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Decisions, Kept, Permission,
    merge::{Id, Kind, items},
    put, take,
};
use crate::render::{PolicyKey, draft::Atom, words};

/// One thing that is decided of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A permission stays away where it is proposed.
    Reject(Permission),
    /// It may be proposed again.
    Allow(Permission),
    /// A permission stays, proposed or not.
    Add(Permission),
    /// It stays no longer.
    Drop(Permission),
    /// The whole policy stays away.
    RejectPolicy,
    /// It may be proposed again.
    AllowPolicy,
}

impl Step {
    /// The step that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self.clone() {
            Self::Reject(one) => Self::Allow(one),
            Self::Allow(one) => Self::Reject(one),
            Self::Add(one) => Self::Drop(one),
            Self::Drop(one) => Self::Add(one),
            Self::RejectPolicy => Self::AllowPolicy,
            Self::AllowPolicy => Self::RejectPolicy,
        }
    }

    /// Whether two decide on the same thing, alike or not.
    #[must_use]
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        self.what() == other.what()
    }

    /// Whether two decide the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.is_about_the_same(other) && self.is_taken_back() == other.is_taken_back()
    }

    fn is_taken_back(&self) -> bool {
        matches!(self, Self::Allow(_) | Self::Drop(_) | Self::AllowPolicy)
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let (verb, one) = match self {
            Self::Reject(one) => ("removed", one),
            Self::Allow(one) => ("no longer removed", one),
            Self::Add(one) => ("added", one),
            Self::Drop(one) => ("no longer added", one),
            Self::RejectPolicy => return "the whole policy stays away".to_owned(),
            Self::AllowPolicy => return "the policy is proposed again".to_owned(),
        };
        format!("{verb}: {}", one.words())
    }

    fn id(&self, key: &PolicyKey) -> Id {
        let (kind, what) = self.what();
        (kind, key.clone(), what)
    }

    /// What of a policy it decides on.
    fn what(&self) -> (Kind, String) {
        match self {
            Self::Reject(one) | Self::Allow(one) => (Kind::Rejected, one.id()),
            Self::Add(one) | Self::Drop(one) => (Kind::Added, one.id()),
            Self::RejectPolicy | Self::AllowPolicy => (Kind::RejectedPolicy, String::new()),
        }
    }
}

impl Permission {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { side, peer, port } = self;
        match side.of_policy() {
            Some(side) => words::permission(side, &Atom { peer: peer.clone(), port: port.clone() }),
            None => words::safe(peer.as_str().unwrap_or_default()),
        }
    }
}

impl Decisions {
    /// Whether that is decided already.
    #[must_use]
    pub fn has(&self, key: &PolicyKey, step: &Step) -> bool {
        let is_in = |all: Option<&Vec<Permission>>, one: &Permission| all.is_some_and(|all| all.contains(one));
        match step {
            Step::Reject(one) => is_in(self.rejected.get(key), one),
            Step::Allow(one) => !is_in(self.rejected.get(key), one),
            Step::Add(one) => is_in(self.added.get(key), one),
            Step::Drop(one) => !is_in(self.added.get(key), one),
            Step::RejectPolicy => self.rejected_policies.contains(key),
            Step::AllowPolicy => !self.rejected_policies.contains(key),
        }
    }

    fn take_step(&mut self, key: &PolicyKey, step: &Step) {
        match step {
            // a permission is one or the other: the later word counts
            Step::Reject(one) => {
                take(&mut self.added, key, one);
                put(&mut self.rejected, key, one);
            }
            Step::Add(one) => {
                take(&mut self.rejected, key, one);
                put(&mut self.added, key, one);
            }
            Step::Allow(one) => drop(take(&mut self.rejected, key, one)),
            Step::Drop(one) => drop(take(&mut self.added, key, one)),
            Step::RejectPolicy => drop(self.rejected_policies.insert(key.clone())),
            Step::AllowPolicy => drop(self.rejected_policies.remove(key)),
        }
        self.tidy();
    }

    /// With these steps besides, as a store would keep them.
    #[must_use]
    pub fn with(&self, key: &PolicyKey, steps: &[Step]) -> Self {
        let mut with = self.clone();
        for step in steps {
            with.take_step(key, step);
        }
        with
    }
}

impl Kept {
    /// Takes a step: what is taken back is noted, so that no folder that has it from before brings it back.
    pub fn step(&mut self, key: &PolicyKey, step: &Step) {
        let before: BTreeSet<Id> = items(&self.decisions).into_keys().collect();
        self.decisions.take_step(key, step);
        if step.is_taken_back() {
            self.withdrawn.insert(step.id(key));
        }
        let now: BTreeSet<Id> = items(&self.decisions).into_keys().collect();
        self.withdrawn.extend(before.difference(&now).cloned());
        self.withdrawn.retain(|id| !now.contains(id));
    }

    /// The steps that lead from what is kept to other decisions, each with the policy it is about: fields, comments and
    /// objects of a person apart.
    #[must_use]
    pub fn steps_to(&self, other: &Decisions) -> Vec<(PolicyKey, Step)> {
        let (before, after) = (items(&self.decisions), items(other));
        let new = after.iter().filter(|(id, _)| !before.contains_key(*id)).filter_map(|(id, item)| item.step(id));
        let gone = before.iter().filter(|(id, _)| !after.contains_key(*id));
        let gone = gone.filter_map(|(id, item)| item.step(id)).map(|(key, step)| (key, step.inverse()));
        gone.chain(new).collect()
    }
}

/// What was decided elsewhere after a folder was edited: there the edit is the older word.
#[derive(Clone, Debug, Default)]
pub struct Later(BTreeSet<Id>);

impl Later {
    /// Adds what a step decides of a policy.
    pub fn add(&mut self, key: &PolicyKey, step: &Step) {
        self.0.insert(step.id(key));
    }

    /// Whether what a step decides of a policy was decided later.
    #[must_use]
    pub fn is_about(&self, key: &PolicyKey, step: &Step) -> bool {
        self.has(&step.id(key))
    }

    pub(super) fn has(&self, id: &Id) -> bool {
        self.0.contains(id)
    }
}
