//! What the store was told of a cluster, and the changes it has yet to be told.
//!
//! News of a live connection happen when they are heard. What went or changed while there was none is known to have
//! been as it was until the last contact, and to be as it is since it was heard of; in between nobody can know. So what
//! was there ends at the contact, and what took its place begins when it was heard of.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cluster::{ClusterError, Kind, Latest, Net, News, Object},
    model::Timestamp,
    store::Change,
};

/// All targets, by their places.
#[derive(Debug, Default)]
pub(super) struct SyncState {
    targets: Vec<Known>,
    changes: Vec<Change>,
}

/// What is known of one target.
#[derive(Debug)]
struct Known {
    objects: BTreeMap<String, Version>,
    in_sync: Timestamp,
    has_addresses: bool,
    /// Whether the server will not tell of it.
    is_refused: bool,
}

impl Known {
    /// Whether what is known of the others is worth nothing without it.
    fn counts(&self) -> bool {
        self.has_addresses || !self.is_refused
    }
}

/// An object as the store has it.
#[derive(Debug)]
struct Version {
    body: String,
    since: Timestamp,
}

/// Between which moments something happened.
#[derive(Clone, Copy)]
struct Between {
    contact: Timestamp,
    heard: Timestamp,
}

impl Between {
    fn live(at: Timestamp) -> Self {
        Self { contact: at, heard: at }
    }

    /// These moments moved behind another: clocks are set back, and one object may change twice before it is told.
    fn after(self, moment: Timestamp) -> Self {
        let contact = self.contact.max(Timestamp(moment.0.saturating_add(1)));
        Self { contact, heard: self.heard.max(contact) }
    }
}

impl SyncState {
    /// Takes the next target's first list.
    pub fn begin(&mut self, kind: &Kind, in_sync: Timestamp, objects: &[Object]) {
        let version =
            |object: &Object| (object.name.clone(), Version { body: object.body.clone(), since: Timestamp(i64::MIN) });
        let objects = objects.iter().map(version).collect();
        self.targets.push(Known { objects, in_sync, has_addresses: kind.has_addresses(), is_refused: false });
    }

    /// All objects as JSON.
    pub fn bodies(&self) -> Vec<String> {
        let objects = self.targets.iter().flat_map(|target| target.objects.values());
        objects.map(|version| version.body.clone()).collect()
    }

    /// Until when every target is known. One that the server will not tell of, and that says nothing of addresses, is left out: of
    /// whose an address is, it takes nothing away.
    pub fn in_sync(&self) -> Timestamp {
        let least = |counts: fn(&&Known) -> bool| self.targets.iter().filter(counts).map(|target| target.in_sync).min();
        least(|target| target.counts()).or_else(|| least(|_| true)).unwrap_or_default()
    }

    /// Changes that wait to be taken.
    pub fn waiting(&self) -> usize {
        self.changes.len()
    }

    /// The changes since the last call, in the order in which they came.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Takes news of a target.
    pub fn take(&mut self, place: usize, news: News) {
        let Some(target) = self.targets.get_mut(place) else { return };
        let changes = &mut self.changes;
        match news {
            News::Listed { contact, listed } => {
                let between = Between { contact, heard: listed.answered };
                target.relist(between, listed.objects, changes);
                target.in_sync = listed.answered;
            }
            News::Caught { contact, at, net: Net(latest), is_all } => {
                let between = Between { contact, heard: at };
                for latest in latest.into_values() {
                    match latest {
                        Latest::Present(object) => target.set(between, object, changes),
                        Latest::Gone(object) => target.remove(between, &object.name, changes),
                    }
                }
                if is_all {
                    (target.in_sync, target.is_refused) = (at, false);
                }
            }
            News::Present(at, object) => target.set(Between::live(at), object, changes),
            News::Gone(at, object) => target.remove(Between::live(at), &object.name, changes),
            News::InSync(at) => (target.in_sync, target.is_refused) = (at, false),
            News::Unwatched(_) | News::Failed(ClusterError::Forbidden(_) | ClusterError::NotFound) => {
                target.is_refused = true;
            }
            News::Problems(_) | News::Failed(_) => {}
        }
    }
}

impl Known {
    fn relist(&mut self, between: Between, objects: Vec<Object>, changes: &mut Vec<Change>) {
        let listed: BTreeSet<&String> = objects.iter().map(|object| &object.name).collect();
        let gone: Vec<String> = self.objects.keys().filter(|name| !listed.contains(name)).cloned().collect();
        for name in &gone {
            self.remove(between, name, changes);
        }
        for object in objects {
            self.set(between, object, changes);
        }
    }

    fn set(&mut self, between: Between, Object { name, body }: Object, changes: &mut Vec<Change>) {
        let before = self.objects.get(&name);
        if before.is_some_and(|before| before.body == body) {
            return;
        }
        let between = before.map_or(between, |before| between.after(before.since));
        if let Some(before) = before {
            changes.push(Change { at: between.contact, before: Some(before.body.clone()), after: None });
        }
        changes.push(Change { at: between.heard, before: None, after: Some(body.clone()) });
        self.objects.insert(name, Version { body, since: between.heard });
    }

    fn remove(&mut self, between: Between, name: &str, changes: &mut Vec<Change>) {
        let Some(before) = self.objects.remove(name) else { return };
        let at = between.after(before.since).contact;
        changes.push(Change { at, before: Some(before.body), after: None });
    }
}
