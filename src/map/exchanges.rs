//! Exchanges of datagrams that were seen in parts: in several captures, in a network for each way, or with a silence between.
//!
//! A datagram names no connection. What is known of an exchange are the numbers of its first and last datagrams of each side,
//! its networks, and when who sent first.

use super::{
    connections::{Connection, is_same_network},
    volume::{OVERLAP_S, Taken, follows},
};
use crate::model::{Flags, Timestamp, Trace};

/// Silence after which datagrams between equal ends are a new exchange, in seconds; as when they were captured.
const IDLE_S: f64 = 60.0;

/// For so long after an exchange its server may send first, in seconds: sockets that get what is pushed stay open, and register
/// anew within the hour (RFC 3261, section 10.2.1.1).
const KNOWN_S: f64 = 3_600.0;

/// Exchanges between equal ends that are looked through: as many networks as a capture tells apart.
const MOST_AT_ONCE: usize = 256;

/// So many datagrams of a side are known by its first number and its last.
const KNOWN_BY_ENDS: u64 = 2;

/// Joins what was seen of each exchange of datagrams, and tells who asked, by when the runs began and ended.
pub(super) fn join(connections: Vec<Connection>, runs: &[Taken<'_>]) -> Vec<Connection> {
    let (mut joined, mut datagrams): (Vec<_>, Vec<_>) =
        connections.into_iter().partition(|connection| connection.protocol.is_stream());
    datagrams.sort_by_key(Connection::place);
    let mut datagrams = datagrams.into_iter().peekable();
    let watched = watched(runs);
    while let Some(first) = datagrams.next() {
        let ends = |it: &Connection| (it.protocol, it.client, it.server);
        let at = ends(&first);
        let Some(second) = datagrams.next_if(|next| ends(next) == at) else {
            joined.push(first);
            continue;
        };
        let mut between = vec![first, second];
        while let Some(next) = datagrams.next_if(|next| ends(next) == at) {
            between.push(next);
        }
        let mut between = join_ways(join_parts(between));
        tell_who_asked(&mut between, &watched);
        joined.append(&mut between);
    }
    joined
}

/// What says that two sightings between equal ends are of one exchange, the strongest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    /// They follow each other in one network, or in what may be one.
    Network,
    /// Both saw one datagram.
    Number,
}

/// Joins the sightings of each exchange between two ends, which come in the order of time.
fn join_parts(between: Vec<Connection>) -> Vec<Connection> {
    let mut all: Vec<Connection> = Vec::with_capacity(between.len());
    let mut recent: Vec<usize> = Vec::new();
    for next in between {
        recent.retain(|n| goes_on(&all[*n], &next));
        // records of a flow log may be any number at a time
        let most = if next.trace.lump.is_record() { 1 } else { MOST_AT_ONCE };
        let found = recent.iter().rev().take(most).filter_map(|n| tie(&all[*n], &next).map(|tie| (tie, *n)));
        if let Some((_, n)) = found.max() {
            all[n].take_part(next);
        } else {
            note(&mut recent, all.len());
            all.push(next);
        }
    }
    all
}

fn goes_on(before: &Connection, next: &Connection) -> bool {
    next.span.first.seconds_since(before.span.last) <= IDLE_S
}

fn tie(before: &Connection, next: &Connection) -> Option<Tie> {
    let (a, b) = (&before.trace, &next.trace);
    if b.lump.is_record() && !is_other_record(a, b) {
        return None;
    }
    if shares_number(a, b) {
        return Some(Tie::Number);
    }
    let is_same = is_same_network(before, next) && !(is_bare_beside(before, next) && is_another(before, next));
    is_same.then_some(Tie::Network)
}

/// Whether both know one number of one side.
fn shares_number(a: &Trace, b: &Trace) -> bool {
    let shares = |a: [u32; 2], b: [u32; 2]| a.iter().any(|number| *number != 0 && b.contains(number));
    shares([a.identity, a.src_end], [b.identity, b.src_end]) || shares([a.answer, a.dst_end], [b.answer, b.dst_end])
}

