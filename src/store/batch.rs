//! What one flush writes, laid out as it goes into the store: a tenth of what the observations take in memory. A flush of many
//! connections comes in pieces, each laid out when it comes, which are brought together when all are there.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

use super::{
    observations,
    part::{self, Part, PartWriter},
};
use crate::model::{Observation, ObservationKey};

/// Observations of one flush.
#[derive(Default)]
pub struct Batch {
    /// Each in the order of the keys.
    pieces: Vec<Vec<Part>>,
    /// The last key of the last piece.
    last: Option<ObservationKey>,
}

impl Batch {
    /// Adds observations in the order of their keys, each key once; the same keys may have been in others before. Where they go on
    /// behind those that were added last, nothing is to be brought together.
    pub fn add(&mut self, observations: &[Observation]) {
        let (Some(first), Some(last)) = (observations.first(), observations.last()) else { return };
        let parts = observations::all_laid_out(observations);
        let is_behind = self.last.as_ref().is_some_and(|last| *last < first.key);
        match self.pieces.last_mut().filter(|_| is_behind) {
            Some(piece) => piece.extend(parts),
            None => self.pieces.push(parts),
        }
        self.last = Some(last.key.clone());
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Brings what was added together, each key once.
    pub fn settle(&mut self) {
        if self.pieces.len() > 1 {
            self.pieces = vec![merged(std::mem::take(&mut self.pieces))];
            self.last = None;
        }
    }

    /// What was added, in the order of the keys once it is settled.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[Part]> {
        self.pieces.iter().map(Vec::as_slice)
    }
}

/// The pieces side by side.
fn merged(pieces: Vec<Vec<Part>>) -> Vec<Part> {
    let mut heads: BinaryHeap<Head<_>> =
        pieces.into_iter().enumerate().filter_map(|(n, piece)| Head::new(n, rows(piece))).collect();
    let mut parts = Vec::new();
    let mut writer: Option<PartWriter> = None;
    while let Some(observation) = next(&mut heads) {
        let hour = observation.key.hour;
        if let Some(full) = writer.take_if(|writer| writer.hour != hour) {
            parts.extend(full.finish_some());
        }
        if writer.get_or_insert_with(|| PartWriter::new(hour)).push(&observation) {
            parts.extend(writer.take().and_then(PartWriter::finish_some));
        }
    }
    parts.extend(writer.and_then(PartWriter::finish_some));
    parts
}

fn rows(piece: Vec<Part>) -> impl Iterator<Item = Observation> {
    // what was laid out here reads
    piece.into_iter().flat_map(|part| part::Rows::new(part.hour, part.data)).flatten().flatten()
}

/// The next observation of a piece, and those after it. What comes first is the greatest.
struct Head<I> {
    /// The rank of its key: most are told apart by it, and keys are long to compare.
    rank: u128,
    row: Observation,
    n: usize,
    rest: I,
}

impl<I: Iterator<Item = Observation>> Head<I> {
    fn new(n: usize, mut rest: I) -> Option<Self> {
        rest.next().map(|row| Self { rank: row.key.rank(), row, n, rest })
    }
}

impl<I> Ord for Head<I> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_rank = other.rank.cmp(&self.rank);
        by_rank.then_with(|| other.row.key.cmp_beyond_rank(&self.row.key)).then(other.n.cmp(&self.n))
    }
}

impl<I> PartialOrd for Head<I> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<I> PartialEq for Head<I> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<I> Eq for Head<I> {}

/// The next observation in the order of the keys, whole.
fn next(heads: &mut BinaryHeap<Head<impl Iterator<Item = Observation>>>) -> Option<Observation> {
    let rank = heads.peek()?.rank;
    let mut whole = first(heads)?;
    while heads.peek().is_some_and(|head| head.rank == rank && head.row.key == whole.key) {
        whole.traces.extend(first(heads).map(|later| later.traces).unwrap_or_default());
    }
    Some(whole)
}

/// The first observation of all pieces, taken out.
fn first(heads: &mut BinaryHeap<Head<impl Iterator<Item = Observation>>>) -> Option<Observation> {
    let mut head = heads.peek_mut()?;
    match head.rest.next() {
        Some(next) => {
            head.rank = next.key.rank();
            Some(std::mem::replace(&mut head.row, next))
        }
        None => Some(PeekMut::pop(head).row),
    }
}
