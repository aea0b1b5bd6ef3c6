//! Flow logs of others: CSV, Zeek and Hubble.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod flow_records;
mod zeek_hubble;
