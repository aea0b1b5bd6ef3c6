//! The command line: help, and what it says of bad input.

#![cfg(feature = "cli")]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod command_line;
mod json_reference;
mod rooms;
