//! The VLANs that a frame is in, one within the other.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// Tags deeper than this are not stacked by anyone.
const MAX_DEPTH: u32 = 8;

/// Bits of a VLAN's id, and of a stack's depth.
const ID_BITS: u32 = 12;
const DEPTH_BITS: u32 = 4;

/// Stacks of so many ids fit a word of 64 bits with their depth, and leave twelve of its bits.
const MAX_PACKED: u32 = 4;

/// The VLAN ids of a frame (IEEE 802.1Q), outer first; as text with dots between, and empty without tags: `100.20`.
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
    pub(crate) fn push(&mut self, id: u16) -> bool {
        let depth = self.depth();
        let has_room = depth < MAX_DEPTH && id >> ID_BITS == 0;
        if has_room {
            self.0 = (self.0 >> DEPTH_BITS << ID_BITS | u128::from(id)) << DEPTH_BITS | u128::from(depth + 1);
        }
        has_room
    }

    /// How many ids there are.
    #[must_use]
    #[inline]
    pub fn depth(self) -> u32 {
        self.low_bits(DEPTH_BITS)
    }

    /// The id that has so many further in.
    fn id(self, further_in: u32) -> u16 {
        let behind = Self(self.0 >> (DEPTH_BITS + further_in * ID_BITS));
        u16::try_from(behind.low_bits(ID_BITS)).unwrap_or_default()
    }

    #[inline]
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

/// The text is no stack of VLANs.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no stack of up to {MAX_DEPTH} VLANs with dots between")]
pub struct NotVlans(String);

impl FromStr for VlanStack {
    type Err = NotVlans;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut stack = Self::default();
        let mut ids = text.split('.').filter(|_| !text.is_empty());
        let is_stack = ids.all(|id| id.parse().is_ok_and(|id| stack.push(id)));
        if is_stack { Ok(stack) } else { Err(NotVlans(text.to_owned())) }
    }
}

impl Serialize for VlanStack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
            prop_assert_eq!((stack.is_empty(), stack.depth() as usize), (ids.is_empty(), ids.len()));
            prop_assert_eq!(stack.to_string().parse::<VlanStack>().unwrap(), stack);
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

    #[test]
    fn what_is_no_stack_is_not_read_as_one() {
        assert_eq!("100.20".parse::<VlanStack>().unwrap(), VlanStack::of(&[100, 20]).unwrap());
        assert!("".parse::<VlanStack>().unwrap().is_empty());
        for text in [".", "10.", "10,20", "4096", "?", "1.2.3.4.5.6.7.8.9"] {
            assert!(text.parse::<VlanStack>().is_err(), "{text}");
        }
    }
}
