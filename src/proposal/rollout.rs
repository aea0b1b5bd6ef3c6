//! In which order policies go out: what must go together does, the least risk goes first, and every step is held against
//! the past.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::{
    model::{Cluster, Watched, words::count},
    policy::{NetworkPolicy, PolicySet, PolicyType, Simulation},
    recommend::Sum,
    render::{Facts, Purpose, Sheet, doubts},
};

/// Policies that are applied together.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutStep {
    /// The policies, by document and name.
    pub policies: Vec<String>,
    /// How risky.
    pub risk: Risk,
    /// The past, held against this step and those before it; none beyond the first 500 steps.
    pub replay: Option<Simulation>,
}

/// What makes a step risky, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Risk {
    /// Whether it was not held against the past by itself: only the first 500 are.
    pub is_unjudged: bool,
    /// Connections of the past that its policies deny, or that cannot be told.
    pub broken: u64,
    /// Workloads that were not watched all the time.
    pub not_watched: usize,
    /// Whether it closes what pods may reach: a forgotten need breaks there, and there are more of them.
    pub closes_egress: bool,
    /// Rules that deserve a second look.
    pub doubts: usize,
    /// Who depends on it.
    pub clients: usize,
    /// How many policies go together.
    pub policies: usize,
}

impl Risk {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { is_unjudged, broken, not_watched, closes_egress, doubts, clients, policies } = self;
        let mut words = Vec::new();
        if *is_unjudged {
            words.push("not held against the past by itself".to_owned());
        }
        if *broken > 0 {
            words.push(format!("{} of the past denied or not certain", count(*broken, "connection")));
        }
        if *not_watched > 0 {
            words.push(format!("{} not watched all the time", count(*not_watched as u64, "workload")));
        }
        words.push(if *closes_egress { "closes egress too".to_owned() } else { "closes ingress alone".to_owned() });
        if *doubts > 0 {
            words.push(format!("{} to look at twice", count(*doubts as u64, "rule")));
        }
        words.push(count(*clients as u64, "client"));
        if *policies > 1 {
            words.push(format!("{policies} policies that go together"));
        }
        words.join(", ")
    }
}

/// So many steps are held against the past, the first ones: each is a replay of all of it.
const MAX_JUDGED: usize = 500;

/// The order for some policies. `judge` holds a set of them, on top of what is deployed, against the past.
pub fn rollout(
    sheets: &[&Sheet],
    set: &PolicySet,
    cluster: &Cluster,
    facts: &Facts,
    judge: &(dyn Fn(&PolicySet) -> Simulation + Sync),
) -> Vec<RolloutStep> {
    let bundles = together(sheets, set, cluster);
    let broken = broken(&bundles, set, judge);
    let step = |(bundle, broken): (&Vec<&Sheet>, Option<u64>)| {
        let mut policies: Vec<String> = bundle.iter().map(|sheet| sheet.key.clone()).collect();
        policies.sort();
        let (is_unjudged, broken) = (broken.is_none(), broken.unwrap_or_default());
        RolloutStep { policies, risk: Risk { is_unjudged, broken, ..risk(bundle, set, facts) }, replay: None }
    };
    let mut steps: Vec<RolloutStep> = bundles.iter().zip(broken).map(step).collect();
    let is_last =
        |step: &RolloutStep| sheets.iter().any(|it| it.purpose == Purpose::Deny && step.policies.contains(&it.key));
    steps.sort_by_cached_key(|step| (is_last(step), step.risk.clone(), step.policies.clone()));
    let names = |steps: &[RolloutStep]| -> BTreeSet<String> {
        steps.iter().flat_map(|step| &step.policies).map(|key| full_name(key)).collect()
    };
    let judged: Vec<Simulation> =
        (0..steps.len().min(MAX_JUDGED)).into_par_iter().map(|n| judge(&only(set, &names(&steps[..=n])))).collect();
    for (step, replay) in steps.iter_mut().zip(judged) {
        step.replay = Some(replay);
    }
    steps
}

/// How many connections of the past each bundle denies, or leaves uncertain, by itself: no other closes its pods, so that no other
/// can deny there. What closes a namespace counts beside all others. None beyond the first 500.
fn broken(
    bundles: &[Vec<&Sheet>],
    set: &PolicySet,
    judge: &(dyn Fn(&PolicySet) -> Simulation + Sync),
) -> Vec<Option<u64>> {
    let lost = |set: &PolicySet| {
        let Simulation { denied, uncertain, .. } = judge(set);
        denied + uncertain
    };
    let names = |bundle: &[&Sheet]| -> BTreeSet<String> { bundle.iter().map(|sheet| full_name(&sheet.key)).collect() };
    let all: BTreeSet<String> = bundles.iter().flat_map(|bundle| names(bundle)).collect();
    let (with_none, with_all) = (lost(&only(set, &BTreeSet::new())), lost(&only(set, &all)));
    let of_one = |(n, bundle): (usize, &Vec<&Sheet>)| {
        if n >= MAX_JUDGED {
            return None;
        }
        let names = names(bundle);
        if bundle.iter().any(|sheet| sheet.purpose == Purpose::Deny) {
            let others = all.difference(&names).cloned().collect();
            return Some(with_all.saturating_sub(lost(&only(set, &others))));
        }
        Some(lost(&only(set, &names)).saturating_sub(with_none))
    };
    bundles.par_iter().enumerate().map(of_one).collect()
}

