//! The parts of streams that were captured apart, joined: what one capture met in the middle with what another saw before
//! it, at the same time or elsewhere.
//!
//! A part is taken by the first stream between its ends that it fits. Of ends with many streams - a client that keeps its
//! port, over days - an index tells which it might fit; whether it does, the streams themselves say.

mod index;

use foldhash::HashMap;

use super::connections::{Connection, End, Key, is_same_network};
use crate::model::{Direction, Flags, Opening, PortKind, Protocol, Span, Trace};
use index::{Index, sides};

/// Parts of one stream lie no further apart in its numbers than this: what a capture may lose between them, and far from
/// what chance would bring together.
const GAP_BYTES: u32 = 1 << 20;

/// Of a side that another part did not see it may have missed so much: what fills two seconds of a fast link.
const UNSEEN_BYTES: u32 = 1 << 28;

/// Sightings of one moment by several sensors lie no further apart, in seconds.
const SAME_TIME_S: f64 = 2.0;

/// Records of each way of one stream lie no further apart, in seconds. They are written once a minute, say: idle streams say a
/// word in so long.
const SAME_STREAM_S: f64 = 90.0;

/// A SYN carries no more data than a packet can.
const MOST_IN_SYN_BYTES: u32 = u16::MAX as u32;

/// So few streams are looked through faster than an index is kept.
const FEW: usize = 32;

/// Joins parts into streams.
pub(super) fn join_parts(connections: Vec<(Key, Connection)>) -> Vec<Connection> {
    let mut joined: Vec<Connection> = Vec::with_capacity(connections.len());
    let mut by_ends: HashMap<(Protocol, End, End), Known> = HashMap::default();
    // openings first, then in the order of time: a part finds what it continues
    let mut connections = connections;
    connections.sort_by_key(|(key, connection)| (key.opening == Opening::Unseen, connection.span.first, *key));
    for (key, mut part) in connections {
        if !key.protocol.is_stream() {
            joined.push(part);
            continue;
        }
        let ends = if key.src <= key.dst { (key.protocol, key.src, key.dst) } else { (key.protocol, key.dst, key.src) };
        let known = by_ends.entry(ends).or_default();
        let whole = known.find(&joined, key.opening, &mut part);
        if let Some(n) = whole {
            let whole = &mut joined[known.places[n]];
            take(whole, part);
            known.grown(n, whole);
        } else {
            joined.push(part);
            known.push(&joined);
        }
    }
    joined
}

fn take(whole: &mut Connection, mut part: Connection) {
    if whole.client != part.client {
        // both asked: what else is known tells who serves
        part.turn();
        whole.direction = Direction::Unknown;
    }
    whole.take_part(part);
}

/// Whether an opening is one of which a part is known.
fn takes_opening(whole: &Connection, part: &Connection) -> bool {
    is_answered(whole, part) || is_crossed(whole, part)
}

/// Whether a part belongs to a stream, by the numbers of each side that both saw; where they saw different sides, by time.
/// The part is turned to lie as the stream does.
fn is_continued(whole: &Connection, part: &mut Connection) -> bool {
    lay_as(whole, part);
    let (a, b) = (&whole.trace, &part.trace);
    let sides = [(a.identity, a.src_end, b.identity, b.src_end), (a.answer, a.dst_end, b.answer, b.dst_end)];
    let mut both_saw = sides.into_iter().filter(|(_, a_end, _, b_end)| *a_end != 0 && *b_end != 0).peekable();
    if both_saw.peek().is_none() {
        // a record of a flow log is of one connection, whatever networks it crossed
        let is_blind =
            |it: &Trace| !it.lump.is_record() && (it.identity, it.answer, it.src_end, it.dst_end) == (0, 0, 0, 0);
        if is_blind(a) && is_blind(b) && !is_same_network(whole, part) {
            return false;
        }
        return is_within_s(whole.span, part.span, apart_s(whole, part)) && is_acknowledged(whole, part);
    }
    both_saw.all(|(a, a_end, b, b_end)| is_within(b, a, a_end) || is_within(a, b, b_end))
}

