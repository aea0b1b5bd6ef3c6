//! The hours of a day brought into one: what a day of a run saw between two ends, each connection once, with the hours that
//! it was seen in.
//!
//! Read back, it is observations of these hours again, of which the map makes what it made of the ones before: the first hour
//! of a connection has all that it sent and the time of its first packet, the last one the time of its last packet, and
//! those between only say that it was there. Of more connections a day than [`TraceSet::EXACT`] a sample is kept, as it is of an
//! hour's, with one of every kind of outcome.

use std::collections::{BTreeMap, BTreeSet};

use super::codec::{self, Input, put};
use crate::model::{Hour, Observation, ObservationKey, Tally, Trace, TraceSet};

/// Hours of a day.
pub(super) const HOURS: i32 = 24;
/// Microseconds of an hour.
const HOUR_US: u64 = 3_600_000_000;
/// Connections of one key that are kept: the sample, and one for each outcome that it lacks.
const MOST: usize = TraceSet::EXACT + (1 << 10);

/// The first hour of a day of UTC.
pub(super) fn day_of(hour: Hour) -> Hour {
    Hour(hour.0.saturating_sub(hour.0.rem_euclid(HOURS)))
}

/// The first hour of the day after.
pub(super) fn end_of(day: Hour) -> Hour {
    Hour(day.0.saturating_add(HOURS))
}

/// What a day saw between two ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DayRow {
    /// Its hour is the first of the day.
    pub key: ObservationKey,
    pub traces: Vec<DayTrace>,
    /// Connections there were, also those beyond the sample.
    pub total: u64,
}

/// A connection of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DayTrace {
    /// Its first hour in the day.
    start: u8,
    /// A bit for each hour from then on in which it was seen.
    hours: u32,
    /// All that it sent. `first` is within its first hour, `last` within its last one.
    trace: Trace,
}

impl DayTrace {
    fn last_hour(&self) -> u8 {
        self.start + u8::try_from(self.hours.max(1).ilog2()).unwrap_or_default()
    }

    /// Takes in what an hour saw of it, which is not before the ones that it has.
    fn join(&mut self, hour: u8, later: &Trace) {
        let (first, last) = (self.trace.first, later.last);
        let is_same_hour = self.last_hour() == hour;
        // offsets of different hours do not compare: who spoke first is told by the first hour that tells it
        self.trace.append(&Trace { first: u32::MAX, ..later.clone() });
        self.trace.first = if is_same_hour && self.hours == 1 { first.min(later.first) } else { first };
        self.trace.last = if is_same_hour { self.trace.last.max(last) } else { last };
        self.hours |= 1 << hour.saturating_sub(self.start);
    }
}

impl DayRow {
    /// What the hours of a day saw, in their order, between the same ends.
    pub fn of(day: Hour, rows: Vec<Observation>) -> Option<Self> {
        let key = ObservationKey { hour: day, ..rows.first()?.key.clone() };
        let (mut total, mut at_least, mut is_exact) = (0, 0, true);
        let mut by_rank: BTreeMap<u64, DayTrace> = BTreeMap::new();
        let mut ranks: Vec<u64> = Vec::new();
        for Observation { key, traces } in rows {
            let hour = u8::try_from(key.hour.0 - day.0).ok().filter(|hour| i32::from(*hour) < HOURS)?;
            total = traces.total().saturating_add(total);
            at_least = traces.total().max(at_least);
            is_exact &= traces.is_exact();
            for trace in traces.into_traces() {
                ranks.push(trace.rank());
                match by_rank.get_mut(&trace.rank()) {
                    Some(known) => known.join(hour, &trace),
                    None => drop(by_rank.insert(trace.rank(), DayTrace { start: hour, hours: 1, trace })),
                }
            }
        }
        // connections that are in several hours count once
        let again = (ranks.len() - by_rank.len()) as u64;
        total = match by_rank.keys().nth(TraceSet::EXACT - 1).filter(|_| !is_exact) {
            Some(last) => {
                let of_parts = ranks.iter().filter(|rank| *rank <= last).count();
                TraceSet::total_of_union(total, at_least, of_parts)
            }
            None => total - again,
        };
        let traces = sample(by_rank);
        Some(Self { key, traces, total }.with_total())
    }

