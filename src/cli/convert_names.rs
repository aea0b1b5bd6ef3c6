//! What `convert --names` knows of names: which ones pods were answered, and who they were then.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    Fault,
    common::{Global, Selection},
    who::{self, WhoArgs},
    world,
};
use crate::{
    convert::{Answer, Answers},
    inventory::{Directory, Owner},
    model::{DEFAULT_SITE, NameSighting, NameSource, Pod, Span, Timestamp},
    names::Names,
    proposal::directories,
    store::{Filter, Store},
};

/// Who is who, and what pods were answered, by the store or by captures alone.
pub(super) async fn heard(global: &Global, who: &WhoArgs, from: &[PathBuf]) -> anyhow::Result<(Directory, Answers)> {
    let (site, inventory) = (who.site.clone(), who.inventory.clone());
    let selection = Selection { site, from: from.to_vec(), inventory, ..Selection::default() };
    let store = world::store(global, &selection).await?;
    let mut by_site: BTreeMap<String, Vec<NameSighting>> = BTreeMap::new();
    let filter = Filter { site: who.site.clone(), ..Filter::default() };
    for (site, sighting) in store.names(&filter).await? {
        by_site.entry(site).or_default().push(sighting);
    }
    let (site, directory) = directory(&store, who, from, &by_site).await?;
    let sightings = by_site.remove(&site).unwrap_or_default();
    let answers = answers(&directory, sightings);
    Ok((directory, answers))
}

/// Who is who, and of which site: files stand in for what the store knows, and do not say whose names are whose.
async fn directory(
    store: &Store,
    who: &WhoArgs,
    from: &[PathBuf],
    by_site: &BTreeMap<String, Vec<NameSighting>>,
) -> anyhow::Result<(String, Directory)> {
    if who.inventory.is_empty() || !from.is_empty() {
        return Ok(who::only_one(directories(store, who.site.as_deref()).await?)?);
    }
    if by_site.len() > 1 {
        return Err(who::several_sites(by_site.keys()).into());
    }
    let site = by_site.keys().next().or(who.site.as_ref()).map_or(DEFAULT_SITE, String::as_str);
    Ok((site.to_owned(), who::directory_of(&who.inventory, site, false)?))
}

/// Answers of DNS that pods received themselves. What others were answered, and what anybody else says of an address, is none.
fn answers(directory: &Directory, sightings: Vec<NameSighting>) -> Answers {
    let told = Names::new(sightings).sightings().into_iter().filter(|told| told.source == NameSource::Dns);
    Answers::new(told.flat_map(|told| answered(directory, &told)))
}

/// Whom it reached: when it came first and when last is known, and in between a pod's address may have been another's.
fn answered(directory: &Directory, told: &NameSighting) -> Vec<Answer> {
    let Some(asker) = told.used_by else { return Vec::new() };
    let pod = |moment: Timestamp| match directory.who_over(asker, Span::at(moment)) {
        Owner::Pod(pod) => Some(pod),
        _ => None,
    };
    let answer = |pod: &Pod, span: Span, times: u64| Answer {
        namespace: pod.namespace.clone(),
        workload: format!("{}/{}", pod.workload.namespace, pod.workload.name),
        labels: pod.labels.clone(),
        asker,
        name: told.name.clone(),
        address: told.address,
        span,
        times,
    };
    let Span { first, last } = told.span;
    match (pod(first), pod(last)) {
        (Some(then), Some(now)) if then.workload == now.workload => vec![answer(now, told.span, told.times)],
        (then, now) => {
            let alone = |pod: Option<&Pod>, moment| pod.map(|pod| answer(pod, Span::at(moment), 1));
            alone(then, first).into_iter().chain(alone(now, last)).collect()
        }
    }
}

/// Refuses what goes with no target but Cilium.
pub(super) fn not_for(target: &str) -> Fault {
    Fault::new("--names", format!("{target} knows no names"))
        .hint("`--to cilium` allows what is outside by name as well")
}
