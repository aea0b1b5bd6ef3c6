//! What `convert --names` knows of names: which ones pods were answered, who they were then, and on which ports they can have
//! used them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
};

use super::{
    Fault,
    common::{Global, Selection},
    who::{self, WhoArgs},
    world,
};
use crate::{
    convert::{Answer, Answers},
    inventory::{Directory, Owner},
    model::{
        Application, ApplicationSighting, DEFAULT_SITE, HostName, NameSighting, NameSource, Pod, Protocol, Service,
        Span, Timestamp, well_known::DNS,
    },
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
    let spoken = store.applications(&filter).await?.into_iter().filter(|(of, _)| *of == site);
    let answers = answers(&directory, sightings, &carriers(spoken.map(|(_, sighting)| sighting)));
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

/// The times at which somebody said names of one source.
type Calls = BTreeMap<Use, Vec<(NameSource, Span)>>;

/// What was spoken with an address in which names are said, by their source, and by whom; by nobody in particular where they were
/// too many.
type Carriers = BTreeMap<(IpAddr, NameSource), BTreeMap<Option<IpAddr>, Vec<ApplicationSighting>>>;

/// Ports of one address on which names of one source can have been used by one pod. Of more the lowest count.
const MAX_PORTS: usize = 64;

/// What tells on which ports names can have been used: a sighting of one has none.
fn carriers(spoken: impl Iterator<Item = ApplicationSighting>) -> Carriers {
    let mut carriers = Carriers::new();
    for sighting in spoken.filter(|sighting| sighting.protocol == Protocol::TCP) {
        let source = match sighting.application {
            Application::Tls => NameSource::Tls,
            Application::Http => NameSource::Http,
            _ => continue,
        };
        let by_client = carriers.entry((sighting.server, source)).or_default();
        by_client.entry(sighting.client).or_default().push(sighting);
    }
    carriers
}

/// A pod that had an address: where it is in the directory, and the address.
type Had = (*const Pod, IpAddr);

/// On which ports pods can have used names. What was found is kept: a pod may have been answered very many.
struct Ports<'c> {
    carriers: &'c Carriers,
    known: BTreeMap<(Had, IpAddr, NameSource), BTreeSet<u16>>,
}

impl Ports<'_> {
    /// The ports of an address on which a pod that had `asker` can have used names of a source; `is_its` tells whether it had it then.
    fn of(
        &mut self,
        (pod, asker): (&Pod, IpAddr),
        (address, source): (IpAddr, NameSource),
        is_its: impl Fn(&ApplicationSighting) -> bool,
    ) -> &BTreeSet<u16> {
        let carriers = self.carriers;
        self.known.entry(((std::ptr::from_ref(pod), asker), address, source)).or_insert_with(|| {
            let Some(spoken) = carriers.get(&(address, source)) else { return BTreeSet::new() };
            let ports = |of: &[&ApplicationSighting]| of.iter().map(|it| it.port).collect::<BTreeSet<u16>>();
            let Some(own) = spoken.get(&Some(asker)) else {
                let anybodys = spoken.get(&None).into_iter().flatten().map(|it| it.port);
                return anybodys.collect::<BTreeSet<u16>>().into_iter().take(MAX_PORTS).collect();
            };
            let own: Vec<&ApplicationSighting> = own.iter().collect();
            let its: Vec<&ApplicationSighting> = own.iter().copied().filter(|it| is_its(it)).collect();
            let all = ports(&own);
            // only the first and the last time of each is known: it spoke somewhere, and there is one place
            let found = if its.is_empty() && all.len() == 1 { all } else { ports(&its) };
            found.into_iter().take(MAX_PORTS).collect()
        })
    }
}

/// Answers of DNS that pods received themselves. What others were answered, and what anybody else says of an address, is none.
fn answers(directory: &Directory, sightings: Vec<NameSighting>, carriers: &Carriers) -> Answers {
    let (mut told, mut uses, mut crowded) = (Vec::new(), Calls::new(), Vec::new());
    for sighting in Names::new(sightings).sightings() {
        match (sighting.source, sighting.used_by) {
            (NameSource::Dns, Some(_)) => told.push(sighting),
            (NameSource::Tls | NameSource::Http, Some(client)) => {
                let calls = uses.entry((client, sighting.address, sighting.name)).or_default();
                calls.push((sighting.source, sighting.span));
            }
            (NameSource::Dns | NameSource::Tls | NameSource::Http, None) => crowded.push(sighting.address),
            _ => {}
        }
    }
    let mut ports = Ports { carriers, known: BTreeMap::new() };
    Answers::new(told.iter().flat_map(|told| answered(directory, told, &uses, &mut ports))).with_crowded(crowded)
}

/// Whom it reached: when it came first and when last is known, and in between a pod's address may have been another's.
fn answered(directory: &Directory, told: &NameSighting, uses: &Calls, known: &mut Ports<'_>) -> Vec<Answer> {
    let Some(asker) = told.used_by else { return Vec::new() };
    let pod = |moment: Timestamp| match directory.who_over(asker, Span::at(moment)) {
        Owner::Pod(pod) if !is_resolver(directory, pod) => Some(pod),
        _ => None,
    };
    let calls = uses.get(&(asker, told.address, told.name.clone())).into_iter().flatten();
    let had = |pods: &[Timestamp], it: &Pod| pods.iter().filter_map(|moment| pod(*moment)).any(|pod| is_same(pod, it));
    let mut used_on = |it: &Pod| -> BTreeSet<u16> {
        let own = calls.clone().filter(|(_, span)| had(&[span.first, span.last], it));
        let sources: BTreeSet<NameSource> = own.map(|(source, _)| *source).collect();
        let is_its = |sighting: &ApplicationSighting| {
            let moments = sighting.stretches().map(|Span { first, last }| [first, last]);
            had(moments.as_flattened(), it)
        };
        let mut all = BTreeSet::new();
        for source in sources {
            all.extend(known.of((it, asker), (told.address, source), is_its));
        }
        all
    };
    let mut answer = |pod: &Pod, span: Span, times: u64| Answer {
        namespace: pod.namespace.clone(),
        workload: format!("{}/{}", pod.workload.namespace, pod.workload.name),
        labels: pod.labels.clone(),
        asker,
        name: told.name.clone(),
        address: told.address,
        span,
        times,
        used_on: used_on(pod),
    };
    let Span { first, last } = told.span;
    match (pod(first), pod(last)) {
        (Some(then), Some(now)) if is_same(then, now) => vec![answer(now, told.span, told.times)],
        (then, now) => {
            let mut alone = |pod: Option<&Pod>, moment| pod.map(|pod| answer(pod, Span::at(moment), 1));
            [alone(then, first), alone(now, last)].into_iter().flatten().collect()
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
