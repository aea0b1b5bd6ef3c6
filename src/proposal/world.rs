//! What proposals are made from: all that the store holds of a window, by site.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    ProposalError, inventory,
    times::Times,
    traffic::{self, OfSite},
};
use crate::{
    application::{Applications, Spoken},
    inventory::{Directory, Owner},
    map::{self, By},
    model::{
        ApplicationSighting, Cluster, Contacts, Coverage, Dependency, Flags, LinkSighting, NameSighting, Observation,
        ObservationKey, Opening, Party, Span, Timestamp, Trace, Traffic,
    },
    names::Names,
    segment::Place,
    store::{Filter, Run, RunId, SeenLink, Store, StoreError},
};

/// What of the store to work on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// This site alone.
    pub site: Option<String>,
    /// Connections that began at or after this.
    pub since: Option<Timestamp>,
    /// Connections that began at or before this.
    pub until: Option<Timestamp>,
    /// Runs that are left out.
    pub exclude: BTreeSet<RunId>,
}

/// One site with all that is known of it.
pub struct Site {
    /// Its name.
    pub name: String,
    /// Who is who there.
    pub directory: Directory,
    traffic: Traffic,
    /// For every recording the place of its run among the captures.
    seen_by: Vec<usize>,
    /// And its run.
    recorded_by: Vec<RunId>,
    /// What could not be used of what tells who is who.
    pub listing_faults: BTreeSet<String>,
    captures: Vec<map::Capture>,
    /// What captures call addresses.
    pub names: Names,
    /// What is spoken, where it was asked for.
    pub applications: Applications,
    /// What frames said about links, where it was asked for.
    pub links: Vec<(Place, LinkSighting)>,
    window: Window,
}

/// All that was selected.
pub struct World {
    /// The sites by name.
    pub sites: Vec<Site>,
    /// The runs in the window.
    pub runs: Vec<Run>,
    /// What there is, selected or not.
    pub held: Held,
    /// What was seen at times months from all else, by the source of its run: connections, and from when to when.
    pub strays: Vec<(String, u64, Span)>,
    /// What was selected.
    window: Window,
}

/// What a store holds.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The sites of its runs and inventories.
    pub sites: BTreeSet<String>,
    /// The sites of its runs.
    captured: BTreeSet<String>,
    /// The runs.
    pub runs: BTreeSet<RunId>,
    /// From the first to the last packet of all of them.
    pub span: Option<Span>,
}

impl Held {
    fn of(runs: &[Run]) -> Self {
        let spans = runs.iter().filter_map(|run| Some(Span { first: run.first_packet?, last: run.last_packet? }));
        let span = Span::over(spans);
        Self {
            sites: runs.iter().map(|run| run.site.clone()).collect(),
            captured: runs.iter().map(|run| run.site.clone()).collect(),
            runs: runs.iter().map(|run| run.id).collect(),
            span,
        }
    }
}

impl World {
    /// Reads the store, all of it as it is at one moment: runs, traffic and names of two would not fit together.
    pub async fn read(store: &Store, window: &Window) -> Result<Self, ProposalError> {
        store.hold_moment().await?;
        let world = Self::read_held(store, window).await;
        store.let_go_moment().await?;
        world
    }

