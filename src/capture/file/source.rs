use std::{
    io::{self, Read},
    ops::Range,
};

/// Room for the largest block twice, and little enough that what was read is still at hand when it is decoded.
const BUFFER_BYTES: usize = 1 << 19;

/// Bytes of a file through one buffer of fixed size. While it is pinned, what was taken stays where it is.
pub struct Source<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
    at_end: bool,
    is_pinned: bool,
    is_starved: bool,
    /// Why the file ends before its end: its compression is damaged.
    broken: Option<String>,
}

impl<R: Read> Source<R> {
    /// Reads from `inner`.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            position: 0,
            at_end: false,
            is_pinned: false,
            is_starved: false,
            broken: None,
        }
    }

    /// Bytes taken so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next `wanted` bytes without taking them; fewer only at the end of the file, or where more would move the rest.
    pub fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.end - self.start < wanted {
            self.fill(wanted)?;
        }
        let have = (self.end - self.start).min(wanted);
        Ok(self.buffer.get(self.start..self.start + have).unwrap_or_default())
    }

    /// The bytes at hand that were not taken, and where they begin in the buffer.
    pub fn ahead(&self) -> (&[u8], usize) {
        (self.buffer.get(self.start..self.end).unwrap_or_default(), self.start)
    }

    /// Takes bytes that were peeked at.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.position += count as u64;
    }

    /// Takes the next `count` bytes, and tells where they are; `None` where the file ends before.
    pub fn take(&mut self, count: usize) -> io::Result<Option<Range<usize>>> {
        if self.peek(count)?.len() < count {
            return Ok(None);
        }
        let from = self.start;
        self.consume(count);
        Ok(Some(from..from + count))
    }

    /// The bytes at a place that [`Source::take`] gave, as long as no others were asked for.
    pub fn at(&self, place: Range<usize>) -> &[u8] {
        self.buffer.get(place).unwrap_or_default()
    }

    /// Takes the next `count` bytes, however many, and tells where the `last` ones are; the others are forgotten. `None` where the
    /// file ends before.
    pub fn skip_to(&mut self, last: usize, count: u64) -> io::Result<Option<Range<usize>>> {
        if self.is_pinned && count > (self.end - self.start) as u64 {
            self.is_starved = !self.at_end;
            return Ok(None);
        }
        let mut before = count.saturating_sub(last as u64);
        while before > 0 {
            let step = usize::try_from(before).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
            let have = self.peek(step)?.len();
            if have == 0 {
                return Ok(None);
            }
            self.consume(have);
            before -= have as u64;
        }
        self.take(last)
    }

    /// All the bytes at hand.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Goes on in another buffer, with as much as there is room for.
    pub fn renew(&mut self, mut buffer: Vec<u8>) -> io::Result<()> {
        if buffer.len() != BUFFER_BYTES {
            // new memory is zero as it comes: resizing would write all of it
            buffer = vec![0; BUFFER_BYTES];
        }
        let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
        if let Some(room) = buffer.get_mut(..rest.len()) {
            room.copy_from_slice(rest);
        }
        (self.start, self.end) = (0, rest.len());
        self.buffer = buffer;
        self.is_pinned = false;
        self.read_up_to(BUFFER_BYTES)
    }

    /// Hands the buffer over, with what was taken of it. The rest must be fetched by [`Source::renew`] before anything else.
    pub fn hand_over(&mut self) -> Vec<u8> {
        let rest = self.buffer.get(self.start..self.end).unwrap_or_default().to_vec();
        (self.start, self.end) = (0, rest.len());
        std::mem::replace(&mut self.buffer, rest)
    }

    /// From here on what was taken must not move: what has no room ends in [`Source::is_starved`].
    pub fn pin(&mut self, is_pinned: bool) {
        (self.is_pinned, self.is_starved) = (is_pinned, false);
    }

    /// Whether less was given than was asked for, though the file goes on.
    pub fn is_starved(&self) -> bool {
        self.is_starved
    }

    /// Why the bytes end where the file does not, once all of them were taken.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        if self.is_pinned {
            self.is_starved = !self.at_end;
            return Ok(());
        }
        if self.buffer.len() < BUFFER_BYTES {
            self.buffer.resize(BUFFER_BYTES, 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.read_up_to(wanted.min(BUFFER_BYTES))
    }

    fn read_up_to(&mut self, wanted: usize) -> io::Result<()> {
        while self.end < wanted && !self.at_end {
            let Some(room) = self.buffer.get_mut(self.end..) else { break };
            match self.inner.read(room) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // not the system's word but a decompressor's: what came out before is whole
                Err(error) if error.raw_os_error().is_none() => {
                    self.at_end = true;
                    self.broken = Some(format!("its compression is damaged ({error})"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
