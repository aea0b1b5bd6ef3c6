//! The block format (draft-ietf-opsawg-pcapng): sections, each with its own byte order and interfaces.

use std::{hash::BuildHasher, io::Read, ops::Range};

use foldhash::{HashMap, quality::FixedState};

use super::{Damage, MAX_RECORD_BYTES, ReadError, Source, u16_at, u32_at};
use crate::{
    capture::{Drops, LinkType, batch::Head},
    model::Timestamp,
};

/// The type of the block that opens a section: the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Options of an interface: what it is called.
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
/// Units of its times, and seconds to add to them.
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Type, total length, and the total length again at the end.
const BLOCK_FRAME_BYTES: usize = 12;
/// The total length at the end.
const TRAILER_BYTES: usize = 4;
/// A section could name interfaces without end; no host has more.
const MAX_INTERFACES: usize = 65_536;
/// Blocks that are read whole: a packet with its options. Longer ones of other types are skipped unread.
const MAX_BLOCK_BYTES: usize = MAX_RECORD_BYTES + 65_536;

/// What tells an interface from others: its link type and a hash of its name and description.
type Description = (LinkType, u64);

/// How an interface's packets are to be read.
#[derive(Clone, Copy)]
struct Interface {
    description: Description,
    /// In the file.
    number: u32,
    link: LinkType,
    snaplen: u32,
    /// Units a second of its time stamps.
    ticks_per_second: u64,
    offset_seconds: i64,
    /// The last statistics of it.
    statistics: Drops,
    /// What its packets say was dropped before them.
    told_by_packets: u64,
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
    /// The numbers in the file of interfaces that were described, by what they are and how many alike a section had before.
    numbers: HashMap<(Description, usize), u32>,
    /// How many interfaces of this section are alike.
    alike: HashMap<Description, usize>,
    /// How many numbers were given.
    numbered: u32,
    last_time: Timestamp,
    /// What the interfaces of the sections before dropped.
    drops_before: Drops,
    /// Whether an interface says that a filter was set.
    is_filtered: bool,
}

