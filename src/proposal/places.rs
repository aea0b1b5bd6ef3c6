//! In which tier of its site somebody is.

use std::collections::BTreeMap;

use super::Site;
use crate::{
    model::{Contacts, Dependency, Party, WorkloadRef},
    tier::{self, Scope, Tier},
};

/// The tiers of a site's endpoints, by name and kind of owner.
pub struct Places(BTreeMap<(String, Option<String>), Place>);

/// The tier of an endpoint, and whether anything tells it.
struct Place {
    tier: Tier,
    is_told: bool,
}

impl Places {
    /// The tiers that dependencies by workload tell.
    #[must_use]
    pub fn new(site: &Site, dependencies: &[Dependency]) -> Self {
        let contacts: Contacts = dependencies.iter().collect();
        let scope = Scope::new(&site.directory, &contacts.parties);
        let found = tier::find(&contacts, &scope, tier::Options::default());
        let members = found.roles.iter().flat_map(|role| role.members.iter().map(move |member| (member, role)));
        let key = |member: &tier::Member| (member.name.clone(), member.workload.as_ref().map(|it| it.kind.clone()));
        let place = |role: &tier::Role| Place { tier: role.tier, is_told: role.is_told };
        Self(members.map(|(member, role)| (key(member), place(role))).collect())
    }

    /// The tier of a party.
    #[must_use]
    pub fn tier(&self, party: &Party) -> Option<Tier> {
        self.0.get(&(party.name.clone(), party.owner.clone())).map(|place| place.tier)
    }

    /// The tiers of workloads.
    pub(super) fn workloads(&self) -> BTreeMap<WorkloadRef, Tier> {
        self.workloads_at().map(|(workload, place)| (workload, place.tier)).collect()
    }

    /// The same of those alone whose tier their traffic tells, or an operator: of the others nobody knows what they need.
    pub(super) fn told(&self) -> BTreeMap<WorkloadRef, Tier> {
        let told = self.workloads_at().filter(|(_, place)| place.is_told);
        told.map(|(workload, place)| (workload, place.tier)).collect()
    }

    fn workloads_at(&self) -> impl Iterator<Item = (WorkloadRef, &Place)> {
        self.0.iter().filter_map(|((name, kind), place)| {
            let (namespace, name) = name.split_once('/').filter(|_| kind.is_some())?;
            let kind = kind.clone().unwrap_or_default();
            Some((WorkloadRef { namespace: namespace.to_owned(), name: name.to_owned(), kind }, place))
        })
    }
}
