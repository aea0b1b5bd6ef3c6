//! The columns of a flow CSV, and what a row under them says.

use std::{net::IpAddr, str::FromStr};

use super::{
    super::{
        Fault, FlowRecord, MAX_SHOWN, RecordsError,
        record::{MAX_CONNECTIONS, MAX_COUNT, is_usable},
    },
    cells::cells,
    one_way,
};
use crate::model::{LEAST_PACKETS_OF_TCP, Outcome, Protocol, Span, Timestamp};

/// What a column says, and what it may be called.
type Column = (&'static str, &'static [&'static str]);

const CLIENT: Column = ("client", &["client", "src_ip"]);
const SERVER: Column = ("server", &["server", "dst_ip"]);
const PROTOCOL: Column = ("protocol", &["protocol", "proto"]);
const PORT: Column = ("port", &["port", "dst_port"]);
/// Where a log tells of each way by itself, the port of the source, which is the client or the server.
const SOURCE_PORT: Column = ("source port", &["src_port"]);
const PACKETS: Column = ("packets", &["packets"]);
const BYTES: Column = ("bytes", &["bytes"]);
const TO_SERVER: Column = ("bytes to the server", &["bytes_to_server"]);
const TO_CLIENT: Column = ("bytes to the client", &["bytes_to_client"]);
const CONNECTIONS: Column = ("connections", &["connections"]);
const FIRST_SEEN: Column = ("time first seen", &["first_seen"]);
const LAST_SEEN: Column = ("time last seen", &["last_seen"]);
const HOURS: Column = ("hours", &["hours"]);
const OUTCOME: Column = ("outcome", &["outcome"]);
/// What a firewall did, in logs of clouds and firewalls.
const ACTION: Column = ("action", &["action", "verdict"]);

/// Whether a line is a header of flow records: it names a client, a server, and what was called.
pub(in super::super) fn is_header(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    if line.contains('\r') {
        // more than one line, by ends that are not read
        return false;
    }
    let names = cells(line);
    let has = |column: Column| place(&names, column).is_some();
    let known = [CLIENT, SERVER, PROTOCOL, PORT].into_iter().filter(|column| has(*column)).count();
    (has(CLIENT) || has(SERVER)) && known >= 2
}

fn place(names: &[String], (_, aliases): Column) -> Option<usize> {
    names.iter().position(|name| aliases.iter().any(|alias| name.eq_ignore_ascii_case(alias)))
}

/// What the end of a line tells, where it is the last and has no line end: whether the file may have been cut in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A part of the last field would not be what the whole is, or nobody reads it.
    Whole,
    /// Nothing tells the last field from a part of it: `54` may have been `5432`.
    Open,
    /// Columns that the header names are missing.
    Cut,
}

/// Where each column stands.
pub struct Columns {
    /// How many the header names.
    pub count: usize,
    client: usize,
    server: usize,
    protocol: usize,
    port: usize,
    source_port: Option<usize>,
    packets: Option<usize>,
    bytes: Option<usize>,
    to_server: Option<usize>,
    to_client: Option<usize>,
    connections: Option<usize>,
    first_seen: Option<usize>,
    last_seen: Option<usize>,
    hours: Option<usize>,
    outcome: Option<usize>,
    action: Option<usize>,
}

impl Columns {
    pub fn of(names: &[String]) -> Result<Self, RecordsError> {
        let maybe = |column: Column| {
            let (what, aliases) = column;
            let is_it = |name: &&String| aliases.iter().any(|alias| name.eq_ignore_ascii_case(alias));
            match names.iter().filter(is_it).count() {
                0 | 1 => Ok(place(names, column)),
                _ => Err(RecordsError::TwoColumns { what }),
            }
        };
        let must = |column: Column| {
            let (what, names) = column;
            maybe(column)?.ok_or(RecordsError::MissingColumn { what, names })
        };
        Ok(Self {
            count: names.len(),
            client: must(CLIENT)?,
            server: must(SERVER)?,
            protocol: must(PROTOCOL)?,
            port: must(PORT)?,
            // who names a client has decided
            source_port: maybe(SOURCE_PORT)?.filter(|_| {
                [("source", &["src_ip"]), ("destination", &["dst_ip"]), ("port", &["dst_port"])]
                    .into_iter()
                    .all(|(what, name)| place(names, (what, name)).is_some())
            }),
            packets: maybe(PACKETS)?,
            bytes: maybe(BYTES)?,
            to_server: maybe(TO_SERVER)?,
            to_client: maybe(TO_CLIENT)?,
            connections: maybe(CONNECTIONS)?,
            first_seen: maybe(FIRST_SEEN)?,
            last_seen: maybe(LAST_SEEN)?,
            hours: maybe(HOURS)?,
            outcome: maybe(OUTCOME)?,
            action: maybe(ACTION)?,
        })
    }

    pub fn record(&self, row: &[String]) -> Result<FlowRecord, Fault> {
        let row = Row(row);
        let protocol = row.must(Some(self.protocol), PROTOCOL, "the name or number of a protocol", protocol)?;
        let port = row.get(Some(self.port), PORT, "a port from 0 to 65535", plain)?;
        let port = match port {
            Some(port) => port,
            None if protocol.has_ports() => return Err(Fault::Missing(PORT.0)),
            None => 0,
        };
        let number = |place, column| row.get(place, column, "a whole number below 2^53", below::<MAX_COUNT>);
        let connections = row.get(self.connections, CONNECTIONS, "a whole number from 1 to below 2^36", |text| {
            below::<MAX_CONNECTIONS>(text).filter(|count| *count > 0)
        })?;
        let (to_server, to_client) = (number(self.to_server, TO_SERVER)?, number(self.to_client, TO_CLIENT)?);
        let bytes = number(self.bytes, BYTES)?;
        let client = row.must(Some(self.client), CLIENT, "an address", address)?;
        let server = row.must(Some(self.server), SERVER, "an address", address)?;
        if server.is_ipv4() != client.is_ipv4() {
            let expected = "an address of the client's family";
            return Err(Fault::Field { what: SERVER.0, value: server.to_string(), expected });
        }
        let record = FlowRecord {
            client,
            server,
            protocol,
            port: if protocol.has_ports() { port } else { 0 },
            outcome: row.get(self.outcome, OUTCOME, "an outcome as `flowmap flows` names them", outcome)?,
            packets: number(self.packets, PACKETS)?,
            // of both ways, where but one of them is told besides
            bytes_to_server: to_server
                .or(bytes.map(|all| all.saturating_sub(to_client.unwrap_or_default())))
                .unwrap_or_default(),
            bytes_to_client: to_client.unwrap_or_default(),
            connections: connections.unwrap_or(1),
            span: self.span(&row)?,
            hours: row.get(self.hours, HOURS, "a whole number", plain)?,
            detail: None,
        };
        let action = row.get(self.action, ACTION, "a word such as ACCEPT, ALLOW, REJECT, DENY or DROP", action)?;
        let is_unreturned = self.action.is_some() && to_client == Some(0) && record.bytes_to_server > 0;
        let record = FlowRecord { outcome: record.outcome.or_else(|| by_action(action, &record)), ..record };
        let source_port = row.get(self.source_port, SOURCE_PORT, "a port from 0 to 65535", plain)?;
        // without ports nothing else tells such a log from one that names clients
        let source_port = if protocol.has_ports() { source_port } else { self.source_port.map(|_| 0) };
        Ok(match source_port {
            Some(source) => one_way::record(&record, source, is_unreturned),
            // who names a server and not what a firewall did says that it accepted, and may count one packet of a thousand
            None if self.action.is_some() && record.outcome.is_none() => {
                FlowRecord { outcome: unanswered(&record, is_unreturned), ..record }
            }
            None => record,
        })
    }

    pub fn end(&self, line: &str, row: &[String]) -> End {
        if row.len() < self.count {
            return End::Cut;
        }
        let required = [self.client, self.server, self.protocol, self.port].map(Some);
        let counts =
            [self.packets, self.bytes, self.to_server, self.to_client, self.connections, self.hours, self.source_port];
        // of times and outcomes no part is one
        let is_open = required.iter().chain(&counts).any(|place| *place == Some(row.len() - 1));
        let is_closed = line.ends_with('"') || row.last().is_none_or(String::is_empty);
        if is_open && !is_closed { End::Open } else { End::Whole }
    }

    fn span(&self, row: &Row<'_>) -> Result<Option<Span>, Fault> {
        let time = |place, column| {
            row.get(place, column, "a time in RFC 3339 with its zone (2026-09-21T10:00:00Z) after 1977", time)
        };
        let first = time(self.first_seen, FIRST_SEEN)?;
        let last = time(self.last_seen, LAST_SEEN)?;
        let Some((first, last)) = first.or(last).zip(last.or(first)) else { return Ok(None) };
        if last < first { Err(Fault::Backwards) } else { Ok(Some(Span { first, last })) }
    }
}

struct Row<'r>(&'r [String]);

