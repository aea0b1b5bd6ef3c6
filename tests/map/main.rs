//! What the map says of what was seen: who calls whom, by what way, in which network, and how it is drawn.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod accuracy;
mod applications;
mod conflicts;
mod coverage;
mod equal_numbers;
mod graph;
mod sample;
mod segments;
mod splits;
mod tiers;
mod to_all;
mod translation;
