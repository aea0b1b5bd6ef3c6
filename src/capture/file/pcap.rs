//! The classic format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records. Patched libraries have written others
//! under its magic numbers, which differ in what stands before a packet's bytes.

use std::{io, io::Read};

use super::{Damage, FileError, MAX_RECORD_BYTES, ReadError, Source, u16_at, u32_at};
use crate::{
    capture::{LinkType, batch::Head},
    model::Timestamp,
};

const FILE_HEADER_BYTES: usize = 24;

/// Bytes of all records behind the header, which Ixia's files have in addition.
const IXIA_LENGTH_BYTES: usize = 4;

/// Libraries of the time of the patches took no more of a packet.
const MAX_PATCHED_BYTES: usize = 65_535;

/// Time, both lengths: what all record headers begin with.
const RECORD_HEADER_BYTES: usize = 16;

/// What the magic number says of byte order, time and record headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    big_endian: bool,
    nanoseconds: bool,
    /// The file's header goes on.
    is_longer: bool,
    /// How long a record's header may be, the likeliest first.
    record_header_bytes: &'static [usize],
}

impl Variant {
    pub(super) fn of(magic: [u8; 4]) -> Option<Self> {
        let (little, big) = (u32::from_le_bytes(magic), u32::from_be_bytes(magic));
        let variant = |big_endian, value| {
            let (nanoseconds, is_longer, record_header_bytes): (_, _, &[usize]) = match value {
                // beside the ordinary: Alexey Kuznetzov's patch of April 1999, and Nokia's
                0xa1b2_c3d4 => (false, false, &[RECORD_HEADER_BYTES, 24, 20]),
                0xa1b2_3c4d => (true, false, &[RECORD_HEADER_BYTES]),
                // his patches of October and September 1999
                0xa1b2_cd34 => (false, false, &[24, 28]),
                // Ixia's by hardware and by software
                0x1c00_01ac => (true, true, &[RECORD_HEADER_BYTES]),
                0x1c00_01ab => (false, true, &[RECORD_HEADER_BYTES]),
                _ => return None,
            };
            Some(Self { big_endian, nanoseconds, is_longer, record_header_bytes })
        };
        variant(false, little).or_else(|| variant(true, big))
    }
}

/// Which of its two lengths a record's header has first.
#[derive(Clone, Copy)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    /// Libraries were changed and kept their version: a packet holds no more than it was long.
    Either,
}

impl Lengths {
    /// By the format's version, as libpcap has it.
    fn of(major: u16, minor: u16) -> Self {
        match (major, minor) {
            (543, _) | (2, 0..=2) => Self::WireFirst,
            (2, 3) => Self::Either,
            _ => Self::CapturedFirst,
        }
    }

    /// How many bytes were captured, and how many there were.
    fn ordered(self, first: u32, second: u32) -> (u32, u32) {
        match self {
            Self::CapturedFirst => (first, second),
            Self::WireFirst => (second, first),
            Self::Either => (first.min(second), first.max(second)),
        }
    }
}

/// The link of a file of AIX, which has types of interfaces (RFC 1573) for numbers, an old version, and nanoseconds; `None` of
/// others, as Wireshark tells them apart.
fn link_of_aix(version: (u16, u16), number: u32) -> Option<LinkType> {
    match (version, number) {
        ((2, 2), 6) => Some(LinkType::ETHERNET),
        ((2, 2), 9) => Some(LinkType::TOKEN_RING),
        ((2, 2), 15) => Some(LinkType::FDDI),
        ((2, 2), 24) => Some(LinkType::NULL),
        _ => None,
    }
}

/// What a record's header says.
struct Record {
    time: Timestamp,
    link: LinkType,
    header_bytes: usize,
    captured: u32,
    wire_length: u32,
}

/// Adds the records that lie whole in these bytes, which begin at `start` of the buffer; stops at what is odd.
#[inline]
fn heads(bytes: &[u8], start: usize, frames: &mut Vec<Head>, read: impl Fn(&[u8]) -> Option<Record>) -> usize {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..)
        && let Some(Record { time, link, header_bytes, captured, wire_length }) = read(rest)
    {
        let length = captured as usize;
        let is_empty = captured == 0 && wire_length == 0;
        if is_empty || length > MAX_RECORD_BYTES || rest.len() < header_bytes + length {
            break;
        }
        let from = start + at + header_bytes;
        frames.push(Head { time, link, interface: 0, wire_length, data: from..from + length });
        at += header_bytes + length;
    }
    at
}

