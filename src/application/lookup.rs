//! Sightings to what is told of a dependency.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::IpAddr,
};

use crate::model::{Application, ApplicationSighting, Dependency, Outcome, Protection, Protocol};

/// All that is known of what is spoken at one site.
#[derive(Clone, Debug, Default)]
pub struct Applications {
    /// By the server's address, port and protocol.
    by_end: BTreeMap<(IpAddr, u16, Protocol), Vec<ApplicationSighting>>,
}

/// What is spoken over a dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// What was recognised.
    pub applications: BTreeSet<Application>,
    /// Whether all that was recognised, and says so, is encrypted; `None` where nothing says.
    pub encrypted: Option<bool>,
}

impl Spoken {
    /// The names, in order; `None` where nothing was recognised.
    #[must_use]
    pub fn names(&self) -> Option<String> {
        let names: Vec<&str> = self.applications.iter().map(|application| application.as_str()).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    fn add(&mut self, sighting: &ApplicationSighting) {
        self.applications.insert(sighting.application);
        self.encrypted = match (self.encrypted, sighting.protection) {
            (Some(false), _) | (_, Protection::Clear) => Some(false),
            (_, Protection::Encrypted) => Some(true),
            (so_far, Protection::Undecided) => so_far,
        };
    }
}

impl Applications {
    /// From the sightings of any number of runs, in any order. Equal ones are joined, so that a capture that was split
    /// tells what the whole does.
    #[must_use]
    pub fn new(sightings: impl IntoIterator<Item = ApplicationSighting>) -> Self {
        let mut joined: BTreeMap<_, ApplicationSighting> = BTreeMap::new();
        for sighting in sightings {
            match joined.entry(sighting.key()) {
                Entry::Occupied(mut known) => known.get_mut().join(&sighting),
                Entry::Vacant(place) => {
                    place.insert(sighting);
                }
            }
        }
        let mut applications = Self::default();
        for sighting in joined.into_values() {
            let end = (sighting.server, sighting.port, sighting.protocol);
            applications.by_end.entry(end).or_default().push(sighting);
        }
        applications
    }

    /// What was spoken between its ends in its time: with the server, or with what was dialled in its place. Over a
    /// connection that was not made nothing is.
    #[must_use]
    pub fn of(&self, dependency: &Dependency) -> Spoken {
        let Dependency { client, server, protocol, port, via, outcome, span, .. } = dependency;
        let mut spoken = Spoken::default();
        if *protocol != Protocol::UDP && matches!(outcome, Outcome::Refused | Outcome::Unanswered) {
            return spoken;
        }
        let served = server.addresses.iter().map(|address| (*address, *port));
        let dialled = via.iter().map(|via| (via.address, via.port));
        for (address, port) in served.chain(dialled) {
            let end = (address.to_canonical(), port, *protocol);
            let is_its = |it: &&ApplicationSighting| it.client.is_none_or(|it| client.addresses.contains(&it));
            let seen = self.by_end.get(&end).into_iter().flatten();
            seen.filter(is_its).filter(|it| it.overlaps(*span)).for_each(|it| spoken.add(it));
        }
        spoken
    }
}
