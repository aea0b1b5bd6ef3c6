//! What may go wrong though the past holds.

use std::fmt::Write;

use super::Facts;
use crate::{
    recommend::Recommendation,
    render::{Caution, cautions, words},
};

/// What may go wrong though the past holds, the worst first.
pub(super) fn section(text: &mut String, recommendation: &Recommendation, facts: &Facts) {
    for Caution { what, why, .. } in cautions(recommendation, facts, usize::MAX) {
        let colon = if what.ends_with('?') { "" } else { ":" };
        for why in why {
            // writing to a String cannot fail
            let _ = writeln!(text, "- **{what}{colon}** {}", words::safe(&why));
        }
    }
}
