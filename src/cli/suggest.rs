//! `flowmap suggest`: NetworkPolicies for review.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Done, Fault,
    common::{Global, Namespaces},
    folder::{self, Found},
    print,
    suggest_args::{Args, Direction, Granularity},
    suggest_facts,
    suggest_judge::{Judge, read_back},
    suggest_report::{report, warn, warn_idle},
    world::{Site, World},
};
use crate::{
    map::By,
    model::{Contacts, Coverage, Dependency, WorkloadRef},
    policy::{PolicySet, Simulation},
    recommend::{self, CidrBounds, Directions, Grouping, Input, Recommendation},
    render::{self, Document, Facts, Kept, Policies},
    store::Store,
    tier::{self, Scope},
};

/// Namespaces of the cluster itself: `-A` leaves them alone, by name they can be asked for.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    if args.namespaces.namespace.is_empty() && !args.namespaces.all_namespaces {
        return Err(Fault::new("suggest", "which namespace?").hint("name it with -n, or take all with -A").into());
    }
    let world = World::open(global, &args.selection).await?;
    let site = world.site_of(&args.namespaces.namespace)?;
    let dependencies = site.dependencies(By::Workload);
    let namespaces = namespaces(&args.namespaces, site, &dependencies)?;
    let coverage = site.coverage();
    let is_stream = args.out_dir.as_os_str() == "-";
    let mut found = if is_stream { Found::default() } else { folder::read(&args.out_dir)? };
    // files alone have no store, and nothing was decided of them
    let store = if args.selection.from.is_empty() { Some(global.store().await?) } else { None };
    if let Some(store) = &store {
        found.kept = kept(store, site, &namespaces).await?;
    }
    let judge = Judge::new(site, &dependencies, &namespaces);
    let (dependencies, namespaces, coverage) = (&dependencies, &namespaces, &coverage);
    let asked = Asked { args: &args, site, dependencies, namespaces, coverage, judge };
    let proposal = asked.proposal(args.granularity, &found)?;
    let replay = asked.judge.replay(&proposal.set);
    warn_idle(&proposal.policies.idle);
    if is_stream {
        print::text(stream(&proposal.policies.documents).as_bytes())?;
    } else {
        let decided = render::decided(&proposal.recommendation, &proposal.policies.decisions);
        let facts = asked.facts(&world, &proposal, replay.clone());
        warn(&facts, &decided, &found);
        // before the folder: what was taken back there is not brought back if this run is killed in between
        if let Some(store) = &store {
            keep(store, site, namespaces, &found.keeps(&proposal.policies.decisions)).await?;
        }
        write(&args, &proposal.policies, &decided, &facts, &found)?;
        report(&args, &proposal.policies, &decided, &facts)?;
    }
    Ok(if replay.denied > 0 { Done::Found } else { Done::Clean })
}

/// What the store keeps of decisions on some namespaces.
async fn kept(store: &Store, site: &Site, namespaces: &BTreeSet<String>) -> anyhow::Result<Kept> {
    let mut kept = Kept::default();
    for (namespace, body) in store.decisions(&site.name).await? {
        if namespaces.contains(&namespace) {
            let decisions: Kept = serde_json::from_str(&body)
                .map_err(|error| Fault::new(format_args!("decisions on namespace `{namespace}`"), error))?;
            kept.join(decisions.within(&namespace));
        }
    }
    Ok(kept)
}

/// Keeps them for other folders and for none.
async fn keep(store: &Store, site: &Site, namespaces: &BTreeSet<String>, all: &Kept) -> anyhow::Result<()> {
    for namespace in namespaces {
        let decisions = all.within(namespace);
        let body = if decisions.is_empty() { None } else { Some(serde_json::to_string(&decisions)?) };
        store.keep_decisions(&site.name, namespace, body.as_deref()).await?;
    }
    Ok(())
}

/// What was asked for, and what is known.
struct Asked<'a> {
    args: &'a Args,
    site: &'a Site,
    dependencies: &'a [Dependency],
    namespaces: &'a BTreeSet<String>,
    coverage: &'a Coverage,
    judge: Judge<'a>,
}

/// A proposal, and its policies as decisions leave them.
struct Proposal {
    recommendation: Recommendation,
    policies: Policies,
    /// The policies as an API server would read them.
    set: PolicySet,
}

/// The tier of every workload.
fn tiers(site: &Site, dependencies: &[Dependency]) -> BTreeMap<WorkloadRef, String> {
    let contacts: Contacts = dependencies.iter().collect();
    let scope = Scope::new(&site.directory, &contacts.parties);
    let found = tier::find(&contacts, &scope, tier::Options::default());
    let members = found.roles.iter().flat_map(|role| role.members.iter().map(|member| (member, role.tier)));
    members.filter_map(|(member, tier)| Some((member.workload.clone()?, tier.to_string()))).collect()
}

