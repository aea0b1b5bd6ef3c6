//! A flush in small steps, between which packets are taken in: a table of a million connections takes a second to be written
//! out, in which a busy interface overruns the kernel's buffer.

use std::ops::Range;

use super::{Tracker, book::Book, leaving::Leaving, table::Table, tuple::Address};
use crate::model::Observation;

/// Traces that are laid out in one go: less than a millisecond, and half a megabyte.
const TRACES_AT_ONCE: usize = 2_048;

/// How far a flush has come.
pub(super) struct Flushing {
    step: Step,
    next: usize,
    leaving: Leaving,
}

/// Who listens is learnt of all before rows are laid out, and these are put in order before they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    LearnV4,
    LearnV6,
    OrderV4,
    OrderV6,
    Write,
}

impl Step {
    fn next(self) -> Self {
        match self {
            Self::LearnV4 => Self::LearnV6,
            Self::LearnV6 => Self::OrderV4,
            Self::OrderV4 => Self::OrderV6,
            Self::OrderV6 | Self::Write => Self::Write,
        }
    }
}

impl Tracker {
    /// Begins to take the observations of everything so far out.
    pub fn begin_flush(&mut self) {
        self.book.rows.set_aside();
        self.flushing = Some(Flushing { step: Step::LearnV4, next: 0, leaving: Leaving::default() });
    }

    /// Whether a flush has begun and has more to do.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.flushing.is_some()
    }

    /// Goes on with a flush by so many slots of the table; the observations where there are enough of them, in the order of their
    /// keys, from one call to the next. Only the samples of sweeps, which come last, may have keys that came before. After the
    /// last [`Tracker::is_flushing`] is false. What packets write out meanwhile is left to the next flush.
    pub fn flush_some(&mut self, slots: usize) -> Vec<Observation> {
        let Some(Flushing { step, next, mut leaving }) = self.flushing.take() else { return Vec::new() };
        let Self { v4, v6, book, .. } = self;
        let some = next..next.saturating_add(slots);
        let is_done = match step {
            Step::LearnV4 => learn(book, v4, some),
            Step::LearnV6 => learn(book, v6, some),
            Step::OrderV4 => leaving.add_v4(v4, book, some),
            Step::OrderV6 => leaving.add_v6(v6, book, some),
            Step::Write => return self.write_some(leaving, slots),
        };
        let (step, next) = if is_done { (step.next(), 0) } else { (step, next.saturating_add(slots)) };
        self.flushing = Some(Flushing { step, next, leaving });
        Vec::new()
    }

    /// The rest of a flush at once.
    pub(super) fn flush_rest(&mut self) -> Vec<Observation> {
        let mut rows = Vec::new();
        while self.is_flushing() {
            rows.append(&mut self.flush_some(usize::MAX));
        }
        rows
    }

    fn write_some(&mut self, mut leaving: Leaving, slots: usize) -> Vec<Observation> {
        let Self { v4, v6, book, flushing, .. } = self;
        let Some(until) = leaving.until(book, slots) else {
            let mut rows = book.rows.take_in_order(&book.contexts);
            rows.extend(book.rows.sweeps.samples());
            book.forget_sweeps();
            return rows;
        };
        let is_whole = leaving.write((v4, v6, book), until, slots);
        *flushing = Some(Flushing { step: Step::Write, next: 0, leaving });
        // a row is taken out whole
        let is_enough = is_whole && book.rows.are_in_order() >= TRACES_AT_ONCE;
        if is_enough { book.rows.take_in_order(&book.contexts) } else { Vec::new() }
    }
}

/// Learns the listeners of some slots; whether these were the last.
fn learn<A: Address>(book: &mut Book, table: &Table<A>, slots: Range<usize>) -> bool {
    let end = slots.end;
    for id in table.used_within(slots) {
        book.rows.learn(table.tuple(id), table.get(id));
    }
    end >= table.slots()
}
