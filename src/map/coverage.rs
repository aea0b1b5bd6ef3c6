//! Which pods the captures could have seen at all.
//!
//! A capture on a node shows what its pods send before any router has touched it: with the hop limit that hosts begin
//! with. Where that is seen of one pod, the capture was taken on that pod's node and covers all pods there; unless all
//! that it holds is of this one pod: then it was taken at the pod's own interface. Where all of it is between two pods, it
//! was taken at one of them, and at which nobody knows. A sensor that is called as a node is was there, but at which
//! interface its name does not say: behind the node's router what pods of one node say to each other never passes. A flow
//! log has no hop limits, and its name is all that there is. What a capture elsewhere saw of a pod says nothing of what else
//! the pod did.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    inventory::{Directory, Owner},
    model::{Cover, Coverage, Hops, Observation, Pod, Span, Timestamp, Trace, Watched, WorkloadRef},
};

/// A capture, with what tells where it was taken.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The id of its run.
    pub run: String,
    /// What its sensor is called: a host, or a file.
    pub sensor: String,
    /// Whether it is a flow log: its records have no hop limits.
    pub is_log: bool,
    /// When it watched: from its first packet to its last, where nothing tells otherwise.
    pub times: Vec<Span>,
}

/// Hop limits that hosts begin with: Linux and most others, Windows, network devices.
const INITIAL_HOPS: [u8; 3] = [64, 128, 255];

/// From this share on something was watched all the time: a capture file tells its time by its packets alone, and not
/// every node has one in the first moment and the last.
const ALL_THE_TIME: f64 = 0.95;

/// Who was there for less than one part of so many of the window was watched for too short a time to tell what he needs.
const BRIEF_PART: i64 = 10;

/// What captures could have seen. Each observation comes with the place of its capture.
pub fn coverage<O: Borrow<Observation>>(
    captures: &[Capture],
    observations: impl IntoIterator<Item = (usize, O)>,
    directory: &Directory,
) -> Coverage {
    let mut places: Vec<Place> = captures.iter().map(|capture| Place::named(capture, directory)).collect();
    for (capture, observation) in observations {
        if let Some(place) = places.get_mut(capture) {
            place.add(observation.borrow(), directory);
        }
    }
    let times = captures.iter().flat_map(|capture| &capture.times).copied();
    let Some(window) = Span::over(times) else { return Coverage::default() };
    let mut sums: BTreeMap<WorkloadRef, Sum> = BTreeMap::new();
    let mut stays: BTreeMap<&WorkloadRef, Vec<Span>> = BTreeMap::new();
    let mut coverage = Coverage::default();
    for holding in directory.holdings() {
        let Some(pod) = holding.pod() else { continue };
        let first = holding.since.unwrap_or(window.first).max(window.first);
        let last = holding.until.unwrap_or(window.last).min(window.last);
        if first > last {
            continue;
        }
        let sum = Sum::of(pod, Span { first, last }, captures, &places);
        sums.entry(pod.workload.clone()).or_default().join(&sum);
        stays.entry(&pod.workload).or_default().push(Span { first, last });
        coverage.pods.insert(pod.life(), sum.cover());
    }
    coverage.brief = brief(stays, window);
    coverage.workloads = sums.into_iter().map(|(workload, sum)| (workload, sum.cover())).collect();
    coverage
}

/// The workloads whose pods were there for less than a part of the window, and for how long: a moment in which several were counts once.
fn brief(stays: BTreeMap<&WorkloadRef, Vec<Span>>, window: Span) -> BTreeMap<WorkloadRef, i64> {
    let least = window.last.0.saturating_sub(window.first.0) / BRIEF_PART;
    let sum = |mut spans: Vec<Span>| {
        spans.sort_unstable_by_key(|span| span.first);
        let (mut sum, mut reached) = (0i64, i64::MIN);
        for Span { first, last } in spans {
            sum = sum.saturating_add(last.0.saturating_sub(first.0.max(reached)).max(0));
            reached = reached.max(last.0);
        }
        sum
    };
    let sums = stays.into_iter().map(|(workload, spans)| (workload.clone(), sum(spans)));
    sums.filter(|(_, sum)| *sum < least).collect()
}

/// An end of an observation, and the hop limits of what it sent.
type Side = (IpAddr, fn(&Trace) -> Hops);

/// A pod in one life: under its name there may have been another before, on another node.
type Life<'d> = (&'d str, &'d str, Option<&'d str>, Option<Timestamp>);

fn life(pod: &Pod) -> Life<'_> {
    (&pod.namespace, &pod.name, pod.node.as_deref(), pod.started)
}

/// Where a capture was taken, as far as its packets tell.
#[derive(Default)]
struct Place<'d> {
    /// The nodes of pods whose packets were seen untouched; of a flow log those that it is called as.
    nodes: BTreeSet<&'d str>,
    /// The nodes that it is called as.
    named: BTreeSet<&'d str>,
    /// Pods whose packets were seen untouched.
    pods: BTreeSet<Life<'d>>,
    /// What all of it has in common: of what was answered, and of all.
    answered: Common<'d>,
    all: Common<'d>,
}

/// A pod by its namespace and name, in whatever life: the interface of one that is made anew is called the same.
type Name<'d> = (&'d str, &'d str);

/// The pods that all observations so far have in common; none before the first.
#[derive(Default)]
struct Common<'d>(Option<BTreeSet<Name<'d>>>);

impl<'d> Common<'d> {
    fn add(&mut self, ends: &BTreeSet<Name<'d>>) {
        match &mut self.0 {
            Some(common) => common.retain(|pod| ends.contains(pod)),
            None => self.0 = Some(ends.clone()),
        }
    }

