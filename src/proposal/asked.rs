//! What is asked for, and the proposal that answers it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Judge, Log, ProposalError, doubts,
    facts::{self, About},
    folder::Found,
    judge::{reach, read_back},
    world::Site,
};
use crate::{
    inventory,
    model::{Coverage, Dependency, Directions, Namesakes, WorkloadRef},
    policy::{PolicySet, Sight, Simulation},
    recommend::{self, CidrBounds, Grouping, Input, Recommendation},
    render::{self, ByHand, Decisions, Facts, InForce, Kustomizations, Measured, Policies, Said, Sheet, Written},
    store::Run,
};

/// Namespaces of the cluster itself: whoever asks for all of them means others, by name they can be asked for.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// What gets one policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Granularity {
    /// One workload: least privilege.
    #[default]
    Workload,
    /// All workloads of one role.
    Tier,
    /// A whole namespace, open within itself on the ports in use.
    Namespace,
}

impl Granularity {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 3] = [Self::Workload, Self::Tier, Self::Namespace];

    /// As on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Tier => "tier",
            Self::Namespace => "namespace",
        }
    }
}

/// How to propose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// What gets one policy.
    pub granularity: Granularity,
    /// What is closed.
    pub directions: Directions,
    /// Whether also those are closed that the captures could not see.
    pub isolate_unseen: bool,
    /// The share of its pairs, from 0 to 1, from which on a tier may reach a tier as a whole.
    pub support: f64,
    /// How far addresses outside may be put together.
    pub cidr: CidrBounds,
}

impl Default for Request {
    fn default() -> Self {
        let recommend::Options { directions, isolate_unseen, support, cidr, .. } = recommend::Options::default();
        Self { granularity: Granularity::default(), directions, isolate_unseen, support, cidr }
    }
}

/// What was asked for, and what is known.
pub struct Asked<'a> {
    /// How to propose.
    pub request: Request,
    /// The site.
    pub site: &'a Site,
    /// Its dependencies by workload.
    pub dependencies: &'a [Dependency],
    /// The namespaces that get policies.
    pub namespaces: &'a BTreeSet<String>,
    /// What the captures could have seen.
    pub coverage: &'a Coverage,
    /// The past, for verdicts on it.
    pub judge: Judge<'a>,
}

/// A proposal, and its policies as decisions leave them.
pub struct Proposal {
    /// What is recommended, decisions apart.
    pub recommendation: Recommendation,
    /// The documents.
    pub policies: Policies,
    /// The policies as an API server would read them.
    pub set: PolicySet,
}

impl Proposal {
    /// What decisions make of a recommendation. `now` is what a folder holds of an earlier proposal.
    pub fn of(recommendation: Recommendation, decisions: &Decisions, now: &Written) -> Result<Self, ProposalError> {
        let policies = render::policies(&recommendation, decisions, now)?;
        let set = read_back(&policies.documents)?;
        Ok(Self { recommendation, policies, set })
    }

    /// What a folder of an earlier proposal makes of a recommendation. Where an edit there is the reason that there is no
    /// proposal, the error says which.
    pub fn in_folder(recommendation: Recommendation, found: &Found) -> Result<Self, ProposalError> {
        Self::of(recommendation, &found.decisions(), &found.now).map_err(|error| found.blame(error))
    }

    /// The recommendation as the decisions leave it.
    #[must_use]
    pub fn decided(&self) -> Recommendation {
        render::decided(&self.recommendation, &self.policies.decisions)
    }
}

