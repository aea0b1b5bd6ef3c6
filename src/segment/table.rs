//! Frames to sightings: a table of what a capture said about its links, bounded whatever comes in.

use std::{
    hash::{Hash, Hasher},
    net::IpAddr,
};

use foldhash::HashMap;

use super::place::{Place, Places, RECENT, Row};
use crate::{
    capture::Frame,
    decode::neighbour::{Carried, Fact, Neighbour, neighbour},
    model::{Hops, How, LinkKey, LinkSighting, Mac, Span},
};

/// Bounds of the table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of addresses that packets came from or went to.
    pub traffic_rows: usize,
    /// Rows of all else: ARP, neighbour discovery, leases.
    pub announced_rows: usize,
    /// Different tags and interfaces.
    pub stacks: usize,
    /// Addresses that packets of one MAC came from, or went to: what has more is a router, and which ones tells nothing.
    pub addresses_of_mac: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { traffic_rows: 65_536, announced_rows: 65_536, stacks: 4_096, addresses_of_mac: 64 }
    }
}

/// Rows that are looked for at once: more memory at a time is not fetched side by side.
const AHEAD: usize = 32;

/// So many rows a processor has at hand: none need be looked for ahead.
const AT_HAND: usize = 4_096;

/// A place's number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PlaceId(u32);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    place: PlaceId,
    how: How,
    mac: Mac,
    address: Option<IpAddr>,
    prefix: u8,
}

impl Hash for Key {
    /// In as few words as there are: it is asked for with every new connection.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { place, how, mac: Mac(octets), address, prefix } = *self;
        let mut word = [how as u8, prefix, 0, 0, 0, 0, 0, 0];
        word[2..].copy_from_slice(&octets);
        state.write_u64(u64::from_be_bytes(word));
        match address {
            Some(IpAddr::V4(v4)) => state.write_u64(u64::from(place.0) << 32 | u64::from(v4.to_bits())),
            Some(IpAddr::V6(v6)) => {
                state.write_u32(place.0);
                state.write_u128(v6.to_bits());
            }
            None => state.write_u32(place.0),
        }
    }
}

/// What frames said about their links.
pub struct Table {
    limits: Limits,
    /// The places with their frames, by their numbers.
    places: Vec<(Place, Row)>,
    numbers: HashMap<Place, PlaceId>,
    recent: [PlaceId; RECENT],
    rows: HashMap<Key, Row>,
    /// Rows of traffic; all others announce.
    traffic_rows: usize,
    /// Addresses of a MAC.
    addresses: HashMap<(PlaceId, Mac), u16>,
    left_out: Option<Row>,
    /// What was heard and is not taken in yet.
    heard: Vec<(Key, Row)>,
}

