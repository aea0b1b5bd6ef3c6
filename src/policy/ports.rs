//! Sets of ports, as intervals.

use std::fmt;

use crate::model::Protocol;

/// The protocols that policies name, and all others together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Lane {
    Tcp,
    Udp,
    Sctp,
    Other,
}

const LANES: [Lane; 4] = [Lane::Tcp, Lane::Udp, Lane::Sctp, Lane::Other];

/// How many intervals a sentence names.
pub(super) const NAMED: usize = 10;

/// Ports of one lane, first and last included.
type Interval = (Lane, u16, u16);

/// A set of (protocol, port): disjoint intervals in order, none beside another.
///
/// Protocols without ports, such as ICMP, which a policy cannot name, are in it all together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSet(Vec<Interval>);

impl Lane {
    fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::TCP => Self::Tcp,
            Protocol::UDP => Self::Udp,
            Protocol::SCTP => Self::Sctp,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
            Self::Other => "other protocols",
        }
    }
}

impl PortSet {
    /// All ports of all protocols, and all protocols without ports.
    #[must_use]
    pub fn everything() -> Self {
        Self(LANES.map(|lane| (lane, 0, u16::MAX)).into())
    }

    /// All ports of a protocol.
    #[must_use]
    pub fn all_of(protocol: Protocol) -> Self {
        Self(vec![(Lane::of(protocol), 0, u16::MAX)])
    }

    /// The ports of a protocol from the first to the last, both included.
    #[must_use]
    pub fn range(protocol: Protocol, first: u16, last: u16) -> Self {
        Self(vec![(Lane::of(protocol), first, last)])
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everything is in it.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::everything()
    }

    /// The ports that intervals hold, whatever their order.
    fn of(mut intervals: Vec<Interval>) -> Self {
        intervals.sort_unstable();
        let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
        for (lane, first, last) in intervals {
            match merged.last_mut() {
                Some((of, _, end)) if *of == lane && u32::from(first) <= u32::from(*end) + 1 => *end = last.max(*end),
                _ => merged.push((lane, first, last)),
            }
        }
        Self(merged)
    }

    /// What is in any of these sets.
    #[must_use]
    pub fn all(sets: impl IntoIterator<Item = Self>) -> Self {
        Self::of(sets.into_iter().flat_map(|set| set.0).collect())
    }

    /// Whether a port is in it; of protocols without ports, whether they are.
    #[must_use]
    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        let lane = Lane::of(protocol);
        let after = self.0.partition_point(|(of, first, _)| (*of, *first) <= (lane, port));
        let before = after.checked_sub(1).and_then(|n| self.0.get(n));
        before.is_some_and(|(of, _, last)| *of == lane && port <= *last)
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied().collect())
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut common, mut a, mut b) = (Vec::new(), self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let (first, last) = (x.1.max(y.1), x.2.min(y.2));
            if x.0 == y.0 && first <= last {
                common.push((x.0, first, last));
            }
            // the one that ends first meets nothing more of the other
            if (x.0, x.2) <= (y.0, y.2) {
                a.next()
            } else {
                b.next()
            };
        }
        Self(common)
    }

    /// What is in this one alone, but for port 0 where it is the only one of its neighbours: nobody listens there, so that
    /// TCP and TCP/1-65535 do not differ.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut alone = self.minus(other);
        alone.0.retain(|(lane, _, last)| *lane == Lane::Other || *last > 0);
        alone
    }

    /// What is in this one alone.
    pub(super) fn minus(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    fn complement(&self) -> Self {
        let mut gaps = Vec::new();
        for lane in LANES {
            let mut next = 0u32;
            for (_, first, last) in self.0.iter().filter(|(of, ..)| *of == lane) {
                gaps.push((lane, next, u32::from(*first)));
                next = u32::from(*last) + 1;
            }
            gaps.push((lane, next, u32::from(u16::MAX) + 1));
        }
        let narrow = |(lane, first, end): (Lane, u32, u32)| {
            let last = u16::try_from(end.checked_sub(1)?).ok()?;
            Some((lane, u16::try_from(first).ok()?, last)).filter(|(_, first, last)| first <= last)
        };
        Self(gaps.into_iter().filter_map(narrow).collect())
    }
}

