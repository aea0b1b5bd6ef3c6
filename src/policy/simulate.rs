//! The past held against policies: what was allowed would still be, what would break, and what cannot be told.

use std::{collections::BTreeMap, net::IpAddr};

use serde::Serialize;

use super::{End, Evaluator, PodEnd, Probe};
use crate::model::{Cluster, Dependency, Direction, Mark, Party, PartyKind, Pod, WorkloadRef};

/// What policies would have done to connections that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Simulation {
    /// Connections that somebody needs: established, mid-stream or one-way.
    pub connections: u64,
    /// Those allowed.
    pub allowed: u64,
    /// Those denied.
    pub denied: u64,
    /// Those of which it cannot be told.
    pub uncertain: u64,
    /// Attempts that failed or were part of a scan, and would now be denied.
    pub also_closed: u64,
    /// Every denied and every uncertain dependency.
    pub findings: Vec<Finding>,
}

/// A dependency that would break, or may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The client.
    pub from: String,
    /// The server.
    pub to: String,
    /// The protocol.
    pub protocol: crate::model::Protocol,
    /// The server's port.
    pub port: u16,
    /// Connections concerned.
    pub connections: u64,
    /// `denied` or `uncertain`.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
}

enum Outcome {
    Allowed,
    Denied(String),
    Uncertain(String),
}

/// Replays dependencies.
#[must_use]
pub fn simulate(dependencies: &[Dependency], cluster: &Cluster, evaluator: &Evaluator<'_>) -> Simulation {
    let pods = Pods::new(cluster);
    let mut simulation = Simulation::default();
    for dependency in dependencies.iter().filter(|dependency| is_replayed(dependency)) {
        let count = dependency.connections;
        let outcome = replay(dependency, &pods, evaluator);
        if dependency.unneeded().is_some() {
            simulation.also_closed += if matches!(outcome, Outcome::Denied(_)) { count } else { 0 };
            continue;
        }
        simulation.connections += count;
        let (sum, verdict, reason) = match outcome {
            Outcome::Allowed => {
                simulation.allowed += count;
                continue;
            }
            Outcome::Denied(reason) => (&mut simulation.denied, "denied", reason),
            Outcome::Uncertain(reason) => (&mut simulation.uncertain, "uncertain", reason),
        };
        *sum += count;
        simulation.findings.push(Finding {
            from: dependency.client.name.clone(),
            to: dependency.server.name.clone(),
            protocol: dependency.protocol,
            port: dependency.port,
            connections: count,
            verdict,
            reason,
        });
    }
    simulation.findings.sort();
    simulation
}

/// Policies speak of TCP, UDP and SCTP between single hosts.
fn is_replayed(dependency: &Dependency) -> bool {
    let is_group = |party: &Party| party.kind == PartyKind::Multicast;
    dependency.protocol.has_ports() && !is_group(&dependency.server) && !is_group(&dependency.client)
}

fn replay(dependency: &Dependency, pods: &Pods<'_>, evaluator: &Evaluator<'_>) -> Outcome {
    // a pod always reaches itself and its own node, and its node reaches it
    if dependency.marks.contains(&Mark::Node) || dependency.marks.contains(&Mark::Itself) {
        return Outcome::Allowed;
    }
    let (clients, servers) = match (pods.ends(&dependency.client), pods.ends(&dependency.server)) {
        (Ok(clients), Ok(servers)) => (clients, servers),
        (Err(reason), Ok(known)) | (Ok(known), Err(reason)) => return uncertain(&known, evaluator, reason),
        (Err(reason), Err(_)) => return Outcome::Uncertain(reason),
    };
    if dependency.direction == Direction::Unknown {
        let reason = "who is the client is unknown".to_owned();
        return uncertain(&[clients, servers].concat(), evaluator, reason);
    }
    for (from, to) in clients.iter().flat_map(|from| servers.iter().map(move |to| (from, to))) {
        let probe = Probe { from, to, protocol: dependency.protocol, port: dependency.port };
        if !evaluator.allows(&probe) {
            return Outcome::Denied(evaluator.evaluate(&probe).reason().unwrap_or_default());
        }
    }
    Outcome::Allowed
}

/// What cannot be told matters only where a policy isolates the end that is known.
fn uncertain(known: &[End], evaluator: &Evaluator<'_>, reason: String) -> Outcome {
    if known.iter().any(|end| evaluator.isolates(end)) { Outcome::Uncertain(reason) } else { Outcome::Allowed }
}

/// The pods of every workload.
struct Pods<'a> {
    by_workload: BTreeMap<&'a WorkloadRef, Vec<&'a Pod>>,
}

impl<'a> Pods<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        let mut by_workload: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for pod in cluster.pods.iter().filter(|pod| !pod.finished) {
            by_workload.entry(&pod.workload).or_default().push(pod);
        }
        Self { by_workload }
    }

    /// The ends that a party stands for, each kind of pod once.
    fn ends(&self, party: &Party) -> Result<Vec<End>, String> {
        match party.kind {
            PartyKind::Workload => self.pods(party),
            PartyKind::Node | PartyKind::Host | PartyKind::External => {
                Ok(party.addresses.iter().copied().map(End::Address).collect())
            }
            PartyKind::Service => Err(format!("which pod behind {} answered was not seen", party.name)),
            PartyKind::Unknown | PartyKind::Multicast => Err(format!("nobody known owned {} then", party.name)),
        }
    }

    fn pods(&self, party: &Party) -> Result<Vec<End>, String> {
        let workload = party.workload().ok_or_else(|| format!("{} is in no namespace", party.name))?;
        let all = self.by_workload.get(&workload).map(Vec::as_slice).unwrap_or_default();
        let was_seen = |pod: &&&Pod| pod.addresses.iter().any(|address: &IpAddr| party.addresses.contains(address));
        let seen: Vec<&&Pod> = all.iter().filter(was_seen).collect();
        let mut ends: Vec<End> = Vec::new();
        for pod in if seen.is_empty() { all.iter().collect() } else { seen } {
            let end = End::Pod(PodEnd { name: workload.name.clone(), ..PodEnd::from(*pod) });
            let is_alike = |other: &End| match (other, &end) {
                (End::Pod(a), End::Pod(b)) => {
                    (&a.labels, &a.ports, a.host_network) == (&b.labels, &b.ports, b.host_network)
                }
                _ => false,
            };
            if !ends.iter().any(is_alike) {
                ends.push(end);
            }
        }
        if ends.is_empty() { Err(format!("{} has no pods in the inventory", party.name)) } else { Ok(ends) }
    }
}
