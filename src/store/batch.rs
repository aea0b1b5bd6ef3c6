//! What one flush writes, laid out as it goes into the store: a tenth of what the observations take in memory. A flush of many
//! connections comes in pieces, each laid out when it comes, which are brought together when all are there.

use std::iter::Peekable;

use super::{
    observations,
    part::{self, Part, PartWriter},
};
use crate::model::Observation;

/// Observations of one flush.
#[derive(Default)]
pub struct Batch {
    /// Each in the order of the keys.
    pieces: Vec<Vec<Part>>,
}

impl Batch {
    /// Adds observations in the order of their keys, each key once; the same keys may have been in others before.
    pub fn add(&mut self, observations: &[Observation]) {
        if !observations.is_empty() {
            self.pieces.push(observations::all_laid_out(observations));
        }
    }

    /// Brings what was added together, each key once.
    pub fn settle(&mut self) {
        if self.pieces.len() > 1 {
            self.pieces = vec![merged(std::mem::take(&mut self.pieces))];
        }
    }

    /// What was added, in the order of the keys once it is settled.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[Part]> {
        self.pieces.iter().map(Vec::as_slice)
    }
}

/// The pieces side by side, of each a part at a time.
fn merged(pieces: Vec<Vec<Part>>) -> Vec<Part> {
    let mut heads: Vec<Peekable<_>> = pieces.into_iter().map(|piece| rows(piece).peekable()).collect();
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
    let read = |part: Part| part::read(part.hour, &part.data).unwrap_or_default();
    piece.into_iter().flat_map(read)
}

/// The next observation in the order of the keys, whole.
fn next(heads: &mut [Peekable<impl Iterator<Item = Observation>>]) -> Option<Observation> {
    let firsts = heads.iter_mut().enumerate().filter_map(|(n, head)| Some((head.peek()?, n)));
    let first = firsts.min_by(|(a, n), (b, m)| a.key.cmp(&b.key).then(n.cmp(m))).map(|(_, n)| n)?;
    let mut whole = heads.get_mut(first)?.next()?;
    for head in heads {
        while let Some(later) = head.next_if(|later| later.key == whole.key) {
            whole.traces.extend(later.traces);
        }
    }
    Some(whole)
}
