//! DNS (RFC 1035), NTP (RFC 5905), DHCP (RFC 2131) and SNMP (RFC 1157, RFC 3416, RFC 3412). But for SNMP they are told on
//! their own ports alone: their headers are too short for any other.

use super::{Message, Sent, ber::Ber};
use crate::model::{Application, Protection, well_known};

/// Bytes of a DNS header.
const HEADER_BYTES: usize = 12;
/// The highest outcome that is assigned to a header (RFC 6895, section 2.3).
const MAX_OUTCOME: u8 = 11;

/// A message over TCP behind its length; one that begins in this segment and is whole, or one of several.
pub fn dns_stream(ports: (u16, u16), sent: Sent<'_>) -> Option<Message> {
    let length = sent.be16(0).filter(|length| length + 2 <= sent.bytes)?;
    let is_answer = is_dns(Sent { data: sent.data.get(2..)?, bytes: length })?;
    let is_from_server = ports.0 == well_known::DNS && (ports.1 != well_known::DNS || is_answer);
    (is_answer == is_from_server).then_some(Message::of(is_answer, Application::Dns, Protection::Clear))
}

/// A message over UDP, between ports of DNS, multicast DNS or LLMNR.
pub fn dns(ports: (u16, u16), sent: Sent<'_>) -> Option<Message> {
    let is_answer = is_dns(sent)?;
    let port = if is_answer { ports.0 } else { ports.1 };
    super::datagram::DNS.contains(&port).then_some(Message::of(is_answer, Application::Dns, Protection::Clear))
}

/// Whether a message is an answer; `None` where it is none. Of the question, or of the first record, the name is whole.
fn is_dns(sent: Sent<'_>) -> Option<bool> {
    let [_, _, flags, outcome, ..] = *sent.data else { return None };
    let (is_answer, kind) = (flags & 0x80 != 0, flags >> 3 & 0x0f);
    let (questions, answers) = (sent.be16(4)?, sent.be16(6)?);
    // queries, notifications and updates; multicast DNS has several questions, or none in an answer
    let is_known = matches!(kind, 0 | 4 | 5) && outcome & 0x40 == 0 && outcome & 0x0f <= MAX_OUTCOME;
    let is_counted = questions <= 32 && (is_answer || questions > 0) && (questions > 0 || answers > 0);
    let class = name_end(sent.data, HEADER_BYTES).and_then(|end| sent.be16(end + 2))?;
    // the Internet, Chaos, Hesiod, any, or none (RFC 6895, section 3.2); the highest bit is multicast DNS's
    let is_class = matches!(class & 0x7fff, 1 | 3 | 4 | 254 | 255);
    (is_known && is_counted && is_class).then_some(is_answer)
}

/// Where the name that begins here ends: labels alone, for nothing stands before it that it could point to.
fn name_end(data: &[u8], mut at: usize) -> Option<usize> {
    const MAX_NAME_BYTES: usize = 255;
    let begin = at;
    loop {
        let length = usize::from(*data.get(at)?);
        at += 1 + length;
        if length > 63 || at - begin > MAX_NAME_BYTES {
            return None;
        }
        if length == 0 {
            return Some(at);
        }
    }
}

/// Bytes of a packet of NTP; extensions and a check come in words behind it.
const NTP_BYTES: usize = 48;

/// A client's packet, a server's, or one between equals.
pub fn ntp(ports: (u16, u16), sent: Sent<'_>) -> Option<Message> {
    let [first, stratum, ..] = *sent.data else { return None };
    let is_packet = sent.bytes >= NTP_BYTES && sent.bytes.is_multiple_of(4) && sent.bytes <= 1_024;
    let is_version = (1..=4).contains(&(first >> 3 & 7)) && stratum <= 16;
    let message = match first & 7 {
        1 | 2 => Message::either(Application::Ntp, Protection::Clear),
        3 if ports.1 == well_known::NTP => Message::request(Application::Ntp, Protection::Clear),
        4 | 5 if ports.0 == well_known::NTP => Message::answer(Application::Ntp, Protection::Clear),
        _ => return None,
    };
    (is_packet && is_version).then_some(message)
}

/// Where the cookie of DHCP stands that says that options follow.
const COOKIE_AT: usize = 236;
const COOKIE: u32 = 0x6382_5363;

/// A request or an answer; relays send both to the server's port.
pub fn dhcp(sent: Sent<'_>) -> Option<Message> {
    let [operation @ 1..=2, _, 0..=16, ..] = *sent.data else { return None };
    let is_dhcp = sent.be32(COOKIE_AT)? == COOKIE;
    is_dhcp.then_some(Message::of(operation == 2, Application::Dhcp, Protection::Clear))
}

/// Tags of SNMP: a sequence, a number, text; operations, of which two answer.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OPERATIONS: std::ops::RangeInclusive<u8> = 0xa0..=0xa8;
const RESPONSE: u8 = 0xa2;
const REPORT: u8 = 0xa8;

/// Whether a message of version 3, here behind its flags, asks for something or tells it: a report, and the question that it
/// answers, agree on the time before what is encrypted (RFC 3414, section 4), and the question has no variables. `None` where
/// that cannot be read.
fn has_content(mut message: Ber<'_>) -> Option<bool> {
    let _security = message.take(OCTETS)?;
    let mut scoped = Ber(message.take(SEQUENCE)?);
    let (_engine, _name) = (scoped.take(OCTETS)?, scoped.take(OCTETS)?);
    let operation = scoped.tag().filter(|tag| OPERATIONS.contains(tag))?;
    if operation == REPORT {
        return Some(false);
    }
    let mut content = Ber(scoped.take(operation)?);
    let (_id, _status, _index) = (content.take(INTEGER)?, content.take(INTEGER)?, content.take(INTEGER)?);
    content.take(SEQUENCE).map(|variables| !variables.is_empty())
}

/// A message that fills its datagram: with a community, or of version 3, which may be encrypted.
pub fn snmp(sent: Sent<'_>) -> Option<Message> {
    let mut message = Ber(sent.data);
    let length = message.open(SEQUENCE)?;
    let header = sent.data.len().checked_sub(message.0.len())?;
    let is_whole = sent.is_of(header.checked_add(length)?);
    match *message.take(INTEGER).filter(|_| is_whole)? {
        [0 | 1] => {
            let _community = message.take(OCTETS)?;
            let operation = message.tag().filter(|tag| OPERATIONS.contains(tag))?;
            let is_answer = matches!(operation, RESPONSE | REPORT);
            let behind = message.open(operation)?;
            let is_last = sent.is_of(sent.data.len().checked_sub(message.0.len())?.checked_add(behind)?);
            is_last.then_some(Message::of(is_answer, Application::Snmp, Protection::Clear))
        }
        [3] => {
            let mut global = Ber(message.take(SEQUENCE)?);
            let (_id, _most) = (global.take(INTEGER)?, global.take(INTEGER)?);
            let [flags @ 0..=7] = *global.take(OCTETS)? else { return None };
            let [_model] = *global.take(INTEGER)? else { return None };
            let protection = match flags & 3 {
                0 | 1 => match has_content(message) {
                    Some(true) => Protection::Clear,
                    Some(false) => Protection::Undecided,
                    None => Protection::Open,
                },
                _ => Protection::Encrypted,
            };
            global.0.is_empty().then_some(Message::either(Application::Snmp, protection))
        }
        _ => None,
    }
}
