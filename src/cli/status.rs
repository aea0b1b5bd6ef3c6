//! `flowmap status`: captures, loss, undecoded packets, and how complete the learning is.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use super::{
    Done,
    common::{Global, Output, OutputArg, Selection},
    fault::printable,
    print, runs,
    world::{Site, World},
};
use crate::{
    inventory::Conflict,
    map::{self, By, Learning},
    model::Dependency,
    store::Run,
};

/// Show what was captured, what of it was lost or not decoded, and how complete the learning is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap status
  flowmap status -o json")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let world = World::open(global, &args.selection).await?;
    let dependencies: Vec<Dependency> = world.sites.iter().flat_map(|site| site.dependencies(By::Workload)).collect();
    let learning = map::learning(&dependencies);
    if args.output.output == Output::Json {
        let runs: Vec<_> = world.runs.iter().map(runs::json).collect();
        let conflicts: Vec<_> = world.sites.iter().flat_map(conflicts).collect();
        let value = json!({
            "runs": runs, "dependencies": dependencies.len(), "learning": learning, "conflicts": conflicts,
        });
        print::json(&value)?;
    } else {
        let mut text = text(&world.runs, dependencies.len(), learning);
        inventory_text(&mut text, &world.sites);
        print::text(printable(&text).as_bytes())?;
    }
    Ok(Done::Clean)
}

/// Addresses that two owners had at one time.
fn conflicts(site: &Site) -> Vec<Value> {
    let value = |conflict: &Conflict| {
        let Conflict { address, from, until, owners } = conflict;
        json!({"site": site.name, "address": address, "from": from, "until": until, "owners": owners})
    };
    site.directory.conflicts().iter().map(value).collect()
}

fn inventory_text(text: &mut String, sites: &[Site]) {
    // writing to a String cannot fail
    for conflict in sites.iter().flat_map(|site| site.directory.conflicts()).take(MAX_CONFLICTS) {
        let _ = writeln!(text, "{:<14}{conflict}: unknown", "conflict");
    }
    let count: usize = sites.iter().map(|site| site.directory.conflicts().len()).sum();
    if count > MAX_CONFLICTS {
        let _ = writeln!(text, "{:<14}{} more: flowmap status -o json", "conflict", count - MAX_CONFLICTS);
    }
}

/// Conflicts that are printed one by one.
const MAX_CONFLICTS: usize = 10;

fn text(runs: &[Run], dependencies: usize, learning: Learning) -> String {
    let sum = |of: fn(&Run) -> u64| runs.iter().map(of).sum::<u64>();
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in runs.iter().flat_map(|run| &run.loss.not_decoded) {
        *reasons.entry(reason).or_default() += count;
    }
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // writing to a String cannot fail
        let _ = writeln!(text, "{name:<14}{value}");
    };
    line("captures", runs.len().to_string());
    let first = runs.iter().filter_map(|run| run.first_packet).min();
    let last = runs.iter().filter_map(|run| run.last_packet).max();
    if let (Some(first), Some(last)) = (first, last) {
        line("window", format!("{first} to {last}"));
    }
    line("packets", format!("{}, {} decoded", sum(|run| run.packets), sum(|run| run.decoded)));
    for (reason, count) in reasons {
        line("  not decoded", format!("{count} {reason}"));
    }
    let (by_kernel, by_interface) = (sum(|run| run.loss.dropped_by_kernel), sum(|run| run.loss.dropped_by_interface));
    line("dropped", format!("{by_kernel} by the kernel, {by_interface} by interfaces"));
    for run in runs.iter().filter(|run| run.loss.evicted > 0) {
        line("  table full", format!("{}: {} connections written out early", run.source, run.loss.evicted));
    }
    for run in runs {
        if let Some(damage) = &run.loss.damage {
            line("  damaged", format!("{}: {damage}", run.source));
        }
    }
    line("dependencies", dependencies.to_string());
    line("learning", learning.to_string());
    text
}
