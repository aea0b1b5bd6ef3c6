//! Edges: one unit, one other end, one port, and what each rests on.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    Evidence, Purpose,
    access::{add_evidence, join_evidence},
    units::UnitId,
};
use crate::model::{Dependency, Protocol};

/// Which of its ends an edge is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    Ingress,
    Egress,
}

/// The other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Far {
    Unit(UnitId),
    Address(IpAddr),
    Node(IpAddr),
    /// All of a range but the cluster's pods.
    Anyone(IpNet),
    /// All pods, of all namespaces.
    EveryPod,
}

/// One unit, one other end, one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Edge {
    pub unit: UnitId,
    pub side: Side,
    pub far: Far,
    pub protocol: Protocol,
    pub port: u16,
}

/// On what an edge rests.
#[derive(Default)]
pub(super) struct Support {
    pub evidence: Vec<Evidence>,
    pub purposes: BTreeSet<Purpose>,
    /// Whether the edge itself was not seen, but one that it belongs to.
    pub is_unseen: bool,
}

impl Support {
    pub(super) fn add(&mut self, dependency: &Dependency, purpose: Option<&Purpose>) {
        self.is_unseen = false;
        add_evidence(&mut self.evidence, dependency);
        self.add_purpose(purpose);
    }

    /// Takes in what belongs to something else that was seen.
    pub(super) fn add_unseen(&mut self, purpose: Option<&Purpose>) {
        self.is_unseen |= self.evidence.is_empty();
        self.add_purpose(purpose);
    }

    fn add_purpose(&mut self, purpose: Option<&Purpose>) {
        if let Some(purpose) = purpose.filter(|purpose| !self.purposes.contains(purpose)) {
            self.purposes.insert(purpose.clone());
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        other.evidence.into_iter().for_each(|evidence| join_evidence(&mut self.evidence, evidence));
        self.purposes.extend(other.purposes);
    }
}
