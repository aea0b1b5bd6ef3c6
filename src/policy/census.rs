//! Everybody whom sets of policies are compared over: every workload, the addresses outside, and who is not known yet.

use std::ops::Range;

use super::{Classes, End, Evaluator, Outside, Piece, PodEnd, Roster};
use crate::model::WorkloadRef;

/// What a pod is called that stands for all pods of namespaces that the inventory does not list.
const STRANGER: (&str, &str) = ("(another namespace)", "(any pod)");

/// Who may open or accept a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor<'c> {
    /// The pods of a workload.
    Workload(&'c WorkloadRef),
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
            census.add(Actor::Workload(id), members.into_iter().map(|who| roster.end(who)));
        }
        let (namespace, name) = (STRANGER.0.to_owned(), STRANGER.1.to_owned());
        census.add(Actor::Stranger, [End::Pod(PodEnd { namespace, name, ..PodEnd::default() })]);
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

impl Actor<'_> {
    /// Whether it is in the cluster, where policies select.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !matches!(self, Self::Addresses(_))
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Workload(id) => id.to_string(),
            Self::Addresses(piece) => piece.range.to_string(),
            Self::Stranger => format!("{} {}", STRANGER.1, "of another namespace"),
        }
    }
}
