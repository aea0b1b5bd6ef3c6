//! `flowmap runs`: what was captured and imported.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use super::{
    Done, Fault,
    common::{Global, Output, OutputArg},
    print::{self, Table},
};
use crate::{
    daemon,
    model::{MissedNames, Sweep, Timestamp},
    render::minute,
    store::{Run, RunId},
};

/// List what was captured and imported, or take a run back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap runs
  flowmap runs -o json
  flowmap runs rm 5c1f0a93d27b4e10         # it was the wrong file")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take runs back, with all that only they saw
    #[command(after_help = "Examples:
  flowmap runs                             # their ids
  flowmap runs rm 5c1f0a93d27b4e10         # it was the wrong file
  flowmap runs rm 5c1f0a93d27b4e10 8e20b7114cd96f03")]
    Rm {
        /// Ids of runs, as `flowmap runs` lists them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

fn no_run(id: &str) -> Fault {
    Fault::new(format_args!("run `{id}`"), "not in the store").hint("`flowmap runs` lists them")
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let changes = args.command.is_some();
    let store = if changes { global.store_if_any().await? } else { global.store_to_read().await? };
    if let Some(Command::Rm { ids }) = &args.command {
        let live = store.runs().await?.into_iter().filter(Run::is_live).map(|run| run.id);
        let live: BTreeSet<RunId> = live.collect();
        let going_on = going_on(&global.store_path()?, &live);
        if let Some((pid, run)) = going_on.and_then(|(pid, runs)| {
            let run = ids.iter().find(|id| id.parse().is_ok_and(|run| runs.contains(&run)))?;
            Some((pid, run))
        }) {
            // what a daemon tells of itself may not be there yet
            let (who, hint) = match pid {
                0 => ("another process".to_owned(), "stop the daemon first".to_owned()),
                pid => (format!("process {pid}"), format!("stop it first: kill {pid}")),
            };
            let why = format!("goes on: {who} writes it");
            return Err(Fault::new(format_args!("run `{run}`"), why).hint(hint).into());
        }
        let held: BTreeSet<RunId> = store.runs().await?.iter().map(|run| run.id).collect();
        let known = |id: &String| id.parse().ok().filter(|run| held.contains(run)).ok_or_else(|| no_run(id));
        // all of them, before the first is gone
        let runs: Vec<RunId> = ids.iter().map(known).collect::<Result<_, _>>()?;
        for run in runs {
            store.remove_run(run).await?;
            warnln!("{run}: taken back");
        }
        store.close().await;
        return Ok(Done::Clean);
    }
    let runs = store.runs().await?;
    let why_none = || "no runs; `flowmap import FILE` makes one".to_owned();
    let output = args.output.output;
    print::list(output, &runs, json, |runs| table(runs, output != Output::Table), why_none)?;
    store.close().await;
    Ok(Done::Clean)
}

/// To the minute, and without the site where there is one alone, unless it may be wide.
fn table(runs: &[Run], is_wide: bool) -> Table {
    let sites: BTreeSet<&String> = runs.iter().map(|run| &run.site).collect();
    let has_sites = is_wide || sites.len() > 1;
    let time = |time: Option<Timestamp>| match time {
        None => String::new(),
        Some(time) if is_wide => time.to_string(),
        Some(time) => minute(time),
    };
    let columns = ["id", "site", "sensor", "source", "packets", "lost", "first packet", "last packet"];
    let mut table = Table::new(&columns).numeric(&[4, 5]);
    for run in runs {
        table.row(vec![
            run.id.to_string(),
            if has_sites { run.site.clone() } else { String::new() },
            run.sensor.clone(),
            run.source.clone(),
            run.packets.to_string(),
            (run.loss.dropped_by_kernel + run.loss.dropped_by_interface).to_string(),
            time(run.first_packet),
            time(run.last_packet),
        ]);
    }
    let table = table.with("damage", runs.iter().map(|run| run.loss.damage.as_deref().unwrap_or_default()));
    let kinds = runs.iter().map(|run| run.kind.as_str());
    if is_wide { table.with("kind", kinds) } else { table.without_empty_columns() }
}

/// Runs as `import` prints them as CSV: whether each was added, or was there.
pub(super) fn imported<'r>(runs: impl Iterator<Item = (&'r Run, &'r str)>) -> Table {
    let (runs, added): (Vec<Run>, Vec<&str>) = runs.map(|(run, added)| (run.clone(), added)).unzip();
    table(&runs, true).with("added", added)
}

/// The process of the daemon that writes to a store, and which of these runs it writes: it would write what is taken back again.
fn going_on(store: &Path, live: &BTreeSet<RunId>) -> Option<(u32, BTreeSet<RunId>)> {
    if !daemon::is_running(store) {
        return None;
    }
    // one that has not told anything yet, or of an earlier version, may write any
    let figures = daemon::running(store).unwrap_or_default();
    Some((figures.pid, live.iter().copied().filter(|run| figures.writes(*run)).collect()))
}

/// A run as `status` and `import` print it too.
pub(super) fn json(run: &Run) -> Value {
    json!({
        "id": run.id.to_string(),
        "site": run.site,
        "sensor": run.sensor,
        "source": run.source,
        "kind": run.kind.as_str(),
        "packets": run.packets,
        "decoded": run.decoded,
        "kinds": run.kinds,
        "not_decoded": run.loss.not_decoded,
        "dropped_by_kernel": run.loss.dropped_by_kernel,
        "dropped_by_interface": run.loss.dropped_by_interface,
        "bounds": run.loss.notes,
        "names_not_kept": names_not_kept(run.loss.names),
        "damage": run.loss.damage,
        "first_packet": run.first_packet,
        "last_packet": run.last_packet,
        "sweeps": run.sweeps.iter().map(sweep_json).collect::<Vec<_>>(),
    })
}

fn names_not_kept(MissedNames { not_a_name, beyond_bound, cut_off }: MissedNames) -> Value {
    json!({"not_a_name": not_a_name, "too_many": beyond_bound, "cut_off": cut_off})
}

fn sweep_json(sweep: &Sweep) -> Value {
    let Sweep { hour, protocol, src, attempts, packets, bytes, hosts, targets, ports, span } = sweep;
    json!({
        "source": src, "protocol": protocol.to_string(), "hour": hour.to_string(), "attempts": attempts,
        "packets": packets, "bytes": bytes, "hosts": hosts, "targets": targets, "ports": ports,
        "first": span.first, "last": span.last,
    })
}

/// A sweep in words.
pub(super) fn sweep_text(sweep: &Sweep) -> String {
    let Sweep { hour, protocol, src, attempts, hosts, targets, ports, .. } = sweep;
    format!(
        "{src} swept at {hour}: {attempts} more {protocol} attempts in vain, at about {targets} ends ({hosts} addresses, {ports} ports)"
    )
}