impl PortSet {
    /// Its intervals in words: `TCP/80`, `TCP/8000-8010`, `UDP`; `everything`. Port 0 is no port that anybody listens
    /// on, and is not told.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shortest(None)
    }

    /// Its intervals in words, beside a protocol that need not be named: `80`, `UDP/53`.
    pub(super) fn names_beside(&self, protocol: Protocol) -> Vec<String> {
        self.shortest(Some(Lane::of(protocol)))
    }

    fn shortest(&self, beside: Option<Lane>) -> Vec<String> {
        if self.is_everything() {
            return vec!["everything".to_owned()];
        }
        let name = |(lane, first, last): &Interval| {
            let protocol = if beside == Some(*lane) { String::new() } else { format!("{}/", lane.name()) };
            match (first.max(&1), last) {
                (1, &u16::MAX) => lane.name().to_owned(),
                (first, last) if first == last => format!("{protocol}{first}"),
                (first, last) => format!("{protocol}{first}-{last}"),
            }
        };
        self.0.iter().map(name).collect()
    }
}

impl fmt::Display for PortSet {
    /// Its intervals with commas between, of many the first ones; `nothing`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        match names.len() {
            0 => f.write_str("nothing"),
            many if many > NAMED => write!(f, "{} and {} more", names[..NAMED].join(", "), many - NAMED),
            _ => f.write_str(&names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROTOCOLS: [Protocol; 4] = [Protocol::TCP, Protocol::UDP, Protocol::SCTP, Protocol::ICMP];

    /// Port 0 comes with all ports of a protocol alone: no rule names it.
    fn set() -> impl Strategy<Value = PortSet> {
        let ends = prop_oneof![Just(1u16), Just(u16::MAX - 1), Just(u16::MAX), 1u16..20];
        let interval = (0usize..3, ends.clone(), ends);
        let range = |(lane, a, b): (usize, u16, u16)| match (a.min(b), a.max(b)) {
            (1, u16::MAX) => PortSet::all_of(PROTOCOLS[lane]),
            (first, last) => PortSet::range(PROTOCOLS[lane], first, last),
        };
        let ranges = proptest::collection::vec(interval.prop_map(range), 0..5);
        (ranges, any::<bool>()).prop_map(|(ranges, other)| {
            let set = ranges.iter().fold(PortSet::default(), |all, one| all.union(one));
            if other { set.union(&PortSet::all_of(Protocol::ICMP)) } else { set }
        })
    }

    proptest! {
        #[test]
        fn the_algebra_is_that_of_sets(a in set(), b in set(), lane in 0usize..4, port in prop_oneof![0u16..25, 65530u16..=65535]) {
            let holds = |set: &PortSet| set.contains(PROTOCOLS[lane], port);
            prop_assert_eq!(holds(&a.union(&b)), holds(&a) || holds(&b));
            prop_assert_eq!(holds(&a.intersection(&b)), holds(&a) && holds(&b));
            if port > 0 {
                prop_assert_eq!(holds(&a.without(&b)), holds(&a) && !holds(&b));
            }
            // equal sets have equal words
            prop_assert_eq!(a.without(&b).union(&a.intersection(&b)).names(), a.names());
        }
    }

    #[test]
    fn words_are_as_short_as_they_can_be() {
        let tcp = |first, last| PortSet::range(Protocol::TCP, first, last);
        assert_eq!(
            tcp(80, 80).union(&tcp(81, 90)).union(&PortSet::all_of(Protocol::UDP)).to_string(),
            "TCP/80-90, UDP"
        );
        assert_eq!(tcp(1, 65535).to_string(), "TCP");
        assert_eq!(PortSet::everything().to_string(), "everything");
        assert_eq!(PortSet::default().to_string(), "nothing");
        assert_eq!(PortSet::everything().without(&tcp(1, 1)).to_string(), "TCP/2-65535, UDP, SCTP, other protocols");
    }
}
