//! Labels that select exactly the pods meant: the smallest conjunction of stable ones, never one pod more.

use std::collections::{BTreeMap, BTreeSet};

use super::Group;
use crate::model::{Cluster, Labels, Watched, WorkloadRef};

/// A label selector, as small as what it must say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// Labels with one value.
    pub equal: Labels,
    /// A label with one of several values.
    pub any_of: BTreeMap<String, BTreeSet<String>>,
    /// Labels that must not be there.
    pub absent: BTreeSet<String>,
}

impl Selector {
    /// Whether it selects pods with these labels.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let is_one_of =
            |(key, values): (&String, &BTreeSet<String>)| labels.get(key).is_some_and(|v| values.contains(v));
        labels.contain(&self.equal)
            && self.any_of.iter().all(is_one_of)
            && self.absent.iter().all(|key| labels.get(key).is_none())
    }
}

/// Keys that change from one pod, revision or place to the next, or tell a release and not a role.
const VOLATILE: [&str; 16] = [
    "apps.kubernetes.io/pod-index",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "chart",
    "controller-revision-hash",
    "controller-uid",
    "helm.sh/chart",
    "heritage",
    "job-name",
    "pod-template-generation",
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// Keys by which people name a role, best first; all others come after, by name.
const PREFERRED: [&str; 8] = [
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
    "app.kubernetes.io/component",
    "component",
    "name",
    "app.kubernetes.io/instance",
    "run",
];

/// Tells workloads apart only where nothing else does, as the versions of one service that run side by side.
const LAST: &str = "version";

/// Labels that select need not be more than this, or nobody reads them.
const MAX_LABELS: usize = 3;

/// The groups of every namespace with their selectors.
pub(super) struct Selectors {
    namespaces: BTreeMap<String, Vec<Group>>,
}

/// One workload while its selector is sought.
struct Candidate {
    id: WorkloadRef,
    pods: Vec<Labels>,
    /// Stable labels that all its pods, and its template, share.
    stable: Vec<(String, String)>,
}

impl Selectors {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let mut by_namespace: BTreeMap<String, BTreeMap<WorkloadRef, Vec<Labels>>> = BTreeMap::new();
        for pod in cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network) {
            let workloads = by_namespace.entry(pod.namespace.clone()).or_default();
            workloads.entry(pod.workload.clone()).or_default().push(pod.labels.clone());
        }
        for workload in cluster.workloads.iter().filter(|workload| !workload.host_network) {
            // the template tells how the next replica will be labelled
            let workloads = by_namespace.entry(workload.id.namespace.clone()).or_default();
            workloads.entry(workload.id.clone()).or_default().push(workload.template_labels.clone());
        }
        let namespaces =
            by_namespace.into_iter().map(|(namespace, workloads)| (namespace, groups(workloads))).collect();
        Self { namespaces }
    }

    /// The groups of a namespace, without rules yet.
    pub(super) fn groups(&self, namespace: &str) -> Vec<Group> {
        self.namespaces.get(namespace).cloned().unwrap_or_default()
    }

    /// The group of a workload.
    pub(super) fn group(&self, workload: &WorkloadRef) -> Option<&Group> {
        self.namespaces.get(&workload.namespace)?.iter().find(|group| group.members.contains(workload))
    }
}

fn groups(workloads: BTreeMap<WorkloadRef, Vec<Labels>>) -> Vec<Group> {
    let candidates: Vec<Candidate> = workloads.into_iter().map(|(id, pods)| Candidate::new(id, pods)).collect();
    let mut groups: Vec<Group> = Vec::new();
    for candidate in &candidates {
        let selector = candidate.selector(&candidates);
        // workloads that no labels tell apart can only be treated alike
        if let Some(same) = groups.iter_mut().find(|group| group.selector == selector) {
            same.members.push(candidate.id.clone());
            continue;
        }
        groups.push(Group {
            name: String::new(),
            members: vec![candidate.id.clone()],
            selector,
            ingress: BTreeMap::new(),
            egress: BTreeMap::new(),
            is_open: false,
            watched: Watched::default(),
        });
    }
    name(&mut groups);
    groups
}

