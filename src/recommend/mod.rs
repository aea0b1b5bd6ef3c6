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
    model::{Cluster, Dependency, Direction, Mark, Outcome, WorkloadRef},
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
    let mut drafts: BTreeMap<&str, Draft> =
        groups.iter().map(|group| (group.name.as_str(), Draft::default())).collect();
    let group_of: BTreeMap<&WorkloadRef, &str> =
        groups.iter().flat_map(|group| group.members.iter().map(|member| (member, group.name.as_str()))).collect();
    let mut dns = baseline::DnsDraft::default();
    let mut left_out = Vec::new();
    for dependency in peers.input.dependencies {
        let (client, server) = (dependency.client.workload(), dependency.server.workload());
        let of = |end: &Option<WorkloadRef>| end.as_ref().and_then(|workload| group_of.get(workload).copied());
        let (client_group, server_group) = (of(&client), of(&server));
        if client_group.is_none() && server_group.is_none() {
            continue;
        }
        for group in [client_group, server_group].into_iter().flatten() {
            drafts.entry(group).or_default().is_seen = true;
        }
        if let Some(reason) = why_not(dependency) {
            left_out.extend(reason.map(|reason| LeftOut::new(dependency, reason)));
            continue;
        }
        if let Some(group) = client_group {
            match peers.servers(dependency) {
                Ok(servers) if baseline::is_dns(dependency) => dns.add(group, servers, dependency),
                Ok(servers) => servers.into_iter().for_each(|(peer, port)| {
                    drafts.entry(group).or_default().egress.entry(peer).or_default().add(dependency, port);
                }),
                Err(reason) => left_out.push(LeftOut::new(dependency, format!("egress: {reason}"))),
            }
        }
        if let Some(group) = server_group {
            match peers.client(dependency) {
                Ok(peer) => {
                    let ingress = &mut drafts.entry(group).or_default().ingress;
                    ingress.entry(peer).or_default().add(dependency, dependency.port);
                }
                Err(reason) => left_out.push(LeftOut::new(dependency, format!("ingress: {reason}"))),
            }
        }
    }
    let is_older = |draft: &Draft| {
        let mut evidence = draft.egress.values().flat_map(|access| &access.evidence);
        evidence.any(|evidence| evidence.outcome == Outcome::Midstream && !evidence.via.is_empty())
    };
    let older = drafts.iter().filter(|(_, draft)| is_older(draft)).map(|(name, _)| (*name).to_owned()).collect();
    let dns = dns.finish(&groups, older, peers);
    let groups = groups
        .iter()
        .map(|group| {
            let draft = drafts.remove(group.name.as_str()).unwrap_or_default();
            Group { is_open: !draft.is_seen, ingress: draft.ingress, egress: draft.egress, ..group.clone() }
        })
        .collect();
    left_out.sort();
    NamespacePlan { namespace: namespace.to_owned(), groups, dns, left_out }
}

/// Why a dependency makes no rule: `Some(None)` where none is needed, `Some(reason)` where that must be told.
fn why_not(dependency: &Dependency) -> Option<Option<String>> {
    let has = |mark| dependency.marks.contains(&mark);
    let reason = if has(Mark::Scan) {
        "part of a scan".to_owned()
    } else if has(Mark::Itself) {
        return Some(None);
    } else if has(Mark::Node) {
        "with its own node: always allowed, needs no rule".to_owned()
    } else if !dependency.outcome.is_needed() {
        dependency.outcome.as_str().to_owned()
    } else if dependency.direction == Direction::Unknown {
        "who is the client is unknown".to_owned()
    } else if !dependency.protocol.has_ports() {
        format!("{} cannot be named in a NetworkPolicy", dependency.protocol)
    } else {
        return None;
    };
    Some(Some(reason))
}

#[cfg(test)]
mod tests;
