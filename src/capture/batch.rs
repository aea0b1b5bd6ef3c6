use std::ops::Range;

use super::{Frame, LinkType};
use crate::model::Timestamp;

/// Frames beyond which a batch is full.
const MAX_FRAMES: usize = 4_096;
/// Bytes beyond which it is: with what is made of them they stay in a core's own cache.
const MAX_BYTES: usize = 256 << 10;

/// Some frames one after the other, with their bytes: what is handed from one thread to the next.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Head>,
}

#[derive(Debug)]
struct Head {
    time: Timestamp,
    link: LinkType,
    interface: u32,
    wire_length: u32,
    data: Range<usize>,
}

impl Batch {
    /// Adds a frame.
    pub fn push(&mut self, frame: &Frame<'_>) {
        let Frame { time, link, interface, wire_length, data } = *frame;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.frames.push(Head { time, link, interface, wire_length, data: start..self.bytes.len() });
    }

    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether it is time to hand it on.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.frames.len() >= MAX_FRAMES || self.bytes.len() >= MAX_BYTES
    }

    /// A frame by its number.
    #[must_use]
    pub fn get(&self, n: usize) -> Option<Frame<'_>> {
        self.frames.get(n).map(|head| self.frame(head))
    }

    /// The frames of these numbers, in their order.
    pub fn range(&self, numbers: Range<usize>) -> impl Iterator<Item = Frame<'_>> {
        self.frames.get(numbers).unwrap_or_default().iter().map(|head| self.frame(head))
    }

    /// Takes all out; the room is kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    fn frame(&self, head: &Head) -> Frame<'_> {
        let Head { time, link, interface, wire_length, ref data } = *head;
        Frame { time, link, interface, wire_length, data: self.bytes.get(data.clone()).unwrap_or_default() }
    }
}
