//! `flowmap inventory list`: who is known, with addresses and times.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Done,
    common::{Namespaces, Output, OutputArg, moment},
    fault::printable,
    print::{self, Table},
};
use crate::{
    inventory::{Directory, Holding, Owner, network_plugin},
    model::{Cluster, Cover, Coverage, Host, Pod, PodLife, Timestamp},
    proposal::{Window, World, directories},
    store::Store,
};

/// List who is known, with addresses and since when.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap inventory list
  flowmap inventory list -n production -o wide   # were they watched?
  flowmap inventory list --at 24h                # who it was a day ago")]
pub(super) struct Args {
    #[command(flatten)]
    namespaces: Namespaces,
    /// Only this site
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// List who was there at this time, not now: RFC 3339, or an age such as 24h
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
    #[command(flatten)]
    output: OutputArg,
}

/// One line of the list.
#[derive(Default)]
struct Entry {
    kind: &'static str,
    name: String,
    addresses: String,
    node: String,
    since: String,
    until: String,
    workload: String,
    /// What a hosts file says of it.
    role: String,
    vlan: String,
    /// Which pod it is, where it is one.
    life: Option<PodLife>,
}

/// Somebody at a site, with how much of them the captures could have seen.
struct Line<'a> {
    site: &'a str,
    entry: Entry,
    cover: Option<&'a Cover>,
}

/// So many columns of the wide table stand in the narrow one.
const NARROW: usize = 6;
/// Where the name stands.
const NAME: usize = 2;

/// The kind of what a network plugin does.
const PLUGIN: &str = "network-plugin";

const WIDE_COLUMNS: [&str; 12] = [
    "site",
    "kind",
    "name",
    "addresses",
    "node",
    "since",
    "until",
    "workload",
    "role",
    "vlan",
    "watched",
    "watched_share",
];

pub(super) async fn run(store: &Store, args: &Args) -> anyhow::Result<Done> {
    let sites = sites(store, args).await?;
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (site, directory, coverage) in &sites {
        for conflict in directory.conflicts() {
            warnln!("flowmap: {}", printable(&format!("site {site}: {conflict}: whose it was then is unknown")));
        }
        let entries = entries(directory, args).into_iter();
        lines.extend(entries.map(|entry| Line { site, cover: cover(&entry, coverage), entry }));
    }
    let output = args.output.output;
    let table = if output == Output::Table { narrow } else { wide };
    let why = if lines.is_empty() { why_none(store, args).await? } else { String::new() };
    print::list(output, &lines, value, table, || why)?;
    Ok(Done::Clean)
}

/// Why nobody is listed, in a line.
async fn why_none(store: &Store, args: &Args) -> anyhow::Result<String> {
    let known: Vec<String> = directories(store, None).await?.into_keys().collect();
    let Namespaces { namespace, .. } = &args.namespaces;
    Ok(match (&args.site, args.at) {
        _ if known.is_empty() => "nobody is known yet; `flowmap inventory import FILE` reads who is who".to_owned(),
        (Some(site), _) if !known.contains(site) => {
            format!("nobody: nothing is known of the site {site}; known are {}", known.join(", "))
        }
        (_, Some(at)) => format!("nobody who was selected is known to have been there at {at}"),
        _ if !namespace.is_empty() => format!("nobody is known of {}", namespace.join(", ")),
        _ => "nobody is known now; --at tells who was at another time".to_owned(),
    })
}

/// For people: the first columns of the wide table, without the site where there is one alone. What a network plugin does is left
/// to `status`.
fn narrow(lines: &[Line<'_>]) -> Table {
    let sites: BTreeSet<&str> = lines.iter().map(|line| line.site).collect();
    let mut table = Table::new(WIDE_COLUMNS.get(..NARROW).unwrap_or(&WIDE_COLUMNS));
    for line in lines {
        let mut cells = line.cells();
        if let Some(site) = cells.first_mut().filter(|_| sites.len() == 1) {
            site.clear();
        }
        if let Some(name) = cells.get_mut(NAME).filter(|_| line.entry.kind == PLUGIN) {
            name.truncate(name.find(':').unwrap_or(name.len()));
        }
        table.row(cells.into_iter().take(NARROW).collect());
    }
    table.without_empty_columns()
}

fn wide(lines: &[Line<'_>]) -> Table {
    let mut table = Table::new(&WIDE_COLUMNS);
    for line in lines {
        table.row(line.cells());
    }
    table
}

impl Line<'_> {
    /// What stands under the columns of the wide table.
    fn cells(&self) -> Vec<String> {
        let Entry { kind, name, addresses, node, since, until, workload, role, vlan, .. } = &self.entry;
        let texts = [self.site, kind, name, addresses, node, since, until, workload, role, vlan];
        let watched = self.cover.map_or("", |cover| cover.state.as_str()).to_owned();
        let share = self.cover.map(|cover| cover.share.to_string()).unwrap_or_default();
        texts.into_iter().map(str::to_owned).chain([watched, share]).collect()
    }
}

/// Who is known at every site, with what the captures could have seen where that is printed: for it all of the captures
/// is read.
async fn sites(store: &Store, args: &Args) -> anyhow::Result<Vec<(String, Directory, Coverage)>> {
    if args.output.output == Output::Table {
        let directories = directories(store, args.site.as_deref()).await?;
        return Ok(directories.into_iter().map(|(site, it)| (site, it, Coverage::default())).collect());
    }
    let window = Window { site: args.site.clone(), ..Window::default() };
    let mut sites = Vec::new();
    for site in World::read(store, &window).await?.sites {
        let coverage = site.coverage();
        sites.push((site.name, site.directory, coverage));
    }
    Ok(sites)
}

/// How much of a pod the captures could have seen.
fn cover<'c>(entry: &Entry, coverage: &'c Coverage) -> Option<&'c Cover> {
    let life = entry.life.as_ref()?;
    coverage.pods.get(life).or_else(|| {
        // lists that tell less of a pod make another life of it
        let first = PodLife { node: None, started: None, ..life.clone() };
        let lives = coverage.pods.range(first..);
        lives.take_while(|(it, _)| (&it.namespace, &it.name) == (&life.namespace, &life.name)).map(|(_, it)| it).last()
    })
}

