//! What others can read on the way.

use std::fmt::Write;

use super::{Facts, namespace::row};
use crate::render::{AS_SEEN, Readable, words};

/// Rows that are listed: `evidence.json` has them all.
const MAX_ROWS: usize = 20;

/// What of the allowed dependencies of a namespace goes in clear text.
pub(super) fn section(text: &mut String, namespace: &str, facts: &Facts) {
    let Some(audit) = facts.measured.audit.by_namespace.get(namespace).filter(|audit| audit.all() > 0) else { return };
    let _ = writeln!(text, "### Clear text\n\n{} {AS_SEEN}\n", audit.sentence());
    if audit.listed.is_empty() {
        return;
    }
    let _ = writeln!(text, "| from | to | port | spoken | between | connections |\n|---|---|---|---|---|---|");
    for it in audit.listed.iter().take(MAX_ROWS) {
        let Readable { from, to, protocol, port, connections, .. } = it;
        let (port, connections) = (words::port(*protocol, *port), connections.to_string());
        row(text, [from, to, &port, &it.spoken(), &it.border(), &connections]);
    }
    let more = audit.listed.len().saturating_sub(MAX_ROWS);
    if more > 0 {
        let _ = writeln!(text, "\n{} more in `evidence.json`.", words::count(more as u64, "row"));
    }
    text.push('\n');
}
