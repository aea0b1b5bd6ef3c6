//! Datagrams that nobody answers: a log or a metric that goes on, or tries in vain.
//!
//! One end by itself does not tell: of a device that sent three traps and of a scanner that tried three times the same is
//! seen. What tells is how broadly their source tried. Who sends logs sends them to few ports, and to many hosts for long; who
//! scans sends a few to each of many ports, or for a moment to each of many hosts, however often it comes again.

use std::net::IpAddr;

use foldhash::{HashMap, HashSet};

use super::{
    connections::{Connection, End},
    hours::Hours,
};
use crate::model::{Flags, Outcome, Protocol, Span, Timestamp, is_group};

/// Fewer datagrams than this are an attempt, whoever sent them.
const MIN_SUSTAINED: u64 = 3;
/// As many go on. Programs that wait for an answer give up before: `nmap` after 11, SIP (RFC 3261, section 17.1.2.2) after
/// 11, TFTP, RADIUS and SNMP after 6 or less.
const MAX_TRIES: u64 = 12;
/// Who sends no more than tries to so many different ports is no sender of logs.
const MANY_PORTS: usize = 8;
/// Tries of one end follow each other within this time.
const MAX_TRYING_S: f64 = 60.0;
/// A source that was seen for so long after its tries would have sent again what goes on: statistics are sent every 10 to 60
/// seconds.
const MIN_SILENCE_S: f64 = 600.0;

/// What datagrams to an end that never answered were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Too few to be a log or a metric.
    Stray,
    /// More of them, as often as one tries, by a source that tried broadly.
    Tried,
    /// As few, by a source that did not: they may be either.
    Either,
    /// A log or a metric.
    GoesOn,
}

/// By source and end. Of a source whom no answer at all was seen to reach, nothing can be told: a mirror port may show one
/// way alone.
pub(super) fn unanswered(connections: &[Connection]) -> HashMap<(IpAddr, End), Sent> {
    let mut sources: HashMap<IpAddr, Source> = HashMap::default();
    for connection in connections {
        sources.entry(connection.client.0).or_default().add(connection);
    }
    sources.retain(|_, source| source.is_heard);
    let told = |(address, source): (IpAddr, Source)| source.told().map(move |(end, sent)| ((address, end), sent));
    sources.into_iter().flat_map(told).collect()
}

/// What one address did as a client.
#[derive(Default)]
struct Source {
    is_heard: bool,
    last: Option<Timestamp>,
    ends: HashMap<End, Sum>,
}

/// What it sent to one end.
struct Sum {
    packets: u64,
    is_answered: bool,
    /// None where a record names no time.
    span: Option<Span>,
    hours: Hours,
}

impl Source {
    fn add(&mut self, connection: &Connection) {
        let outcome = connection.outcome();
        let has_answer = connection.from_server.most_packets() > 0;
        // an ICMP error is none of the server's packets, and came back too
        self.is_heard |= has_answer || outcome == Outcome::Refused;
        let span = Some(connection.span).filter(|_| connection.is_timed());
        self.last = self.last.max(span.map(|span| span.last));
        if connection.protocol != Protocol::UDP || is_to_all(connection) {
            return;
        }
        let new = || Sum { packets: 0, is_answered: false, span, hours: Hours::default() };
        let sum = self.ends.entry(connection.server).or_insert_with(new);
        sum.packets = sum.packets.saturating_add(connection.from_client.most_packets());
        sum.is_answered |= has_answer || outcome == Outcome::Established;
        sum.hours.join(&connection.hours);
        sum.span = sum.span.zip(span).map(|(mut all, span)| {
            all.join(span);
            all
        });
    }

    fn told(self) -> impl Iterator<Item = (End, Sent)> {
        let silent: Vec<(End, Sum)> = self.ends.into_iter().filter(|(_, sum)| !sum.is_answered).collect();
        let tried: HashSet<u16> = silent.iter().filter(|(_, sum)| !sum.goes_on()).map(|((_, port), _)| *port).collect();
        let (is_broad, last) = (tried.len() >= MANY_PORTS, self.last);
        silent.into_iter().map(move |(end, sum)| {
            let sent = match () {
                () if sum.packets < MIN_SUSTAINED => Sent::Stray,
                () if sum.goes_on() => Sent::GoesOn,
                () if is_broad || last.is_some_and(|last| sum.has_stopped(last)) => Sent::Tried,
                () => Sent::Either,
            };
            (end, sent)
        })
    }
}

impl Sum {
    /// Whether there are more than one tries, each time: what comes every night is in few of the hours between.
    fn goes_on(&self) -> bool {
        let named = self.hours.named() as u64;
        let between = self.span.map_or(0, |span| u64::from(span.last.hour().0.abs_diff(span.first.hour().0)) + 1);
        let times = if named * 10 < between { named } else { 1 };
        self.packets >= MAX_TRIES * times
    }

    /// Whether all came at once, long before its source was seen last.
    fn has_stopped(&self, source_last: Timestamp) -> bool {
        self.span.is_some_and(|span| {
            let lasted_s = span.last.seconds_since(span.first);
            lasted_s <= MAX_TRYING_S && source_last.seconds_since(span.last) >= MIN_SILENCE_S
        })
    }
}

/// Whether everybody is addressed: who listens need not answer.
fn is_to_all(connection: &Connection) -> bool {
    is_group(connection.server.0) || connection.trace.flags.has(Flags::BROADCAST)
}
