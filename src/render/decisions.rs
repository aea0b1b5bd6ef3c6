//! What a person decided by editing what flowmap wrote: it outlasts every later proposal.
//!
//! Rules are compared as single permissions (one peer, one port), so that neither their order nor how they are put
//! together matters. What was there when flowmap wrote last and is not now was rejected; what is there now and was not
//! then was added.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    RenderError,
    draft::{Atom, Draft, SIDES, atoms, canonical},
    kubernetes::document,
    words,
    written::{Written, WrittenObject},
};

/// One permission of a policy, and which way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permission {
    /// `ingress` or `egress`.
    pub side: String,
    /// The peer, as a policy has it; null for everybody.
    pub peer: Value,
    /// The port, as a policy has it; null for all.
    pub port: Value,
}

impl Permission {
    fn is(&self, side: &str, atom: &Atom) -> bool {
        self.side == side && is_same(&self.peer, &atom.peer) && is_same(&self.port, &atom.port)
    }

    fn same(&self, other: &Self) -> bool {
        self.side == other.side && is_same(&self.peer, &other.peer) && is_same(&self.port, &other.port)
    }
}

fn is_same(a: &Value, b: &Value) -> bool {
    a == b || canonical(a) == canonical(b)
}

/// All decisions, by document and name of the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decisions {
    /// Permissions that stay away.
    pub rejected: BTreeMap<String, Vec<Permission>>,
    /// Permissions that stay.
    pub added: BTreeMap<String, Vec<Permission>>,
    /// Policies that stay away.
    pub rejected_policies: BTreeSet<String>,
    /// Objects that a person put into a document of flowmap's, as they are.
    pub added_objects: BTreeMap<String, WrittenObject>,
    /// Fields that a person set: `podSelector`, `policyTypes`, `metadata`; of a kustomization all.
    pub fields: BTreeMap<String, Map<String, Value>>,
    /// Lines of comment that a person put before a policy.
    pub notes: BTreeMap<String, Vec<String>>,
    /// Permissions that were rejected before and are put back: mere proposals again, where they are proposed.
    #[serde(skip)]
    restored: BTreeMap<String, Vec<Permission>>,
}

/// A decision that makes a difference to what is proposed now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The policy, by document and name.
    pub policy: String,
    /// Whether a person added it, else rejected it.
    pub is_added: bool,
    /// What, in words.
    pub what: String,
}

/// Fields of a policy that a person may set.
const FIELDS: [(&str, &str); 3] =
    [("podSelector", "/spec/podSelector"), ("policyTypes", "/spec/policyTypes"), ("metadata", "/metadata")];

/// What a kustomization lists.
const RESOURCES: &str = "resources";

impl Decisions {
    /// Learns what a person changed since flowmap wrote last. Namespaces of which nothing is left begin anew.
    pub fn learn(&mut self, last: &Written, now: &Written) {
        let namespace = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
        let living: BTreeSet<String> = now.0.keys().map(|key| namespace(key)).collect();
        let gone: BTreeSet<String> =
            last.0.keys().map(|key| namespace(key)).filter(|it| !living.contains(it)).collect();
        self.forget(|key| gone.contains(&namespace(key)));
        for (key, written) in &last.0 {
            match now.0.get(key) {
                Some(found) if key.ends_with('#') => self.learn_kustomization(key, &written.object, &found.object),
                Some(found) => self.learn_policy(key, written, found),
                None if !gone.contains(&namespace(key)) => {
                    self.added_objects.remove(key);
                    self.rejected_policies.insert(key.clone());
                }
                None => {}
            }
        }
        for (key, found) in now.0.iter().filter(|(key, _)| !last.0.contains_key(*key)) {
            // put back by hand, or new
            self.rejected_policies.remove(key);
            self.added_objects.insert(key.clone(), found.clone());
        }
        self.tidy();
    }

