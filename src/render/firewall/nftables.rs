//! Rules between hosts as nftables reads them (nft(8), inet family), for a router or a firewall that forwards between them.
//!
//! The table comes up in trial: what no rule lets pass is logged and passes. `enforce.nft` closes it, `trial.nft` opens it
//! again; both change one chain and nothing else.

use std::{collections::BTreeSet, fmt::Write};

use ipnet::IpNet;

use super::{rule_words, zone_words};
use crate::{
    firewall::{Firewall, PRIVATE, Rule, Side, Ways, Zone, ZoneKind},
    model::{Protocol, well_known},
    render::{Document, words},
};

/// The rules.
pub const RULES: &str = "flowmap.nft";
/// What closes them.
pub const ENFORCE: &str = "enforce.nft";
/// What opens them again.
pub const TRIAL: &str = "trial.nft";

/// The prefix of log lines in trial: no word of it says that anything was dropped, for nothing is.
const TRIAL_PREFIX: &str = "flowmap trial: ";
/// The prefix of log lines when the rules are in force; `flowmap import` reads these lines.
const ENFORCE_PREFIX: &str = "flowmap DROP: ";

/// What is nobody's address outside: groups, and what is reserved (RFC 5771, RFC 1112, RFC 4291).
const RESERVED: [&str; 2] = ["224.0.0.0/3", "ff00::/8"];

/// What is about more than the port where it is asked for, with what of it.
const HELPED: [(Protocol, u16, &str); 2] = [
    (Protocol::TCP, well_known::FTP_CONTROL, "FTP takes another port for each transfer"),
    (Protocol::UDP, well_known::TFTP, "TFTP answers from another port"),
];

/// Elements of a set in one line of text.
const PER_LINE: usize = 6;

/// An IP version, as nftables calls it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    const BOTH: [Self; 2] = [Self::V4, Self::V6];

    fn has(self, unit: &IpNet) -> bool {
        unit.addr().is_ipv4() == (self == Self::V4)
    }

    fn word(self) -> &'static str {
        if self == Self::V4 { "ip" } else { "ip6" }
    }

    fn kind(self) -> &'static str {
        if self == Self::V4 { "ipv4_addr" } else { "ipv6_addr" }
    }

    fn suffix(self) -> &'static str {
        if self == Self::V4 { "4" } else { "6" }
    }
}

/// The table, and the two files that close and open it.
#[must_use]
pub fn nftables(firewall: &Firewall) -> Vec<Document> {
    let document = |path: &str, text| Document { path: path.to_owned(), text };
    vec![
        document(RULES, table(firewall)),
        document(ENFORCE, rest("closes what no rule lets pass, and logs it", &into_rest(ENFORCE_PREFIX, "drop"))),
        document(TRIAL, rest("lets pass what no rule lets pass, and logs it", &into_rest(TRIAL_PREFIX, "accept"))),
    ]
}

fn rest(what: &str, lines: &[String]) -> String {
    let mut text =
        format!("# flowmap: {what}: nft -f this file, when {RULES} is loaded.\nflush chain inet flowmap rest\n");
    for line in lines {
        let _ = writeln!(text, "add rule inet flowmap rest {line}");
    }
    text
}

/// What becomes of packets that no rule lets pass. A flood of them must not fill the log.
fn into_rest(prefix: &str, verdict: &str) -> [String; 2] {
    let log = format!("limit rate 10/second burst 50 packets log prefix \"{prefix}\"");
    [log, format!("counter {verdict}")]
}

fn table(firewall: &Firewall) -> String {
    let names = names(&firewall.zones.all);
    let writer = Writer { firewall, names };
    let mut text = String::from(
        "# flowmap: who may call whom, for a router or firewall that forwards between these hosts.\n\
         # Read REVIEW.md before. In trial until enforce.nft is loaded: what no rule lets pass is logged, and passes.\n\
         #\n\
         #   nft -c -f flowmap.nft    is it read?\n\
         #   nft -f flowmap.nft       load it, or load it anew; it is in trial then\n\
         #   nft -f enforce.nft       close what no rule lets pass\n\
         #   nft -f trial.nft         and back\n\
         #   nft delete table inet flowmap\n\
         table inet flowmap\n\
         delete table inet flowmap\n\
         table inet flowmap {\n",
    );
    writer.sets(&mut text);
    writer.forward(&mut text);
    writer.rules(&mut text);
    text.push_str("\n\tchain rest {\n");
    for line in into_rest(TRIAL_PREFIX, "accept") {
        let _ = writeln!(text, "\t\t{line}");
    }
    text.push_str("\t}\n}\n");
    text
}

