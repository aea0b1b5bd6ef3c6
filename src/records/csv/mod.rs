//! The flow CSV: a header that names the columns in any order and case, then one record a line. Columns that are not
//! known are passed over. A record goes over several lines where a quote does.

mod cells;
mod columns;
mod one_way;

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use xxhash_rust::xxh3::Xxh3;

use super::{
    Fault, FlowRecord, Line, RecordsError,
    line::{Lines, Text, trimmed, without_end},
};
use crate::model::Note;
use cells::{Quotes, cells};
use columns::{Columns, End};

pub(super) use columns::is_header;

/// Reads records.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    /// Those of the header that was read last; none where it lacks one that every record needs.
    columns: Option<Columns>,
    /// Lines that an open quote took, and that are to be told: from this number on, and how many.
    swallowed: (u64, u64),
    /// Records at the end of the file that may have lost a part of their last field.
    open: u64,
    digest: Xxh3,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R) -> Result<Self, RecordsError> {
        let mut lines = Lines::new(inner);
        let names = match lines.next()? {
            Some(Text::Whole(line)) => cells(&String::from_utf8_lossy(line)),
            _ => Vec::new(),
        };
        let columns = Some(Columns::of(&names)?);
        let mut reader = Self { lines, columns, swallowed: (0, 0), open: 0, digest: Xxh3::new() };
        reader.digest.update(names.join(",").to_ascii_lowercase().as_bytes());
        Ok(reader)
    }

    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let (line, left) = self.swallowed;
            if left > 0 {
                self.swallowed = (line + 1, left - 1);
                return Ok(Some(Line::NotUsed { line, fault: Fault::OpenQuote }));
            }
            let is_too_long = match self.lines.next()? {
                None => return Ok(None),
                Some(text) => matches!(text, Text::TooLong),
            };
            let line = self.lines.number;
            let is_closed = is_too_long || self.close_quotes()?;
            let read = if is_too_long { Err(Fault::TooLong) } else { self.read(line, is_closed) };
            let read = match read {
                Ok(None) => continue,
                Ok(Some(record)) => Ok(record),
                Err(fault) => {
                    let is_one_record = is_closed && fault != Fault::OpenQuote;
                    self.swallowed = (line + 1, if is_one_record { 0 } else { self.lines.number - line });
                    Err(fault)
                }
            };
            return Ok(Some(read.map_or_else(|fault| Line::NotUsed { line, fault }, Line::Flow)));
        }
    }

    /// Takes the lines that a quote goes on in. Tells whether it ends as a cell does, before they are too long for a record.
    fn close_quotes(&mut self) -> io::Result<bool> {
        let mut quotes = Quotes::default();
        let first = trimmed(self.lines.text());
        self.digest.update(first);
        self.digest.update(b"\n");
        quotes.take(first);
        let is_one_line = !quotes.is_open();
        while quotes.is_open() || self.lines.is_lost && !self.lines.is_ended {
            let Some(more) = self.lines.lengthen()? else { return Ok(false) };
            self.digest.update(without_end(more));
            self.digest.update(b"\n");
            quotes.take(more);
        }
        Ok(is_one_line || !quotes.is_odd && !self.lines.is_lost)
    }

    /// The record of what was read last from a line on; none where that is a further header.
    fn read(&mut self, first: u64, is_closed: bool) -> Result<Option<FlowRecord>, Fault> {
        let (is_one_line, is_ended) = (first == self.lines.number, self.lines.is_ended);
        if !is_closed {
            return Err(if is_ended { Fault::OpenQuote } else { self.cut() });
        }
        let bytes = trimmed(self.lines.text());
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotText)?;
        let row = cells(text);
        let record = self.columns.as_ref().ok_or(Fault::NoColumns).and_then(|columns| {
            // a quote that stands by itself ends at the next one, wherever that is
            let is_whole = is_one_line || row.len() == columns.count;
            let record = if is_whole { columns.record(&row) } else { Err(Fault::OpenQuote) };
            Ok((record?, columns.end(text, &row)))
        });
        let is_further_header = record.is_err() && is_one_line && is_header(bytes);
        if is_further_header {
            // logs may be put one behind the other
            self.columns = Columns::of(&row).ok();
        }
        match record {
            Err(_) if is_further_header && self.columns.is_some() => Ok(None),
            Err(fault) => Err(if is_further_header { Fault::NoColumns } else { fault }),
            Ok((_, End::Cut)) if !is_ended => Err(self.cut()),
            Ok((record, end)) => {
                self.open += u64::from(end == End::Open && !is_ended);
                Ok(Some(record))
            }
        }
    }

    /// That the file ends in a record: with its line end it is another one, which is used.
    fn cut(&mut self) -> Fault {
        self.digest.update(b"cut");
        Fault::Cut
    }

    pub fn notes(&self) -> BTreeMap<Note, u64> {
        Note::counted([(Note::LastLineOpen, self.open)])
    }

    pub fn digest(&self) -> u64 {
        self.digest.digest()
    }
}
