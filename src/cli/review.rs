//! `flowmap review`: the review page.

use std::{net::SocketAddr, path::PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use super::{
    Done, Fault,
    common::{self, Global, Namespaces, moment},
    policies::say,
    print, world,
};
use crate::{
    clock,
    review::{self, Config, ReviewError, Secret},
    store::RunId,
};

/// Look at proposed policies in a browser, and approve, reject or edit them.
///
/// The address that is printed holds the key.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap review
  flowmap review -n production --author 'Ann Lee'
  flowmap review --listen 127.0.0.1:9000 --out-dir policies-out --since 7d

Whoever has the address may look and decide: it is for this machine alone. To look from another one, \
forward the port:
  ssh -L 8642:127.0.0.1:8642 HOST")]
pub(super) struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8642", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Also listen where others can connect: the connection is not encrypted
    #[arg(long)]
    allow_remote: bool,
    /// Another name by which browsers may call this server; may be given several times
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    #[command(flatten)]
    namespaces: Namespaces,
    /// The site to show first
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Only connections that began at or after this: RFC 3339, or an age such as 24h
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Only connections that began at or before this
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
    /// Leave out a run, by its id in `flowmap runs`; may be given several times
    #[arg(long, value_name = "ID", value_parser = common::run_id)]
    exclude_run: Vec<RunId>,
    /// The folder to which what is approved is exported
    #[arg(long, default_value = "policies-out", value_name = "DIR")]
    out_dir: PathBuf,
    /// Who decides, unless the page says otherwise [default: $USER]
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
}

/// Ages stay ages: they are counted from when a page is looked at.
fn time(text: &str) -> Result<String, String> {
    moment(text).map(|_| text.to_owned())
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let (mut stop, mut end) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        let why = "others could connect there, and what is said is not encrypted";
        let hint = "listen on 127.0.0.1 and forward the port with ssh -L, or say --allow-remote";
        return Err(Fault::new(format_args!("--listen {}", args.listen), why).hint(hint).into());
    }
    let [since, until] = [&args.since, &args.until].map(|time| time.as_deref().and_then(|time| moment(time).ok()));
    world::in_order(since, until)?;
    let store = global.store_path()?;
    // what is wrong with the store is said before anybody opens the page, and none is made by looking at it
    if store.try_exists().is_ok_and(|is_there| !is_there) {
        let why = "there is no such file, so nothing was captured or imported";
        let hint = "name the store with --db, or start with `flowmap import FILE` and `flowmap inventory import FILE`";
        return Err(Fault::new(format_args!("store {}", store.display()), why).hint(hint).into());
    }
    let opened = global.store().await?;
    world::are_runs(&args.exclude_run, &opened.runs().await?.iter().map(|run| run.id).collect())?;
    opened.close().await;
    let (listener, listening) = review::bind(args.listen).await.map_err(fault)?;
    if !listening.ip().is_loopback() {
        say(&format!(
            "WARNING: {listening} can be reached by others; the key and all pages go over the network unencrypted"
        ));
    }
    let token = Secret::new()?;
    print::text(format!("{}\n", review::address(listening, &token)).as_bytes())?;
    say("open this address in a browser; Ctrl-C ends it");
    let config = Config {
        store,
        out_dir: args.out_dir,
        namespaces: args.namespaces.namespace,
        site: args.site,
        since: args.since.unwrap_or_default(),
        until: args.until.unwrap_or_default(),
        exclude: args.exclude_run.into_iter().collect(),
        author: args.author.or_else(user).unwrap_or_default(),
        hosts: args.host,
        clock: clock::now,
    };
    let stop = async {
        tokio::select! {
            _ = stop.recv() => {}
            _ = end.recv() => {}
        }
    };
    review::serve(config, listener, token, stop).await.map_err(fault)?;
    Ok(Done::Clean)
}

fn user() -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    variable("USER").or_else(|| variable("LOGNAME"))
}

fn fault(error: ReviewError) -> anyhow::Error {
    match error {
        ReviewError::Store(error) => error.into(),
        ReviewError::Proposal(error) => error.into(),
        ReviewError::InUse(address) => {
            let hint = "another review may run there; choose another port with --listen 127.0.0.1:PORT";
            Fault::new(format_args!("--listen {address}"), "somebody else listens there").hint(hint).into()
        }
        ReviewError::Listen(address, error) => Fault::new(format_args!("--listen {address}"), error).into(),
        error @ ReviewError::Random(_) => error.into(),
    }
}
