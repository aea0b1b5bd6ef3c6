//! `flowmap inventory`: who is who.

use super::{Done, common::Global, inventory_import, inventory_list, inventory_rm, inventory_sync, names};

/// Read or list who is who: pods, services, nodes, hosts.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = false,
    after_help = "Examples:
  flowmap inventory import cluster.json    # kubectl's output, or a hosts file
  flowmap inventory sync --watch           # a live cluster
  flowmap inventory list -n production
  flowmap inventory rm hosts.csv           # it was wrong
  flowmap inventory names"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(inventory_import::Args),
    Sync(inventory_sync::Args),
    List(inventory_list::Args),
    Rm(inventory_rm::Args),
    Names(names::Args),
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    if let Command::Names(args) = args.command {
        return names::run(global, args).await;
    }
    let store = match args.command {
        Command::List(_) => global.store_to_read().await?,
        _ => global.store().await?,
    };
    let result = match args.command {
        Command::Import(args) => inventory_import::run(&store, &args).await,
        Command::Sync(args) => inventory_sync::run(&store, &global.store_path()?, args).await,
        Command::List(args) => inventory_list::run(&store, &args).await,
        Command::Rm(args) => inventory_rm::run(&store, &args).await,
        Command::Names(_) => Ok(Done::Clean),
    };
    store.close().await;
    result
}
