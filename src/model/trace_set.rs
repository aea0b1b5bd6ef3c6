//! Connections as a set: all of them, or a sample with how many there were.

use smallvec::SmallVec;

use super::Trace;

/// Connections in the order of [`Trace::rank`]. Most sets stay with one: that needs no memory of its own.
type Traces = SmallVec<[Trace; 1]>;

/// A set of connections: exact up to [`TraceSet::EXACT`], beyond that the sample with the smallest hashes, one of every
/// outcome that is not among them, and the totals. Such bottom-k samples merge as sets do, and the count of a union is
/// estimated from what its parts' samples share, with a relative standard error of some 3 % (Cohen and Kaplan,
/// "Summarizing data using bottom-k sketches", PODC 2007).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceSet {
    traces: Traces,
    total: u64,
}

/// Puts the parts of connections in order, those of one together as they came.
fn in_order(traces: &mut Traces) {
    traces.sort_by_cached_key(Trace::rank);
    traces.dedup_by(|later, first| {
        let is_part = later.rank() == first.rank();
        if is_part {
            first.append(later);
        }
        is_part
    });
}

/// Leaves of connections in order the sample, and of every outcome that it lacks the first.
fn thin(traces: &mut Traces) {
    let Some(sample) = traces.get(..TraceSet::EXACT).filter(|sample| sample.len() < traces.len()) else { return };
    let mut outcomes = sample.iter().fold(0_u32, |known, trace| known | 1 << trace.flags.outcome().bits());
    let mut place = 0;
    traces.retain(|trace| {
        let outcome = 1 << trace.flags.outcome().bits();
        let is_kept = place < TraceSet::EXACT || outcomes & outcome == 0;
        outcomes |= if is_kept { outcome } else { 0 };
        place += 1;
        is_kept
    });
}

impl TraceSet {
    /// Most that are held: the sample, and one for each outcome, which five bits tell.
    pub const MOST: usize = Self::EXACT + 32;

    /// How many connections an observation holds one by one.
    pub const EXACT: usize = 1_024;

    /// The connections, all or a sample, in the order of their hashes.
    pub fn iter(&self) -> impl Iterator<Item = &Trace> {
        self.traces.iter()
    }

    /// Its traces, by value.
    pub fn into_traces(self) -> impl Iterator<Item = Trace> {
        self.traces.into_iter()
    }

    /// How many of them are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.traces.len()
    }

    /// How many connections there were, also those beyond the sample.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether every connection is held.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.total == self.traces.len() as u64
    }

    /// For how many connections one of the set stands: those beyond the sample for themselves.
    #[must_use]
    pub fn weight(&self, trace: &Trace) -> f64 {
        let besides = self.traces.len().saturating_sub(Self::EXACT);
        let sampled = self.traces.len() - besides;
        let is_beside = besides > 0 && self.traces.get(Self::EXACT - 1).is_some_and(|last| trace.rank() > last.rank());
        #[expect(clippy::cast_precision_loss, reason = "counts of connections stay far below 2^52")]
        let weight = (self.total - besides as u64) as f64 / sampled.max(1) as f64;
        if is_beside { 1.0 } else { weight }
    }

    /// Adds a part of a connection where there is room for all.
    fn insert(&mut self, trace: Trace) {
        match self.traces.binary_search_by_key(&trace.rank(), Trace::rank) {
            Ok(n) => self.traces[n].append(&trace),
            Err(n) => self.traces.insert(n, trace),
        }
    }

    /// Adds what the same sensor saw later.
    pub fn extend(&mut self, later: Self) {
        if self.traces.len() + later.traces.len() <= Self::EXACT {
            // of connections beyond these nothing is known that could be compared
            let beyond = self.total.saturating_add(later.total) - (self.traces.len() + later.traces.len()) as u64;
            later.traces.into_iter().for_each(|trace| self.insert(trace));
            self.total = self.traces.len() as u64 + beyond;
            return;
        }
        let (sum, at_least) = (self.total.saturating_add(later.total), self.total.max(later.total));
        let is_exact = self.is_exact() && later.is_exact();
        let [own, others] = [&*self, &later].map(|set| set.iter().map(Trace::rank).collect::<Vec<u64>>());
        self.traces.extend(later.traces);
        in_order(&mut self.traces);
        let distinct = self.traces.len() as u64;
        let last = self.traces.get(Self::EXACT - 1).map_or(u64::MAX, Trace::rank);
        let of_parts = [own, others].iter().map(|ranks| ranks.partition_point(|rank| *rank <= last)).sum();
        self.total = if is_exact { distinct } else { Self::total_of_union(sum, at_least, of_parts) };
        thin(&mut self.traces);
    }

    /// The count of a union whose parts add up to a sum and of which one has so many, where its [`TraceSet::EXACT`] smallest
    /// are in the parts so often: as these are to that, so is the union to the sum. Parts that share nothing add up exactly.
    #[must_use]
    pub fn total_of_union(sum: u64, at_least: u64, of_parts: usize) -> u64 {
        let (sum, of_parts) = (u128::from(sum), of_parts.max(Self::EXACT) as u128);
        let estimate = (sum * Self::EXACT as u128 + of_parts / 2) / of_parts;
        u64::try_from(estimate).unwrap_or(u64::MAX).max(at_least)
    }

    /// Restores a set from what [`TraceSet::iter`] and [`TraceSet::total`] gave.
    #[must_use]
    pub fn restore(traces: impl IntoIterator<Item = Trace>, total: u64) -> Self {
        let mut traces: Traces = traces.into_iter().collect();
        traces.sort_by_key(Trace::rank);
        traces.dedup_by_key(|trace| trace.rank());
        let total = total.max(traces.len() as u64);
        Self { traces, total }
    }
}

