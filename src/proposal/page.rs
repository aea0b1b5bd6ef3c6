//! The review of a proposal as a page.

use std::collections::BTreeMap;

use super::{Asked, concerned, judged};
use crate::{
    graph,
    map::learning_curve,
    model::{Dependency, WorkloadRef},
    policy::Sight,
    recommend::Recommendation,
    render::{
        Facts,
        page::{Material, Report},
    },
};

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