/// What the sets of zones are called: each its own, of letters that nftables takes anywhere.
fn names(zones: &[Zone]) -> Vec<String> {
    const MAX_LENGTH: usize = 60;
    let mut taken = BTreeSet::new();
    let name = |zone: &Zone| {
        let kind = match zone.kind {
            ZoneKind::Hosts(tier) => tier.as_str(),
            _ => "zone",
        };
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
        let plain: String = format!("{kind}_{}", zone.name).chars().map(plain).take(MAX_LENGTH).collect();
        let numbered = (2..).map(|n| format!("{plain}__{n}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
        free.unwrap_or(plain)
    };
    zones.iter().map(name).collect()
}

struct Writer<'f> {
    firewall: &'f Firewall,
    names: Vec<String>,
}

impl Writer<'_> {
    /// The sets: who is closed, who is inside, and the zones that rules name.
    fn sets(&self, text: &mut String) {
        let Firewall { zones, closed, rules, .. } = self.firewall;
        let named: BTreeSet<usize> = rules
            .iter()
            .flat_map(|rule| {
                let Ways::Product(from, to) = &rule.ways else { return Vec::new() };
                [(from, rule.from), (to, rule.to)]
                    .into_iter()
                    .filter(|(side, _)| **side == Side::Zone)
                    .map(|it| it.1)
                    .collect()
            })
            .collect();
        for family in Family::BOTH {
            let closed = self.spelled(closed, family);
            set(text, &format!("closed{}", family.suffix()), family, "hosts that are closed", closed);
        }
        if rules.iter().any(is_open_to_anyone) {
            for family in Family::BOTH {
                let ranges =
                    PRIVATE.iter().chain(&RESERVED).filter(|range| range.contains(':') == (family == Family::V6));
                let known = zones.all.iter().flat_map(|zone| &zone.units).filter(|unit| family.has(unit));
                let all = ranges.map(|range| (*range).to_owned()).chain(known.map(written));
                set(text, &format!("inside{}", family.suffix()), family, "who is not outside", all);
            }
        }
        for (n, zone) in zones.all.iter().enumerate().filter(|(n, _)| named.contains(n)) {
            for family in Family::BOTH {
                let elements = self.spelled(&zone.units, family);
                if !elements.is_empty() {
                    let name = format!("{}_{}", self.names[n], family.suffix());
                    set(text, &name, family, &zone_words(zone), elements);
                }
            }
        }
    }

    fn forward(&self, text: &mut String) {
        let directions = self.firewall.directions;
        text.push_str(
            "\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n\
             \t\tct state established,related accept\n",
        );
        for family in Family::BOTH {
            let (word, suffix) = (family.word(), family.suffix());
            if directions.has_egress() {
                let _ = writeln!(text, "\t\t{word} saddr @closed{suffix} goto needed");
            }
            if directions.has_ingress() {
                let _ = writeln!(text, "\t\t{word} daddr @closed{suffix} goto needed");
            }
        }
        text.push_str("\t}\n");
    }

    fn rules(&self, text: &mut String) {
        text.push_str("\n\tchain needed {\n");
        for rule in &self.firewall.rules {
            let _ = writeln!(text, "\t\t# {}", words::safe(&rule_words(self.firewall, rule)));
            for (protocol, port, told) in HELPED {
                if rule.protocol == protocol && rule.ports.iter().any(|range| range.contains(port)) {
                    let _ = writeln!(text, "\t\t# {told}, and needs a `ct helper`: see REVIEW.md");
                }
            }
            for family in Family::BOTH {
                if let Some(who) = self.who(rule, family) {
                    let _ = writeln!(text, "\t\t{who} {} counter accept", what(rule.protocol, rule, family));
                }
            }
        }
        text.push_str("\t\tgoto rest\n\t}\n");
    }

    /// Who may reach whom by a rule, in one family; none where nobody may.
    fn who(&self, rule: &Rule, family: Family) -> Option<String> {
        let word = family.word();
        match &rule.ways {
            Ways::Pairs(pairs) => {
                let pieces = |unit: &IpNet| self.firewall.zones.pieces(*unit);
                let pairs = pairs.iter().filter(|(client, _)| family.has(client));
                let pairs = pairs.flat_map(|(client, server)| {
                    let servers = pieces(server);
                    pieces(client).into_iter().flat_map(move |client| {
                        servers
                            .clone()
                            .into_iter()
                            .map(move |server| format!("{} . {}", written(&client), written(&server)))
                    })
                });
                let pairs: Vec<String> = pairs.collect();
                (!pairs.is_empty()).then(|| format!("{word} saddr . {word} daddr {}", braced(&pairs, "\t\t\t")))
            }
            Ways::Product(from, to) => {
                let from = self.side(from, rule.from, family)?;
                let to = self.side(to, rule.to, family)?;
                Some(format!("{word} saddr {from} {word} daddr {to}"))
            }
        }
    }

    /// Units of one family as nftables reads them, none of them with what is another's.
    fn spelled(&self, units: &BTreeSet<IpNet>, family: Family) -> Vec<String> {
        let own = units.iter().filter(|unit| family.has(unit));
        own.flat_map(|unit| self.firewall.zones.pieces(*unit)).map(|piece| written(&piece)).collect()
    }

    fn side(&self, side: &Side, zone: usize, family: Family) -> Option<String> {
        match side {
            Side::Anyone => Some(format!("!= @inside{}", family.suffix())),
            Side::Zone => {
                let own = self.firewall.zones.all.get(zone)?;
                let has_any = own.units.iter().any(|unit| family.has(unit));
                has_any.then(|| format!("@{}_{}", self.names[zone], family.suffix()))
            }
            Side::Units(units) => {
                let own = self.spelled(units, family);
                match &own[..] {
                    [] => None,
                    [one] => Some(one.clone()),
                    _ => Some(braced(&own, "\t\t\t")),
                }
            }
        }
    }
}

