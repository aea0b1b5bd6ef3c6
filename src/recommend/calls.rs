//! Dependencies between workloads of the cluster. Most are, and they are the same for both their ends: each is gathered
//! once, and both get it as an edge.

use std::collections::{BTreeSet, hash_map::Entry};

use foldhash::HashMap;

use super::{
    Evidence, Purpose,
    edge::{Edge, Far, Side, Support},
    units::Place,
};
use crate::model::{Dependency, Direction, Outcome, Protocol};

/// Who calls whom, each by its number among all workloads.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Call {
    client: usize,
    server: usize,
    protocol: Protocol,
    port: u16,
    outcome: Outcome,
    direction: Direction,
}

/// The edges of both ends, and on what they rest.
struct Called {
    edges: [Edge; 2],
    evidence: Evidence,
    purposes: BTreeSet<Purpose>,
}

/// What was gathered so far.
#[derive(Default)]
pub(super) struct Calls(HashMap<Call, Called>);

impl Calls {
    /// Takes in a dependency between two workloads, and tells the edges that it makes where it is the first of its kind.
    pub fn add(
        &mut self,
        (client, server): (Place, Place),
        dependency: &Dependency,
        purpose: Option<&Purpose>,
    ) -> Option<[Edge; 2]> {
        let Dependency { protocol, port, outcome, direction, .. } = *dependency;
        let call = Call { client: client.workload, server: server.workload, protocol, port, outcome, direction };
        match self.0.entry(call) {
            Entry::Occupied(mut known) => {
                let Called { evidence, purposes, .. } = known.get_mut();
                evidence.join(dependency);
                if let Some(purpose) = purpose.filter(|purpose| !purposes.contains(purpose)) {
                    purposes.insert(purpose.clone());
                }
                None
            }
            Entry::Vacant(free) => {
                let edge = |unit, side, far| Edge { unit, side, far: Far::Unit(far), protocol, port };
                let egress = edge(client.unit, Side::Egress, server.unit);
                let ingress = edge(server.unit, Side::Ingress, client.unit);
                let (evidence, purposes) = (Evidence::of(dependency), purpose.cloned().into_iter().collect());
                let called = Called { edges: [egress, ingress], evidence, purposes };
                Some(free.insert(called).edges)
            }
        }
    }

    /// The edges with what they rest on; one may come several times.
    pub fn into_edges(self) -> impl Iterator<Item = (Edge, Support)> {
        self.0.into_values().flat_map(|Called { edges, evidence, purposes }| {
            edges.map(|edge| {
                let (evidence, purposes) = (vec![evidence.clone()], purposes.clone());
                (edge, Support { evidence, purposes, is_unseen: false })
            })
        })
    }
}
