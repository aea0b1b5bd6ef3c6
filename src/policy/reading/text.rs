//! Text to objects: YAML or JSON, many documents, Lists taken apart.

use serde_json::{Map, Value};

use crate::{json::Strict, model::RawObject, yaml};

/// A text that holds no objects of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is neither YAML nor JSON.
    #[error("{origin}: {reason}")]
    Syntax {
        /// The file.
        origin: String,
        /// What the parser says.
        reason: String,
    },
    /// A document is a list or a plain value.
    #[error("{origin}: document {document}: is no object of the Kubernetes API")]
    NoObject {
        /// The file.
        origin: String,
        /// The place in the file, from 1.
        document: usize,
    },
}

/// Reads all objects of a text: manifests, or what `kubectl get -o yaml|json` prints.
///
/// Documents are counted with the items of Lists in place of the Lists, so that each object has a number of its own.
pub fn read(source: &str, text: &str) -> Result<Vec<RawObject>, ReadError> {
    let (objects, others) = read_all(source, text)?;
    others.into_iter().next().map_or(Ok(objects), Err)
}

/// Reads all objects of a text like [`read`], and returns beside them the errors of what is no object.
pub fn read_all(source: &str, text: &str) -> Result<(Vec<RawObject>, Vec<ReadError>), ReadError> {
    let documents = parse(text).map_err(|reason| ReadError::Syntax { origin: source.to_owned(), reason })?;
    Ok(sorted_out(source, documents.into_iter().map(Ok)))
}

/// What can be read of a text, and what cannot: a document that is no YAML does not cost those beside it.
#[must_use]
pub fn read_some(source: &str, text: &str) -> (Vec<RawObject>, Vec<ReadError>) {
    let whole = match parse(text) {
        Ok(documents) => return sorted_out(source, documents.into_iter().map(Ok)),
        Err(reason) => reason,
    };
    let parts = yaml::documents(text);
    if parts.len() < 2 {
        return sorted_out(source, [Err(whole)]);
    }
    let read = |(lines, part)| match yaml::read_all_behind(lines, part) {
        Ok(documents) => documents.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error.to_string())],
    };
    sorted_out(source, parts.into_iter().flat_map(read))
}

/// The objects among documents, and what is none; each has a number, also one that could not be read.
fn sorted_out(
    source: &str,
    documents: impl IntoIterator<Item = Result<Value, String>>,
) -> (Vec<RawObject>, Vec<ReadError>) {
    let (mut objects, mut others, mut count) = (Vec::new(), Vec::new(), 0);
    for read in documents {
        let mut values = Vec::new();
        match read {
            Ok(document) => flatten(document, &mut values),
            Err(reason) => {
                count += 1;
                others.push(ReadError::Syntax { origin: source.to_owned(), reason });
            }
        }
        for object in values {
            count += 1;
            let (origin, document) = (source.to_owned(), count);
            match object {
                Value::Object(_) => objects.push(RawObject { source: origin, document: Some(document), object }),
                _ => others.push(ReadError::NoObject { origin, document }),
            }
        }
    }
    (objects, others)
}

/// JSON is read as such where it is such: large clusters print hundreds of megabytes of it.
fn parse(text: &str) -> Result<Vec<Value>, String> {
    if text.trim_start().starts_with('{') {
        let documents: Result<Vec<Strict>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
        match documents {
            Ok(documents) => return Ok(documents.into_iter().map(|Strict(value)| value).collect()),
            // YAML in flow style begins like JSON; but a key given twice is a fault in either
            Err(error) if error.is_data() => return Err(error.to_string()),
            Err(_) => {}
        }
    }
    yaml::read_all(text).map_err(|error| error.to_string())
}

/// Adds an object, or the items of a List in its place.
fn flatten(document: Value, objects: &mut Vec<Value>) {
    match document {
        Value::Object(mut list) if is_list(&list) => {
            if let Some(Value::Array(items)) = list.remove("items") {
                for item in items {
                    flatten(with_type_of(&list, item), objects);
                }
            }
        }
        object => objects.push(object),
    }
}

fn is_list(object: &Map<String, Value>) -> bool {
    let kind = object.get("kind").and_then(Value::as_str);
    let is_listing = |items: &Value| items.is_array() || items.is_null();
    kind.is_some_and(|kind| kind.ends_with("List")) && object.get("items").is_some_and(is_listing)
}

/// An item with the kind and version that its List implies: the API server leaves them out in a `PodList`.
fn with_type_of(list: &Map<String, Value>, mut item: Value) -> Value {
    let kind = list.get("kind").and_then(Value::as_str).and_then(|kind| kind.strip_suffix("List"));
    if let (Some(fields), Some(kind)) = (item.as_object_mut(), kind.filter(|kind| !kind.is_empty())) {
        fields.entry("kind").or_insert_with(|| kind.into());
        if let Some(version) = list.get("apiVersion") {
            fields.entry("apiVersion").or_insert_with(|| version.clone());
        }
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(usize, String)> {
        let objects = read("f", text).unwrap();
        objects.iter().map(|raw| (raw.document.unwrap(), raw.object["kind"].as_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn lists_are_taken_apart_wherever_they_stand() {
        let text =
            "kind: A\n---\n---\nkind: List\nitems:\n- kind: B\n- kind: List\n  items: [{kind: C}]\n---\nkind: D\n";
        assert_eq!(kinds(text), [(1, "A".into()), (2, "B".into()), (3, "C".into()), (4, "D".into())]);
        assert!(kinds("kind: PodList\nitems:\n").is_empty());
    }

    #[test]
    fn items_of_a_typed_list_get_its_type() {
        let text =
            r#"{"kind": "NetworkPolicyList", "apiVersion": "networking.k8s.io/v1", "items": [{"metadata": {}}]}"#;
        let objects = read("f", text).unwrap();
        assert_eq!(objects[0].object["kind"], "NetworkPolicy");
        assert_eq!(objects[0].object["apiVersion"], "networking.k8s.io/v1");
    }

    #[test]
    fn json_documents_may_follow_each_other_and_flow_yaml_is_no_json() {
        assert_eq!(kinds("{\"kind\": \"A\"}\n{\"kind\": \"B\"}").len(), 2);
        assert_eq!(kinds("{kind: A}"), [(1, "A".into())]);
        for twice in ["{\"kind\": \"A\", \"kind\": \"B\"}", "{kind: A, kind: B}", "a: [{b: 1, b: 2}]"] {
            assert!(read("f", twice).is_err(), "{twice}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        let error = read("f.yaml", "kind: A\n---\n- 1\n").unwrap_err();
        assert_eq!(error.to_string(), "f.yaml: document 2: is no object of the Kubernetes API");
        let error = read("f.yaml", "kind: [").unwrap_err();
        assert!(error.to_string().starts_with("f.yaml: "), "{error}");
        assert_eq!(read("f.yaml", ""), Ok(Vec::new()));
    }

    #[test]
    fn a_document_that_is_no_yaml_costs_itself_alone() {
        let text = "kind: A\n---\nkind: [\n---\nkind: B\n---\n7\n";
        assert!(read("f", text).is_err());
        let (objects, others) = read_some("f", text);
        let kinds: Vec<_> = objects.iter().map(|raw| (raw.document, raw.object["kind"].as_str())).collect();
        assert_eq!(kinds, [(Some(1), Some("A")), (Some(3), Some("B"))]);
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        assert!(others[0].starts_with("f: line "), "{others:?}");
        assert_eq!(others[1..], ["f: document 4: is no object of the Kubernetes API"]);
        assert_eq!(read_some("f", "kind: [").0, []);
    }
}
