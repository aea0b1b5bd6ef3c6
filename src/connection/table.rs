//! The connections in memory: slots that never move, and an index of them by five-tuple.
//!
//! A million connections are a hundred megabytes, so that neither the slots nor their keys are held twice: the index holds
//! their numbers alone, and slots come in blocks, which are never copied to make room.

use std::{hash::BuildHasher, ops::Range};

use foldhash::fast::RandomState;

use super::{
    attempts::Attempts,
    index::{Index, NONE, SlotId, Tag},
    live::Connection,
    tuple::{Address, FiveTuple},
};

/// Slots in a block.
const BLOCK: usize = 8_192;

/// What a slot is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Free,
    /// The first connection of its five-tuple.
    First,
    /// One behind it.
    Further,
}

struct Slot<A> {
    tuple: FiveTuple<A>,
    is: Use,
    /// Another connection between equal ends, in other VLANs or tunnels.
    next: SlotId,
    connection: Connection,
}

/// The connections of one address family.
pub(super) struct Table<A> {
    /// The first connection of each five-tuple; those in other networks follow by [`Table::behind`].
    index: Index,
    hasher: RandomState,
    blocks: Vec<Vec<Slot<A>>>,
    free: Vec<SlotId>,
    held: usize,
    /// Those that nobody answered yet.
    pub attempts: Attempts,
}

impl<A> Default for Table<A> {
    fn default() -> Self {
        let (index, hasher, attempts) = (Index::default(), RandomState::default(), Attempts::default());
        Self { index, hasher, blocks: Vec::new(), free: Vec::new(), held: 0, attempts }
    }
}

impl<A: Address> Table<A> {
    /// Connections held, those between equal ends one by one.
    pub fn len(&self) -> usize {
        self.held
    }

    /// By what the index knows a five-tuple.
    pub fn tag(&self, tuple: &FiveTuple<A>) -> Tag {
        // the upper half: the lower one is what the index would take first of other hashes
        Tag::try_from(self.hasher.hash_one(tuple) >> 32).unwrap_or_default()
    }

    /// Looks where a five-tuple will be looked for first, so that its place in the index comes near.
    pub fn touch_home(&self, tag: Tag) -> u32 {
        self.index.touch_home(tag)
    }

    /// The slot that a five-tuple most likely has.
    pub fn likely(&self, tag: Tag) -> SlotId {
        self.index.likely(tag)
    }

    /// Looks at all of a slot, so that it comes near.
    pub fn touch(&self, id: SlotId) -> u32 {
        let (block, n) = place(id);
        let slot = self.blocks.get(block).and_then(|block| block.get(n));
        slot.map_or(0, |slot| u32::from(slot.tuple.protocol.0) ^ slot.connection.touch())
    }

    /// Whether this slot holds the first connection of this five-tuple.
    #[inline]
    pub fn is_first_of(&self, id: SlotId, tuple: &FiveTuple<A>) -> bool {
        let (block, n) = place(id);
        let slot = self.blocks.get(block).and_then(|block| block.get(n));
        slot.is_some_and(|slot| slot.is == Use::First && slot.tuple == *tuple)
    }

    /// The first connection of a five-tuple.
    pub fn find(&self, tag: Tag, tuple: &FiveTuple<A>) -> Option<SlotId> {
        self.index.find(tag, |id| self.slot(id).tuple == *tuple)
    }

    /// Adds the first connection of a five-tuple.
    pub fn insert(&mut self, tag: Tag, tuple: FiveTuple<A>, connection: Connection) -> SlotId {
        let id = self.push(tuple, Use::First, connection);
        self.index.insert(tag, id);
        id
    }

    /// Another connection between the ends of this one, in another network.
    pub fn push_behind(&mut self, id: SlotId, connection: Connection) -> SlotId {
        let next = self.push(self.slot(id).tuple, Use::Further, connection);
        let (block, n) = place(id);
        self.blocks[block][n].next = next;
        next
    }

    pub fn tuple(&self, id: SlotId) -> &FiveTuple<A> {
        &self.slot(id).tuple
    }

    pub fn get(&self, id: SlotId) -> &Connection {
        &self.slot(id).connection
    }

    pub fn get_mut(&mut self, id: SlotId) -> &mut Connection {
        let (block, n) = place(id);
        &mut self.blocks[block][n].connection
    }

    /// The first connections of all five-tuples, in an order that only the packets decide.
    pub fn firsts(&self) -> impl Iterator<Item = SlotId> {
        (0..).zip(self.blocks.iter().flatten()).filter(|(_, slot)| slot.is == Use::First).map(|(id, _)| id)
    }

    /// Those of some slots that hold a connection.
    pub fn used_within(&self, slots: Range<usize>) -> impl Iterator<Item = SlotId> {
        let ids = (slots.start..slots.end.min(self.slots())).filter_map(|id| SlotId::try_from(id).ok());
        ids.filter(|id| self.is_used(*id))
    }

    /// How many slots there are, used or not.
    pub fn slots(&self) -> usize {
        self.blocks.len().saturating_sub(1) * BLOCK + self.blocks.last().map_or(0, Vec::len)
    }

    /// Whether the slot holds the first connection of a five-tuple.
    pub fn is_first(&self, id: SlotId) -> bool {
        self.slot(id).is == Use::First
    }

    /// Whether the slot holds a connection.
    pub fn is_used(&self, id: SlotId) -> bool {
        self.slot(id).is != Use::Free
    }

    /// The next connection between the same ends, in another network.
    pub fn behind(&self, id: SlotId) -> Option<SlotId> {
        Some(self.slot(id).next).filter(|next| *next != NONE)
    }

    /// This connection and those behind it.
    pub fn chain(&self, first: SlotId) -> impl Iterator<Item = SlotId> {
        std::iter::successors(Some(first), |id| self.behind(*id))
    }

    /// Gives the memory of the index back. After this nothing may be found or added.
    pub fn forget_index(&mut self) {
        self.index = Index::default();
    }

    /// Forgets a five-tuple with all its connections.
    pub fn remove(&mut self, first: SlotId) {
        self.index.remove(self.tag(self.tuple(first)), first);
        let chain: Vec<SlotId> = self.chain(first).collect();
        self.held -= chain.len();
        for id in chain {
            let (block, n) = place(id);
            self.blocks[block][n].is = Use::Free;
            self.free.push(id);
        }
    }

    fn push(&mut self, tuple: FiveTuple<A>, is: Use, connection: Connection) -> SlotId {
        let slot = Slot { tuple, is, next: NONE, connection };
        self.held += 1;
        if let Some(id) = self.free.pop() {
            let (block, n) = place(id);
            self.blocks[block][n] = slot;
            return id;
        }
        if let Some(block) = self.blocks.last_mut().filter(|block| block.len() < BLOCK) {
            block.push(slot);
        } else {
            let mut block = Vec::with_capacity(BLOCK);
            block.push(slot);
            self.blocks.push(block);
        }
        let count: usize = (self.blocks.len() - 1) * BLOCK + self.blocks.last().map_or(0, Vec::len);
        SlotId::try_from(count - 1).unwrap_or(NONE)
    }

    fn slot(&self, id: SlotId) -> &Slot<A> {
        block_slot(&self.blocks, id)
    }
}

fn block_slot<A>(blocks: &[Vec<Slot<A>>], id: SlotId) -> &Slot<A> {
    let (block, n) = place(id);
    &blocks[block][n]
}

fn place(id: SlotId) -> (usize, usize) {
    let id = id as usize;
    (id / BLOCK, id % BLOCK)
}
