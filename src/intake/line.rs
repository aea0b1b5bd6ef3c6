//! Batches that wait to be read and decoded, in a line: whoever is free takes the first, reads it, lets the next one read and
//! decodes what it read, while the bytes are still at hand.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::decoded::Decoded;
use crate::{capture::Batch, decode::Options};

/// Batches in the order in which they are read.
pub(super) struct Line<'d, F, E> {
    count: usize,
    head: Mutex<Head<'d, F, E>>,
}

struct Head<'d, F, E> {
    waiting: std::slice::IterMut<'d, Decoded>,
    /// Reads the next frames; none when there are no more.
    fill: F,
    ended: Result<(), E>,
}

impl<'d, E: Send, F: FnMut(&mut Batch) -> Result<(), E> + Send> Line<'d, F, E> {
    pub fn new(waiting: &'d mut [Decoded], fill: F) -> Self {
        waiting.iter_mut().for_each(Decoded::clear);
        Self { count: waiting.len(), head: Mutex::new(Head { waiting: waiting.iter_mut(), fill, ended: Ok(()) }) }
    }

    /// Reads and decodes until all are full or nothing is left to read.
    pub fn decode_all(&self, options: &Options) {
        let one = |_| {
            if let Some(decoded) = self.read() {
                decoded.decode(options);
            }
        };
        (0..self.count).into_par_iter().with_max_len(1).for_each(one);
    }

    /// The next one with its frames, unless there are none.
    fn read(&self) -> Option<&'d mut Decoded> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let Head { waiting, fill, ended } = &mut *head;
        let next = waiting.next()?;
        let filled = fill(&mut next.batch);
        let is_last = filled.is_err() || next.batch.is_empty();
        if is_last {
            // those behind it stay empty
            *waiting = [].iter_mut();
            *ended = filled;
        }
        (!next.batch.is_empty()).then_some(next)
    }

    /// How reading ended, where it did.
    pub fn end(self) -> Result<(), E> {
        self.head.into_inner().unwrap_or_else(PoisonError::into_inner).ended
    }
}
