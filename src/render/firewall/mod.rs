//! Rules between hosts as documents: for nftables, and their review.

mod nftables;
mod review;

pub use nftables::{is_open_to_anyone, nftables};
pub use review::{FIREWALL_REVIEW, FirewallFacts, firewall_review, strangers_words};

use super::words;
use crate::{
    firewall::{Beyond, Evidence, Firewall, Rule, Side, Ways, Zone, ZoneKind, extra},
    model::words::count,
};

/// A zone in words.
fn zone_words(zone: &Zone) -> String {
    match zone.kind {
        ZoneKind::Hosts(tier) if zone.name == tier.as_str() => {
            format!("tier {tier}: {}", count(zone.hosts.len() as u64, "host"))
        }
        ZoneKind::Hosts(tier) => format!("{} ({tier}): {}", zone.name, count(zone.hosts.len() as u64, "host")),
        ZoneKind::Cluster => "pods, Services and nodes of the cluster".to_owned(),
        _ => zone.name.clone(),
    }
}

/// What a rule lets pass, and on what evidence, in a line.
fn rule_words(firewall: &Firewall, rule: &Rule) -> String {
    let name = |zone: usize| firewall.zones.all.get(zone).map_or("", |zone| zone.name.as_str());
    let Evidence { connections, first, last, direction } = rule.evidence;
    let when = if last.hour().is_named() {
        format!(", {} to {}", words::minute(first), words::minute(last))
    } else {
        String::new()
    };
    let widened = widened(firewall, rule).map(|words| format!("; WIDENED: {words}")).unwrap_or_default();
    format!(
        "{} -> {} on {}: {}{when}, by {}{widened}",
        name(rule.from),
        name(rule.to),
        ports_words(rule),
        count(connections, "connection"),
        direction.as_str()
    )
}

/// `TCP/80, 443`; `ICMP` where a protocol has no ports.
#[must_use]
pub fn ports_words(rule: &Rule) -> String {
    if !rule.protocol.has_ports() {
        return rule.protocol.to_string();
    }
    let ports: Vec<String> = rule.ports.iter().map(ToString::to_string).collect();
    format!("{}/{}", rule.protocol, ports.join(", "))
}

/// What a rule lets pass beyond what was seen.
fn widened(firewall: &Firewall, rule: &Rule) -> Option<String> {
    let mut all = Vec::new();
    if let Ways::Product(from, to) = &rule.ways {
        let is_cluster = |side: &Side, zone| *side == Side::Zone && firewall.zones.kind(zone) == ZoneKind::Cluster;
        if *from == Side::Anyone || *to == Side::Anyone {
            all.push("anyone outside".to_owned());
        }
        if is_cluster(from, rule.from) || is_cluster(to, rule.to) {
            all.push("all of the cluster, whose pods change their addresses".to_owned());
        }
    }
    if rule.handed_out > 0 {
        all.push(format!(
            "{} seen that a server hands out, the range they lie in",
            count(rule.handed_out as u64, "port")
        ));
    }
    for (why, ways) in &rule.beyond {
        let pairs = count(*ways as u64, "pair");
        let (are, ask) = if *ways == 1 { ("is", "asks") } else { ("are", "ask") };
        all.push(match why {
            Beyond::Balanced => {
                format!("{pairs} {are} not seen: the address that was dialled has several servers behind it")
            }
            Beyond::Peers => {
                format!("{pairs} {are} not seen to begin: both send, and after a silence either may be the first")
            }
            Beyond::LongAnswers => {
                format!("{pairs} {ask} by UDP/53: by TCP comes what is too long for a datagram (RFC 7766)")
            }
        });
    }
    let extra = extra(firewall, rule).unwrap_or_default();
    if extra > 0 {
        all.push(format!("{} not seen, beside {} seen", count(extra, "way"), rule.needed));
    }
    (!all.is_empty()).then(|| all.join("; "))
}
