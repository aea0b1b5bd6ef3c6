//! Contexts by number: the tags and tunnels that packets came with. A capture has few of them.

use std::collections::BTreeSet;

use foldhash::HashMap;

use crate::decode::{TunnelStack, VlanStack};

/// Where packets of one connection come in more contexts than any path has, further ones are left out.
const MAX_CONTEXTS: usize = 16;

/// No network has as many paths; what invents them shall not fill the memory. Further ones are left out.
const MAX_SETS: usize = 16_384;

/// The tags and tunnels of a packet.
type Context = (VlanStack, TunnelStack);

/// A set of contexts by its number; 0 is the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ContextSet(u16);

impl ContextSet {
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[derive(Default)]
pub(super) struct Contexts {
    /// Number 0 is not in here: it is empty.
    sets: Vec<BTreeSet<Context>>,
    numbers: HashMap<BTreeSet<Context>, u16>,
    /// The last answer of [`Contexts::with`]: packets come in runs.
    last: Option<(ContextSet, Context, ContextSet)>,
    /// How often a context was left out.
    pub left_out: u64,
}

impl Contexts {
    /// Whether a set holds this context.
    pub(super) fn has(&self, set: ContextSet, context: Context) -> bool {
        self.contexts(set).is_some_and(|contexts| contexts.contains(&context))
    }

    /// The set that holds this context too.
    pub(super) fn with(&mut self, set: ContextSet, context: Context) -> ContextSet {
        if let Some((before, known, after)) = self.last
            && (before, known) == (set, context)
        {
            return after;
        }
        let mut contexts = self.contexts(set).cloned().unwrap_or_default();
        let is_full = contexts.len() >= MAX_CONTEXTS;
        if !contexts.insert(context) {
            return set;
        }
        let after = if is_full { None } else { self.number(contexts) };
        let Some(after) = after else {
            self.left_out += 1;
            return set;
        };
        self.last = Some((set, context, after));
        after
    }

    /// The VLAN stacks of two sets as text: `10,100.20`; those without tags are left out.
    pub(super) fn vlans(&self, sets: [ContextSet; 2]) -> String {
        joined(self.all(sets).filter(|(vlans, _)| !vlans.ids().is_empty()).map(|(vlans, _)| vlans))
    }

    /// The tunnel stacks of two sets as text: `vxlan:42`; packets outside of tunnels are left out.
    pub(super) fn tunnels(&self, sets: [ContextSet; 2]) -> String {
        joined(self.all(sets).filter(|(_, tunnels)| !tunnels.is_empty()).map(|(_, tunnels)| tunnels))
    }

    fn all(&self, sets: [ContextSet; 2]) -> impl Iterator<Item = Context> {
        sets.into_iter().filter_map(|set| self.contexts(set)).flatten().copied()
    }

    fn contexts(&self, set: ContextSet) -> Option<&BTreeSet<Context>> {
        let index = usize::from(set.0.checked_sub(1)?);
        self.sets.get(index)
    }

    /// The number of a set, a new one where there is room.
    fn number(&mut self, contexts: BTreeSet<Context>) -> Option<ContextSet> {
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
