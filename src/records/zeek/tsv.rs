//! The ASCII writer: lines that begin with `#` say how the others are to be read.

use super::{
    super::{Fault, line::first_or_comment},
    conn::{Column, Columns, NAMES},
};

/// A separator is no longer.
const MAX_SEPARATOR: usize = 8;
/// A line has no more columns than this that matter, so that one of nothing but separators costs little.
const MAX_COLUMNS: usize = 1_024;

/// Whether a file begins with the headers of a Zeek log.
pub fn is_header(head: &[u8]) -> bool {
    let line = first_or_comment(head);
    let end = Column::OrigAddress.name().as_bytes();
    let names_ends = || line.windows(end.len()).any(|text| text == end);
    line.starts_with(b"#separator") || line.starts_with(b"#fields") && names_ends()
}

/// The headers in force: those read last. A file may hold several logs one after the other.
pub struct Header {
    separator: Vec<u8>,
    unset: Vec<u8>,
    empty: Vec<u8>,
    /// Which log it is, where it says so.
    is_other_log: bool,
    /// How many columns there are, and where each that matters stands; none before `#fields`.
    fields: Option<(usize, [Option<usize>; NAMES.len()])>,
}

impl Default for Header {
    fn default() -> Self {
        let (separator, unset, empty) = (b"\t".to_vec(), b"-".to_vec(), b"(empty)".to_vec());
        Self { separator, unset, empty, is_other_log: false, fields: None }
    }
}

impl Header {
    /// Reads a line of headers, and tells whether it says how others are read: what it does not know is a comment.
    pub fn read(&mut self, line: &[u8]) -> bool {
        if let Some(separator) = line.strip_prefix(b"#separator ") {
            // a new log begins
            *self = Self { separator: unescaped(separator), ..Self::default() };
            return true;
        }
        let mut parts = split(line, &self.separator);
        let Some(name) = parts.next() else { return false };
        match (name, parts.next()) {
            (b"#unset_field", Some(text)) => self.unset = text.to_vec(),
            (b"#empty_field", Some(text)) => self.empty = text.to_vec(),
            (b"#path", Some(path)) => self.is_other_log = path != b"conn",
            (b"#fields", Some(first)) => {
                let mut places = [None; NAMES.len()];
                let mut count = 0;
                for field in std::iter::once(first).chain(parts).take(MAX_COLUMNS) {
                    let known = NAMES.iter().zip(&mut places).find(|(name, _)| name.as_bytes() == field);
                    if let Some((_, place)) = known {
                        *place = Some(count);
                    }
                    count += 1;
                }
                self.fields = Some((count, places));
            }
            _ => return false,
        }
        true
    }

    /// The columns of a record.
    pub fn columns<'l>(&self, line: &'l [u8]) -> Result<Columns<'l>, Fault> {
        let (count, places) = self.fields.as_ref().ok_or(Fault::NoHeader)?;
        if self.is_other_log {
            return Err(Fault::OtherLog);
        }
        let fields: Vec<&[u8]> = split(line, &self.separator).take(MAX_COLUMNS + 1).collect();
        if fields.len() != *count {
            return Err(Fault::FieldCount);
        }
        let mut columns = Columns::default();
        for (column, place) in columns.0.iter_mut().zip(places) {
            let field = place.and_then(|place| fields.get(place)).filter(|text| self.is_set(text));
            *column = field.map(|text| std::str::from_utf8(text).map_err(|_| Fault::NotText)).transpose()?;
        }
        Ok(columns)
    }

    fn is_set(&self, text: &[u8]) -> bool {
        !text.is_empty() && text != self.unset && text != self.empty
    }
}

fn split<'l>(line: &'l [u8], separator: &[u8]) -> impl Iterator<Item = &'l [u8]> {
    let separator = separator.to_vec();
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = line.windows(separator.len()).position(|text| text == separator);
        rest = end.and_then(|end| line.get(end + separator.len()..));
        end.map_or(Some(line), |end| line.get(..end))
    })
}

/// The separator as `#separator` writes it: `\x09` is a tab. The default where it is none.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let text = text.get(..4 * MAX_SEPARATOR).unwrap_or(text);
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((first, others)) = rest.split_first() {
        let hex = rest.strip_prefix(b"\\x").and_then(|hex| hex.split_at_checked(2));
        let byte = hex.and_then(|(hex, _)| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let (byte, after) = match (byte, hex) {
            (Some(byte), Some((_, after))) => (byte, after),
            _ => (*first, others),
        };
        bytes.push(byte);
        rest = after;
    }
    if bytes.is_empty() || bytes.len() > MAX_SEPARATOR { b"\t".to_vec() } else { bytes }
}
