//! `flowmap segments`: VLANs, subnets, gateways, and the connections that cross them.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::{Value, json};

use super::{
    Done,
    common::{Global, Output, OutputArg, Selection},
    fault::{one_line, printable},
    print::{self, Table, hanging, joined},
    world,
};
use crate::{
    inventory::{Directory, Owner},
    map::By,
    model::{Mac, Service, Span, Timestamp, words::count},
    proposal::Site,
    segment::{
        Crossing, Crossings, Finding, Gateway, Layout, Point, Resident, Segment, Stack, Subnet, crossings, findings,
    },
};

/// Show VLANs, subnets and gateways, and the connections that cross them.
///
/// All is told as the captures show it, with who lives where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap segments
  flowmap segments --from trunk.pcapng
  flowmap segments -o wide                 # with the hosts of each segment
  flowmap segments --from trunk.pcapng --inventory hosts.csv -o json")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

/// A site with what its links tell.
struct View {
    site: String,
    layout: Layout,
    crossings: Crossings,
    findings: Vec<Finding>,
    /// How residents are called that the inventory knows.
    names: BTreeMap<std::net::IpAddr, String>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let world = world::open_with_links(global, &args.selection).await?;
    let views: Vec<View> = world.sites.iter().map(View::of).filter(|view| !view.layout.points.is_empty()).collect();
    let output = args.output.output;
    match output {
        Output::Json => print::json(&views.iter().map(View::json).collect::<Vec<_>>())?,
        Output::Csv => print::table(output, &hosts(&views, true), "")?,
        Output::Table | Output::Wide if views.is_empty() => {
            warnln!("{}", printable(&world::why_none("segments", &world, &args.selection, &[])));
        }
        Output::Table | Output::Wide => print::text(text(&views, output == Output::Wide).as_bytes())?,
    }
    Ok(Done::Clean)
}

impl View {
    fn of(site: &Site) -> Self {
        let layout = Layout::of(site.links.iter().cloned());
        let crossings = crossings(&layout, &site.dependencies(By::Address));
        let findings = findings(&layout, &site.cluster().hosts);
        let end = site.links.iter().map(|(_, sighting)| sighting.span.last).max().unwrap_or_default();
        let residents = layout.segments.iter().flat_map(|segment| &segment.residents);
        let names = residents.filter_map(|it| Some((it.address, name(&site.directory, it, end)?))).collect();
        Self { site: site.name.clone(), layout, crossings, findings, names }
    }

    fn name(&self, resident: &Resident) -> String {
        self.names.get(&resident.address).cloned().unwrap_or_default()
    }

    fn json(&self) -> Value {
        json!({
            "site": self.site,
            "points": self.layout.points.iter().map(point_json).collect::<Vec<_>>(),
            "segments": self.layout.segments.iter().map(|it| self.segment_json(it)).collect::<Vec<_>>(),
            "crossings": self.crossings.across.iter().map(crossing_json).collect::<Vec<_>>(),
            "within": self.crossings.within,
            "unknown": self.crossings.unknown,
            "findings": self.findings.iter()
                .map(|it| json!({"kind": it.kind, "place": it.place, "what": it.what})).collect::<Vec<_>>(),
        })
    }

    fn segment_json(&self, segment: &Segment) -> Value {
        let Segment { vlan, subnets, gateways, residents, points } = segment;
        let by = |subnet: &crate::segment::Subnet| subnet.by.iter().map(|it| it.as_str()).collect::<Vec<_>>();
        let resident = |it: &Resident| {
            let how: Vec<&str> = it.hows.iter().map(|how| how.as_str()).collect();
            json!({"address": it.address, "macs": it.macs.keys().collect::<Vec<_>>(), "name": self.names.get(&it.address), "how": how})
        };
        json!({
            "name": segment.name(), "vlan": vlan,
            "subnets": subnets.iter().map(|it| json!({"prefix": it.prefix, "by": by(it)})).collect::<Vec<_>>(),
            "gateways": gateways.iter().map(|it| json!({
                "mac": it.mac, "addresses": it.addresses, "speaks_for": it.speaks_for, "more": it.has_more,
                "reasons": it.reasons,
            })).collect::<Vec<_>>(),
            "hosts": residents.iter().map(resident).collect::<Vec<_>>(),
            "points": points.iter().filter_map(|n| self.layout.points.get(*n)).map(|it| it.place.to_string())
                .collect::<Vec<_>>(),
        })
    }
}

