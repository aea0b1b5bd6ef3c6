//! How the connections of an observation are written: their number, then each in turn, all numbers as LEB128. Sorted by
//! their first packet, so that equal sets are equal bytes.

use smallvec::SmallVec;

use crate::model::{Flags, Hops, Lump, Sent, Tally, Trace, TraceSet};

/// The layouts. Version 1 had packets and bytes as sums, without the places that saw them; version 3 ends each connection
/// with what a record of a flow log stands for, and is written only where there are records.
const VERSION: u64 = 2;
const VERSION_OF_SUMS: u64 = 1;
const VERSION_OF_RECORDS: u64 = 3;

/// Whether a record of a flow log is among them, whose figures are then written too.
pub(super) fn has_records(set: &TraceSet) -> bool {
    set.iter().any(|trace| trace.lump != Lump::default())
}

/// Appends the connections of a set.
pub(super) fn put_set(bytes: &mut Vec<u8>, set: &TraceSet, has_records: bool) {
    let mut traces: SmallVec<[&Trace; 4]> = set.iter().collect();
    traces.sort_unstable_by_key(|trace| (trace.first, trace.id()));
    put(bytes, traces.len() as u64);
    let mut before = 0;
    for trace in traces {
        // in their order the times differ little: their differences are short
        put(bytes, u64::from(trace.first - before));
        before = trace.first;
        put(bytes, u64::from(trace.last.saturating_sub(trace.first)));
        put_rest(bytes, trace, has_records);
    }
}

/// What a connection is, but for its times.
pub(super) fn put_rest(bytes: &mut Vec<u8>, trace: &Trace, has_records: bool) {
    put(bytes, u64::from(trace.src_port));
    bytes.extend(trace.identity.to_le_bytes());
    bytes.extend(trace.answer.to_le_bytes());
    put(bytes, u64::from(trace.src_end.wrapping_sub(trace.identity)));
    put(bytes, u64::from(trace.dst_end.wrapping_sub(trace.answer)));
    put(bytes, u64::from(trace.flags.bits()));
    put_tally(bytes, &trace.from_src);
    put_tally(bytes, &trace.from_dst);
    let (src, dst) = (trace.hops_src, trace.hops_dst);
    bytes.extend([src.high, src.low, dst.high, dst.low]);
    if has_records {
        put(bytes, trace.lump.connections);
        put(bytes, u64::from(trace.lump.hours));
    }
}

/// The connections that [`put_set`] wrote; `None` where the bytes are others.
pub(super) fn traces(input: &mut Input<'_>, has_records: bool) -> Option<Vec<Trace>> {
    input.traces(if has_records { VERSION_OF_RECORDS } else { VERSION })
}

/// Reads a set by itself, as it was written before observations were written in parts.
pub(super) fn decode(bytes: &[u8], total: u64) -> Option<TraceSet> {
    let mut input = Input(bytes);
    let version = input.number()?;
    if !(VERSION_OF_SUMS..=VERSION_OF_RECORDS).contains(&version) {
        return None;
    }
    let traces = input.traces(version)?;
    input.0.is_empty().then(|| TraceSet::restore(traces, total))
}

pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn put_tally(bytes: &mut Vec<u8>, tally: &Tally) {
    put(bytes, tally.len() as u64);
    for Sent { point, packets, bytes: octets } in tally.iter() {
        for number in [u64::from(*point), *packets, *octets] {
            put(bytes, number);
        }
    }
}