    async fn read_held(store: &Store, window: &Window) -> Result<Self, ProposalError> {
        let filter = window.filter();
        let runs = store.runs().await?;
        let mut traffic = traffic::read(store, window, &runs).await?;
        let mut sightings: BTreeMap<String, Vec<NameSighting>> = BTreeMap::new();
        for (site, sighting) in store.names(&filter).await? {
            sightings.entry(site).or_default().push(sighting);
        }
        let mut directories = inventory::directories(store, window.site.as_deref()).await?;
        let mut faults = store.listing_faults(window.site.as_deref()).await?;
        let names: BTreeSet<String> = traffic.keys().chain(directories.keys()).cloned().collect();
        let is_selected = |run: &Run| {
            window.site.as_ref().is_none_or(|site| *site == run.site)
                && !window.exclude.contains(&run.id)
                && window.since.is_none_or(|since| run.last_packet.is_some_and(|last| last >= since))
                && window.until.is_none_or(|until| run.first_packet.is_some_and(|first| first <= until))
        };
        let mut held = Held::of(&runs);
        held.sites.extend(names.iter().cloned());
        let runs: Vec<Run> = runs.into_iter().filter(is_selected).collect();
        let stray = |run: &Run| {
            let times = &traffic.get(&run.site)?.seen_by.iter().find(|(id, _)| *id == run.id)?.1;
            times.strays.map(|(connections, span)| (run.source.clone(), connections, span))
        };
        let strays = runs.iter().filter_map(stray).collect();
        let site = |name: String| {
            let OfSite { traffic, seen_by } = traffic.remove(&name).unwrap_or_default();
            let listing_faults = faults.remove(&name).unwrap_or_default();
            let recorded_by = seen_by.iter().map(|(run, _)| *run).collect();
            let (captures, seen_by) = captures(&runs, &name, &seen_by);
            let directory = directories.remove(&name).unwrap_or_else(|| Directory::over(&[], []));
            let names = Names::new(sightings.remove(&name).unwrap_or_default());
            let (applications, links, window) = (Applications::default(), Vec::new(), window.clone());
            Site {
                name,
                directory,
                traffic,
                seen_by,
                recorded_by,
                listing_faults,
                captures,
                names,
                applications,
                links,
                window,
            }
        };
        let sites = names.into_iter().map(site).collect();
        Ok(Self { sites, runs, held, strays, window: window.clone() })
    }

    /// Reads also what frames said about links.
    pub async fn read_links(&mut self, store: &Store, window: &Window) -> Result<(), StoreError> {
        for SeenLink { site, sensor, source, sighting } in store.link_sightings(&window.filter()).await? {
            let place = Place { sensor, source, interface: sighting.key.interface.clone() };
            let known = self.sites.iter().position(|known| known.name == site);
            let n = known.unwrap_or_else(|| {
                self.sites.push(Site::without_traffic(site, window));
                self.sites.len() - 1
            });
            self.sites[n].links.push((place, sighting));
        }
        self.sites.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(())
    }

    /// Reads also what is spoken.
    pub async fn read_applications(&mut self, store: &Store, window: &Window) -> Result<(), StoreError> {
        let mut by_site: BTreeMap<String, Vec<ApplicationSighting>> = BTreeMap::new();
        for (site, sighting) in store.applications(&window.filter()).await? {
            by_site.entry(site).or_default().push(sighting);
        }
        for site in &mut self.sites {
            site.applications = Applications::new(by_site.remove(&site.name).unwrap_or_default());
        }
        Ok(())
    }

    /// The site that has one of these namespaces: names in several are an error, not a guess.
    pub fn site_of(&self, namespaces: &[String]) -> Result<&Site, ProposalError> {
        let has =
            |site: &&Site| namespaces.is_empty() || namespaces.iter().any(|name| site.namespaces().contains(name));
        let found: Vec<&Site> = self.sites.iter().filter(has).collect();
        let namespaces = namespaces.to_vec();
        match found[..] {
            [site] => Ok(site),
            [] if self.sites.is_empty() => Err(self.nothing()),
            [] => {
                let known: BTreeSet<String> = self.sites.iter().flat_map(Site::namespaces).collect();
                Err(ProposalError::NotInInventory { namespaces, known: known.into_iter().collect() })
            }
            _ => {
                let sites = found.iter().map(|site| site.name.clone()).collect();
                Err(ProposalError::SeveralSites { namespaces, sites })
            }
        }
    }
}

impl World {
    /// An error where all that was captured is of other sites: nothing was seen of anybody then, for that reason alone.
    pub fn has_captures_of(&self, site: &Site) -> Result<(), ProposalError> {
        let captured = &self.held.captured;
        if captured.is_empty() || captured.contains(&site.name) {
            return Ok(());
        }
        let others = captured.iter().cloned().collect();
        Err(ProposalError::CapturedElsewhere { site: site.name.clone(), others })
    }

    /// Why nothing was selected.
    fn nothing(&self) -> ProposalError {
        let known = self.held.sites.iter().cloned().collect();
        match &self.window.site {
            _ if self.held.sites.is_empty() => ProposalError::Empty,
            Some(site) if !self.held.sites.contains(site) => ProposalError::NoSuchSite { site: site.clone(), known },
            _ => ProposalError::NoConnections,
        }
    }
}

