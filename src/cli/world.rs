//! What reading commands work on: the store, or files alone; by site.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    Fault,
    common::{Global, Selection},
    import, inventory, traffic,
};
use crate::{
    inventory::Directory,
    map::{self, By},
    model::{
        Cluster, Contacts, Coverage, DEFAULT_SITE, Dependency, LinkSighting, NameSighting, Span, Timestamp, Traffic,
    },
    names::Names,
    segment::Place,
    store::{Filter, Run, RunId, SeenLink, Store},
};

/// One site with all that is known of it.
pub(super) struct Site {
    pub name: String,
    pub directory: Directory,
    traffic: Traffic,
    /// For every recording the place of its run among the captures.
    seen_by: Vec<usize>,
    captures: Vec<map::Capture>,
    pub names: Names,
    /// What frames said about links, where it was asked for.
    pub links: Vec<(Place, LinkSighting)>,
    selection: Selection,
}

/// All that was selected.
pub(super) struct World {
    pub sites: Vec<Site>,
    pub runs: Vec<Run>,
}

impl World {
    /// Reads the store, or the files that stand in its place.
    pub async fn open(global: &Global, selection: &Selection) -> anyhow::Result<Self> {
        Self::opened(global, selection, false).await
    }

    /// The same with what frames said about links.
    pub async fn open_with_links(global: &Global, selection: &Selection) -> anyhow::Result<Self> {
        Self::opened(global, selection, true).await
    }

    async fn opened(global: &Global, selection: &Selection, with_links: bool) -> anyhow::Result<Self> {
        let is_alone = !selection.from.is_empty();
        let store = if is_alone { Store::in_memory().await? } else { global.store().await? };
        let site = selection.site.as_deref().unwrap_or(DEFAULT_SITE);
        if is_alone {
            let options = import::Options {
                site: site.to_owned(),
                sensor: None,
                strict: false,
                decode: selection.tunnels.options(),
            };
            for file in &selection.from {
                import::file(&store, file, &options, &import::Progress::hidden()).await?;
            }
        }
        for file in &selection.inventory {
            if is_alone {
                inventory::add(&store, file, site).await?;
            }
        }
        let mut world = Self::read(&store, selection).await?;
        if with_links {
            world.read_links(&store, selection).await?;
        }
        if !is_alone && !selection.inventory.is_empty() {
            world.replace_inventory(selection)?;
        }
        Ok(world)
    }

    pub async fn read(store: &Store, selection: &Selection) -> anyhow::Result<Self> {
        let filter = filter(selection);
        tell_of_days(store, selection).await?;
        let runs = store.runs().await?;
        let mut traffic = traffic::read(store, &filter, &runs).await?;
        let mut sightings: BTreeMap<String, Vec<NameSighting>> = BTreeMap::new();
        for (site, sighting) in store.names(&filter).await? {
            sightings.entry(site).or_default().push(sighting);
        }
        let mut directories = inventory::directories(store, selection.site.as_deref()).await?;
        let names: BTreeSet<String> = traffic.keys().chain(directories.keys()).cloned().collect();
        let is_selected = |run: &Run| {
            selection.site.as_ref().is_none_or(|site| *site == run.site)
                && !selection.exclude_run.contains(&run.id)
                && selection.since.is_none_or(|since| run.last_packet.is_some_and(|last| last >= since))
                && selection.until.is_none_or(|until| run.first_packet.is_some_and(|first| first <= until))
        };
        let runs: Vec<Run> = runs.into_iter().filter(is_selected).collect();
        let site = |name: String| {
            let (seen_by, traffic) = traffic.remove(&name).unwrap_or_default();
            let (captures, seen_by) = captures(&runs, &name, &seen_by);
            let directory = directories.remove(&name).unwrap_or_else(|| Directory::over(&[], []));
            let names = Names::new(sightings.remove(&name).unwrap_or_default());
            Site { name, directory, traffic, seen_by, captures, names, links: Vec::new(), selection: selection.clone() }
        };
        let sites = names.into_iter().map(site).collect();
        Ok(Self { sites, runs })
    }

    async fn read_links(&mut self, store: &Store, selection: &Selection) -> anyhow::Result<()> {
        for SeenLink { site, sensor, source, sighting } in store.link_sightings(&filter(selection)).await? {
            let place = Place { sensor, source, interface: sighting.key.interface.clone() };
            let known = self.sites.iter().position(|known| known.name == site);
            let n = known.unwrap_or_else(|| {
                self.sites.push(Site::without_traffic(site, selection));
                self.sites.len() - 1
            });
            self.sites[n].links.push((place, sighting));
        }
        self.sites.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(())
    }

    /// `--inventory` beside the store: these files stand in for what the store knows.
    fn replace_inventory(&mut self, selection: &Selection) -> anyhow::Result<()> {
        for site in &mut self.sites {
            site.directory = inventory::directory_of(&selection.inventory, &site.name)?;
        }
        Ok(())
    }

