//! `REVIEW.md` beside the rules of a firewall: what a person reads before they are loaded.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    nftables::{ENFORCE, RULES, TRIAL},
    ports_words, widened, zone_words,
};
use crate::{
    firewall::{Cost, Firewall, Grouping, LeftOut, Replay, Rule, Side, Strangers, Ways, ZoneKind},
    model::{
        Span, well_known,
        words::{count, port},
    },
    render::{Document, words},
};

/// The document.
pub const FIREWALL_REVIEW: &str = "REVIEW.md";

/// Rows of a table that are written out; the others are counted.
const MAX_ROWS: usize = 200;
/// Addresses of one side of a rule that are written out.
const MAX_NAMES: usize = 6;

/// What there is to tell beside the rules.
#[derive(Clone, Debug, Default)]
pub struct FirewallFacts {
    /// How many captures and flow logs.
    pub captures: usize,
    /// Of them the flow logs.
    pub logs: usize,
    /// From their first packet to their last.
    pub span: Option<Span>,
    /// Packets, or records.
    pub packets: u64,
    /// Packets that never reached a capture, and flows that never reached a log.
    pub lost: u64,
    /// Captures that are damaged, or of which something was lost.
    pub damaged: usize,
    /// The past, held against the rules.
    pub replay: Replay,
    /// What each grouping costs and leaves open.
    pub costs: Vec<(Grouping, Cost)>,
    /// Which of them was asked for.
    pub chosen: Grouping,
    /// Connections that cross a border between segments, that stay within one, and of which that is unknown; none where
    /// no capture tells of segments.
    pub crossings: Option<[u64; 3]>,
    /// Addresses at the MACs of closed hosts that are in no zone and so are left open, by the names of the hosts.
    pub beside: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Connections with data both ways that make no rule, for they look like a part of a sweep, by the names of their clients.
    pub swept: BTreeMap<String, u64>,
    /// Connections that make a rule by answers alone, though both ways of their clients were captured elsewhere, likewise.
    pub unasked: BTreeMap<String, u64>,
    /// Connections that were in use in the window and make no rule, for they began before it: client, server and port.
    pub outlasting: BTreeMap<String, u64>,
    /// Servers of FTP, whose data takes another port each time.
    pub ftp: BTreeSet<String>,
    /// Servers of TFTP, which answer from another port each time.
    pub tftp: BTreeSet<String>,
}

/// The review of rules.
#[must_use]
pub fn firewall_review(firewall: &Firewall, facts: &FirewallFacts) -> Document {
    let mut text = String::from("# Firewall rules between hosts: read this before you load them\n");
    summary(&mut text, firewall, facts);
    rollout(&mut text);
    open(&mut text, firewall, facts);
    matrix(&mut text, firewall);
    rules(&mut text, firewall);
    ftp(&mut text, facts);
    tftp(&mut text, facts);
    zones(&mut text, firewall);
    strangers(&mut text, firewall);
    left_out(&mut text, firewall);
    Document { path: FIREWALL_REVIEW.to_owned(), text: words::without_markup(&text) }
}

fn summary(text: &mut String, firewall: &Firewall, facts: &FirewallFacts) {
    let Replay { connections, allowed, denied, uncertain, unneeded, untouched, findings } = &facts.replay;
    let closed = firewall.closed.iter().map(|unit| firewall.zones.unit_name(*unit)).collect::<BTreeSet<_>>().len();
    let when = facts
        .span
        .filter(|span| span.last.hour().is_named())
        .map_or_else(String::new, |span| format!(", {} to {}", words::minute(span.first), words::minute(span.last)));
    let _ = write!(
        text,
        "\n{} closed, {} left open. Of {} from or to closed hosts {allowed} pass, {denied} do not, {uncertain} are uncertain; \
         {unneeded} got nothing, or need no rule, and are no reason for one. {untouched} have no closed end.\n\n\
         Seen by {}{when}: {} or records, {} lost, {} damaged or incomplete.\n",
        count(closed as u64, "host"),
        firewall.left_open.len(),
        count(*connections, "needed connection"),
        count(facts.captures as u64, "capture"),
        count(facts.packets, "packet"),
        facts.lost,
        facts.damaged,
    );
    for finding in findings.iter().take(MAX_ROWS) {
        let _ = writeln!(
            text,
            "- **needed and denied**: {} -> {} on {}, {}",
            words::safe(&firewall.zones.name(finding.from)),
            words::safe(&firewall.zones.name(finding.to)),
            port(finding.protocol, finding.port),
            count(finding.connections, "connection")
        );
    }
    text.push_str("\n| rules for | rules | needed ways | further ways open | over-permission | open-ended |\n|---|---|---|---|---|---|\n");
    for (grouping, cost) in &facts.costs {
        let chosen = if *grouping == facts.chosen { " (chosen)" } else { "" };
        let over = cost.over_permission().map_or_else(|| "-".to_owned(), |over| format!("{over:.2}"));
        let Cost { rules, needed, extra, open_ended } = cost;
        let _ =
            writeln!(text, "| {}{chosen} | {rules} | {needed} | {extra} | {over} | {open_ended} |", grouping.as_str());
    }
    text.push_str(
        "\nA way is a client's address, a server's and a port; a range that is one host counts as one address. Open-ended are rules that let in, or out to, more addresses than are \
         known: anyone outside, or a cluster.\n",
    );
}

