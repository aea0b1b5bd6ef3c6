//! Who held an address when: the claims of several owners, settled into stretches of time.
//!
//! Every claim runs from the first moment at which its owner can have had the address to the moment from which it can
//! no longer have had it, and knows between which moments it was certainly seen with it. Where claims meet:
//!
//! - who was certainly seen with the address has it;
//! - where the next owner's claim begins behind the last certain sight of the one before, and the end of that one was
//!   not seen, nobody can tell who had the address in between, until the next claim begins;
//! - where it begins before that sight, one of their clocks is wrong, or the next owner waited for the address: nobody can tell
//!   from then on, until the first has ended, or until the next was seen; where the first was seen to end it has it until then;
//! - two owners that were both seen with the address at one time dispute it, as long as both claims run.
//!
//! Times are nanoseconds since 1970; `i64::MIN` and `i64::MAX` stand for always.

use std::collections::BTreeSet;

/// The claim of one owner to one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    /// The first moment at which it can have had it.
    pub start: i64,
    /// The first moment at which it certainly had it.
    pub first_sight: i64,
    /// The last moment at which it certainly had it.
    pub last_sight: i64,
    /// It no longer had it from here on.
    pub end: i64,
    /// It was over by then at the latest, and nobody tells when: where somebody else has the address later, nobody can tell from its
    /// last sight on.
    pub over_by: i64,
    /// Who claims, by its place.
    pub owner: u32,
}

/// Who held an address during a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// Nobody.
    Nobody,
    /// One of several, and nobody can tell which.
    Untold,
    /// Several at once.
    Disputed,
    /// This one.
    By(u32),
}

/// From a moment on, until the next stretch begins.
pub(super) type Stretch = (i64, Held);

/// Two owners or more that had one address at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dispute {
    pub from: i64,
    pub to: i64,
    pub owners: BTreeSet<u32>,
}

/// What the claims to one address come to.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    /// In the order of time, neighbours different.
    pub stretches: Vec<Stretch>,
    pub disputes: Vec<Dispute>,
}

/// More owners than this at one time are a dispute without looking who they are: an address does not come to that in
/// earnest, and looking at pairs would take the square of their number.
const MAX_AT_ONCE: usize = 16;

/// Settles the claims to one address. `is_same` tells owners that are one party, such as two pods of one workload.
pub(super) fn settle(mut claims: Vec<Claim>, is_same: impl Fn(u32, u32) -> bool) -> Settlement {
    claims.sort_unstable();
    claims.dedup();
    let mut gaps = cut(&mut claims);
    claims.retain(|claim| claim.start < claim.end);
    let mut moments: Vec<i64> = claims
        .iter()
        .flat_map(|claim| [claim.start, claim.first_sight, claim.last_sight.saturating_add(1), claim.end])
        .collect();
    moments.sort_unstable();
    moments.dedup();
    // there is no stretch behind the end of time
    moments.pop_if(|last| *last == i64::MAX);
    let mut settlement = Settlement::default();
    let mut next = 0;
    // until when nobody can tell
    let mut untold = i64::MIN;
    // by the end, so that those over are dropped first
    let mut active: BTreeSet<(i64, usize)> = BTreeSet::new();
    for (n, moment) in moments.iter().copied().enumerate() {
        while active.first().is_some_and(|(end, _)| *end <= moment) {
            active.pop_first();
        }
        while let Some(claim) = claims.get(next).filter(|claim| claim.start <= moment) {
            active.insert((claim.end, next));
            next += 1;
        }
        let running: Vec<&Claim> =
            active.iter().take(MAX_AT_ONCE + 1).filter_map(|(_, place)| claims.get(*place)).collect();
        while let Some((_, to)) = gaps.pop_if(|(from, _)| *from <= moment) {
            untold = untold.max(to);
        }
        let held = match held(&running, moment, &is_same) {
            Held::Nobody if moment < untold => Held::Untold,
            held => held,
        };
        if held == Held::Disputed {
            let to = moments.get(n + 1).copied().unwrap_or(i64::MAX);
            settlement.dispute(moment, to, running.iter().map(|claim| claim.owner));
        }
        settlement.add(moment, held);
    }
    settlement
}

/// Ends claims where a later one shows that they were over. Gives from when to when nobody can tell whether they still ran, the
/// latest first.
fn cut(claims: &mut [Claim]) -> Vec<(i64, i64)> {
    let mut gaps = Vec::new();
    let starts: Vec<i64> = claims.iter().map(|claim| claim.start).collect();
    let mut sights: Vec<i64> = claims.iter().map(|claim| claim.first_sight).collect();
    sights.sort_unstable();
    let after = |moments: &[i64], moment: i64| moments.get(moments.partition_point(|other| *other <= moment)).copied();
    for claim in claims {
        if let Some(next) = after(&starts, claim.last_sight).filter(|next| *next <= claim.end) {
            claim.end = claim.last_sight.saturating_add(1);
            gaps.push((claim.end, next));
        }
        if let Some(next) = after(&sights, claim.last_sight) {
            claim.end = claim.end.min(next);
        }
        claim.end = claim.end.min(claim.over_by);
    }
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    gaps
}

