//! Where the connections are: an open-addressed hash table of slot numbers (Knuth, "The Art of Computer Programming",
//! volume 3, section 6.4: linear probing, algorithm R for taking out).
//!
//! It is our own because of two things that no published table offers: an entry holds the hash and the number and nothing
//! else, so that one cache line answers most questions and nothing is hashed again when it grows; and packets that are
//! about to come can be looked up ahead ([`Index::likely`]), so that the waits for memory overlap.

/// The number of a slot.
pub(super) type SlotId = u32;

/// No slot.
pub(super) const NONE: SlotId = u32::MAX;

/// The part of a hash that the index keeps.
pub(super) type Tag = u32;

const FEWEST: usize = 64;

#[derive(Clone, Copy)]
struct Entry {
    tag: Tag,
    slot: SlotId,
}

const EMPTY: Entry = Entry { tag: 0, slot: NONE };

/// Slot numbers by hash. At most five of eight entries are used.
pub(super) struct Index {
    /// As many as a power of two.
    entries: Vec<Entry>,
    used: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self { entries: vec![EMPTY; FEWEST], used: 0 }
    }
}

impl Index {
    /// The slot of this tag that `is_it`.
    pub fn find(&self, tag: Tag, mut is_it: impl FnMut(SlotId) -> bool) -> Option<SlotId> {
        let mut place = self.home(tag);
        loop {
            let entry = self.entries[place];
            if entry.slot == NONE {
                return None;
            }
            if entry.tag == tag && is_it(entry.slot) {
                return Some(entry.slot);
            }
            place = self.after(place);
        }
    }

    /// Reads the place where a tag will be looked for first, so that it comes near.
    #[inline]
    pub fn touch_home(&self, tag: Tag) -> Tag {
        self.entries[self.home(tag)].tag
    }

    /// The slot that will be found for this tag, unless another one has the same tag; [`NONE`] where there is none.
    #[inline]
    pub fn likely(&self, tag: Tag) -> SlotId {
        let mut place = self.home(tag);
        loop {
            let entry = self.entries[place];
            if entry.slot == NONE || entry.tag == tag {
                return entry.slot;
            }
            place = self.after(place);
        }
    }

    /// Adds a slot that is not in here yet.
    pub fn insert(&mut self, tag: Tag, slot: SlotId) {
        if (self.used + 1) * 8 > self.entries.len() * 5 {
            self.grow();
        }
        self.used += 1;
        self.put(Entry { tag, slot });
    }

    /// Takes a slot out.
    pub fn remove(&mut self, tag: Tag, slot: SlotId) {
        let mut hole = self.home(tag);
        while self.entries[hole].slot != slot {
            if self.entries[hole].slot == NONE {
                return;
            }
            hole = self.after(hole);
        }
        self.used -= 1;
        // what was pushed past the hole comes back, unless its home lies behind the hole
        let mut place = hole;
        loop {
            place = self.after(place);
            let entry = self.entries[place];
            if entry.slot == NONE {
                break;
            }
            if self.distance(self.home(entry.tag), place) >= self.distance(hole, place) {
                self.entries[hole] = entry;
                hole = place;
            }
        }
        self.entries[hole] = EMPTY;
    }

    fn grow(&mut self) {
        let larger = vec![EMPTY; self.entries.len() * 2];
        for entry in std::mem::replace(&mut self.entries, larger) {
            if entry.slot != NONE {
                self.put(entry);
            }
        }
    }

    fn put(&mut self, entry: Entry) {
        let mut place = self.home(entry.tag);
        while self.entries[place].slot != NONE {
            place = self.after(place);
        }
        self.entries[place] = entry;
    }

    fn home(&self, tag: Tag) -> usize {
        tag as usize & (self.entries.len() - 1)
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.entries.len() - 1)
    }

    /// Steps from one place to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.entries.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few tags, so that most of them share their place.
        #[test]
        fn it_holds_what_an_ordered_map_holds(steps in prop::collection::vec((0u32..40, any::<bool>()), 1..600)) {
            let (mut index, mut known) = (Index::default(), BTreeMap::new());
            for (n, is_new) in steps {
                let (tag, slot) = (n % 5 * 64 + n % 3, n);
                if is_new && known.insert(slot, tag).is_none() {
                    index.insert(tag, slot);
                } else if !is_new && known.remove(&slot).is_some() {
                    index.remove(tag, slot);
                }
                for other in 0..40 {
                    let tag = other % 5 * 64 + other % 3;
                    let found = index.find(tag, |slot| slot == other);
                    prop_assert_eq!(found.is_some(), known.contains_key(&other));
                }
            }
        }
    }

    #[test]
    fn it_grows_and_finds_all_of_them_again() {
        let mut index = Index::default();
        for slot in 0..10_000u32 {
            index.insert(slot.wrapping_mul(0x9e37_79b9), slot);
        }
        let is_found = |slot: u32| index.find(slot.wrapping_mul(0x9e37_79b9), |it| it == slot) == Some(slot);
        assert!((0..10_000).all(is_found));
        assert_eq!(index.find(7, |_| false), None);
    }
}
