//! What every endpoint does, as a set of tokens, and the classes of endpoints that do exactly the same.
//!
//! In large networks most endpoints share their tokens with others: 33,241 hosts of one had 1,125 different sets. So
//! classes are compared, not endpoints.

use std::ops::Range;

use smallvec::SmallVec;

use super::{
    graph::{Edge, Graph, is_rare},
    token::Token,
};

/// Stands for every class out of scope.
pub(super) const NOBODY: u32 = u32::MAX;

/// More classes of peers than this need not be told apart.
pub(super) const MANY_PEERS: usize = 3;

/// A token of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Has {
    pub token: Token,
    /// The classes of the peers, up to three, in order; [`NOBODY`] for those out of scope.
    pub peers: SmallVec<[u32; MANY_PEERS]>,
}

/// Endpoints that do exactly the same and may be in one role.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// The members' numbers, in order.
    pub members: Vec<u32>,
    /// What they do, in order; empty where nothing was seen.
    pub has: Vec<Has>,
    /// Classes with different pens are never in one role: namespace, an operator's role and tier.
    pub pen: u32,
}

/// Tokens and classes of a graph.
#[derive(Clone, Debug)]
pub(super) struct Signatures {
    pub classes: Vec<Class>,
    /// The class of every member.
    pub class_of: Vec<u32>,
}

/// A token of an endpoint with one of its peers.
type Entry = (u32, Token, u32);

impl Signatures {
    pub fn new(graph: &Graph, pens: &[u32]) -> Self {
        let entries = entries(graph);
        let ranges = ranges(graph, &entries);
        let tokens = |member: u32| {
            let slice = ranges.get(member as usize).and_then(|range| entries.get(range.clone()));
            slice.unwrap_or_default()
        };
        let signature = |member: u32| tokens(member).chunk_by(|a, b| a.1 == b.1).filter_map(|same| same.first());
        let same_tokens = |a: u32, b: u32| signature(a).map(|entry| entry.1).cmp(signature(b).map(|entry| entry.1));
        let pen = |member: u32| pens.get(member as usize).copied().unwrap_or_default();
        let mut order: Vec<u32> = (0..u32::try_from(graph.members.len()).unwrap_or(u32::MAX)).collect();
        order.sort_by(|a, b| pen(*a).cmp(&pen(*b)).then_with(|| same_tokens(*a, *b)));
        let mut groups: Vec<Vec<u32>> =
            order.chunk_by(|a, b| pen(*a) == pen(*b) && same_tokens(*a, *b).is_eq()).map(<[u32]>::to_vec).collect();
        // classes in the order of their first members: numbers that do not depend on the tokens
        groups.sort_unstable();
        let mut class_of = vec![NOBODY; graph.members.len()];
        for (class, group) in (0u32..).zip(&groups) {
            for member in group {
                if let Some(place) = class_of.get_mut(*member as usize) {
                    *place = class;
                }
            }
        }
        let class = |members: Vec<u32>| {
            let has = has(members.iter().map(|member| tokens(*member)), &class_of);
            let pen = members.first().map(|member| pen(*member)).unwrap_or_default();
            Class { members, has, pen }
        };
        Self { classes: groups.into_iter().map(class).collect(), class_of }
    }
}

/// What the edges say of both ends, sorted. What is seen too seldom says nothing of an endpoint that does more.
fn entries(graph: &Graph) -> Vec<Entry> {
    let window = graph.window_hours();
    let mut is_active = vec![false; graph.members.len()];
    for edge in graph.edges.iter().filter(|edge| !is_rare(edge, window)) {
        let client = edge.tells_of_client().then_some(edge.client);
        for end in client.into_iter().chain([edge.server]) {
            if let Some(active) = is_active.get_mut(end as usize) {
                *active = true;
            }
        }
    }
    let counts =
        |edge: &Edge, end: u32| is_active.get(end as usize).is_some_and(|active| !*active || !is_rare(edge, window));
    let mut entries = Vec::with_capacity(graph.edges.len() * 2);
    for edge in &graph.edges {
        if edge.tells_of_client() && counts(edge, edge.client) {
            let token = Token::calls(edge.service, graph.is_outside(edge.server), edge.is_idle);
            entries.push((edge.client, token, edge.server));
        }
        if counts(edge, edge.server) {
            let token = Token::serves(edge.service, graph.is_outside(edge.client), edge.is_idle);
            entries.push((edge.server, token, edge.client));
        }
    }
    entries.sort_unstable();
    entries
}

fn ranges(graph: &Graph, entries: &[Entry]) -> Vec<Range<usize>> {
    let mut ranges = vec![0..0; graph.members.len()];
    let mut start = 0;
    for of_one in entries.chunk_by(|a, b| a.0 == b.0) {
        let end = start + of_one.len();
        if let Some(range) = of_one.first().and_then(|entry| ranges.get_mut(entry.0 as usize)) {
            *range = start..end;
        }
        start = end;
    }
    ranges
}

/// The tokens of a class with the classes of the peers of all its members.
fn has<'e>(members: impl Iterator<Item = &'e [Entry]>, class_of: &[u32]) -> Vec<Has> {
    let mut all: Vec<Has> = Vec::new();
    for (n, entries) in members.enumerate() {
        for (place, same) in entries.chunk_by(|a, b| a.1 == b.1).enumerate() {
            let Some((_, token, _)) = same.first() else { continue };
            if n == 0 {
                all.push(Has { token: *token, peers: SmallVec::new() });
            }
            let Some(has) = all.get_mut(place) else { continue };
            for (_, _, peer) in same {
                let class = class_of.get(*peer as usize).copied().unwrap_or(NOBODY);
                add_smallest(&mut has.peers, class);
            }
        }
    }
    all
}

/// Keeps the smallest classes: which are kept does not depend on the order in which they come.
fn add_smallest(peers: &mut SmallVec<[u32; MANY_PEERS]>, class: u32) {
    if let Err(place) = peers.binary_search(&class)
        && place < MANY_PEERS
    {
        peers.truncate(MANY_PEERS - usize::from(peers.len() == MANY_PEERS));
        peers.insert(place, class);
    }
}
