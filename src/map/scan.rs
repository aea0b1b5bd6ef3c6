//! Sweeps: sources whose first contacts fail too often to be an application.
//!
//! Sequential hypothesis testing over first contacts (Jung, Paxson, Berger, Balakrishnan, "Fast Portscan Detection Using
//! Sequential Hypothesis Testing", IEEE S&P 2004), with breadth besides. A verdict on a source marks the connections of
//! its sweeps alone - the attempts that failed and the contacts made among them that carried nothing, or reached
//! what the source never meets elsewhere; its normal dependencies stay as they are. A client that waits for servers which
//! are away fails as often, but at the same ends: its later attempts at them are no sweep. A monitor's are none however
//! far apart its rounds are: see [`polled`].

mod polled;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
    net::IpAddr,
};

use foldhash::{HashMap, HashSet};

use super::{
    connections::{Connection, End},
    datagrams::{self, Sent},
    pings,
    volume::Volume,
};
use crate::model::{Direction, Flags, Outcome, Protocol, Span, Timestamp};

/// Chance that a first contact of an application succeeds.
const SUCCESS_OF_BENIGN: f64 = 0.8;
/// Chance that a first contact of a scanner succeeds.
const SUCCESS_OF_SCANNER: f64 = 0.2;
/// Accepted chances to accuse an application, and to miss a scanner.
const FALSE_ALARM: f64 = 1e-5;
const MISS: f64 = 0.01;
/// Fewer failed targets are an application that is misconfigured.
const MIN_FAILED_TARGETS: usize = 8;
/// Attempts of one sweep follow each other within this time, in seconds.
const SWEEP_GAP_S: f64 = 10.0;
/// A scanner tries one end a few times within this time, in seconds, and goes on to the next.
const SAME_END_S: f64 = 60.0;
/// Who tries one end in vain again and again, each time within so many seconds, waits for it: clients that poll and that connect
/// anew do, and scanners come back after hours.
const RETRY_S: f64 = 120.0;
/// What is in use for so many seconds while nothing is swept is no part of a sweep.
const IN_USE_S: f64 = 60.0;
/// Packets one way of a connection that is in use: what a scanner leaves open, a server closes after a minute or two.
const MIN_PACKETS_IN_USE: u64 = 10;
/// Who fails at so many ports of one host tries ports, and does not wait for servers.
const PORTS_OF_SWEEP: usize = 5;

/// Segments without data are of a stream where as many came.
const MIN_SUSTAINED_PACKETS: u64 = 3;

/// Bytes of data each way that no probe exchanges.
const MIN_BYTES_IN_USE: u64 = 32 * 1024;

/// A first contact, or another connection of a source.
struct Attempt<'c> {
    /// Its place among all connections.
    n: usize,
    connection: &'c Connection,
    fate: Fate,
}

/// Whether a source failed at many ports of one host, beside those that it comes back to round by round: a monitor asks several
/// services of a host that is away.
fn tries_ports(attempts: &[Attempt<'_>], polled: &HashSet<End>) -> bool {
    let mut failed: HashMap<IpAddr, HashSet<(Protocol, u16)>> = HashMap::default();
    let is_tried = |attempt: &&Attempt| attempt.is_failed() && !polled.contains(&attempt.connection.server);
    attempts.iter().filter(is_tried).any(|attempt| {
        let (host, port) = attempt.connection.server;
        let ports = failed.entry(host).or_default();
        ports.insert((attempt.connection.protocol, port));
        ports.len() >= PORTS_OF_SWEEP
    })
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Met,
    Failed,
    /// Nothing tells: it speaks neither for nor against its source.
    Untold,
}

impl Attempt<'_> {
    fn is_failed(&self) -> bool {
        self.fate == Fate::Failed
    }
}

/// The connections, by their index, that are part of a sweep.
pub(super) fn find(connections: &[Connection]) -> BTreeSet<usize> {
    let sent = datagrams::unanswered(connections);
    let senders = senders(connections);
    let fate = |connection: &Connection, sent: Option<Sent>| {
        let is_forged =
            connection.outcome() == Outcome::Refused && !is_sent(connection) && senders.contains(&connection.client.0);
        if is_forged || connection.is_unasked { None } else { fate(connection, sent) }
    };
    let mut scans = BTreeSet::new();
    for attempts in by_source(connections, &sent, fate).values().filter(|attempts| is_scanner(attempts)) {
        scans.extend(sweeps(attempts));
    }
    for fate in [fate_of_datagrams, fate_of_pings] {
        for attempts in by_source(connections, &sent, fate).values().filter(|attempts| is_scanner(attempts)) {
            scans.extend(sweeps_of_datagrams(attempts));
        }
    }
    scans
}

