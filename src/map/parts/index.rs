//! An index of the streams between two ends: by the numbers of their sides, and by their times.

use std::collections::BTreeSet;

use super::{GAP_BYTES, SAME_STREAM_S, is_within_s, length};
use crate::{
    map::connections::Connection,
    model::{Span, Trace},
};

/// From the first number to where the stream stood last, of the lower end and of the higher; none where nothing was seen.
pub(super) type Sides = [Option<(u32, u32)>; 2];

pub(super) fn sides(connection: &Connection) -> Sides {
    let Trace { identity, answer, src_end, dst_end, .. } = connection.trace;
    let side = |begin: u32, end: u32| (end != 0).then_some((begin, end));
    let (client, server) = (side(identity, src_end), side(answer, dst_end));
    if connection.client <= connection.server { [client, server] } else { [server, client] }
}

/// What streams are found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// The number of the client.
    Identity,
    /// The number of the server.
    Answer,
    /// A stretch of the numbers of one side, in buckets. Those of which both sides were seen stand apart: such a part has to
    /// fit them on both, so that either of its sides finds them.
    Side { side: usize, is_both: bool },
}

/// All numbers, in buckets of [`GAP_BYTES`].
const BUCKETS: u32 = u32::MAX / GAP_BYTES + 1;
/// A stretch over more buckets than these, of 64 MiB, stands in one for all such: most part find little in common with it,
/// and it would fill the index.
const MANY_BUCKETS: u32 = 64;
/// The bucket of long stretches.
const LONG: u32 = BUCKETS;

/// The buckets that a stretch reaches into; none where they are too many. Stretches that meet have one in common.
fn buckets((begin, end): (u32, u32)) -> Option<impl Iterator<Item = u32>> {
    let first = begin / GAP_BYTES;
    let further = (u64::from(begin % GAP_BYTES) + u64::from(length(begin, end))) / u64::from(GAP_BYTES);
    let further = u32::try_from(further).ok().filter(|further| *further < MANY_BUCKETS)?;
    Some((0..=further).map(move |n| (first + n) % BUCKETS))
}

/// Tells which streams a part may belong to. What a stream was before it took a part stays in it: that finds one too many,
/// and none too few.
#[derive(Default)]
pub(super) struct Index {
    numbers: BTreeSet<(By, u32, usize)>,
    times: Times,
}

impl Index {
    /// Adds a stream, or what has become of it.
    pub fn set(&mut self, n: usize, whole: &Connection) {
        let sides = sides(whole);
        self.times.set(n, Bounds { span: whole.span, seen: 1 << seen(sides) });
        let Trace { identity, answer, lump, .. } = whole.trace;
        if !lump.is_record() {
            // an opening is known by no number of a record
            self.numbers.insert((By::Identity, identity, n));
            self.numbers.insert((By::Answer, answer, n));
        }
        for (side, stretch) in sides.into_iter().enumerate() {
            let Some(stretch) = stretch else { continue };
            let by = By::Side { side, is_both: sides.iter().all(Option::is_some) };
            match buckets(stretch) {
                Some(buckets) => self.numbers.extend(buckets.map(|bucket| (by, bucket, n))),
                None => drop(self.numbers.insert((by, LONG, n))),
            }
        }
    }

    /// The first that takes an opening: it asked with its number, or one beside it, or the other way with those of both.
    pub fn opened(&self, (identity, answer): (u32, u32), takes: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        let near = [identity.wrapping_sub(1), identity, identity.wrapping_add(1), answer].map(|it| (By::Identity, it));
        let all = near.into_iter().chain([(By::Answer, identity)]);
        all.fold(None, |found, (by, number)| self.first(by, number, found, takes))
    }

    /// The first that takes a part, of those whose stretch of one side a number lies in, or near.
    pub fn near(&self, side: usize, number: u32, takes: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        let by = [false, true].map(|is_both| By::Side { side, is_both });
        let all = by.into_iter().flat_map(|by| [(by, number / GAP_BYTES), (by, LONG)]);
        all.fold(None, |found, (by, bucket)| self.first(by, bucket, found, takes))
    }

