//! Flow logs to observations: what others have counted, for those who have no packets.
//!
//! A CSV and Zeek's logs are read line by line into a [`FlowRecord`], and those become observations as packets do. A record
//! says how many connections and hours it stands for ([`Lump`](crate::model::Lump)), and mostly who the client was. Hubble
//! and the kernel's log of a firewall tell of packets: they are gathered to connections first.

mod csv;
mod hubble;
mod json;
mod line;
mod log_start;
mod netfilter;
mod number;
mod record;
mod reported;
mod zeek;

use std::{
    collections::BTreeMap,
    io::{self, Read},
    net::IpAddr,
};

use crate::model::{ApplicationSighting, Note, Observation, Timestamp};

pub use log_start::{LogStart, NoLogStart};
pub use record::{Detail, FlowRecord};

/// Bytes from the start of a file that are enough to know its format.
pub const HEAD_BYTES: usize = 4_096;

/// A format of flow logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header that names the columns.
    Csv,
    /// Zeek's `conn.log` in columns.
    ZeekTsv,
    /// Zeek's `conn.log` as JSON lines.
    ZeekJson,
    /// Hubble's flows as JSON lines.
    Hubble,
    /// The kernel's log of packets that a firewall logs.
    Netfilter,
}

impl Format {
    /// The format of a file that begins so; it is told by the bytes and never by the name.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        let line = line::trimmed(line::first_or_comment(head));
        if zeek::is_header(head) {
            return Some(Self::ZeekTsv);
        }
        if zeek::is_record(line) {
            return Some(Self::ZeekJson);
        }
        if hubble::is_record(line) {
            return Some(Self::Hubble);
        }
        if netfilter::is_log(head) {
            return Some(Self::Netfilter);
        }
        csv::is_header(line::first(head)).then_some(Self::Csv)
    }

    /// Whether a log of it tells of nothing but what did not pass.
    #[must_use]
    pub fn tells_drops_alone(self) -> bool {
        self == Self::Netfilter
    }
}

/// A flow log, or a compressed file, in a form that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// Text of two bytes a letter.
    #[error("text in UTF-16, which is not read")]
    Utf16,
    /// Line ends of old Macintoshes, as some spreadsheets still write them.
    #[error("a flow CSV whose lines end with a carriage return alone")]
    CarriageReturns,
    /// A spreadsheet's, where the comma is for decimals.
    #[error("a flow CSV with semicolons between its columns")]
    Semicolons,
    /// Columns with tabs between, without Zeek's header.
    #[error("flow records with tabs between their columns")]
    Tabs,
    /// The objects of a log in one JSON array.
    #[error("a JSON array of {0} records")]
    JsonArray(
        /// Whose.
        &'static str,
    ),
    /// The objects of a log over several lines each, made to be read by people.
    #[error("{0} records over several lines each")]
    SpreadJson(
        /// Whose.
        &'static str,
    ),
    /// A file that must be decompressed first.
    #[error("compressed by {0}, which is not read")]
    Compressed(
        /// What wrote it.
        &'static str,
    ),
}

/// What compressed files begin with that are not read, and whose they are.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"BZh", "bzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
];

impl Foreign {
    /// What a file is that begins so; `None` where it is none of these. [`Format::of`] comes first.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        if let Some((_, by)) = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Some(Self::Compressed(by));
        }
        if is_utf16(head) {
            return Some(Self::Utf16);
        }
        let text = line::trimmed(head);
        if let Some(array) = text.strip_prefix(b"[") {
            return whose(array.trim_ascii_start()).map(Self::JsonArray);
        }
        if text.starts_with(b"{") {
            return whose(text).map(Self::SpreadJson);
        }
        let first = line::first(head);
        if csv::is_header(first.split(|byte| *byte == b'\r').next()?) {
            return Some(Self::CarriageReturns);
        }
        let with = |separator: u8| {
            let commas: Vec<u8> = first.iter().map(|byte| if *byte == separator { b',' } else { *byte }).collect();
            csv::is_header(commas.split(|byte| *byte == b'\r').next().unwrap_or_default())
        };
        match () {
            () if with(b';') => Some(Self::Semicolons),
            () if with(b'\t') => Some(Self::Tabs),
            () => None,
        }
    }

    /// What turns it into one that is read.
    #[must_use]
    pub fn cure(self) -> &'static str {
        match self {
            Self::Utf16 => "save it as UTF-8, or: iconv -f UTF-16 -t UTF-8",
            Self::CarriageReturns => "end the lines with a line feed: tr '\\r' '\\n'",
            Self::Semicolons => "a flow CSV has commas: where no field holds one, tr ';' ','",
            Self::Tabs => "a flow CSV has commas: where no field holds one, tr '\\t' ','",
            Self::JsonArray(_) => "logs have one object a line: jq -c '.[]'",
            Self::SpreadJson(_) => "logs have one object a line: jq -c .",
            Self::Compressed(_) => "read are gzip and zstd; decompress it first, `-` reads what another program writes",
        }
    }
}

