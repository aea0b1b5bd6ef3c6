//! What flowmap wrote last, as `evidence.json` keeps it: what a person changed since is told by it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Decisions, draft::key};
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

/// Objects by their document and name (`production/api.yaml#api`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Written(pub BTreeMap<String, WrittenObject>);

/// What `evidence.json` says of the folder it is in.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Index {
    /// The files that belong to the proposal.
    pub files: Vec<String>,
    /// What was written; none where an older flowmap wrote it.
    pub written: Option<Written>,
    /// What was decided by then.
    #[serde(default)]
    pub decisions: Decisions,
}

impl Written {
    /// Notes an object that is written, and the comment that flowmap has for it.
    pub(super) fn add(&mut self, key: &str, object: Value, head: &str) {
        let head = comment_lines(head).map(str::to_owned).collect();
        self.0.insert(key.to_owned(), WrittenObject { object, head });
    }

    /// The documents that the objects are in.
    #[must_use]
    pub fn documents(&self) -> BTreeSet<&str> {
        self.0.keys().filter_map(|key| key.split_once('#')).map(|(path, _)| path).collect()
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
        let key = key(path, &name);
        if written.0.contains_key(&key) {
            return Err(format!("has two objects called {name}"));
        }
        written.add(&key, object, head);
    }
    Ok(written)
}