/// A set while its connections come one by one: they are put in order many at a time.
#[derive(Debug, Default)]
pub struct TraceSetBuilder {
    /// The first of them in order, each once; then those that came since.
    traces: Traces,
    in_order: usize,
    total: u64,
}

impl TraceSetBuilder {
    /// Adds a part of a connection that the same sensor saw.
    pub fn push(&mut self, trace: Trace) {
        if self.traces.len() == self.traces.capacity() {
            self.make_room();
        }
        self.traces.push(trace);
    }

    /// What is held so far, the parts of one connection one by one.
    pub fn parts(&self) -> impl Iterator<Item = &Trace> {
        self.traces.iter()
    }

    /// Adds what the same sensor saw later.
    pub fn extend(&mut self, later: TraceSet) {
        let mut whole = std::mem::take(self).finish();
        whole.extend(later);
        let TraceSet { traces, total } = whole;
        *self = Self { in_order: traces.len(), traces, total };
    }

    /// Takes no more than twice the memory of the set.
    fn make_room(&mut self) {
        let room = self.traces.capacity();
        self.settle();
        if self.traces.len() > room / 2 {
            self.traces.reserve_exact(room);
        }
    }

    /// The set.
    #[must_use]
    pub fn finish(mut self) -> TraceSet {
        self.settle();
        TraceSet { traces: self.traces, total: self.total }
    }

    /// Puts them in order, the parts of one connection together as they came.
    fn settle(&mut self) {
        in_order(&mut self.traces);
        // beyond the sample a connection that comes in two parts may count twice, until sets are put together
        self.total = self.total.saturating_add((self.traces.len() - self.in_order) as u64);
        thin(&mut self.traces);
        self.in_order = self.traces.len();
    }
}

impl FromIterator<Trace> for TraceSet {
    /// The set of connections, of each of which there may be several parts in their order.
    fn from_iter<I: IntoIterator<Item = Trace>>(parts: I) -> Self {
        let mut builder = TraceSetBuilder::default();
        parts.into_iter().for_each(|part| builder.push(part));
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tally;

    fn trace(src_port: u16, packets: u64) -> Trace {
        Trace { src_port, from_src: Tally::one(0, packets, 40 * packets), ..Trace::default() }
    }

    #[test]
    fn connections_that_come_in_many_parts_are_counted_once_within_the_error_of_a_sample() {
        let part = || (0..3_000).map(|port| trace(port, 2)).collect::<TraceSet>();
        let mut whole = part();
        (0..100).for_each(|_| whole.extend(part()));
        assert!((3_000..3_500).contains(&whole.total()), "{}", whole.total());
        assert_eq!(whole.iter().next().map(|trace| trace.from_src.fullest().0), Some(202));
    }

    #[test]
    fn other_connections_add_up_exactly_however_often_sets_are_put_together() {
        for case in 0..50_u32 {
            let mut whole = TraceSet::default();
            for part in 0..16_u32 {
                let identity = |n: u32| (case << 20 | part << 16 | n).wrapping_mul(2_654_435_761);
                whole.extend((0..1_500).map(|n| Trace { identity: identity(n), ..trace(443, 1) }).collect());
            }
            assert_eq!(whole.total(), 24_000, "case {case}");
        }
    }

    #[test]
    fn a_full_set_keeps_the_same_sample_in_any_order() {
        let forth: TraceSet = (0..5_000).map(|port| trace(port, 1)).collect();
        let back: TraceSet = (0..5_000).rev().map(|port| trace(port, 1)).collect();
        assert_eq!(forth, back);
        assert_eq!(forth.iter().count(), TraceSet::EXACT);
        assert_eq!(forth.total(), 5_000);
        assert!(!forth.is_exact());
    }

    #[test]
    fn parts_of_one_connection_are_one_wherever_they_stand() {
        let parts = (0..2_000).map(|n| trace(n % 1_000, 1));
        let set: TraceSet = parts.collect();
        assert_eq!((set.total(), set.is_exact()), (1_000, true));
        assert!(set.iter().all(|trace| trace.from_src.fullest() == (2, 80)));
        // as if each had come in a set of its own
        let mut one_by_one = TraceSet::default();
        (0..2_000).for_each(|n| one_by_one.extend([trace(n % 1_000, 1)].into_iter().collect()));
        assert_eq!(set, one_by_one);
    }
}
