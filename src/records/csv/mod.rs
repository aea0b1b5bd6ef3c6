//! The flow CSV: a header that names the columns in any order and case, then one record a line. Columns that are not
//! known are passed over.

mod columns;
mod one_way;

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use xxhash_rust::xxh3::Xxh3;

use super::{
    Fault, Line, RecordsError,
    line::{Lines, Text, fields, trimmed},
};
use columns::{Columns, End};

pub(super) use columns::is_header;

/// Reads records.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    columns: Columns,
    /// Records at the end of the file that may have lost a part of their last field.
    open: u64,
    digest: Xxh3,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R) -> Result<Self, RecordsError> {
        let mut lines = Lines::new(inner);
        let names = match lines.next()? {
            Some(Text::Whole(line)) => fields(&String::from_utf8_lossy(line)),
            _ => Vec::new(),
        };
        let columns = Columns::of(&names)?;
        let mut reader = Self { lines, columns, open: 0, digest: Xxh3::new() };
        reader.digest.update(names.join(",").to_ascii_lowercase().as_bytes());
        Ok(reader)
    }

    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let text = self.lines.next()?;
        let read = match text {
            None => return Ok(None),
            Some(Text::TooLong) => Err(Fault::TooLong),
            Some(Text::Whole(bytes)) => {
                let bytes = trimmed(bytes);
                self.digest.update(bytes);
                self.digest.update(b"\n");
                let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotText);
                text.and_then(|line| {
                    let row = fields(line);
                    Ok((self.columns.record(&row)?, self.columns.end(line, &row)))
                })
            }
        };
        let line = self.lines.number;
        let read = match read {
            Ok((_, End::Swallowed)) if self.lines.is_ended => Err(Fault::OpenQuote),
            Ok((_, End::Cut | End::Swallowed)) if !self.lines.is_ended => {
                // with its line end it is another one, which is used
                self.digest.update(b"cut");
                Err(Fault::Cut)
            }
            Ok((record, end)) => {
                self.open += u64::from(end == End::Open && !self.lines.is_ended);
                Ok(record)
            }
            Err(fault) => Err(fault),
        };
        Ok(Some(read.map_or_else(|fault| Line::Damaged { line, fault }, Line::Flow)))
    }

    pub fn notes(&self) -> BTreeMap<&'static str, u64> {
        let open = "record in a last line without a line end, taken as whole: look whether the file was cut there";
        BTreeMap::from([(open, self.open)]).into_iter().filter(|(_, count)| *count > 0).collect()
    }

    pub fn digest(&self) -> u64 {
        self.digest.digest()
    }
}