/// Who has the address at a moment, of the claims that run then.
fn held(running: &[&Claim], moment: i64, is_same: &impl Fn(u32, u32) -> bool) -> Held {
    let by_end = |claim: &&&Claim| (claim.first_sight, claim.last_sight, claim.owner);
    if running.len() > MAX_AT_ONCE
        || running
            .iter()
            .enumerate()
            .any(|(n, a)| running.iter().skip(n + 1).any(|b| is_together(a, b) && !is_same(a.owner, b.owner)))
    {
        return Held::Disputed;
    }
    // who began later and was seen later may have it already, but where the first was seen to end
    let has_heir = |claim: &Claim| {
        let is_heir = |other: &&&Claim| other.start > claim.start && other.first_sight > claim.last_sight;
        claim.last_sight < claim.end && running.iter().filter(is_heir).any(|other| !is_same(claim.owner, other.owner))
    };
    let by = |claim: &Claim| if has_heir(claim) { Held::Untold } else { Held::By(claim.owner) };
    let certain = running.iter().filter(|claim| claim.first_sight <= moment && moment <= claim.last_sight);
    if let Some(claim) = certain.max_by_key(by_end) {
        return by(claim);
    }
    let before = running.iter().filter(|claim| claim.last_sight < moment).max_by_key(by_end);
    let coming = running.iter().filter(|claim| claim.first_sight > moment).min_by_key(by_end);
    match (before, coming) {
        (Some(before), Some(coming)) if !is_same(before.owner, coming.owner) => Held::Untold,
        (Some(claim), _) | (None, Some(claim)) => by(claim),
        (None, None) => Held::Nobody,
    }
}

/// Whether two were seen with the address at one time.
fn is_together(a: &Claim, b: &Claim) -> bool {
    a.first_sight <= b.last_sight && b.first_sight <= a.last_sight
}

impl Settlement {
    fn add(&mut self, from: i64, held: Held) {
        if self.stretches.last().map_or(Held::Nobody, |(_, last)| *last) != held {
            self.stretches.push((from, held));
        }
    }

