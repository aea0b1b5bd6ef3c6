//! Needs to rules: exactly the pairs that were seen, or whole zones where that is asked for and enough of their pairs were
//! seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    Evidence, Grouping, Options, ZoneKind, Zones,
    need::{Line, Needs, Pair, Seen},
};
use crate::model::{FIRST_DYNAMIC_PORT, Hour, PortRange, Protocol, handed_out};

/// One side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// All of the zone.
    Zone,
    /// These of it.
    Units(BTreeSet<IpNet>),
    /// Anyone with a public address who is none of the hosts.
    Anyone,
}

/// Who may reach whom by a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ways {
    /// Each client its server.
    Pairs(BTreeSet<Pair>),
    /// All of one side all of the other.
    Product(Side, Side),
}

/// Why a way is open that nobody was seen to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beyond {
    /// The server is one of several behind an address that the client dialled: next time it may be this one.
    Balanced,
    /// The client asks the server for names by UDP, and gets by TCP what is too long for a datagram (RFC 7766).
    LongAnswers,
    /// Both ends send what carries other traffic, as ESP and GRE do: after a silence either may be the first.
    Peers,
}

/// What may pass from one zone to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The clients' zone, by its place.
    pub from: usize,
    /// The servers'.
    pub to: usize,
    /// The protocol.
    pub protocol: Protocol,
    /// The ports; one of 0 where the protocol has none.
    pub ports: BTreeSet<PortRange>,
    /// Who may reach whom.
    pub ways: Ways,
    /// On what it rests.
    pub evidence: Evidence,
    /// Client, server and port that were seen.
    pub needed: u64,
    /// Ways that nobody was seen to take and that are open all the same, by why; of pairs, whatever their ports.
    pub beyond: BTreeMap<Beyond, usize>,
    /// Ports that were seen where a range stands in their place, for a server hands them out.
    pub handed_out: usize,
}

impl Rule {
    /// Whether a connection passes by it.
    #[must_use]
    pub fn allows(&self, zones: &Zones, (client, server): (IpAddr, IpAddr), protocol: Protocol, port: u16) -> bool {
        if self.protocol != protocol || !self.ports.iter().any(|range| range.contains(port)) {
            return false;
        }
        let is_in = |side: &Side, zone: usize, address: IpAddr| match side {
            Side::Zone => zones.of(address) == zone,
            Side::Units(units) => units.contains(&zones.unit(address)),
            Side::Anyone => zones.kind(zones.of(address)) == ZoneKind::Outside,
        };
        match &self.ways {
            Ways::Pairs(pairs) => pairs.contains(&(zones.unit(client), zones.unit(server))),
            Ways::Product(from, to) => is_in(from, self.from, client) && is_in(to, self.to, server),
        }
    }
}

/// Rules by what they have in common but for their ports.
type Draft = BTreeMap<(usize, usize, Protocol, Ways), Rule>;

/// The rules that let everything needed pass, by zones, protocol and ports.
pub(super) fn rules(needs: &mut Needs<'_>, options: &Options) -> Vec<Rule> {
    let zones = needs.zones;
    let mut draft = Draft::new();
    for piece in with_ranges(std::mem::take(&mut needs.lines), options) {
        let ways = ways(zones, piece.line, &piece.pairs, options);
        let Line { from, to, protocol, .. } = piece.line;
        let Some(first) = piece.pairs.values().next().map(|share| share.evidence) else { continue };
        let rule = draft.entry((from, to, protocol, ways)).or_insert_with_key(|(.., ways)| Rule {
            from,
            to,
            protocol,
            ports: BTreeSet::new(),
            ways: ways.clone(),
            evidence: Evidence { connections: 0, ..first },
            needed: 0,
            beyond: BTreeMap::new(),
            handed_out: 0,
        });
        rule.ports.insert(piece.ports);
        for Share { evidence, ports, beyond } in piece.pairs.into_values() {
            if let Some(why) = beyond {
                *rule.beyond.entry(why).or_default() += 1;
                continue;
            }
            // what was not seen is no evidence
            if rule.needed == 0 {
                rule.evidence = Evidence { connections: 0, ..evidence };
            }
            rule.evidence.join(evidence);
            rule.needed += ports as u64;
            rule.handed_out = rule.handed_out.max(if piece.ports.count() > 1 { ports } else { 0 });
        }
    }
    let mut rules: Vec<Rule> = draft.into_values().collect();
    rules.sort_by(|a, b| {
        (a.from, a.to, a.protocol, &a.ports, &a.ways).cmp(&(b.from, b.to, b.protocol, &b.ports, &b.ways))
    });
    rules
}

/// What was seen of one pair, on how many ports.
struct Share {
    evidence: Evidence,
    ports: usize,
    beyond: Option<Beyond>,
}

impl Share {
    /// With nothing seen yet.
    fn of(seen: &Seen) -> Self {
        Self { evidence: Evidence { connections: 0, ..seen.evidence }, ports: 0, beyond: seen.beyond }
    }

    fn add(&mut self, seen: &Seen) {
        if seen.beyond.is_some() {
            return;
        }
        if self.beyond.is_some() {
            *self = Self::of(seen);
        }
        self.evidence.join(seen.evidence);
        self.ports += 1;
    }
}

/// What was seen of pairs.
type Pairs = BTreeMap<Pair, Share>;

/// What one line needs.
struct Piece {
    line: Line,
    ports: PortRange,
    pairs: Pairs,
}

