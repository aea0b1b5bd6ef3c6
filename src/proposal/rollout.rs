//! In which order policies go out: what must go together does, the least risk goes first, and every step is held against
//! the past.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::{
    model::{Cluster, PartyKey, Watched, words::count},
    policy::{NetworkPolicy, PolicySet, PolicyType, Simulation},
    recommend::Sum,
    render::{Facts, PolicyKey, Purpose, Sheet, doubts},
};

/// Policies that are applied together.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutStep {
    /// The policies.
    pub policies: Vec<PolicyKey>,
    /// Policies that go, by namespace and name.
    pub gone: BTreeSet<String>,
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
    /// Connections of the past that would not go through on the way, where it is not applied at once.
    pub in_between: u64,
    /// Workloads that were not watched all the time.
    pub not_watched: usize,
    /// Whether it closes what pods may be reached by.
    pub closes_ingress: bool,
    /// Whether it closes what pods may reach: a forgotten need breaks there, and there are more of them.
    pub closes_egress: bool,
    /// Workloads that it leaves open.
    pub left_open: usize,
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
        let Self { is_unjudged, broken, in_between, not_watched, left_open, doubts, clients, policies, .. } = self;
        let mut words = Vec::new();
        if *is_unjudged {
            words.push("not held against the past by itself".to_owned());
        }
        if *broken > 0 {
            words.push(format!("{} of the past denied or not certain", count(*broken, "connection")));
        }
        if *in_between > 0 {
            let connections = count(*in_between, "connection");
            words.push(format!("without a pause: in between {connections} of the past would be denied or not certain"));
        }
        if *not_watched > 0 {
            words.push(format!("{} not watched all the time", count(*not_watched as u64, "workload")));
        }
        let closes = match (self.closes_ingress, self.closes_egress) {
            (true, true) => "closes egress too",
            (true, false) => "closes ingress alone",
            (false, true) => "closes egress alone",
            (false, false) => "closes nothing",
        };
        words.push(closes.to_owned());
        if *left_open > 0 {
            words.push(format!("leaves {} open", count(*left_open as u64, "workload")));
        }
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

/// Holds policies, without those that are gone, against the past.
pub type Verdicts<'a> = dyn Fn(&PolicySet, &BTreeSet<String>) -> Simulation + Sync + 'a;

/// What is rolled out.
pub struct Rollout<'a> {
    /// The policies that are applied.
    pub sheets: &'a [&'a Sheet],
    /// These policies as an API server would read them.
    pub set: &'a PolicySet,
    /// Policies that go when all others are there, by namespace and name.
    pub gone: &'a BTreeSet<String>,
    /// The pods.
    pub cluster: &'a Cluster,
    /// What is known beside.
    pub facts: &'a Facts,
    /// Holds a set, on top of what is deployed, against the past.
    pub judge: &'a Verdicts<'a>,
}

