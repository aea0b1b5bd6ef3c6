//! Units: the smallest sets of workloads that policies can speak of apart. Mostly one workload; where no stable label
//! tells some from each other, they can only be treated alike.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::{
    labels::{shared_with_the_next, stable, tells_a_revision},
    naming::{Names, told},
    selector::{Pool, Selector},
};
use crate::model::{Cluster, Labels, WorkloadRef, form::LABEL_VALUE};

/// One workload, or several that no labels tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What policies and comments call it: the first workload's name, with its kind where that is taken.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The workloads, in order.
    pub members: Vec<WorkloadRef>,
    /// What selects their pods and no others.
    pub selector: Selector,
    /// The label that would tell it from all others, where none of its own does.
    pub missing: Option<Missing>,
}

/// A label to add, for what no label tells from others, or none that lasts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The label that tells it until its next release, where there is one.
    pub until_release: Option<String>,
    /// Its key; the value is each workload's own.
    pub key: String,
    /// The value for every workload.
    pub values: BTreeMap<WorkloadRef, String>,
}

/// Where a unit is among all of them.
pub(super) type UnitId = usize;

/// The units of all namespaces.
pub(super) struct Units {
    pub all: Vec<Unit>,
    pools: BTreeMap<String, (Pool, Vec<WorkloadRef>)>,
    /// By kind, then by `namespace/name`.
    workloads: HashMap<String, HashMap<String, Place>>,
}

/// Where a workload is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Its number among all workloads.
    pub workload: usize,
    /// The unit that it is a member of.
    pub unit: UnitId,
}

/// What the pods of a workload look like, and the keys by which its owner finds them.
type Look = (BTreeSet<Labels>, BTreeSet<String>);

impl Units {
    pub fn new(cluster: &Cluster) -> Self {
        let mut units = Self { all: Vec::new(), pools: BTreeMap::new(), workloads: HashMap::default() };
        for (namespace, looks) in looks(cluster) {
            let workloads: Vec<WorkloadRef> = looks.keys().cloned().collect();
            let pool = Pool::new(looks);
            let mut found = split(&namespace, &pool, &workloads);
            name(&mut found);
            units.all.append(&mut found);
            units.pools.insert(namespace, (pool, workloads));
        }
        let members = units.all.iter().enumerate().flat_map(|(n, unit)| unit.members.iter().map(move |it| (n, it)));
        for (workload, (unit, member)) in members.enumerate() {
            let of_kind = units.workloads.entry(member.kind.clone()).or_default();
            of_kind.insert(member.to_string(), Place { workload, unit });
        }
        units
    }

    /// Where the workload `namespace/name` of a kind is.
    pub fn find(&self, full_name: &str, kind: &str) -> Option<Place> {
        self.workloads.get(kind)?.get(full_name).copied()
    }

    /// The unit of a workload.
    pub fn of(&self, workload: &WorkloadRef) -> Option<UnitId> {
        self.find(&workload.to_string(), &workload.kind).map(|place| place.unit)
    }

    /// The units of a namespace, in the order of their names.
    pub fn within<'u>(&'u self, namespace: &'u str) -> impl Iterator<Item = UnitId> + 'u {
        let from = self.all.partition_point(|unit| unit.namespace.as_str() < namespace);
        (from..)
            .zip(self.all.iter().skip(from))
            .take_while(move |(_, unit)| unit.namespace == namespace)
            .map(|(n, _)| n)
    }

