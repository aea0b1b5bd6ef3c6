//! Connections that leave, for good or with what they counted so far, in the order of the keys of their observations: what is
//! written in order needs no merge.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque, binary_heap::PeekMut},
    net::{Ipv4Addr, Ipv6Addr},
    ops::Range,
    vec,
};

use super::{book::Book, index::SlotId, table::Table, tuple::Address};

/// Slots that are looked at ahead: in the order of their keys they lie apart, and more memory at a time is not fetched side by
/// side.
const AHEAD: usize = 32;

/// A slot, behind the rank of the observation that its connection belongs to.
type Ranked = (u128, SlotId);

/// Slots of one table that are to leave.
#[derive(Default)]
struct Line {
    runs: BinaryHeap<Reverse<Run>>,
    /// The first of all runs, in order.
    next: VecDeque<Ranked>,
}

/// Slots in order. Runs are in the order of their first ones.
struct Run {
    first: Ranked,
    rest: vec::IntoIter<Ranked>,
}

impl Line {
    fn add(&mut self, mut run: Vec<Ranked>) {
        run.sort_unstable();
        self.push(run.into_iter());
    }

    fn push(&mut self, mut rest: vec::IntoIter<Ranked>) {
        if let Some(first) = rest.next() {
            self.runs.push(Reverse(Run { first, rest }));
        }
    }

    fn pop(&mut self) -> Option<Ranked> {
        let mut run = self.runs.peek_mut()?;
        let Reverse(Run { first, rest }) = &mut *run;
        match rest.next() {
            Some(second) => Some(std::mem::replace(first, second)),
            None => Some(PeekMut::pop(run).0.first),
        }
    }

    /// Up to which rank so many leave next, and those that rank like the last of them; `None` where none are left.
    fn until(&mut self, count: usize) -> Option<u128> {
        while self.next.len() < count
            && let Some(next) = self.pop()
        {
            self.next.push_back(next);
        }
        self.next.get(count.saturating_sub(1)).or(self.next.back()).map(|(rank, _)| *rank)
    }

    /// How many are left up to a rank.
    fn count(&self, until: u128) -> usize {
        let is_due = |(rank, _): &Ranked| *rank <= until;
        let of_run = |run: &Run| usize::from(is_due(&run.first)) + run.rest.as_slice().partition_point(is_due);
        let of_runs: usize = self.runs.iter().map(|Reverse(run)| of_run(run)).sum();
        self.next.partition_point(is_due) + of_runs
    }

    /// The next ones up to a rank, and no more than so many.
    fn due(&mut self, until: u128, most: usize) -> Vec<Ranked> {
        let mut due: Vec<Ranked> = Vec::new();
        while due.len() < most
            && let Some(next) = self.next.pop_front().or_else(|| self.pop())
        {
            if next.0 > until {
                self.next.push_front(next);
                break;
            }
            due.push(next);
        }
        due
    }

    /// Whether none is left up to a rank.
    fn is_past(&mut self, rank: u128) -> bool {
        self.until(1).is_none_or(|next| next > rank)
    }
}

impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        self.first.cmp(&other.first)
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.first == other.first
    }
}

impl Eq for Run {}

/// What is to leave of both tables.
#[derive(Default)]
pub(super) struct Leaving {
    v4: Line,
    v6: Line,
}

impl Leaving {
    /// Adds what has news in some slots of a table; whether these were the last ones. All listeners must be known.
    pub fn add_v4(&mut self, table: &Table<Ipv4Addr>, book: &Book, slots: Range<usize>) -> bool {
        add(&mut self.v4, table, book, slots)
    }

    /// Adds some slots of the table of IPv6.
    pub fn add_v6(&mut self, table: &Table<Ipv6Addr>, book: &Book, slots: Range<usize>) -> bool {
        add(&mut self.v6, table, book, slots)
    }

    /// Up to which rank so many leave next at most, and those that rank like the last of them; `None` where none are left, nor
    /// rows that were set aside.
    pub fn until(&mut self, book: &Book, count: usize) -> Option<u128> {
        [self.v4.until(count), self.v6.until(count), book.rows.until(count)].into_iter().flatten().min()
    }

    /// How many leave up to a rank, of the table that has more of them.
    pub fn count(&self, until: u128) -> usize {
        self.v4.count(until).max(self.v6.count(until))
    }

    /// Writes connections and rows out up to a rank, and of each table no more than so many; whether none up to it are left.
    pub fn write(
        &mut self,
        (v4, v6, book): (&mut Table<Ipv4Addr>, &mut Table<Ipv6Addr>, &mut Book),
        until: u128,
        most: usize,
    ) -> bool {
        book.rows.take_up(until);
        write(book, v4, &self.v4.due(until, most));
        write(book, v6, &self.v6.due(until, most));
        self.v4.is_past(until) && self.v6.is_past(until)
    }
}

fn add<A: Address>(line: &mut Line, table: &Table<A>, book: &Book, slots: Range<usize>) -> bool {
    let end = slots.end;
    let with_news = table.used_within(slots).filter(|id| table.get(*id).has_news());
    line.add(with_news.map(|id| (book.rows.rank(table.tuple(id), table.get(id)), id)).collect());
    end >= table.slots()
}

fn write<A: Address>(book: &mut Book, table: &mut Table<A>, due: &[Ranked]) {
    for some in due.chunks(AHEAD) {
        let touched = some.iter().fold(0, |sum, (_, id)| sum ^ table.touch(*id));
        // the reads themselves are what is wanted
        std::hint::black_box(touched);
        for ranked in some {
            book.write_in_order(table, *ranked);
        }
    }
}
