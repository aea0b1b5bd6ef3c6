//! A page that runs nothing but what it was written with.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::graph;

const PAGE: &str = include_str!("../../../templates/page.css");

/// The looks of pages; maps bring their own.
pub const STYLE: &[&str] = &[PAGE, graph::STYLE];

/// What a page does beyond being read: search, and lines that light up.
pub const SCRIPT: &str = include_str!("../../../templates/page.js");

/// Style and script with a Content-Security-Policy (CSP level 3) that allows these two, told by their hashes, and
/// nothing else: no request leaves the page, and no markup that slipped in would run.
#[derive(Clone, Debug)]
pub struct Sealed {
    policy: String,
    style: String,
    script: String,
}

impl Sealed {
    /// Seals them.
    #[must_use]
    pub fn new(styles: &[&str], script: &str) -> Self {
        let (style, script) = (tidy(&styles.concat()), tidy(script));
        let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
            hash(&style),
            hash(&script)
        );
        Self { policy, style, script }
    }

    /// What the page may do, for its head.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The style.
    #[must_use]
    pub fn style(&self) -> &str {
        &self.style
    }

    /// The script.
    #[must_use]
    pub fn script(&self) -> &str {
        &self.script
    }
}

/// Text without empty lines, and without blanks at the ends of others: as it stands in a page, to the byte.
pub(super) fn tidy(text: &str) -> String {
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}
