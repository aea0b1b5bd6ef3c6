//! NetworkPolicy (`networking.k8s.io/v1`) and the policies of whole clusters (`policy.networking.k8s.io`): the models, strict
//! reading, evaluation.
//!
//! ```text
//! reading   text -> PolicySet                      what a strict API server takes, and nothing more
//! evaluate  Evaluator: one connection -> Verdict    as the API's documentation says it, with reasons
//! classes   Classes: all pairs at once              the same verdicts by class of ends
//!
//! roster    names, addresses, parties -> ends       who is meant
//! outside   the address space in pieces             which policies do not tell apart
//! census    everybody                               over whom sets of policies are compared
//!
//! explain   one question      simulate  what was seen      diff  two sets      reach, excess  how much is open
//! ```

mod addresses;
mod census;
mod cidr;
mod classes;
mod cluster_policy;
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
pub use classes::{Classes, Idle};
pub use cluster_policy::{Action, ClusterKind, ClusterPeer, ClusterPolicy, ClusterRule, PodsOf, Tier};
pub use diff::{Change, Ports, diff};
pub use end::{Dialled, End, PodEnd, Probe};
pub use evaluate::{Decided, Dnat, Evaluator, Nearest, Options, RuleRef, Side, Verdict};
pub use excess::{Excess, Wide, excess, over_permission};
pub use explain::{Clients, Explanation, Question, Server, Servers, explain};
pub use network_policy::{NetworkPolicy, Peer, PolicyType, Port, PortMatch, Rule};
pub use outside::{Outside, Piece, Realm};
pub use ports::PortSet;
pub use reach::{Reach, Sight, reach};
pub use reading::{
    NotEvaluated, PolicyError, PolicySet, ReadError, Reason, Strictness, is_cluster_wide, read, read_all, read_some,
};
pub use roster::{Roster, Who};
pub use selector::{Operator, Requirement, Selector};
pub use simulate::{Detail, Finding, Past, Ruling, Simulation, Undone, reopened, simulate, undone};
