//! The end of a capture: its connections leave in the order of the keys of their observations, some at a time, so that what is
//! written of them is in order and needs no merge.

use rayon::prelude::*;

use super::{Tracker, book::Book, index::SlotId, rows::sorted, table::Table, tuple::Address};
use crate::model::Observation;

/// Connections of each part that leave at once: few enough for what is made of them to stay near.
const AT_ONCE: usize = 4_096;

/// Slots that are looked at ahead: in the order of their keys they lie apart, and more memory at a time is not fetched side by
/// side.
const AHEAD: usize = 32;

/// A slot, behind the rank of the observation that its connection belongs to.
type Ranked = (u128, SlotId);

/// The connections of a table that are to leave, in order.
struct Leaving {
    all: Vec<Ranked>,
    next: usize,
}

impl Leaving {
    /// Up to which rank about so many leave next; `None` where none are left. All of one rank leave together.
    fn until(&self) -> Option<u128> {
        let rest = self.all.get(self.next..).unwrap_or_default();
        rest.get(AT_ONCE).or(rest.last()).map(|(rank, _)| *rank)
    }

    /// The next ones up to a rank.
    fn due(&mut self, until: u128) -> &[Ranked] {
        let rest = self.all.get(self.next..).unwrap_or_default();
        let due = &rest[..rest.partition_point(|(rank, _)| *rank <= until)];
        self.next += due.len();
        due
    }
}

/// What is left of both tables.
pub(super) struct Ending {
    v4: Leaving,
    v6: Leaving,
}

/// The connections of a table that have news, in the order of their observations.
fn leaving<A: Address>(table: &Table<A>, book: &Book) -> Leaving {
    let all = table.firsts().flat_map(|first| table.chain(first));
    let with_news = all.filter(|id| table.get(*id).has_news());
    let mut ranked: Vec<Ranked> = with_news.map(|id| (book.rows.rank(table.tuple(id), table.get(id)), id)).collect();
    ranked.sort_unstable();
    Leaving { all: ranked, next: 0 }
}

/// Ends the connections of all parts of a table, some at a time, and takes their observations out in the order of their keys,
/// from one call to the next: none are left where none come. Only the samples of sweeps, which come last, may have keys that
/// came before. Nothing may be taken in any more.
pub fn end_some(parts: &mut [Tracker]) -> Vec<Observation> {
    if parts.iter().any(|part| part.ending.is_none()) {
        begin(parts);
    }
    loop {
        let next = parts.iter().filter_map(Tracker::until).min();
        let rows: Vec<Vec<Observation>> = match next {
            Some(until) => parts.par_iter_mut().map(|part| part.end_until(until)).collect(),
            None => parts.iter_mut().map(|part| part.book.rows.sweeps.samples()).collect(),
        };
        let mut all = Vec::with_capacity(rows.iter().map(Vec::len).sum());
        all.extend(rows.into_iter().flatten());
        let rows = sorted(all);
        if !rows.is_empty() || next.is_none() {
            return rows;
        }
    }
}

/// All learn who listens from all of them, for by that rows are laid out; then each puts its connections in order.
fn begin(parts: &mut [Tracker]) {
    for part in &mut *parts {
        part.learn();
    }
    let listeners: Vec<_> = parts.iter().flat_map(|part| part.book.rows.listeners()).collect();
    parts.par_iter_mut().for_each(|Tracker { v4, v6, book, ending, .. }| {
        book.rows.know(&listeners);
        book.rows.set_aside();
        v4.forget_index();
        v6.forget_index();
        *ending = Some(Ending { v4: leaving(v4, book), v6: leaving(v6, book) });
    });
}

impl Tracker {
    /// Up to which rank its next connections end.
    fn until(&self) -> Option<u128> {
        let Ending { v4, v6 } = self.ending.as_ref()?;
        [v4.until(), v6.until(), self.book.rows.until(AT_ONCE)].into_iter().flatten().min()
    }

    /// Ends the connections up to a rank, and takes their observations out in order.
    fn end_until(&mut self, until: u128) -> Vec<Observation> {
        let Self { v4, v6, book, ending: Some(ending), .. } = self else { return Vec::new() };
        book.rows.take_up(until);
        write(book, v4, ending.v4.due(until));
        write(book, v6, ending.v6.due(until));
        self.drain()
    }
}

fn write<A: Address>(book: &mut Book, table: &Table<A>, due: &[Ranked]) {
    for some in due.chunks(AHEAD) {
        let touched = some.iter().fold(0, |sum, (_, id)| sum ^ table.touch(*id));
        // the reads themselves are what is wanted
        std::hint::black_box(touched);
        for (_, id) in some {
            book.write_last(table.tuple(*id), table.get(*id));
        }
    }
}