    /// What selects exactly these units, which are of one namespace: one selector, or as many as are needed.
    pub fn together(&self, units: &BTreeSet<UnitId>) -> Vec<Selector> {
        let each = || units.iter().filter_map(|n| self.all.get(*n)).map(|unit| unit.selector.clone()).collect();
        let Some(namespace) = units.first().and_then(|n| self.all.get(*n)).map(|unit| &unit.namespace) else {
            return Vec::new();
        };
        if units.len() < 2 {
            return each();
        }
        let Some((pool, workloads)) = self.pools.get(namespace) else { return each() };
        let members: BTreeSet<&WorkloadRef> =
            units.iter().filter_map(|n| self.all.get(*n)).flat_map(|unit| &unit.members).collect();
        let is_member = |(n, workload): (usize, &WorkloadRef)| members.contains(workload).then_some(n);
        let meant: BTreeSet<usize> = workloads.iter().enumerate().filter_map(is_member).collect();
        pool.exact(&meant).map_or_else(each, |selector| vec![selector])
    }
}

/// Whether a workload without pods is another revision of one of these that has some: its next pods would have the labels of theirs,
/// but for a key of revisions.
pub(super) fn is_revision_of(cluster: &Cluster, workload: &WorkloadRef, others: &[WorkloadRef]) -> bool {
    let living = || cluster.pods.iter().filter(|pod| !pod.finished);
    let Some(own) = cluster.workloads.iter().find(|it| it.id == *workload) else { return false };
    let own = &own.template_labels;
    let is_one = |labels: &Labels| {
        let differs = |(key, value): (&String, &String)| {
            tells_a_revision(key) && labels.get(key).is_some_and(|other| other != value.as_str())
        };
        stable(labels) == stable(own) && own.0.iter().any(differs)
    };
    !living().any(|pod| pod.workload == *workload)
        && living().any(|pod| pod.workload != *workload && others.contains(&pod.workload) && is_one(&pod.labels))
}

/// What the pods of every workload look like, by namespace. Its template tells how the next replica will be labelled. Of a lone pod
/// without one, as of owners that operators define, that replica has the labels but for those that name this pod.
fn looks(cluster: &Cluster) -> BTreeMap<String, BTreeMap<WorkloadRef, Look>> {
    let mut looks: BTreeMap<String, BTreeMap<WorkloadRef, Look>> = BTreeMap::new();
    let pods = || cluster.pods.iter().filter(|pod| !pod.finished && !pod.host_network);
    let templates = || cluster.workloads.iter().filter(|workload| !workload.host_network);
    let mut models: HashMap<&WorkloadRef, usize> = HashMap::default();
    for id in pods().map(|pod| &pod.workload).chain(templates().map(|workload| &workload.id)) {
        *models.entry(id).or_default() += 1;
    }
    let lone = pods().filter(|pod| models.get(&pod.workload) == Some(&1));
    let next = lone.map(|pod| (&pod.workload, shared_with_the_next(pod)));
    let of_pods = pods().map(|pod| (&pod.workload, stable(&pod.labels)));
    let of_templates = templates().map(|workload| (&workload.id, stable(&workload.template_labels)));
    for (id, labels) in of_pods.chain(next).chain(of_templates) {
        looks.entry(id.namespace.clone()).or_default().entry(id.clone()).or_default().0.insert(labels);
    }
    for selected in &cluster.selected {
        if let Some(look) = looks.get_mut(&selected.id.namespace).and_then(|all| all.get_mut(&selected.id)) {
            look.1.extend(selected.labels.0.keys().cloned());
        }
    }
    looks
}

/// Whether labels tell one workload from all others.
enum Told {
    ForGood,
    /// This one takes part, and the next release has another value of it.
    UntilRelease(String),
    No,
}

