//! Why a cluster does not answer as it should.

use std::error::Error;

/// What went wrong with one question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// No answer came.
    #[error("{0}")]
    Unreachable(String),
    /// The credentials cannot be had, or are not accepted (401).
    #[error("{0}")]
    Unauthorized(String),
    /// Who asks has no right to it (403).
    #[error("{0}")]
    Forbidden(String),
    /// The API server does not know the kind or the object (404).
    #[error("not known to this API server")]
    NotFound,
    /// The version asked for is too old (410): it has to be listed again.
    #[error("the list went stale while it was read")]
    Gone,
    /// Another answer than the one wanted.
    #[error("HTTP {code}: {message}")]
    Status {
        /// The HTTP status.
        code: u16,
        /// What the server says.
        message: String,
    },
    /// A version that is before one that was told: etcd was restored from a copy, or another server answers.
    #[error("the API server went back from version {from} to {to}")]
    WentBack {
        /// The version told before.
        from: u64,
        /// The one told after it.
        to: u64,
    },
    /// The answer ended before its time.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// The answer is not what the API writes.
    #[error("the answer is not readable: {0}")]
    Malformed(String),
}

impl ClusterError {
    /// By an HTTP status that is not a success.
    pub(super) fn status(code: u16, message: String) -> Self {
        match code {
            401 => Self::Unauthorized(message),
            403 => Self::Forbidden(message),
            404 => Self::NotFound,
            410 => Self::Gone,
            _ => Self::Status { code, message },
        }
    }

    /// Whether the same question may be answered soon.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Gone | Self::WentBack { .. } | Self::Broken(_) | Self::Malformed(_) => true,
            Self::Status { code, .. } => *code == 429 || *code >= 500,
            Self::Unauthorized(_) | Self::Forbidden(_) | Self::NotFound => false,
        }
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        let why = innermost(&error);
        match error {
            kube::Error::Auth(_) => Self::Unauthorized(why),
            kube::Error::Api(status) => Self::status(status.code, status.message),
            _ => Self::Unreachable(why),
        }
    }
}

/// The cause of all causes: what lies around it are names of libraries.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