impl Asked<'_> {
    fn proposal(&self, granularity: Granularity, found: &Found) -> anyhow::Result<Proposal> {
        let Args { direction, isolate_unseen, support, cidr_floor: (floor_v4, floor_v6), cidr_waste, .. } = *self.args;
        let options = recommend::Options {
            grouping: match granularity {
                Granularity::Workload => Grouping::Workload,
                Granularity::Tier => Grouping::Roles(tiers(self.site, self.dependencies)),
                Granularity::Namespace => Grouping::Namespace,
            },
            directions: match direction {
                Direction::Ingress => Directions::Ingress,
                Direction::Egress => Directions::Egress,
                Direction::Both => Directions::Both,
            },
            isolate_unseen,
            support,
            cidr: CidrBounds { floor_v4, floor_v6, waste: cidr_waste },
        };
        let (cluster, directory) = (self.site.cluster(), &self.site.directory);
        let input = Input { cluster, directory, coverage: self.coverage };
        let recommendation = recommend::recommend(input, self.dependencies, self.namespaces, &options);
        let policies = render::policies(&recommendation, &found.decisions(), &found.now)?;
        let set = read_back(&policies.documents)?;
        Ok(Proposal { recommendation, policies, set })
    }

    /// What each granularity costs, without the decisions of a person, which are made for one of them.
    fn granularities(&self, chosen: &Proposal) -> Vec<render::Granularity> {
        let row = |granularity: Granularity| {
            let is_chosen = granularity == self.args.granularity;
            let other = if is_chosen { None } else { Some(self.proposal(granularity, &Found::default())) };
            let (proposal, missing) = match &other {
                None => (Some(chosen), None),
                Some(Ok(other)) => (Some(other), None),
                Some(Err(error)) => (None, Some(error.to_string())),
            };
            let cost = |it: &Proposal| render::cost(&it.recommendation, &it.policies, self.site.cluster());
            let openness = proposal.map(|it| self.judge.openness(&it.set));
            render::Granularity {
                granularity: granularity.as_str(),
                chosen: is_chosen,
                missing,
                cost: proposal.map(cost).unwrap_or_default(),
                over_permission: openness.and_then(|it| it.over_permission),
                reach: openness.and_then(|it| it.reach),
            }
        };
        Granularity::ALL.map(row).into()
    }

    fn facts(&self, world: &World, proposal: &Proposal, replay: Simulation) -> Facts {
        let about = suggest_facts::About {
            world,
            site: self.site,
            dependencies: self.dependencies,
            namespaces: self.namespaces,
            coverage: self.coverage,
        };
        let granularities = self.granularities(proposal);
        let Policies { decisions, conflicts, idle, .. } = &proposal.policies;
        let (decisions, conflicts, idle) = (decisions.clone(), conflicts.clone(), idle.clone());
        Facts { granularities, decisions, conflicts, idle, ..suggest_facts::facts(&about, replay) }
    }
}

fn write(
    args: &Args,
    policies: &Policies,
    decided: &Recommendation,
    facts: &Facts,
    found: &Found,
) -> anyhow::Result<()> {
    let mut documents = policies.documents.clone();
    documents.push(render::review(decided, facts));
    let mut files: Vec<String> = documents.iter().map(|document| document.path.clone()).collect();
    files.push(folder::INDEX.to_owned());
    files.sort();
    documents.push(render::evidence(decided, policies, facts, &files));
    folder::replace(&args.out_dir, &documents, policies, found)
}

/// The namespaces asked for. One of which nothing was seen is an error, for any proposal would be a guess.
fn namespaces(asked: &Namespaces, site: &Site, dependencies: &[Dependency]) -> anyhow::Result<BTreeSet<String>> {
    let known = site.namespaces();
    let seen: BTreeSet<String> = dependencies
        .iter()
        .flat_map(|dependency| [&dependency.client, &dependency.server])
        .filter_map(|party| party.workload().map(|workload| workload.namespace))
        .collect();
    if asked.all_namespaces {
        let mut found: BTreeSet<String> = known.intersection(&seen).cloned().collect();
        found.retain(|name| !SYSTEM.contains(&name.as_str()));
        for name in known.difference(&seen).filter(|name| !SYSTEM.contains(&name.as_str())) {
            warnln!("flowmap: namespace {name}: nothing was seen of it, no policies");
        }
        if found.is_empty() {
            return Err(nothing_seen("--all-namespaces"));
        }
        return Ok(found);
    }
    for name in &asked.namespace {
        if !known.contains(name) {
            let known = known.iter().cloned().collect::<Vec<_>>().join(", ");
            let fault = Fault::new(format_args!("namespace `{name}`"), "not in the inventory");
            return Err(fault.hint(format!("known are {known}")).into());
        }
        if !seen.contains(name) {
            return Err(nothing_seen(&format!("namespace `{name}`")));
        }
    }
    Ok(asked.namespace.iter().cloned().collect())
}

fn nothing_seen(what: &str) -> anyhow::Error {
    let hint = "import captures of the nodes that its pods run on, taken while they worked";
    Fault::new(what, "nothing was seen of its pods, a proposal would be a guess").hint(hint).into()
}

/// All policies as one stream of YAML documents.
fn stream(policies: &[Document]) -> String {
    let is_policy = |document: &&Document| !document.path.ends_with("/kustomization.yaml");
    policies.iter().filter(is_policy).map(|document| document.text.as_str()).collect::<Vec<_>>().join("---\n")
}
