//! What there is to tell beside the policies: captures, loss, learning, and what deployed policies hid.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{doubts, world::Site};
use crate::{
    map::{self, Learning},
    model::{
        Cluster, Coverage, Dependency, Mark, Note, Outcome, Party, Pod, RawObject, Span, Suspects, Suspicion,
        Timestamp, WorkloadRef,
    },
    policy::{self, End, Evaluator, Options, PodEnd, PolicySet, Probe},
    recommend,
    render::{Blocked, Captures, DeployedPolicy, RunLoss, Sheet, is_own},
    store::Run,
};

/// What it is about.
pub struct About<'a> {
    pub runs: &'a [Run],
    pub site: &'a Site,
    pub dependencies: &'a [Dependency],
    pub namespaces: &'a BTreeSet<String>,
    pub coverage: &'a Coverage,
    /// The proposal, as an API server would read it.
    pub proposed: &'a PolicySet,
    /// What it denies that was in use and began before the window.
    pub outlasting: BTreeMap<String, u64>,
}

/// The dependencies that have an end in some namespaces.
pub fn concerned<'d>(
    dependencies: &'d [Dependency],
    namespaces: &BTreeSet<String>,
) -> impl Iterator<Item = &'d Dependency> {
    dependencies.iter().filter(|dependency| dependency.has_end_in(|name| namespaces.contains(name)))
}

/// What was captured, and what that may have missed.
pub fn captures(about: &About<'_>) -> Captures {
    let of_site = || about.runs.iter().filter(|run| run.site == about.site.name);
    let span_of = |run: &Run| Span::over(about.site.times(run));
    // what did not pass says nothing of what else there was, and that it did not
    let runs: Vec<_> = of_site().filter(|run| !run.is_drops()).collect();
    let loss = |run: &&&Run| {
        let span = span_of(run)?;
        Some(RunLoss { span, packets: run.packets, dropped: run.loss.dropped(), lost_flows: run.loss.lost_flows() })
    };
    let losses: Vec<RunLoss> = runs.iter().filter_map(|run| loss(&run)).collect();
    let span = Span::over(losses.iter().map(|loss| loss.span));
    let captured: Vec<Span> = runs.iter().flat_map(|run| about.site.times(run)).collect();
    let cluster = about.site.cluster();
    let concerned: Vec<Dependency> = concerned(about.dependencies, about.namespaces).cloned().collect();
    let needed = concerned.iter().filter(|dependency| dependency.unneeded().is_none());
    let ran: BTreeSet<WorkloadRef> =
        needed.flat_map(|dependency| [&dependency.client, &dependency.server]).filter_map(Party::workload).collect();
    let mut missed_runs = recommend::missed_runs(cluster, &captured, about.namespaces);
    // one that was seen ran, whoever started it
    missed_runs.retain(|missed| !ran.contains(&missed.job));
    let noted = |note: &Note| runs.iter().filter(|run| run.loss.notes.contains_key(note)).count();
    Captures {
        span,
        watched_s: watched_s(&captured, about.dependencies),
        losses,
        listing_faults: about.site.listing_faults.clone(),
        damaged: runs.iter().filter(|run| run.is_incomplete()).count(),
        unread: runs.iter().filter_map(|run| run.loss.notes.get(&Note::Unread)).sum(),
        filtered: noted(&Note::Filtered),
        light: noted(&Note::Light),
        verdicts_alone: runs.iter().filter_map(|run| run.loss.notes.get(&Note::VerdictsAlone)).sum(),
        swept: doubts::swept(&concerned),
        unasked: doubts::unasked(&concerned),
        outlasting: about.outlasting.clone(),
        led_elsewhere: doubts::led_elsewhere(&concerned),
        guessed: doubts::guessed(&concerned, &about.site.directory),
        listed_until: span.and_then(|span| about.site.directory.listed_before(span.last)),
        ftp: doubts::ftp(&concerned),
        tftp: doubts::tftp(&concerned),
        learning: learning(about),
        coverage: about.coverage.clone(),
        hidden: map::hidden(&concerned, cluster),
        suspects: suspects(&concerned, &about.site.directory.suspects()),
        gaps: about.site.directory.gaps().clone(),
        doubts: recommend::doubts(cluster, &concerned, about.namespaces),
        missed_runs,
        blocked: blocked(&concerned, cluster, (about.proposed, Span::over(of_site().filter_map(span_of)))),
    }
}

