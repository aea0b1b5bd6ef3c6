//! Labels that select exactly the pods meant: the smallest conjunction of stable ones, never one pod more.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::labels::{is_number, is_volatile, names_a_role, names_an_application, preference, tells_a_release};
use crate::model::{Labels, WorkloadRef};

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

/// Labels that select need not be more than this, or nobody reads them.
const MAX_LABELS: usize = 3;

/// The best so many labels of a workload are tried: the ways to choose of more grow out of hand.
const MAX_TRIED: usize = 16;

/// Kinds of owners that stay from release to release, so that their names do, too. Others may be made anew for every run, as a `Trial` is.
const LASTING_OWNERS: [&str; 7] =
    ["CloneSet", "CronJob", "DaemonSet", "Deployment", "DeploymentConfig", "Rollout", "StatefulSet"];

/// All kinds of pods of one namespace, arranged for finding who a selector selects. A kind is what one owner's pods
/// and its template look like.
pub(super) struct Pool {
    kinds: Vec<Kind>,
    with: HashMap<(String, String), Vec<usize>>,
}

struct Kind {
    /// The labels of its pods and of its template, each set once.
    pods: BTreeSet<Labels>,
    /// The keys by which its owner finds its pods.
    owners: BTreeSet<String>,
    /// The name of its owner, where that lasts.
    name: Option<String>,
}

impl Pool {
    /// A pool of kinds: their owners, the labels of their pods and templates, and the keys by which the owners
    /// find them.
    pub fn new(kinds: impl IntoIterator<Item = (WorkloadRef, (BTreeSet<Labels>, BTreeSet<String>))>) -> Self {
        let kind = |(owner, (pods, owners)): (WorkloadRef, _)| {
            let name = LASTING_OWNERS.contains(&owner.kind.as_str()).then_some(owner.name);
            Kind { pods, owners, name }
        };
        let kinds: Vec<Kind> = kinds.into_iter().map(kind).collect();
        let mut with: HashMap<(String, String), Vec<usize>> = HashMap::default();
        for (n, kind) in kinds.iter().enumerate() {
            let pairs: BTreeSet<_> = kind.pods.iter().flat_map(|labels| &labels.0).collect();
            for (key, value) in pairs {
                with.entry((key.clone(), value.clone())).or_default().push(n);
            }
        }
        Self { kinds, with }
    }

    /// The kinds of which a selector selects a pod, in order.
    pub fn selected(&self, selector: &Selector) -> Vec<usize> {
        let pairs = selector.equal.0.iter().map(|(key, value)| self.having(key, value));
        let rarest = pairs.min_by_key(|places| places.len());
        let some = selector.any_of.iter().next().filter(|_| rarest.is_none());
        let candidates: Vec<usize> = match (rarest, some) {
            (Some(places), _) => places.to_vec(),
            (None, Some((key, values))) => {
                let all: BTreeSet<usize> = values.iter().flat_map(|value| self.having(key, value)).copied().collect();
                all.into_iter().collect()
            }
            (None, None) => (0..self.kinds.len()).collect(),
        };
        let is_hit =
            |n: &usize| self.kinds.get(*n).is_some_and(|kind| kind.pods.iter().any(|pod| selector.matches(pod)));
        candidates.into_iter().filter(is_hit).collect()
    }