/// Names that files of a namespace have already.
const RESERVED: [&str; 3] = ["default-deny", "allow-dns", "kustomization"];

/// Every group has its first workload's name, with its kind where that is taken.
fn name(groups: &mut [Group]) {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for group in groups.iter() {
        *uses.entry(first_name(group)).or_default() += 1;
    }
    for group in groups.iter_mut() {
        let name = first_name(group);
        let is_taken = uses.get(&name).is_some_and(|uses| *uses > 1) || RESERVED.contains(&name.as_str());
        let kind = group.members.first().map(|member| member.kind.to_lowercase()).unwrap_or_default();
        group.name = if is_taken { format!("{name}-{kind}") } else { name };
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
}

fn first_name(group: &Group) -> String {
    group.members.first().map(|member| member.name.clone()).unwrap_or_default()
}

impl Candidate {
    fn new(id: WorkloadRef, mut pods: Vec<Labels>) -> Self {
        pods.sort();
        pods.dedup();
        let first = pods.first().cloned().unwrap_or_default();
        let is_shared = |(key, value): &(String, String)| pods.iter().all(|pod| pod.get(key) == Some(value));
        let mut stable: Vec<_> = first.0.into_iter().filter(|(key, _)| !is_volatile(key)).filter(is_shared).collect();
        stable.sort_by_key(|(key, _)| (preference(key), key.clone()));
        Self { id, pods, stable }
    }

    /// The first conjunction that selects this workload alone; else all that its labels can say.
    fn selector(&self, all: &[Candidate]) -> Selector {
        let named: Vec<_> = self.stable.iter().filter(|(key, _)| key != LAST).cloned().collect();
        let exact = [&named, &self.stable].into_iter().find_map(|labels| {
            (1..=MAX_LABELS.min(labels.len())).find_map(|size| {
                combinations(labels.len(), size).into_iter().find_map(|chosen| {
                    let pairs: Vec<_> = chosen.iter().filter_map(|n| labels.get(*n)).cloned().collect();
                    let only_version = pairs.iter().all(|(key, _)| key == LAST);
                    let selector = Selector { equal: pairs.into_iter().collect(), ..Selector::default() };
                    (!only_version && self.is_alone(&selector, all)).then_some(selector)
                })
            })
        });
        exact.unwrap_or_else(|| self.by_what_is_absent(all))
    }

    /// All stable labels, and none of the keys that others have besides.
    fn by_what_is_absent(&self, all: &[Candidate]) -> Selector {
        let mut selector = Selector { equal: self.stable.iter().cloned().collect(), ..Selector::default() };
        let own = |key: &String| self.pods.iter().any(|pod| pod.get(key).is_some());
        for other in all.iter().filter(|other| other.id != self.id) {
            if other.pods.iter().any(|pod| selector.matches(pod)) {
                selector.absent.extend(other.stable.iter().map(|(key, _)| key).find(|key| !own(key)).cloned());
            }
        }
        selector
    }

    fn is_alone(&self, selector: &Selector, all: &[Candidate]) -> bool {
        all.iter().filter(|other| other.id != self.id).all(|other| !other.pods.iter().any(|pod| selector.matches(pod)))
    }
}

fn is_volatile(key: &str) -> bool {
    VOLATILE.contains(&key) || key.starts_with("topology.kubernetes.io/") || key.ends_with("/hash")
}

fn preference(key: &str) -> usize {
    PREFERRED.iter().position(|preferred| *preferred == key).unwrap_or(PREFERRED.len())
}

/// All ways to choose `size` of `count`, the earliest first.
fn combinations(count: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    (0..count)
        .flat_map(|first| {
            let rest = combinations(count - first - 1, size - 1);
            rest.into_iter().map(move |mut chosen| {
                for n in &mut chosen {
                    *n += first + 1;
                }
                chosen.insert(0, first);
                chosen
            })
        })
        .collect()
}
