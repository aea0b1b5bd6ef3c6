//! Address translation, learnt from the wire: sightings of one connection under different addresses.
//!
//! Both initial sequence numbers pass through DNAT and SNAT, so that an equal pair under other ends is the same
//! connection; hop limits tell which sighting was nearer to the client. A datagram is known by its digest and the
//! client's end, or by those of question and answer together; what was met mid-stream by where both sides stood, or by the
//! client's end and the Service that it dialled.

mod doubt;
mod later;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use self::doubt::{Doubt, have_ended_apart, have_lasted_apart, is_chosen};
use super::connections::{Connection, End};
use crate::{
    inventory::Directory,
    model::{Direction, Flags, Hops, Protocol, Span, Trace},
};

/// Sightings of one packet on its way through a cluster lie no further apart, in seconds: clocks of two hosts differ.
const TRANSIT_S: f64 = 2.0;

/// Sightings whose times are of one clock lie no further apart, in seconds.
const TRANSIT_ON_HOST_S: f64 = 0.05;

/// Clocks of two hosts differ by no more, in seconds. Counts where both sides' numbers are equal: nothing else could be.
const CLOCKS_APART_S: f64 = 60.0;

/// Captures of one host show its interfaces' packets out of order by no more, in seconds.
const REORDERED_S: f64 = 0.001;

/// A packet has no more pairs of ends on its way: as it was sent, behind a load balancer, a node port, and a Service.
const MAX_STAGES: usize = 4;

/// What sightings of one connection share, whatever its addresses have become.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// Both initial sequence numbers.
    Numbers(Protocol, u32, u32),
    /// The digests of a question and of its answer.
    Exchange(u32, u32),
    /// The client's end and the number of one side.
    Client(Protocol, End, u32),
    /// The server's end and the number of a client that was not answered.
    Server(Protocol, End, u32),
}

/// Sightings with one key at one time.
struct Passage {
    stages: Vec<Connection>,
    /// Whether no others have that key at any time.
    is_only: bool,
}

/// Joins the sightings of each connection into one: the true client, the true server, and what was dialled.
pub(super) fn join(connections: &mut Vec<Connection>, directory: &Directory) {
    // a record of a flow log has none of the numbers that connections are known by
    let (mut records, captured) = std::mem::take(connections).into_iter().partition(Connection::is_of_records);
    *connections = captured;
    let mut doubt = Doubt::new(directory);
    for key in [by_numbers, by_client, by_answer, by_exchange, by_server] {
        let mut groups: BTreeMap<Key, Vec<Connection>> = BTreeMap::new();
        let mut done = Vec::with_capacity(connections.len());
        for connection in connections.drain(..) {
            match key(&connection) {
                Some(key) => groups.entry(key).or_default().push(connection),
                None => done.push(connection),
            }
        }
        for (key, group) in groups {
            let passages = by_time(group);
            if matches!(key, Key::Numbers(..)) {
                doubt.learn(&passages);
            }
            for passage in passages {
                join_stages(passage, directory, &doubt, &mut done);
            }
        }
        *connections = done;
    }
    *connections = later::join(std::mem::take(connections), directory, &doubt);
    *connections = join_services(std::mem::take(connections), directory);
    connections.append(&mut records);
    connections.sort_by_key(Connection::place);
}

fn by_numbers(connection: &Connection) -> Option<Key> {
    let Trace { identity, answer, .. } = connection.trace;
    let is_known = identity != 0 && answer != 0 && connection.protocol != Protocol::UDP;
    is_known.then_some(Key::Numbers(connection.protocol, identity, answer))
}

/// Of datagrams the first answer says little: replies overtake each other, and many are alike.
fn by_client(connection: &Connection) -> Option<Key> {
    let Trace { identity, answer, .. } = connection.trace;
    let is_datagram = connection.protocol == Protocol::UDP;
    (identity != 0 && (answer == 0 || is_datagram)).then_some(Key::Client(
        connection.protocol,
        connection.client,
        identity,
    ))
}

/// Of a stream whose replies alone were seen somewhere.
fn by_answer(connection: &Connection) -> Option<Key> {
    let Connection { protocol, client, trace, .. } = connection;
    (protocol.is_stream() && trace.answer != 0).then_some(Key::Client(*protocol, *client, trace.answer))
}

