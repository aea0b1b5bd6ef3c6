//! The kernel's words on a packet: a prefix, then `IN=eth0 OUT= MAC=... SRC=10.0.0.1 DST=10.0.0.2 ... PROTO=TCP SPT=...`.

use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{
        Fault, MAX_SHOWN,
        record::is_usable,
        reported::{Event, Packet, TcpFlags, Told, Verdict},
    },
    entry::Entry,
};
use crate::model::{Control, Protocol};

/// What a prefix says of packets that did not pass.
const DROPPED: [&str; 9] = ["drop", "dropped", "deny", "denied", "reject", "rejected", "block", "blocked", "violation"];

/// What it says of those that did.
const PASSED: [&str; 7] = ["accept", "accepted", "allow", "allowed", "pass", "passed", "permit"];

/// Whether a line, or its beginning, has a packet in it.
pub(super) fn is_logged(line: &[u8]) -> bool {
    let has = |word: &str| line.windows(word.len()).any(|bytes| bytes == word.as_bytes());
    has("IN=") && has(" OUT=") && has(" SRC=") && has(" DST=") && has(" PROTO=")
}

/// Reads a packet.
pub(super) fn read(entry: &Entry) -> Result<Packet, Fault> {
    let (prefix, words) = parts(&entry.message).ok_or(Fault::NoFlow)?;
    let fields = Fields::of(words);
    let source = address("source address", fields.get("SRC"))?;
    let destination = address("destination address", fields.get("DST"))?;
    match fate(prefix) {
        Some(Verdict::Denied) => {}
        Some(_) => return Err(Fault::LetThrough),
        None => return Err(Fault::UnknownFate),
    }
    let protocol = protocol(fields.get("PROTO").ok_or(Fault::Missing("protocol"))?)?;
    let control = control(protocol, &fields)?;
    let ports = if protocol.has_ports() { ports(&fields)? } else { (0, 0) };
    let event = match protocol {
        Protocol::TCP => Event::of_segment(fields.flags),
        _ => Event::Traffic { has_data: true, closes: false },
    };
    let time = entry.time.filter(|time| is_usable(*time)).ok_or(Fault::Undated)?;
    // a packet may be logged by several rules: each counts by itself
    let place = [&entry.host, prefix, fields.get("IN").unwrap_or_default(), fields.get("OUT").unwrap_or_default()];
    let [a, b, c, d, ..] = xxh3_64(place.join("\n").as_bytes()).to_le_bytes();
    Ok(Packet {
        time,
        protocol,
        sender: (source, ports.0),
        receiver: (destination, ports.1),
        event,
        verdict: Verdict::Denied,
        told: Told::of(event, control),
        is_untold: control == Some(Control::Tells),
        is_verdict: false,
        is_delivered: false,
        point: Some(u32::from_le_bytes([a, b, c, d])),
        answers: None,
        application: None,
    })
}

/// The prefix, and what the kernel says behind it. A prefix may end without a blank, and hold anything.
fn parts(message: &str) -> Option<(&str, &str)> {
    let (at, _) = message.match_indices("IN=").find(|(at, _)| {
        let behind = message.get(at + 3..).unwrap_or_default();
        behind.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("OUT="))
    })?;
    message.split_at_checked(at)
}

/// What became of a packet, as far as the prefix of its rule says.
fn fate(prefix: &str) -> Option<Verdict> {
    let words: Vec<String> = prefix.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase).collect();
    let says = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    match (says(&DROPPED), says(&PASSED)) {
        (true, false) => Some(Verdict::Denied),
        (false, true) => Some(Verdict::Forwarded),
        _ => None,
    }
}

/// The kernel's words, up to those of a packet that an ICMP error quotes.
struct Fields<'w> {
    pairs: Vec<(&'w str, &'w str)>,
    flags: TcpFlags,
}

impl<'w> Fields<'w> {
    fn of(words: &'w str) -> Self {
        let (mut pairs, mut flags) = (Vec::new(), TcpFlags::default());
        for word in words.split_whitespace().take_while(|word| !word.starts_with('[')) {
            match word.split_once('=') {
                Some(pair) => pairs.push(pair),
                None => match word {
                    "SYN" => flags.syn = true,
                    "ACK" => flags.ack = true,
                    "FIN" => flags.fin = true,
                    "RST" => flags.rst = true,
                    "PSH" => flags.psh = true,
                    _ => {}
                },
            }
        }
        Self { pairs, flags }
    }

    /// The first value of a key: UDP has a length of its own behind that of IP.
    fn get(&self, key: &str) -> Option<&'w str> {
        self.pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }
}

fn address(what: &'static str, text: Option<&str>) -> Result<IpAddr, Fault> {
    let text = text.ok_or(Fault::Missing(what))?;
    let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
    address.map_err(|_| Fault::Field { what, value: shown(text), expected: "an address" })
}

/// A protocol by the kernel's name or number.
fn protocol(text: &str) -> Result<Protocol, Fault> {
    Ok(match text {
        "TCP" => Protocol::TCP,
        "UDP" => Protocol::UDP,
        "UDPLITE" => Protocol(136),
        "ICMP" => Protocol::ICMP,
        "ICMPv6" => Protocol::ICMPV6,
        "ESP" => Protocol(50),
        "AH" => Protocol(51),
        number => number.parse().map(Protocol).map_err(|_| Fault::Field {
            what: "protocol",
            value: shown(number),
            expected: "one that the kernel names",
        })?,
    })
}

/// What a message of ICMP is to who sends it; an error is about another packet.
fn control(protocol: Protocol, fields: &Fields) -> Result<Option<Control>, Fault> {
    let is_error = |kind: u8| match protocol {
        Protocol::ICMP => matches!(kind, 3..=5 | 11 | 12),
        _ => kind < 128,
    };
    if !matches!(protocol, Protocol::ICMP | Protocol::ICMPV6) {
        return Ok(None);
    }
    match fields.get("TYPE").and_then(|kind| kind.parse().ok()) {
        Some(kind) if is_error(kind) => Err(Fault::Unreachable),
        Some(kind) if Control::is_discovery(protocol, kind) => Err(Fault::Discovery),
        Some(kind) => Ok(Some(Control::of(protocol, kind))),
        None => Ok(Some(Control::Tells)),
    }
}

/// The ports; the log has none of a later fragment, and of SCTP none at all.
fn ports(fields: &Fields) -> Result<(u16, u16), Fault> {
    let port = |key: &str, what: &'static str| {
        let text = fields.get(key).ok_or(Fault::NoPorts)?;
        text.parse().map_err(|_| Fault::Field { what, value: shown(text), expected: "a port" })
    };
    Ok((port("SPT", "source port")?, port("DPT", "destination port")?))
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}
