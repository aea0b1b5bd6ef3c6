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
mod cidr;
mod classes;
mod end;
mod evaluate;
mod network_policy;
mod ports;
mod reading;
mod selector;
mod simulate;
#[cfg(test)]
mod tests;

pub use cidr::IpBlock;
pub use classes::Classes;
pub use end::{End, PodEnd, Probe};
pub use evaluate::{Evaluator, Options, RuleRef, Side, Verdict};
pub use network_policy::{NetworkPolicy, Peer, PolicyType, Port, PortMatch, Rule};
pub use ports::PortSet;
pub use reading::{NotEvaluated, PolicyError, PolicySet, ReadError, Reason, Strictness, read};
pub use selector::{Operator, Requirement, Selector};
pub use simulate::{Finding, Simulation, simulate};
