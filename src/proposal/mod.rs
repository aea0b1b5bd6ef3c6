//! Proposals from a store: what `flowmap suggest` and the review page compute alike, and the folder they are written to.
//!
//! ```text
//! store -> World, Site -> Asked -> Proposal -> folder
//!                           Judge: held against the past
//! ```

mod asked;
mod doubts;
mod error;
mod facts;
mod firewall;
pub mod folder;
mod inventory;
mod judge;
mod kept;
mod log;
mod page;
mod places;
mod rollout;
mod times;
mod traffic;
mod world;

pub use asked::{Asked, Granularity, Proposal, Request, namespaces};
pub use error::ProposalError;
pub use facts::concerned;
pub use firewall::firewall;
pub use folder::Found;
pub use inventory::directories;
pub use judge::{Judge, changes, judged, reach, sights};
pub use kept::Known;
pub use log::{Action, Body, Entry, Log, Standing, content};
pub use places::Places;
pub use rollout::{Rollout, RolloutStep, only};
pub use world::{Site, Window, World};
