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

use xxhash_rust::xxh3::Xxh3;

use super::{
    Fault, Line,
    line::{Lines, Text},
    reported::{MAX_HELD, Packet, Table},
};
use crate::model::Observation;
use entry::Entry;

/// Whether a file that begins so is such a log: the kernel logs much else, so that any line may be the first.
pub(super) fn is_log(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').any(packet::is_logged)
}

/// Reads packets that were logged.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    table: Table,
    notes: Notes,
    digest: Xxh3,
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
        Self { lines: Lines::new(inner), table: Table::new(MAX_HELD), notes: Notes::default(), digest: Xxh3::new() }
    }

    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let read = match self.lines.next_or_comment()? {
            None => return Ok(None),
            Some(Text::TooLong) => Err(Fault::TooLong),
            Some(Text::Whole(bytes)) => {
                self.digest.update(bytes);
                self.digest.update(b"\n");
                packet(bytes)
            }
        };
        let line = self.lines.number;
        let packet = match read {
            Ok(packet) => packet,
            Err(fault) => {
                self.notes.undated += u64::from(fault == Fault::Undated);
                self.notes.of_unknown_fate += u64::from(fault == Fault::UnknownFate);
                return Ok(Some(Line::Damaged { line, fault }));
            }
        };
        self.notes.dropped += 1;
        self.table.take(&packet);
        Ok(Some(Line::Packet { time: packet.time, answers: None, application: None }))
    }

    pub fn observations(&mut self) -> Vec<Observation> {
        self.table.drain()
    }

    pub fn end(&mut self) -> Vec<Observation> {
        self.table.end()
    }

    pub fn digest(&self) -> u64 {
        self.digest.digest()
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

fn packet(line: &[u8]) -> Result<Packet, Fault> {
    let entry = Entry::read(line)?;
    packet::read(&entry)
}

#[cfg(test)]
mod tests;
