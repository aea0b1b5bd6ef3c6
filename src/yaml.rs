//! YAML in and out, behind one door: the library below moves fast, and others leave `no` and `on` unquoted, which
//! YAML 1.1 readers take for booleans.

use serde_json::Value;

/// Why a text is no YAML.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct YamlError(String);

/// How much one text may hold: a cluster of some thousand pods is tens of megabytes of YAML, where the library's own
/// bounds stop at a few. They stay for aliases, by which a small text could grow without end.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1_000_000,
            max_events: 100_000_000,
            max_nodes: 50_000_000,
            max_total_scalar_bytes: 1 << 30,
        },
    }
}

/// Reads all documents of a text, empty ones left out.
pub fn read_all(text: &str) -> Result<Vec<Value>, YamlError> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| YamlError(one_line(&error)))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Writes one document, its keys in the order they have, without a leading `---`.
pub fn write(value: &Value) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError(error.to_string()))
}

/// The first line of a message that may draw the text around the fault.
fn one_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_yaml_takes_for_other_types_come_back_as_they_were() {
        let value = serde_json::json!({"labels": {"a": "no", "b": "on", "c": "1e3", "d": "2026-11-23", "e": "12:30", "f": "null"}, "port": 80});
        let text = write(&value).unwrap();
        assert_eq!(read_all(&text).unwrap(), [value]);
        assert!(text.contains("a: \"no\"") || text.contains("a: 'no'"), "{text}");
    }
}
