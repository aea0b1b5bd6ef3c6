//! What each place of a capture saw of one side of a connection: packets and bytes, by place.
//!
//! A packet that crosses a host is captured on several interfaces. All its sightings are counted, each where it was made,
//! and the fullest place is taken in the end: the first place would not do, since it is another one where a capture is
//! split in the middle.

use crate::model::{Sent, Tally};

/// What one place saw, and the number of what further ones did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    point: u32,
    packets: u32,
    bytes: u32,
    further: u32,
}

const NONE: u32 = u32::MAX;

impl Default for Sum {
    fn default() -> Self {
        Self { point: 0, packets: 0, bytes: 0, further: NONE }
    }
}

/// The sums of further places of all connections.
#[derive(Debug)]
pub(super) struct Places {
    sums: Vec<Sum>,
    free: Vec<u32>,
    limit: usize,
    /// Packets that were not counted, for their connection or the table had no room for another place.
    pub left_out: u64,
}

impl Places {
    /// With room for so many sums beside the first of each side.
    pub fn new(limit: usize) -> Self {
        Self { sums: Vec::new(), free: Vec::new(), limit, left_out: 0 }
    }

    /// Whether a packet of so many bytes could overflow a sum.
    pub fn is_full(&self, first: &Sum, bytes: u32) -> bool {
        self.chain(first).any(|sum| sum.bytes.checked_add(bytes).is_none())
    }

    /// Counts a packet; tells whether it is the first one of its place.
    pub fn count(&mut self, first: &mut Sum, point: u32, bytes: u32) -> bool {
        if first.packets == 0 {
            *first = Sum { point, packets: 1, bytes, further: NONE };
            return true;
        }
        if first.point == point {
            first.add(bytes);
            return false;
        }
        let (mut id, mut places) = (first.further, 1);
        while let Some(sum) = self.sums.get_mut(id as usize) {
            if sum.point == point {
                sum.add(bytes);
                return false;
            }
            (id, places) = (sum.further, places + 1);
        }
        let is_full = places >= Tally::MAX_POINTS || self.sums.len() - self.free.len() >= self.limit;
        if is_full {
            self.left_out += 1;
            return false;
        }
        let sum = Sum { point, packets: 1, bytes, further: first.further };
        first.further = if let Some(id) = self.free.pop() {
            self.sums[id as usize] = sum;
            id
        } else {
            self.sums.push(sum);
            u32::try_from(self.sums.len() - 1).unwrap_or(NONE)
        };
        true
    }

    /// What all places saw.
    pub fn all<'s>(&'s self, first: &'s Sum) -> impl Iterator<Item = Sent> {
        self.chain(first).map(|Sum { point, packets, bytes, .. }| Sent {
            point: *point,
            packets: u64::from(*packets),
            bytes: u64::from(*bytes),
        })
    }

    /// Forgets what was seen.
    pub fn clear(&mut self, first: &mut Sum) {
        let mut id = first.further;
        while let Some(sum) = self.sums.get(id as usize) {
            self.free.push(id);
            id = sum.further;
        }
        *first = Sum::default();
    }

    fn chain<'s>(&'s self, first: &'s Sum) -> impl Iterator<Item = &'s Sum> {
        let further = |sum: &&Sum| self.sums.get(sum.further as usize);
        std::iter::successors(Some(first).filter(|sum| sum.packets > 0), further)
    }
}

impl Sum {
    /// Whether one packet was seen, at one place.
    pub fn is_single(&self) -> bool {
        self.packets == 1 && self.further == NONE
    }

    /// The number of its place.
    pub fn place(&self) -> u32 {
        self.point
    }

    /// Whether it is of this place, and has seen packets, and has room for one more of so many bytes.
    #[inline]
    pub fn is_at(&self, point: u32, bytes: u32) -> bool {
        self.packets > 0 && self.point == point && self.bytes.checked_add(bytes).is_some()
    }

    /// One more packet at this place.
    #[inline]
    pub fn add(&mut self, bytes: u32) {
        self.packets += 1;
        self.bytes += bytes;
    }
}
