//! Why one connection is allowed or not, between all ends that two names stand for.

use std::net::IpAddr;

use foldhash::HashSet;
use serde::Serialize;

use super::{AddressRange, Classes, Dialled, End, Evaluator, Outside, PolicyType, Probe, Side, Verdict, addresses};
use crate::model::Protocol;

/// What is asked: who opens a connection to whom.
#[derive(Clone, Debug)]
pub struct Question {
    /// The client, as it was named.
    pub from: String,
    /// Who that is.
    pub clients: Clients,
    /// The server, as it was named.
    pub to: String,
    /// Who that is.
    pub servers: Servers,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, as it was asked for.
    pub port: u16,
}

impl Question {
    /// What sentences call both sides, where an address stands for the others of its range.
    fn aliases(&self) -> [Option<&'static str>; 2] {
        let is_external = [matches!(self.clients, Clients::External), matches!(self.servers, Servers::External)];
        is_external.map(|is_external| is_external.then_some("external"))
    }

    /// The pods that may open the connection, where they are named one by one.
    fn client_pods(&self) -> HashSet<(&str, &str)> {
        match &self.clients {
            Clients::Ends(ends) => pods(ends.iter()),
            Clients::External => HashSet::default(),
        }
    }

    /// The pods that may accept it.
    fn server_pods(&self) -> HashSet<(&str, &str)> {
        match &self.servers {
            Servers::Ends(servers) => pods(servers.iter().map(|server| &server.end)),
            Servers::External => HashSet::default(),
        }
    }
}

/// Those of ends that are one pod each.
fn pods<'e>(ends: impl Iterator<Item = &'e End>) -> HashSet<(&'e str, &'e str)> {
    let pod = |end: &'e End| match end {
        End::Pod(pod) => Some((pod.namespace.as_str(), pod.pod.as_deref()?)),
        End::Address(_) => None,
    };
    ends.filter_map(pod).collect()
}

/// Who opens the connection.
#[derive(Clone, Debug)]
pub enum Clients {
    /// These.
    Ends(Vec<End>),
    /// Anyone on the public Internet.
    External,
}

/// Who accepts it.
#[derive(Clone, Debug)]
pub enum Servers {
    /// These.
    Ends(Vec<Server>),
    /// Anyone on the public Internet.
    External,
}

/// A server and the port there: a Service's port leads to another one at each pod.
#[derive(Clone, Debug)]
pub struct Server {
    /// The end.
    pub end: End,
    /// The port there.
    pub port: u16,
    /// What was dialled, where that is a Service's address and port or a node's.
    pub dialled: Option<Dialled>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The client, as it was named.
    pub from: String,
    /// The server, as it was named.
    pub to: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, as it was asked for.
    pub port: u16,
    /// Whether it is allowed, from every client to every server that the names stand for.
    pub allowed: bool,
    /// The client's side, of the pair that is shown: the first that is denied, where any is, surely if possible.
    pub egress: Side,
    /// The server's side.
    pub ingress: Side,
    /// Why.
    pub reason: String,
    /// Whether what is known does not tell, of the pair that is shown: then it counts as denied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uncertain: bool,
    /// Where some of the ends are allowed and others not, how many or which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partly: Option<String>,
}

/// Answers a question. None where it is about nobody.
#[must_use]
pub fn explain(question: &Question, evaluator: &Evaluator<'_>, outside: &Outside) -> Option<Explanation> {
    let parties = Parties::new(question, evaluator, outside);
    let pairs = parties.pairs(question, evaluator);
    let mut denied = pairs.iter().filter(|pair| !pair.allowed);
    // where one is surely denied it is told, whatever is listed before
    let is_sure = |pair: &&Pair<'_>| !evaluator.evaluate(&pair.probe).uncertain();
    let shown = denied.clone().find(is_sure).or_else(|| denied.next()).or(pairs.first())?;
    let is_denied = pairs.iter().any(|pair| !pair.allowed);
    let partly = parties.partly(question, &pairs);
    let verdict = evaluator.evaluate(&shown.probe);
    let reason = reason(&verdict, &shown.probe);
    let reason = partly.as_ref().map(|partly| format!("{partly}; {reason}")).unwrap_or(reason);
    Some(Explanation {
        from: question.from.clone(),
        to: question.to.clone(),
        protocol: question.protocol,
        port: question.port,
        allowed: !is_denied,
        uncertain: verdict.uncertain(),
        egress: verdict.egress,
        ingress: verdict.ingress,
        reason,
        partly,
    })
}

/// Both sides, each kind of end once: a workload may have thousands of pods.
struct Parties {
    clients: Vec<End>,
    servers: Vec<Server>,
    /// The ranges that clients and servers stand for, where they are `external`.
    ranges: Vec<AddressRange>,
}

/// A client, a server, and whether the one reaches the other.
struct Pair<'p> {
    client: usize,
    server: usize,
    probe: Probe<'p>,
    allowed: bool,
}

