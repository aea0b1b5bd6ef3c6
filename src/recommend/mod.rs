//! Dependencies to a recommendation: groups of pods, what they may reach and who may reach them, each with its evidence.
//! It knows no target; `render` writes it as documents.

mod baseline;
mod exposure;
mod group;
mod peers;
mod selector;

use std::collections::{BTreeMap, BTreeSet};

pub use exposure::everywhere;
pub use group::{Access, Dns, Evidence, Group, LeftOut, NamespacePlan, Peer, PodPeer, Ports, Recommendation};
pub use selector::Selector;

use crate::{
    inventory::Directory,
    model::{Cluster, Coverage, Dependency, Direction, Mark, Outcome, Party, Watched, WorkloadRef},
};
use exposure::Exposure;
use peers::Peers;
use selector::Selectors;

/// All that a recommendation is made from.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The dependencies of one site, by workload.
    pub dependencies: &'a [Dependency],
    /// What is known of the site's cluster.
    pub cluster: &'a Cluster,
    /// Lookups in it.
    pub directory: &'a Directory,
    /// What the captures could have seen.
    pub coverage: &'a Coverage,
}

/// Recommends policies for namespaces.
#[must_use]
pub fn recommend(input: Input<'_>, namespaces: &BTreeSet<String>) -> Recommendation {
    let selectors = Selectors::new(input.cluster);
    let exposure = Exposure::new(input.cluster, input.directory);
    let peers = Peers { input, selectors: &selectors, exposure: &exposure };
    let plans = namespaces.iter().map(|namespace| plan(namespace, &peers)).collect();
    Recommendation { namespaces: plans }
}

/// Both directions of one group, while they are gathered.
#[derive(Default)]
struct Draft {
    ingress: BTreeMap<Peer, Access>,
    egress: BTreeMap<Peer, Access>,
    is_seen: bool,
}

fn plan(namespace: &str, peers: &Peers<'_>) -> NamespacePlan {
    let groups = peers.selectors.groups(namespace);
    let mut gathering = Gathering::new(peers, &groups);
    for dependency in peers.input.dependencies {
        gathering.add(dependency);
    }
    gathering.finish(namespace)
}

/// The rules of one namespace, while they are gathered.
struct Gathering<'a> {
    peers: &'a Peers<'a>,
    groups: &'a [Group],
    group_of: BTreeMap<&'a WorkloadRef, &'a str>,
    drafts: BTreeMap<&'a str, Draft>,
    dns: baseline::DnsDraft,
    left_out: Vec<LeftOut>,
}

impl<'a> Gathering<'a> {
    fn new(peers: &'a Peers<'a>, groups: &'a [Group]) -> Self {
        let members = |group: &'a Group| group.members.iter().map(move |member| (member, group.name.as_str()));
        Self {
            peers,
            groups,
            group_of: groups.iter().flat_map(members).collect(),
            drafts: groups.iter().map(|group| (group.name.as_str(), Draft::default())).collect(),
            dns: baseline::DnsDraft::default(),
            left_out: Vec::new(),
        }
    }

    fn add(&mut self, dependency: &Dependency) {
        let group = |party: &Party| party.workload().and_then(|workload| self.group_of.get(&workload).copied());
        let (client, server) = (group(&dependency.client), group(&dependency.server));
        if client.is_none() && server.is_none() {
            return;
        }
        // a sweep tells that a workload is there, not what it needs
        let is_seen = !dependency.marks.contains(&Mark::Scan);
        for group in [client, server].into_iter().flatten() {
            self.drafts.entry(group).or_default().is_seen |= is_seen;
        }
        match use_of(dependency) {
            Use::Silent => {}
            Use::LeftOut(reason) => self.left_out.push(LeftOut::new(dependency, reason)),
            Use::Rule => {
                if let Some(group) = client {
                    self.add_egress(group, dependency);
                }
                if let Some(group) = server {
                    self.add_ingress(group, dependency);
                }
            }
        }
    }

    fn add_egress(&mut self, group: &'a str, dependency: &Dependency) {
        match self.peers.servers(dependency) {
            Ok(servers) if baseline::is_dns(dependency) => self.dns.add(group, servers, dependency),
            Ok(servers) => {
                let egress = &mut self.drafts.entry(group).or_default().egress;
                for (peer, port) in servers {
                    egress.entry(peer).or_default().add(dependency, port);
                }
            }
            Err(reason) => self.left_out.push(LeftOut::new(dependency, format!("egress: {reason}"))),
        }
    }

    fn add_ingress(&mut self, group: &'a str, dependency: &Dependency) {
        match self.peers.client(dependency) {
            Ok(peer) => {
                let ingress = &mut self.drafts.entry(group).or_default().ingress;
                ingress.entry(peer).or_default().add(dependency, dependency.port);
            }
            Err(reason) => self.left_out.push(LeftOut::new(dependency, format!("ingress: {reason}"))),
        }
    }

    fn finish(mut self, namespace: &str) -> NamespacePlan {
        let older = self.drafts.iter().filter(|(_, draft)| draft.is_older());
        let older = older.map(|(name, _)| (*name).to_owned()).collect();
        let dns = self.dns.finish(self.groups, older, self.peers);
        let mut group = |group: &Group| {
            let draft = self.drafts.remove(group.name.as_str()).unwrap_or_default();
            // who was watched all the time and kept silent needs nothing; who was not may need anything
            let coverage = self.peers.input.coverage;
            let watched = group.members.iter().map(|member| coverage.of(member).state).min().unwrap_or_default();
            let is_open = !draft.is_seen && watched != Watched::Covered;
            Group { is_open, watched, ingress: draft.ingress, egress: draft.egress, ..group.clone() }
        };
        let groups = self.groups.iter().map(&mut group).collect();
        self.left_out.sort();
        NamespacePlan { namespace: namespace.to_owned(), groups, dns, left_out: self.left_out }
    }
}

impl Draft {
    /// Whether it was met with connections to a Service that were opened before the captures began.
    fn is_older(&self) -> bool {
        let mut evidence = self.egress.values().flat_map(|access| &access.evidence);
        evidence.any(|evidence| evidence.outcome == Outcome::Midstream && !evidence.via.is_empty())
    }
}

/// What becomes of a dependency.
enum Use {
    /// It makes a rule.
    Rule,
    /// It makes none, and needs no word.
    Silent,
    /// It makes none, which must be told.
    LeftOut(String),
}

fn use_of(dependency: &Dependency) -> Use {
    let has = |mark| dependency.marks.contains(&mark);
    if has(Mark::Itself) {
        Use::Silent
    } else if has(Mark::Node) {
        Use::LeftOut("with its own node: always allowed, needs no rule".into())
    } else if let Some(reason) = dependency.unneeded() {
        Use::LeftOut(reason.into())
    } else if dependency.direction == Direction::Unknown {
        Use::LeftOut("who is the client is unknown".into())
    } else if !dependency.protocol.has_ports() {
        Use::LeftOut(format!("{} cannot be named in a NetworkPolicy", dependency.protocol))
    } else {
        Use::Rule
    }
}

#[cfg(test)]
mod tests;