/// How the inventory calls a resident at the end of what was captured.
fn name(directory: &Directory, resident: &Resident, end: Timestamp) -> Option<String> {
    let service = |service: &Service| format!("{}/{}", service.namespace, service.name);
    match directory.who_over(resident.address, Span::at(end)) {
        Owner::Pod(pod) => Some(format!("{}/{}", pod.namespace, pod.name)),
        Owner::Service(owner) => Some(service(owner)),
        Owner::Node(node) => Some(node.name.clone()),
        Owner::Host(host) if host.name.is_some() => host.name.clone(),
        _ => directory.exposed_at(resident.address, Span::at(end)).map(service),
    }
}

fn point_json(point: &Point) -> Value {
    let Point { place, kind, reason, stacks, left_out } = point;
    let stack = |it: &Stack| json!({"vlans": it.vlans, "frames": it.frames, "notes": it.notes});
    json!({
        "sensor": place.sensor, "source": place.source, "interface": place.interface, "kind": kind.as_str(),
        "reason": reason, "stacks": stacks.iter().map(stack).collect::<Vec<_>>(), "left_out": left_out,
    })
}

fn crossing_json(crossing: &Crossing) -> Value {
    let Crossing { from, to, pairs, connections, attempts, ports } = crossing;
    json!({
        "from": from, "to": to, "pairs": pairs, "connections": connections, "attempts": attempts, "ports": ports,
    })
}

fn text(views: &[View], is_wide: bool) -> String {
    let mut text = String::new();
    for view in views {
        if views.len() > 1 {
            text.extend(["SITE ", &view.site, "\n\n"]);
        }
        let mut sections = vec![points(view, is_wide), segments(view)];
        if is_wide {
            sections.push(hosts(std::slice::from_ref(view), false).text());
        }
        sections.extend([across(view), found(view)]);
        sections.retain(|section| !section.is_empty());
        text.push_str(&sections.join("\n"));
    }
    text
}

/// What fits into a cell: the first few, and how many more.
fn few<T: ToString>(items: impl IntoIterator<Item = T>, most: usize) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.len().checked_sub(most).filter(|more| *more > 0) {
        Some(more) => format!("{} +{more}", joined(items.into_iter().take(most))),
        None => joined(items),
    }
}

fn points(view: &View, is_wide: bool) -> String {
    let header: &[&str] = &["point", "kind", "vlans", "why"];
    let mut table = Table::new(&header[..if is_wide { 4 } else { 3 }]);
    for Point { place, kind, reason, stacks, .. } in &view.layout.points {
        let vlans = stacks.iter().map(|stack| match stack.vlans {
            None => "?".to_owned(),
            Some(vlans) if vlans.is_empty() => "none".to_owned(),
            Some(vlans) => vlans.to_string(),
        });
        let mut row = vec![place.to_string(), kind.as_str().into(), few(vlans, 8), reason.clone()];
        row.truncate(if is_wide { 4 } else { 3 });
        table.row(row);
    }
    table.text()
}

