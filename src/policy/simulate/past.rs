//! What was recorded, arranged for being judged: every party and every end once, whatever the policies.

use std::{collections::BTreeSet, net::IpAddr};

use foldhash::HashMap;

use crate::{
    model::{Dependency, Direction, Duty, Mark, NoEnds, Party, PartyKind, Protocol, Via},
    policy::{Dialled, End, Roster, Who},
};

/// Recorded dependencies with the ends that their parties stand for.
pub struct Past<'d> {
    /// What policies can judge of what was recorded.
    pub(super) rows: Vec<Row<'d>>,
    pub(super) parties: Vec<Actors>,
    /// All ends.
    pub(in crate::policy) ends: Vec<End>,
}

/// A dependency with its parties by place, and what a verdict takes of it side by side: dependencies are large, and
/// millions of them are judged.
pub(super) struct Row<'d> {
    pub dependency: &'d Dependency,
    pub client: usize,
    pub server: usize,
    pub protocol: Protocol,
    pub port: u16,
    pub connections: u64,
    /// Why nobody needs it, where that is so.
    pub unneeded: Option<&'static str>,
    /// A pod always reaches itself and its own node, and its node reaches it.
    pub is_always_allowed: bool,
    pub is_direction_known: bool,
    /// What was dialled in the place of the server's own address: a Service's, or a node's.
    pub dialled: Vec<Dialled>,
    /// Who stands behind the Service that was dialled, each with the port there, where it was not seen who answered.
    pub targets: Vec<Target>,
    /// The ends that the server saw in the place of the client, by place.
    pub sources: Vec<usize>,
}

/// An end by place, and the port there.
pub(super) type Target = (usize, u16);

impl<'d> Row<'d> {
    fn new(
        dependency: &'d Dependency,
        (client, server): (usize, usize),
        dialled: Vec<Dialled>,
        targets: Vec<Target>,
        sources: Vec<usize>,
    ) -> Self {
        let has = |mark| dependency.marks.contains(&mark);
        Self {
            dependency,
            client,
            server,
            protocol: dependency.protocol,
            port: dependency.port,
            connections: dependency.connections,
            unneeded: dependency.unneeded(),
            is_always_allowed: has(Mark::Node) || has(Mark::Itself),
            is_direction_known: dependency.direction != Direction::Unknown,
            dialled,
            targets,
            sources,
        }
    }
}

/// Who a party is.
pub(super) struct Actors {
    /// Its ends by place, or why they are not known.
    pub ends: Result<Vec<usize>, NoEnds>,
    /// Why it may be somebody else.
    pub doubt: Option<String>,
    /// Whether it has an address of a node: pods on that node always reach it, and it reaches them.
    pub is_at_node: bool,
}

/// What tells parties apart.
#[derive(PartialEq, Eq, Hash)]
struct Key<'d> {
    kind: PartyKind,
    name: &'d str,
    owner: Option<&'d str>,
    addresses: &'d BTreeSet<IpAddr>,
    /// Of who counts as outside: as what may tell who it is. Others are the same in any.
    duty: Option<Duty>,
}

impl<'d> Past<'d> {
    /// Arranges what policies speak of: TCP, UDP and SCTP between single hosts.
    #[must_use]
    pub fn new(dependencies: impl IntoIterator<Item = &'d Dependency>, roster: &Roster<'_>) -> Self {
        let mut past = Self { rows: Vec::new(), parties: Vec::new(), ends: Vec::new() };
        let mut parties: HashMap<Key<'d>, usize> = HashMap::default();
        let mut places: HashMap<Who, usize> = HashMap::default();
        for dependency in dependencies.into_iter().filter(|it| is_replayed(it)) {
            let mut place = |party: &'d Party, duty: Duty| {
                let key = Key {
                    duty: (party.kind == PartyKind::External).then_some(duty),
                    kind: party.kind,
                    name: &party.name,
                    owner: party.owner.as_deref(),
                    addresses: &party.addresses,
                };
                *parties.entry(key).or_insert_with(|| past.add((party, duty), roster, &mut places))
            };
            let (client, server) =
                (place(&dependency.client, Duty::Client), place(&dependency.server, Duty::of_server(dependency)));
            let targets = match dependency.server.kind {
                PartyKind::Service => past.targets(dependency, roster, &mut places),
                _ => Vec::new(),
            };
            let sources = dependency.sources.iter().map(|address| Who::Address(address.to_canonical()));
            let sources = sources.map(|who| past.place(who, roster, &mut places)).collect();
            let dialled = dialled(dependency, roster);
            past.rows.push(Row::new(dependency, (client, server), dialled, targets, sources));
        }
        past
    }

    /// What is judged.
    pub fn dependencies(&self) -> impl Iterator<Item = &'d Dependency> {
        self.rows.iter().map(|row| row.dependency)
    }

    fn add(&mut self, (party, duty): (&Party, Duty), roster: &Roster<'_>, places: &mut HashMap<Who, usize>) -> usize {
        let is_at_node = party.addresses.iter().any(|address| roster.is_node(*address));
        let who = roster.party(party);
        let ends = who.map(|all| all.into_iter().map(|who| self.place(who, roster, places)).collect());
        self.parties.push(Actors { ends, doubt: roster.doubt(party, duty), is_at_node });
        self.parties.len() - 1
    }

    fn targets(&mut self, it: &Dependency, roster: &Roster<'_>, places: &mut HashMap<Who, usize>) -> Vec<Target> {
        let targets = roster.behind(&it.server, it.protocol, it.port);
        targets.into_iter().map(|(who, port)| (self.place(who, roster, places), port)).collect()
    }

    fn place(&mut self, who: Who, roster: &Roster<'_>, places: &mut HashMap<Who, usize>) -> usize {
        *places.entry(who).or_insert_with(|| {
            self.ends.push(roster.end(who));
            self.ends.len() - 1
        })
    }
}

/// What a client dialled. Where it was not seen who of a Service answered, its address stands for the server's.
fn dialled(dependency: &Dependency, roster: &Roster<'_>) -> Vec<Dialled> {
    let Dependency { server, protocol, port, via, .. } = dependency;
    if via.is_empty() && server.kind == PartyKind::Service {
        return server.addresses.iter().map(|address| roster.dialled(*address, *protocol, *port)).collect();
    }
    let dialled = |it: &Via| {
        let dialled = roster.dialled(it.address, *protocol, it.port);
        // of one that led elsewhere than the inventory says nobody knows what it was
        Dialled { is_of_node: dialled.is_of_node && !it.disputed, ..dialled }
    };
    via.iter().map(dialled).collect()
}

fn is_replayed(dependency: &Dependency) -> bool {
    let is_group = |party: &Party| party.kind == PartyKind::Multicast;
    dependency.protocol.has_ports() && !is_group(&dependency.server) && !is_group(&dependency.client)
}