impl Rollout<'_> {
    /// The steps in their order. None of them leaves the past worse than it was before the first, or is after the last:
    /// where one would, it goes together with those that mend it.
    pub fn steps(&self) -> Vec<RolloutStep> {
        let Self { sheets, set, gone, cluster, .. } = *self;
        let none = BTreeSet::new();
        let by_key: ByKey<'_> = sheets.iter().map(|sheet| (&sheet.key, *sheet)).collect();
        let judge = |set: &PolicySet| (self.judge)(set, &none);
        let bundles = together(sheets, set, cluster);
        let broken = broken(&bundles, set, &judge);
        let step = |(bundle, broken): (&Vec<&Sheet>, Option<u64>)| {
            let mut policies: Vec<PolicyKey> = bundle.iter().map(|sheet| sheet.key.clone()).collect();
            policies.sort();
            let (is_unjudged, broken) = (broken.is_none(), broken.unwrap_or_default());
            let risk = Risk { is_unjudged, broken, ..self.risk(bundle) };
            RolloutStep { policies, gone: none.clone(), risk, replay: None }
        };
        let mut steps: Vec<RolloutStep> = bundles.iter().zip(broken).map(step).collect();
        let closes = |step: &RolloutStep| sheets_of(step, &by_key).any(|it| it.purpose == Purpose::Deny);
        steps.sort_by_cached_key(|step| (closes(step), step.risk.clone(), step.policies.clone()));
        if !gone.is_empty() {
            let (policies, risk) = (Vec::new(), Risk::default());
            steps.push(RolloutStep { policies, gone: gone.clone(), risk, replay: None });
        }
        let until = |steps: &[RolloutStep]| {
            let sheets = steps.iter().flat_map(|step| sheets_of(step, &by_key));
            let names: BTreeSet<String> = sheets.map(Sheet::full_name).collect();
            let gone = steps.iter().flat_map(|step| &step.gone).cloned().collect();
            (self.judge)(&only(set, &names), &gone)
        };
        let judged: Vec<Simulation> =
            (0..steps.len().min(MAX_JUDGED)).into_par_iter().map(|n| until(&steps[..=n])).collect();
        let (first, last) = (lost(&until(&[])), lost(&until(&steps)));
        for (step, replay) in steps.iter_mut().zip(judged) {
            step.replay = Some(replay);
        }
        self.settled(steps, (first, last), &by_key)
    }

    /// Steps of which none denies more of the past than is denied before the first and after the last: those that would go
    /// together with the next ones.
    fn settled(&self, steps: Vec<RolloutStep>, (first, last): (u64, u64), by_key: &ByKey<'_>) -> Vec<RolloutStep> {
        let after = |step: &RolloutStep| step.replay.as_ref().map_or(0, lost);
        let is_worse = |step: &RolloutStep| after(step) > first.max(last);
        let mut settled: Vec<RolloutStep> = Vec::new();
        for step in steps {
            let Some(mut whole) = settled.pop_if(|before| is_worse(before)) else {
                settled.push(step);
                continue;
            };
            let in_between = whole.risk.in_between.max(after(&whole));
            whole.policies.extend(step.policies);
            whole.policies.sort();
            whole.gone.extend(step.gone);
            whole.replay = step.replay;
            let before = settled.last().map_or(first, after);
            let (is_unjudged, broken) = (whole.replay.is_none(), after(&whole).saturating_sub(before));
            let sheets: Vec<&Sheet> = sheets_of(&whole, by_key).collect();
            whole.risk = Risk { is_unjudged, broken, in_between, ..self.risk(&sheets) };
            settled.push(whole);
        }
        settled
    }

    /// All but what is broken by it and on the way.
    fn risk(&self, bundle: &[&Sheet]) -> Risk {
        let names: BTreeSet<String> = bundle.iter().map(|sheet| sheet.full_name()).collect();
        let closing = bundle.iter().filter(|sheet| !sheet.is_open).map(|sheet| sheet.full_name());
        let closing: BTreeSet<String> = closing.collect();
        let closes = |way: PolicyType| {
            let mut all = self.set.policies.iter().filter(|policy| closing.contains(&policy.full_name()));
            all.any(|policy| policy.rules(way).is_some())
        };
        let rules = bundle.iter().flat_map(|sheet| &sheet.rules);
        let clients: BTreeSet<&PartyKey> = rules
            .clone()
            .filter(|rule| rule.side == PolicyType::Ingress)
            .filter_map(|rule| rule.access.as_ref())
            .flat_map(|access| access.evidence.iter().map(|one| &one.client))
            .collect();
        let is_doubtful = |access: &&crate::recommend::Access| {
            Sum::of(&access.evidence).is_none() || !doubts(access, self.facts).is_empty()
        };
        Risk {
            is_unjudged: false,
            broken: 0,
            in_between: 0,
            not_watched: bundle.iter().filter(|sheet| sheet.watched.is_some_and(|it| it != Watched::Covered)).count(),
            closes_ingress: closes(PolicyType::Ingress),
            closes_egress: closes(PolicyType::Egress),
            left_open: bundle.iter().filter(|sheet| sheet.is_open).map(|sheet| sheet.members.len()).sum(),
            doubts: rules.filter_map(|rule| rule.access.as_ref()).filter(is_doubtful).count(),
            clients: clients.len(),
            policies: names.len(),
        }
    }
}

type ByKey<'s> = BTreeMap<&'s PolicyKey, &'s Sheet>;

fn sheets_of<'s>(step: &RolloutStep, by_key: &ByKey<'s>) -> impl Iterator<Item = &'s Sheet> {
    step.policies.iter().filter_map(|key| by_key.get(key).copied())
}

fn lost(Simulation { denied, uncertain, .. }: &Simulation) -> u64 {
    denied + uncertain
}

/// How many connections of the past each bundle denies, or leaves uncertain, by itself: no other closes its pods, so that no other
/// can deny there. What closes a namespace counts beside all others. None beyond the first 500.
fn broken(
    bundles: &[Vec<&Sheet>],
    set: &PolicySet,
    judge: &(dyn Fn(&PolicySet) -> Simulation + Sync),
) -> Vec<Option<u64>> {
    let lost = |set: &PolicySet| lost(&judge(set));
    let names = |bundle: &[&Sheet]| -> BTreeSet<String> { bundle.iter().map(|sheet| sheet.full_name()).collect() };
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

/// Policies that close the same pods the same way go together, for each alone would deny what the other allows; so do
/// those of one document, for it is documents that are applied. One that closes a namespace waits for all others.
fn together<'s>(sheets: &[&'s Sheet], set: &PolicySet, cluster: &Cluster) -> Vec<Vec<&'s Sheet>> {
    let policies: BTreeMap<String, &NetworkPolicy> =
        set.policies.iter().map(|policy| (policy.full_name(), policy)).collect();
    let mut bundles = Bundles::new(sheets.len());
    let mut documents: BTreeMap<&str, usize> = BTreeMap::new();
    for (n, sheet) in sheets.iter().enumerate() {
        bundles.join(n, *documents.entry(sheet.key.document()).or_insert(n));
    }
    let closing = sheets.iter().enumerate().filter(|(_, sheet)| sheet.purpose != Purpose::Deny);
    let closing: Vec<(usize, &NetworkPolicy)> =
        closing.filter_map(|(n, sheet)| Some((n, *policies.get(&sheet.full_name())?))).collect();
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
