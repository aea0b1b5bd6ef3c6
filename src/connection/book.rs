//! What is done with the connections of either address family: taking packets in, and writing them out.

use std::collections::BTreeMap;

use super::{
    Bound, Limits,
    context::Contexts,
    event::Event,
    live::Connection,
    places::Places,
    rows::Rows,
    table::{SlotId, Table},
    tuple::{Address, FiveTuple},
};
use crate::{
    decode::Packet,
    model::{Protocol, Timestamp},
};

/// Networks with equal addresses that one capture point sees.
const MAX_NETWORKS: usize = 8;

/// One of so many connections is written out when the table is full: few enough to hold, enough to pay for the search.
const EVICTED_SHARE: usize = 32;

/// Further places that saw packets, for each connection of the limit: most connections cross few.
const PLACES_PER_CONNECTION: usize = 4;

/// Silent connections are looked for once in so many seconds of the packets' time.
const SWEEP_INTERVAL_S: f64 = 60.0;

/// What is common to the connections of both families.
pub(super) struct Book {
    pub limits: Limits,
    pub contexts: Contexts,
    places: Places,
    pub rows: Rows,
    evicted: u64,
    in_too_many_networks: u64,
    /// When silent connections were looked for last, and the packets since.
    swept: Timestamp,
    since_sweep: usize,
    pub is_ending: bool,
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
            swept: Timestamp::default(),
            since_sweep: 0,
            is_ending: false,
        }
    }

    /// Takes a packet to its connection; tells whether its side was not seen at this place, or so, before.
    pub fn take<A: Address>(
        &mut self,
        table: &mut Table<A>,
        time: Timestamp,
        packet: &Packet<'_>,
        event: Event,
        src: (A, u16),
        dst: (A, u16),
    ) -> bool {
        let (tuple, sender) = FiveTuple::of(src, dst, packet.protocol);
        let mut id = table.find_or_insert(tuple, || Connection::new(time, sender));
        let mut networks = 1;
        while !table.get(id).owns(event, sender, packet, &self.contexts) {
            if networks == MAX_NETWORKS {
                self.in_too_many_networks += 1;
                break;
            }
            networks += 1;
            id = match table.behind(id) {
                Some(next) => next,
                None => table.push_behind(id, Connection::new(time, sender)),
            };
        }
        let connection = table.get(id);
        if connection.is_over(event, sender, time, self.limits.datagram_idle_s) {
            self.write(table, id);
            table.get_mut(id).renew(time, sender);
        } else if connection.hour() != time.hour() {
            self.write(table, id);
            table.get_mut(id).turn_hour(time, &mut self.places);
        } else if connection.is_full(sender, packet, &self.places) {
            self.write(table, id);
        }
        let connection = table.get_mut(id);
        connection.apply(event, sender);
        connection.count(time, sender, packet, &mut self.contexts, &mut self.places)
    }

    /// An ICMP error says that the attempt from `src` cannot be answered.
    pub fn refuse<A: Address>(
        table: &mut Table<A>,
        time: Timestamp,
        event: Event,
        src: (A, u16),
        dst: (A, u16),
        protocol: Protocol,
    ) {
        let (tuple, sender) = FiveTuple::of(src, dst, protocol);
        if let Some(first) = table.find(&tuple) {
            let chain: Vec<SlotId> = table.chain(first).collect();
            for id in chain {
                table.get_mut(id).refuse(sender);
            }
        } else if matches!(event, Event::Open(_) | Event::Datagram(_)) {
            let id = table.find_or_insert(tuple, || Connection::new(time, sender));
            table.get_mut(id).refuse_unseen(sender, event);
        }
    }

    /// Writes a connection out, where it has news, and forgets what it counted.
    fn write<A: Address>(&mut self, table: &mut Table<A>, id: SlotId) {
        if table.get(id).has_news() {
            self.rows.write(table.tuple(id), table.get(id), &self.places);
            table.get_mut(id).clear(&mut self.places);
        }
    }

    fn write_chain<A: Address>(&mut self, table: &mut Table<A>, first: SlotId) -> usize {
        let chain: Vec<SlotId> = table.chain(first).collect();
        for id in &chain {
            self.write(table, *id);
        }
        chain.len()
    }

    /// Writes out all that has news; the connections stay open.
    pub fn write_news<A: Address>(&mut self, table: &mut Table<A>) {
        let firsts: Vec<SlotId> = table.firsts().collect();
        for first in firsts {
            self.write_chain(table, first);
        }
    }

    /// Learns all listeners before rows are laid out.
    pub fn learn<A: Address>(&mut self, table: &Table<A>) {
        for id in table.firsts().flat_map(|first| table.chain(first)) {
            self.rows.learn(table.tuple(id), table.get(id));
        }
    }

    /// Writes some connections out and forgets them; false where none are left.
    pub fn end_some<A: Address>(&mut self, table: &mut Table<A>) -> bool {
        let Some(ended) = table.take_some() else { return false };
        for (tuple, connection) in ended.filter(|(_, connection)| connection.has_news()) {
            self.rows.write(&tuple, &connection, &self.places);
        }
        true
    }

    /// Looking at all of them must not cost more than the packets did that came since.
    pub fn is_sweep_due(&mut self, time: Timestamp, live: usize) -> bool {
        self.since_sweep += 1;
        let is_due = self.since_sweep >= live && time.seconds_since(self.swept).abs() >= SWEEP_INTERVAL_S;
        if is_due {
            (self.swept, self.since_sweep) = (time, 0);
        }
        is_due
    }

    /// Writes out and forgets what was silent for long.
    pub fn sweep<A: Address>(&mut self, table: &mut Table<A>, time: Timestamp) {
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

    /// How often each bound left something out.
    pub fn bounds(&self) -> BTreeMap<Bound, u64> {
        let all = [
            (Bound::Connections, self.evicted),
            (Bound::Networks, self.in_too_many_networks),
            (Bound::Places, self.contexts.left_out + self.places.left_out),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}
