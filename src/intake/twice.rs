//! Frames that stand in a capture more than once, as where several ports of a switch are mirrored: counted, and taken for what they
//! are, for whether a packet was seen twice or sent twice no frame tells.

use smallvec::SmallVec;

use crate::{capture::Frame, model::Timestamp};

/// Frames before one that may be the same: a switch has few others between the two.
const NEAR: usize = 4;

/// What is the same so soon was not sent again.
const SOON_NS: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    content: u64,
    interface: u32,
    time: Timestamp,
}

impl Seen {
    fn is_same(&self, later: &Self) -> bool {
        (self.content, self.interface) == (later.content, later.interface)
            && self.time.0.abs_diff(later.time.0) <= SOON_NS.unsigned_abs()
    }
}

/// Counts them. Parts of a capture can be counted apart and put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Twice {
    count: u64,
    /// The first frames, and whether each was counted: those of the part before may be the same.
    first: SmallVec<[(Seen, bool); NEAR]>,
    /// The last frames, each in the place of the one that was `NEAR` before it.
    last: [Option<Seen>; NEAR],
    frames: usize,
}

impl Twice {
    /// Takes in the next frame, with a hash of its bytes.
    pub fn add(&mut self, frame: &Frame<'_>, content: u64) {
        let seen = Seen { content, interface: frame.interface, time: frame.time };
        let is_again = self.has_near(&seen);
        self.push(seen, is_again);
    }

    fn push(&mut self, seen: Seen, is_again: bool) {
        self.count += u64::from(is_again);
        if self.first.len() < NEAR {
            self.first.push((seen, is_again));
        }
        self.last[self.frames % NEAR] = Some(seen);
        self.frames += 1;
    }

    /// Puts what was counted of the frames behind to this.
    pub fn then(&mut self, later: &Self) {
        for (seen, is_again) in &later.first {
            let is_again = *is_again || self.has_near(seen);
            self.push(*seen, is_again);
        }
        let told = later.first.iter().filter(|(_, is_again)| *is_again).count();
        self.count += later.count - told as u64;
        self.frames += later.frames - later.first.len();
        if later.frames > NEAR {
            for from_oldest in 0..NEAR {
                self.last[(self.frames + from_oldest) % NEAR] = later.last[(later.frames + from_oldest) % NEAR];
            }
        }
    }

    fn has_near(&self, seen: &Seen) -> bool {
        self.last.iter().flatten().any(|before| before.is_same(seen))
    }

    /// How many frames are the same as one shortly before.
    pub fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;

    /// Frames by their contents, all at one moment but where a gap of 2 ms is (0).
    fn twice(contents: &[u64], gaps: i64) -> (Twice, i64) {
        let (mut twice, mut gaps) = (Twice::default(), gaps);
        for content in contents {
            gaps += i64::from(*content == 0);
            let time = Timestamp(gaps * 2 * SOON_NS);
            let frame = Frame { time, link: LinkType::ETHERNET, interface: 0, wire_length: 0, data: &[] };
            twice.add(&frame, if *content == 0 { u64::MAX - gaps.unsigned_abs() } else { *content });
        }
        (twice, gaps)
    }

    #[test]
    fn what_stands_again_shortly_behind_is_counted() {
        for (contents, count) in [
            (&[1, 1, 2, 2, 3, 3][..], 3),
            (&[1, 2, 3, 1, 2, 3], 3),
            (&[1, 1, 1], 2),
            // too far, or too late
            (&[1, 2, 3, 4, 5, 1], 0),
            (&[1, 0, 1], 0),
            (&[], 0),
        ] {
            assert_eq!(twice(contents, 0).0.count(), count, "{contents:?}");
        }
    }

    #[test]
    fn another_interface_is_another_place() {
        let mut twice = Twice::default();
        for interface in [0, 1] {
            let time = Timestamp(0);
            twice.add(&Frame { time, link: LinkType::ETHERNET, interface, wire_length: 0, data: &[] }, 1);
        }
        assert_eq!(twice.count(), 0);
    }

    #[test]
    fn parts_counted_apart_give_the_count_of_the_whole() {
        let contents = [1, 1, 2, 3, 2, 3, 0, 3, 4, 4, 4, 5, 6, 7, 8, 9, 5, 9, 0, 9, 9];
        let whole = twice(&contents, 0).0;
        for first in 0..=contents.len() {
            for second in first..=contents.len() {
                let (mut all, gaps) = twice(&contents[..first], 0);
                let (middle, gaps) = twice(&contents[first..second], gaps);
                all.then(&middle);
                all.then(&twice(&contents[second..], gaps).0);
                assert_eq!((all.count(), all.frames), (whole.count(), whole.frames), "{first} {second}");
                let seen = |it: &Twice, n: usize| it.last[(it.frames + n) % NEAR];
                (0..NEAR).for_each(|n| assert_eq!(seen(&all, n), seen(&whole, n), "{first} {second}"));
            }
        }
    }
}
