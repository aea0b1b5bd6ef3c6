//! Which dependencies make rules.

use crate::model::{Dependency, Direction, Mark};

/// What becomes of a dependency.
pub(super) enum Use {
    /// It makes a rule.
    Rule,
    /// It is between a pod and its own node.
    OwnNode,
    /// It makes none, and needs no word.
    Silent,
    /// It makes none, which must be told.
    LeftOut(String),
}

/// Whether a dependency makes a rule.
pub(super) fn use_of(dependency: &Dependency) -> Use {
    let has = |mark| dependency.marks.contains(&mark);
    if has(Mark::Itself) {
        Use::Silent
    } else if let Some(reason) = dependency.unneeded() {
        Use::LeftOut(reason.into())
    } else if !dependency.protocol.has_ports() {
        Use::LeftOut(format!("{} cannot be named in a NetworkPolicy", dependency.protocol))
    } else if dependency.direction == Direction::Unknown {
        Use::LeftOut("who is the client is unknown".into())
    } else if dependency.port == 0 {
        Use::LeftOut("port 0 is none that a server has".into())
    } else if has(Mark::Node) {
        Use::OwnNode
    } else {
        Use::Rule
    }
}
