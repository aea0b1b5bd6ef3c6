//! Attempts in vain, summed up by their source where they are many.
//!
//! A sweep would be a row for every port that it tried. The first of them, and a sample of the others, are kept as rows, by
//! which the map tells a scanner; of the rest the totals are.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    hash::BuildHasher,
    net::IpAddr,
};

use foldhash::{HashMap, quality::FixedState};

use crate::model::{Flags, Hour, Observation, ObservationKey, Opening, Protocol, Span, Sweep, Trace};

/// Rows in vain of a source in an hour, above which it sweeps: no application calls so many ends that do not answer.
const MANY: u32 = 1_024;

/// Whether a source with these rows in vain sweeps, if each is of another end.
pub(super) fn are_many<R>(rows: &[R]) -> bool {
    rows.len() > MANY as usize
}

/// Rows of a sweep that are kept beside those before it was one.
const SAMPLE: usize = 64;

/// Sweeps that are held at once: some 15 KB each. The rows of further ones stay rows.
const MAX_SWEEPS: usize = 256;

/// Sources whose rows are counted at once: half a kilobyte each.
const MAX_SOURCES: usize = 16_384;

/// Hashes that an estimate rests on: a relative standard error of 1/sqrt(k-2), 6 %.
const HASHES: usize = 256;

/// Whose attempts are summed up.
pub(super) type Source = (Hour, Protocol, IpAddr);

#[derive(Default)]
pub(super) struct Sweeps {
    /// Different rows in vain that were handed out, of sources that do not sweep so far.
    rows: HashMap<Source, Few>,
    sums: HashMap<Source, Sum>,
    /// The hours for which each was last freed of those before: to look through all of them for every row would cost more than
    /// the packets.
    rows_freed: Option<Hour>,
    sums_freed: Option<Hour>,
    /// Sums of hours that are over, and what is to be handed out with the samples.
    ended: BTreeMap<Source, Sweep>,
    left: Vec<Observation>,
}

/// What is known of one sweep.
pub(super) struct Sum {
    attempts: u64,
    packets: u64,
    bytes: u64,
    span: Option<Span>,
    hosts: Distinct,
    targets: Distinct,
    /// A bit for each port.
    ports: Vec<u64>,
    /// By their hashes, so that the order of the attempts decides nothing; none once it was handed out.
    sample: Option<BTreeMap<u64, Observation>>,
}

impl Sweeps {
    /// Takes the rows of sweeps out of rows.
    pub fn fold(&mut self, rows: Vec<Observation>) -> Vec<Observation> {
        for Observation { key, .. } in rows.iter().filter(|row| is_row_in_vain(row)) {
            self.count(source(key), (key.dst, key.dst_port));
        }
        if self.sums.is_empty() {
            return rows;
        }
        rows.into_iter().filter_map(|row| self.take(row)).collect()
    }

    /// Counts a row in vain of a source.
    pub fn count(&mut self, source: Source, (dst, dst_port): (IpAddr, u16)) {
        if self.sums.contains_key(&source) {
            return;
        }
        if self.rows.len() >= MAX_SOURCES && !self.rows.contains_key(&source) {
            if is_later(&mut self.rows_freed, source.0) {
                self.rows.retain(|(hour, ..), _| *hour >= source.0);
            }
            if self.rows.len() >= MAX_SOURCES {
                return;
            }
        }
        let known = self.rows.entry(source).or_default();
        if known.add(target(dst, dst_port)) > MANY && self.has_room(source.0) {
            self.rows.remove(&source);
            self.sums.insert(source, Sum::default());
        }
    }

    /// Whether another sweep of this hour can be held; those of hours before end for it.
    fn has_room(&mut self, hour: Hour) -> bool {
        if self.sums.len() >= MAX_SWEEPS && is_later(&mut self.sums_freed, hour) {
            self.end_before(hour);
        }
        self.sums.len() < MAX_SWEEPS
    }

    fn end_before(&mut self, hour: Hour) {
        for (source, mut sum) in self.sums.extract_if(|(known, ..), _| *known < hour) {
            self.left.extend(sum.sample.take().into_iter().flat_map(BTreeMap::into_values));
            let Some(sweep) = sum.told(source) else { continue };
            self.ended.entry(source).and_modify(|known| known.join(&sweep)).or_insert(sweep);
        }
    }

    /// Whether a source sweeps in an hour, so far as is known.
    pub fn sweep(&mut self, source: Source) -> Option<&mut Sum> {
        if self.sums.is_empty() { None } else { self.sums.get_mut(&source) }
    }

