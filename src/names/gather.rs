//! Packets to sightings.

use std::{collections::hash_map::Entry, net::IpAddr};

use foldhash::HashMap;

use super::{
    NotAName, Told,
    bytes::Bytes,
    dhcp::Requests,
    dns::{self, Answer},
    http::{self, Request},
    tls,
};
use crate::{
    decode::{Packet, Transport},
    model::{
        HostName, MissedNames, NameSighting, NameSource, Span, Timestamp, is_group,
        well_known::{DHCP_SERVER, DNS, LLMNR, MDNS},
    },
};

/// Sightings of one run that are held at a time: some 25 MB in memory, at most 50 MB where all names are as long as can be.
const MAX_SIGHTINGS: usize = 100_000;
/// The part of them that names used by clients may fill: whoever is reachable from outside is called names by strangers,
/// who must not crowd out what clients inside were answered.
const SHARE_OF_USES: usize = 2;
/// Users of one name of one address that are kept apart; further ones count together, as if it were told to all.
const MAX_USERS: u16 = 256;
/// Clients with their proxies at a time; of further ones the proxy gets the names of what is behind it.
const MAX_PROXIES: usize = 10_000;

/// What makes two sightings the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    address: IpAddr,
    source: NameSource,
    used_by: Option<IpAddr>,
    name: HostName,
}

impl Key {
    /// Whether a client used the name, and nobody told it.
    fn is_use(&self) -> bool {
        matches!(self.source, NameSource::Tls | NameSource::Http)
    }
}

struct Seen {
    ttl_s: u32,
    span: Span,
    times: u64,
    /// Whether it was taken out since it last changed.
    is_taken: bool,
}

/// Gathers the names of one run, each with the first and last time that it was told.
pub struct Gatherer {
    seen: HashMap<Key, Seen>,
    /// How many users of each name are kept apart.
    users: HashMap<(IpAddr, NameSource, HostName), u16>,
    /// How many of the sightings are uses.
    uses: usize,
    requests: Requests,
    /// Clients, and the ends that they use as proxies, with the time of the last request: what they say there is not the proxy's
    /// name.
    proxies: HashMap<(IpAddr, IpAddr, u16), Timestamp>,
    missed: MissedNames,
    max_sightings: usize,
}

impl Default for Gatherer {
    fn default() -> Self {
        Self::new(MAX_SIGHTINGS)
    }
}

/// Whether a packet may tell a name: by its ports, or by the first bytes of its data. Others need not be taken in.
#[inline]
#[must_use]
pub fn may_tell(packet: &Packet<'_>) -> bool {
    match packet.transport {
        Transport::Tcp { src_port, data, .. } => {
            src_port == DNS || matches!(data, [22, 3, ..] | [b'A'..=b'Z', b'A'..=b'Z' | b'_' | b'-', ..])
        }
        Transport::Udp { src_port, dst_port, .. } => {
            matches!(src_port, DNS | MDNS | LLMNR | DHCP_SERVER) || dst_port == DHCP_SERVER
        }
        _ => false,
    }
}

impl Gatherer {
    /// One that holds at most so many sightings.
    #[must_use]
    pub fn new(max_sightings: usize) -> Self {
        Self {
            seen: HashMap::default(),
            users: HashMap::default(),
            uses: 0,
            requests: Requests::default(),
            proxies: HashMap::default(),
            missed: MissedNames::default(),
            max_sightings,
        }
    }

    /// Takes one packet in. Most have nothing to say and are told by their port or first bytes.
    #[inline]
    pub fn take(&mut self, time: Timestamp, packet: &Packet<'_>) {
        match packet.transport {
            Transport::Tcp { src_port, dst_port, data, .. } if !data.is_empty() => {
                self.segment(time, packet, (src_port, dst_port), data);
            }
            Transport::Udp { src_port, dst_port, data, .. } => {
                self.datagram(time, packet, (src_port, dst_port), data);
            }
            _ => {}
        }
    }

