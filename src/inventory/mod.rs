//! (address, time) to who: Kubernetes objects and hosts files, and what they say about addresses.
//!
//! ```text
//! read     text -> Reading { Cluster, problems }    one file at a time
//! merge    Cluster, Cluster ... -> Cluster          several files, or snapshots of one cluster
//! Directory::new(&Cluster)                          (address, time) -> Owner, Services and what is behind them
//! ```
//!
//! What can be used of a file is used; what cannot is a [`Problem`]; only a file that is of no use at all is an error.
//! The order of objects within a file, and of files, never changes the [`Cluster`](crate::model::Cluster).

mod collect;
mod directory;
mod field;
mod hosts;
mod merge;
mod node;
mod owners;
mod pod;
mod read;
mod service;
mod services;
mod strip;
#[cfg(test)]
mod tests;

pub use directory::{Directory, Owner};
pub use merge::merge;
pub use read::{Problem, ReadError, Reading, read};
pub use services::target_port;
