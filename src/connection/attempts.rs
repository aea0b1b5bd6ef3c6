//! Attempts that nobody answered yet, in the order in which they were made, and how often those of a source failed.
//!
//! A sweep makes attempts by the thousand, each between ends of its own. They would drive out of the table what is in use,
//! and cost a slot each for as long as idle connections are kept.

use std::{collections::VecDeque, hash::BuildHasher, net::IpAddr};

use foldhash::fast::FixedState;

use super::index::SlotId;
use crate::model::Timestamp;

/// An attempt without an answer has failed after so many seconds: a SYN is sent again after 1 (RFC 6298), and no host is
/// further away.
const PATIENCE_S: f64 = 3.0;

/// Attempts that are watched at once. Beyond that the oldest are judged early.
const MAX_WATCHED: usize = 65_536;

/// Failed attempts that a source may have in the table like any other connections.
const OFTEN: u16 = 128;

/// Sources are counted by a hash of so many bits. Two that share a count are given up a little early, and lose nothing.
const SOURCE_BITS: u32 = 14;

pub(super) struct Attempts {
    watched: VecDeque<(SlotId, Timestamp)>,
    /// Failed attempts by source; empty until the first fails.
    failed: Vec<u16>,
    hasher: FixedState,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { watched: VecDeque::new(), failed: Vec::new(), hasher: FixedState::with_seed(0) }
    }
}

impl Attempts {
    /// Watches a new one.
    pub fn push(&mut self, id: SlotId, time: Timestamp) {
        self.watched.push_back((id, time));
    }

    /// The oldest, when its time is over, with when it was made.
    pub fn due(&mut self, now: Timestamp) -> Option<(SlotId, Timestamp)> {
        let (_, time) = self.watched.front()?;
        let is_due = now.seconds_since(*time).abs() > PATIENCE_S || self.watched.len() > MAX_WATCHED;
        if is_due { self.watched.pop_front() } else { None }
    }

    /// Counts a failed attempt of a source; tells whether it has had many.
    pub fn has_failed_often(&mut self, source: IpAddr) -> bool {
        self.failed.resize(1 << SOURCE_BITS, 0);
        let place = self.hasher.hash_one(source) >> (u64::BITS - SOURCE_BITS);
        let Some(count) = usize::try_from(place).ok().and_then(|place| self.failed.get_mut(place)) else {
            return false;
        };
        *count = count.saturating_add(1);
        *count > OFTEN
    }
}
