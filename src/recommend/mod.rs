//! Dependencies to a recommendation: groups of pods, what they may reach and who may reach them, each with its evidence.
//! It knows no target; `render` writes it as documents.
//!
//! ```text
//! cluster      -> units (what labels can tell apart) -> groups (what gets one policy)
//! dependencies -> edges (one unit, one other end, one port) -> rules of groups, or of units where a group is too wide
//! ```

mod access;
mod agents;
mod baseline;
mod calls;
mod churn;
mod cidr;
mod cron;
mod doubts;
mod edge;
mod ends;
mod exposure;
mod gather;
mod grouping;
mod known;
mod labels;
mod lift;
mod naming;
mod neighbours;
mod plan;
mod prefixes;
mod resolvers;
mod selector;
mod units;
mod usage;

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
};

pub use access::{Access, Accesses, Evidence, Ports, Purpose, Sum, Widened};
pub use cidr::CidrBounds;
pub use cron::{MissedRun, missed_runs};
pub use doubts::{Behind, Doubts, NodeOfToday, OneByOne, Twin, doubts};
pub use grouping::Grouping;
pub use plan::{Dns, DnsClient, Group, LeftOut, NamespacePlan, Omission, Peer, PodPeer, Recommendation};
pub use selector::Selector;
pub use units::Missing;

use crate::{
    inventory::Directory,
    model::{Cluster, Coverage, Dependency, Directions},
};
use exposure::Exposure;
use gather::Gathering;
use grouping::Groups;
use known::Known;
use lift::{Edges, Lifting};
use units::Units;

/// What is known beside the dependencies.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// What is known of the site's cluster.
    pub cluster: &'a Cluster,
    /// Lookups in it.
    pub directory: &'a Directory,
    /// What the captures could have seen.
    pub coverage: &'a Coverage,
}

/// What to recommend.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What gets one policy.
    pub grouping: Grouping,
    /// What is closed.
    pub directions: Directions,
    /// Whether also those are closed that the captures could not see.
    pub isolate_unseen: bool,
    /// From this share of its pairs on, from 0 to 1, a group is let reach a group as a whole. At one half a tier rule of
    /// a real network allowed 1.1 times what was seen (`docs/recommendation.md`).
    pub support: f64,
    /// How far addresses outside may be put together.
    pub cidr: CidrBounds,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            grouping: Grouping::Workload,
            directions: Directions::Both,
            isolate_unseen: false,
            support: 0.5,
            cidr: CidrBounds::default(),
        }
    }
}

/// Recommends policies for namespaces, from the dependencies of one site by workload. Their order does not matter, and
/// several of one kind are as good as their sum.
pub fn recommend<D: Borrow<Dependency>>(
    input: Input<'_>,
    dependencies: impl IntoIterator<Item = D>,
    namespaces: &BTreeSet<String>,
    options: &Options,
) -> Recommendation {
    let units = Units::new(input.cluster);
    let exposure = Exposure::new(input.cluster, input.directory);
    let known = Known::new(input, &units);
    let mut gathering = Gathering::new(input, &units, &exposure, &known, namespaces);
    for dependency in dependencies {
        gathering.add(dependency.borrow());
    }
    gathering.settle();
    let groups = Groups::new(&units, &options.grouping);
    let pairs = lift::pairs(&gathering.edges, &groups);
    let mut edges: BTreeMap<&str, Edges> = BTreeMap::new();
    for (edge, support) in std::mem::take(&mut gathering.edges) {
        if let Some(unit) = units.all.get(edge.unit) {
            edges.entry(&unit.namespace).or_default().push((edge, support));
        }
    }
    let mut dns = std::mem::take(&mut gathering.dns);
    let mut left_out: BTreeMap<&String, Vec<LeftOut>> =
        namespaces.iter().map(|namespace| (namespace, gathering.left_out(namespace))).collect();
    let lifting = Lifting { gathering: &gathering, groups: &groups, options, pairs };
    let plan = |namespace: &String| {
        let mut edges = edges.remove(namespace.as_str()).unwrap_or_default();
        edges.sort_by_key(|(edge, _)| *edge);
        NamespacePlan {
            namespace: namespace.clone(),
            groups: lifting.groups(namespace, edges),
            dns: lifting.dns(namespace, dns.remove(namespace).unwrap_or_default()),
            left_out: left_out.remove(namespace).unwrap_or_default(),
        }
    };
    Recommendation { directions: options.directions, namespaces: namespaces.iter().map(plan).collect() }
}

#[cfg(test)]
mod tests;