/// Bytes taken off one by one.
pub(super) struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    pub fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    /// A length and so many bytes of text.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.small()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(bytes).ok()
    }

    fn traces(&mut self, version: u64) -> Option<Vec<Trace>> {
        let count = usize::try_from(self.number()?).ok().filter(|count| *count <= TraceSet::MOST)?;
        let mut first = 0;
        (0..count).map(|_| self.trace(&mut first, version)).collect()
    }

    fn tally(&mut self) -> Option<Tally> {
        let count = self.number()?;
        let sent =
            |input: &mut Self| Some(Sent { point: input.small()?, packets: input.number()?, bytes: input.number()? });
        if count > Tally::MAX_POINTS as u64 { None } else { (0..count).map(|_| sent(self)).collect() }
    }

    /// The sums of version 1: the packets of both sides in one, all laid to the first.
    fn sums(&mut self) -> Option<(Tally, Tally)> {
        let (packets, to_dst, to_src) = (self.number()?, self.number()?, self.number()?);
        Some((Tally::one(0, packets, to_dst), Tally::one(0, 0, to_src)))
    }

    fn trace(&mut self, before: &mut u32, version: u64) -> Option<Trace> {
        let first = before.checked_add(self.small()?)?;
        *before = first;
        let last = first.checked_add(self.small()?)?;
        Some(Trace { first, last, ..self.rest(version)? })
    }

    /// A connection that [`put_rest`] wrote: its times are left to the caller.
    pub fn timeless(&mut self, has_records: bool) -> Option<Trace> {
        self.rest(if has_records { VERSION_OF_RECORDS } else { VERSION })
    }

    fn rest(&mut self, version: u64) -> Option<Trace> {
        let src_port = self.small()?;
        let identity = u32::from_le_bytes(self.fixed()?);
        let answer = u32::from_le_bytes(self.fixed()?);
        let src_end = identity.wrapping_add(self.small()?);
        let dst_end = answer.wrapping_add(self.small()?);
        let flags = Flags::from_bits(self.small()?);
        let (from_src, from_dst) =
            if version == VERSION_OF_SUMS { self.sums()? } else { (self.tally()?, self.tally()?) };
        let [src_high, src_low, dst_high, dst_low] = self.fixed()?;
        let lump = if version == VERSION_OF_RECORDS {
            Lump { connections: self.number()?, hours: self.small()? }
        } else {
            Lump::default()
        };
        Some(Trace {
            src_port,
            identity,
            answer,
            src_end,
            dst_end,
            flags,
            from_src,
            from_dst,
            hops_src: Hops { high: src_high, low: src_low },
            hops_dst: Hops { high: dst_high, low: dst_low },
            lump,
            ..Trace::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(set: &TraceSet) -> Vec<u8> {
        let has_records = has_records(set);
        let mut bytes = vec![if has_records { 3 } else { 2 }];
        put_set(&mut bytes, set, has_records);
        bytes
    }

    fn any_tally() -> impl Strategy<Value = Tally> {
        prop::collection::vec((any::<u32>(), any::<u64>(), any::<u64>()), 0..4)
            .prop_map(|all| all.into_iter().map(|(point, packets, bytes)| Sent { point, packets, bytes }).collect())
    }

    prop_compose! {
        fn any_trace()(src_port: u16, identity: u32, answer: u32, ends: (u32, u32), flags: u16, times: (u32, u32),
                       from_src in any_tally(), from_dst in any_tally(), hops: (u8, u8), lump: (u64, u32)) -> Trace {
            let (first, last) = (times.0.min(times.1), times.0.max(times.1));
            let (hops_src, hops_dst) = (Hops { high: hops.0, low: hops.1 }, Hops { high: hops.1, low: hops.0 });
            let (src_end, dst_end, flags) = (ends.0, ends.1, Flags::from_bits(flags));
            let lump = Lump { connections: lump.0, hours: lump.1 };
            Trace { src_port, identity, answer, src_end, dst_end, flags, first, last, from_src, from_dst, hops_src, hops_dst, lump }
        }
    }

    proptest! {
        #[test]
        fn a_set_is_read_as_it_was_written(traces in prop::collection::vec(any_trace(), 0..20), beyond in 0u64..9) {
            let set = TraceSet::restore(traces, 0);
            let total = set.total() + beyond;
            let read = decode(&encode(&set), total).unwrap();
            prop_assert_eq!(read, TraceSet::restore(set.iter().cloned(), total));
        }

        #[test]
        fn what_an_older_version_wrote_is_read(packets: u64, to_dst: u64, to_src: u64) {
            let set = TraceSet::restore([Trace { src_port: 5, identity: 7, ..Trace::default() }], 1);
            let mut bytes = encode(&set);
            bytes[0] = 1;
            // two empty tallies, then four hop limits
            bytes.truncate(bytes.len() - 6);
            for number in [packets, to_dst, to_src] {
                put(&mut bytes, number);
            }
            bytes.extend([64, 63, 62, 61]);
            let read: Vec<Trace> = decode(&bytes, 1).unwrap().into_traces().collect();
            prop_assert_eq!((read[0].from_src.fullest(), read[0].from_dst.fullest()), ((packets, to_dst), (0, to_src)));
            prop_assert_eq!(read[0].hops_dst, Hops { high: 62, low: 61 });
        }

        #[test]
        fn damaged_bytes_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes, 3);
        }
    }
}
