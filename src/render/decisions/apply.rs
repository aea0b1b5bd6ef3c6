//! What decisions make of a proposal.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde_json::Value;

use super::{Conflict, Decisions, FIELDS, Idle, Permission, RESOURCES, put};
use crate::{
    policy::PolicyType,
    render::{
        PolicyKey, RenderError,
        draft::{Atom, Draft, atoms},
        head::is_own_line,
        kubernetes::{comment_of, document},
        words,
        written::Written,
    },
};

impl Decisions {
    /// Whether a policy stays away.
    pub(in crate::render) fn rejects(&self, key: &PolicyKey) -> bool {
        self.rejected_policies.contains(key)
    }

    /// Whether a permission stays away.
    pub(in crate::render) fn rejects_atom(&self, key: &PolicyKey, side: PolicyType, atom: &Atom) -> bool {
        self.rejected.get(key).is_some_and(|all| all.iter().any(|one| one.is(side, atom)))
    }

    /// Of what was put back that is a person's which is not proposed; of what was taken out that is rejected which is.
    pub(in crate::render) fn settle(&mut self, draft: &Draft) {
        let key = draft.key();
        for one in self.restored.remove(&key).unwrap_or_default().iter().filter(|one| !draft.has(one)) {
            put(&mut self.added, &key, one);
        }
        for one in self.withdrawn.remove(&key).unwrap_or_default().iter().filter(|one| draft.has(one)) {
            put(&mut self.rejected, &key, one);
        }
    }

    /// Decisions on a namespace that find nothing here to apply to: made at another granularity, or on what is no
    /// longer proposed.
    pub(in crate::render) fn idle(&self, namespace: &str, drafts: &[Draft]) -> Vec<Idle> {
        let mut idle = Vec::new();
        let is_here = |key: &&PolicyKey| key.is_policy_of(namespace);
        let mut add = |key: &PolicyKey, what: String| idle.push(Idle { policy: key.clone(), what });
        for (key, all) in self.rejected.iter().filter(|(key, _)| is_here(key)) {
            let draft = drafts.iter().find(|draft| draft.key() == *key);
            for one in all.iter().filter(|one| !draft.is_some_and(|draft| draft.has(one))) {
                add(key, format!("removed: {}", one.words()));
            }
        }
        let is_proposed = |key: &PolicyKey| drafts.iter().any(|draft| draft.key() == *key);
        let is_absent = |key: &&PolicyKey| is_here(key) && !is_proposed(key) && !self.added_objects.contains_key(*key);
        for key in self.rejected_policies.iter().filter(is_absent) {
            add(key, "deleted".to_owned());
        }
        for (key, fields) in self.fields.iter().filter(|(key, _)| is_absent(key)) {
            add(key, format!("set: {}", fields.keys().cloned().collect::<Vec<_>>().join(", ")));
        }
        for key in self.notes.keys().filter(is_absent) {
            add(key, "comments".to_owned());
        }
        idle.sort();
        idle
    }