impl Parties {
    fn new(question: &Question, evaluator: &Evaluator<'_>, outside: &Outside) -> Self {
        let ranges = outside.public();
        let anyone = || ranges.iter().map(|range| End::Address(range.first));
        let clients = match &question.clients {
            Clients::Ends(ends) => {
                distinct(evaluator, ends.iter().map(|end| (end, end.clone())), &question.server_pods())
            }
            Clients::External => anyone().collect(),
        };
        let servers = match &question.servers {
            Servers::Ends(servers) => {
                distinct(evaluator, servers.iter().map(|it| (&it.end, it.clone())), &question.client_pods())
            }
            Servers::External => anyone().map(|end| Server { end, port: question.port, dialled: None }).collect(),
        };
        Self { clients, servers, ranges }
    }

    /// All pairs between which a connection is possible; all there are where none is.
    fn pairs(&self, question: &Question, evaluator: &Evaluator<'_>) -> Vec<Pair<'_>> {
        let [from_alias, to_alias] = question.aliases();
        let clients = self.clients.iter().enumerate();
        let pairs = clients.flat_map(|from| self.servers.iter().enumerate().map(move |to| (from, to)));
        let (possible, others): (Vec<_>, Vec<_>) = pairs.partition(|((_, from), (_, to))| from.meets(&to.end));
        let pairs = if possible.is_empty() { others } else { possible };
        let mut judged = Vec::with_capacity(pairs.len());
        for ((client, from), (server, to)) in pairs {
            let probe = Probe::new(from, &to.end, question.protocol, to.port);
            let probe = Probe { dialled: to.dialled, from_alias, to_alias, ..probe };
            judged.push(Pair { client, server, probe, allowed: evaluator.allows(&probe) });
        }
        judged
    }

    /// Where some pairs are allowed and others not: from or to which ranges, else how many.
    fn partly(&self, question: &Question, pairs: &[Pair<'_>]) -> Option<String> {
        let denied = pairs.iter().filter(|pair| !pair.allowed).count();
        if denied == 0 || denied == pairs.len() {
            return None;
        }
        let open = |side: fn(&Pair<'_>) -> usize| {
            let closed: HashSet<usize> = pairs.iter().filter(|pair| !pair.allowed).map(side).collect();
            let open = self.ranges.iter().enumerate().filter(|(n, _)| !closed.contains(n));
            addresses::words(open.map(|(_, range)| *range))
        };
        let ranges = match (&question.clients, &question.servers) {
            (Clients::External, Servers::Ends(_)) => format!("allowed from {}", open(|pair| pair.client)),
            (Clients::Ends(_), Servers::External) => format!("allowed to {}", open(|pair| pair.server)),
            _ => String::new(),
        };
        let is_of_ranges = ranges.len() > "allowed from ".len();
        Some(if is_of_ranges { ranges } else { format!("{denied} of {} pairs are denied", pairs.len()) })
    }
}

/// Each kind of end once: a workload may have thousands of pods. What hangs on a node's or pod's address stays apart: its
/// family, its node, and a pod that may be at the `other` side as well, for it reaches itself.
fn distinct<'e, T>(
    evaluator: &Evaluator<'_>,
    all: impl Iterator<Item = (&'e End, T)>,
    others: &HashSet<(&str, &str)>,
) -> Vec<T> {
    let (ends, values): (Vec<End>, Vec<T>) = all.map(|(end, value)| (end.clone(), value)).unzip();
    let classes = Classes::new(evaluator, &ends);
    let mut seen = HashSet::default();
    let mut is_new = |n: usize| match &ends[n] {
        End::Pod(pod) => {
            let families: Vec<bool> = pod.addresses.iter().map(IpAddr::is_ipv4).collect();
            let itself = pod.pod.clone().filter(|name| others.contains(&(pod.namespace.as_str(), name.as_str())));
            seen.insert((classes.kind(n), pod.node.clone(), pod.host_network, families, itself))
        }
        End::Address(_) => true,
    };
    values.into_iter().enumerate().filter(|(n, _)| is_new(*n)).map(|(_, value)| value).collect()
}

/// The verdict in a sentence.
fn reason(verdict: &Verdict, probe: &Probe<'_>) -> String {
    if let Some(reason) = verdict.reason() {
        return reason;
    }
    if probe.is_always_allowed() {
        let who = if matches!((probe.from, probe.to), (End::Pod(a), End::Pod(b)) if a.pod == b.pod) {
            "a pod reaches itself"
        } else {
            "a pod and its own node reach each other"
        };
        return format!("{who} whatever the policies");
    }
    let sides = [(PolicyType::Egress, &verdict.egress), (PolicyType::Ingress, &verdict.ingress)];
    sides.map(|(direction, side)| side_words(direction, side)).join("; ")
}

fn side_words(direction: PolicyType, side: &Side) -> String {
    let direction = direction.as_str();
    if !side.isolated && side.rules.is_empty() {
        return format!("{direction} is not isolated");
    }
    let rules: Vec<String> = side.rules.iter().map(ToString::to_string).collect();
    format!("{direction} is allowed by {}", rules.join(", "))
}
