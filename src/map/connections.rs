//! Sightings to connections: the traces of all observations that belong together.

use std::{borrow::Cow, cell::LazyCell, cmp::Ordering, collections::BTreeSet, hash::BuildHasher, net::IpAddr};

use foldhash::{HashMap, fast::FixedState};

use super::{exchanges, hours::Hours, parts::join_parts, runs, samples::Samples, volume::Volume};
use crate::model::{
    Direction, Flags, Hour, Observation, ObservationKey, Opening, Order, Outcome, Protocol, Record, Recording, Span,
    Timestamp, Trace, VlanStack,
};

/// An address with a port.
pub(super) type End = (IpAddr, u16);

/// One connection, from all its sightings.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub protocol: Protocol,
    pub client: End,
    pub server: End,
    /// How client and server were told apart; until [`super::direction`] has decided, [`Direction::Unknown`].
    pub direction: Direction,
    /// What was seen, over all hours, but for what was sent. `src` is the client.
    pub trace: Trace,
    /// What records of each way say, where other sightings of it say more: see [`super::ways`].
    pub ways: Flags,
    pub from_client: Volume,
    pub from_server: Volume,
    pub span: Span,
    /// What the client dialled, where that was another end.
    pub via: Option<End>,
    /// The client's address as the server saw it, where that was another one.
    pub source: Option<IpAddr>,
    pub vlans: BTreeSet<VlanStack>,
    pub tunnels: BTreeSet<String>,
    /// How many connections it stands for: more than one where an observation held only a sample.
    pub weight: f64,
    /// Hours it was seen in.
    pub hours: Hours,
    /// Whether all of it is an answer that its client did not ask for: see [`super::unasked`].
    pub is_unasked: bool,
}

impl Connection {
    pub fn outcome(&self) -> Outcome {
        const FIN_SENT: u32 = 2;
        let flags = self.trace.flags;
        let spoke = self.spoke();
        let has_one = |side, disowned| spoke.has(side) || flags.has(disowned);
        let has_both = has_one(Flags::FROM_SRC, Flags::DISOWNED) && has_one(Flags::FROM_DST, Flags::DST_DISOWNED);
        let is_refused = self.is_refused();
        // a client that sends data, acknowledges or ends its stream has had an answer, also where that was not captured; a reset alone
        // is what half-open scans send
        let has_ended = self.trace.src_end.wrapping_sub(self.trace.identity) == FIN_SENT;
        let is_reset = is_refused || flags.has(Flags::CLOSED) && !has_ended;
        let went_on = flags.has(Flags::FROM_SRC) && (flags.has(Flags::PAYLOAD) || !is_reset);
        let is_answered = went_on || self.is_answered_by_ways(is_reset);
        let is_open = flags.has(Flags::AGREED) || flags.has(Flags::ASKED) && is_answered;
        let is_disowned = || self.trace.disowned() == Some(false) && !self.is_in_use_by_ways();
        let is_attempt = flags.has(Flags::LITTLE) && self.is_too_little();
        match self.protocol {
            // whoever answered, nobody took it
            _ if self.is_unasked => Outcome::Unanswered,
            Protocol::TCP | Protocol::SCTP if is_open => Outcome::Established,
            Protocol::TCP | Protocol::SCTP if is_refused => Outcome::Refused,
            Protocol::TCP | Protocol::SCTP if flags.has(Flags::ASKED) || is_attempt => Outcome::Unanswered,
            Protocol::TCP if is_disowned() => Outcome::Refused,
            // that a log does not say who opened it does not make it one that was met in its middle
            Protocol::TCP | Protocol::SCTP if has_both && flags.has(Flags::UNTOLD) => Outcome::Established,
            Protocol::TCP | Protocol::SCTP if has_both => Outcome::Midstream,
            Protocol::TCP | Protocol::SCTP => Outcome::Oneway,
            _ if has_both => Outcome::Established,
            // an answer, of which the question was not captured
            _ if flags.has(Flags::FROM_DST) && flags.has(Flags::ASKS) => Outcome::Established,
            _ if flags.has(Flags::REFUSED) => Outcome::Refused,
            // see `pings`
            Protocol::ICMP | Protocol::ICMPV6 if flags.has(Flags::ASKED) => Outcome::Unanswered,
            _ => Outcome::Oneway,
        }
    }

