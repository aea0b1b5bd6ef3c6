//! Replicas that nobody uses: a standby calls the server that it copies, and serves nobody until that one fails. By its calls
//! it is a client of the server like any other.
//!
//! Two things tell a copy. Partners call each other on one port, both ways: so do mirrors and members of a cluster, and no
//! clients. And where one calls those of its own name alone and serves nothing that they do not, `db2` calls `db1`, the name
//! decides what traffic cannot: a job that reads the same database is called otherwise. A name that others with other work
//! have too tells nothing.

use foldhash::{HashMap, HashSet};

use super::{Member, graph::Graph, ports, token::Service};

/// A replica has few to do with; who has more of these is none.
const MAX_TIES: usize = 32;
/// Clients of a store that are told apart.
const MAX_CLIENTS: usize = 8;
/// Words for the part that a replica plays, and no part of the name of what it is a replica of.
const PARTS: [&str; 16] = [
    "primary",
    "secondary",
    "master",
    "main",
    "leader",
    "follower",
    "slave",
    "standby",
    "replica",
    "replicas",
    "mirror",
    "read",
    "ro",
    "rw",
    "hot",
    "passive",
];

/// What one has to do with another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Tie {
    peer: u32,
    service: Service,
    calls: bool,
}

/// For each member: whom it copies, itself no copy.
pub(super) fn find(graph: &Graph, is_aside: &[bool], pens: &[u32]) -> Vec<Option<u32>> {
    let look = Look::new(graph, is_aside, pens);
    let named = look.named();
    let members = 0..u32::try_from(graph.members.len()).unwrap_or(u32::MAX);
    let copied: Vec<Option<u32>> = members.map(|n| look.partner(n).or_else(|| named.get(&n).copied())).collect();
    (0..copied.len()).map(|n| original(&copied, copied[n]?)).collect()
}

/// The end of a chain of copies; none where it goes round.
fn original(copied: &[Option<u32>], mut at: u32) -> Option<u32> {
    for _ in 0..copied.len() {
        match copied.get(at as usize).copied().flatten() {
            Some(next) => at = next,
            None => return Some(at),
        }
    }
    None
}

struct Look<'l> {
    graph: &'l Graph,
    pens: &'l [u32],
    /// Of those that nobody outside calls: what they have to do with others in scope, infrastructure left out.
    ties: Vec<Vec<Tie>>,
    /// Who has to do with others than these ties tell.
    is_busy: Vec<bool>,
    /// A few clients of those that serve a port of stores.
    clients: HashMap<u32, Vec<u32>>,
}

impl<'l> Look<'l> {
    fn new(graph: &'l Graph, is_aside: &[bool], pens: &'l [u32]) -> Self {
        let count = graph.members.len();
        let (ties, is_busy) = (vec![Vec::new(); count], vec![false; count]);
        let mut look = Self { graph, pens, ties, is_busy, clients: HashMap::default() };
        for edge in &graph.edges {
            match [edge.client, edge.server].map(|end| is_aside.get(end as usize).copied()) {
                [Some(false), Some(false)] => {
                    look.add(edge.client, Tie { peer: edge.server, service: edge.service, calls: true });
                    look.add(edge.server, Tie { peer: edge.client, service: edge.service, calls: false });
                    if ports::is_store(edge.service) {
                        add_few(look.clients.entry(edge.server).or_default(), edge.client);
                    }
                }
                [None, Some(_)] => look.is_busy[edge.server as usize] = true,
                _ => {}
            }
        }
        for (ties, is_busy) in look.ties.iter_mut().zip(&mut look.is_busy) {
            *is_busy |= ties.len() > MAX_TIES;
            if *is_busy {
                ties.clear();
            }
        }
        look
    }

    fn add(&mut self, of: u32, tie: Tie) {
        let ties = &mut self.ties[of as usize];
        if ties.len() <= MAX_TIES {
            ties.push(tie);
        }
    }