    /// Takes from a proposed policy what was rejected, and adds what was added; tells what that changes.
    pub(in crate::render) fn apply(&self, draft: &mut Draft) -> Vec<Conflict> {
        let key = draft.key();
        let mut conflicts = Vec::new();
        if self.rejects(&key) {
            let what = "the whole policy".to_owned();
            return vec![Conflict { policy: key, is_added: false, what }];
        }
        for side in PolicyType::ALL {
            let atoms = draft.side(side);
            for atom in atoms.extract_if(.., |atom| self.rejects_atom(&key, side, atom)) {
                conflicts.push(Conflict { policy: key.clone(), is_added: false, what: words::permission(side, &atom) });
            }
            let added = self.added.get(&key).into_iter().flatten().filter(|one| one.side == side.into());
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
    pub(in crate::render) fn fields(&self, key: &PolicyKey, mut object: Value) -> Value {
        if key.is_kustomization() {
            return self.kustomization(key, object);
        }
        let Some(fields) = self.fields.get(key) else { return object };
        for (name, pointer) in FIELDS {
            let Some((parent, field)) = pointer.rsplit_once('/') else { continue };
            let parent = object.pointer_mut(parent).and_then(Value::as_object_mut);
            match (fields.get(name), parent) {
                (Some(Value::Null), Some(parent)) => {
                    parent.remove(field);
                }
                (Some(value), Some(parent)) => {
                    parent.insert(field.to_owned(), value.clone());
                }
                _ => {}
            }
        }
        object
    }

    fn kustomization(&self, key: &PolicyKey, mut object: Value) -> Value {
        let is_among = |all: &BTreeMap<PolicyKey, Vec<Permission>>, one: &Value| {
            all.get(key).is_some_and(|all| all.iter().any(|known| known.peer == *one))
        };
        let mut resources = object[RESOURCES].as_array().cloned().unwrap_or_default();
        resources.retain(|one| !is_among(&self.rejected, one));
        let added = self.added.get(key).into_iter().flatten().map(|one| &one.peer);
        let added: Vec<Value> = added.filter(|one| !resources.contains(one)).cloned().collect();
        resources.extend(added);
        for (name, value) in self.fields.get(key).into_iter().flatten() {
            object[name] = value.clone();
        }
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        object[RESOURCES] = resources.into();
        object
    }

    /// The lines of comment that a person put before a policy.
    pub(in crate::render) fn notes(&self, key: &PolicyKey) -> &[String] {
        self.notes.get(key).map_or(&[], Vec::as_slice)
    }

    /// Puts the objects of a person into the documents of a namespace.
    pub(in crate::render) fn keep(
        &self,
        namespace: &str,
        documents: &mut BTreeMap<String, String>,
        written: &mut Written,
    ) -> Result<(), RenderError> {
        for (key, own) in &self.added_objects {
            if key.namespace() != namespace || written.0.contains_key(key) {
                continue;
            }
            let text = document(key.document(), "", &own.head, &own.object)?;
            let whole = documents.entry(key.document().to_owned()).or_default();
            whole.push_str(if whole.is_empty() { "" } else { "---\n" });
            whole.push_str(&text);
            written.0.insert(key.clone(), own.clone());
        }
        Ok(())
    }

    /// Policies that are proposed no longer but hold something of a person's stay as they are.
    pub(in crate::render) fn adopt(&mut self, namespace: &str, proposed: &BTreeSet<PolicyKey>, now: &Written) {
        let is_here = |key: &&PolicyKey| key.is_policy_of(namespace);
        let held = self.added.keys().filter(is_here).filter(|key| !proposed.contains(*key));
        let held: Vec<PolicyKey> = held.filter(|key| !self.added_objects.contains_key(*key)).cloned().collect();
        for key in held {
            if let Some(found) = now.0.get(&key) {
                self.adopted.insert(key.clone());
                self.added_objects.insert(key, found.clone());
            }
        }
    }

    /// A policy of a person's that is proposed now is a proposal with what the person added.
    pub(in crate::render) fn give_back(&mut self, draft: &Draft) {
        let key = draft.key();
        let Some(own) = self.added_objects.remove(&key) else { return };
        if self.adopted.remove(&key) {
            return;
        }
        for side in PolicyType::ALL {
            for Atom { peer, port } in atoms(&own.object["spec"], side) {
                let one = Permission::new(side, peer, port);
                if !draft.has(&one) {
                    put(&mut self.added, &key, &one);
                }
            }
        }
        let proposed = draft.object();
        for (name, pointer) in FIELDS {
            let (own, proposed) = (own.object.pointer(pointer), proposed.pointer(pointer));
            if let Some(own) = own.filter(|own| Some(*own) != proposed) {
                self.fields.entry(key.clone()).or_default().insert(name.to_owned(), own.clone());
            }
        }
        // what the person's policy was headed by, but for what flowmap heads it by now
        let heading = comment_of(&draft.head);
        let is_own = |line: &String| is_own_line(line) || heading.lines().any(|own| own == line);
        self.notes.insert(key, own.head.into_iter().filter(|line| !is_own(line)).collect());
        self.tidy();
    }
}
