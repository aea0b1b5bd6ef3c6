//! A live cluster: its objects as its API server lists them, and the news of them.
//!
//! ```text
//! connect   kubeconfig or service account -> Cluster      who to ask, and as whom
//! list      Target -> Listed                              all objects of a kind, page by page
//! follow    Target -> News, News ...                      what came, changed and went since then, for as long as wanted
//! ```
//!
//! Objects are stripped as soon as they are read; what this room holds of a list is gone when it is handed on. The
//! clock is read here, because nobody else hears when news come.

mod client;
mod connect;
mod error;
mod follow;
mod kind;
mod list;
mod net;
mod object;
mod proxy;
mod watch;

pub use client::Cluster;
pub use connect::{Access, AccessError};
pub use error::ClusterError;
pub use follow::{Follower, LISTED_EVERY, News, Start};
pub use kind::{KINDS, Kind, Target};
pub use list::Listed;
pub use net::{Latest, Net};
pub use object::Object;