/// How much was watched, in seconds: the time of all captures, but no more than there were days (of UTC) with traffic. One
/// packet with a wrong clock, and captures months apart, make no long window.
fn watched_s(captures: &[Span], dependencies: &[Dependency]) -> f64 {
    const HOURS: i32 = 24;
    const DAY_S: f64 = 86_400.0;
    let mut spans = captures.to_vec();
    spans.sort_unstable_by_key(|span| (span.first, span.last));
    let (mut sum, mut until) = (0.0, None);
    for span in spans {
        let first = until.map_or(span.first, |until| span.first.max(until));
        sum += span.last.seconds_since(first).max(0.0);
        until = Some(span.last.max(first));
    }
    let hours = dependencies.iter().flat_map(|dependency| dependency.history.keys()).filter(|hour| hour.is_named());
    let days = hours.map(|hour| hour.0.div_euclid(HOURS)).collect::<BTreeSet<i32>>().len();
    // of what has no hours nothing is known but when it began and ended
    let bound = if days == 0 { f64::INFINITY } else { f64::from(u32::try_from(days).unwrap_or(u32::MAX)) * DAY_S };
    sum.min(bound)
}

fn learning(about: &About<'_>) -> BTreeMap<String, Learning> {
    let mut by_namespace: BTreeMap<&String, Vec<&Dependency>> =
        about.namespaces.iter().map(|name| (name, Vec::new())).collect();
    for dependency in about.dependencies {
        let ends: BTreeSet<&str> =
            [&dependency.client, &dependency.server].into_iter().filter_map(Party::namespace).collect();
        for namespace in ends {
            if let Some(all) = by_namespace.get_mut(&namespace.to_owned()) {
                all.push(dependency);
            }
        }
    }
    by_namespace.into_iter().map(|(name, all)| (name.clone(), map::learning(all))).collect()
}

/// Policies that are deployed in some namespaces: those that stay beside the proposal, whoever wrote them, and those of others than
/// flowmap that it puts its own in the place of.
pub fn deployed(cluster: &Cluster, namespaces: &BTreeSet<String>, sheets: &[Sheet]) -> [Vec<DeployedPolicy>; 2] {
    let written = sheets.iter().filter(|sheet| sheet.object.is_some());
    let written: BTreeSet<String> = written.map(|sheet| format!("{}/{}", sheet.namespace, sheet.name)).collect();
    let (mut stay, mut replaced) = (BTreeSet::new(), BTreeSet::new());
    for raw in &cluster.policies {
        let kind = raw.object["kind"].as_str().unwrap_or_default();
        let is_wide = policy::is_cluster_wide(kind);
        let own_name = || raw.object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let name = if is_wide { own_name() } else { raw.full_name() };
        // what is in no namespace is about all of them
        let is_asked = is_wide || name.split_once('/').is_some_and(|(namespace, _)| namespaces.contains(namespace));
        let is_replaced = kind == "NetworkPolicy" && written.contains(&name);
        let policy = DeployedPolicy { kind: kind.to_owned(), name };
        match (is_asked, is_replaced) {
            (true, false) => drop(stay.insert(policy)),
            (true, true) if !is_own(&raw.object) => drop(replaced.insert(policy)),
            _ => {}
        }
    }
    [stay, replaced].map(|names| names.into_iter().collect())
}

/// Who counts as outside, is needed, and may be of the cluster.
fn suspects(dependencies: &[Dependency], suspects: &Suspects) -> BTreeMap<Suspicion, BTreeSet<IpAddr>> {
    let mut found: BTreeMap<Suspicion, BTreeSet<IpAddr>> = BTreeMap::new();
    let needed = dependencies.iter().filter(|dependency| dependency.unneeded().is_none());
    for (suspicion, address) in needed.flat_map(|dependency| suspects.of(dependency)) {
        found.entry(suspicion).or_default().insert(address);
    }
    found
}

/// Attempts that failed, deployed policies deny, and the proposal does not allow: they would have been answered, maybe. Policies
/// that were made after the last packet have blocked nothing.
fn blocked(
    dependencies: &[Dependency],
    cluster: &Cluster,
    (proposed, span): (&PolicySet, Option<Span>),
) -> Vec<Blocked> {
    let was_there = |raw: &&RawObject| {
        let made = raw.object["metadata"]["creationTimestamp"].as_str().and_then(Timestamp::parse);
        made.zip(span).is_none_or(|(made, span)| made <= span.last)
    };
    let then: Vec<RawObject> = cluster.policies.iter().filter(was_there).cloned().collect();
    let set = PolicySet::deployed(&then);
    if set.is_empty() {
        return Vec::new();
    }
    let after = proposed.on_top_of(&set);
    let [evaluator, after] = [&set, &after].map(|set| Evaluator::of_cluster(set, cluster, Options::default()));
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
        let probe = Probe::new(&from, &to, it.protocol, it.port);
        let reason = evaluator.evaluate(&probe).reason()?;
        // where the proposal allows it nothing is missing
        after.evaluate(&probe).reason()?;
        Some(Blocked {
            from: it.client.name.clone(),
            to: it.server.name.clone(),
            protocol: it.protocol,
            port: it.port,
            attempts: it.connections,
            reason,
        })
    };
    let mut blocked: Vec<Blocked> = dependencies.iter().filter(is_lost).filter_map(judge).collect();
    blocked.sort();
    blocked
}
