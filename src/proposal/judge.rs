//! Proposals held against what was seen, and how much they leave open.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use super::{Places, ProposalError, Site, concerned};
use crate::{
    graph::{Judged, Verdict},
    map::By,
    model::Dependency,
    policy::{
        self, Census, Change, Detail, Evaluator, Finding, Options, Outside, Past, PolicySet, PolicyType, Roster,
        Ruling, Sight, Simulation, Strictness, Undone,
    },
    render::{self, Audits, Document, Opens, page::ReachView},
};

/// What was seen of some namespaces, arranged once for all proposals.
pub struct Judge<'a> {
    site: &'a Site,
    namespaces: &'a BTreeSet<String>,
    roster: Roster<'a>,
    past: Past<'a>,
    deployed: PolicySet,
    dependencies: &'a [Dependency],
    /// The tiers that they tell, once they were asked for.
    places: OnceLock<Places>,
    /// What was seen by address, once it was asked for.
    by_address: OnceLock<Vec<Dependency>>,
    /// What was open when the window begins, once it was asked for.
    outlasting: OnceLock<Vec<Dependency>>,
    /// The verdict of what is deployed alone, once it was asked for.
    before: OnceLock<Simulation>,
}

/// How much policies leave open.
#[derive(Clone, Copy)]
pub struct Openness {
    /// What they allow over what was seen; none where nothing was.
    pub over_permission: Option<f64>,
    /// How many other workloads one workload of the namespaces reaches, on average; none without workloads.
    pub reach: Option<f64>,
}

impl<'a> Judge<'a> {
    /// Arranges what was seen of the namespaces.
    pub fn new(site: &'a Site, dependencies: &'a [Dependency], namespaces: &'a BTreeSet<String>) -> Self {
        let roster = Roster::new(site.cluster()).with_suspects(site.directory.suspects());
        let past = Past::new(concerned(dependencies, namespaces), &roster);
        let deployed = PolicySet::deployed(&site.cluster().policies);
        let (places, by_address, outlasting) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let before = OnceLock::new();
        Self { site, namespaces, roster, past, deployed, dependencies, places, by_address, outlasting, before }
    }

    /// What the inventory says is deployed at the site.
    pub fn deployed(&self) -> &PolicySet {
        &self.deployed
    }