/// Of datagrams whose client may have become another.
fn by_exchange(connection: &Connection) -> Option<Key> {
    let Trace { identity, answer, .. } = connection.trace;
    let is_answered = connection.protocol == Protocol::UDP && identity != 0 && answer != 0;
    is_answered.then_some(Key::Exchange(identity, answer))
}

/// Of what nobody answered, whose client may have become another: a segment or a datagram to the same server.
fn by_server(connection: &Connection) -> Option<Key> {
    let Connection { protocol, server, trace, .. } = connection;
    let is_unanswered = protocol.has_ports() && trace.identity != 0 && trace.answer == 0;
    is_unanswered.then_some(Key::Server(*protocol, *server, trace.identity))
}

/// Parts a group where its members lie too far apart to be one passage.
fn by_time(mut group: Vec<Connection>) -> Vec<Passage> {
    group.sort_by_key(|connection| (connection.span.first, connection.client, connection.server));
    let mut clusters: Vec<Vec<Connection>> = Vec::new();
    for connection in group {
        match clusters.last_mut() {
            Some(cluster) if cluster.last().is_some_and(|before| is_passage(before, &connection)) => {
                cluster.push(connection);
            }
            _ => clusters.push(vec![connection]),
        }
    }
    let is_only = clusters.len() == 1;
    clusters.into_iter().map(|stages| Passage { stages, is_only }).collect()
}

fn is_passage(a: &Connection, b: &Connection) -> bool {
    let apart_s = b.span.first.seconds_since(a.span.first).abs();
    let are_by_two_clocks = || by_numbers(a).is_some() && shares_an_end(a, b) && !a.is_of_the_runs_of(b);
    apart_s <= TRANSIT_S || apart_s <= CLOCKS_APART_S && are_by_two_clocks()
}

/// Joins the stages of one connection, from the client to the server. Where neither hop limits nor the inventory tell
/// the stages' order they stay apart, and so do those whose equal numbers may be chance.
fn join_stages(passage: Passage, directory: &Directory, doubt: &Doubt<'_>, done: &mut Vec<Connection>) {
    let Passage { mut stages, is_only } = passage;
    let ends: BTreeSet<(End, End)> = stages.iter().map(|stage| (stage.client, stage.server)).collect();
    if ends.len() > MAX_STAGES {
        return done.append(&mut stages);
    }
    stages = join_halves(stages, directory);
    // hop limits fall on the way from either side; at equal ones, whose packets were seen first was nearer to the client
    let all_replied = stages.iter().all(|stage| !stage.trace.hops_dst.is_none());
    let rank = |stage: &Connection| {
        let Trace { hops_src, hops_dst, .. } = stage.trace;
        let hops_back = if all_replied { hops_dst.high } else { 0 };
        (Reverse(hops_src.high), !is_service(directory, stage), Reverse(hops_src.low), hops_back, stage.span.first)
    };
    stages.sort_by_key(|stage| (rank(stage), stage.client, stage.server));
    let is_told = stages.windows(2).all(|pair| match pair {
        [near, far] => {
            let is_possible = shares_an_end(near, far) || is_nearer(near, far);
            rank(near) != rank(far) && is_possible && is_translated(near, far, is_only, directory, doubt)
        }
        _ => true,
    });
    if !is_told || stages.len() < 2 {
        done.append(&mut stages);
        return;
    }
    let mut stages = stages.into_iter();
    let Some(mut whole) = stages.next() else { return };
    for stage in stages {
        absorb(&mut whole, stage);
    }
    done.push(whole);
}

