//! Which connections cross the borders of segments.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::layout::{Layout, Segment};
use crate::model::{Dependency, Outcome, PartyKind};

/// Connections from one segment into another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crossing {
    /// The clients' segment.
    pub from: String,
    /// The servers' segment.
    pub to: String,
    /// Pairs of client and server.
    pub pairs: usize,
    /// Connections that servers took.
    pub connections: u64,
    /// Attempts that were refused or not answered.
    pub attempts: u64,
    /// What was called: `443/TCP`.
    pub ports: BTreeSet<String>,
}

/// All connections, by how they stand to borders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crossings {
    /// Across a border, by segments in their order.
    pub across: Vec<Crossing>,
    /// Connections within a segment, by its name.
    pub within: BTreeMap<String, u64>,
    /// Connections of which one end or both have no segment that is known.
    pub unknown: u64,
}

/// Clients with servers.
type Pairs = BTreeSet<(IpAddr, IpAddr)>;

/// Counts the connections of dependencies, which name their ends by address.
#[must_use]
pub fn crossings(layout: &Layout, dependencies: &[Dependency]) -> Crossings {
    let mut all = Crossings::default();
    let mut across: BTreeMap<(usize, usize), (Pairs, Crossing)> = BTreeMap::new();
    for dependency in dependencies.iter().filter(|it| it.server.kind != PartyKind::Multicast) {
        let ends = (dependency.client.addresses.first().copied(), dependency.server.addresses.first().copied());
        let (Some(client), Some(server)) = ends else { continue };
        let (Some(from), Some(to)) = (layout.home(client), layout.home(server)) else {
            all.unknown += dependency.connections;
            continue;
        };
        if from == to {
            *all.within.entry(name(layout, from)).or_default() += dependency.connections;
            continue;
        }
        let (pairs, crossing) = across.entry((from, to)).or_default();
        pairs.insert((client, server));
        crossing.take(dependency);
    }
    let named = |((from, to), (pairs, crossing)): ((usize, usize), (Pairs, Crossing))| Crossing {
        from: name(layout, from),
        to: name(layout, to),
        pairs: pairs.len(),
        ..crossing
    };
    all.across = across.into_iter().map(named).collect();
    all
}

fn name(layout: &Layout, place: usize) -> String {
    layout.segments.get(place).map(Segment::name).unwrap_or_default()
}

impl Crossing {
    fn take(&mut self, dependency: &Dependency) {
        match dependency.outcome {
            Outcome::Refused | Outcome::Unanswered => self.attempts += dependency.connections,
            _ => self.connections += dependency.connections,
        }
        let port = if dependency.protocol.has_ports() {
            format!("{}/{}", dependency.port, dependency.protocol)
        } else {
            dependency.protocol.to_string()
        };
        self.ports.insert(port);
    }
}
