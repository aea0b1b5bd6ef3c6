//! Sightings to what is told of a dependency.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::IpAddr,
};

use crate::model::{Application, ApplicationSighting, Dependency, Outcome, Party, Protection, Protocol, Secrecy, Span};

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
    /// Whether all that was recognised, and says so, is encrypted; `None` where nothing says, or some may be in clear.
    pub encrypted: Option<bool>,
    /// Whether anything was seen that may have been in clear and would not have said so.
    may_be_clear: bool,
    /// Whether anything was in clear text that this client itself spoke: what further clients of a server spoke is kept for
    /// all of them together.
    was_clear_itself: bool,
    /// Whether anything was encrypted.
    was_encrypted: bool,
}

impl Spoken {
    /// The names, in order; `None` where nothing was recognised.
    #[must_use]
    pub fn names(&self) -> Option<String> {
        let names: Vec<&str> = self.applications.iter().map(|application| application.as_str()).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// Whether others can read it. Stricter than [`Spoken::encrypted`], for an audit: what is in clear text in part, and what
    /// may be another client's, is told apart.
    #[must_use]
    pub fn secrecy(&self) -> Secrecy {
        match self.encrypted {
            Some(true) => Secrecy::Encrypted,
            Some(false) if self.was_clear_itself && self.was_encrypted => Secrecy::Mixed,
            Some(false) if self.was_clear_itself => Secrecy::Clear,
            _ => Secrecy::NotKnown,
        }
    }

    /// Takes in what else was spoken between the same ends at the same port.
    pub fn join(&mut self, other: &Self) {
        self.applications.extend(&other.applications);
        self.may_be_clear |= other.may_be_clear;
        self.was_clear_itself |= other.was_clear_itself;
        self.was_encrypted |= other.was_encrypted;
        self.encrypted = match (self.encrypted, other.encrypted) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            _ if self.may_be_clear => None,
            (one, other) => one.or(other),
        };
    }

    fn add(&mut self, sighting: &ApplicationSighting, protection: Protection) {
        self.applications.insert(sighting.application);
        self.was_clear_itself |= protection == Protection::Clear && sighting.client.is_some();
        self.was_encrypted |= protection == Protection::Encrypted;
        // one STARTTLS among many logins in clear: of these few messages are recognised
        let is_quiet = matches!(
            sighting.application,
            Application::Ftp | Application::Imap | Application::Pop3 | Application::Xmpp
        );
        self.may_be_clear |= is_quiet && protection == Protection::Undecided || protection == Protection::Open;
        self.encrypted = match (self.encrypted, protection) {
            (Some(false), _) | (_, Protection::Clear) => Some(false),
            _ if self.may_be_clear => None,
            (_, Protection::Encrypted) => Some(true),
            (so_far, Protection::Undecided | Protection::Open) => so_far,
        };
    }
}

/// What a sighting says of a dependency with this outcome. Both ends begin QUIC alike: whether the server took it up is told by
/// its answer alone.
fn protection(sighting: &ApplicationSighting, outcome: Outcome) -> Protection {
    let is_answered = matches!(outcome, Outcome::Established | Outcome::Midstream);
    match sighting.application {
        Application::Quic if !is_answered => Protection::Undecided,
        _ => sighting.protection,
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
    /// connection that was not made nothing is. An address may be another's at another time: `is_its` tells whether it was
    /// the party's at some time of a stretch.
    #[must_use]
    pub fn of(&self, dependency: &Dependency, is_its: impl Fn(&Party, IpAddr, Span) -> bool) -> Spoken {
        let Dependency { client, server, protocol, port, via, outcome, span, .. } = dependency;
        let mut spoken = Spoken::default();
        if *protocol != Protocol::UDP && matches!(outcome, Outcome::Refused | Outcome::Unanswered) {
            return spoken;
        }
        let is_its = |party: &Party, address: IpAddr, it: &ApplicationSighting| {
            party.addresses.contains(&address)
                && it.stretches().into_iter().any(|stretch| is_its(party, address, stretch))
        };
        let served = server.addresses.iter().map(|address| (*address, *port, true));
        let dialled = via.iter().map(|via| (via.address, via.port, false));
        for (address, port, is_server) in served.chain(dialled) {
            let end = (address.to_canonical(), port, *protocol);
            let seen = self.by_end.get(&end).into_iter().flatten().filter(|it| it.overlaps(*span));
            let seen = seen.filter(|it| it.client.is_none_or(|address| is_its(client, address, it)));
            let seen = seen.filter(|it| !is_server || is_its(server, address, it));
            seen.for_each(|it| spoken.add(it, protection(it, *outcome)));
        }
        spoken
    }
}