    /// Whether it is an attempt of which a flow log tells who sent the packets, and not who tried.
    pub fn is_attempt_of_unknown(&self) -> bool {
        self.trace.flags.has(Flags::UNTOLD) && matches!(self.outcome(), Outcome::Refused | Outcome::Unanswered)
    }

    /// Whether all that the client did was to say that it knows of no such connection, and whether the server did: then it was
    /// somebody's who had the address before, or is long over.
    pub fn is_disowned(&self) -> (bool, bool) {
        let flags = self.trace.flags;
        let is_open = flags.has_any(Flags::ASKED.with(Flags::AGREED));
        let spoke = self.spoke();
        let is_all = |disowned, side| !is_open && flags.has(disowned) && !spoke.has(side);
        (is_all(Flags::DISOWNED, Flags::FROM_SRC), is_all(Flags::DST_DISOWNED, Flags::FROM_DST))
    }

    /// Whether all that is known of it are records of flow logs.
    pub fn is_of_records(&self) -> bool {
        let has_packets = self.from_client.has_packets() || self.from_server.has_packets();
        self.trace.lump.is_record() && !has_packets
    }

    /// When to ask who its ends were: a record that names no time is about those who are there now.
    pub fn moment(&self) -> Span {
        const NOW: Timestamp = Timestamp(i64::MAX / 2);
        if self.is_timed() { self.span } else { Span::at(NOW) }
    }

    /// Whether it names a time.
    pub fn is_timed(&self) -> bool {
        self.span.last.hour().is_named()
    }

    /// Where it stands among others.
    pub fn place(&self) -> (Protocol, End, End, Timestamp, u32) {
        (self.protocol, self.client, self.server, self.span.first, self.trace.identity)
    }

    /// How many connections it counts for.
    pub fn count(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of connections stay far below 2^52")]
        let in_record = self.trace.lump.connections.max(1) as f64;
        self.weight * in_record
    }

    /// Whether not all of its packets were counted: a log that tells of packets one by one, and of no bytes, leaves most out.
    pub fn packets_are_least(&self) -> bool {
        let sides = [&self.from_client, &self.from_server];
        let has = |count: fn(&Volume) -> u64| sides.into_iter().any(|side| count(side) > 0);
        !self.trace.lump.is_record() && has(Volume::most_packets) && !has(Volume::most_bytes)
    }

    /// Exchanges client and server.
    pub fn turn(&mut self) {
        self.trace = std::mem::take(&mut self.trace).turned(self.server.1);
        self.ways = self.ways.turned().without(Flags::SRC_FIRST);
        std::mem::swap(&mut self.from_client, &mut self.from_server);
        std::mem::swap(&mut self.client, &mut self.server);
    }
}

/// What sightings of one connection share. Unopened ones are laid from the lower end to the higher.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub protocol: Protocol,
    pub opening: Opening,
    pub src: End,
    pub dst: End,
    identity: u32,
    /// The other side's number, of a sighting of that side alone.
    answer: u32,
    /// Of a sighting without any number its tags and tunnels, hashed: nothing says that it is the one of another network.
    network: u64,
}

/// The sightings of one connection.
#[derive(Default)]
struct Sightings {
    /// Each with its hour.
    traces: Vec<(Hour, Trace)>,
    from_src: Volume,
    from_dst: Volume,
    vlans: BTreeSet<VlanStack>,
    tunnels: BTreeSet<String>,
    weight: f64,
}

impl Sightings {
    fn add(&mut self, run: usize, hour: Hour, mut trace: Trace) {
        self.from_src.add(run, &std::mem::take(&mut trace.from_src));
        self.from_dst.add(run, &std::mem::take(&mut trace.from_dst));
        if self.traces.is_empty() {
            // most connections are seen once
            self.traces.reserve_exact(1);
        }
        self.traces.push((hour, trace));
    }