/// Of two parts that saw different sides whether what the first packet of the later one acknowledges may be what the earlier one saw.
fn is_acknowledged(whole: &Connection, part: &Connection) -> bool {
    let (early, late) = if part.span.first < whole.span.first { (part, whole) } else { (whole, part) };
    let (a, b) = (&early.trace, &late.trace);
    let sides = [(a.identity, a.src_end, b.identity, b.src_end), (a.answer, a.dst_end, b.answer, b.dst_end)];
    sides.into_iter().all(|(begin, end, acknowledged, b_end)| {
        let is_known = end != 0 && b_end == 0 && acknowledged != 0;
        let from = begin.wrapping_sub(UNSEEN_BYTES);
        let reach = end.wrapping_sub(begin).saturating_add(2 * UNSEEN_BYTES);
        !is_known || acknowledged.wrapping_sub(from) <= reach
    })
}

fn lay_as(whole: &Connection, part: &mut Connection) {
    if whole.client != part.client {
        part.turn();
    }
}

fn is_same_time(a: Span, b: Span) -> bool {
    is_within_s(a, b, SAME_TIME_S)
}

fn is_within_s(a: Span, b: Span, seconds: f64) -> bool {
    a.first.seconds_since(b.last) <= seconds && b.first.seconds_since(a.last) <= seconds
}

/// How far two parts of one stream may lie apart that have no number in common.
///
/// A stream that had been answered goes on. One of which no more was seen than an attempt shows goes on only from a port that is
/// given out for one connection: who binds a port tries again from it. What was turned away is another attempt, or the end of one
/// that had been forgotten.
fn apart_s(whole: &Connection, part: &Connection) -> f64 {
    let has = |it: &Connection, flags: &[Flags]| flags.iter().all(|flag| it.trace.flags.has(*flag));
    let is_refused = [whole, part].iter().any(|it| has(it, &[Flags::REFUSED]));
    let is_answered = has(whole, &[Flags::FROM_SRC, Flags::FROM_DST]);
    let is_given_out = || {
        let ephemeral = [whole.client.1, whole.server.1].map(|port| PortKind::of(port) == PortKind::Ephemeral);
        ephemeral[0] != ephemeral[1]
    };
    let goes_on = is_answered && !is_refused && (!whole.is_too_little() || is_given_out());
    if whole.is_of_ways() && part.is_of_ways() && goes_on { SAME_STREAM_S } else { SAME_TIME_S }
}

/// Whether a part is the answer to an opening that a capture ended with. Made-up captures acknowledge the SYN itself, not
/// what comes behind it.
fn is_answered(whole: &Connection, part: &Connection) -> bool {
    let distance = whole.trace.identity.wrapping_sub(part.trace.identity);
    distance.min(distance.wrapping_neg()) <= 1 && may_be_answered(whole, part)
}

/// Whether a part is the answer to an opening whose SYN carried data, which the answer acknowledges, too (RFC 7413): its client
/// went on behind that.
fn is_answered_with_data(whole: &Connection, part: &Connection) -> bool {
    let Trace { identity, src_end, .. } = whole.trace;
    let acknowledged = part.trace.identity.wrapping_sub(identity);
    let is_sent = src_end != 0 && acknowledged < src_end.wrapping_sub(identity);
    acknowledged <= MOST_IN_SYN_BYTES && is_sent && may_be_answered(whole, part)
}

/// Whether one capture saw who asked and the other one who agreed, at one time. Records of flow logs have no numbers that tell.
fn may_be_answered(whole: &Connection, part: &Connection) -> bool {
    let (asked, agreed) = (whole.trace.flags, part.trace.flags);
    let has_record = [whole, part].into_iter().any(|it| it.trace.lump.is_record());
    !has_record
        && whole.client == part.client
        && asked.has(Flags::ASKED)
        && !asked.has(Flags::AGREED)
        && agreed.has(Flags::AGREED)
        && !agreed.has(Flags::ASKED)
        && part.span.first.seconds_since(whole.span.last).abs() <= SAME_TIME_S
}

