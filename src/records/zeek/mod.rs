//! Zeek's `conn.log`, as its ASCII writer (<https://docs.zeek.org/en/master/frameworks/logging.html>) and its JSON writer
//! write it: one connection a line.

mod conn;
mod history;
mod json;
mod service;
mod tsv;

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use xxhash_rust::xxh3::Xxh3;

use super::{
    Fault, FlowRecord, Line,
    line::{Lines, Text},
};
use crate::model::Note;
use conn::{Columns, Notes};

pub(super) use json::is_record;
pub(super) use tsv::is_header;

/// How the lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Columns with a separator, named by `#fields`.
    Tsv,
    /// One JSON object a line.
    Json,
}

/// Reads connections.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    layout: Layout,
    header: tsv::Header,
    notes: Notes,
    digest: Xxh3,
}

impl<R: Read> Reader<R> {
    pub fn new(layout: Layout, inner: R) -> Self {
        let (header, notes) = Default::default();
        Self { lines: Lines::new(inner), layout, header, notes, digest: Xxh3::new() }
    }

    /// The next line that is a record: what `#` begins in columns are headers.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let text = self.lines.next_or_comment()?;
            let read = match text {
                None => return Ok(None),
                Some(Text::TooLong) => Err(Fault::TooLong),
                Some(Text::Whole(bytes)) if self.layout == Layout::Tsv && bytes.starts_with(b"#") => {
                    // the same lines under other headers are other records
                    if self.header.read(bytes) {
                        self.digest.update(bytes);
                        self.digest.update(b"\n");
                    }
                    continue;
                }
                Some(Text::Whole(bytes)) => {
                    self.digest.update(bytes);
                    self.digest.update(b"\n");
                    record(self.layout, &self.header, &mut self.notes, bytes)
                }
            };
            let line = self.lines.number;
            return Ok(Some(read.map_or_else(|fault| Line::NotUsed { line, fault }, Line::Flow)));
        }
    }

    pub fn digest(&self) -> u64 {
        self.digest.digest()
    }

    pub fn notes(&self) -> BTreeMap<Note, u64> {
        Note::counted([(Note::ZeekMissedBytes, self.notes.missed)])
    }
}

fn record(layout: Layout, header: &tsv::Header, notes: &mut Notes, bytes: &[u8]) -> Result<FlowRecord, Fault> {
    match layout {
        Layout::Tsv => conn::record(&header.columns(bytes)?, notes),
        Layout::Json => {
            let row = json::Row::read(bytes)?;
            conn::record(&Columns(row.0.each_ref().map(Option::as_deref)), notes)
        }
    }
}

#[cfg(test)]
mod tests;