/// Whether a rule is open to anyone outside.
#[must_use]
pub fn is_open_to_anyone(rule: &Rule) -> bool {
    matches!(&rule.ways, Ways::Product(from, to) if *from == Side::Anyone || *to == Side::Anyone)
}

/// An address, or a range with its prefix.
fn written(unit: &IpNet) -> String {
    if unit.prefix_len() == unit.max_prefix_len() { unit.addr().to_string() } else { unit.to_string() }
}

fn set(text: &mut String, name: &str, family: Family, what: &str, elements: impl IntoIterator<Item = String>) {
    let elements: Vec<String> = elements.into_iter().collect();
    let _ = writeln!(text, "\n\t# {}\n\tset {name} {{\n\t\ttype {}", words::safe(what), family.kind());
    if elements.iter().any(|element| element.contains('/')) {
        text.push_str("\t\tflags interval\n\t\tauto-merge\n");
    }
    if !elements.is_empty() {
        let _ = writeln!(text, "\t\telements = {}", braced(&elements, "\t\t\t"));
    }
    text.push_str("\t}\n");
}

/// Elements in braces, a few in a line.
fn braced(elements: &[String], indent: &str) -> String {
    if elements.len() <= PER_LINE {
        return format!("{{ {} }}", elements.join(", "));
    }
    let lines: Vec<String> = elements.chunks(PER_LINE).map(|chunk| format!("{indent}{}", chunk.join(", "))).collect();
    let end = indent.strip_suffix('\t').unwrap_or_default();
    format!("{{\n{}\n{end}}}", lines.join(",\n"))
}

/// The protocol and its ports.
fn what(protocol: Protocol, rule: &Rule, family: Family) -> String {
    let name = match (protocol, family) {
        (Protocol::TCP, _) => "tcp",
        (Protocol::UDP, _) => "udp",
        (Protocol::SCTP, _) => "sctp",
        // the numbers, for the names differ from version to version
        (Protocol(number), _) => return format!("meta l4proto {number}"),
    };
    let ports: Vec<String> = rule.ports.iter().map(ToString::to_string).collect();
    match &ports[..] {
        [one] => format!("{name} dport {one}"),
        _ => format!("{name} dport {}", braced(&ports, "\t\t\t")),
    }
}
