//! Lines of text, each of bounded length, and their fields.

use std::io::{self, BufRead, BufReader, Read};

/// A longer line is no record: memory stays bounded whatever a file holds.
pub const MAX_BYTES: usize = 64 << 10;

/// One line of a file.
pub(super) enum Text<'a> {
    /// Its bytes, without the line end.
    Whole(&'a [u8]),
    /// It is too long to be held.
    TooLong,
}

/// Reads a file line by line.
pub(super) struct Lines<R> {
    inner: BufReader<R>,
    buffer: Vec<u8>,
    /// The number of the line that was read last, from 1.
    pub number: u64,
    /// Whether that line has a line end: the last of a file that was cut has none.
    pub is_ended: bool,
}

impl<R: Read> Lines<R> {
    pub fn new(inner: R) -> Self {
        Self { inner: BufReader::with_capacity(1 << 18, inner), buffer: Vec::new(), number: 0, is_ended: true }
    }

    /// The next line that says anything: neither empty nor a comment.
    pub fn next(&mut self) -> io::Result<Option<Text<'_>>> {
        self.next_that(says_something)
    }

    /// The next line that is not empty, comments among them.
    pub fn next_or_comment(&mut self) -> io::Result<Option<Text<'_>>> {
        self.next_that(|line| !trimmed(line).is_empty())
    }

    fn next_that(&mut self, is_wanted: impl Fn(&[u8]) -> bool) -> io::Result<Option<Text<'_>>> {
        loop {
            self.buffer.clear();
            let limit = MAX_BYTES as u64 + 1;
            if self.inner.by_ref().take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.is_ended = self.buffer.last() == Some(&b'\n');
            if !self.is_ended && self.buffer.len() > MAX_BYTES {
                self.inner.skip_until(b'\n')?;
                return Ok(Some(Text::TooLong));
            }
            if is_wanted(&self.buffer) {
                return Ok(Some(Text::Whole(without_end(&self.buffer))));
            }
        }
    }
}

/// The first line of a file's beginning that says anything.
pub(super) fn first(head: &[u8]) -> &[u8] {
    head.split(|byte| *byte == b'\n').find(|line| says_something(line)).map(trimmed).unwrap_or_default()
}

/// The first line of a file's beginning that is not empty, comments among them.
pub(super) fn first_or_comment(head: &[u8]) -> &[u8] {
    head.split(|byte| *byte == b'\n').map(without_end).find(|line| !trimmed(line).is_empty()).unwrap_or_default()
}

/// Without its line end, and without the mark that some programs put before UTF-8.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn says_something(line: &[u8]) -> bool {
    let line = trimmed(line);
    !line.is_empty() && !line.starts_with(b"#")
}

/// Without white space around it and without the mark that some programs put before UTF-8.
pub(super) fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii()
}

/// Whether a field's quotes do not end on the line.
pub(super) fn has_open_quotes(line: &str) -> bool {
    line.matches('"').count() % 2 == 1
}

/// The fields of a comma-separated line (RFC 4180, but for line ends within quotes), without the space around them.
pub(super) fn fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut is_quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields.iter().map(|field| field.trim().to_owned()).collect()
}
