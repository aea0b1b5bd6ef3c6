//! Sightings to connections: the traces of all observations that belong together.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use foldhash::HashMap;

use crate::model::{Direction, Flags, Hour, Observation, Opening, Outcome, Protocol, Span, Trace, Via};

/// An address with a port.
pub(super) type End = (IpAddr, u16);

/// Silence after which datagrams between equal ends are a new exchange, in seconds; as when they were captured.
const DATAGRAM_IDLE_S: f64 = 60.0;

/// One connection, from all its sightings.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub protocol: Protocol,
    pub client: End,
    pub server: End,
    /// How client and server were told apart; until [`super::direction`] has decided, [`Direction::Unknown`].
    pub direction: Direction,
    /// What was seen, over all hours. `src` is the client.
    pub trace: Trace,
    pub span: Span,
    /// What the client dialled, where that was another end.
    pub via: Option<Via>,
    pub vlans: BTreeSet<String>,
    /// How many connections it stands for: more than one where an observation held only a sample.
    pub weight: f64,
    /// Hours it was seen in.
    pub hours: BTreeSet<Hour>,
}

impl Connection {
    pub fn outcome(&self) -> Outcome {
        let flags = self.trace.flags;
        let has_both = flags.has(Flags::FROM_SRC) && flags.has(Flags::FROM_DST);
        // a client that sends data has had an answer, also where that was not captured
        let is_open = flags.has(Flags::AGREED)
            || flags.has(Flags::ASKED) && flags.has(Flags::FROM_SRC) && flags.has(Flags::PAYLOAD);
        match self.protocol {
            Protocol::TCP | Protocol::SCTP if is_open => Outcome::Established,
            Protocol::TCP | Protocol::SCTP if flags.has(Flags::REFUSED) => Outcome::Refused,
            Protocol::TCP | Protocol::SCTP if flags.has(Flags::ASKED) => Outcome::Unanswered,
            Protocol::TCP | Protocol::SCTP if has_both => Outcome::Midstream,
            Protocol::TCP | Protocol::SCTP => Outcome::Oneway,
            _ if has_both => Outcome::Established,
            _ if flags.has(Flags::REFUSED) => Outcome::Refused,
            _ => Outcome::Oneway,
        }
    }

    /// The same with client and server exchanged.
    pub fn turn(&mut self) {
        self.trace = self.trace.turned(self.server.1);
        std::mem::swap(&mut self.client, &mut self.server);
    }
}

/// What sightings of one connection share. Unopened ones are laid from the lower end to the higher.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    protocol: Protocol,
    opening: Opening,
    src: End,
    dst: End,
    identity: u32,
}

/// The sightings of one connection, by hour: within an hour the fullest counts, the hours add up.
#[derive(Default)]
struct Sightings {
    hours: BTreeMap<Hour, Trace>,
    vlans: BTreeSet<String>,
    weight: f64,
}

/// Joins the traces of all observations into connections, in an order that the observations' own does not change.
pub(super) fn join(observations: &[Observation]) -> Vec<Connection> {
    let mut sightings: HashMap<Key, Sightings> = HashMap::default();
    for observation in observations {
        let held = observation.traces.iter().count().max(1);
        #[expect(clippy::cast_precision_loss, reason = "counts of connections stay far below 2^52")]
        let weight = observation.traces.total() as f64 / held as f64;
        for trace in observation.traces.iter() {
            let (key, trace) = laid(observation, trace);
            let seen = sightings.entry(key).or_default();
            seen.hours.entry(observation.key.hour).and_modify(|known| known.merge(&trace)).or_insert(trace);
            seen.vlans.extend(observation.key.vlans.split(',').filter(|stack| !stack.is_empty()).map(str::to_owned));
            seen.weight = seen.weight.max(weight);
        }
    }
    let mut sightings: Vec<_> = sightings.into_iter().collect();
    sightings.sort_unstable_by_key(|(key, _)| *key);
    let connections = sightings.into_iter().map(|(key, seen)| (key, connection(&key, seen))).collect();
    join_exchanges(join_parts(connections))
}

