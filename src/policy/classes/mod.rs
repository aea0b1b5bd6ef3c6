//! Verdicts for many connections: ends that policies cannot tell apart are judged once.
//!
//! ```text
//! ends -> shapes -> peers matched, policies selecting -> kinds -> rows of port sets
//!         shapes    rules                                         rows
//! ```
//!
//! A *shape* is what policies may look at: the namespace, the labels that some selector names, the numbers of the port
//! names that some rule names, the pieces of the address space. In each direction a shape is a *subject* (which
//! policies apply to it) and a *peer* (which of the rules' peers it matches). For each subject a row tells the ports
//! that are open with each peer; a verdict is then two lookups. What is uncertain counts as closed. [`Evaluator`] says the same
//! one connection at a time, and is what this is tested against.

mod idle;
mod rows;
mod rules;
mod shapes;
mod table;

use std::hash::Hash;

use foldhash::HashMap;

use super::{Evaluator, PolicyType, PortSet, end::Families};
use crate::model::Protocol;
use rows::Row;
use table::{EVERYTHING, NOTHING, PortSets, SetId};

pub use super::End;
pub use idle::Idle;

/// The directions, in the order in which arrays here have them.
const DIRECTIONS: [PolicyType; 2] = [PolicyType::Egress, PolicyType::Ingress];

/// Where arrays here have a direction.
const fn place(direction: PolicyType) -> usize {
    match direction {
        PolicyType::Egress => 0,
        PolicyType::Ingress => 1,
    }
}

/// What each side opens, the client's first: equal numbers are equal ports.
pub(super) type Open = [SetId; 2];

/// A kind of end: what policies can tell it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    /// By direction: who applies to it. 0: nobody does.
    subject: [u32; 2],
    /// By direction: which peers of rules it is.
    peer: [u32; 2],
    /// The families of its addresses, where among all ends there are such of both.
    families: Families,
}

/// What policies may do to a subject.
#[derive(Clone, Copy, Debug)]
struct Hold {
    /// Whether a NetworkPolicy isolates it.
    is_isolated: bool,
    /// Whether any policy may deny it something.
    may_be_denied: bool,
}

/// Verdicts between given ends.
#[derive(Clone, Debug)]
pub struct Classes {
    /// For each end its kind.
    kind_of: Vec<u32>,
    kinds: Vec<Kind>,
    /// By direction, for each subject what policies may do to it.
    holds: [Vec<Hold>; 2],
    /// By direction, for each subject what is open with whom.
    rows: [Vec<Row>; 2],
    sets: PortSets,
    idle: Vec<Idle>,
}

impl Classes {
    /// Prepares the verdicts between these ends. What is always allowed, a pod with itself and with its own node
    /// ([`Probe::is_always_allowed`](super::Probe::is_always_allowed)), is a matter of two ends and not told here.
    #[must_use]
    pub fn new(evaluator: &Evaluator<'_>, ends: &[End]) -> Self {
        let rules = rules::Rules::new(evaluator);
        let shapes = shapes::Shapes::new(evaluator, &rules, ends);
        let mut sets = PortSets::new();
        let (kinds_of_shapes, sides) = shapes.sides(evaluator, &rules);
        let idle = idle::idle(&rules, &sides);
        let hold = |side: &shapes::Side| -> Vec<Hold> {
            let may_deny = |n: &u32| rules.wide[*n as usize].policy.denies(DIRECTIONS[side.direction]);
            let hold = |subject: &shapes::Subject| {
                let is_isolated = !subject.policies.is_empty();
                Hold { is_isolated, may_be_denied: is_isolated || subject.wide.iter().any(may_deny) }
            };
            side.subjects.iter().map(hold).collect()
        };
        let holds = sides.each_ref().map(hold);
        let rows = sides.map(|side| rows::rows(&rules, &side, &mut sets));
        let mut kinds = Interned::default();
        let families: Vec<Families> = ends.iter().map(End::families).collect();
        let is_mixed = families.iter().any(|it| !it.ipv4) && families.iter().any(|it| !it.ipv6);
        let kind = |(shape, families): (&u32, Families)| {
            let families = if is_mixed { families } else { Families::BOTH };
            kinds.id(Kind { families, ..kinds_of_shapes[*shape as usize] })
        };
        let kind_of = shapes.of_ends.iter().zip(families).map(kind).collect();
        Self { kind_of, kinds: kinds.values, holds, rows, sets, idle }
    }