    fn dispute(&mut self, from: i64, to: i64, owners: impl Iterator<Item = u32>) {
        match self.disputes.last_mut().filter(|last| last.to == from) {
            Some(last) => {
                last.to = to;
                // enough to name some of them
                last.owners.extend(owners.take(MAX_AT_ONCE.saturating_sub(last.owners.len())));
            }
            None => self.disputes.push(Dispute { from, to, owners: owners.collect() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPEN: i64 = i64::MAX;

    /// A claim from its start to its end, certain in between; named by a letter.
    fn claim(name: char, start: i64, certain: (i64, i64), end: i64) -> Claim {
        Claim { start, first_sight: certain.0, last_sight: certain.1, end, over_by: OPEN, owner: u32::from(name) }
    }

    /// `a@10 -@20 ?@25 !@30`: a's from 10, nobody's from 20, nobody can tell whose from 25, disputed from 30.
    fn settled(claims: &[Claim]) -> String {
        let settle = |claims: Vec<Claim>| {
            let settlement =
                settle(claims, |a, b| char::from_u32(a).unwrap().eq_ignore_ascii_case(&char::from_u32(b).unwrap()));
            let word = |(from, held): &Stretch| match held {
                Held::Nobody => format!("-@{from}"),
                Held::Untold => format!("?@{from}"),
                Held::Disputed => format!("!@{from}"),
                Held::By(owner) => format!("{}@{from}", char::from_u32(*owner).unwrap()),
            };
            settlement.stretches.iter().map(word).collect::<Vec<_>>().join(" ")
        };
        let forth = settle(claims.to_vec());
        assert_eq!(settle(claims.iter().rev().copied().collect()), forth);
        forth
    }

    #[test]
    fn one_owner_has_it_from_its_start_to_its_end() {
        assert_eq!(settled(&[claim('a', 10, (15, 15), OPEN)]), "a@10");
        assert_eq!(settled(&[claim('a', 10, (15, 15), 20)]), "a@10 -@20");
        assert_eq!(settled(&[]), "");
    }

    #[test]
    fn an_end_that_was_seen_leaves_the_address_to_nobody_until_the_next() {
        assert_eq!(settled(&[claim('a', 10, (10, 20), 20), claim('b', 30, (40, 40), OPEN)]), "a@10 -@20 b@30");
    }

    #[test]
    fn between_the_last_sight_and_the_next_start_nobody_can_tell() {
        assert_eq!(settled(&[claim('a', 10, (15, 19), OPEN), claim('b', 30, (40, 40), OPEN)]), "a@10 ?@20 b@30");
        // gone by 25, before the next began: nobody else says otherwise in the gap
        assert_eq!(settled(&[claim('a', 10, (15, 19), 25), claim('b', 30, (40, 40), OPEN)]), "a@10 -@25 b@30");
    }

    #[test]
    fn one_that_was_over_by_some_time_has_it_until_then_where_nobody_else_has_it_later() {
        let over = |claim: Claim| Claim { over_by: 25, ..claim };
        assert_eq!(settled(&[over(claim('a', 10, (15, 19), OPEN))]), "a@10 -@25");
        let next = claim('b', 30, (40, 40), OPEN);
        assert_eq!(settled(&[over(claim('a', 10, (15, 19), OPEN)), next]), "a@10 ?@20 b@30");
    }

    #[test]
    fn from_a_start_before_the_other_was_last_seen_nobody_can_tell() {
        // it was seen to end
        assert_eq!(settled(&[claim('a', 0, (10, 30), 30), claim('b', 20, (40, 50), OPEN)]), "a@0 b@30");
        // it was gone soon after it was last seen
        assert_eq!(settled(&[claim('a', 0, (10, 30), 31), claim('b', 20, (40, 50), OPEN)]), "a@0 ?@20 b@31");
        // it may have kept the address until the other was seen with it
        assert_eq!(settled(&[claim('a', 0, (10, 30), OPEN), claim('b', 20, (40, 50), OPEN)]), "a@0 ?@20 b@40");
        // by a clock that is ahead the first was seen when the other had it already
        assert_eq!(settled(&[claim('a', 0, (30, 30), OPEN), claim('b', 20, (40, 50), OPEN)]), "a@0 ?@20 b@40");
        // one that began first waited for it
        assert_eq!(settled(&[claim('a', 20, (25, 30), 31), claim('b', 0, (40, 50), OPEN)]), "b@0 a@20 b@31");
    }

    #[test]
    fn two_that_were_seen_together_dispute_it_until_one_has_ended() {
        assert_eq!(settled(&[claim('a', 10, (50, 50), OPEN), claim('b', 30, (50, 50), OPEN)]), "a@10 !@30");
        assert_eq!(settled(&[claim('a', 10, (20, 60), 60), claim('b', 30, (50, 90), OPEN)]), "a@10 !@30 b@60");
    }

    #[test]
    fn two_pods_of_one_workload_are_no_dispute() {
        assert_eq!(settled(&[claim('a', 10, (50, 50), OPEN), claim('A', 10, (50, 50), OPEN)]), "A@10 a@50");
    }

    #[test]
    fn a_third_settles_what_two_disputed() {
        let claims = [claim('a', 10, (50, 50), OPEN), claim('b', 10, (50, 50), OPEN), claim('c', 60, (70, 70), OPEN)];
        assert_eq!(settled(&claims), "!@10 ?@51 c@60");
    }

    #[test]
    fn many_at_once_are_a_dispute_and_cost_little() {
        let claims: Vec<Claim> = (0..100_000u32)
            .map(|n| Claim {
                start: i64::from(n),
                first_sight: 200_000,
                last_sight: 200_000,
                end: OPEN,
                over_by: OPEN,
                owner: n,
            })
            .collect();
        let settlement = settle(claims, |a, b| a == b);
        assert_eq!(settlement.stretches, [(0, Held::By(0)), (1, Held::Disputed)]);
        assert_eq!(settlement.disputes.len(), 1);
    }

    prop_compose! {
        fn any_claim()(start in -5i64..50, certain in prop::option::of((0i64..20, 0i64..20)), length in 0i64..60, owner in 0u32..5) -> Claim {
            let (before, within) = certain.unwrap_or_default();
            let end = start.saturating_add(before + within + length);
            Claim { start, first_sight: start + before, last_sight: start + before + within, end, over_by: OPEN, owner }
        }
    }

    proptest! {
        #[test]
        fn nobody_has_it_but_who_claims_it_then_and_none_instead_of_who_was_seen(claims in prop::collection::vec(any_claim(), 0..12)) {
            let settlement = settle(claims.clone(), |a, b| a == b);
            let mut shuffled = claims.clone();
            shuffled.reverse();
            prop_assert_eq!(&settle(shuffled, |a, b| a == b).stretches, &settlement.stretches);
            for moment in -10..150 {
                let held = settlement.stretches.iter().rev().find(|(from, _)| *from <= moment).map_or(Held::Nobody, |it| it.1);
                let running = claims.iter().filter(|claim| claim.start <= moment && moment < claim.end);
                let seen = running.clone().filter(|claim| claim.first_sight <= moment && moment <= claim.last_sight);
                if let Held::By(owner) = held {
                    prop_assert!(running.clone().any(|claim| claim.owner == owner), "{owner} at {moment}");
                    prop_assert!(seen.clone().all(|claim| claim.owner == owner), "{owner} at {moment}");
                }
                let has_heir =
                    |one: &Claim| running.clone().any(|heir| heir.start > one.start && heir.first_sight > one.last_sight);
                let is_known = !matches!(held, Held::Nobody | Held::Untold) || seen.clone().any(has_heir);
                prop_assert!(is_known || seen.clone().next().is_none(), "nobody at {moment}");
            }
        }
    }
}
