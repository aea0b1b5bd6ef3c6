//! The end of a capture: all connections leave, some at a time.

use rayon::prelude::*;

use super::{Tracker, leaving::Leaving, rows::sorted};
use crate::model::{Observation, ObservationKey};

/// Connections of each part that leave at once: few enough for what is made of them to stay near.
const AT_ONCE: usize = 4_096;
/// Up to so many where one source has them: who sweeps is told by all that it did.
const OF_ONE_SOURCE: usize = 32_768;

/// Ends the connections of all parts of a table, some at a time, and takes their observations out in the order of their keys,
/// from one call to the next: none are left where none come. Only the samples of sweeps, which come last, may have keys that
/// came before. Nothing may be taken in any more.
pub fn end_some(parts: &mut [Tracker]) -> Vec<Observation> {
    if parts.iter().any(|part| part.ending.is_none()) {
        begin(parts);
    }
    loop {
        let next = parts.iter_mut().filter_map(Tracker::until).min().map(|until| with_source(parts, until));
        let of_parts: Vec<Vec<Observation>> = match next {
            Some(until) => parts.par_iter_mut().map(|part| part.end_until(until)).collect(),
            None => parts.iter_mut().map(|part| part.book.rows.sweeps.samples()).collect(),
        };
        let rows = sorted(together(of_parts));
        if !rows.is_empty() || next.is_none() {
            return rows;
        }
    }
}

/// All rows, one after the other.
fn together(parts: Vec<Vec<Observation>>) -> Vec<Observation> {
    let count: usize = parts.iter().map(Vec::len).sum();
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_default();
    all.reserve_exact(count - all.len());
    all.extend(parts.flatten());
    all
}

/// A rank, or the last one of its source.
fn with_source(parts: &[Tracker], until: u128) -> u128 {
    let last = ObservationKey::last_rank_of_source(until);
    let mut leaving = parts.iter().filter_map(|part| part.ending.as_ref());
    if leaving.all(|it| it.count(last) <= OF_ONE_SOURCE) { last } else { until }
}

/// All learn who listens from all of them, for by that rows are laid out; then each puts its connections in order.
fn begin(parts: &mut [Tracker]) {
    parts.par_iter_mut().for_each(Tracker::learn);
    let listeners: Vec<_> = parts.iter().flat_map(|part| part.book.rows.listeners()).collect();
    parts.par_iter_mut().for_each(|Tracker { v4, v6, book, ending, .. }| {
        book.rows.know(&listeners);
        book.rows.set_aside();
        v4.forget_index();
        v6.forget_index();
        let mut leaving = Leaving::default();
        leaving.add_v4(v4, book, 0..v4.slots());
        leaving.add_v6(v6, book, 0..v6.slots());
        *ending = Some(leaving);
    });
}

impl Tracker {
    /// Up to which rank its next connections end.
    fn until(&mut self) -> Option<u128> {
        self.ending.as_mut()?.until(&self.book, AT_ONCE)
    }

    /// Ends the connections up to a rank, and takes their observations out in order.
    fn end_until(&mut self, until: u128) -> Vec<Observation> {
        let Self { v4, v6, book, ending: Some(ending), .. } = self else { return Vec::new() };
        ending.write((v4, v6, book), until, usize::MAX);
        book.rows.take_in_order(&book.contexts)
    }
}
