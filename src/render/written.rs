//! What flowmap wrote last, as `evidence.json` keeps it: what a person changed since is told by it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Decisions, Document, Policies, PolicyKey};
use crate::yaml;

/// A policy, or a kustomization, with the comment before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WrittenObject {
    /// The object.
    pub object: Value,
    /// The lines of the comment, without those that a person added.
    #[serde(default)]
    pub head: Vec<String>,
}

/// Objects by their document and name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Written(pub BTreeMap<PolicyKey, WrittenObject>);

/// What stood in the place of policies before they were exported first, by `namespace/name`: null where nothing did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WayBack(pub BTreeMap<String, Value>);

impl WayBack {
    /// Whether nothing was exported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What `evidence.json` says of the folder it is in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Index {
    /// The site that the policies are for; none where an older flowmap wrote it, or one was stopped halfway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The files that belong to the proposal.
    pub files: BTreeSet<String>,
    /// What was written; none where an older flowmap wrote it.
    pub written: Option<Written>,
    /// What was decided by then.
    #[serde(default)]
    pub decisions: Decisions,
    /// What was there before, while the files are being put into their places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Written>,
    /// What was there before anything was exported.
    #[serde(default, skip_serializing_if = "WayBack::is_empty")]
    pub way_back: WayBack,
}

impl Index {
    /// While files take the place of others: what was there, and what will be.
    pub fn between<'f>(
        files: impl Iterator<Item = &'f str>,
        policies: &Policies,
        now: &Written,
        (site, way_back): (Option<&str>, &WayBack),
    ) -> Self {
        let Policies { written, decisions, .. } = policies;
        Self {
            site: site.map(str::to_owned),
            files: files.map(str::to_owned).collect(),
            written: Some(written.clone()),
            decisions: decisions.clone(),
            before: Some(now.without_notes(decisions)),
            way_back: way_back.clone(),
        }
    }

    /// As a document: enough for the next time.
    #[must_use]
    pub fn document(&self, path: &str) -> Document {
        let text = format!("{:#}\n", json!(self));
        Document { path: path.to_owned(), text }
    }

    /// The documents that may hold policies.
    #[must_use]
    pub fn documents(&self) -> BTreeSet<String> {
        let Some(written) = &self.written else {
            let is_yaml = |path: &&String| Path::new(path).extension().is_some_and(|it| it == "yaml");
            return self.files.iter().filter(is_yaml).cloned().collect();
        };
        let before = self.before.iter().flat_map(Written::documents);
        written.documents().into_iter().chain(before).map(str::to_owned).collect()
    }

    /// The documents that held nothing but policies that stay away.
    #[must_use]
    pub fn documents_rejected(&self) -> BTreeSet<String> {
        let known = self.documents();
        let all = self.decisions.rejected_policies.iter().map(|key| key.document().to_owned());
        all.filter(|path| !known.contains(path)).collect()
    }

    /// Where who wrote the folder was stopped halfway: every document counts as that which was last put into its place.
    /// `is_waiting` tells of which the new one was not.
    #[must_use]
    pub fn settled(mut self, now: &Written, is_waiting: impl Fn(&str) -> bool) -> Self {
        let (Some(before), Some(written)) = (self.before.take(), &self.written) else { return self };
        let now = now.without_notes(&self.decisions);
        let documents: BTreeSet<&str> = written.documents().into_iter().chain(before.documents()).collect();
        let mut last = Written::default();
        for document in documents {
            let (was, is, will) = (before.of(document), now.of(document), written.of(document));
            let is_old = is != will && (is == was || is_waiting(document));
            last.0.extend(if is_old { was } else { will });
        }
        self.written = Some(last);
        self
    }
}

impl Written {
    /// Notes an object that is written, and the comment that flowmap has for it.
    pub(super) fn add(&mut self, key: PolicyKey, object: Value, head: &str) {
        let head = comment_lines(head).map(str::to_owned).collect();
        self.0.insert(key, WrittenObject { object, head });
    }

    /// The objects of a document.
    fn of(&self, document: &str) -> BTreeMap<PolicyKey, WrittenObject> {
        let all = self.0.range(PolicyKey::new(document, "")..).take_while(|(key, _)| key.document() == document);
        all.map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// Without the lines of comment that a person added.
    fn without_notes(&self, decisions: &Decisions) -> Self {
        let mut without = self.clone();
        for (key, object) in &mut without.0 {
            let notes = decisions.notes(key);
            object.head.retain(|line| !notes.contains(line));
        }
        without
    }

    /// The documents that the objects are in.
    #[must_use]
    pub fn documents(&self) -> BTreeSet<&str> {
        self.0.keys().map(PolicyKey::document).collect()
    }
}

/// The comment that a text begins with.
pub(super) fn comment_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| line.starts_with('#'))
}

/// The objects of a document as it is now, each with the comment before it.
pub fn read_document(path: &str, text: &str) -> Result<Written, String> {
    let objects = yaml::read_all(text).map_err(|error| error.to_string())?;
    let parts: Vec<&str> = text.split("\n---\n").collect();
    let mut written = Written::default();
    for (n, object) in objects.into_iter().enumerate() {
        let head = if parts.len() > n { parts.get(n).copied().unwrap_or_default() } else { "" };
        let name = match object["kind"].as_str() {
            Some("NetworkPolicy") => object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            Some("Kustomization") => String::new(),
            kind => {
                format!("{}/{}", kind.unwrap_or_default(), object["metadata"]["name"].as_str().unwrap_or_default())
            }
        };
        let key = PolicyKey::new(path, &name);
        if written.0.contains_key(&key) {
            return Err(format!("has two objects called {name}"));
        }
        written.add(key, object, head);
    }
    Ok(written)
}
