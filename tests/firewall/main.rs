//! Rules for a firewall between hosts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod forwarding;
mod places;
mod ruleset;
