//! `flowmap tiers`: roles and tiers, each with its reason.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Done, Fault,
    common::{Global, Namespaces, Output, OutputArg, Selection},
    fault::printable,
    print::{self, Table, cut},
    world,
};
use crate::{
    proposal::Site,
    tier::{self, Beside, Graph, Member, Options, Role, Said, Scope, Tiers, Why},
};

/// List roles and tiers, each with its reason.
///
/// A role is the endpoints that do the same job; a tier is where they stand between the outside and the data. In scope
/// are the endpoints that the inventory knows; without an inventory, private addresses.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap tiers
  flowmap tiers -n production -o wide      # each with its reason
  flowmap tiers --why production/api       # what it shares with its role
  flowmap tiers --from flows.csv --inventory hosts.csv -o json")]
pub(super) struct Args {
    /// Show why this endpoint is in its role: a workload, a host or an address
    #[arg(long, value_name = "ENDPOINT")]
    why: Option<String>,
    /// How alike the endpoints of one role must be, in percent: a lower value gives fewer roles
    #[arg(long, value_name = "PERCENT", default_value_t = Options::CUT_PERCENT, value_parser = clap::value_parser!(u8).range(1..=100))]
    cut: u8,
    /// Let workloads of different namespaces share a role
    #[arg(long)]
    across_namespaces: bool,
    #[command(flatten)]
    namespaces: Namespaces,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let world = world::open(global, &args.selection).await?;
    let options = Options { cut_percent: args.cut, across_namespaces: args.across_namespaces };
    let found: Vec<(&str, Tiers)> = world.sites.iter().map(|site| (site.name.as_str(), tiers(site, options))).collect();
    if let Some(endpoint) = &args.why {
        return why(&found, endpoint, args.output.output);
    }
    let wanted = &args.namespaces.namespace;
    let is_in = |member: &Member| member.workload.as_ref().is_some_and(|it| wanted.contains(&it.namespace));
    let is_wanted = |role: &Role| wanted.is_empty() || role.members.iter().any(is_in);
    let roles: Vec<(&str, &Role)> = found
        .iter()
        .flat_map(|(site, tiers)| tiers.roles.iter().map(move |role| (*site, role)))
        .filter(|(_, role)| is_wanted(role))
        .collect();
    let output = args.output.output;
    let table = |roles: &[(&str, &Role)]| match output {
        Output::Table => narrow(roles, world.sites.len() > 1),
        _ => wide(roles),
    };
    let why_none = || world::why_none("endpoints in scope", &world, &args.selection, wanted);
    print::list(output, &roles, |(site, role)| value(site, role), table, why_none)?;
    Ok(Done::Clean)
}

fn tiers(site: &Site, options: Options) -> Tiers {
    let contacts = site.contacts();
    let scope = Scope::new(&site.directory, &contacts.parties);
    let graph = Graph::new(&contacts, &scope);
    drop(contacts);
    tier::of_graph(graph, options)
}

fn members(role: &Role) -> Vec<&str> {
    role.members.iter().map(|member| member.name.as_str()).collect()
}

fn value(site: &str, role: &Role) -> Value {
    json!({
        "site": site,
        "tier": role.tier,
        "level": role.level,
        "role": role.name,
        "members": members(role),
        "cohesion": role.cohesion,
        "reason": role.reason,
    })
}

/// Columns of letters that a list of members may take in a table.
const MEMBERS_WIDTH: usize = 44;
/// And a role's name.
const ROLE_WIDTH: usize = 30;

/// The members of each role as people read them: with their kinds where one name means several of a site.
fn called(roles: &[(&str, &Role)]) -> Vec<Vec<String>> {
    let mut uses: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (site, member) in roles.iter().flat_map(|(site, role)| role.members.iter().map(move |member| (site, member))) {
        *uses.entry((site, &member.name)).or_default() += 1;
    }
    let called = |site: &str, member: &Member| {
        let is_shared = uses.get(&(site, member.name.as_str())).is_some_and(|uses| *uses > 1);
        if is_shared { member.with_kind() } else { member.name.clone() }
    };
    roles.iter().map(|(site, role)| role.members.iter().map(|member| called(site, member)).collect()).collect()
}

fn narrow(roles: &[(&str, &Role)], has_sites: bool) -> Table {
    let head = ["site", "tier", "level", "role", "members"];
    let from = usize::from(!has_sites);
    let mut table = Table::new(&head[from..]).numeric(&[2 - from]);
    for ((site, role), members) in roles.iter().zip(called(roles)) {
        let (tier, level) = (role.tier.to_string(), role.level.to_string());
        let row = [(*site).to_owned(), tier, level, cut(&role.name, ROLE_WIDTH), few(&members)];
        table.row(row[from..].to_vec());
    }
    table
}

