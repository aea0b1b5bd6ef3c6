//! What tells a policy from all others of a folder.

use std::{
    fmt,
    path::{Component, Path},
    str::FromStr,
};

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
        self.name().is_empty()
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
        // what a folder or a log says may come from anybody: no document lies elsewhere than below its namespace
        let document = text.split_once('#').map(|(document, _)| document);
        let is_normal = |part: &str| {
            let mut components = Path::new(part).components();
            matches!((components.next(), components.next()), (Some(Component::Normal(name)), None) if name == part)
        };
        match document.and_then(|document| document.split_once('/')) {
            Some((namespace, file)) if is_normal(namespace) && is_normal(file) => Ok(Self(text)),
            _ => Err(NoPolicyKey(text)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_an_object_of_a_document_of_a_namespace() {
        for (key, document, name) in [
            ("production/api.yaml#api", "production/api.yaml", "api"),
            ("production/db.yaml#Role/x#", "production/db.yaml", "Role/x#"),
            ("production/kustomization.yaml#", "production/kustomization.yaml", ""),
        ] {
            let read: PolicyKey = key.parse().unwrap();
            assert_eq!((read.document(), read.name(), read.namespace()), (document, name, "production"));
            assert_eq!(read.is_kustomization(), name.is_empty(), "{key}");
        }
    }

    #[test]
    fn no_key_leads_out_of_its_namespace() {
        for text in [
            "",
            "production",
            "production/api.yaml",
            "production#x",
            "#api",
            "/api.yaml#api",
            "production/#api",
            "production/../../evil.yaml#y",
            "../evil.yaml#y",
            "production/..#y",
            "/etc/evil.yaml#y",
            "./api.yaml#y",
            "production/sub/api.yaml#api",
        ] {
            assert!(text.parse::<PolicyKey>().is_err(), "{text}");
        }
    }
}