/// Whether one capture saw tags or tunnels, and the other one none.
fn is_bare_beside(a: &Connection, b: &Connection) -> bool {
    a.vlans.is_empty() != b.vlans.is_empty() || a.tunnels.is_empty() != b.tunnels.is_empty()
}

/// Of two that share no number whether they cannot be one exchange: all datagrams of both are known, and were sent at one time.
fn is_another(a: &Connection, b: &Connection) -> bool {
    let is_known = |it: &Connection| {
        let Trace { identity, answer, src_end, dst_end, .. } = it.trace;
        [identity, answer, src_end, dst_end].into_iter().all(|number| number != 0 && !Trace::may_be_cut(number))
    };
    let is_short = |it: &Connection| {
        [&it.from_client, &it.from_server].into_iter().all(|side| side.most_packets() <= KNOWN_BY_ENDS)
    };
    let is_at_once = || a.span.first <= b.span.last && b.span.first <= a.span.last;
    [a, b].into_iter().all(|it| is_known(it) && is_short(it)) && is_at_once()
}

/// For how many seconds one of the runs that saw it had been taken when it began: with those that it followed, for a capture may
/// have been split. A run that began later saw its rest alone.
fn watched_s(seen: &Connection, watched: &[Watched]) -> f64 {
    let began = seen.span.first;
    let of_it = seen.runs().into_iter().filter_map(|run| watched.get(run)).filter(|run| run.first <= began);
    of_it.map(|run| began.seconds_since(run.since)).fold(0.0, f64::max)
}

/// When a run began, and when the first of those did that it goes on.
#[derive(Clone, Copy)]
struct Watched {
    first: Timestamp,
    since: Timestamp,
}