/// Addresses of which something was captured that they sent. What refuses one of them what it did not send tells nothing of
/// it: anybody can forge that, and answers to what others forged come too.
fn senders(connections: &[Connection]) -> HashSet<IpAddr> {
    let answers = |connection: &Connection| {
        let flags = connection.trace.flags;
        flags.has(Flags::FROM_DST) || flags.has(Flags::AGREED)
    };
    let clients = connections.iter().filter(|it| is_sent(it)).map(|it| it.client.0);
    clients.chain(connections.iter().filter(|it| answers(it)).map(|it| it.server.0)).collect()
}

/// Whether anything of the client was seen.
fn is_sent(connection: &Connection) -> bool {
    let flags = connection.trace.flags;
    flags.has(Flags::ASKED) || flags.has(Flags::FROM_SRC) || connection.from_client.most_packets() > 0
}

/// The attempts of each source, in the order of time.
fn by_source<'c>(
    connections: &'c [Connection],
    sent: &HashMap<(IpAddr, End), Sent>,
    fate: impl Fn(&Connection, Option<Sent>) -> Option<Fate>,
) -> BTreeMap<IpAddr, Vec<Attempt<'c>>> {
    let mut by_source: BTreeMap<IpAddr, Vec<Attempt>> = BTreeMap::new();
    for (n, connection) in connections.iter().enumerate() {
        let sent = sent.get(&(connection.client.0, connection.server)).copied();
        if let Some(fate) = fate(connection, sent.filter(|_| connection.protocol == Protocol::UDP)) {
            by_source.entry(connection.client.0).or_default().push(Attempt { n, connection, fate });
        }
    }
    for attempts in by_source.values_mut() {
        attempts.sort_by_key(|attempt| (attempt.connection.span.first, attempt.connection.server));
    }
    by_source
}

/// What speaks for and against a source that scans by whatever means.
fn fate(connection: &Connection, sent: Option<Sent>) -> Option<Fate> {
    // records of each way tell by minutes what came among what, and of no handshake
    let is_attempt = connection.direction == Direction::Handshake && connection.protocol == Protocol::TCP;
    match connection.outcome() {
        // who asks whether hosts are there expects that some are not, and works with those that are
        Outcome::Unanswered if pings::is_icmp(connection) => None,
        Outcome::Refused | Outcome::Unanswered => Some(Fate::Failed),
        Outcome::Oneway if sent == Some(Sent::Stray) => Some(Fate::Failed),
        Outcome::Oneway if matches!(sent, Some(Sent::Tried | Sent::Either)) => Some(Fate::Untold),
        _ if is_attempt => Some(Fate::Met),
        _ if is_lone(connection) => Some(Fate::Untold),
        _ => None,
    }
}

/// What speaks for and against a source that scans by datagrams, among its datagrams alone. Those of one who waits for no
/// answer and tries several times are failures only here: programs that fall back to TCP try by datagrams first.
fn fate_of_datagrams(connection: &Connection, sent: Option<Sent>) -> Option<Fate> {
    match connection.outcome() {
        _ if connection.protocol != Protocol::UDP => None,
        Outcome::Established => Some(Fate::Met),
        Outcome::Refused => Some(Fate::Failed),
        _ => match sent? {
            Sent::Stray | Sent::Tried => Some(Fate::Failed),
            Sent::Either => Some(Fate::Untold),
            Sent::GoesOn => Some(Fate::Met),
        },
    }
}

/// What speaks for and against a source that asks which hosts there are, among its pings alone: who does goes on with those that
/// answer, and may do so for its work.
fn fate_of_pings(connection: &Connection, _: Option<Sent>) -> Option<Fate> {
    match connection.outcome() {
        _ if !pings::is_icmp(connection) => None,
        Outcome::Established => Some(Fate::Met),
        Outcome::Refused | Outcome::Unanswered => Some(Fate::Failed),
        _ => None,
    }
}

/// Whether a client sent something past an opening that carried nothing, and was not heard of again: it may be part of a sweep
/// of those that a firewall dropped, or of an idle connection of which one side was seen.
fn is_lone(connection: &Connection) -> bool {
    let has = |flag| connection.trace.flags.has(flag);
    // a record of several tells of none by itself
    let is_one = connection.trace.lump.connections <= 1;
    let is_empty = has(Flags::FROM_SRC) && !has(Flags::PAYLOAD) && is_one;
    // who acknowledges more receives something
    let is_little = connection.from_client.most_packets() < MIN_SUSTAINED_PACKETS;
    connection.protocol == Protocol::TCP && connection.outcome() == Outcome::Oneway && is_empty && is_little
}