    fn learn_policy(&mut self, key: &str, last: &WrittenObject, now: &WrittenObject) {
        if let Some(own) = self.added_objects.get_mut(key) {
            *own = now.clone();
            return;
        }
        for (side, ends) in SIDES {
            let permissions = |object: &Value| -> Vec<Permission> {
                let atoms = atoms(&object["spec"], side, ends).into_iter();
                atoms.map(|Atom { peer, port }| Permission { side: side.to_owned(), peer, port }).collect()
            };
            let (before, after) = (permissions(&last.object), permissions(&now.object));
            for gone in before.iter().filter(|one| !after.iter().any(|other| other.same(one))) {
                take(&mut self.added, key, gone);
                put(&mut self.rejected, key, gone);
            }
            for new in after.iter().filter(|one| !before.iter().any(|other| other.same(one))) {
                let is_back = take(&mut self.rejected, key, new);
                put(if is_back { &mut self.restored } else { &mut self.added }, key, new);
            }
        }
        for (name, pointer) in FIELDS {
            let (before, after) = (last.object.pointer(pointer), now.object.pointer(pointer));
            if let Some(after) = after.filter(|after| before.is_none_or(|before| !is_same(before, after))) {
                self.fields.entry(key.to_owned()).or_default().insert(name.to_owned(), after.clone());
            }
        }
        let notes = now.head.iter().filter(|line| !last.head.contains(line)).cloned().collect();
        self.notes.insert(key.to_owned(), notes);
    }

    /// Of a kustomization the resources are compared one by one; all else that a person sets stays.
    fn learn_kustomization(&mut self, key: &str, last: &Value, now: &Value) {
        let resources = |object: &Value| -> Vec<Permission> {
            let all = object[RESOURCES].as_array().cloned().unwrap_or_default().into_iter();
            all.map(|peer| Permission { side: RESOURCES.to_owned(), peer, port: Value::Null }).collect()
        };
        let (before, after) = (resources(last), resources(now));
        for gone in before.iter().filter(|one| !after.iter().any(|other| other.same(one))) {
            take(&mut self.added, key, gone);
            put(&mut self.rejected, key, gone);
        }
        for new in after.iter().filter(|one| !before.iter().any(|other| other.same(one))) {
            take(&mut self.rejected, key, new);
            put(&mut self.added, key, new);
        }
        for (name, value) in now.as_object().into_iter().flatten().filter(|(name, _)| *name != RESOURCES) {
            if last.get(name) != Some(value) {
                self.fields.entry(key.to_owned()).or_default().insert(name.clone(), value.clone());
            }
        }
    }