impl Sections {
    pub(super) fn next_head<R: Read>(&mut self, source: &mut Source<R>) -> Result<Option<Head>, ReadError> {
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
                    let place = self.whole(source, &block, offset)?;
                    return self.packet(block.kind, source.at(place.clone()), place.start, offset).map(Some);
                }
                INTERFACE_DESCRIPTION if block.length <= MAX_BLOCK_BYTES => {
                    let place = self.whole(source, &block, offset)?;
                    let bytes = source.at(place);
                    let interface = Interface::read(bytes, self.big_endian).ok_or_else(|| cut(offset))?;
                    self.is_filtered |= has_filter(bytes, self.big_endian);
                    if self.interfaces.len() < MAX_INTERFACES {
                        let number = self.number(&interface);
                        self.interfaces.push(Interface { number, ..interface });
                    }
                }
                INTERFACE_STATISTICS if block.length <= MAX_BLOCK_BYTES => {
                    let place = self.whole(source, &block, offset)?;
                    self.note_statistics(source.at(place));
                }
                _ => {
                    let trailer = source.skip_to(TRAILER_BYTES, block.length as u64)?;
                    let place = trailer.ok_or_else(|| cut(offset))?;
                    self.check_trailer(source.at(place), block.length, offset)?;
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
            let big_endian = self.big_endian;
            let version = source.peek(BLOCK_FRAME_BYTES + 4)?.get(BLOCK_FRAME_BYTES..).unwrap_or_default();
            // of another major version nothing is known (draft-ietf-opsawg-pcapng, section 4.1)
            if let (Some(major), Some(minor)) = (u16_at(version, 0, big_endian), u16_at(version, 2, big_endian))
                && major != 1
            {
                return Err(Damage { offset, reason: format!("a section of unknown version {major}.{minor}") }.into());
            }
            self.drops_before = self.drops();
            self.interfaces.clear();
            self.alike.clear();
        }
        let head = source.peek(BLOCK_FRAME_BYTES)?;
        let (Some(kind), Some(length)) = (u32_at(head, 0, self.big_endian), u32_at(head, 4, self.big_endian)) else {
            return Err(cut(offset).into());
        };
        let length = length as usize;
        if length < BLOCK_FRAME_BYTES || !length.is_multiple_of(4) {
            return Err(Damage { offset, reason: format!("a block of {length} bytes cannot be") }.into());
        }
        Ok(Some(Block { kind, length }))
    }

    /// Takes a block whole.
    fn whole<R: Read>(&self, source: &mut Source<R>, block: &Block, offset: u64) -> Result<Range<usize>, ReadError> {
        let place = source.take(block.length)?.ok_or_else(|| cut(offset))?;
        self.check_trailer(source.at(place.clone()), block.length, offset)?;
        Ok(place)
    }

    /// Whether a block ends with the length that it begins with. Where it does not one of the two is wrong, and what was taken for
    /// one block may be several, whose packets nobody would miss.
    fn check_trailer(&self, block: &[u8], length: usize, offset: u64) -> Result<(), Damage> {
        let trailer = block.len().checked_sub(TRAILER_BYTES).and_then(|at| u32_at(block, at, self.big_endian));
        match trailer {
            Some(end) if end as usize == length => Ok(()),
            _ => {
                let end = trailer.unwrap_or_default();
                let reason = format!("a block of {length} bytes that ends as one of {end}");
                Err(Damage { offset, reason })
            }
        }
    }

    /// The number of a further interface of this section: that of the one like it in the sections before, for files that were
    /// split and put together again have the interfaces of one capture in each.
    fn number(&mut self, interface: &Interface) -> u32 {
        let alike = self.alike.entry(interface.description).or_default();
        let key = (interface.description, *alike);
        *alike += 1;
        if let Some(known) = self.numbers.get(&key) {
            return *known;
        }
        let number = self.numbered;
        self.numbered = self.numbered.saturating_add(1);
        if self.numbers.len() < MAX_INTERFACES {
            self.numbers.insert(key, number);
        }
        number
    }

    /// Whether any interface so far was captured with a filter.
    pub(super) fn is_filtered(&self) -> bool {
        self.is_filtered
    }

    /// What all interfaces so far say that they dropped.
    pub(super) fn drops(&self) -> Drops {
        self.interfaces.iter().map(Interface::drops).fold(self.drops_before, Drops::plus)
    }

    /// Statistics count from the beginning of the capture: the last ones hold.
    fn note_statistics(&mut self, block: &[u8]) {
        const DROPPED_BY_INTERFACE: u16 = 5;
        const DROPPED_BY_SYSTEM: u16 = 7;
        let number = u32_at(block, 8, self.big_endian).and_then(|number| usize::try_from(number).ok());
        let Some(interface) = number.and_then(|number| self.interfaces.get_mut(number)) else { return };
        for (code, value) in options(block, 20, self.big_endian) {
            match code {
                DROPPED_BY_INTERFACE => interface.statistics.by_interface = count(value, self.big_endian),
                DROPPED_BY_SYSTEM => interface.statistics.by_kernel = count(value, self.big_endian),
                _ => {}
            }
        }
    }

    /// A packet, from its block that begins at `start` of the buffer and at `offset` of the file.
    fn packet(&mut self, kind: u32, bytes: &[u8], start: usize, offset: u64) -> Result<Head, ReadError> {
        let damage = |reason: &str| Damage { offset, reason: reason.into() };
        let word = |at: usize| u32_at(bytes, at, self.big_endian).ok_or_else(|| cut(offset));
        let number = match kind {
            ENHANCED_PACKET => word(8)? as usize,
            OBSOLETE_PACKET => usize::from(u16_at(bytes, 8, self.big_endian).ok_or_else(|| cut(offset))?),
            _ => 0,
        };
        let big_endian = self.big_endian;
        let mut not_described;
        let interface = if let Some(interface) = self.interfaces.get_mut(number) {
            interface
        } else {
            not_described = Interface::not_described();
            &mut not_described
        };
        let end = bytes.len().saturating_sub(4);
        let (captured, wire_length, data_at) = if kind == SIMPLE_PACKET {
            let wire_length = word(8)?;
            // how much was captured is nowhere said
            let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
            let room = u32::try_from(end.saturating_sub(12)).unwrap_or(u32::MAX);
            (wire_length.min(snaplen).min(room), wire_length, 12)
        } else {
            let ticks = u64::from(word(12)?) << 32 | u64::from(word(16)?);
            // in which units an interface counts is said nowhere else
            if interface.link != LinkType::NOT_DESCRIBED {
                self.last_time = interface.time(ticks);
            }
            (word(20)?, word(24)?, 28)
        };
        let room = end.saturating_sub(data_at);
        let length = usize::try_from(captured).ok().filter(|length| data_at <= end && *length <= room);
        let length = length.ok_or_else(|| damage("a packet longer than its block"))?;
        let options_at = data_at + length.next_multiple_of(4);
        if options_at < end || kind == OBSOLETE_PACKET {
            interface.note_told(kind, bytes, options_at, big_endian);
        }
        let Interface { link, number: interface, .. } = *interface;
        let data = start + data_at..start + data_at + length;
        Ok(Head { time: self.last_time, link, interface, wire_length, data })
    }
}

