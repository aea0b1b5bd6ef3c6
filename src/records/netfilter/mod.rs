//! The kernel's log of packets that a rule of a firewall logs (`nft ... log`, iptables' `LOG`, ufw, firewalld, Shorewall), as
//! journald, a syslog daemon or `dmesg` hand it on: one line a packet, in the words of Linux' `net/netfilter/nf_log_syslog.c`.
//!
//! What became of the packet the kernel does not say: whoever wrote the rule says it in the prefix. A time is taken where
//! it tells its year and its zone, or where is said when the log began.

mod entry;
mod packet;

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    Fault, Line, LogStart,
    reported::{Log, MAX_HELD},
};
use crate::model::{Note, Observation};
use entry::Entry;

/// Whether a file that begins so is such a log: the kernel logs much else, so that any line may be the first.
pub(super) fn is_log(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').any(packet::is_logged)
}

/// Reads packets that were logged.
pub(super) struct Reader<R> {
    log: Log<R>,
    notes: Notes,
    start: Option<LogStart>,
    /// Whether a time was told by the start.
    is_placed: bool,
}

/// What must be said of a log: what its packets are worth, and what was left out for want of a word.
#[derive(Default)]
struct Notes {
    dropped: u64,
    undated: u64,
    of_unknown_fate: u64,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R) -> Self {
        Self { log: Log::new(inner, MAX_HELD), notes: Notes::default(), start: None, is_placed: false }
    }

    /// Says when it began, for lines that do not tell year and zone.
    pub fn set_start(&mut self, start: LogStart) {
        self.start = Some(start);
    }

    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let Self { log, notes, start, is_placed } = self;
        log.next_line(|line| {
            let packet = Entry::read(line, *start).and_then(|entry| {
                *is_placed |= entry.is_placed;
                packet::read(&entry)
            });
            match &packet {
                Ok(_) => notes.dropped += 1,
                Err(Fault::Undated) => notes.undated += 1,
                Err(Fault::UnknownFate) => notes.of_unknown_fate += 1,
                Err(_) => {}
            }
            packet
        })
    }

    pub fn observations(&mut self) -> Vec<Observation> {
        self.log.observations()
    }

    pub fn end(&mut self) -> Vec<Observation> {
        self.log.end()
    }

    /// Where the start told times, what it told is part of the number.
    pub fn digest(&self) -> u64 {
        let lines = self.log.digest();
        match self.start.filter(|_| self.is_placed) {
            Some(start) => xxh3_64_with_seed(&start.bytes(), lines),
            None => lines,
        }
    }

    pub fn notes(&self) -> BTreeMap<Note, u64> {
        let Notes { dropped, undated, of_unknown_fate } = self.notes;
        Note::counted([
            (Note::FirewallDropped, dropped),
            (Note::FirewallUndated, undated),
            (Note::FirewallFateUnknown, of_unknown_fate),
        ])
    }
}

#[cfg(test)]
mod tests;
