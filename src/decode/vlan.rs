//! VLAN tags (IEEE 802.1Q): a type, then priority, drop eligibility and the VLAN's id.

use std::fmt;

use super::{Cursor, Layer, NotDecoded, be16};

/// Tags deeper than this are not stacked by anyone.
const MAX_TAGS: usize = 8;

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

    /// A stack of these ids, outer first; `None` where they are too many.
    #[must_use]
    pub fn of(ids: &[u16]) -> Option<Self> {
        let mut stack = Self::default();
        ids.iter().all(|id| stack.push(*id)).then_some(stack)
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

/// Takes the tags off and adds them to the stack; the cursor then stands before what they carried.
pub(super) fn strip(cursor: &mut Cursor<'_>, stack: &mut VlanStack) -> Result<(), NotDecoded> {
    // 802.1Q, 802.1ad, and the numbers that were used before 802.1ad
    while matches!(cursor.ether_type, 0x8100 | 0x88a8 | 0x9100 | 0x9200) {
        let cut = NotDecoded::CutShort(Layer::Link);
        let id = be16(cursor.rest, 0).ok_or(cut)? & 0x0fff;
        cursor.ether_type = be16(cursor.rest, 2).ok_or(cut)?;
        cursor.rest = cursor.rest.get(4..).ok_or(cut)?;
        if !stack.push(id) {
            return Err(NotDecoded::TooManyTags);
        }
    }
    Ok(())
}