/// Whether two sightings of equal numbers are of one connection. Scanners send every SYN from one port with one number,
/// traffic generators the same datagram to many, made-up captures count from one number always: so by one clock the
/// sightings must lie in each other as those of one packet do. Numbers that several may have, and a number that one side
/// alone gave, must be borne out by the hop limits or the inventory.
fn is_translated(near: &Connection, far: &Connection, is_only: bool, directory: &Directory, doubt: &Doubt<'_>) -> bool {
    let apart_s = far.span.first.seconds_since(near.span.first);
    let behind_s = far.span.last.seconds_since(near.span.last);
    let is_one_clock = near.is_of_the_runs_of(far);
    if is_one_clock && (is_stray_beside(near, far) || is_stray_beside(far, near)) {
        return false;
    }
    if near.client != far.client && near.trace.answer == 0 && far.trace.answer == 0 {
        return (is_one_clock || is_only) && has_passed_unanswered(near, far, (apart_s, behind_s), is_one_clock);
    }
    if near.protocol == Protocol::UDP && near.client != far.client {
        let is_known = near.shares_run_with(far) || is_only && !is_constant(near) && !is_constant(far);
        return is_known && has_passed_on(near, far, (apart_s, behind_s), is_one_clock);
    }
    if near.protocol == Protocol::UDP && !Trace::is_named(near.trace.identity) {
        return has_passed_to_server(near, far, apart_s, directory);
    }
    let is_sure = by_numbers(near).is_some();
    let are_everybodys = doubt.are_everybodys(near, far);
    let have_lasted_apart = || have_lasted_apart(near, far, (apart_s, behind_s));
    if have_ended_apart(near, far, are_everybodys) || are_everybodys && have_lasted_apart() {
        return false;
    }
    if doubt.is_of(near, far) && !doubt.is_dispelled(near, far) {
        return false;
    }
    let is_unanswered = near.trace.hops_dst.is_none() && far.trace.hops_dst.is_none();
    if is_unanswered && !is_sure && !is_routed(near, far) && !is_backend(directory, near, far) {
        return false;
    }
    // the last packet may have been captured at the far place alone, or it is the only one
    let reordered_s = if is_sure || is_unanswered { REORDERED_S } else { 0.0 };
    let is_nested = apart_s >= 0.0 && behind_s <= reordered_s && (is_sure || near.server.0 != far.server.0);
    let is_forwarded = near.trace.hops_src.high > far.trace.hops_src.high || is_service(directory, near);
    let is_close = apart_s.abs() <= TRANSIT_ON_HOST_S;
    is_close && is_nested || is_forwarded && (is_close || !is_one_clock) || is_sure && !near.shares_run_with(far)
}

/// Whether packets are astray, or made up: of a connection that was seen to open and to be answered, where whoever saw them did not
/// see a translation of its opening, nor any answer.
fn is_stray_beside(stage: &Connection, whole: &Connection) -> bool {
    let is_asked = |it: &Connection| it.trace.flags.has(Flags::ASKED);
    let is_answered = |it: &Connection| !it.trace.hops_dst.is_none();
    is_asked(whole) && is_answered(whole) && !is_asked(stage) && !is_answered(stage)
}

/// Whether a question was passed on from one place to the other, and its answer back: hop limits fell both ways, and the one
/// lies in the other, as well as their clocks tell: other captures may have seen the one alone. Either side may have sent first.
/// Hosts that ask alike have equal digests, but their answers come from the same distance.
fn has_passed_on(near: &Connection, far: &Connection, (apart_s, behind_s): (f64, f64), is_one_clock: bool) -> bool {
    let late_s = if is_one_clock { REORDERED_S } else { TRANSIT_ON_HOST_S };
    has_fallen(near.trace.hops_src, far.trace.hops_src)
        && has_fallen(far.trace.hops_dst, near.trace.hops_dst)
        && apart_s.abs() <= TRANSIT_ON_HOST_S
        && (-TRANSIT_ON_HOST_S..=late_s).contains(&behind_s)
}

/// Whether packets of the client's were seen further on at one of two servers. One client may send the same to several at once.
fn is_routed(near: &Connection, far: &Connection) -> bool {
    far.trace.hops_src.low < near.trace.hops_src.low
}

/// Whether hop limits fell between two places.
fn has_fallen(before: Hops, after: Hops) -> bool {
    !before.is_none() && !after.is_none() && before.low > after.high
}

/// Whether datagrams of one client that have no name of their own, as those of IPv6, were passed on to another server. One socket may
/// send the same to several: to two name servers, collectors or peers. Those are as far away from it where they are captured
/// together, and answer each for itself. So a hop must have been lost each way, or the inventory tells that the one stands behind
/// the other. Hops tell nothing of what nobody answered: a mirror of two servers' ports has the one's packets from before a router,
/// the other's from behind it.
fn has_passed_to_server(near: &Connection, far: &Connection, apart_s: f64, directory: &Directory) -> bool {
    let is_one_clock = near.is_of_the_runs_of(far);
    let (forth, back) = (&near.trace, &far.trace);
    let are_answered = ![forth.answer, back.answer].contains(&0);
    let is_answer_of_one =
        [forth.answer, forth.dst_end].into_iter().any(|it| it != 0 && [back.answer, back.dst_end].contains(&it));
    if are_answered && !is_answer_of_one {
        return false;
    }
    let is_hop_on =
        are_answered && has_fallen(forth.hops_src, back.hops_src) && has_fallen(back.hops_dst, forth.hops_dst);
    let is_told = is_hop_on || is_backend(directory, near, far);
    is_told && if is_one_clock { apart_s.abs() <= TRANSIT_ON_HOST_S } else { are_answered }
}

