//! A proposal as pages show it: all that was computed of it, in one value.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    asking::{Asking, Typed},
    held::Version,
};
use crate::{
    graph::{self, Map},
    map::By,
    model::{Coverage, Dependency, PartyKey, Protocol, Timestamp, WorkloadRef},
    policy::{Change, PolicySet, Roster, Simulation},
    proposal::{
        Asked, Found, Granularity, Judge, Known, Places, Proposal, ProposalError, Request, Site, World, changes,
        concerned, content, judged, namespaces, reach, sights,
    },
    recommend::Recommendation,
    render::{Document, Facts, PolicyKey, Sheet, Step, page::ReachView},
};

/// The store in a window, as it was read once.
pub(super) struct Loaded {
    /// Which reading it is: no two have the same.
    pub number: usize,
    pub typed: Typed,
    pub world: World,
    /// Of the store, when it was read.
    pub version: Version,
    pub read_at: Timestamp,
    seen: Mutex<BTreeMap<String, Arc<Seen>>>,
}

/// What was seen at a site.
pub(super) struct Seen {
    pub dependencies: Vec<Dependency>,
    pub coverage: Coverage,
}

impl Loaded {
    pub fn new(world: World, typed: Typed, version: Version, read_at: Timestamp) -> Self {
        static READINGS: AtomicUsize = AtomicUsize::new(0);
        let number = READINGS.fetch_add(1, Ordering::Relaxed);
        Self { number, typed, world, version, read_at, seen: Mutex::default() }
    }

    /// The site that is named, else the one that has one of the namespaces, else the first.
    pub fn site(&self, name: &str, namespaces: &[String]) -> Result<&Site, ProposalError> {
        if !name.is_empty() {
            let named = self.world.sites.iter().find(|site| site.name == name);
            let unknown = || ProposalError::NotInInventory {
                namespaces: vec![format!("{name}/{}", namespaces.join(", "))],
                known: self.world.sites.iter().map(|site| site.name.clone()).collect(),
            };
            return named.ok_or_else(unknown);
        }
        if !namespaces.is_empty() {
            return self.world.site_of(namespaces);
        }
        let has_namespaces = |site: &&Site| !site.namespaces().is_empty();
        let first = self.world.sites.iter().find(has_namespaces).or_else(|| self.world.sites.first());
        first.ok_or(ProposalError::Empty)
    }

    /// The namespaces that the inventory of a site knows.
    pub fn known_namespaces(&self, site: &str) -> BTreeSet<String> {
        self.world.sites.iter().find(|it| it.name == site).map(Site::namespaces).unwrap_or_default()
    }

    fn seen(&self, site: &Site) -> Arc<Seen> {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = || Arc::new(Seen { dependencies: site.dependencies(By::Workload), coverage: site.coverage() });
        all.entry(site.name.clone()).or_insert_with(seen).clone()
    }
}

/// A proposal with everything that pages show of it.
pub(super) struct View {
    pub loaded: Arc<Loaded>,
    pub asking: Asking,
    pub site: String,
    /// The namespaces that it is for.
    pub namespaces: BTreeSet<String>,
    /// Those of which nothing was seen.
    pub unseen: BTreeSet<String>,
    pub seen: Arc<Seen>,
    pub known: Known,
    pub found: Found,
    /// What is wrong with the folder, or odd.
    pub folder_fault: Option<String>,
    pub proposal: Proposal,
    pub decided: Recommendation,
    pub facts: Facts,
    /// The hash of each policy that is there.
    pub contents: BTreeMap<PolicyKey, String>,
    /// What the inventory says is deployed.
    pub deployed: PolicySet,
    changes: OnceLock<Vec<Change>>,
    places: OnceLock<Places>,
    reach: OnceLock<BTreeMap<String, ReachView>>,
    /// Recommendations by tier, by namespace.
    tiers: Mutex<BTreeMap<String, Arc<Recommendation>>>,
}

