//! Packets that are reported to connections, in bounded memory.
//!
//! One packet is reported at several points of its way, by the nodes of both its ends, and most packets are not reported
//! at all. So a connection is known by its ends alone, and each point counts by itself: as with captures, the map takes the
//! fullest.

use std::{collections::hash_map::Entry, hash::BuildHasher};

use foldhash::HashMap;

use super::{
    Packet,
    live::{Ends, Live, Side},
};
use crate::model::Observation;

/// Hours of connections of one generation, and the most of one connection; two generations are held. Some 300 bytes each.
pub const MAX_HELD: usize = 32_768;

/// The connections that were seen last: those of the present generation, and of the one before.
pub struct Table {
    max: usize,
    young: HashMap<Ends, Live>,
    /// Hours of the young ones.
    held: usize,
    old: HashMap<Ends, Live>,
    done: Vec<Observation>,
    verdicts: Verdicts,
}

impl Table {
    pub fn new(max: usize) -> Self {
        let (young, old) = Default::default();
        Self { max, young, held: 0, old, done: Vec::new(), verdicts: Verdicts::default() }
    }

    pub fn take(&mut self, packet: &Packet) {
        let (ends, sender) = match Side::of(packet.sender, packet.receiver) {
            Side::Lower => ((packet.protocol, packet.sender, packet.receiver), Side::Lower),
            Side::Higher => ((packet.protocol, packet.receiver, packet.sender), Side::Higher),
        };
        let young = self.young.remove(&ends);
        self.held -= young.as_ref().map_or(0, Live::hours);
        let mut live = young.or_else(|| self.old.remove(&ends)).unwrap_or_default();
        live.take(packet, sender);
        if live.hours() >= self.max {
            self.finish(&ends, live);
            return;
        }
        if self.held >= self.max {
            self.held = 0;
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            for (ends, live) in old {
                self.finish(&ends, live);
            }
        }
        self.held += live.hours();
        self.young.insert(ends, live);
    }

    /// How many streams were left out, for only a policy's verdict is known of them.
    pub fn verdicts_alone(&self) -> u64 {
        self.verdicts.alone()
    }

    /// The observations of what was forgotten.
    pub fn drain(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.done)
    }

    /// Those of all that is left.
    pub fn end(&mut self) -> Vec<Observation> {
        let left = std::mem::take(&mut self.young).into_iter().chain(std::mem::take(&mut self.old));
        for (ends, live) in left {
            self.finish(&ends, live);
        }
        self.held = 0;
        self.drain()
    }

    fn finish(&mut self, ends: &Ends, live: Live) {
        let is_verdicts_alone = live.is_verdicts_alone(ends.0);
        if ends.0.is_stream() {
            self.verdicts.note(ends, is_verdicts_alone);
        }
        if !is_verdicts_alone {
            self.done.extend(live.observations(ends));
        }
    }
}

/// Of which streams a policy's verdict is all that is known. What else there is of one may have been told long before it or after.
#[derive(Default)]
struct Verdicts {
    /// Whether it is all, by a number of the ends.
    streams: HashMap<u64, bool>,
    /// Those that came when there were too many.
    uncompared: u64,
}

impl Verdicts {
    /// Streams that are compared; some 9 MB.
    const MOST: usize = 262_144;

    fn note(&mut self, ends: &Ends, is_all: bool) {
        let number = self.streams.hasher().hash_one(ends);
        let has_room = self.streams.len() < Self::MOST;
        match self.streams.entry(number) {
            Entry::Occupied(mut known) => *known.get_mut() &= is_all,
            Entry::Vacant(free) if has_room => drop(free.insert(is_all)),
            Entry::Vacant(_) => self.uncompared += u64::from(is_all),
        }
    }

    fn alone(&self) -> u64 {
        self.uncompared + self.streams.values().filter(|is_all| **is_all).count() as u64
    }
}