    /// The first that takes the part, of those of its time of which other sides were seen and those near its numbers.
    pub fn continued(&self, part: Sides, span: Span, takes: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        let apart =
            (0u8..4).filter(|seen_of_whole| seen_of_whole & seen(part) == 0).fold(0, |all, seen| all | 1 << seen);
        // how far apart they may be, those that are looked at tell
        let is_near = |whole: Span| is_within_s(whole, span, SAME_STREAM_S);
        let mut found = self.times.first(&|whole| whole.seen & apart != 0 && is_near(whole.span), takes);
        let length = |side: &usize| part[*side].map(|(begin, end)| length(begin, end));
        let shorter = (0..2).filter(|side| part[*side].is_some()).min_by_key(length);
        for (side, is_both) in [(0, false), (0, true), (1, false), (1, true)] {
            let Some(stretch) = part[side].filter(|_| !is_both || Some(side) == shorter) else { continue };
            let by = By::Side { side, is_both };
            found = match buckets(stretch) {
                Some(buckets) => buckets.chain([LONG]).fold(found, |found, n| self.first(by, n, found, takes)),
                None if self.numbers.range((by, 0, 0)..=(by, LONG, usize::MAX)).next().is_none() => found,
                None => return (0..found.unwrap_or(self.times.len())).find(|n| takes(*n)).or(found),
            };
        }
        found
    }

    /// The first in a bucket that takes the part, where it comes before what was found.
    fn first(&self, by: By, number: u32, found: Option<usize>, takes: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        let before = self.numbers.range((by, number, 0)..(by, number, found.unwrap_or(usize::MAX)));
        before.map(|(.., n)| *n).find(|n| takes(*n)).or(found)
    }
}

/// Which sides were seen, a bit for each.
fn seen(sides: Sides) -> u8 {
    u8::from(sides[0].is_some()) | u8::from(sides[1].is_some()) << 1
}

/// What streams have in common.
#[derive(Clone, Copy)]
struct Bounds {
    span: Span,
    /// A bit for every [`seen`] that occurs.
    seen: u8,
}

/// So many bounds are put together into those of the row above.
const FANOUT: usize = 16;

/// The bounds of each stream, and in every further row those of [`FANOUT`] of the row before, up to a single one.
#[derive(Default)]
struct Times(Vec<Vec<Bounds>>);

impl Times {
    fn len(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }

    /// Sets the bounds of a stream, the next one or one of those that are there.
    fn set(&mut self, mut n: usize, mut bounds: Bounds) {
        for level in 0.. {
            if level == self.0.len() {
                self.0.push(Vec::new());
            }
            let row = &mut self.0[level];
            match row.get_mut(n) {
                Some(known) => *known = bounds,
                None => row.push(bounds),
            }
            if row.len() == 1 {
                return;
            }
            n /= FANOUT;
            for other in row.iter().skip(n * FANOUT).take(FANOUT) {
                bounds.span.join(other.span);
                bounds.seen |= other.seen;
            }
        }
    }

    /// The first stream that is possible by its bounds and takes the part.
    fn first(&self, is_possible: &dyn Fn(&Bounds) -> bool, takes: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        self.first_below(self.0.len().checked_sub(1)?, 0, is_possible, takes)
    }

    fn first_below(
        &self,
        level: usize,
        n: usize,
        is_possible: &dyn Fn(&Bounds) -> bool,
        takes: &mut dyn FnMut(usize) -> bool,
    ) -> Option<usize> {
        self.0.get(level)?.get(n).filter(|bounds| is_possible(bounds))?;
        if level == 0 {
            return takes(n).then_some(n);
        }
        (n * FANOUT..(n + 1) * FANOUT).find_map(|below| self.first_below(level - 1, below, is_possible, takes))
    }
}
