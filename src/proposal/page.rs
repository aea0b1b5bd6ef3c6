//! The review of a proposal as a page.

use std::collections::BTreeMap;

use super::{Asked, Site, facts::concerned};
use crate::{
    graph::{self, Judged, Verdict},
    map::learning_curve,
    model::{Contacts, Dependency, Party, WorkloadRef},
    policy::{PolicySet, Ruling, Sight, Simulation},
    recommend::Recommendation,
    render::{
        Facts,
        page::{Material, Report},
    },
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

/// Verdicts as maps take them.
#[must_use]
pub fn judged(simulation: &Simulation) -> Judged {
    let mut judged = Judged::new();
    for finding in &simulation.findings {
        let verdict = if finding.verdict == Ruling::Denied { Verdict::Denied } else { Verdict::Uncertain };
        let key = (finding.from.clone(), finding.to.clone(), finding.protocol, finding.port);
        let worst = judged.entry(key).or_default();
        *worst = verdict.max(*worst);
    }
    judged
}

/// Proposed policies on top of deployed ones; one of the same name takes the deployed one's place.
#[must_use]
pub fn on_top(proposed: &PolicySet, deployed: &PolicySet) -> PolicySet {
    proposed.on_top_of(deployed)
}

impl Asked<'_> {
    /// What the page says of a proposal, as its decisions leave it. `sights` as for the facts.
    #[must_use]
    pub fn page(&self, decided: &Recommendation, facts: &Facts, sights: &[Sight<'_>; 2]) -> Report {
        let places = self.judge.places();
        let all: Vec<&Dependency> = concerned(self.dependencies, self.namespaces).collect();
        let ways = |parts: &[Vec<String>]| {
            let members = parts.iter().enumerate().flat_map(|(part, names)| names.iter().map(move |name| (name, part)));
            let places: BTreeMap<&String, usize> = members.collect();
            let part = |workload: &WorkloadRef| places.get(&workload.to_string()).copied();
            sights.each_ref().map(|sight| sight.ways(parts.len(), &part))
        };
        let material = Material {
            recommendation: decided,
            facts,
            tiers: &places.workloads(),
            map: graph::build(all.iter().copied(), &|party| places.tier(party), &judged(&facts.replay)),
            ways: &ways,
            curve: learning_curve(all.iter().copied()),
        };
        Report::new(&material)
    }
}
