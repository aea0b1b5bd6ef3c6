use std::ops::Range;

use super::{Frame, LinkType};
use crate::model::Timestamp;

/// Frames one after the other in the bytes of a file: what is handed from one thread to the next. The bytes are not copied
/// for it.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) frames: Vec<Head>,
}

/// A frame without its bytes.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub time: Timestamp,
    pub link: LinkType,
    pub interface: u32,
    pub wire_length: u32,
    /// Where its bytes are.
    pub data: Range<usize>,
}

impl Head {
    /// The frame, in the bytes that it is in.
    pub fn frame<'b>(&self, bytes: &'b [u8]) -> Frame<'b> {
        let Self { time, link, interface, wire_length, ref data } = *self;
        Frame { time, link, interface, wire_length, data: bytes.get(data.clone()).unwrap_or_default() }
    }
}

impl Batch {
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

    /// A frame by its number.
    #[must_use]
    pub fn get(&self, n: usize) -> Option<Frame<'_>> {
        self.frames.get(n).map(|head| head.frame(&self.bytes))
    }

    /// The frames of these numbers, in their order.
    pub fn range(&self, numbers: Range<usize>) -> impl Iterator<Item = Frame<'_>> {
        self.frames.get(numbers).unwrap_or_default().iter().map(|head| head.frame(&self.bytes))
    }

    /// Takes all out; the room is kept.
    pub fn clear(&mut self) {
        self.frames.clear();
    }
}
