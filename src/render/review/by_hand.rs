//! What a person decided, and what that changes.

use std::fmt::Write;

use super::{Facts, Said};
use crate::render::{Decisions, Idle, PolicyKey, words};

/// What a person decided, and what that changes.
pub(super) fn section(text: &mut String, facts: &Facts) {
    if facts.by_hand.decisions.is_empty() && facts.by_hand.said.is_empty() {
        return;
    }
    text.push_str("## Decided by hand\n\nEdits of these files outlast every proposal.");
    text.push_str(" `evidence.json` keeps them; to take one back, edit the file back.\n\n");
    if !facts.by_hand.conflicts.is_empty() {
        text.push_str("What they change of what would be proposed:\n\n```diff\n");
        let mut policy: Option<&PolicyKey> = None;
        for conflict in &facts.by_hand.conflicts {
            if policy != Some(&conflict.policy) {
                let _ = writeln!(text, "  {}", words::safe(conflict.policy.as_str()));
                policy = Some(&conflict.policy);
            }
            let _ = writeln!(text, "{}{}", if conflict.is_added { '+' } else { '-' }, words::safe(&conflict.what));
        }
        text.push_str("```\n\n");
    }
    let Decisions { rejected_policies, added_objects, fields, notes, .. } = &facts.by_hand.decisions;
    let lines = [
        ("deleted, and stays away", rejected_policies.iter().collect::<Vec<_>>()),
        ("yours, kept as it is", added_objects.keys().collect()),
        ("fields that you set", fields.keys().collect()),
        ("comments that you added", notes.keys().collect()),
    ];
    for (what, keys) in lines.iter().filter(|(_, keys)| !keys.is_empty()) {
        for key in keys {
            let _ = writeln!(text, "- {}: {what}", words::safe(key.as_str()));
        }
    }
    said(text, facts);
    if !facts.by_hand.idle.is_empty() {
        text.push_str(
            "\nKept, but **not in force in this proposal**: made at another granularity, or on what is no longer\n",
        );
        text.push_str("proposed. What was removed there may be allowed here.\n\n");
        for Idle { policy, what } in &facts.by_hand.idle {
            let _ = writeln!(text, "- {}: {}", words::safe(policy.as_str()), words::safe(what));
        }
    }
    text.push('\n');
}

/// Who decided what on the review page.
fn said(text: &mut String, facts: &Facts) {
    if facts.by_hand.said.is_empty() {
        return;
    }
    text.push_str("\nOn the review page:\n\n");
    for Said { time, author, policy, what, reason } in &facts.by_hand.said {
        let [author, policy, what, reason] = [author, policy.as_str(), what, reason].map(words::safe);
        let reason = if reason.is_empty() { String::new() } else { format!(" Reason: {reason}") };
        let _ = writeln!(text, "- {}, {author}, {policy}: {what}.{reason}", words::minute(*time));
    }
}
