//! What is done with the connections of either address family: taking packets in, and writing them out.

use std::collections::BTreeMap;

use super::{
    Limits,
    arrival::Arrival,
    context::{Context, ContextId, Contexts},
    event::Event,
    index::{SlotId, Tag},
    live::{Answers, Claim, Connection},
    places::Places,
    rows::Rows,
    table::Table,
    tuple::Address,
};
use crate::model::{Hour, Note, Timestamp};

/// Networks with equal addresses that one capture point sees: of a trunk each VLAN has hosts that ask for a lease, and a router of
/// one address.
const MAX_NETWORKS: usize = 256;

/// One of so many connections is written out when the table is full: few enough to hold, enough to pay for the search.
const EVICTED_SHARE: usize = 32;

/// Further places that saw packets, for each connection of the limit: most connections cross few.
const PLACES_PER_CONNECTION: usize = 4;

/// Silent connections are looked for once in so many seconds of the packets' time.
const EXPIRY_INTERVAL_S: f64 = 60.0;

/// As far as connections tell time.
const A_MICROSECOND_S: f64 = 1e-6;

/// Where a packet's connection is looked for.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub tag: Tag,
    /// The slot that it most likely has.
    pub likely: SlotId,
}

/// What is common to the connections of both families.
pub(super) struct Book {
    pub limits: Limits,
    pub contexts: Contexts,
    places: Places,
    pub rows: Rows,
    evicted: u64,
    in_too_many_networks: u64,
    /// When silent connections were looked for last, and the packets since.
    expired: Timestamp,
    since_expiry: usize,
}

