//! Flow logs to observations: what others have counted, for those who have no packets.
//!
//! Each format is read line by line into a [`FlowRecord`], and those become observations as packets do. A record says
//! outright who the client was, and how many connections and hours it stands for ([`Lump`](crate::model::Lump)).

mod csv;
mod line;
mod record;

use std::io::{self, Read};

pub use record::FlowRecord;

/// Bytes from the start of a file that are enough to know its format.
pub const HEAD_BYTES: usize = 4_096;

/// A format of flow logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header that names the columns.
    Csv,
}

impl Format {
    /// The format of a file that begins so; it is told by the bytes and never by the name.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        csv::is_header(line::first(head)).then_some(Self::Csv)
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

/// What is wrong with a record that cannot be used.
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
    /// The line is not text.
    #[error("not UTF-8")]
    NotText,
}

impl Fault {
    /// The kind of damage, for counting: without the value.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Missing(what) => format!("record: no {what}"),
            Self::Field { what, expected, .. } => format!("record: {what} is not {expected}"),
            other => format!("record: {other}"),
        }
    }
}

/// One line of a flow log.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A record.
    Flow(FlowRecord),
    /// One that cannot be used.
    Damaged {
        /// Its line, from 1.
        line: u64,
        /// Why not.
        fault: Fault,
    },
}

/// Reads the records of one flow log.
pub struct Reader<R> {
    csv: csv::Reader<R>,
}

impl<R: Read> Reader<R> {
    /// Reads the header and gets ready for the records.
    pub fn new(format: Format, inner: R) -> Result<Self, RecordsError> {
        match format {
            Format::Csv => Ok(Self { csv: csv::Reader::new(inner)? }),
        }
    }

    /// The next record, or none at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        self.csv.next_line()
    }

    /// A number for all that came in: equal records in equal order have the same, however their lines end.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.csv.digest()
    }
}

#[cfg(test)]
mod tests;
