//! Samples of connections that several runs saw, as one: what was captured in two places must not count twice.

use std::net::IpAddr;

use foldhash::{HashMap, HashSet};

use crate::model::{Flags, Hour, Observation, Opening, Protocol, Recording, Trace, TraceSet};

/// What observations of one hour's connections between two ends share, whichever tags and tunnels they came in.
type Ends = (Hour, Protocol, Opening, IpAddr, IpAddr, u16);

fn ends(observation: &Observation) -> Ends {
    let key = &observation.key;
    (key.hour, key.protocol, key.opening, key.src, key.dst, key.dst_port)
}

/// The samples of the same ends of which there are several, united: bottom-k sketches of sets unite to the bottom-k sketch of
/// their union, which has the smaller of their thresholds (Cohen and Kaplan, "Summarizing data using bottom-k sketches",
/// PODC 2007).
#[derive(Default)]
pub(super) struct Samples(HashMap<Ends, Union>);

struct Union {
    /// The rank of the last connection of the sample.
    last: u64,
    weight: f64,
    /// What the connections of the sample came to: one that came to something else is kept besides.
    outcomes: HashSet<Flags>,
}

impl Samples {
    /// The unions of what recordings hold of samples.
    pub fn of(recordings: &[Recording]) -> Self {
        let all = || recordings.iter().flat_map(|recording| &recording.observations);
        let sampled = all().filter(|it| !it.traces.is_exact());
        let mut parts: HashMap<Ends, Vec<&TraceSet>> = sampled.map(|it| (ends(it), Vec::new())).collect();
        if !parts.is_empty() {
            for observation in all() {
                if let Some(known) = parts.get_mut(&ends(observation)) {
                    known.push(&observation.traces);
                }
            }
        }
        let unions = parts.into_iter().filter(|(_, parts)| parts.len() > 1);
        Self(unions.filter_map(|(ends, parts)| Some((ends, Union::of(&parts)?))).collect())
    }

    /// For how many connections one of an observation stands; none where another of the sample stands for it too.
    pub fn weight(&self, observation: &Observation, trace: &Trace) -> Option<f64> {
        let traces = &observation.traces;
        let union = if self.0.is_empty() { None } else { self.0.get(&ends(observation)) };
        match union {
            Some(union) => union.holds(trace).then_some(union.weight),
            None => Some(share(traces.total(), traces.held())),
        }
    }
}

impl Union {
    /// What a sample holds of the union it holds once, and of the parts as often as they have it: as the union is to the
    /// sum of the parts, so are these. Parts that share nothing add up exactly.
    fn of(parts: &[&TraceSet]) -> Option<Self> {
        let mut ranks: Vec<u64> = parts.iter().flat_map(|part| part.iter().map(Trace::rank)).collect();
        ranks.sort_unstable();
        ranks.dedup();
        let last = *ranks.get(TraceSet::EXACT - 1)?;
        let held: Vec<&Trace> = parts.iter().flat_map(|part| part.iter()).filter(|it| it.rank() <= last).collect();
        let totals = || parts.iter().map(|part| part.total());
        let weight = share(totals().fold(0, u64::saturating_add), held.len());
        let floor = share(totals().max().unwrap_or_default(), TraceSet::EXACT);
        let outcomes = held.iter().map(|trace| trace.flags).collect();
        Some(Self { last, weight: weight.max(floor), outcomes })
    }

    fn holds(&self, trace: &Trace) -> bool {
        trace.rank() <= self.last || !self.outcomes.contains(&trace.flags)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of connections stay far below 2^52")]
fn share(total: u64, held: usize) -> f64 {
    total as f64 / held.max(1) as f64
}
