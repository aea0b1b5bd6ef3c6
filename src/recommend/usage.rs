//! Which dependencies make rules.

use super::Omission;
use crate::model::{Dependency, Direction, Mark, PartyKind};

/// What becomes of a dependency.
pub(super) enum Use {
    /// It makes a rule.
    Rule,
    /// It is between a pod and its own node.
    OwnNode,
    /// It makes none, and needs no word.
    Silent,
    /// It makes none, which must be told.
    LeftOut(Omission),
}

/// Whether a dependency makes a rule.
pub(super) fn use_of(dependency: &Dependency) -> Use {
    let has = |mark| dependency.marks.contains(&mark);
    if has(Mark::Itself) && !may_be_another(dependency) {
        Use::Silent
    } else if let Some(reason) = dependency.unneeded() {
        Use::LeftOut(Omission::Unneeded(reason))
    } else if !dependency.protocol.has_ports() {
        Use::LeftOut(Omission::NoPorts(dependency.protocol))
    } else if dependency.direction == Direction::Unknown {
        Use::LeftOut(Omission::NoClient)
    } else if dependency.port == 0 {
        Use::LeftOut(Omission::PortZero)
    } else if has(Mark::Node) {
        Use::OwnNode
    } else {
        Use::Rule
    }
}

/// Whether a pod that reached itself would have reached another one of its workload as well: it dialled a Service, which leads to
/// whichever pods there are, and while a workload is rolled out there are two of each.
fn may_be_another(dependency: &Dependency) -> bool {
    let has_dialled = dependency.via.iter().any(|via| via.service.is_some());
    let client = &dependency.client;
    has_dialled && client.kind == PartyKind::Workload && client.owner.as_deref() != Some("Pod")
}