impl Book {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            contexts: Contexts::default(),
            places: Places::new(limits.connections.saturating_mul(PLACES_PER_CONNECTION)),
            rows: Rows::default(),
            evicted: 0,
            in_too_many_networks: 0,
            expired: Timestamp::default(),
            since_expiry: 0,
        }
    }

    /// Takes a packet to its connection; tells whether its side was not seen at this place, or so, before. The list has the
    /// contexts that do not fit a word.
    #[inline]
    pub fn take<A: Address>(
        &mut self,
        table: &mut Table<A>,
        packet: &Arrival<A>,
        list: &[Context],
        Spot { tag, likely }: Spot,
    ) -> bool {
        let context = self.contexts.of(packet.tags, list);
        if packet.is_refused {
            self.refuse(table, packet, (context, tag));
            return false;
        }
        let first = if table.is_first_of(likely, &packet.tuple) {
            likely
        } else {
            table.find(tag, &packet.tuple).unwrap_or_else(|| self.begin(table, packet, tag))
        };
        let connection = table.get_mut(first);
        if connection.take_like(packet, (context, &self.contexts), self.limits.datagram_idle_us) {
            return false;
        }
        self.take_any(table, packet, context, first)
    }

    /// Takes a packet to one of the connections between its ends, of which this is the first.
    fn take_any<A: Address>(
        &mut self,
        table: &mut Table<A>,
        packet: &Arrival<A>,
        context: ContextId,
        first: SlotId,
    ) -> bool {
        let id = self.owner(table, packet, context, first);
        // a datagram that was seen in another network a moment ago: both were met in the middle of one exchange
        let begun = match packet.event {
            Event::Datagram(number) | Event::Told { number, .. } if id != first => {
                let last = table.get(id).last_number(packet.sender);
                [number, last].into_iter().find_map(|known| table.get(first).number_of_last(packet.sender, known))
            }
            _ => None,
        };
        let connection = table.get(id);
        if connection.is_over(packet, self.limits.datagram_idle_us) {
            self.write(table, id);
            table.get_mut(id).renew(packet);
        } else if connection.hour() != packet.hour {
            self.write(table, id);
            table.get_mut(id).turn_hour(packet, &mut self.places);
        } else if connection.is_full(packet, &self.places) {
            self.write(table, id);
        }
        let connection = table.get_mut(id);
        connection.apply(packet.event, packet.sender, packet.moment);
        if let Some(begun) = begun {
            connection.go_by(packet.sender, begun);
        }
        connection.count(packet, (context, &mut self.contexts), &mut self.places)
    }

    /// The connection that a packet belongs to, of those between its ends: the first of those with the strongest claim, else a new one.
    fn owner<A: Address>(
        &mut self,
        table: &mut Table<A>,
        packet: &Arrival<A>,
        context: ContextId,
        first: SlotId,
    ) -> SlotId {
        let strongest = Some(Claim::strongest(packet.event));
        let mut best: Option<((Answers, Claim), SlotId)> = None;
        let (mut networks, mut last) = (0, first);
        for id in table.chain(first) {
            (networks, last) = (networks + 1, id);
            let claim = table.get(id).claim(packet.event, packet.sender, context, &self.contexts);
            if let Some(claim) = claim.filter(|claim| best.is_none_or(|(known, _)| known < *claim)) {
                best = Some((claim, id));
            }
            if claim == strongest {
                break;
            }
        }
        match best {
            Some((_, id)) => id,
            None if networks >= MAX_NETWORKS => {
                self.in_too_many_networks += 1;
                last
            }
            None => table.push_behind(last, Connection::new(packet)),
        }
    }

    /// A five-tuple that was not met before, or not lately.
    fn begin<A: Address>(&mut self, table: &mut Table<A>, packet: &Arrival<A>, tag: Tag) -> SlotId {
        let id = table.insert(tag, packet.tuple, Connection::new(packet));
        if matches!(packet.event, Event::Open(_) | Event::Probe(_) | Event::Control(_)) || packet.event.is_datagram() {
            let time = packet.time();
            table.attempts.push(id, time);
            // two for every new one, so that those which wait never become more
            for _ in 0..2 {
                if let Some(old) = table.attempts.due(time) {
                    self.give_up(table, old);
                }
            }
        }
        id
    }

    /// Writes an attempt out that nobody answered for a while, where its source has many of them: a sweep shall not fill
    /// the table. An answer that comes after all is joined to it when the map is made, by their numbers.
    fn give_up<A: Address>(&mut self, table: &mut Table<A>, (id, tried): (SlotId, Timestamp)) {
        let is_alone = table.is_first(id) && table.behind(id).is_none();
        if !is_alone || !table.get(id).is_unanswered() {
            return;
        }
        let last = table.get(id).last();
        if last.seconds_since(tried) >= A_MICROSECOND_S {
            // tried again, or another one that has its slot now
            return table.attempts.push(id, last);
        }
        let (source, _) = table.tuple(id).end(table.get(id).src());
        if table.attempts.has_failed_often(source) {
            self.write(table, id);
            table.remove(id);
        }
    }

    /// An ICMP error quotes this packet: the attempt cannot be answered. Of several between its ends it is one in the network of the
    /// error; where none is, any may be.
    fn refuse<A: Address>(&self, table: &mut Table<A>, packet: &Arrival<A>, (context, tag): (ContextId, Tag)) {
        if let Some(first) = table.find(tag, &packet.tuple) {
            let is_in = |id: &SlotId| table.get(*id).is_in(context, &self.contexts);
            let mut chain: Vec<SlotId> = table.chain(first).filter(is_in).collect();
            if chain.is_empty() {
                chain = table.chain(first).collect();
            }
            for id in chain {
                table.get_mut(id).refuse(packet);
            }
        } else if matches!(packet.event, Event::Open(_)) || packet.event.is_datagram() {
            let id = table.insert(tag, packet.tuple, Connection::new(packet));
            table.get_mut(id).refuse_unseen(packet);
        }
    }

    /// Writes a connection out, where it has news, and forgets what it counted.
    fn write<A: Address>(&mut self, table: &mut Table<A>, id: SlotId) {
        if table.get(id).has_news() {
            self.rows.write(table.tuple(id), table.get(id), &self.places);
            table.get_mut(id).clear(&mut self.places);
            self.rows.sum_up(&self.contexts);
        }
    }

    pub fn write_chain<A: Address>(&mut self, table: &mut Table<A>, first: SlotId) -> usize {
        let chain: Vec<SlotId> = table.chain(first).collect();
        for id in &chain {
            self.write(table, *id);
        }
        chain.len()
    }

    /// Learns all listeners before rows are laid out.
    pub fn learn<A: Address>(&mut self, table: &Table<A>) {
        for id in table.firsts().flat_map(|first| table.chain(first)) {
            self.rows.learn(table.tuple(id), table.get(id));
        }
    }

    /// Writes a connection out where it has news, in the order of the ranks, and forgets what it counted.
    pub fn write_in_order<A: Address>(&mut self, table: &mut Table<A>, (rank, id): (u128, SlotId)) {
        // packets may have come since it was put in order
        if table.is_used(id) && table.get(id).has_news() {
            self.rows.write_in_order(rank, (table.tuple(id), table.get(id)), &self.places);
            table.get_mut(id).clear(&mut self.places);
        }
    }

    /// Looking at all of them must not cost more than the packets did that came since.
    pub fn is_expiry_due(&mut self, time: Timestamp, packets: usize, live: usize) -> bool {
        self.since_expiry += packets;
        let is_due = self.since_expiry >= live && time.seconds_since(self.expired).abs() >= EXPIRY_INTERVAL_S;
        if is_due {
            (self.expired, self.since_expiry) = (time, 0);
        }
        is_due
    }

    /// Writes out and forgets what was silent for long.
    pub fn expire<A: Address>(&mut self, table: &mut Table<A>, time: Timestamp) {
        let is_silent = |id: SlotId| time.seconds_since(table.get(id).last()) > self.limits.idle_s;
        let silent: Vec<SlotId> = table.firsts().filter(|first| table.chain(*first).all(is_silent)).collect();
        for first in silent {
            self.write_chain(table, first);
            table.remove(first);
        }
    }

    /// Writes out and forgets some of the connections, the least useful ones.
    pub fn evict<A: Address>(&mut self, table: &mut Table<A>) {
        let mut all: Vec<_> = table.firsts().map(|first| (table.get(first).usefulness(), first)).collect();
        let count = self.limits.connections.div_ceil(EVICTED_SHARE).min(all.len());
        if count < all.len() {
            all.select_nth_unstable(count);
        }
        for (_, first) in &all[..count] {
            self.evicted += self.write_chain(table, *first) as u64;
            table.remove(*first);
        }
    }

    /// Forgets the sweeps of hours that are over.
    pub fn forget_sweeps(&mut self) {
        let before = Hour(self.expired.hour().0.saturating_sub(1));
        self.rows.sweeps.forget_before(before);
    }

    /// How often each bound left something out.
    pub fn bounds(&self) -> BTreeMap<Note, u64> {
        Note::counted([
            (Note::TableFull, self.evicted),
            (Note::NetworksMixed, self.in_too_many_networks),
            (Note::PlacesLeftOut, self.contexts.left_out + self.places.left_out),
        ])
    }
}
