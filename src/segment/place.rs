//! Where frames were seen, and how many.

use crate::{
    capture::Frame,
    decode::neighbour::{Neighbour, neighbour},
    model::{Hops, How, LinkKey, LinkSighting, Mac, Span, Timestamp, VlanStack},
};

/// Where frames were seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    interface: u32,
    interface_index: u32,
    vlans: Option<VlanStack>,
    pub medium: How,
}

/// Places that are remembered by a part of what they are: frames come in turns from few.
pub(super) const RECENT: usize = 64;

/// What was seen at a place, or of a fact there.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub span: Span,
    pub packets: u64,
    pub received: u64,
    pub hops: Hops,
    pub has_news: bool,
}

/// How many frames were seen at each place of a part of a capture.
#[derive(Default)]
pub struct Places {
    pub(super) counted: Vec<(Place, Row)>,
    /// The numbers of those met last, by a part of what they are.
    recent: Recent,
}

/// For a word of what a place is, its number.
struct Recent([Option<(u64, u32)>; RECENT]);

impl Default for Recent {
    fn default() -> Self {
        Self([None; RECENT])
    }
}

impl Places {
    /// Forgets what was counted.
    pub fn clear(&mut self) {
        self.counted.clear();
        self.recent = Recent::default();
    }

    /// Counts a frame.
    pub fn count(&mut self, frame: &Frame<'_>) {
        let n = self.number(Place::of(frame, &neighbour(frame)));
        if let Some((_, row)) = self.counted.get_mut(n) {
            row.add(frame.time);
        }
    }

    /// Counts a frame of Ethernet whose tags were read already.
    #[inline]
    pub fn count_tagged(&mut self, frame: &Frame<'_>, vlans: VlanStack) {
        // an interface's number and up to four tags in one word; what does not fit is counted like any other
        let word = vlans.packed().filter(|_| frame.interface < 1 << 12);
        let Some(word) = word.map(|word| word << 12 | u64::from(frame.interface)) else { return self.count(frame) };
        let bucket = usize::try_from(word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58).unwrap_or_default();
        let n = match self.recent.0.get(bucket).copied().flatten() {
            Some((known, n)) if known == word => n as usize,
            _ => {
                let (interface, vlans) = (frame.interface, Some(vlans));
                let n = self.number(Place { interface, interface_index: 0, vlans, medium: How::Frame });
                if let Some(recent) = self.recent.0.get_mut(bucket) {
                    *recent = u32::try_from(n).ok().map(|n| (word, n));
                }
                n
            }
        };
        if let Some((_, row)) = self.counted.get_mut(n) {
            row.add(frame.time);
        }
    }

    /// The number of a place, with a row for what will be counted there.
    fn number(&mut self, place: Place) -> usize {
        let known = self.counted.iter().position(|(known, _)| *known == place);
        known.unwrap_or_else(|| {
            self.counted.push((place, Row::NONE));
            self.counted.len() - 1
        })
    }
}

impl Row {
    /// No frame: its span is that of none.
    const NONE: Self = Self {
        span: Span { first: Timestamp(i64::MAX), last: Timestamp(i64::MIN) },
        packets: 0,
        received: 0,
        hops: Hops { high: 0, low: 0 },
        has_news: true,
    };

    /// One more frame.
    #[inline]
    fn add(&mut self, time: Timestamp) {
        self.span.join(Span::at(time));
        self.packets += 1;
    }

    /// One frame.
    pub fn of(frame: &Frame<'_>) -> Self {
        Self { span: Span::at(frame.time), packets: 1, received: 0, hops: Hops::default(), has_news: true }
    }

    /// Itself, where it was not told since it changed.
    pub fn news(&mut self) -> Option<Self> {
        std::mem::take(&mut self.has_news).then_some(*self)
    }

    pub fn sighting(self, key: LinkKey) -> LinkSighting {
        let Self { span, packets, received, hops, .. } = self;
        LinkSighting { key, span, packets, received, hops }
    }

    pub fn join(&mut self, later: &Self) {
        self.span.join(later.span);
        self.packets += later.packets;
        self.received += later.received;
        self.hops.join(later.hops);
        self.has_news = true;
    }
}

impl Place {
    pub const NOWHERE: Self = Self { interface: 0, interface_index: 0, vlans: None, medium: How::LeftOut };

    pub fn of(frame: &Frame<'_>, seen: &Neighbour<'_>) -> Self {
        let Neighbour { interface_index, medium, vlans, .. } = *seen;
        Self { interface: frame.interface, interface_index, vlans, medium }
    }

    /// Where it is looked for first.
    pub fn bucket(&self) -> usize {
        let ids = self.vlans.into_iter().flat_map(VlanStack::ids).fold(0, |sum, id| sum * 31 + usize::from(id));
        ids.wrapping_add(7 * self.interface as usize).wrapping_add(self.interface_index as usize) % RECENT
    }

    /// The interface within its capture: empty for the first or only one.
    fn interface(&self) -> String {
        match (self.interface, self.interface_index) {
            (0, 0) => String::new(),
            (0, index) => format!("ifindex {index}"),
            (number, 0) => format!("interface {number}"),
            (number, index) => format!("interface {number} ifindex {index}"),
        }
    }

    /// A fact of it, without MAC and address.
    pub fn key(&self, how: How) -> LinkKey {
        let (interface, vlans) = (self.interface(), self.vlans);
        LinkKey { interface, vlans, how, mac: Mac::default(), address: None, prefix: 0 }
    }
}
