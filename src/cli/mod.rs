//! What is typed and what is printed: one file per command, and nothing else prints.

/// Prints a line to stderr; who closed it does not want to know, where `eprintln!` would panic.
macro_rules! warnln {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

/// Prints text to stderr as it is, without the end of a line.
macro_rules! warn_text {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stderr(), $($words)*);
    }};
}

mod capture;
mod common;
mod convert;
mod convert_names;
mod diff;
mod doctor;
mod doubts;
mod explain;
mod fault;
mod firewall;
mod flows;
mod generate;
mod graph;
mod import;
mod import_capture;
mod import_records;
mod import_store;
mod input;
mod inventory;
mod inventory_import;
mod inventory_list;
mod inventory_rm;
mod inventory_sync;
mod log;
mod man;
mod names;
mod parts;
mod policies;
mod print;
mod review;
mod runs;
mod segments;
mod simulate;
mod status;
mod suggest;
mod suggest_args;
mod suggest_report;
mod sync_follow;
mod sync_keep;
mod sync_state;
mod tiers;
mod usage;
mod who;
mod world;

use std::{io, process::ExitCode};

use clap::{Parser, Subcommand};

pub use fault::Fault;

/// Map who talks to whom from real traffic, and write least-privilege NetworkPolicies that are proven against it.
#[derive(Debug, Parser)]
#[command(
    name = "flowmap",
    version,
    max_term_width = 100,
    arg_required_else_help = false,
    after_help = "Examples:
  flowmap import trunk.pcapng              # read a capture into the store
  flowmap inventory import cluster.json    # who is who: kubectl's output
  flowmap flows                            # the dependencies
  flowmap suggest --namespace production   # policies, in policies-out/
  flowmap simulate policies-out/           # what would they break?
  flowmap explain production/web production/db 5432   # which policy was it?"
)]
pub struct Cli {
    #[command(flatten)]
    global: common::Global,
    #[command(subcommand)]
    command: Command,
}

// what each is for is told at its arguments: a doc comment here would take the place of the whole text there
#[derive(Debug, Subcommand)]
enum Command {
    Capture(capture::Args),
    Import(import::Args),
    Inventory(inventory::Args),
    Runs(runs::Args),
    Flows(flows::Args),
    Segments(segments::Args),
    Tiers(tiers::Args),
    Suggest(suggest_args::Args),
    Firewall(firewall::Args),
    Simulate(simulate::Args),
    Explain(explain::Args),
    Diff(diff::Args),
    Convert(convert::Args),
    Graph(graph::Args),
    Review(review::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    #[command(name = "gen")]
    Generate(generate::Args),
}

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// Nothing to complain of: exit code 0.
    Clean,
    /// It found something, such as denied connections: exit code 1.
    Found,
}

/// Parses what was typed, runs it and tells the exit code.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) => usage::tell(&error),
    }
}

/// Runs what was typed and tells the exit code: 0 done, 1 done and something was found, 2 an error.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error)),
    };
    let done = runtime.block_on(dispatch(cli));
    // whoever was told to stop at once does not wait for threads
    runtime.shutdown_background();
    match done {
        Ok(Done::Clean) => ExitCode::SUCCESS,
        Ok(Done::Found) => ExitCode::from(1),
        Err(error) => fail(&error),
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<Done> {
    let global = cli.global;
    match cli.command {
        Command::Capture(args) => capture::run(&global, args).await,
        Command::Import(args) => import::run(&global, args).await,
        Command::Inventory(args) => inventory::run(&global, args).await,
        Command::Runs(args) => runs::run(&global, args).await,
        Command::Flows(args) => flows::run(&global, args).await,
        Command::Segments(args) => segments::run(&global, args).await,
        Command::Tiers(args) => tiers::run(&global, args).await,
        Command::Suggest(args) => suggest::run(&global, args).await,
        Command::Firewall(args) => firewall::run(&global, args).await,
        Command::Simulate(args) => simulate::run(&global, args).await,
        Command::Explain(args) => explain::run(&global, args).await,
        Command::Diff(args) => diff::run(&global, args).await,
        Command::Convert(args) => convert::run(&global, args).await,
        Command::Graph(args) => graph::run(&global, args).await,
        Command::Review(args) => review::run(&global, args).await,
        Command::Status(args) => status::run(&global, args).await,
        Command::Doctor(args) => doctor::run(&global, args).await,
        Command::Generate(args) => generate::run(&global, &args),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let is_closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().map(io::Error::kind) == Some(io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    fault::print(error);
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
