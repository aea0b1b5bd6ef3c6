//! Capture files: pcap and pcapng, told apart by their bytes and never by their names.
//!
//! The readers are our own because those of libpcap and the published crates refuse what people bring: captures cut
//! short, records longer than the stated snaplen, pcapng with several link types. They work in one fixed buffer; no
//! length found in a file makes them allocate.

mod pcap;
mod pcapng;
mod source;

use std::io::{self, Read};

pub use source::Source;

use super::{Batch, Drops, Frame, batch::Head};

/// A longer record is damage, not a packet: libpcap's own limit (`MAXIMUM_SNAPLEN`).
const MAX_RECORD_BYTES: usize = 262_144;

/// Why a file cannot be read as a capture at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It begins like neither format.
    #[error("neither pcap nor pcapng (it begins with {0})")]
    NotACapture(String),
    /// It ends inside its own header.
    #[error("ends inside the file header")]
    CutHeader,
    /// The system would not read it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Where and why a capture stops being readable; what stood before it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct Damage {
    /// Bytes from the start of the (uncompressed) file.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
}

/// What stops the reading of a capture that has begun.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is damaged from here on.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The system would not read on.
    #[error(transparent)]
    Io(#[from] io::Error),
}

enum Format {
    Pcap(pcap::Header),
    Pcapng(pcapng::Sections),
}

/// Reads the frames of one capture.
pub struct CaptureReader<R> {
    source: Source<R>,
    format: Format,
}

impl<R: Read> CaptureReader<R> {
    /// Looks at the first bytes and gets ready to read frames.
    pub fn new(inner: R) -> Result<Self, FileError> {
        let mut source = Source::new(inner);
        let head = source.peek(4)?;
        let Ok(magic) = <[u8; 4]>::try_from(head) else {
            if let Some(why) = source.broken() {
                return Err(io::Error::other(why.to_owned()).into());
            }
            let head = source.peek(4)?;
            return Err(if head.is_empty() { FileError::Empty } else { FileError::NotACapture(begin(head)) });
        };
        let format = if magic == pcapng::SECTION_HEADER {
            Format::Pcapng(pcapng::Sections::default())
        } else if let Some(variant) = pcap::Variant::of(magic) {
            Format::Pcap(pcap::Header::read(&mut source, variant)?)
        } else {
            let head = source.peek(8)?;
            return Err(FileError::NotACapture(begin(head)));
        };
        Ok(Self { source, format })
    }

    /// The next frame, or none at the end.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        self.source.pin(false);
        Ok(self.next_head()?.map(|head| head.frame(self.source.bytes())))
    }

    /// Fills a batch, whose frames before are gone, with as many as are at hand; with none at the end. Where the file is
    /// damaged the batch has those that stand before.
    pub fn fill(&mut self, batch: &mut Batch) -> Result<(), ReadError> {
        batch.clear();
        self.source.renew(std::mem::take(&mut batch.bytes))?;
        let result = self.heads(&mut batch.frames);
        batch.bytes = self.source.hand_over();
        result
    }

    fn heads(&mut self, frames: &mut Vec<Head>) -> Result<(), ReadError> {
        if let Format::Pcap(header) = &self.format {
            let (bytes, start) = self.source.ahead();
            let taken = header.heads_at_hand(bytes, start, frames);
            self.source.consume(taken);
        }
        loop {
            // as long as there is no frame, nothing need stay where it is
            self.source.pin(!frames.is_empty());
            match self.next_head() {
                _ if self.source.is_starved() => return Ok(()),
                Ok(Some(head)) => frames.push(head),
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn next_head(&mut self) -> Result<Option<Head>, ReadError> {
        let head = match &mut self.format {
            Format::Pcap(header) => header.next_head(&mut self.source),
            Format::Pcapng(sections) => sections.next_head(&mut self.source),
        };
        match (head, self.source.broken()) {
            (Ok(Some(head)), _) => Ok(Some(head)),
            (Err(ReadError::Damage(_)) | Ok(None), Some(why)) => {
                Err(Damage { offset: self.source.position(), reason: why.to_owned() }.into())
            }
            (other, _) => other,
        }
    }

    /// `pcap` or `pcapng`.
    #[must_use]
    pub fn format(&self) -> &'static str {
        match self.format {
            Format::Pcap(_) => "pcap",
            Format::Pcapng(_) => "pcapng",
        }
    }

    /// What the file says was lost while it was written.
    #[must_use]
    pub fn drops(&self) -> Drops {
        match &self.format {
            Format::Pcap(_) => Drops::default(),
            Format::Pcapng(sections) => sections.drops(),
        }
    }

    /// Whether the file says that it was captured with a filter.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        match &self.format {
            Format::Pcap(_) => false,
            Format::Pcapng(sections) => sections.is_filtered(),
        }
    }

    /// Bytes read so far, for progress.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.source.position()
    }
}

/// The first bytes of a file for a message: text where they are text, else hexadecimal.
fn begin(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        return format!("`{}`", String::from_utf8_lossy(bytes));
    }
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}

/// A whole number of four bytes in either byte order; `None` past the end.
fn u32_at(bytes: &[u8], offset: usize, big_endian: bool) -> Option<u32> {
    let word = <[u8; 4]>::try_from(bytes.get(offset..offset + 4)?).ok()?;
    Some(if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
}

/// A whole number of two bytes in either byte order; `None` past the end.
fn u16_at(bytes: &[u8], offset: usize, big_endian: bool) -> Option<u16> {
    let word = <[u8; 2]>::try_from(bytes.get(offset..offset + 2)?).ok()?;
    Some(if big_endian { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) })
}

#[cfg(test)]
mod tests;