/// Whether all that a side sent is the same: others may send that too.
fn is_constant(connection: &Connection) -> bool {
    connection.from_client.most_packets() > 1 && connection.trace.identity == connection.trace.src_end
}

/// Whether what nobody answered was passed on to the same server under another client's address: as often, a hop on, and at once, as
/// well as their clocks tell. A SYN tells by its number, which is one of four thousand million where nobody chose it; of datagrams
/// several must, for many a host says the same.
fn has_passed_unanswered(
    near: &Connection,
    far: &Connection,
    (apart_s, behind_s): (f64, f64),
    is_one_clock: bool,
) -> bool {
    let is_datagram = near.protocol == Protocol::UDP;
    let is_common = is_datagram || is_chosen(near.trace.identity);
    let at_once_s = if is_common && is_one_clock { REORDERED_S } else { TRANSIT_ON_HOST_S };
    let early_s = if is_one_clock { 0.0 } else { -TRANSIT_ON_HOST_S };
    let [a, b] = [near, far].map(|it| (it.from_client.most_packets(), it.trace.src_end));
    let is_known = if is_datagram { a.0 > 1 && !is_constant(near) } else { is_one_clock || !is_common };
    let is_next_hop =
        far.trace.hops_src.high.checked_add(1) == Some(near.trace.hops_src.low) && !far.trace.hops_src.is_none();
    // a refusal comes back the same way
    let (back, came) = (near.trace.hops_dst, far.trace.hops_dst);
    let is_back = back.is_none() == came.is_none() && (came.is_none() || came.low > back.high);
    near.server == far.server
        && near.outcome() == far.outcome()
        && a == b
        && is_known
        && is_next_hop
        && is_back
        && (early_s..=at_once_s).contains(&apart_s)
        && behind_s.abs() <= at_once_s
        && (!is_datagram || (behind_s - apart_s).abs() <= REORDERED_S)
}

/// One translation changes the client or the server. Equal numbers under two new ends are a connection that a router
/// translated twice, which costs a hop, or another one: generated traffic numbers all its connections alike.
fn shares_an_end(near: &Connection, far: &Connection) -> bool {
    near.client == far.client || near.server == far.server
}

/// Whether hop limits say which sighting was nearer to the client.
fn is_nearer(near: &Connection, far: &Connection) -> bool {
    let (near, far) = (&near.trace, &far.trace);
    near.hops_src.high > far.hops_src.high && !far.hops_src.is_none()
        || near.hops_dst.high < far.hops_dst.high && !near.hops_dst.is_none()
}

/// Joins a sighting of one side's packets with a sighting of the other's. A bridge sees both sides' packets after their
/// translation: requests name the true server, replies the true client and what it dialled.
fn join_halves(stages: Vec<Connection>, directory: &Directory) -> Vec<Connection> {
    let (mut requests, rest): (Vec<_>, Vec<_>) = stages.into_iter().partition(|stage| stage.trace.hops_dst.is_none());
    let (replies, mut whole): (Vec<_>, Vec<_>) = rest.into_iter().partition(|stage| stage.trace.hops_src.is_none());
    if let ([request], [reply]) = (&mut requests[..], &replies[..])
        && (whole.is_empty() || request.shares_run_with(reply))
    {
        for reply in replies {
            take_replies(request, reply, directory);
        }
        requests.append(&mut whole);
        return requests;
    }
    for reply in replies {
        let tells_client = !whole.iter().any(|stage| stage.client == reply.client);
        // they tell nothing new where a stage has their server; of another one they tell what its client dialled
        let known = whole.iter_mut().find(|stage| stage.server == reply.server && is_among(stage, &reply));
        if let Some(stage) = known {
            if tells_client && reply.trace.hops_dst.high <= stage.trace.hops_dst.low {
                stage.client = reply.client;
            }
            stage.take_stage(reply);
            continue;
        }
        match whole.iter_mut().find(|stage| stage.client == reply.client && may_be_of(stage, &reply)) {
            Some(stage) => take_replies(stage, reply, directory),
            None => whole.push(reply),
        }
    }
    whole.append(&mut requests);
    whole
}

