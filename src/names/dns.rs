//! DNS messages (RFC 1035), also as multicast DNS (RFC 6762) and LLMNR (RFC 4795) send them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::Bytes;
use crate::model::HostName;

/// Records of one message that are looked at; a full answer of a large name server has some 30.
const MAX_RECORDS: usize = 256;
/// CNAMEs that are followed; resolvers give up earlier.
const MAX_ALIASES: usize = 16;
/// Compression pointers in one name; one for each label would be 127, name servers write one.
const MAX_POINTERS: usize = 32;
/// A name's labels with their lengths (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 255;
/// Room that is enough for most names.
const USUAL_NAME_BYTES: usize = 96;

/// Types of records.
const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const AAAA: u16 = 28;
/// The class of the Internet; the highest bit is a flag of multicast DNS (RFC 6762, section 10.2).
const INTERNET: u16 = 1;
const CLASS: u16 = 0x7fff;

/// An address and its name, as a message tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub address: IpAddr,
    /// `None` where it is not the name of a host.
    pub name: Option<HostName>,
    pub ttl_s: u32,
    /// Whether the address was asked for its name, and not the name for its addresses.
    pub is_reverse: bool,
}

/// What a response answers to the question in it: the addresses of the name that was asked, over aliases, or the name of
/// the address that was asked. What was not asked is left out.
pub(super) fn answers(message: &[u8]) -> Vec<Answer> {
    read_answers(message).unwrap_or_default()
}

fn read_answers(message: &[u8]) -> Option<Vec<Answer>> {
    let header = Header::read(message).filter(|header| header.questions == 1)?;
    let mut rest = Bytes(message.get(Header::BYTES..)?);
    let asked = question(message, &mut rest)?;
    let records = records(message, rest, header.answers);
    let Some(host) = asked.host() else {
        return Some(records.iter().find_map(Record::address).map(Answer::nameless).into_iter().collect());
    };
    let aliases = aliases(&asked, &records);
    let reversed = reversed(&host);
    let told = |record: &Record| {
        let (_, ttl_s) = aliases.iter().find(|(name, _)| **name == record.owner)?;
        let (address, name) = match &record.data {
            Data::Address(address) => (*address, Some(host.clone())),
            Data::Pointer(name) => (reversed?, name.host()),
            Data::Alias(_) => return None,
        };
        let is_reverse = matches!(record.data, Data::Pointer(_));
        Some(Answer { address, name, ttl_s: record.ttl_s.min(*ttl_s), is_reverse })
    };
    Some(records.iter().filter_map(told).collect())
}

/// What hosts of this link say of themselves. Nobody asks, so that only names of the link count (RFC 6762, section 3).
pub(super) fn announcements(message: &[u8]) -> Vec<Answer> {
    read_announcements(message).unwrap_or_default()
}

fn read_announcements(message: &[u8]) -> Option<Vec<Answer>> {
    let header = Header::read(message)?;
    let mut rest = Bytes(message.get(Header::BYTES..)?);
    for _ in 0..header.questions {
        question(message, &mut rest)?;
    }
    let count = header.answers.saturating_add(header.authorities).saturating_add(header.additional);
    let told = |record: Record| {
        let (address, name, is_reverse) = match record.data {
            Data::Address(address) => (address, record.owner.host(), false),
            Data::Pointer(name) => (reversed(&record.owner.host()?)?, name.host(), true),
            Data::Alias(_) => return None,
        };
        // a host that leaves takes its name back (RFC 6762, section 10.1)
        let is_goodbye = record.ttl_s == 0;
        let is_of_link = name.as_ref().is_none_or(|name| name.is_within("local"));
        (is_of_link && !is_goodbye).then_some(Answer { address, name, ttl_s: record.ttl_s, is_reverse })
    };
    Some(records(message, rest, count).into_iter().filter_map(told).collect())
}

impl Answer {
    /// An address whose name is not that of a host.
    fn nameless(address: IpAddr) -> Self {
        Self { address, name: None, ttl_s: 0, is_reverse: false }
    }
}

/// How many entries follow.
struct Header {
    questions: u16,
    answers: u16,
    authorities: u16,
    additional: u16,
}

impl Header {
    const BYTES: usize = 12;
    /// That it is a response, the kind of query, the outcome.
    const RESPONSE: u16 = 0x8000;
    const KIND_AND_OUTCOME: u16 = 0x780f;

    /// The header of a response to an ordinary query, without error.
    fn read(message: &[u8]) -> Option<Self> {
        let mut rest = Bytes(message);
        let _id = rest.be16()?;
        let flags = rest.be16()?;
        let is_answer = flags & Self::RESPONSE != 0 && flags & Self::KIND_AND_OUTCOME == 0;
        let header = Self {
            questions: rest.be16()?,
            answers: rest.be16()?,
            authorities: rest.be16()?,
            additional: rest.be16()?,
        };
        is_answer.then_some(header)
    }
}

/// A name in a message: its labels in lower case, each behind its length. It need not be that of a host: a part of the
/// reverse tree that is somebody else's is named by its prefix (`0/25`, RFC 2317), and answers lead over such names.
#[derive(PartialEq, Eq)]
struct Domain(Vec<u8>);