impl Asked<'_> {
    /// The proposal that was asked for.
    pub fn proposal(&self, found: &Found) -> Result<Proposal, ProposalError> {
        self.at(self.request.granularity, found)
    }

    /// The proposal at some granularity.
    pub fn at(&self, granularity: Granularity, found: &Found) -> Result<Proposal, ProposalError> {
        Proposal::in_folder(self.recommendation(granularity), found)
    }

    /// What is recommended at some granularity, before anybody decides.
    #[must_use]
    pub fn recommendation(&self, granularity: Granularity) -> Recommendation {
        let Request { directions, isolate_unseen, support, cidr, .. } = self.request;
        let grouping = match granularity {
            Granularity::Workload => Grouping::Workload,
            Granularity::Tier => Grouping::Roles(self.tiers()),
            Granularity::Namespace => Grouping::Namespace,
        };
        let options = recommend::Options { grouping, directions, isolate_unseen, support, cidr };
        let (cluster, directory) = (self.site.cluster(), &self.site.directory);
        let input = Input { cluster, directory, coverage: self.coverage };
        recommend::recommend(input, self.dependencies, self.namespaces, &options)
    }

    /// The tiers of workloads, by name; the others stand alone.
    fn tiers(&self) -> BTreeMap<WorkloadRef, String> {
        let tiers = self.judge.places().told();
        tiers.into_iter().map(|(workload, tier)| (workload, tier.to_string())).collect()
    }

    /// What there is to tell beside the policies. `runs` are those of the world that the site is of, `log` tells who decided,
    /// `sights` is what its judge tells of who can reach whom with the proposal.
    #[must_use]
    pub fn facts(
        &self,
        runs: &[Run],
        log: &Log,
        proposal: &Proposal,
        replay: Simulation,
        sights: &[Sight<'_>; 2],
    ) -> Facts {
        let measured = self.measured(proposal, &replay, sights);
        Facts { measured, ..self.facts_of_one(runs, log, proposal, replay) }
    }

    /// The facts of one proposal without what is measured.
    #[must_use]
    pub fn facts_of_one(&self, runs: &[Run], log: &Log, proposal: &Proposal, replay: Simulation) -> Facts {
        let Self { site, dependencies, namespaces, coverage, .. } = *self;
        let Proposal { recommendation, policies, set } = proposal;
        let sheets = render::sheets(recommendation, policies);
        let outlasting = doubts::outlasting(&self.judge.outlasting(set));
        Facts {
            site: site.name.clone(),
            namesakes: Namesakes::of(dependencies),
            captures: facts::captures(&About {
                runs,
                site,
                dependencies,
                namespaces,
                coverage,
                proposed: set,
                outlasting,
            }),
            replay,
            in_force: self.in_force(set, &sheets),
            by_hand: by_hand(policies, log.said(&sheets)),
            measured: Measured::default(),
            kustomizations: Kustomizations::of(&policies.written),
            sheets,
        }
    }

    /// What is in force beside policies, or in their place.
    fn in_force(&self, set: &PolicySet, sheets: &[Sheet]) -> InForce {
        let (cluster, known) = (self.site.cluster(), self.judge.deployed());
        let [deployed, replaced] = facts::deployed(cluster, self.namespaces, sheets);
        let skipped = known.skipped.iter().map(ToString::to_string);
        InForce {
            plugin: inventory::network_plugin(cluster),
            deployed,
            replaced,
            unjudged: skipped.chain(known.not_evaluated.iter().map(ToString::to_string)).collect(),
            unsure: known.doubts(),
            on_top: self.judge.replay_on_top(set),
            before: self.judge.replay_before(),
            undone: self.judge.undone(set),
            opens: self.judge.opens(set),
            reopened: self.judge.reopened(set),
        }
    }

    /// What granularities cost, how far workloads reach, and what others can read.
    fn measured(&self, proposal: &Proposal, replay: &Simulation, sights: &[Sight<'_>; 2]) -> Measured {
        let on_top = self.judge.openness_on_top(&proposal.set);
        Measured {
            granularities: self.granularities(proposal),
            over_permission_on_top: on_top.and_then(|it| it.over_permission),
            reach: reach(sights),
            audit: self.judge.audit(replay),
        }
    }

    /// What each granularity costs, without the decisions of a person, which are made for one of them: that one is told with
    /// them, too.
    fn granularities(&self, chosen: &Proposal) -> Vec<render::Granularity> {
        let is_decided = !chosen.policies.decisions.is_empty();
        let row = |(granularity, is_chosen): (Granularity, bool)| {
            let other = if is_chosen { None } else { Some(self.at(granularity, &Found::default())) };
            let (proposal, missing) = match &other {
                None => (Some(chosen), None),
                Some(Ok(other)) => (Some(other), None),
                Some(Err(error)) => (None, Some(error.to_string())),
            };
            let cost = |it: &Proposal| {
                let sheets = render::sheets(&it.recommendation, &it.policies);
                render::cost((&it.decided(), &sheets), &it.policies, self.site.cluster())
            };
            let openness = proposal.map(|it| self.judge.openness(&it.set));
            render::Granularity {
                granularity: granularity.as_str(),
                chosen: is_chosen,
                decisions_apart: is_decided && !is_chosen,
                missing,
                cost: proposal.map(cost).unwrap_or_default(),
                over_permission: openness.and_then(|it| it.over_permission),
                reach: openness.and_then(|it| it.reach),
            }
        };
        let rows = Granularity::ALL.into_iter().flat_map(|granularity| {
            let is_asked = granularity == self.request.granularity;
            let with = is_asked.then_some((granularity, true));
            with.into_iter().chain((!is_asked || is_decided).then_some((granularity, false)))
        });
        rows.map(row).collect()
    }
}

fn by_hand(policies: &Policies, said: Vec<Said>) -> ByHand {
    let Policies { decisions, conflicts, idle, .. } = policies;
    ByHand { decisions: decisions.clone(), conflicts: conflicts.clone(), idle: idle.clone(), said }
}

/// The namespaces that a proposal can be made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Of these something was seen.
    pub seen: BTreeSet<String>,
    /// Of these nothing was, and any proposal would be a guess.
    pub unseen: BTreeSet<String>,
    /// Of these something was; they are the cluster's own, and none was named.
    pub system: BTreeSet<String>,
}

