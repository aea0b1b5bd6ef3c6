//! Port sets by number: few differ, and unions of them are asked for again and again.

use foldhash::HashMap;

use super::{Interned, PortSet};
use crate::model::Protocol;

/// A port set's number.
pub(super) type SetId = u32;

/// The set of nothing.
pub(super) const NOTHING: SetId = 0;
/// The set of everything.
pub(super) const EVERYTHING: SetId = 1;

/// All sets that came up.
#[derive(Clone, Debug)]
pub(super) struct PortSets {
    sets: Interned<PortSet>,
    unions: HashMap<(SetId, SetId), SetId>,
}

impl PortSets {
    pub fn new() -> Self {
        let mut sets = Interned::default();
        for set in [PortSet::default(), PortSet::everything()] {
            sets.id(set);
        }
        Self { sets, unions: HashMap::default() }
    }

    pub fn id(&mut self, set: PortSet) -> SetId {
        self.sets.id(set)
    }

    pub fn get(&self, id: SetId) -> &PortSet {
        &self.sets.values[id as usize]
    }

    pub fn contains(&self, id: SetId, protocol: Protocol, port: u16) -> bool {
        match id {
            NOTHING => false,
            EVERYTHING => true,
            id => self.get(id).contains(protocol, port),
        }
    }

    pub fn union(&mut self, a: SetId, b: SetId) -> SetId {
        match (a.min(b), a.max(b)) {
            (NOTHING, other) => other,
            (EVERYTHING, _) => EVERYTHING,
            (a, b) if a == b => a,
            (a, b) => {
                if let Some(known) = self.unions.get(&(a, b)) {
                    return *known;
                }
                let union = self.get(a).union(self.get(b));
                let id = self.id(union);
                self.unions.insert((a, b), id);
                id
            }
        }
    }
}
