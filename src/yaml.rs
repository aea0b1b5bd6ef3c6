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
    read_all_behind(0, text)
}

/// The same of a text that stands behind so many lines of a file: what is wrong with it tells the line in that.
pub fn read_all_behind(lines: usize, text: &str) -> Result<Vec<Value>, YamlError> {
    let place = serde_saphyr::render_options! { line_offset: lines as u64 };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options())
        .map_err(|error| YamlError(one_line(&error.render_with_options(place))))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Writes one document, its keys in the order they have, without a leading `---`.
pub fn write(value: &Value) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError(error.to_string()))
}

/// The first line of a message that may draw the text around the fault.
fn one_line(error: &str) -> String {
    error.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_that_yaml_takes_for_other_types_come_back_as_they_were() {
        let value = serde_json::json!({"labels": {"a": "no", "b": "on", "c": "1e3", "d": "2026-11-23", "e": "12:30", "f": "null"}, "port": 80});
        let text = write(&value).unwrap();
        assert_eq!(read_all(&text).unwrap(), [value]);
        assert!(text.contains("a: \"no\"") || text.contains("a: 'no'"), "{text}");
    }

    proptest! {
        #[test]
        fn a_text_behind_lines_is_read_as_behind_so_many_empty_ones(
            lines in 0usize..30, pieces in prop::collection::vec(prop::sample::select(PIECES.split('~').collect::<Vec<_>>()), 0..12),
        ) {
            let text = pieces.concat();
            let read = |result: Result<Vec<Value>, YamlError>| result.map_err(|error| error.to_string());
            let behind_empty_ones = read_all(&format!("{}{text}", "\n".repeat(lines)));
            prop_assert_eq!(read(read_all_behind(lines, &text)), read(behind_empty_ones));
        }
    }

    /// Apart by `~`.
    const PIECES: &str = "a: ~b: ~\n~\n  ~- ~[~]~{~}~, ~\"~'~&x ~*x~*y~!!int ~!!binary ~| ~> ~? ~: ~# c~--- ~\n---\n~%YAML 1.2\n~\
        ...\n~1~text~\t~<<: ~\u{0}~\u{e9}~@~`";
}