impl Default for Table {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            places: Vec::new(),
            numbers: HashMap::default(),
            recent: [PlaceId(0); RECENT],
            rows: HashMap::default(),
            traffic_rows: 0,
            addresses: HashMap::default(),
            left_out: None,
            heard: Vec::new(),
        }
    }

    /// Takes one frame in. Where it `is_new`, its addresses and what it announces are noted; the others of a connection
    /// repeat what its first said.
    pub fn take(&mut self, frame: &Frame<'_>, is_new: bool) {
        let seen = neighbour(frame);
        let row = Row::of(frame);
        if let Some(place) = self.place(Place::of(frame, &seen), row).filter(|_| is_new) {
            note(place, &seen, row, |key, row| self.add(key, row));
        }
    }

    /// Counts frames at their places.
    pub fn add_places(&mut self, places: &Places) {
        for (place, row) in &places.counted {
            self.place(*place, *row);
        }
    }

    /// Notes the addresses of a frame and what it announces; its place was counted by [`Table::add_places`]. It is in what
    /// comes out only after [`Table::settle`].
    pub fn hear(&mut self, frame: &Frame<'_>) {
        let seen = neighbour(frame);
        if let Some(place) = self.number(&Place::of(frame, &seen)) {
            note(place, &seen, Row::of(frame), |key, row| self.heard.push((key, row)));
        }
        if self.heard.len() >= AHEAD {
            self.settle();
        }
    }

    /// Takes in what was heard: all that is told is looked for before any of it is taken, so that the waits for memory
    /// overlap.
    pub fn settle(&mut self) {
        let mut heard = std::mem::take(&mut self.heard);
        if self.rows.len() > AT_HAND {
            let touched = heard.iter().fold(0, |sum, (key, _)| sum ^ self.rows.get(key).map_or(0, |row| row.packets));
            // the reads themselves are what is wanted
            std::hint::black_box(touched);
        }
        for (key, row) in heard.drain(..) {
            self.add(key, row);
        }
        self.heard = heard;
    }

    /// The number of a place that was met.
    fn number(&self, place: &Place) -> Option<PlaceId> {
        let recent = self.recent.get(place.bucket()).copied()?;
        let is_recent = self.places.get(recent.0 as usize).is_some_and(|(known, _)| known == place);
        if is_recent { Some(recent) } else { self.numbers.get(place).copied() }
    }

    /// Counts a frame at its place; `None` where there are too many.
    fn place(&mut self, place: Place, row: Row) -> Option<PlaceId> {
        let recent = self.recent.get_mut(place.bucket())?;
        if let Some((_, frames)) = self.places.get_mut(recent.0 as usize).filter(|(known, _)| *known == place) {
            frames.join(&row);
            return Some(*recent);
        }
        if let Some(id) = self.numbers.get(&place) {
            *recent = *id;
            self.places.get_mut(id.0 as usize)?.1.join(&row);
            return Some(*id);
        }
        if self.places.len() >= self.limits.stacks {
            self.leave_out(row);
            return None;
        }
        let id = PlaceId(u32::try_from(self.places.len()).ok()?);
        *recent = id;
        self.places.push((place, row));
        self.numbers.insert(place, id);
        Some(id)
    }

    fn add(&mut self, key: Key, row: Row) {
        let Key { place, how, mac, .. } = key;
        if let Some(known) = self.rows.get_mut(&key) {
            return known.join(&row);
        }
        if how != How::Traffic {
            let announced = self.rows.len() - self.traffic_rows;
            return self.insert(key, row, announced < self.limits.announced_rows);
        }
        let has_room = self.traffic_rows < self.limits.traffic_rows;
        if has_room {
            // of most MACs that have many addresses that is known
            let more = Key { how: How::More, address: None, ..key };
            let of_more = Row { hops: Hops::default(), ..row };
            if let Some(known) = self.rows.get_mut(&more) {
                return known.join(&of_more);
            }
            if self.is_one_too_many(place, mac) {
                return self.insert(more, of_more, true);
            }
        }
        self.traffic_rows += usize::from(has_room);
        self.insert(key, row, has_room);
    }

    /// Counts one more address of a MAC, and tells whether it has too many.
    fn is_one_too_many(&mut self, place: PlaceId, mac: Mac) -> bool {
        let count = self.addresses.entry((place, mac)).or_default();
        *count = count.saturating_add(1);
        *count > self.limits.addresses_of_mac
    }

    fn insert(&mut self, key: Key, row: Row, has_room: bool) {
        if has_room {
            self.rows.insert(key, row);
        } else {
            self.leave_out(row);
        }
    }

    fn leave_out(&mut self, row: Row) {
        let row = Row { hops: Hops::default(), ..row };
        match &mut self.left_out {
            Some(known) => known.join(&row),
            None => self.left_out = Some(row),
        }
    }

    /// Packets that told of what no room was left for.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out.map_or(0, |row| row.packets + row.received)
    }

    /// Makes room where little is left: forgets rows and places that were told and were seen last outside of this time. Who was told
    /// has them, and joins what is seen of them again.
    pub fn forget(&mut self, recent: Span) {
        let has_room = |held: usize, most: usize| held <= most / 4 * 3;
        let Limits { traffic_rows, announced_rows, stacks, .. } = self.limits;
        let of_places = !has_room(self.places.len(), stacks);
        let of_traffic = !has_room(self.traffic_rows, traffic_rows);
        let of_announced = !has_room(self.rows.len() - self.traffic_rows, announced_rows);
        if !(of_places || of_traffic || of_announced) {
            return;
        }
        self.settle();
        let is_kept = |row: &Row| row.has_news || recent.holds(row.span.last);
        self.rows.retain(|key, row| {
            let is_scarce = if key.how == How::Traffic { of_traffic } else { of_announced };
            !is_scarce || is_kept(row)
        });
        if of_places {
            self.keep_places(is_kept);
        }
        self.count_again();
    }

    /// Keeps some of the places, and the rows there.
    fn keep_places(&mut self, is_kept: impl Fn(&Row) -> bool) {
        let mut ids = Vec::with_capacity(self.places.len());
        self.numbers.clear();
        for (place, row) in std::mem::take(&mut self.places) {
            let id = u32::try_from(self.places.len()).ok().map(PlaceId).filter(|_| is_kept(&row));
            if let Some(id) = id {
                self.numbers.insert(place, id);
                self.places.push((place, row));
            }
            ids.push(id);
        }
        // what was seen at a place was seen no later than the place itself
        for (key, row) in std::mem::take(&mut self.rows) {
            if let Some(place) = ids.get(key.place.0 as usize).copied().flatten() {
                self.rows.insert(Key { place, ..key }, row);
            }
        }
    }

    /// Counts the rows that are there. Of a MAC that had too many addresses it stays known that it is a router.
    fn count_again(&mut self) {
        self.traffic_rows = 0;
        self.addresses.clear();
        for Key { place, how, mac, .. } in self.rows.keys() {
            let count = match how {
                How::Traffic => 1,
                How::More => self.limits.addresses_of_mac,
                _ => continue,
            };
            self.traffic_rows += usize::from(*how == How::Traffic);
            let known = self.addresses.entry((*place, *mac)).or_default();
            *known = known.saturating_add(count);
        }
    }

    /// What is new since this was last asked, with the counts of all so far, or since it was forgotten; in order.
    pub fn news(&mut self) -> Vec<LinkSighting> {
        let (names, ranks) = named(&self.places);
        let rank = |place: PlaceId| ranks.get(place.0 as usize).copied().unwrap_or_default();
        let mut news: Vec<(usize, Key, Row)> = Vec::new();
        for ((place, row), number) in self.places.iter_mut().zip(0..) {
            let key = Key { place: PlaceId(number), how: place.medium, mac: Mac::default(), address: None, prefix: 0 };
            news.extend(row.news().map(|row| (rank(key.place), key, row)));
        }
        for (key, row) in &mut self.rows {
            news.extend(row.news().map(|row| (rank(key.place), *key, row)));
        }
        // by numbers in place of names: there may be as many as the table holds
        news.sort_unstable_by_key(|(rank, Key { how, mac, address, prefix, place }, _)| {
            (*rank, *how, *mac, *address, *prefix, place.0)
        });
        let mut told = Vec::with_capacity(news.len() + 1);
        told.extend(news.into_iter().filter_map(|(rank, key, row)| Some(row.sighting(key.link(names.get(rank)?)))));
        if let Some(row) = self.left_out.as_mut().and_then(Row::news) {
            let left_out = row.sighting(Place::NOWHERE.key(How::LeftOut));
            let at = told.partition_point(|known| known.key < left_out.key);
            told.insert(at, left_out);
        }
        told
    }
}

