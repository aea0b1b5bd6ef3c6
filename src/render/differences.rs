//! How two versions of a policy differ, permission by permission.

use serde_json::Value;

use super::{draft::atoms, words};
use crate::policy::PolicyType;

/// In words: what a policy has that it had not, and what it has no longer.
#[must_use]
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for side in PolicyType::ALL {
        let [was, is] = [before, after].map(|object| atoms(&object["spec"], side));
        let gone = was.iter().filter(|one| !is.contains(one)).map(|one| ("no longer", one));
        let new = is.iter().filter(|one| !was.contains(one)).map(|one| ("new", one));
        lines.extend(gone.chain(new).map(|(word, one)| format!("{word}: {}", words::permission(side, one))));
    }
    for field in ["podSelector", "policyTypes"] {
        if before["spec"][field] != after["spec"][field] {
            lines.push(format!("{field} is another"));
        }
    }
    if before["metadata"] != after["metadata"] {
        lines.push("metadata is another".to_owned());
    }
    lines
}