/// Whether two openings are one that both sides began at once, each with its own SYN (RFC 9293, section 3.5): one opens with the
/// number that the other was answered with.
fn is_crossed(whole: &Connection, part: &Connection) -> bool {
    let (a, b) = (&whole.trace, &part.trace);
    let answers = |asked: &Trace, other: &Trace| {
        asked.identity != 0 && asked.identity == other.answer && [0, other.identity].contains(&asked.answer)
    };
    whole.client != part.client
        && a.identity != b.identity
        && (answers(a, b) || answers(b, a))
        && is_same_time(whole.span, part.span)
}

/// Whether a number stands in a stretch of a stream, or little behind it. Numbers wrap.
fn is_within(number: u32, begin: u32, end: u32) -> bool {
    number.wrapping_sub(begin) <= length(begin, end)
}

/// How far a stretch of a stream reaches, with what may be lost behind it.
fn length(begin: u32, end: u32) -> u32 {
    end.wrapping_sub(begin).saturating_add(GAP_BYTES)
}

/// The streams between two ends, in the order in which they were met.
#[derive(Default)]
struct Known {
    /// Where each stands among all.
    places: Vec<usize>,
    /// Where they are not few.
    index: Option<Box<Index>>,
}

impl Known {
    /// The first stream that a part belongs to. The part is turned to lie as that one does, else as the last.
    fn find(&self, joined: &[Connection], opening: Opening, part: &mut Connection) -> Option<usize> {
        let (sides, span) = (sides(part), part.span);
        let Trace { identity, answer, .. } = part.trace;
        if opening == Opening::Seen {
            if part.trace.lump.is_record() {
                // it has no number that an opening could be known by, and there may be very many
                return None;
            }
            let mut takes = |n: usize| takes_opening(&joined[self.places[n]], part);
            let mut takes_data = |n: usize| is_answered_with_data(&joined[self.places[n]], part);
            let all = 0..self.places.len();
            return match &self.index {
                None => all.clone().find(|n| takes(*n)).or_else(|| all.clone().find(|n| takes_data(*n))),
                Some(index) => index
                    .opened((identity, answer), &mut takes)
                    .or_else(|| index.near(usize::from(part.client > part.server), identity, &mut takes_data)),
            };
        }
        let mut takes = |n: usize| is_continued(&joined[self.places[n]], part);
        let Some(index) = &self.index else { return (0..self.places.len()).find(|n| takes(*n)) };
        let found = index.continued(sides, span, &mut takes);
        // others were tried after the one that was found
        let lies_as = found.map_or(self.places.last(), |n| self.places.get(n));
        if let Some(place) = lies_as {
            lay_as(&joined[*place], part);
        }
        found
    }

    /// Adds the last of all.
    fn push(&mut self, joined: &[Connection]) {
        let n = self.places.len();
        self.places.push(joined.len() - 1);
        match &mut self.index {
            Some(index) => index.set(n, &joined[joined.len() - 1]),
            None if n < FEW => {}
            None => {
                let mut index = Index::default();
                self.places.iter().enumerate().for_each(|(n, place)| index.set(n, &joined[*place]));
                self.index = Some(Box::new(index));
            }
        }
    }