    fn is_nothing(&self) -> bool {
        self.0.as_ref().is_some_and(BTreeSet::is_empty)
    }
}

impl<'d> Place<'d> {
    fn named(capture: &Capture, directory: &'d Directory) -> Self {
        let stem = capture.sensor.split_once('.').map_or(capture.sensor.as_str(), |(stem, _)| stem);
        let is_own = |name: &&str| *name == capture.sensor || *name == stem;
        let named: BTreeSet<&str> =
            directory.cluster().nodes.iter().map(|node| node.name.as_str()).filter(is_own).collect();
        let nodes = if capture.is_log { named.clone() } else { BTreeSet::new() };
        Self { nodes, named, ..Self::default() }
    }

    fn add(&mut self, observation: &Observation, directory: &'d Directory) {
        let key = &observation.key;
        // what is inside a tunnel was sent elsewhere
        if !key.tunnels.is_empty() || key.dst.is_multicast() {
            return;
        }
        let sides: [Side; 2] = [(key.src, |trace| trace.hops_src), (key.dst, |trace| trace.hops_dst)];
        let mut ends = BTreeSet::new();
        // where nothing is in common any more, those whose packets were seen on their way tell nothing new
        let has_nothing_in_common = self.answered.is_nothing();
        for (address, hops) in sides {
            let untouched = observation.traces.iter().find(|trace| INITIAL_HOPS.contains(&hops(trace).high));
            if untouched.is_none() && has_nothing_in_common {
                continue;
            }
            let Some(trace) = untouched.or_else(|| observation.traces.iter().next()) else { continue };
            let Owner::Pod(pod) = directory.who_over(address, observation.span(trace)) else { continue };
            ends.insert((pod.namespace.as_str(), pod.name.as_str()));
            if untouched.is_some() {
                self.pods.insert(life(pod));
                self.nodes.extend(pod.node.as_deref());
            }
        }
        self.all.add(&ends);
        // bridges send to all of their ports what is for everybody, and what is for somebody whose port they do not know
        if observation.traces.iter().any(|trace| [trace.hops_src, trace.hops_dst].iter().all(|hops| hops.high > 0)) {
            self.answered.add(&ends);
        }
    }

    /// The pods that all of it is of, so that it was taken at the interface of one of them; none where it was not.
    fn at_pods_interface(&self) -> Option<&BTreeSet<Name<'d>>> {
        // one who says that he was on the node saw more than a pod's interface shows
        let was_on_node = self.named.iter().any(|node| self.nodes.contains(node));
        let common = self.answered.0.as_ref().or(self.all.0.as_ref());
        common.filter(|common| !common.is_empty() && !was_on_node)
    }

    /// Whether it could see all that a pod does. At which of two interfaces it was taken nobody knows.
    fn covers(&self, pod: &Pod) -> bool {
        let own = life(pod);
        match self.at_pods_interface() {
            Some(pods) => {
                let name = (pod.namespace.as_str(), pod.name.as_str());
                // who is made anew on its node with its address is not told from who was there before
                let was_seen = self.pods.iter().any(|(namespace, of_life, node, _)| {
                    (*namespace, *of_life) == name && *node == pod.node.as_deref()
                });
                pods.len() == 1 && pods.contains(&name) && was_seen
            }
            None => self.pods.contains(&own) || pod.node.as_deref().is_some_and(|node| self.nodes.contains(node)),
        }
    }
}

/// Nanoseconds lived and watched.
#[derive(Default)]
struct Sum {
    lived: i64,
    watched: i64,
    runs: BTreeSet<String>,
}

impl Sum {
    fn of(pod: &Pod, life: Span, captures: &[Capture], places: &[Place<'_>]) -> Self {
        let covering = captures.iter().zip(places).filter(|(_, place)| place.covers(pod)).map(|(capture, _)| capture);
        let times = covering.flat_map(|it| it.times.iter().map(|span| (*span, it.run.as_str())));
        let mut spans: Vec<(i64, i64, &str)> = times
            .map(|(span, run)| (span.first.max(life.first).0, span.last.min(life.last).0, run))
            .filter(|(first, last, _)| first <= last)
            .collect();
        spans.sort_unstable();
        // a moment counts as one nanosecond, so that a life of no length can be watched
        let (mut watched, mut reached) = (0i64, life.first.0.saturating_sub(1));
        for (first, last, _) in &spans {
            let from = reached.max(first.saturating_sub(1));
            watched = watched.saturating_add(last.saturating_sub(from).max(0));
            reached = reached.max(*last);
        }
        let lived = life.last.0.saturating_sub(life.first.0).saturating_add(1);
        Self { lived, watched, runs: spans.into_iter().map(|(.., run)| run.to_owned()).collect() }
    }

    fn join(&mut self, other: &Self) {
        self.lived = self.lived.saturating_add(other.lived);
        self.watched = self.watched.saturating_add(other.watched);
        self.runs.extend(other.runs.iter().cloned());
    }

    #[expect(clippy::cast_precision_loss, reason = "a share, not a time")]
    fn cover(&self) -> Cover {
        let share = if self.lived > 0 { self.watched as f64 / self.lived as f64 } else { 0.0 };
        let state = match share {
            share if share >= ALL_THE_TIME => Watched::Covered,
            share if share > 0.0 => Watched::Partly,
            _ => Watched::Unseen,
        };
        Cover { state, share: (share * 1e4).round() / 1e4, runs: self.runs.clone() }
    }
}