/// Of all runs. One goes on what another one ended with, where they follow each other and the gap is no longer than the silence that
/// parts exchanges.
fn watched(runs: &[Taken<'_>]) -> Vec<Watched> {
    let mut all: Vec<Watched> = runs.iter().map(|it| Watched { first: it.span.first, since: it.span.first }).collect();
    let mut by_first: Vec<usize> = (0..runs.len()).collect();
    let mut by_last = by_first.clone();
    by_first.sort_by_key(|run| runs[*run].span.first);
    by_last.sort_by_key(|run| runs[*run].span.last);
    for later in by_first {
        let first = runs[later].span.first;
        let from = by_last.partition_point(|run| first.seconds_since(runs[*run].span.last) > IDLE_S);
        let until = by_last.partition_point(|run| first.seconds_since(runs[*run].span.last) >= -OVERLAP_S);
        let before = by_last.get(from..until).unwrap_or_default().iter().copied();
        let before = before.filter(|run| runs[*run].span.first < first && follows(runs[later], runs[*run]));
        let since = before.map(|run| all[run].since).min();
        all[later].since = since.map_or(first, |since| since.min(first));
    }
    all
}

/// Whether two records of a flow log that tells of each way by itself are of one exchange: each tells of one way, and not of the same.
fn is_other_record(before: &Trace, next: &Trace) -> bool {
    before.lump.is_record() && way(before).is_some_and(|src| way(next) == Some(!src))
}

/// Whether all that was seen came from `src`, or from the other side; `None` where both spoke.
fn way(trace: &Trace) -> Option<bool> {
    let (src, dst) = (trace.flags.has(Flags::FROM_SRC), trace.flags.has(Flags::FROM_DST));
    (src != dst).then_some(src)
}

/// Joins requests with replies that came in another network, as where each way of a tunnel has a number of its own, or the way
/// back is another: where no others of that time could be meant. One way may have been silent for long while the other was not.
fn join_ways(all: Vec<Connection>) -> Vec<Connection> {
    let partners = other_ways(&all);
    let mut wholes: Vec<usize> = (0..all.len()).collect();
    for (n, others) in partners.iter().enumerate() {
        let Partners::Of(others) = others else { continue };
        for other in others.iter().copied().filter(|other| n < *other && partners[*other].has(n)) {
            let (a, b) = (whole_of(&wholes, n), whole_of(&wholes, other));
            wholes[a.max(b)] = a.min(b);
        }
    }
    let mut parts: Vec<Option<Connection>> = all.into_iter().map(Some).collect();
    for n in 0..parts.len() {
        let at = whole_of(&wholes, n);
        if at != n
            && let Some(part) = parts[n].take()
            && let Some(whole) = &mut parts[at]
        {
            whole.take_part(part);
        }
    }
    parts.into_iter().flatten().collect()
}

/// The first of those that one was joined with.
fn whole_of(wholes: &[usize], mut n: usize) -> usize {
    while wholes[n] != n {
        n = wholes[n];
    }
    n
}

/// Who may have seen the other way of an exchange, in one network.
#[derive(Clone, PartialEq, Eq)]
enum Partners {
    Of(Vec<usize>),
    Many,
}

impl Partners {
    fn add(&mut self, n: usize, all: &[Connection]) {
        if let Self::Of(others) = self {
            if others.last().is_none_or(|last| is_same_network(&all[*last], &all[n])) {
                others.push(n);
            } else {
                *self = Self::Many;
            }
        }
    }

    fn has(&self, n: usize) -> bool {
        // they come in order
        matches!(self, Self::Of(others) if others.binary_search(&n).is_ok())
    }
}

fn other_ways(all: &[Connection]) -> Vec<Partners> {
    let of_capture = |it: &Connection| way(&it.trace).filter(|_| !it.trace.lump.is_record());
    let ways: Vec<Option<bool>> = all.iter().map(of_capture).collect();
    let mut partners = vec![Partners::Of(Vec::new()); all.len()];
    let mut recent: Vec<usize> = Vec::new();
    for (n, src) in ways.iter().enumerate().filter_map(|(n, way)| Some((n, (*way)?))) {
        recent.retain(|before| goes_on(&all[*before], &all[n]));
        for before in recent.iter().copied().filter(|before| ways[*before] == Some(!src)) {
            partners[before].add(n, all);
            partners[n].add(before, all);
        }
        note(&mut recent, n);
    }
    partners
}

/// Notes one more that may go on, in place of the first where they are too many.
fn note(recent: &mut Vec<usize>, n: usize) {
    if recent.len() >= MOST_AT_ONCE {
        recent.remove(0);
    }
    recent.push(n);
}

/// Who asked in an exchange asked in those that follow within the hour, whoever sends first after a silence: a server that
/// pushes what its client asked for. Equal ports tell of peers, either of whom may ask.
fn tell_who_asked(all: &mut [Connection], watched: &[Watched]) {
    let is_of_peers = all.first().is_none_or(|it| !it.protocol.has_ports() || it.client.1 == it.server.1);
    if is_of_peers {
        return;
    }
    let is_told = |it: &Connection| !it.trace.lump.is_record() && !it.trace.flags.has(Flags::UNTOLD);
    let follows = |before: &Connection, next: &Connection| next.span.first.seconds_since(before.span.last) <= KNOWN_S;
    for row in all.chunk_by_mut(|before, next| is_told(before) && is_told(next) && follows(before, next)) {
        if let [first, rest @ ..] = row
            && is_evidence(first, rest, watched)
        {
            let asker = first.trace.flags.among(Flags::SRC_FIRST);
            for later in rest {
                later.trace.flags = later.trace.flags.without(Flags::SRC_FIRST).with(asker);
            }
        }
    }
}

/// Whether the first exchange tells who asked: nothing was heard before it for long enough, so that its first datagram was
/// seen; or nobody answered what the other side began, as a question would be.
fn is_evidence(first: &Connection, rest: &[Connection], watched: &[Watched]) -> bool {
    let began = |it: &Connection| it.trace.flags.has(Flags::SRC_FIRST);
    let is_question = |it: &Connection| began(it) != began(first) && way(&it.trace).is_none();
    watched_s(first, watched) > IDLE_S || !rest.iter().any(is_question)
}
