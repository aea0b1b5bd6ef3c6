use askama::Template;

use super::{
    Frame,
    history::{ConflictPage, meaning},
    shown,
};
use crate::review::{decide::DecideError, fields::Fields};

/// The form of a decision once more, as it was typed, with what is missing said where it is missing.
#[derive(Template)]
#[template(path = "review/again.html")]
pub(in crate::review) struct AgainPage {
    frame: Frame,
    meant: String,
    action: &'static str,
    hidden: Vec<(&'static str, String)>,
    author: String,
    reason: String,
    fault: String,
    needs_author: bool,
    needs_reason: bool,
}

impl AgainPage {
    pub fn new(frame: Frame, fields: &Fields, fault: &DecideError) -> Self {
        let entry = fields.get("entry");
        let is_undo = !entry.is_empty();
        let mut hidden = if is_undo { vec![("entry", entry.to_owned())] } else { ConflictPage::choice(fields) };
        hidden.extend(fields.all("on").map(|version| ("on", version.to_owned())));
        Self {
            meant: if is_undo { "Take a decision back".to_owned() } else { meaning(fields.get("op")).to_owned() },
            action: if is_undo { "/undo" } else { "/decide" },
            hidden,
            author: shown(fields.get("author")),
            reason: shown(fields.get("reason")),
            fault: fault.to_string(),
            needs_author: matches!(fault, DecideError::NoAuthor),
            needs_reason: matches!(fault, DecideError::NoReason),
            frame,
        }
    }
}