impl View {
    pub fn new(
        loaded: &Arc<Loaded>,
        asking: Asking,
        known: Known,
        mut found: Found,
        mut folder_fault: Option<ProposalError>,
        now: Timestamp,
    ) -> Result<Self, ProposalError> {
        let site = loaded.site(&asking.site, &asking.namespaces)?;
        loaded.world.has_captures_of(site)?;
        let seen = loaded.seen(site);
        let of = namespaces(&asking.namespaces, site, &seen.dependencies)?;
        of.any_seen()?;
        known.tell(&mut found, now);
        let asked = asked(&asking, site, &seen, &of.seen);
        let proposal = match asked.proposal(&found) {
            // an edit that reads, and makes no policy: as with one that does not read, nothing of the folder counts
            Err(error) if folder_fault.is_none() && error.is_of_document() => {
                found = Found::default();
                known.tell(&mut found, now);
                let proposal = asked.proposal(&found)?;
                folder_fault = Some(error);
                proposal
            }
            made => made?,
        };
        let replay = asked.judge.replay(&proposal.set);
        let facts = asked.facts_of_one(&loaded.world.runs, &known.log, &proposal, replay);
        let decided = proposal.decided();
        let content = |sheet: &Sheet| Some((sheet.key.clone(), content(sheet.object.as_ref()?)));
        let contents = facts.sheets.iter().filter_map(content).collect();
        let deployed = asked.judge.deployed().clone();
        let unread = |error: ProposalError| {
            let hint = error.hint().map(|hint| format!(". To do: {hint}")).unwrap_or_default();
            format!("What was edited in the folder is not shown here: {error}{hint}.")
        };
        let folder_fault = folder_fault.map(unread).or_else(|| ahead(&found));
        Ok(Self {
            site: site.name.clone(),
            namespaces: of.seen,
            unseen: of.unseen,
            seen,
            known,
            found,
            folder_fault,
            proposal,
            decided,
            facts,
            contents,
            deployed,
            changes: OnceLock::new(),
            places: OnceLock::new(),
            reach: OnceLock::new(),
            tiers: Mutex::default(),
            asking,
            loaded: loaded.clone(),
        })
    }

    /// What a party is called here, and nobody else is.
    pub fn called(&self, party: &PartyKey) -> String {
        self.facts.namesakes.called(party)
    }

    /// What asks for the page of a dependency.
    pub fn dependency_query(&self, (client, server): (&PartyKey, &PartyKey), protocol: Protocol, port: u16) -> String {
        let (client, server) = (self.called(client), self.called(server));
        let (protocol, port) = (protocol.to_string(), port.to_string());
        let pairs = [("client", &client), ("server", &server), ("protocol", &protocol), ("port", &port)];
        self.asking.query(&pairs.map(|(name, value)| (name, value.as_str())))
    }

    /// The site that it is of.
    pub fn site(&self) -> Result<&Site, ProposalError> {
        self.loaded.site(&self.site, &[])
    }

    pub fn sheet(&self, key: &PolicyKey) -> Option<&Sheet> {
        self.facts.sheets.iter().find(|sheet| sheet.key == *key)
    }

    /// What would be proposed with these steps besides, held against the past.
    pub fn with(&self, key: &PolicyKey, steps: &[Step]) -> Result<(Proposal, Simulation), ProposalError> {
        let asked = asked(&self.asking, self.site()?, &self.seen, &self.namespaces);
        let decisions = self.found.decisions().with(key, steps);
        let recommendation = self.proposal.recommendation.clone();
        let proposal = Proposal::of(recommendation, &decisions, &self.found.now)?;
        let replay = asked.judge.replay(&proposal.set);
        Ok((proposal, replay))
    }

    /// What is recommended for one namespace by tier: who is in one tier with whom.
    pub fn by_tier(&self, namespace: &str) -> Result<Arc<Recommendation>, ProposalError> {
        let mut all = self.tiers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(namespace) {
            return Ok(known.clone());
        }
        let namespaces = BTreeSet::from([namespace.to_owned()]);
        let asked = asked(&self.asking, self.site()?, &self.seen, &namespaces);
        let new = Arc::new(asked.recommendation(Granularity::Tier));
        all.insert(namespace.to_owned(), new.clone());
        Ok(new)
    }

