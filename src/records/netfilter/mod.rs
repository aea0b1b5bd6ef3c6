//! The kernel's log of packets that a rule of a firewall logs (`nft ... log`, iptables' `LOG`, ufw, firewalld, Shorewall), as
//! journald, a syslog daemon or `dmesg` hand it on: one line a packet, in the words of Linux' `net/netfilter/nf_log_syslog.c`.
//!
//! What became of the packet the kernel does not say: whoever wrote the rule says it in the prefix. A time is taken where
//! it tells its year and its zone.

mod entry;
mod packet;

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use super::{
    Fault, Line,
    reported::{Log, MAX_HELD},
};
use crate::model::Observation;
use entry::Entry;

/// Whether a file that begins so is such a log: the kernel logs much else, so that any line may be the first.
pub(super) fn is_log(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').any(packet::is_logged)
}

/// Reads packets that were logged.
pub(super) struct Reader<R> {
    log: Log<R>,
    notes: Notes,
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
        Self { log: Log::new(inner, MAX_HELD), notes: Notes::default() }
    }

    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let notes = &mut self.notes;
        self.log.next_line(|line| {
            let packet = Entry::read(line).and_then(|entry| packet::read(&entry));
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

    pub fn digest(&self) -> u64 {
        self.log.digest()
    }

    pub fn notes(&self) -> BTreeMap<&'static str, u64> {
        let Notes { dropped, undated, of_unknown_fate } = self.notes;
        let all = [
            (
                "packets that a firewall dropped, by the prefixes of its rules: attempts, which make no rule. Rules have limits, and logs too: \
                 counts are the least, and no bytes are told",
                dropped,
            ),
            (
                "packets of a firewall's log left out, for their times have no year or no zone: `journalctl -k -o short-iso` tells both",
                undated,
            ),
            ("packets of a firewall's log left out, for no prefix says whether they were dropped", of_unknown_fate),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests;