/// So long before and after a window is looked for what its connections were before, and what tells who opened them.
const AROUND_NS: i64 = 24 * 3_600 * 1_000_000_000;

impl Window {
    /// What is in it, by the hour.
    pub(super) fn filter(&self) -> Filter {
        let Self { site, since, until, exclude } = self.clone();
        Filter { site, since, until, exclude }
    }

    /// Selects what is in it and a day around it. When a connection began, who opened it and what became of it need not be
    /// told by the window's own hours.
    pub(super) fn filter_around(&self) -> Filter {
        let since = self.since.map(|since| Timestamp(since.0.saturating_sub(AROUND_NS)));
        let until = self.until.map(|until| Timestamp(until.0.saturating_add(AROUND_NS)));
        Filter { since, until, ..self.filter() }
    }
}

impl Site {
    /// A site of which links alone are known, and nobody who talks.
    fn without_traffic(name: String, window: &Window) -> Self {
        let directory = Directory::over(&[], []);
        let (names, window) = (Names::new(Vec::new()), window.clone());
        let (traffic, seen_by, recorded_by, listing_faults, captures, applications, links) = Default::default();
        Self {
            name,
            directory,
            traffic,
            seen_by,
            recorded_by,
            listing_faults,
            captures,
            names,
            applications,
            links,
            window,
        }
    }

    /// The dependencies in the selected window, with what captures call the parties that the inventory does not know.
    pub fn dependencies(&self, by: By) -> Vec<Dependency> {
        let mut dependencies = map::dependencies_of(&self.name, &self.traffic, &self.directory, self.options(by));
        for dependency in &mut dependencies {
            self.names.name(dependency, |party, address, stretch| self.was_its(party, address, stretch, by));
        }
        dependencies
    }

    /// The dependencies of connections that were open when the selected window begins: they began before it, so that
    /// [`Site::dependencies`] leaves them out.
    #[must_use]
    pub fn outlasting(&self, by: By) -> Vec<Dependency> {
        if self.window.since.is_none() {
            return Vec::new();
        }
        let options = map::Options { is_outlasting: true, ..self.options(by) };
        map::dependencies_of(&self.name, &self.traffic, &self.directory, options)
    }

    /// What is spoken over one of them, where it was asked for.
    pub fn spoken(&self, dependency: &Dependency, by: By) -> Spoken {
        self.applications.of(dependency, |party, address, stretch| self.was_its(party, address, stretch, by))
    }

    /// Whether an address was a party's at some time of a stretch: those of pods are handed on. By address nobody asks whose.
    fn was_its(&self, party: &Party, address: IpAddr, Span { first, last }: Span, by: By) -> bool {
        let Some(workload) = party.workload().filter(|_| by != By::Address) else { return true };
        let middle = Timestamp(first.0.midpoint(last.0));
        [first, middle, last].into_iter().any(|moment| {
            let owner = self.directory.who_over(address, Span::at(moment));
            matches!(owner, Owner::Pod(pod) if pod.workload == workload)
        })
    }

    /// What of them tells who calls whom.
    pub fn contacts(&self) -> Contacts {
        map::contacts(&self.traffic, &self.directory, self.options(By::Workload))
    }

    /// What of a time is in the selected window; none where nothing of it is.
    #[must_use]
    pub fn within(&self, span: Span) -> Option<Span> {
        let first = self.window.since.map_or(span.first, |since| since.max(span.first));
        let last = self.window.until.map_or(span.last, |until| until.min(span.last));
        (first <= last).then_some(Span { first, last })
    }

    fn options(&self, by: By) -> map::Options {
        map::Options { by, since: self.window.since, until: self.window.until, is_outlasting: false }
    }

    /// Which workloads the captures could have seen at all.
    pub fn coverage(&self) -> Coverage {
        let by_run = self.seen_by.iter().zip(&self.traffic.recordings);
        let seen =
            by_run.flat_map(|(run, recording)| recording.observations.iter().map(|it| (*run, Cow::Borrowed(it))));
        let records = self.traffic.records.leading();
        let recorded = records.filter_map(|(n, it)| Some((*self.seen_by.get(n)?, Cow::Owned(it))));
        let filter = self.window.filter();
        let within = seen.chain(recorded).filter(|(_, it)| filter.has(it.key.hour));
        map::coverage(&self.captures, within, &self.directory)
    }

