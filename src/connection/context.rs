//! Contexts by number: the tags and tunnels that packets came with. A capture has few of them.

use std::collections::BTreeSet;

use foldhash::HashMap;

use crate::{
    decode::{Packet, TunnelStack},
    model::VlanStack,
};

/// Where packets of one connection come in more contexts than any path has, further ones are left out.
const MAX_CONTEXTS: usize = 16;

/// No network has as many paths; what invents them shall not fill the memory. Further ones are left out.
const MAX_SETS: usize = 16_384;

/// The tags and tunnels of a packet.
pub(super) type Context = (VlanStack, TunnelStack);

/// The tags and tunnels of a packet in a word: up to four tags by themselves, all else by its number in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tags(u64);

impl Tags {
    /// Neither tags nor tunnels.
    const NONE: Self = Self(0);

    /// Set where the rest is the number in a list.
    const LISTED: u64 = 1 << 63;

    /// Those of a packet; what has no room in a word is added to the list.
    #[inline]
    pub fn of(packet: &Packet<'_>, list: &mut Vec<Context>) -> Self {
        match packet.vlans.packed() {
            Some(word) if packet.tunnels.is_empty() => Self(word),
            _ => Self::listed((packet.vlans, packet.tunnels), list),
        }
    }

    fn listed(context: Context, list: &mut Vec<Context>) -> Self {
        // packets come in trains
        if list.last() != Some(&context) {
            list.push(context);
        }
        Self(Self::LISTED | list.len().saturating_sub(1) as u64)
    }

    fn context(self, list: &[Context]) -> Context {
        if self.0 & Self::LISTED == 0 {
            return (VlanStack::unpacked(self.0), TunnelStack::default());
        }
        let number = usize::try_from(self.0 & !Self::LISTED).unwrap_or_default();
        list.get(number).copied().unwrap_or_default()
    }
}

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
const RECENT_BITS: u32 = 6;

pub(super) struct Contexts {
    known: Vec<Context>,
    ids: HashMap<Context, ContextId>,
    /// For each context the one that it is without priority tags: of the same network.
    networks: Vec<ContextId>,
    /// Whether any has priority tags.
    has_priority_tags: bool,
    recent: [(Tags, ContextId); 1 << RECENT_BITS],
    /// The contexts met last of those that do not fit a word.
    recent_listed: [ContextId; 1 << RECENT_BITS],
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
            networks: vec![ContextId(0)],
            has_priority_tags: false,
            recent: [(Tags::NONE, ContextId(0)); 1 << RECENT_BITS],
            recent_listed: [ContextId(0); 1 << RECENT_BITS],
            alone: vec![ContextSet::default()],
            sets: Vec::new(),
            numbers: HashMap::default(),
            joined: HashMap::default(),
            left_out: 0,
        }
    }
}

impl Contexts {
    /// The number of a packet's context, of which the list has what does not fit a word.
    #[inline]
    pub fn of(&mut self, tags: Tags, list: &[Context]) -> ContextId {
        if tags.0 & Tags::LISTED != 0 {
            return self.of_listed(tags.context(list));
        }
        let place = place(tags.0);
        let (known, id) = self.recent[place];
        if known == tags {
            return id;
        }
        let id = self.find(tags.context(list));
        self.recent[place] = (tags, id);
        id
    }

    fn of_listed(&mut self, context: Context) -> ContextId {
        let (vlans, tunnels) = &context;
        let word = vlans.ids().fold(tunnels.word(), |sum, id| sum.wrapping_mul(31).wrapping_add(u64::from(id)));
        let place = place(word);
        let recent = self.recent_listed[place];
        if self.known.get(recent.0 as usize) == Some(&context) {
            return recent;
        }
        let id = self.find(context);
        self.recent_listed[place] = id;
        id
    }

    fn find(&mut self, context: Context) -> ContextId {
        self.ids.get(&context).copied().unwrap_or_else(|| self.number_of(context))
    }

    fn number_of(&mut self, context: Context) -> ContextId {
        if self.known.len() >= MAX_SETS {
            return BEYOND;
        }
        let (vlans, tunnels) = context;
        let plain = (vlans.without_priority_tags(), tunnels);
        let network = (plain != context).then(|| self.find(plain)).filter(|network| *network != BEYOND);
        self.has_priority_tags |= network.is_some();
        let id = ContextId(u32::try_from(self.known.len()).unwrap_or(u32::MAX));
        self.networks.push(network.unwrap_or(id));
        self.known.push(context);
        self.alone.push(ContextSet::default());
        self.ids.insert(context, id);
        id
    }

    /// Whether a set holds this context and no other one: that of most connections.
    #[inline]
    pub fn is_only(&self, set: ContextSet, id: ContextId) -> bool {
        !set.is_empty() && self.alone.get(id.0 as usize) == Some(&set)
    }

    /// Whether a set holds this context, or another of its network.
    #[inline]
    pub fn has(&self, set: ContextSet, id: ContextId) -> bool {
        self.is_only(set, id)
            || self.set(set).is_some_and(|contexts| contexts.contains(&id) || self.is_of(contexts, id))
    }

    /// Whether a context is of the network of another, but for priority tags.
    fn is_of(&self, contexts: &BTreeSet<ContextId>, id: ContextId) -> bool {
        let network = |id: ContextId| self.networks.get(id.0 as usize);
        self.has_priority_tags && network(id).is_some() && contexts.iter().any(|known| network(*known) == network(id))
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

    /// Joins a context to a set for the first time; `None` where there is no room for it.
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
        joined(self.all(sets).filter(|(vlans, _)| !vlans.is_empty()).map(|(vlans, _)| vlans))
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

/// Where a context is looked for first: by the upper bits of a product, which all bits of the word have a part in.
fn place(word: u64) -> usize {
    let mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (u64::BITS - RECENT_BITS)).unwrap_or_default()
}

fn joined<T: Ord + ToString>(stacks: impl Iterator<Item = T>) -> String {
    let stacks: BTreeSet<T> = stacks.collect();
    stacks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
