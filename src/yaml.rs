//! YAML in and out, behind one door: the library below moves fast, and others leave `no` and `on` unquoted, which
//! YAML 1.1 readers take for booleans.

use serde::de::DeserializeOwned;
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

/// Reads all documents of a text that stands behind so many lines of a file: what is wrong with it tells the line in that.
pub fn read_all_behind(lines: usize, text: &str) -> Result<Vec<Value>, YamlError> {
    let documents: Vec<Value> = read_as(lines, text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// All documents of a text that stands behind so many lines, as a type that says where it wants texts: there `no` and
/// `1e3` are what was written, and no boolean or number.
pub fn read_as<T: DeserializeOwned>(lines: usize, text: &str) -> Result<Vec<T>, YamlError> {
    let place = serde_saphyr::render_options! { line_offset: lines as u64 };
    serde_saphyr::from_multiple_with_options(text, options())
        .map_err(|error| YamlError(one_line(&error.render_with_options(place))))
}

/// Splits a text at its `---` lines, each part with the number of lines before it. In YAML such a line ends a document
/// wherever it stands, block scalars included.
#[must_use]
pub fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut start_line, mut end) = (0, 0, 0);
    for (n, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            parts.push((start_line, &text[start..end]));
            (start, start_line) = (end, n);
        }
        end += line.len();
    }
    parts.push((start_line, &text[start..]));
    parts.retain(|(_, part)| !part.trim().is_empty());
    parts
}

/// Writes one document, its keys in the order they have, without a leading `---`.
pub fn write(value: &Value) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError(error.to_string()))
}

/// The first line of a message that may draw the text around the fault, without what it says to programmers. A key of the
/// API's that comes again is most often the next document, where files were put together.
fn one_line(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let Some((line, _)) = line.split_once(", set DuplicateKeyPolicy") else { return line.to_owned() };
    let is_head = line.contains("column 1:") && (line.ends_with(": apiVersion") || line.ends_with(": kind"));
    format!("{line}{}", if is_head { "; a line `---` must stand between two documents" } else { "" })
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

    #[test]
    fn a_key_that_comes_again_is_told_without_the_librarys_options() {
        let told = |text: &str| read_all(text).unwrap_err().to_string();
        assert_eq!(told("a: 1\nb: {a: 1, a: 2}\n"), "line 2 column 11: duplicate mapping key: a");
        let two = "apiVersion: v1\nkind: Pod\napiVersion: v1\nkind: Pod\n";
        let expected =
            "line 3 column 1: duplicate mapping key: apiVersion; a line `---` must stand between two documents";
        assert_eq!(told(two), expected);
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