    /// The connection as seen from its other end, whose port this is.
    fn turned(self, src_port: u16) -> Self {
        Self {
            traces: self.traces.into_iter().map(|(hour, trace)| (hour, trace.turned(src_port))).collect(),
            from_src: self.from_dst,
            from_dst: self.from_src,
            ..self
        }
    }

    /// Takes in others of the same connection.
    fn extend(&mut self, other: Self) {
        self.traces.extend(other.traces);
        self.from_src.extend(other.from_src);
        self.from_dst.extend(other.from_dst);
        self.vlans.extend(other.vlans);
        self.tunnels.extend(other.tunnels);
        // as with sightings of one key, see `gather`
        self.weight = self.weight.min(other.weight);
    }
}

/// Joins the traces of all recordings into connections, in an order that the recordings' own does not change.
pub(super) fn join(recordings: &[Recording]) -> Vec<Connection> {
    exchanges::join(join_parts(by_key(recordings)), &runs(recordings))
}

/// A connection for each key, in their order.
pub(super) fn by_key(recordings: &[Recording]) -> Vec<(Key, Connection)> {
    let samples = Samples::of(recordings);
    let mut sightings: HashMap<Key, Sightings> = HashMap::default();
    for (run, recording) in recordings.iter().enumerate() {
        recording.observations.iter().for_each(|observation| gather(run, observation, &samples, &mut sightings));
    }
    lay_to_openings(&mut sightings);
    let mut sightings: Vec<_> = sightings.into_iter().collect();
    sightings.sort_unstable_by_key(|(key, _)| *key);
    sightings.into_iter().map(|(key, seen)| (key, connection(&key, seen))).collect()
}

/// The connection that records with equal ends and one number tell of.
pub(super) fn of_records(addresses: &[IpAddr], rows: &[Record]) -> Option<Connection> {
    let first = rows.first()?;
    let end = |number: u32, port| addresses.get(number as usize).map(|address| (*address, port));
    let (src, dst) = (end(first.client, 0)?, end(first.server, first.port)?);
    let key = Key {
        protocol: first.protocol,
        opening: Opening::Seen,
        src,
        dst,
        identity: first.identity,
        answer: 0,
        network: 0,
    };
    let mut seen = Sightings { weight: 1.0, traces: Vec::with_capacity(rows.len()), ..Sightings::default() };
    for row in rows {
        seen.add(row.run as usize, row.hour, row.trace());
    }
    Some(connection(&key, seen))
}

fn gather(run: usize, observation: &Observation, samples: &Samples, sightings: &mut HashMap<Key, Sightings>) {
    let key = &observation.key;
    let network = LazyCell::new(|| FixedState::default().hash_one((network(key), &key.tunnels)));
    let sample = samples.sample(observation);
    for trace in observation.traces.iter() {
        let Some(weight) = sample.weight(trace) else { continue };
        let (key, trace) = laid(observation, trace, &|| *network);
        let seen = sightings.entry(key).or_default();
        seen.add(run, observation.key.hour, trace);
        seen.vlans.extend(observation.key.vlan_stacks());
        seen.tunnels.extend(tunnels(&observation.key));
        // it is here if any of its sightings is in its sample, so it stands for as few as the deepest of them says
        seen.weight = if seen.weight > 0.0 { seen.weight.min(weight) } else { weight };
    }
}

