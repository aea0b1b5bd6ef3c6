//! Contexts by number: the tags and tunnels that packets came with. A capture has few of them.

use std::collections::BTreeSet;

use foldhash::HashMap;

use crate::decode::{Packet, TunnelStack, VlanStack};

/// Where packets of one connection come in more contexts than any path has, further ones are left out.
const MAX_CONTEXTS: usize = 16;

/// No network has as many paths; what invents them shall not fill the memory. Further ones are left out.
const MAX_SETS: usize = 16_384;

/// The tags and tunnels of a packet.
type Context = (VlanStack, TunnelStack);

/// A context by its number; 0 is that of packets without tags and tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ContextId(u32);

/// More contexts than are numbered share one number, which is in no set.
const BEYOND: ContextId = ContextId(u32::MAX);

/// A set of contexts by its number; 0 is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ContextSet(u16);

impl ContextSet {
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn number(self) -> u16 {
        self.0
    }
}

/// Contexts at hand, by a part of what they are: packets come in turns from few networks.
const RECENT: usize = 64;

pub(super) struct Contexts {
    known: Vec<Context>,
    ids: HashMap<Context, ContextId>,
    recent: [ContextId; RECENT],
    /// For each context the set that holds it alone; empty until it is asked for.
    alone: Vec<ContextSet>,
    /// Number 0 is not in here: it is empty.
    sets: Vec<BTreeSet<ContextId>>,
    numbers: HashMap<BTreeSet<ContextId>, u16>,
    /// For sets and contexts that were asked for: the set that holds both.
    joined: HashMap<(ContextSet, ContextId), ContextSet>,
    /// How often a context was left out.
    pub left_out: u64,
}

impl Default for Contexts {
    fn default() -> Self {
        let bare = Context::default();
        Self {
            known: vec![bare],
            ids: HashMap::from_iter([(bare, ContextId(0))]),
            recent: [ContextId(0); RECENT],
            alone: vec![ContextSet::default()],
            sets: Vec::new(),
            numbers: HashMap::default(),
            joined: HashMap::default(),
            left_out: 0,
        }
    }
}

impl Contexts {
    /// The number of a packet's context.
    #[inline]
    pub fn of(&mut self, packet: &Packet<'_>) -> ContextId {
        if packet.vlans.ids().is_empty() && packet.tunnels.is_empty() {
            return ContextId(0);
        }
        let context = (packet.vlans, packet.tunnels);
        let place = packet.vlans.ids().iter().fold(0, |sum, id| sum * 31 + usize::from(*id)) % RECENT;
        let recent = self.recent[place];
        if self.known.get(recent.0 as usize) == Some(&context) {
            return recent;
        }
        let id = self.ids.get(&context).copied().unwrap_or_else(|| self.number_of(context));
        self.recent[place] = id;
        id
    }

    fn number_of(&mut self, context: Context) -> ContextId {
        if self.known.len() >= MAX_SETS {
            return BEYOND;
        }
        let id = ContextId(u32::try_from(self.known.len()).unwrap_or(u32::MAX));
        self.known.push(context);
        self.alone.push(ContextSet::default());
        self.ids.insert(context, id);
        id
    }

    /// Whether a set holds this context.
    #[inline]
    pub fn has(&self, set: ContextSet, id: ContextId) -> bool {
        let is_alone = !set.is_empty() && self.alone.get(id.0 as usize) == Some(&set);
        is_alone || self.set(set).is_some_and(|contexts| contexts.contains(&id))
    }

    /// The set that holds this context too.
    #[inline]
    pub fn with(&mut self, set: ContextSet, id: ContextId) -> ContextSet {
        let alone = self.alone.get(id.0 as usize).copied().unwrap_or_default();
        if !alone.is_empty() && (set.is_empty() || set == alone) {
            return alone;
        }
        let known = self.joined.get(&(set, id)).copied();
        let Some(after) = known.or_else(|| self.join(set, id)) else {
            self.left_out += 1;
            return set;
        };
        after
    }

    /// The same for the first time; `None` where there is no room for it.
    fn join(&mut self, set: ContextSet, id: ContextId) -> Option<ContextSet> {
        if id == BEYOND {
            return None;
        }
        let mut contexts = self.set(set).cloned().unwrap_or_default();
        let is_full = contexts.len() >= MAX_CONTEXTS;
        let after = match contexts.insert(id) {
            false => set,
            true if is_full => return None,
            true => self.number(contexts)?,
        };
        if set.is_empty()
            && let Some(alone) = self.alone.get_mut(id.0 as usize)
        {
            *alone = after;
        }
        if self.joined.len() < MAX_SETS {
            self.joined.insert((set, id), after);
        }
        Some(after)
    }

    /// The VLAN stacks of two sets as text: `10,100.20`; those without tags are left out.
    pub fn vlans(&self, sets: [ContextSet; 2]) -> String {
        joined(self.all(sets).filter(|(vlans, _)| !vlans.ids().is_empty()).map(|(vlans, _)| vlans))
    }

    /// The tunnel stacks of two sets as text: `vxlan:42`; packets outside of tunnels are left out.
    pub fn tunnels(&self, sets: [ContextSet; 2]) -> String {
        joined(self.all(sets).filter(|(_, tunnels)| !tunnels.is_empty()).map(|(_, tunnels)| tunnels))
    }

    fn all(&self, sets: [ContextSet; 2]) -> impl Iterator<Item = Context> {
        let ids = sets.into_iter().filter_map(|set| self.set(set)).flatten();
        ids.filter_map(|id| self.known.get(id.0 as usize).copied())
    }

    fn set(&self, set: ContextSet) -> Option<&BTreeSet<ContextId>> {
        let index = usize::from(set.0.checked_sub(1)?);
        self.sets.get(index)
    }

    /// The number of a set, a new one where there is room.
    fn number(&mut self, contexts: BTreeSet<ContextId>) -> Option<ContextSet> {
        if let Some(known) = self.numbers.get(&contexts) {
            return Some(ContextSet(*known));
        }
        if self.sets.len() >= MAX_SETS {
            return None;
        }
        self.sets.push(contexts.clone());
        let number = u16::try_from(self.sets.len()).ok()?;
        self.numbers.insert(contexts, number);
        Some(ContextSet(number))
    }
}

fn joined<T: Ord + ToString>(stacks: impl Iterator<Item = T>) -> String {
    let stacks: BTreeSet<T> = stacks.collect();
    stacks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
