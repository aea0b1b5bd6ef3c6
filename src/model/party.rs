use std::{collections::BTreeSet, fmt, net::IpAddr};

use foldhash::HashMap;
use serde::Serialize;

use super::{Dependency, PartyName};

/// A workload by its namespace, its name and the kind of its top controlling owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct WorkloadRef {
    /// The namespace.
    pub namespace: String,
    /// The owner's name, or the pod's own where nobody controls it.
    pub name: String,
    /// `Deployment`, `StatefulSet`, `Pod` ...
    pub kind: String,
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What an address was at the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartyKind {
    /// A pod, known by the controlling owner.
    Workload,
    /// A Service address behind which no workload is known.
    Service,
    /// A node of the cluster: kubelet, host-network pods and all that it SNATs.
    Node,
    /// A host from a hosts file.
    Host,
    /// Outside the cluster's and site's ranges.
    External,
    /// Inside them, but nobody known owned it then.
    Unknown,
    /// A multicast or broadcast address.
    Multicast,
}

impl PartyKind {
    /// As in the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Service => "service",
            Self::Node => "node",
            Self::Host => "host",
            Self::External => "external",
            Self::Unknown => "unknown",
            Self::Multicast => "multicast",
        }
    }
}

/// One end of a dependency: who it was, and from which addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Party {
    /// What it is.
    pub kind: PartyKind,
    /// `namespace/name`, a host's or node's name, or the address.
    pub name: String,
    /// The kind of the controlling owner, for workloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its addresses in this dependency.
    pub addresses: BTreeSet<IpAddr>,
    /// What captures call these addresses, the best first, where the inventory does not know them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<PartyName>,
}

impl Party {
    /// The namespace, where it is a workload or a Service.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let is_of_one = matches!(self.kind, PartyKind::Workload | PartyKind::Service);
        self.name.split_once('/').filter(|_| is_of_one).map(|(namespace, _)| namespace)
    }

    /// The workload, where it is one.
    #[must_use]
    pub fn workload(&self) -> Option<WorkloadRef> {
        workload(self.kind, &self.name, self.owner.as_deref())
    }
}

/// Who someone is, without addresses. Two of one name may be of different kinds: see [`Namesakes`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyKey {
    /// Its name, as in [`Party::name`]: by it they are ordered.
    pub name: String,
    /// What it is.
    pub kind: PartyKind,
    /// The kind of the controlling owner, for workloads.
    pub owner: Option<String>,
}

impl PartyKey {
    /// Whether it is this party.
    #[must_use]
    pub fn is(&self, party: &Party) -> bool {
        (self.kind, &self.name, &self.owner) == (party.kind, &party.name, &party.owner)
    }

    /// The party with these addresses.
    #[must_use]
    pub fn party(&self, addresses: BTreeSet<IpAddr>) -> Party {
        let Self { kind, name, owner } = self.clone();
        Party { kind, name, owner, addresses, names: Vec::new() }
    }

    /// The workload, where it is one.
    #[must_use]
    pub fn workload(&self) -> Option<WorkloadRef> {
        workload(self.kind, &self.name, self.owner.as_deref())
    }
}

impl fmt::Display for PartyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl From<&Party> for PartyKey {
    fn from(party: &Party) -> Self {
        Self { kind: party.kind, name: party.name.clone(), owner: party.owner.clone() }
    }
}

/// Names that several parties have, a `Deployment` and a `StatefulSet` say: with these the kind is told too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namesakes(BTreeSet<String>);

impl Namesakes {
    /// Among these parties.
    pub fn among<'p>(parties: impl IntoIterator<Item = &'p Party>) -> Self {
        let whole = |party: &'p Party| (party.name.as_str(), party.kind, party.owner.as_deref());
        let mut known: HashMap<&str, (PartyKind, Option<&str>)> = HashMap::default();
        let mut shared = BTreeSet::new();
        for (name, kind, owner) in parties.into_iter().map(whole) {
            if *known.entry(name).or_insert((kind, owner)) != (kind, owner) {
                shared.insert(name.to_owned());
            }
        }
        Self(shared)
    }

    /// Among the ends of dependencies.
    #[must_use]
    pub fn of(dependencies: &[Dependency]) -> Self {
        Self::among(dependencies.iter().flat_map(|it| [&it.client, &it.server]))
    }

    /// What a party is called so that nobody else is: `shop/db`, or `shop/db (StatefulSet)`.
    #[must_use]
    pub fn called(&self, party: &PartyKey) -> String {
        let PartyKey { kind, name, owner } = party;
        if self.0.contains(name) {
            format!("{name} ({})", owner.as_deref().unwrap_or(kind.as_str()))
        } else {
            name.clone()
        }
    }
}

fn workload(kind: PartyKind, name: &str, owner: Option<&str>) -> Option<WorkloadRef> {
    let (namespace, name) = name.split_once('/').filter(|_| kind == PartyKind::Workload)?;
    let kind = owner.unwrap_or_default().to_owned();
    Some(WorkloadRef { namespace: namespace.to_owned(), name: name.to_owned(), kind })
}