    /// Policies and rules that speak of nobody among the ends.
    #[must_use]
    pub fn idle(&self) -> &[Idle] {
        &self.idle
    }

    /// How many kinds of ends there are.
    #[must_use]
    pub fn kinds(&self) -> usize {
        self.kinds.len()
    }

    /// The kind of an end, by its place among those given.
    #[must_use]
    pub fn kind(&self, end: usize) -> usize {
        self.kind_of[end] as usize
    }

    /// The kinds of several ends, each once and in order: actors of equal kinds are alike to all policies.
    pub(in crate::policy) fn kinds_of(&self, ends: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut kinds: Vec<usize> = ends.into_iter().map(|end| self.kind(end)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Whether a connection between ends of two kinds is possible at all, whatever policies say: their addresses share a family.
    #[must_use]
    pub fn meets(&self, from: usize, to: usize) -> bool {
        self.kinds[from].families.meets(self.kinds[to].families)
    }

    /// Whether a connection between ends of two kinds is allowed.
    #[must_use]
    pub fn allows(&self, from: usize, to: usize, protocol: Protocol, port: u16) -> bool {
        let [egress, ingress] = self.open(from, to);
        self.sets.contains(egress, protocol, port) && self.sets.contains(ingress, protocol, port)
    }

    /// The ports that are open from ends of a kind to ends of another.
    #[must_use]
    pub fn ports(&self, from: usize, to: usize) -> PortSet {
        self.common(self.open(from, to))
    }

    /// Whether any port is open from ends of a kind to ends of another.
    #[must_use]
    pub fn is_open(&self, from: usize, to: usize) -> bool {
        match self.open(from, to) {
            [NOTHING, _] | [_, NOTHING] => false,
            [EVERYTHING, _] | [_, EVERYTHING] => true,
            [egress, ingress] if egress == ingress => true,
            both => !self.common(both).is_empty(),
        }
    }

    /// The ports that both sides open.
    pub(in crate::policy) fn common(&self, [egress, ingress]: Open) -> PortSet {
        self.sets.get(egress).intersection(self.sets.get(ingress))
    }

    /// The ports that one end alone opens: the client's for egress, the server's for ingress.
    #[must_use]
    pub fn side(&self, direction: PolicyType, from: usize, to: usize) -> &PortSet {
        self.sets.get(self.open(from, to)[place(direction)])
    }

    /// Whether any NetworkPolicy isolates ends of a kind in a direction.
    #[must_use]
    pub fn isolates(&self, direction: PolicyType, kind: usize) -> bool {
        self.hold(direction, kind).is_isolated
    }

    /// Whether any policy may deny ends of a kind something in a direction.
    pub(in crate::policy) fn may_deny(&self, direction: PolicyType, kind: usize) -> bool {
        self.hold(direction, kind).may_be_denied
    }

    fn hold(&self, direction: PolicyType, kind: usize) -> Hold {
        let direction = place(direction);
        self.holds[direction][self.kinds[kind].subject[direction] as usize]
    }

    /// What each side opens, the client's first.
    pub(in crate::policy) fn open(&self, from: usize, to: usize) -> Open {
        let (from, to) = (&self.kinds[from], &self.kinds[to]);
        let egress = self.rows[0][from.subject[0] as usize].with(to.peer[0]);
        let ingress = self.rows[1][to.subject[1] as usize].with(from.peer[1]);
        [egress, ingress]
    }
}

/// Values with numbers, each value once.
#[derive(Clone, Debug)]
struct Interned<T> {
    values: Vec<T>,
    ids: HashMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { values: Vec::new(), ids: HashMap::default() }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The number of a value, a new one where it is new.
    #[expect(clippy::cast_possible_truncation, reason = "memory ends before four billion values do")]
    fn id(&mut self, value: T) -> u32 {
        if let Some(id) = self.ids.get(&value) {
            return *id;
        }
        let id = self.values.len() as u32;
        self.values.push(value.clone());
        self.ids.insert(value, id);
        id
    }
}
