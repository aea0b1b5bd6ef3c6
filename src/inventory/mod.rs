//! (address, time) to who: Kubernetes objects and hosts files, and what they say about addresses.
//!
//! ```text
//! read     text -> Reading { Cluster, problems }    one file at a time
//! Directory::over(listings, objects)                (address, time) -> Owner, Services and what was behind them
//!     collect, items     objects -> what they say, each with the object it is from
//!     sights             when objects were seen, and when they were missed
//!     claims, past       what every owner claims, from when to when
//!     tenure, timeline   the claims to one address settled into stretches, found by bisection
//!     present            the cluster as it was last seen
//! ```
//!
//! What can be used of a file is used; what cannot is a [`Problem`]; only a file that is of no use at all is an error.
//! The order of objects within a file, and of files, never changes an answer. docs/identity.md tells the rules.

mod claims;
mod collect;
mod conflict;
mod csv;
mod directory;
mod field;
mod gaps;
mod guesses;
mod holding;
mod host_ports;
mod hosts;
mod items;
mod merge;
mod node;
mod owners;
mod past;
mod plugin;
mod pod;
mod present;
mod ranges;
mod read;
mod service;
mod services;
mod sights;
mod stream;
mod strip;
mod tenure;
#[cfg(test)]
mod tests;
mod timeline;

pub use conflict::Conflict;
pub use directory::{CLOCK_SKEW_NS, Directory, Owner, Sighted};
pub use gaps::Gaps;
pub use holding::Holding;
pub use merge::merge;
pub use past::NODE_LOCAL_DNS;
pub use plugin::{Enforces, NetworkPlugin, network_plugin};
pub use ranges::{is_cloud_metadata, is_link_local};
pub use read::{Problem, ReadError, Reading, read, read_object};
pub use sights::{Listing, Sighting};
