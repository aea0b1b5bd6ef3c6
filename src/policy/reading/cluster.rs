//! A policy of a whole cluster from an object, as an API server with the definitions of `policy.networking.k8s.io` takes it.
//!
//! The versions say the same in different words: [`Dialect`] has where they differ.

use serde_json::Value;

use super::{
    cidr,
    fault::{Fault, Reason},
    field::{Field, Fields},
    parse::{PROTOCOL_NAMES, PROTOCOLS, cluster_wide_name, port_number, selector, word},
};
use crate::{
    model::Protocol,
    policy::{
        Action, ClusterKind, ClusterPeer, ClusterPolicy, ClusterRule, PodsOf, PolicyType, Port, PortMatch, Selector,
        Tier,
    },
};

/// The group of these kinds; another maker's kind of the same name is another one.
const GROUP: &str = "policy.networking.k8s.io";

/// The highest priority.
const MAX_PRIORITY: i64 = 1_000;

/// Networks and names in one peer.
const MAX_ADDRESSES: usize = 25;

/// Letters of a rule's name.
const MAX_NAME: usize = 100;

/// Letters of a network.
const MAX_CIDR: usize = 43;

/// The one name that a `BaselineAdminNetworkPolicy` may have: there is no second.
const BASELINE_NAME: &str = "default";

/// The words of one kind in one version.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    kind: ClusterKind,
    actions: (&'static [&'static str], &'static [Action]),
    /// What peers of egress rules may be.
    egress_peers: &'static [&'static str],
    /// The field of a rule that holds its ports.
    ports: &'static str,
    /// Rules in a direction, peers of a rule, ports of a rule.
    most: usize,
    /// Whether networks may have no bits beyond their prefix.
    is_exact: bool,
}

const PEERS: &[&str] = &["namespaces", "pods"];
const PEERS_OUTSIDE: &[&str] = &["namespaces", "pods", "nodes", "networks"];
const PEERS_BY_NAME: &[&str] = &["namespaces", "pods", "nodes", "networks", "domainNames"];

const ADMIN: Dialect = Dialect {
    kind: ClusterKind::Admin,
    actions: (&["Allow", "Deny", "Pass"], &[Action::Accept, Action::Deny, Action::Pass]),
    egress_peers: PEERS_BY_NAME,
    ports: "ports",
    most: 100,
    is_exact: false,
};

const BASELINE: Dialect = Dialect {
    kind: ClusterKind::BaselineAdmin,
    actions: (&["Allow", "Deny"], &[Action::Accept, Action::Deny]),
    egress_peers: PEERS_OUTSIDE,
    ..ADMIN
};

const CLUSTER: Dialect = Dialect {
    kind: ClusterKind::Cluster,
    actions: (&["Accept", "Deny", "Pass"], &[Action::Accept, Action::Deny, Action::Pass]),
    ports: "protocols",
    most: 25,
    ..ADMIN
};

const CLUSTER_EXACT: Dialect = Dialect { is_exact: true, ..CLUSTER };

/// How an object is read; none where it is of another kind, or of a version that is not known here.
pub(super) fn dialect(kind: &str, api_version: &str) -> Option<Dialect> {
    let (group, version) = api_version.split_once('/')?;
    match (kind, version) {
        _ if group != GROUP => None,
        ("AdminNetworkPolicy", "v1alpha1") => Some(ADMIN),
        ("BaselineAdminNetworkPolicy", "v1alpha1") => Some(BASELINE),
        ("ClusterNetworkPolicy", "v1alpha2") => Some(CLUSTER),
        ("ClusterNetworkPolicy", "v1beta1") => Some(CLUSTER_EXACT),
        _ => None,
    }
}

/// Reads an object.
pub(super) fn cluster_policy(object: &Value, dialect: Dialect) -> Result<ClusterPolicy, Fault> {
    let object = Field::root(object).fields(&["apiVersion", "kind", "metadata", "spec", "status"])?;
    let metadata = object.require("metadata")?;
    let name = cluster_wide_name(&metadata)?;
    if dialect.kind == ClusterKind::BaselineAdmin && name != BASELINE_NAME {
        return Err(Fault::at("metadata.name", Reason::Expected { found: name, expected: BASELINE_NAME }));
    }
    let spec = object.require("spec")?;
    let spec = spec.fields(match dialect.kind {
        ClusterKind::Admin => &["priority", "subject", "ingress", "egress"],
        ClusterKind::BaselineAdmin => &["subject", "ingress", "egress"],
        ClusterKind::Cluster => &["tier", "priority", "subject", "ingress", "egress"],
    })?;
    let tier = match dialect.kind {
        ClusterKind::Admin => Tier::Admin,
        ClusterKind::BaselineAdmin => Tier::Baseline,
        ClusterKind::Cluster => word(&spec.require("tier")?, &["Admin", "Baseline"], &[Tier::Admin, Tier::Baseline])?,
    };
    let priority = match dialect.kind {
        ClusterKind::BaselineAdmin => 0,
        _ => priority(&spec.require("priority")?)?,
    };
    Ok(ClusterPolicy {
        tier,
        priority,
        kind: dialect.kind,
        name,
        subject: subject(&spec.require("subject")?, dialect)?,
        ingress: rules(&spec, PolicyType::Ingress, dialect)?,
        egress: rules(&spec, PolicyType::Egress, dialect)?,
    })
}

