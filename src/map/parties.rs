//! The ends of connections as parties, each party and each address once: names are long and many connections have the
//! same.

use std::{hash::Hash, net::IpAddr, rc::Rc};

use foldhash::HashMap;
use smallvec::SmallVec;

use super::{
    By,
    connections::{Connection, End},
    identity,
};
use crate::{
    inventory::Directory,
    model::{Flags, Party, PartyKey, PartyKind, Protocol, Via},
};

/// A client as it is known.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub party: u32,
    /// Its address, by number.
    pub address: u32,
}

/// A server as it is known.
#[derive(Clone)]
pub(super) struct Placed {
    pub party: u32,
    pub port: u16,
    /// Its addresses, by number.
    pub addresses: SmallVec<[u32; 2]>,
    pub via: Option<Rc<Via>>,
}

/// Each value once, by its number.
struct Numbered<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn new() -> Self {
        Self { all: Vec::new(), numbers: HashMap::default() }
    }

    fn number(&mut self, value: T) -> u32 {
        let new = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(value).or_insert_with_key(|value| {
            self.all.push(value.clone());
            new
        })
    }
}

/// The parties that were met.
pub(super) struct Parties<'d> {
    directory: &'d Directory,
    by: By,
    /// Each party once.
    all: Numbered<PartyKey>,
    addresses: Numbered<IpAddr>,
    /// Of connections that name no time the ends are whoever has the address now: they are looked up once.
    clients: HashMap<IpAddr, Caller>,
    servers: HashMap<(Protocol, End), Placed>,
}

impl<'d> Parties<'d> {
    pub fn new(directory: &'d Directory, by: By) -> Self {
        let (all, addresses) = (Numbered::new(), Numbered::new());
        Self { directory, by, all, addresses, clients: HashMap::default(), servers: HashMap::default() }
    }

    /// All of them, by their numbers.
    pub fn all(&self) -> &[PartyKey] {
        &self.all.all
    }

    pub fn into_all(self) -> Vec<PartyKey> {
        self.all.all
    }

    /// All addresses, by their numbers.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses.all
    }

    /// What it is.
    pub fn kind(&self, number: u32) -> Option<PartyKind> {
        self.all.all.get(number as usize).map(|party| party.kind)
    }

    pub fn client(&mut self, connection: &Connection) -> Caller {
        let address = connection.client.0;
        if let Some(known) = self.clients.get(&address).filter(|_| !connection.is_timed()) {
            return *known;
        }
        let party = self.number(identity::client(connection, self.directory), address);
        let caller = Caller { party, address: self.addresses.number(address) };
        if !connection.is_timed() {
            self.clients.insert(address, caller);
        }
        caller
    }

    pub fn server(&mut self, connection: &Connection) -> Placed {
        let is_by_itself = connection.is_timed()
            || connection.via.is_some()
            || connection.trace.flags.has(Flags::BROADCAST)
            // who it is depends on the client
            || self.directory.is_proxied(connection.server.0);
        if is_by_itself {
            return self.placed(connection);
        }
        let end = (connection.protocol, connection.server);
        if let Some(known) = self.servers.get(&end) {
            return known.clone();
        }
        let placed = self.placed(connection);
        self.servers.insert(end, placed.clone());
        placed
    }

    fn placed(&mut self, connection: &Connection) -> Placed {
        let identity::Server { party, port, via } = identity::server(connection, self.directory);
        let addresses = party.addresses.iter().map(|address| self.addresses.number(*address)).collect();
        Placed { party: self.number(party, connection.server.0), port, addresses, via: via.map(Rc::new) }
    }

    fn number(&mut self, party: Party, address: IpAddr) -> u32 {
        let Party { kind, name, owner, .. } = party;
        let name = if self.by == By::Address { address.to_string() } else { name };
        self.all.number(PartyKey { name, kind, owner })
    }
}
