//! In which tier of its site somebody is.

use std::collections::BTreeMap;

use super::Site;
use crate::{
    model::{Contacts, Dependency, Party, WorkloadRef},
    tier::{self, Scope, Tier},
};

/// The tiers of a site's endpoints, by name and kind of owner.
pub struct Places(BTreeMap<(String, Option<String>), Tier>);

impl Places {
    /// The tiers that dependencies by workload tell.
    #[must_use]
    pub fn new(site: &Site, dependencies: &[Dependency]) -> Self {
        let contacts: Contacts = dependencies.iter().collect();
        let scope = Scope::new(&site.directory, &contacts.parties);
        let found = tier::find(&contacts, &scope, tier::Options::default());
        let members = found.roles.iter().flat_map(|role| role.members.iter().map(|member| (member, role.tier)));
        let key = |member: &tier::Member| (member.name.clone(), member.workload.as_ref().map(|it| it.kind.clone()));
        Self(members.map(|(member, tier)| (key(member), tier)).collect())
    }

    /// The tier of a party.
    #[must_use]
    pub fn tier(&self, party: &Party) -> Option<Tier> {
        self.0.get(&(party.name.clone(), party.owner.clone())).copied()
    }

    /// The tiers of workloads.
    pub(super) fn workloads(&self) -> BTreeMap<WorkloadRef, Tier> {
        let workload = |((name, kind), tier): (&(String, Option<String>), &Tier)| {
            let (namespace, name) = name.split_once('/').filter(|_| kind.is_some())?;
            let kind = kind.clone().unwrap_or_default();
            Some((WorkloadRef { namespace: namespace.to_owned(), name: name.to_owned(), kind }, *tier))
        };
        self.0.iter().filter_map(workload).collect()
    }
}
