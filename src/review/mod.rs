//! The review page: a local web server on the store, where people look at a proposal and decide on it.
//!
//! ```text
//! listen -> guard -> route -> page       who may ask, and what is answered
//!                      |
//!              desk: asking -> View      what is asked for, computed off the server's thread and kept
//!                      |
//!              decide -> the log          one decision: on what was shown, unless somebody was faster
//! ```
//!
//! `words` and `message` are for all of them, and know none.
//!
//! Pages are made on the server and work without scripts; the map alone draws itself in the browser.

mod asking;
mod assets;
mod decide;
mod desk;
mod edit;
mod export;
mod fields;
mod guard;
mod held;
mod listen;
mod map;
mod message;
mod pages;
mod preview;
mod route;
mod seats;
mod timed;
mod view;
mod words;

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use crate::{model::Timestamp, store::RunId};

pub use guard::Secret;
pub use listen::{ReviewError, bind, serve};

/// How to review.
#[derive(Clone, Debug)]
pub struct Config {
    /// The store.
    pub store: PathBuf,
    /// Where what is approved is written to, and where a person may have edited it.
    pub out_dir: PathBuf,
    /// The namespaces that are shown first; empty for all.
    pub namespaces: Vec<String>,
    /// The site that is shown first.
    pub site: Option<String>,
    /// From when on connections count first, as it was typed.
    pub since: String,
    /// Until when, as it was typed.
    pub until: String,
    /// Runs that are left out.
    pub exclude: BTreeSet<RunId>,
    /// Who decides, unless they say otherwise.
    pub author: String,
    /// Names by which browsers may call the server, beside its address.
    pub hosts: Vec<String>,
    /// What the clock says.
    pub clock: fn() -> Timestamp,
}

/// The address to open, with the secret that lets in.
#[must_use]
pub fn address(listening: SocketAddr, secret: &Secret) -> String {
    format!("http://{listening}/open?token={}", secret.text())
}