fn rollout(text: &mut String) {
    let _ = write!(
        text,
        "\n## In which order\n\n\
         1. Look at what follows, above all at the hosts that are left open and at what was left out.\n\
         2. `nft -c -f {RULES}` on the router or firewall that forwards between these hosts, then `nft -f {RULES}`. It is in trial: what \
         no rule lets pass is logged as `flowmap trial:` and passes.\n\
         3. Let it be in trial for as long as the rarest job needs to come round, and for longer than connections live that were open \
         before: those are known to the kernel by then. `nft list chain inet flowmap needed` counts what each rule let pass. Capture \
         meanwhile, and make the rules anew: what the log told is a need then, or it is not.\n\
         4. `nft -f {ENFORCE}` closes it. What does not pass is logged as `flowmap DROP:`, which `flowmap import` reads from the kernel's log.\n\
         5. The way back: `nft -f {TRIAL}`, or `nft delete table inet flowmap`.\n\n\
         Loading {RULES} anew brings the trial back: load {ENFORCE} after it. No rules outlive a reboot unless they are in the \
         system's own configuration: put both files there, often as `include` lines in `/etc/nftables.conf`, once they are right.\n\n\
         Loading {RULES} switches connection tracking on, for all that is forwarded. Before that, set `net.netfilter.nf_conntrack_max` above the connections that are \
         open at the busiest time: where its table is full, the kernel drops what is new, in trial too. \
         `net.netfilter.nf_conntrack_count` tells how many there are.\n"
    );
}

fn open(text: &mut String, firewall: &Firewall, facts: &FirewallFacts) {
    text.push_str("\n## What stays open\n\n");
    if let Some([across, within, unknown]) = facts.crossings {
        let _ = writeln!(
            text,
            "- {} crossed a border between segments, {within} stayed within one, of {unknown} that is unknown. A router never sees what \
             stays within a segment: there these rules close nothing.",
            count(across, "connection")
        );
    } else {
        text.push_str(
            "- Nothing tells which hosts share a segment. What does not pass the firewall it does not close.\n",
        );
    }
    if facts.logs > 0 {
        let _ = writeln!(
            text,
            "- {} {} not tell the place: whoever is named is closed as if all that passes there were in there. Where it is not, leave \
             those hosts open with captures instead, or look at each.",
            count(facts.logs as u64, "flow log"),
            if facts.logs == 1 { "does" } else { "do" }
        );
    }
    for (kind, connections) in &firewall.tunnels {
        let _ = writeln!(
            text,
            "- **{} seen inside {}**: what carries them from end to end of the tunnel has no rule. Where an end is closed, add one by hand.",
            count(*connections, "connection"),
            words::safe(kind)
        );
    }
    text.push_str("- What the firewall itself sends and takes is not forwarded, and not closed.\n");
    for (host, addresses) in facts.beside.iter().take(MAX_ROWS) {
        let _ = writeln!(
            text,
            "- **{} also has {}**, by the MAC: left open, for no host is known to have it. Add what is its own to the hosts file.",
            words::safe(host),
            few(addresses.iter().map(ToString::to_string))
        );
    }
    more(text, facts.beside.len());
    let open = &firewall.left_open;
    for it in open.iter().take(MAX_ROWS) {
        let _ = writeln!(text, "- {}: left open, {}", words::safe(&it.host), it.why());
    }
    more(text, open.len());
    if !open.is_empty() {
        text.push_str(
            "\nA capture that was taken at one host shows all of that host, and of others what they do with it; one that was taken where many pass \
             shows all of those who live there, and of who talks with the busiest alone maybe not. Capture where their \
             traffic passes, or close them by what was seen with `--isolate-unseen`.\n",
        );
    }
    if open.iter().any(|it| !it.at.is_empty()) {
        text.push_str(
            "\nOne address leaves all of its host open: list what is no part of it, as the gateway of a range, in the hosts \
             file by itself.\n",
        );
    }
}

