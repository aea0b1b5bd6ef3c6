//! Records of logs that tell of each way by itself, as routers and clouds write them, and what they add to a stream.
//!
//! Such a record says that an end sent so many packets, and not which: they may all be SYNs, or resets. Alone, their numbers must do.
//! Beside a sighting that tells what packets were - a capture, Zeek, Hubble, the kernel - that sighting says what the stream is, as if
//! there were no record. A record adds what it did not see: that the other way was in use.

use super::{connections::Connection, volume::Volume};
use crate::model::{Flags, LEAST_PACKETS_OF_TCP, Trace};

/// In so many records of both ways a stream of which none tells more than an attempt would is one that is idle.
const MIN_RECORDS_OF_IDLE: usize = 10;

/// Both sides sent something past the opening.
pub(super) const BOTH_SPOKE: Flags = Flags::FROM_SRC.with(Flags::FROM_DST);

/// What a record of one way says of packets that it does not tell apart.
const OF_WAY: Flags = BOTH_SPOKE.with(Flags::PAYLOAD).with(Flags::REFUSED).with(Flags::LITTLE);

impl Connection {
    /// Whether all that is known of a stream are records of each way.
    pub fn is_of_ways(&self) -> bool {
        let Trace { lump, flags, .. } = self.trace;
        let is_of_way = lump.is_record() && flags.has(Flags::UNTOLD) && self.ways == Flags::default();
        self.protocol.is_stream() && is_of_way
    }

    /// Before another sighting of it is taken in: lays what records of each way say beside what tells more. Whether one of the two is
    /// of such records alone.
    pub fn set_ways_apart(&mut self, other: &mut Self) -> bool {
        let of_ways = match (self.is_of_ways(), other.is_of_ways()) {
            (true, false) => &mut *self,
            (false, true) => &mut *other,
            (true, true) | (false, false) => return false,
        };
        of_ways.ways = of_ways.trace.flags.among(OF_WAY);
        of_ways.trace.flags.remove(OF_WAY);
        true
    }

    /// Takes in what further records of each way say. One that tells of more is of no attempt.
    pub fn join_ways(&mut self, others: Flags) {
        let none = Flags::default();
        let is_little = [self.ways, others].into_iter().all(|ways| ways == none || ways.has(Flags::LITTLE));
        self.ways = self.ways.with(others);
        if !is_little {
            self.ways.remove(Flags::LITTLE);
        }
    }

    /// Which sides sent something past the opening.
    pub fn spoke(&self) -> Flags {
        let of_ways = if self.ways_tell() { self.ways } else { Flags::default() };
        self.trace.flags.with(of_ways).among(BOTH_SPOKE)
    }

    /// Whether an opening was turned away. A record that says so takes nothing back of a stream of which both sides got through, and a
    /// reset without the opening may be the end of one that was in use.
    pub fn is_refused(&self) -> bool {
        let flags = self.trace.flags;
        let is_end = !flags.has(Flags::ASKED) && self.is_in_use_by_ways();
        flags.has(Flags::REFUSED) && !is_end || self.ways.has(Flags::REFUSED) && !flags.has(BOTH_SPOKE)
    }

    /// Whether records of each way show that an opening was answered: by what came back, where that was no reset, or by the bytes of
    /// either side.
    pub fn is_answered_by_ways(&self, is_reset: bool) -> bool {
        let has_come_back = self.spoke().has(Flags::FROM_DST) && !is_reset;
        self.ways_tell() && (has_come_back || self.ways_carry())
    }

    /// Whether both sides spoke, and records of each way tell that they did more than try and refuse.
    pub fn is_in_use_by_ways(&self) -> bool {
        self.ways_tell() && self.spoke() == BOTH_SPOKE && self.ways_carry()
    }

    /// Whether records of each way, beside other sightings, tell of more than an attempt.
    fn ways_tell(&self) -> bool {
        self.ways.has_any(BOTH_SPOKE) && !self.is_too_little()
    }

    /// Whether records of each way tell of more bytes than attempts and their refusals have.
    fn ways_carry(&self) -> bool {
        [&self.from_client, &self.from_server].into_iter().any(Volume::has_data_of_way)
    }

    /// Whether records of each way tell of too few packets for a connection, or of few and of no answer.
    pub fn is_too_little(&self) -> bool {
        let flags = self.trace.flags.with(self.ways);
        let (forth, back) = (self.from_client.of_ways(), self.from_server.of_ways());
        let least = LEAST_PACKETS_OF_TCP.saturating_mul(self.trace.lump.connections);
        // a word each way in many records is an idle stream; attempts have other ports each time
        let is_idle = forth.1.min(back.1) >= MIN_RECORDS_OF_IDLE;
        let is_enough = forth.0.saturating_add(back.0) >= least || is_idle;
        flags.has(Flags::LITTLE) && !(flags.has(BOTH_SPOKE) && is_enough)
    }
}
