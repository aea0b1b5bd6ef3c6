//! VLAN tags (IEEE 802.1Q): a type, then priority, drop eligibility and the VLAN's id.

use std::{cmp::Ordering, fmt};

use super::{Cursor, Layer, NotDecoded, be16};

/// Tags deeper than this are not stacked by anyone.
const MAX_TAGS: u32 = 8;

/// Bits of a VLAN's id, and of a stack's depth.
const ID_BITS: u32 = 12;
const DEPTH_BITS: u32 = 4;

/// Stacks of so many ids fit a word of 64 bits with their depth, and leave twelve of its bits.
const MAX_PACKED: u32 = 4;

/// The VLAN ids of a frame, outer first.
///
/// One number: the depth, above it the innermost id, above that the one around it. What is written in one piece can be read in
/// one piece, and a processor need not wait between.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct VlanStack(u128);

impl VlanStack {
    /// The ids, outer first.
    pub fn ids(self) -> impl Iterator<Item = u16> {
        (0..self.depth()).rev().map(move |above| self.id(above))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A stack of these ids, outer first; `None` where they are too many, or one is no VLAN's.
    #[must_use]
    pub fn of(ids: &[u16]) -> Option<Self> {
        let mut stack = Self::default();
        ids.iter().all(|id| stack.push(*id)).then_some(stack)
    }

    /// Up to four ids in the lower 52 bits of a word, which is above 0 where there are some; `None` where they are more.
    #[must_use]
    pub(crate) fn packed(self) -> Option<u64> {
        u64::try_from(self.0).ok().filter(|_| self.depth() <= MAX_PACKED)
    }

    /// The ids of [`VlanStack::packed`].
    #[must_use]
    pub(crate) fn unpacked(word: u64) -> Self {
        Self(word.into())
    }

    /// The stack without ids of 0: these give a priority to a frame of whatever network it is in (IEEE 802.1Q, 6.9), and a
    /// sender may tag one frame so and not the next.
    #[must_use]
    pub fn without_priority_tags(self) -> Self {
        let mut stack = Self::default();
        self.ids().filter(|id| *id != 0).for_each(|id| {
            stack.push(id);
        });
        stack
    }

    /// Adds one more inside; false where there is no room, or it is no VLAN's id.
    #[inline]
    pub(super) fn push(&mut self, id: u16) -> bool {
        let depth = self.depth();
        let has_room = depth < MAX_TAGS && id >> ID_BITS == 0;
        if has_room {
            self.0 = (self.0 >> DEPTH_BITS << ID_BITS | u128::from(id)) << DEPTH_BITS | u128::from(depth + 1);
        }
        has_room
    }

    /// How many ids there are.
    fn depth(self) -> u32 {
        self.low_bits(DEPTH_BITS)
    }

    /// The id that has so many further in.
    fn id(self, further_in: u32) -> u16 {
        let behind = Self(self.0 >> (DEPTH_BITS + further_in * ID_BITS));
        u16::try_from(behind.low_bits(ID_BITS)).unwrap_or_default()
    }

    fn low_bits(self, count: u32) -> u32 {
        // fewer than 32 bits are asked for
        u32::try_from(self.0 & ((1 << count) - 1)).unwrap_or_default()
    }
}

impl Ord for VlanStack {
    /// By the ids, outer first.
    fn cmp(&self, other: &Self) -> Ordering {
        self.ids().cmp(other.ids())
    }
}

impl PartialOrd for VlanStack {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for VlanStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl fmt::Display for VlanStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, id) in self.ids().enumerate() {
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_go_in_and_come_out_again(ids in prop::collection::vec(0u16..5_000, 0..10)) {
            let is_stack = ids.len() <= 8 && ids.iter().all(|id| *id < 4_096);
            let stack = VlanStack::of(&ids);
            prop_assert_eq!(stack.map(|stack| stack.ids().collect::<Vec<_>>()), is_stack.then(|| ids.clone()));
            let Some(stack) = stack else { return Ok(()) };
            prop_assert_eq!(stack.is_empty(), ids.is_empty());
            let word = stack.packed();
            prop_assert_eq!(word.is_some(), ids.len() <= 4);
            prop_assert_eq!(word == Some(0), ids.is_empty());
            if let Some(word) = word {
                prop_assert_eq!((word >> 52, VlanStack::unpacked(word)), (0, stack));
            }
            let others: Vec<u16> = ids.into_iter().filter(|id| *id != 0).collect();
            prop_assert_eq!(stack.without_priority_tags(), VlanStack::of(&others).unwrap());
        }

        #[test]
        fn stacks_are_in_the_order_of_their_ids(
            one in prop::collection::vec(0u16..3, 0..8),
            other in prop::collection::vec(0u16..3, 0..8),
        ) {
            let stack = |ids: &[u16]| VlanStack::of(ids).unwrap();
            prop_assert_eq!(stack(&one).cmp(&stack(&other)), one.cmp(&other));
        }
    }
}
