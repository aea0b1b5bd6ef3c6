//! Files to a [`Cluster`]: what can be used is used, what cannot is told with the object's name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    field::{at, text},
    hosts, object,
    owner::Owners,
};
use crate::{
    model::{Cluster, RawObject, Timestamp},
    yaml,
};

/// Something in a file that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// `Pod production/web-1`.
    pub object: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// What is known from it.
    pub cluster: Cluster,
    /// The objects as they were written, without what the API server only keeps for itself.
    pub objects: Vec<Value>,
    /// What could not be used.
    pub problems: Vec<Problem>,
    /// Objects of kinds that say nothing about the network, by kind.
    pub skipped: BTreeMap<String, usize>,
    /// The latest time that an object tells: the snapshot is no older.
    pub taken_at: Option<Timestamp>,
}

/// Why a whole file is of no use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is no text.
    #[error("not a text file")]
    NotText,
    /// It is neither JSON nor YAML.
    #[error("not readable as {format}: {reason}")]
    Syntax {
        /// JSON or YAML.
        format: &'static str,
        /// The parser's word.
        reason: String,
    },
    /// It ends in the middle.
    #[error("the JSON is cut short")]
    CutShort,
    /// It is JSON or YAML of something else.
    #[error("holds neither Kubernetes objects nor hosts")]
    NoObjects,
}

/// Reads the output of `kubectl get ... -o json|yaml`, manifests, or a hosts file.
pub fn read(source: &str, bytes: &[u8]) -> Result<Reading, ReadError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ReadError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(ReadError::Empty);
    }
    if let Some(rows) = hosts::csv(text) {
        return finish(source, rows);
    }
    let documents = if text.trim_start().starts_with(['{', '[']) { json(text)? } else { from_yaml(text)? };
    let mut objects = Vec::new();
    for document in documents {
        flatten(document, &mut objects);
    }
    finish(source, objects)
}

fn json(text: &str) -> Result<Vec<Value>, ReadError> {
    serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().map_err(|error| {
        if error.is_eof() {
            ReadError::CutShort
        } else {
            ReadError::Syntax { format: "JSON", reason: error.to_string() }
        }
    })
}

fn from_yaml(text: &str) -> Result<Vec<Value>, ReadError> {
    yaml::read_all(text).map_err(|error| ReadError::Syntax { format: "YAML", reason: error.to_string() })
}

/// Takes Lists and sequences apart.
fn flatten(document: Value, objects: &mut Vec<Value>) {
    match document {
        Value::Array(items) => items.into_iter().for_each(|item| flatten(item, objects)),
        Value::Object(mut fields)
            if fields.get("kind").and_then(Value::as_str).is_some_and(|k| k.ends_with("List")) =>
        {
            let kind =
                fields.get("kind").and_then(Value::as_str).unwrap_or_default().trim_end_matches("List").to_owned();
            let version = fields.get("apiVersion").cloned();
            if let Some(Value::Array(items)) = fields.remove("items") {
                for mut item in items {
                    // the items of a PodList do not repeat their kind
                    if let (Value::Object(item), false) = (&mut item, kind.is_empty()) {
                        item.entry("kind").or_insert_with(|| kind.clone().into());
                        item.entry("apiVersion").or_insert_with(|| version.clone().unwrap_or_default());
                    }
                    flatten(item, objects);
                }
            }
        }
        other => objects.push(other),
    }
}

fn finish(source: &str, mut objects: Vec<Value>) -> Result<Reading, ReadError> {
    let is_object = |value: &Value| value.get("kind").is_some() || hosts::is_host(value);
    if !objects.iter().any(is_object) {
        return Err(ReadError::NoObjects);
    }
    objects.iter_mut().for_each(strip);
    let owners = Owners::new(&objects);
    let mut reading = Reading::default();
    for (n, value) in objects.iter().enumerate() {
        let name = describe(value, n);
        let mut problem = |reason: String| reading.problems.push(Problem { object: name.clone(), reason });
        match text(value, &["kind"]) {
            _ if hosts::is_host(value) => reading.cluster.hosts.extend(hosts::host(value, &mut problem)),
            None => problem("not a Kubernetes object: it has no kind".into()),
            Some(_) if text(value, &["metadata", "name"]).is_none() => problem("it has no name".into()),
            Some(kind) if kind.ends_with("NetworkPolicy") => reading.cluster.policies.push(RawObject {
                source: source.to_owned(),
                document: n + 1,
                object: value.clone(),
            }),
            Some(kind) => {
                if !object::add(&mut reading.cluster, kind, value, &owners, &mut problem) {
                    *reading.skipped.entry(kind.to_owned()).or_default() += 1;
                }
            }
        }
        reading.taken_at = reading.taken_at.max(latest(value));
    }
    object::sort(&mut reading.cluster);
    reading.problems.sort();
    reading.objects = objects;
    Ok(reading)
}

/// Removes what the API server and kubectl keep for themselves, often most of an object.
fn strip(value: &mut Value) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    metadata.remove("managedFields");
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

fn describe(value: &Value, n: usize) -> String {
    let kind = text(value, &["kind"]).unwrap_or("item");
    match (text(value, &["metadata", "namespace"]), text(value, &["metadata", "name"])) {
        (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
        (None, Some(name)) => format!("{kind} {name}"),
        _ => format!("{kind} {}", n + 1),
    }
}

/// The latest time among those that an object tells of itself.
fn latest(value: &Value) -> Option<Timestamp> {
    let time = |value: &Value| value.as_str().and_then(Timestamp::parse);
    let conditions = at(value, &["status", "conditions"]).and_then(Value::as_array).into_iter().flatten();
    let conditions = conditions.flat_map(|condition| {
        ["lastTransitionTime", "lastHeartbeatTime", "lastProbeTime"].into_iter().filter_map(|key| condition.get(key))
    });
    let own =
        [&["metadata", "creationTimestamp"][..], &["status", "startTime"]].into_iter().filter_map(|p| at(value, p));
    own.chain(conditions).filter_map(time).max()
}
