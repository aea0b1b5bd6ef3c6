//! `flowmap status`: captures, loss, undecoded packets, and how complete the learning is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Done,
    common::{Global, Output, OutputArg, Selection},
    fault::{one_line, printable},
    print::{self, Table},
    runs, world,
};
use crate::{
    daemon::{self, Figures},
    inventory::{Conflict, network_plugin},
    map::{self, By, Hidden, Learning},
    model::{Cover, Dependency, Timestamp, Watched, WorkloadRef, words::length},
    proposal::Site,
    store::Run,
};

/// Show captures, loss, undecoded packets, and how complete the learning is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap status
  flowmap status -o json
  flowmap status -o csv                    # the same lines for a sheet")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let world = world::open(global, &args.selection).await?;
    let dependencies: Vec<Dependency> = world.sites.iter().flat_map(|site| site.dependencies(By::Workload)).collect();
    let learning = map::learning(&dependencies);
    // files alone have none
    let daemon = if args.selection.from.is_empty() { daemon::running(&global.store_path()?) } else { None };
    if args.output.output == Output::Json {
        let runs: Vec<_> = world.runs.iter().map(runs::json).collect();
        let conflicts: Vec<_> = world.sites.iter().flat_map(conflicts).collect();
        let value = json!({
            "daemon": daemon.as_ref().map(daemon_json), "runs": runs, "dependencies": dependencies.len(),
            "learning": learning, "conflicts": conflicts,
            "coverage": world.sites.iter().flat_map(coverage).collect::<Vec<_>>(),
            "network_plugins": world.sites.iter().filter_map(plugin).collect::<Vec<_>>(),
            "mesh": world.sites.iter().flat_map(|site| hidden(site, &dependencies)).collect::<Vec<_>>(),
        });
        print::json(&value)?;
    } else {
        let mut lines = Lines::default();
        if let Some(figures) = &daemon {
            tell_daemon(&mut lines, figures);
        }
        tell_runs(&mut lines, &world.runs, &dependencies, learning);
        for site in &world.sites {
            if world.sites.len() > 1 {
                lines.add("site", site.name.clone());
            }
            tell_site(&mut lines, site, &dependencies);
        }
        lines.print(args.output.output)?;
        if let Some(why) = world::no_site(&world, &args.selection) {
            warnln!("{}", printable(&why));
        }
    }
    Ok(Done::Clean)
}

/// The figures as the daemon tells them; when it started as all other times.
fn daemon_json(figures: &Figures) -> Value {
    let mut value = json!(figures);
    value["started"] = json!(Timestamp::new(figures.started.cast_signed(), 0));
    value
}

