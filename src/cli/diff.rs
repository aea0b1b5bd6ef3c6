//! `flowmap diff`: what changes between two sets of policies, in connections.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::{Value, json};

use super::{
    Done, Fault,
    common::{Global, Output, OutputArg},
    policies::{self, ReadingArgs},
    print::{self, Table},
    who::WhoArgs,
};
use crate::policy::{Census, Change, Evaluator, Outside, PortSet, Roster, diff};

/// Compare two sets of policies by the connections they allow.
///
/// Lists the connections that become possible, and those that end. Exits with 1 where there are any.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap diff policies-old/ policies-out/
  kubectl get networkpolicy -A -o yaml | flowmap diff - policies-out/
  flowmap diff old.yaml new.yaml --inventory cluster.json -o json")]
pub(super) struct Args {
    /// The policies before: a file or a folder; - for stdin
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The policies after: a file or a folder; - for stdin
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    output: OutputArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    if [&args.old, &args.new].iter().all(|path| path.as_os_str() == "-") {
        return Err(Fault::new("-", "stdin can be read once").hint("name a file for one of the two").into());
    }
    let (old, new) = (args.reading.policies(&[args.old])?, args.reading.policies(&[args.new])?);
    let directory = args.who.directory(global).await?;
    let cluster = directory.cluster();
    let roster = Roster::new(cluster);
    if roster.workloads().next().is_none() {
        let fault = Fault::new("inventory", "holds no workloads to compare the policies over");
        return Err(fault.hint("name one with --inventory, such as `kubectl get ... -A -o json` prints it").into());
    }
    let options = args.reading.options();
    for set in [&old, &new] {
        policies::tell_unlisted_namespaces(cluster, set);
    }
    let [before, after] = [&old, &new].map(|set| Evaluator::of_cluster(set, cluster, options));
    let outside = Outside::new(&[&before, &after], cluster, &directory.pod_ranges());
    let census = Census::new(&roster, &outside);
    let changes = diff(&census, &before, &after);
    let mut idle = [&before, &after].map(|set| census.judged(set).idle().to_vec()).concat();
    idle.sort();
    idle.dedup();
    policies::tell_idle(&idle);
    let output = args.output.output;
    match output {
        Output::Json => print::json(&changes.iter().map(json).collect::<Vec<_>>())?,
        Output::Csv => print::table(output, &rows(&changes), "")?,
        Output::Table | Output::Wide => {
            print::table(output, &together(&changes, output == Output::Wide), "no connection changes")?;
            if !changes.is_empty() {
                print::text(format!("read so: {options}\n").as_bytes())?;
            }
        }
    }
    Ok(if changes.is_empty() { Done::Clean } else { Done::Found })
}

fn json(change: &Change) -> Value {
    let ports = |set: &PortSet| set.names();
    let Change { from, to, ports: all } = change;
    json!({
        "change": all.change(), "from": &**from, "to": &**to,
        "before": ports(&all.before), "after": ports(&all.after),
        "opened": ports(&all.opened), "closed": ports(&all.closed), "some_pods_alone": all.is_partial,
    })
}

const HEADER: [&str; 5] = ["change", "from", "to", "opened", "closed"];

fn rows(changes: &[Change]) -> Table {
    let mut table = Table::new(&HEADER);
    for change in changes {
        let Change { from, to, ports } = change;
        let (opened, closed) = (ports.opened.to_string(), ports.closed.to_string());
        table.row(vec![ports.change().into(), from.to_string(), to.to_string(), opened, closed]);
    }
    table
}

/// Changes that differ in the client alone in one row, then such as differ in the server alone.
fn together(changes: &[Change], is_wide: bool) -> Table {
    let mut by_server: BTreeMap<(&str, &str, String, String), BTreeSet<&str>> = BTreeMap::new();
    for change in changes {
        let Change { to, ports, .. } = change;
        let key = (ports.change(), &**to, words(&ports.opened, is_wide), words(&ports.closed, is_wide));
        by_server.entry(key).or_default().insert(&change.from);
    }
    let mut by_clients: BTreeMap<(&str, BTreeSet<&str>, String, String), BTreeSet<&str>> = BTreeMap::new();
    for ((kind, to, opened, closed), from) in by_server {
        by_clients.entry((kind, from, opened, closed)).or_default().insert(to);
    }
    let mut table = Table::new(&HEADER);
    for ((kind, from, opened, closed), to) in by_clients {
        table.row(vec![kind.into(), names(&from, is_wide), names(&to, is_wide), opened, closed]);
    }
    table
}

/// Letters of names, and of ports, in a cell of a table that is not wide: five cells fit a page.
const NAMES: usize = 28;
const PORTS: usize = 22;

fn names(all: &BTreeSet<&str>, is_wide: bool) -> String {
    let all: Vec<&str> = all.iter().copied().collect();
    if is_wide { all.join(", ") } else { first(&all, NAMES) }
}

/// Ports; all but some, where that is shorter.
fn words(ports: &PortSet, is_wide: bool) -> String {
    if ports.is_empty() {
        return "-".to_owned();
    }
    if is_wide {
        return ports.to_string();
    }
    let (own, others) = (ports.names(), PortSet::everything().without(ports).names());
    let (before, names) = if others.len() < own.len() && !others.is_empty() { ("all but ", others) } else { ("", own) };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!("{before}{}", first(&names, PORTS - before.len()))
}

/// As many words of a list as fit so many letters, at least one, and how many there are besides. Of workloads the one is
/// whole; of what is described, as ranges are by all that they leave out, it is the beginning.
fn first(all: &[&str], letters: usize) -> String {
    let more = |shown: usize| {
        if shown < all.len() { format!(" +{} more", all.len() - shown) } else { String::new() }
    };
    let text = |shown: usize| format!("{}{}", all[..shown].join(", "), more(shown));
    let is_short = |text: &String| text.chars().count() <= letters;
    if let Some(fits) = (1..=all.len()).rev().map(text).find(is_short) {
        return fits;
    }
    let (Some(one), more) = (all.first(), more(1)) else { return String::new() };
    let end = one.char_indices().nth(letters.saturating_sub(more.len() + 1)).filter(|_| one.contains(' '));
    end.map_or_else(|| format!("{one}{more}"), |(end, _)| format!("{}…{more}", &one[..end]))
}
