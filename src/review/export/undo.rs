//! `UNDO.sh`: the way back to what was there before any of these exports.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

use super::Plan;
use crate::{
    model::RawObject,
    proposal::{ProposalError, Site, folder},
    render::{self, RenderError, WayBack},
    yaml,
};

/// What was there first in the place of all that is exported by now: what is known of an earlier export stays, for since then
/// it is flowmap's own policies that are deployed. What is to go is changed too.
pub(super) fn way_back(known: &WayBack, site: &Site, plan: &Plan<'_>) -> WayBack {
    let there: BTreeMap<String, &RawObject> =
        site.cluster().policies.iter().filter(|raw| is_policy(&raw.object)).map(|raw| (raw.full_name(), raw)).collect();
    let mut way_back = known.clone();
    let policies = plan.approved.iter().filter(|sheet| sheet.object.as_ref().is_some_and(is_policy));
    let changed = policies.map(|sheet| sheet.full_name()).chain(plan.stale.names());
    for name in changed {
        let before = there.get(&name).map(|raw| cleaned(&raw.object)).unwrap_or_default();
        way_back.0.entry(name).or_insert(before);
    }
    way_back
}

/// What was there is put back first, so that nothing is closed in between that was open before; then what was not there goes, that
/// which closes a namespace before what it allows. Where the first fails the second is left, for it would close more. One
/// namespace after the other: where one cannot be put back the others still are.
pub(super) fn text(way_back: &WayBack) -> Result<String, ProposalError> {
    let mut text = String::from(
        "#!/bin/sh\n# Puts NetworkPolicies back to what they were before the first of these exports, as the inventory had it:\n\
         # `sh UNDO.sh`. Delete this file when that is done: the next export then begins anew.\nset -u\nfailed=0\n",
    );
    let mut namespaces: BTreeMap<&str, Vec<(&str, &Value)>> = BTreeMap::new();
    for (name, before) in &way_back.0 {
        let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
        namespaces.entry(namespace).or_default().push((name, before));
    }
    for (namespace, mut policies) in namespaces {
        policies.sort_by_key(|(name, _)| (*name != "default-deny", *name));
        let gone = policies.iter().filter(|(_, before)| before.is_null());
        let gone: Vec<String> = gone.map(|(name, _)| render::always_quoted(name)).collect();
        let namespace = render::always_quoted(namespace);
        let delete = match &gone[..] {
            [] => ":".to_owned(),
            names => format!("kubectl delete networkpolicy --ignore-not-found -n {namespace} {}", names.join(" ")),
        };
        let documents = policies.iter().filter(|(_, before)| !before.is_null()).map(|(_, before)| document(before));
        let documents = documents.collect::<Result<Vec<String>, _>>()?;
        // writing to a String cannot fail
        let _ = if documents.is_empty() {
            writeln!(text, "\n# not there before; what closes the namespace goes first\n{delete} || failed=1")
        } else {
            let all = documents.join("---\n");
            let (mark, all) = (mark(&all), all.trim_end());
            let apply = format!("kubectl apply -n {namespace} -f - <<'{mark}'\n{all}\n{mark}");
            writeln!(
                text,
                "\n# there before, as they were; then what was not there goes, what closes the namespace first\n\
                 if {apply}\nthen\n  {delete} || failed=1\nelse\n  failed=1\nfi"
            )
        };
    }
    text.push_str("\nif [ \"$failed\" -ne 0 ]; then\n  echo 'not all of it was put back: what failed is told above' >&2\nfi\nexit \"$failed\"\n");
    Ok(text)
}

fn document(object: &Value) -> Result<String, RenderError> {
    let fault = |error: yaml::YamlError| RenderError::Yaml { path: folder::UNDO.into(), reason: error.to_string() };
    yaml::write(object).map_err(fault)
}

/// A line that ends a text and is not in it.
fn mark(text: &str) -> String {
    let mut mark = "UNDO".to_owned();
    while text.lines().any(|line| line == mark) {
        mark.push('_');
    }
    mark
}

fn is_policy(object: &Value) -> bool {
    object["kind"] == "NetworkPolicy"
}

/// Without what an API server adds.
fn cleaned(object: &Value) -> Value {
    const ADDED: [&str; 6] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| !ADDED.contains(&key.as_str()));
        if let Some(notes) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            notes.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        if metadata.get("annotations").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            metadata.remove("annotations");
        }
    }
    object
}
