//! What the store holds of traffic, as the map takes it.

use std::collections::BTreeMap;

use super::{
    times::{Times, watched},
    world::Window,
};
use crate::{
    model::{Observation, Recording, Span, Traffic},
    store::{Filter, Run, RunId, Store, StoreError},
};

/// What the runs of a site saw.
#[derive(Default)]
pub(super) struct OfSite {
    pub traffic: Traffic,
    /// Of every recording its run, and when that watched.
    pub seen_by: Vec<(RunId, Times)>,
}

/// What each run saw in a window and around it, by site, with the runs in their order. Sites of which nothing is in the window are left
/// out.
pub(super) async fn read(store: &Store, window: &Window, runs: &[Run]) -> Result<BTreeMap<String, OfSite>, StoreError> {
    let runs: BTreeMap<RunId, &Run> = runs.iter().map(|run| (run.id, run)).collect();
    let mut by_site: BTreeMap<&str, OfSite> = BTreeMap::new();
    let take = |id: RunId, observation: Observation| {
        // a run that came while the runs were read
        let Some(run) = runs.get(&id) else { return };
        let OfSite { seen_by, traffic } = by_site.entry(&run.site).or_default();
        // they come run by run
        if seen_by.last().is_none_or(|(last, _)| *last != id) {
            let hour = Span::at(observation.key.hour.start());
            let span = run.first_packet.zip(run.last_packet).map_or(hour, |(first, last)| Span { first, last });
            seen_by.push((id, Times { times: vec![span], strays: None }));
            let interface = run.is_live().then(|| format!("{}/{}", run.sensor, run.source));
            traffic.recordings.push(Recording { span, interface, observations: Vec::new() });
        }
        traffic.add(observation);
    };
    store.observations(&window.filter_around(), take).await?;
    let filter = window.filter();
    let sorted = by_site.into_iter().filter(|(_, of_site)| of_site.has_any(&filter)).map(|(site, mut of_site)| {
        of_site.traffic.records.sort();
        of_site.look_at_times(&runs, &filter);
        (site.to_owned(), of_site)
    });
    Ok(sorted.collect())
}

impl OfSite {
    /// Whether anything of it is in some hours.
    fn has_any(&self, filter: &Filter) -> bool {
        let Traffic { recordings, records } = &self.traffic;
        let mut observed = recordings.iter().flat_map(|it| &it.observations).map(|it| it.key.hour);
        observed.any(|hour| filter.has(hour)) || records.rows().iter().any(|row| filter.has(row.hour))
    }

    /// Tells when the captures watched by what they saw. Records tell their times each for itself, or none.
    fn look_at_times(&mut self, runs: &BTreeMap<RunId, &Run>, filter: &Filter) {
        for ((id, when), recording) in self.seen_by.iter_mut().zip(&mut self.traffic.recordings) {
            if runs.get(id).is_none_or(|run| run.is_records()) {
                continue;
            }
            // what lies outside of what was asked for was not read
            let Span { first, last } = recording.span;
            let asked = Span {
                first: filter.since.map_or(first, |since| since.max(first)),
                last: filter.until.map_or(last, |until| until.min(last)),
            };
            let found = watched(asked, recording.observations.iter().filter(|it| filter.has(it.key.hour)));
            if found.times != [asked] {
                *when = found;
                recording.span = when.hull().unwrap_or(recording.span);
            }
        }
    }
}
