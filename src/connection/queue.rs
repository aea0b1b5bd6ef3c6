//! Packets before their connections are found: several are looked for at once, so that the waits for memory overlap.

use super::{
    arrival::Arrival,
    book::{Book, Spot},
    context::Context,
    index,
    table::Table,
    tuple::Address,
};
use crate::model::Timestamp;

/// Packets whose connections are looked for at once: more memory at a time is not fetched side by side.
const AHEAD: usize = 32;

/// Above all numbers of packets.
pub(super) const NO_MORE: u32 = u32::MAX;

/// Packets of one address family.
pub(super) struct Queue<'p, A> {
    /// Those whose connections are looked for, and where; the first of them are taken.
    window: &'p [Arrival<A>],
    spots: [Spot; AHEAD],
    taken: usize,
    rest: &'p [Arrival<A>],
}

impl<'p, A: Address> Queue<'p, A> {
    pub fn new(packets: &'p [Arrival<A>]) -> Self {
        let spots = [Spot { tag: 0, likely: index::NONE }; AHEAD];
        Self { window: &[], spots, taken: 0, rest: packets }
    }

    /// The number of the next packet, or [`NO_MORE`].
    pub fn next_number(&self) -> u32 {
        self.window.get(self.taken).or(self.rest.first()).map_or(NO_MORE, |packet| packet.number)
    }

    /// How many packets are to be looked for next, and when the first of them came: what was live just before it stays so. `None` as
    /// long as some were looked for.
    pub fn due(&self) -> Option<(usize, Timestamp)> {
        if self.taken < self.window.len() {
            return None;
        }
        let window = self.rest.get(..AHEAD).unwrap_or(self.rest);
        window.first().map(|first| (window.len(), first.time()))
    }

    /// Looks for the next packets' connections.
    fn look_ahead(&mut self, table: &Table<A>) {
        let (window, rest) = self.rest.split_at(self.rest.len().min(AHEAD));
        (self.window, self.rest, self.taken) = (window, rest, 0);
        // in passes, each of which asks for what the next one needs: a branch on what is not there yet would make the
        // others wait. What the reads give is not wanted, the reads themselves are
        for (spot, packet) in self.spots.iter_mut().zip(window) {
            spot.tag = table.tag(&packet.tuple);
        }
        let spots = self.spots.get_mut(..window.len()).unwrap_or_default();
        let mut touched = spots.iter().fold(0, |sum, spot| sum ^ table.touch_home(spot.tag));
        for spot in spots.iter_mut() {
            spot.likely = table.likely(spot.tag);
        }
        touched ^= spots.iter().fold(0, |sum, spot| sum ^ table.touch(spot.likely));
        std::hint::black_box(touched);
    }

    /// Takes packets to their connections, as far as their numbers are below `until`, but no further than [`Queue::due`].
    pub fn take(
        &mut self,
        until: u32,
        (book, table): (&mut Book, &mut Table<A>),
        contexts: &[Context],
        mut tell: impl FnMut(u32),
    ) {
        if self.taken == self.window.len() {
            self.look_ahead(table);
        }
        let waiting = self.window.iter().zip(&self.spots).skip(self.taken);
        for (packet, spot) in waiting.take_while(|(packet, _)| packet.number < until) {
            if book.take(table, packet, contexts, *spot) {
                tell(packet.number);
            }
            self.taken += 1;
        }
    }
}