    /// Tells all that runs saw in the window but for broadcasts, each with its run.
    pub fn each_seen(&self, mut take: impl FnMut(RunId, &ObservationKey)) {
        let filter = self.window.filter();
        let is_broadcast = |it: &Observation| {
            let is_of = |trace: &Trace| trace.flags.has(Flags::BROADCAST) || trace.flags.has(Flags::DST_BROADCAST);
            // a stream has one end on each side, whatever MAC its sender wrote
            !it.key.protocol.is_stream() && it.traces.iter().any(is_of)
        };
        let mut tell = |n: usize, key: &ObservationKey| {
            if let Some(run) = self.recorded_by.get(n).filter(|_| filter.has(key.hour)) {
                take(*run, key);
            }
        };
        for (n, recording) in self.traffic.recordings.iter().enumerate() {
            for it in recording.observations.iter().filter(|it| !is_broadcast(it)) {
                tell(n, &it.key);
            }
        }
        for (n, it) in self.traffic.records.leading() {
            tell(n, &it.key);
        }
    }

    /// When a run watched, as far as it was selected: from its first packet to its last, unless what it saw tells otherwise.
    pub fn times(&self, run: &Run) -> Vec<Span> {
        let id = run.id.to_string();
        let known = self.captures.iter().find(|capture| capture.run == id).map(|capture| capture.times.clone());
        let whole = || run.first_packet.zip(run.last_packet).map(|(first, last)| Span { first, last });
        known
            .unwrap_or_else(|| whole().into_iter().collect())
            .into_iter()
            .filter_map(|span| self.within(span))
            .collect()
    }

    /// The runs that saw packets between the addresses of a dependency, on its port or one that was dialled.
    pub fn runs_with(&self, dependency: &Dependency) -> BTreeSet<&str> {
        let dialled = dependency.via.iter().map(|via| via.address);
        let servers: BTreeSet<IpAddr> = dependency.server.addresses.iter().copied().chain(dialled).collect();
        let clients = &dependency.client.addresses;
        let ports: BTreeSet<u16> = dependency.via.iter().map(|via| via.port).chain([dependency.port]).collect();
        let filter = self.window.filter();
        let is_it = |key: &ObservationKey| {
            let is_there = clients.contains(&key.src) && servers.contains(&key.dst) && ports.contains(&key.dst_port);
            // laid the other way round, where the opening was not seen
            let is_back = clients.contains(&key.dst) && servers.contains(&key.src) && key.opening != Opening::Seen;
            key.protocol == dependency.protocol && (is_there || is_back) && filter.has(key.hour)
        };
        let run = |n: usize| Some(self.captures.get(*self.seen_by.get(n)?)?.run.as_str());
        let recordings = self.traffic.recordings.iter().enumerate();
        let observed = recordings.filter(|(_, it)| it.observations.iter().any(|it| is_it(&it.key)));
        let records = self.traffic.records.leading().filter(|(_, it)| is_it(&it.key));
        observed.map(|(n, _)| n).chain(records.map(|(n, _)| n)).filter_map(run).collect()
    }

    /// What is known of its cluster.
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
fn captures(runs: &[Run], site: &str, seen_by: &[(RunId, Times)]) -> (Vec<map::Capture>, Vec<usize>) {
    let known: BTreeMap<RunId, &Times> = seen_by.iter().map(|(run, times)| (*run, times)).collect();
    let has_watched = |run: &&Run| run.site == site && run.first_packet.is_some() && !run.is_drops();
    let of_site: Vec<&Run> = runs.iter().filter(has_watched).collect();
    let places: BTreeMap<RunId, usize> = of_site.iter().enumerate().map(|(n, run)| (run.id, n)).collect();
    let capture = |run: &&Run| {
        let (first, last) = (run.first_packet.unwrap_or_default(), run.last_packet.unwrap_or_default());
        let times = known.get(&run.id).map_or_else(|| vec![Span { first, last }], |it| it.times.clone());
        map::Capture { run: run.id.to_string(), sensor: run.sensor.clone(), is_log: run.is_records(), times }
    };
    let place = |(run, _): &(RunId, Times)| places.get(run).copied().unwrap_or(usize::MAX);
    (of_site.iter().map(capture).collect(), seen_by.iter().map(place).collect())
}
