//! flowmap's own policies of before that are wanted no more: `kubectl apply` never takes any away.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    model::RawObject,
    render::{Sheet, WayBack, is_own},
};

/// A policy that is there, or was exported to be, and is to go.
pub(in crate::review) struct Ended {
    /// `namespace/name`.
    pub name: String,
    /// Why it is to go.
    pub why: &'static str,
    /// Whether a policy of somebody else's stood in its place before the first export: that is to be put back.
    pub has_before: bool,
}

/// What is exported before the rest is approved, seen from the policies of before.
#[derive(Default)]
pub(in crate::review) struct Stale {
    /// Those that are to go.
    pub ended: Vec<Ended>,
    /// Those that are proposed no more, where not all that takes their place is approved: until then they stay.
    pub waiting: Vec<String>,
    /// Those that are proposed and not approved as they are now: what was applied of them stays too.
    pub kept: BTreeSet<String>,
}

/// What tells which policies are to go.
pub(in crate::review) struct Before<'a> {
    /// All policies of the proposal.
    pub sheets: &'a [Sheet],
    /// The namespaces that it is for.
    pub namespaces: &'a BTreeSet<String>,
    /// Those of its policies that are there and approved, by their names.
    pub approved: &'a BTreeSet<String>,
    /// Those that are there and not approved.
    pub left: &'a [&'a Sheet],
    /// What was exported by now.
    pub way_back: &'a WayBack,
    /// What the inventory says is deployed.
    pub deployed: &'a [RawObject],
}

impl Stale {
    /// Of what was exported by now and what is deployed, in the namespaces that a proposal is for.
    pub fn new(before: &Before<'_>) -> Self {
        let Before { sheets, namespaces, approved, left, way_back, deployed } = *before;
        let sheet_of: BTreeMap<String, &Sheet> = sheets.iter().map(|sheet| (sheet.full_name(), sheet)).collect();
        let own = deployed.iter().filter(|raw| raw.object["kind"] == "NetworkPolicy" && is_own(&raw.object));
        let names: BTreeSet<String> = way_back.0.keys().cloned().chain(own.map(RawObject::full_name)).collect();
        let mut stale = Self::default();
        for name in names.into_iter().filter(|name| !approved.contains(name)) {
            let namespace = name.split_once('/').map_or("", |(namespace, _)| namespace);
            if !namespaces.contains(namespace) {
                continue;
            }
            let why = match sheet_of.get(&name) {
                Some(sheet) if sheet.object.is_some() => {
                    stale.kept.insert(name);
                    continue;
                }
                Some(_) => "rejected",
                None if left.iter().any(|sheet| sheet.namespace == namespace) => {
                    stale.waiting.push(name);
                    continue;
                }
                None => "proposed no more",
            };
            let is_another = |before: &Value| !before.is_null() && !is_own(before);
            let has_before = way_back.0.get(&name).is_some_and(is_another);
            stale.ended.push(Ended { name, why, has_before });
        }
        stale
    }

    /// The names of those that are to go.
    pub fn names(&self) -> BTreeSet<String> {
        self.ended.iter().map(|ended| ended.name.clone()).collect()
    }
}
