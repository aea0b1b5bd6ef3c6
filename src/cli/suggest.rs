//! `flowmap suggest`: NetworkPolicies for review.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::ValueEnum;

use super::{
    Done, Fault,
    common::{Global, Namespaces, Output, OutputArg, Selection},
    fault::printable,
    folder::{self, Found},
    print,
    print::Table,
    simulate,
    suggest_facts::{self, concerned},
    world::{Site, World},
};
use crate::{
    map::By,
    model::{Coverage, Dependency, Watched, WorkloadRef},
    policy::{self, Evaluator, PolicySet, Simulation, Strictness},
    recommend::{self, CidrBounds, Directions, Grouping, Input, Recommendation},
    render::{self, Document, Facts, Policies, Seen},
};

/// Write least-privilege NetworkPolicies for namespaces, with their evidence and the verdict on the past.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap suggest --namespace production
  flowmap suggest -n production --direction ingress
  flowmap suggest -n production --out-dir - | kubectl diff -f -
  flowmap suggest --from node-1.pcap node-2.pcap --inventory cluster.json -n production")]
pub(super) struct Args {
    #[command(flatten)]
    namespaces: Namespaces,
    /// Where the documents go; - prints the policies alone
    #[arg(long, default_value = "policies-out", value_name = "DIR")]
    out_dir: PathBuf,
    /// What a policy is for
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    granularity: Granularity,
    /// What to close; the usual order is ingress first
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    direction: Direction,
    /// Close also what the captures could not see, or for a part of its time alone, with what was seen of it
    #[arg(long)]
    isolate_unseen: bool,
    /// The share of its pairs, from 0 to 1, from which on a tier may reach a tier as a whole
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", value_parser = share)]
    support: f64,
    /// The shortest prefix that addresses outside are put together to: of IPv4, and of IPv6 after a comma
    #[arg(long, default_value = "24,64", value_name = "BITS", value_parser = floor)]
    cidr_floor: (u8, u8),
    /// For each address of a name that was seen, a prefix may let in so many that were not
    #[arg(long, default_value_t = 1, value_name = "ADDRESSES")]
    cidr_waste: u16,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Granularity {
    /// One workload: least privilege
    #[default]
    Workload,
    /// All workloads of one role
    Tier,
    /// A whole namespace, open within itself on the ports in use
    Namespace,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Direction {
    /// Who may reach the pods
    Ingress,
    /// What the pods may reach
    Egress,
    /// Both
    #[default]
    Both,
}

impl Granularity {
    const ALL: [Self; 3] = [Self::Workload, Self::Tier, Self::Namespace];

    fn as_str(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Tier => "tier",
            Self::Namespace => "namespace",
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("`{text}` is not a number from 0 to 1"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(format!("`{text}` is not a number from 0 to 1")) }
}

fn floor(text: &str) -> Result<(u8, u8), String> {
    let wrong = || format!("`{text}` is not a prefix length such as 24, or 24,64 for IPv4 and IPv6");
    let (v4, v6) = text.split_once(',').unwrap_or((text, "64"));
    let (v4, v6): (u8, u8) = (v4.parse().map_err(|_| wrong())?, v6.parse().map_err(|_| wrong())?);
    if v4 <= 32 && v6 <= 128 { Ok((v4, v6)) } else { Err(wrong()) }
}

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
    let found = if is_stream { Found::default() } else { folder::read(&args.out_dir)? };
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
    }
    Ok(if replay.denied > 0 { Done::Found } else { Done::Clean })
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

/// Says aloud what the policies cannot tell of themselves.
fn warn(facts: &Facts, recommendation: &Recommendation, found: &Found) {
    if facts.plugin.ignores() {
        eprintln!("flowmap: WARNING: network plugin {}", facts.plugin);
    }
    if found.is_older {
        eprintln!(
            "flowmap: the folder was written by an older flowmap: what was edited there since cannot be told, and is not kept"
        );
    }
    for hidden in &facts.hidden {
        eprintln!("flowmap: {}", printable(&format!("mesh: {hidden}")));
    }
    for plan in &recommendation.namespaces {
        let is_partly_seen =
            |group: &&recommend::Group| (group.is_seen || !group.is_open) && group.watched != Watched::Covered;
        let names: Vec<&str> = plan.groups.iter().filter(is_partly_seen).map(|group| group.name.as_str()).collect();
        if !names.is_empty() {
            let names = printable(&names.join(", "));
            eprintln!("flowmap: {}: not watched at their own side all the time: {names}", plan.namespace);
        }
        for group in plan.groups.iter().filter(|group| group.is_open) {
            let name = printable(&group.name);
            let why = match group.watched {
                Watched::Unseen if group.is_seen => "was seen from elsewhere alone",
                Watched::Partly => "was watched for a part of its time, or of its replicas', alone",
                _ => "nothing of it was seen, nor could all have been",
            };
            eprintln!("flowmap: {}/{name}: {why}: it is left open", plan.namespace);
        }
    }
    for blocked in &facts.blocked {
        let render::Blocked { from, to, protocol, port, reason, .. } = blocked;
        let what = format!("{from} -> {to} {protocol}/{port}: not answered, maybe blocked while learning: {reason}");
        eprintln!("flowmap: {}", printable(&what));
    }
}

/// All policies as one stream of YAML documents.
fn stream(policies: &[Document]) -> String {
    let is_policy = |document: &&Document| !document.path.ends_with("/kustomization.yaml");
    policies.iter().filter(is_policy).map(|document| document.text.as_str()).collect::<Vec<_>>().join("---\n")
}

fn report(args: &Args, policies: &Policies, recommendation: &Recommendation, facts: &Facts) -> anyhow::Result<()> {
    let coverage = render::seen(recommendation, &facts.coverage);
    let mut table = Table::new(&["namespace", "policies", "rules", "left open", "left out"]).numeric(&[1, 2, 3, 4]);
    let mut values = Vec::new();
    for plan in &recommendation.namespaces {
        let recommend::NamespacePlan { namespace, groups, dns, left_out } = plan;
        let prefix = format!("{namespace}/");
        let is_policy = |key: &&String| key.starts_with(&prefix) && !key.ends_with('#');
        let count = policies.written.0.keys().filter(is_policy).count();
        let rules: usize = groups.iter().map(|group| group.ingress.len() + group.egress.len()).sum();
        let open: Vec<&str> = groups.iter().filter(|group| group.is_open).map(|group| group.name.as_str()).collect();
        table.row(vec![
            namespace.clone(),
            count.to_string(),
            rules.to_string(),
            open.len().to_string(),
            left_out.len().to_string(),
        ]);
        let dns = dns.as_ref().map_or(0, |dns| dns.clients.len());
        values.push(serde_json::json!({
            "namespace": namespace, "policies": count, "rules": rules, "dns": dns, "left_open": open,
            "left_out": left_out.len(), "learning": facts.learning.get(namespace),
        }));
    }
    if args.output.output == Output::Json {
        let value = serde_json::json!({
            "coverage": coverage, "out_dir": args.out_dir, "namespaces": values, "replay": facts.replay,
            "granularities": facts.granularities, "conflicts": facts.conflicts.len(),
        });
        return Ok(print::json(&value)?);
    }
    let is_csv = args.output.output == Output::Csv;
    if !is_csv {
        let line =
            |(namespace, seen): (&&str, &Seen)| printable(&format!("coverage: {namespace}: {}", seen.line())) + "\n";
        print::text(coverage.iter().map(line).collect::<String>().as_bytes())?;
    }
    print::list(args.output.output, &values, &table, "")?;
    if !is_csv {
        print::text(granularities(&facts.granularities).as_bytes())?;
        print::text(simulate::summary(&facts.replay).as_bytes())?;
        for conflict in &facts.conflicts {
            let verb = if conflict.is_added { "added" } else { "rejected" };
            print::text(
                (printable(&format!("{}: {verb} by hand: {}", conflict.policy, conflict.what)) + "\n").as_bytes(),
            )?;
        }
        let review = args.out_dir.join("REVIEW.md");
        print::text(format!("read {} before you apply anything\n", review.display()).as_bytes())?;
    }
    Ok(())
}

/// A line for each granularity.
fn granularities(all: &[render::Granularity]) -> String {
    let line = |one: &render::Granularity| {
        let name = one.granularity;
        if let Some(why) = &one.missing {
            return format!("by {name}: {why}\n");
        }
        let render::Cost { policies, rules, entries, .. } = one.cost;
        format!("by {name}: {policies} policies, {rules} rules, {entries} entries\n")
    };
    all.iter().map(line).collect()
}
