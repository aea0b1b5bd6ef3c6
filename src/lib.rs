//! flowmap maps who talks to whom from real traffic and recommends least-privilege NetworkPolicies, with a proof of
//! what they would break.
//!
//! Data walks through the house once, from the wire to the page:
//!
//! ```text
//! frames -> packets -> observations -> dependencies -> recommendation -> documents
//! capture   decode     connection      store, map      tier, recommend   render
//!                      records ^  inventory ^          policy judges, at every step after map
//! ```
//!
//! `docs/architecture.md` has all rooms, what each holds and which it may import. Those that are not behind the feature `cli`
//! are pure, but for live capture: they take values and give values, know no clock and no socket, and build without it.

pub mod application;
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
mod clock;
#[cfg(feature = "cli")]
pub mod cluster;
pub mod connection;
pub mod convert;
#[cfg(feature = "cli")]
pub mod daemon;
pub mod decode;
pub mod firewall;
pub mod graph;
pub mod intake;
pub mod inventory;
mod json;
pub mod map;
pub mod model;
pub mod names;
pub mod policy;
#[cfg(feature = "cli")]
pub(crate) mod proposal;
pub mod recommend;
pub mod records;
pub mod render;
#[cfg(feature = "cli")]
pub mod review;
pub mod segment;
#[cfg(feature = "cli")]
pub mod store;
pub mod tier;
pub mod yaml;
