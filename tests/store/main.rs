//! The store: what comes into it, what stays of it, and what it is not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod durability;
mod imports;
mod retention;
mod store_files;
mod stores;