    /// This row with a total that is not less than what it holds.
    pub fn with_total(self) -> Self {
        let total = self.total.max(self.traces.len() as u64);
        Self { total, ..self }
    }

    pub fn is_exact(&self) -> bool {
        self.total == self.traces.len() as u64
    }

    /// The observations of its hours. Of a sample each hour gets its share of what there was.
    pub fn by_hour(self) -> impl Iterator<Item = Observation> {
        let Self { key, traces, total } = self;
        let held = traces.len() as u64;
        let mut hours: BTreeMap<u8, Vec<Trace>> = BTreeMap::new();
        for DayTrace { start, hours: seen, trace } in traces {
            let in_hour = (0..HOURS.unsigned_abs()).filter(|bit| seen >> bit & 1 == 1);
            let last = seen.max(1).ilog2();
            for bit in in_hour {
                let part = match (bit, last) {
                    (0, 0) => trace.clone(),
                    (0, _) => Trace { last: trace.first, ..trace.clone() },
                    (bit, last) if bit == last => Trace { first: trace.last, ..silent(&trace) },
                    _ => Trace { first: 0, last: 0, ..silent(&trace) },
                };
                hours.entry(start.saturating_add(u8::try_from(bit).unwrap_or(u8::MAX))).or_default().push(part);
            }
        }
        let mut before = 0u64;
        hours.into_iter().map(move |(hour, traces)| {
            // rounded so that the hours of connections which are in one each add up
            let share = |count: u64| u128::from(count) * u128::from(total) / u128::from(held.max(1));
            let after = before + traces.len() as u64;
            let total = u64::try_from(share(after) - share(before)).unwrap_or(u64::MAX);
            before = after;
            let key = ObservationKey { hour: Hour(key.hour.0.saturating_add(i32::from(hour))), ..key.clone() };
            Observation { key, traces: TraceSet::restore(traces, total) }
        })
    }
}

/// It was there, and all that it sent is told by its first hour.
fn silent(trace: &Trace) -> Trace {
    Trace { from_src: Tally::default(), from_dst: Tally::default(), ..trace.clone() }
}

/// Those with the smallest ranks, and of outcomes that none of these had the first.
fn sample(by_rank: BTreeMap<u64, DayTrace>) -> Vec<DayTrace> {
    let mut kinds = BTreeSet::new();
    let mut kept = Vec::with_capacity(by_rank.len().min(TraceSet::EXACT));
    for it in by_rank.into_values() {
        let is_new = kinds.insert(it.trace.flags.outcome());
        if is_new || kept.len() < TraceSet::EXACT {
            kept.push(it);
        }
    }
    kept.truncate(MOST);
    kept
}

/// Appends the connections of a row, in the order of their first packets.
pub(super) fn put_traces(bytes: &mut Vec<u8>, row: &DayRow) {
    let begin = |it: &DayTrace| u64::from(it.start) * HOUR_US + u64::from(it.trace.first);
    let mut traces: Vec<&DayTrace> = row.traces.iter().collect();
    traces.sort_unstable_by_key(|it| (begin(it), it.trace.id()));
    put(bytes, traces.len() as u64);
    let mut before = 0;
    for it in traces {
        put(bytes, begin(it) - before);
        before = begin(it);
        // the first hour is always there
        put(bytes, u64::from(it.hours >> 1));
        let since = if it.hours == 1 { it.trace.first } else { 0 };
        put(bytes, u64::from(it.trace.last.saturating_sub(since)));
        codec::put_rest(bytes, &it.trace, false);
    }
}

