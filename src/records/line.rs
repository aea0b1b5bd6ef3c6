//! Lines of text, each of bounded length.

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
    /// Whether lines were taken to it that are too long together.
    pub is_lost: bool,
}

impl<R: Read> Lines<R> {
    pub fn new(inner: R) -> Self {
        let inner = BufReader::with_capacity(1 << 18, inner);
        Self { inner, buffer: Vec::new(), number: 0, is_ended: true, is_lost: false }
    }

    /// The next line that says anything: neither empty nor a comment.
    pub fn next(&mut self) -> io::Result<Option<Text<'_>>> {
        self.next_that(says_something)
    }

    /// The next line that is not empty, comments among them.
    pub fn next_or_comment(&mut self) -> io::Result<Option<Text<'_>>> {
        self.next_that(|line| !trimmed(line).is_empty())
    }

    /// The line that was read last, with what was taken to it.
    pub fn text(&self) -> &[u8] {
        without_end(&self.buffer)
    }

    /// Takes the next line, whatever it says, to the one that was read last, and gives it; none at the end of the file. Where both
    /// are too long for a line, what came before is lost, and a long line comes in pieces.
    pub fn lengthen(&mut self) -> io::Result<Option<&[u8]>> {
        if self.is_lost {
            self.buffer.clear();
        }
        let before = self.buffer.len();
        let limit = (MAX_BYTES + 1).saturating_sub(before) as u64;
        if self.inner.by_ref().take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.number += u64::from(self.is_ended);
        self.is_ended = self.buffer.last() == Some(&b'\n');
        self.is_lost |= self.buffer.len() > MAX_BYTES;
        Ok(self.buffer.get(before..))
    }

    fn next_that(&mut self, is_wanted: impl Fn(&[u8]) -> bool) -> io::Result<Option<Text<'_>>> {
        self.is_lost = false;
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
pub(super) fn without_end(line: &[u8]) -> &[u8] {
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
