//! `flowmap firewall`: rules for a router or firewall between hosts.

use std::path::PathBuf;

use clap::{ValueEnum, builder::PossibleValue};
use serde_json::{Value, json};

use super::{
    Done,
    common::{Global, Output, OutputArg, Selection, port, share},
    doubts,
    fault::one_line,
    print::{self, Table, cut},
    world,
};
use crate::{
    firewall::{Cost, Firewall, Grouping, LeftOpen, Options, Port, Replay, Rule, Sight, Ways, extra},
    model::{Directions, Protocol, words::count},
    proposal::{self, folder},
    render::{self, FirewallFacts},
};

/// Write rules for a router or firewall between hosts, for nftables.
///
/// Once they are enforced, what was seen passes and nothing else. They are for hosts that are no pods: those of a hosts
/// file; without an inventory, private addresses. Exits with 1 where a needed connection would not pass.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap firewall
  flowmap firewall --from trunk.pcapng --inventory hosts.csv
  flowmap firewall --granularity tier --public 443 --anywhere 123/UDP
  flowmap firewall --out-dir - | tee rules.nft     # the rules alone")]
pub(super) struct Args {
    /// The folder for the documents; - prints the rules alone
    #[arg(long, default_value = "firewall-out", value_name = "DIR")]
    out_dir: PathBuf,
    /// Whom a rule lets through
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    granularity: Grouping,
    /// Which directions to close; it is usual to begin with ingress
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    direction: Directions,
    /// Also close hosts that the captures could not see, or saw only in the traffic of others; allow what was seen of them
    #[arg(long)]
    isolate_unseen: bool,
    /// Let one role or tier reach another as a whole on a port where at least this share of their pairs was seen, from 0 to 1
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", value_parser = share)]
    support: f64,
    /// Open this port to anyone outside where clients from outside were seen; may be given several times
    #[arg(long, value_name = "PORT[/PROTO]", value_parser = port)]
    public: Vec<(u16, Protocol)>,
    /// Let hosts that were seen to call this port outside call it at anyone there; may be given several times
    #[arg(long, value_name = "PORT[/PROTO]", value_parser = port)]
    anywhere: Vec<(u16, Protocol)>,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

impl ValueEnum for Grouping {
    fn value_variants<'v>() -> &'v [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Host => "Pairs of hosts that were seen: least privilege",
            Self::Role => "All hosts of one role, where enough pairs were seen",
            Self::Tier => "All hosts of one tier, likewise",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl Args {
    fn options(&self) -> Options {
        let ports = |all: &[(u16, Protocol)]| all.iter().map(|(port, protocol)| (*protocol, *port)).collect();
        Options {
            grouping: self.granularity,
            directions: self.direction,
            isolate_unseen: self.isolate_unseen,
            support: self.support,
            public: ports(&self.public),
            anywhere: ports(&self.anywhere),
        }
    }
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let world = world::open_with_links(global, &args.selection).await?;
    let site = world.site_of(&[])?;
    let options = args.options();
    let (firewall, facts) = proposal::firewall(site, &world.runs, &options)?;
    let mut documents = render::nftables(&firewall);
    if args.out_dir.as_os_str() == "-" {
        let rules = documents.first().map(|rules| rules.text.as_str()).unwrap_or_default();
        print::text(rules.as_bytes())?;
        warn(&firewall, &facts, &options);
    } else {
        documents.push(render::firewall_review(&firewall, &facts));
        folder::replace_sealed(&args.out_dir, &documents)?;
        warn(&firewall, &facts, &options);
        report(&args, &firewall, &facts)?;
    }
    doubts::warn_incomplete(&world.runs, &site.name);
    Ok(if facts.replay.denied > 0 { Done::Found } else { Done::Clean })
}

/// What helps where FTP passes.
const FTP_CURE: &str =
    "let the kernel follow it with `ct helper`, or give the server a range of ports and list it: REVIEW.md says how";

/// What helps where TFTP passes.
const TFTP_CURE: &str =
    "let the kernel follow it with `ct helper`, or the server answer from port 69: REVIEW.md says how";

/// Hosts that are named in a warning.
const SHOWN: usize = 5;

/// Says aloud what the rules cannot tell of themselves.
fn warn(firewall: &Firewall, facts: &FirewallFacts, options: &Options) {
    let open = &firewall.left_open;
    if let [first, ..] = &open[..] {
        let said =
            |it: &LeftOpen| if it.at.is_empty() { it.host.clone() } else { format!("{} ({})", it.host, it.why()) };
        let names: Vec<String> = open.iter().take(SHOWN).map(said).collect();
        let more = open.len() - names.len();
        let is_disputed = open.iter().any(|it| it.sight == Sight::Disputed);
        let or = if is_disputed { ", or two segments have an address of theirs" } else { "" };
        let words = match open.len() {
            1 => format!("{}: {}: it is left open", first.host, first.why()),
            _ if more > 0 => {
                format!("{} and {more} more: left open, for captures could not see all of them{or}", names.join("; "))
            }
            _ => format!("{}: left open, for captures could not see all of them{or}", names.join("; ")),
        };
        warnln!("flowmap: {}", one_line(&words));
        if open.iter().any(|it| !it.at.is_empty()) {
            warnln!(
                "hint: one address leaves all of its host open: list what is no part of it, as the gateway of a range, in the hosts file by itself"
            );
        }
    }
    if firewall.closed.is_empty() {
        warnln!(
            "flowmap: nothing is closed: capture where the traffic of many passes, or close what was seen with --isolate-unseen"
        );
    }
    if facts.logs > 0 && !firewall.closed.is_empty() {
        let (logs, tell) = (count(facts.logs as u64, "flow log"), if facts.logs == 1 { "does" } else { "do" });
        warnln!(
            "flowmap: {logs} {tell} not tell the place: whoever is named is closed as if all of their traffic were in there"
        );
    }
    for (kind, connections) in &firewall.tunnels {
        let words = count(*connections, "connection");
        warnln!(
            "flowmap: {kind}: {words} seen inside, and what carries them has no rule: add one where an end is closed"
        );
    }
    if let Some((first, addresses)) = facts.beside.first_key_value() {
        let shown: Vec<String> = addresses.iter().take(SHOWN).map(ToString::to_string).collect();
        let more = match facts.beside.len() {
            1 => String::new(),
            hosts => format!("; so have {}", count(hosts as u64 - 1, "other closed host")),
        };
        let words = format!("{first}: has other addresses by the MAC, which are left open: {}{more}", shown.join(", "));
        warnln!("flowmap: {}", one_line(&words));
        warnln!("hint: add what is a host's own to the hosts file; REVIEW.md has all of them");
    }
    doubts::warn_swept(&facts.swept);
    doubts::warn_unasked(&facts.unasked);
    doubts::warn_outlasting(&facts.outlasting);
    doubts::warn_ftp(&facts.ftp, FTP_CURE);
    doubts::warn_tftp(&facts.tftp, TFTP_CURE);
    for strangers in &firewall.strangers {
        warnln!("flowmap: {}", one_line(&render::strangers_words(firewall, strangers)));
    }
    let used = |asked: &Port| {
        let is_its = |rule: &&Rule| rule.protocol == asked.0 && rule.ports.iter().any(|range| range.contains(asked.1));
        firewall.rules.iter().filter(is_its).any(render::is_open_to_anyone)
    };
    for (flag, ports) in [("--public", &options.public), ("--anywhere", &options.anywhere)] {
        for (protocol, port) in ports.iter().filter(|port| !used(port) && !firewall.opened.contains(port)) {
            warnln!(
                "flowmap: {flag} {port}/{protocol}: nothing with the outside was seen on it, and no rule comes of it"
            );
        }
    }
}

/// Columns of letters that a zone's name may take in a table.
const NAME_WIDTH: usize = 22;
/// And the ports of a rule.
const PORTS_WIDTH: usize = 18;

fn report(args: &Args, firewall: &Firewall, facts: &FirewallFacts) -> anyhow::Result<()> {
    let output = args.output.output;
    if output == Output::Json {
        return Ok(print::json(&value(args, firewall, facts))?);
    }
    let mut table = Table::new(&["from", "to", "ports", "pairs", "connections", "seen", "beyond"]).numeric(&[3, 4]);
    let (names, ports) = if output == Output::Table { (NAME_WIDTH, PORTS_WIDTH) } else { (usize::MAX, usize::MAX) };
    for rule in &firewall.rules {
        let name = |zone: usize| firewall.zones.all.get(zone).map(|zone| cut(&zone.name, names)).unwrap_or_default();
        table.row(vec![
            name(rule.from),
            name(rule.to),
            cut(&render::ports_words(rule), ports),
            pairs(rule),
            rule.evidence.connections.to_string(),
            rule.evidence.direction.as_str().to_owned(),
            extra(firewall, rule).map_or_else(|| "open".to_owned(), |extra| extra.to_string()),
        ]);
    }
    print::table(output, &table, "no rules: nothing that passes is needed")?;
    if output == Output::Csv {
        return Ok(());
    }
    print::text(format!("\n{}\n", granularities(facts).text()).as_bytes())?;
    print::text(summary(&facts.replay).as_bytes())?;
    let review = args.out_dir.join(render::FIREWALL_REVIEW);
    print::text(format!("read {} before you load anything\n", review.display()).as_bytes())?;
    Ok(())
}

/// How many pairs a rule names; nothing where it names zones.
fn pairs(rule: &Rule) -> String {
    match &rule.ways {
        Ways::Pairs(pairs) => pairs.len().to_string(),
        Ways::Product(..) => String::new(),
    }
}

fn granularities(facts: &FirewallFacts) -> Table {
    let header = ["granularity", "rules", "needed ways", "further ways open", "over-permission"];
    let mut table = Table::new(&header).numeric(&[1, 2, 3, 4]);
    for (grouping, cost) in &facts.costs {
        let name = if *grouping == facts.chosen {
            format!("{} (chosen)", grouping.as_str())
        } else {
            grouping.as_str().to_owned()
        };
        let Cost { rules, needed, extra, .. } = cost;
        let over = cost.over_permission().map_or_else(|| "-".to_owned(), |over| format!("{over:.2}"));
        table.row(vec![name, rules.to_string(), needed.to_string(), extra.to_string(), over]);
    }
    table
}

fn summary(replay: &Replay) -> String {
    let Replay { connections, allowed, denied, uncertain, unneeded, .. } = replay;
    let closed =
        if *unneeded > 0 { format!("; besides {unneeded} that got nothing or need no rule") } else { String::new() };
    format!(
        "{}: {allowed} allowed, {denied} denied, {uncertain} uncertain{closed}\n",
        count(*connections, "connection")
    )
}

fn value(args: &Args, firewall: &Firewall, facts: &FirewallFacts) -> Value {
    let name = |zone: usize| firewall.zones.all.get(zone).map(|zone| zone.name.clone()).unwrap_or_default();
    let rule = |rule: &Rule| {
        json!({
            "from": name(rule.from), "to": name(rule.to), "protocol": rule.protocol,
            "ports": rule.ports.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "connections": rule.evidence.connections, "direction": rule.evidence.direction,
            "first_seen": rule.evidence.first.named(), "last_seen": rule.evidence.last.named(),
            "needed": rule.needed, "extra": extra(firewall, rule),
            "open_to_anyone": render::is_open_to_anyone(rule),
        })
    };
    let cost = |(grouping, cost): &(Grouping, Cost)| {
        json!({
            "granularity": grouping.as_str(), "rules": cost.rules, "needed": cost.needed, "extra": cost.extra,
            "over_permission": cost.over_permission(), "open_ended": cost.open_ended,
        })
    };
    let replay = &facts.replay;
    json!({
        "out_dir": args.out_dir,
        "closed": firewall.closed,
        "left_open": firewall.left_open.iter()
            .map(|it| json!({"host": it.host, "why": it.why()})).collect::<Vec<_>>(),
        "other_addresses": facts.beside.iter()
            .map(|(host, addresses)| json!({"host": host, "addresses": addresses})).collect::<Vec<_>>(),
        "rules": firewall.rules.iter().map(rule).collect::<Vec<_>>(),
        "left_out": firewall.left_out.iter().map(|it| json!({
            "from": firewall.zones.name(it.client), "to": firewall.zones.name(it.server), "protocol": it.protocol,
            "port": it.port, "connections": it.connections, "reason": it.reason,
        })).collect::<Vec<_>>(),
        "replay": {
            "connections": replay.connections, "allowed": replay.allowed, "denied": replay.denied,
            "uncertain": replay.uncertain, "unneeded": replay.unneeded, "untouched": replay.untouched,
            "findings": replay.findings.iter().map(|it| json!({
                "from": firewall.zones.name(it.from), "to": firewall.zones.name(it.to), "protocol": it.protocol,
                "port": it.port, "connections": it.connections,
            })).collect::<Vec<_>>(),
        },
        "granularities": facts.costs.iter().map(cost).collect::<Vec<_>>(),
    })
}