/// Lays streams that go by their ends alone, as in logs that tell of packets, to the opening between the same ends: it may stand in
/// another file than what followed.
fn lay_to_openings(sightings: &mut HashMap<Key, Sightings>) {
    let is_blind = |key: &&Key| key.opening == Opening::Unseen && (key.identity, key.answer) == (0, 0);
    let open: Vec<Key> = sightings.keys().filter(is_blind).filter(|key| key.protocol.is_stream()).copied().collect();
    for key in open {
        let forth = Key { opening: Opening::Seen, ..key };
        let back = Key { src: key.dst, dst: key.src, ..forth };
        let opened = match (sightings.contains_key(&forth), sightings.contains_key(&back)) {
            (true, false) => forth,
            (false, true) => back,
            _ => continue,
        };
        let Some(part) = sightings.remove(&key) else { continue };
        let part = if opened == back { part.turned(key.dst.1) } else { part };
        if let Some(whole) = sightings.get_mut(&opened) {
            whole.extend(part);
        }
    }
}

/// The tunnels of an observation's key.
fn tunnels(key: &ObservationKey) -> impl Iterator<Item = String> {
    key.tunnels.split(',').filter(|stack| !stack.is_empty()).map(str::to_owned)
}

/// What of the VLANs of an observation's key tells a network.
fn network(key: &ObservationKey) -> Cow<'_, str> {
    if key.vlan_stacks().all(|stack| stack.without_priority_tags() == stack) {
        return key.vlans.as_str().into();
    }
    networks(key.vlan_stacks()).iter().map(VlanStack::to_string).collect::<Vec<_>>().join(",").into()
}

/// The networks that stacks of VLANs are; none is that of frames without tags.
fn networks(stacks: impl Iterator<Item = VlanStack>) -> BTreeSet<VlanStack> {
    stacks.map(VlanStack::without_priority_tags).filter(|stack| !stack.is_empty()).collect()
}

fn laid(observation: &Observation, trace: &Trace, network: &dyn Fn() -> u64) -> (Key, Trace) {
    let at = &observation.key;
    let (src, dst) = ((at.src, trace.src_port), (at.dst, at.dst_port));
    let is_turned = at.opening == Opening::Unseen && dst < src;
    let (src, dst) = if is_turned { (dst, src) } else { (src, dst) };
    let trace = if is_turned { trace.clone().turned(src.1) } else { trace.clone() };
    let identity = trace.identity;
    let answer = if identity == 0 { trace.answer } else { 0 };
    let network = if (identity, answer) == (0, 0) { network() } else { 0 };
    (Key { protocol: at.protocol, opening: at.opening, src, dst, identity, answer, network }, trace)
}

fn connection(key: &Key, seen: Sightings) -> Connection {
    let by_hour = by_hour(seen.traces);
    let at = |(hour, trace): &(Hour, Trace)| Span { first: hour.at(trace.first), last: hour.at(trace.last) };
    let mut span = by_hour.first().map_or(Span::at(Hour(0).start()), at);
    let mut hours = Hours::default();
    for entry in &by_hour {
        span.join(at(entry));
        hours.add(entry.0);
    }
    let mut by_hour = by_hour.into_iter().map(|(_, trace)| trace);
    let mut trace = by_hour.next().unwrap_or_default();
    for later in by_hour {
        let first = trace.first;
        trace.join_of_any_hour(&later, Order { is_begun_before: false, ended: Ordering::Greater });
        // the span is what counts
        trace.first = first;
    }
    let direction = if key.opening == Opening::Seen { Direction::Handshake } else { Direction::Unknown };
    // a record that counts more hours than it names has them among those that have no name
    let uncounted = trace.lump.hours.saturating_sub(u32::try_from(hours.named()).unwrap_or(u32::MAX));
    hours.add_unnamed(uncounted);
    let is_record = trace.lump.is_record();
    let is_of_way = trace.flags.has(Flags::UNTOLD);
    let of = |volume: Volume| if is_record { volume.of_record(is_of_way) } else { volume };
    let (from_client, from_server) = (of(seen.from_src), of(seen.from_dst));
    if is_record {
        // it tells records apart, and is no number that packets had
        (trace.identity, trace.answer) = (0, 0);
    }
    Connection {
        protocol: key.protocol,
        client: key.src,
        server: key.dst,
        direction,
        trace,
        ways: Flags::default(),
        from_client,
        from_server,
        span,
        via: None,
        source: None,
        vlans: seen.vlans,
        tunnels: seen.tunnels,
        weight: seen.weight,
        hours,
        is_unasked: false,
    }
}