/// Parts the workloads of a namespace as far as labels allow: who is selected with another shares its unit.
fn split(namespace: &str, pool: &Pool, workloads: &[WorkloadRef]) -> Vec<Unit> {
    let mut sets: Vec<(BTreeSet<usize>, Selector, Told)> = Vec::new();
    let mut open: Vec<BTreeSet<usize>> = (0..workloads.len()).rev().map(|n| BTreeSet::from([n])).collect();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    while let Some(mut meant) = open.pop() {
        if meant.len() == 1 && meant.is_subset(&done) {
            continue;
        }
        let found = pool.exact(&meant);
        let told = match &found {
            Some(selector) if meant.len() == 1 => {
                pool.release_in(selector, &meant).map_or(Told::ForGood, Told::UntilRelease)
            }
            _ => Told::No,
        };
        let selector = found.unwrap_or_else(|| pool.by_what_is_absent(&meant));
        let hit: BTreeSet<usize> = pool.selected(&selector).into_iter().collect();
        if hit.is_subset(&meant) {
            sets.push((meant, selector, told));
            continue;
        }
        meant.extend(hit);
        done.extend(&meant);
        // those that were done before may be among them
        let met: Vec<_> = sets.extract_if(.., |(set, ..)| !set.is_disjoint(&meant)).collect();
        meant.extend(met.into_iter().flat_map(|(set, ..)| set));
        open.push(meant);
    }
    let values = values(workloads);
    let unit = |(meant, selector, told): (BTreeSet<usize>, Selector, Told)| {
        let members: Vec<WorkloadRef> = meant.iter().filter_map(|n| workloads.get(*n)).cloned().collect();
        let missing = |until_release| Missing { until_release, ..missing(pool, &meant, &members, &values) };
        let missing = match told {
            Told::ForGood => None,
            Told::UntilRelease(key) => Some(missing(Some(key))),
            Told::No => Some(missing(None)),
        };
        Unit { name: String::new(), namespace: namespace.to_owned(), members, selector, missing }
    };
    sets.into_iter().map(unit).collect()
}

/// A value of its own for every workload of a namespace: its name, with its kind where several have it.
fn values(workloads: &[WorkloadRef]) -> BTreeMap<&WorkloadRef, String> {
    /// Longer values no API server takes.
    const MAX_LENGTH: usize = 63;
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for workload in workloads {
        *uses.entry(&workload.name).or_default() += 1;
    }
    let value = |workload: &WorkloadRef| {
        let name = &workload.name;
        let is_taken = uses.get(name.as_str()).is_some_and(|uses| *uses > 1);
        let value = if is_taken { format!("{name}-{}", workload.kind.to_lowercase()) } else { name.clone() };
        let short: String = value.chars().take(MAX_LENGTH).collect();
        let short = short.trim_end_matches(['-', '.', '_']);
        if (LABEL_VALUE.holds)(short) { short.to_owned() } else { told(&value, MAX_LENGTH) }
    };
    workloads.iter().map(|workload| (workload, value(workload))).collect()
}

/// The label to add: a key that people name roles by and that none of them has, for a label in use is somebody's.
fn missing(
    pool: &Pool,
    meant: &BTreeSet<usize>,
    members: &[WorkloadRef],
    values: &BTreeMap<&WorkloadRef, String>,
) -> Missing {
    const KEYS: [&str; 3] = ["app.kubernetes.io/name", "app.kubernetes.io/component", "workload"];
    let is_free = |key: &&&str| !pool.has_key(meant, key);
    let key = KEYS.iter().find(is_free).unwrap_or(&"flowmap.io/workload");
    let value = |member: &WorkloadRef| (member.clone(), values.get(member).cloned().unwrap_or_default());
    Missing { until_release: None, key: (*key).to_owned(), values: members.iter().map(value).collect() }
}

fn first_name(unit: &Unit) -> String {
    unit.members.first().map(|member| member.name.clone()).unwrap_or_default()
}

/// Every unit has its first workload's name, with its kind where that is taken, too long or another policy's; in order
/// of these names.
fn name(units: &mut [Unit]) {
    units.sort_by(|a, b| a.members.cmp(&b.members));
    let mut names = Names::default();
    for unit in units.iter() {
        *names.uses.entry(first_name(unit)).or_default() += 1;
    }
    for unit in units.iter_mut() {
        unit.name = names.find(&first_name(unit), unit.members.first().map(|member| member.kind.as_str()));
    }
    units.sort_by(|a, b| a.name.cmp(&b.name));
}
