//! Who is to be given a role: those whom the inventory knows; without one, private addresses.

use std::collections::{BTreeMap, BTreeSet};

use super::Tier;
use crate::{
    inventory::Directory,
    model::{Labels, PartyKey, PartyKind, WorkloadRef, is_private},
};

/// What tells endpoints apart: their name, and the kind of the owner for workloads.
pub(super) type Key = (String, Option<String>);

/// An endpoint that is given a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// `namespace/workload`, a host's name, or an address.
    pub name: String,
    /// The workload, where it is one.
    pub workload: Option<WorkloadRef>,
    /// The role that an operator gave it in a hosts file.
    pub role: Option<String>,
    /// The tier that an operator's label or role names.
    pub tier: Option<Tier>,
    /// The Service or Ingress that opens it to the outside.
    pub opened_by: Option<String>,
}

impl Member {
    /// What it is called where others have its name: with the kind of its owner, where it has one.
    #[must_use]
    pub fn with_kind(&self) -> String {
        match &self.workload {
            Some(workload) => format!("{} ({})", self.name, workload.kind),
            None => format!("{} (host)", self.name),
        }
    }
}

/// The endpoints in scope.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub(super) members: BTreeMap<Key, Member>,
}

/// Labels by which operators name tiers.
const TIER_LABELS: [&str; 2] = ["flowmap/tier", "tier"];

impl Scope {
    /// Those whom the inventory knows, also those of whom no traffic was seen, and those of the parties whom it knew then.
    /// Without an inventory, the parties with private addresses.
    #[must_use]
    pub fn new(directory: &Directory, parties: &[PartyKey]) -> Self {
        let mut scope = Self::default();
        scope.add_workloads(directory);
        scope.add_hosts(directory);
        let is_known = !scope.members.is_empty();
        for party in parties {
            let is_in = match party.kind {
                PartyKind::Workload | PartyKind::Host => true,
                PartyKind::External | PartyKind::Unknown => !is_known && party.name.parse().is_ok_and(is_private),
                PartyKind::Service | PartyKind::Node | PartyKind::Multicast => false,
            };
            if is_in {
                let member = || Member { name: party.name.clone(), workload: party.workload(), ..Member::default() };
                scope.members.entry(key(party)).or_insert_with(member);
            }
        }
        scope
    }

    /// Pods with addresses of their own; the traffic of the others is their node's.
    fn add_workloads(&mut self, directory: &Directory) {
        let cluster = directory.cluster();
        let templates: BTreeMap<&WorkloadRef, &Labels> =
            cluster.workloads.iter().map(|it| (&it.id, &it.template_labels)).collect();
        for pod in cluster.pods.iter().filter(|pod| !pod.host_network && !pod.finished) {
            let id = &pod.workload;
            let labels = templates.get(id).copied();
            let member = Member {
                name: id.to_string(),
                workload: Some(id.clone()),
                tier: tier_of(labels.unwrap_or(&pod.labels)),
                ..Member::default()
            };
            self.members.entry((id.to_string(), Some(id.kind.clone()))).or_insert(member);
        }
        for (workload, opener) in opened(directory) {
            if let Some(member) = self.members.get_mut(&(workload.to_string(), Some(workload.kind))) {
                member.opened_by = Some(opener);
            }
        }
    }

    fn add_hosts(&mut self, directory: &Directory) {
        for host in &directory.cluster().hosts {
            let is_one = host.range.prefix_len() == host.range.max_prefix_len();
            let address = host.range.addr().to_string();
            let name = host.name.clone().or_else(|| is_one.then_some(address));
            // who is who in a range without a name is known by its traffic alone
            let Some(name) = name else { continue };
            let tier = tier_of(&host.labels).or_else(|| host.role.as_deref().and_then(Tier::of_name));
            let member = Member { name: name.clone(), role: host.role.clone(), tier, ..Member::default() };
            self.members.entry((name, None)).or_insert(member);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

pub(super) fn key(party: &PartyKey) -> Key {
    (party.name.clone(), party.owner.clone())
}

fn tier_of(labels: &Labels) -> Option<Tier> {
    TIER_LABELS.iter().find_map(|key| labels.get(key)).and_then(Tier::of_word)
}

/// Workloads behind Services that the outside reaches, and behind Ingresses, each with what opens it.
fn opened(directory: &Directory) -> BTreeMap<WorkloadRef, String> {
    let cluster = directory.cluster();
    let by_ingress: BTreeMap<(&str, &str), &str> = cluster
        .ingresses
        .iter()
        .flat_map(|it| {
            it.backends.iter().map(|(service, _)| ((it.namespace.as_str(), service.as_str()), it.name.as_str()))
        })
        .collect();
    let mut opened = BTreeMap::new();
    for service in &cluster.services {
        let ingress = by_ingress.get(&(service.namespace.as_str(), service.name.as_str()));
        let by = match ingress {
            _ if service.is_exposed() => format!("Service {}", service.name),
            Some(ingress) => format!("Ingress {ingress}"),
            None => continue,
        };
        let workloads: BTreeSet<&WorkloadRef> =
            directory.backends(service).into_iter().map(|pod| &pod.workload).collect();
        for workload in workloads {
            opened.entry(workload.clone()).or_insert_with(|| by.clone());
        }
    }
    opened
}
