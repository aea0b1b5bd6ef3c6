//! Dependencies in small, for those who only ask who calls whom: ten millions of them fit into memory.

use foldhash::HashMap;

use super::{Dependency, Direction, Mark, Outcome, Party, PartyKey, Protocol, dependency::unneeded};

/// A set of marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marks(u8);

impl Marks {
    /// Whether a mark is among them.
    #[must_use]
    pub fn has(self, mark: Mark) -> bool {
        self.0 & bit(mark) != 0
    }

    /// Adds one.
    pub fn add(&mut self, mark: Mark) {
        self.0 |= bit(mark);
    }

    /// All of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        [Mark::Scan, Mark::Probe, Mark::Node, Mark::Itself, Mark::Rare].into_iter().filter(move |mark| self.has(*mark))
    }
}

impl FromIterator<Mark> for Marks {
    fn from_iter<I: IntoIterator<Item = Mark>>(all: I) -> Self {
        let mut marks = Self::default();
        all.into_iter().for_each(|mark| marks.add(mark));
        marks
    }
}

fn bit(mark: Mark) -> u8 {
    1 << mark as u8
}

/// One dependency, in small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// Who opened: a place among [`Contacts::parties`].
    pub client: u32,
    /// Who accepted, likewise.
    pub server: u32,
    /// The server's port.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// What became of the connections.
    pub outcome: Outcome,
    /// What sets it apart.
    pub marks: Marks,
    /// Whether it is known who was the client.
    pub is_direction_known: bool,
    /// In how many hours it was seen; no more than can be counted.
    pub hours: u16,
    /// Packets both ways.
    pub packets: u64,
    /// Whether nothing went through but what opens connections.
    pub is_empty: bool,
}

/// Whether connections have carried nothing, where all their packets were counted: it takes three to open one of TCP.
#[must_use]
pub fn carried_nothing(protocol: Protocol, packets: u64, connections: u64) -> bool {
    const EMPTY_PACKETS: u64 = 3;
    protocol == Protocol::TCP && packets > 0 && packets <= EMPTY_PACKETS.saturating_mul(connections)
}

impl Contact {
    /// Whether somebody got something by it, as [`Dependency::unneeded`] has it.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        unneeded(self.marks.has(Mark::Scan), self.outcome, (self.protocol, self.port), self.packets).is_none()
    }
}

/// All of one site.
#[derive(Clone, Debug, Default)]
pub struct Contacts {
    /// The ends, each once.
    pub parties: Vec<PartyKey>,
    /// Who calls whom.
    pub contacts: Vec<Contact>,
}

impl Contacts {
    /// The contacts in an order that does not depend on how they were found.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let mut order: Vec<u32> = (0u32..).take(self.parties.len()).collect();
        order.sort_unstable_by_key(|n| &self.parties[*n as usize]);
        let mut places = vec![0u32; order.len()];
        order.iter().zip(0u32..).for_each(|(old, new)| places[*old as usize] = new);
        for contact in &mut self.contacts {
            (contact.client, contact.server) = (places[contact.client as usize], places[contact.server as usize]);
        }
        self.parties = order.iter().map(|old| self.parties[*old as usize].clone()).collect();
        self.contacts.sort_unstable();
        self
    }
}

impl<'d> FromIterator<&'d Dependency> for Contacts {
    fn from_iter<I: IntoIterator<Item = &'d Dependency>>(dependencies: I) -> Self {
        let mut numbers: HashMap<PartyKey, u32> = HashMap::default();
        let mut all = Self::default();
        for dependency in dependencies {
            let mut number = |party: &Party| {
                let key = PartyKey::from(party);
                let new = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                *numbers.entry(key).or_insert_with_key(|key| {
                    all.parties.push(key.clone());
                    new
                })
            };
            let (client, server) = (number(&dependency.client), number(&dependency.server));
            all.contacts.push(Contact {
                client,
                server,
                port: dependency.port,
                protocol: dependency.protocol,
                outcome: dependency.outcome,
                marks: dependency.marks.iter().copied().collect(),
                is_direction_known: dependency.direction != Direction::Unknown,
                hours: u16::try_from(dependency.history.len()).unwrap_or(u16::MAX),
                packets: dependency.packets,
                is_empty: !dependency.packets_are_least
                    && carried_nothing(dependency.protocol, dependency.packets, dependency.connections),
            });
        }
        all
    }
}