    /// Takes in what a flow log says of a DNS answer that a client received.
    pub fn hear(&mut self, time: Timestamp, name: &[u8], address: IpAddr, ttl_s: u32, asked_by: IpAddr) {
        let answer = Answer { address, name: HostName::parse(name), ttl_s, is_reverse: false };
        self.told(time, answer, NameSource::Dns, Some(asked_by));
    }

    /// The sightings that are new or have changed since they were taken out last, in order.
    /// Figures are those of all packets so far, or since it was forgotten.
    pub fn changed(&mut self) -> Vec<NameSighting> {
        let mut sightings: Vec<NameSighting> = Vec::new();
        for (key, seen) in self.seen.iter_mut().filter(|(_, seen)| !seen.is_taken) {
            seen.is_taken = true;
            sightings.push(sighting(key, seen));
        }
        sightings.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        sightings
    }

    /// Makes room where little is left: forgets what was taken out and was told last outside of this time, who took it out has it,
    /// and joins what is told of it again; and which proxies were not asked in this time.
    pub fn forget(&mut self, recent: Span) {
        if self.proxies.len() > MAX_PROXIES / 4 * 3 {
            self.proxies.retain(|_, last| recent.holds(*last));
        }
        let has_room = |held: usize, most: usize| held <= most / 4 * 3;
        if has_room(self.seen.len(), self.max_sightings) && has_room(self.uses, self.max_sightings / SHARE_OF_USES) {
            return;
        }
        let Self { seen, users, uses, .. } = self;
        seen.retain(|key, seen| {
            let is_kept = !seen.is_taken || recent.holds(seen.span.last);
            if !is_kept {
                *uses -= usize::from(key.is_use());
                if let Entry::Occupied(mut count) = users.entry((key.address, key.source, key.name.clone())) {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }
            is_kept
        });
    }

    /// What was told and is not kept.
    #[must_use]
    pub fn missed(&self) -> MissedNames {
        self.missed
    }

    fn segment(&mut self, time: Timestamp, packet: &Packet<'_>, ports: (u16, u16), data: &[u8]) {
        let ends = (packet.src, packet.dst, ports.1);
        match data {
            // first, for lengths may look like the beginning of something else
            _ if ports.0 == DNS => {
                let mut rest = Bytes(data);
                // messages that lie whole in one segment, each behind its length (RFC 7766, section 8)
                while let Some(message) = rest.be16().and_then(|length| rest.take(length.into())) {
                    self.answered(time, packet, NameSource::Dns, message);
                }
            }
            [22, 3, ..] => match tls::server_name(data) {
                Some(_) if self.proxies.contains_key(&ends) => {}
                Some(name) => self.used(time, packet, NameSource::Tls, name),
                None => self.missed.cut_off += u64::from(tls::is_cut(data)),
            },
            [b'A'..=b'Z', b'A'..=b'Z' | b'_' | b'-', ..] => match http::request(data) {
                // within a connection that the proxy made for the client the request looks like one to the proxy
                Some(Request::Host(_)) if self.proxies.contains_key(&ends) => {}
                Some(Request::Host(name)) => self.used(time, packet, NameSource::Http, name),
                Some(Request::Proxy) if self.proxies.len() < MAX_PROXIES || self.proxies.contains_key(&ends) => {
                    self.proxies.insert(ends, time);
                }
                Some(Request::Proxy) => {}
                None => self.missed.cut_off += u64::from(http::is_cut(data)),
            },
            _ => {}
        }
    }

    #[inline]
    fn datagram(&mut self, time: Timestamp, packet: &Packet<'_>, ports: (u16, u16), data: &[u8]) {
        match ports {
            (MDNS, MDNS) => self.announced(time, data),
            // to another port it is a cluster's own DNS, or multicast DNS to a simple client (RFC 6762, section 6.7)
            (DNS | MDNS, _) => self.answered(time, packet, NameSource::Dns, data),
            (LLMNR, _) => self.answered(time, packet, NameSource::Llmnr, data),
            (DHCP_SERVER, _) | (_, DHCP_SERVER) => match self.requests.take(data) {
                Ok(told) => self.add(time, told),
                Err(NotAName) => self.missed.not_a_name += 1,
            },
            _ => {}
        }
    }

    /// The client calls the server so.
    fn used(&mut self, time: Timestamp, packet: &Packet<'_>, source: NameSource, name: &[u8]) {
        match HostName::parse(name) {
            Some(name) => {
                self.add(time, Some(Told { address: packet.dst, name, source, used_by: Some(packet.src), ttl_s: 0 }));
            }
            None => self.missed.not_a_name += 1,
        }
    }

    /// The client receives an answer.
    fn answered(&mut self, time: Timestamp, packet: &Packet<'_>, source: NameSource, message: &[u8]) {
        for answer in dns::answers(message) {
            self.told(time, answer, source, Some(packet.dst));
        }
    }

    /// Everybody on the link is told.
    fn announced(&mut self, time: Timestamp, message: &[u8]) {
        for answer in dns::announcements(message) {
            self.told(time, Answer { is_reverse: false, ..answer }, NameSource::Mdns, None);
        }
    }

    fn told(&mut self, time: Timestamp, answer: Answer, source: NameSource, used_by: Option<IpAddr>) {
        let Answer { address, name, ttl_s, is_reverse } = answer;
        let source = if is_reverse { NameSource::Ptr } else { source };
        match name {
            Some(name) => self.add(time, Some(Told { address, name, source, used_by, ttl_s })),
            None => self.missed.not_a_name += 1,
        }
    }

    fn add(&mut self, time: Timestamp, told: Option<Told>) {
        let Some(Told { address, name, source, used_by, ttl_s }) = told else { return };
        let (address, used_by) = (address.to_canonical(), used_by.map(|user| user.to_canonical()));
        if is_nobody(address) {
            return;
        }
        let mut key = Key { address, source, used_by, name };
        if !self.seen.contains_key(&key) && self.has_many_users(&key) {
            key.used_by = None;
        }
        self.count(time, key, ttl_s);
    }

    fn has_many_users(&self, key: &Key) -> bool {
        let users = self.users.get(&(key.address, key.source, key.name.clone()));
        users.is_some_and(|users| *users >= MAX_USERS)
    }

    fn count(&mut self, time: Timestamp, key: Key, ttl_s: u32) {
        if let Some(seen) = self.seen.get_mut(&key) {
            seen.ttl_s = seen.ttl_s.max(ttl_s);
            seen.span.join(Span::at(time));
            seen.times += 1;
            seen.is_taken = false;
            return;
        }
        let is_use = key.is_use();
        let is_full = self.seen.len() >= self.max_sightings;
        if is_full || is_use && self.uses >= self.max_sightings / SHARE_OF_USES {
            self.missed.beyond_bound += 1;
            return;
        }
        self.uses += usize::from(is_use);
        *self.users.entry((key.address, key.source, key.name.clone())).or_default() += 1;
        self.seen.insert(key, Seen { ttl_s, span: Span::at(time), times: 1, is_taken: false });
    }
}

fn order(sighting: &NameSighting) -> (IpAddr, &HostName, NameSource, Option<IpAddr>) {
    (sighting.address, &sighting.name, sighting.source, sighting.used_by)
}

fn sighting(key: &Key, seen: &Seen) -> NameSighting {
    NameSighting {
        address: key.address,
        name: key.name.clone(),
        source: key.source,
        used_by: key.used_by,
        ttl_s: seen.ttl_s,
        span: seen.span,
        times: seen.times,
    }
}

/// An address that is nobody's own: what ad blockers answer, this host, or a group.
fn is_nobody(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_loopback() || is_group(address)
}