/// Whose records text begins with, if anybody's.
fn whose(text: &[u8]) -> Option<&'static str> {
    match () {
        () if zeek::is_record(text) => Some("Zeek"),
        () if hubble::is_record(text) => Some("Hubble"),
        () => None,
    }
}

/// Whether text has two bytes a letter: by its mark, or by its first letters, which are ASCII in all that is read.
fn is_utf16(head: &[u8]) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [a, 0, b, 0, c, 0, d, 0, ..] | [0, a, 0, b, 0, c, 0, d, ..] => [*a, *b, *c, *d].into_iter().all(is_letter),
        _ => false,
    }
}

/// Why a file cannot be read as a flow log at all.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// A column that every record needs is not in the header.
    #[error("no column for the {what}: its header names none of {}", names.join(", "))]
    MissingColumn {
        /// What the column says.
        what: &'static str,
        /// What it may be called.
        names: &'static [&'static str],
    },
    /// Two columns say the same.
    #[error("two columns for the {what}")]
    TwoColumns {
        /// What they say.
        what: &'static str,
    },
    /// The system would not read it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Letters of a wrong value that a message repeats.
const MAX_SHOWN: usize = 80;

/// Why a line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A field that must be there is empty or missing.
    #[error("no {0}")]
    Missing(&'static str),
    /// A field is not what it should be.
    #[error("{what} `{value}` is not {expected}")]
    Field {
        /// Which field.
        what: &'static str,
        /// What stands there, cut to a bound.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// The last time lies before the first.
    #[error("last seen before it was first seen")]
    Backwards,
    /// The line is longer than any record.
    #[error("longer than {} bytes", line::MAX_BYTES)]
    TooLong,
    /// The file ends within the line.
    #[error("cut short: the file ends in it, before all columns of the header")]
    Cut,
    /// A quote takes what is behind it with it, and does not end, or not where a field does.
    #[error("in a quote that is not closed")]
    OpenQuote,
    /// The header before it does not do for a record.
    #[error("its header lacks a column that every record needs, or has one twice")]
    NoColumns,
    /// The line is not text.
    #[error("not UTF-8")]
    NotText,
    /// The line is no JSON object, or cut short.
    #[error("not JSON")]
    NotJson,
    /// JSON of another shape.
    #[error("not {what}: {why}")]
    Shape {
        /// What it should be.
        what: &'static str,
        /// What the reader says, cut to a bound.
        why: String,
    },
    /// No header says what the columns are.
    #[error("no #fields before it")]
    NoHeader,
    /// The line has more or fewer fields than its header.
    #[error("not as many fields as #fields names")]
    FieldCount,
    /// It ends later than any time.
    #[error("it ends later than any time")]
    Endless,
    /// A line of another log than the one of connections.
    #[error("of another log than conn")]
    OtherLog,
    /// What a log tells of a frame that is not of IP.
    #[error("a frame without IP, no flow")]
    NotIp,
    /// A protocol that the log does not name.
    #[error("its protocol is not named")]
    UnknownTransport,
    /// A protocol with ports, without them.
    #[error("its ports are not named")]
    NoPorts,
    /// An ICMP error, which the log does not tie to what it answers.
    #[error("ICMP unreachable: it answers another flow")]
    Unreachable,
    /// Neighbours that look for one another.
    #[error("neighbour discovery, no flow")]
    Discovery,
    /// No packet of it was whole.
    #[error("a connection of which no packet was seen whole")]
    NothingSeen,
    /// What a socket translated, without the ends of a connection.
    #[error("a translation at a socket, no packet")]
    SocketEvent,
    /// A request that was denied within a connection.
    #[error("an L7 message that was denied, within a connection that was not")]
    DeniedMessage,
    /// Whether it went through is not said.
    #[error("no verdict whether it was forwarded")]
    NoVerdict,
    /// A packet that was logged and let through.
    #[error("let through, by the prefix of its rule: that shows no answer")]
    LetThrough,
    /// A packet that was logged for whatever reason.
    #[error("its prefix does not say whether it was dropped, by a word such as DROP, DENY, REJECT or BLOCK")]
    UnknownFate,
    /// When it was is not said.
    #[error("no time, or one without its year or its zone: `journalctl -k -o short-iso` tells all, or --log-start")]
    Undated,
    /// The word of a loss.
    #[error("word of lost flows, no flow")]
    LostEvents,
    /// A line about something else.
    #[error("no flow")]
    NoFlow,
}

impl Fault {
    /// Whether something is broken. Else the line is whole, and of no use here.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        !matches!(
            self,
            Self::OtherLog
                | Self::NotIp
                | Self::UnknownTransport
                | Self::NoPorts
                | Self::Unreachable
                | Self::Discovery
                | Self::NothingSeen
                | Self::SocketEvent
                | Self::DeniedMessage
                | Self::NoVerdict
                | Self::LetThrough
                | Self::UnknownFate
                | Self::Undated
                | Self::LostEvents
                | Self::NoFlow
        )
    }

    /// The kind of damage, for counting: without the value.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Missing(what) => format!("record: no {what}"),
            Self::Field { what, expected, .. } => format!("record: {what} is not {expected}"),
            Self::Shape { what, .. } => format!("record: not {what}"),
            other => format!("record: {other}"),
        }
    }
}