/// Walks the source's first contacts until their likelihood ratio convicts it.
fn is_scanner(attempts: &[Attempt<'_>]) -> bool {
    if attempts.iter().filter(|attempt| attempt.is_failed()).count() < MIN_FAILED_TARGETS {
        return false;
    }
    let verdict = ((1.0 - MISS) / FALSE_ALARM).ln();
    let (mut contacted, mut failed): (HashSet<End>, usize) = (HashSet::default(), 0);
    let mut likelihood = 0.0f64;
    for attempt in attempts.iter().filter(|attempt| attempt.fate != Fate::Untold) {
        if !contacted.insert(attempt.connection.server) {
            continue;
        }
        likelihood += if attempt.is_failed() {
            failed += 1;
            ((1.0 - SUCCESS_OF_SCANNER) / (1.0 - SUCCESS_OF_BENIGN)).ln()
        } else {
            (SUCCESS_OF_SCANNER / SUCCESS_OF_BENIGN).ln()
        };
        // an application that has been well behaved for long is not thereby free to sweep: the walk begins anew
        likelihood = likelihood.max(0.0);
        if likelihood >= verdict && failed >= MIN_FAILED_TARGETS {
            return true;
        }
    }
    false
}

/// The connections of a scanner that belong to its sweeps.
fn sweeps(attempts: &[Attempt<'_>]) -> Vec<usize> {
    let began = |attempt: &Attempt| attempt.connection.span.first;
    let failures: Vec<Timestamp> = attempts.iter().filter(|attempt| attempt.is_failed()).map(began).collect();
    let swept = Swept::of(attempts, &failures);
    let is_swept = |attempt: &Attempt| is_near(&swept.failures, began(attempt));
    let is_elsewhere = |attempt: &Attempt| {
        let is_used = swept.is_outlasted_by(attempt.connection) || swept.is_much(attempt.connection);
        !attempt.is_failed() && (!is_swept(attempt) || is_used || swept.polled.contains(&attempt.connection.server))
    };
    let met_elsewhere: HashSet<End> =
        attempts.iter().filter(|attempt| is_elsewhere(attempt)).map(|attempt| attempt.connection.server).collect();
    let is_part = |attempt: &&Attempt| {
        let is_known = met_elsewhere.contains(&attempt.connection.server);
        attempt.is_failed()
            || is_swept(attempt) && !is_known
            || is_near(&failures, began(attempt)) && !has_asked(attempt.connection)
    };
    attempts.iter().filter(is_part).map(|attempt| attempt.n).collect()
}

/// The datagrams, or the pings, of a scanner that belong to its sweeps. What was answered does where the sweep went and met hardly anybody:
/// on a port that failed at many hosts, or at a host that failed on many ports. Names are asked of servers some of which are
/// away, and none of those that answer is a hit.
fn sweeps_of_datagrams(attempts: &[Attempt<'_>]) -> Vec<usize> {
    /// So many ends that failed for each that answered.
    const LEAST_FAILED_OF_SWEEP: usize = 2;
    let is_answered = |attempt: &Attempt| attempt.connection.outcome() == Outcome::Established;
    let failed: HashSet<End> = attempts.iter().filter(|it| it.is_failed()).map(|it| it.connection.server).collect();
    let answered: HashSet<End> = attempts.iter().filter(|it| is_answered(it)).map(|it| it.connection.server).collect();
    let by_port = |ends: &HashSet<End>| counted(ends.iter().map(|(_, port)| *port));
    let by_host = |ends: &HashSet<End>| counted(ends.iter().map(|(host, _)| *host));
    let (failed, answered) = ((by_port(&failed), by_host(&failed)), (by_port(&answered), by_host(&answered)));
    let is_swept =
        |failed: usize, answered: usize, least: usize| failed >= least && failed >= LEAST_FAILED_OF_SWEEP * answered;
    let is_swept_at = |(host, port): End| {
        let by_port = [&failed.0, &answered.0].map(|counts| counts.get(&port).copied().unwrap_or_default());
        let by_host = [&failed.1, &answered.1].map(|counts| counts.get(&host).copied().unwrap_or_default());
        is_swept(by_port[0], by_port[1], MIN_FAILED_TARGETS) || is_swept(by_host[0], by_host[1], PORTS_OF_SWEEP)
    };
    let swept: HashSet<usize> = sweeps(attempts).into_iter().collect();
    let is_part = |attempt: &&Attempt| {
        let Connection { from_client, from_server, server, .. } = attempt.connection;
        let is_little = from_client.most_packets().min(from_server.most_packets()) < MIN_PACKETS_IN_USE;
        let is_hit = || is_answered(attempt) && is_little && is_swept_at(*server);
        attempt.is_failed() || swept.contains(&attempt.n) && is_hit()
    };
    attempts.iter().filter(is_part).map(|attempt| attempt.n).collect()
}

/// How often each value occurs.
fn counted<T: Hash + Eq>(values: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::default();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts
}

/// Whether the client sent anything for the server to answer; a banner comes by itself. Records do not tell whose the bytes are.
fn has_asked(connection: &Connection) -> bool {
    /// Of the numbers of a stream the SYN and the FIN take one each.
    const WITHOUT_DATA: u32 = 2;
    let trace = &connection.trace;
    // what answers a datagram was asked for
    if !connection.protocol.is_stream() {
        return true;
    }
    let is_told = trace.identity != 0 && trace.src_end != 0;
    trace.flags.has(Flags::PAYLOAD) && (!is_told || trace.src_end.wrapping_sub(trace.identity) > WITHOUT_DATA)
}

/// Whether something failed about that time. Flow logs without times do not tell what came among the attempts that failed.
fn is_near(failures: &[Timestamp], time: Timestamp) -> bool {
    let next = failures.partition_point(|failure| *failure < time);
    let before = next.checked_sub(1).and_then(|n| failures.get(n));
    let near = |failure: &Timestamp| time.seconds_since(*failure).abs() <= SWEEP_GAP_S;
    time.hour().is_named() && (before.is_some_and(near) || failures.get(next).is_some_and(near))
}

/// When a source swept.
struct Swept {
    /// Whether it tried the ports of a host.
    tries_ports: bool,
    /// Ends that it comes back to round by round.
    polled: HashSet<End>,
    /// Its attempts that failed, in order, but for those by which it waits for an end that it knows.
    failures: Vec<Timestamp>,
    /// From one to the next, where something may be in use meanwhile.
    pauses: Vec<(Timestamp, Timestamp)>,
}

impl Swept {
    /// By attempts and when they failed.
    fn of(attempts: &[Attempt<'_>], all: &[Timestamp]) -> Self {
        /// Attempts at one end that follow each other.
        struct Tried {
            first: Timestamp,
            last: Timestamp,
        }
        let polled = polled::of(attempts);
        if tries_ports(attempts, &polled) {
            let (polled, pauses) = Default::default();
            return Self { tries_ports: true, polled, failures: all.to_vec(), pauses };
        }
        let mut tried: HashMap<End, Tried> = HashMap::default();
        let mut is_sweeping = |attempt: &&Attempt| {
            let Span { first: now, .. } = attempt.connection.span;
            let tried = tried.entry(attempt.connection.server).or_insert(Tried { first: now, last: now });
            if now.seconds_since(tried.last) > RETRY_S && !polled.contains(&attempt.connection.server) {
                tried.first = now;
            }
            tried.last = now;
            now.seconds_since(tried.first) <= SAME_END_S
        };
        let failed = attempts.iter().filter(|attempt| attempt.is_failed()).filter(&mut is_sweeping);
        let failures: Vec<Timestamp> = failed.map(|attempt| attempt.connection.span.first).collect();
        let begins = std::iter::once(Timestamp(i64::MIN)).chain(failures.iter().copied());
        let ends = failures.iter().copied().chain([Timestamp(i64::MAX)]);
        let pauses = begins.zip(ends).filter(|(begin, end)| end.seconds_since(*begin) >= IN_USE_S).collect();
        Self { tries_ports: false, polled, failures, pauses }
    }

    /// Whether a connection carried so much both ways that it is work, as a backup is, however little it lasted. Who tries
    /// the ports of a host may well take what it finds.
    fn is_much(&self, connection: &Connection) -> bool {
        /// What IPv6 and TCP with timestamps take of a packet.
        const MOST_HEADERS: u64 = 72;
        let data = |volume: &Volume| volume.most_bytes().saturating_sub(MOST_HEADERS * volume.most_packets());
        !self.tries_ports && data(&connection.from_client).min(data(&connection.from_server)) >= MIN_BYTES_IN_USE
    }

    /// Whether a connection was in use while nothing was swept.
    fn is_outlasted_by(&self, connection: &Connection) -> bool {
        let Connection { from_client, from_server, span: Span { first, last }, .. } = connection;
        if from_client.most_packets().max(from_server.most_packets()) < MIN_PACKETS_IN_USE {
            return false;
        }
        // of the pauses that end late enough the first: those behind it begin later still
        let n = self.pauses.partition_point(|(_, end)| end.seconds_since(*first) < IN_USE_S);
        self.pauses.get(n).is_some_and(|(begin, _)| last.seconds_since(*begin.max(first)) >= IN_USE_S)
    }
}

#[cfg(test)]
mod tests;
