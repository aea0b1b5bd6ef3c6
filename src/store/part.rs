//! How observations of one hour are written: a version, the words that their keys use, then each observation in the order
//! of the keys, with what differs from the one before. All numbers are LEB128. Equal observations are equal bytes.

use std::{net::IpAddr, vec};

use super::{
    codec::{self, Input, put},
    day::{self, DayRow},
};
use crate::model::{Hour, Observation, ObservationKey, Opening, Protocol, TraceSet};

/// Changes when the layout below does.
const VERSION: u64 = 1;
/// The layout of a day: see [`super::day`].
const VERSION_OF_DAYS: u64 = 2;

/// Bytes after which a part is full. Parts are read and written whole: many observations share the cost of a row, and a
/// hundred parts that are merged do not fill the memory.
const FULL_BYTES: usize = 64 << 10;

/// Bits of an observation's first byte.
const SEEN: u8 = 1;
const SAME_SRC: u8 = 1 << 1;
const SAME_DST: u8 = 1 << 2;
const V6_SRC: u8 = 1 << 3;
const V6_DST: u8 = 1 << 4;
const RECORDS: u8 = 1 << 5;
const SAMPLE: u8 = 1 << 6;

/// A part while it is written.
pub(super) struct PartWriter {
    pub hour: Hour,
    version: u64,
    words: Vec<String>,
    rows: Vec<u8>,
    count: u64,
    sampled: u64,
    before: Option<(IpAddr, IpAddr)>,
}

/// A part as it goes into the store.
pub(super) struct Part {
    pub hour: Hour,
    /// How many hours it is about.
    pub hours: i32,
    /// Observations whose connections are a sample.
    pub sampled: u64,
    pub data: Vec<u8>,
}

impl Part {
    /// Whether it reads as [`PartWriter`] writes it, and is about as many hours as is said beside it.
    pub fn is_readable(&self) -> bool {
        let Ok(mut rows) = Rows::new(self.hour, self.data.clone()) else { return false };
        self.hours == (if rows.is_day { day::HOURS } else { 1 }) && rows.all(|row| row.is_ok())
    }
}

impl PartWriter {
    pub fn new(hour: Hour) -> Self {
        let rows = Vec::with_capacity(FULL_BYTES + FULL_BYTES / 8);
        Self { hour, version: VERSION, words: Vec::new(), rows, count: 0, sampled: 0, before: None }
    }

    /// A part of the day that begins with this hour.
    pub fn of_day(hour: Hour) -> Self {
        Self { version: VERSION_OF_DAYS, ..Self::new(hour) }
    }

    /// Adds an observation of this hour; tells whether the part is full.
    pub fn push(&mut self, observation: &Observation) -> bool {
        let Observation { key, traces } = observation;
        let has_records = codec::has_records(traces);
        self.push_key(key, has_records, (!traces.is_exact()).then(|| traces.total()));
        codec::put_set(&mut self.rows, traces, has_records);
        self.rows.len() >= FULL_BYTES
    }

    /// Adds what a day saw between two ends.
    pub fn push_day(&mut self, row: &DayRow) -> bool {
        self.push_key(&row.key, false, (!row.is_exact()).then_some(row.total));
        day::put_traces(&mut self.rows, row);
        self.rows.len() >= FULL_BYTES
    }

    /// The key, and how many connections there were where only a sample of them follows.
    fn push_key(&mut self, key: &ObservationKey, has_records: bool, total: Option<u64>) {
        let (is_src_known, is_dst_known) = match self.before {
            Some((src, dst)) => (src == key.src, dst == key.dst),
            None => (false, false),
        };
        let bits = [
            (SEEN, key.opening == Opening::Seen),
            (SAME_SRC, is_src_known),
            (SAME_DST, is_dst_known),
            (V6_SRC, key.src.is_ipv6()),
            (V6_DST, key.dst.is_ipv6()),
            (RECORDS, has_records),
            (SAMPLE, total.is_some()),
        ];
        let bits = bits.iter().filter(|(_, is_set)| *is_set).fold(0, |all, (bit, _)| all | bit);
        self.rows.extend([bits, key.protocol.0]);
        if !is_src_known {
            put_address(&mut self.rows, key.src);
        }
        if !is_dst_known {
            put_address(&mut self.rows, key.dst);
        }
        let words = [&key.vlans, &key.tunnels].map(|word| self.word(word));
        for number in [u64::from(key.dst_port), words[0], words[1]] {
            put(&mut self.rows, number);
        }
        if let Some(total) = total {
            self.sampled += 1;
            put(&mut self.rows, total);
        }
        self.count += 1;
        self.before = Some((key.src, key.dst));
    }