/// One line of a flow log.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A record.
    Flow(FlowRecord),
    /// A packet of a connection that [`Reader::observations`] or [`Reader::end`] tells.
    Packet {
        /// When it was seen.
        time: Timestamp,
        /// What it said of names.
        answers: Option<Answers>,
        /// What it said is spoken.
        application: Option<ApplicationSighting>,
    },
    /// One that is not used: it is damaged ([`Fault::is_damage`]), or whole and of no use here.
    NotUsed {
        /// Its line, from 1.
        line: u64,
        /// Why not.
        fault: Fault,
    },
}

/// A DNS answer that a log tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The name that was asked for, as the log has it.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// How long they are to be relied on, in seconds.
    pub ttl_s: u32,
    /// Who asked.
    pub asked_by: IpAddr,
}

/// Reads the records of one flow log.
pub struct Reader<R>(Inner<R>);

enum Inner<R> {
    Csv(Box<csv::Reader<R>>),
    Zeek(Box<zeek::Reader<R>>),
    Hubble(Box<hubble::Reader<R>>),
    Netfilter(Box<netfilter::Reader<R>>),
}

impl<R: Read> Reader<R> {
    /// Reads the header, where there is one, and gets ready for the records.
    pub fn new(format: Format, inner: R) -> Result<Self, RecordsError> {
        Ok(Self(match format {
            Format::Csv => Inner::Csv(Box::new(csv::Reader::new(inner)?)),
            Format::ZeekTsv => Inner::Zeek(Box::new(zeek::Reader::new(zeek::Layout::Tsv, inner))),
            Format::ZeekJson => Inner::Zeek(Box::new(zeek::Reader::new(zeek::Layout::Json, inner))),
            Format::Hubble => Inner::Hubble(Box::new(hubble::Reader::new(inner))),
            Format::Netfilter => Inner::Netfilter(Box::new(netfilter::Reader::new(inner))),
        }))
    }

    /// Says when the log began: the times of a firewall's log may tell no year or no zone. Other formats need it not.
    #[must_use]
    pub fn with_log_start(mut self, start: LogStart) -> Self {
        if let Inner::Netfilter(reader) = &mut self.0 {
            reader.set_start(start);
        }
        self
    }

    /// The next record, or none at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        match &mut self.0 {
            Inner::Csv(reader) => reader.next_line(),
            Inner::Zeek(reader) => reader.next_line(),
            Inner::Hubble(reader) => reader.next_line(),
            Inner::Netfilter(reader) => reader.next_line(),
        }
    }

    /// Takes out what packets so far have come to, as far as it is told no more.
    pub fn observations(&mut self) -> Vec<Observation> {
        match &mut self.0 {
            Inner::Hubble(reader) => reader.observations(),
            Inner::Netfilter(reader) => reader.observations(),
            _ => Vec::new(),
        }
    }

    /// Takes out the rest, at the end.
    pub fn end(&mut self) -> Vec<Observation> {
        match &mut self.0 {
            Inner::Hubble(reader) => reader.end(),
            Inner::Netfilter(reader) => reader.end(),
            _ => Vec::new(),
        }
    }

    /// What must be said of the log as a whole, with how often: its own loss, and what its counts are worth. All of it is known
    /// after [`Reader::end`].
    #[must_use]
    pub fn notes(&self) -> BTreeMap<Note, u64> {
        match &self.0 {
            Inner::Csv(reader) => reader.notes(),
            Inner::Zeek(reader) => reader.notes(),
            Inner::Hubble(reader) => reader.notes(),
            Inner::Netfilter(reader) => reader.notes(),
        }
    }

    /// A number for all that came in: equal records in equal order have the same, however their lines end.
    #[must_use]
    pub fn digest(&self) -> u64 {
        match &self.0 {
            Inner::Csv(reader) => reader.digest(),
            Inner::Zeek(reader) => reader.digest(),
            Inner::Hubble(reader) => reader.digest(),
            Inner::Netfilter(reader) => reader.digest(),
        }
    }
}

#[cfg(test)]
mod tests;
