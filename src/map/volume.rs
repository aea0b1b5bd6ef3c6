//! How much one side of a connection sent, from all the places that saw some of it.
//!
//! Each run counted at each of its places by itself. What one place saw in runs that follow each other adds up: a capture
//! that was split or rotated. Everything else - other places, other addresses on the way, runs of one time - saw the same
//! packets, and the fullest of them is taken. Records of flow logs are known each by itself, in however many exports they stand: what
//! they count adds up. But a log that tells of each way by itself and one that tells of both together saw the same packets.

use std::{cmp::Reverse, collections::BTreeMap};

use smallvec::SmallVec;

use crate::model::{Span, Tally, Timestamp};

/// Runs follow each other also where their packets overlap by this much: interfaces deliver a little out of order. In
/// seconds, and as a share of the shorter run.
pub(super) const OVERLAP_S: f64 = 2.0;
const OVERLAP_SHARE: f64 = 0.1;

/// When and where a run was taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'r> {
    /// From its first packet to its last.
    pub span: Span,
    /// The interface, where that is known.
    pub interface: Option<&'r str>,
    /// When the last of those had ended that had when it began. The part before it is one of them, unless another one went on for less
    /// than lies between: two sensors may begin their files at other moments.
    pub before: Option<Timestamp>,
}

impl<'r> Taken<'r> {
    /// All runs.
    pub fn all(runs: impl Iterator<Item = (Span, Option<&'r str>)>) -> Vec<Self> {
        let mut all: Vec<Self> = runs.map(|(span, interface)| Self { span, interface, before: None }).collect();
        let mut ends: Vec<(Timestamp, Option<&str>)> = all.iter().map(|run| (run.span.last, run.interface)).collect();
        ends.sort_unstable();
        for run in &mut all {
            let ended = ends.partition_point(|(last, _)| *last < run.span.first);
            let mut ended = ends.iter().take(ended).rev();
            run.before = ended.find(|(_, interface)| !are_other(*interface, run.interface)).map(|(last, _)| *last);
        }
        all
    }
}

/// Whether two runs are of two interfaces.
fn are_other(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// Who counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A capture, or a log that tells of packets.
    Packets,
    /// A record of a flow log.
    Record,
    /// One of a log that tells of each way by itself.
    RecordOfWay,
}

/// What one place of one run saw.
#[derive(Clone, Copy, Debug)]
struct Share {
    /// Told apart where addresses were translated on the way: one place may see a packet before and after.
    stage: u16,
    point: u32,
    source: Source,
    /// The run, by its number.
    run: usize,
    packets: u64,
    bytes: u64,
}

/// What one side of a connection sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Volume(SmallVec<[Share; 1]>);

impl Volume {
    /// Adds what a run saw, of packets that it did not tell of before.
    pub fn add(&mut self, run: usize, tally: &Tally) {
        self.0.extend(tally.iter().map(|sent| Share {
            stage: 0,
            point: sent.point,
            source: Source::Packets,
            run,
            packets: sent.packets,
            bytes: sent.bytes,
        }));
    }

    /// Of one record, which several runs may hold, what the run says that says most; the record may be of one way alone.
    pub fn of_record(mut self, is_of_way: bool) -> Self {
        let mut by_run: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for share in &self.0 {
            let sum = by_run.entry(share.run).or_default();
            *sum = (sum.0.saturating_add(share.packets), sum.1.saturating_add(share.bytes));
        }
        let fullest = by_run.into_iter().max_by_key(|(run, sum)| (*sum, Reverse(*run)));
        self.0.retain(|share| fullest.is_some_and(|(run, _)| share.run == run));
        let source = if is_of_way { Source::RecordOfWay } else { Source::Record };
        self.0.iter_mut().for_each(|share| share.source = source);
        self
    }

    /// Takes in other sightings between the same ends.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Takes in sightings under other addresses.
    pub fn extend_with_stage(&mut self, other: Self) {
        let stages = self.0.iter().map(|share| share.stage.saturating_add(1)).max().unwrap_or(0);
        self.0.extend(other.0.into_iter().map(|share| Share { stage: share.stage.saturating_add(stages), ..share }));
    }

    /// The most packets that one place saw in one run, or in one part of what was captured apart.
    pub fn most_packets(&self) -> u64 {
        self.0.iter().map(|share| share.packets).max().unwrap_or_default()
    }

