//! A recommendation as documents, each with its path below the output folder. Nothing is written here.

mod evidence;
mod kubernetes;
mod review;
mod words;

pub use evidence::evidence;
pub use kubernetes::policies;
pub use review::{Facts, review};

/// A document and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Document {
    /// Path below the output folder, with slashes.
    pub path: String,
    /// What is in it.
    pub text: String,
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
}
