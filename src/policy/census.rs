//! Everybody whom sets of policies are compared over: every workload, the addresses outside, and who is not known yet.

use std::ops::Range;

use super::{Classes, End, Evaluator, Outside, Piece, PodEnd, Roster};
use crate::model::WorkloadRef;

/// Who may open or accept a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor<'c> {
    /// The pods of a workload.
    Workload(&'c WorkloadRef),
    /// The pods of a workload that shares its name with one of another kind.
    Namesake(&'c WorkloadRef),
    /// Addresses outside that policies do not tell apart.
    Addresses(Piece),
    /// A pod without labels in a namespace that the inventory does not list.
    Stranger,
}

/// All actors with their ends.
#[derive(Clone, Debug)]
pub struct Census<'c> {
    actors: Vec<(Actor<'c>, Range<usize>)>,
    ends: Vec<End>,
}

impl<'c> Census<'c> {
    /// Lists the workloads in order, then a stranger, then the pieces of the address space.
    #[must_use]
    pub fn new(roster: &Roster<'c>, outside: &Outside) -> Self {
        let mut census = Self { actors: Vec::new(), ends: Vec::new() };
        for id in roster.workloads() {
            let members = roster.members(id);
            let actor = if roster.is_alone(id) { Actor::Workload(id) } else { Actor::Namesake(id) };
            census.add(actor, members.into_iter().map(|who| roster.end(who)));
        }
        census.add(Actor::Stranger, [stranger()]);
        for piece in outside.pieces() {
            census.add(Actor::Addresses(*piece), [End::Address(piece.range.first)]);
        }
        census
    }

    fn add(&mut self, actor: Actor<'c>, ends: impl IntoIterator<Item = End>) {
        let from = self.ends.len();
        self.ends.extend(ends);
        self.actors.push((actor, from..self.ends.len()));
    }

    /// All actors, each with its ends by place.
    #[must_use]
    pub fn actors(&self) -> &[(Actor<'c>, Range<usize>)] {
        &self.actors
    }

    /// Whether an actor is one pod, which always reaches itself.
    #[must_use]
    pub fn is_one_pod(&self, actor: usize) -> bool {
        let ends = self.actors.get(actor).map(|(_, range)| &self.ends[range.clone()]).unwrap_or_default();
        !ends.is_empty() && ends.iter().all(|end| matches!(end, End::Pod(pod) if pod.pod.is_some()))
    }

    /// All ends.
    #[must_use]
    pub fn ends(&self) -> &[End] {
        &self.ends
    }

    /// The verdicts of a set of policies between all of them.
    #[must_use]
    pub fn judged(&self, evaluator: &Evaluator<'_>) -> Classes {
        Classes::new(evaluator, &self.ends)
    }
}

impl<'c> Actor<'c> {
    /// Whether it is in the cluster, where policies select.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !matches!(self, Self::Addresses(_))
    }

    /// The workload, where it is one.
    #[must_use]
    pub fn workload(&self) -> Option<&'c WorkloadRef> {
        match self {
            Self::Workload(id) | Self::Namesake(id) => Some(id),
            Self::Addresses(_) | Self::Stranger => None,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Workload(id) => id.to_string(),
            Self::Namesake(id) => format!("{id} ({})", id.kind),
            Self::Addresses(piece) => piece.range.to_string(),
            Self::Stranger => stranger().to_string(),
        }
    }
}

/// A pod without labels in a namespace that the inventory does not list: its names are none that a cluster could have.
pub(super) fn stranger() -> End {
    End::Pod(PodEnd { namespace: "(another namespace)".into(), name: "(any pod)".into(), ..PodEnd::default() })
}
