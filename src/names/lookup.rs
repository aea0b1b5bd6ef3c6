//! Sightings to answers: what was this address called, for this client, at this time; and which addresses had this name.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::IpAddr,
};

use crate::model::{Dependency, HostName, NameSighting, NameSource, Party, PartyKind, PartyName, Span, Timestamp};

/// Names of one party that are told.
const MAX_NAMES: usize = 8;
/// Other addresses of one name that are told.
const MAX_ALSO_AT: usize = 8;
/// How long a name is still told after its time, where none came after it: programs keep connections open, and look
/// names up again only when they open new ones. Longer, and an address in a cloud may be somebody else's.
const AFTERWARDS_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// All that is known of one site's names.
#[derive(Clone, Debug, Default)]
pub struct Names {
    by_address: BTreeMap<IpAddr, Vec<NameSighting>>,
    by_name: BTreeMap<HostName, BTreeSet<IpAddr>>,
}

/// How good a sighting is for one client, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The client itself received it as an answer.
    OwnAnswer,
    /// The client itself called the address so.
    OwnUse,
    /// Another client received it.
    Answer,
    /// Another client called the address so.
    Use,
    /// The host says it of itself.
    Claim,
    /// Whoever runs the address range says it.
    Reverse,
}

impl Rank {
    fn of(sighting: &NameSighting, is_own: impl Fn(IpAddr, Timestamp) -> bool, span: Span) -> Self {
        let Span { first, last } = sighting.span;
        let mut moments = [first, last].into_iter().filter(|moment| *moment <= span.last);
        let is_own = sighting.used_by.is_some_and(|user| moments.any(|moment| is_own(user, moment)));
        match sighting.source {
            NameSource::Dns | NameSource::Llmnr if is_own => Self::OwnAnswer,
            NameSource::Tls | NameSource::Http if is_own => Self::OwnUse,
            NameSource::Dns | NameSource::Llmnr => Self::Answer,
            NameSource::Tls | NameSource::Http => Self::Use,
            NameSource::Mdns | NameSource::Dhcp => Self::Claim,
            NameSource::Ptr => Self::Reverse,
        }
    }

    /// Sightings of one class are told together; those of a lesser one only where there is none.
    fn class(self) -> u8 {
        match self {
            Self::OwnAnswer | Self::OwnUse => 0,
            Self::Answer | Self::Use => 1,
            Self::Claim => 2,
            Self::Reverse => 3,
        }
    }
}

impl Names {
    /// From the sightings of any number of runs, in any order. Equal ones are joined, so that a capture that was split
    /// tells what the whole does.
    #[must_use]
    pub fn new(sightings: impl IntoIterator<Item = NameSighting>) -> Self {
        let mut joined: BTreeMap<_, NameSighting> = BTreeMap::new();
        for sighting in sightings {
            let NameSighting { address, ref name, source, used_by, .. } = sighting;
            match joined.entry((address, name.clone(), source, used_by)) {
                Entry::Occupied(mut known) => known.get_mut().join(&sighting),
                Entry::Vacant(place) => {
                    place.insert(sighting);
                }
            }
        }
        let mut names = Self::default();
        for sighting in joined.into_values() {
            if sighting.source != NameSource::Ptr {
                names.by_name.entry(sighting.name.clone()).or_default().insert(sighting.address);
            }
            names.by_address.entry(sighting.address).or_default().push(sighting);
        }
        names
    }

    /// What an address was called within `span`, the best first. What the client was answered or used itself counts before
    /// what others were or did, that before what a host says of itself, that before a reverse lookup: `is_own` tells
    /// whether an address was the client's at a time. An answer counts while it holds; after that the last one, for a day.
    /// What came later than the span never does. What was said before and after the span may have been said in between as
    /// well: it counts, behind all that is known to.
    #[must_use]
    pub fn called(&self, address: IpAddr, is_own: impl Fn(IpAddr, Timestamp) -> bool, span: Span) -> Vec<PartyName> {
        let ranked: Vec<(Rank, &NameSighting)> = self
            .of(address)
            .filter(|sighting| sighting.span.first <= span.last && kept(sighting, AFTERWARDS_NS) >= span.first)
            .map(|sighting| (Rank::of(sighting, &is_own, span), sighting))
            .collect();
        let Some(class) = ranked.iter().map(|(rank, _)| rank.class()).min() else { return Vec::new() };
        let mut best: Vec<_> = ranked.into_iter().filter(|(rank, _)| rank.class() == class).collect();
        if best.iter().any(|(_, sighting)| holds(sighting, span)) {
            best.retain(|(_, sighting)| holds(sighting, span) || is_doubtful(sighting, span));
        } else {
            let latest = best.iter().map(|(_, sighting)| known_at(sighting, span.last)).max();
            let is_latest = |sighting| Some(known_at(sighting, span.last)) == latest;
            best.retain(|(_, sighting)| is_latest(sighting) || is_doubtful(sighting, span));
        }
        self.joined(best, span)
    }