fn priority(field: &Field) -> Result<u16, Fault> {
    let number = field.integer()?;
    let is_good = (0..=MAX_PRIORITY).contains(&number);
    u16::try_from(number).ok().filter(|_| is_good).ok_or_else(|| field.fault(Reason::Priority(number)))
}

/// The one field of an object that may have several.
fn one<'a>(field: &Field<'a>, known: &'static [&'static str]) -> Result<(&'a str, Field<'a>), Fault> {
    field.fields(known)?.only().map_err(|found| field.fault(Reason::NotOne { known, found }))
}

/// The items of a list that must have so many.
fn items<'a>(field: &Field<'a>, least: usize, most: usize) -> Result<Vec<Field<'a>>, Fault> {
    let items = field.list()?;
    let found = items.len();
    if (least..=most).contains(&found) { Ok(items) } else { Err(field.fault(Reason::Length { found, least, most })) }
}

fn subject(field: &Field, dialect: Dialect) -> Result<PodsOf, Fault> {
    match one(field, PEERS)? {
        ("namespaces", field) => Ok(PodsOf { namespaces: selector(&field)?, pods: Selector::default() }),
        (_, field) => pods(&field, dialect),
    }
}

fn pods(field: &Field, dialect: Dialect) -> Result<PodsOf, Fault> {
    let fields = field.fields(&["namespaceSelector", "podSelector"])?;
    // the newer kind takes all namespaces where none are said
    let namespaces = match (fields.get("namespaceSelector"), dialect.kind) {
        (Some(field), _) => selector(&field)?,
        (None, ClusterKind::Cluster) => Selector::default(),
        (None, _) => return Err(fields.fault("namespaceSelector", Reason::Missing)),
    };
    Ok(PodsOf { namespaces, pods: selector(&fields.require("podSelector")?)? })
}

fn rules(spec: &Fields, direction: PolicyType, dialect: Dialect) -> Result<Vec<ClusterRule>, Fault> {
    let Some(field) = spec.get(direction.as_str()) else { return Ok(Vec::new()) };
    items(&field, 0, dialect.most)?.iter().map(|field| rule(field, direction, dialect)).collect()
}

fn rule(field: &Field, direction: PolicyType, dialect: Dialect) -> Result<ClusterRule, Fault> {
    let (known, peers, kinds): (&'static [_], _, _) = match (direction, dialect.ports) {
        (PolicyType::Ingress, "ports") => (&["name", "action", "from", "ports"], "from", PEERS),
        (PolicyType::Ingress, _) => (&["name", "action", "from", "protocols"], "from", PEERS),
        (PolicyType::Egress, "ports") => (&["name", "action", "to", "ports"], "to", dialect.egress_peers),
        (PolicyType::Egress, _) => (&["name", "action", "to", "protocols"], "to", dialect.egress_peers),
    };
    let fields = field.fields(known)?;
    let name = fields.get("name").map(|field| name(&field)).transpose()?;
    let (words, actions) = dialect.actions;
    let action = word(&fields.require("action")?, words, actions)?;
    let listed = items(&fields.require(peers)?, 1, dialect.most)?;
    let peers: Vec<ClusterPeer> = listed.iter().map(|field| peer(field, kinds, dialect)).collect::<Result<_, _>>()?;
    let ports = fields.get(dialect.ports);
    let listed = ports.map(|field| items(&field, 1, dialect.most)).transpose()?.unwrap_or_default();
    let read = |field| if dialect.ports == "ports" { port(field) } else { protocol(field) };
    let ports: Vec<Port> = listed.iter().map(read).collect::<Result<Vec<_>, _>>()?.concat();
    let has_name = ports.iter().any(|port| matches!(port.ports, PortMatch::Named(_)));
    if has_name && peers.iter().any(|peer| peer.pods().is_none()) {
        return Err(fields.fault(dialect.ports, Reason::NamedPortOutside));
    }
    Ok(ClusterRule { name: name.filter(|name| !name.is_empty()), action, peers, ports })
}

fn name(field: &Field) -> Result<String, Fault> {
    let name = field.text()?;
    let form = "a text of 100 letters at most";
    if name.chars().count() <= MAX_NAME {
        Ok(name.to_owned())
    } else {
        Err(field.fault(Reason::Form { word: name.chars().take(MAX_NAME).collect(), form }))
    }
}