impl Interface {
    fn read(block: &[u8], big_endian: bool) -> Option<Self> {
        let link = LinkType(u32::from(u16_at(block, 8, big_endian)?));
        let snaplen = u32_at(block, 12, big_endian)?;
        let mut interface = Self { description: (link, 0), link, snaplen, ..Self::not_described() };
        for (code, value) in options(block, 16, big_endian) {
            match (code, value) {
                (NAME | DESCRIPTION, value) => {
                    let told = (interface.description.1, code, value);
                    interface.description.1 = FixedState::default().hash_one(told);
                }
                (RESOLUTION, [resolution]) => interface.ticks_per_second = ticks_per_second(*resolution),
                (OFFSET, value) => interface.offset_seconds = count(value, big_endian).cast_signed(),
                _ => {}
            }
        }
        Some(interface)
    }

    /// What a packet is of whose interface the section did not describe: it can be counted, and no more.
    const fn not_described() -> Self {
        Self {
            description: (LinkType::NOT_DESCRIBED, 0),
            number: 0,
            link: LinkType::NOT_DESCRIBED,
            snaplen: 0,
            ticks_per_second: 1_000_000,
            offset_seconds: 0,
            statistics: Drops { by_kernel: 0, by_interface: 0 },
            told_by_packets: 0,
        }
    }

    /// The statistics, else what packets told: both would count twice.
    fn drops(&self) -> Drops {
        let Drops { by_kernel, by_interface } = self.statistics;
        Drops { by_kernel, by_interface: by_interface.max(self.told_by_packets.saturating_sub(by_kernel)) }
    }

    /// How many packets were dropped between this packet and the one before.
    fn note_told(&mut self, kind: u32, block: &[u8], options_at: usize, big_endian: bool) {
        const DROP_COUNT: u16 = 4;
        const NOT_KNOWN: u16 = u16::MAX;
        let told = if kind == OBSOLETE_PACKET {
            u16_at(block, 10, big_endian).filter(|drops| *drops != NOT_KNOWN).map(u64::from)
        } else {
            options(block, options_at, big_endian)
                .find(|(code, _)| *code == DROP_COUNT)
                .map(|(_, it)| count(it, big_endian))
        };
        self.told_by_packets = self.told_by_packets.saturating_add(told.unwrap_or_default());
    }

    fn time(&self, ticks: u64) -> Timestamp {
        let seconds = i64::try_from(ticks / self.ticks_per_second).unwrap_or(i64::MAX);
        let rest = ticks % self.ticks_per_second;
        // in 64 bits where that is enough, for it is faster
        let nanos = if let Some(product) = rest.checked_mul(NANOS_PER_SECOND) {
            product / self.ticks_per_second
        } else {
            let product = u128::from(rest) * u128::from(NANOS_PER_SECOND);
            u64::try_from(product / u128::from(self.ticks_per_second)).unwrap_or(0)
        };
        Timestamp::new(seconds.saturating_add(self.offset_seconds), u32::try_from(nanos).unwrap_or(0))
    }
}

/// `if_tsresol`: a power of ten, or of two where the highest bit is set. Where a second has more ticks than can be counted,
/// all times lie within the first.
fn ticks_per_second(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let ticks = if resolution & 0x80 == 0 { 10u64.checked_pow(exponent) } else { 2u64.checked_pow(exponent) };
    ticks.unwrap_or(u64::MAX)
}

/// Whether the description of an interface has an `if_filter` that says anything: what kind it is, then the filter.
fn has_filter(block: &[u8], big_endian: bool) -> bool {
    const FILTER: u16 = 11;
    options(block, 16, big_endian).any(|(code, value)| code == FILTER && value.len() > 1)
}

/// A block's options from here on: code and value, up to the one that ends them or to the block's closing length.
fn options(block: &[u8], at: usize, big_endian: bool) -> impl Iterator<Item = (u16, &[u8])> {
    const END: u16 = 0;
    let mut rest = block.get(at..block.len().saturating_sub(4)).unwrap_or_default();
    std::iter::from_fn(move || {
        let (code, length) = (u16_at(rest, 0, big_endian)?, usize::from(u16_at(rest, 2, big_endian)?));
        let value = rest.get(4..4 + length).filter(|_| code != END)?;
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    })
}

/// A number of eight bytes; 0 where the value has another length.
fn count(value: &[u8], big_endian: bool) -> u64 {
    let word = <[u8; 8]>::try_from(value).unwrap_or_default();
    if big_endian { u64::from_be_bytes(word) } else { u64::from_le_bytes(word) }
}

fn cut(offset: u64) -> Damage {
    Damage { offset, reason: "cut in the middle of a block".into() }
}