impl Domain {
    /// The name, where it is that of a host.
    fn host(&self) -> Option<HostName> {
        let mut rest = Bytes(&self.0);
        let mut text = Vec::with_capacity(self.0.len());
        while let Some(length) = rest.byte() {
            let label = rest.take(length.into()).filter(|label| !label.contains(&b'.'))?;
            text.extend_from_slice(label);
            text.push(b'.');
        }
        HostName::parse(&text)
    }
}

/// A record that is of use.
struct Record {
    owner: Domain,
    ttl_s: u32,
    data: Data,
}

enum Data {
    Address(IpAddr),
    Alias(Domain),
    Pointer(Domain),
}

impl Record {
    fn address(&self) -> Option<IpAddr> {
        match self.data {
            Data::Address(address) => Some(address),
            Data::Alias(_) | Data::Pointer(_) => None,
        }
    }
}

/// The name that is asked for.
fn question<'m>(message: &'m [u8], rest: &mut Bytes<'m>) -> Option<Domain> {
    let asked = name(message, rest)?;
    let _kind_and_class = rest.be32()?;
    Some(asked)
}

/// The records that are whole; what is cut or does not hold together ends them.
fn records<'m>(message: &'m [u8], mut rest: Bytes<'m>, count: u16) -> Vec<Record> {
    let mut records = Vec::new();
    for _ in 0..usize::from(count).min(MAX_RECORDS) {
        if record(message, &mut rest, &mut records).is_none() {
            break;
        }
    }
    records
}

/// Takes the next record off, and keeps it where it is of use; `None` where it is not whole.
fn record<'m>(message: &'m [u8], rest: &mut Bytes<'m>, records: &mut Vec<Record>) -> Option<()> {
    let owner = name(message, rest)?;
    let kind = rest.be16()?;
    let class = rest.be16()? & CLASS;
    // a time with the highest bit set is none (RFC 2181, section 8)
    let ttl_s = rest.be32().map(|seconds| if seconds > i32::MAX.unsigned_abs() { 0 } else { seconds })?;
    let length = rest.be16()?.into();
    let mut inside = *rest;
    let data = rest.take(length)?;
    let data = match kind {
        _ if class != INTERNET => None,
        A => <[u8; 4]>::try_from(data).ok().map(|octets| Data::Address(Ipv4Addr::from(octets).into())),
        AAAA => <[u8; 16]>::try_from(data).ok().map(|octets| Data::Address(Ipv6Addr::from(octets).into())),
        CNAME => Some(Data::Alias(name(message, &mut inside)?)),
        PTR => Some(Data::Pointer(name(message, &mut inside)?)),
        _ => None,
    };
    records.extend(data.map(|data| Record { owner, ttl_s, data }));
    Some(())
}

/// The name that was asked and those it stands for, each with the shortest time on the way to it.
fn aliases<'r>(asked: &'r Domain, records: &'r [Record]) -> Vec<(&'r Domain, u32)> {
    let mut names = vec![(asked, u32::MAX)];
    while names.len() <= MAX_ALIASES {
        let Some((last, ttl_s)) = names.last().copied() else { break };
        let next = records.iter().find_map(|record| match &record.data {
            Data::Alias(name) if record.owner == *last => Some((name, record.ttl_s.min(ttl_s))),
            _ => None,
        });
        match next {
            Some(next) if names.iter().all(|(name, _)| *name != next.0) => names.push(next),
            _ => break,
        }
    }
    names
}

/// The name at the beginning of `rest`, which is an end of `message`. Pointers lead back, and no name has many.
fn name<'m>(message: &'m [u8], rest: &mut Bytes<'m>) -> Option<Domain> {
    let mut at = message.len().checked_sub(rest.0.len())?;
    let mut behind = None;
    let mut pointers = 0;
    let mut labels: Vec<u8> = Vec::with_capacity(USUAL_NAME_BYTES);
    loop {
        let length = *message.get(at)?;
        match length {
            0 => break,
            1..=63 => {
                let label = message.get(at + 1..at + 1 + usize::from(length))?;
                labels.push(length);
                labels.extend(label.iter().map(u8::to_ascii_lowercase));
                at += 1 + label.len();
            }
            0xc0.. => {
                let target = usize::from(length & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                behind.get_or_insert(at + 2);
                pointers += 1;
                if target >= at || pointers > MAX_POINTERS {
                    return None;
                }
                at = target;
            }
            _ => return None,
        }
        if labels.len() > MAX_NAME_BYTES {
            return None;
        }
    }
    *rest = Bytes(message.get(behind.unwrap_or(at + 1)..)?);
    Some(Domain(labels))
}

/// The address that a name of the reverse tree stands for (RFC 1035, section 3.5; RFC 3596, section 2.5).
fn reversed(name: &HostName) -> Option<IpAddr> {
    let name = name.as_str();
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        let octets: Vec<u8> = labels.rsplit('.').map(|label| label.parse().ok()).collect::<Option<_>>()?;
        return <[u8; 4]>::try_from(octets).ok().map(IpAddr::from);
    }
    let labels = name.strip_suffix(".ip6.arpa")?;
    let nibble = |label: &str| u128::from_str_radix(label, 16).ok().filter(|_| label.len() == 1);
    let nibbles: Vec<u128> = labels.rsplit('.').map(nibble).collect::<Option<_>>()?;
    let number = (nibbles.len() == 32).then(|| nibbles.iter().fold(0, |number, nibble| number << 4 | nibble))?;
    Some(Ipv6Addr::from(number).into())
}
