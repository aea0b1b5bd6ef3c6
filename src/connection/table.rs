//! The connections in memory: slots that never move, and an index of them by five-tuple.
//!
//! A million connections are a hundred megabytes, so that neither the slots nor their keys are held twice: the index holds
//! their numbers alone, and slots come in blocks, which are never copied to make room.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{
    live::Connection,
    tuple::{Address, FiveTuple},
};

/// The number of a slot.
pub(super) type SlotId = u32;

/// No slot.
const NONE: SlotId = u32::MAX;

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
    index: HashTable<SlotId>,
    hasher: RandomState,
    blocks: Vec<Vec<Slot<A>>>,
    free: Vec<SlotId>,
    held: usize,
}

impl<A> Default for Table<A> {
    fn default() -> Self {
        let (index, hasher) = (HashTable::new(), RandomState::default());
        Self { index, hasher, blocks: Vec::new(), free: Vec::new(), held: 0 }
    }
}

impl<A: Address> Table<A> {
    /// Connections held, those between equal ends one by one.
    pub fn len(&self) -> usize {
        self.held
    }

    /// The first connection of a five-tuple.
    pub fn find(&self, tuple: &FiveTuple<A>) -> Option<SlotId> {
        self.index.find(self.hasher.hash_one(tuple), |id| self.slot(*id).tuple == *tuple).copied()
    }

    /// The first connection of a five-tuple; a new one where there was none.
    pub fn find_or_insert(&mut self, tuple: FiveTuple<A>, new: impl FnOnce() -> Connection) -> SlotId {
        if let Some(id) = self.find(&tuple) {
            return id;
        }
        let id = self.push(tuple, Use::First, new());
        let hash = self.hasher.hash_one(tuple);
        let (blocks, hasher) = (&self.blocks, &self.hasher);
        self.index.insert_unique(hash, id, |id| hasher.hash_one(block_slot(blocks, *id).tuple));
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

    /// The next connection between the same ends, in another network.
    pub fn behind(&self, id: SlotId) -> Option<SlotId> {
        Some(self.slot(id).next).filter(|next| *next != NONE)
    }

    /// This connection and those behind it.
    pub fn chain(&self, first: SlotId) -> impl Iterator<Item = SlotId> {
        std::iter::successors(Some(first), |id| self.behind(*id))
    }

    /// Takes some connections out for good, and gives their memory back. After this nothing may be found or added.
    pub fn take_some(&mut self) -> Option<impl Iterator<Item = (FiveTuple<A>, Connection)> + use<A>> {
        self.index = HashTable::new();
        let block = self.blocks.pop()?;
        self.held = 0;
        Some(block.into_iter().filter(|slot| slot.is != Use::Free).map(|slot| (slot.tuple, slot.connection)))
    }

    /// Forgets a five-tuple with all its connections.
    pub fn remove(&mut self, first: SlotId) {
        let hash = self.hasher.hash_one(self.tuple(first));
        if let Ok(entry) = self.index.find_entry(hash, |id| *id == first) {
            entry.remove();
        }
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