    /// The most bytes likewise.
    pub fn most_bytes(&self) -> u64 {
        self.0.iter().map(|share| share.bytes).max().unwrap_or_default()
    }

    /// The most packets that a record of one way tells of, and how many such records tell of any.
    pub fn of_ways(&self) -> (u64, usize) {
        let told = self.0.iter().filter(|share| share.source == Source::RecordOfWay && share.packets > 0);
        (told.clone().map(|share| share.packets).max().unwrap_or_default(), told.count())
    }

    /// Whether packets were seen themselves, and not records alone.
    pub fn has_packets(&self) -> bool {
        self.0.iter().any(|share| share.source == Source::Packets)
    }

    /// Whether a record of one way tells of more bytes than packets have that open, acknowledge or reset.
    pub fn has_data_of_way(&self) -> bool {
        /// The header of IPv6, and the longest of TCP (RFC 9293, section 3.1).
        const MOST_HEADERS: u64 = 40 + 60;
        let has_data = |share: &Share| share.packets > 0 && share.bytes / share.packets > MOST_HEADERS;
        self.0.iter().filter(|share| share.source == Source::RecordOfWay).any(has_data)
    }

    /// The runs that saw some of it.
    pub fn runs(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|share| share.run)
    }

    /// Packets and bytes, given the time of each run.
    pub fn total(&self, runs: &[Taken<'_>]) -> (u64, u64) {
        if let [share] = self.0[..] {
            return (share.packets, share.bytes);
        }
        let mut places: BTreeMap<(u16, u32), BTreeMap<usize, (u64, u64)>> = BTreeMap::new();
        let (mut records, mut of_ways) = ((0u64, 0u64), (0u64, 0u64));
        for Share { stage, point, source, run, packets, bytes } in &self.0 {
            let sum = match source {
                Source::Packets => places.entry((*stage, *point)).or_default().entry(*run).or_default(),
                Source::Record => &mut records,
                Source::RecordOfWay => &mut of_ways,
            };
            *sum = (sum.0.saturating_add(*packets), sum.1.saturating_add(*bytes));
        }
        places.values().map(|by_run| fullest_row(by_run, runs)).max().unwrap_or_default().max(records).max(of_ways)
    }
}

/// The most that runs which follow each other saw together: weighted interval scheduling over their spans.
fn fullest_row(by_run: &BTreeMap<usize, (u64, u64)>, runs: &[Taken<'_>]) -> (u64, u64) {
    let mut row: Vec<(Taken<'_>, (u64, u64))> =
        by_run.iter().filter_map(|(run, sum)| runs.get(*run).map(|taken| (*taken, *sum))).collect();
    row.sort_by_key(|(taken, sum)| (taken.span.last, taken.span.first, taken.interface, *sum));
    let mut all = Row::default();
    let mut by_interface: BTreeMap<Option<&str>, Row<'_>> = BTreeMap::new();
    for (taken, sum) in row {
        let before = if taken.interface.is_none() {
            all.best_before(taken)
        } else {
            let rows = [taken.interface, None].map(|interface| by_interface.get(&interface));
            rows.into_iter().flatten().map(|row| row.best_before(taken)).max().unwrap_or_default()
        };
        let best = (before.0.saturating_add(sum.0), before.1.saturating_add(sum.1));
        all.push(taken, best);
        by_interface.entry(taken.interface).or_default().push(taken, best);
    }
    all.0.last().map(|end| end.best_so_far).unwrap_or_default()
}

/// Runs by the end of their spans, then by its start.
#[derive(Default)]
struct Row<'r>(Vec<RowEnd<'r>>);

struct RowEnd<'r> {
    taken: Taken<'r>,
    /// The most that runs saw together of which this is the last.
    best: (u64, u64),
    /// The best of this and all before it.
    best_so_far: (u64, u64),
}

impl<'r> Row<'r> {
    fn push(&mut self, taken: Taken<'r>, best: (u64, u64)) {
        let best_so_far = self.0.last().map_or(best, |end| end.best_so_far.max(best));
        self.0.push(RowEnd { taken, best, best_so_far });
    }