    /// Notes that a stream has taken a part.
    fn grown(&mut self, n: usize, whole: &Connection) {
        if let Some(index) = &mut self.index {
            index.set(n, whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        map::{connections::by_key, tests::seen as observation},
        model::{Recording, Timestamp, TraceSet},
    };

    /// The definition: each part by the first that takes it, of all between its ends.
    fn joined_one_by_one(mut connections: Vec<(Key, Connection)>) -> Vec<Connection> {
        connections.sort_by_key(|(key, connection)| (key.opening == Opening::Unseen, connection.span.first, *key));
        let mut joined: Vec<Connection> = Vec::new();
        for (key, mut part) in connections {
            let whole = match key.opening {
                Opening::Unseen => joined.iter().position(|whole| is_continued(whole, &mut part)),
                Opening::Seen => {
                    let first = joined.iter().position(|whole| takes_opening(whole, &part));
                    first.or_else(|| joined.iter().position(|whole| is_answered_with_data(whole, &part)))
                }
            };
            match whole {
                Some(whole) => take(&mut joined[whole], part),
                None => joined.push(part),
            }
        }
        joined
    }

    fn one_of<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
        prop::sample::select(values.to_vec())
    }

    /// A number of a side and where it stood last: small steps, so that some meet, and long stretches.
    fn side() -> impl Strategy<Value = (u32, u32)> {
        let begin = prop_oneof![
            1 => Just(0),
            3 => 0u32..40,
            6 => (0u32..4_096, 0u32..3).prop_map(|(bucket, n)| (bucket * GAP_BYTES).wrapping_add(n).wrapping_sub(1)),
        ];
        let length = prop_oneof![4 => 0u32..5, 2 => 0..4 * GAP_BYTES, 1 => 0..200 * GAP_BYTES];
        (begin, length, prop::bool::weighted(0.4))
            .prop_map(|(begin, length, is_blind)| (begin, if is_blind { 0 } else { begin.wrapping_add(length) }))
    }

    fn part() -> impl Strategy<Value = (Opening, bool, Trace, &'static str)> {
        let openings = [Flags::default(), Flags::ASKED, Flags::AGREED, Flags::ASKED.with(Flags::AGREED)];
        let opening = one_of(&[Opening::Seen, Opening::Unseen]);
        let flags = (one_of(&openings), any::<bool>()).prop_map(|(flags, is_src_first)| {
            flags.with(Flags::FROM_SRC).with(if is_src_first { Flags::SRC_FIRST } else { Flags::default() })
        });
        let time = (0u32..3_000, prop_oneof![4 => 0u32..20, 1 => 0u32..500]);
        let record = prop::option::weighted(0.2, (1u32..40, any::<bool>()));
        (opening, any::<bool>(), side(), side(), flags, time, one_of(&["", "1", "2", "1,2"]), record).prop_map(
            |(opening, is_turned, src, dst, flags, (first, length), vlans, record)| {
                let ((identity, src_end), (answer, dst_end)) = (src, dst);
                let (first, last) = (first * 100_000, (first + length) * 100_000);
                let mut trace = Trace { identity, answer, src_end, dst_end, flags, first, last, ..Trace::default() };
                if let Some((number, is_of_way)) = record {
                    let number_back = if opening == Opening::Unseen { number } else { 0 };
                    (trace.identity, trace.answer, trace.src_end, trace.dst_end) = (number, number_back, 0, 0);
                    trace.lump.connections = 1;
                    trace.flags.add(if is_of_way { Flags::UNTOLD } else { Flags::default() });
                }
                (opening, is_turned, trace, vlans)
            },
        )
    }

    proptest! {
        #[test]
        fn a_part_is_taken_by_the_first_that_it_fits(parts in prop::collection::vec(part(), 1..300)) {
            let observations = parts.into_iter().map(|(opening, is_turned, trace, vlans)| {
                let (ends, src_port) =
                    if is_turned { ("10.0.0.2:2049 > 10.0.0.1:700", 2049) } else { ("10.0.0.1:700 > 10.0.0.2:2049", 700) };
                let mut observation = observation(opening, ends, Trace::default());
                observation.key.vlans = vlans.to_owned();
                observation.traces = TraceSet::restore([Trace { src_port, ..trace }], 1);
                observation
            });
            let span = Span::at(Timestamp(0));
            let recordings = [Recording { span, interface: None, observations: observations.collect() }];
            let (parts, same) = (by_key(&recordings), by_key(&recordings));
            prop_assert_eq!(format!("{:?}", join_parts(parts)), format!("{:?}", joined_one_by_one(same)));
        }
    }
}