/// The gateways of a segment with an address in one of its subnets, or with none in any of them; those with one address together.
fn gateways(segment: &Segment, subnet: Option<&Subnet>) -> Vec<String> {
    let is_in = |subnet: &Subnet, address: &IpAddr| subnet.prefix.contains(address);
    let in_any = |address: &IpAddr| segment.subnets.iter().any(|subnet| is_in(subnet, address));
    let mut nameless: Vec<String> = Vec::new();
    let mut macs: BTreeMap<IpAddr, Vec<Mac>> = BTreeMap::new();
    for Gateway { mac, addresses, .. } in &segment.gateways {
        let shown = match subnet {
            Some(subnet) => addresses.iter().find(|address| is_in(subnet, address)),
            None if addresses.iter().any(in_any) => continue,
            None => addresses.first(),
        };
        match (shown, subnet) {
            (Some(address), _) => macs.entry(*address).or_default().push(*mac),
            (None, Some(_)) => {}
            (None, None) => nameless.push(mac.to_string()),
        }
    }
    let at = |(address, macs): (IpAddr, Vec<Mac>)| format!("{address} ({})", few(macs, 1));
    macs.into_iter().map(at).chain(nameless).collect()
}

fn segments(view: &View) -> String {
    /// Gateways that fit into a cell.
    const MOST: usize = 2;
    let mut table = Table::new(&["vlan", "subnet", "by", "gateway", "hosts"]).numeric(&[4]);
    for segment in &view.layout.segments {
        let vlan = segment.vlan.map_or_else(|| "?".into(), |vlan| vlan.to_string());
        let hosts = segment.residents.len().to_string();
        let Some((first, others)) = segment.subnets.split_first() else {
            table.row(vec![vlan, "unknown".into(), String::new(), few(gateways(segment, None), MOST), hosts]);
            continue;
        };
        let by = |subnet: &Subnet| joined(subnet.by.iter().map(|by| by.as_str()));
        let of_none = gateways(segment, None);
        let of_first = gateways(segment, Some(first)).into_iter().chain(of_none);
        table.row(vec![vlan, first.prefix.to_string(), by(first), few(of_first, MOST), hosts]);
        for subnet in others {
            let gateways = few(gateways(segment, Some(subnet)), MOST);
            table.row(vec![String::new(), subnet.prefix.to_string(), by(subnet), gateways, String::new()]);
        }
    }
    if view.layout.segments.is_empty() { String::new() } else { table.text() }
}

fn hosts(views: &[View], with_site: bool) -> Table {
    let header: &[&str] = &["site", "segment", "address", "name", "mac", "known by"];
    let mut table = Table::new(if with_site { header } else { &header[1..] });
    for view in views {
        for segment in &view.layout.segments {
            for resident in &segment.residents {
                let how = joined(resident.hows.iter().map(|how| how.as_str()));
                let mut row =
                    vec![view.site.clone(), segment.name(), resident.address.to_string(), view.name(resident)];
                row.extend([joined(resident.macs.keys()), how]);
                table.row(if with_site { row } else { row.split_off(1) });
            }
        }
    }
    table
}

fn across(view: &View) -> String {
    let mut table = Table::new(&["from", "to", "conns", "attempts", "pairs", "ports"]).numeric(&[2, 3, 4]);
    for Crossing { from, to, pairs, connections, attempts, ports } in &view.crossings.across {
        let counts = [connections.to_string(), attempts.to_string(), pairs.to_string()];
        table.row([from.clone(), to.clone()].into_iter().chain(counts).chain([few(ports, 4)]).collect());
    }
    let within: u64 = view.crossings.within.values().sum();
    let unknown = view.crossings.unknown;
    let rest = format!(
        "within a segment: {}; an end has none that is known: {}\n",
        count(within, "connection"),
        count(unknown, "connection")
    );
    if view.crossings.across.is_empty() { rest } else { table.text() + &rest }
}

/// A sentence each: the addresses of a network may be many.
fn found(view: &View) -> String {
    let told =
        |Finding { kind, place, what }: &Finding| hanging(&one_line(&format!("{kind} {place}: {what}")), "", "    ");
    view.findings.iter().map(told).collect()
}
