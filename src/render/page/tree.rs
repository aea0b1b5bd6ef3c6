//! Policies by namespace and tier, each with its evidence.

use std::collections::BTreeMap;

use super::{Material, grouped};
use crate::{
    model::{Watched, WorkloadRef, visible},
    policy::{PolicyType, Reach},
    recommend::{Access, NamespacePlan, Peer, Recommendation, Sum},
    render::{Facts, Purpose, Sheet, SheetRule, review, words},
};

/// A namespace with its tiers.
#[derive(Clone, Debug)]
pub struct NamespaceView {
    /// Its name.
    pub name: String,
    /// How well it was watched, in a sentence.
    pub seen: String,
    /// Workloads in it.
    pub workloads: usize,
    /// Rules that are to be looked at twice.
    pub doubts: usize,
    /// Policies that leave their workloads open.
    pub open: usize,
    /// Its policies by tier.
    pub tiers: Vec<TierView>,
}

impl NamespaceView {
    /// How many policies it has.
    #[must_use]
    pub fn policies(&self) -> usize {
        self.tiers.iter().map(|tier| tier.policies.len()).sum()
    }
}

/// A tier of a namespace.
#[derive(Clone, Debug)]
pub struct TierView {
    /// Its name.
    pub name: String,
    /// Its policies.
    pub policies: Vec<PolicyView>,
}

/// A policy with what it allows.
#[derive(Clone, Debug)]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// What it is for: `Deployment api`, or several.
    pub members: String,
    /// What selects the pods.
    pub selects: String,
    /// Whether it leaves them open.
    pub is_open: bool,
    /// How well they were watched, where not all the time.
    pub watched: Option<String>,
    /// Whether it allows nothing because of a person, where it allows nothing.
    pub is_emptied: bool,
    /// Who may reach it.
    pub ingress: Vec<AccessView>,
    /// What it may reach.
    pub egress: Vec<AccessView>,
    /// Its reach, where it is of one workload.
    pub reach: Option<ReachView>,
    /// Rules that are to be looked at twice.
    pub doubts: usize,
}

/// One peer with its ports.
#[derive(Clone, Debug)]
pub struct AccessView {
    /// Who.
    pub peer: String,
    /// On which ports.
    pub ports: String,
    /// What it is for, where that is known.
    pub purposes: String,
    /// Connections, hours with traffic, when, and what told who the client is; none where it was not seen itself.
    pub seen: Option<[String; 4]>,
    /// Whether the evidence stands with the server's policy, and is left out here.
    pub is_brief: bool,
    /// Why it is to be looked at twice.
    pub doubts: Vec<String>,
}

/// A figure as it is with what is deployed, and as it will be with the proposal on top of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeforeAfter<T> {
    /// With what is deployed.
    pub before: T,
    /// With the proposal on top.
    pub after: T,
}

/// How far a workload reaches and is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReachView {
    /// Others that can reach it.
    pub reached_by: BeforeAfter<usize>,
    /// Others that it can reach.
    pub reaches: BeforeAfter<usize>,
    /// Whether the outside can reach it.
    pub from_outside: BeforeAfter<bool>,
    /// Whether it can reach the outside.
    pub to_outside: BeforeAfter<bool>,
}

impl ReachView {
    /// From what a workload had, and what it will have.
    #[must_use]
    pub fn new(before: &Reach, after: &Reach) -> Self {
        let outside = |of: fn(&Reach) -> bool| BeforeAfter { before: of(before), after: of(after) };
        Self {
            reached_by: BeforeAfter { before: before.reached_by, after: after.reached_by },
            reaches: BeforeAfter { before: before.reaches, after: after.reaches },
            from_outside: outside(|reach| reach.reached_from_outside),
            to_outside: outside(|reach| reach.reaches_outside),
        }
    }

    /// `no`, `yes`, or `yes → no`.
    #[must_use]
    pub fn words(outside: &BeforeAfter<bool>) -> &'static str {
        match (outside.before, outside.after) {
            (true, true) => "yes",
            (false, false) => "no",
            (true, false) => "yes → no",
            (false, true) => "no → yes",
        }
    }
}

/// From so many peers on the evidence of a rule stands once, with the server: a page has to open.
const TERSE_FROM: usize = 4_000;

/// Whether there are so many.
pub(super) fn is_terse(recommendation: &Recommendation) -> bool {
    let groups = recommendation.namespaces.iter().flat_map(|plan| &plan.groups);
    groups.map(|group| group.ingress.len() + group.egress.len()).sum::<usize>() >= TERSE_FROM
}

struct Maker<'a> {
    facts: &'a Facts,
    tiers: &'a BTreeMap<WorkloadRef, crate::tier::Tier>,
    /// Whether evidence stands once.
    is_terse: bool,
    /// The namespaces whose policies are here.
    namespaces: Vec<&'a str>,
}

pub(super) fn namespaces(material: &Material<'_>) -> Vec<NamespaceView> {
    let plans = &material.recommendation.namespaces;
    let maker = Maker {
        facts: material.facts,
        tiers: material.tiers,
        is_terse: is_terse(material.recommendation),
        namespaces: plans.iter().map(|plan| plan.namespace.as_str()).collect(),
    };
    let seen = review::seen(material.recommendation, material.facts);
    let view = |plan: &NamespacePlan| {
        let line = seen.get(plan.namespace.as_str()).map(review::Seen::line).unwrap_or_default();
        maker.namespace(plan, &line)
    };
    plans.iter().map(view).collect()
}

