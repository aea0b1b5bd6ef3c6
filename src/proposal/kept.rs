//! Decisions in the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    Found, ProposalError,
    log::{Action, Body, Entry, Log},
};
use crate::{
    model::Timestamp,
    render::{Decisions, Kept, PolicyKey, Step},
    store::{Decided, DecisionChange, KeptChange, LogEntry, Store},
};

/// What the store knows of decisions on some namespaces of a site.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The site.
    pub site: String,
    /// What holds.
    pub kept: Kept,
    /// Who decided it when.
    pub log: Log,
    /// What holds, as it was read: by namespace.
    bodies: BTreeMap<String, Option<String>>,
}

impl Known {
    /// Reads it.
    pub async fn read(store: &Store, site: &str, namespaces: &BTreeSet<String>) -> Result<Self, ProposalError> {
        let mut all = store.decisions(site).await?;
        let bodies: BTreeMap<String, Option<String>> =
            namespaces.iter().map(|namespace| (namespace.clone(), all.remove(namespace))).collect();
        let mut kept = Kept::default();
        for (namespace, body) in &bodies {
            let Some(body) = body else { continue };
            let wrong = |error| ProposalError::Decisions { namespace: namespace.clone(), error };
            let read: Kept = serde_json::from_str(body).map_err(wrong)?;
            kept.join(read.within(namespace));
        }
        Ok(Self { site: site.to_owned(), kept, log: Log::read(store, site).await?, bodies })
    }

    /// Changes when anything was decided.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        use std::hash::{Hash, Hasher};
        let mut hasher = std::hash::DefaultHasher::new();
        (&self.site, &self.bodies).hash(&mut hasher);
        self.log.entries.iter().map(|entry| entry.id).collect::<Vec<_>>().hash(&mut hasher);
        hasher.finish()
    }

    /// Lets a folder know. Its files were changed before now, whatever their times say.
    pub fn tell(&self, found: &mut Found, now: Timestamp) {
        found.clamp(now);
        found.kept = self.kept.clone();
        found.later = self.log.later(found);
    }

    /// What of these decisions is to be kept from now on, as a change of the store.
    #[must_use]
    pub fn change(&self, kept: &Kept, entries: Vec<LogEntry>) -> DecisionChange {
        let change = |(namespace, before): (&String, &Option<String>)| {
            let here = kept.within(namespace);
            let after = (!here.is_empty()).then(|| serde_json::json!(here).to_string());
            (namespace.clone(), KeptChange { before: before.clone(), after })
        };
        let kept = self.bodies.iter().map(change).collect();
        DecisionChange { kept, entries, ..DecisionChange::default() }
    }

    /// Keeps what a folder decides, for other folders and for none, and logs what is new of it; unless somebody decided
    /// meanwhile, on some policies whatever it is.
    pub async fn keep(
        &self,
        store: &Store,
        folder: &Path,
        found: &Found,
        decisions: &Decisions,
        policies: &BTreeSet<PolicyKey>,
        now: Timestamp,
    ) -> Result<(), ProposalError> {
        let mut steps: BTreeMap<PolicyKey, Vec<Step>> = BTreeMap::new();
        for (policy, step) in self.kept.steps_to(decisions) {
            steps.entry(policy).or_default().push(step);
        }
        let entry = |(policy, steps): (PolicyKey, Vec<Step>)| {
            let time = found.changed(&policy).unwrap_or(now);
            Entry::row(&policy, time, &label(folder), Action::Folder, &Body { steps, ..Body::default() })
        };
        let entries = steps.into_iter().map(entry).collect();
        let heads = policies.iter().map(|policy| (policy.to_string(), self.log.head(policy))).collect();
        let change = DecisionChange { heads, ..self.change(&found.keeps(decisions), entries) };
        match store.decide(&self.site, &change).await? {
            Decided::Done => Ok(()),
            Decided::Decided(what) | Decided::Changed(what) => Err(ProposalError::DecidedMeanwhile { what }),
        }
    }

    /// Where a folder and the page contradict each other, and which of them is the later word.
    #[must_use]
    pub fn contradictions(&self, folder: &Path, found: &Found, decisions: &Decisions) -> Vec<String> {
        let folder = label(folder);
        let other = |policy: &PolicyKey, step: &Step| {
            let entry = self.log.decided(policy, step)?;
            let is_other = entry.body.steps.iter().any(|it| it.inverse().is_same(step));
            is_other.then(|| format!("{} decided otherwise on the review page at {}", entry.author, entry.time))
        };
        let won = self.kept.steps_to(decisions).into_iter().filter_map(|(policy, step)| {
            let other = other(&policy, &step)?;
            Some(format!("{policy}: {}: edited in {folder} after {other}: the edit counts", step.words()))
        });
        let lost = found.overruled().into_iter().filter_map(|(policy, step)| {
            let other = other(&policy, &step)?;
            Some(format!("{policy}: {}: edited in {folder} before {other}: the edit does not count", step.words()))
        });
        won.chain(lost).collect()
    }
}

/// What a folder is called in the log: its name, for where it lies differs from machine to machine.
fn label(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}
