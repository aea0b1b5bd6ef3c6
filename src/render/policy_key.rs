//! What tells a policy from all others of a folder.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::kustomization;

/// An object of a folder by its document and its name there, as in `production/api.yaml#api`. A kustomization has no name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct PolicyKey(String);

/// A text that names no object of a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no policy such as production/api.yaml#api")]
pub struct NoPolicyKey(String);

impl PolicyKey {
    /// The object of that name in a document.
    #[must_use]
    pub fn new(document: &str, name: &str) -> Self {
        Self(format!("{document}#{name}"))
    }

    /// A policy of a document of flowmap's.
    #[must_use]
    pub(super) fn in_file(namespace: &str, file: &str, name: &str) -> Self {
        Self::new(&format!("{namespace}/{file}.yaml"), name)
    }

    /// The kustomization of a namespace.
    #[must_use]
    pub(super) fn kustomization(namespace: &str) -> Self {
        Self::new(&format!("{namespace}/{}", kustomization::FILE), "")
    }

    /// The path of its document.
    #[must_use]
    pub fn document(&self) -> &str {
        self.parts().0
    }

    /// Its name within the document.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts().1
    }

    /// The namespace that its document is of.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.document().split('/').next().unwrap_or_default()
    }

    /// Whether it is no policy but what lists them.
    #[must_use]
    pub fn is_kustomization(&self) -> bool {
        self.0.ends_with('#')
    }

    /// Whether it is a policy in a document of that namespace.
    #[must_use]
    pub fn is_policy_of(&self, namespace: &str) -> bool {
        self.namespace() == namespace && !self.is_kustomization()
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('#').unwrap_or((&self.0, ""))
    }
}

impl TryFrom<String> for PolicyKey {
    type Error = NoPolicyKey;

    fn try_from(text: String) -> Result<Self, NoPolicyKey> {
        if text.contains('#') { Ok(Self(text)) } else { Err(NoPolicyKey(text)) }
    }
}

impl FromStr for PolicyKey {
    type Err = NoPolicyKey;

    fn from_str(text: &str) -> Result<Self, NoPolicyKey> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