/// What the header of an empty record is in truth: what is left where a disk was not written any more, or the header of another
/// file.
fn no_record(header: &[u8]) -> Option<&'static str> {
    if header.iter().all(|byte| *byte == 0) {
        return Some("zeros in place of a record");
    }
    let magic = header.first_chunk().copied()?;
    Variant::of(magic).map(|_| "another capture begins (import files one by one, or join them with `mergecap`)")
}

/// The file's header, and how its records are to be read.
pub(super) struct Header {
    big_endian: bool,
    nanoseconds: bool,
    record_header_bytes: usize,
    lengths: Lengths,
    link: LinkType,
}

impl Header {
    pub(super) fn read<R: Read>(source: &mut Source<R>, variant: Variant) -> Result<Self, FileError> {
        let Variant { big_endian, nanoseconds, is_longer, record_header_bytes } = variant;
        let header_bytes = FILE_HEADER_BYTES + if is_longer { IXIA_LENGTH_BYTES } else { 0 };
        let place = source.take(header_bytes)?.ok_or(FileError::CutHeader)?;
        let bytes = source.at(place);
        let version = u16_at(bytes, 4, big_endian).zip(u16_at(bytes, 6, big_endian));
        let (major, minor) = version.ok_or(FileError::CutHeader)?;
        let link = u32_at(bytes, 20, big_endian).ok_or(FileError::CutHeader)?;
        // the upper bits tell of a frame check sequence, not of the link
        let link = link & 0xffff;
        let of_aix = link_of_aix((major, minor), link);
        let mut header = Self {
            big_endian,
            nanoseconds: nanoseconds || of_aix.is_some(),
            record_header_bytes: RECORD_HEADER_BYTES,
            lengths: Lengths::of(major, minor),
            link: of_aix.unwrap_or(LinkType(link)),
        };
        header.record_header_bytes = header.likeliest(source, record_header_bytes)?;
        Ok(header)
    }

    /// The first length of record headers by which all records at the beginning look like some; the likeliest where none
    /// does, as in a damaged file.
    fn likeliest<R: Read>(&self, source: &mut Source<R>, lengths: &[usize]) -> io::Result<usize> {
        let likeliest = lengths.first().copied().unwrap_or(RECORD_HEADER_BYTES);
        if lengths.len() > 1 {
            for length in lengths {
                // one record by itself may be the beginning of an ordinary one that was cut
                let is_likeliest = *length == likeliest;
                let sound = self.sound_records(source, *length, is_likeliest)?;
                if sound.is_some_and(|records| records > 1 || is_likeliest) {
                    return Ok(*length);
                }
            }
        }
        Ok(likeliest)
    }

    /// How many records were looked at, where all look like some.
    fn sound_records<R: Read>(
        &self,
        source: &mut Source<R>,
        header_bytes: usize,
        is_likeliest: bool,
    ) -> io::Result<Option<usize>> {
        const RECORDS: usize = 4;
        const WINDOW_BYTES: usize = RECORDS * (MAX_PATCHED_BYTES + 28);
        let mut at = 0;
        for records in 0..RECORDS {
            let ahead = source.peek(at + RECORD_HEADER_BYTES)?;
            let Some(record) = ahead.get(at..).filter(|record| record.len() == RECORD_HEADER_BYTES) else {
                // behind a whole record the file may end
                return Ok((ahead.len() == at).then_some(records));
            };
            // a long record proves nothing of a header that nothing else speaks for
            let most = if is_likeliest { MAX_RECORD_BYTES } else { MAX_PATCHED_BYTES };
            let Some(length) = self.plausible(record).filter(|length| *length <= most) else { return Ok(None) };
            at += header_bytes + length;
            if at > WINDOW_BYTES {
                return Ok(Some(records + 1));
            }
        }
        Ok(Some(RECORDS))
    }

