//! `flowmap status`: captures, loss, undecoded packets, and how complete the learning is.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::json;

use super::{
    Done,
    common::{Global, Output, OutputArg, Selection},
    fault::printable,
    print, runs,
    world::World,
};
use crate::{
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
        print::json(&json!({"runs": runs, "dependencies": dependencies.len(), "learning": learning}))?;
    } else {
        print::text(printable(&text(&world.runs, &dependencies, learning)).as_bytes())?;
    }
    Ok(Done::Clean)
}

fn text(runs: &[Run], dependencies: &[Dependency], learning: Learning) -> String {
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
    for (run, (bound, count)) in runs.iter().flat_map(|run| run.loss.bounds.iter().map(move |bound| (run, bound))) {
        line("  bound hit", format!("{}: {count} {bound}", run.source));
    }
    for run in runs {
        if let Some(damage) = &run.loss.damage {
            line("  damaged", format!("{}: {damage}", run.source));
        }
    }
    line("dependencies", dependencies.len().to_string());
    for dependency in dependencies.iter().filter(|dependency| dependency.via.iter().any(|via| via.disputed)) {
        let services: Vec<&str> = dependency.via.iter().filter_map(|via| via.service.as_deref()).collect();
        let led = format!("{} led {} to {}", services.join(", "), dependency.client.name, dependency.server.name);
        line("  disputed", format!("{led}, which the inventory does not know behind it"));
    }
    line("learning", learning.to_string());
    text
}
