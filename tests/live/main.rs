//! Captures that go on, and what runs them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod capture;
mod daemon;
mod daemon_told;
mod deploy;
mod runs_live;
