//! Sweeps: sources whose first contacts fail too often to be an application.
//!
//! Sequential hypothesis testing over first contacts (Jung, Paxson, Berger, Balakrishnan, "Fast Portscan Detection Using
//! Sequential Hypothesis Testing", IEEE S&P 2004), with breadth besides. A verdict on a source marks the connections of
//! its sweeps alone - the attempts that failed and the contacts made among them that carried nothing, or reached
//! what the source never meets elsewhere; its normal dependencies stay as they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::HashSet;

use super::connections::{Connection, End};
use crate::model::{Direction, Flags, Outcome, Protocol, Timestamp};

/// Chance that a first contact of an application succeeds.
const SUCCESS_OF_BENIGN: f64 = 0.8;
/// Chance that a first contact of a scanner succeeds.
const SUCCESS_OF_SCANNER: f64 = 0.2;
/// Accepted chances to accuse an application, and to miss a scanner.
const FALSE_ALARM: f64 = 1e-5;
const MISS: f64 = 0.01;
/// Fewer failed targets are an application that is misconfigured.
const MIN_FAILED_TARGETS: usize = 8;
/// Attempts of one sweep follow each other within this time, in seconds.
const SWEEP_GAP_S: f64 = 10.0;

/// The connections, by their index, that are part of a sweep.
pub(super) fn find(connections: &[Connection]) -> BTreeSet<usize> {
    let mut by_source: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    for (n, connection) in connections.iter().enumerate() {
        let is_attempt = connection.direction == Direction::Handshake && connection.protocol == Protocol::TCP;
        if is_attempt || is_failed(connection) {
            by_source.entry(connection.client.0).or_default().push(n);
        }
    }
    let mut scans = BTreeSet::new();
    for indices in by_source.values_mut() {
        indices.sort_by_key(|n| (connections[*n].span.first, connections[*n].server));
        let attempts: Vec<(usize, &Connection)> = indices.iter().map(|n| (*n, &connections[*n])).collect();
        if is_scanner(&attempts) {
            scans.extend(sweeps(&attempts));
        }
    }
    scans
}

fn is_failed(connection: &Connection) -> bool {
    matches!(connection.outcome(), Outcome::Refused | Outcome::Unanswered)
}

/// Walks the source's first contacts until their likelihood ratio convicts it.
fn is_scanner(attempts: &[(usize, &Connection)]) -> bool {
    let verdict = ((1.0 - MISS) / FALSE_ALARM).ln();
    let (mut contacted, mut failed): (HashSet<End>, usize) = (HashSet::default(), 0);
    let mut likelihood = 0.0f64;
    for (_, attempt) in attempts {
        if !contacted.insert(attempt.server) {
            continue;
        }
        likelihood += if is_failed(attempt) {
            failed += 1;
            ((1.0 - SUCCESS_OF_SCANNER) / (1.0 - SUCCESS_OF_BENIGN)).ln()
        } else {
            (SUCCESS_OF_SCANNER / SUCCESS_OF_BENIGN).ln()
        };
        // an application that has been well behaved for long is not thereby free to sweep: the walk begins anew
        likelihood = likelihood.max(0.0);
        if likelihood >= verdict && failed >= MIN_FAILED_TARGETS {
            return true;
        }
    }
    false
}

/// The connections of a scanner that belong to its sweeps.
fn sweeps(attempts: &[(usize, &Connection)]) -> Vec<usize> {
    let failures: Vec<Timestamp> =
        attempts.iter().filter(|(_, attempt)| is_failed(attempt)).map(|(_, attempt)| attempt.span.first).collect();
    let is_near = |time: Timestamp| {
        let next = failures.partition_point(|failure| *failure < time);
        let before = next.checked_sub(1).and_then(|n| failures.get(n));
        let near = |failure: &Timestamp| time.seconds_since(*failure).abs() <= SWEEP_GAP_S;
        before.is_some_and(near) || failures.get(next).is_some_and(near)
    };
    let met_elsewhere: HashSet<End> = attempts
        .iter()
        .filter(|(_, attempt)| !is_failed(attempt) && !is_near(attempt.span.first))
        .map(|(_, attempt)| attempt.server)
        .collect();
    attempts
        .iter()
        .filter(|(_, attempt)| {
            let is_empty = !attempt.trace.flags.has(Flags::PAYLOAD);
            is_failed(attempt) || is_near(attempt.span.first) && (is_empty || !met_elsewhere.contains(&attempt.server))
        })
        .map(|(n, _)| *n)
        .collect()
}
