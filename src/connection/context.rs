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

    pub fn number(self) -> u16 {
        self.0
    }
}

#[derive(Default)]
pub(super) struct Contexts {
    /// Number 0 is not in here: it is empty.
    sets: Vec<BTreeSet<Context>>,
    numbers: HashMap<BTreeSet<Context>, u16>,
    /// For sets and contexts that were asked for: the set that holds both.
    joined: HashMap<(ContextSet, Context), ContextSet>,
    /// The last answers, by a part of what was asked: packets come in turns from few networks.
    recent: Recent,
    /// How often a context was left out.
    pub left_out: u64,
}

/// What was asked, and the answer.
type Answer = (ContextSet, Context, ContextSet);

/// Answers at hand: some VLANs, each as the first context of a connection and as a known one.
const RECENT: usize = 64;

struct Recent([Option<Answer>; RECENT]);

impl Default for Recent {
    fn default() -> Self {
        Self([None; RECENT])
    }
}

impl Contexts {
    /// Whether a set holds this context.
    pub(super) fn has(&self, set: ContextSet, context: &Context) -> bool {
        let is_known = self.recent.0[place(set, context)]
            .is_some_and(|(before, known, after)| (before, after) == (set, set) && known == *context);
        is_known || self.contexts(set).is_some_and(|contexts| contexts.contains(context))
    }

    /// The set that holds this context too.
    pub(super) fn with(&mut self, set: ContextSet, context: &Context) -> ContextSet {
        let place = place(set, context);
        if let Some((before, known, after)) = &self.recent.0[place]
            && *before == set
            && known == context
        {
            return *after;
        }
        let known = self.joined.get(&(set, *context)).copied();
        let Some(after) = known.or_else(|| self.join(set, *context)) else {
            self.left_out += 1;
            return set;
        };
        self.recent.0[place] = Some((set, *context, after));
        after
    }

    /// The same for the first time; `None` where there is no room for it.
    fn join(&mut self, set: ContextSet, context: Context) -> Option<ContextSet> {
        let mut contexts = self.contexts(set).cloned().unwrap_or_default();
        let is_full = contexts.len() >= MAX_CONTEXTS;
        let after = match contexts.insert(context) {
            false => set,
            true if is_full => return None,
            true => self.number(contexts)?,
        };
        if self.joined.len() < MAX_SETS {
            self.joined.insert((set, context), after);
        }
        Some(after)
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

/// Where an answer is at hand.
fn place(set: ContextSet, (vlans, tunnels): &Context) -> usize {
    let ids = vlans.ids().iter().fold(usize::from(set.0), |sum, id| sum * 31 + usize::from(*id));
    // tunnels are told apart by the rest of the question
    (ids + usize::from(!tunnels.is_empty())) % RECENT
}

fn joined<T: Ord + ToString>(stacks: impl Iterator<Item = T>) -> String {
    let stacks: BTreeSet<T> = stacks.collect();
    stacks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