/// The policies of these names.
#[must_use]
pub fn only(set: &PolicySet, names: &BTreeSet<String>) -> PolicySet {
    let policies = set.policies.iter().filter(|policy| names.contains(&policy.full_name())).cloned().collect();
    PolicySet { policies, ..set.clone() }
}

/// `namespace/name` of a policy by document and name.
#[must_use]
pub fn full_name(key: &str) -> String {
    let (document, name) = key.split_once('#').unwrap_or((key, ""));
    format!("{}/{name}", document.split('/').next().unwrap_or_default())
}

/// Policies that close the same pods the same way go together, for each alone would deny what the other allows; so do
/// those of one document, for it is documents that are applied. One that closes a namespace waits for all others.
fn together<'s>(sheets: &[&'s Sheet], set: &PolicySet, cluster: &Cluster) -> Vec<Vec<&'s Sheet>> {
    let policies: BTreeMap<String, &NetworkPolicy> =
        set.policies.iter().map(|policy| (policy.full_name(), policy)).collect();
    let mut bundles = Bundles::new(sheets.len());
    let mut documents: BTreeMap<&str, usize> = BTreeMap::new();
    for (n, sheet) in sheets.iter().enumerate() {
        let document = sheet.key.split_once('#').map_or(&*sheet.key, |(document, _)| document);
        bundles.join(n, *documents.entry(document).or_insert(n));
    }
    let closing = sheets.iter().enumerate().filter(|(_, sheet)| sheet.purpose != Purpose::Deny);
    let closing: Vec<(usize, &NetworkPolicy)> =
        closing.filter_map(|(n, sheet)| Some((n, *policies.get(&full_name(&sheet.key))?))).collect();
    let mut first: BTreeMap<(PolicyType, String), usize> = BTreeMap::new();
    for pod in cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network) {
        let selects =
            |policy: &NetworkPolicy| policy.namespace == pod.namespace && policy.pod_selector.matches(&pod.labels);
        for (n, policy) in closing.iter().filter(|(_, policy)| selects(policy)) {
            for way in [PolicyType::Ingress, PolicyType::Egress] {
                if policy.rules(way).is_some() {
                    bundles.join(*n, *first.entry((way, format!("{}/{}", pod.namespace, pod.name))).or_insert(*n));
                }
            }
        }
    }
    let mut together: BTreeMap<usize, Vec<&Sheet>> = BTreeMap::new();
    for (n, sheet) in sheets.iter().enumerate() {
        together.entry(bundles.of(n)).or_default().push(sheet);
    }
    together.into_values().collect()
}

/// Places that belong together: each leads to another of its bundle, or is the one that stands for it.
struct Bundles(Vec<usize>);

impl Bundles {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The place that stands for a bundle.
    fn of(&self, mut place: usize) -> usize {
        while self.0[place] != place {
            place = self.0[place];
        }
        place
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.of(one), self.of(other));
        self.0[one.max(other)] = one.min(other);
    }
}

/// All but what is broken.
fn risk(bundle: &[&Sheet], set: &PolicySet, facts: &Facts) -> Risk {
    let names: BTreeSet<String> = bundle.iter().map(|sheet| full_name(&sheet.key)).collect();
    let has_egress = |policy: &&NetworkPolicy| names.contains(&policy.full_name()) && policy.egress.is_some();
    let rules = bundle.iter().flat_map(|sheet| &sheet.rules);
    let clients: BTreeSet<&str> = rules
        .clone()
        .filter(|rule| rule.side == "ingress")
        .filter_map(|rule| rule.access.as_ref())
        .flat_map(|access| access.evidence.iter().map(|one| one.client.as_str()))
        .collect();
    let is_doubtful =
        |access: &&crate::recommend::Access| Sum::of(&access.evidence).is_none() || !doubts(access, facts).is_empty();
    Risk {
        is_unjudged: false,
        broken: 0,
        not_watched: bundle.iter().filter(|sheet| sheet.watched.is_some_and(|it| it != Watched::Covered)).count(),
        closes_egress: set.policies.iter().any(|policy| has_egress(&policy)),
        doubts: rules.filter_map(|rule| rule.access.as_ref()).filter(is_doubtful).count(),
        clients: clients.len(),
        policies: bundle.len(),
    }
}