fn value(Line { site, entry, cover }: &Line<'_>) -> Value {
    let Entry { kind, name, addresses, node, since, until, workload, role, vlan, .. } = entry;
    json!({
        "site": site, "kind": kind, "name": name, "addresses": addresses, "node": node, "since": since,
        "until": until, "workload": workload, "role": role, "vlan": vlan, "watched": cover.map(|cover| cover.state),
        "watched_share": cover.map(|cover| cover.share), "watched_by": cover.map(|cover| &cover.runs),
    })
}

fn entries(directory: &Directory, args: &Args) -> Vec<Entry> {
    let wanted: BTreeSet<&String> = args.namespaces.namespace.iter().collect();
    let is_wanted = |pod: &Pod| wanted.is_empty() || wanted.contains(&pod.namespace);
    let cluster = directory.cluster();
    let mut entries: Vec<Entry> = match args.at {
        Some(at) => directory.holdings_at(at).into_iter().filter_map(|it| held(&it, &is_wanted)).collect(),
        None => cluster.pods.iter().filter(|pod| is_wanted(pod) && is_one(pod)).map(pod).collect(),
    };
    if !wanted.is_empty() {
        entries.retain(|entry| entry.kind == "pod");
        return entries;
    }
    if args.at.is_none() {
        entries.extend(others(cluster));
    }
    entries.extend(cluster.hosts.iter().map(host));
    entries
}

fn host(host: &Host) -> Entry {
    Entry {
        kind: "host",
        name: host.name.clone().unwrap_or_else(|| host.range.addr().to_string()),
        addresses: host.range.to_string(),
        role: host.role.clone().unwrap_or_default(),
        vlan: host.vlan.map(|vlan| vlan.to_string()).unwrap_or_default(),
        ..Entry::default()
    }
}

/// Whether it is a pod, and not only what the next of its workload will be like.
fn is_one(pod: &Pod) -> bool {
    // whose containers have ended has given its address back
    !pod.finished && (!pod.addresses.is_empty() || pod.started.is_some() || pod.node.is_some())
}

fn pod(pod: &Pod) -> Entry {
    Entry {
        kind: "pod",
        name: format!("{}/{}", pod.namespace, pod.name),
        addresses: print::joined(&pod.addresses),
        node: pod.node.clone().unwrap_or_default(),
        since: time(pod.started),
        workload: format!("{} {}", pod.workload.kind, pod.workload),
        life: Some(pod.life()),
        ..Entry::default()
    }
}

fn held(holding: &Holding<'_>, is_wanted: &impl Fn(&Pod) -> bool) -> Option<Entry> {
    let entry = match holding.owner {
        Owner::Pod(of) => is_wanted(of).then(|| pod(of))?,
        Owner::Service(service) => {
            Entry { kind: "service", name: format!("{}/{}", service.namespace, service.name), ..Entry::default() }
        }
        Owner::Node(node) => Entry { kind: "node", name: node.name.clone(), ..Entry::default() },
        _ => return None,
    };
    let addresses = print::joined(&holding.addresses);
    Some(Entry { addresses, since: time(holding.since), until: time(holding.until), ..entry })
}

fn others(cluster: &Cluster) -> Vec<Entry> {
    let service = |service: &crate::model::Service| Entry {
        kind: "service",
        name: format!("{}/{}", service.namespace, service.name),
        addresses: print::joined(&service.cluster_ips),
        ..Entry::default()
    };
    let node = |node: &crate::model::Node| Entry {
        kind: "node",
        name: node.name.clone(),
        addresses: print::joined(&node.addresses),
        ..Entry::default()
    };
    let ingress = |ingress: &crate::model::Ingress| Entry {
        kind: "ingress",
        name: format!("{}/{}", ingress.namespace, ingress.name),
        workload: print::joined(ingress.backends.iter().map(|(service, port)| format!("Service {service}:{port}"))),
        ..Entry::default()
    };
    let (services, nodes) = (cluster.services.iter().map(service), cluster.nodes.iter().map(node));
    let plugin = Entry { kind: PLUGIN, name: network_plugin(cluster).to_string(), ..Entry::default() };
    let plugin = (!cluster.pods.is_empty()).then_some(plugin);
    services.chain(nodes).chain(cluster.ingresses.iter().map(ingress)).chain(plugin).collect()
}

fn time(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}
