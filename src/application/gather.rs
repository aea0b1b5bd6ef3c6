//! What packets said to sightings.

use std::{collections::hash_map::Entry, net::IpAddr};

use foldhash::HashMap;

use super::{
    Server,
    recognise::{Said, said},
};
use crate::{
    decode::Packet,
    model::{Application, ApplicationKey, ApplicationSighting, PortKind, Protection, Protocol, Span, Timestamp},
};

/// Sightings of one run that are held at a time: some 15 MB in memory.
const MAX_SIGHTINGS: usize = 100_000;
/// Clients of one application at one server's port that are kept apart; further ones count together.
const MAX_CLIENTS: u16 = 256;

/// What was said last, so that what goes on and on is taken in once in a while.
#[derive(Clone, Debug, Default)]
pub struct Recent(Vec<Option<Said>>);

impl Recent {
    /// How many are remembered: enough for the connections that packets of one moment are of, and little to clear.
    const PLACES: usize = 64;

    /// Whether the same was not said a moment ago in the same stretch of time.
    pub fn is_new(&mut self, said: &Said) -> bool {
        if self.0.is_empty() {
            self.0.resize(Self::PLACES, None);
        }
        let ports = usize::from(said.src.1) ^ usize::from(said.dst.1).rotate_left(3);
        let place = (ports ^ low(said.src.0) ^ low(said.dst.0).rotate_left(2)) % Self::PLACES;
        let Some(known) = self.0.get_mut(place).filter(|known| known.as_ref() != Some(said)) else { return false };
        *known = Some(*said);
        true
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// The lowest bits of an address.
fn low(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(address) => usize::from(address.octets()[3]),
        IpAddr::V6(address) => usize::from(address.octets()[15]),
    }
}

struct Seen {
    span: Span,
    times: u64,
    /// Whether it was taken out since it last changed.
    is_taken: bool,
}

/// A server's port with what is spoken there.
type End = (IpAddr, u16, Protocol, Application, Protection);

/// Gathers the applications of one run.
pub struct Gatherer {
    seen: HashMap<ApplicationKey, Seen>,
    /// How many clients of each end are kept apart.
    clients: HashMap<End, u16>,
    recent: Recent,
    missed: u64,
    max_sightings: usize,
}

impl Default for Gatherer {
    fn default() -> Self {
        Self::new(MAX_SIGHTINGS)
    }
}

impl Gatherer {
    /// One that holds at most so many sightings.
    #[must_use]
    pub fn new(max_sightings: usize) -> Self {
        let (seen, clients, recent, missed) = Default::default();
        Self { seen, clients, recent, missed, max_sightings }
    }

    /// Takes one packet in. Most say nothing, and are told by their first bytes.
    #[inline]
    pub fn take(&mut self, time: Timestamp, packet: &Packet<'_>) {
        if let Some(said) = said(time, packet)
            && self.recent.is_new(&said)
        {
            self.add(&said);
        }
    }

    /// Takes in what a packet said.
    pub fn add(&mut self, said: &Said) {
        let to_dst = self.key(said, said.src.0, said.dst);
        let to_src = self.key(said, said.dst.0, said.src);
        let (src, dst) = (PortKind::of(said.src.1), PortKind::of(said.dst.1));
        let span = Span::at(said.time);
        match said.message.server {
            Server::Destination => self.count(to_dst, span),
            Server::Source => self.count(to_src, span),
            // as its ports tell; else as other messages told; else the map, which knows more, will take one of the two
            Server::Either if dst.outranks(src) => self.count(to_dst, span),
            Server::Either if src.outranks(dst) => self.count(to_src, span),
            Server::Either if self.knows(to_dst) => self.count(to_dst, span),
            Server::Either if self.knows(to_src) => self.count(to_src, span),
            Server::Either => [to_dst, to_src].into_iter().for_each(|key| self.count(key, span)),
        }
    }

    /// Takes in what a flow log says was spoken.
    pub fn hear(&mut self, told: &ApplicationSighting) {
        let ApplicationSighting { client, server, port, protocol, application, protection, span, .. } = *told;
        let end = (server.to_canonical(), port, protocol, application, protection);
        let Some(key) = client.map(|client| self.kept(client, end)) else { return };
        let [first, last] = [span.first, span.last].map(ApplicationSighting::stretch);
        self.count(key, Span { first, last });
    }

    /// The sightings that are new or have changed since they were taken out last, in order.
    /// Figures are those of all packets so far, or since it was forgotten.
    pub fn changed(&mut self) -> Vec<ApplicationSighting> {
        let mut sightings: Vec<ApplicationSighting> = Vec::new();
        for (key, seen) in self.seen.iter_mut().filter(|(_, seen)| !seen.is_taken) {
            seen.is_taken = true;
            let (server, port, protocol, client, application, protection) = *key;
            let Seen { span, times, .. } = *seen;
            sightings.push(ApplicationSighting {
                client,
                server,
                port,
                protocol,
                application,
                protection,
                span,
                times,
            });
        }
        sightings.sort_unstable_by_key(ApplicationSighting::key);
        sightings
    }

    /// Makes room where little is left: forgets what was taken out and was seen last outside of this time. Who took it out has it,
    /// and joins what is seen of it again.
    pub fn forget(&mut self, recent: Span) {
        if self.seen.len() <= self.max_sightings / 4 * 3 {
            return;
        }
        let Self { seen, clients, .. } = self;
        seen.retain(|key, seen| {
            let is_kept = !seen.is_taken || recent.holds(seen.span.last);
            let (server, port, protocol, client, application, protection) = *key;
            if !is_kept && client.is_some() {
                let of_end = clients.entry((server, port, protocol, application, protection));
                if let Entry::Occupied(mut count) = of_end {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }
            is_kept
        });
    }

    /// Messages that were recognised and are not kept: there was no more room.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Whether the same was spoken between these ends already, whatever was said of encryption.
    fn knows(&self, (server, port, protocol, client, application, _): ApplicationKey) -> bool {
        let has = |protection| self.seen.contains_key(&(server, port, protocol, client, application, protection));
        Protection::ALL.into_iter().any(has)
    }

    fn key(&self, said: &Said, client: IpAddr, server: (IpAddr, u16)) -> ApplicationKey {
        let Said { protocol, message, .. } = *said;
        self.kept(client, (server.0.to_canonical(), server.1, protocol, message.application, message.protection))
    }

    /// Under which key it is kept: by itself, or with further clients of that end.
    fn kept(&self, client: IpAddr, end: End) -> ApplicationKey {
        let (server, port, protocol, application, protection) = end;
        let key = (server, port, protocol, Some(client.to_canonical()), application, protection);
        let has_many = || self.clients.get(&end).is_some_and(|clients| *clients >= MAX_CLIENTS);
        if !self.seen.contains_key(&key) && has_many() {
            return (server, port, protocol, None, application, protection);
        }
        key
    }

    fn count(&mut self, key: ApplicationKey, span: Span) {
        if let Some(seen) = self.seen.get_mut(&key) {
            // packets come nearly in order: a stretch that went by is not counted again
            if span.last > seen.span.last || span.first < seen.span.first {
                seen.times += u64::from(span.last > seen.span.last);
                seen.span.join(span);
                seen.is_taken = false;
            }
            return;
        }
        if self.seen.len() >= self.max_sightings {
            self.missed += 1;
            return;
        }
        let (server, port, protocol, client, application, protection) = key;
        if client.is_some() {
            *self.clients.entry((server, port, protocol, application, protection)).or_default() += 1;
        }
        self.seen.insert(key, Seen { span, times: 1, is_taken: false });
    }
}