    /// The most that runs saw together which a later one follows: any that had ended when it began, and of those that ended
    /// a little after that the ones that are long enough for it.
    fn best_before(&self, later: Taken<'_>) -> (u64, u64) {
        let had_ended = |span: Span| span.last <= later.span.first && span != later.span;
        let ended = self.0.partition_point(|end| had_ended(end.taken.span));
        let most_s = most_overlap_s(length_s(later.span));
        let beyond = self.0[ended..].iter().take_while(|end| overlap_s(later.span, end.taken.span) <= most_s);
        let beyond = beyond.filter(|end| follows(later, end.taken)).map(|end| end.best).max();
        self.0[..ended].last().map(|end| end.best_so_far).max(beyond).unwrap_or_default()
    }
}

/// Whether a run may be the next part of another one.
pub(super) fn follows(later: Taken<'_>, earlier: Taken<'_>) -> bool {
    if are_other(later.interface, earlier.interface) {
        return false;
    }
    let gap_s = later.before.map_or(f64::INFINITY, |before| later.span.first.seconds_since(before));
    let (later, earlier) = (later.span, earlier.span);
    let shorter_s = length_s(later).min(length_s(earlier));
    let is_later = later.first > earlier.first || later.last > earlier.last;
    is_later && overlap_s(later, earlier) <= most_overlap_s(shorter_s).min(gap_s)
}

fn length_s(span: Span) -> f64 {
    span.last.seconds_since(span.first)
}

fn overlap_s(later: Span, earlier: Span) -> f64 {
    earlier.last.seconds_since(later.first)
}

/// How much runs may overlap of which the shorter is so long.
fn most_overlap_s(shorter_s: f64) -> f64 {
    OVERLAP_S.min(OVERLAP_SHARE * shorter_s)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Sent;

    fn span(first_s: i64, last_s: i64) -> Span {
        Span { first: Timestamp::new(first_s, 0), last: Timestamp::new(last_s, 0) }
    }

    fn tally(places: &[(u32, u64)]) -> Tally {
        places.iter().map(|(point, packets)| Sent { point: *point, packets: *packets, bytes: 100 * packets }).collect()
    }

    fn total(runs: &[Span], seen: &[(usize, &[(u32, u64)])]) -> u64 {
        let mut volume = Volume::default();
        for (run, places) in seen {
            volume.add(*run, &tally(places));
        }
        let (packets, bytes) = volume
            .total(&runs.iter().map(|span| Taken { span: *span, interface: None, before: None }).collect::<Vec<_>>());
        assert_eq!(bytes, 100 * packets);
        packets
    }

    #[test]
    fn places_of_one_run_saw_the_same_packets() {
        assert_eq!(total(&[span(0, 9)], &[(0, &[(1, 5), (2, 7)])]), 7);
    }

    #[test]
    fn a_capture_that_was_split_adds_up_place_by_place() {
        // the packet at the cut was seen at place 1 before it and at place 2 behind it
        let whole = total(&[span(0, 9)], &[(0, &[(1, 5), (2, 5)])]);
        let parts = total(&[span(0, 4), span(4, 9)], &[(0, &[(1, 3), (2, 2)]), (1, &[(1, 2), (2, 3)])]);
        assert_eq!((whole, parts), (5, 5));
    }

    #[test]
    fn runs_of_one_time_saw_the_same_packets() {
        assert_eq!(total(&[span(0, 9), span(1, 8)], &[(0, &[(0, 5)]), (1, &[(0, 6)])]), 6);
        assert_eq!(total(&[span(3, 3), span(3, 3)], &[(0, &[(0, 1)]), (1, &[(0, 1)])]), 1);
    }

    #[test]
    fn a_whole_capture_beside_its_parts_adds_nothing() {
        let runs = [span(0, 9), span(0, 4), span(5, 9)];
        assert_eq!(total(&runs, &[(0, &[(0, 9)]), (1, &[(0, 4)]), (2, &[(0, 5)])]), 9);
    }

    #[test]
    fn a_place_that_sees_a_packet_before_and_after_translation_counts_it_once() {
        let (mut near, mut far) = (Volume::default(), Volume::default());
        near.add(0, &tally(&[(1, 4)]));
        far.add(0, &tally(&[(1, 4)]));
        near.extend_with_stage(far);
        assert_eq!(near.total(&[Taken { span: span(0, 9), interface: None, before: None }]).0, 4);
    }

    #[test]
    fn two_sensors_whose_files_begin_at_other_moments_saw_the_same_packets() {
        let packets = |spans: &[Span]| {
            let mut volume = Volume::default();
            // all at second 60, in the first file of one and in the second one of the other
            volume.add(0, &tally(&[(0, 7)]));
            volume.add(spans.len() - 1, &tally(&[(0, 7)]));
            volume.total(&Taken::all(spans.iter().map(|span| (*span, None)))).0
        };
        assert_eq!(packets(&[span(0, 61), span(62, 120), span(0, 58), span(59, 118)]), 7);
        assert_eq!(packets(&[span(0, 61), span(59, 118)]), 14, "a little out of order");
        assert_eq!(packets(&[span(0, 61), span(0, 50), span(59, 118)]), 14, "another one that was not the part before");
    }

    #[test]
    fn records_add_up_and_those_of_both_ways_saw_the_packets_of_those_of_each() {
        let record = |packets: u64, is_of_way: bool| {
            let mut volume = Volume::default();
            volume.add(0, &tally(&[(0, packets)]));
            volume.of_record(is_of_way)
        };
        let total = |records: &[(u64, bool)]| {
            let mut volume = Volume::default();
            for (packets, is_of_way) in records {
                volume.extend(record(*packets, *is_of_way));
            }
            volume.total(&[Taken { span: span(0, 9), interface: None, before: None }]).0
        };
        assert_eq!(total(&[(5, true), (4, true)]), 9);
        assert_eq!(total(&[(5, false), (4, false)]), 9);
        assert_eq!(total(&[(5, true), (4, true), (8, false)]), 9);
    }

    #[test]
    fn two_interfaces_never_follow_each_other() {
        let mut volume = Volume::default();
        (0..2).for_each(|run| volume.add(run, &tally(&[(0, 7)])));
        let taken = |interfaces: [Option<&'static str>; 2]| {
            let spans = [span(0, 5), span(5, 9)];
            spans
                .into_iter()
                .zip(interfaces)
                .map(|(span, interface)| Taken { span, interface, before: None })
                .collect::<Vec<_>>()
        };
        let packets = |interfaces| volume.total(&taken(interfaces)).0;
        assert_eq!(packets([Some("a/eth0"), Some("a/eth1")]), 7);
        assert_eq!(packets([Some("a/eth0"), Some("a/eth0")]), 14, "the second after the first");
        assert_eq!(packets([Some("a/eth0"), None]), 14, "a file may be its next part");
    }

    /// The definition: the best that ends with each run, of all that it may follow.
    fn fullest_row_one_by_one(by_run: &BTreeMap<usize, (u64, u64)>, runs: &[Taken<'_>]) -> (u64, u64) {
        let mut row: Vec<_> = by_run.iter().map(|(run, sum)| (runs[*run], *sum)).collect();
        row.sort_by_key(|(taken, sum)| (taken.span.last, taken.span.first, taken.interface, *sum));
        let mut best: Vec<(u64, u64)> = Vec::new();
        for (n, (taken, sum)) in row.iter().enumerate() {
            let before = (0..n).filter(|m| follows(*taken, row[*m].0)).map(|m| best[m]).max().unwrap_or_default();
            best.push((before.0.saturating_add(sum.0), before.1.saturating_add(sum.1)));
        }
        best.into_iter().max().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn the_fullest_row_is_the_best_of_all(
            seen in prop::collection::vec(
                (
                    (0i64..600, prop_oneof![0i64..4, 0i64..300]),
                    0usize..3,
                    (0u64..5, prop_oneof![0u64..5, Just(u64::MAX)]),
                    prop::option::of(0i64..9),
                ),
                0..40,
            ),
        ) {
            const INTERFACES: [Option<&str>; 3] = [None, Some("a/eth0"), Some("a/eth1")];
            let tenths = |tenths: i64| Timestamp(tenths * 100_000_000);
            let runs: Vec<Taken<'_>> = seen
                .iter()
                .map(|((first, length), interface, _, gap)| Taken {
                    span: Span { first: tenths(*first), last: tenths(first + length) },
                    interface: INTERFACES[*interface],
                    before: gap.map(|gap| tenths(first - gap)),
                })
                .collect();
            let by_run = seen.iter().map(|it| it.2).enumerate().collect();
            prop_assert_eq!(fullest_row(&by_run, &runs), fullest_row_one_by_one(&by_run, &runs));
        }
    }
}