    /// The past, arranged to be held against policies.
    pub fn judge(&self) -> Result<Judge<'_>, ProposalError> {
        Ok(Judge::new(self.site()?, &self.seen.dependencies, &self.namespaces))
    }

    /// The tiers of all parties.
    pub fn places(&self) -> Result<&Places, ProposalError> {
        if self.places.get().is_none() {
            // somebody else may have been as fast: it is the same
            let _ = self.places.set(Places::new(self.site()?, &self.seen.dependencies));
        }
        self.places.get().ok_or(ProposalError::Empty)
    }

    /// Who calls whom, with the verdicts on it; boxes are workloads.
    pub fn map(&self) -> Result<Map, ProposalError> {
        let places = self.places()?;
        let all = concerned(&self.seen.dependencies, &self.namespaces);
        let mut map = graph::build(all, &|party| places.tier(party), &judged(&self.facts.replay));
        let open = self.facts.sheets.iter().filter(|sheet| sheet.is_open).flat_map(|sheet| &sheet.members);
        let open: BTreeSet<&WorkloadRef> = open.collect();
        for node in &mut map.nodes {
            node.is_open = node.members.iter().filter_map(PartyKey::workload).any(|it| open.contains(&it));
        }
        Ok(map)
    }

    /// All that there is to tell of it, with `report.html`.
    pub fn told(&self) -> Result<(Facts, Document), ProposalError> {
        let asked = asked(&self.asking, self.site()?, &self.seen, &self.namespaces);
        let sights = asked.judge.sights(&self.proposal.set);
        let (runs, log) = (&self.loaded.world.runs, &self.known.log);
        let facts = asked.facts(runs, log, &self.proposal, self.facts.replay.clone(), &sights);
        let report = asked.page(&self.decided, &facts, &sights).document()?;
        Ok((facts, report))
    }

    /// How far each workload reaches and is reached with what is deployed, and with the proposal on top of that.
    pub fn reach(&self) -> Result<&BTreeMap<String, ReachView>, ProposalError> {
        if self.reach.get().is_none() {
            let site = self.site()?;
            let after = self.proposal.set.on_top_of(&self.deployed);
            // somebody else may have been as fast: it is the same
            let sights = sights((site, &Roster::new(site.cluster())), &self.deployed, &after);
            let _ = self.reach.set(reach(&sights));
        }
        self.reach.get().ok_or(ProposalError::Empty)
    }

    /// What changes for connections when the proposal comes on top of what is deployed.
    pub fn changes(&self) -> Result<&[Change], ProposalError> {
        if self.changes.get().is_none() {
            let site = self.site()?;
            let after = self.proposal.set.on_top_of(&self.deployed);
            let changes = changes((site, &Roster::new(site.cluster())), &self.deployed, &after);
            // somebody else may have been as fast: it is the same
            let _ = self.changes.set(changes);
        }
        Ok(self.changes.get().map_or(&[], Vec::as_slice))
    }
}

/// Documents whose times lie in the future, in words.
fn ahead(found: &Found) -> Option<String> {
    let all: Vec<&str> = found.ahead().collect();
    let are = "changed in the future, as their times say: they count as changed now, so what is decided here does not yet \
               stand against what was edited there";
    (!all.is_empty()).then(|| format!("{}: {are}.", all.join(", ")))
}

fn asked<'a>(asking: &Asking, site: &'a Site, seen: &'a Seen, namespaces: &'a BTreeSet<String>) -> Asked<'a> {
    let request = Request {
        granularity: asking.granularity,
        directions: asking.direction.directions(),
        isolate_unseen: asking.isolate_unseen,
        ..Request::default()
    };
    let judge = Judge::new(site, &seen.dependencies, namespaces);
    Asked { request, site, dependencies: &seen.dependencies, namespaces, coverage: &seen.coverage, judge }
}
