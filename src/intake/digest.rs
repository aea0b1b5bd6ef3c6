//! A number for all frames of a capture in their order, whose parts can be made apart and put together.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::capture::Frame;

/// Bytes of each packet that tell one capture from another, beside its time and lengths.
const DIGEST_BYTES: usize = 128;

/// An odd number, so that no step loses anything: the golden ratio of 64 bits.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The polynomial of the frames' hashes at [`FACTOR`], modulo 2^64 (Karp and Rabin, "Efficient randomized pattern-matching
/// algorithms", 1987).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    sum: u64,
    /// The factor to the power of how many frames there were.
    power: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { sum: 0, power: 1 }
    }
}

impl Digest {
    /// Takes in the next frame; the hash of it without its time.
    pub fn add(&mut self, frame: &Frame<'_>) -> u64 {
        let captured = u64::try_from(frame.data.len()).unwrap_or(u64::MAX);
        let lengths = captured.rotate_left(32) ^ u64::from(frame.wire_length) ^ u64::from(frame.link.0).rotate_left(48);
        let content = xxh3_64_with_seed(frame.data.get(..DIGEST_BYTES).unwrap_or(frame.data), lengths);
        let with_time = (content ^ frame.time.0.cast_unsigned()).wrapping_mul(FACTOR);
        self.then(Self { sum: with_time ^ with_time >> 32, power: FACTOR });
        content
    }

    /// Puts the digest of what comes behind to this one.
    pub fn then(&mut self, later: Self) {
        self.sum = self.sum.wrapping_mul(later.power).wrapping_add(later.sum);
        self.power = self.power.wrapping_mul(later.power);
    }

    /// The number. It tells apart also how many frames there were.
    pub fn number(self) -> u64 {
        self.sum ^ self.power.rotate_left(32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{capture::LinkType, model::Timestamp};

    fn digest(frames: &[&[u8]]) -> Digest {
        let mut digest = Digest::default();
        for (n, data) in frames.iter().enumerate() {
            let time = Timestamp(i64::try_from(n).unwrap() % 2);
            let _ = digest.add(&Frame { time, link: LinkType::ETHERNET, interface: 0, wire_length: 60, data });
        }
        digest
    }

    #[test]
    fn parts_made_apart_give_the_number_of_the_whole() {
        let frames: [&[u8]; 6] = [b"a", b"b", b"c", b"d", b"", b"f"];
        for cut in [0, 2, 4, 6] {
            let (mut begin, end) = (digest(&frames[..cut]), digest(&frames[cut..]));
            begin.then(end);
            assert_eq!(begin, digest(&frames));
        }
    }

    #[test]
    fn other_frames_another_order_or_fewer_give_another_number() {
        let whole = digest(&[b"a", b"b", b"c", b"d"]).number();
        for other in [&[b"a", b"d", b"c", b"b"][..], &[b"a", b"b", b"c"], &[b"a", b"b", b"c", b"x"], &[]] {
            let other: Vec<&[u8]> = other.iter().map(|it| it.as_slice()).collect();
            assert_ne!(digest(&other).number(), whole);
        }
    }
}