    /// The tiers that what was seen tells.
    pub fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::new(self.site, self.dependencies))
    }

    /// Who can reach whom with what is deployed, and with a proposal on top of that.
    pub fn sights(&self, proposed: &PolicySet) -> [Sight<'a>; 2] {
        sights((self.site, &self.roster), &self.deployed, &proposed.on_top_of(&self.deployed))
    }

    /// Which of the dependencies that a proposal allows others can read.
    pub fn audit(&self, replay: &Simulation) -> Audits {
        let all = concerned(self.dependencies, self.namespaces);
        let told = all.map(|it| (it, self.site.spoken(it, By::Workload)));
        render::audit(told, &|party| self.places().tier(party), replay, self.namespaces)
    }

    /// Holds what was seen against policies on top of what is deployed; nothing where nothing is.
    pub fn replay_on_top(&self, set: &PolicySet) -> Option<Simulation> {
        let is_alone = self.deployed.is_empty();
        (!is_alone).then(|| self.replay(&set.on_top_of(&self.deployed)))
    }

    /// Holds what was seen against what is deployed alone; nothing where nothing is.
    pub fn replay_before(&self) -> Option<Simulation> {
        let is_alone = self.deployed.is_empty();
        (!is_alone).then(|| self.before.get_or_init(|| self.replay(&self.deployed)).clone())
    }

    /// Holds what was seen of the namespaces against policies.
    pub fn replay(&self, set: &PolicySet) -> Simulation {
        let by_address = || self.by_address.get_or_init(|| self.site.dependencies(By::Address)).as_slice();
        let detail = Detail { roster: &self.roster, by_address: &by_address };
        let simulation = policy::simulate(&self.past, &self.evaluator(set), Some(&detail));
        // a sweep may be a row for every port: `simulate` lists them
        Simulation { closed: Vec::new(), ..simulation }
    }

    /// What was in use in the selected window and began before it, so that it makes no rule, and is denied when it is opened again.
    pub fn outlasting(&self, set: &PolicySet) -> Vec<Finding> {
        let before = self.outlasting.get_or_init(|| self.site.outlasting(By::Workload));
        if before.is_empty() {
            return Vec::new();
        }
        let parts = OnceLock::new();
        let by_address = || parts.get_or_init(|| self.site.outlasting(By::Address)).as_slice();
        let detail = Detail { roster: &self.roster, by_address: &by_address };
        let past = Past::new(concerned(before, self.namespaces), &self.roster);
        let simulation = policy::simulate(&past, &self.evaluator(set), Some(&detail));
        simulation.findings.into_iter().filter(|it| it.verdict == Ruling::Denied).collect()
    }

    /// How much policies leave open.
    pub fn openness(&self, set: &PolicySet) -> Openness {
        let evaluator = self.evaluator(set);
        let outside = Outside::new(&[&evaluator], self.site.cluster(), &self.site.directory.pod_ranges());
        let over_permission = policy::over_permission(&self.past, &self.roster, &outside, &evaluator);
        let is_in = |name: &str| name.split_once('/').is_some_and(|(namespace, _)| self.namespaces.contains(namespace));
        let reach = policy::reach(&Census::new(&self.roster, &outside), &evaluator);
        let reaches: Vec<usize> = reach.iter().filter(|it| is_in(&it.workload)).map(|it| it.reaches).collect();
        #[expect(clippy::cast_precision_loss, reason = "workloads stay far below 2^52")]
        let mean = |all: &[usize]| (all.iter().sum::<usize>() as f64 / all.len() as f64 * 100.0).round() / 100.0;
        Openness { over_permission, reach: (!reaches.is_empty()).then(|| mean(&reaches)) }
    }

    /// How open a set of policies leaves things on top of what is deployed; nothing where nothing is.
    pub fn openness_on_top(&self, set: &PolicySet) -> Option<Openness> {
        let is_alone = self.deployed.is_empty();
        (!is_alone).then(|| self.openness(&set.on_top_of(&self.deployed)))
    }

    /// What of a proposal deployed policies keep open.
    pub fn undone(&self, proposed: &PolicySet) -> Vec<Undone> {
        if self.deployed.is_empty() {
            return Vec::new();
        }
        let after = proposed.on_top_of(&self.deployed);
        let [proposed, after] = [proposed, &after].map(|set| self.evaluator(set));
        let outside = Outside::new(&[&after], self.site.cluster(), &self.site.directory.pod_ranges());
        policy::undone(&Census::new(&self.roster, &outside), &proposed, &after)
    }

    /// What deployed policies close and nothing does with a proposal: one of the same name, in the place of what closed it.
    pub fn reopened(&self, proposed: &PolicySet) -> BTreeMap<PolicyType, BTreeSet<String>> {
        if self.deployed.is_empty() {
            return BTreeMap::new();
        }
        let after = proposed.on_top_of(&self.deployed);
        let [before, after] = [&self.deployed, &after].map(|set| self.evaluator(set));
        let outside = Outside::new(&[&before, &after], self.site.cluster(), &self.site.directory.pod_ranges());
        policy::reopened(&Census::new(&self.roster, &outside), &before, &after)
    }

    /// What of a proposal deployed policies deny; nothing where they deny none of it.
    pub fn opens(&self, proposed: &PolicySet) -> Option<Opens> {
        const EXAMPLES: usize = 3;
        if self.deployed.is_empty() {
            return None;
        }
        let changes = changes((self.site, &self.roster), &self.deployed, &proposed.on_top_of(&self.deployed));
        let opened = || changes.iter().filter(|change| !change.ports.opened.is_empty());
        let words = |it: &Change| format!("{} -> {} on {}", it.from, it.to, it.ports.opened);
        let pairs = opened().count();
        (pairs > 0).then(|| Opens { pairs, examples: opened().take(EXAMPLES).map(words).collect() })
    }

    fn evaluator<'s>(&'s self, set: &'s PolicySet) -> Evaluator<'s> {
        Evaluator::of_cluster(set, self.site.cluster(), Options::default())
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

/// What changes between two sets of policies at a site, whose pods are in the roster.
#[must_use]
pub fn changes((site, roster): (&Site, &Roster<'_>), old: &PolicySet, new: &PolicySet) -> Vec<Change> {
    let cluster = site.cluster();
    let [before, after] = [old, new].map(|set| Evaluator::of_cluster(set, cluster, Options::default()));
    let outside = Outside::new(&[&before, &after], cluster, &site.directory.pod_ranges());
    policy::diff(&Census::new(roster, &outside), &before, &after)
}

/// Who can reach whom under two sets of policies at a site, whose pods are in the roster.
#[must_use]
pub fn sights<'a>((site, roster): (&Site, &Roster<'a>), old: &PolicySet, new: &PolicySet) -> [Sight<'a>; 2] {
    let cluster = site.cluster();
    let [before, after] = [old, new].map(|set| Evaluator::of_cluster(set, cluster, Options::default()));
    let outside = Outside::new(&[&after, &before], cluster, &site.directory.pod_ranges());
    let census = Census::new(roster, &outside);
    [&before, &after].map(|evaluator| Sight::new(&census, evaluator))
}

/// How far each workload reaches and is reached, before and after.
#[must_use]
pub fn reach(sights: &[Sight<'_>; 2]) -> BTreeMap<String, ReachView> {
    let [before, after] = sights.each_ref().map(Sight::reach);
    let both = before.iter().zip(&after);
    both.map(|(before, after)| (before.workload.clone(), ReachView::new(before, after))).collect()
}

/// Reads policies back as a strict API server would.
pub fn read_back(policies: &[Document]) -> Result<PolicySet, ProposalError> {
    let mut objects = Vec::new();
    for document in policies {
        objects.extend(policy::read(&document.path, &document.text)?);
    }
    Ok(PolicySet::from_objects(&objects, Strictness::Strict)?)
}