fn more(text: &mut String, all: usize) {
    if all > MAX_ROWS {
        let _ = writeln!(text, "- and {} more", all - MAX_ROWS);
    }
}

/// Which tiers reach which, on what.
fn matrix(text: &mut String, firewall: &Firewall) {
    let name = |zone: usize| match firewall.zones.kind(zone) {
        ZoneKind::Hosts(tier) => tier.to_string(),
        _ => firewall.zones.all.get(zone).map(|zone| zone.name.clone()).unwrap_or_default(),
    };
    let mut cells: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for rule in &firewall.rules {
        cells.entry((name(rule.from), name(rule.to))).or_default().insert(ports_words(rule));
    }
    let from: BTreeSet<&String> = cells.keys().map(|(from, _)| from).collect();
    let to: BTreeSet<&String> = cells.keys().map(|(_, to)| to).collect();
    text.push_str("\n## Tier by tier\n\nEmpty is closed, wherever an end is closed.\n\n| from, to |");
    for column in &to {
        let _ = write!(text, " {} |", words::safe(column));
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(to.len()));
    for row in from {
        let _ = write!(text, "| {} |", words::safe(row));
        for column in &to {
            let ports = cells.get(&(row.clone(), (*column).clone()));
            let words = ports.map(|ports| few(ports.iter().cloned())).unwrap_or_default();
            let _ = write!(text, " {words} |");
        }
        text.push('\n');
    }
}

fn few(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(MAX_NAMES);
    let shown: Vec<String> = all.take(MAX_NAMES).map(|it| words::safe(&it)).collect();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn rules(text: &mut String, firewall: &Firewall) {
    text.push_str("\n## Rules\n\n| from | to | ports | seen | beyond what was seen |\n|---|---|---|---|---|\n");
    for rule in firewall.rules.iter().take(MAX_ROWS) {
        let crate::firewall::Evidence { connections, direction, .. } = rule.evidence;
        let [from, to] = who(firewall, rule);
        let _ = writeln!(
            text,
            "| {from} | {to} | {} | {}, by {} | {} |",
            ports_words(rule),
            count(connections, "connection"),
            direction.as_str(),
            widened(firewall, rule).unwrap_or_default()
        );
    }
    more(text, firewall.rules.len());
    if firewall.rules.len() > MAX_ROWS {
        let _ = writeln!(text, "\n{RULES} has all of them, each with its evidence.");
    }
}

/// What a rule cannot know of FTP.
fn ftp(text: &mut String, facts: &FirewallFacts) {
    if facts.ftp.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n**FTP**: {} and their clients agree on another port for each transfer, which either may open. These rules know those that \
         were seen. Let the kernel follow what is agreed, in a table of your own:\n\n\
         {}\n\
         What is agreed in TLS no kernel reads: there give the server a fixed range of passive ports, and a rule for it.",
        few(facts.ftp.iter().cloned()),
        follows("ftp", "tcp", well_known::FTP_CONTROL),
    );
}

/// A table by which the kernel follows what a protocol agrees on.
fn follows(name: &str, protocol: &str, port: u16) -> String {
    format!(
        "```\n\
         table inet {name} {{\n\
         \tct helper {name} {{ type \"{name}\" protocol {protocol}; }}\n\
         \tchain follow {{ type filter hook prerouting priority filter; {protocol} dport {port} ct helper set \"{name}\"; }}\n\
         }}\n\
         ```\n"
    )
}