    /// Gives a row back that is not of a sweep.
    pub fn take(&mut self, row: Observation) -> Option<Observation> {
        if !is_row_in_vain(&row) {
            return Some(row);
        }
        let Some(sum) = self.sums.get_mut(&source(&row.key)) else { return Some(row) };
        sum.take(row);
        None
    }

    /// Hands a row out with the samples.
    pub fn leave(&mut self, row: Observation) {
        self.left.push(row);
    }

    /// The samples that are still to be handed out, in the order of their keys.
    pub fn samples(&mut self) -> Vec<Observation> {
        let samples = self.sums.values_mut().filter_map(|sum| sum.sample.take());
        let mut all: Vec<Observation> = samples.flat_map(BTreeMap::into_values).collect();
        all.append(&mut self.left);
        all.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        all
    }

    /// Forgets hours before this one, of which nothing more will come.
    pub fn forget_before(&mut self, hour: Hour) {
        self.rows.retain(|(known, ..), _| *known >= hour);
        self.sums.retain(|(known, ..), _| *known >= hour);
        self.ended.retain(|(known, ..), _| *known >= hour);
    }

    /// All sweeps so far, in order; of several, which know different targets of one source, together.
    pub fn together<'s>(all: impl Iterator<Item = &'s Self> + Clone) -> Vec<Sweep> {
        let mut by_source: BTreeMap<Source, (Sweep, Vec<u64>)> = BTreeMap::new();
        for (source, sum) in all.clone().flat_map(|sweeps| &sweeps.sums) {
            let Some(sweep) = sum.told(*source) else { continue };
            match by_source.entry(*source) {
                Entry::Vacant(free) => drop(free.insert((sweep, sum.ports.clone()))),
                Entry::Occupied(mut known) => {
                    let (known, ports) = known.get_mut();
                    known.join(&sweep);
                    ports.iter_mut().zip(&sum.ports).for_each(|(known, more)| *known |= more);
                }
            }
        }
        let told =
            |(source, (sweep, bits)): (Source, (Sweep, Vec<u64>))| (source, Sweep { ports: ports(&bits), ..sweep });
        let mut by_source: BTreeMap<Source, Sweep> = by_source.into_iter().map(told).collect();
        for (source, sweep) in all.flat_map(|sweeps| &sweeps.ended) {
            by_source.entry(*source).and_modify(|known| known.join(sweep)).or_insert(*sweep);
        }
        by_source.into_values().collect()
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            attempts: 0,
            packets: 0,
            bytes: 0,
            span: None,
            hosts: Distinct::default(),
            targets: Distinct::default(),
            ports: vec![0; 1 << 10],
            sample: Some(BTreeMap::new()),
        }
    }
}

/// Whether an hour is after the last one, which it then is.
fn is_later(last: &mut Option<Hour>, hour: Hour) -> bool {
    let is_later = last.is_none_or(|last| hour > last);
    if is_later {
        *last = Some(hour);
    }
    is_later
}

impl Sum {
    fn take(&mut self, row: Observation) {
        let (dst, dst_port) = (row.key.dst, row.key.dst_port);
        let hash = target(dst, dst_port);
        let Some(sample) = &mut self.sample else { return self.add_row(&row) };
        // the same target in another network, or tried again: it is in the sample already; the largest hashes are kept,
        // for the estimates rest on the smallest
        let out = match sample.insert(hash, row) {
            Some(before) => Some(before),
            None if sample.len() > SAMPLE => sample.pop_first().map(|(_, row)| row),
            None => None,
        };
        if let Some(row) = out {
            self.add_row(&row);
        }
    }

    /// Takes an attempt that need be no row; false where it is to be one, as a part of the sample.
    pub fn takes(&mut self, (dst, dst_port): (IpAddr, u16), (packets, bytes): (u64, u64), span: Span) -> bool {
        let hash = target(dst, dst_port);
        let is_of_sample = self.sample.as_ref().is_some_and(|sample| {
            sample.len() < SAMPLE || sample.first_key_value().is_some_and(|(smallest, _)| hash >= *smallest)
        });
        if !is_of_sample {
            self.add((dst, dst_port), hash);
            self.attempts += 1;
            self.add_sent((packets, bytes), span);
        }
        !is_of_sample
    }

    fn add_row(&mut self, row: &Observation) {
        let (dst, dst_port) = (row.key.dst, row.key.dst_port);
        self.add((dst, dst_port), target(dst, dst_port));
        self.attempts += row.traces.total();
        for trace in row.traces.iter() {
            self.add_sent(trace.from_src.fullest(), row.span(trace));
        }
    }

