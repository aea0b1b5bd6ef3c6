//! One file: what it is written in, its documents, and what came of them.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{collect::Collector, hosts, stream::read_json};
use crate::{
    model::{Cluster, NotText, Scope, Timestamp, decoded, visible},
    yaml::{self, YamlError},
};

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// What is known by it.
    pub cluster: Cluster,
    /// The objects and hosts as JSON, one by one, without what says nothing of the network: reading them again gives the
    /// same cluster.
    pub objects: Vec<String>,
    /// What could not be used, in the order of the file; the first thousand.
    pub problems: Vec<Problem>,
    /// How many more could not.
    pub more_problems: usize,
    /// Objects of kinds that say nothing about addresses, counted by kind (`ConfigMap`, `Service.serving.knative.dev`).
    pub skipped: BTreeMap<String, usize>,
    /// The latest time that an object tells: the listing is no older.
    pub taken_at: Option<Timestamp>,
    /// What it lists all of.
    pub complete: Scope,
}

impl Reading {
    /// Leaves out the hosts of other sites than this one, and tells how many they were.
    pub fn keep_site(&mut self, site: &str) -> usize {
        let is_elsewhere = |named: Option<&str>| named.is_some_and(|named| named != site);
        let before = self.cluster.hosts.len();
        self.cluster.hosts.retain(|host| !is_elsewhere(host.site.as_deref()));
        let left_out = before - self.cluster.hosts.len();
        if left_out > 0 {
            let entry = |object: &String| serde_json::from_str::<Value>(object).unwrap_or_default();
            self.objects.retain(|object| {
                let entry = entry(object);
                !hosts::is_host(&entry) || !is_elsewhere(hosts::site(&entry))
            });
        }
        left_out
    }
}

/// Something in a file that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub source: String,
    /// The object (`Pod production/web-1`), or its place (`item 7`).
    pub object: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.line())
    }
}

impl Problem {
    /// The object and what is wrong with it, in one line: names in a file may hold line ends and what steers a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}", visible(&self.object), visible(&self.reason))
    }
}

/// Why nothing of a file can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It says nothing.
    #[error("the file is empty")]
    Empty,
    /// It is no text.
    #[error("neither JSON, YAML nor CSV: not UTF-8 after byte {valid}")]
    NotText {
        /// How many bytes of it are text.
        valid: usize,
    },
    /// It is not what it begins as.
    #[error("not readable as {format}: {reason}")]
    Syntax {
        /// JSON, YAML or CSV.
        format: &'static str,
        /// The parser's word, with the line.
        reason: String,
    },
    /// Two columns of a hosts file say the same; which of them is meant cannot be told.
    #[error("two columns are called `{column}`")]
    TwoColumns {
        /// What both are called.
        column: &'static str,
    },
    /// It ends before its JSON does: a download or a disk that stopped half-way.
    #[error("the JSON is cut short: it is not closed where the file ends, at line {line}, column {column}")]
    CutShort {
        /// The line where it ends, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// All that it holds has faults of its own.
    #[error("nothing in it can be used: {first}{}", and_more(*.more))]
    AtFault {
        /// The first object or host, and what is wrong with it.
        first: String,
        /// How many further ones there are.
        more: usize,
    },
    /// It is well-formed, and about something else.
    #[error("holds neither Kubernetes objects nor hosts")]
    NoObjects,
}

fn and_more(count: usize) -> String {
    if count > 0 { format!("; and {count} more") } else { String::new() }
}

/// Reads the output of `kubectl get -o json|yaml`, manifests, or a hosts file; which of them, its content says.
///
/// `source` names the file in problems and in [`RawObject`](crate::model::RawObject)s.
pub fn read(source: &str, text: &[u8]) -> Result<Reading, ReadError> {
    let text = decoded(text).map_err(|NotText { valid }| ReadError::NotText { valid })?;
    let text = &*text;
    if text.trim().is_empty() {
        return Err(ReadError::Empty);
    }
    let mut collector = Collector::new(source);
    if hosts::is_csv(text) {
        hosts::read_csv(text, &mut collector)?;
    } else if begins_as_json(text) {
        read_json(text, &mut collector)?;
    } else {
        read_yaml(text, &mut collector)?;
    }
    collector.finish()
}

/// Whether a text begins as JSON does: YAML in flow style opens as it does, but need not quote its first key.
fn begins_as_json(text: &str) -> bool {
    let opened = text.trim_start();
    let inside = opened.trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '{' | '['));
    inside.len() < opened.len() && (inside.is_empty() || inside.starts_with(['"', '}', ']']))
}

/// Reads one object, as a live cluster gives it; `source` names it in problems. It says nothing of what else there is.
#[must_use]
pub fn read_object(source: &str, object: Value) -> Reading {
    let mut collector = Collector::new(source);
    collector.document(object);
    collector.finish().unwrap_or_default()
}

/// YAML documents; where the text as a whole is none, those that are.
fn read_yaml(text: &str, collector: &mut Collector) -> Result<(), ReadError> {
    let whole = match yaml::read_all(text) {
        Ok(documents) => {
            collect_all(0, text, documents, collector);
            return Ok(());
        }
        Err(error) => error,
    };
    let parts = yaml::documents(text);
    if parts.len() < 2 {
        return Err(yaml_error(&whole));
    }
    let mut good = 0;
    for (n, (line, part)) in parts.into_iter().enumerate() {
        match yaml::read_all_behind(line, part) {
            Ok(documents) => {
                good += documents.len();
                collect_all(line, part, documents, collector);
            }
            Err(error) => {
                collector.problem(&format!("document {}", n + 1), yaml_error(&error).to_string());
            }
        }
    }
    if good > 0 { Ok(()) } else { Err(yaml_error(&whole)) }
}

fn yaml_error(error: &YamlError) -> ReadError {
    ReadError::Syntax { format: "YAML", reason: error.to_string() }
}

/// Takes the documents of a YAML text; those that list hosts are read anew, with texts where hosts have them.
fn collect_all(lines: usize, text: &str, documents: Vec<Value>, collector: &mut Collector) {
    let is_list = |document: &Value| document.as_array().is_some_and(|entries| entries.iter().any(hosts::is_host));
    let as_written = documents.iter().any(is_list).then(|| hosts::read_lists(lines, text)).flatten();
    for document in as_written.unwrap_or(documents) {
        if is_cut(&document) {
            collector.cut_list(document);
        } else {
            collector.document(document);
        }
    }
}

/// Whether a document is a List that ends before its kind. kubectl writes that behind the items, and what it printed before it was
/// stopped is YAML as well.
fn is_cut(document: &Value) -> bool {
    document["kind"].is_null() && document["items"].as_array().is_some_and(|items| !items.is_empty())
}