    /// The site that has one of these namespaces: names in several are an error, not a guess.
    pub fn site_of(&self, namespaces: &[String]) -> anyhow::Result<&Site> {
        let has =
            |site: &&Site| namespaces.is_empty() || namespaces.iter().any(|name| site.namespaces().contains(name));
        let found: Vec<&Site> = self.sites.iter().filter(has).collect();
        let list = namespaces.join(", ");
        match found[..] {
            [site] => Ok(site),
            [] if self.sites.is_empty() => Err(Fault::new("store", "nothing was captured or imported yet")
                .hint("start with `flowmap import FILE` and `flowmap inventory import FILE`")
                .into()),
            [] => {
                let known: BTreeSet<String> = self.sites.iter().flat_map(Site::namespaces).collect();
                let known = if known.is_empty() {
                    "no inventory was imported: `flowmap inventory import cluster.json`".to_owned()
                } else {
                    format!("known are {}", known.into_iter().collect::<Vec<_>>().join(", "))
                };
                Err(Fault::new(format_args!("namespace `{list}`"), "not in the inventory").hint(known).into())
            }
            _ => {
                let names: Vec<&str> = found.iter().map(|site| site.name.as_str()).collect();
                let why = format!("is in several sites: {}", names.join(", "));
                Err(Fault::new(format_args!("namespace `{list}`"), why).hint("choose one with --site").into())
            }
        }
    }
}

/// Says where a window begins or ends among hours that were brought into days.
async fn tell_of_days(store: &Store, selection: &Selection) -> anyhow::Result<()> {
    const DAY_NS: i64 = 86_400 * 1_000_000_000;
    let edges = [("--since", selection.since), ("--until", selection.until)];
    let inner: Vec<_> = edges.iter().filter_map(|(flag, time)| Some((flag, (*time)?))).collect();
    if inner.is_empty() {
        return Ok(());
    }
    let Some((first, last)) = store.thinned(selection.site.as_deref()).await? else { return Ok(()) };
    let end = Timestamp(last.start().0.saturating_add(DAY_NS));
    for (flag, time) in inner {
        let is_within = time > first.start() && time < end && time.0.rem_euclid(DAY_NS) != 0;
        if is_within {
            warnln!(
                "{flag} {time}: hours were brought into days from {first} to {end}; what a connection sent in a day counts in its first hour there"
            );
        }
    }
    Ok(())
}

fn filter(selection: &Selection) -> Filter {
    let (since, until) = (selection.since, selection.until);
    Filter { site: selection.site.clone(), since, until, exclude: selection.excluded() }
}

impl Site {
    /// A site of which links alone are known, and nobody who talks.
    fn without_traffic(name: String, selection: &Selection) -> Self {
        let directory = Directory::over(&[], []);
        let (names, selection) = (Names::new(Vec::new()), selection.clone());
        let (traffic, seen_by, captures, links) = Default::default();
        Self { name, directory, traffic, seen_by, captures, names, links, selection }
    }

    /// The dependencies in the selected window, with what captures call the parties that the inventory does not know.
    pub fn dependencies(&self, by: By) -> Vec<Dependency> {
        let mut dependencies = map::dependencies_of(&self.name, &self.traffic, &self.directory, self.options(by));
        for dependency in &mut dependencies {
            self.names.name(dependency);
        }
        dependencies
    }

    /// What of them tells who calls whom.
    pub fn contacts(&self) -> Contacts {
        map::contacts(&self.traffic, &self.directory, self.options(By::Workload))
    }

    fn options(&self, by: By) -> map::Options {
        map::Options { by, since: self.selection.since, until: self.selection.until }
    }

    /// Which workloads the captures could have seen at all.
    pub fn coverage(&self) -> Coverage {
        let by_run = self.seen_by.iter().zip(&self.traffic.recordings);
        let seen =
            by_run.flat_map(|(run, recording)| recording.observations.iter().map(|it| (*run, Cow::Borrowed(it))));
        let records = self.traffic.records.leading();
        let recorded = records.filter_map(|(n, it)| Some((*self.seen_by.get(n)?, Cow::Owned(it))));
        map::coverage(&self.captures, seen.chain(recorded), &self.directory)
    }

    pub fn cluster(&self) -> &Cluster {
        self.directory.cluster()
    }

    /// The namespaces that the inventory knows.
    pub fn namespaces(&self) -> BTreeSet<String> {
        let cluster = self.cluster();
        let listed = cluster.namespaces.iter().map(|namespace| &namespace.name);
        let of_pods = cluster.pods.iter().map(|pod| &pod.namespace);
        listed.chain(of_pods).chain(cluster.workloads.iter().map(|workload| &workload.id.namespace)).cloned().collect()
    }
}

/// The captures of a site, and for every run the place of its own.
fn captures(runs: &[Run], site: &str, seen_by: &[RunId]) -> (Vec<map::Capture>, Vec<usize>) {
    let of_site: Vec<&Run> = runs.iter().filter(|run| run.site == site && run.first_packet.is_some()).collect();
    let places: BTreeMap<RunId, usize> = of_site.iter().enumerate().map(|(n, run)| (run.id, n)).collect();
    let capture = |run: &&Run| {
        let (first, last) = (run.first_packet.unwrap_or_default(), run.last_packet.unwrap_or_default());
        map::Capture { run: run.id.to_string(), sensor: run.sensor.clone(), span: Span { first, last } }
    };
    let place = |run: &RunId| places.get(run).copied().unwrap_or(usize::MAX);
    (of_site.iter().map(capture).collect(), seen_by.iter().map(place).collect())
}

/// A file's name without its folder, for the store and for messages: folders differ from machine to machine.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
