//! Peers, ports and counts in words, for comments and the review.

use ipnet::IpNet;
use serde_json::Value;

pub(super) use crate::model::words::{count, length};

use crate::{
    map,
    model::{self, AskedFor, PortRange, Protocol, ServiceKind, Timestamp, visible},
    policy::PolicyType,
    recommend::{Access, Evidence, Peer, Ports, Purpose, Selector, Sum, Widened},
};

/// What a peer is called.
pub(super) fn peer(peer: &Peer, own_namespace: &str) -> String {
    match peer {
        Peer::Pods(pods) if pods.namespace == own_namespace => pods.name.clone(),
        Peer::Pods(pods) => format!("{}/{}", pods.namespace, pods.name),
        Peer::Addresses(range) if range.prefix_len() == range.max_prefix_len() => range.addr().to_string(),
        Peer::Addresses(range) => range.to_string(),
        Peer::NodeAddress(address) => format!("node address {address}"),
        // where both families are open each has a line
        Peer::Anyone { all: IpNet::V6(all), .. } if all.prefix_len() == 0 => {
            "anyone outside the cluster by IPv6".into()
        }
        Peer::Anyone { all, .. } if all.prefix_len() == 0 => "anyone outside the cluster".into(),
        Peer::Anyone { all, .. } => format!("anyone of {all}"),
        Peer::EveryPod => "every pod of the cluster".into(),
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
    ports.iter().map(|(protocol, port)| ports_of_one(*protocol, *port)).collect::<Vec<_>>().join(", ")
}

/// Protocol and port, with what a mesh uses it for.
pub(super) fn port(protocol: Protocol, port: u16) -> String {
    let plain = model::words::port(protocol, port);
    match map::port_name(protocol, port) {
        Some(name) => format!("{plain} ({name})"),
        None => plain,
    }
}

pub(super) fn ports_of_one(protocol: Protocol, range: PortRange) -> String {
    if range.first == range.last { port(protocol, range.first) } else { format!("{protocol}/{range}") }
}

/// On what a rule rests, in a line.
pub(super) fn evidence<'e>(evidence: impl IntoIterator<Item = &'e Evidence>) -> String {
    let Some(sum) = Sum::of(evidence) else { return "not seen itself".into() };
    let hours = count(sum.hours as u64, "hour");
    let days = if sum.days > 1 { format!(" of {} days", sum.days) } else { String::new() };
    let connections = count(sum.connections, "connection");
    let direction = sum.direction.as_str();
    let (first, last) = (minute(sum.span.first), minute(sum.span.last));
    let when = if first == last { first } else { format!("{first} to {last}") };
    if !sum.span.last.hour().is_named() {
        return format!("{connections}, when was not told, by {direction}");
    }
    format!("{connections} in {hours}{days}, {when}, by {direction}")
}

/// On what a rule rests, what it is for, and what it allows besides.
pub(super) fn access(access: &Access) -> String {
    let mut parts = vec![evidence(&access.evidence)];
    parts.extend(access.purposes.iter().map(purpose));
    parts.extend(access.widened.iter().map(widened));
    parts.join("; ")
}

/// What traffic is for.
pub(super) fn purpose(purpose: &Purpose) -> String {
    match purpose {
        Purpose::Dns => "name resolution".into(),
        Purpose::NodeLocalDns => "name resolution by the node's own cache".into(),
        Purpose::Scrape => "metrics are read".into(),
        Purpose::Exposed { service, kind } => {
            let how = match kind {
                ServiceKind::LoadBalancer => "LoadBalancer",
                ServiceKind::NodePort => "NodePort",
                ServiceKind::ClusterIp | ServiceKind::ExternalName => "external address",
            };
            format!("exposed by {how} {service}")
        }
        Purpose::BehindIngress { ingress, class } => {
            format!("exposed by the Ingress {ingress} ({class}), whose load balancer dials the pods themselves")
        }
        Purpose::PastIngress => "an Ingress leads there, and it came past any controller in the cluster".into(),
        Purpose::HostPort => "opened by its node (hostPort)".into(),
        Purpose::IngressController => "through the Ingress controller".into(),
        Purpose::AmbientProbe => "health checks of its node, as they come to pods of Istio's ambient mode".into(),
        Purpose::ApiServer => "the API server".into(),
        Purpose::NodeAgent { workload } => {
            format!("as the DaemonSet {workload} may do from the network of each of its nodes")
        }
        Purpose::Webhook { configuration, asked_for } => match asked_for {
            AskedFor::Admission => format!("the API server asks the admission webhook {configuration}"),
            AskedFor::Conversion => format!("the API server has objects of {configuration} converted"),
            AskedFor::Api => format!("the API server hands on what is asked of {configuration}"),
        },
    }
}

