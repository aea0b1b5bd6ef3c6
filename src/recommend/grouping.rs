//! Units to groups: what gets one policy together.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Selector,
    naming::is_reserved,
    units::{UnitId, Units},
};
use crate::model::WorkloadRef;

/// What a policy is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// One workload: least privilege.
    #[default]
    Workload,
    /// All workloads of a namespace that have one role; those without one stand alone. Roles of different namespaces
    /// are different, also with one name.
    Roles(BTreeMap<WorkloadRef, String>),
    /// A whole namespace: everybody in it may reach everybody in it, on the ports that are in use there, and the pods
    /// elsewhere that any of it reaches. Addresses outside are for those alone that use them.
    Namespace,
}

/// What gets one policy.
pub(super) struct Cluster {
    pub name: String,
    pub namespace: String,
    pub units: BTreeSet<UnitId>,
    pub selectors: Vec<Selector>,
}

/// All groups.
pub(super) struct Groups {
    pub all: Vec<Cluster>,
    of_unit: Vec<usize>,
    is_namespace: bool,
}

impl Groups {
    pub fn new(units: &Units, grouping: &Grouping) -> Self {
        let mut by_role: BTreeMap<(&str, Option<&str>, &str), BTreeSet<UnitId>> = BTreeMap::new();
        for (n, unit) in units.all.iter().enumerate() {
            let role = match grouping {
                Grouping::Workload => None,
                Grouping::Namespace => Some("namespace"),
                Grouping::Roles(roles) => unit.members.iter().find_map(|member| roles.get(member)).map(String::as_str),
            };
            // who has no role is a group of its own
            let own = if role.is_none() { unit.name.as_str() } else { "" };
            by_role.entry((unit.namespace.as_str(), role, own)).or_default().insert(n);
        }
        let mut groups =
            Self { all: Vec::new(), of_unit: vec![0; units.all.len()], is_namespace: *grouping == Grouping::Namespace };
        let mut taken: BTreeSet<(&str, String)> =
            units.all.iter().map(|it| (it.namespace.as_str(), it.name.clone())).collect();
        for ((namespace, role, own), members) in by_role {
            let name = role.map_or_else(|| own.to_owned(), |role| free_name(role, namespace, &mut taken));
            // all there are: whoever comes next is one of them too
            let selectors = if groups.is_namespace { vec![Selector::default()] } else { units.together(&members) };
            for n in &members {
                if let Some(place) = groups.of_unit.get_mut(*n) {
                    *place = groups.all.len();
                }
            }
            groups.all.push(Cluster { name, namespace: namespace.to_owned(), units: members, selectors });
        }
        groups
    }

    /// The group of a unit.
    pub fn of(&self, unit: UnitId) -> usize {
        self.of_unit.get(unit).copied().unwrap_or_default()
    }

    /// The group that a unit is in as a peer of somebody in `namespace`; none where it stands for itself alone:
    /// other namespaces are not opened as a whole because one of their workloads calls.
    pub fn as_peer(&self, unit: UnitId, namespace: &str) -> Option<usize> {
        let group = self.of(unit);
        (!self.is_namespace || self.all.get(group)?.namespace == namespace).then_some(group)
    }

    /// Whether groups are meant to be open within themselves.
    pub fn is_namespace(&self) -> bool {
        self.is_namespace
    }
}

/// A role as a name that neither a workload nor another role of the namespace has.
fn free_name<'n>(role: &str, namespace: &'n str, taken: &mut BTreeSet<(&'n str, String)>) -> String {
    let plain = file_name(role);
    let plain = if plain.starts_with("allow-dns") { format!("tier-{plain}") } else { plain };
    let others = (0_usize..).map(|n| match n {
        0 => plain.clone(),
        1 => format!("{plain}-tier"),
        n => format!("{plain}-tier-{n}"),
    });
    let is_numbered = |other: &str, name: &str| {
        let number = other.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
    };
    let mut is_free = |name: &String| {
        // a group may need several policies, which are numbered
        let is_met = taken.iter().any(|(of, other)| *of == namespace && is_numbered(other, name));
        !is_reserved(name) && !is_met && taken.insert((namespace, name.clone()))
    };
    others.into_iter().find(|name| is_free(name)).unwrap_or(plain)
}

/// A role as a file's and a policy's name.
fn file_name(role: &str) -> String {
    let letter = |letter: char| {
        let letter = letter.to_ascii_lowercase();
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() { letter } else { '-' }
    };
    let mut name: String = role.chars().map(letter).take(60).collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name = name.trim_matches('-');
    if name.is_empty() { "role".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_whose_names_differ_in_nothing_that_a_file_may_have_stay_apart() {
        let mut taken = BTreeSet::from([("shop", "web".to_owned())]);
        let names = ["serves TCP/80", "serves TCP 80", "Web", "../..", "allow-dns"];
        let names = names.map(|role| free_name(role, "shop", &mut taken));
        assert_eq!(names, ["serves-tcp-80", "serves-tcp-80-tier", "web-tier", "role", "tier-allow-dns"]);
    }
}