    fn add(&mut self, (dst, dst_port): (IpAddr, u16), hash: u64) {
        self.targets.add(hash);
        self.hosts.add(FixedState::with_seed(0).hash_one(dst));
        if let Some(bits) = self.ports.get_mut(usize::from(dst_port >> 6)) {
            *bits |= 1 << (dst_port & 63);
        }
    }

    fn add_sent(&mut self, (packets, bytes): (u64, u64), span: Span) {
        self.packets += packets;
        self.bytes += bytes;
        self.span.get_or_insert(span).join(span);
    }

    fn told(&self, (hour, protocol, src): Source) -> Option<Sweep> {
        let Self { attempts, packets, bytes, span, .. } = *self;
        // estimates may be off, but no more was tried than there were attempts
        let hosts = self.hosts.estimate().min(attempts);
        let targets = self.targets.estimate().clamp(hosts, attempts);
        Some(Sweep {
            hour,
            protocol,
            src,
            attempts,
            packets,
            bytes,
            hosts,
            targets,
            ports: ports(&self.ports),
            span: span?,
        })
    }
}

/// How many ports a set of bits holds.
fn ports(bits: &[u64]) -> u32 {
    bits.iter().map(|word| word.count_ones()).sum()
}

/// A hash of what was tried, equal in all captures.
fn target(dst: IpAddr, dst_port: u16) -> u64 {
    FixedState::with_seed(0).hash_one((dst, dst_port))
}

fn source(key: &ObservationKey) -> Source {
    (key.hour, key.protocol, key.src)
}

fn is_row_in_vain(row: &Observation) -> bool {
    is_in_vain(row.key.opening, row.traces.iter())
}

/// Whether nothing came of any of these connections.
pub(super) fn is_in_vain<'t>(opening: Opening, mut traces: impl Iterator<Item = &'t Trace>) -> bool {
    traces.all(|trace| is_failed(opening, trace))
}

/// Whether the attempt certainly came to nothing. Where a capture shows one way alone, a client that goes on was answered
/// unseen; and of a datagram only an error tells, for a log or a query whose answer was not captured looks the same.
fn is_failed(opening: Opening, trace: &Trace) -> bool {
    let has = |flag| trace.flags.has(flag);
    if trace.lump.is_record() || has(Flags::FROM_DST) || !trace.from_dst.is_empty() && !has(Flags::REFUSED) {
        return false;
    }
    match opening {
        Opening::Seen => has(Flags::ASKED) && !has(Flags::AGREED) && !has(Flags::FROM_SRC),
        Opening::Unseen => has(Flags::SRC_FIRST) && has(Flags::REFUSED) && trace.from_src.fullest().0 < 3,
    }
}

/// How many different things there were, as long as they are few: a bit for each hash (Whang et al., "A linear-time
/// probabilistic counting algorithm for database applications", 1990).
struct Few {
    bits: Box<[u64; 64]>,
    set: u32,
}

impl Default for Few {
    fn default() -> Self {
        Self { bits: Box::new([0; 64]), set: 0 }
    }
}

impl Few {
    /// Counts one; gives how many there are, about.
    fn add(&mut self, hash: u64) -> u32 {
        const BITS: f64 = 4096.0;
        let place = (hash >> 52) as usize;
        if let Some(word) = self.bits.get_mut(place / 64) {
            let bit = 1 << (place % 64);
            self.set += u32::from(*word & bit == 0);
            *word |= bit;
        }
        let free = (BITS - f64::from(self.set)).max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 4096 times its logarithm")]
        let count = (BITS * (BITS / free).ln()).round() as u32;
        count
    }
}

/// How many different things there were, from the smallest of their hashes (Bar-Yossef et al., "Counting distinct elements
/// in a data stream", RANDOM 2002).
#[derive(Default)]
struct Distinct(BTreeSet<u64>);

impl Distinct {
    fn add(&mut self, hash: u64) {
        let is_small = self.0.len() < HASHES || self.0.last().is_some_and(|last| hash < *last);
        if is_small && self.0.insert(hash) && self.0.len() > HASHES {
            self.0.pop_last();
        }
    }

