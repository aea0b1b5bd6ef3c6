//! What the store holds of traffic, as the map takes it.

use std::collections::BTreeMap;

use crate::{
    model::{Observation, Recording, Span, Traffic},
    store::{Filter, Run, RunId, Store, StoreError},
};

/// What each run saw, by site, with the runs in their order.
pub(super) async fn read(
    store: &Store,
    filter: &Filter,
    runs: &[Run],
) -> Result<BTreeMap<String, (Vec<RunId>, Traffic)>, StoreError> {
    let runs: BTreeMap<RunId, &Run> = runs.iter().map(|run| (run.id, run)).collect();
    let mut by_site: BTreeMap<&str, (Vec<RunId>, Traffic)> = BTreeMap::new();
    let take = |id: RunId, observation: Observation| {
        // a run that came while the runs were read
        let Some(run) = runs.get(&id) else { return };
        let (seen_by, traffic) = by_site.entry(&run.site).or_default();
        // they come run by run
        if seen_by.last() != Some(&id) {
            let hour = Span::at(observation.key.hour.start());
            let span = run.first_packet.zip(run.last_packet).map_or(hour, |(first, last)| Span { first, last });
            seen_by.push(id);
            let interface = run.is_live().then(|| format!("{}/{}", run.sensor, run.source));
            traffic.recordings.push(Recording { span, interface, observations: Vec::new() });
        }
        traffic.add(observation);
    };
    store.observations(filter, take).await?;
    let sorted = by_site.into_iter().map(|(site, (seen_by, mut traffic))| {
        traffic.records.sort();
        (site.to_owned(), (seen_by, traffic))
    });
    Ok(sorted.collect())
}
