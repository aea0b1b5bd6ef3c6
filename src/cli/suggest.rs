//! `flowmap suggest`: NetworkPolicies for review.

use std::{collections::BTreeSet, path::PathBuf};

use clap::ValueEnum;

use super::{
    Done, Fault,
    common::{Global, Namespaces, Output, OutputArg, Selection},
    fault::printable,
    folder, print,
    print::Table,
    simulate,
    world::{Site, World},
};
use crate::{
    inventory,
    map::{self, By},
    model::{Coverage, Dependency, Party, Span, Watched},
    policy::{self, Evaluator, Options, Past, PolicySet, Roster, Simulation, Strictness},
    recommend::{self, Group, Input, NamespacePlan, Recommendation},
    render::{self, Document, Facts},
};

/// Write least-privilege NetworkPolicies for namespaces, with their evidence and the verdict on the past.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  flowmap suggest --namespace production
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
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    output: OutputArg,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Granularity {
    /// One workload: least privilege
    #[default]
    Workload,
}

/// Namespaces of the cluster itself: `-A` leaves them alone, by name they can be asked for.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Done> {
    let Granularity::Workload = args.granularity;
    if args.namespaces.namespace.is_empty() && !args.namespaces.all_namespaces {
        return Err(Fault::new("suggest", "which namespace?").hint("name it with -n, or take all with -A").into());
    }
    let world = World::open(global, &args.selection).await?;
    let site = world.site_of(&args.namespaces.namespace)?;
    let dependencies = site.dependencies(By::Workload);
    let namespaces = namespaces(&args.namespaces, site, &dependencies)?;
    let coverage = site.coverage();
    let (cluster, directory) = (site.cluster(), &site.directory);
    let input = Input { dependencies: &dependencies, cluster, directory, coverage: &coverage };
    let recommendation = recommend::recommend(input, &namespaces);
    let policies = render::policies(&recommendation)?;
    let replay = replay(&policies, site, &dependencies, &namespaces)?;
    if args.out_dir.as_os_str() == "-" {
        print::text(stream(&policies).as_bytes())?;
    } else {
        let facts = facts(&world, site, &dependencies, &namespaces, (coverage, replay.clone()));
        warn(&facts, &recommendation);
        let mut documents = policies;
        documents.push(render::review(&recommendation, &facts));
        let mut files: Vec<String> = documents.iter().map(|document| document.path.clone()).collect();
        files.push(folder::INDEX.to_owned());
        files.sort();
        documents.push(render::evidence(&recommendation, &replay, &files));
        folder::replace(&args.out_dir, &documents)?;
        report(&args, &recommendation, &replay)?;
    }
    Ok(if replay.denied > 0 { Done::Found } else { Done::Clean })
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

/// Reads the policies back as a strict API server would, and holds what was seen of the namespaces against them.
fn replay(
    policies: &[Document],
    site: &Site,
    dependencies: &[Dependency],
    namespaces: &BTreeSet<String>,
) -> anyhow::Result<Simulation> {
    let mut objects = Vec::new();
    for document in policies {
        objects.extend(policy::read(&document.path, &document.text)?);
    }
    let set = PolicySet::from_objects(&objects, Strictness::Strict)?;
    let evaluator = Evaluator::new(&set, &site.cluster().namespaces, Options::default());
    let concerned: Vec<Dependency> = concerned(dependencies, namespaces).cloned().collect();
    let simulation = policy::simulate(&Past::new(&concerned, &Roster::new(site.cluster())), &evaluator);
    // a sweep may be a row for every port: `simulate` lists them
    Ok(Simulation { closed: Vec::new(), ..simulation })
}

fn concerned<'d>(
    dependencies: &'d [Dependency],
    namespaces: &BTreeSet<String>,
) -> impl Iterator<Item = &'d Dependency> {
    let is_in = |party: &Party| party.workload().is_some_and(|workload| namespaces.contains(&workload.namespace));
    dependencies.iter().filter(move |dependency| is_in(&dependency.client) || is_in(&dependency.server))
}

