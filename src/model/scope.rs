use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Which objects a snapshot lists all of, so that what it lacks of them was gone by then: namespaces by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(BTreeMap<String, BTreeSet<String>>);

/// In place of a namespace: every namespace.
const EVERYWHERE: &str = "*";

impl Scope {
    /// Adds a kind in one namespace; an empty one for kinds that are in none.
    pub fn add(&mut self, kind: &str, namespace: &str) {
        self.0.entry(kind.to_owned()).or_default().insert(namespace.to_owned());
    }

    /// Adds a kind in every namespace.
    pub fn add_everywhere(&mut self, kind: &str) {
        self.add(kind, EVERYWHERE);
    }

    /// Whether all objects of a kind in a namespace are listed.
    #[must_use]
    pub fn covers(&self, kind: &str, namespace: &str) -> bool {
        self.0.get(kind).is_some_and(|namespaces| namespaces.contains(EVERYWHERE) || namespaces.contains(namespace))
    }

    /// Kinds with the namespaces in which they are listed; `None` stands for every namespace.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let named = |name: &str| (name != EVERYWHERE).then_some(());
        self.0.iter().flat_map(move |(kind, namespaces)| {
            namespaces.iter().map(move |name| (kind.as_str(), named(name).map(|()| name.as_str())))
        })
    }

    /// Takes another in.
    pub fn join(&mut self, other: Self) {
        for (kind, namespaces) in other.0 {
            self.0.entry(kind).or_default().extend(namespaces);
        }
    }
}

/// The kinds and namespaces of the items of one List, while it is read.
#[derive(Clone, Debug, Default)]
pub struct ListTally(BTreeMap<String, BTreeSet<String>>);

impl ListTally {
    /// Counts an item.
    pub fn add(&mut self, kind: &str, namespace: &str) {
        self.0.entry(kind.to_owned()).or_default().insert(namespace.to_owned());
    }

    /// What a List that came to its end is complete in. One with objects of several namespaces was asked of all
    /// (kubectl takes one namespace or all of them); else it speaks for the namespaces that it shows, kind by kind. A
    /// kind of which it shows nothing may not have been asked for.
    #[must_use]
    pub fn scope(self) -> Scope {
        let named: BTreeSet<&String> = self.0.values().flatten().filter(|name| !name.is_empty()).collect();
        let is_of_all = named.len() > 1;
        let mut scope = Scope::default();
        for (kind, namespaces) in &self.0 {
            if is_of_all && namespaces.iter().any(|name| !name.is_empty()) {
                scope.add_everywhere(kind);
            } else {
                for name in namespaces {
                    scope.add(kind, name);
                }
            }
        }
        scope
    }
}
