//! Health checks: the kubelet's, from a pod's own node, and those of load balancers.
//!
//! A check by a kubelet is known by its sender. Others are known by what they do: they connect and close again without a
//! word, over and over at one pace. The mark tells why a row is there and changes no rule: a load balancer whose checks
//! are refused takes its targets out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{
    connections::{Connection, End},
    identity,
};
use crate::{
    inventory::Directory,
    model::{Flags, Outcome, Protocol, Timestamp},
};

/// Fewer repetitions show no pace.
const MIN_CHECKS: usize = 4;
/// Paces that kubelets and load balancers check at, in seconds.
const PACE_S: std::ops::RangeInclusive<f64> = 1.0..=900.0;
/// How far intervals stray from the pace, as a share of it.
const JITTER: f64 = 0.25;
/// So many of the intervals keep the pace.
const STEADY_SHARE: f64 = 0.75;

/// The connections, by their index, that are health checks.
pub(super) fn find(connections: &[Connection], directory: &Directory) -> BTreeSet<usize> {
    let mut probes = BTreeSet::new();
    let mut others: BTreeMap<(IpAddr, End), Vec<usize>> = BTreeMap::new();
    for (n, connection) in connections.iter().enumerate() {
        let is_check = connection.protocol == Protocol::TCP && connection.outcome() == Outcome::Established;
        let is_empty = !connection.trace.flags.has(Flags::PAYLOAD) && connection.trace.flags.has(Flags::CLOSED);
        let (client, server) = (connection.client.0, connection.server);
        if is_check && identity::is_own_node(client, server.0, directory, connection.moment()) {
            probes.insert(n);
        } else if is_check && is_empty {
            others.entry((client, server)).or_default().push(n);
        }
    }
    let began = |n: &usize| connections[*n].span.first;
    for checks in others.into_values() {
        if is_steady(checks.iter().map(began).collect()) {
            probes.extend(checks);
        }
    }
    probes
}

/// Whether moments follow each other at one pace; where a check was missed, at a multiple of it.
fn is_steady(mut moments: Vec<Timestamp>) -> bool {
    moments.sort_unstable();
    let mut intervals: Vec<f64> = moments.windows(2).map(|pair| pair[1].seconds_since(pair[0])).collect();
    intervals.sort_by(f64::total_cmp);
    let Some(pace_s) = intervals.get(intervals.len() / 2).copied() else { return false };
    if moments.len() < MIN_CHECKS || !PACE_S.contains(&pace_s) {
        return false;
    }
    let keeps_pace = |interval: &&f64| {
        let times = (**interval / pace_s).round().max(1.0);
        (**interval - times * pace_s).abs() <= JITTER * pace_s
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of connections stay far below 2^52")]
    let share = intervals.iter().filter(keeps_pace).count() as f64 / intervals.len() as f64;
    share >= STEADY_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: &[i64]) -> Vec<Timestamp> {
        seconds.iter().map(|second| Timestamp::new(*second, 0)).collect()
    }

    #[test]
    fn a_pace_is_kept_also_where_a_check_is_missed() {
        assert!(is_steady(at(&[0, 10, 20, 30, 40])));
        assert!(is_steady(at(&[0, 10, 21, 40, 50, 61])));
        assert!(!is_steady(at(&[0, 10, 20])));
        assert!(!is_steady(at(&[0, 3, 50, 52, 300, 420])));
        assert!(!is_steady(at(&[5, 5, 5, 5, 5])));
    }
}