/// Puts a range in place of the ports that a server hands out, for each pair.
fn with_ranges(lines: BTreeMap<Line, BTreeMap<Pair, Seen>>, options: &Options) -> Vec<Piece> {
    // a port that somebody names is no other's
    let may_be_handed_out = |line: &Line| {
        let is_named =
            [&options.public, &options.anywhere].iter().any(|named| named.contains(&(line.protocol, line.port)));
        line.port >= FIRST_DYNAMIC_PORT && !is_named && !line.is_public
    };
    let ranges = ranges(&lines, &may_be_handed_out);
    let mut pieces: BTreeMap<(Line, PortRange), Pairs> = BTreeMap::new();
    for (line, pairs) in lines {
        for (pair, seen) in pairs {
            let own = PortRange::from(line.port);
            let range =
                ranges.get(&(Line { port: 0, ..line }, pair)).filter(|range| range.contains(line.port)).copied();
            let ports = range.filter(|_| may_be_handed_out(&line)).unwrap_or(own);
            let piece = pieces.entry((Line { port: ports.first, ..line }, ports)).or_default();
            piece.entry(pair).or_insert_with(|| Share::of(&seen)).add(&seen);
        }
    }
    pieces.into_iter().map(|((line, ports), pairs)| Piece { line, ports, pairs }).collect()
}

/// The ranges from which servers hand ports out, by zones and protocol, and pair.
fn ranges(
    lines: &BTreeMap<Line, BTreeMap<Pair, Seen>>,
    may_be_handed_out: &impl Fn(&Line) -> bool,
) -> BTreeMap<(Line, Pair), PortRange> {
    let mut by_pair: BTreeMap<(Line, Pair), BTreeMap<u16, BTreeSet<Hour>>> = BTreeMap::new();
    for (line, pairs) in lines.iter().filter(|(line, _)| may_be_handed_out(line)) {
        for (pair, seen) in pairs.iter().filter(|(_, seen)| seen.beyond.is_none()) {
            let ports = by_pair.entry((Line { port: 0, ..*line }, *pair)).or_default();
            ports.entry(line.port).or_default().extend(&seen.hours);
        }
    }
    let range = |(key, ports): ((Line, Pair), BTreeMap<u16, BTreeSet<Hour>>)| {
        let ports = handed_out(&ports);
        Some((key, PortRange { first: *ports.first()?, last: *ports.last()? }))
    };
    by_pair.into_iter().filter_map(range).collect()
}

/// Who may reach whom on a line.
fn ways(zones: &Zones, line: Line, seen: &Pairs, options: &Options) -> Ways {
    let clients: BTreeSet<IpNet> = seen.keys().map(|(client, _)| *client).collect();
    let servers: BTreeSet<IpNet> = seen.keys().map(|(_, server)| *server).collect();
    let (from, to) = (zones.kind(line.from), zones.kind(line.to));
    let port = (line.protocol, line.port);
    // whoever it is in the cluster or outside, the other side stays as it was seen
    if from == ZoneKind::Outside && line.is_public {
        return Ways::Product(Side::Anyone, exactly(zones, line.to, servers));
    }
    if to == ZoneKind::Outside && options.anywhere.contains(&port) {
        return Ways::Product(exactly(zones, line.from, clients), Side::Anyone);
    }
    if from == ZoneKind::Cluster {
        return Ways::Product(Side::Zone, exactly(zones, line.to, servers));
    }
    if to == ZoneKind::Cluster {
        return Ways::Product(exactly(zones, line.from, clients), Side::Zone);
    }
    // what a balancer may choose is no sign of what all of a zone may need
    let in_use = seen.values().filter(|share| share.beyond != Some(Beyond::Balanced)).count();
    let is_wide = options.grouping != Grouping::Host && is_supported(zones, line, in_use, options.support);
    if is_wide {
        return Ways::Product(Side::Zone, Side::Zone);
    }
    if seen.len() as u64 == pairs(&clients, &servers) {
        return Ways::Product(exactly(zones, line.from, clients), exactly(zones, line.to, servers));
    }
    Ways::Pairs(seen.keys().copied().collect())
}

/// Whether two zones are of hosts, and enough of their pairs were seen.
#[expect(clippy::cast_precision_loss, reason = "shares of counts of hosts")]
fn is_supported(zones: &Zones, line: Line, seen: usize, support: f64) -> bool {
    let are_kin = [line.from, line.to].into_iter().all(|zone| zones.all.get(zone).is_some_and(|it| it.are_kin));
    let both = zones.units(&Side::Zone, line.from).zip(zones.units(&Side::Zone, line.to)).filter(|_| are_kin);
    both.is_some_and(|(from, to)| seen as f64 >= support * pairs(from, to) as f64)
}

/// How many pairs of one family there are; nobody needs a rule to reach itself.
pub(super) fn pairs(from: &BTreeSet<IpNet>, to: &BTreeSet<IpNet>) -> u64 {
    let count = |units: &BTreeSet<IpNet>, is_v4| units.iter().filter(|it| it.addr().is_ipv4() == is_v4).count();
    let both = |is_v4| count(from, is_v4) * count(to, is_v4);
    (both(true) + both(false) - from.intersection(to).count()) as u64
}

/// These of a zone: the zone, where they are all of it.
fn exactly(zones: &Zones, zone: usize, units: BTreeSet<IpNet>) -> Side {
    let is_all = zones.units(&Side::Zone, zone).is_some_and(|all| *all == units);
    if is_all { Side::Zone } else { Side::Units(units) }
}