/// What a rule cannot know of TFTP.
fn tftp(text: &mut String, facts: &FirewallFacts) {
    if facts.tftp.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n**TFTP** ({}): the answer comes from another port each time, to a firewall a connection of the server's own. These \
         rules know those that were seen. Let the kernel follow it, in a table of your own:\n\n\
         {}\n\
         Or let the server answer from port 69, as dnsmasq does with `tftp-single-port`.",
        few(facts.tftp.iter().cloned()),
        follows("tftp", "udp", well_known::TFTP),
    );
}

/// Both sides of a rule: the zone, and which of it where that is not all.
fn who(firewall: &Firewall, rule: &Rule) -> [String; 2] {
    let named = |units: &BTreeSet<IpNet>| {
        let names: BTreeSet<String> = units.iter().map(|unit| firewall.zones.unit_name(*unit)).collect();
        few(names.into_iter())
    };
    let of = |zone: usize, what: String| {
        let name = firewall.zones.all.get(zone).map(|zone| words::safe(&zone.name)).unwrap_or_default();
        if what.is_empty() || what == name { name } else { format!("{name}: {what}") }
    };
    let side = |side: &Side, zone: usize| match side {
        Side::Zone => of(zone, String::new()),
        Side::Units(units) => of(zone, named(units)),
        Side::Anyone => of(zone, "anyone".to_owned()),
    };
    match &rule.ways {
        Ways::Product(from, to) => [side(from, rule.from), side(to, rule.to)],
        Ways::Pairs(pairs) => {
            let clients = pairs.iter().map(|(client, _)| *client).collect();
            let servers = pairs.iter().map(|(_, server)| *server).collect();
            let pairs = count(pairs.len() as u64, "pair");
            [of(rule.from, named(&clients)), format!("{}; {pairs} of them", of(rule.to, named(&servers)))]
        }
    }
}

fn zones(text: &mut String, firewall: &Firewall) {
    text.push_str("\n## Who is who\n\n| | hosts |\n|---|---|\n");
    let hosts = firewall.zones.all.iter().filter(|zone| matches!(zone.kind, ZoneKind::Hosts(_)));
    for zone in hosts {
        let names: Vec<String> = zone.hosts.iter().map(|host| words::safe(host)).collect();
        let _ = writeln!(text, "| {} | {} |", words::safe(&zone_words(zone)), names.join(", "));
    }
}

fn strangers(text: &mut String, firewall: &Firewall) {
    if firewall.strangers.is_empty() {
        return;
    }
    text.push_str(
        "\n## Strangers\n\nThese rules name addresses outside one by one, and most likely others come tomorrow:\n\n",
    );
    for strangers in &firewall.strangers {
        let _ = writeln!(text, "- {}", strangers_words(firewall, strangers));
    }
}

/// Who comes from outside, or is called there, and what to do if that is meant for everyone.
#[must_use]
pub fn strangers_words(firewall: &Firewall, strangers: &Strangers) -> String {
    let zone = firewall.zones.all.get(strangers.zone).map(|zone| words::safe(&zone.name)).unwrap_or_default();
    let (verb, flag) = if strangers.come_in { ("come to", "--public") } else { ("are called by", "--anywhere") };
    let own = format!("{}/{}", strangers.port, strangers.protocol);
    format!(
        "{} outside {verb} {zone} on {}, {} of them once: the next is new by a chance of {:.0} %. If it is for everyone: {flag} {own}",
        count(strangers.addresses as u64, "address"),
        port(strangers.protocol, strangers.port),
        strangers.once,
        strangers.novelty() * 100.0
    )
}

fn left_out(text: &mut String, firewall: &Firewall) {
    text.push_str("\n## Seen, and no rule\n\n");
    if firewall.left_out.is_empty() {
        text.push_str("Nothing.\n");
        return;
    }
    text.push_str("| from | to | on | connections | why |\n|---|---|---|---|---|\n");
    let mut rows: Vec<&LeftOut> = firewall.left_out.iter().collect();
    rows.sort_by_key(|it| (!it.is_uncertain, std::cmp::Reverse(it.connections), *it));
    for row in rows.iter().take(MAX_ROWS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            words::safe(&firewall.zones.name(row.client)),
            words::safe(&firewall.zones.name(row.server)),
            port(row.protocol, row.port),
            row.connections,
            row.reason
        );
    }
    more(text, rows.len());
}