impl Namespaces {
    /// Refuses where nothing was seen of any: a proposal without policies looks as if nothing were needed.
    pub fn any_seen(&self) -> Result<(), ProposalError> {
        if !self.seen.is_empty() {
            return Ok(());
        }
        let (what, system) = ("--all-namespaces".to_owned(), self.system.iter().cloned().collect());
        Err(ProposalError::NothingSeen { what, system })
    }
}

/// The namespaces that were asked for; where none was named, all but those of the cluster itself. One that was named and
/// of which nothing was seen is an error, and so is an inventory without any.
pub fn namespaces(named: &[String], site: &Site, dependencies: &[Dependency]) -> Result<Namespaces, ProposalError> {
    let known = site.namespaces();
    let seen: BTreeSet<String> = dependencies
        .iter()
        .flat_map(|dependency| [&dependency.client, &dependency.server])
        .filter_map(|party| party.namespace().map(str::to_owned))
        .collect();
    if named.is_empty() {
        if known.is_empty() {
            return Err(ProposalError::NoPods);
        }
        let (system, others): (BTreeSet<String>, BTreeSet<String>) =
            known.into_iter().partition(|name| SYSTEM.contains(&name.as_str()));
        let system = system.into_iter().filter(|name| seen.contains(name)).collect();
        let (seen, unseen) = others.into_iter().partition(|name| seen.contains(name));
        return Ok(Namespaces { seen, unseen, system });
    }
    for name in named {
        if !known.contains(name) {
            return Err(ProposalError::NotInInventory {
                namespaces: vec![name.clone()],
                known: known.into_iter().collect(),
            });
        }
        if !seen.contains(name) {
            return Err(ProposalError::NothingSeen { what: format!("namespace `{name}`"), system: Vec::new() });
        }
    }
    Ok(Namespaces { seen: named.iter().cloned().collect(), ..Namespaces::default() })
}
