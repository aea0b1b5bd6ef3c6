//! Observations and inventory to dependencies. Here, when reading, it is decided who was the client, who was who, and
//! which sightings are one connection - never when writing, so that what is learnt later counts for what was seen before.
//!
//! ```text
//! observations -> connections -> direction -> translation -> scan -> identity -> dependencies
//! ```

mod aggregate;
mod connections;
mod contacts;
mod coverage;
mod datagrams;
mod direction;
mod exchanges;
mod hours;
mod identity;
mod learning;
mod mesh;
mod parties;
mod parts;
mod pings;
mod probe;
mod samples;
mod scan;
mod to_all;
mod translation;
mod unasked;
mod volume;
mod ways;

pub use aggregate::By;
use aggregate::{Aggregator, Marked};
use connections::Connection;
use contacts::Gatherer;
pub use coverage::{Capture, coverage};
pub use learning::{Learning, Novelty, State, learning, learning_curve};
pub use mesh::{Hidden, hidden, port_name};
use parties::Parties;
use volume::Taken;

use crate::{
    inventory::Directory,
    model::{Contacts, Dependency, Record, Recording, Records, Span, Timestamp, Traffic},
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
    /// Those that began before `since` and went on after it, in the place of all others.
    pub is_outlasting: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { by: By::Workload, since: None, until: None, is_outlasting: false }
    }
}

impl Options {
    fn is_in_window(&self, span: Span) -> bool {
        if self.is_outlasting {
            return self.since.is_some_and(|since| span.first < since && since <= span.last);
        }
        self.since.is_none_or(|since| span.first >= since) && self.until.is_none_or(|until| span.first <= until)
    }
}

/// The dependencies of one site, in order.
#[must_use]
pub fn dependencies(site: &str, recordings: &[Recording], directory: &Directory, options: Options) -> Vec<Dependency> {
    let mut connections = connections::join(recordings);
    to_all::settle(&mut connections, directory);
    direction::decide(&mut connections, directory);
    translation::join(&mut connections, directory);
    connections.retain(|connection| options.is_in_window(connection.span));
    pings::tell_unanswered(&mut connections);
    unasked::tell(&mut connections, recordings);
    let marked = marked(&connections, directory);
    let runs = runs(recordings);
    let mut sums = Aggregator::new(Parties::new(directory, options.by), directory, &runs);
    sums.add(&connections, &marked);
    drop(connections);
    sums.dependencies(site)
}

/// The dependencies of one site, in order, from packets, records or both. Where all are records, nothing has to be joined, and the connections of
/// each client are looked at by themselves.
#[must_use]
pub fn dependencies_of(site: &str, traffic: &Traffic, directory: &Directory, options: Options) -> Vec<Dependency> {
    if traffic.records.rows().is_empty() {
        return dependencies(site, &traffic.recordings, directory, options);
    }
    if !traffic.is_records_alone() {
        return dependencies(site, &traffic.spelled_out(), directory, options);
    }
    let runs = runs(&traffic.recordings);
    let mut sums = Aggregator::new(Parties::new(directory, options.by), directory, &runs);
    for_each_client(&traffic.records, directory, options, |connections, marked| sums.add(connections, marked));
    sums.dependencies(site)
}

/// What of the dependencies tells who calls whom.
#[must_use]
pub fn contacts(traffic: &Traffic, directory: &Directory, options: Options) -> Contacts {
    if !traffic.is_records_alone() {
        return dependencies_of("", traffic, directory, options).iter().collect();
    }
    let runs = runs(&traffic.recordings);
    let mut sums = Gatherer::new(Parties::new(directory, options.by), directory, &runs);
    for_each_client(&traffic.records, directory, options, |connections, marked| sums.add(connections, marked));
    sums.contacts()
}

/// Makes connections of records, client by client in the order of addresses. Who was the client is known of all, and what
/// marks a connection - sweeps, health checks - depends on others of the same client alone.
fn for_each_client(
    records: &Records,
    directory: &Directory,
    options: Options,
    mut take: impl FnMut(&[Connection], &Marked),
) {
    let is_same = |a: &Record, b: &Record| {
        (a.protocol, a.server, a.port, a.identity) == (b.protocol, b.server, b.port, b.identity)
    };
    for rows in records.rows().chunk_by(|a, b| a.client == b.client) {
        let whole = rows.chunk_by(is_same).filter_map(|rows| connections::of_records(records.addresses(), rows));
        let mut connections: Vec<Connection> =
            whole.filter(|connection| options.is_in_window(connection.span)).collect();
        connections.sort_by_key(Connection::place);
        to_all::settle(&mut connections, directory);
        take(&connections, &marked(&connections, directory));
    }
}

fn marked(connections: &[Connection], directory: &Directory) -> Marked {
    Marked { scans: scan::find(connections), probes: probe::find(connections, directory) }
}

fn runs(recordings: &[Recording]) -> Vec<Taken<'_>> {
    Taken::all(recordings.iter().map(|it| (it.span, it.interface.as_deref())))
}

#[cfg(test)]
mod tests;