/// What is told, each under a word.
#[derive(Default)]
struct Lines(Vec<(&'static str, String)>);

impl Lines {
    fn add(&mut self, name: &'static str, value: String) {
        self.0.push((name, value));
    }

    fn print(self, output: Output) -> std::io::Result<()> {
        if output == Output::Csv {
            let mut table = Table::new(&["what", "value"]);
            for (name, value) in self.0 {
                table.row(vec![name.trim_start().to_owned(), value]);
            }
            return print::table(output, &table, "");
        }
        let line = |(name, value): &(&str, String)| format!("{name:<14}{}\n", one_line(value));
        let text: String = self.0.iter().map(line).collect();
        print::text(printable(&text).as_bytes())
    }
}

/// What the daemon that writes to the store is doing.
fn tell_daemon(lines: &mut Lines, figures: &Figures) {
    let mut line = |name, value| lines.add(name, value);
    let answers = figures.metrics.map(|address| format!(", metrics at {address}")).unwrap_or_default();
    line("daemon", format!("process {}{answers}", figures.pid));
    for it in &figures.interfaces {
        let (up, dropped) = (if it.is_up { "" } else { ", away" }, it.dropped_by_kernel + it.dropped_by_interface);
        let held = it.connections;
        line(
            "  watches",
            format!("{}{up}: {} packets, {dropped} dropped, {held} connections", it.interface, it.packets),
        );
    }
    if let Some(why) = &figures.store.failing {
        line("  not written", why.clone());
    }
    if figures.store.damaged > 0 {
        let damaged = figures.store.damaged;
        line(
            "  damaged",
            format!("{damaged} hours or days of history cannot be read, and stay as they are; its log names them"),
        );
    }
}

/// Addresses that two owners had at one time.
fn conflicts(site: &Site) -> Vec<Value> {
    let value = |conflict: &Conflict| {
        let Conflict { address, from, until, owners } = conflict;
        json!({"site": site.name, "address": address, "from": from, "until": until, "owners": owners})
    };
    site.directory.conflicts().iter().map(value).collect()
}

/// For how much of its time each workload was watched.
fn coverage(site: &Site) -> Vec<Value> {
    let value = |(workload, cover): (&WorkloadRef, &Cover)| {
        let Cover { state, share, runs } = cover;
        let (name, kind) = (workload.to_string(), &workload.kind);
        json!({"site": site.name, "workload": name, "owner": kind, "state": state, "share": share, "runs": runs})
    };
    site.coverage().workloads.iter().map(value).collect()
}

/// The network plugin of a site with pods.
fn plugin(site: &Site) -> Option<Value> {
    let has_pods = !site.cluster().pods.is_empty();
    has_pods.then(|| json!({"site": site.name, "plugin": network_plugin(site.cluster())}))
}

fn hidden(site: &Site, dependencies: &[Dependency]) -> Vec<Hidden> {
    let of_site: Vec<Dependency> = dependencies.iter().filter(|it| it.site == site.name).cloned().collect();
    map::hidden(&of_site, site.cluster())
}

fn tell_site(lines: &mut Lines, site: &Site, dependencies: &[Dependency]) {
    let mut line = |name, value| lines.add(name, value);
    let coverage = site.coverage();
    let count = |state: Watched| coverage.workloads.values().filter(|cover| cover.state == state).count();
    if !coverage.workloads.is_empty() {
        let [covered, partly, unseen] = [Watched::Covered, Watched::Partly, Watched::Unseen].map(count);
        line("watched", format!("{covered} workloads all the time, {partly} partly, {unseen} never at their own side"));
    }
    let last = dependencies.iter().filter(|it| it.site == site.name).map(|it| it.span.last).max();
    if let Some((last, listed)) = last.and_then(|last| Some((last, site.directory.listed_before(last)?))) {
        let later = length(last.0.saturating_sub(listed.0));
        line("inventory", format!("pods were last listed at {listed}; connections end {later} later"));
    }
    if !site.cluster().pods.is_empty() {
        line("plugin", network_plugin(site.cluster()).to_string());
    }
    for hidden in hidden(site, dependencies) {
        line("mesh", hidden.to_string());
    }
    let conflicts = site.directory.conflicts();
    for conflict in conflicts.iter().take(MAX_CONFLICTS) {
        line("conflict", format!("{conflict}: whose it was then is unknown"));
    }
    if conflicts.len() > MAX_CONFLICTS {
        line("conflict", format!("{} more: flowmap status -o json", conflicts.len() - MAX_CONFLICTS));
    }
}

/// Sweeps that are printed one by one.
const MAX_SWEEPS: usize = 10;

/// Conflicts that are printed one by one.
const MAX_CONFLICTS: usize = 10;

fn tell_runs(lines: &mut Lines, runs: &[Run], dependencies: &[Dependency], learning: Learning) {
    lines.add("captures", runs.len().to_string());
    // what did not pass is no sign that somebody watched
    let watched = || runs.iter().filter(|run| !run.is_drops());
    let first = watched().filter_map(|run| run.first_packet).min();
    let last = watched().filter_map(|run| run.last_packet).max();
    if let (Some(first), Some(last)) = (first, last) {
        lines.add("window", format!("{first} to {last}"));
    }
    tell_counts(lines, runs);
    tell_bounds(lines, runs);
    tell_names(lines, runs);
    tell_sweeps(lines, runs);
    for run in runs {
        if let Some(damage) = &run.loss.damage {
            lines.add("  damaged", format!("{}: {damage}", run.source));
        }
    }
    tell_dependencies(lines, dependencies);
    lines.add("learning", learning.to_string());
}

fn sum<'a>(runs: impl IntoIterator<Item = &'a Run>, of: fn(&Run) -> u64) -> u64 {
    runs.into_iter().map(of).fold(0, u64::saturating_add)
}

/// How many packets and records there were, and what became of them.
fn tell_counts(lines: &mut Lines, runs: &[Run]) {
    let mut line = |name, value| lines.add(name, value);
    let [packets, decoded] = [|run: &Run| run.packets, |run: &Run| run.decoded];
    let (logs, captures): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.is_records());
    let count = |runs: &[&Run], of| sum(runs.iter().copied(), of);
    line("packets", format!("{}, {} decoded", count(&captures, packets), count(&captures, decoded)));
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in captures.iter().flat_map(|run| &run.kinds) {
        *kinds.entry(kind).or_default() += count;
    }
    for (kind, count) in kinds {
        line("  of them", format!("{count} {kind}"));
    }
    for (reason, count) in not_decoded(&captures) {
        line("  not decoded", format!("{count} {reason}"));
    }
    if !logs.is_empty() {
        line("records", format!("{}, {} used", count(&logs, packets), count(&logs, decoded)));
    }
    for (reason, count) in not_decoded(&logs) {
        line("  not used", format!("{count} {reason}"));
    }
    let [by_kernel, by_interface] = [|run: &Run| run.loss.dropped_by_kernel, |run: &Run| run.loss.dropped_by_interface];
    line("dropped", format!("{} by the kernel, {} by interfaces", sum(runs, by_kernel), sum(runs, by_interface)));
}