fn facts(
    world: &World,
    site: &Site,
    dependencies: &[Dependency],
    namespaces: &BTreeSet<String>,
    (coverage, replay): (Coverage, Simulation),
) -> Facts {
    let runs: Vec<_> = world.runs.iter().filter(|run| run.site == site.name).collect();
    let first = runs.iter().filter_map(|run| run.first_packet).min();
    let last = runs.iter().filter_map(|run| run.last_packet).max();
    let concerned: Vec<Dependency> = concerned(dependencies, namespaces).cloned().collect();
    Facts {
        span: first.zip(last).map(|(first, last)| Span { first, last }),
        captures: runs.len(),
        dropped: runs.iter().map(|run| run.loss.dropped_by_kernel + run.loss.dropped_by_interface).sum(),
        damaged: runs.iter().filter(|run| run.loss.damage.is_some() || !run.loss.bounds.is_empty()).count(),
        learning: map::learning(&concerned),
        hidden: map::hidden(&concerned, site.cluster()),
        plugin: inventory::network_plugin(site.cluster()),
        coverage,
        replay,
    }
}

/// Says aloud what the policies cannot tell of themselves.
fn warn(facts: &Facts, recommendation: &Recommendation) {
    if facts.plugin.ignores() {
        warnln!("flowmap: WARNING: network plugin {}", facts.plugin);
    }
    for hidden in &facts.hidden {
        warnln!("flowmap: {}", printable(&format!("mesh: {hidden}")));
    }
    for plan in &recommendation.namespaces {
        let is_partly_seen = |group: &&Group| !group.is_open && group.watched != Watched::Covered;
        let names: Vec<&str> = plan.groups.iter().filter(is_partly_seen).map(|group| group.name.as_str()).collect();
        if !names.is_empty() {
            let names = printable(&names.join(", "));
            warnln!("flowmap: {}: not watched at their own side all the time: {names}", plan.namespace);
        }
    }
}

/// All policies as one stream of YAML documents.
fn stream(policies: &[Document]) -> String {
    let is_policy = |document: &&Document| !document.path.ends_with("/kustomization.yaml");
    policies.iter().filter(is_policy).map(|document| document.text.as_str()).collect::<Vec<_>>().join("---\n")
}

fn report(args: &Args, recommendation: &Recommendation, replay: &Simulation) -> anyhow::Result<()> {
    let mut table = Table::new(&["namespace", "policies", "rules", "left open", "left out"]).numeric(&[1, 2, 3, 4]);
    let mut values = Vec::new();
    for plan in &recommendation.namespaces {
        let NamespacePlan { namespace, groups, dns, left_out } = plan;
        let policies = groups.len() + 1 + dns.as_ref().map_or(0, |dns| dns.clients.len());
        let rules: usize = groups.iter().map(|group| group.ingress.len() + group.egress.len()).sum();
        let open: Vec<&str> = groups.iter().filter(|group| group.is_open).map(|group| group.name.as_str()).collect();
        table.row(vec![
            namespace.clone(),
            policies.to_string(),
            rules.to_string(),
            open.len().to_string(),
            left_out.len().to_string(),
        ]);
        for name in &open {
            warnln!("flowmap: {namespace}/{name}: nothing of it was seen, nor could all have been: it is left open");
        }
        values.push(serde_json::json!({"namespace": namespace, "policies": policies, "rules": rules, "left_open": open, "left_out": left_out.len()}));
    }
    if args.output.output == Output::Json {
        let value = serde_json::json!({"out_dir": args.out_dir, "namespaces": values, "replay": replay});
        return Ok(print::json(&value)?);
    }
    print::list(args.output.output, &values, &table, "")?;
    if args.output.output != Output::Csv {
        print::text(simulate::summary(replay).as_bytes())?;
        let review = args.out_dir.join("REVIEW.md");
        print::text(format!("read {} before you apply anything\n", review.display()).as_bytes())?;
    }
    Ok(())
}
