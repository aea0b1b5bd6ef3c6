//! Policies that flowmap proposes, and what it says with them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod cluster_wide;
mod decisions;
mod host_network;
mod host_ports;
mod incomplete;
mod mesh;
mod out_dir;
mod partial;
mod pitfalls;
mod policies;
mod report;
mod scenarios;
mod services;
mod several_backends;
mod simulate;
mod told;
mod tomorrow;
mod warnings;
mod whose;