/// One trace of all sightings within each hour, whatever their order.
fn by_hour(mut traces: Vec<(Hour, Trace)>) -> Vec<(Hour, Trace)> {
    if traces.len() < 2 {
        return traces;
    }
    traces.sort_unstable_by(|(a_hour, a), (b_hour, b)| (a_hour, a.first, a).cmp(&(b_hour, b.first, b)));
    let mut whole: Vec<(Hour, Trace)> = Vec::new();
    for (hour, trace) in traces {
        match whole.last_mut().filter(|(known, _)| *known == hour) {
            Some((_, known)) => known.join(&trace),
            None => whole.push((hour, trace)),
        }
    }
    whole
}

impl Connection {
    /// Takes in what was seen of it elsewhere, by the numbers that it goes by here.
    pub fn take_part(&mut self, mut part: Connection) {
        let are_apart = self.set_ways_apart(&mut part);
        self.join_ways(part.ways);
        let Trace { identity, answer, .. } = self.trace;
        let refused = self.trace.flags.with(part.trace.flags).among(Flags::REFUSED);
        self.trace.join_of_any_hour(&part.trace, Order::of(part.span, self.span));
        if are_apart {
            // records of each way, which may end later, do not tell who was refused
            self.trace.flags.add(refused);
        }
        let identity = if identity == 0 { part.trace.identity } else { identity };
        let answer = if answer == 0 { part.trace.answer } else { answer };
        (self.trace.identity, self.trace.answer) = (identity, answer);
        let (from_client, from_server) = self.extend(part);
        self.from_client.extend(from_client);
        self.from_server.extend(from_server);
    }

    /// Takes in what was seen of it under other addresses, nearer to the server or of the other side alone.
    pub fn take_stage(&mut self, stage: Connection) {
        self.trace.join_of_any_hour(&stage.trace, Order::of(stage.span, self.span));
        self.join_ways(stage.ways);
        self.direction = self.direction.min(stage.direction);
        let (from_client, from_server) = self.extend(stage);
        self.from_client.extend_with_stage(from_client);
        self.from_server.extend_with_stage(from_server);
    }

    /// Whether one run saw some of both.
    pub fn shares_run_with(&self, other: &Connection) -> bool {
        !self.runs().is_disjoint(&other.runs())
    }

    /// Whether the same runs saw both: when they were is told by the same clocks.
    pub fn is_of_the_runs_of(&self, other: &Connection) -> bool {
        self.runs() == other.runs()
    }

    /// The runs that saw some of it.
    pub fn runs(&self) -> BTreeSet<usize> {
        self.from_client.runs().chain(self.from_server.runs()).collect()
    }

    /// Takes over when and where another sighting was, and hands back what it saw.
    fn extend(&mut self, other: Connection) -> (Volume, Volume) {
        self.span.join(other.span);
        // as with sightings of one key, see `gather`
        self.weight = self.weight.min(other.weight);
        self.vlans.extend(other.vlans);
        self.tunnels.extend(other.tunnels);
        self.hours.join(&other.hours);
        (other.from_client, other.from_server)
    }
}

/// Whether tags and tunnels allow that two sightings were in one network. Where one capture saw none at all, as on a
/// bridge behind a tunnel, it says nothing against those that another saw.
pub(super) fn is_same_network(before: &Connection, next: &Connection) -> bool {
    let is_other_capture = !before.shares_run_with(next);
    let networks = |of: &Connection| networks(of.vlans.iter().copied());
    is_compatible(is_other_capture, &networks(before), &networks(next))
        && is_compatible(is_other_capture, &before.tunnels, &next.tunnels)
}

fn is_compatible<T: Ord>(is_other_capture: bool, a: &BTreeSet<T>, b: &BTreeSet<T>) -> bool {
    a == b || !a.is_disjoint(b) || is_other_capture && (a.is_empty() || b.is_empty())
}
