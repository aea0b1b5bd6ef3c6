//! Observations and inventory to dependencies. Here, when reading, it is decided who was the client, who was who, and
//! which sightings are one connection - never when writing, so that what is learnt later counts for what was seen before.
//!
//! ```text
//! observations -> connections -> direction -> translation -> scan -> identity -> dependencies
//! ```

mod aggregate;
mod connections;
mod coverage;
mod direction;
mod identity;
mod learning;
mod mesh;
mod probe;
mod scan;
mod translation;
mod volume;

pub use aggregate::By;
use aggregate::Marked;
pub use coverage::{Capture, coverage};
pub use learning::{Learning, State, learning};
pub use mesh::{Hidden, hidden, port_name};

use crate::{
    inventory::Directory,
    model::{Dependency, Recording, Span, Timestamp},
};

/// What to make a map of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Parties by workload or by address.
    pub by: By,
    /// Connections that began before are left out.
    pub since: Option<Timestamp>,
    /// Connections that began after are left out.
    pub until: Option<Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self { by: By::Workload, since: None, until: None }
    }
}

/// The dependencies of one site, in order.
#[must_use]
pub fn dependencies(site: &str, recordings: &[Recording], directory: &Directory, options: Options) -> Vec<Dependency> {
    let mut connections = connections::join(recordings);
    direction::decide(&mut connections, directory);
    translation::join(&mut connections, directory);
    let is_in_window = |span: Span| {
        options.since.is_none_or(|since| span.first >= since) && options.until.is_none_or(|until| span.first <= until)
    };
    connections.retain(|connection| is_in_window(connection.span));
    let marked = Marked { scans: scan::find(&connections), probes: probe::find(&connections, directory) };
    let runs: Vec<Span> = recordings.iter().map(|recording| recording.span).collect();
    aggregate::aggregate(site, &connections, &marked, &runs, directory, options.by)
}

#[cfg(test)]
mod tests;
