//! JSON lines.

use serde::de::DeserializeOwned;

use super::{Fault, MAX_SHOWN, line::trimmed};

/// Reads one line.
pub(super) fn read<T: DeserializeOwned>(line: &[u8], what: &'static str) -> Result<T, Fault> {
    let line = trimmed(line);
    if line.starts_with(b"[") {
        // the reader would take a list for an object whose fields stand in their order
        return Err(Fault::Shape { what, why: "a list".into() });
    }
    serde_json::from_slice(line).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            let why = error.to_string().chars().take(MAX_SHOWN).collect();
            Fault::Shape { what, why }
        }
        _ => Fault::NotJson,
    })
}
