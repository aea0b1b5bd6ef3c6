//! Health checks: the kubelet's, from a pod's own node, and those of load balancers.
//!
//! A check by a kubelet is known by its sender and by what it does, for to ports that are open to the outside the node also hands
//! on, under its own address, what clients there send: it asks the same over and over at one pace. Others are known by what they do alone: they connect
//! and close again without a word, at one pace. The mark tells why a row is there and changes no rule of a client: a load
//! balancer whose checks are refused takes its targets out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::RangeInclusive,
};

use super::{
    connections::{Connection, End},
    identity,
};
use crate::{
    inventory::Directory,
    model::{Flags, Outcome, Protocol, Timestamp},
};

/// Fewer repetitions show no pace.
pub(super) const MIN_CHECKS: usize = 4;
/// Paces that kubelets and load balancers check at, in seconds.
const PACE_S: RangeInclusive<f64> = 1.0..=900.0;
/// How far intervals stray from the pace, as a share of it.
const JITTER: f64 = 0.25;
/// So many of the intervals keep the pace.
const STEADY_SHARE: f64 = 0.75;

/// The connections, by their index, that are health checks.
pub(super) fn find(connections: &[Connection], directory: &Directory) -> BTreeSet<usize> {
    let of_nodes = directory.ports_of_nodes();
    let mut probes = BTreeSet::new();
    let mut others: BTreeMap<(IpAddr, End), Vec<usize>> = BTreeMap::new();
    // by how much they asked: the same question is as long each time
    let mut asked: BTreeMap<(IpAddr, End, u32), Vec<usize>> = BTreeMap::new();
    for (n, connection) in connections.iter().enumerate() {
        let is_check = connection.protocol == Protocol::TCP && connection.outcome() == Outcome::Established;
        let is_empty = !connection.trace.flags.has(Flags::PAYLOAD) && connection.trace.flags.has(Flags::CLOSED);
        let (client, server) = (connection.client.0, connection.server);
        if is_check && identity::is_at_home(connection, directory) {
            if !of_nodes.contains(&(server.0, connection.protocol, server.1)) {
                // nobody else on the node is known to ask there
                probes.insert(n);
                continue;
            }
            let asked_bytes = connection.trace.src_end.wrapping_sub(connection.trace.identity);
            asked.entry((client, server, if is_empty { 0 } else { asked_bytes })).or_default().push(n);
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
    for ((.., asked_bytes), checks) in asked {
        // few show no pace, and a node's own are the likelier
        if asked_bytes == 0 || checks.len() < MIN_CHECKS || are_steady(checks.iter().map(began).collect()) {
            probes.extend(checks);
        }
    }
    probes
}

/// Whether moments are those of up to `MAX_SERIES` checks, each at its own pace: a pod is asked whether it lives and
/// whether it is ready.
fn are_steady(mut moments: Vec<Timestamp>) -> bool {
    /// What a kubelet asks of one container: start, life, readiness.
    const MAX_SERIES: usize = 3;
    moments.sort_unstable();
    (1..=MAX_SERIES).any(|series| {
        // of series that share one period each check comes again after as many others
        (0..series).all(|from| {
            let one: Vec<Timestamp> = moments.iter().skip(from).step_by(series).copied().collect();
            is_steady(one)
        })
    })
}

fn is_steady(moments: Vec<Timestamp>) -> bool {
    keeps_pace(moments, &PACE_S)
}

/// Whether moments follow each other at one pace of these, in seconds; where a check was missed, at a multiple of it.
pub(super) fn keeps_pace(mut moments: Vec<Timestamp>, range_s: &RangeInclusive<f64>) -> bool {
    moments.sort_unstable();
    let mut intervals: Vec<f64> = moments.windows(2).map(|pair| pair[1].seconds_since(pair[0])).collect();
    intervals.sort_by(f64::total_cmp);
    let Some(pace_s) = intervals.get(intervals.len() / 2).copied() else { return false };
    if moments.len() < MIN_CHECKS || !range_s.contains(&pace_s) {
        return false;
    }
    let is_kept = |interval: &&f64| {
        let times = (**interval / pace_s).round().max(1.0);
        (**interval - times * pace_s).abs() <= JITTER * pace_s
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of connections stay far below 2^52")]
    let share = intervals.iter().filter(is_kept).count() as f64 / intervals.len() as f64;
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

    #[test]
    fn checks_of_life_and_readiness_are_two_series() {
        let both: Vec<i64> = (0..8).flat_map(|n| [n * 10, n * 10 + 3]).collect();
        assert!(are_steady(at(&both)) && !is_steady(at(&both)));
        assert!(are_steady(at(&[0, 10, 20, 30])));
        let visits = [0, 2, 3, 40, 41, 120, 124, 133, 200, 290, 291, 292, 400, 555, 560];
        assert!(!are_steady(at(&visits)), "people come when they like");
    }
}
