//! `flowmap suggest`: NetworkPolicies for review.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Done, Fault,
    common::{Global, Namespaces},
    folder::{self, Found},
    print,
    suggest_args::{Args, Direction, Granularity},
    suggest_facts::{self, concerned},
    suggest_report::{report, warn},
    world::{Site, World},
};
use crate::{
    map::By,
    model::{Coverage, Dependency, WorkloadRef},
    policy::{self, Evaluator, PolicySet, Simulation, Strictness},
    recommend::{self, CidrBounds, Directions, Grouping, Input, Recommendation},
    render::{self, Decisions, Document, Facts, Policies},
    store::Store,
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
    let asked = Asked { args: &args, site, dependencies: &dependencies, namespaces: &namespaces, coverage: &coverage };
    let proposal = asked.proposal(args.granularity, &found)?;
    let replay = asked.replay(&proposal.policies.documents)?;
    if is_stream {
        print::text(stream(&proposal.policies.documents).as_bytes())?;
    } else {
        let decided = render::decided(&proposal.recommendation, &proposal.policies.decisions);
        let facts = asked.facts(&world, &proposal, replay.clone());
        warn(&facts, &decided, &found);
        write(&args, &proposal.policies, &decided, &facts, &found)?;
        report(&args, &proposal.policies, &decided, &facts)?;
        if let Some(store) = &store {
            keep(store, site, &namespaces, &proposal.policies.decisions).await?;
        }
    }
    Ok(if replay.denied > 0 { Done::Found } else { Done::Clean })
}

/// What the store keeps of decisions on some namespaces.
async fn kept(store: &Store, site: &Site, namespaces: &BTreeSet<String>) -> anyhow::Result<Decisions> {
    let mut kept = Decisions::default();
    for (namespace, body) in store.decisions(&site.name).await? {
        if namespaces.contains(&namespace) {
            let decisions: Decisions = serde_json::from_str(&body)
                .map_err(|error| Fault::new(format_args!("decisions on namespace `{namespace}`"), error))?;
            kept.join(decisions.within(&namespace));
        }
    }
    Ok(kept)
}

/// Keeps them for other folders and for none.
async fn keep(store: &Store, site: &Site, namespaces: &BTreeSet<String>, all: &Decisions) -> anyhow::Result<()> {
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
}

/// A proposal, and its policies as decisions leave them.
struct Proposal {
    recommendation: Recommendation,
    policies: Policies,
}

/// The role of every workload.
fn roles(_site: &Site, _dependencies: &[Dependency]) -> Result<BTreeMap<WorkloadRef, String>, Fault> {
    Err(Fault::new("--granularity tier", "not available yet").hint("take workload or namespace"))
}

impl Asked<'_> {
    fn proposal(&self, granularity: Granularity, found: &Found) -> anyhow::Result<Proposal> {
        let Args { direction, isolate_unseen, support, cidr_floor: (floor_v4, floor_v6), cidr_waste, .. } = *self.args;
        let options = recommend::Options {
            grouping: match granularity {
                Granularity::Workload => Grouping::Workload,
                Granularity::Tier => Grouping::Roles(roles(self.site, self.dependencies)?),
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
        Ok(Proposal { recommendation, policies })
    }

    /// Reads the policies back as a strict API server would, and holds what was seen of the namespaces against them.
    fn replay(&self, policies: &[Document]) -> anyhow::Result<Simulation> {
        let mut objects = Vec::new();
        for document in policies {
            objects.extend(policy::read(&document.path, &document.text)?);
        }
        let set = PolicySet::from_objects(&objects, Strictness::Strict)?;
        let cluster = self.site.cluster();
        let evaluator = Evaluator::new(&set, &cluster.namespaces, policy::Options::default());
        let concerned: Vec<Dependency> = concerned(self.dependencies, self.namespaces).cloned().collect();
        Ok(policy::simulate(&concerned, cluster, &evaluator))
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
            render::Granularity {
                granularity: granularity.as_str(),
                chosen: is_chosen,
                missing,
                cost: proposal.map(cost).unwrap_or_default(),
                over_permission: None,
                reach: None,
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
        let Policies { decisions, conflicts, .. } = &proposal.policies;
        let (decisions, conflicts) = (decisions.clone(), conflicts.clone());
        Facts { granularities, decisions, conflicts, ..suggest_facts::facts(&about, replay) }
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
    folder::replace(&args.out_dir, &documents, found)
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
            eprintln!("flowmap: namespace {name}: nothing was seen of it, no policies");
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