    /// Those of one namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        let mut within = self.clone();
        within.forget(|key| key.split('/').next() != Some(namespace));
        within
    }

    /// Those of other namespaces than these.
    #[must_use]
    pub fn without(&self, namespaces: &BTreeSet<&str>) -> Self {
        let mut without = self.clone();
        without.forget(|key| key.split('/').next().is_some_and(|it| namespaces.contains(it)));
        without
    }

    /// Takes in those of other namespaces.
    pub fn join(&mut self, other: Self) {
        self.rejected.extend(other.rejected);
        self.added.extend(other.added);
        self.rejected_policies.extend(other.rejected_policies);
        self.added_objects.extend(other.added_objects);
        self.fields.extend(other.fields);
        self.notes.extend(other.notes);
    }

    fn forget(&mut self, is_gone: impl Fn(&str) -> bool) {
        self.rejected.retain(|key, _| !is_gone(key));
        self.added.retain(|key, _| !is_gone(key));
        self.rejected_policies.retain(|key| !is_gone(key));
        self.added_objects.retain(|key, _| !is_gone(key));
        self.fields.retain(|key, _| !is_gone(key));
        self.notes.retain(|key, _| !is_gone(key));
        self.restored.retain(|key, _| !is_gone(key));
    }

    fn tidy(&mut self) {
        self.rejected.retain(|_, all| !all.is_empty());
        self.added.retain(|_, all| !all.is_empty());
        self.notes.retain(|_, all| !all.is_empty());
    }

    /// Whether nothing was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a policy stays away.
    pub(super) fn rejects(&self, key: &str) -> bool {
        self.rejected_policies.contains(key)
    }

    /// Whether a permission stays away.
    pub(super) fn rejects_atom(&self, key: &str, side: &str, atom: &Atom) -> bool {
        self.rejected.get(key).is_some_and(|all| all.iter().any(|one| one.is(side, atom)))
    }

    /// Of what was put back that is a person's which is not proposed.
    pub(super) fn settle(&mut self, draft: &mut Draft) {
        let key = draft.key();
        for one in self.restored.remove(&key).unwrap_or_default() {
            if !draft.side(&one.side).iter().any(|atom| one.is(&one.side, atom)) {
                put(&mut self.added, &key, &one);
            }
        }
    }

    /// Takes from a proposed policy what was rejected, and adds what was added; tells what that changes.
    pub(super) fn apply(&self, draft: &mut Draft) -> Vec<Conflict> {
        let key = draft.key();
        let mut conflicts = Vec::new();
        if self.rejects(&key) {
            let what = "the whole policy".to_owned();
            return vec![Conflict { policy: key, is_added: false, what }];
        }
        for (side, _) in SIDES {
            let atoms = draft.side(side);
            for atom in atoms.extract_if(.., |atom| self.rejects_atom(&key, side, atom)) {
                conflicts.push(Conflict { policy: key.clone(), is_added: false, what: words::permission(side, &atom) });
            }
            let added = self.added.get(&key).into_iter().flatten().filter(|one| one.side == side);
            for one in added {
                let atom = Atom { peer: one.peer.clone(), port: one.port.clone() };
                if !atoms.iter().any(|known| one.is(side, known)) {
                    conflicts.push(Conflict {
                        policy: key.clone(),
                        is_added: true,
                        what: words::permission(side, &atom),
                    });
                    atoms.push(atom);
                }
            }
        }
        if !conflicts.is_empty() {
            draft.head.push_str("\nby hand\n");
            for Conflict { is_added, what, .. } in &conflicts {
                let verb = if *is_added { "added" } else { "removed" };
                // writing to a String cannot fail
                let _ = writeln!(draft.head, "  {verb}: {what}");
            }
        }
        conflicts
    }

    /// A policy with the fields that a person set.
    pub(super) fn fields(&self, key: &str, mut object: Value) -> Value {
        if key.ends_with('#') {
            return self.kustomization(key, object);
        }
        let Some(fields) = self.fields.get(key) else { return object };
        for (name, pointer) in FIELDS {
            if let (Some(value), Some(place)) = (fields.get(name), object.pointer_mut(pointer)) {
                *place = value.clone();
            }
        }
        object
    }

    fn kustomization(&self, key: &str, mut object: Value) -> Value {
        let is_among = |all: &BTreeMap<String, Vec<Permission>>, one: &Value| {
            all.get(key).is_some_and(|all| all.iter().any(|known| is_same(&known.peer, one)))
        };
        let mut resources = object[RESOURCES].as_array().cloned().unwrap_or_default();
        resources.retain(|one| !is_among(&self.rejected, one));
        let added = self.added.get(key).into_iter().flatten().map(|one| &one.peer);
        let added: Vec<Value> = added.filter(|one| !resources.contains(one)).cloned().collect();
        resources.extend(added);
        for (name, value) in self.fields.get(key).into_iter().flatten() {
            object[name] = value.clone();
        }
        object[RESOURCES] = resources.into();
        object
    }

    /// The lines of comment that a person put before a policy.
    pub(super) fn notes(&self, key: &str) -> &[String] {
        self.notes.get(key).map_or(&[], Vec::as_slice)
    }

    /// Puts the objects of a person into the documents of a namespace.
    pub(super) fn keep(
        &self,
        namespace: &str,
        documents: &mut BTreeMap<String, String>,
        written: &mut Written,
    ) -> Result<(), RenderError> {
        for (key, own) in &self.added_objects {
            let Some((path, _)) = key.split_once('#') else { continue };
            if !path.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('/')) || written.0.contains_key(key) {
                continue;
            }
            let text = document(path, "", &own.head, &own.object)?;
            let whole = documents.entry(path.to_owned()).or_default();
            whole.push_str(if whole.is_empty() { "" } else { "---\n" });
            whole.push_str(&text);
            written.0.insert(key.clone(), own.clone());
        }
        Ok(())
    }

    /// Policies that are proposed no longer but hold something of a person's stay as they are.
    pub(super) fn adopt(&mut self, namespace: &str, proposed: &BTreeSet<String>, now: &Written) {
        let is_here = |key: &&String| key.split('/').next() == Some(namespace) && !key.ends_with('#');
        let held: Vec<String> =
            self.added.keys().filter(is_here).filter(|key| !proposed.contains(*key)).cloned().collect();
        for key in held {
            if let Some(found) = now.0.get(&key) {
                self.added.remove(&key);
                self.added_objects.insert(key, found.clone());
            }
        }
    }
}

fn put(all: &mut BTreeMap<String, Vec<Permission>>, key: &str, one: &Permission) {
    let of_policy = all.entry(key.to_owned()).or_default();
    if !of_policy.iter().any(|known| known.same(one)) {
        of_policy.push(one.clone());
        of_policy.sort_by_key(|one| (one.side.clone(), canonical(&one.peer), canonical(&one.port)));
    }
}

/// Whether it was there to be taken.
fn take(all: &mut BTreeMap<String, Vec<Permission>>, key: &str, one: &Permission) -> bool {
    let Some(of_policy) = all.get_mut(key) else { return false };
    let count = of_policy.len();
    of_policy.retain(|known| !known.same(one));
    of_policy.len() < count
}
