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
        Span::over(self.times.iter().copied())
    }
}

/// Hours that lie near each other, with what was seen in them.
struct Stretch {
    last: Hour,
    connections: u64,
    span: Span,
}

/// When a run watched that has its first and last packet there: all that time, but for months in which it saw nothing, and for
/// strays, months away from the rest.
pub(super) fn watched<'o>(span: Span, observations: impl IntoIterator<Item = &'o Observation>) -> Times {
    let stretches = stretches(observations);
    let fullest = stretches.iter().map(|stretch| stretch.connections).max().unwrap_or_default();
    let (kept, strays): (Vec<&Stretch>, Vec<&Stretch>) =
        stretches.iter().partition(|stretch| stretch.connections.saturating_mul(STRAY_PART) >= fullest);
    let is_near = |one: Timestamp, other: Timestamp| one.hour().0.abs_diff(other.hour().0) <= LONG_HOURS.unsigned_abs();
    let is_one = match &kept[..] {
        [] => true,
        [only] => is_near(only.span.first, span.first) && is_near(only.span.last, span.last),
        _ => false,
    };
    if is_one && strays.is_empty() {
        return Times { times: vec![span], strays: None };
    }
    let connections = strays.iter().map(|stray| stray.connections).fold(0, u64::saturating_add);
    let stray_time = Span::over(strays.iter().map(|stray| stray.span));
    Times {
        times: kept.iter().map(|stretch| stretch.span).collect(),
        strays: stray_time.map(|span| (connections, span)),
    }
}

/// In one pass, for a capture may have as many times as packets.
fn stretches<'o>(observations: impl IntoIterator<Item = &'o Observation>) -> Vec<Stretch> {
    let mut hours: BTreeMap<Hour, (u64, Span)> = BTreeMap::new();
    for observation in observations {
        let Some(span) = Span::over(observation.traces.iter().map(|trace| observation.span(trace))) else { continue };
        let (connections, known) = hours.entry(observation.key.hour).or_insert((0, span));
        *connections = connections.saturating_add(observation.traces.total());
        known.join(span);
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    for (hour, (connections, span)) in hours {
        match stretches.last_mut().filter(|known| hour.0.saturating_sub(known.last.0) <= LONG_HOURS) {
            Some(known) => {
                known.last = hour;
                known.connections = known.connections.saturating_add(connections);
                known.span.join(span);
            }
            None => stretches.push(Stretch { last: hour, connections, span }),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ObservationKey, Opening, Protocol, Trace, TraceSet};

    /// An hour with so many connections in its first minute.
    fn seen(hour: i32, connections: u16) -> Observation {
        let key = ObservationKey {
            hour: Hour(hour),
            protocol: Protocol::TCP,
            opening: Opening::Seen,
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            dst_port: 80,
            vlans: String::new(),
            tunnels: String::new(),
        };
        let trace = |src_port| Trace { src_port, last: 60_000_000, ..Trace::default() };
        Observation { key, traces: (0..connections).map(trace).collect() }
    }

    fn minute(hour: i32) -> Span {
        Span { first: Hour(hour).start(), last: Hour(hour).at(60_000_000) }
    }

    #[test]
    fn months_without_anything_are_not_watched_and_few_connections_far_away_are_strays() {
        const NOW: i32 = 490_000;
        let long = Span { first: Hour(0).start(), last: Hour(NOW + 48).at(9) };
        let near = Span { first: Hour(NOW - 1).start(), ..long };
        let days = [seen(NOW, 30), seen(NOW + 48, 30)];
        // what was not decoded may have come before and after
        assert_eq!(watched(near, &days).times, [near]);
        assert_eq!(watched(near, &[]).times, [near]);
        let both = Span { first: minute(NOW).first, last: minute(NOW + 48).last };
        assert_eq!(watched(long, &days), Times { times: vec![both], strays: None }, "nothing was seen where it began");
        let with = |few: u16| watched(long, &[&[seen(0, few)][..], &days].concat());
        assert_eq!(with(5), Times { times: vec![both], strays: Some((5, minute(0))) });
        assert_eq!(with(6), Times { times: vec![minute(0), both], strays: None });
        // as no capture has, but a store from elsewhere may
        let countless = |hour| {
            let row = seen(hour, 2);
            Observation { traces: TraceSet::restore(row.traces.into_traces(), u64::MAX), ..row }
        };
        let days = [countless(NOW), countless(NOW), countless(NOW + 48)];
        assert_eq!(watched(long, &days), Times { times: vec![both], strays: None });
    }
}
