//! Samples of connections that several runs saw, as one: what was captured in two places must not count twice.

use std::{collections::BTreeMap, net::IpAddr, ops::Bound};

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

/// The union of samples.
pub(super) struct Union {
    /// The rank of the last connection of the sample.
    last: u64,
    weight: f64,
    /// Those of outcomes that the sample lacks.
    besides: HashSet<u64>,
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

    /// The sample that the connections of an observation are of.
    pub fn sample<'s>(&'s self, observation: &'s Observation) -> Sample<'s> {
        let union = if self.0.is_empty() { None } else { self.0.get(&ends(observation)) };
        union.map_or(Sample::Own(&observation.traces), Sample::Shared)
    }
}

/// What an observation's connections are a sample of.
pub(super) enum Sample<'s> {
    /// Of what the observation itself saw.
    Own(&'s TraceSet),
    /// Of what several saw.
    Shared(&'s Union),
}

impl Sample<'_> {
    /// For how many connections one of the observation stands; none where others of the sample stand for it too.
    pub fn weight(&self, trace: &Trace) -> Option<f64> {
        match self {
            Self::Own(traces) => Some(traces.weight(trace)),
            Self::Shared(union) if trace.rank() <= union.last => Some(union.weight),
            Self::Shared(union) => union.besides.contains(&trace.rank()).then_some(1.0),
        }
    }
}

impl Union {
    fn of(parts: &[&TraceSet]) -> Option<Self> {
        // what became of each, whichever part saw it
        let mut by_rank: BTreeMap<u64, Flags> = BTreeMap::new();
        for trace in parts.iter().flat_map(|part| part.iter()) {
            by_rank.entry(trace.rank()).or_default().add(trace.flags.outcome());
        }
        let last = *by_rank.keys().nth(TraceSet::EXACT - 1)?;
        let of_parts = parts.iter().flat_map(|part| part.iter()).filter(|trace| trace.rank() <= last).count();
        let totals = || parts.iter().map(|part| part.total());
        let (sum, at_least) = (totals().fold(0, u64::saturating_add), totals().max().unwrap_or_default());
        let outcomes: HashSet<Flags> = by_rank.range(..=last).map(|(_, flags)| *flags).collect();
        let besides =
            by_rank.range((Bound::Excluded(last), Bound::Unbounded)).filter(|(_, flags)| !outcomes.contains(*flags));
        let besides: HashSet<u64> = besides.map(|(rank, _)| *rank).collect();
        #[expect(clippy::cast_precision_loss, reason = "counts of connections stay far below 2^52")]
        let weight = TraceSet::total_of_union(sum, at_least, of_parts) as f64 / TraceSet::EXACT as f64;
        Some(Self { last, weight, besides })
    }
}