fn wide(roles: &[(&str, &Role)]) -> Table {
    let mut table = Table::new(&["site", "tier", "level", "role", "members", "reason"]).numeric(&[2]);
    for ((site, role), members) in roles.iter().zip(called(roles)) {
        let (tier, level) = (role.tier.to_string(), role.level.to_string());
        let row = [(*site).to_owned(), tier, level, role.name.clone(), print::joined(members), role.reason.clone()];
        table.row(row.to_vec());
    }
    table
}

/// As many names as the column holds, and how many more there are.
fn few<N: AsRef<str>>(names: &[N]) -> String {
    let mut text = String::new();
    for (n, name) in names.iter().map(AsRef::as_ref).enumerate() {
        let more = format!(" +{}", names.len() - n);
        let length = text.chars().count() + name.chars().count() + 1;
        if n > 0 && length + more.len() > MEMBERS_WIDTH {
            return text + &more;
        }
        if n > 0 {
            text.push(',');
        }
        text.push_str(&cut(name, MEMBERS_WIDTH - 6));
    }
    text
}

fn why(found: &[(&str, Tiers)], endpoint: &str, output: Output) -> anyhow::Result<Done> {
    let several: Vec<String> = found.iter().flat_map(|(_, tiers)| tiers.several(endpoint)).collect();
    if !several.is_empty() {
        let fault = Fault::new(format_args!("--why {endpoint}"), "several endpoints have this name");
        return Err(fault.hint(format!("name one of {}", several.join(", "))).into());
    }
    let all: Vec<Why<'_>> = found.iter().filter_map(|(_, tiers)| tiers.why(endpoint)).collect();
    let why = match &all[..] {
        [why] => why,
        [] => {
            return Err(Fault::new(format_args!("--why {endpoint}"), "no endpoint in scope is called so")
                .hint("`flowmap tiers -o wide` lists them all")
                .into());
        }
        _ => {
            let hint = "choose one with --site";
            return Err(Fault::new(format_args!("--why {endpoint}"), "is in several sites").hint(hint).into());
        }
    };
    if output == Output::Json {
        print::json(&json!({
            "endpoint": endpoint,
            "note": why.note,
            "role": beside_value(&why.own),
            "nearest": why.nearest.as_ref().map(beside_value),
        }))?;
        return Ok(Done::Clean);
    }
    let mut text =
        format!("{endpoint} is in: {} ({}, level {})\n", why.own.role.name, why.own.role.tier, why.own.role.level);
    text.push_str(&format_lines("  reason", &why.own.role.reason));
    if let Some(note) = why.note {
        text.push_str(&format_lines("  note", note));
    }
    beside_text(&mut text, &why.own);
    match &why.nearest {
        Some(nearest) => {
            text.push_str(&format_lines("nearest other role", &nearest.role.name));
            beside_text(&mut text, nearest);
        }
        None => text.push_str("it is like no other role\n"),
    }
    print::text(printable(&text).as_bytes())?;
    Ok(Done::Clean)
}

fn format_lines(name: &str, value: &str) -> String {
    format!("{name}: {value}\n")
}

/// Lines of each kind that are printed.
const MAX_SAID: usize = 12;

fn beside_text(text: &mut String, beside: &Beside<'_>) {
    let size = beside.role.members.len();
    let percent =
        beside.similarity_percent.map_or_else(|| "nobody else is in it".to_owned(), |it| format!("alike {it} %"));
    text.push_str(&format_lines("  members", &format!("{} ({percent})", few(&members(beside.role)))));
    for (sign, said) in [("+", &beside.shared), ("-", &beside.missing), ("!", &beside.own)] {
        let meaning = match sign {
            "+" => "shared",
            "-" => "missing",
            _ => "its own",
        };
        for it in said.iter().take(MAX_SAID) {
            let Said { what, inside, of_all, weight } = it;
            let weight = format!("{}.{:02}", weight / 100, weight % 100);
            let line =
                format!("  {sign} {meaning:<8}{what:<44} {inside} of {size}, {of_all} in all, weight {weight}\n");
            text.push_str(&line);
        }
        if said.len() > MAX_SAID {
            text.push_str(&format_lines(&format!("  {sign} {meaning}"), &format!("{} more", said.len() - MAX_SAID)));
        }
    }
}

fn beside_value(beside: &Beside<'_>) -> Value {
    let said = |all: &[Said]| -> Vec<Value> {
        let one = |it: &Said| {
            let Said { what, inside, of_all, weight } = it;
            json!({"what": what, "inside": inside, "of_all": of_all, "weight_percent": weight})
        };
        all.iter().map(one).collect()
    };
    json!({
        "role": beside.role.name,
        "tier": beside.role.tier,
        "members": members(beside.role),
        "similarity_percent": beside.similarity_percent,
        "shared": said(&beside.shared),
        "missing": said(&beside.missing),
        "own": said(&beside.own),
    })
}