    /// The addresses that were called so, reverse lookups apart.
    pub fn addresses(&self, name: &HostName) -> impl Iterator<Item = IpAddr> {
        self.by_name.get(name).into_iter().flatten().copied()
    }

    /// Adds names to the parties that the inventory does not know. Who they are stays what it was. An address may be
    /// another's at another time: `is_its` tells whether it was the party's at some time of a stretch.
    pub fn name(&self, dependency: &mut Dependency, is_its: impl Fn(&Party, IpAddr, Span) -> bool) {
        let Dependency { client, server, span, .. } = dependency;
        let is_own = |user: IpAddr, moment: Timestamp| {
            client.addresses.contains(&user) && is_its(client, user, Span::at(moment))
        };
        self.name_party(server, is_own, *span);
        self.name_party(client, |_, _| false, *span);
    }

    /// All sightings, in order.
    #[must_use]
    pub fn sightings(&self) -> Vec<NameSighting> {
        self.by_address.values().flatten().cloned().collect()
    }

    fn of(&self, address: IpAddr) -> impl Iterator<Item = &NameSighting> {
        self.by_address.get(&address.to_canonical()).into_iter().flatten()
    }

    fn name_party(&self, party: &mut Party, is_own: impl Fn(IpAddr, Timestamp) -> bool, span: Span) {
        if !matches!(party.kind, PartyKind::External | PartyKind::Unknown | PartyKind::Host) {
            return;
        }
        let names = party.addresses.iter().flat_map(|address| self.called(*address, &is_own, span));
        party.names = names.take(MAX_NAMES).collect();
    }

    /// One entry for each name: by its best source, the latest first, and what is doubtful last.
    fn joined(&self, mut best: Vec<(Rank, &NameSighting)>, span: Span) -> Vec<PartyName> {
        best.sort_by_key(|(rank, sighting)| {
            let latest_first = Reverse(known_at(sighting, span.last));
            (is_doubtful(sighting, span), *rank, latest_first, &sighting.name, sighting.source)
        });
        let mut names: Vec<PartyName> = Vec::new();
        for (rank, sighting) in best {
            let Span { first, last } = sighting.span;
            if let Some(known) = names.iter_mut().find(|known| known.name == sighting.name) {
                known.first_seen = known.first_seen.min(first);
                known.last_seen = known.last_seen.max(last);
            } else if names.len() < MAX_NAMES {
                names.push(self.entry(rank, sighting));
            }
        }
        names
    }

    fn entry(&self, rank: Rank, sighting: &NameSighting) -> PartyName {
        let NameSighting { address, ref name, source, span, .. } = *sighting;
        let others = self.addresses(name).filter(|other| *other != address);
        PartyName {
            address,
            name: name.clone(),
            source,
            first_seen: span.first,
            last_seen: span.last,
            also_at: others.take(MAX_ALSO_AT).collect(),
            is_own: matches!(rank, Rank::OwnAnswer | Rank::OwnUse),
        }
    }
}

/// Until when a sighting counts: its last time, how long it holds, and more.
fn kept(sighting: &NameSighting, more_ns: i64) -> Timestamp {
    until(sighting, sighting.span.last, more_ns)
}

/// Until when what was said at a time counts: how long it holds from then, and more.
fn until(sighting: &NameSighting, time: Timestamp, more_ns: i64) -> Timestamp {
    let holds_ns = i64::from(sighting.ttl_s) * 1_000_000_000;
    Timestamp(time.0.saturating_add(holds_ns).saturating_add(more_ns))
}

/// Whether it is known to hold within the span.
fn holds(sighting: &NameSighting, span: Span) -> bool {
    until(sighting, known_at(sighting, span.last), 0) >= span.first
}

/// Whether it was said before the span and after it, and nobody knows when last before: of all the times that something
/// was said the first and the last are kept. Many names are said all the time, others only once in a while.
fn is_doubtful(sighting: &NameSighting, span: Span) -> bool {
    sighting.span.last > span.last && !holds(sighting, span)
}

/// When it was known to be said last at that time.
fn known_at(sighting: &NameSighting, time: Timestamp) -> Timestamp {
    if sighting.span.last <= time { sighting.span.last } else { sighting.span.first }
}
