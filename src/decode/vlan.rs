//! VLAN tags (IEEE 802.1Q): a type, then priority, drop eligibility and the VLAN's id.

use std::fmt;

use smallvec::SmallVec;

use super::{Cursor, Layer, NotDecoded, be16};

/// Tags deeper than this are not stacked by anyone.
const MAX_TAGS: usize = 8;

/// Bits of a VLAN's id.
const ID_BITS: usize = 12;

/// Stacks of so many ids fit a word, beside their depth.
const MAX_PACKED: usize = 4;
const DEPTH_BITS: usize = 3;

/// The VLAN ids of a frame, outer first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanStack {
    ids: [u16; MAX_TAGS],
    depth: u8,
}

impl VlanStack {
    /// The ids, outer first.
    #[must_use]
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.depth)).unwrap_or_default()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.depth == 0
    }

    /// A stack of these ids, outer first; `None` where they are too many.
    #[must_use]
    pub fn of(ids: &[u16]) -> Option<Self> {
        let mut stack = Self::default();
        ids.iter().all(|id| stack.push(*id)).then_some(stack)
    }

    /// Up to four ids in a word, which is above 0 where there are some; `None` where they are more.
    #[must_use]
    pub(crate) fn packed(&self) -> Option<u64> {
        // all at once, also those that are not there, which are 0: packets with and without tags come in turns
        let [a, b, c, d, ..] = self.ids.map(u64::from);
        let has_room = usize::from(self.depth) <= MAX_PACKED && (a | b | c | d) >> ID_BITS == 0;
        let word = a << (3 * ID_BITS) | b << (2 * ID_BITS) | c << ID_BITS | d;
        let spare = MAX_PACKED.saturating_sub(usize::from(self.depth));
        has_room.then_some(word >> (spare * ID_BITS) << DEPTH_BITS | u64::from(self.depth))
    }

    /// The ids of [`VlanStack::packed`].
    #[must_use]
    pub(crate) fn unpacked(word: u64) -> Self {
        let depth = usize::try_from(word & ((1 << DEPTH_BITS) - 1)).unwrap_or_default().min(MAX_PACKED);
        let id = |n: usize| (word >> DEPTH_BITS >> (ID_BITS * (depth - 1 - n))) & ((1 << ID_BITS) - 1);
        let ids: SmallVec<[u16; MAX_PACKED]> = (0..depth).filter_map(|n| u16::try_from(id(n)).ok()).collect();
        Self::of(&ids).unwrap_or_default()
    }

    /// The same without ids of 0: these give a priority to a frame of whatever network it is in (IEEE 802.1Q, 6.9), and a
    /// sender may tag one frame so and not the next.
    #[must_use]
    pub fn without_priority_tags(self) -> Self {
        let mut stack = Self::default();
        self.ids().iter().filter(|id| **id != 0).for_each(|id| {
            stack.push(*id);
        });
        stack
    }

    /// Adds one more inside; false where there is no room.
    pub(super) fn push(&mut self, id: u16) -> bool {
        let Some(slot) = self.ids.get_mut(usize::from(self.depth)) else { return false };
        *slot = id;
        self.depth += 1;
        true
    }
}

impl fmt::Display for VlanStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, id) in self.ids().iter().enumerate() {
            write!(f, "{}{id}", if n > 0 { "." } else { "" })?;
        }
        Ok(())
    }
}

/// Whether an Ethernet type says that a tag follows: 802.1Q, 802.1ad, and the numbers that were used before 802.1ad.
pub(super) fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x88a8 | 0x9100 | 0x9200)
}

/// Bytes of a tag that names no VLAN, without the type that follows: of switches that put the security group of the sender
/// into each frame (Cisco metadata: version, length in options of four bytes, options), and of such that number the ports
/// behind them (Cisco VN-Tag; IEEE 802.1BR E-TAG), of such that say when a frame came (Arista: kind, version, a time of 64 or 48
/// bits), and of fabrics that put addresses of their own before the frame's (Cisco's `FabricPath`: tree and time to live).
fn other_tag(cursor: &Cursor<'_>) -> Option<usize> {
    match cursor.ether_type {
        0x8903 => Some(2 + 12),
        0xd28b => match cursor.rest {
            [0, 1, _, 0x20, ..] => Some(4 + 6),
            [0, 1, _, 0x10, ..] | [] | [_] | [_, _] | [_, _, _] => Some(4 + 8),
            _ => None,
        },
        0x8909 => Some(2 + 4 * usize::from(cursor.rest.get(1).copied().unwrap_or_default())),
        0x8926 => Some(4),
        0x893f => Some(6),
        _ => None,
    }
}

/// Takes the tags off and adds them to the stack; the cursor then stands before what they carried.
pub(super) fn strip(cursor: &mut Cursor<'_>, stack: &mut VlanStack) -> Result<(), NotDecoded> {
    let cut = NotDecoded::CutShort(Layer::Link);
    let mut others = 0;
    loop {
        if let Some(bytes) = other_tag(cursor) {
            cursor.ether_type = be16(cursor.rest, bytes).ok_or(cut)?;
            cursor.rest = cursor.rest.get(bytes + 2..).ok_or(cut)?;
            others += 1;
            if others > MAX_TAGS {
                return Err(NotDecoded::TooManyTags);
            }
            continue;
        }
        if !is_tag(cursor.ether_type) {
            return Ok(());
        }
        let id = be16(cursor.rest, 0).ok_or(cut)? & 0x0fff;
        cursor.ether_type = be16(cursor.rest, 2).ok_or(cut)?;
        cursor.rest = cursor.rest.get(4..).ok_or(cut)?;
        if !stack.push(id) {
            return Err(NotDecoded::TooManyTags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_four_ids_fit_a_word_and_come_out_again() {
        for ids in [&[][..], &[0], &[4095], &[0, 0], &[1, 0, 4095], &[4095, 1, 2, 3]] {
            let stack = VlanStack::of(ids).unwrap();
            assert_eq!(stack.packed().map(VlanStack::unpacked), Some(stack));
            assert_eq!(stack.packed() == Some(0), ids.is_empty());
        }
        assert_eq!(VlanStack::of(&[1, 2, 3, 4, 5]).unwrap().packed(), None);
    }
}
