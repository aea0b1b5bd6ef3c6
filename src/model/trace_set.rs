//! Connections as a set: all of them, or a sample with how many there were.

use super::Trace;

/// A set of connections: exact up to [`TraceSet::EXACT`], beyond that the sample with the smallest hashes and the
/// totals. Such bottom-k samples merge as sets do, and the count of a union is estimated from them with a relative
/// standard error of about 1/sqrt(k-2) (Beyer et al., "On synopses for distinct-value estimation", SIGMOD 2007): 3 %.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceSet {
    /// In the order of [`Trace::rank`].
    traces: Vec<Trace>,
    total: u64,
}

impl TraceSet {
    /// How many connections an observation holds one by one.
    pub const EXACT: usize = 1_024;

    /// The connections, all or a sample, in the order of their hashes.
    pub fn iter(&self) -> impl Iterator<Item = &Trace> {
        self.traces.iter()
    }

    /// The same by value.
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

    /// How many connections there are where the parts of the set add up to a sum, and one of them has so many: the sum, unless the
    /// sample tells that connections beyond it were counted in several parts. Then what the sample tells, within its error.
    fn counted(&self, sum: u64, at_least: u64) -> u64 {
        let last = self.traces.get(Self::EXACT - 1).map(Trace::rank);
        last.map_or(sum, |last| Self::total_of_union(sum, at_least, last))
    }

    /// Adds a part of a connection; whether it is none that is held.
    fn insert(&mut self, trace: Trace) -> bool {
        let place = self.traces.binary_search_by_key(&trace.rank(), Trace::rank);
        let n = match place {
            Ok(n) => {
                self.traces[n].append(&trace);
                return false;
            }
            Err(n) => n,
        };
        if n >= Self::EXACT {
            return true;
        }
        if self.traces.is_empty() {
            // most sets stay with one
            self.traces.reserve_exact(1);
        }
        self.traces.truncate(Self::EXACT - 1);
        self.traces.insert(n, trace);
        true
    }

    /// Adds what the same sensor saw later.
    pub fn extend(&mut self, later: Self) {
        let at_least = self.total.max(later.total);
        let beyond = later.total - later.traces.len() as u64;
        let new = later.traces.into_iter().map(|trace| self.insert(trace)).filter(|is_new| *is_new).count();
        self.total = self.counted(self.total + new as u64 + beyond, at_least);
    }

    /// The count of a union whose parts add up to a sum and of which one has so many, by the rank of the last of its
    /// [`TraceSet::EXACT`] smallest: see [`TraceSet`].
    #[must_use]
    pub fn total_of_union(sum: u64, at_least: u64, last: u64) -> u64 {
        /// Five standard errors: sets of other connections are put together often, and what they add up to is exact.
        const MARGIN: f64 = 1.16;
        #[expect(clippy::cast_precision_loss, reason = "an estimate with an error of some percent")]
        let (estimate, sum_of_parts) = ((Self::EXACT - 1) as f64 * 2f64.powi(64) / (last as f64 + 1.0), sum as f64);
        if sum_of_parts <= estimate * MARGIN {
            return sum;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, below the sum")]
        let estimate = estimate.round() as u64;
        estimate.clamp(at_least, sum.max(at_least))
    }

    /// Restores a set from what [`TraceSet::iter`] and [`TraceSet::total`] gave.
    #[must_use]
    pub fn restore(traces: impl IntoIterator<Item = Trace>, total: u64) -> Self {
        let mut traces: Vec<Trace> = traces.into_iter().collect();
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
    traces: Vec<Trace>,
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

    /// Takes no more than twice the memory of the set.
    fn make_room(&mut self) {
        let room = self.traces.capacity();
        self.settle();
        if self.traces.len() > room / 2 || room == 0 {
            // most sets stay with one
            self.traces.reserve_exact(room.max(1));
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
        self.traces.sort_by_cached_key(Trace::rank);
        self.traces.dedup_by(|later, first| {
            let is_part = later.rank() == first.rank();
            if is_part {
                first.append(later);
            }
            is_part
        });
        // beyond the sample a connection that comes in two parts may count twice, until sets are put together
        self.total += (self.traces.len() - self.in_order) as u64;
        self.traces.truncate(TraceSet::EXACT);
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