/// How often each reason left a packet or record out.
fn not_decoded<'a>(runs: &[&'a Run]) -> BTreeMap<&'a str, u64> {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in runs.iter().flat_map(|run| &run.loss.not_decoded) {
        let all = reasons.entry(reason).or_default();
        *all = all.saturating_add(*count);
    }
    reasons
}

/// What there were too many of to be kept, and what else is to be known of a run.
fn tell_bounds(lines: &mut Lines, runs: &[Run]) {
    for (run, (note, count)) in runs.iter().flat_map(|run| run.loss.notes.iter().map(move |note| (run, note))) {
        let name = if run.is_records() { "  note" } else { "  bound hit" };
        lines.add(name, format!("{}: {count} {note}", run.source));
    }
    for run in runs.iter().filter(|run| run.loss.names.beyond_bound > 0) {
        let left_out = run.loss.names.beyond_bound;
        lines.add("  bound hit", format!("{}: {left_out} host names left out, there were too many", run.source));
    }
}

/// Names that could not be read.
fn tell_names(lines: &mut Lines, runs: &[Run]) {
    let not_names = sum(runs, |run| run.loss.names.not_a_name);
    if not_names > 0 {
        lines.add("names", format!("{not_names} host names were none and are left out"));
    }
    let cut_off = sum(runs, |run| run.loss.names.cut_off);
    if cut_off > 0 {
        let words = format!("{cut_off} of TLS and HTTP servers may be in what was cut off, or in a further segment");
        lines.add("names", words);
    }
}

fn tell_sweeps(lines: &mut Lines, runs: &[Run]) {
    let sweeps = || runs.iter().flat_map(|run| &run.sweeps);
    for sweep in sweeps().take(MAX_SWEEPS) {
        lines.add("  sweep", runs::sweep_text(sweep));
    }
    if sweeps().count() > MAX_SWEEPS {
        lines.add("  sweep", format!("{} more: flowmap status -o json", sweeps().count() - MAX_SWEEPS));
    }
}

fn tell_dependencies(lines: &mut Lines, dependencies: &[Dependency]) {
    lines.add("dependencies", dependencies.len().to_string());
    for dependency in dependencies.iter().filter(|dependency| dependency.via.iter().any(|via| via.disputed)) {
        let services: Vec<&str> = dependency.via.iter().filter_map(|via| via.service.as_deref()).collect();
        let led = format!("{} led {} to {}", services.join(", "), dependency.client.name, dependency.server.name);
        lines.add("  disputed", format!("{led}, which the inventory does not know behind it"));
    }
}
