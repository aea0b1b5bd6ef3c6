use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Namespaces by kind.
type Kinds = BTreeMap<String, BTreeSet<String>>;

/// Which objects a snapshot lists all of, so that what it lacks of them was gone by then: namespaces by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Scope {
    kinds: Kinds,
    /// What Lists are complete in unless they are pages of longer ones, by the version that the API server gave them: of the last
    /// page only the others tell.
    lists: BTreeMap<String, Kinds>,
    /// The versions of Lists of which there are further pages.
    pages: BTreeSet<String>,
}

/// A scope as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// With Lists that tell their version.
    Versions { kinds: Kinds, lists: BTreeMap<String, Kinds>, pages: BTreeSet<String> },
    /// As stores have it that know of no versions.
    Plain(Kinds),
}

impl From<Scope> for Written {
    fn from(Scope { kinds, lists, pages }: Scope) -> Self {
        if lists.is_empty() && pages.is_empty() { Self::Plain(kinds) } else { Self::Versions { kinds, lists, pages } }
    }
}

impl From<Written> for Scope {
    fn from(written: Written) -> Self {
        match written {
            Written::Versions { kinds, lists, pages } => Self { kinds, lists, pages },
            Written::Plain(kinds) => Self { kinds, ..Self::default() },
        }
    }
}

/// In place of a namespace: every namespace.
const EVERYWHERE: &str = "*";

impl Scope {
    /// Adds a kind in one namespace; an empty one for kinds that are in none.
    pub fn add(&mut self, kind: &str, namespace: &str) {
        self.kinds.entry(kind.to_owned()).or_default().insert(namespace.to_owned());
    }

    /// Adds a kind in every namespace.
    pub fn add_everywhere(&mut self, kind: &str) {
        self.add(kind, EVERYWHERE);
    }

    /// Adds a List that was read whole, with its version where it tells one.
    pub fn add_list(&mut self, version: Option<String>, list: ListTally) {
        let complete = list.scope();
        match version.filter(|_| !complete.kinds.is_empty()) {
            Some(version) => take_in(self.lists.entry(version).or_default(), complete.kinds),
            None => take_in(&mut self.kinds, complete.kinds),
        }
    }

    /// Notes that there are further pages of the List of a version.
    pub fn add_page(&mut self, version: String) {
        self.pages.insert(version);
    }

    /// The versions of Lists of which there are further pages.
    #[must_use]
    pub fn pages(&self) -> &BTreeSet<String> {
        &self.pages
    }

    /// The scope of a selection, which is complete in nothing.
    #[must_use]
    pub fn of_selection(self) -> Self {
        Self { pages: self.pages, ..Self::default() }
    }

    /// Whether all objects of a kind in a namespace are listed.
    #[must_use]
    pub fn covers(&self, kind: &str, namespace: &str) -> bool {
        self.iter().any(|(known, of)| known == kind && of.is_none_or(|of| of == namespace))
    }

    /// Kinds with the namespaces in which they are listed; `None` stands for every namespace.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.iter_beside(&self.pages)
    }

    /// The kinds that are listed in full, where further Lists are known to have pages.
    pub fn iter_beside<'s>(&'s self, pages: &BTreeSet<String>) -> impl Iterator<Item = (&'s str, Option<&'s str>)> {
        let lists = self.lists.iter().filter(|(version, _)| !pages.contains(*version)).map(|(_, kinds)| kinds);
        let all: Vec<&Kinds> = lists.chain([&self.kinds]).collect();
        all.into_iter().flatten().flat_map(|(kind, namespaces)| {
            let named = |name: &'s String| (name != EVERYWHERE).then_some(name.as_str());
            namespaces.iter().map(move |name| (kind.as_str(), named(name)))
        })
    }

    /// Takes another in.
    pub fn join(&mut self, other: Self) {
        take_in(&mut self.kinds, other.kinds);
        for (version, kinds) in other.lists {
            take_in(self.lists.entry(version).or_default(), kinds);
        }
        self.pages.extend(other.pages);
    }
}

fn take_in(known: &mut Kinds, others: Kinds) {
    for (kind, namespaces) in others {
        known.entry(kind).or_default().extend(namespaces);
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
