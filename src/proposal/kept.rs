//! Decisions in the store.

use std::collections::BTreeSet;

use super::ProposalError;
use crate::{render::Kept, store::Store};

/// What the store keeps of decisions on some namespaces of a site.
pub async fn kept(store: &Store, site: &str, namespaces: &BTreeSet<String>) -> Result<Kept, ProposalError> {
    let mut kept = Kept::default();
    for (namespace, body) in store.decisions(site).await? {
        if namespaces.contains(&namespace) {
            let read = serde_json::from_str(&body);
            let decisions: Kept =
                read.map_err(|error| ProposalError::Decisions { namespace: namespace.clone(), error })?;
            kept.join(decisions.within(&namespace));
        }
    }
    Ok(kept)
}

/// Keeps them for other folders and for none.
pub async fn keep(store: &Store, site: &str, namespaces: &BTreeSet<String>, all: &Kept) -> Result<(), ProposalError> {
    for namespace in namespaces {
        let decisions = all.within(namespace);
        let body = if decisions.is_empty() { None } else { Some(serde_json::json!(decisions).to_string()) };
        store.keep_decisions(site, namespace, body.as_deref()).await?;
    }
    Ok(())
}
