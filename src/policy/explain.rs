//! Why one connection is allowed or not, between all ends that two names stand for.

use serde::Serialize;

use super::{End, Evaluator, Outside, PodEnd, PolicyType, Probe, Side, Verdict, addresses};
use crate::model::Protocol;

/// What is asked: who opens a connection to whom.
#[derive(Clone, Debug)]
pub struct Question {
    /// The client, as it was named.
    pub from: String,
    /// All ends that the name stands for.
    pub clients: Clients,
    /// The server, as it was named.
    pub to: String,
    /// All ends that the name stands for.
    pub servers: Vec<Server>,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, as it was asked for.
    pub port: u16,
}

/// Who opens the connection.
#[derive(Clone, Debug)]
pub enum Clients {
    /// These.
    Ends(Vec<End>),
    /// Anyone on the public Internet.
    External,
}

/// Who accepts it, and at which port: a Service's port leads to another one at each pod.
#[derive(Clone, Debug)]
pub struct Server {
    /// The end.
    pub end: End,
    /// The port there.
    pub port: u16,
    /// The Service's address, where that is what was dialled.
    pub dialled: Option<std::net::IpAddr>,
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
    /// The client's side, of the pair that is shown: the first that is denied, where any is.
    pub egress: Side,
    /// The server's side.
    pub ingress: Side,
    /// Why.
    pub reason: String,
    /// Where some of the ends are allowed and others not, how many or which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partly: Option<String>,
}

/// Answers a question. None where it is about nobody.
#[must_use]
pub fn explain(question: &Question, evaluator: &Evaluator<'_>, outside: &Outside) -> Option<Explanation> {
    let by_address = evaluator.options.ipblock_matches_pods
        || question.servers.iter().any(|server| is_at_an_address(&server.end))
        || matches!(&question.clients, Clients::Ends(ends) if ends.iter().any(is_at_an_address));
    let ranges = outside.public();
    let clients: Vec<End> = match &question.clients {
        Clients::Ends(ends) => distinct(ends, by_address),
        Clients::External => ranges.iter().map(|range| End::Address(range.first)).collect(),
    };
    let mut pairs = Vec::new();
    let servers = distinct_servers(&question.servers, by_address);
    for (n, from) in clients.iter().enumerate() {
        for server in &servers {
            let probe = Probe {
                from,
                to: &server.end,
                protocol: question.protocol,
                port: server.port,
                dialled: server.dialled,
            };
            pairs.push((n, probe, evaluator.allows(&probe)));
        }
    }
    let (_, shown, _) = *pairs.iter().find(|(_, _, allowed)| !allowed).or(pairs.first())?;
    let denied = pairs.iter().filter(|(_, _, allowed)| !allowed).count();
    let is_mixed = denied > 0 && denied < pairs.len();
    let partly = is_mixed.then(|| match question.clients {
        Clients::External => {
            let is_open = |n: &usize| pairs.iter().all(|(client, _, allowed)| client != n || *allowed);
            let open = (0..ranges.len()).filter(is_open).map(|n| ranges[n]);
            format!("allowed from {}", addresses::words(open))
        }
        Clients::Ends(_) => format!("{denied} of {} pairs of pods are denied", pairs.len()),
    });
    let mut verdict = evaluator.evaluate(&shown);
    let mut reason = reason(&verdict, &shown);
    if let Clients::External = question.clients {
        // the address only stands for the others of its range
        let generic = |words: &str| words.replace(&shown.from.to_string(), &question.from);
        reason = generic(&reason);
        for miss in verdict.ingress.nearest.iter_mut().flat_map(|nearest| &mut nearest.misses) {
            *miss = generic(miss);
        }
    }
    let reason = partly.as_ref().map(|partly| format!("{partly}; {reason}")).unwrap_or(reason);
    Some(Explanation {
        from: question.from.clone(),
        to: question.to.clone(),
        protocol: question.protocol,
        port: question.port,
        allowed: denied == 0,
        egress: verdict.egress,
        ingress: verdict.ingress,
        reason,
        partly,
    })
}

/// Whether what policies say to an end may hang on addresses: those of its own, or of its node.
fn is_at_an_address(end: &End) -> bool {
    match end {
        End::Address(_) => true,
        End::Pod(pod) => pod.host_network,
    }
}

/// Each kind of pod once: a workload may have thousands.
fn distinct(ends: &[End], by_address: bool) -> Vec<End> {
    let mut seen: Vec<End> = Vec::new();
    let is_new = |end: &&End| {
        let like = likeness(end, by_address);
        let is_new = !seen.contains(&like);
        seen.extend(is_new.then_some(like));
        is_new
    };
    ends.iter().filter(is_new).cloned().collect()
}

fn distinct_servers(servers: &[Server], by_address: bool) -> Vec<&Server> {
    let mut seen: Vec<(End, u16)> = Vec::new();
    let is_new = |server: &&Server| {
        let like = (likeness(&server.end, by_address), server.port);
        let is_new = !seen.contains(&like);
        seen.extend(is_new.then_some(like));
        is_new
    };
    servers.iter().filter(is_new).collect()
}

/// An end without what policies do not look at.
fn likeness(end: &End, by_address: bool) -> End {
    match end {
        End::Pod(pod) if !by_address => End::Pod(PodEnd { addresses: Vec::new(), node: Vec::new(), ..pod.clone() }),
        end => end.clone(),
    }
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
    if !side.isolated {
        return format!("{direction} is not isolated");
    }
    let rules: Vec<String> = side.rules.iter().map(ToString::to_string).collect();
    format!("{direction} is allowed by {}", rules.join(", "))
}
