//! `flowmap inventory`: who is who.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    Done, Fault,
    common::{Global, Namespaces, Output, OutputArg, SiteArg},
    fault::printable,
    names,
    print::{self, Table},
    world::file_name,
};
use crate::{
    inventory::{self, Reading},
    model::{Cluster, Pod},
    store::{Snapshot, Store},
};

/// Read or list who is who.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read kubectl output, manifests or a hosts file into the store
    #[command(after_help = "Examples:
  kubectl get nodes,namespaces,pods,services,endpoints,deployments,statefulsets,daemonsets,networkpolicies \\
      -A -o json | flowmap inventory import -
  flowmap inventory import cluster.json
  flowmap inventory import --site lab hosts.csv")]
    Import {
        /// JSON or YAML of Kubernetes objects, or a hosts file; - for stdin
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        site: SiteArg,
        /// Refuse a file in which anything cannot be used
        #[arg(long)]
        strict: bool,
    },
    /// List who is known, with addresses and since when
    List {
        #[command(flatten)]
        namespaces: Namespaces,
        /// Only this site
        #[arg(long, value_name = "NAME")]
        site: Option<String>,
        #[command(flatten)]
        output: OutputArg,
    },
    /// List what captures call addresses: DNS answers, TLS server names, HTTP hosts, DHCP, multicast DNS
    Names(names::Args),
}

/// Problems of one file that are printed one by one; the others are counted.
const MAX_PRINTED: usize = 10;

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    match args.command {
        Command::Import { files, site, strict } => {
            let store = global.store().await?;
            let result = import(&store, &files, &site.site, strict).await;
            store.close().await;
            result
        }
        Command::List { namespaces, site, output } => {
            let store = global.store().await?;
            let result = list(&store, &namespaces, site.as_deref(), output.output).await;
            store.close().await;
            result
        }
        Command::Names(args) => names::run(global, args).await,
    }
}

async fn import(store: &Store, files: &[PathBuf], site: &str, strict: bool) -> anyhow::Result<Done> {
    for file in files {
        let reading = read_file(file)?;
        if let Some(problem) = reading.problems.first().filter(|_| strict) {
            let what = format!("{}: {}", file.display(), problem.object);
            return Err(Fault::new(what, &problem.reason).hint("without --strict what can be used is used").into());
        }
        let is_new = store.add_snapshot(&snapshot(&reading, file, site)).await?;
        report(file, &reading, is_new);
    }
    Ok(Done::Clean)
}

/// Reads a file into a store, without a word.
pub(super) async fn add(store: &Store, file: &Path, site: &str) -> anyhow::Result<()> {
    let reading = read_file(file)?;
    store.add_snapshot(&snapshot(&reading, file, site)).await?;
    Ok(())
}

/// Reads an inventory file.
pub(super) fn read_file(path: &Path) -> anyhow::Result<Reading> {
    let name = path.display().to_string();
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::new(&name, "no such file"),
        std::io::ErrorKind::IsADirectory => Fault::new(&name, "is a directory").hint("name the files in it"),
        std::io::ErrorKind::PermissionDenied => Fault::new(&name, "permission denied"),
        _ => Fault::new(&name, error),
    })?;
    let is_capture = matches!(
        bytes.get(..4),
        Some([0xd4 | 0x4d, 0xc3 | 0x3c, 0xb2, 0xa1] | [0x0a, 0x0d, 0x0d, 0x0a] | [0xa1, 0xb2, ..])
    );
    inventory::read(&file_name(path), &bytes).map_err(|error| {
        let hint = if is_capture {
            "this is a capture: use `flowmap import`"
        } else {
            "expected is the output of `kubectl get ... -A -o json` or `-o yaml`, manifests, or a hosts file"
        };
        Fault::new(name, error).hint(hint).into()
    })
}

fn snapshot(reading: &Reading, file: &Path, site: &str) -> Snapshot {
    Snapshot {
        site: site.to_owned(),
        source: file_name(file),
        taken_at: reading.taken_at,
        problems: reading.problems.iter().map(|problem| format!("{}: {}", problem.object, problem.reason)).collect(),
        objects: reading.objects.iter().map(Value::to_string).collect(),
    }
}

