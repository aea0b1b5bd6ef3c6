//! A recommendation as documents, each with its path below the output folder. Nothing is written here.

mod cautions;
mod cost;
mod decided;
mod decisions;
mod differences;
mod draft;
mod evidence;
mod head;
mod kubernetes;
pub mod page;
mod peers;
mod review;
mod sheet;
mod words;
mod written;

use std::collections::BTreeSet;

pub use cautions::{Caution, Level, cautions, few};
pub use cost::{Cost, Granularity, cost, granularities, rules};
pub use decided::{decided, part};
use decisions::is_same;
pub use decisions::{Conflict, Decisions, Idle, Kept, Later, Permission, Step};
pub use differences::differences;
pub use draft::canonical;
pub use evidence::evidence;
pub use kubernetes::{is_own, policies, some};
pub use peers::peer as peer_values;
pub use review::{Blocked, Facts, Opens, RunLoss, Said, Seen, review, seen};
pub use sheet::{Purpose, Sheet, SheetPort, SheetRule, State, doubts, left_open, opened, rests_on, sheets};
pub use words::{minute, safe};
pub use written::{Index, WayBack, Written, WrittenObject, read_document};

/// A document and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Document {
    /// Path below the output folder, with slashes.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// The policies as documents, and what there is to say of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    /// The documents, in order.
    pub documents: Vec<Document>,
    /// What is in them, for the next time.
    pub written: Written,
    /// The decisions of a person, as they now stand.
    pub decisions: Decisions,
    /// What those change of what would be proposed.
    pub conflicts: Vec<Conflict>,
    /// Those that find nothing to apply to.
    pub idle: Vec<Idle>,
    /// How many policies.
    pub count: usize,
    /// How many permissions: one peer on one port.
    pub entries: usize,
}

impl Policies {
    /// The kustomizations of these namespaces that a person made do more than list files: what is applied by them may be
    /// called otherwise than what was judged.
    #[must_use]
    pub fn edited_kustomizations(&self, namespaces: &BTreeSet<&str>) -> Vec<String> {
        const LISTING: [&str; 3] = ["apiVersion", "kind", "resources"];
        let does_more = |path: &String| {
            let written = self.written.0.get(&draft::key(path, ""));
            let mut fields = written.iter().filter_map(|it| it.object.as_object()).flat_map(|it| it.keys());
            fields.any(|field| !LISTING.contains(&field.as_str()))
        };
        let paths = namespaces.iter().map(|namespace| format!("{namespace}/kustomization.yaml"));
        paths.filter(does_more).collect()
    }
}

/// Why a document cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The YAML library refuses.
    #[error("{path}: {reason}")]
    Yaml {
        /// The document.
        path: String,
        /// The library's word.
        reason: String,
    },
    /// A page's template fails.
    #[error("{path}: {reason}")]
    Page {
        /// The document.
        path: String,
        /// The library's word.
        reason: String,
    },
}
