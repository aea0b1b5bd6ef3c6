//! NetworkPolicy (`networking.k8s.io/v1`): the model, strict reading, evaluation.
//!
//! ```text
//! text -> RawObject -> PolicySet -> Evaluator -> Verdict
//!  read              from_objects           evaluate
//! ```
//!
//! [`read`] and [`PolicySet::from_objects`] take what a strict API server takes and nothing more, so that what passes
//! here can be applied. [`Evaluator`] then judges one connection at a time, as the API's documentation says it.

mod addresses;
mod census;
mod cidr;
mod classes;
mod diff;
mod end;
mod evaluate;
mod excess;
mod explain;
mod network_policy;
mod outside;
mod ports;
mod reach;
mod reading;
mod roster;
mod selector;
mod simulate;
#[cfg(test)]
mod tests;

pub use addresses::AddressRange;
pub use census::{Actor, Census};
pub use cidr::IpBlock;
pub use classes::Classes;
pub use diff::{Change, Ports, diff};
pub use end::{End, PodEnd, Probe};
pub use evaluate::{Dnat, Evaluator, Nearest, Options, RuleRef, Side, Verdict};
pub use excess::{Excess, Wide, excess};
pub use explain::{Clients, Explanation, Question, Server, explain};
pub use network_policy::{NetworkPolicy, Peer, PolicyType, Port, PortMatch, Rule};
pub use outside::{Outside, Piece, Realm};
pub use ports::PortSet;
pub use reach::{Reach, reach};
pub use reading::{NotEvaluated, PolicyError, PolicySet, ReadError, Reason, Strictness, read};
pub use roster::{Roster, Who};
pub use selector::{Operator, Requirement, Selector};
pub use simulate::{Finding, Past, Simulation, Undone, simulate, undone};