fn report(file: &Path, reading: &Reading, is_new: bool) {
    let name = file.display();
    let Cluster { pods, services, nodes, namespaces, hosts, .. } = &reading.cluster;
    let counts = [
        (namespaces.len(), "namespaces"),
        (nodes.len(), "nodes"),
        (pods.len(), "pods"),
        (services.len(), "services"),
        (hosts.len(), "hosts"),
    ];
    let found: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let known = if is_new { "" } else { " (already in the store)" };
    eprintln!("{name}: {}{known}", if found.is_empty() { "nothing of use".into() } else { found.join(", ") });
    for problem in reading.problems.iter().take(MAX_PRINTED) {
        eprintln!("{name}: {}", printable(&format!("{}: {}", problem.object, problem.reason)));
    }
    if reading.problems.len() > MAX_PRINTED {
        eprintln!("{name}: and {} more like these", reading.problems.len() - MAX_PRINTED);
    }
    if !reading.skipped.is_empty() {
        let kinds = reading.skipped.iter().map(|(kind, count)| format!("{count} {kind}"));
        eprintln!("{name}: not used: {}", printable(&kinds.collect::<Vec<_>>().join(", ")));
    }
}

/// The clusters that the store knows, by site.
pub(super) async fn clusters(store: &Store, site: Option<&str>) -> anyhow::Result<BTreeMap<String, Cluster>> {
    let mut by_source: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for object in store.objects(site).await? {
        by_source.entry((object.site, object.source)).or_default().push(object.body);
    }
    let mut clusters: BTreeMap<String, Vec<Cluster>> = BTreeMap::new();
    for ((site, source), bodies) in by_source {
        let list = format!("[{}]", bodies.join(","));
        let reading = inventory::read(&source, list.as_bytes())
            .map_err(|error| Fault::new("store", format!("the inventory of site {site} cannot be read: {error}")))?;
        clusters.entry(site).or_default().push(reading.cluster);
    }
    Ok(clusters.into_iter().map(|(site, parts)| (site, merged(parts))).collect())
}

/// Several listings as one.
pub(super) fn merged(parts: impl IntoIterator<Item = Cluster>) -> Cluster {
    inventory::merge(parts)
}

async fn list(store: &Store, namespaces: &Namespaces, site: Option<&str>, output: Output) -> anyhow::Result<Done> {
    let mut table = Table::new(&["site", "kind", "name", "addresses", "node", "since"]);
    let mut values = Vec::new();
    for (site, cluster) in clusters(store, site).await? {
        let wanted: BTreeSet<&String> = namespaces.namespace.iter().collect();
        let is_wanted = |pod: &&Pod| wanted.is_empty() || wanted.contains(&pod.namespace);
        let mut entry = |kind: &str, name: String, addresses: String, node: &str, since: String| {
            values.push(
                json!({"site": site, "kind": kind, "name": name, "addresses": addresses, "node": node, "since": since}),
            );
            table.row(vec![site.clone(), kind.into(), name, addresses, node.into(), since]);
        };
        for pod in cluster.pods.iter().filter(is_wanted) {
            let name = format!("{}/{}", pod.namespace, pod.name);
            let since = pod.started.map(|time| time.to_string()).unwrap_or_default();
            entry("pod", name, print::joined(&pod.addresses), pod.node.as_deref().unwrap_or_default(), since);
        }
        if wanted.is_empty() {
            for service in &cluster.services {
                let name = format!("{}/{}", service.namespace, service.name);
                entry("service", name, print::joined(&service.cluster_ips), "", String::new());
            }
            for node in &cluster.nodes {
                entry("node", node.name.clone(), print::joined(&node.addresses), "", String::new());
            }
            for host in &cluster.hosts {
                let name = host.name.clone().unwrap_or_else(|| host.range.addr().to_string());
                entry("host", name, host.range.to_string(), "", String::new());
            }
        }
    }
    let empty = "nobody is known yet; `flowmap inventory import FILE` reads who is who";
    print::list(output, &values, &table, empty)?;
    Ok(Done::Clean)
}
