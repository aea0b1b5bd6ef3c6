//! The hours that a connection was seen in. Flow logs count dozens without naming one: those are kept as their number.

use smallvec::SmallVec;

use crate::model::Hour;

/// A set of hours: the first so many of those without a name, and others, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hours {
    unnamed: u32,
    others: SmallVec<[Hour; 2]>,
}

impl Hours {
    /// Adds one.
    pub fn add(&mut self, hour: Hour) {
        if self.counts(hour) {
            return;
        }
        if let Err(n) = self.others.binary_search(&hour) {
            self.others.insert(n, hour);
        }
    }

    /// Adds the first so many of [`Hour::unnamed`].
    pub fn add_unnamed(&mut self, count: u32) {
        self.unnamed = self.unnamed.max(count.min(Hour::MOST_UNNAMED));
        let unnamed = self.unnamed;
        self.others.retain(|hour| !is_below(*hour, unnamed));
    }

    /// Takes in others.
    pub fn join(&mut self, other: &Self) {
        self.add_unnamed(other.unnamed);
        other.others.iter().for_each(|hour| self.add(*hour));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.unnamed as usize + self.others.len()
    }

    /// How many of them are hours of some day.
    pub fn named(&self) -> usize {
        self.others.iter().filter(|hour| hour.is_named()).count()
    }

    /// How many there are from the first without a name on, without a gap.
    pub fn unnamed(&self) -> u32 {
        self.unnamed
    }

    /// All but the [`Hours::unnamed`].
    pub fn others(&self) -> &[Hour] {
        &self.others
    }

    fn counts(&self, hour: Hour) -> bool {
        is_below(hour, self.unnamed)
    }
}

fn is_below(hour: Hour, count: u32) -> bool {
    u32::try_from(hour.0).is_ok_and(|hour| hour < count)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(hours: &[i32], unnamed: u32) -> (Hours, BTreeSet<Hour>) {
        let (mut small, mut set) = (Hours::default(), BTreeSet::new());
        for hour in hours {
            small.add(Hour(*hour));
            set.insert(Hour(*hour));
        }
        small.add_unnamed(unnamed);
        set.extend(Hour::unnamed(unnamed));
        (small, set)
    }

    fn listed(hours: &Hours) -> BTreeSet<Hour> {
        Hour::unnamed(hours.unnamed()).chain(hours.others().iter().copied()).collect()
    }

    proptest! {
        #[test]
        fn they_are_the_set_that_they_stand_for(
            a in prop::collection::vec(-3i32..9, 0..6), b in prop::collection::vec(497_000i32..497_004, 0..4),
            counts in (0u32..8, 0u32..8),
        ) {
            let ((mut small, mut set), (other, other_set)) = (of(&a, counts.0), of(&b, counts.1));
            small.join(&other);
            set.extend(other_set);
            prop_assert_eq!((small.len(), listed(&small)), (set.len(), set.clone()));
            prop_assert_eq!(small.named(), set.iter().filter(|hour| hour.is_named()).count());
        }
    }
}
