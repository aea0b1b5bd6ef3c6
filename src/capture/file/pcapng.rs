//! The block format (draft-ietf-opsawg-pcapng): sections, each with its own byte order and interfaces.

use std::io::Read;

use super::{Damage, MAX_RECORD_BYTES, ReadError, Source, u16_at, u32_at};
use crate::{
    capture::{Frame, LinkType},
    model::Timestamp,
};

/// The type of the block that opens a section: the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type, total length, and the total length again at the end.
const BLOCK_FRAME_BYTES: usize = 12;
/// A section could name interfaces without end; no host has more.
const MAX_INTERFACES: usize = 65_536;
/// Blocks that are read whole: a packet with its options. Longer ones of other types are skipped unread.
const MAX_BLOCK_BYTES: usize = MAX_RECORD_BYTES + 65_536;

/// How an interface's packets are to be read.
#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    /// Units a second of its time stamps.
    ticks_per_second: u64,
    offset_seconds: i64,
}

/// What a block's frame says.
struct Block {
    kind: u32,
    length: usize,
}

/// The state of the section being read.
#[derive(Default)]
pub(super) struct Sections {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before, so that numbers stay unique in the file.
    interfaces_before: usize,
    last_time: Timestamp,
}

impl Sections {
    pub(super) fn next_frame<'s, R: Read>(
        &mut self,
        source: &'s mut Source<R>,
    ) -> Result<Option<Frame<'s>>, ReadError> {
        loop {
            let offset = source.position();
            let Some(block) = self.block(source, offset)? else { return Ok(None) };
            match block.kind {
                ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET => {
                    if block.length > MAX_BLOCK_BYTES {
                        let reason =
                            format!("a packet block of {} bytes is longer than any capture takes", block.length);
                        return Err(Damage { offset, reason }.into());
                    }
                    let bytes = source.take(block.length)?.ok_or_else(|| cut(offset))?;
                    return self.packet(block.kind, bytes, offset).map(Some);
                }
                INTERFACE_DESCRIPTION if block.length <= MAX_BLOCK_BYTES => {
                    let bytes = source.take(block.length)?.ok_or_else(|| cut(offset))?;
                    let interface = Interface::read(bytes, self.big_endian).ok_or_else(|| cut(offset))?;
                    if self.interfaces.len() < MAX_INTERFACES {
                        self.interfaces.push(interface);
                    }
                }
                _ => {
                    if !source.skip(block.length as u64)? {
                        return Err(cut(offset).into());
                    }
                }
            }
        }
    }

    /// Looks at the next block's frame; a section header changes the byte order for what follows.
    fn block<R: Read>(&mut self, source: &mut Source<R>, offset: u64) -> Result<Option<Block>, ReadError> {
        let head = source.peek(BLOCK_FRAME_BYTES)?;
        if head.is_empty() {
            return Ok(None);
        }
        if head.get(..4) == Some(&SECTION_HEADER) {
            self.big_endian = match u32_at(head, 8, true) {
                Some(0x1a2b_3c4d) => true,
                Some(0x4d3c_2b1a) => false,
                Some(_) => return Err(Damage { offset, reason: "a section of unknown byte order".into() }.into()),
                None => return Err(cut(offset).into()),
            };
            self.interfaces_before += self.interfaces.len();
            self.interfaces.clear();
        }
        let (Some(kind), Some(length)) = (u32_at(head, 0, self.big_endian), u32_at(head, 4, self.big_endian)) else {
            return Err(cut(offset).into());
        };
        let length = length as usize;
        if length < BLOCK_FRAME_BYTES || !length.is_multiple_of(4) {
            return Err(Damage { offset, reason: format!("a block of {length} bytes cannot be") }.into());
        }
        Ok(Some(Block { kind, length }))
    }

    fn packet<'s>(&mut self, kind: u32, bytes: &'s [u8], offset: u64) -> Result<Frame<'s>, ReadError> {
        let damage = |reason: &str| Damage { offset, reason: reason.into() };
        let word = |at: usize| u32_at(bytes, at, self.big_endian).ok_or_else(|| cut(offset));
        let number = match kind {
            ENHANCED_PACKET => word(8)? as usize,
            OBSOLETE_PACKET => usize::from(u16_at(bytes, 8, self.big_endian).ok_or_else(|| cut(offset))?),
            _ => 0,
        };
        let interface =
            *self.interfaces.get(number).ok_or_else(|| damage("a packet of an interface that was not described"))?;
        let (captured, wire_length, data_at) = if kind == SIMPLE_PACKET {
            let wire_length = word(8)?;
            let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
            (wire_length.min(snaplen), wire_length, 12)
        } else {
            let ticks = u64::from(word(12)?) << 32 | u64::from(word(16)?);
            self.last_time = interface.time(ticks);
            (word(20)?, word(24)?, 28)
        };
        let end = bytes.len() - 4;
        let data = bytes
            .get(data_at..end)
            .and_then(|room| room.get(..captured as usize))
            .ok_or_else(|| damage("a packet longer than its block"))?;
        let interface_number = u32::try_from(self.interfaces_before + number).unwrap_or(u32::MAX);
        Ok(Frame { time: self.last_time, link: interface.link, interface: interface_number, wire_length, data })
    }
}

impl Interface {
    fn read(block: &[u8], big_endian: bool) -> Option<Self> {
        let link = LinkType(u32::from(u16_at(block, 8, big_endian)?));
        let snaplen = u32_at(block, 12, big_endian)?;
        let mut interface = Self { link, snaplen, ticks_per_second: 1_000_000, offset_seconds: 0 };
        let mut at = 16;
        while let (Some(code), Some(length)) = (u16_at(block, at, big_endian), u16_at(block, at + 2, big_endian)) {
            let value = block.get(at + 4..at + 4 + usize::from(length)).unwrap_or_default();
            match (code, value) {
                (0, _) => break,
                (9, [resolution]) => interface.ticks_per_second = ticks_per_second(*resolution),
                (14, value) => {
                    let word = <[u8; 8]>::try_from(value).unwrap_or_default();
                    interface.offset_seconds =
                        if big_endian { i64::from_be_bytes(word) } else { i64::from_le_bytes(word) };
                }
                _ => {}
            }
            at += 4 + usize::from(length).next_multiple_of(4);
        }
        Some(interface)
    }

    fn time(&self, ticks: u64) -> Timestamp {
        let seconds = i64::try_from(ticks / self.ticks_per_second).unwrap_or(i64::MAX);
        let rest = u128::from(ticks % self.ticks_per_second) * 1_000_000_000 / u128::from(self.ticks_per_second);
        Timestamp::new(seconds.saturating_add(self.offset_seconds), u32::try_from(rest).unwrap_or(0))
    }
}

/// `if_tsresol`: a power of ten, or of two where the highest bit is set; absurd ones count as microseconds.
fn ticks_per_second(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let ticks = if resolution & 0x80 == 0 { 10u64.checked_pow(exponent) } else { 2u64.checked_pow(exponent) };
    ticks.unwrap_or(1_000_000)
}

fn cut(offset: u64) -> Damage {
    Damage { offset, reason: "cut in the middle of a block".into() }
}
