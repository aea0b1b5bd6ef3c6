//! What of the past makes a reader look twice at a proposal: where needed traffic may be left out, and what is not needed let in.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    inventory::Directory,
    model::{
        Dependency, Direction, Mark, Outcome, Party, PartyKind, Protocol, Span, carried_nothing, well_known, words,
    },
    policy::Finding,
};

/// Bytes each way that opening and closing a connection of TCP take at most: a SYN, acknowledgements and a FIN, with IPv6 and
/// timestamps.
const MOST_WITHOUT_DATA: u64 = 300;

/// Connections with data both ways that make no rule, for they look like a part of a sweep: how many of each client.
pub(super) fn swept<'d>(dependencies: impl IntoIterator<Item = &'d Dependency>) -> BTreeMap<String, u64> {
    counted(dependencies.into_iter().filter(|dependency| is_swept(dependency)))
}

fn is_swept(dependency: &Dependency) -> bool {
    let Dependency { protocol, packets, connections, bytes_to_server, bytes_to_client, .. } = *dependency;
    let is_answered = matches!(dependency.outcome, Outcome::Established | Outcome::Midstream);
    let is_counted = bytes_to_server > 0 || bytes_to_client > 0;
    let has_data = match protocol {
        Protocol::TCP if is_counted => {
            bytes_to_server.min(bytes_to_client) > MOST_WITHOUT_DATA.saturating_mul(connections)
        }
        _ => !carried_nothing(protocol, packets, connections),
    };
    dependency.marks.contains(&Mark::Scan) && is_answered && has_data
}

/// Connections that make a rule by answers alone, though both ways of their clients were captured elsewhere: how many of each
/// client. Answers can be forged.
pub(super) fn unasked<'d>(dependencies: impl IntoIterator<Item = &'d Dependency>) -> BTreeMap<String, u64> {
    let needed: Vec<&Dependency> = dependencies.into_iter().filter(|it| it.unneeded().is_none()).collect();
    let both_ways = |it: &&&Dependency| it.bytes_to_server > 0 && it.bytes_to_client > 0;
    let heard: BTreeSet<(PartyKind, &str)> =
        needed.iter().filter(both_ways).flat_map(|it| [who(&it.client), who(&it.server)]).collect();
    let is_unasked = |it: &&Dependency| {
        let is_answer = it.protocol.has_ports() && it.bytes_to_server == 0 && it.bytes_to_client > 0;
        is_answer && it.direction != Direction::Unknown && heard.contains(&who(&it.client))
    };
    counted(needed.iter().copied().filter(is_unasked))
}

/// Between whom there is a rule, though the inventory does not know the server behind the Service that was dialled.
pub(super) fn led_elsewhere<'d>(dependencies: impl IntoIterator<Item = &'d Dependency>) -> BTreeSet<String> {
    let led = dependencies.into_iter().filter(|it| makes_rule(it)).filter_map(|it| {
        let disputed = it.via.iter().filter(|via| via.disputed).filter_map(|via| via.service.as_deref());
        let services: BTreeSet<&str> = disputed.collect();
        let services = services.into_iter().collect::<Vec<_>>().join(", ");
        (!services.is_empty()).then(|| format!("{} by way of {services}", pair(it)))
    });
    led.collect()
}

/// Between whom a rule rests on nothing but connections of which an end is a guess: by the time of the first of them its pods were last
/// seen before, and the next list lacks them.
pub(super) fn guessed<'d>(
    dependencies: impl IntoIterator<Item = &'d Dependency>,
    directory: &Directory,
) -> BTreeSet<String> {
    let is_guessed = |party: &Party, span: Span| {
        let of = |workload| party.addresses.iter().all(|address| directory.is_guessed(*address, &workload, span));
        party.workload().is_some_and(of)
    };
    let rules = dependencies.into_iter().filter(|it| makes_rule(it));
    rules.filter(|it| is_guessed(&it.client, it.span) || is_guessed(&it.server, it.span)).map(pair).collect()
}

fn makes_rule(dependency: &Dependency) -> bool {
    let is_known = [&dependency.client, &dependency.server].iter().all(|party| party.kind != PartyKind::Unknown);
    is_known && dependency.unneeded().is_none() && dependency.direction != Direction::Unknown
}

/// Both ends, in words.
fn pair(dependency: &Dependency) -> String {
    let Dependency { client, server, protocol, port, .. } = dependency;
    format!("{} -> {} on {}", client.name, server.name, words::port(*protocol, *port))
}

fn who(party: &Party) -> (PartyKind, &str) {
    (party.kind, &party.name)
}

/// Servers of FTP: which port its data takes they say in the control connection (RFC 959, section 3.2), another each time.
pub(super) fn ftp<'d>(dependencies: impl IntoIterator<Item = &'d Dependency>) -> BTreeSet<String> {
    let is_control = |it: &&Dependency| {
        (it.protocol, it.port) == (Protocol::TCP, well_known::FTP_CONTROL) && it.unneeded().is_none()
    };
    let controls = dependencies.into_iter().filter(is_control).filter(|it| it.direction != Direction::Unknown);
    controls.map(|it| it.server.name.clone()).collect()
}

/// Servers of TFTP: they answer from a port of their choice, another for each transfer (RFC 1350, section 4).
pub(super) fn tftp<'d>(dependencies: impl IntoIterator<Item = &'d Dependency>) -> BTreeSet<String> {
    let is_asked = |it: &&Dependency| (it.protocol, it.port) == (Protocol::UDP, well_known::TFTP);
    // no answer comes from that port, and a transfer may be asked for by one datagram
    let is_use = |it: &&Dependency| it.outcome.is_needed() && !it.marks.contains(&Mark::Scan);
    let asked = dependencies.into_iter().filter(is_asked).filter(is_use);
    let known = asked.filter(|it| it.direction != Direction::Unknown && it.server.kind != PartyKind::Multicast);
    known.map(|it| it.server.name.clone()).collect()
}

/// Connections that are denied when they are opened again: how many of each client, server and port.
pub(super) fn outlasting(denied: &[Finding]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for Finding { from, to, protocol, port, connections, .. } in denied {
        *counts.entry(format!("{from} -> {to} on {}", words::port(*protocol, *port))).or_default() += connections;
    }
    counts
}

fn counted<'d>(dependencies: impl Iterator<Item = &'d Dependency>) -> BTreeMap<String, u64> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for Dependency { client, connections, .. } in dependencies {
        let count = counts.entry(client.name.clone()).or_default();
        *count = count.saturating_add(*connections);
    }
    counts
}
