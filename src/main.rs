//! Parse, run, print the error chain, exit.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    flowmap::cli::run(flowmap::cli::Cli::parse())
}
