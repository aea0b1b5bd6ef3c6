//! What there is to tell beside the policies: captures, loss, learning, and what deployed policies hid.

use std::collections::{BTreeMap, BTreeSet};

use super::world::Site;
use crate::{
    inventory,
    map::{self, Learning},
    model::{Cluster, Coverage, Dependency, Mark, Outcome, Party, Pod, Span, WorkloadRef},
    policy::{End, Evaluator, Options, PodEnd, PolicySet, Probe, Simulation, Strictness},
    recommend,
    render::{Blocked, Decisions, Facts, RunLoss},
    store::Run,
};

/// What it is about.
pub struct About<'a> {
    pub runs: &'a [Run],
    pub site: &'a Site,
    pub dependencies: &'a [Dependency],
    pub namespaces: &'a BTreeSet<String>,
    pub coverage: &'a Coverage,
}

/// The dependencies that have an end in some namespaces.
pub fn concerned<'d>(
    dependencies: &'d [Dependency],
    namespaces: &BTreeSet<String>,
) -> impl Iterator<Item = &'d Dependency> {
    dependencies.iter().filter(|dependency| dependency.has_end_in(|name| namespaces.contains(name)))
}

pub fn facts(about: &About<'_>, replay: Simulation) -> Facts {
    let runs: Vec<_> = about.runs.iter().filter(|run| run.site == about.site.name).collect();
    let loss = |run: &&&Run| {
        let (first, last) = (run.first_packet?, run.last_packet?);
        let dropped = run.loss.dropped_by_kernel + run.loss.dropped_by_interface;
        Some(RunLoss { span: Span { first, last }, packets: run.packets, dropped })
    };
    let losses: Vec<RunLoss> = runs.iter().filter_map(|run| loss(&run)).collect();
    let span = losses.iter().map(|loss| loss.span).reduce(|mut all, span| {
        all.join(span);
        all
    });
    let cluster = about.site.cluster();
    let all: Vec<Dependency> = concerned(about.dependencies, about.namespaces).cloned().collect();
    Facts {
        span,
        losses,
        damaged: runs.iter().filter(|run| run.loss.damage.is_some() || !run.loss.bounds.is_empty()).count(),
        learning: learning(about),
        coverage: about.coverage.clone(),
        plugin: inventory::network_plugin(cluster),
        hidden: map::hidden(&all, cluster),
        replay,
        missed_runs: recommend::missed_runs(cluster, span, about.namespaces),
        blocked: blocked(&all, cluster),
        deployed: deployed(cluster, about.namespaces),
        granularities: Vec::new(),
        decisions: Decisions::default(),
        conflicts: Vec::new(),
        idle: Vec::new(),
        sheets: Vec::new(),
    }
}

fn learning(about: &About<'_>) -> BTreeMap<String, Learning> {
    let mut by_namespace: BTreeMap<&String, Vec<&Dependency>> =
        about.namespaces.iter().map(|name| (name, Vec::new())).collect();
    for dependency in about.dependencies {
        let ends = [&dependency.client, &dependency.server].map(|party| party.workload().map(|it| it.namespace));
        let ends: BTreeSet<String> = ends.into_iter().flatten().collect();
        for namespace in &ends {
            if let Some(all) = by_namespace.get_mut(namespace) {
                all.push(dependency);
            }
        }
    }
    by_namespace.into_iter().map(|(name, all)| (name.clone(), map::learning(all))).collect()
}

/// Policies that are deployed in some namespaces and that flowmap did not write.
fn deployed(cluster: &Cluster, namespaces: &BTreeSet<String>) -> Vec<String> {
    let policies = cluster.policies.iter().map(|raw| &raw.object);
    let word = |object: &serde_json::Value, pointer: &str| {
        object.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let is_own =
        |object: &&serde_json::Value| word(object, "/metadata/labels/app.kubernetes.io~1managed-by") == "flowmap";
    let names = policies.filter(|object| !is_own(object)).filter_map(|object| {
        let (namespace, name) = (word(object, "/metadata/namespace"), word(object, "/metadata/name"));
        let kind = word(object, "/kind");
        namespaces.contains(&namespace).then(|| format!("{kind} {namespace}/{name}"))
    });
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Attempts without an answer that deployed policies deny: they would have been answered, maybe.
fn blocked(dependencies: &[Dependency], cluster: &Cluster) -> Vec<Blocked> {
    let Ok(set) = PolicySet::from_objects(&cluster.policies, Strictness::Lenient) else { return Vec::new() };
    if set.policies.is_empty() {
        return Vec::new();
    }
    let evaluator = Evaluator::new(&set, &cluster.namespaces, Options::default());
    let mut pods: BTreeMap<&WorkloadRef, &Pod> = BTreeMap::new();
    for pod in cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network) {
        pods.entry(&pod.workload).or_insert(pod);
    }
    let end = |party: &Party| match party.workload() {
        Some(workload) => {
            pods.get(&workload).map(|pod| End::Pod(PodEnd { name: workload.name.clone(), ..PodEnd::from(*pod) }))
        }
        None => party.addresses.first().copied().map(End::Address),
    };
    let is_lost = |it: &&Dependency| {
        let is_silent = matches!(it.outcome, Outcome::Unanswered | Outcome::Refused);
        is_silent && it.protocol.has_ports() && !it.marks.contains(&Mark::Scan)
    };
    let judge = |it: &Dependency| {
        let (from, to) = (end(&it.client)?, end(&it.server)?);
        let verdict = evaluator.evaluate(&Probe::new(&from, &to, it.protocol, it.port));
        Some(Blocked {
            from: it.client.name.clone(),
            to: it.server.name.clone(),
            protocol: it.protocol,
            port: it.port,
            attempts: it.connections,
            reason: verdict.reason()?,
        })
    };
    let mut blocked: Vec<Blocked> = dependencies.iter().filter(is_lost).filter_map(judge).collect();
    blocked.sort();
    blocked
}
