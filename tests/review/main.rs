//! The review page.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod browser;
mod browser_harness;
mod decisions;
mod edit;
mod export;
mod guard;
mod hostile;
mod many;
mod map;
mod namesakes;
mod store;
