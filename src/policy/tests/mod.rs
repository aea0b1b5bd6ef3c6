//! The room as a whole: from text to verdicts.

mod classes;
mod comparing;
mod reading;
mod semantics;
mod shop;

use super::{PolicyError, PolicySet, Strictness, read};

fn strictly(text: &str) -> Result<PolicySet, PolicyError> {
    PolicySet::from_objects(&read("p.yaml", text).unwrap(), Strictness::Strict)
}
