//! Learning what a person changed since flowmap wrote last.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Decisions, FIELDS, Permission, RESOURCES, Side, put, take};
use crate::{
    policy::PolicyType,
    render::{
        PolicyKey,
        draft::{Atom, atoms},
        head::is_own_line,
        written::{Written, WrittenObject},
    },
};

impl Decisions {
    /// Learns what a person changed since flowmap wrote last. Namespaces of which nothing is left begin anew.
    pub fn learn(&mut self, last: &Written, now: &Written) {
        let living: BTreeSet<&str> = now.0.keys().map(PolicyKey::namespace).collect();
        let gone: BTreeSet<&str> = last.0.keys().map(PolicyKey::namespace).filter(|it| !living.contains(it)).collect();
        self.forget(|key| gone.contains(key.namespace()));
        for (key, written) in &last.0 {
            match now.0.get(key) {
                Some(found) if key.is_kustomization() => self.learn_kustomization(key, &written.object, &found.object),
                Some(found) => self.learn_policy(key, written, found),
                None if !gone.contains(key.namespace()) => {
                    self.added_objects.remove(key);
                    self.adopted.remove(key);
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

    fn learn_policy(&mut self, key: &PolicyKey, last: &WrittenObject, now: &WrittenObject) {
        if let Some(own) = self.added_objects.get_mut(key) {
            *own = now.clone();
            if !self.adopted.contains(key) {
                return;
            }
        }
        for side in PolicyType::ALL {
            let permissions = |object: &Value| -> Vec<Permission> {
                let atoms = atoms(&object["spec"], side).into_iter();
                atoms.map(|Atom { peer, port }| Permission::new(side, peer, port)).collect()
            };
            let (before, after) = (permissions(&last.object), permissions(&now.object));
            for gone in before.iter().filter(|one| !after.contains(one)) {
                let is_own = take(&mut self.added, key, gone);
                put(if is_own { &mut self.withdrawn } else { &mut self.rejected }, key, gone);
            }
            for new in after.iter().filter(|one| !before.contains(one)) {
                let is_back = take(&mut self.rejected, key, new);
                put(if is_back { &mut self.restored } else { &mut self.added }, key, new);
            }
        }
        for (name, pointer) in FIELDS {
            let (before, after) = (last.object.pointer(pointer), now.object.pointer(pointer));
            if before != after {
                // null: taken out
                let after = after.cloned().unwrap_or_default();
                self.fields.entry(key.clone()).or_default().insert(name.to_owned(), after);
            }
        }
        let known = self.notes.remove(key).unwrap_or_default();
        let is_note = |line: &&String| known.contains(line) || !last.head.contains(line) && !is_own_line(line);
        let notes = now.head.iter().filter(is_note).cloned().collect();
        self.notes.insert(key.clone(), notes);
    }

    /// Of a kustomization the resources are compared one by one; all else that a person sets stays.
    fn learn_kustomization(&mut self, key: &PolicyKey, last: &Value, now: &Value) {
        let resources = |object: &Value| -> Vec<Permission> {
            let all = object[RESOURCES].as_array().cloned().unwrap_or_default().into_iter();
            all.map(|peer| Permission { side: Side::Resources, peer, port: Value::Null }).collect()
        };
        let (before, after) = (resources(last), resources(now));
        for gone in before.iter().filter(|one| !after.contains(one)) {
            take(&mut self.added, key, gone);
            put(&mut self.rejected, key, gone);
        }
        for new in after.iter().filter(|one| !before.contains(one)) {
            take(&mut self.rejected, key, new);
            put(&mut self.added, key, new);
        }
        for (name, value) in now.as_object().into_iter().flatten().filter(|(name, _)| *name != RESOURCES) {
            if last.get(name) != Some(value) {
                self.fields.entry(key.clone()).or_default().insert(name.clone(), value.clone());
            }
        }
        for (name, _) in last.as_object().into_iter().flatten().filter(|(name, _)| now.get(name.as_str()).is_none()) {
            if name != RESOURCES {
                self.fields.entry(key.clone()).or_default().insert(name.clone(), Value::Null);
            }
        }
    }
}
