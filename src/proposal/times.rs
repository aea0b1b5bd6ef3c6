//! When a capture watched, as far as what it saw tells.

use std::collections::BTreeMap;

use crate::model::{Hour, Observation, Span, Timestamp};

/// Hours without any connection between which nobody watched: no capture goes on so long and sees nothing.
const LONG_HOURS: i32 = 30 * 24;

/// Less than this part of what was seen in the fullest time is no time of its own: a clock was wrong, as on a host that has not
/// asked for the time yet.
const STRAY_PART: u64 = 10;

/// When a run watched, and what of it was seen at times that are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub times: Vec<Span>,
    /// Connections at times far from all others, and from when to when.
    pub strays: Option<(u64, Span)>,
}

impl Times {
    /// From the first to the last moment.
    pub fn hull(&self) -> Option<Span> {
        joined(self.times.iter().copied())
    }
}

/// Hours that lie near each other, with the connections in them.
struct Stretch {
    first: Hour,
    last: Hour,
    connections: u64,
}

/// When a run watched that has its first and last packet there: all that time, but for months in which it saw nothing, and for
/// strays, months away from the rest.
pub(super) fn watched(span: Span, observations: &[Observation]) -> Times {
    let stretches = stretches(observations);
    let fullest = stretches.iter().map(|stretch| stretch.connections).max().unwrap_or_default();
    let (kept, strays): (Vec<&Stretch>, Vec<&Stretch>) =
        stretches.iter().partition(|stretch| stretch.connections.saturating_mul(STRAY_PART) >= fullest);
    let is_near =
        |hour: Hour, time: Timestamp| (i64::from(hour.0) - i64::from(time.hour().0)).abs() <= LONG_HOURS.into();
    let is_one = match &kept[..] {
        [] => true,
        [only] => is_near(only.first, span.first) && is_near(only.last, span.last),
        _ => false,
    };
    if is_one && strays.is_empty() {
        return Times { times: vec![span], strays: None };
    }
    let exact = |stretch: &&Stretch| {
        let within = observations.iter().filter(|it| stretch.first <= it.key.hour && it.key.hour <= stretch.last);
        joined(within.flat_map(|it| it.traces.iter().map(|trace| it.span(trace))))
    };
    let connections = strays.iter().map(|stray| stray.connections).sum();
    let stray_time = joined(strays.iter().filter_map(exact));
    Times { times: kept.iter().filter_map(exact).collect(), strays: stray_time.map(|span| (connections, span)) }
}

fn stretches(observations: &[Observation]) -> Vec<Stretch> {
    let mut hours: BTreeMap<Hour, u64> = BTreeMap::new();
    for observation in observations {
        *hours.entry(observation.key.hour).or_default() += observation.traces.total();
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    for (hour, connections) in hours {
        match stretches.last_mut().filter(|known| hour.0.saturating_sub(known.last.0) <= LONG_HOURS) {
            Some(known) => {
                known.last = hour;
                known.connections += connections;
            }
            None => stretches.push(Stretch { first: hour, last: hour, connections }),
        }
    }
    stretches
}

fn joined(spans: impl Iterator<Item = Span>) -> Option<Span> {
    spans.reduce(|mut all, span| {
        all.join(span);
        all
    })
}
