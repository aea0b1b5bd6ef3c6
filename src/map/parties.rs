//! The ends of connections as parties, each party once: names are long and many connections have the same.

use std::{collections::BTreeSet, net::IpAddr, rc::Rc};

use foldhash::HashMap;

use super::{
    By,
    connections::{Connection, End},
    identity,
};
use crate::{
    inventory::Directory,
    model::{Flags, Party, PartyKey, PartyKind, Protocol, Via},
};

/// A server as it is known.
pub(super) struct Placed {
    pub party: u32,
    pub port: u16,
    pub addresses: BTreeSet<IpAddr>,
    pub via: Option<Via>,
}

/// The parties that were met.
pub(super) struct Parties<'d> {
    directory: &'d Directory,
    by: By,
    all: Vec<PartyKey>,
    numbers: HashMap<PartyKey, u32>,
    /// Of connections that name no time the ends are whoever has the address now: they are looked up once.
    clients: HashMap<IpAddr, u32>,
    servers: HashMap<(Protocol, End), Rc<Placed>>,
}

impl<'d> Parties<'d> {
    pub fn new(directory: &'d Directory, by: By) -> Self {
        let (all, numbers, clients, servers) = Default::default();
        Self { directory, by, all, numbers, clients, servers }
    }

    /// All of them, by their numbers.
    pub fn all(&self) -> &[PartyKey] {
        &self.all
    }

    pub fn into_all(self) -> Vec<PartyKey> {
        self.all
    }

    /// What it is.
    pub fn kind(&self, number: u32) -> Option<PartyKind> {
        self.all.get(number as usize).map(|party| party.kind)
    }

    pub fn client(&mut self, connection: &Connection) -> u32 {
        let address = connection.client.0;
        if connection.is_timed() {
            return self.number(identity::client(connection, self.directory), address);
        }
        if let Some(number) = self.clients.get(&address) {
            return *number;
        }
        let number = self.number(identity::client(connection, self.directory), address);
        self.clients.insert(address, number);
        number
    }

    pub fn server(&mut self, connection: &Connection) -> Rc<Placed> {
        let is_by_itself =
            connection.is_timed() || connection.via.is_some() || connection.trace.flags.has(Flags::BROADCAST);
        if is_by_itself {
            return Rc::new(self.placed(connection));
        }
        let end = (connection.protocol, connection.server);
        if let Some(known) = self.servers.get(&end) {
            return Rc::clone(known);
        }
        let placed = Rc::new(self.placed(connection));
        self.servers.insert(end, Rc::clone(&placed));
        placed
    }

    fn placed(&mut self, connection: &Connection) -> Placed {
        let identity::Server { mut party, port, via } = identity::server(connection, self.directory);
        let addresses = std::mem::take(&mut party.addresses);
        Placed { party: self.number(party, connection.server.0), port, addresses, via }
    }

    fn number(&mut self, party: Party, address: IpAddr) -> u32 {
        let Party { kind, name, owner, .. } = party;
        let name = if self.by == By::Address { address.to_string() } else { name };
        let new = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(PartyKey { kind, name, owner }).or_insert_with_key(|key| {
            self.all.push(key.clone());
            new
        })
    }
}
