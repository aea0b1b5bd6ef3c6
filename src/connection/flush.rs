//! A flush in small steps, between which packets are taken in: a table of a million connections takes a second to be written
//! out, in which a busy interface overruns the kernel's buffer.

use super::{Tracker, book::Book, index::SlotId, table::Table, tuple::Address};
use crate::model::Observation;

/// Traces that are laid out in one go: some milliseconds, and a megabyte. The more, the fewer parts of one key are to be merged.
const TRACES_AT_ONCE: usize = 8_192;

/// How far a flush has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flushing {
    step: Step,
    next: usize,
}

/// Who listens is learnt of all before rows are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    LearnV4,
    LearnV6,
    WriteV4,
    WriteV6,
}

impl Tracker {
    /// Begins to take the observations of everything so far out.
    pub fn begin_flush(&mut self) {
        self.flushing = Some(Flushing { step: Step::LearnV4, next: 0 });
    }

    /// Whether a flush has begun and has more to do.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.flushing.is_some()
    }

    /// Goes on with a flush by so many slots of the table; the observations where there are enough of them, of which one key
    /// may come in several parts. After the last [`Tracker::is_flushing`] is false.
    pub fn flush_some(&mut self, slots: usize) -> Vec<Observation> {
        let Some(Flushing { step, next }) = self.flushing else { return Vec::new() };
        let Self { v4, v6, book, .. } = self;
        let after = next + slots;
        let is_done = match step {
            Step::LearnV4 => learn(book, v4, (next, after)),
            Step::LearnV6 => learn(book, v6, (next, after)),
            Step::WriteV4 => write(book, v4, (next, after)),
            Step::WriteV6 => write(book, v6, (next, after)),
        };
        self.flushing = match (is_done, step) {
            (false, step) => Some(Flushing { step, next: after }),
            (true, Step::LearnV4) => Some(Flushing { step: Step::LearnV6, next: 0 }),
            (true, Step::LearnV6) => Some(Flushing { step: Step::WriteV4, next: 0 }),
            (true, Step::WriteV4) => Some(Flushing { step: Step::WriteV6, next: 0 }),
            (true, Step::WriteV6) => None,
        };
        if self.flushing.is_some() && self.waiting() < TRACES_AT_ONCE {
            return Vec::new();
        }
        let mut rows = self.drain();
        if self.flushing.is_none() {
            rows.extend(self.book.rows.sweeps.samples());
            self.book.forget_sweeps();
        }
        rows
    }
}

/// Learns the listeners of some slots; whether these were the last.
fn learn<A: Address>(book: &mut Book, table: &Table<A>, (from, to): (usize, usize)) -> bool {
    for id in table.firsts_within(from..to).flat_map(|first| table.chain(first)) {
        book.rows.learn(table.tuple(id), table.get(id));
    }
    to >= table.slots()
}

fn write<A: Address>(book: &mut Book, table: &mut Table<A>, (from, to): (usize, usize)) -> bool {
    let firsts: Vec<SlotId> = table.firsts_within(from..to).collect();
    for first in firsts {
        book.write_chain(table, first);
    }
    to >= table.slots()
}
