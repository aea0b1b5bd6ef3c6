//! The flow CSV: a header that names the columns in any order and case, then one record a line. Columns that are not
//! known are passed over.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    net::IpAddr,
    str::FromStr,
};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    Detail, Fault, FlowRecord, Line, MAX_SHOWN, RecordsError,
    line::{Lines, Text, fields, has_open_quotes, trimmed},
    record::{MAX_CONNECTIONS, MAX_COUNT, is_usable},
};
use crate::model::{Flags, Opening, Outcome, PortKind, Protocol, Span, Timestamp};

/// What a column says, and what it may be called.
type Column = (&'static str, &'static [&'static str]);

const CLIENT: Column = ("client", &["client", "src_ip"]);
const SERVER: Column = ("server", &["server", "dst_ip"]);
const PROTOCOL: Column = ("protocol", &["protocol", "proto"]);
const PORT: Column = ("port", &["port", "dst_port"]);
/// Where a log tells of each way by itself, the port of the source: the client's, unless it is rather the server's.
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
pub(super) fn is_header(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    if line.contains('\r') {
        // more than one line, by ends that are not read
        return false;
    }
    let names = fields(line);
    let has = |column: Column| place(&names, column).is_some();
    let known = [CLIENT, SERVER, PROTOCOL, PORT].into_iter().filter(|column| has(*column)).count();
    (has(CLIENT) || has(SERVER)) && known >= 2
}

fn place(names: &[String], (_, aliases): Column) -> Option<usize> {
    names.iter().position(|name| aliases.iter().any(|alias| name.eq_ignore_ascii_case(alias)))
}

/// What the end of a line tells, where it is the last and has no line end: whether the file may have been cut in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// A part of the last field would not be what the whole is, or nobody reads it.
    Whole,
    /// Nothing tells the last field from a part of it: `54` may have been `5432`.
    Open,
    /// Columns that the header names are missing.
    Cut,
    /// A quote that is not closed took them with it: they would be taken for empty.
    Swallowed,
}

/// Where each column stands.
struct Columns {
    /// How many the header names.
    count: usize,
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
    fn of(names: &[String]) -> Result<Self, RecordsError> {
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

    fn record(&self, row: &[String]) -> Result<FlowRecord, Fault> {
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
        let record = FlowRecord {
            client: row.must(Some(self.client), CLIENT, "an address", address)?,
            server: row.must(Some(self.server), SERVER, "an address", address)?,
            protocol,
            port: if protocol.has_ports() { port } else { 0 },
            outcome: self.outcome(&row)?,
            packets: number(self.packets, PACKETS)?,
            bytes_to_server: to_server.or(bytes).unwrap_or_default(),
            bytes_to_client: to_client.unwrap_or_default(),
            connections: connections.unwrap_or(1),
            span: self.span(&row)?,
            hours: row.get(self.hours, HOURS, "a whole number", plain)?,
            detail: None,
        };
        let source_port: Option<u16> =
            row.get(self.source_port, SOURCE_PORT, "a port from 0 to 65535", plain)?.filter(|_| protocol.has_ports());
        let outranks = |port: u16, other: u16| PortKind::of(port).outranks(PortKind::of(other));
        Ok(match source_port {
            Some(source) if outranks(source, record.port) => turned(record, source),
            Some(source) if !outranks(record.port, source) => open(record, source),
            _ => record,
        })
    }

    /// What a record says of its outcome; where it was turned away, by what a firewall did.
    fn outcome(&self, row: &Row<'_>) -> Result<Option<Outcome>, Fault> {
        let told = row.get(self.outcome, OUTCOME, "an outcome as `flowmap flows` names them", outcome)?;
        let action = row.get(self.action, ACTION, "a word such as ACCEPT, ALLOW, REJECT, DENY or DROP", action)?;
        let stopped = matches!(action, Some(Action::Stopped)).then_some(Outcome::Refused);
        Ok(told.or(stopped))
    }

    fn end(&self, line: &str, row: &[String]) -> End {
        match (row.len() < self.count, has_open_quotes(line)) {
            (true, true) => return End::Swallowed,
            (false, false) => {}
            _ => return End::Cut,
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

/// A record of what a server sent to its client, as one of the connection.
fn turned(record: FlowRecord, server_port: u16) -> FlowRecord {
    FlowRecord {
        client: record.server,
        server: record.client,
        port: server_port,
        bytes_to_server: record.bytes_to_client,
        bytes_to_client: record.bytes_to_server,
        ..record
    }
}

/// A record of one way between ports neither of which tells who opened: the map decides. Who tried in vain has.
fn open(record: FlowRecord, source_port: u16) -> FlowRecord {
    let seen: &[Flags] = match record.outcome {
        None | Some(Outcome::Established | Outcome::Midstream) => &[Flags::FROM_SRC, Flags::FROM_DST, Flags::PAYLOAD],
        Some(Outcome::Oneway) => &[Flags::FROM_SRC, Flags::PAYLOAD],
        Some(Outcome::Refused | Outcome::Unanswered) => return record,
    };
    let mut flags = Flags::SRC_FIRST;
    for flag in seen {
        flags.add(*flag);
    }
    let detail = Detail {
        opening: Opening::Open,
        client_port: source_port,
        flags,
        packets_to_client: 0,
        vlans: String::new(),
        tunnels: String::new(),
        tag: xxh3_64(format!("{record:?} from {source_port}").as_bytes()),
        services: Vec::new(),
    };
    FlowRecord { detail: Some(detail), ..record }
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
enum Action {
    Passed,
    Stopped,
}

/// The last four of those that let pass are what `FortiGate`s say of the end of a session.
fn action(text: &str) -> Option<Action> {
    const PASSED: [&str; 10] =
        ["-", "accept", "allow", "pass", "permit", "forward", "close", "timeout", "client-rst", "server-rst"];
    const STOPPED: [&str; 5] = ["reject", "deny", "denied", "drop", "block"];
    let word = text.to_ascii_lowercase();
    let is =
        |stem: &&str| word.strip_prefix(*stem).is_some_and(|end| ["", "s", "d", "ed", "ped", "ted"].contains(&end));
    if STOPPED.iter().any(is) {
        return Some(Action::Stopped);
    }
    PASSED.iter().any(is).then_some(Action::Passed)
}

fn outcome(text: &str) -> Option<Outcome> {
    let known = [Outcome::Established, Outcome::Midstream, Outcome::Refused, Outcome::Unanswered, Outcome::Oneway];
    known.into_iter().find(|outcome| outcome.as_str().eq_ignore_ascii_case(text))
}

/// Reads records.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    columns: Columns,
    /// Records at the end of the file that may have lost a part of their last field.
    open: u64,
    digest: Xxh3,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R) -> Result<Self, RecordsError> {
        let mut lines = Lines::new(inner);
        let names = match lines.next()? {
            Some(Text::Whole(line)) => fields(&String::from_utf8_lossy(line)),
            _ => Vec::new(),
        };
        let columns = Columns::of(&names)?;
        let mut reader = Self { lines, columns, open: 0, digest: Xxh3::new() };
        reader.digest.update(names.join(",").to_ascii_lowercase().as_bytes());
        Ok(reader)
    }

    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        let text = self.lines.next()?;
        let read = match text {
            None => return Ok(None),
            Some(Text::TooLong) => Err(Fault::TooLong),
            Some(Text::Whole(bytes)) => {
                let bytes = trimmed(bytes);
                self.digest.update(bytes);
                self.digest.update(b"\n");
                let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotText);
                text.and_then(|line| {
                    let row = fields(line);
                    Ok((self.columns.record(&row)?, self.columns.end(line, &row)))
                })
            }
        };
        let line = self.lines.number;
        let read = match read {
            Ok((_, End::Swallowed)) if self.lines.is_ended => Err(Fault::OpenQuote),
            Ok((_, End::Cut | End::Swallowed)) if !self.lines.is_ended => {
                // with its line end it is another one, which is used
                self.digest.update(b"cut");
                Err(Fault::Cut)
            }
            Ok((record, end)) => {
                self.open += u64::from(end == End::Open && !self.lines.is_ended);
                Ok(record)
            }
            Err(fault) => Err(fault),
        };
        Ok(Some(read.map_or_else(|fault| Line::Damaged { line, fault }, Line::Flow)))
    }

    pub fn notes(&self) -> BTreeMap<&'static str, u64> {
        let open = "record in a last line without a line end, taken as whole: look whether the file was cut there";
        BTreeMap::from([(open, self.open)]).into_iter().filter(|(_, count)| *count > 0).collect()
    }

    pub fn digest(&self) -> u64 {
        self.digest.digest()
    }
}
