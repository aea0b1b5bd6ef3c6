//! What policies allow, and why.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod cilium;
mod cluster_network_policy;
mod cluster_wide;
mod convert;
mod convert_cluster;
mod diff;
mod differential;
mod explain;
mod node_ports;
mod oracle;
mod sharing;
mod tiers;
