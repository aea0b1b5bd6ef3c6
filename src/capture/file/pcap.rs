//! The classic format (draft-ietf-opsawg-pcap): a header of 24 bytes, then records.

use std::io::Read;

use super::{Damage, FileError, MAX_RECORD_BYTES, ReadError, Source, u32_at};
use crate::{
    capture::{Frame, LinkType},
    model::Timestamp,
};

const FILE_HEADER_BYTES: usize = 24;

/// What the magic number says of byte order, time and record headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    big_endian: bool,
    nanoseconds: bool,
    record_header_bytes: usize,
}

impl Variant {
    pub(super) fn of(magic: [u8; 4]) -> Option<Self> {
        let (little, big) = (u32::from_le_bytes(magic), u32::from_be_bytes(magic));
        let variant = |big_endian, value| {
            let (nanoseconds, record_header_bytes) = match value {
                0xa1b2_c3d4 => (false, 16),
                0xa1b2_3c4d => (true, 16),
                // Alexey Kuznetzov's patched libpcap: eight further bytes in every record header
                0xa1b2_cd34 => (false, 24),
                _ => return None,
            };
            Some(Self { big_endian, nanoseconds, record_header_bytes })
        };
        variant(false, little).or_else(|| variant(true, big))
    }
}

/// The file's header, and how its records are to be read.
pub(super) struct Header {
    variant: Variant,
    link: LinkType,
}

impl Header {
    pub(super) fn read<R: Read>(source: &mut Source<R>, variant: Variant) -> Result<Self, FileError> {
        let header = source.take(FILE_HEADER_BYTES)?.ok_or(FileError::CutHeader)?;
        let link = u32_at(header, 20, variant.big_endian).ok_or(FileError::CutHeader)?;
        // the upper bits tell of a frame check sequence, not of the link
        Ok(Self { variant, link: LinkType(link & 0xffff) })
    }

    pub(super) fn next_frame<'s, R: Read>(&self, source: &'s mut Source<R>) -> Result<Option<Frame<'s>>, ReadError> {
        let Variant { big_endian, nanoseconds, record_header_bytes } = self.variant;
        let offset = source.position();
        let header = source.peek(record_header_bytes)?;
        if header.is_empty() {
            return Ok(None);
        }
        let field = |n: usize| u32_at(header, n * 4, big_endian);
        let (Some(seconds), Some(fraction), Some(captured), Some(wire_length)) =
            (field(0), field(1), field(2), field(3))
        else {
            return Err(Damage { offset, reason: "cut in the middle of a record header".into() }.into());
        };
        if header.len() < record_header_bytes {
            return Err(Damage { offset, reason: "cut in the middle of a record header".into() }.into());
        }
        let length = captured as usize;
        if length > MAX_RECORD_BYTES {
            let reason = format!("a record of {captured} bytes is longer than any capture takes");
            return Err(Damage { offset, reason }.into());
        }
        let whole = record_header_bytes + length;
        let Some(record) = source.take(whole)? else {
            return Err(Damage { offset, reason: "cut in the middle of a record".into() }.into());
        };
        let data = record.get(record_header_bytes..).unwrap_or_default();
        let nanos = if nanoseconds { fraction } else { fraction.saturating_mul(1_000) };
        let time = Timestamp::new(i64::from(seconds), nanos);
        Ok(Some(Frame { time, link: self.link, interface: 0, wire_length, data }))
    }
}
