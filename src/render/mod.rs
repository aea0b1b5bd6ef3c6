//! A recommendation as documents, each with its path below the output folder. Nothing is written here.

mod audit;
mod cautions;
mod converted;
mod cost;
mod decided;
mod decisions;
mod differences;
mod draft;
mod evidence;
mod firewall;
mod head;
mod kubernetes;
mod kustomization;
pub mod page;
mod peers;
mod policy_key;
mod review;
mod sheet;
mod tomorrow;
mod words;
mod written;

pub use audit::{AS_SEEN, Audit, Audits, Readable, audit};
pub use cautions::{Caution, Level, cautions, few, watched_briefly};
pub use converted::{CONVERTED_REVIEW, converted, converted_review};
pub use cost::{Cost, Granularity, cost, granularities, rules};
pub use decided::{decided, part};
pub use decisions::{Conflict, Decisions, Idle, Kept, Later, Permission, Side, Step};
pub use differences::differences;
pub use draft::canonical;
pub use evidence::evidence;
pub use firewall::{
    FIREWALL_REVIEW, FirewallFacts, firewall_review, is_open_to_anyone, nftables, ports_words, strangers_words,
};
pub use kubernetes::{is_own, policies, some};
pub use kustomization::{Kustomizations, files};
pub use peers::peer as peer_values;
pub use policy_key::{NoPolicyKey, PolicyKey};
pub use review::{
    Blocked, ByHand, Captures, DeployedPolicy, Facts, InForce, Measured, Opens, RunLoss, Said, Seen, review, seen,
};
pub use sheet::{Purpose, Sheet, SheetPort, SheetRule, State, doubts, left_open, opened, rests_on, sheets};
pub use words::{always_quoted, minute, quoted, safe};
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