fn laid(observation: &Observation, trace: &Trace) -> (Key, Trace) {
    let at = &observation.key;
    let (src, dst) = ((at.src, trace.src_port), (at.dst, at.dst_port));
    let is_turned = at.opening == Opening::Open && dst < src;
    let (src, dst) = if is_turned { (dst, src) } else { (src, dst) };
    let trace = if is_turned { trace.turned(src.1) } else { *trace };
    (Key { protocol: at.protocol, opening: at.opening, src, dst, identity: trace.identity }, trace)
}

fn connection(key: &Key, seen: Sightings) -> Connection {
    let mut hours = seen.hours.iter();
    let mut trace = hours.next().map(|(_, trace)| *trace).unwrap_or_default();
    for (_, later) in hours {
        let first = trace.first;
        trace.append(later);
        // offsets of different hours do not compare; the span below is what counts
        trace.first = first;
    }
    let at = |(hour, trace): (&Hour, &Trace)| Span { first: hour.at(trace.first), last: hour.at(trace.last) };
    let mut span = seen.hours.first_key_value().map_or(Span { first: Hour(0).start(), last: Hour(0).start() }, at);
    seen.hours.iter().for_each(|entry| span.join(at(entry)));
    let direction = if key.opening == Opening::Seen { Direction::Handshake } else { Direction::Unknown };
    Connection {
        protocol: key.protocol,
        client: key.src,
        server: key.dst,
        direction,
        trace,
        span,
        via: None,
        vlans: seen.vlans,
        weight: seen.weight,
        hours: seen.hours.into_keys().collect(),
    }
}

/// Joins what was captured from the middle on with the opening that another capture saw.
fn join_parts(connections: Vec<(Key, Connection)>) -> Vec<Connection> {
    let mut opened: HashMap<(Protocol, End, End), Vec<usize>> = HashMap::default();
    let mut joined: Vec<Connection> = Vec::with_capacity(connections.len());
    let (seen, open): (Vec<_>, Vec<_>) = connections.into_iter().partition(|(key, _)| key.opening == Opening::Seen);
    for (key, connection) in seen {
        let (low, high) = if key.src <= key.dst { (key.src, key.dst) } else { (key.dst, key.src) };
        opened.entry((key.protocol, low, high)).or_default().push(joined.len());
        joined.push(connection);
    }
    for (key, mut part) in open {
        let candidates = opened.get(&(key.protocol, key.src, key.dst)).into_iter().flatten();
        let began_before = candidates.filter(|n| joined[**n].span.first <= part.span.last);
        let Some(&opening) = began_before.max_by_key(|n| joined[**n].span.first) else {
            joined.push(part);
            continue;
        };
        let whole = &mut joined[opening];
        if whole.client != part.client {
            part.turn();
        }
        let identity = whole.trace.identity;
        let is_apart = whole.hours.is_disjoint(&part.hours);
        if is_apart {
            whole.trace.append(&part.trace);
        } else {
            whole.trace.merge(&part.trace);
        }
        whole.trace.identity = identity;
        whole.span.join(part.span);
        whole.vlans.extend(part.vlans);
        whole.hours.extend(part.hours);
    }
    joined
}

/// Joins what two captures saw of one exchange of datagrams: where one began in the middle, it knows it by another number.
fn join_exchanges(connections: Vec<Connection>) -> Vec<Connection> {
    let (mut joined, mut datagrams): (Vec<_>, Vec<_>) =
        connections.into_iter().partition(|connection| is_stream(connection.protocol));
    datagrams.sort_by_key(|c| (c.protocol, c.client, c.server, c.span.first, c.trace.identity));
    for connection in datagrams {
        let before = joined.last_mut().filter(|before| {
            (before.protocol, before.client, before.server)
                == (connection.protocol, connection.client, connection.server)
                && connection.span.first.seconds_since(before.span.last) <= DATAGRAM_IDLE_S
        });
        let Some(before) = before else {
            joined.push(connection);
            continue;
        };
        before.trace.merge(&connection.trace);
        before.span.join(connection.span);
        before.vlans.extend(connection.vlans);
        before.hours.extend(connection.hours);
    }
    joined
}

fn is_stream(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::TCP | Protocol::SCTP)
}
