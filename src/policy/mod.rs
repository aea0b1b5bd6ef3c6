//! NetworkPolicy (`networking.k8s.io/v1`): the model and strict reading.
//!
//! ```text
//! text -> RawObject -> PolicySet
//!  read              from_objects
//! ```
//!
//! [`read`] and [`PolicySet::from_objects`] take what a strict API server takes and nothing more, so that what passes
//! here can be applied.

mod cidr;
mod fault;
mod field;
mod name;
mod network_policy;
mod parse;
mod read;
mod selector;
mod set;
#[cfg(test)]
mod tests;

pub use cidr::IpBlock;
pub use fault::{PolicyError, Reason};
pub use network_policy::{NetworkPolicy, Peer, PolicyType, Port, PortMatch, Rule};
pub use read::{ReadError, read};
pub use selector::{Operator, Requirement, Selector};
pub use set::{NotEvaluated, PolicySet, Strictness};