    fn estimate(&self) -> u64 {
        let held = self.0.len() as u64;
        match self.0.last() {
            Some(last) if self.0.len() == HASHES => {
                // the smallest k of n hashes reach to about k/n of all that there can be
                let all = u128::from(held - 1) * (u128::from(u64::MAX) + 1) / (u128::from(*last) + 1);
                u64::try_from(all).unwrap_or(u64::MAX)
            }
            _ => held,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Tally, TraceSet};

    /// An attempt of one source at this end in this hour.
    fn row(hour: i32, n: u32) -> Observation {
        let key = ObservationKey {
            hour: Hour(hour),
            protocol: Protocol::TCP,
            opening: Opening::Seen,
            src: IpAddr::from([10, 9, 9, 9]),
            dst: IpAddr::from((0x0a01_0000 + n % 50).to_be_bytes()),
            dst_port: u16::try_from(n / 50).unwrap(),
            vlans: String::new(),
            tunnels: String::new(),
        };
        let mut flags = Flags::ASKED;
        flags.add(Flags::SRC_FIRST);
        let trace = Trace { flags, identity: n, src_end: n, from_src: Tally::one(0, 1, 40), ..Trace::default() };
        Observation { key, traces: TraceSet::restore([trace], 0) }
    }

    #[test]
    fn sweeps_of_more_hours_than_are_held_are_all_told_and_lose_nothing() {
        let (mut sweeps, mut rows) = (Sweeps::default(), 0);
        let (hours, attempts) = (300, 1_500);
        for hour in 0..hours {
            rows += sweeps.fold((0..attempts).map(|n| row(hour, n)).collect()).len();
        }
        rows += sweeps.samples().len();
        let told = Sweeps::together([&sweeps].into_iter());
        assert_eq!(told.len(), usize::try_from(hours).unwrap());
        let summed: u64 = told.iter().map(|sweep| sweep.attempts).sum();
        assert_eq!(summed + rows as u64, u64::try_from(hours).unwrap() * u64::from(attempts));
        assert!(told.iter().all(|sweep| sweep.hosts == 50 && sweep.ports <= 30 && sweep.targets <= sweep.attempts));
    }

    /// So many attempts as [`row`] makes them, but with other flags besides.
    fn others(opening: Opening, flags: &[Flags]) -> Vec<Observation> {
        let other = |n| {
            let Observation { key, traces } = row(7, n);
            let more = |mut trace: Trace| {
                trace.flags = Flags::SRC_FIRST;
                for flag in flags {
                    trace.flags.add(*flag);
                }
                trace
            };
            Observation {
                key: ObservationKey { opening, ..key },
                traces: TraceSet::restore(traces.into_traces().map(more), 0),
            }
        };
        (0..1_500).map(other).collect()
    }

    #[test]
    fn what_may_have_been_answered_unseen_is_no_sweep() {
        let asked = (Opening::Seen, Flags::ASKED);
        let sent = (Opening::Unseen, Flags::FROM_SRC);
        let cases = [
            (asked, vec![], true),
            (asked, vec![Flags::REFUSED], true),
            // the client goes on: its answer was not captured
            (asked, vec![Flags::FROM_SRC], false),
            (asked, vec![Flags::AGREED], false),
            (sent, vec![Flags::PAYLOAD], false),
            (sent, vec![Flags::PAYLOAD, Flags::REFUSED], true),
            (sent, vec![Flags::PAYLOAD, Flags::FROM_DST, Flags::REFUSED], false),
        ];
        for ((opening, flag), more, is_sweep) in cases {
            let mut sweeps = Sweeps::default();
            let rows = sweeps.fold(others(opening, &[&[flag][..], &more].concat()));
            assert_eq!((rows.is_empty(), rows.len() == 1_500), (is_sweep, !is_sweep), "{opening:?} {more:?}");
        }
    }

    #[test]
    fn the_same_few_ends_tried_for_ever_are_no_sweep() {
        let mut sweeps = Sweeps::default();
        for _ in 0..200 {
            assert_eq!(sweeps.fold((0..20).map(|n| row(7, n)).collect()).len(), 20);
        }
        assert!(Sweeps::together([&sweeps].into_iter()).is_empty());
    }

    #[test]
    fn estimates_are_near_what_there_is() {
        for count in [10u64, 255, 2_000, 100_000] {
            let mut distinct = Distinct::default();
            for n in 0..count {
                distinct
                    .add(target(IpAddr::from([10, 0, 0, 1]), u16::try_from(n % 65_536).unwrap()).wrapping_mul(n | 1));
            }
            let told = distinct.estimate();
            assert!(told.abs_diff(count) * 5 <= count, "{told} of {count}");
        }
    }
}