/// The connections that [`put_traces`] wrote; `None` where the bytes are others.
pub(super) fn traces(input: &mut Input<'_>) -> Option<Vec<DayTrace>> {
    let count = usize::try_from(input.number()?).ok().filter(|count| *count <= MOST)?;
    let mut begin = 0u64;
    let mut one = || {
        begin = begin.checked_add(input.number()?)?;
        let start = u8::try_from(begin / HOUR_US).ok().filter(|hour| i32::from(*hour) < HOURS)?;
        let hours = input.small::<u32>()?.checked_shl(1)? | 1;
        let is_within = i32::from(start) + i32::try_from(hours.ilog2()).ok()? < HOURS;
        let first = u32::try_from(begin % HOUR_US).ok()?;
        let since = if hours == 1 { first } else { 0 };
        let last = since.checked_add(input.small()?)?;
        let trace = Trace { first, last, ..input.timeless(false)? };
        is_within.then_some(DayTrace { start, hours, trace })
    };
    (0..count).map(|_| one()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Opening, Protocol};

    const DAY: Hour = Hour(480_000);

    fn any_trace() -> impl Strategy<Value = DayTrace> {
        let moment = || 0..3_600_000_000u32;
        (0..24u8, any::<u32>(), any::<(u16, u32, u32)>(), (moment(), moment())).prop_map(
            |(start, bits, (src_port, identity, answer), (first, last))| {
                let hours = (bits | 1) & ((1 << (24 - start)) - 1);
                let last = if hours == 1 { last.max(first) } else { last };
                let from_src = Tally::one(1, 2, 3);
                let trace = Trace { src_port, identity, answer, first, last, from_src, ..Trace::default() };
                DayTrace { start, hours, trace }
            },
        )
    }

    /// Each connection once, in the order of their ranks.
    fn any_row() -> impl Strategy<Value = DayRow> {
        (prop::collection::vec(any_trace(), 1..40), 0..3u64).prop_map(|(traces, beyond)| {
            let by_rank: BTreeMap<u64, DayTrace> = traces.into_iter().map(|it| (it.trace.rank(), it)).collect();
            let traces: Vec<DayTrace> = by_rank.into_values().collect();
            let key = ObservationKey {
                hour: DAY,
                protocol: Protocol::TCP,
                opening: Opening::Seen,
                src: "10.0.0.1".parse().unwrap(),
                dst: "10.0.0.2".parse().unwrap(),
                dst_port: 443,
                vlans: String::new(),
                tunnels: String::new(),
            };
            DayRow { key, total: traces.len() as u64 + beyond, traces }
        })
    }

    proptest! {
        #[test]
        fn the_connections_of_a_day_are_read_as_they_were_written(row in any_row()) {
            let mut bytes = Vec::new();
            put_traces(&mut bytes, &row);
            let mut input = Input(&bytes);
            let mut read = traces(&mut input).unwrap();
            prop_assert!(input.0.is_empty());
            read.sort_by_key(|it| it.trace.rank());
            prop_assert_eq!(read, row.traces);
        }

        #[test]
        fn a_day_brought_together_again_is_the_same(row in any_row()) {
            let row = DayRow { total: row.traces.len() as u64, ..row };
            prop_assert_eq!(DayRow::of(DAY, row.clone().by_hour().collect()), Some(row));
        }

        #[test]
        fn damaged_bytes_of_a_day_are_refused_or_read_but_never_panic(
            row in any_row(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
        ) {
            let mut bytes = Vec::new();
            put_traces(&mut bytes, &row);
            let place = at.index(bytes.len());
            bytes[place] = byte;
            for damaged in [&bytes[..], &bytes[..cut.index(bytes.len() + 1)]] {
                for it in traces(&mut Input(damaged)).into_iter().flatten() {
                    prop_assert!(i32::from(it.last_hour()) < HOURS);
                }
            }
        }
    }
}
