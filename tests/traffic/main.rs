//! Packets and the connections that they make: what is read of captures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod attempts;
mod captures;
mod connections;
mod exchanges;
mod lab_captures;
mod networks;
mod reuse;
mod samples;
mod sweeps;
