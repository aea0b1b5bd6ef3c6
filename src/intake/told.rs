//! What was counted, as it is told.

use std::{cmp::Reverse, collections::BTreeMap};

use foldhash::HashSet;

use super::Counts;
use crate::{decode::NotDecoded, model::Note};

/// A packet in so many: fewer are senders that say the same twice.
const TOLD_TWICE: u64 = 50;

/// A packet in so many, and more than one: fewer are what damage on the way, and the first moment of a capture, leave of any.
const TOLD_UNREAD: u64 = 1_000;

/// So many kinds of frames without a name are told one by one: who sends random types is not to fill stores and screens.
const MAX_NUMBERS: usize = 64;

impl Counts {
    /// The frames that were not decoded, by the reason's name. Several numbers may have one name, as the two Ethernet types
    /// of `PPPoE` do. Of those that have a number and no name the `MAX_NUMBERS` most frequent are told one by one.
    #[must_use]
    pub fn not_decoded_by_name(&self) -> BTreeMap<String, u64> {
        let mut numbers: Vec<(Reverse<u64>, NotDecoded)> = Vec::new();
        for (reason, count) in self.not_decoded.iter().filter(|(reason, _)| reason.of_many().is_some()) {
            numbers.push((Reverse(*count), *reason));
        }
        numbers.sort_unstable();
        let others: HashSet<NotDecoded> = numbers.iter().skip(MAX_NUMBERS).map(|(_, reason)| *reason).collect();
        let mut by_name = BTreeMap::new();
        for (reason, count) in &self.not_decoded {
            let together = reason.of_many().filter(|_| others.contains(reason));
            let name = together.map_or_else(|| reason.to_string(), str::to_owned);
            *by_name.entry(name).or_default() += count;
        }
        by_name
    }

    /// What bounds left out, and what counts are worth.
    #[must_use]
    pub fn notes(&self) -> BTreeMap<Note, u64> {
        let is_doubled = self.twice >= self.packets.div_ceil(TOLD_TWICE);
        let unread = self.not_decoded.iter().filter(|(reason, _)| reason.may_hide_packet()).map(|(_, count)| count);
        let unread: u64 = unread.sum();
        let is_worth_telling = unread > 1 && unread >= self.packets.div_ceil(TOLD_UNREAD);
        let mut notes = Note::counted([
            (Note::Unread, if is_worth_telling { unread } else { 0 }),
            (Note::LinksLeftOut, self.missed_links),
            (Note::ApplicationsLeftOut, self.missed_applications),
            (Note::Doubled, if is_doubled { self.twice } else { 0 }),
        ]);
        notes.extend(self.bounds.clone());
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Layer;

    #[test]
    fn thousands_of_kinds_without_a_name_are_told_together() {
        let number = |n: u16| (NotDecoded::EtherType(0x1000 + n), u64::from(n) + 1);
        let mut counts = Counts { not_decoded: (0..3_000).map(number).collect(), ..Counts::default() };
        counts.not_decoded.insert(NotDecoded::Arp, 7);
        let told = counts.not_decoded_by_name();
        assert_eq!(told.len(), MAX_NUMBERS + 2);
        assert_eq!((told["arp"], told.get("ethertype 0x1bb7")), (7, Some(&3_000)), "the most frequent by itself");
        assert_eq!(told.values().sum::<u64>(), 3_000 * 3_001 / 2 + 7, "and all are counted");
    }

    #[test]
    fn what_may_hide_packets_is_noted_where_it_is_more_than_chance() {
        let unread = |packets: u64, reason: NotDecoded, count: u64| {
            let counts = Counts { packets, not_decoded: [(reason, count)].into(), ..Counts::default() };
            counts.notes().get(&Note::Unread).copied()
        };
        let malformed = NotDecoded::Malformed(Layer::Ipv4);
        assert_eq!([1, 2].map(|count| unread(480, malformed, count)), [None, Some(2)]);
        assert_eq!([9, 10].map(|count| unread(10_000, malformed, count)), [None, Some(10)]);
        // macsec may hide packets, and what nobody knows; arp and spanning tree carry none
        assert_eq!(unread(100, NotDecoded::EtherType(0x88e5), 50), Some(50));
        assert_eq!(unread(100, NotDecoded::EtherType(0x1234), 50), Some(50));
        let harmless = [NotDecoded::Arp, NotDecoded::Llc(0x42), NotDecoded::EtherType(0x88cc)];
        assert_eq!(harmless.map(|reason| unread(100, reason, 50)), [None; 3]);
    }
}
