//! Addresses that count as a pod's by nothing but that it had them before: a later list lacks it, and nobody else is known to have
//! had them meanwhile.

use std::net::IpAddr;

use foldhash::HashMap;

use super::{
    directory::{CLOCK_SKEW_NS, Directory},
    timeline::{AddressClaim, Class},
};
use crate::model::{Span, Timestamp, WorkloadRef};

/// A list may have been taken so much later than it tells: a node reports every five minutes at least
/// (`nodeStatusReportFrequency` of the kubelet), and not all clocks are right.
const LIST_LAG_NS: i64 = 600_000_000_000;

/// A pod that was told to go has its address while it ends (`terminationGracePeriodSeconds`, where a pod names none).
const GRACE_NS: i64 = 30_000_000_000;

/// What a pod claims of an address, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Tenure {
    owner: u32,
    from: i64,
    /// It was last seen with it then, by the clock of whoever captured.
    seen_until: i64,
    /// It was over by then at the latest; `i64::MAX` where nothing says so.
    to: i64,
}

impl Tenure {
    fn of(AddressClaim { claim, .. }: &AddressClaim) -> Self {
        let seen_until = claim.last_sight.saturating_add(CLOCK_SKEW_NS + GRACE_NS);
        let to = claim.end.min(claim.over_by);
        // without an end behind the last sight it had it for as long as it was there
        let seen_until = if to == i64::MAX { to } else { seen_until };
        Self { owner: claim.owner, from: claim.start, seen_until, to }
    }
}

/// What pods claim of addresses that one of them may have lost before a list says so.
#[derive(Clone, Debug, Default)]
pub(super) struct Guesses(HashMap<IpAddr, Vec<Tenure>>);

impl Guesses {
    /// Those in some claims, which are of one address in a row.
    pub fn new(claims: &[AddressClaim]) -> Self {
        let mut guesses = Self::default();
        for claim in claims.iter().filter(|claim| claim.class == Class::Pod) {
            guesses.0.entry(claim.address).or_default().push(Tenure::of(claim));
        }
        guesses.0.retain(|_, all| all.iter().any(|it| it.seen_until < it.to));
        guesses
    }
}

impl Directory {
    /// Whether all through a stretch of time an address counts as a workload's by nothing but that a pod of it had it before, which
    /// a later list lacks: somebody else may have had it.
    #[must_use]
    pub fn is_guessed(&self, address: IpAddr, workload: &WorkloadRef, span: Span) -> bool {
        let all = self.guesses.0.get(&address.to_canonical()).map_or(&[][..], Vec::as_slice);
        let is_own = |it: &&Tenure| self.past.pods.get(it.owner as usize).is_some_and(|pod| pod.workload == *workload);
        let own = || all.iter().filter(is_own);
        let (first, last) = (span.first.0, span.last.0);
        own().any(|it| it.seen_until < first && first < it.to)
            && !own().any(|it| it.from <= last && first <= it.seen_until)
    }

    /// When pods were last listed, where that is long before a moment; none where no list tells its time.
    #[must_use]
    pub fn listed_before(&self, moment: Timestamp) -> Option<Timestamp> {
        self.listed_until.filter(|listed| moment.0.saturating_sub(listed.0) > LIST_LAG_NS)
    }
}