fn peer(field: &Field, kinds: &'static [&'static str], dialect: Dialect) -> Result<ClusterPeer, Fault> {
    match one(field, kinds)? {
        ("namespaces", field) => {
            Ok(ClusterPeer::Pods(PodsOf { namespaces: selector(&field)?, pods: Selector::default() }))
        }
        ("pods", field) => Ok(ClusterPeer::Pods(pods(&field, dialect)?)),
        ("nodes", field) => Ok(ClusterPeer::Nodes(selector(&field)?)),
        ("networks", field) => {
            let network = |item: &Field| {
                let text = item.text()?;
                let is_short = text.len() <= MAX_CIDR;
                let net = if is_short { cidr::parse_any(text, dialect.is_exact) } else { Err(no_cidr(text)) };
                net.map(|net| (text.to_owned(), net)).map_err(|reason| item.fault(reason))
            };
            Ok(ClusterPeer::Networks(distinct(&field, network)?))
        }
        (_, field) => {
            let form = "a domain name such as kubernetes.io or *.kubernetes.io";
            let domain = |item: &Field| {
                let text = item.text()?;
                let name = text.to_owned();
                if is_domain(text) {
                    Ok((name.clone(), name))
                } else {
                    Err(item.fault(Reason::Form { word: name.chars().take(MAX_DOMAIN).collect(), form }))
                }
            };
            Ok(ClusterPeer::Names(distinct(&field, domain)?))
        }
    }
}

/// Letters that are told of a domain which is none.
const MAX_DOMAIN: usize = 253;

fn no_cidr(text: &str) -> Reason {
    Reason::NoCidr(text.chars().take(MAX_CIDR).collect())
}

/// The values of a list that has each text once.
fn distinct<T>(field: &Field, read: impl Fn(&Field) -> Result<(String, T), Fault>) -> Result<Vec<T>, Fault> {
    let (mut texts, mut values) = (std::collections::BTreeSet::new(), Vec::new());
    for item in items(field, 1, MAX_ADDRESSES)? {
        let (text, value) = read(&item)?;
        if !texts.insert(text.clone()) {
            return Err(item.fault(Reason::Twice(text)));
        }
        values.push(value);
    }
    Ok(values)
}

/// Whether a text is a domain, which a `*` may stand before, in two parts at least.
fn is_domain(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_part = |part: &str| {
        let (first, last) = (part.bytes().next(), part.bytes().last());
        [first, last].into_iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.split('.').count() >= 2 && name.split('.').all(is_part)
}

/// An entry of `ports`: a number, a range or a name, which may be of any protocol.
fn port(field: &Field) -> Result<Vec<Port>, Fault> {
    let of = |fields: &Fields| {
        let named = fields.get("protocol").map(|field| word(&field, PROTOCOL_NAMES, &PROTOCOLS)).transpose()?;
        Ok(named.unwrap_or(Protocol::TCP))
    };
    match one(field, &["portNumber", "namedPort", "portRange"])? {
        ("portNumber", field) => {
            let fields = field.fields(&["protocol", "port"])?;
            let number = port_number(&fields.require("port")?)?;
            Ok(vec![Port { protocol: of(&fields)?, ports: PortMatch::Range(number, number) }])
        }
        ("portRange", field) => {
            let fields = field.fields(&["protocol", "start", "end"])?;
            Ok(vec![Port { protocol: of(&fields)?, ports: range(&fields)? }])
        }
        (_, field) => Ok(named(field.text()?)),
    }
}

/// An entry of `protocols`.
fn protocol(field: &Field) -> Result<Vec<Port>, Fault> {
    let (protocol, field) = match one(field, &["tcp", "udp", "sctp", "destinationNamedPort"])? {
        ("tcp", field) => (Protocol::TCP, field),
        ("udp", field) => (Protocol::UDP, field),
        ("sctp", field) => (Protocol::SCTP, field),
        (_, field) => return Ok(named(field.text()?)),
    };
    // all ports of a protocol nobody can ask for: the object may not be empty
    let (_, field) = one(&field, &["destinationPort"])?;
    let ports = match one(&field, &["number", "range"])? {
        ("number", field) => {
            let number = port_number(&field)?;
            PortMatch::Range(number, number)
        }
        (_, field) => range(&field.fields(&["start", "end"])?)?,
    };
    Ok(vec![Port { protocol, ports }])
}

fn range(fields: &Fields) -> Result<PortMatch, Fault> {
    let (start, end) = (port_number(&fields.require("start")?)?, port_number(&fields.require("end")?)?);
    if start < end {
        Ok(PortMatch::Range(start, end))
    } else {
        Err(fields.fault("end", Reason::EndNotAbove { start, end }))
    }
}

fn named(name: &str) -> Vec<Port> {
    PROTOCOLS.map(|protocol| Port { protocol, ports: PortMatch::Named(name.to_owned()) }).into()
}
