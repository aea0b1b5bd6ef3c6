//! Policies from text, as a strict API server takes them (`fieldValidation=Strict`) and nothing more.
//!
//! ```text
//! text -> RawObject -> PolicySet
//!  text    parse, cluster, field set
//! ```

mod cidr;
mod cluster;
mod fault;
mod field;
mod parse;
mod set;
mod text;
mod ties;

pub use fault::{PolicyError, Reason};
pub use set::{NotEvaluated, PolicySet, Strictness, is_cluster_wide};
pub use text::{ReadError, read, read_all, read_some};
