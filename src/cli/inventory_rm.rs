//! `flowmap inventory rm`: takes back what files said of who is who.

use super::{Done, Fault, common::SiteArg, fault::one_line};
use crate::{model::words::count, store::Store};

/// Take back what a file said of who is who.
///
/// As where a hosts file was wrong: whose an address is of which two files say different things is unknown.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap inventory rm hosts.csv      # all that a file of this name said
  flowmap inventory import hosts.csv  # as it is now
  flowmap inventory rm --site lab cluster.json")]
pub(super) struct Args {
    /// Names that the files had when they were imported, without their folders
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    site: SiteArg,
}

pub(super) async fn run(store: &Store, args: &Args) -> anyhow::Result<Done> {
    let site = args.site.site.as_str();
    let known = store.listed_files(site).await?;
    // all or nothing
    if let Some(file) = args.files.iter().find(|file| !known.contains(*file)) {
        let why = format!("nothing was imported from a file of this name at the site {}", one_line(site));
        let fault = Fault::new(one_line(file), why);
        let names: Vec<String> = known.iter().map(|name| one_line(name)).collect();
        return Err(match names.len() {
            0 => fault.hint("what `inventory sync` follows is no file, and stays"),
            _ => fault.hint(format!("there is {}", names.join(", "))),
        }
        .into());
    }
    for file in &args.files {
        let listings = store.remove_listings(site, file).await?;
        warnln!("{}: {} taken back", one_line(file), count(listings, "listing"));
    }
    Ok(Done::Clean)
}