/// Tiers in the order of the map.
const ORDER: [&str; 5] = ["edge", "application", "data", "infrastructure", "client"];

impl Maker<'_> {
    fn namespace(&self, plan: &NamespacePlan, seen: &str) -> NamespaceView {
        let mut tiers: BTreeMap<(usize, String), Vec<PolicyView>> = BTreeMap::new();
        let is_here = |sheet: &&Sheet| sheet.namespace == plan.namespace && sheet.object.is_some();
        let mut sheets: Vec<&Sheet> = self.facts.sheets.iter().filter(is_here).collect();
        sheets.sort_by_key(|sheet| &sheet.name);
        for sheet in sheets {
            let tier = match sheet.purpose {
                // it is told of in a sentence
                Purpose::Deny => continue,
                Purpose::Group => {
                    let tier = self.tier(&sheet.members);
                    (place(&tier), tier)
                }
                Purpose::Dns => (ORDER.len() + 2, "name resolution".into()),
                Purpose::Own => (ORDER.len() + 3, "yours".into()),
            };
            tiers.entry(tier).or_default().push(self.policy(sheet));
        }
        let tiers: Vec<TierView> = tiers.into_iter().map(|((_, name), policies)| TierView { name, policies }).collect();
        let all = || tiers.iter().flat_map(|tier| &tier.policies);
        NamespaceView {
            name: visible(&plan.namespace).into_owned(),
            seen: visible(seen).into_owned(),
            workloads: plan.groups.iter().filter(|it| it.residue_of.is_none()).map(|it| it.members.len()).sum(),
            doubts: all().map(|policy| policy.doubts).sum(),
            open: all().filter(|policy| policy.is_open).count(),
            tiers,
        }
    }

    /// The tier of all members, else what tells that they have none or several.
    fn tier(&self, members: &[WorkloadRef]) -> String {
        let mut tiers: Vec<Option<&crate::tier::Tier>> = members.iter().map(|it| self.tiers.get(it)).collect();
        tiers.dedup();
        match tiers[..] {
            [Some(tier)] => tier.to_string(),
            [None] | [] => "no tier".into(),
            _ => "several tiers".into(),
        }
    }

    fn policy(&self, sheet: &Sheet) -> PolicyView {
        let [ingress, egress] = PolicyType::ALL.map(|side| self.accesses(sheet, side));
        let doubts = ingress.iter().chain(&egress).filter(|access| !access.doubts.is_empty()).count();
        let members: Vec<String> = sheet.members.iter().map(|it| format!("{} {}", it.kind, it.name)).collect();
        let watched = match sheet.watched {
            Some(Watched::Partly) => Some("watched for a part of its time".to_owned()),
            Some(Watched::Unseen) => Some("never watched at its own side".to_owned()),
            Some(Watched::Covered) | None => None,
        };
        let reach = match &sheet.members[..] {
            [one] if sheet.purpose == Purpose::Group => self.facts.measured.reach.get(&one.to_string()).copied(),
            _ => None,
        };
        PolicyView {
            name: visible(&sheet.name).into_owned(),
            members: visible(&members.join(", ")).into_owned(),
            selects: visible(&sheet.selects).into_owned(),
            is_open: sheet.is_open,
            watched,
            is_emptied: sheet.purpose == Purpose::Own || !sheet.rules.is_empty(),
            ingress,
            egress,
            reach,
            // what servers of names answered is evidence of all clients together
            doubts: if sheet.purpose == Purpose::Dns { 0 } else { doubts },
        }
    }

    fn accesses(&self, sheet: &Sheet, side: PolicyType) -> Vec<AccessView> {
        sheet.in_force(side).map(|rule| self.access(sheet, rule)).collect()
    }

    fn access(&self, sheet: &Sheet, rule: &SheetRule) -> AccessView {
        let is_here =
            matches!(&rule.peer, Some(Peer::Pods(pods)) if self.namespaces.contains(&pods.namespace.as_str()));
        let is_brief = self.is_terse && sheet.purpose == Purpose::Group && rule.side == PolicyType::Egress && is_here;
        let purposes = match &rule.access {
            Some(access) => access.purposes.iter().map(words::purpose).collect(),
            None if sheet.purpose == Purpose::Own => vec!["yours".to_owned()],
            None => vec!["added by hand".to_owned()],
        };
        let access = rule.access.as_ref().filter(|_| !is_brief);
        AccessView {
            peer: visible(&rule.name).into_owned(),
            ports: visible(&rule.ports_in_force().join(", ")).into_owned(),
            purposes: visible(&purposes.join("; ")).into_owned(),
            seen: access.and_then(Access::sum).map(|sum| seen(&sum)),
            is_brief,
            doubts: access.map(|access| review::doubts(access, self.facts)).unwrap_or_default(),
        }
    }
}

fn place(tier: &str) -> usize {
    ORDER.iter().position(|it| *it == tier).unwrap_or(ORDER.len())
}

fn seen(sum: &Sum) -> [String; 4] {
    let (first, last) = (words::minute(sum.span.first), words::minute(sum.span.last));
    let when = if first == last {
        first
    } else if first.get(..10) == last.get(..10) {
        format!("{first}–{}", last.get(11..).unwrap_or(&last))
    } else {
        format!("{first} – {last}")
    };
    [grouped(sum.connections), grouped(sum.hours as u64), when, sum.direction.as_str().to_owned()]
}