/// Whether replies of another server may be those of a connection. Two servers of a made-up capture count from one number, and
/// answer from one distance.
fn may_be_of(stage: &Connection, reply: &Connection) -> bool {
    let are_chosen = is_chosen(stage.trace.identity) && is_chosen(reply.trace.answer);
    let is_alike = are_chosen && stage.trace.hops_dst == reply.trace.hops_dst;
    is_among(stage, reply) && !is_alike
}

/// Whether replies came while a connection lasted.
fn is_among(stage: &Connection, reply: &Connection) -> bool {
    let apart_s = stage.span.first.seconds_since(reply.span.first);
    apart_s <= TRANSIT_ON_HOST_S && overlap(stage.span, reply.span)
}

fn take_replies(stage: &mut Connection, reply: Connection, directory: &Directory) {
    let is_before = stage.via.is_none() && is_before_translation(stage, &reply, directory);
    if reply.server != stage.server && stage.via.is_none() {
        stage.via = Some(if is_before { stage.server } else { reply.server });
    }
    if is_before {
        stage.server = reply.server;
    }
    stage.client = reply.client;
    stage.take_stage(reply);
}

/// Whether replies name the true server, and the requests what was dialled: a mirror of what comes in shows both before their
/// translation. By the hop limits, where the stage's own replies had come further; without them a bridge shows the same, which has
/// both after their translation, and only the inventory tells.
fn is_before_translation(stage: &Connection, reply: &Connection, directory: &Directory) -> bool {
    let (own, its) = (stage.trace.hops_dst, reply.trace.hops_dst);
    let is_dialled = || is_service(directory, stage) && is_backend(directory, stage, reply);
    if own.is_none() { is_dialled() } else { its.low > own.high }
}

fn is_service(directory: &Directory, connection: &Connection) -> bool {
    let (address, port) = connection.server;
    directory.service_over(address, connection.protocol, port, connection.span).is_some()
}

/// Takes a stage further on into `whole`: its server is the truer one.
fn absorb(whole: &mut Connection, stage: Connection) {
    if whole.server != stage.server && whole.via.is_none() {
        whole.via = Some(whole.server);
    }
    whole.server = stage.server;
    whole.source = Some(stage.client.0).filter(|source| *source != whole.client.0);
    whole.take_stage(stage);
}

/// Joins what was dialled at a Service with the sighting of the same client at one of its pods.
fn join_services(connections: Vec<Connection>, directory: &Directory) -> Vec<Connection> {
    let (dialled, mut rest): (Vec<_>, Vec<_>) = connections
        .into_iter()
        .partition(|connection| connection.direction != Direction::Unknown && is_service(directory, connection));
    let mut by_client: BTreeMap<(Protocol, End), Vec<usize>> = BTreeMap::new();
    for (n, connection) in rest.iter().enumerate() {
        by_client.entry((connection.protocol, connection.client)).or_default().push(n);
    }
    for connection in dialled {
        let candidates = by_client.get(&(connection.protocol, connection.client)).into_iter().flatten();
        let found = candidates.copied().find(|n| {
            let other = &rest[*n];
            overlap(connection.span, other.span) && is_backend(directory, &connection, other)
        });
        let Some(found) = found else {
            rest.push(connection);
            continue;
        };
        let server = rest[found].server;
        let mut whole = connection;
        std::mem::swap(&mut whole, &mut rest[found]);
        let behind = Connection { server, ..whole };
        absorb(&mut rest[found], behind);
    }
    rest
}

fn overlap(a: Span, b: Span) -> bool {
    a.first.seconds_since(b.last) <= TRANSIT_S && b.first.seconds_since(a.last) <= TRANSIT_S
}

fn is_backend(directory: &Directory, dialled: &Connection, reached: &Connection) -> bool {
    let Connection { protocol, server: (address, port), span, .. } = *dialled;
    directory
        .service_over(address, protocol, port, span)
        .is_some_and(|(service, port)| directory.targets_over(service, port, span).contains(&reached.server))
}
