//! Peers, ports and counts in words, for comments and the review.

use crate::{
    map,
    model::{Protocol, Timestamp},
    recommend::{Access, Evidence, Peer, Ports, Selector},
};

/// What a peer is called.
pub(super) fn peer(peer: &Peer, own_namespace: &str) -> String {
    match peer {
        Peer::Pods(pods) if pods.namespace == own_namespace => pods.name.clone(),
        Peer::Pods(pods) => format!("{}/{}", pods.namespace, pods.name),
        Peer::Address(address) => address.to_string(),
        Peer::NodeAddress(address) => format!("node address {address}"),
        Peer::Anyone { .. } => "anyone outside the cluster".into(),
    }
}

/// Names of one peer that are written out.
const MAX_NAMES: usize = 3;

/// What a peer is called, with what captures call its address.
pub(super) fn named(peer: &Peer, access: &Access, own_namespace: &str) -> String {
    let called = self::peer(peer, own_namespace);
    let names: Vec<&str> = access.names(peer).into_iter().map(|name| name.name.as_str()).collect();
    let (first, others) = names.split_at(names.len().min(MAX_NAMES));
    match (first, others.len()) {
        ([], _) => called,
        (_, 0) => format!("{called} ({})", first.join(", ")),
        (_, more) => format!("{called} ({} and {more} more)", first.join(", ")),
    }
}

pub(super) fn ports(ports: &Ports) -> String {
    ports.iter().map(|(protocol, port)| self::port(*protocol, *port)).collect::<Vec<_>>().join(", ")
}

pub(super) fn port(protocol: Protocol, port: u16) -> String {
    match map::port_name(protocol, port) {
        Some(name) => format!("{protocol}/{port} ({name})"),
        None => format!("{protocol}/{port}"),
    }
}

/// `3 connections`, `1 connection`.
pub(super) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// On what a rule rests, in a line.
pub(super) fn evidence<'e>(evidence: impl IntoIterator<Item = &'e Evidence>) -> String {
    let (mut connections, mut hours) = (0, 0);
    let mut span: Option<(Timestamp, Timestamp)> = None;
    let mut direction = None;
    for one in evidence {
        connections += one.connections;
        hours = hours.max(one.hours);
        let (first, last) = span.unwrap_or((one.first, one.last));
        span = Some((first.min(one.first), last.max(one.last)));
        direction = direction.max(Some(one.direction));
    }
    let (Some((first, last)), Some(direction)) = (span, direction) else {
        return "not seen itself".into();
    };
    let hours = count(hours as u64, "hour");
    let connections = count(connections, "connection");
    let direction = direction.as_str();
    let (first, last) = (minute(first), minute(last));
    let when = if first == last { first } else { format!("{first} to {last}") };
    format!("{connections} in {hours}, {when}, by {direction}")
}

/// A time to the minute: evidence is read by people.
pub(super) fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute}"),
        _ => text,
    }
}

/// A selector in a line.
pub(super) fn selector(selector: &Selector) -> String {
    let equal = selector.equal.0.iter().map(|(key, value)| format!("{key}={value}"));
    let any_of = selector
        .any_of
        .iter()
        .map(|(key, values)| format!("{key} in ({})", values.iter().cloned().collect::<Vec<_>>().join(", ")));
    let absent = selector.absent.iter().map(|key| format!("!{key}"));
    let all: Vec<_> = equal.chain(any_of).chain(absent).collect();
    if all.is_empty() { "all pods".into() } else { all.join(", ") }
}

/// Text for a comment or a table cell: one line, nothing that ends either.
pub(super) fn safe(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() || letter == '|' { ' ' } else { letter };
    text.chars().map(clean).collect()
}
