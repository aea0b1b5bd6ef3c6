//! `flowmap flows`: the dependencies.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{
    Done,
    common::{Global, Namespaces, Output, OutputArg, Selection},
    parts::parts_of,
    print::{self, Table},
    world,
};
use crate::{
    application::Spoken,
    map::By,
    model::{Dependency, Mark, Namesakes, Outcome, Party, PartyKey, Timestamp},
    proposal::Site,
    render::minute,
};

/// List the dependencies: who connects to whom, on which port, and how often.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap flows
  flowmap flows --by address -o csv
  flowmap flows -n production --since 24h -o wide
  flowmap flows --from node-1.pcap node-2.pcap --inventory cluster.json")]
pub(super) struct Args {
    /// What counts as one client or server
    #[arg(long, value_enum, default_value = "workload", value_name = "WHAT")]
    by: ByArg,
    #[command(flatten)]
    namespaces: Namespaces,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ByArg {
    /// A workload, host or node, where it is known
    Workload,
    /// An address
    Address,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let world = world::open_with_applications(global, &args.selection).await?;
    let by = match args.by {
        ByArg::Workload => By::Workload,
        ByArg::Address => By::Address,
    };
    let rows: Vec<Row> = world.sites.iter().flat_map(|site| rows(site, by, &args.namespaces)).collect();
    let has_sites = world.sites.len() > 1;
    let output = args.output.output;
    let table = |rows: &[Row]| match output {
        Output::Table => narrow(rows, has_sites),
        Output::Wide => wide(rows, has_sites),
        Output::Json | Output::Csv => whole(rows),
    };
    let why_none = || world::why_none("flows", &world, &args.selection, &args.namespaces.namespace);
    print::list(output, &rows, value, table, why_none)?;
    Ok(Done::Clean)
}

/// A dependency with what is spoken over it.
struct Row {
    dependency: Dependency,
    spoken: Spoken,
}

fn rows(site: &Site, by: By, namespaces: &Namespaces) -> Vec<Row> {
    let row = |dependency| Row { spoken: site.spoken(&dependency, by), dependency };
    let all = site.dependencies(by);
    if by == By::Address && !namespaces.namespace.is_empty() {
        let by_workload = site.dependencies(By::Workload);
        let named: Vec<&Dependency> = by_workload.iter().filter(|it| namespaces.concern(it)).collect();
        return parts_of(&named, &all).into_iter().cloned().map(row).collect();
    }
    all.into_iter().filter(|it| namespaces.concern(it)).map(row).collect()
}

/// As the contract lists them: one object a dependency.
fn value(Row { dependency, spoken }: &Row) -> Value {
    let Dependency { client, server, protocol, port, via, outcome, direction, connections, span, .. } = dependency;
    json!({
        "site": dependency.site,
        "client": client,
        "server": server,
        "protocol": protocol,
        "port": port,
        "via": via,
        "outcome": outcome,
        "direction": direction,
        "connections": connections,
        "packets": dependency.packets,
        "bytes_to_server": dependency.bytes_to_server,
        "bytes_to_client": dependency.bytes_to_client,
        "first_seen": span.first.named(),
        "last_seen": span.last.named(),
        "hours": dependency.history.len(),
        "vlans": dependency.vlans,
        "tunnels": dependency.tunnels,
        "application": spoken.names(),
        "encrypted": spoken.encrypted,
        "marks": dependency.marks,
    })
}

/// One row a dependency, but one for all that a source swept at one target.
fn narrow(rows: &[Row], has_sites: bool) -> Table {
    let dependencies = || rows.iter().map(|row| &row.dependency);
    let columns = ["site", "client", "server", "port", "outcome", "conns", "marks"];
    let skip = usize::from(!has_sites);
    let namesakes = namesakes(rows);
    let mut table = Table::new(columns.get(skip..).unwrap_or_default()).numeric(&[5 - skip]);
    let mut row = |first: &Dependency, port: String, outcome: &str, connections: u64| {
        let row = vec![
            first.site.clone(),
            namesakes.called(&(&first.client).into()),
            namesakes.called(&(&first.server).into()),
            port,
            outcome.to_owned(),
            connections.to_string(),
            marks(first),
        ];
        table.row(row.into_iter().skip(skip).collect());
    };
    let is_scan = |dependency: &&Dependency| dependency.marks.contains(&Mark::Scan);
    let mut sweeps: BTreeMap<(&str, PartyKey, PartyKey), Vec<&Dependency>> = BTreeMap::new();
    for dependency in dependencies().filter(is_scan) {
        let ends = (dependency.site.as_str(), (&dependency.client).into(), (&dependency.server).into());
        sweeps.entry(ends).or_default().push(dependency);
    }
    for dependency in dependencies().filter(|dependency| !is_scan(dependency)) {
        row(dependency, port(dependency), dependency.outcome.as_str(), dependency.connections);
    }
    for sweep in sweeps.values() {
        let [first, ..] = sweep[..] else { continue };
        let ports: BTreeSet<_> = sweep.iter().map(|it| (it.protocol, it.port)).collect();
        let open = sweep.iter().filter(|it| it.outcome == Outcome::Established).count();
        let name = if ports.len() == 1 { port(first) } else { format!("{} ports", ports.len()) };
        let connections = sweep.iter().map(|dependency| dependency.connections).sum();
        row(first, name, &format!("{open} open"), connections);
    }
    table
}

/// Names that mean several among these.
fn namesakes(rows: &[Row]) -> Namesakes {
    Namesakes::among(rows.iter().flat_map(|Row { dependency, .. }| [&dependency.client, &dependency.server]))
}

/// A party, and where that is but an address, the best name that captures know for it.
fn called(party: &Party, namesakes: &Namesakes) -> String {
    let name = namesakes.called(&party.into());
    match party.names.first().filter(|_| party.name.parse::<IpAddr>().is_ok()) {
        Some(best) => format!("{name} ({})", best.name),
        None => name,
    }
}

/// Who was dialled in the server's place.
fn dialled(dependency: &Dependency) -> String {
    // a Service has several addresses, and one name
    let names: BTreeSet<String> = dependency
        .via
        .iter()
        .map(|via| match &via.service {
            Some(service) => format!("{service}:{}", via.port),
            None => format!("{}:{}", via.address, via.port),
        })
        .collect();
    print::joined(names)
}

fn marks(dependency: &Dependency) -> String {
    print::joined(dependency.marks.iter().map(|mark| mark.as_str()))
}

/// For people: times to the minute, and no column in which nothing stands.
fn wide(rows: &[Row], has_sites: bool) -> Table {
    let columns = [
        "site",
        "client",
        "server",
        "port",
        "via",
        "outcome",
        "by",
        "application",
        "conns",
        "packets",
        "to server",
        "to client",
        "first seen",
        "last seen",
        "vlans",
        "marks",
    ];
    let mut table = Table::new(&columns).numeric(&[8, 9, 10, 11]);
    let namesakes = namesakes(rows);
    for Row { dependency, spoken } in rows {
        table.row(vec![
            if has_sites { dependency.site.clone() } else { String::new() },
            called(&dependency.client, &namesakes),
            called(&dependency.server, &namesakes),
            port(dependency),
            dialled(dependency),
            dependency.outcome.as_str().into(),
            dependency.direction.as_str().into(),
            said(spoken),
            dependency.connections.to_string(),
            counted(dependency.packets > 0, dependency.packets),
            counted(has_bytes(dependency), dependency.bytes_to_server),
            counted(has_bytes(dependency), dependency.bytes_to_client),
            dependency.span.first.named().map(minute).unwrap_or_default(),
            dependency.span.last.named().map(minute).unwrap_or_default(),
            print::joined(&dependency.vlans),
            marks(dependency),
        ]);
    }
    table.without_empty_columns()
}

/// What is spoken, and where it is known, whether others can read it.
fn said(spoken: &Spoken) -> String {
    let names = spoken.names().unwrap_or_default();
    match spoken.encrypted {
        Some(true) => names + " encrypted",
        Some(false) => names + " clear",
        None => names,
    }
}

/// A count for people; a flow log may tell none.
fn counted(is_told: bool, count: u64) -> String {
    if is_told { count.to_string() } else { "-".to_owned() }
}

fn has_bytes(dependency: &Dependency) -> bool {
    dependency.bytes_to_server > 0 || dependency.bytes_to_client > 0
}

/// A time; nothing where a flow log named none.
fn time(time: Timestamp) -> String {
    time.named().map(|time| time.to_string()).unwrap_or_default()
}

/// For machines: everything, always in the same columns.
fn whole(rows: &[Row]) -> Table {
    let columns = [
        "site",
        "client_kind",
        "client",
        "server_kind",
        "server",
        "protocol",
        "port",
        "via",
        "outcome",
        "direction",
        "connections",
        "packets",
        "bytes_to_server",
        "bytes_to_client",
        "first_seen",
        "last_seen",
        "vlans",
        "marks",
        "application",
        "encrypted",
        "hours",
        "client_owner",
        "server_owner",
    ];
    let mut table = Table::new(&columns).numeric(&[6, 10, 11, 12, 13, 20]);
    for Row { dependency, spoken } in rows {
        table.row(vec![
            dependency.site.clone(),
            dependency.client.kind.as_str().into(),
            dependency.client.name.clone(),
            dependency.server.kind.as_str().into(),
            dependency.server.name.clone(),
            dependency.protocol.to_string(),
            dependency.port.to_string(),
            dialled(dependency),
            dependency.outcome.as_str().into(),
            dependency.direction.as_str().into(),
            dependency.connections.to_string(),
            dependency.packets.to_string(),
            dependency.bytes_to_server.to_string(),
            dependency.bytes_to_client.to_string(),
            time(dependency.span.first),
            time(dependency.span.last),
            print::joined(&dependency.vlans),
            marks(dependency),
            spoken.names().unwrap_or_default(),
            spoken.encrypted.map(|is| is.to_string()).unwrap_or_default(),
            dependency.history.len().to_string(),
            owner(&dependency.client).into(),
            owner(&dependency.server).into(),
        ]);
    }
    table
}

/// The kind of what controls a workload's pods: workloads of one name differ in it.
fn owner(party: &Party) -> &str {
    party.owner.as_deref().unwrap_or_default()
}

fn port(dependency: &Dependency) -> String {
    match dependency.port {
        0 => dependency.protocol.to_string(),
        port => format!("{port}/{}", dependency.protocol),
    }
}