impl Row<'_> {
    /// A field that may be empty.
    fn get<T>(
        &self,
        place: Option<usize>,
        (what, _): Column,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = place.and_then(|place| self.0.get(place)).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let wrong = || Fault::Field { what, value: text.chars().take(MAX_SHOWN).collect(), expected };
        read(text).map(Some).ok_or_else(wrong)
    }

    fn must<T>(
        &self,
        place: Option<usize>,
        column: Column,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        self.get(place, column, expected, read)?.ok_or(Fault::Missing(column.0))
    }
}

fn plain<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn below<const END: u64>(text: &str) -> Option<u64> {
    plain(text).filter(|count| *count < END)
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn protocol(text: &str) -> Option<Protocol> {
    // as other systems write it (IANA "Assigned Internet Protocol Numbers")
    let is_icmp_of_v6 = ["ipv6-icmp", "icmp6"].iter().any(|name| text.eq_ignore_ascii_case(name));
    if is_icmp_of_v6 {
        return Some(Protocol::ICMPV6);
    }
    text.parse::<u8>().map(Protocol).ok().or_else(|| text.parse().ok())
}

fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).filter(|time| is_usable(*time))
}

/// What a firewall did with what it logs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Passed,
    Stopped,
    /// The server ended it by a reset, or said by it that nobody listens.
    Reset,
}

