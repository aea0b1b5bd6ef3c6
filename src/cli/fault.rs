//! Errors as people see them: `flowmap: what: why`, then a hint where one helps.

use std::fmt;

use super::log;
use crate::{model::visible, proposal::ProposalError, store::StoreError};

/// An error with a hint.
#[derive(Debug)]
pub struct Fault {
    message: String,
    hint: Option<String>,
}

impl Fault {
    /// What went wrong, and with what.
    pub fn new(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        // a line each: what comes from files may hold more
        Self { message: format!("{what}: {why}").replace('\n', " "), hint: None }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into().replace('\n', " ")), ..self }
    }

    /// The message with its hint on the next line.
    #[must_use]
    pub fn text(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("{}{hint}", self.message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// Prints an error to stderr.
pub(super) fn print(error: &anyhow::Error) {
    let text = if let Some(fault) = error.downcast_ref::<Fault>() {
        fault.text()
    } else if let Some(store) = error.downcast_ref::<StoreError>() {
        store_fault(store)
    } else if let Some(proposal) = error.downcast_ref::<ProposalError>() {
        proposal_fault(proposal)
    } else {
        format!("{error:#}")
    };
    // names from captures and files may hold control characters
    log::say(&format!("flowmap: {}\n", printable(&text)));
}

/// Text without what is not seen but changes what is, such as control characters; line ends stay.
pub(super) fn printable(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Text as one line without what is not seen but changes what is: line ends in names are made visible too.
pub(super) fn one_line(text: &str) -> String {
    visible(text).into_owned()
}

/// As people see it.
pub(super) fn proposal_fault(error: &ProposalError) -> String {
    match (error, error.hint()) {
        (ProposalError::Store(error), _) => store_fault(error),
        (_, hint) => Fault { message: error.to_string().replace('\n', " "), hint }.text(),
    }
}

fn store_fault(error: &StoreError) -> String {
    match store_hint(error) {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    }
}

/// What to do about a store that cannot be used.
pub(super) fn store_hint(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::NotAStore(_) => Some("name another file with --db, or move this one away"),
        StoreError::Newer(_) => Some("use the version of flowmap that made it, or a newer one"),
        StoreError::Open(..) | StoreError::ReadOnly => Some("name a file you may write with --db or FLOWMAP_DB"),
        StoreError::Copy(..) => Some("a copy is made in the folder of temporary files: TMPDIR names another"),
        StoreError::Locked => Some("another flowmap is writing; try again when it is done"),
        StoreError::Overwritten => Some("replace a store by moving the other into its place, not by copying over it"),
        StoreError::Full => Some("make room, then run the command again"),
        StoreError::Damaged(_) => Some("restore the store from a copy, or import its captures into a new one"),
        StoreError::Sql(_) => None,
    }
}
