//! Packets that a log reports, one by one and not all that there were, and the connections that they are of.

mod live;
mod table;

use std::{
    io::{self, Read},
    net::IpAddr,
};

use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

use super::{
    Answers, Fault, Line,
    line::{Lines, Text},
};
use crate::model::{ApplicationSighting, Control, Observation, Protocol, Timestamp};
use table::Table;

pub(super) use table::MAX_HELD;

/// A log of which each line tells of a packet.
pub(super) struct Log<R> {
    lines: Lines<R>,
    table: Table,
    digest: Xxh3,
}

impl<R: Read> Log<R> {
    /// One that holds so many connections and hours.
    pub fn new(inner: R, max_held: usize) -> Self {
        Self { lines: Lines::new(inner), table: Table::new(max_held), digest: Xxh3::new() }
    }

    /// The next line, of which a packet is read.
    pub fn next_line(&mut self, read: impl FnOnce(&[u8]) -> Result<Packet, Fault>) -> io::Result<Option<Line>> {
        let read = match self.lines.next_or_comment()? {
            None => return Ok(None),
            Some(Text::TooLong) => Err(Fault::TooLong),
            Some(Text::Whole(bytes)) => {
                self.digest.update(bytes);
                self.digest.update(b"\n");
                read(bytes)
            }
        };
        Ok(Some(match read {
            Ok(packet) => {
                self.table.take(&packet);
                Line::Packet { time: packet.time, answers: packet.answers, application: packet.application }
            }
            Err(fault) => Line::NotUsed { line: self.lines.number, fault },
        }))
    }

    /// The observations of what was forgotten.
    pub fn observations(&mut self) -> Vec<Observation> {
        self.table.drain()
    }

    /// Those of all that is left.
    pub fn end(&mut self) -> Vec<Observation> {
        self.table.end()
    }

    /// How many streams were left out, for only a policy's verdict is known of them.
    pub fn verdicts_alone(&self) -> u64 {
        self.table.verdicts_alone()
    }

    /// A number for all lines.
    pub fn digest(&self) -> u64 {
        self.digest.digest()
    }
}

/// An address with a port; 0 for protocols without.
pub type End = (IpAddr, u16);

/// What a packet means for its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The sender opens.
    Open,
    /// The sender agrees.
    Agree,
    /// The sender refuses or breaks; one that knows of a connection acknowledges what it has of it, and so does one that refuses what
    /// acknowledges nothing itself (RFC 9293, section 3.10.7.1).
    Reset { acknowledges: bool },
    /// No segment of a connection, for past the opening all acknowledge: FIN, NULL and Xmas scans.
    Probe,
    /// Anything else: whether data was carried, and whether the sender closes.
    Traffic { has_data: bool, closes: bool },
}

impl Event {
    /// What a segment means, by its flags.
    pub fn of_segment(flags: TcpFlags) -> Self {
        match flags {
            TcpFlags { rst: true, ack, .. } => Self::Reset { acknowledges: ack },
            TcpFlags { syn: true, ack: false, .. } => Self::Open,
            TcpFlags { syn: true, ack: true, .. } => Self::Agree,
            TcpFlags { ack: false, .. } => Self::Probe,
            TcpFlags { psh, fin, .. } => Self::Traffic { has_data: psh, closes: fin },
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Forwarded,
    /// It was forwarded, but a policy in audit mode would not have let it pass.
    Audited,
    /// A policy did not let it pass.
    Denied,
    /// Dropped for another reason.
    Dropped,
}

/// What a packet tells of who is the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// By itself whether it is a reply: an opening, a message of ICMP or of an L7 proxy.
    ByItself(bool),
    /// By the entry of Cilium's connection tracking: whether it goes the other way than the packet that the entry was made for.
    ByEntry(bool),
    /// The entry was made for it, though it opens nothing: whoever happened to send first after the entry before was gone.
    /// What the new entry says from then on is no more than that.
    Midway,
    Nothing,
}

impl Told {
    /// What a packet tells by itself; of a message of ICMP by what it is to who sends it.
    pub fn of(event: Event, control: Option<Control>) -> Self {
        match (control, event) {
            (Some(Control::Asks), _) | (None, Event::Open) => Self::ByItself(false),
            (Some(Control::Answers), _) | (None, Event::Agree) => Self::ByItself(true),
            (Some(Control::Tells) | None, _) => Self::Nothing,
        }
    }
}

/// A packet that a log tells of.
#[derive(Clone, Debug)]
pub struct Packet {
    pub time: Timestamp,
    pub protocol: Protocol,
    pub sender: End,
    pub receiver: End,
    pub event: Event,
    pub verdict: Verdict,
    /// Whether it came from the server.
    pub told: Told,
    /// Whether its being first tells nothing of who began: an error, an announcement.
    pub is_untold: bool,
    /// Whether it is a policy's word on the packet that a connection begins with, given once and never on what comes back.
    pub is_verdict: bool,
    /// Whether it was seen where it is handed to whom it is for: no policy and no lack of room keeps it any more.
    pub is_delivered: bool,
    /// Where it was seen. A message of an L7 proxy is no packet, and was seen nowhere.
    pub point: Option<u32>,
    /// What a DNS answer said.
    pub answers: Option<Answers>,
    /// What is spoken.
    pub application: Option<ApplicationSighting>,
}

/// The flags of a segment, as far as they are asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "UPPERCASE")]
#[expect(clippy::struct_excessive_bools, reason = "flags of TCP")]
pub struct TcpFlags {
    pub fin: bool,
    pub syn: bool,
    pub rst: bool,
    pub psh: bool,
    pub ack: bool,
}
