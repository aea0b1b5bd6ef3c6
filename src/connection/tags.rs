//! Sets of VLAN stacks by number: most connections share a few.

use std::collections::BTreeSet;

use foldhash::HashMap;

use crate::decode::VlanStack;

/// Where packets of one connection come with more stacks than any path has, further ones are left out.
const MAX_STACKS: usize = 16;

pub(super) struct TagSets {
    sets: Vec<BTreeSet<VlanStack>>,
    numbers: HashMap<BTreeSet<VlanStack>, u32>,
}

impl Default for TagSets {
    /// Number 0 is the empty set.
    fn default() -> Self {
        let none = BTreeSet::new();
        Self { numbers: std::iter::once((none.clone(), 0)).collect(), sets: vec![none] }
    }
}

impl TagSets {
    /// The number of the set that has this stack too.
    pub(super) fn with(&mut self, number: u32, stack: VlanStack) -> u32 {
        if stack.ids().is_empty() {
            return number;
        }
        let set = self.sets.get(number as usize);
        if set.is_none_or(|set| set.contains(&stack) || set.len() >= MAX_STACKS) {
            return number;
        }
        let mut grown = set.cloned().unwrap_or_default();
        grown.insert(stack);
        if let Some(known) = self.numbers.get(&grown) {
            return *known;
        }
        let Ok(new) = u32::try_from(self.sets.len()) else { return number };
        self.sets.push(grown.clone());
        self.numbers.insert(grown, new);
        new
    }

    /// The stacks of a set as text: `10,100.20`.
    pub(super) fn text(&self, number: u32) -> String {
        let stacks = self.sets.get(number as usize).into_iter().flatten().map(ToString::to_string);
        stacks.collect::<Vec<_>>().join(",")
    }
}
