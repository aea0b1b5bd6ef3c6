//! Over-permission: what policies allow beside what was seen, as a number, with the rules that are widest.
//!
//! A *cell* is (client, server, protocol, port). Clients and servers are the workloads, a pod of a namespace that is
//! not listed, every address outside that was seen, and for each piece of the address space that policies tell apart one
//! address that was not. Ports are those that somebody needs or a container declares, and one of each interval that no
//! rule cuts. Cells count where either end is a workload of a namespace that a policy stands in; a workload with itself
//! does not count. The measure is (needed + allowed and not needed) / needed: 1 is least privilege.

mod stage;
mod tally;

use serde::Serialize;

use super::{Classes, Evaluator, Outside, Past, Roster};
use stage::Stage;
use tally::Tally;

/// The measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Excess {
    /// Cells that somebody was seen to need.
    pub needed: u64,
    /// Of these, those that the policies deny: what the measure says then is of what is left.
    pub denied: u64,
    /// Cells that the policies allow and nobody was seen to need.
    pub extra: u64,
    /// (needed + extra) / needed; none where nothing is needed.
    pub over_permission: Option<f64>,
    /// The rules that allow most of what is not needed, the widest first.
    pub widest: Vec<Wide>,
}

/// A rule by what it allows and nobody was seen to need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wide {
    /// `namespace/name spec.ingress[0]`, or which workload no policy isolates.
    pub rule: String,
    /// How many cells; one that rules of both ends allow counts for both.
    pub extra: u64,
}

/// Measures a set of policies against what was seen.
#[must_use]
pub fn excess(past: &Past<'_>, roster: &Roster<'_>, outside: &Outside, evaluator: &Evaluator<'_>) -> Excess {
    measured(past, roster, outside, evaluator, true)
}

/// The measure alone, without the rules that are widest: finding them takes most of the time.
#[must_use]
pub fn over_permission(
    past: &Past<'_>,
    roster: &Roster<'_>,
    outside: &Outside,
    evaluator: &Evaluator<'_>,
) -> Option<f64> {
    measured(past, roster, outside, evaluator, false).over_permission
}

fn measured(
    past: &Past<'_>,
    roster: &Roster<'_>,
    outside: &Outside,
    evaluator: &Evaluator<'_>,
    with_rules: bool,
) -> Excess {
    let stage = Stage::new(past, roster, outside, evaluator);
    let classes = Classes::new(evaluator, &stage.ends);
    Tally::new(&stage, &classes, evaluator, with_rules).count()
}