    pub fn finish(self) -> Part {
        let mut data = Vec::with_capacity(self.rows.len() + 64);
        put(&mut data, self.version);
        put(&mut data, self.words.len() as u64);
        for word in &self.words {
            put(&mut data, word.len() as u64);
            data.extend(word.as_bytes());
        }
        put(&mut data, self.count);
        data.extend(self.rows);
        let hours = if self.version == VERSION_OF_DAYS { day::HOURS } else { 1 };
        Part { hour: self.hour, hours, sampled: self.sampled, data }
    }

    /// The part, unless nothing was added.
    pub fn finish_some(self) -> Option<Part> {
        (self.count > 0).then(|| self.finish())
    }

    /// The number of a word, 0 for none. Parts have few.
    fn word(&mut self, word: &str) -> u64 {
        if word.is_empty() {
            return 0;
        }
        let known = self.words.iter().position(|known| known == word);
        let n = known.unwrap_or_else(|| {
            self.words.push(word.to_owned());
            self.words.len() - 1
        });
        n as u64 + 1
    }
}

fn put_address(bytes: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => bytes.extend(address.octets()),
        IpAddr::V6(address) => bytes.extend(address.octets()),
    }
}

/// The observations of a part, in order. Each is made when it is asked for: they take ten times the room of the part.
pub(super) struct Rows {
    hour: Hour,
    is_day: bool,
    words: Vec<String>,
    data: Vec<u8>,
    /// Where in it the next one begins, and how many are left.
    at: usize,
    left: usize,
    before: Option<(IpAddr, IpAddr)>,
    /// Of a day what its hours saw between the ends that were read last.
    hours: vec::IntoIter<Observation>,
}

/// The bytes are not what [`PartWriter`] writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Rows {
    pub fn new(hour: Hour, data: Vec<u8>) -> Result<Self, Unreadable> {
        let Lead { is_day, words, left, at } = lead(&data).ok_or(Unreadable)?;
        Ok(Self { hour, is_day, words, data, at, left, before: None, hours: Vec::new().into_iter() })
    }

    /// The next one; of a day what comes first of it.
    fn read(&mut self) -> Option<Observation> {
        let mut input = Input(self.data.get(self.at..)?);
        let Head { key, total, has_records } = head(&mut input, (self.hour, &self.words), self.before)?;
        self.before = Some((key.src, key.dst));
        let row = if self.is_day {
            let row = DayRow { traces: day::traces(&mut input)?, key, total };
            self.hours = row.with_total().by_hour().collect::<Vec<_>>().into_iter();
            self.hours.next()
        } else {
            let traces = TraceSet::restore(codec::traces(&mut input, has_records)?, total);
            Some(Observation { key, traces })
        };
        self.at = self.data.len() - input.0.len();
        row
    }
}

impl Iterator for Rows {
    type Item = Result<Observation, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.hours.next() {
            return Some(Ok(row));
        }
        let row = match self.left {
            // nothing follows the last
            0 if self.at == self.data.len() => return None,
            0 => None,
            _ => self.read(),
        };
        self.left = self.left.saturating_sub(1);
        if row.is_none() {
            (self.left, self.at) = (0, self.data.len());
        }
        Some(row.ok_or(Unreadable))
    }
}

/// What a part begins with.
struct Lead {
    is_day: bool,
    words: Vec<String>,
    left: usize,
    at: usize,
}

fn lead(data: &[u8]) -> Option<Lead> {
    let mut input = Input(data);
    let is_day = match input.number()? {
        VERSION => false,
        VERSION_OF_DAYS => true,
        _ => return None,
    };
    // every word and every row takes a byte at least
    let count = usize::try_from(input.number()?).ok().filter(|count| *count <= data.len())?;
    let words = (0..count).map(|_| input.text().map(str::to_owned)).collect::<Option<_>>()?;
    let left = usize::try_from(input.number()?).ok().filter(|count| *count <= data.len())?;
    Some(Lead { is_day, words, left, at: data.len() - input.0.len() })
}

