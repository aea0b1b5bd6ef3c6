//! What was seen in one hour alone, as the last step: it tells rows of a list apart and decides nothing.

use std::collections::BTreeSet;

use crate::model::{Dependency, Hour, Mark, is_rare};

/// Marks what is rare among all dependencies of a site. A sweep is none, and has its own mark.
pub fn mark_rare(dependencies: &mut [Dependency]) {
    let hours: BTreeSet<Hour> = dependencies.iter().flat_map(|it| it.history.keys().copied()).collect();
    for dependency in dependencies.iter_mut().filter(|it| !it.marks.contains(&Mark::Scan)) {
        if is_rare(dependency.history.len(), hours.len()) {
            dependency.marks.insert(Mark::Rare);
        }
    }
}
