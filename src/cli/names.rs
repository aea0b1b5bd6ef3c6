//! `flowmap inventory names`: what captures call addresses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Done,
    common::{Global, Output, OutputArg, Selection},
    fault::printable,
    import,
    print::{self, Table},
    world,
};
use crate::{
    model::{NameSighting, Timestamp},
    render::minute,
};

/// List what captures call addresses: names of DNS, TLS, HTTP, DHCP and multicast DNS.
///
/// Each with who said so and when. Names are shown beside addresses; no rule rests on one, but those of `convert --names`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap inventory names
  flowmap inventory names -o csv
  flowmap inventory names --from trunk.pcapng")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let world = world::open(global, &args.selection).await?;
    let is_in_window = |sighting: &NameSighting| {
        args.selection.since.is_none_or(|since| sighting.span.last >= since)
            && args.selection.until.is_none_or(|until| sighting.span.first <= until)
    };
    let mut sightings: Vec<(&str, NameSighting)> = Vec::new();
    for site in &world.sites {
        let of_site = site.names.sightings().into_iter().filter(is_in_window);
        sightings.extend(of_site.map(|sighting| (site.name.as_str(), sighting)));
    }
    let why_none = || {
        let Selection { site, since, until, exclude_run, .. } = &args.selection;
        match (site, since, until, &exclude_run[..]) {
            (None, None, None, []) => "no names; captures of DNS, TLS, HTTP or DHCP tell some".to_owned(),
            _ => world::why_none("names", &world, &args.selection, &[]),
        }
    };
    let output = args.output.output;
    print::list(output, &sightings, value, |all| table(all, output != Output::Table), why_none)?;
    for run in &world.runs {
        warn_text!("{}", printable(&import::names_missed(run)));
    }
    Ok(Done::Clean)
}

fn value((site, sighting): &(&str, NameSighting)) -> Value {
    let NameSighting { address, name, source, used_by, ttl_s, span, times } = sighting;
    json!({
        "site": site, "address": address, "name": name, "source": source, "used_by": used_by, "ttl_s": ttl_s,
        "first_seen": span.first, "last_seen": span.last, "times": times,
    })
}

/// Unless it may be wide: to the minute, without the site where there is one alone, and without what tells how long a name
/// holds and since when it was heard.
fn table(sightings: &[(&str, NameSighting)], is_wide: bool) -> Table {
    let sites: BTreeSet<&str> = sightings.iter().map(|(site, _)| *site).collect();
    let has_sites = is_wide || sites.len() > 1;
    let where_wide = |text: String| if is_wide { text } else { String::new() };
    let time = |time: Timestamp| if is_wide { time.to_string() } else { minute(time) };
    let columns = ["site", "address", "name", "source", "used by", "ttl", "first", "last", "times"];
    let mut table = Table::new(&columns).numeric(&[5, 8]);
    for (site, NameSighting { address, name, source, used_by, ttl_s, span, times }) in sightings {
        table.row(vec![
            if has_sites { (*site).to_owned() } else { String::new() },
            address.to_string(),
            name.to_string(),
            source.as_str().into(),
            used_by.map(|user| user.to_string()).unwrap_or_default(),
            where_wide(ttl_s.to_string()),
            where_wide(span.first.to_string()),
            time(span.last),
            times.to_string(),
        ]);
    }
    if is_wide { table } else { table.without_empty_columns() }
}