/// What a rule allows beyond what was seen.
pub(super) fn widened(widened: &Widened) -> String {
    match widened {
        Widened::Prefix { seen, extra } => {
            let (seen, extra) = (count(*seen, "address"), u64::try_from(*extra).unwrap_or(u64::MAX));
            format!("WIDENED: {seen} seen, the prefix lets in {extra} more")
        }
        Widened::DynamicPorts { seen } => {
            format!("WIDENED: {} seen that come and go, allowed is the range they lie in", count(*seen as u64, "port"))
        }
        Widened::Members { seen, of } => format!("WIDENED: {seen} of {of} pairs seen"),
        Widened::EveryPod => "WIDENED: every pod of the cluster may ask, seen or not: all need names".into(),
        Widened::Unseen => "in part not seen itself: the same need at another address or time".into(),
    }
}

/// A time to the minute: evidence is read by people.
#[must_use]
pub fn minute(time: Timestamp) -> String {
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

/// Text for a comment or a table cell: one line, nothing that ends either, nothing that hides or turns text.
#[must_use]
pub fn safe(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() || letter == '|' { ' ' } else { letter };
    visible(&text.chars().map(clean).collect::<String>()).into_owned()
}

/// Markdown without HTML, links and pictures, but in blocks of code: names from the network are none, and nothing of ours is.
#[must_use]
pub fn without_markup(text: &str) -> String {
    let mut is_code = false;
    let mut plain = String::new();
    for line in text.split_inclusive('\n') {
        is_code ^= line.starts_with("```");
        if is_code { plain.push_str(line) } else { plain.push_str(&line.replace('<', "\\<").replace("](", "]\\(")) }
    }
    plain
}

/// A text as one word of a shell: nothing in it means anything to the shell.
#[must_use]
pub fn always_quoted(text: &str) -> String {
    format!("'{}'", safe(text).replace('\'', "'\\''"))
}

/// A text as one word of a shell, in quotes only where it needs them.
#[must_use]
pub fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._/-".contains(letter);
    let is_word = !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain);
    if is_word { text.to_owned() } else { always_quoted(text) }
}

/// One permission of a policy, as a person may have written it.
pub(super) fn permission(side: PolicyType, atom: &super::draft::Atom) -> String {
    let (peer, port) = (any_peer(&atom.peer), any_port(&atom.port));
    safe(&format!("{} {} {peer} on {port}", side.as_str(), side.preposition()))
}

pub(super) fn any_peer(peer: &Value) -> String {
    if peer.is_null() {
        return "anyone".into();
    }
    if let Some(cidr) = peer["ipBlock"]["cidr"].as_str() {
        let except = peer["ipBlock"]["except"].as_array().map_or(0, Vec::len);
        return if except > 0 { format!("{cidr} but for {}", count(except as u64, "range")) } else { cidr.into() };
    }
    let pods = any_selector(&peer["podSelector"]);
    match peer.get("namespaceSelector") {
        Some(namespaces) => format!("{pods} in namespaces with {}", any_selector(namespaces)),
        None => pods,
    }
}

pub(super) fn any_selector(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut all: Vec<String> = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("?"))).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let word = |field: &str| expression[field].as_str().unwrap_or("?").to_owned();
        let values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        all.push(format!("{} {} {}", word("key"), word("operator"), values.join(", ")).trim_end().to_owned());
    }
    if all.is_empty() { "all pods".into() } else { all.join(", ") }
}

pub(super) fn any_port(port: &Value) -> String {
    if port.is_null() {
        return "all ports".into();
    }
    let number = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    match (&port["port"], &port["endPort"]) {
        (Value::Null, _) => format!("all {protocol} ports"),
        (first, Value::Null) => format!("{protocol}/{}", number(first)),
        (first, last) => format!("{protocol}/{}-{last}", number(first)),
    }
}
