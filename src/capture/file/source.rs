use std::io::{self, Read};

/// Room for the largest record many times over, so that refills are few.
const BUFFER_BYTES: usize = 1 << 20;

/// Bytes of a file through one buffer of fixed size.
pub struct Source<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
    at_end: bool,
}

impl<R: Read> Source<R> {
    /// Reads from `inner`.
    pub fn new(inner: R) -> Self {
        Self { inner, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0, position: 0, at_end: false }
    }

    /// Bytes taken so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next `wanted` bytes without taking them; fewer only at the end of the file.
    pub fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.end - self.start < wanted {
            self.fill(wanted)?;
        }
        let have = (self.end - self.start).min(wanted);
        Ok(self.buffer.get(self.start..self.start + have).unwrap_or_default())
    }

    /// Takes bytes that were peeked at.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.position += count as u64;
    }

    /// Takes the next `count` bytes; `None` where the file ends before.
    pub fn take(&mut self, count: usize) -> io::Result<Option<&[u8]>> {
        if self.peek(count)?.len() < count {
            return Ok(None);
        }
        let from = self.start;
        self.consume(count);
        Ok(self.buffer.get(from..from + count))
    }

    /// Takes and forgets `count` bytes, however many; false where the file ends before.
    pub fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        while count > 0 {
            let step = usize::try_from(count).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
            let have = self.peek(step)?.len();
            if have == 0 {
                return Ok(false);
            }
            self.consume(have);
            count -= have as u64;
        }
        Ok(true)
    }

    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted.min(BUFFER_BYTES) && !self.at_end {
            let Some(room) = self.buffer.get_mut(self.end..) else { break };
            match self.inner.read(room) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
