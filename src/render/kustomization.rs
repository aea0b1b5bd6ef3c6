//! Kustomizations: one beside the policies of each namespace, and what `kubectl` is called with because of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{PolicyKey, Sheet, Written, words};

/// What a kustomization is called below the folder of its namespace.
pub(super) const FILE: &str = "kustomization.yaml";

/// A kustomization that lists documents of its folder.
pub(super) fn listing<'p>(paths: impl Iterator<Item = &'p String>) -> Value {
    let files = paths.map(|path| path.rsplit('/').next().unwrap_or_default());
    json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": files.collect::<Vec<_>>(),
    })
}

/// The kustomizations of a proposal, by namespace. A person may have taken one out: that one is in neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kustomizations {
    /// Those that list files and do nothing else.
    pub listing: BTreeSet<String>,
    /// Those that a person made do more: what is applied by them may be called otherwise than what was judged.
    pub edited: BTreeSet<String>,
}

impl Kustomizations {
    /// Those among what is written.
    #[must_use]
    pub fn of(written: &Written) -> Self {
        const FIELDS: [&str; 3] = ["apiVersion", "kind", "resources"];
        let mut found = Self::default();
        for (key, written) in &written.0 {
            let namespace = key.namespace();
            if *key != PolicyKey::kustomization(namespace) {
                continue;
            }
            let mut fields = written.object.as_object().into_iter().flat_map(|fields| fields.keys());
            let does_more = fields.any(|field| !FIELDS.contains(&field.as_str()));
            (if does_more { &mut found.edited } else { &mut found.listing }).insert(namespace.to_owned());
        }
        found
    }

    /// The paths of those that do more.
    #[must_use]
    pub fn edited_paths(&self) -> BTreeSet<String> {
        self.edited.iter().map(|namespace| format!("{namespace}/{FILE}")).collect()
    }

    /// For each namespace of these policies what `kubectl diff` and `kubectl apply` are called with in the folder, quoted for a
    /// shell: its kustomization where that does no more than list files, else the files.
    #[must_use]
    pub fn arguments<'s>(&self, sheets: impl IntoIterator<Item = &'s Sheet>) -> Vec<String> {
        let mut keys: BTreeMap<&str, Vec<&PolicyKey>> = BTreeMap::new();
        for sheet in sheets.into_iter().filter(|sheet| sheet.object.is_some()) {
            // an edited policy may say that it is for another namespace than that of its folder
            keys.entry(sheet.key.namespace()).or_default().push(&sheet.key);
        }
        let arguments = |(folder, keys): (&str, Vec<&PolicyKey>)| {
            if self.listing.contains(folder) { format!("-k {}", words::quoted(folder)) } else { files(keys) }
        };
        keys.into_iter().map(arguments).collect()
    }
}

/// The documents of policies as arguments of `kubectl`, quoted for a shell.
pub fn files<'k>(keys: impl IntoIterator<Item = &'k PolicyKey>) -> String {
    let files: BTreeSet<&str> = keys.into_iter().map(PolicyKey::document).collect();
    files.into_iter().map(|file| format!("-f {}", words::quoted(file))).collect::<Vec<_>>().join(" ")
}