/// What comes before the connections.
struct Head {
    key: ObservationKey,
    /// 0 where all of them follow.
    total: u64,
    has_records: bool,
}

fn head(input: &mut Input<'_>, (hour, words): (Hour, &[String]), before: Option<(IpAddr, IpAddr)>) -> Option<Head> {
    let [bits, protocol] = input.fixed()?;
    let has = |bit: u8| bits & bit != 0;
    let src = if has(SAME_SRC) { before?.0 } else { address(input, has(V6_SRC))? };
    let dst = if has(SAME_DST) { before?.1 } else { address(input, has(V6_DST))? };
    let dst_port = input.small()?;
    let (vlans, tunnels) = (word(input, words)?, word(input, words)?);
    let total = if has(SAMPLE) { input.number()? } else { 0 };
    let opening = if has(SEEN) { Opening::Seen } else { Opening::Unseen };
    let protocol = Protocol(protocol);
    let key = ObservationKey { hour, protocol, opening, src, dst, dst_port, vlans, tunnels };
    Some(Head { key, total, has_records: has(RECORDS) })
}

fn address(input: &mut Input<'_>, is_v6: bool) -> Option<IpAddr> {
    Some(if is_v6 { IpAddr::from(input.fixed::<16>()?) } else { IpAddr::from(input.fixed::<4>()?) })
}

fn word(input: &mut Input<'_>, words: &[String]) -> Option<String> {
    match usize::try_from(input.number()?).ok()?.checked_sub(1) {
        None => Some(String::new()),
        Some(n) => words.get(n).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Lump, Tally, Trace};

    fn read(hour: Hour, data: &[u8]) -> Result<Vec<Observation>, Unreadable> {
        Rows::new(hour, data.to_vec())?.collect()
    }

    fn any_observation() -> impl Strategy<Value = Observation> {
        let address = prop_oneof![
            any::<u8>().prop_map(|last| IpAddr::from([10, 0, 0, last % 4])),
            any::<u8>().prop_map(|last| IpAddr::from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last % 4])),
        ];
        let word = prop::sample::select(vec!["", "10", "10,100.20", "vxlan:42"]);
        let traces = prop::collection::vec((any::<u16>(), any::<u32>(), 0u64..3), 0..5);
        (any::<(u8, bool, u16)>(), (address.clone(), address), (word.clone(), word), traces, 0u64..2).prop_map(
            |((protocol, is_seen, dst_port), (src, dst), (vlans, tunnels), traces, beyond)| {
                let trace = |(src_port, identity, connections)| Trace {
                    src_port,
                    identity,
                    from_src: Tally::one(1, 2, 3),
                    lump: Lump { connections, hours: 0 },
                    ..Trace::default()
                };
                let set = TraceSet::restore(traces.into_iter().map(trace), 0);
                let total = set.total() + beyond;
                let key = ObservationKey {
                    hour: Hour(500_000),
                    protocol: Protocol(protocol),
                    opening: if is_seen { Opening::Seen } else { Opening::Unseen },
                    src,
                    dst,
                    dst_port,
                    vlans: vlans.into(),
                    tunnels: tunnels.into(),
                };
                Observation { key, traces: TraceSet::restore(set.into_traces(), total) }
            },
        )
    }

    proptest! {
        #[test]
        fn a_part_is_read_as_it_was_written(all in prop::collection::vec(any_observation(), 0..30)) {
            let mut writer = PartWriter::new(Hour(500_000));
            for observation in &all {
                writer.push(observation);
            }
            let part = writer.finish();
            prop_assert_eq!(part.sampled, all.iter().filter(|it| !it.traces.is_exact()).count() as u64);
            prop_assert_eq!(read(part.hour, &part.data).unwrap(), all);
            // what follows the last is no part of it
            let longer = [&part.data[..], &[0]].concat();
            prop_assert_eq!(read(part.hour, &longer), Err(Unreadable));
        }

        #[test]
        fn damaged_bytes_are_refused_or_read_but_never_panic(
            all in prop::collection::vec(any_observation(), 1..9), at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
        ) {
            let mut writer = PartWriter::new(Hour(500_000));
            for observation in &all {
                writer.push(observation);
            }
            let mut data = writer.finish().data;
            let place = at.index(data.len());
            data[place] = byte;
            let _ = read(Hour(0), &data[..cut.index(data.len() + 1)]);
            let _ = read(Hour(0), &data);
        }
    }
}
