//! Flow logs of others: CSV, Zeek, Hubble and firewalls.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod beside;
mod csv_directions;
mod firewall;
mod flow_records;
mod hubble_lines;
mod lines;
mod zeek_hubble;