/// The last of those that let pass, and the reset, are what `FortiGate`s say of the end of a session.
fn action(text: &str) -> Option<Action> {
    const PASSED: [&str; 9] = ["-", "accept", "allow", "pass", "permit", "forward", "close", "timeout", "client-rst"];
    const STOPPED: [&str; 5] = ["reject", "deny", "denied", "drop", "block"];
    let word = text.to_ascii_lowercase();
    let is =
        |stem: &&str| word.strip_prefix(*stem).is_some_and(|end| ["", "s", "d", "ed", "ped", "ted"].contains(&end));
    match () {
        () if STOPPED.iter().any(is) => Some(Action::Stopped),
        () if word == "server-rst" => Some(Action::Reset),
        () => PASSED.iter().any(is).then_some(Action::Passed),
    }
}

/// What became of a record that a firewall turned away, or the server by a reset in place of a connection.
fn by_action(action: Option<Action>, record: &FlowRecord) -> Option<Outcome> {
    let is_refused = match action? {
        Action::Passed => false,
        Action::Stopped => true,
        Action::Reset => is_too_little(record),
    };
    is_refused.then_some(Outcome::Refused)
}

/// An opener is sent so often at most: Linux does it six times again.
pub const MOST_OPENERS: u64 = 7;

/// Whether a record tells of fewer packets than a connection of TCP begins with. None are those of a log that does not count.
pub fn is_too_little(record: &FlowRecord) -> bool {
    let least = LEAST_PACKETS_OF_TCP.saturating_mul(record.connections);
    record.protocol == Protocol::TCP && record.packets.is_some_and(|packets| (1..least).contains(&packets))
}

/// Whether a record has no more bytes to the server than attempts of TCP: an opener that is sent again until it is given up. What has
/// more was answered, by a way that the log does not tell of.
pub fn is_without_data(record: &FlowRecord) -> bool {
    /// IPv6 and the options of TCP take less.
    const MOST_OF_OPENER: u64 = 100;
    let packets = record.packets.unwrap_or_else(|| MOST_OPENERS.saturating_mul(record.connections));
    record.bytes_to_server <= packets.saturating_mul(MOST_OF_OPENER)
}

/// What a record tells of that has too few packets for an answer, or none by its own word. One packet of both ways, at most, has
/// none.
fn unanswered(record: &FlowRecord, is_unreturned: bool) -> Option<Outcome> {
    let is_lone = record.packets.is_some_and(|packets| (1..=record.connections).contains(&packets));
    match record.protocol {
        _ if is_too_little(record) => Some(Outcome::Unanswered),
        _ if record.bytes_to_client > 0 => None,
        Protocol::TCP if is_unreturned && is_without_data(record) => Some(Outcome::Unanswered),
        Protocol::ICMP | Protocol::ICMPV6 if is_lone || is_unreturned => Some(Outcome::Unanswered),
        Protocol::UDP if is_lone || is_unreturned => Some(Outcome::Oneway),
        _ => None,
    }
}

fn outcome(text: &str) -> Option<Outcome> {
    let known = [Outcome::Established, Outcome::Midstream, Outcome::Refused, Outcome::Unanswered, Outcome::Oneway];
    known.into_iter().find(|outcome| outcome.as_str().eq_ignore_ascii_case(text))
}
