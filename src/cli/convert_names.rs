//! What `convert --names` knows of names: which ones pods were answered, and who they were then.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use super::{
    Fault,
    common::{Global, Selection},
    who::{self, WhoArgs},
    world,
};
use crate::{
    convert::{Answer, Answers},
    inventory::{Directory, Owner},
    model::{DEFAULT_SITE, HostName, NameSighting, NameSource, Pod, Service, Span, Timestamp, well_known::DNS},
    names::Names,
    proposal::directories,
    store::{Filter, Store},
};

/// A name that is to be left out.
pub(super) fn name(text: &str) -> Result<HostName, String> {
    HostName::parse(text.as_bytes()).ok_or_else(|| "no host name".to_owned())
}

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

/// That an address was called by a name, by whom.
type Use = (IpAddr, IpAddr, HostName);

/// Answers of DNS that pods received themselves. What others were answered, and what anybody else says of an address, is none.
fn answers(directory: &Directory, sightings: Vec<NameSighting>) -> Answers {
    let (mut told, mut uses, mut crowded) = (Vec::new(), BTreeMap::<Use, Vec<Span>>::new(), Vec::new());
    for sighting in Names::new(sightings).sightings() {
        match (sighting.source, sighting.used_by) {
            (NameSource::Dns, Some(_)) => told.push(sighting),
            (NameSource::Tls | NameSource::Http, Some(client)) => {
                uses.entry((client, sighting.address, sighting.name)).or_default().push(sighting.span);
            }
            (NameSource::Dns | NameSource::Tls | NameSource::Http, None) => crowded.push(sighting.address),
            _ => {}
        }
    }
    Answers::new(told.iter().flat_map(|told| answered(directory, told, &uses))).with_crowded(crowded)
}

/// Whom it reached: when it came first and when last is known, and in between a pod's address may have been another's.
fn answered(directory: &Directory, told: &NameSighting, uses: &BTreeMap<Use, Vec<Span>>) -> Vec<Answer> {
    let Some(asker) = told.used_by else { return Vec::new() };
    let pod = |moment: Timestamp| match directory.who_over(asker, Span::at(moment)) {
        Owner::Pod(pod) if !is_resolver(directory, pod) => Some(pod),
        _ => None,
    };
    let calls = uses.get(&(asker, told.address, told.name.clone())).into_iter().flatten();
    let clients: Vec<&Pod> = calls.flat_map(|span| [span.first, span.last]).filter_map(pod).collect();
    let answer = |pod: &Pod, span: Span, times: u64| Answer {
        namespace: pod.namespace.clone(),
        workload: format!("{}/{}", pod.workload.namespace, pod.workload.name),
        labels: pod.labels.clone(),
        asker,
        name: told.name.clone(),
        address: told.address,
        span,
        times,
        is_used: clients.iter().any(|client| is_same(client, pod)),
    };
    let Span { first, last } = told.span;
    match (pod(first), pod(last)) {
        (Some(then), Some(now)) if is_same(then, now) => vec![answer(now, told.span, told.times)],
        (then, now) => {
            let alone = |pod: Option<&Pod>, moment| pod.map(|pod| answer(pod, Span::at(moment), 1));
            alone(then, first).into_iter().chain(alone(now, last)).collect()
        }
    }
}

/// Whether policies cannot tell one from the other.
fn is_same(one: &Pod, other: &Pod) -> bool {
    one.workload == other.workload && one.labels == other.labels
}

/// Whether a pod answers DNS itself: it asks for everybody.
fn is_resolver(directory: &Directory, pod: &Pod) -> bool {
    let leads_to = |service: &Service| {
        service.namespace == pod.namespace
            && service.selector.as_ref().is_some_and(|selector| !selector.is_empty() && pod.labels.contain(selector))
            && service.ports.iter().any(|port| port.port == DNS || port.on(pod) == Some(DNS))
    };
    pod.ports.iter().any(|port| port.port == DNS) || directory.cluster().services.iter().any(leads_to)
}

/// Refuses what goes with no target but Cilium.
pub(super) fn not_for(target: &str) -> Fault {
    Fault::new("--names", format!("{target} knows no names"))
        .hint("`--to cilium` allows what is outside by name as well")
}