    /// The captured bytes of what looks like a record.
    fn plausible(&self, header: &[u8]) -> Option<usize> {
        let field = |n: usize| u32_at(header, n * 4, self.big_endian);
        let (captured, wire_length) = self.lengths.ordered(field(2)?, field(3)?);
        let captured_bytes = usize::try_from(captured).ok().filter(|length| *length <= MAX_RECORD_BYTES)?;
        let is_fraction = field(1)? < if self.nanoseconds { 1_000_000_000 } else { 1_000_000 };
        (is_fraction && captured <= wire_length).then_some(captured_bytes)
    }

    /// Adds the frames that lie whole in these bytes, which begin at `start` of the buffer, and gives how many bytes they
    /// take. What is odd is left to [`Header::next_head`], which knows what to say.
    pub(super) fn heads_at_hand(&self, bytes: &[u8], start: usize, frames: &mut Vec<Head>) -> usize {
        let is_ordinary = !self.big_endian
            && matches!(self.lengths, Lengths::CapturedFirst)
            && self.record_header_bytes == RECORD_HEADER_BYTES;
        if is_ordinary {
            return heads(bytes, start, frames, |rest| self.ordinary(rest));
        }
        heads(bytes, start, frames, |rest| self.any(rest))
    }

    /// A record of the format that nearly all files have; `None` where it is odd.
    #[inline]
    fn ordinary(&self, rest: &[u8]) -> Option<Record> {
        let fixed = rest.first_chunk::<RECORD_HEADER_BYTES>()?;
        let field = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let (captured, wire_length) = (field(8), field(12));
        let header_bytes = RECORD_HEADER_BYTES;
        Some(Record { time: self.time(field(0), field(4)), link: self.link, header_bytes, captured, wire_length })
    }

    fn any(&self, rest: &[u8]) -> Option<Record> {
        let fixed = rest.first_chunk::<RECORD_HEADER_BYTES>()?;
        let field = |n: usize| u32_at(fixed, n * 4, self.big_endian);
        let (captured, wire_length) = self.lengths.ordered(field(2)?, field(3)?);
        let (time, header_bytes) = (self.time(field(0)?, field(1)?), self.record_header_bytes);
        Some(Record { time, link: self.link, header_bytes, captured, wire_length })
    }

    fn time(&self, seconds: u32, fraction: u32) -> Timestamp {
        let nanos = if self.nanoseconds { fraction } else { fraction.saturating_mul(1_000) };
        // 32 bits of seconds are far from overflowing
        Timestamp(i64::from(seconds) * 1_000_000_000 + i64::from(nanos))
    }

    pub(super) fn next_head<R: Read>(&self, source: &mut Source<R>) -> Result<Option<Head>, ReadError> {
        let Self { big_endian, record_header_bytes, lengths, link, .. } = *self;
        let offset = source.position();
        let header = source.peek(record_header_bytes)?;
        if header.is_empty() {
            return Ok(None);
        }
        let field = |n: usize| u32_at(header, n * 4, big_endian);
        let (Some(seconds), Some(fraction), Some(first), Some(second)) = (field(0), field(1), field(2), field(3))
        else {
            return Err(Damage { offset, reason: "cut in the middle of a record header".into() }.into());
        };
        if header.len() < record_header_bytes {
            return Err(Damage { offset, reason: "cut in the middle of a record header".into() }.into());
        }
        let (captured, wire_length) = lengths.ordered(first, second);
        let length = captured as usize;
        if captured == 0
            && wire_length == 0
            && let Some(reason) = no_record(header)
        {
            return Err(Damage { offset, reason: reason.into() }.into());
        }
        if length > MAX_RECORD_BYTES {
            let reason = format!("a record of {captured} bytes is longer than any capture takes");
            return Err(Damage { offset, reason }.into());
        }
        let whole = record_header_bytes + length;
        let Some(record) = source.take(whole)? else {
            return Err(Damage { offset, reason: "cut in the middle of a record".into() }.into());
        };
        let data = record.start + record_header_bytes..record.end;
        let time = self.time(seconds, fraction);
        Ok(Some(Head { time, link, interface: 0, wire_length, data }))
    }
}
