//! Who is behind an address: inventories, and names from elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod api;
mod exposed;
mod listings;
mod names;
mod odd_text;
mod runs;
mod sync;
mod sync_breaks;
mod sync_store;