/// Tells the addresses of a frame, and what it announces.
fn note(place: PlaceId, seen: &Neighbour<'_>, row: Row, mut tell: impl FnMut(Key, Row)) {
    let carried = seen.carried();
    if let Carried::Packet(header) = &carried {
        header.facts((seen.src, seen.dst), |fact, is_sender| {
            let hops = if is_sender { Hops::of(header.hop_limit) } else { Hops::default() };
            let (packets, received) = if is_sender { (1, 0) } else { (0, 1) };
            tell(Key::of(place, fact), Row { packets, received, hops, ..row });
        });
    }
    seen.announced(&carried, |fact| tell(Key::of(place, fact), row));
}

/// What the interfaces and tags of places are called, in order, and for each place which of them is its.
fn named(places: &[(Place, Row)]) -> (Vec<LinkKey>, Vec<usize>) {
    let keys: Vec<LinkKey> = places.iter().map(|(place, _)| place.key(How::Frame)).collect();
    let mut names = keys.clone();
    names.sort_unstable();
    names.dedup();
    let ranks = keys.iter().map(|key| names.partition_point(|name| name < key)).collect();
    (names, ranks)
}

impl Key {
    fn of(place: PlaceId, fact: Fact) -> Self {
        let Fact { how, mac, address, prefix } = fact;
        Self { place, how, mac, address: Some(address), prefix }
    }

    /// The whole of it, at an interface and tags with their names.
    fn link(self, at: &LinkKey) -> LinkKey {
        let Self { how, mac, address, prefix, .. } = self;
        LinkKey { interface: at.interface.clone(), vlans: at.vlans, how, mac, address, prefix }
    }
}
