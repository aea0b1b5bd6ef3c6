//! The room as a whole: from text to verdicts.

mod classes;
mod cluster_reading;
mod comparing;
mod reading;
mod semantics;
mod shop;
mod tiers;

use super::{PolicyError, PolicySet, Strictness, read};

fn strictly(text: &str) -> Result<PolicySet, PolicyError> {
    PolicySet::from_objects(&read("p.yaml", text).unwrap(), Strictness::Strict)
}