    fn peers(&self, of: u32) -> Vec<u32> {
        let mut peers: Vec<u32> = self.ties[of as usize].iter().map(|tie| tie.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    fn may_copy(&self, one: u32, other: u32) -> bool {
        let given = |n: u32| self.graph.members[n as usize].role.is_some();
        self.pens[one as usize] == self.pens[other as usize] && !given(one)
    }

    /// The store of whose partners one is, and has to do with nobody else: another of its partners has clients.
    fn partner(&self, of: u32) -> Option<u32> {
        let (ties, peers) = (&self.ties[of as usize], self.peers(of));
        let is_mutual = |peer: &u32| {
            let with = || ties.iter().filter(|tie| tie.peer == *peer);
            with().any(|tie| tie.calls && with().any(|back| !back.calls && back.service == tie.service))
        };
        if !peers.iter().all(|peer| is_mutual(peer) && self.may_copy(of, *peer)) {
            return None;
        }
        let is_other = |client: &u32| *client != of && peers.binary_search(client).is_err();
        peers.iter().copied().find(|peer| self.clients.get(peer).is_some_and(|all| all.iter().any(is_other)))
    }

    /// Those who call none but their own name and serve nothing that these do not, each with one of these.
    fn named(&self) -> HashMap<u32, u32> {
        let mut names: HashMap<(u32, Vec<String>), Vec<u32>> = HashMap::default();
        for n in (0u32..).take(self.ties.len()) {
            if let Some(stem) = stem(&self.graph.members[n as usize]) {
                names.entry((self.pens[n as usize], stem)).or_default().push(n);
            }
        }
        names.retain(|_, alike| alike.len() > 1);
        if names.is_empty() {
            return HashMap::default();
        }
        let serves = self.served();
        let mut copies = HashMap::default();
        for alike in names.into_values() {
            let some: Vec<(u32, u32)> =
                alike.iter().filter_map(|n| Some((*n, self.called_alike(*n, &alike, &serves)?))).collect();
            let is_copy = |n: &u32| some.iter().any(|(copy, _)| copy == n);
            let is_called = |n: &u32| some.iter().flat_map(|(copy, _)| self.called(*copy)).any(|tie| tie.peer == *n);
            let serves_same = |n: &u32| {
                some.iter().flat_map(|(copy, _)| self.called(*copy)).any(|tie| serves.contains(&(*n, tie.service)))
            };
            let is_idle = |n: &u32| self.ties[*n as usize].is_empty() && !self.is_busy[*n as usize];
            if alike.iter().all(|n| is_copy(n) || is_called(n) || serves_same(n) || is_idle(n)) {
                copies.extend(some);
            }
        }
        copies
    }

    fn called(&self, of: u32) -> impl Iterator<Item = &Tie> {
        self.ties[of as usize].iter().filter(|tie| tie.calls)
    }

    /// The first of its name that one calls, where it calls nobody else and serves nothing else than these do.
    fn called_alike(&self, n: u32, alike: &[u32], serves: &HashSet<(u32, Service)>) -> Option<u32> {
        let called: Vec<u32> = self.called(n).map(|tie| tie.peer).collect();
        if !called.iter().all(|peer| alike.binary_search(peer).is_ok() && self.may_copy(n, *peer)) {
            return None;
        }
        let is_theirs =
            |tie: &Tie| called.contains(&tie.peer) || called.iter().any(|peer| serves.contains(&(*peer, tie.service)));
        self.ties[n as usize].iter().all(is_theirs).then(|| called.iter().min().copied()).flatten()
    }

    /// What those serve that copies may be of.
    fn served(&self) -> HashSet<(u32, Service)> {
        let called: HashSet<u32> =
            (0u32..).take(self.ties.len()).flat_map(|n| self.called(n).map(|tie| tie.peer)).collect();
        let edges = self.graph.edges.iter().filter(|edge| called.contains(&edge.server));
        edges.map(|edge| (edge.server, edge.service)).collect()
    }
}

fn add_few(clients: &mut Vec<u32>, client: u32) {
    if clients.len() < MAX_CLIENTS && !clients.contains(&client) {
        clients.push(client);
    }
}

/// What a name says beside numbers, single letters and parts: `db-02.example.org` is a `db`, `shop/pg-read` a `pg`. Addresses
/// have none.
fn stem(member: &Member) -> Option<Vec<String>> {
    if member.name.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let name = match &member.workload {
        Some(workload) => workload.name.as_str(),
        None => member.name.split('.').next().unwrap_or_default(),
    };
    let words = name.split(|letter: char| !letter.is_alphabetic()).map(str::to_lowercase);
    let words: Vec<String> = words.filter(|word| word.chars().count() > 1 && !PARTS.contains(&word.as_str())).collect();
    (!words.is_empty()).then_some(words)
}