    fn having(&self, key: &str, value: &str) -> &[usize] {
        // the key is built anew for the look-up: selectors are few and small
        self.with.get(&(key.to_owned(), value.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Whether a selector selects nobody but these kinds.
    pub fn is_exact(&self, selector: &Selector, meant: &BTreeSet<usize>) -> bool {
        self.selected(selector).iter().all(|n| meant.contains(n))
    }

    /// The labels that all pods of some kinds share, those never meant for selecting left out, the best first.
    pub fn shared(&self, meant: &BTreeSet<usize>) -> Vec<(String, String)> {
        let mut pods = self.pods(meant);
        let first = pods.next().cloned().unwrap_or_default();
        let mut shared: Vec<(String, String)> = first.0.into_iter().filter(|(key, _)| !is_volatile(key)).collect();
        for pod in pods {
            shared.retain(|(key, value)| pod.get(key) == Some(value));
        }
        // `service=web` of the workload `web` says more than `part-of=shop`, and `build=123` says least
        let is_other = |value: &str| !self.is_name(value, meant);
        shared.sort_by_cached_key(|(key, value)| {
            (preference(key, self.is_owners(key, meant)), is_other(value), is_number(value), key.clone())
        });
        shared
    }

    fn pods(&self, meant: &BTreeSet<usize>) -> impl Iterator<Item = &Labels> {
        meant.iter().filter_map(|n| self.kinds.get(*n)).flat_map(|kind| &kind.pods)
    }

    /// Whether any pod of some kinds has a key.
    pub fn has_key(&self, meant: &BTreeSet<usize>, key: &str) -> bool {
        self.pods(meant).any(|pod| pod.get(key).is_some())
    }

    fn is_name(&self, value: &str, meant: &BTreeSet<usize>) -> bool {
        meant.iter().filter_map(|n| self.kinds.get(*n)).all(|kind| kind.name.as_deref() == Some(value))
    }

    fn is_owners(&self, key: &str, meant: &BTreeSet<usize>) -> bool {
        meant.iter().filter_map(|n| self.kinds.get(*n)).all(|kind| kind.owners.contains(key))
    }

    /// The selector of exactly these kinds: the smallest conjunction, else several values of one label.
    pub fn exact(&self, meant: &BTreeSet<usize>) -> Option<Selector> {
        self.conjunction(meant).or_else(|| if meant.len() > 1 { self.one_of_several(meant) } else { None })
    }

    /// Those of them that the next release will have as well.
    fn lasting(&self, meant: &BTreeSet<usize>) -> Vec<(String, String)> {
        self.shared(meant).into_iter().filter(|(key, value)| self.lasts(key, value, meant)).collect()
    }

    /// What owners find their pods by never changes.
    fn lasts(&self, key: &str, value: &str, meant: &BTreeSet<usize>) -> bool {
        !tells_a_release(key, value) || self.is_owners(key, meant)
    }

    /// The key of a label in a selector that the next release of what it selects will not have.
    pub fn release_in(&self, selector: &Selector, meant: &BTreeSet<usize>) -> Option<String> {
        selector.equal.0.iter().find(|(key, value)| !self.lasts(key, value, meant)).map(|(key, _)| key.clone())
    }

    /// The first conjunction that selects these kinds alone. What tells a release takes part where nothing else tells them
    /// apart, or where the owners find their pods by it.
    fn conjunction(&self, meant: &BTreeSet<usize>) -> Option<Selector> {
        let all = self.shared(meant);
        let lasting: Vec<_> = all.iter().filter(|(key, value)| self.lasts(key, value, meant)).cloned().collect();
        let attempts: &[&Vec<(String, String)>] = if lasting.len() < all.len() { &[&lasting, &all] } else { &[&all] };
        attempts.iter().find_map(|labels| self.smallest(labels, meant))
    }

    /// The smallest that says of what it selects the pods, else the smallest: `track=stable` says which of several, and
    /// the next workload may well have one of its own.
    fn smallest(&self, labels: &[(String, String)], meant: &BTreeSet<usize>) -> Option<Selector> {
        let labels = labels.get(..MAX_TRIED).unwrap_or(labels);
        let with_role = self.smallest_with(labels, meant, &|key, _| names_an_application(key));
        let with_role = with_role.or_else(|| self.smallest_with(labels, meant, &|key, _| names_a_role(key)));
        // a release alone says nothing at all, but where there is nothing else
        let says_enough = |key: &str, value: &str| labels.len() == 1 || !tells_a_release(key, value);
        with_role.or_else(|| self.smallest_with(labels, meant, &says_enough))
    }

    /// The smallest with a label of which something holds.
    fn smallest_with(
        &self,
        labels: &[(String, String)],
        meant: &BTreeSet<usize>,
        says_enough: &dyn Fn(&str, &str) -> bool,
    ) -> Option<Selector> {
        (1..=MAX_LABELS.min(labels.len())).find_map(|size| {
            combinations(labels.len(), size).into_iter().find_map(|chosen| {
                let pairs: Vec<_> = chosen.iter().filter_map(|n| labels.get(*n)).cloned().collect();
                let is_enough = pairs.iter().any(|(key, value)| says_enough(key, value));
                let selector = Selector { equal: pairs.into_iter().collect(), ..Selector::default() };
                (is_enough && self.is_exact(&selector, meant)).then_some(selector)
            })
        })
    }

    /// One label that all have, each kind with a value of its own. Those of releases say nothing of what they are of, and one that
    /// differs among the pods of one owner has another value on the next.
    fn one_of_several(&self, meant: &BTreeSet<usize>) -> Option<Selector> {
        let mut keys: Vec<&String> = self.pods(meant).next()?.0.keys().filter(|key| !is_volatile(key)).collect();
        keys.retain(|key| self.pods(meant).all(|pod| pod.get(key).is_some_and(|value| !tells_a_release(key, value))));
        let is_one_value = |kind: &Kind, key: &str| {
            let mut values = kind.pods.iter().map(|pod| pod.get(key));
            values.next().is_some_and(|first| values.all(|value| value == first))
        };
        keys.retain(|key| meant.iter().filter_map(|n| self.kinds.get(*n)).all(|kind| is_one_value(kind, key)));
        keys.sort_by_key(|key| (preference(key, self.is_owners(key, meant)), (*key).clone()));
        keys.into_iter().find_map(|key| {
            let values = self.pods(meant).filter_map(|pod| pod.get(key)).map(str::to_owned).collect();
            let selector = Selector { any_of: BTreeMap::from([(key.clone(), values)]), ..Selector::default() };
            self.is_exact(&selector, meant).then_some(selector)
        })
    }

    /// All shared labels that last, and none of the keys that others have besides: what is left where no label says who it is.
    pub fn by_what_is_absent(&self, meant: &BTreeSet<usize>) -> Selector {
        let mut selector = Selector { equal: self.lasting(meant).into_iter().collect(), ..Selector::default() };
        let own: BTreeSet<&String> = self.pods(meant).flat_map(|pod| pod.0.keys()).collect();
        for n in self.selected(&selector).into_iter().filter(|n| !meant.contains(n)) {
            let other = BTreeSet::from([n]);
            if self.pods(&other).any(|pod| selector.matches(pod)) {
                // the next release will have another value, and the key as well
                let keys = self.shared(&other).into_iter().map(|(key, _)| key);
                selector.absent.extend(keys.into_iter().find(|key| !own.contains(key)));
            }
        }
        selector
    }
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
